//! How far a reader has come: what was read, run and answered.
//!
//! Pure. The [`Store`](super::Store) keeps it in a file. Everything stands
//! under stable ids; those that this version does not know, and fields that it
//! does not know, are kept and written back.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Moment, Outline, TopicOutline,
    schedule::{self, Card, Grade},
};

/// The version of the file's format.
pub const FORMAT: u64 = 1;

/// A run that was left out because this machine cannot run it.
const SKIPPED: &str = "skipped";

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The version of the format.
    pub format: u64,
    /// Chapters, by topic.
    #[serde(default)]
    pub read: BTreeMap<String, Read>,
    /// Scenarios, as `topic/scenario`.
    #[serde(default)]
    pub run: BTreeMap<String, Run>,
    /// Cards of the quiz: questions by their ids, predictions by their
    /// scenarios.
    #[serde(default)]
    pub cards: BTreeMap<String, Card>,
    /// Questions of mock interviews, by their ids.
    #[serde(default)]
    pub interview: BTreeMap<String, Spoken>,
    /// What a newer version keeps.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A chapter that was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Read {
    /// When last.
    pub last: Moment,
    /// How often.
    pub times: u32,
    /// What a newer version keeps of it.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A scenario that was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// When last.
    pub last: Moment,
    /// How often.
    pub times: u32,
    /// How it ended last: a verdict, or `skipped`.
    pub verdict: String,
    /// What a newer version keeps of it.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Run {
    /// Whether what it shows was seen.
    pub fn is_done(&self) -> bool {
        matches!(self.verdict.as_str(), "proven" | "observed")
    }
}

/// A question that was answered aloud.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spoken {
    /// When last.
    pub last: Moment,
    /// How often.
    pub times: u32,
    /// The points of the last time, 0 to 2.
    pub points: u8,
    /// What a newer version keeps of it.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// How far a reader has come in a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether its chapter was read.
    pub read: bool,
    /// Its scenarios that were seen to show what they claim.
    pub done: usize,
    /// All of them.
    pub scenarios: usize,
    /// Its cards that were ever answered.
    pub answered: usize,
    /// Of these, how many are due.
    pub due: usize,
    /// All of them.
    pub cards: usize,
    /// Its questions that were answered in an interview.
    pub spoken: usize,
    /// The points for these, of the last time each.
    pub points: u32,
    /// All of them.
    pub questions: usize,
}

impl Standing {
    /// Whether there is anything to tell.
    pub const fn has_begun(&self) -> bool {
        self.read || self.done + self.answered + self.spoken > 0
    }
}

/// How much was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Chapters read.
    pub read: usize,
    /// Scenarios run.
    pub run: usize,
    /// Cards and interview questions.
    pub answers: usize,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            format: FORMAT,
            read: BTreeMap::new(),
            run: BTreeMap::new(),
            cards: BTreeMap::new(),
            interview: BTreeMap::new(),
            more: Map::new(),
        }
    }
}

impl Progress {
    /// Notes that a chapter was read.
    pub fn note_read(&mut self, topic: &str, now: Moment) {
        let read = self.read.entry(topic.to_owned()).or_insert(Read {
            last: now,
            times: 0,
            more: Map::new(),
        });
        read.last = now;
        read.times = read.times.saturating_add(1);
    }

    /// Notes how a scenario ended.
    pub fn note_run(&mut self, target: &str, verdict: &str, now: Moment) {
        let run = self.run.entry(target.to_owned()).or_insert(Run {
            last: now,
            times: 0,
            verdict: String::new(),
            more: Map::new(),
        });
        run.last = now;
        run.times = run.times.saturating_add(1);
        verdict.clone_into(&mut run.verdict);
    }

    /// Notes that this machine cannot run a scenario, unless it could once.
    pub fn note_skipped(&mut self, target: &str, now: Moment) {
        if !self.run.contains_key(target) {
            self.note_run(target, SKIPPED, now);
        }
    }

    /// Notes the answer to a card.
    pub fn grade(&mut self, card: &str, grade: Grade, now: Moment) {
        let next = schedule::review(self.cards.get(card), grade, now);
        self.cards.insert(card.to_owned(), next);
    }

