//! `rmq-lab trace`: the life of one message in a recorded run.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Manner, Trace, names, pager::Way, shelf};
use crate::{
    book::recorded,
    event::Event,
    ledger::{MessageId, Noun},
    narrate::{
        Detail, Head, Life, Recorded, STRUCK_ONLY, Scene, trace as lines_of,
    },
    problem::{self, Exit, Problem, did_you_mean},
    text,
    text::Text,
};

/// Tells what happened to a message, in every scenario in which it occurs. At
/// a terminal it is paged, as a chapter is.
///
/// # Errors
/// A usage [`Problem`] for what is not recorded; what could not be written.
pub fn trace(asked: &Trace, manner: Manner) -> Result<Exit, Problem> {
    let recorded = recorded(asked)?;
    let scenes: Vec<Scene<'_>> = recorded.scenes().collect();
    let known: BTreeSet<MessageId> =
        scenes.iter().flat_map(|scene| messages_in(scene)).collect();
    let message = wanted(&asked.message, &known, &scenes, &recorded.head)?;
    let lives: Vec<Life> =
        scenes.iter().filter_map(|scene| Life::of(message, scene)).collect();
    if lives.is_empty() {
        return Err(not_there(&asked.message, &known, &scenes, &recorded.head));
    }
    let told: String = match asked.json {
        true => {
            lives.iter().map(|life| as_json(life, &recorded.head)).collect()
        }
        false => for_a_person(&lives, &recorded.head, manner),
    };
    Ok(Way::of(asked.json).send(&told)?.exit)
}

fn for_a_person(lives: &[Life], head: &Head, manner: Manner) -> String {
    let style = manner.style(Detail::Normal);
    let told: Vec<String> = lives
        .iter()
        .map(|life| {
            let lines = lines_of(life, head, &style);
            lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
        })
        .collect();
    told.join("\n")
}

fn as_json(life: &Life, head: &Head) -> String {
    let ways: Vec<_> = life
        .ways
        .iter()
        .map(|way| {
            let (fate, events) = (json!(way.fate), &way.moments);
            json!({
                "way": way.way,
                "title": way.title,
                "events": events,
                "came_to": fate,
            })
        })
        .collect();
    let told = json!({
        "message": life.message,
        "run": head.run,
        "started": head.started,
        "version": head.version,
        "scenario": life.target,
        "facts": if head.struck_only { "struck" } else { "all" },
        "ways": ways,
    });
    format!("{told}\n")
}

/// The record, or the scenario of it that was asked for.
fn recorded(asked: &Trace) -> Result<Recorded, Problem> {
    let word = asked.run.as_deref().or(asked.scenario.as_deref());
    let instead = || shipped_with(&asked.message);
    let found = shelf::find(word.unwrap_or(shelf::LATEST), instead)?.recorded;
    let Some(typed) = &asked.scenario else { return Ok(found) };
    let scenario = &*names::by_id(typed);
    let is_it = |scene: &Scene<'_>| {
        scene.target() == scenario
            || scene.topic == scenario
            || scene.scenario == scenario
    };
    found.only(is_it).ok_or_else(|| {
        let problem = Problem::usage(text! {
            en: "no scenario \"{scenario}\" in run {run}",
            zh: "运行 {run} 中没有场景 \"{scenario}\"",
            scenario = scenario, run = found.head.run
        });
        let targets: Vec<_> =
            found.scenes().map(|scene| scene.target()).collect();
        match problem::nearest(scenario, targets.iter().cloned()) {
            Some(near) => problem.help(did_you_mean(&near)),
            None => {
                let all = targets.join(", ");
                problem.help(
                    text! { en: "it has: {all}", zh: "可选：{all}", all = all },
                )
            }
        }
    })
}

/// How to trace a message in the first run that ships and has it.
fn shipped_with(typed: &str) -> Option<String> {
    let has_it = |topic: &&str| {
        shelf::shipped(topic).is_some_and(|recorded| {
            let known: BTreeSet<MessageId> = recorded
                .scenes()
                .flat_map(|scene| messages_in(&scene))
                .collect();
            meant(typed, &known).len() == 1
        })
    };
    let mut topics = recorded::shipped().map(|(topic, _)| topic);
    let topic = topics.find(has_it)?;
    Some(format!("trace {typed} --run {topic}"))
}

/// Every message of which anything is recorded.
fn messages_in(scene: &Scene<'_>) -> BTreeSet<MessageId> {
    let mut messages = BTreeSet::new();
    for stamped in scene.events {
        match &stamped.event {
            Event::Fact { message, .. }
            | Event::Struck { message: Some(message), .. } => {
                messages.insert(*message);
            }
            Event::WayEnded { result, .. } => {
                messages.extend(result.anomalies.iter().map(|a| a.message));
            }
            _ => {}
        }
    }
    messages
}

