//! How far a reader has come: what was read, run and answered.
//!
//! Pure. The [`Store`](super::Store) keeps it in a file. Everything stands
//! under stable ids; those that this version does not know, and fields that it
//! does not know, are kept and written back.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::outline::sample::outline;

    const NOW: Moment = Moment(1_764_150_000);

    #[test]
    fn what_is_noted_is_known() {
        let mut progress = Progress::default();
        progress.note_read("first", NOW);
        progress.note_read("first", NOW);
        progress.note_run("first/s1", "refuted", NOW);
        assert!(!progress.is_done("first/s1"));
        progress.note_run("first/s1", "proven", NOW);
        assert!(progress.is_done("first/s1"));
        assert_eq!(progress.read["first"].times, 2);
        assert_eq!(progress.run["first/s1"].times, 2);
        let outline = outline();
        assert_eq!(progress.done_in(&outline.topics[0]), 1);
        assert_eq!(progress.done_in(&outline.topics[1]), 0);
    }

    #[test]
    fn a_run_that_is_left_out_takes_nothing_away() {
        let mut progress = Progress::default();
        progress.note_skipped("first/s1", NOW);
        assert!(!progress.is_done("first/s1"));
        progress.note_run("first/s1", "observed", NOW);
        progress.note_skipped("first/s1", NOW);
        assert!(progress.is_done("first/s1"));
    }

    #[test]
    fn due_cards_are_counted_by_topic_and_strangers_are_not() {
        let (mut progress, outline) = (Progress::default(), outline());
        for card in ["q1", "first/s1", "q4", "of-another-version"] {
            progress.grade(card, Grade::Again, NOW);
        }
        progress.grade("q2", Grade::Good, NOW);
        let tomorrow = NOW.plus_days(1);
        assert_eq!(progress.due(&outline, None, NOW), 0);
        assert_eq!(progress.due(&outline, None, tomorrow), 3);
        assert_eq!(progress.due(&outline, Some("first"), tomorrow), 2);
        let (when, cards) = progress.next_due(&outline, None, NOW).unwrap();
        assert_eq!((when, cards), (NOW.plus_hours(16), 3));
        let (when, cards) =
            progress.next_due(&outline, None, tomorrow).unwrap();
        assert_eq!((when, cards), (NOW.plus_hours(64), 1));
        assert_eq!(progress.next_due(&outline, Some("third"), NOW), None);
    }

    #[test]
    fn what_failed_in_an_interview_is_due_in_the_quiz() {
        let (mut progress, outline) = (Progress::default(), outline());
        progress.grade("q1", Grade::Easy, NOW);
        progress.note_spoken("q1", 1, NOW);
        assert_eq!(progress.due(&outline, None, NOW), 0);
        progress.note_spoken("q1", 0, NOW);
        assert_eq!(progress.due(&outline, None, NOW), 1);
        assert_eq!(progress.interview["q1"].times, 2);
    }

    #[test]
    fn a_topic_stands_where_it_was_read_run_answered_and_spoken_about() {
        let (mut progress, outline) = (Progress::default(), outline());
        let (first, second) = (&outline.topics[0], &outline.topics[1]);
        let none = progress.standing(first, NOW);
        let of = Standing {
            scenarios: 2,
            cards: 5,
            questions: 3,
            ..Standing::default()
        };
        assert_eq!(none, of);
        assert!(!none.has_begun());
        progress.note_read("first", NOW);
        progress.note_run("first/s1", "proven", NOW);
        progress.note_run("first/s2", "refuted", NOW);
        progress.grade("q1", Grade::Good, NOW);
        progress.grade("first/s1", Grade::Again, NOW);
        progress.note_spoken("q2", 2, NOW);
        progress.note_spoken("q3", 1, NOW);
        let later = NOW.plus_days(1);
        let standing = progress.standing(first, later);
        let expected = Standing {
            read: true,
            done: 1,
            answered: 2,
            due: 1,
            spoken: 2,
            points: 3,
            ..of
        };
        assert_eq!(standing, expected);
        assert!(!progress.standing(second, later).has_begun());
        progress.note_spoken("q4", 0, NOW);
        assert!(progress.standing(second, later).has_begun());
    }

    #[test]
    fn a_topic_is_forgotten_and_the_others_are_not() {
        let (mut progress, outline) = (Progress::default(), outline());
        for topic in ["first", "second"] {
            progress.note_read(topic, NOW);
        }
        for target in ["first/s1", "first/renamed", "second/s3"] {
            progress.note_run(target, "proven", NOW);
        }
        for card in ["q1", "first/s1", "q4"] {
            progress.grade(card, Grade::Good, NOW);
        }
        progress.note_spoken("q2", 2, NOW);
        let forgotten = progress.forget(Some(&outline.topics[0]));
        assert_eq!(forgotten, Forgotten { read: 1, run: 2, answers: 3 });
        assert_eq!(
            progress.forget(None),
            Forgotten { read: 1, run: 1, answers: 1 }
        );
        assert!(progress.forget(None).is_nothing());
        assert_eq!(progress, Progress::default());
    }

    #[test]
    fn what_a_newer_version_added_is_written_back() {
        let file = serde_json::json!({
            "format": 1,
            "streak": 7,
            "read": {"first": {"last": 5, "times": 1, "page": 3}},
            "run": {"fourth/new": {
                "last": 5, "times": 1, "verdict": "astonished", "seed": 9
            }},
            "cards": {"q9": {
                "due": 9, "last": 5, "grade": 3, "times": 1, "lapses": 0,
                "stability": 3.5, "difficulty": 5.5, "starred": true
            }},
            "interview": {"q9": {
                "last": 5, "times": 1, "points": 2, "aloud": "yes"
            }}
        });
        let mut progress: Progress =
            serde_json::from_value(file.clone()).unwrap();
        assert_eq!(serde_json::to_value(&progress).unwrap(), file);
        progress.note_read("first", NOW);
        progress.grade("q9", Grade::Good, NOW);
        let back = serde_json::to_value(&progress).unwrap();
        assert_eq!(back["read"]["first"]["page"], 3);
        assert_eq!(back["cards"]["q9"]["starred"], true);
        assert_eq!(back["streak"], 7);
    }
}
