//! What the ways of `poison` are judged by.

use super::stage::{ENDLESS, LIMIT, default_limit};
use crate::{
    lab::{
        Outcome,
        Strike::Poison,
        check::{
            every_attempt_answered, every_message_confirmed,
            every_message_once, exactly_where,
        },
    },
    ledger::{Entry, Kind},
    text,
    text::Text,
};

const ONE_TOO_MANY: u16 = LIMIT + 1;

/// All poison orders are still queued, after five times the limit and more.
pub(super) fn endless_and_still_queued(outcome: &Outcome) -> Result<(), Text> {
    ends(outcome, &[(Kind::Stuck, Poison)])?;
    each_came(outcome, |times| times >= ENDLESS)?;
    parked(outcome, 0)
}

/// All poison orders are gone after the last delivery that is allowed, and one
/// more.
pub(super) fn gone_in_silence(outcome: &Outcome) -> Result<(), Text> {
    ends(outcome, &[(Kind::Lost, Poison)])?;
    each_came(outcome, |times| times == ONE_TOO_MANY)?;
    parked(outcome, 0)
}

/// All poison orders were parked once, came once more, and were done.
pub(super) fn parked_then_done(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_message_once(outcome)?;
    each_came(outcome, |times| times == ONE_TOO_MANY + 1)?;
    parked(outcome, 1)
}

/// With the broker's own limit they are parked later, and so done later;
/// where it has none, never.
pub(super) fn later_or_never(outcome: &Outcome) -> Result<(), Text> {
    let Some(limit) = default_limit(outcome.version) else {
        return endless_and_still_queued(outcome);
    };
    every_message_once(outcome)?;
    each_came(outcome, |times| times == limit + 2)?;
    parked(outcome, 1)
}

/// Parked twice, and never done.
pub(super) fn parked_again(outcome: &Outcome) -> Result<(), Text> {
    ends(outcome, &[])?;
    each_came(outcome, |times| times == 2 * ONE_TOO_MANY)?;
    parked(outcome, 2)
}

/// Parked, and never done.
pub(super) fn left_where_they_were_parked(
    outcome: &Outcome,
) -> Result<(), Text> {
    ends(outcome, &[])?;
    each_came(outcome, |times| times == ONE_TOO_MANY)?;
    parked(outcome, 1)
}

/// Every order was confirmed, just these are wrong, and all but the poison
/// ones are done.
fn ends(
    outcome: &Outcome,
    wrong: &[(Kind, crate::lab::Strike)],
) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_attempt_answered(outcome)?;
    exactly_where(outcome, wrong)?;
    let done = outcome.audit.counts.applied;
    let others = u64::from(outcome.messages - outcome.plan.len());
    let poison_done = |entry: &Entry| entry.applied > 0;
    if done == others
        && !outcome.struck.iter().any(|struck| poison_done(&struck.entry))
    {
        return Ok(());
    }
    Err(text! {
        en: "{done} done, not {others}", zh: "完成 {done}，应为 {others}",
        done = done, others = others
    })
}

/// Each poison order was delivered so often.
fn each_came(
    outcome: &Outcome,
    so_often: impl Fn(u16) -> bool,
) -> Result<(), Text> {
    let mut struck = outcome.struck.iter();
    let other = struck.find(|struck| !so_often(struck.entry.delivered));
    other.map_or(Ok(()), |struck| {
        Err(text! {
            en: "{order} came {times} times", zh: "{order} 投递了 {times} 次",
            order = struck.message, times = struck.entry.delivered
        })
    })
}

/// Just the poison orders were found where people look, so often each.
fn parked(outcome: &Outcome, times: u16) -> Result<(), Text> {
    let just = outcome.struck.iter().all(|struck| struck.entry.parked == times);
    let expected = if times > 0 { outcome.plan.len() } else { 0 };
    let found = outcome.audit.counts.parked;
    if just && found == u64::from(expected) {
        return Ok(());
    }
    Err(text! {
        en: "{found} parked, not just {expected}, {times} times each",
        zh: "人工队列里有过 {found} 个，应恰好 {expected} 个，各 {times} 次",
        found = found, expected = expected, times = times
    })
}
