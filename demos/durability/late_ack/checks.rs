//! What the ways of `late-ack` are judged by.

use crate::{
    lab::{
        Outcome,
        Strike::{self, Meet, SwallowAck},
        check::{
            balanced, each_came_twice, every_message_confirmed,
            every_message_once, exactly_where,
        },
    },
    ledger::Kind,
    text,
    text::Text,
};

/// Twice, wherever the connection was cut; and no late ack was an error.
pub(super) fn doubled_under_both(outcome: &Outcome) -> Result<(), Text> {
    doubled_where(outcome, &[Meet, SwallowAck])?;
    late_acks(outcome, outcome.plan.of(Meet).count())
}

/// Twice where the effect was committed before the cut; those that were cut
/// before were given up, and not acked.
pub(super) fn doubled_under_the_ack(outcome: &Outcome) -> Result<(), Text> {
    doubled_where(outcome, &[SwallowAck])?;
    late_acks(outcome, 0)
}

/// Twice where both had looked before either had packed.
pub(super) fn doubled_under_the_work(outcome: &Outcome) -> Result<(), Text> {
    doubled_where(outcome, &[Meet])?;
    late_acks(outcome, outcome.plan.of(Meet).count())
}

/// Once, although as many acks came too late.
pub(super) fn every_order_once(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    each_came_twice(outcome)?;
    late_acks(outcome, outcome.plan.of(Meet).count())
}

fn doubled_where(outcome: &Outcome, strikes: &[Strike]) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    balanced(outcome)?;
    each_came_twice(outcome)?;
    let doubled: Vec<_> =
        strikes.iter().map(|strike| (Kind::Duplicated, *strike)).collect();
    exactly_where(outcome, &doubled)
}

/// So many came too late, and none was an error.
fn late_acks(outcome: &Outcome, expected: usize) -> Result<(), Text> {
    let (late, errors) = (outcome.figure("late")?, outcome.figure("errors")?);
    if (late, errors) == (expected as f64, 0.0) {
        return Ok(());
    }
    Err(text! {
        en: "{late} late acks, {errors} errors; not {expected} and none",
        zh: "迟到的 ack {late} 个，报错 {errors} 个；应为 {expected} 个、不报错",
        late = late, errors = errors, expected = expected
    })
}
