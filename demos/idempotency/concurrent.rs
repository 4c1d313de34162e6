//! Two consumers, one message twice, the same moment.

use super::{PAID, TRIED, breaks::doubled_if_met, every_payment_once};
use crate::{
    demos::shop::{self, Handled, Handler, Shop},
    lab::{Failpoints, Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    mechanism,
    pattern::consumer::Delivery,
    text, way,
};

/// "Look whether the id is there; if not, pay and insert it." Both look.
pub static CONCURRENT: Scenario = Scenario {
    id: "concurrent",
    recipe: text! {
        en: "Look whether the id is in the table; if not, pay and insert it.",
        zh: "先查表里有没有 id，没有就付款并插入。"
    },
    fault: text! {
        en: "1 in 10: two consumers hold a copy at the same moment, or an ack is \
             lost.",
        zh: "每 10 笔有 1 笔：两个消费者同时各持一份，或 ack 丢失。"
    },
    predict: Predict {
        question: text! {
            en: "Pay and insert are one transaction. Enough?",
            zh: "付款和插入在同一事务里，够了吗？"
        },
        choices: &[
            text! { en: "yes", zh: "够了" },
            text! { en: "no: both pay", zh: "不够：两边都付" },
            text! { en: "a deadlock", zh: "死锁" },
        ],
        right: 1,
    },
    needs: Needs::BOOKS,
    strikes: &[Strike::Meet, Strike::SwallowAck],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            two_at_once,
            check_then_pay,
            doubled_if_met,
            text! { en: "check, then insert", zh: "先查后插" },
        ),
        fixed: way!(
            two_at_once,
            claim_then_pay,
            every_payment_once,
            text! { en: "insert under a unique key", zh: "按唯一键插入" },
        ),
        mechanisms: &[mechanism!(
            "insert-is-check",
            two_at_once,
            check_then_pay,
            doubled_if_met,
            text! { en: "the insert as the check", zh: "以插入代替检查" },
        )],
    },
    columns: PAID,
    figures: &[],
    bars: &[],
    claim: text! {
        en: "b: both looked before either had inserted. A check outside the \
             transaction is a picture of the past; an insert under a unique \
             key is not.",
        zh: "b：两边都在对方插入之前查过了。事务外查到的转眼就会过时；\
             按唯一键插入才算数。"
    },
    fix: text! {
        en: "Insert first, under a unique key; pay only if the insert won.",
        zh: "先按唯一键插入，插入成功的才付款。"
    },
    limit: text! {
        en: "On a server's READ COMMITTED the loser waits, then finds the key.",
        zh: "在 READ COMMITTED 的数据库上，后插入的一方会等待，然后发现键已存在。"
    },
    say: text! {
        en: "\"Check-then-insert is a race; the unique key is the referee.\"",
        zh: "「先查后插是竞态，唯一键才是裁判。」"
    },
    source: &[include_str!("concurrent.rs")],
};

/// The check comes before the transaction, as it does in most code.
async fn check_then_pay(
    payment: &Delivery,
    shop: &mut Shop,
    fail: &Failpoints,
) -> Handled {
    let known = shop.books.has_note(payment.id)?;
    fail.before_begin(payment.id).await?;
    if !known {
        shop.books.transaction(payment.id, |entry| {
            entry.note()?;
            entry.pay()
        })?;
    }
    Ok(payment.ack().await?)
}

/// The insert is the check.
async fn claim_then_pay(
    payment: &Delivery,
    shop: &mut Shop,
    fail: &Failpoints,
) -> Handled {
    fail.before_begin(payment.id).await?;
    shop.books.transaction(payment.id, |entry| {
        if entry.first_time()? {
            entry.pay()?;
        }
        Ok(())
    })?;
    Ok(payment.ack().await?)
}

/// One in ten is published twice in a row; two consumers take one message at
/// a time, so that each holds a copy. They wait for each other just before
/// their transactions begin.
async fn two_at_once(lab: Lab, handle: Handler) -> anyhow::Result<()> {
    shop::publish_twice(&lab, Strike::Meet).await?;
    shop::consume_by_two(&lab, handle).await?;
    shop::settle(&lab).await
}
