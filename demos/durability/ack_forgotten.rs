//! A way out of the handler that does not ack: the prefetch fills, and the
//! queue stands still without an error.
//!
//! Source: RabbitMQ documentation, "Consumer Prefetch": at the limit nothing
//! more is delivered until something is acked; "Consumer Acknowledgements and
//! Publisher Confirms", section "When Consumers Fail or Lose Connection:
//! Automatic Requeueing": it comes back when the channel closes. And that the
//! broker does in the end: after the consumer timeout, half an hour by default
//! (`consumer-timeout` shows it), with 406 until 4.2 and by a cancel on 4.3,
//! where classic queues have no timeout.

mod stage;

use self::stage::{Order, with_dead_letters, without_dead_letters};
use super::{TRIED, expect::behind};
use crate::{
    demos::shop::{orders::Ran, packing::Parcels},
    event::Column,
    lab::{
        Hits, Needs, Outcome, Predict, Scenario,
        Strike::EarlyReturn,
        Ways,
        check::{
            balanced, every_message_confirmed, exactly_these, exactly_where,
            figure_is, flagged_where,
        },
    },
    ledger::Kind,
    mechanism, text,
    text::Text,
    way,
};

/// "The ack stands at the end of the handler."
pub static ACK_FORGOTTEN: Scenario = Scenario {
    id: "ack-forgotten",
    recipe: text! {
        en: "The ack stands at the end of the handler: no order is forgotten.",
        zh: "ack 写在处理函数末尾，一个订单都不会漏。"
    },
    fault: text! {
        en: "1 order in 10 has no address: for it the handler returns early.",
        zh: "每 10 单有 1 单没有地址，处理函数提前返回。"
    },
    predict: Predict {
        question: text! {
            en: "The early returns reach the prefetch. What follows at once?",
            zh: "提前返回的次数达到了 prefetch。紧接着会怎样？"
        },
        choices: &[
            text! { en: "nothing is delivered any more", zh: "不再投递任何消息" },
            text! { en: "they are redelivered", zh: "这些消息重投" },
            text! { en: "the channel is closed", zh: "channel 被关闭" },
            text! { en: "they are lost", zh: "这些消息丢失" },
        ],
        right: 0,
    },
    needs: Needs { fewest: 10, most: 2_000, ..Needs::BOOKS },
    strikes: &[EarlyReturn],
    hits: Hits::Stretch,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            with_dead_letters,
            ack_at_the_end(order, parcels),
            the_queue_stands_still,
            text! { en: "ack at the end", zh: "末尾 ack" },
        ),
        fixed: way!(
            with_dead_letters,
            answer_on_every_path(order, parcels),
            parked_or_packed,
            text! {
                en: "an answer on every path",
                zh: "每条路径都有应答"
            },
        ),
        mechanisms: &[
            mechanism!(
                "every-path",
                with_dead_letters,
                ack_at_the_end(order, parcels),
                the_queue_stands_still,
                text! {
                    en: "the answer on the early path",
                    zh: "提前返回前的应答"
                },
            ),
            mechanism!(
                "dead-letters",
                without_dead_letters,
                reject_into_nowhere(order, parcels),
                the_rejected_are_lost,
                text! { en: "the dead-letter queue", zh: "死信队列" },
            ),
        ],
    },
    columns: &[
        Column::Confirmed,
        Column::Applied,
        Column::Parked,
        Column::Stuck,
    ],
    figures: &["ready", "unacked"],
    bars: &[],
    claim: text! {
        en: "a: to the broker they are in work, and the prefetch is full. The \
             consumer sits idle, no error yet, new orders are confirmed. \
             Stuck, not lost: when it closes, they are back.",
        zh: "a：在 broker 看来它们还在处理，prefetch 占满了。消费者空闲，\
             还没报错，新订单照样确认。卡住，没丢：消费者一关闭，就回到队列。"
    },
    fix: text! {
        en: "Answer on every path; best, the handler returns what to answer, \
             and one place does. Alert: ready grows, and nobody acks.",
        zh: "每条路径都要应答；最好由处理函数返回应答，统一在一处发出。\
             待投递在涨、ack 速率为 0 就告警。"
    },
    limit: text! {
        en: "A restart heals nothing: they fill it again. Nor does \
             consumer_timeout (30 min); a classic queue of 4.3 has none. \
             Without a prefetch unacked just grows.",
        zh: "重启也没用：它们排在最前，再次占满。30 分钟的 consumer_timeout \
             到了也一样；4.3 的经典队列没有这个超时。\
             不设 prefetch 倒不会停，但未 ack 一直涨。"
    },
    say: text! {
        en: "\"Ready grows, unacked stands at the prefetch, no error yet: \
             somebody forgot to ack.\"",
        zh: "「待投递在涨，未 ack 停在 prefetch，还没报错：有人忘了 ack。」"
    },
    source: &[
        include_str!("ack_forgotten.rs"),
        include_str!("ack_forgotten/stage.rs"),
    ],
};

