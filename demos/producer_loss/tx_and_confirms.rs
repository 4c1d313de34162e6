//! AMQP's transactions beside confirms: the same promise, and one of the two.
//!
//! Source: RabbitMQ documentation, "Consumer Acknowledgements and Publisher
//! Confirms", section "Publisher Confirms": a channel is in one of the two
//! modes and cannot be made to enter the other (406: seen on 3.10 and 4.3).
//! "Broker Semantics", section "Semantics of tx": a commit takes
//! responsibility, what has no route is returned at the commit, and it is not
//! atomic, even in one queue, when the broker fails in it.

mod asked;
mod shop;

use std::collections::BTreeSet;

use futures::future::BoxFuture;

use self::shop::{Killed, Shop};
use super::TRIED;
use crate::{
    demos::shop::{
        orders::{ORDERS, Ran},
        packing::{Packs, pack},
    },
    event::{Column, WayName},
    lab::{
        Hits, Lab, Needs, Outcome, Plan, Predict, Scenario, Strike, Ways,
        check::{
            every_attempt_answered, every_message_confirmed,
            every_message_once, figure_is,
        },
    },
    ledger::{Kind, MessageId},
    mechanism, text,
    text::Text,
    way,
};

/// "With transactions on, what is published is safe."
pub static TX_AND_CONFIRMS: Scenario = Scenario {
    id: "tx-and-confirms",
    recipe: text! {
        en: "Transactions are on: published without an error is safe. Say yes.",
        zh: "开了事务，发布没报错就安全了，可以告诉顾客下单成功。"
    },
    fault: text! {
        en: "1 order in 10: the process is killed before tx.commit, or right \
             after it.",
        zh: "每 10 单有 1 单：进程在 tx.commit 之前、或刚发出之后被杀。"
    },
    predict: Predict {
        question: text! {
            en: "Transactions are on. Are confirms needed as well?",
            zh: "开启了事务，还需要 confirm 吗？"
        },
        choices: &[
            text! { en: "yes, turn on both", zh: "需要，两个都开" },
            text! {
                en: "no, a publish in a transaction is safe",
                zh: "不需要，事务里发布了就安全"
            },
            text! {
                en: "no, tx.commit-ok is the confirm",
                zh: "不需要，tx.commit-ok 就是确认"
            },
        ],
        right: 2,
    },
    needs: Needs { fewest: 20, most: 1_000, seconds: 6, ..Needs::BOOKS },
    strikes: &[Strike::DieBeforeCommit, Strike::DieAfterPublish],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            packed_once,
            yes_when_published(orders, shop),
            lost_before_the_commit,
            text! { en: "yes when it is published", zh: "发布了就答应" },
        ),
        fixed: way!(
            packed_once,
            yes_when_committed(orders, shop),
            once_and_never_both,
            text! {
                en: "yes at tx.commit-ok; packed by unique key",
                zh: "tx.commit-ok 后才答应；打包用唯一键"
            },
        ),
        mechanisms: &[
            mechanism!(
                "commit-first",
                packed_once,
                yes_when_published(orders, shop),
                lost_before_the_commit,
                text! { en: "waiting for tx.commit-ok", zh: "等 tx.commit-ok" },
            ),
            mechanism!(
                "unique-key",
                packed_as_delivered,
                yes_when_committed(orders, shop),
                doubled_after_the_commit,
                text! { en: "the unique key", zh: "唯一键" },
            ),
        ],
    },
    columns: &[
        Column::Attempts,
        Column::Deliveries,
        Column::Applied,
        Column::Lost,
        Column::Doubled,
    ],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "c: before tx.commit nothing is stored. commit-ok says what a \
             confirm says; no commit-ok is unknown. Both: 406, channel closed.",
        zh: "c：tx.commit 之前什么都没存。commit-ok 等于确认；没收到就是未知。\
             两个都开：406，信道被关闭。"
    },
    fix: text! {
        en: "Confirms: the same promise for far fewer round trips \
             (decoupling/cost). Either way: wait for the answer, unique key.",
        zh: "用 confirm：承诺相同，往返少得多（见 decoupling/cost）。\
             不管哪种：等到应答再答应，消费端要有唯一键。"
    },
    limit: text! {
        en: "A tx knows no database, and is not atomic if the broker dies in \
             it. commit-ok does not say routed either: mandatory.",
        zh: "tx 管不到数据库；提交时 broker 挂掉也不保证原子。\
             commit-ok 也不代表路由成功：要 mandatory。"
    },
    say: text! {
        en: "\"No, and you cannot: commit-ok is a confirm for the batch, only \
             dearer.\"",
        zh: "「不需要，也不能同时开：commit-ok 就是一批的确认，只是更贵。」"
    },
    source: &[include_str!("tx_and_confirms.rs")],
};

/// Publishes orders in one transaction, and tells their customers yes.
type Sell = for<'a> fn(&'a [MessageId], &'a mut Shop) -> BoxFuture<'a, Ran>;

/// It was published in a transaction: yes.
async fn yes_when_published(orders: &[MessageId], shop: &mut Shop) -> Ran {
    for order in orders {
        shop.publish(*order).await?;
        shop.tell_yes(*order);
    }
    shop.commit(orders).await
}

