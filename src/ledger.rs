//! The ledger: what is known of every message, and what that adds up to.
//!
//! Pure: facts in, [`Audit`] out. It reads no clock, no socket and no file,
//! so its rules are tested on tiny hand-written histories. The words are
//! those of Jepsen's total-queue checker; `README.md` defines them for a
//! reader, [`Counts`] for a programmer.
//!
//! The lab writes facts as they happen ([`Ledger::record`]), and after the
//! run what the database and the queue really hold ([`Ledger::settle`]):
//! whether a payment was made is asked of the books, never of the consumer.

mod audit;
mod fact;
mod message;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_model;

pub use audit::{Anomaly, Audit, Breach, Counts, Kind};
pub use fact::{Fact, Witness};
pub use message::{MessageId, NotAMessageId, Noun};

use std::collections::BTreeMap;

/// All that is known of one message, at most 64 bytes of it.
///
/// Counters saturate: what happened 65 535 times has made its point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Times the producer put it on the wire.
    pub sent: u16,
    /// Times the broker confirmed it.
    pub confirmed: u16,
    /// Times the broker refused it.
    pub nacked: u16,
    /// Times the broker handed it back as unroutable.
    pub returned: u16,
    /// Times no answer came.
    pub unknown: u16,
    /// Times a consumer received it.
    pub delivered: u16,
    /// Of these, how often with `redelivered` set.
    pub redelivered: u16,
    /// Times its caller was told no.
    pub refused: u16,
    /// Times its effect was made, by the books.
    pub applied: u16,
    /// Times it was dead-lettered to where people look.
    pub parked: u16,
    /// Copies still in the queue when the run was audited.
    pub waiting: u16,
    /// The caller was promised it.
    pub accepted: bool,
    /// Given up by its producer, and somebody was told.
    pub reported: bool,
    /// The last fact recorded, and when (milliseconds since the run began).
    pub last: Option<(Fact, u32)>,
}

const _: () = assert!(size_of::<Entry>() <= 64, "64 bytes a message, no more");

/// The book of one way of one scenario.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Indexed by message number, so that a million messages are one block.
    attempted: Vec<Entry>,
    noun: Noun,
    /// What was seen of other messages: effects of another noun that were
    /// promised with a message, and strangers that nobody attempted.
    others: BTreeMap<MessageId, Entry>,
}

impl Ledger {
    /// A ledger for `messages` messages called `noun`, numbered from 1.
    pub fn new(noun: Noun, messages: u32) -> Self {
        Self {
            attempted: vec![Entry::default(); messages as usize],
            noun,
            others: BTreeMap::new(),
        }
    }

    /// Writes down one fact about one message.
    pub fn record(&mut self, message: MessageId, fact: Fact, at_ms: u32) {
        let entry = self.entry_mut(message);
        match fact {
            Fact::Accepted => entry.accepted = true,
            Fact::Refused => bump(&mut entry.refused),
            Fact::Sent => bump(&mut entry.sent),
            Fact::Confirmed => bump(&mut entry.confirmed),
            Fact::Nacked => bump(&mut entry.nacked),
            Fact::Returned => bump(&mut entry.returned),
            Fact::Unknown => bump(&mut entry.unknown),
            Fact::Delivered => bump(&mut entry.delivered),
            Fact::Redelivered => {
                bump(&mut entry.delivered);
                bump(&mut entry.redelivered);
            }
            Fact::Parked => bump(&mut entry.parked),
            Fact::Reported => entry.reported = true,
            _ => {}
        }
        entry.last = Some((fact, at_ms));
    }

    /// Writes down what stands after the run: how often the books say the
    /// effect was made, and how many copies are still queued.
    pub fn settle(&mut self, message: MessageId, applied: u16, waiting: u16) {
        let entry = self.entry_mut(message);
        entry.applied = entry.applied.saturating_add(applied);
        entry.waiting = entry.waiting.saturating_add(waiting);
    }

    /// What is known of one message.
    pub fn entry(&self, message: MessageId) -> Option<&Entry> {
        match self.slot(message) {
            Some(slot) => self.attempted.get(slot),
            None => self.others.get(&message),
        }
    }

    /// Every message with what is known of it, by number.
    pub fn entries(&self) -> impl Iterator<Item = (MessageId, &Entry)> {
        let noun = self.noun;
        let own = self.attempted.iter().zip(1u32..);
        own.map(move |(entry, number)| (MessageId { noun, number }, entry))
            .chain(self.others.iter().map(|(id, entry)| (*id, entry)))
    }

    /// Adds it all up.
    pub fn audit(&self) -> Audit {
        audit::audit(self.noun, self.entries())
    }

    fn slot(&self, message: MessageId) -> Option<usize> {
        let slot = (message.number as usize).checked_sub(1)?;
        (message.noun == self.noun && slot < self.attempted.len())
            .then_some(slot)
    }

    fn entry_mut(&mut self, message: MessageId) -> &mut Entry {
        match self.slot(message) {
            Some(slot) => &mut self.attempted[slot],
            None => self.others.entry(message).or_default(),
        }
    }
}

fn bump(counter: &mut u16) {
    *counter = counter.saturating_add(1);
}
