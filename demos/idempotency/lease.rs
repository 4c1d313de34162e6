//! "processing" with a time to live, then pay, then "done": a lease in Redis.
//!
//! Too short and it doubles, too long and it blocks; there is no length that
//! is right, because the lease knows nothing of the payment.

use std::time::Duration;

use super::{
    PAID, TRIED,
    breaks::{
        doubled_if_delivered_again, doubled_if_killed_after_commit,
        lost_if_killed_before_commit, stuck_if_killed_before_commit,
    },
    every_payment_once,
    pay::{
        ack_then_pay, key_then_pay, pay_every_delivery, pay_once, pay_then_key,
    },
};
use crate::{
    demos::shop::{self, Handled, Handler, Shop},
    event::Column,
    lab::{Failpoints, Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    mechanism,
    pattern::{consumer::Delivery, dedup::Lease},
    text, way,
};

/// "Lease the id, pay, then write done." The lease runs out, the payment was
/// made, nobody wrote so down.
pub static LEASE_DOUBLED: Scenario = Scenario {
    id: "lease-doubled",
    recipe: text! {
        en: "Set \"processing\" (TTL 40 ms), pay, then set \"done\".",
        zh: "先置 processing（TTL 40 毫秒），付款，再置 done。"
    },
    fault: text! {
        en: "1 in 10: the consumer dies after the commit, or its ack is lost.",
        zh: "每 10 笔有 1 笔：消费者死在提交之后，或 ack 丢失。"
    },
    predict: Predict {
        question: text! {
            en: "What of a payment whose consumer died?",
            zh: "处理到一半消费者崩溃，这笔付款会怎样？"
        },
        choices: &[
            text! { en: "paid once", zh: "付一次" },
            text! { en: "never paid", zh: "一次没付" },
            text! { en: "paid twice", zh: "付两次" },
        ],
        right: 2,
    },
    needs: Needs::BOOKS_AND_REDIS,
    strikes: &[Strike::KillAfterCommit, Strike::SwallowAck],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            lease_runs_out,
            lease_pay_done,
            doubled_if_killed_after_commit,
            text! { en: "lease, pay, done", zh: "租约，付款，完成" },
        ),
        fixed: way!(
            lease_runs_out,
            pay_once,
            every_payment_once,
            text! {
                en: "key and payment in one transaction",
                zh: "唯一键与付款同一事务"
            },
        ),
        mechanisms: &[
            mechanism!(
                "one-transaction",
                lease_runs_out,
                pay_then_key,
                doubled_if_killed_after_commit,
                text! { en: "the one transaction", zh: "同一事务" },
            ),
            mechanism!(
                "unique-key",
                lease_runs_out,
                pay_every_delivery,
                doubled_if_delivered_again,
                text! { en: "the unique key", zh: "唯一键" },
            ),
        ],
    },
    columns: PAID,
    figures: &[],
    bars: &[],
    claim: text! {
        en: "c: an expired lease says that its owner is late, not whether it \
             paid. The next one takes over and pays again.",
        zh: "c：租约到期只说明持有者超时，并不说明它付没付。接手者又付了一次。"
    },
    fix: text! {
        en: "Ask the books: the key in the payment's own transaction.",
        zh: "以账本为准：把键放进付款自己的事务。"
    },
    limit: text! {
        en: "A lease may still save work; it must not decide.",
        zh: "租约可以用来省事，但不能用来下结论。"
    },
    say: text! {
        en: "\"A TTL is a guess about time; the crash does not wait for it.\"",
        zh: "「TTL 是对时间的猜测，崩溃可不等它。」"
    },
    source: &[include_str!("lease.rs"), include_str!("pay.rs")],
};

