//! Sums that several checks of this topic look at.

use crate::{
    lab::{
        Outcome,
        check::{balanced, every_attempt_answered},
    },
    text,
    text::Text,
};

/// Every order was accepted and done once, or refused and done nowhere.
pub fn all_but_the_refused_once(outcome: &Outcome) -> Result<(), Text> {
    balanced(outcome)?;
    let counts = &outcome.audit.counts;
    let wrong =
        counts.lost + counts.duplicated + counts.stuck + counts.unexpected;
    let all = counts.applied + counts.refused;
    if wrong == 0
        && counts.accepted == counts.applied
        && all == u64::from(outcome.messages)
    {
        return Ok(());
    }
    Err(text! {
        en: "{applied} done, {refused} refused, {wrong} wrong",
        zh: "完成 {applied}，拒绝 {refused}，异常 {wrong}",
        applied = counts.applied, refused = counts.refused, wrong = wrong
    })
}

/// Every order was done once, or lost.
pub fn lost_at_worst(outcome: &Outcome) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    let counts = &outcome.audit.counts;
    let wrong = counts.duplicated + counts.stuck + counts.unexpected;
    let all = counts.applied + counts.lost;
    if wrong == 0 && all == u64::from(outcome.messages) {
        return Ok(());
    }
    Err(text! {
        en: "{applied} done, {lost} lost, {wrong} otherwise wrong",
        zh: "完成 {applied}，丢失 {lost}，其他异常 {wrong}",
        applied = counts.applied, lost = counts.lost, wrong = wrong
    })
}
