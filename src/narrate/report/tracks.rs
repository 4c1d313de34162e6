//! The facts of single messages: of all while a way runs and there is room,
//! in the end of the few that have a lane.

use std::collections::{HashMap, HashSet};

use crate::ledger::{Anomaly, Fact, Kind, MessageId};

use super::marks::is_strike;

/// Messages of which facts are kept while it is not known which will be
/// shown. Of more, only those that are struck are.
const MESSAGES: usize = 5_000;
/// Facts of one message: the first and, behind them, the last.
const FACTS: usize = 48;
const LAST: usize = 16;
/// Messages with a lane of their own.
pub(super) const LANES: usize = 40;

/// What happened to messages.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    of: HashMap<MessageId, Track>,
    /// The first messages that were struck, each once.
    struck: Vec<MessageId>,
    /// Strikes on messages, each counted.
    pub strikes: u64,
    /// The first and the last moment at which anything was known.
    pub span: Option<(u64, u64)>,
}

/// What happened to one message.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub message: MessageId,
    /// In the order of time.
    pub facts: Vec<(u64, Fact)>,
    /// Facts between the first and the last for which there was no room.
    pub left_out: u32,
    pub strikes: Vec<(u64, Fact)>,
    pub wrong: Option<(Kind, u16)>,
    /// The last fact, where nothing else was kept of it.
    pub last_known: Option<(Fact, u64)>,
}

impl Track {
    const fn new(message: MessageId) -> Self {
        Self {
            message,
            facts: Vec::new(),
            left_out: 0,
            strikes: Vec::new(),
            wrong: None,
            last_known: None,
        }
    }

    fn push(&mut self, at: u64, fact: Fact) {
        if self.facts.len() == FACTS {
            self.facts.remove(FACTS - LAST);
            self.left_out += 1;
        }
        // Threads that witness do not queue up: a millisecond may be off.
        let place = self.facts.partition_point(|(before, _)| *before <= at);
        self.facts.insert(place, (at, fact));
    }

    /// The last thing known, as the ledger has it or as it was told.
    pub fn last(&self) -> Option<(Fact, u64)> {
        let told = self.facts.last().map(|(at, fact)| (*fact, *at));
        self.last_known.or(told)
    }
}

impl Tracks {
    pub fn saw(&mut self, message: MessageId, fact: Fact, at: u64) {
        self.spans(at);
        let room = self.of.len() < MESSAGES;
        let track = match self.of.get_mut(&message) {
            Some(track) => track,
            None if room => {
                self.of.entry(message).or_insert(Track::new(message))
            }
            None => return,
        };
        // A strike is told as a strike and may be told as a fact, too.
        let twice = is_strike(fact)
            && track.facts.last().is_some_and(|(_, last)| *last == fact);
        if !twice {
            track.push(at, fact);
        }
    }

    pub fn struck(&mut self, message: MessageId, what: Fact, at: u64) {
        self.spans(at);
        self.strikes += 1;
        if !self.struck.contains(&message) {
            if self.struck.len() == LANES {
                return;
            }
            self.struck.push(message);
        }
        let track = self.of.entry(message).or_insert(Track::new(message));
        if track.strikes.len() < LAST {
            track.strikes.push((at, what));
        }
        if track.facts.iter().all(|(_, fact)| *fact != what) {
            track.push(at, what);
        }
    }

    /// The messages with a lane: first those with something wrong.
    fn shown(&self, wrong: impl Iterator<Item = MessageId>) -> Vec<MessageId> {
        let mut known = HashSet::new();
        let all = wrong.chain(self.struck.iter().copied());
        let mut shown: Vec<_> =
            all.filter(|m| known.insert(*m)).take(LANES).collect();
        shown.sort_unstable_by_key(|message| (message.number, *message));
        shown
    }

    /// Forgets the others.
    pub fn keep_only(&mut self, wrong: impl Iterator<Item = MessageId>) {
        let shown: HashSet<_> = self.shown(wrong).into_iter().collect();
        self.of.retain(|message, _| shown.contains(message));
        self.of.shrink_to_fit();
    }

    /// The lanes, by number.
    pub fn lanes<'a>(
        &self,
        anomalies: impl Iterator<Item = &'a Anomaly> + Clone,
    ) -> Vec<Track> {
        let lane = |message: MessageId| {
            let known = self.of.get(&message);
            let mut track =
                known.cloned().unwrap_or_else(|| Track::new(message));
            let mut anomalies = anomalies.clone();
            if let Some(wrong) = anomalies.find(|a| a.message == message) {
                track.wrong = Some((wrong.kind, wrong.applied));
                track.last_known =
                    wrong.last_known.map(|(fact, at)| (fact, at.into()));
            }
            track
        };
        let wrong = anomalies.clone().map(|anomaly| anomaly.message);
        self.shown(wrong).into_iter().map(lane).collect()
    }

    /// How many messages are in memory.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.of.len()
    }

    fn spans(&mut self, at: u64) {
        let (from, to) = self.span.unwrap_or((at, at));
        self.span = Some((from.min(at), to.max(at)));
    }
}
