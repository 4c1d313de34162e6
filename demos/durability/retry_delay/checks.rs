//! What the ways of `retry-delay` are judged by.

use crate::{
    lab::{
        Outcome,
        Strike::{self, CutBeforePublish, HeldUp, Poison},
        check::{
            balanced, every_attempt_answered, every_message_once, exactly_where,
        },
    },
    ledger::Kind,
    text,
    text::Text,
};

/// Every short delay was as long as the longer one before it.
pub(super) fn held_up_by_the_longer(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    parked(outcome, all(outcome, Poison))?;
    held_up(outcome, all(outcome, HeldUp))
}

/// Each came in its time, and what failed always was parked with why, and
/// replayed.
pub(super) fn each_in_its_time(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    parked(outcome, all(outcome, Poison))?;
    held_up(outcome, 0)
}

/// What was acked before its copy was confirmed is nowhere.
pub(super) fn the_unconfirmed_are_gone(outcome: &Outcome) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    exactly_where(outcome, &[(Kind::Lost, CutBeforePublish)])?;
    parked(outcome, all(outcome, Poison))
}

/// What fails always was not parked, and nobody knows of it.
pub(super) fn the_given_up_are_gone(outcome: &Outcome) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    exactly_where(outcome, &[(Kind::Lost, Poison)])?;
    parked(outcome, 0)
}

/// What fails always goes round and round.
pub(super) fn never_parked(outcome: &Outcome) -> Result<(), Text> {
    balanced(outcome)?;
    exactly_where(outcome, &[(Kind::Stuck, Poison)])?;
    parked(outcome, 0)
}

fn all(outcome: &Outcome, strike: Strike) -> usize {
    outcome.plan.of(strike).count()
}

/// So many were held up.
fn held_up(outcome: &Outcome, expected: usize) -> Result<(), Text> {
    match outcome.figure("held-up")? {
        n if n == expected as f64 => Ok(()),
        n => Err(text! {
            en: "{n} held up, not {expected}", zh: "被挡住 {n} 个，应为 {expected} 个",
            n = n, expected = expected
        }),
    }
}

/// So many were parked, each of which fails always and says why.
fn parked(outcome: &Outcome, expected: usize) -> Result<(), Text> {
    let poison = outcome
        .struck
        .iter()
        .filter(|order| order.strike == Poison && order.entry.parked == 1);
    let explained = outcome.figure("explained")?;
    let (poison, all) = (poison.count(), outcome.audit.counts.parked);
    if (poison, all, explained) == (expected, expected as u64, expected as f64)
    {
        return Ok(());
    }
    Err(text! {
        en: "{all} parked, {poison} of them poison, {why} with why",
        zh: "转人工 {all} 个，其中 {poison} 个是毒消息，{why} 个写明了原因",
        all = all, poison = poison, why = explained
    })
}
