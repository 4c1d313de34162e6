//! What the ways of `consumer-timeout` are judged by.

use crate::{
    lab::{
        Outcome,
        Strike::{self, AckTimeout, ConsumerDies},
        check::{
            balanced, every_message_confirmed, every_message_once,
            exactly_where,
        },
    },
    ledger::Kind,
    text,
    text::Text,
};

/// The slow orders were done twice, and no late ack was an error. What the
/// dead consumer had in hand came again.
pub(super) fn the_slow_did_it_twice(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    balanced(outcome)?;
    exactly_where(outcome, &[(Kind::Duplicated, AckTimeout)])?;
    let by_the_channel = u32::from(outcome.version < (4, 3));
    the_broker(outcome, by_the_channel, 1 - by_the_channel)?;
    is(outcome, "late", planned(outcome, AckTimeout))?;
    is(outcome, "errors", 0)
}

/// Acked, the slow ones were nobody's business; and what the dead consumer had
/// in hand was nobody's, either.
pub(super) fn the_dead_lost_it(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    balanced(outcome)?;
    exactly_where(outcome, &[(Kind::Lost, ConsumerDies)])?;
    the_broker(outcome, 0, 0)
}

/// Each was done once, and the broker had nothing to wait for.
pub(super) fn every_order_once(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    the_broker(outcome, 0, 0)
}

/// So many channels were closed and consumers cancelled. Beside them, a
/// classic queue was kept waiting for ever on 4.3, and on no version before.
fn the_broker(
    outcome: &Outcome,
    closed: u32,
    cancelled: u32,
) -> Result<(), Text> {
    is(outcome, "closed", closed)?;
    is(outcome, "cancelled", cancelled)?;
    is(outcome, "classic", u32::from(outcome.version < (4, 3)))
}

fn planned(outcome: &Outcome, strike: Strike) -> u32 {
    u32::try_from(outcome.plan.of(strike).count()).unwrap_or(u32::MAX)
}

fn is(outcome: &Outcome, figure: &str, expected: u32) -> Result<(), Text> {
    let value = outcome.figure(figure)?;
    if value == f64::from(expected) {
        return Ok(());
    }
    Err(text! {
        en: "{figure}: {value}, not {expected}",
        zh: "{figure}：{value}，应为 {expected}",
        figure = figure, value = value, expected = expected
    })
}
