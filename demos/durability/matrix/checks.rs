//! What the table must say, and the ledger with it.

use std::collections::BTreeSet;

use super::{
    cells::{CELLS, Cell, Kind, Share},
    figure,
    node::{BOTH, Down},
};
use crate::{
    lab::{
        Outcome,
        check::{every_attempt_answered, every_message_confirmed},
    },
    ledger::{Kind as Wrong, MessageId},
    text,
    text::Text,
};

const PRECONDITION_FAILED: f64 = 406.0;
const INTERNAL_ERROR: f64 = 541.0;

/// Every order was confirmed. Each cell kept all of its orders or none, in
/// either way alike, and exactly those of the others are lost.
pub(super) fn as_the_switches_say(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_attempt_answered(outcome)?;
    let all = || (1..=outcome.messages).map(|n| outcome.noun.number(n));
    let mut gone = BTreeSet::new();
    for (down, share) in shares() {
        let orders: Vec<_> = share.of(down, all()).collect();
        let keeps = keeps(share, outcome.version);
        let left = match keeps {
            Keeps::All => orders.len() as f64,
            Keeps::None => 0.0,
            Keeps::NoQueue => -1.0,
        };
        is(outcome, &figure(down, share), left)?;
        if keeps != Keeps::All {
            gone.extend(orders);
        }
    }
    lost(outcome, &gone)?;
    is(outcome, "refused-quorum", PRECONDITION_FAILED)?;
    match outcome.version {
        (..4, _) => Ok(()),
        _ => is(outcome, "refused-classic", INTERNAL_ERROR),
    }
}

/// What becomes of a share when its node goes down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    All,
    None,
    NoQueue,
}

/// Khepri, which recovers every exchange, is the default since this version.
const KHEPRI: (u16, u16) = (4, 2);

fn keeps(share: Share, version: (u16, u16)) -> Keeps {
    match share {
        Share::Afterwards if version < KHEPRI => Keeps::None,
        Share::Afterwards => Keeps::All,
        Share::Before(Cell { kind, persistent, .. }) => match kind {
            Kind::Quorum => Keeps::All,
            Kind::NotDurable => Keeps::NoQueue,
            Kind::Durable if persistent => Keeps::All,
            Kind::Durable => Keeps::None,
        },
    }
}

fn shares() -> impl Iterator<Item = (Down, Share)> {
    let each = || CELLS.into_iter().map(Share::Before);
    let each = move || each().chain([Share::Afterwards]);
    BOTH.into_iter().flat_map(move |down| each().map(move |s| (down, s)))
}

/// Exactly these are lost, nothing else is wrong, and the rest was packed.
fn lost(outcome: &Outcome, gone: &BTreeSet<MessageId>) -> Result<(), Text> {
    let audit = &outcome.audit;
    let found: BTreeSet<_> = audit.of(Wrong::Lost).collect();
    let other = found.symmetric_difference(gone).next();
    if let Some(order) = other {
        return Err(text! {
            en: "{order}: lost or not, other than expected",
            zh: "{order}：丢没丢与预期不符", order = order
        });
    }
    let (wrong, packed) = (audit.anomalies.len(), audit.counts.applied);
    if wrong == gone.len()
        && packed + gone.len() as u64 == u64::from(outcome.messages)
    {
        return Ok(());
    }
    Err(text! {
        en: "{packed} packed, {wrong} wrong", zh: "打包 {packed}，{wrong} 处不对",
        packed = packed, wrong = wrong
    })
}

fn is(outcome: &Outcome, id: &str, expected: f64) -> Result<(), Text> {
    match outcome.figure(id)? {
        seen if seen == expected => Ok(()),
        seen => Err(text! {
            en: "{id}: {seen}, not {expected}", zh: "{id}：{seen}，应为 {expected}",
            id = id, seen = seen, expected = expected
        }),
    }
}
