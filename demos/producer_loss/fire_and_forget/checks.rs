//! What the ways of `fire-and-forget` are judged by.

use crate::{
    lab::{
        Outcome, Strike,
        check::{
            every_attempt_answered, every_message_confirmed, every_message_once,
        },
    },
    ledger::Kind,
    text,
    text::Text,
};

/// Nothing was confirmed. What the queue held is gone, what was on the wire
/// as well; only what came after the kill is done.
pub(super) fn the_queue_and_the_held_are_gone(
    outcome: &Outcome,
) -> Result<(), Text> {
    let (before, held) = (before(outcome), outcome.plan.len());
    confirmed(outcome, 0)?;
    kept(outcome, 0)?;
    lost(outcome, 1, before + held)
}

/// Nothing was confirmed. What the queue held is there; what was on the wire
/// is gone.
pub(super) fn just_the_held_are_gone(outcome: &Outcome) -> Result<(), Text> {
    let before = before(outcome);
    confirmed(outcome, 0)?;
    kept(outcome, before)?;
    lost(outcome, before + 1, before + outcome.plan.len())
}

/// Those on the wire are gone, and those are the ones without a confirm.
pub(super) fn just_the_unknown_are_gone(outcome: &Outcome) -> Result<(), Text> {
    let (before, held) = (before(outcome), outcome.plan.len());
    confirmed(outcome, outcome.messages - held)?;
    kept(outcome, before)?;
    met_the_kill(outcome, 1)?;
    lost(outcome, before + 1, before + held)
}

/// Every order was confirmed, and those that the queue held are gone.
pub(super) fn the_confirmed_are_gone(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    kept(outcome, 0)?;
    met_the_kill(outcome, 2)?;
    lost(outcome, 1, before(outcome))
}

/// Every order was confirmed and done once, although those on the wire had to
/// be sent twice.
pub(super) fn none_is_gone(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_message_once(outcome)?;
    met_the_kill(outcome, 2)?;
    kept(outcome, before(outcome))
}

/// How many orders were published before those that met the kill.
fn before(outcome: &Outcome) -> u32 {
    let first = outcome.plan.of(Strike::BrokerKilled).next();
    first.map_or(outcome.messages, |first| first.number - 1)
}

fn confirmed(outcome: &Outcome, expected: u32) -> Result<(), Text> {
    let confirmed = outcome.audit.counts.confirmed;
    if confirmed == u64::from(expected) {
        return Ok(());
    }
    Err(text! {
        en: "{confirmed} confirmed, not {expected}",
        zh: "确认了 {confirmed} 条，应为 {expected} 条",
        confirmed = confirmed, expected = expected
    })
}

/// What the queue held when the broker was back.
fn kept(outcome: &Outcome, expected: u32) -> Result<(), Text> {
    let kept = outcome.figure("kept")?;
    if kept == f64::from(expected) {
        return Ok(());
    }
    Err(text! {
        en: "{kept} in the queue after the restart, not {expected}",
        zh: "重启后队列里有 {kept} 条，应为 {expected} 条",
        kept = kept, expected = expected
    })
}

/// Of each struck order one attempt was never answered, of so many.
fn met_the_kill(outcome: &Outcome, attempts: u16) -> Result<(), Text> {
    let other = outcome.struck.iter().find(|struck| {
        struck.entry.sent != attempts || struck.entry.unknown != 1
    });
    other.map_or(Ok(()), |struck| {
        Err(text! {
            en: "{order}: {sent} attempts, {unknown} without an answer",
            zh: "{order}：发布 {sent} 次，{unknown} 次无应答",
            order = struck.message, sent = struck.entry.sent,
            unknown = struck.entry.unknown
        })
    })
}

/// Exactly the orders from this to that are lost; all others are done once.
fn lost(outcome: &Outcome, from: u32, to: u32) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    let expected = (from..=to).map(|n| outcome.noun.number(n));
    let audit = &outcome.audit;
    let (lost, wrong) = (audit.counts.lost, audit.anomalies.len() as u64);
    if !audit.of(Kind::Lost).eq(expected) {
        return Err(text! {
            en: "lost {lost}, not orders {from} to {to}",
            zh: "丢了 {lost} 个，但不是 {from} 到 {to} 号",
            lost = lost, from = from, to = to
        });
    }
    let applied = audit.counts.applied;
    if wrong == lost && applied + lost == u64::from(outcome.messages) {
        return Ok(());
    }
    Err(text! {
        en: "{applied} done, {lost} lost, {wrong} wrong in all",
        zh: "完成 {applied}，丢失 {lost}，共有 {wrong} 处不对",
        applied = applied, lost = lost, wrong = wrong
    })
}
