//! What the ways of `dead-letters` are judged by.

use crate::{
    lab::{
        Outcome,
        Strike::Unbound,
        check::{
            balanced, every_attempt_answered, every_message_confirmed,
            exactly_where, lost_exactly_where_struck,
        },
    },
    ledger::Kind,
    text,
    text::Text,
};

/// What was rejected is nowhere, was never kept, and no log says so.
pub(super) fn gone_in_silence(outcome: &Outcome) -> Result<(), Text> {
    the_rejected_are_gone(outcome)?;
    is(outcome, "log", 0)
}

/// The same, but the broker has warned that it falls back to at most once.
pub(super) fn gone_after_a_warning(outcome: &Outcome) -> Result<(), Text> {
    the_rejected_are_gone(outcome)?;
    // For the queue, and once more for each policy that is set.
    match outcome.figure("log")? {
        lines if lines >= 1.0 => Ok(()),
        _ => Err(text! { en: "no warning", zh: "没有警告" }),
    }
}

fn the_rejected_are_gone(outcome: &Outcome) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    lost_exactly_where_struck(outcome)?;
    ends(outcome, 0)?;
    is(outcome, "kept", 0)
}

/// Just what was rejected was kept, and is where people look.
pub(super) fn kept_and_parked(outcome: &Outcome) -> Result<(), Text> {
    let rejected = outcome.plan.len();
    balanced(outcome)?;
    exactly_where(outcome, &[])?;
    let mut struck = outcome.struck.iter();
    if let Some(order) = struck.find(|order| order.entry.parked != 1) {
        return Err(text! {
            en: "{order} is not among the dead letters",
            zh: "死信里没有 {order}",
            order = order.message
        });
    }
    ends(outcome, rejected)?;
    is(outcome, "kept", rejected)?;
    is(outcome, "log", 1)
}

/// Just what was rejected is kept, and nobody sees it.
pub(super) fn kept_for_nobody(outcome: &Outcome) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    exactly_where(outcome, &[(Kind::Stuck, Unbound)])?;
    ends(outcome, 0)?;
    is(outcome, "kept", outcome.plan.len())
}

/// All were confirmed, so many parked, and all that were not rejected done.
fn ends(outcome: &Outcome, parked: u32) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    let counts = &outcome.audit.counts;
    let done = outcome.messages - outcome.plan.len();
    if (counts.parked, counts.applied) == (parked.into(), done.into()) {
        return Ok(());
    }
    Err(text! {
        en: "{parked} parked, {done} done", zh: "转人工 {parked}，完成 {done}",
        parked = counts.parked, done = counts.applied
    })
}

fn is(outcome: &Outcome, id: &str, expected: u32) -> Result<(), Text> {
    match outcome.figure(id)? {
        n if n == f64::from(expected) => Ok(()),
        n => Err(text! {
            en: "{id}: {n}, not {expected}", zh: "{id}：{n}，应为 {expected}",
            id = id, n = n, expected = expected
        }),
    }
}
