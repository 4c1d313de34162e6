//! Which messages are struck, and how: chosen by the seed, before the run.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::index};

use super::{Hits, Strike};
use crate::ledger::{MessageId, Noun};

/// At most so many strikes, so that what is told stays countable.
const MOST: u32 = 20;

/// The strikes of one way. Naive and fixed get the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    messages: BTreeMap<MessageId, Strike>,
    /// What strikes the stage as a whole, once.
    stage: BTreeSet<Strike>,
}

impl Plan {
    /// Chooses messages for these strikes, in turn.
    pub fn choose(
        noun: Noun,
        strikes: &[Strike],
        hits: Hits,
        messages: u32,
        seed: u64,
    ) -> Self {
        let kinds = u32::try_from(strikes.len()).unwrap_or(u32::MAX);
        if kinds == 0 {
            return Self::default();
        }
        let many = (messages / 10).clamp(kinds, MOST.max(kinds)).min(messages);
        let mut random = StdRng::seed_from_u64(seed);
        let numbers: Vec<u32> = match hits {
            Hits::Once => {
                let stage = strikes.iter().copied().collect();
                return Self { stage, ..Self::default() };
            }
            Hits::Last => vec![messages],
            Hits::Stretch => {
                let room = messages - many;
                let first = 1 + random.random_range(room / 4..=room / 2);
                (first..first + many).collect()
            }
            Hits::OneInTen => {
                let chosen = index::sample(
                    &mut random,
                    messages as usize,
                    many as usize,
                );
                let mut numbers: Vec<_> =
                    chosen.iter().map(|i| i as u32 + 1).collect();
                numbers.sort_unstable();
                numbers
            }
        };
        let strikes = strikes.iter().copied().cycle();
        let ids = numbers.into_iter().map(|n| noun.number(n));
        Self { messages: ids.zip(strikes).collect(), ..Self::default() }
    }

    /// The fewest messages with which each kind of strike gets one.
    pub fn fewest(strikes: &[Strike]) -> u32 {
        u32::try_from(strikes.len().max(1)).unwrap_or(u32::MAX)
    }

    /// Whether this strike is planned for this message.
    pub fn has(&self, message: MessageId, strike: Strike) -> bool {
        self.messages.get(&message) == Some(&strike)
    }

    /// Whether this strikes the stage as a whole.
    pub fn has_once(&self, strike: Strike) -> bool {
        self.stage.contains(&strike)
    }

    /// Whether any strike is planned for this message.
    pub fn strikes(&self, message: MessageId) -> bool {
        self.messages.contains_key(&message)
    }

    /// All that strikes a message, by message.
    pub fn all(&self) -> impl Iterator<Item = (MessageId, Strike)> {
        self.messages.iter().map(|(message, strike)| (*message, *strike))
    }

    /// The messages for which this strike is planned.
    pub fn of(&self, strike: Strike) -> impl Iterator<Item = MessageId> {
        self.all()
            .filter(move |(_, s)| *s == strike)
            .map(|(message, _)| message)
    }

    /// How many strikes.
    pub fn len(&self) -> u32 {
        let all = self.messages.len() + self.stage.len();
        u32::try_from(all).unwrap_or(u32::MAX)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.stage.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_ten_is_struck_at_most_twenty() {
        for (messages, expected) in
            [(1, 1), (9, 1), (50, 5), (200, 20), (1_000_000, 20)]
        {
            let plan = Plan::choose(
                Noun::Payment,
                &[Strike::SwallowAck],
                Hits::OneInTen,
                messages,
                7,
            );
            assert_eq!(plan.len(), expected, "of {messages}");
        }
    }

    #[test]
    fn a_stretch_is_one_after_another_and_leaves_both_ends_alone() {
        for seed in 0..50 {
            let plan = Plan::choose(
                Noun::Order,
                &[Strike::ServiceDown],
                Hits::Stretch,
                200,
                seed,
            );
            let struck: Vec<_> =
                plan.of(Strike::ServiceDown).map(|m| m.number).collect();
            assert_eq!(struck.len(), 20);
            assert!(struck.windows(2).all(|pair| pair[0] + 1 == pair[1]));
            assert!(struck[0] > 40 && struck[19] < 160, "{struck:?}");
        }
    }

    #[test]
    fn what_strikes_the_stage_strikes_no_message() {
        let plan =
            Plan::choose(Noun::Order, &[Strike::Alarm], Hits::Once, 200, 7);
        assert_eq!(plan.len(), 1);
        assert!(plan.has_once(Strike::Alarm) && !plan.is_empty());
        assert!(!plan.has_once(Strike::Join));
        assert_eq!(plan.all().count(), 0);
    }

    #[test]
    fn every_kind_of_strike_gets_a_message_however_few_there_are() {
        let strikes = [Strike::KillBeforeCommit, Strike::KillAfterCommit];
        let plan = Plan::choose(Noun::Payment, &strikes, Hits::OneInTen, 2, 1);
        assert!(strikes.iter().all(|s| plan.of(*s).count() == 1));
    }

    #[test]
    fn the_same_seed_chooses_the_same_messages() {
        let choose = |seed| {
            Plan::choose(
                Noun::Payment,
                &[Strike::Repeat],
                Hits::OneInTen,
                200,
                seed,
            )
        };
        assert_eq!(choose(3), choose(3));
        assert_ne!(choose(3), choose(4));
    }
}
