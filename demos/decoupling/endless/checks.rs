//! What the ways of `endless` are judged by.

use super::PATIENCE;
use crate::{
    demos::decoupling::sums::{all_but_the_refused_once, lost_at_worst},
    lab::{Outcome, check::every_message_once},
    text,
    text::Text,
};

/// All were let in and done, most of them when their customers had left; the
/// last among them.
pub(super) fn all_done_many_too_late(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    let (late, last) = (outcome.figure("late")?, outcome.figure("last")?);
    let most = late * 2.0 > f64::from(outcome.messages);
    if most && last > PATIENCE.as_secs_f64() * 1e3 {
        return Ok(());
    }
    Err(text! {
        en: "{late} too late, the last after {last} ms",
        zh: "{late} 个太晚，最后一个等了 {last} ms",
        late = late, last = last.round()
    })
}

/// Whoever was let in was done in time; the others knew at once.
pub(super) fn in_time_or_refused(outcome: &Outcome) -> Result<(), Text> {
    all_but_the_refused_once(outcome)?;
    let counts = &outcome.audit.counts;
    let (refused, late) = (counts.refused, outcome.figure("late")?);
    // A door that lets nobody in keeps no promise either: what has room is
    // let in, in the queue and in the service.
    let room = outcome.figure("room")?;
    if counts.accepted as f64 >= room && refused > 0 && late == 0.0 {
        return Ok(());
    }
    Err(text! {
        en: "{refused} refused, {late} too late",
        zh: "拒绝 {refused}，太晚 {late}",
        refused = refused, late = late
    })
}

/// All were confirmed, and some of them thrown out.
pub(super) fn confirmed_and_lost(outcome: &Outcome) -> Result<(), Text> {
    let counts = &outcome.audit.counts;
    if counts.confirmed == u64::from(outcome.messages) && counts.lost > 0 {
        return lost_at_worst(outcome);
    }
    Err(text! {
        en: "{confirmed} confirmed, {lost} lost",
        zh: "确认 {confirmed}，丢失 {lost}",
        confirmed = counts.confirmed, lost = counts.lost
    })
}

/// All were promised, and what was nacked was never done.
pub(super) fn promised_and_lost(outcome: &Outcome) -> Result<(), Text> {
    let counts = &outcome.audit.counts;
    if counts.refused == 0 && counts.lost > 0 && counts.lost == counts.nacked {
        return lost_at_worst(outcome);
    }
    Err(text! {
        en: "{nacked} nacked, {lost} lost", zh: "nack {nacked}，丢失 {lost}",
        nacked = counts.nacked, lost = counts.lost
    })
}
