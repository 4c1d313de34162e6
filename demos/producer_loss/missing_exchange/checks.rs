//! What the ways of `missing-exchange` are judged by.

use std::collections::BTreeSet;

use super::{TRIES, windows};
use crate::{
    lab::{
        Outcome,
        check::{every_attempt_answered, exactly_where, figure_is},
    },
    ledger::{Entry, Kind, MessageId},
    text,
    text::Text,
};

/// Each struck order is lost with all that was behind it, after one attempt.
pub(super) fn lost_with_all_behind(outcome: &Outcome) -> Result<(), Text> {
    lost(outcome, &in_flight(outcome))?;
    attempts(outcome, outcome.messages)
}

/// The same, after many attempts.
pub(super) fn lost_again_and_again(outcome: &Outcome) -> Result<(), Text> {
    let in_flight = in_flight(outcome);
    lost(outcome, &in_flight)?;
    attempts(outcome, outcome.messages + TRIES * count(&in_flight))
}

/// Each struck order is lost, and what was behind it went out again.
pub(super) fn lost_where_struck(outcome: &Outcome) -> Result<(), Text> {
    lost(outcome, &outcome.plan.all().map(|(order, _)| order).collect())?;
    attempts(outcome, outcome.messages + count(&in_flight(outcome)))
}

/// What was behind went out again; of each struck order somebody was told.
pub(super) fn told_where_struck(outcome: &Outcome) -> Result<(), Text> {
    lost(outcome, &BTreeSet::new())?;
    exactly_where(outcome, &[])?;
    attempts(outcome, outcome.messages + count(&in_flight(outcome)))?;
    figure_is(outcome, "not-found", outcome.plan.len())?;
    let told = |entry: &Entry| {
        entry.reported && (entry.applied, entry.confirmed) == (0, 0)
    };
    let other = outcome.struck.iter().find(|struck| !told(&struck.entry));
    let Some(struck) = other else { return Ok(()) };
    Err(text! {
        en: "{order} is not on the list", zh: "{order} 不在清单上",
        order = struck.message
    })
}

/// The struck orders, and those that were behind one on its channel.
fn in_flight(outcome: &Outcome) -> BTreeSet<MessageId> {
    let all = (1..=outcome.messages).map(|n| outcome.noun.number(n));
    windows(all, &outcome.plan)
        .into_iter()
        .filter(|window| outcome.plan.strikes(window[0]))
        .flatten()
        .collect()
}

/// These are lost, and each other order is done or told of; nothing is done
/// twice, and what the broker holds is what it confirmed.
fn lost(outcome: &Outcome, these: &BTreeSet<MessageId>) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    let found: BTreeSet<_> = outcome.audit.of(Kind::Lost).collect();
    if found != *these {
        return Err(text! {
            en: "{found} lost, not the {these} in flight",
            zh: "丢了 {found} 个，而不是在途的 {these} 个",
            found = found.len(), these = these.len()
        });
    }
    let other = outcome.audit.anomalies.iter().find(|a| a.kind != Kind::Lost);
    if let Some(other) = other {
        return Err(text! {
            en: "{order}: {kind}", zh: "{order}：{kind}",
            order = other.message,
            kind = format!("{:?}", other.kind).to_lowercase()
        });
    }
    let counts = &outcome.audit.counts;
    let done = u64::from(outcome.messages) - counts.lost - counts.reported;
    if (counts.applied, counts.confirmed) == (done, done) {
        return Ok(());
    }
    Err(text! {
        en: "{applied} done, {confirmed} confirmed, not {done}",
        zh: "完成 {applied}，确认 {confirmed}，应为 {done}",
        applied = counts.applied, confirmed = counts.confirmed, done = done
    })
}

/// So many publishes, all of which were on the wire.
fn attempts(outcome: &Outcome, expected: u32) -> Result<(), Text> {
    figure_is(outcome, "passed", expected)?;
    let attempts = outcome.audit.counts.attempts;
    if attempts == u64::from(expected) {
        return Ok(());
    }
    Err(text! {
        en: "{attempts} publishes, not {expected}",
        zh: "发布 {attempts} 次，应为 {expected}",
        attempts = attempts, expected = expected
    })
}

fn count(orders: &BTreeSet<MessageId>) -> u32 {
    u32::try_from(orders.len()).unwrap_or(u32::MAX)
}
