//! The recorded runs that ship with the binary: one for each topic, readable
//! by this version, with every scenario proven.

use libtest_mimic::{Failed, Trial};
use rmq_lab::{
    book::recorded,
    cli::shelf::shipped,
    demos::TOPICS,
    event::{Event, Verdict},
    lab::{Scenario, Topic},
    narrate::{Fate, Life, Recorded, Scene},
};

/// What one of them may add to the binary.
const MOST_BYTES: usize = 250_000;

pub fn trials() -> Vec<Trial> {
    let trials = TOPICS.iter().map(|topic| {
        Trial::test(format!("shipped::{}", topic.id), move || check(topic))
    });
    trials.collect()
}

fn check(topic: &Topic) -> Result<(), Failed> {
    let again = format!("make one: scripts/record {}", topic.id);
    let Some(bytes) = recorded::of_topic(topic.id) else {
        let id = topic.id;
        return Err(format!("no recorded run of {id} ships; {again}").into());
    };
    let Some(recorded) = shipped(topic.id) else {
        return Err(format!("it cannot be read; {again}").into());
    };
    if bytes.len() > MOST_BYTES {
        return Err(format!("{} bytes are too many", bytes.len()).into());
    }
    whole(topic, &recorded).map_err(|why| format!("{why}; {again}"))?;
    nothing_private(&recorded)?;
    recorded.scenes().try_for_each(|scene| can_be_traced(&scene))
}

fn whole(topic: &Topic, recorded: &Recorded) -> Result<(), String> {
    if recorded.breaks_off() || recorded.head.when().is_none() {
        return Err("it breaks off, or does not say when it was".to_owned());
    }
    for scenario in topic.scenarios {
        let scene = recorded.scenes().find(|s| s.scenario == scenario.id);
        let ended = scene.and_then(|scene| scene.ended);
        let verdict = ended.map(|ended| ended.verdict);
        if verdict != Some(Verdict::Proven) {
            let id = scenario.id;
            return Err(format!("{id} is not proven in it: {verdict:?}"));
        }
        if let Some(stale) = scene.and_then(|scene| stale(scenario, &scene)) {
            let id = scenario.id;
            return Err(format!("{id} is told otherwise by now: {stale}"));
        }
    }
    Ok(())
}

/// What the record tells otherwise than the catalogue does.
fn stale(scenario: &Scenario, scene: &Scene<'_>) -> Option<&'static str> {
    let ended = scene.ended?;
    let started = scene.events.iter().find_map(|stamped| {
        let told = &stamped.event;
        matches!(told, Event::ScenarioStarted { .. }).then_some(told)
    });
    let Some(Event::ScenarioStarted {
        recipe, fault, question, choices, ..
    }) = started
    else {
        return Some("it does not begin");
    };
    let choices = choices.iter().map(|choice| &choice.text);
    let figures = ended.figures.iter().map(String::as_str);
    let told = [
        ("recipe", *recipe == scenario.recipe),
        ("fault", *fault == scenario.fault),
        ("question", *question == scenario.predict.question),
        ("choices", choices.eq(scenario.predict.choices)),
        ("claim", ended.claim == scenario.claim),
        ("fix", ended.fix == scenario.fix),
        ("limit", ended.limit == scenario.limit),
        ("say", ended.say == scenario.say),
        ("columns", ended.columns == scenario.columns),
        ("figures", figures.eq(scenario.figures.iter().copied())),
    ];
    told.into_iter().find(|(_, same)| !same).map(|(what, _)| what)
}

fn nothing_private(recorded: &Recorded) -> Result<(), Failed> {
    for stamped in recorded.events() {
        let line = serde_json::to_string(stamped)?;
        let private = ["\"/", "/home/", "/root/", "/tmp/", "password\""];
        if let Some(found) = private.iter().find(|p| line.contains(**p)) {
            return Err(format!("{found} in {line}").into());
        }
    }
    Ok(())
}

/// Every message with something wrong has a life in which that is seen.
fn can_be_traced(scene: &Scene<'_>) -> Result<(), Failed> {
    for stamped in scene.events {
        let Event::WayEnded { way, result } = &stamped.event else { continue };
        for anomaly in &result.anomalies {
            let life = Life::of(anomaly.message, scene);
            let ways = life.into_iter().flat_map(|life| life.ways);
            let own = ways.into_iter().find(|own| own.way == *way);
            let fate = own.map(|own| own.fate);
            if !matches!(fate, Some(Fate::Wrong { .. })) {
                let (target, message) = (scene.target(), anomaly.message);
                return Err(format!(
                    "{target}, {way:?}: {message} is {fate:?}"
                )
                .into());
            }
        }
    }
    Ok(())
}
