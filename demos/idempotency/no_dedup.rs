//! No deduplication at all: at least once means sometimes twice.

use super::{
    PAID, TRIED, every_payment_once,
    pay::{pay_every_delivery, pay_once},
};
use crate::{
    demos::shop::publish_and_consume,
    lab::{
        Hits, Needs, Predict, Scenario, Strike, Ways,
        check::{doubled_exactly_where_struck, flagged_where},
    },
    mechanism, text, way,
};

/// "Confirms on one side, acks on the other: then each is paid once."
/// Half of the strikes swallow a consumer's ack, half withhold a confirm.
pub static NO_DEDUP: Scenario = Scenario {
    id: "no-dedup",
    recipe: text! {
        en: "Publisher confirms and manual acks: then each is paid once.",
        zh: "发布确认加手动 ack，每笔自然只付一次。"
    },
    fault: text! {
        en: "An ack or a confirm dies with its connection, 1 payment in 10.",
        zh: "每 10 笔有 1 笔，其 ack 或发布确认随连接一起丢失。"
    },
    predict: Predict {
        question: text! { en: "What of the struck payments?", zh: "被命中的付款会怎样？" },
        choices: &[
            text! { en: "paid twice", zh: "付两次" },
            text! { en: "paid once", zh: "付一次" },
            text! { en: "never paid", zh: "一次没付" },
        ],
        right: 0,
    },
    needs: Needs::BOOKS,
    strikes: &[Strike::SwallowAck, Strike::WithholdConfirm],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            publish_and_consume,
            pay_every_delivery,
            |outcome| {
                doubled_exactly_where_struck(outcome)?;
                flagged_where(outcome, Strike::SwallowAck, true)?;
                flagged_where(outcome, Strike::WithholdConfirm, false)
            },
            text! { en: "pay, then ack", zh: "先付款，再 ack" },
        ),
        fixed: way!(
            publish_and_consume,
            pay_once,
            every_payment_once,
            text! { en: "unique key and payment in one transaction", zh: "唯一键与付款同一事务" },
        ),
        mechanisms: &[mechanism!(
            "unique-key",
            publish_and_consume,
            pay_every_delivery,
            doubled_exactly_where_struck,
            text! { en: "the unique key", zh: "唯一键" },
        )],
    },
    columns: PAID,
    figures: &[],
    bars: &[],
    claim: text! {
        en: "a: a lost ack brings the message again; so does the resend after a \
             lost confirm, and that copy is not even flagged redelivered.",
        zh: "a：ack 丢了，消息会再来；发布确认丢了，重发又是一份，\
             而且这份连 redelivered 标记都没有。"
    },
    fix: text! {
        en: "A business id minted once, a unique key on it, key and payment in \
             one transaction.",
        zh: "业务 id 只生成一次，对它建唯一键，键与付款放进同一事务。"
    },
    limit: text! {
        en: "Keep keys longer than the longest replay.",
        zh: "唯一键的保留时间要长于最久的重放。"
    },
    say: text! {
        en: "\"Delivery is at least once; I make the effect exactly once.\"",
        zh: "「投递是至少一次，我保证效果恰好一次。」"
    },
    source: &[include_str!("pay.rs")],
};