/// Packed is acked. What cannot be packed is left alone.
async fn ack_at_the_end(order: &Order, parcels: &mut Parcels) -> Ran {
    if order.address.is_none() {
        return Ok(());
    }
    parcels.pack(order.id, false)?;
    order.ack().await
}

/// Packed is acked. What cannot be packed is rejected, for people to look at.
async fn answer_on_every_path(order: &Order, parcels: &mut Parcels) -> Ran {
    if order.address.is_none() {
        return order.reject().await;
    }
    parcels.pack(order.id, false)?;
    order.ack().await
}

/// The same, where the queue knows no dead letters.
async fn reject_into_nowhere(order: &Order, parcels: &mut Parcels) -> Ran {
    answer_on_every_path(order, parcels).await
}

/// As many as the prefetch allows are unacked, and all behind them stands,
/// also what came later, with the consumer there. Started again it gets these,
/// and no more; closed, it gives them back.
fn the_queue_stands_still(outcome: &Outcome) -> Result<(), Text> {
    let (struck, rest) = (outcome.plan.len(), behind(outcome).count() as u32);
    every_message_confirmed(outcome)?;
    figure_is(outcome, "before", rest - 1)?;
    figure_is(outcome, "ready", rest)?;
    figure_is(outcome, "unacked", struck)?;
    figure_is(outcome, "consumers", 1)?;
    figure_is(outcome, "again", struck)?;
    figure_is(outcome, "redelivered", struck)?;
    flagged_where(outcome, EarlyReturn, true)?;
    let stuck = outcome.plan.of(EarlyReturn).chain(behind(outcome)).collect();
    exactly_these(outcome, &[(Kind::Stuck, stuck)])
}

/// Exactly those without an address are where people look; nothing is left.
fn parked_or_packed(outcome: &Outcome) -> Result<(), Text> {
    balanced(outcome)?;
    exactly_where(outcome, &[])?;
    nothing_left(outcome)?;
    let (counts, struck) = (&outcome.audit.counts, outcome.plan.len());
    let packed = u64::from(outcome.messages - struck);
    let each = |entry: &crate::ledger::Entry| entry.parked == 1;
    let all = outcome.struck.iter().all(|order| each(&order.entry));
    if all && counts.parked == u64::from(struck) && counts.applied == packed {
        return Ok(());
    }
    Err(text! {
        en: "{parked} parked, {applied} packed",
        zh: "进死信 {parked} 个，打包 {applied} 个",
        parked = counts.parked, applied = counts.applied
    })
}

/// Rejected without requeue they are nowhere.
fn the_rejected_are_lost(outcome: &Outcome) -> Result<(), Text> {
    nothing_left(outcome)?;
    exactly_where(outcome, &[(Kind::Lost, EarlyReturn)])
}

fn nothing_left(outcome: &Outcome) -> Result<(), Text> {
    for id in ["before", "ready", "unacked", "again", "redelivered"] {
        figure_is(outcome, id, 0)?;
    }
    figure_is(outcome, "consumers", 1)
}
