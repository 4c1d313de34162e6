//! The answer of the topic, under every crash at once.

use super::{
    PAID, TRIED,
    breaks::{
        doubled_if_delivered_again, doubled_if_killed_after_commit,
        lost_if_killed_before_commit,
    },
    every_payment_once,
    pay::{ack_then_pay, pay_every_delivery, pay_once, pay_then_key},
};
use crate::{
    demos::shop::{self, Handler},
    lab::{Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    mechanism, text, way,
};

/// "Keep the handled ids in a table." But in which transaction?
pub static INBOX: Scenario = Scenario {
    id: "inbox",
    recipe: text! {
        en: "Keep the handled ids in a table: look, pay, write the id.",
        zh: "用一张表记已处理的 id：先查，付款，再写 id。"
    },
    fault: text! {
        en: "1 in 10: the consumer dies before the commit or after it, or its \
             ack is lost.",
        zh: "每 10 笔有 1 笔：消费者死在提交之前或之后，或 ack 丢失。"
    },
    predict: Predict {
        question: text! {
            en: "Payment and id in two transactions: which crash hurts?",
            zh: "付款与 id 分两个事务，哪种崩溃会出事？"
        },
        choices: &[
            text! { en: "the one before the commit", zh: "提交之前的" },
            text! { en: "the one after the commit", zh: "提交之后的" },
            text! { en: "neither", zh: "都不会" },
        ],
        right: 1,
    },
    needs: Needs::BOOKS,
    strikes: &[
        Strike::KillBeforeCommit,
        Strike::KillAfterCommit,
        Strike::SwallowAck,
    ],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            killed_on_either_side,
            pay_then_key,
            doubled_if_killed_after_commit,
            text! { en: "look, pay, write: two transactions", zh: "查、付、写：两个事务" },
        ),
        fixed: way!(
            killed_on_either_side,
            pay_once,
            every_payment_once,
            text! {
                en: "unique key and payment in one transaction",
                zh: "唯一键与付款同一事务"
            },
        ),
        mechanisms: &[
            mechanism!(
                "unique-key",
                killed_on_either_side,
                pay_every_delivery,
                doubled_if_delivered_again,
                text! { en: "the unique key", zh: "唯一键" },
            ),
            mechanism!(
                "one-transaction",
                killed_on_either_side,
                pay_then_key,
                doubled_if_killed_after_commit,
                text! { en: "the one transaction", zh: "同一事务" },
            ),
            mechanism!(
                "ack-last",
                killed_on_either_side,
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
        en: "b: between the two commits the payment is made and unknown. In \
             one transaction there is no between.",
        zh: "b：两次提交之间，钱付了却没人知道。合成一个事务，就没有「之间」。"
    },
    fix: text! {
        en: "Insert the id first, under a unique key, in the payment's own \
             transaction.",
        zh: "在付款自己的事务里，先按唯一键插入 id。"
    },
    limit: text! {
        en: "One database only. Across two: pass the id on, or a saga.",
        zh: "只限一个库。跨库要把 id 传下去，或用 saga。"
    },
    say: text! {
        en: "\"Key and effect commit together, the ack comes last.\"",
        zh: "「键与效果一起提交，ack 放最后。」"
    },
    source: &[include_str!("pay.rs")],
};

async fn killed_on_either_side(
    lab: Lab,
    handle: Handler,
) -> anyhow::Result<()> {
    shop::publish_to(&lab, "quorum").await?;
    shop::consume(&lab, handle).await?;
    shop::settle(&lab).await
}