/// The broker has answered for the whole transaction: yes.
async fn yes_when_committed(orders: &[MessageId], shop: &mut Shop) -> Ran {
    for order in orders {
        shop.publish(*order).await?;
    }
    shop.commit(orders).await?;
    orders.iter().for_each(|order| shop.tell_yes(*order));
    Ok(())
}

/// Orders in a transaction.
const BATCH: usize = 10;

/// Ten orders each; a struck order is the last of its own.
fn transactions(
    orders: impl Iterator<Item = MessageId>,
    plan: &Plan,
) -> Vec<Vec<MessageId>> {
    let mut all: Vec<Vec<_>> = Vec::new();
    let is_full = |tx: &Vec<MessageId>| {
        tx.len() == BATCH || tx.last().is_some_and(|id| plan.strikes(*id))
    };
    for order in orders {
        match all.last_mut() {
            Some(last) if !is_full(last) => last.push(order),
            _ => all.push(vec![order]),
        }
    }
    all
}

/// Sold, then packed by a unique key.
async fn packed_once(lab: Lab, sell: Sell) -> Ran {
    sold(&lab, sell).await?;
    pack(&lab, ORDERS, Packs::OncePerOrder).await
}

/// Sold, then packed as it comes.
async fn packed_as_delivered(lab: Lab, sell: Sell) -> Ran {
    sold(&lab, sell).await?;
    pack(&lab, ORDERS, Packs::EveryDelivery).await
}

/// All orders, by transactions. Where the process is killed the next one
/// starts; customers who were told nothing ask again.
async fn sold(lab: &Lab, sell: Sell) -> Ran {
    lab.declare(ORDERS).await?;
    let mut shop = Shop::open(lab).await?;
    for transaction in transactions(lab.messages(), lab.plan()) {
        let mut asking = transaction;
        while !asking.is_empty() {
            match sell(&asking, &mut shop).await {
                Err(error) if error.is::<Killed>() => shop.restart().await?,
                sold => sold?,
            }
            asking = shop.untold(&asking);
        }
    }
    let killed = shop.killed;
    shop.close().await?;
    let sums = lab.sums();
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{yes} told yes, {attempts} publishes; {killed} processes \
                 killed; {stored} in the queue",
            zh: "答应 {yes} 单，发布 {attempts} 次；被杀 {killed} 个进程；\
                 队列里 {stored} 条",
            yes = sums.accepted, attempts = sums.attempts, killed = killed,
            stored = lab.ready(ORDERS).await?
        },
    );
    if lab.way() == WayName::Fixed {
        asked::for_both(lab).await?;
        asked::for_a_return(lab).await?;
    }
    Ok(())
}

/// What was in a transaction that was not committed is lost; nothing else is
/// wrong, though it was not known of the others that they were.
fn lost_before_the_commit(outcome: &Outcome) -> Result<(), Text> {
    exactly(outcome, Kind::Lost, Strike::DieBeforeCommit)
}

/// What was in a transaction that was committed unheard came, and was done,
/// twice; nothing else is wrong.
fn doubled_after_the_commit(outcome: &Outcome) -> Result<(), Text> {
    exactly(outcome, Kind::Duplicated, Strike::DieAfterPublish)
}

fn exactly(outcome: &Outcome, kind: Kind, strike: Strike) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    let expected: BTreeSet<_> = struck_with(outcome, strike).collect();
    let found: BTreeSet<_> = outcome.audit.of(kind).collect();
    let others = outcome.audit.anomalies.len() - found.len();
    let thrice = outcome.audit.anomalies.iter().any(|a| a.applied > 2);
    if found == expected && others == 0 && !thrice {
        return Ok(());
    }
    Err(text! {
        en: "{found} of the {expected} expected, {others} others",
        zh: "应有 {expected} 条，实有 {found} 条，另有 {others} 处不对",
        found = found.len(), expected = expected.len(), others = others
    })
}

/// Every order in a transaction that ends with such a strike.
fn struck_with(
    outcome: &Outcome,
    strike: Strike,
) -> impl Iterator<Item = MessageId> {
    let all = (1..=outcome.messages).map(|n| outcome.noun.number(n));
    let ends = move |tx: &Vec<MessageId>| {
        tx.last().is_some_and(|id| outcome.plan.has(*id, strike))
    };
    transactions(all, &outcome.plan).into_iter().filter(ends).flatten()
}

/// Every order once, though those of a struck transaction were published
/// twice. What was not committed came once, what was committed came twice.
/// Nobody gets both modes, and a return comes with the commit.
fn once_and_never_both(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    every_message_confirmed(outcome)?;
    for struck in &outcome.struck {
        let copies =
            if struck.strike == Strike::DieAfterPublish { 2 } else { 1 };
        if (struck.entry.sent, struck.entry.delivered) != (2, copies) {
            return Err(text! {
                en: "{order}: {delivered} deliveries of {sent} publishes",
                zh: "{order}：发布 {sent} 次，投递 {delivered} 次",
                order = struck.message, sent = struck.entry.sent,
                delivered = struck.entry.delivered
            });
        }
    }
    figure_is(outcome, "confirms-on-tx", 406)?;
    figure_is(outcome, "tx-on-confirms", 406)?;
    figure_is(outcome, "closed", 1)?;
    figure_is(outcome, "before-commit", 0)?;
    figure_is(outcome, "stored", 1)?;
    figure_is(outcome, "returned", 1)
}
