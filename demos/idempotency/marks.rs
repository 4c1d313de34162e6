//! A mark in Redis and money in a database: no order of the two is safe.

use super::{
    PAID, TRIED,
    breaks::{
        doubled_if_delivered_again, doubled_if_killed_after_commit,
        lost_if_killed_before_commit,
    },
    every_payment_once,
    pay::{
        ack_then_pay, key_then_pay, pay_every_delivery, pay_once, pay_then_key,
    },
};
use crate::{
    demos::shop::{Handled, Shop, publish_and_consume},
    lab::{Failpoints, Hits, Needs, Predict, Scenario, Strike, Ways},
    mechanism,
    pattern::consumer::Delivery,
    text, way,
};

/// "Look the id up in Redis; if it is new, mark it, then pay."
/// The crash falls between the mark and the money.
pub static MARK_FIRST: Scenario = Scenario {
    id: "mark-first",
    recipe: text! {
        en: "Look the id up in Redis; if it is new, mark it, then pay.",
        zh: "先查 Redis，id 没见过就打标记，再付款。"
    },
    fault: text! {
        en: "1 in 10: the consumer dies before the commit, or its ack is lost.",
        zh: "每 10 笔有 1 笔：消费者死在提交之前，或 ack 丢失。"
    },
    predict: Predict {
        question: text! {
            en: "What of a payment whose consumer died?",
            zh: "处理到一半消费者崩溃，这笔付款会怎样？"
        },
        choices: &[
            text! { en: "paid twice", zh: "付两次" },
            text! { en: "never paid", zh: "一次没付" },
            text! {
                en: "fine, the broker redelivers", zh: "没事，broker 会重投"
            },
        ],
        right: 1,
    },
    needs: Needs::BOOKS_AND_REDIS,
    strikes: &[Strike::KillBeforeCommit, Strike::SwallowAck],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            publish_and_consume,
            mark_then_pay,
            lost_if_killed_before_commit,
            text! { en: "mark, then pay", zh: "先标记，再付款" },
        ),
        fixed: way!(
            publish_and_consume,
            pay_once,
            every_payment_once,
            text! {
                en: "mark and pay in one transaction",
                zh: "标记与付款同一事务"
            },
        ),
        mechanisms: &[
            mechanism!(
                "one-transaction",
                publish_and_consume,
                key_then_pay,
                lost_if_killed_before_commit,
                text! { en: "the one transaction", zh: "同一事务" },
            ),
            mechanism!(
                "ack-last",
                publish_and_consume,
                ack_then_pay,
                lost_if_killed_before_commit,
                text! { en: "the ack after the commit", zh: "提交之后才 ack" },
            ),
        ],
    },
    columns: PAID,
    figures: &[],
    bars: &[],
    claim: text! {
        en: "b: the mark outlived the crash, the money did not. Redelivered, it \
             looked like a duplicate and was acked. (Lost acks it catches.)",
        zh: "b：标记活过了崩溃，钱却没有付出去，重投时被当成重复消息 ack 掉。\
             （只丢 ack 的倒能拦住。）"
    },
    fix: text! {
        en: "Id and payment in one transaction; ack after the commit.",
        zh: "id 与付款放进同一事务，提交之后再 ack。"
    },
    limit: text! {
        en: "Mail and HTTP lie outside it: pass the id on.",
        zh: "邮件和 HTTP 调用不在事务里：要把 id 传下去。"
    },
    say: text! {
        en: "\"Mark first loses, mark last doubles; one transaction, neither.\"",
        zh: "「先标记会丢，后标记会重；同一事务，两样都不会。」"
    },
    source: &[include_str!("marks.rs"), include_str!("pay.rs")],
};

/// "Pay, and only then mark the id in Redis."
/// The crash falls between the money and the mark.
pub static MARK_LAST: Scenario = Scenario {
    id: "mark-last",
    recipe: text! {
        en: "Pay first, and mark the id in Redis only when it is paid.",
        zh: "先付款，付完再到 Redis 里打标记。"
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
            text! { en: "paid twice", zh: "付两次" },
            text! { en: "never paid", zh: "一次没付" },
            text! { en: "paid once", zh: "付一次" },
        ],
        right: 0,
    },
    needs: Needs::BOOKS_AND_REDIS,
    strikes: &[Strike::KillAfterCommit, Strike::SwallowAck],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            publish_and_consume,
            pay_then_mark,
            doubled_if_killed_after_commit,
            text! { en: "pay, then mark", zh: "先付款，再标记" },
        ),
        fixed: way!(
            publish_and_consume,
            pay_once,
            every_payment_once,
            text! {
                en: "mark and pay in one transaction",
                zh: "标记与付款同一事务"
            },
        ),
        mechanisms: &[
            mechanism!(
                "one-transaction",
                publish_and_consume,
                pay_then_key,
                doubled_if_killed_after_commit,
                text! { en: "the one transaction", zh: "同一事务" },
            ),
            mechanism!(
                "unique-key",
                publish_and_consume,
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
        en: "a: the money moved, the mark was never made. Redelivered, it \
             looked new and was paid again. (Lost acks it catches.)",
        zh: "a：钱已经付了，标记却没打上，重投时看起来是新消息，又付一次。\
             （只丢 ack 的倒能拦住。）"
    },
    fix: text! {
        en: "Id and payment in one transaction; ack after the commit.",
        zh: "id 与付款放进同一事务，提交之后再 ack。"
    },
    limit: text! {
        en: "Mail and HTTP lie outside it: pass the id on.",
        zh: "邮件和 HTTP 调用不在事务里：要把 id 传下去。"
    },
    say: text! {
        en: "\"Two systems, no order that is safe: put the key in the database.\"",
        zh: "「两个系统之间没有安全的先后，把键放进业务库。」"
    },
    source: &[include_str!("marks.rs"), include_str!("pay.rs")],
};

/// Mark first: the mark survives a crash that the payment does not.
async fn mark_then_pay(
    payment: &Delivery,
    shop: &mut Shop,
    fail: &Failpoints,
) -> Handled {
    if shop.marks()?.mark(payment.id).await? {
        shop.books.transaction(payment.id, |entry| {
            entry.pay()?;
            fail.before_commit(payment.id)
        })?;
    }
    fail.after_commit(payment.id)?;
    Ok(payment.ack().await?)
}

/// Mark last: the payment survives a crash that comes before the mark.
async fn pay_then_mark(
    payment: &Delivery,
    shop: &mut Shop,
    fail: &Failpoints,
) -> Handled {
    if !shop.marks()?.is_marked(payment.id).await? {
        shop.books.transaction(payment.id, |entry| {
            entry.pay()?;
            fail.before_commit(payment.id)
        })?;
        fail.after_commit(payment.id)?;
        shop.marks()?.mark(payment.id).await?;
    }
    Ok(payment.ack().await?)
}