/// The message that was named, or numbered where only one has that number.
fn wanted(
    typed: &str,
    known: &BTreeSet<MessageId>,
    scenes: &[Scene<'_>],
    head: &Head,
) -> Result<MessageId, Problem> {
    match meant(typed, known).as_slice() {
        [] => Err(not_there(typed, known, scenes, head)),
        [one] => Ok(*one),
        several @ [first, ..] => Err(Problem::usage(text! {
            en: "several messages have the number {number}",
            zh: "有多条消息的编号是 {number}",
            number = first.number
        })
        .help(text! {
            en: "one of {names}", zh: "可选：{names}", names = in_a_row(several)
        })),
    }
}

/// The messages that a name or a number may mean.
fn meant(typed: &str, known: &BTreeSet<MessageId>) -> Vec<MessageId> {
    if let Ok(message) = typed.parse::<MessageId>() {
        return known.get(&message).copied().into_iter().collect();
    }
    let Ok(number) = typed.parse::<u32>() else { return Vec::new() };
    known.iter().copied().filter(|m| m.number == number).collect()
}

/// So many messages are named at most.
const NAMED: usize = 8;

fn not_there(
    typed: &str,
    known: &BTreeSet<MessageId>,
    scenes: &[Scene<'_>],
    head: &Head,
) -> Problem {
    let mut problem = Problem::usage(text! {
        en: "no message \"{typed}\" in run {run}",
        zh: "运行 {run} 中没有消息 \"{typed}\"",
        typed = typed, run = head.run
    });
    if head.struck_only {
        problem.help.push(STRUCK_ONLY);
    }
    match which_numbers(typed, known) {
        Some(numbers) => problem.help.push(numbers),
        None => {
            let near = nearest(typed, known);
            let near = near.map(|near| did_you_mean(&near.to_string()));
            problem.help.extend(near);
        }
    }
    let (wrong, struck) = interesting(scenes);
    if !wrong.is_empty() {
        problem.help.push(text! {
            en: "with something wrong: {names}", zh: "出了问题的：{names}",
            names = in_a_row(&wrong)
        });
    }
    if !struck.is_empty() {
        problem.help.push(text! {
            en: "struck by the fault: {names}", zh: "被故障命中的：{names}",
            names = in_a_row(&struck)
        });
    }
    if problem.help.is_empty()
        && let Some((first, last)) = known.first().zip(known.last())
    {
        problem.help.push(text! {
            en: "its messages are {first} to {last}",
            zh: "其中的消息从 {first} 到 {last}",
            first = first, last = last
        });
    }
    problem
}

/// Of a noun that is spelt right, or of every noun where only a number was
/// typed: from the first message to the last.
fn which_numbers(typed: &str, known: &BTreeSet<MessageId>) -> Option<Text> {
    let noun = match typed.parse::<MessageId>() {
        Ok(message) => Some(message.noun),
        Err(_) => typed.parse::<u32>().ok().map(|_| None)?,
    };
    let nouns: BTreeSet<Noun> = known
        .iter()
        .map(|m| m.noun)
        .filter(|one| noun.is_none_or(|noun| noun == *one))
        .collect();
    let ranges = nouns.into_iter().filter_map(|noun| {
        let mut own = known.iter().filter(|m| m.noun == noun);
        let first = own.next()?;
        Some(match own.next_back() {
            None => Text::same(first.to_string()),
            Some(last) => text! {
                en: "{first} to {last}", zh: "{first} 到 {last}",
                first = first, last = last
            },
        })
    });
    let (en, zh): (Vec<_>, Vec<_>) =
        ranges.map(|range| (range.en, range.zh)).unzip();
    (!en.is_empty()).then(|| {
        Text::made(
            format!("there are {}", en.join(", ")),
            format!("其中有 {}", zh.join("、")),
        )
    })
}

/// By its number among those of its noun; by its letters where it has none.
fn nearest(typed: &str, known: &BTreeSet<MessageId>) -> Option<MessageId> {
    let number =
        typed.rsplit('-').next().and_then(|digits| digits.parse::<u32>().ok());
    let by_letters = || {
        let names = known.iter().map(MessageId::to_string);
        problem::nearest(typed, names)?.parse::<MessageId>().ok()
    };
    let Some(number) = number else { return by_letters() };
    let noun = typed.rsplit_once('-').map(|(noun, _)| noun.to_owned());
    let nouns: BTreeSet<Noun> = known.iter().map(|m| m.noun).collect();
    let noun = match noun {
        None => nouns.first().copied()?,
        Some(noun) => {
            let names = nouns.iter().map(|n| n.as_str().to_owned());
            let near = problem::nearest(&noun, names)?;
            nouns.into_iter().find(|n| n.as_str() == near)?
        }
    };
    let own = known.iter().copied().filter(|m| m.noun == noun);
    own.min_by_key(|m| m.number.abs_diff(number))
}

/// The messages with something wrong, and those that were struck.
fn interesting(scenes: &[Scene<'_>]) -> (Vec<MessageId>, Vec<MessageId>) {
    let (mut wrong, mut struck) = (BTreeSet::new(), BTreeSet::new());
    for stamped in scenes.iter().flat_map(|scene| scene.events) {
        match &stamped.event {
            Event::WayEnded { result, .. } => {
                wrong.extend(result.anomalies.iter().map(|a| a.message));
            }
            Event::Struck { message: Some(message), .. } => {
                struck.insert(*message);
            }
            _ => {}
        }
    }
    (wrong.into_iter().collect(), struck.into_iter().collect())
}

/// `payment-0010, payment-0020, … (18 more)`
fn in_a_row(messages: &[MessageId]) -> String {
    let names: Vec<_> =
        messages.iter().take(NAMED).map(MessageId::to_string).collect();
    let more = messages.len().saturating_sub(NAMED);
    match more {
        0 => names.join(", "),
        more => format!("{}, +{more}", names.join(", ")),
    }
}
