//! What the ways of `delayed-retry` are judged by.

use super::stage::{LIMIT, MIN_MS};
use crate::{
    lab::{
        Outcome,
        check::{
            balanced, every_message_confirmed, every_message_once,
            exactly_where,
        },
    },
    text,
    text::Text,
};

/// As often as it may be, and once more.
const ALL: f64 = (LIMIT + 1) as f64;

/// All tries were used up, with no delay between them.
pub(super) fn parked_at_once(outcome: &Outcome) -> Result<(), Text> {
    parked(outcome)?;
    is(outcome, "gap", |ms| ms < DELAY)
}

/// The delays were there, and did not grow: all tries were used up.
pub(super) fn parked_too_soon(outcome: &Outcome) -> Result<(), Text> {
    parked(outcome)?;
    is(outcome, "gap", |ms| ms >= DELAY)
}

/// Each struck order was tried again after delays, within its limit, and done.
pub(super) fn delayed_and_done(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    is(outcome, "refused", |times| times == 1.0)?;
    is(outcome, "fewest", |tries| tries > 1.0)?;
    is(outcome, "tries", |tries| tries <= ALL)?;
    is(outcome, "gap", |ms| ms >= DELAY)
}

/// All are done, and some were tried beyond the limit.
pub(super) fn never_counted(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    is(outcome, "tries", |tries| tries > ALL)
}

/// The broker's clock reads in whole milliseconds.
const ROUNDED: f64 = 5.0;
const DELAY: f64 = MIN_MS as f64 - ROUNDED;

/// Just the struck orders were tried as often as they may be, and are parked.
fn parked(outcome: &Outcome) -> Result<(), Text> {
    balanced(outcome)?;
    every_message_confirmed(outcome)?;
    exactly_where(outcome, &[])?;
    is(outcome, "tries", |tries| tries == ALL)?;
    is(outcome, "fewest", |tries| tries == ALL)?;
    let mut struck = outcome.struck.iter();
    let counts = &outcome.audit.counts;
    let all = struck.all(|order| order.entry.parked == 1);
    if all && counts.parked == u64::from(outcome.plan.len()) {
        return Ok(());
    }
    Err(text! {
        en: "{n} parked, not just the struck ones",
        zh: "转人工 {n} 个，并非恰好是被命中的",
        n = counts.parked
    })
}

fn is(
    outcome: &Outcome,
    id: &str,
    expected: impl Fn(f64) -> bool,
) -> Result<(), Text> {
    match outcome.figure(id)? {
        n if expected(n) => Ok(()),
        n => Err(text! { en: "{id}: {n}", zh: "{id}：{n}", id = id, n = n }),
    }
}
