//! What the ways of `cancel-ignored` are judged by.

use crate::{
    lab::{
        Outcome, Strike,
        check::{
            balanced, every_message_confirmed, every_message_once,
            exactly_where,
        },
    },
    ledger::Kind,
    text,
    text::Text,
};

/// All that came after the cancel is in the queue, and the queue has no
/// consumer; all that came before is packed.
pub(super) fn stuck_without_a_consumer(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    balanced(outcome)?;
    exactly_where(outcome, &[(Kind::Stuck, Strike::Cancelled)])?;
    told_by_the_broker(outcome, outcome.plan.len(), 0)
}

/// Every order is packed once, and the queue has its consumer.
pub(super) fn every_order_packed(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_message_once(outcome)?;
    told_by_the_broker(outcome, 0, 1)
}

fn told_by_the_broker(
    outcome: &Outcome,
    ready: u32,
    consumers: u32,
) -> Result<(), Text> {
    for (id, expected) in [("ready", ready), ("consumers", consumers)] {
        let value = outcome.figure(id)?;
        if value != f64::from(expected) {
            return Err(text! {
                en: "the broker says {value} {id}, not {expected}",
                zh: "broker 说 {id} 是 {value}，应为 {expected}",
                value = value, id = id, expected = expected
            });
        }
    }
    Ok(())
}
