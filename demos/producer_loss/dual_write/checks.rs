//! What the ways of `dual-write` are judged by.
//!
//! Which order was promised the database says, what was packed the packer's
//! table, and what is still open the outbox.

use std::collections::BTreeSet;

use crate::{
    lab::{
        Outcome, Strike,
        check::{balanced, exactly_where},
    },
    ledger::{Kind, Noun},
    text,
    text::Text,
};

const BEFORE_COMMIT: Strike = Strike::DieBeforeCommit;
const AFTER_COMMIT: Strike = Strike::DieAfterCommit;
const AFTER_PUBLISH: Strike = Strike::DieAfterPublish;
const AFTER_CONFIRM: Strike = Strike::DieAfterConfirm;

/// Lost where it died between the commit and the publish, and only there.
pub(super) fn lost_where_only_saved(outcome: &Outcome) -> Result<(), Text> {
    exactly_where(outcome, &[(Kind::Lost, AFTER_COMMIT)])?;
    not_promised(outcome, &[BEFORE_COMMIT])?;
    sent(outcome, &[(AFTER_PUBLISH, 1), (AFTER_CONFIRM, 1)])?;
    open_rows(outcome, &[])?;
    balanced(outcome)
}

/// Where it died after the publish and before the commit, something was done
/// that was promised to nobody; nothing else is wrong.
pub(super) fn phantoms_where_only_published(
    outcome: &Outcome,
) -> Result<(), Text> {
    let only_published = [AFTER_PUBLISH, AFTER_CONFIRM, BEFORE_COMMIT];
    let numbers = |strike: &Strike| {
        outcome.plan.of(*strike).map(|order| order.number).collect::<Vec<_>>()
    };
    let expected: BTreeSet<_> = only_published
        .iter()
        .flat_map(numbers)
        .map(|number| Noun::Mail.number(number))
        .collect();
    let found: BTreeSet<_> = outcome.audit.of(Kind::Unexpected).collect();
    let others = outcome.audit.anomalies.len() - found.len();
    if found != expected || others > 0 {
        return Err(text! {
            en: "{found} phantoms, {expected} expected; {others} others wrong",
            zh: "幽灵单 {found} 个，应为 {expected} 个；另有 {others} 个出错",
            found = found.len(), expected = expected.len(), others = others
        });
    }
    not_promised(outcome, &only_published)?;
    applied(outcome, u64::from(outcome.messages))?;
    open_rows(outcome, &[])?;
    balanced(outcome)
}

/// Every order that was promised is packed once, no other is, and no row is
/// open. Those that were published and not noted were met twice.
pub(super) fn once_each_that_was_promised(
    outcome: &Outcome,
) -> Result<(), Text> {
    exactly_where(outcome, &[])?;
    not_promised(outcome, &[BEFORE_COMMIT])?;
    sent(outcome, AS_RELAYED)?;
    applied(outcome, outcome.audit.counts.accepted)?;
    open_rows(outcome, &[])?;
    balanced(outcome)
}

/// Without the one transaction: lost where it died between the two commits.
/// The relay has done its part for all others.
pub(super) fn lost_between_the_commits(outcome: &Outcome) -> Result<(), Text> {
    exactly_where(outcome, &[(Kind::Lost, AFTER_COMMIT)])?;
    not_promised(outcome, &[BEFORE_COMMIT])?;
    sent(
        outcome,
        &[(AFTER_COMMIT, 0), (AFTER_PUBLISH, 2), (AFTER_CONFIRM, 2)],
    )?;
    open_rows(outcome, &[])?;
    balanced(outcome)
}

/// Without the relay: the row of each order over which a process died is open
/// for ever, and where nothing was published the order is stuck in it.
pub(super) fn stuck_in_the_table(outcome: &Outcome) -> Result<(), Text> {
    exactly_where(outcome, &[(Kind::Stuck, AFTER_COMMIT)])?;
    not_promised(outcome, &[BEFORE_COMMIT])?;
    sent(
        outcome,
        &[(AFTER_COMMIT, 0), (AFTER_PUBLISH, 1), (AFTER_CONFIRM, 1)],
    )?;
    open_rows(outcome, &[AFTER_COMMIT, AFTER_PUBLISH, AFTER_CONFIRM])?;
    balanced(outcome)
}

