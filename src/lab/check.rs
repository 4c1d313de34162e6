//! The checks that ways are judged by. `Err` says what differed, and names
//! messages.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::{Outcome, Strike};
use crate::{
    ledger::{Breach, Kind, MessageId},
    text,
    text::Text,
};

/// Every message applied once, nothing left over, and the ledger balanced.
///
/// # Errors
/// What is wrong, with the first messages.
pub fn every_message_once(outcome: &Outcome) -> Result<(), Text> {
    for kind in KINDS {
        nothing(outcome, kind)?;
    }
    balanced(outcome)?;
    if outcome.audit.counts.waiting > 0 {
        return Err(text! {
            en: "{n} copies left in the queue", zh: "队列里还剩 {n} 份",
            n = outcome.audit.counts.waiting
        });
    }
    let (applied, all) =
        (outcome.audit.counts.applied, u64::from(outcome.messages));
    if applied == all {
        return Ok(());
    }
    Err(text! {
        en: "{applied} of {all} applied", zh: "{all} 条中只生效 {applied} 条",
        applied = applied, all = all
    })
}

/// Exactly the struck messages were doubled, and nothing else is wrong.
///
/// # Errors
/// What differs, with the first messages.
pub fn doubled_exactly_where_struck(outcome: &Outcome) -> Result<(), Text> {
    only(outcome, Kind::Duplicated)
}

/// Exactly the struck messages were lost, and nothing else is wrong.
///
/// # Errors
/// What differs, with the first messages.
pub fn lost_exactly_where_struck(outcome: &Outcome) -> Result<(), Text> {
    only(outcome, Kind::Lost)
}

/// Every message was doubled, and nothing else is wrong: the whole batch was
/// sent again.
///
/// # Errors
/// What differs.
pub fn everything_doubled(outcome: &Outcome) -> Result<(), Text> {
    let all = (1..=outcome.messages).map(|n| outcome.noun.number(n)).collect();
    exactly(outcome, Kind::Duplicated, &all)?;
    let mut others = KINDS.into_iter().filter(|kind| *kind != Kind::Duplicated);
    others.try_for_each(|kind| nothing(outcome, kind))
}

/// Of each kind, exactly the messages with one of these strikes, and nothing
/// else is wrong.
///
/// # Errors
/// What differs, with the first messages.
pub fn exactly_where(
    outcome: &Outcome,
    expected: &[(Kind, Strike)],
) -> Result<(), Text> {
    let of = |(kind, strike): &(Kind, Strike)| {
        (*kind, outcome.plan.of(*strike).collect())
    };
    let expected: Vec<_> = expected.iter().map(of).collect();
    exactly_these(outcome, &expected)
}

/// Of each kind, exactly these messages, and nothing else is wrong.
///
/// # Errors
/// What differs, with the first messages.
pub fn exactly_these(
    outcome: &Outcome,
    expected: &[(Kind, BTreeSet<MessageId>)],
) -> Result<(), Text> {
    for kind in KINDS {
        let these = expected.iter().filter(|(k, _)| *k == kind);
        let these = these.flat_map(|(_, messages)| messages.iter().copied());
        exactly(outcome, kind, &these.collect())?;
    }
    Ok(())
}

const KINDS: [Kind; 4] =
    [Kind::Lost, Kind::Duplicated, Kind::Stuck, Kind::Unexpected];

fn only(outcome: &Outcome, expected: Kind) -> Result<(), Text> {
    let all: Vec<_> =
        outcome.plan.all().map(|(_, strike)| (expected, strike)).collect();
    exactly_where(outcome, &all)
}

fn exactly(
    outcome: &Outcome,
    kind: Kind,
    expected: &BTreeSet<MessageId>,
) -> Result<(), Text> {
    let found: BTreeSet<_> = outcome.audit.of(kind).collect();
    if &found == expected {
        return twice_means_two(outcome);
    }
    let (missing, extra) = (names(expected - &found), names(&found - expected));
    let what = word(kind);
    Err(Text::made(
        format!(
            "{}: expected and not so: {missing}; so and not expected: {extra}",
            what.en
        ),
        format!(
            "{}：应如此却没有：{missing}；不应如此却发生：{extra}",
            what.zh
        ),
    ))
}

/// Doubled is said of what was applied twice, not three times.
fn twice_means_two(outcome: &Outcome) -> Result<(), Text> {
    let mut anomalies = outcome.audit.anomalies.iter();
    let more = anomalies.find(|anomaly| anomaly.applied > 2);
    more.map_or(Ok(()), |anomaly| {
        Err(text! {
            en: "{message} applied {times} times", zh: "{message} 生效 {times} 次",
            message = anomaly.message, times = anomaly.applied
        })
    })
}

