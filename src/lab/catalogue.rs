//! Finding scenarios by what a person types.

use super::{Mechanism, Scenario, Topic};
use crate::{
    problem::{Problem, did_you_mean, nearest},
    text,
    text::Text,
};

/// A scenario and the topic it belongs to.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its topic.
    pub topic: &'static Topic,
    /// Itself.
    pub scenario: &'static Scenario,
}

impl Entry {
    /// `topic/scenario`.
    pub fn target(&self) -> String {
        format!("{}/{}", self.topic.id, self.scenario.id)
    }
}

/// Every scenario of every topic, in the order of reading.
pub fn entries(
    topics: &'static [&'static Topic],
) -> impl Iterator<Item = Entry> {
    topics.iter().flat_map(|topic| {
        topic.scenarios.iter().map(|scenario| Entry { topic, scenario })
    })
}

/// What `topic` or `topic/scenario` names.
///
/// # Errors
/// A usage [`Problem`], with the nearest name.
pub fn find(
    topics: &'static [&'static Topic],
    target: &str,
) -> Result<Vec<Entry>, Problem> {
    let (topic_id, scenario_id) = match target.split_once('/') {
        Some((topic, scenario)) => (topic, Some(scenario)),
        None => (target, None),
    };
    let Some(topic) = topics.iter().find(|topic| topic.id == topic_id) else {
        let mut problem = Problem::usage(text! {
            en: "no topic \"{topic}\"", zh: "没有主题 \"{topic}\"", topic = topic_id
        });
        // Somebody may know the scenario and not its topic.
        let scenario =
            entries(topics).find(|entry| entry.scenario.id == topic_id);
        let nearest = scenario
            .map(|entry| entry.target())
            .or_else(|| nearest(topic_id, topics.iter().map(|topic| topic.id)));
        problem.help.push(nearest.map_or(LIST, |near| did_you_mean(&near)));
        return Err(problem);
    };
    let Some(scenario_id) = scenario_id else {
        return Ok(topic
            .scenarios
            .iter()
            .map(|scenario| Entry { topic, scenario })
            .collect());
    };
    match topic.scenarios.iter().find(|scenario| scenario.id == scenario_id) {
        Some(scenario) => Ok(vec![Entry { topic, scenario }]),
        None => {
            let mut problem = Problem::usage(text! {
                en: "no scenario \"{scenario}\" in {topic}",
                zh: "{topic} 中没有场景 \"{scenario}\"",
                scenario = scenario_id, topic = topic_id
            });
            let nearest =
                nearest(scenario_id, topic.scenarios.iter().map(|s| s.id));
            let nearest = nearest.map(|id| format!("{topic_id}/{id}"));
            problem.help.push(nearest.map_or(LIST, |near| did_you_mean(&near)));
            Err(problem)
        }
    }
}

/// The mechanism of this name in this scenario.
///
/// # Errors
/// A usage [`Problem`], with the nearest name or all of them.
pub fn mechanism(
    entry: Entry,
    name: &str,
) -> Result<&'static Mechanism, Problem> {
    let all = entry.scenario.ways.mechanisms();
    if let Some(found) = all.iter().find(|mechanism| mechanism.id == name) {
        return Ok(found);
    }
    let target = entry.target();
    let problem = Problem::usage(text! {
        en: "no mechanism \"{name}\" in {target}", zh: "{target} 中没有机制 \"{name}\"",
        name = name, target = target
    });
    if all.is_empty() {
        let kind = entry.scenario.ways.kind_word();
        return Err(problem.help(Text::made(
            format!("it is a {}: there is nothing to take out", kind.en),
            format!("它是{}：没有可去掉的机制", kind.zh),
        )));
    }
    Err(problem.help(match nearest(name, all.iter().map(|m| m.id)) {
        Some(id) => did_you_mean(&id),
        None => {
            let names: Vec<_> = all.iter().map(|m| m.id).collect();
            let names = names.join(", ");
            text! { en: "it has: {names}", zh: "可选：{names}", names = names }
        }
    }))
}

const LIST: Text = text! {
    en: "rmq-lab list tells what there is", zh: "rmq-lab list 会列出全部内容"
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::demos::TOPICS;

    /// Vhosts, logs and hints go by them.
    #[test]
    fn no_two_scenarios_of_whichever_topic_have_one_id() {
        let mut ids = BTreeSet::new();
        for entry in entries(TOPICS) {
            assert!(ids.insert(entry.scenario.id), "{}", entry.target());
        }
    }
}