/// Without the idempotent consumer: packed twice where it was published
/// twice.
pub(super) fn doubled_where_published_twice(
    outcome: &Outcome,
) -> Result<(), Text> {
    let doubled = Kind::Duplicated;
    exactly_where(
        outcome,
        &[(doubled, AFTER_PUBLISH), (doubled, AFTER_CONFIRM)],
    )?;
    not_promised(outcome, &[BEFORE_COMMIT])?;
    sent(outcome, AS_RELAYED)?;
    open_rows(outcome, &[])?;
    balanced(outcome)
}

/// How often a relay publishes what a process died over.
const AS_RELAYED: &[(Strike, u16)] =
    &[(AFTER_COMMIT, 1), (AFTER_PUBLISH, 2), (AFTER_CONFIRM, 2)];

/// Every order was promised but those with these strikes.
fn not_promised(outcome: &Outcome, strikes: &[Strike]) -> Result<(), Text> {
    let struck = outcome.struck.iter();
    let mut wrong = struck.filter(|struck| {
        struck.entry.accepted == strikes.contains(&struck.strike)
    });
    if let Some(wrong) = wrong.next() {
        let message = wrong.message;
        return Err(match wrong.entry.accepted {
            true => text! {
                en: "{message} was promised", zh: "{message} 竟已答应顾客",
                message = message
            },
            false => text! {
                en: "{message} was promised to nobody",
                zh: "{message} 没有答应任何人", message = message
            },
        });
    }
    let not = strikes.iter().map(|strike| outcome.plan.of(*strike).count());
    let expected = u64::from(outcome.messages) - not.sum::<usize>() as u64;
    let promised = outcome.audit.counts.accepted;
    same(promised, expected, text! { en: "promised", zh: "答应顾客" })
}

/// Those with these strikes were published and delivered so often.
fn sent(outcome: &Outcome, times: &[(Strike, u16)]) -> Result<(), Text> {
    let mut wrong = outcome.struck.iter().filter(|struck| {
        let (sent, delivered) = (struck.entry.sent, struck.entry.delivered);
        times.iter().any(|(strike, times)| {
            struck.strike == *strike && (sent, delivered) != (*times, *times)
        })
    });
    wrong.next().map_or(Ok(()), |wrong| {
        Err(text! {
            en: "{message} was published {sent} times, delivered {delivered}",
            zh: "{message} 发布 {sent} 次，投递 {delivered} 次",
            message = wrong.message, sent = wrong.entry.sent,
            delivered = wrong.entry.delivered
        })
    })
}

fn applied(outcome: &Outcome, expected: u64) -> Result<(), Text> {
    let packed = outcome.audit.counts.applied;
    same(packed, expected, text! { en: "packed", zh: "打包" })
}

/// The rows of those with these strikes are open, and no others; the queue is
/// empty.
fn open_rows(outcome: &Outcome, strikes: &[Strike]) -> Result<(), Text> {
    let mut wrong = outcome.struck.iter().filter(|struck| {
        (struck.entry.waiting > 0) != strikes.contains(&struck.strike)
    });
    if let Some(wrong) = wrong.next() {
        return Err(text! {
            en: "{message}: {rows} rows open",
            zh: "{message}：未完成 {rows} 行",
            message = wrong.message, rows = wrong.entry.waiting
        });
    }
    let rows = strikes.iter().map(|strike| outcome.plan.of(*strike).count());
    let expected = rows.sum::<usize>() as u64;
    let open = outcome.audit.counts.waiting;
    same(open, expected, text! { en: "rows open", zh: "未完成的行" })
}

fn same(found: u64, expected: u64, what: Text) -> Result<(), Text> {
    if found == expected {
        return Ok(());
    }
    Err(Text::made(
        format!("{found} {}, not {expected}", what.en),
        format!("{}：{found}，应为 {expected}", what.zh),
    ))
}
