//! Two beliefs about what the broker does for you.

use super::{PAID, TRIED, pay::pay_every_delivery};
use crate::{
    demos::shop::{self, Handled, Handler, Shop, publish_and_consume},
    lab::{
        Failpoints, Hits, Lab, Needs, Predict, Scenario, Strike, Ways,
        check::{doubled_exactly_where_struck, exactly_where, flagged_where},
    },
    ledger::Kind,
    pattern::consumer::Delivery,
    text, way,
};

/// "redelivered=true means that it was handled."
pub static REDELIVERED_FLAG: Scenario = Scenario {
    id: "redelivered-flag",
    recipe: text! {
        en: "If redelivered is true it is a duplicate: skip it.",
        zh: "redelivered 为 true 就是重复消息，跳过。"
    },
    fault: text! {
        en: "A confirm is lost (so it is resent), or the consumer dies before \
             paying.",
        zh: "发布确认丢失（于是重发），或消费者付款前死掉。"
    },
    predict: Predict {
        question: text! {
            en: "What does the flag get wrong?", zh: "这个标记会错在哪？"
        },
        choices: &[
            text! { en: "nothing", zh: "不会错" },
            text! { en: "it loses some", zh: "会漏付" },
            text! { en: "it doubles some", zh: "会重付" },
            text! { en: "both", zh: "两样都会" },
        ],
        right: 3,
    },
    needs: Needs::BOOKS,
    strikes: &[Strike::WithholdConfirm, Strike::KillBeforeCommit],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Trap(way!(
        publish_and_consume,
        pay_unless_redelivered,
        |outcome| {
            exactly_where(
                outcome,
                &[
                    (Kind::Duplicated, Strike::WithholdConfirm),
                    (Kind::Lost, Strike::KillBeforeCommit),
                ],
            )?;
            flagged_where(outcome, Strike::WithholdConfirm, false)?;
            flagged_where(outcome, Strike::KillBeforeCommit, true)
        },
        text! { en: "skip what is redelivered", zh: "跳过 redelivered" },
    )),
    columns: PAID,
    figures: &[],
    bars: &[],
    claim: text! {
        en: "d: a producer's copy comes with the flag off and is paid again; \
             an unpaid one comes back with it on and is skipped.",
        zh: "d：生产者重发的那份没有标记，又付一次；没付成的那份带着标记回来，\
             反被跳过。"
    },
    fix: text! {
        en: "Ask your own records, not the flag: idempotency/inbox.",
        zh: "问自己的账，别问标记：见 idempotency/inbox。"
    },
    limit: text! {
        en: "As a hint (\"look twice\") the flag is fine.",
        zh: "当作提示（「多看一眼」）是可以的。"
    },
    say: text! {
        en: "\"redelivered says maybe delivered, never handled.\"",
        zh: "「redelivered 只说可能投过，从不说处理过。」"
    },
    source: &[include_str!("traps.rs")],
};

/// "The same message_id twice: the broker keeps one."
pub static MESSAGE_ID: Scenario = Scenario {
    id: "message-id",
    recipe: text! {
        en: "Set message_id, and the broker drops the second of the same.",
        zh: "设好 message_id，broker 会丢掉相同的第二条。"
    },
    fault: text! {
        en: "1 payment in 10 is published twice with the same message_id.",
        zh: "每 10 笔有 1 笔用同一 message_id 发布两次。"
    },
    predict: Predict {
        question: text! {
            en: "How many arrive of such a pair?", zh: "这样的一对会到几条？"
        },
        choices: &[
            text! { en: "one", zh: "一条" },
            text! { en: "two", zh: "两条" },
            text! { en: "two, the second flagged", zh: "两条，第二条带标记" },
        ],
        right: 1,
    },
    needs: Needs::BOOKS,
    strikes: &[Strike::Repeat],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Trap(way!(
        published_twice,
        pay_every_delivery,
        |outcome| {
            doubled_exactly_where_struck(outcome)?;
            flagged_where(outcome, Strike::Repeat, false)
        },
        text! { en: "trust message_id", zh: "相信 message_id" },
    )),
    columns: PAID,
    figures: &[],
    bars: &[],
    claim: text! {
        en: "b: to the broker message_id is a note for the application; the \
             quorum queue keeps both, unflagged.",
        zh: "b：message_id 对 broker 只是给应用看的备注，\
             仲裁队列两条全留，也不带标记。"
    },
    fix: text! {
        en: "Drop duplicates yourself: idempotency/interceptor, then inbox.",
        zh: "自己去重：idempotency/interceptor，再加 inbox。"
    },
    limit: text! {
        en: "A stream with a named producer does drop: stream-dedup.",
        zh: "具名生产者写流时 broker 会去重：见 stream-dedup。"
    },
    say: text! {
        en: "\"AMQP carries the id; nobody but me reads it.\"",
        zh: "「AMQP 只负责带上 id，读它的只有我自己。」"
    },
    source: &[include_str!("traps.rs"), include_str!("pay.rs")],
};

/// The flag decides.
async fn pay_unless_redelivered(
    payment: &Delivery,
    shop: &mut Shop,
    fail: &Failpoints,
) -> Handled {
    if !payment.redelivered {
        shop.books.transaction(payment.id, |entry| {
            entry.pay()?;
            fail.before_commit(payment.id)
        })?;
        fail.after_commit(payment.id)?;
    }
    Ok(payment.ack().await?)
}

/// The planned ones a second time, with the same id.
async fn published_twice(lab: Lab, handle: Handler) -> anyhow::Result<()> {
    shop::publish_to(&lab, "quorum").await?;
    shop::replay(&lab, Strike::Repeat).await?;
    let prefetch = shop::HUNDRED_AT_A_TIME;
    shop::consume_with(&lab, handle, prefetch, shop::MARKS_LIVE).await?;
    shop::settle(&lab).await
}
