//! What the ways of `confirmed-then-gone` are judged by.

use std::collections::BTreeSet;

use crate::{
    lab::{
        Outcome, Strike,
        Strike::{Expire, QueueDeleted, QueueFull},
        check::{
            every_attempt_answered, every_message_confirmed, exactly_where,
        },
    },
    ledger::Kind,
    text,
    text::Text,
};

/// All was confirmed; all that was struck is nowhere.
pub(super) fn gone_in_silence(outcome: &Outcome) -> Result<(), Text> {
    ends(outcome, &[Expire, QueueFull, QueueDeleted], &[])
}

/// What was dropped is found among the dead letters, and the rest was packed.
pub(super) fn parked_or_packed(outcome: &Outcome) -> Result<(), Text> {
    ends(outcome, &[], &[Expire, QueueFull])
}

/// Nobody finds what has expired.
pub(super) fn the_expired_are_gone(outcome: &Outcome) -> Result<(), Text> {
    ends(outcome, &[Expire], &[QueueFull])
}

/// Nobody finds what a full queue has dropped.
pub(super) fn the_pushed_out_are_gone(outcome: &Outcome) -> Result<(), Text> {
    ends(outcome, &[QueueFull], &[Expire])
}

/// Nobody finds what was in the deleted queue.
pub(super) fn the_deleted_are_gone(outcome: &Outcome) -> Result<(), Text> {
    ends(outcome, &[QueueDeleted], &[Expire, QueueFull])
}

/// Every order was confirmed. Just these are lost, just these parked, and all
/// others packed once.
fn ends(
    outcome: &Outcome,
    lost: &[Strike],
    parked: &[Strike],
) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_attempt_answered(outcome)?;
    let expected: Vec<_> =
        lost.iter().map(|strike| (Kind::Lost, *strike)).collect();
    exactly_where(outcome, &expected)?;
    let struck = outcome.struck.iter();
    let found = struck.filter(|order| order.entry.parked == 1);
    let found: BTreeSet<_> = found.map(|order| order.message).collect();
    let expected: BTreeSet<_> =
        parked.iter().flat_map(|strike| outcome.plan.of(*strike)).collect();
    let counts = &outcome.audit.counts;
    if found != expected || counts.parked != expected.len() as u64 {
        return Err(text! {
            en: "{found} among the dead letters, not just {expected}",
            zh: "死信队列里有 {found} 个，应当恰好是那 {expected} 个",
            found = counts.parked, expected = expected.len()
        });
    }
    let (packed, ended) = (counts.applied, counts.lost + counts.parked);
    if packed + ended == u64::from(outcome.messages) {
        return Ok(());
    }
    Err(text! {
        en: "{packed} packed, {ended} lost or parked",
        zh: "打包 {packed} 个，丢失或进死信 {ended} 个",
        packed = packed, ended = ended
    })
}
