//! The course of a mock interview: which question is asked next, when it is
//! dug deeper, when it ends, and what it came to. Pure: the clock is told, the
//! dice are handed in.

#[cfg(test)]
mod tests;

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{Progress, questions::Level};

/// The most points for an answer.
pub const POINTS: u8 = 2;

/// A question that may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: String,
    /// Its topic.
    pub topic: String,
    /// How deep it goes.
    pub level: Level,
    /// How many follow-ups it has.
    pub digs: usize,
    /// The scenarios that prove its answer.
    pub scenarios: Vec<String>,
}

/// How likely a question is to come early: never asked or badly answered more
/// than well answered, easy ones more than hard ones.
fn weight(candidate: &Candidate, progress: &Progress) -> f64 {
    let spoken = progress.interview.get(&candidate.id);
    let by_interview = match spoken.map(|spoken| spoken.points) {
        Some(0) => 6.0,
        None => 4.0,
        Some(1) => 3.0,
        Some(_) => 1.0,
    };
    let by_card = match progress.cards.get(&candidate.id) {
        Some(card) if card.grade <= 2 => 2.0,
        _ => 1.0,
    };
    let by_level = match candidate.level {
        Level::Basic => 3.0,
        Level::Deep => 2.0,
        Level::Expert => 1.0,
    };
    by_interview * by_card * by_level
}

/// All candidates in the order of asking: drawn one after the other, each by
/// its weight among those that are left.
pub fn order(
    mut candidates: Vec<Candidate>,
    progress: &Progress,
    dice: &mut impl Rng,
) -> Vec<Candidate> {
    // Efraimidis and Spirakis: the largest u^(1/w) is drawn first.
    let mut keyed: Vec<(f64, Candidate)> = candidates
        .drain(..)
        .map(|candidate| {
            let uniform: f64 = dice.random_range(f64::EPSILON..1.0);
            (-uniform.ln() / weight(&candidate, progress), candidate)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    keyed.into_iter().map(|(_, candidate)| candidate).collect()
}

/// All candidates in the order that a seed alone fixes: what was answered
/// before would make it another one each time.
pub fn drawn(candidates: Vec<Candidate>, seed: u64) -> Vec<Candidate> {
    let mut dice = StdRng::seed_from_u64(seed);
    order(candidates, &Progress::default(), &mut dice)
}

/// So many seeds are tried for one that suits.
const SEEDS: usize = 64;

/// So many questions come up in the first ten minutes, follow-ups included.
const FIRST: usize = 8;

/// Small enough to be typed.
const LAST_SEED: u64 = 9_999;

/// A seed whose first questions are those that were never asked or badly
/// answered, as far as chance brings one. The draw itself knows nothing of
/// what was answered: whoever repeats it is asked the same.
pub fn suitable_seed(
    candidates: &[Candidate],
    progress: &Progress,
    dice: &mut impl Rng,
) -> u64 {
    let blank = Progress::default();
    let need = |candidate: &Candidate| {
        weight(candidate, progress) / weight(candidate, &blank)
    };
    let suits = |seed: u64| -> f64 {
        let first = drawn(candidates.to_vec(), seed).into_iter().take(FIRST);
        first.map(|candidate| need(&candidate)).sum()
    };
    let tried = (0..SEEDS).map(|_| dice.random_range(1..=LAST_SEED));
    tried
        .map(|seed| (suits(seed), seed))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(1, |(_, seed)| seed)
}

/// What the interviewer does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Asks a question, by its place in the order.
    Ask {
        /// The place.
        question: usize,
    },
    /// Digs deeper: a follow-up to it, by its place.
    Dig {
        /// The question's place.
        question: usize,
        /// The follow-up's.
        dig: usize,
    },
    /// Ends because the time is up.
    TimeIsUp,
    /// Ends because nothing is left to ask.
    NothingLeft,
}

/// An interview as it goes.
#[derive(Clone, Debug)]
pub struct Course {
    order: Vec<Candidate>,
    limit: Duration,
    /// The answers so far: question, points.
    answers: Vec<(usize, u8)>,
    asked: usize,
    /// The running question, and the follow-up that would come next.
    running: Option<(usize, usize)>,
}

impl Course {
    /// Of these questions, in this order, for so long.
    pub const fn new(order: Vec<Candidate>, limit: Duration) -> Self {
        Self { order, limit, answers: Vec::new(), asked: 0, running: None }
    }

    /// What comes next after so much time. Nothing begins when the time is
    /// up; a question that runs is answered to its end.
    pub fn next(&mut self, elapsed: Duration) -> Move {
        if elapsed >= self.limit {
            return Move::TimeIsUp;
        }
        if let Some((question, dig)) = self.running.take()
            && self.order.get(question).is_some_and(|q| dig < q.digs)
        {
            self.running = Some((question, dig + 1));
            return Move::Dig { question, dig };
        }
        if self.asked == self.order.len() {
            return Move::NothingLeft;
        }
        let question = self.asked;
        self.asked += 1;
        self.running = Some((question, 0));
        Move::Ask { question }
    }

    /// The points for the answer that was just given. It is dug deeper only
    /// while the answers are good.
    pub fn assess(&mut self, points: u8) {
        let question = self.asked.saturating_sub(1);
        self.answers.push((question, points.min(POINTS)));
        if points < POINTS {
            self.running = None;
        }
    }

    /// A question, by its place.
    pub fn question(&self, place: usize) -> Option<&Candidate> {
        self.order.get(place)
    }

    /// The whole minutes that are left, begun ones included.
    pub fn minutes_left(&self, elapsed: Duration) -> u64 {
        self.limit.saturating_sub(elapsed).as_secs().div_ceil(60)
    }

    /// What it came to.
    pub fn sheet(&self) -> Sheet {
        let mut sheet = Sheet::default();
        for (question, points) in &self.answers {
            let Some(candidate) = self.order.get(*question) else { continue };
            sheet.count(candidate, *points);
        }
        sheet
    }
}

/// How firm a topic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Firmness {
    /// Less than half of the points.
    Weak,
    /// Less than four fifths.
    Shaky,
    /// The rest.
    Firm,
}