/// The same lease, long enough to be safe from the other side: whoever holds
/// it is dead, and nobody else may pay.
pub static LEASE_STUCK: Scenario = Scenario {
    id: "lease-stuck",
    recipe: text! {
        en: "Set \"processing\" (TTL 10 minutes), pay, then set \"done\".",
        zh: "先置 processing（TTL 10 分钟），付款，再置 done。"
    },
    fault: text! {
        en: "1 in 10: the consumer dies before the payment commits.",
        zh: "每 10 笔有 1 笔：消费者死在提交之前。"
    },
    predict: Predict {
        question: text! {
            en: "What of a payment whose consumer died?",
            zh: "处理到一半消费者崩溃，这笔付款会怎样？"
        },
        choices: &[
            text! { en: "paid at the redelivery", zh: "重投时付掉" },
            text! {
                en: "round and round in the queue, unpaid",
                zh: "在队列里打转，一直没付"
            },
            text! { en: "paid twice", zh: "付两次" },
        ],
        right: 1,
    },
    needs: Needs::BOOKS_AND_REDIS,
    strikes: &[Strike::KillBeforeCommit],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            lease_outlives_its_owner,
            lease_pay_done,
            stuck_if_killed_before_commit,
            text! { en: "lease, pay, done", zh: "租约，付款，完成" },
        ),
        fixed: way!(
            lease_outlives_its_owner,
            pay_once,
            every_payment_once,
            text! {
                en: "key and payment in one transaction",
                zh: "唯一键与付款同一事务"
            },
        ),
        mechanisms: &[
            mechanism!(
                "one-transaction",
                lease_outlives_its_owner,
                key_then_pay,
                lost_if_killed_before_commit,
                text! { en: "the one transaction", zh: "同一事务" },
            ),
            mechanism!(
                "ack-last",
                lease_outlives_its_owner,
                ack_then_pay,
                lost_if_killed_before_commit,
                text! { en: "the ack after the commit", zh: "提交之后才 ack" },
            ),
        ],
    },
    columns: &[
        Column::Confirmed,
        Column::Deliveries,
        Column::Applied,
        Column::Lost,
        Column::Stuck,
        Column::Doubled,
    ],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "b: the dead consumer's lease outlived it. Each redelivery found \
             it busy and went back, ten times and more.",
        zh: "b：消费者死了，租约还在。每次重投都被告知「处理中」而退回，\
             十次以上。"
    },
    fix: text! {
        en: "A lock that dies with its owner: the database transaction.",
        zh: "要一把随持有者一起消失的锁：数据库事务。"
    },
    limit: text! {
        en: "Shown for as long as ten refusals take; the TTL would end it.",
        zh: "这里只等到十次退回；真要等 TTL 到期才会放行。"
    },
    say: text! {
        en: "\"Short, it doubles; long, it blocks: no TTL is right.\"",
        zh: "「TTL 短了会重复，长了会堵住，没有一个值是对的。」"
    },
    source: &[include_str!("lease.rs"), include_str!("pay.rs")],
};

/// The lease says who is working on it; nothing ties it to the payment.
async fn lease_pay_done(
    payment: &Delivery,
    shop: &mut Shop,
    fail: &Failpoints,
) -> Handled {
    match shop.marks()?.lease(payment.id).await? {
        Lease::Ours => {
            shop.books.transaction(payment.id, |entry| {
                entry.pay()?;
                fail.before_commit(payment.id)
            })?;
            fail.after_commit(payment.id)?;
            shop.marks()?.done(payment.id).await?;
        }
        Lease::Busy => return Ok(payment.requeue().await?),
        Lease::Done => {}
    }
    Ok(payment.ack().await?)
}

const SHORT: Duration = Duration::from_millis(40);
const LONG: Duration = Duration::from_secs(600);
/// So often a stuck payment has come back before it is called stuck.
const REFUSALS: u16 = 10;

async fn lease_runs_out(lab: Lab, handle: Handler) -> anyhow::Result<()> {
    shop::publish(&lab).await?;
    shop::consume_with(&lab, handle, shop::ONE_BY_ONE, SHORT).await?;
    shop::settle(&lab).await
}

/// The prefetch is larger than the number of stuck payments: with one, the
/// first of them would block all behind it.
async fn lease_outlives_its_owner(
    lab: Lab,
    handle: Handler,
) -> anyhow::Result<()> {
    shop::publish(&lab).await?;
    let prefetch = shop::HUNDRED_AT_A_TIME;
    shop::consume_until(&lab, handle, prefetch, LONG, refused_often).await?;
    shop::settle(&lab).await
}

/// Every payment whose consumer died has come back ten times, and all others
/// are through.
fn refused_often(lab: &Lab) -> bool {
    let died = lab.plan().of(Strike::KillBeforeCommit);
    let mut known = died.filter_map(|payment| lab.entry(payment));
    known.all(|entry| entry.delivered > REFUSALS) && lab.is_all_delivered()
}
