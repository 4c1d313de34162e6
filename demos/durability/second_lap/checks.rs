//! What the ways of `second-lap` are judged by.

use crate::{
    lab::{
        Outcome,
        Strike::{Poison, SecondLap},
        check::{
            balanced, every_attempt_answered, every_message_confirmed,
            exactly_where,
        },
    },
    ledger::Kind,
    text,
    text::Text,
};

/// All that failed is nowhere, and one line in the log says so of all of it.
pub(super) fn all_gone(outcome: &Outcome) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    exactly_where(outcome, &[(Kind::Lost, SecondLap), (Kind::Lost, Poison)])?;
    ends(outcome, outcome.plan.len(), 0)?;
    told(outcome, 1)
}

/// What killed its consumer is nowhere; all else is done.
pub(super) fn the_deadly_are_gone(outcome: &Outcome) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    exactly_where(outcome, &[(Kind::Lost, Poison)])?;
    ends(outcome, outcome.plan.of(Poison).count() as u32, 0)?;
    told(outcome, 1)
}

/// Just what killed its consumer is parked; all else is done.
pub(super) fn none_lost(outcome: &Outcome) -> Result<(), Text> {
    balanced(outcome)?;
    exactly_where(outcome, &[])?;
    let poison = outcome.plan.of(Poison).count() as u32;
    let mut struck = outcome.struck.iter().filter(|o| o.strike == Poison);
    if let Some(order) = struck.find(|order| order.entry.parked != 1) {
        return Err(text! {
            en: "{order} is not parked", zh: "{order} 没有转人工",
            order = order.message
        });
    }
    ends(outcome, 0, poison)?;
    told(outcome, 0)
}

/// All were confirmed; so many are lost, so many parked, all others done.
fn ends(outcome: &Outcome, lost: u32, parked: u32) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    let counts = &outcome.audit.counts;
    let done = u64::from(outcome.messages - lost - parked);
    let found = (counts.lost, counts.parked, counts.applied);
    if found == (lost.into(), parked.into(), done) {
        return Ok(());
    }
    Err(text! {
        en: "{lost} lost, {parked} parked, {done} done",
        zh: "丢失 {lost}，转人工 {parked}，完成 {done}",
        lost = counts.lost, parked = counts.parked, done = counts.applied
    })
}

/// The broker's log has so many lines about it.
fn told(outcome: &Outcome, lines: u32) -> Result<(), Text> {
    match outcome.figure("log")? {
        n if n == f64::from(lines) => Ok(()),
        n => Err(text! {
            en: "{n} lines in the log, not {lines}", zh: "日志有 {n} 行，应为 {lines} 行",
            n = n, lines = lines
        }),
    }
}
