//! What each chain must come to.

use std::collections::BTreeSet;

use super::links::{Chain, Link, chains};
use crate::{
    lab::{Outcome, Strike, check::every_attempt_answered},
    ledger::{Kind, MessageId},
    text,
    text::Text,
};

/// Without a link exactly what met its fault is lost, doubled or stuck, and
/// with all of them nothing is.
pub(super) fn each_link_is_needed(outcome: &Outcome) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    for kind in [Kind::Lost, Kind::Duplicated, Kind::Stuck, Kind::Unexpected] {
        let expected: BTreeSet<MessageId> =
            chains().flat_map(|chain| wrong(outcome, chain, kind)).collect();
        let found: BTreeSet<MessageId> = outcome.audit.of(kind).collect();
        let other = expected.symmetric_difference(&found).next();
        if let Some(order) = other {
            return Err(text! {
                en: "{kind}: not as expected of {order}",
                zh: "{kind}：{order} 与预期不符",
                kind = format!("{kind:?}").to_lowercase(), order = order
            });
        }
    }
    let counts = &outcome.audit.counts;
    let parked = chains().filter(|chain| is_parked(*chain)).count() as u64;
    let told = chains().filter(|chain| is_told(*chain)).count() as u64;
    if (counts.parked, counts.reported) != (parked, told) {
        return Err(text! {
            en: "{parked} parked and {told} told of",
            zh: "进死信 {parked} 条，告知 {told} 条",
            parked = counts.parked, told = counts.reported
        });
    }
    let ended = counts.applied + counts.parked + counts.lost + counts.stuck;
    match ended == u64::from(outcome.messages) {
        true => Ok(()),
        false => Err(text! {
            en: "{ended} orders came to an end", zh: "{ended} 个订单有结果",
            ended = ended
        }),
    }
}

/// The orders of a chain of which this is true.
fn wrong(outcome: &Outcome, chain: Chain, kind: Kind) -> Vec<MessageId> {
    let all = || (1..=outcome.messages).map(|n| outcome.noun.number(n));
    let one = |strike| chain.fated_of(all(), strike);
    let astray = one(Strike::Unroutable);
    let some: [Option<MessageId>; 2] = match (kind, chain.without) {
        (Kind::Lost, Some(Link::Outbox)) => [one(Strike::DieAfterCommit), None],
        (Kind::Lost, Some(Link::Confirms)) => {
            [one(Strike::CutBeforePublish), None]
        }
        (Kind::Lost, Some(Link::Mandatory | Link::Alert)) => [astray, None],
        // All that was in the queue; what came back was published later.
        (
            Kind::Lost,
            Some(Link::Durable | Link::Persistent | Link::Replication),
        ) => {
            let mine = chain.of(all());
            return mine.filter(|order| Some(*order) != astray).collect();
        }
        (Kind::Lost, Some(Link::AckAfterCommit)) => {
            [one(Strike::KillBeforeCommit), one(Strike::Poison)]
        }
        (Kind::Lost, Some(Link::DeadLetters)) => [one(Strike::Poison), None],
        (Kind::Duplicated, Some(Link::UniqueKey)) => {
            [one(Strike::KillAfterCommit), None]
        }
        (Kind::Stuck, Some(Link::Alert)) => [one(Strike::Poison), None],
        _ => [None, None],
    };
    some.into_iter().flatten().collect()
}

/// Whether its poison message is among the dead letters, and somebody knows.
fn is_parked(chain: Chain) -> bool {
    !matches!(
        chain.without,
        Some(
            Link::Durable
                | Link::Persistent
                | Link::Replication
                | Link::AckAfterCommit
                | Link::DeadLetters
                | Link::Alert
        )
    )
}

/// Whether somebody was told of what came back.
fn is_told(chain: Chain) -> bool {
    !matches!(chain.without, Some(Link::Mandatory | Link::Alert))
}
