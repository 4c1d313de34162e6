//! What several scenarios of this topic observe and expect.

use crate::{
    event::Unit,
    lab::{Lab, Outcome},
    ledger::MessageId,
    text,
};

/// What stood in the queue behind the last struck one.
pub(super) fn behind(
    outcome: &Outcome,
) -> impl Iterator<Item = MessageId> + use<> {
    let last = outcome.plan.all().map(|(message, _)| message.number).max();
    let (noun, first) = (outcome.noun, last.map_or(1, |last| last + 1));
    (first..=outcome.messages).map(move |number| noun.number(number))
}

/// Observes how many orders came with the `redelivered` flag.
pub(super) fn observe_redelivered(lab: &Lab) -> usize {
    let again = lab.messages().filter_map(|order| lab.entry(order));
    let again = again.filter(|entry| entry.redelivered > 0).count();
    let name = text! { en: "redelivered", zh: "重新投递" };
    lab.observe("redelivered", name, again as f64, Unit::Count);
    again
}