/// The points of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicScore {
    /// The topic.
    pub topic: String,
    /// The points that were given.
    pub points: u32,
    /// Those there could have been.
    pub of: u32,
}

impl TopicScore {
    /// How firm it is.
    pub const fn firmness(&self) -> Firmness {
        if self.points * 2 < self.of {
            Firmness::Weak
        } else if self.points * 5 < self.of * 4 {
            Firmness::Shaky
        } else {
            Firmness::Firm
        }
    }
}

/// What an interview came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// By topic, in the order in which they came up.
    pub topics: Vec<TopicScore>,
    /// The scenarios of the answers that were not good, without repetition.
    pub scenarios: Vec<String>,
    /// How many answers were given.
    pub answers: u32,
}

impl Sheet {
    fn count(&mut self, candidate: &Candidate, points: u8) {
        self.answers += 1;
        let known = self.topics.iter_mut().find(|t| t.topic == candidate.topic);
        let of = u32::from(POINTS);
        let points_of = u32::from(points);
        match known {
            Some(score) => {
                score.points += points_of;
                score.of += of;
            }
            None => self.topics.push(TopicScore {
                topic: candidate.topic.clone(),
                points: points_of,
                of,
            }),
        }
        if points < POINTS {
            for scenario in &candidate.scenarios {
                if !self.scenarios.contains(scenario) {
                    self.scenarios.push(scenario.clone());
                }
            }
        }
    }

    /// Points, and how many there could have been.
    pub fn total(&self) -> (u32, u32) {
        let sum = |of: fn(&TopicScore) -> u32| self.topics.iter().map(of).sum();
        (sum(|t| t.points), sum(|t| t.of))
    }

    /// The topics to be read again, the weakest first.
    pub fn to_read(&self) -> Vec<&str> {
        let mut weak: Vec<_> = self
            .topics
            .iter()
            .filter(|topic| topic.firmness() < Firmness::Firm)
            .collect();
        weak.sort_by_key(|topic| topic.firmness());
        weak.into_iter().map(|topic| topic.topic.as_str()).collect()
    }
}
