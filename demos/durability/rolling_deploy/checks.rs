//! What the ways of `rolling-deploy` are judged by.

use std::{collections::BTreeSet, ops::RangeInclusive};

use super::stage::{DEPLOYS, PREFETCH};
use crate::{
    lab::{
        Outcome,
        check::{
            every_attempt_answered, every_message_confirmed, every_message_once,
        },
    },
    ledger::{Kind, MessageId},
    text,
    text::Text,
};

/// Each deploy finished one order, and its place was sent to another. What was
/// sent to the first instance, and not finished by one of the four, is gone.
pub(super) fn gone_unread(outcome: &Outcome) -> Result<(), Text> {
    gone_are(outcome, DEPLOYS + 1..=PREFETCH + 1)?;
    // Each instance was sent ten and one more, and finished one.
    let lost = PREFETCH + 1 - DEPLOYS;
    let after = outcome.messages - DEPLOYS - lost;
    let before = DEPLOYS * (PREFETCH + 1);
    sent_again(outcome, before + after - outcome.messages)
}

/// Every order came once and was packed once.
pub(super) fn each_came_once(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_message_once(outcome)?;
    sent_again(outcome, 0)
}

/// Nothing is gone: the next instance finished what came in the meantime. But
/// all that came twice.
pub(super) fn sent_in_the_meantime(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_message_once(outcome)?;
    sent_again(outcome, DEPLOYS * PREFETCH)
}

/// Since 4.3 what is given back is not counted, and comes again; before, it is
/// gone as in the naive way, but nothing is sent in the place of what was
/// finished.
pub(super) fn given_back_or_gone(outcome: &Outcome) -> Result<(), Text> {
    if outcome.version < (4, 3) {
        return gone_are(outcome, DEPLOYS + 1..=PREFETCH);
    }
    every_message_confirmed(outcome)?;
    every_message_once(outcome)?;
    sent_again(outcome, DEPLOYS * (PREFETCH - 1))
}

/// Just these are lost, and all others are done, once each.
fn gone_are(
    outcome: &Outcome,
    numbers: RangeInclusive<u32>,
) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_attempt_answered(outcome)?;
    let expected: BTreeSet<MessageId> =
        numbers.map(|number| outcome.noun.number(number)).collect();
    let lost: BTreeSet<_> = outcome.audit.of(Kind::Lost).collect();
    let counts = &outcome.audit.counts;
    let others = u64::from(outcome.messages) - expected.len() as u64;
    let wrong = counts.duplicated + counts.stuck + counts.unexpected;
    if lost == expected && counts.applied == others && wrong == 0 {
        return Ok(());
    }
    let first = lost.first().map_or("-".to_owned(), MessageId::to_string);
    Err(text! {
        en: "{lost} gone (from {first}), not {expected}; {done} done",
        zh: "丢 {lost} 单（从 {first} 起），应为 {expected}；完成 {done}",
        lost = lost.len(), first = first, expected = expected.len(),
        done = counts.applied
    })
}

/// The broker sent each order once, and so many again.
fn sent_again(outcome: &Outcome, again: u32) -> Result<(), Text> {
    let (sent, expected) = (outcome.figure("sent")?, outcome.messages + again);
    if sent == f64::from(expected) {
        return Ok(());
    }
    Err(text! {
        en: "{sent} deliveries, not {expected}",
        zh: "投递 {sent} 次，应为 {expected} 次",
        sent = sent, expected = expected
    })
}