    /// Notes the points for an answer in an interview. What could not be
    /// answered there is due in the quiz.
    pub fn note_spoken(&mut self, question: &str, points: u8, now: Moment) {
        let spoken =
            self.interview.entry(question.to_owned()).or_insert(Spoken {
                last: now,
                times: 0,
                points,
                more: Map::new(),
            });
        spoken.last = now;
        spoken.times = spoken.times.saturating_add(1);
        spoken.points = points;
        if points == 0
            && let Some(card) = self.cards.get_mut(question)
        {
            card.due = card.due.min(now);
        }
    }

    /// Whether a scenario was seen to show what it claims.
    pub fn is_done(&self, target: &str) -> bool {
        self.run.get(target).is_some_and(Run::is_done)
    }

    /// How many of a topic's scenarios are done.
    pub fn done_in(&self, topic: &TopicOutline) -> usize {
        topic.scenarios.iter().filter(|target| self.is_done(target)).count()
    }

    /// How far the reader has come in a topic.
    pub fn standing(&self, topic: &TopicOutline, now: Moment) -> Standing {
        let cards = topic.cards();
        let answered: Vec<&Card> =
            cards.iter().filter_map(|card| self.cards.get(*card)).collect();
        let spoken: Vec<&Spoken> = topic
            .questions
            .iter()
            .filter_map(|question| self.interview.get(question))
            .collect();
        Standing {
            read: self.read.contains_key(&topic.id),
            done: self.done_in(topic),
            scenarios: topic.scenarios.len(),
            answered: answered.len(),
            due: answered.iter().filter(|card| card.is_due(now)).count(),
            cards: cards.len(),
            spoken: spoken.len(),
            points: spoken.iter().map(|one| u32::from(one.points)).sum(),
            questions: topic.questions.len(),
        }
    }

    /// How many cards of a topic, or of all, are due.
    pub fn due(
        &self,
        outline: &Outline,
        topic: Option<&str>,
        now: Moment,
    ) -> usize {
        self.answered(outline, topic).filter(|card| card.is_due(now)).count()
    }

    /// How many cards of a topic, or of all, were never answered.
    pub fn unseen(&self, outline: &Outline, topic: Option<&str>) -> usize {
        let cards = outline.within(topic).flat_map(TopicOutline::cards);
        cards.filter(|card| !self.cards.contains_key(*card)).count()
    }

    /// From when on the next card will be due, and how many at about the
    /// same time.
    pub fn next_due(
        &self,
        outline: &Outline,
        topic: Option<&str>,
        now: Moment,
    ) -> Option<(Moment, usize)> {
        let later = |card: &&Card| !card.is_due(now);
        let ready = |card: &Card| card.ready();
        let mut all: Vec<_> =
            self.answered(outline, topic).filter(later).map(ready).collect();
        all.sort_unstable();
        let first = *all.first()?;
        let soon = first.plus_hours(12);
        Some((first, all.iter().filter(|ready| **ready <= soon).count()))
    }

    fn answered<'a>(
        &'a self,
        outline: &'a Outline,
        topic: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Card> {
        outline
            .within(topic)
            .flat_map(TopicOutline::cards)
            .filter_map(|card| self.cards.get(card))
    }

    /// Forgets a topic, or all there is.
    pub fn forget(&mut self, topic: Option<&TopicOutline>) -> Forgotten {
        let before = self.clone();
        match topic {
            None => *self = Self::default(),
            Some(topic) => {
                let inside = format!("{}/", topic.id);
                let is_its = |id: &String| {
                    id.starts_with(&inside) || topic.questions.contains(id)
                };
                self.read.remove(&topic.id);
                self.run.retain(|id, _| !is_its(id));
                self.cards.retain(|id, _| !is_its(id));
                self.interview.retain(|id, _| !is_its(id));
            }
        }
        let answers = |p: &Self| p.cards.len() + p.interview.len();
        Forgotten {
            read: before.read.len() - self.read.len(),
            run: before.run.len() - self.run.len(),
            answers: answers(&before) - answers(self),
        }
    }
}

impl Forgotten {
    /// Whether there was anything.
    pub const fn is_nothing(&self) -> bool {
        self.read + self.run + self.answers == 0
    }
}
