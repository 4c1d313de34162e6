//! What a broker still owes to a consumer.

use std::collections::{BTreeMap, BTreeSet};

use super::{Lab, Strike, lock};
use crate::ledger::{Fact, MessageId};

/// Deliveries that a cut took from a consumer: the broker will make each
/// again, and until it has, an empty queue is not a drained one.
#[derive(Default)]
pub(super) struct Owed {
    acked: BTreeSet<MessageId>,
    again: BTreeMap<MessageId, u32>,
}

impl Owed {
    pub fn saw(&mut self, message: MessageId, fact: Fact) {
        match fact {
            Fact::Delivered => {
                self.acked.remove(&message);
            }
            Fact::Redelivered => {
                self.acked.remove(&message);
                if let Some(times) = self.again.get_mut(&message) {
                    *times = times.saturating_sub(1);
                }
            }
            Fact::Acked => {
                self.acked.insert(message);
            }
            // Killed after its ack it comes back no more.
            Fact::Killed if self.acked.contains(&message) => {}
            Fact::Killed => {
                *self.again.entry(message).or_default() += 1;
            }
            _ => {}
        }
    }
}

impl Lab {
    /// Whether the broker has delivered all that it owes: each confirmed
    /// message once, and again each that a cut took from its consumer.
    pub fn is_all_delivered(&self) -> bool {
        let owes = lock(&self.0.owed).again.values().any(|times| *times > 0);
        // Asked of the plan, not of the hits: the wire reports a strike a
        // moment after the consumer has felt it.
        let swallowed: Vec<_> = self
            .0
            .plan
            .of(Strike::SwallowAck)
            .filter(|_| self.0.armed)
            .collect();
        let ledger = lock(&self.0.ledger);
        let again = |message| {
            ledger.entry(message).is_some_and(|entry| entry.delivered > 1)
        };
        !owes
            && swallowed.into_iter().all(again)
            && ledger
                .entries()
                .all(|(_, entry)| entry.confirmed == 0 || entry.delivered > 0)
    }
}
