//! What the ways of `young-queue` are judged by.

use crate::{
    lab::{
        Outcome,
        check::{
            every_attempt_answered, every_message_confirmed,
            every_message_once, lost_exactly_where_struck,
        },
    },
    text,
    text::Text,
};

/// All was confirmed, all that went to the new queue is gone, though it is on
/// the disk; and nothing that went to the old one.
pub(super) fn all_of_the_young_is_gone(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_attempt_answered(outcome)?;
    lost_exactly_where_struck(outcome)?;
    let new = outcome.plan.len();
    is(outcome, "logged", new)?;
    is(outcome, "old", outcome.messages - new)?;
    is(outcome, "new", 0)?;
    // 4.3 has the new member elected. 3.10 does not, or does not know of the
    // queue either.
    let [leaderless, gone] =
        [outcome.figure("leaderless")?, outcome.figure("gone")?];
    let unusable = u32::from(outcome.version < (4, 0));
    if leaderless + gone == f64::from(unusable) {
        return Ok(());
    }
    Err(text! {
        en: "{leaderless} queues without a leader, {gone} gone",
        zh: "没有 leader 的队列 {leaderless} 条，没了的 {gone} 条",
        leaderless = leaderless, gone = gone
    })
}

/// All was confirmed and is there.
pub(super) fn none_is_gone(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_message_once(outcome)?;
    let new = outcome.plan.len();
    is(outcome, "old", outcome.messages - new)?;
    is(outcome, "new", new)?;
    is(outcome, "leaderless", 0)?;
    is(outcome, "gone", 0)
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