/// Each struck message really came twice, by a resend or a redelivery.
///
/// # Errors
/// Which did not.
pub fn each_came_twice(outcome: &Outcome) -> Result<(), Text> {
    let untested = outcome.struck.iter().filter(|struck| {
        let (sent, delivered) = (struck.entry.sent, struck.entry.delivered);
        match struck.strike {
            Strike::KillBeforeCommit
            | Strike::KillAfterCommit
            | Strike::SwallowAck
            | Strike::Meet => delivered < 2,
            Strike::WithholdConfirm | Strike::CutBeforePublish => sent < 2,
            Strike::Replay => sent < 2 || delivered < 2,
            _ => false,
        }
    });
    let untested: BTreeSet<_> = untested.map(|struck| struck.message).collect();
    if untested.is_empty() {
        return Ok(());
    }
    let which = names(untested);
    Err(text! {
        en: "struck, and its duplicate never came: {which}",
        zh: "已命中，但重复的那份没有出现：{which}",
        which = which
    })
}

/// The broker confirmed every message.
///
/// # Errors
/// How many it did.
pub fn every_message_confirmed(outcome: &Outcome) -> Result<(), Text> {
    let confirmed = outcome.audit.counts.confirmed;
    let all = u64::from(outcome.messages);
    if confirmed == all {
        return Ok(());
    }
    Err(text! {
        en: "{confirmed} of {all} confirmed", zh: "{all} 条中只确认 {confirmed} 条",
        confirmed = confirmed, all = all
    })
}

/// Whether the copies of messages with this strike came flagged
/// `redelivered`: all of them, or none.
///
/// # Errors
/// Which differ.
pub fn flagged_where(
    outcome: &Outcome,
    strike: Strike,
    flagged: bool,
) -> Result<(), Text> {
    let wrong = outcome.struck.iter().filter(|struck| {
        struck.strike == strike && (struck.entry.redelivered > 0) != flagged
    });
    let wrong: BTreeSet<_> = wrong.map(|struck| struck.message).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let which = names(wrong);
    Err(text! {
        en: "the redelivered flag is not as claimed: {which}",
        zh: "redelivered 标记与所称不符：{which}",
        which = which
    })
}

/// The figure is what is expected of it.
///
/// # Errors
/// What it is, or that it was not measured.
pub fn figure_is(
    outcome: &Outcome,
    id: &str,
    expected: u32,
) -> Result<(), Text> {
    match outcome.figure(id)? {
        seen if seen == f64::from(expected) => Ok(()),
        seen => Err(text! {
            en: "{id}: {seen}, not {expected}", zh: "{id}：{seen}，应为 {expected}",
            id = id, seen = seen, expected = expected
        }),
    }
}

fn nothing(outcome: &Outcome, kind: Kind) -> Result<(), Text> {
    let found: BTreeSet<_> = outcome.audit.of(kind).collect();
    if found.is_empty() {
        return Ok(());
    }
    let (count, which, what) = (found.len(), names(found), word(kind));
    Err(Text::made(
        format!("{count} {}: {which}", what.en),
        format!("{count} 条{}：{which}", what.zh),
    ))
}

/// I1 and I4 hold: what was confirmed can be found again, and every attempt
/// has exactly one answer.
///
/// # Errors
/// Which messages breach them.
pub fn balanced(outcome: &Outcome) -> Result<(), Text> {
    no_breach(outcome, &[Breach::I1, Breach::I4])
}

/// I4 holds: every attempt has exactly one answer.
///
/// # Errors
/// Which messages breach it.
pub fn every_attempt_answered(outcome: &Outcome) -> Result<(), Text> {
    no_breach(outcome, &[Breach::I4])
}

fn no_breach(outcome: &Outcome, breaches: &[Breach]) -> Result<(), Text> {
    for breach in breaches.iter().copied() {
        let found: BTreeSet<_> = outcome.audit.breaching(breach).collect();
        if !found.is_empty() {
            let which = names(found);
            return Err(match breach {
                Breach::I1 => text! {
                    en: "confirmed and never seen again: {which}",
                    zh: "确认之后再没见过：{which}",
                    which = which
                },
                _ => text! {
                    en: "attempts without exactly one answer: {which}",
                    zh: "发布与应答数对不上：{which}",
                    which = which
                },
            });
        }
    }
    Ok(())
}

fn names(messages: BTreeSet<MessageId>) -> String {
    const MOST: usize = 3;
    if messages.is_empty() {
        return "-".to_owned();
    }
    let named: Vec<_> =
        messages.iter().take(MOST).map(MessageId::to_string).collect();
    match messages.len().saturating_sub(MOST) {
        0 => named.join(", "),
        more => format!("{} +{more}", named.join(", ")),
    }
}

fn word(kind: Kind) -> Text {
    match kind {
        Kind::Lost => text! { en: "lost", zh: "丢失" },
        Kind::Duplicated => text! { en: "doubled", zh: "重复" },
        Kind::Stuck => text! { en: "stuck", zh: "卡住" },
        Kind::Unexpected => text! { en: "unexpected", zh: "来历不明" },
    }
}
