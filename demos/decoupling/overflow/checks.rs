//! What the ways of `overflow` are judged by.

use crate::{
    demos::decoupling::sums::lost_at_worst,
    lab::{
        Outcome,
        check::{every_message_confirmed, every_message_once},
    },
    ledger::Kind,
    text,
    text::Text,
};

/// More nacks than this in the second that the consumer is away is a tight
/// loop. Backing off makes five rounds of ten in it, and fifteen only if that
/// second lasted five; a tight loop makes fifteen rounds unless one of ten
/// publishes takes 60 ms.
pub(super) const PATIENT: u64 = 150;

/// All were confirmed; the first half is lost and the second half done.
pub(super) fn the_first_are_gone(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    let gone = outcome.messages - outcome.messages / 2;
    let expected = (1..=gone).map(|n| outcome.noun.number(n));
    let lost = outcome.audit.of(Kind::Lost);
    if !lost.eq(expected) {
        return Err(text! {
            en: "lost {lost}, not orders 1 to {gone}",
            zh: "丢了 {lost} 个，但不是 1 到 {gone} 号",
            lost = outcome.audit.counts.lost, gone = gone
        });
    }
    lost_at_worst(outcome)
}

/// Those that were nacked are lost, and only they.
pub(super) fn the_nacked_are_gone(outcome: &Outcome) -> Result<(), Text> {
    let (nacked, lost) =
        (outcome.audit.counts.nacked, outcome.audit.counts.lost);
    if lost == 0 || lost != nacked {
        return Err(text! {
            en: "{lost} lost, {nacked} nacked", zh: "丢了 {lost}，nack {nacked}",
            lost = lost, nacked = nacked
        });
    }
    lost_at_worst(outcome)
}

/// Every order once, and few nacks while the queue was full.
pub(super) fn all_once_and_patiently(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_message_once(outcome)?;
    let (took, limit) =
        (outcome.figure("quorum")?, f64::from(outcome.messages / 2));
    // One more at the least. By how many depends on what is in flight.
    if took <= limit {
        return Err(text! {
            en: "the quorum queue took {took} of {limit}",
            zh: "仲裁队列只收了 {took}，上限 {limit}",
            took = took, limit = limit
        });
    }
    match outcome.figure("nacks")? {
        n if n > 0.0 && n <= PATIENT as f64 => Ok(()),
        n => Err(text! { en: "{n} nacks", zh: "nack {n} 次", n = n }),
    }
}

/// Every order once, and many nacks for nothing.
pub(super) fn all_once_and_hammering(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_message_once(outcome)?;
    match outcome.figure("nacks")? {
        n if n > PATIENT as f64 => Ok(()),
        n => Err(text! { en: "{n} nacks only", zh: "只有 {n} 次 nack", n = n }),
    }
}
