//! Automatic ack: what was sent is done, whatever becomes of it.
//!
//! Source: RabbitMQ documentation, "Consumer Acknowledgements and Publisher
//! Confirms", section "Consumer Acknowledgement Modes and Data Safety
//! Considerations": in automatic mode a message counts as delivered as soon as
//! it is sent, and no prefetch limits how many are sent; section "When Consumers Fail
//! or Lose Connection: Automatic Requeueing": what is unacked when a channel or its connection closes is
//! requeued, and comes with `redelivered` set.

mod stage;

use self::stage::{Consumes, a_packer_dies, hands};
use super::{TRIED, bench::Bench, expect::behind};
use crate::{
    demos::shop::{orders::Ran, packing::Packs},
    event::Column,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario,
        Strike::{ConsumerDies, KillAfterCommit},
        Ways,
        check::{
            every_message_once, exactly_these, exactly_where, figure_is,
            flagged_where,
        },
    },
    ledger::Kind,
    mechanism,
    pattern::{consumer::Delivery, worker::Acks},
    text,
    text::Text,
    way,
};

/// "Automatic ack is faster, and a prefetch bounds the risk."
pub static AUTO_ACK: Scenario = Scenario {
    id: "auto-ack",
    recipe: text! {
        en: "Automatic ack: no ack to write, and a prefetch bounds the risk.",
        zh: "用自动 ack，省得自己写；设了 prefetch，风险也有限。"
    },
    fault: text! {
        en: "The consumer dies with its hands full: 1 order in 10.",
        zh: "消费者手里占满时崩溃，正处理着 1/10 的订单。"
    },
    predict: Predict {
        question: text! {
            en: "Automatic ack, with a prefetch. It dies half-way. What is lost?",
            zh: "自动 ack，也设了 prefetch，消费到一半崩溃。会丢什么？"
        },
        choices: &[
            text! { en: "nothing", zh: "不丢" },
            text! { en: "the one in work", zh: "正在处理的那个" },
            text! { en: "what fits the prefetch", zh: "prefetch 以内的" },
            text! { en: "all the rest of the queue", zh: "队列里剩下的全部" },
        ],
        right: 3,
    },
    needs: Needs { fewest: 10, most: 2_000, ..Needs::BOOKS },
    strikes: &[ConsumerDies, KillAfterCommit],
    hits: Hits::Stretch,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            automatic_ack,
            the_rest_is_lost,
            text! { en: "automatic ack, a prefetch", zh: "自动 ack，设 prefetch" },
        ),
        fixed: way!(
            ack_when_packed,
            all_once_and_only_the_held_again,
            text! {
                en: "ack after the work, a prefetch",
                zh: "干完再 ack，设 prefetch"
            },
        ),
        mechanisms: &[
            mechanism!(
                "manual-ack",
                automatic_ack,
                the_rest_is_lost,
                text! { en: "the manual ack", zh: "手动 ack" },
            ),
            mechanism!(
                "ack-last",
                ack_then_pack,
                the_unfinished_are_lost,
                text! { en: "the ack after the work", zh: "干完再 ack" },
            ),
            mechanism!(
                "prefetch",
                without_prefetch,
                the_rest_comes_again,
                text! { en: "the prefetch", zh: "prefetch 上限" },
            ),
            mechanism!(
                "unique-key",
                pack_every_delivery,
                the_finished_are_doubled,
                text! { en: "the unique key", zh: "唯一键" },
            ),
        ],
    },
    columns: &[Column::Confirmed, Column::Applied, Column::Lost],
    figures: &["sent", "unacked", "redelivered"],
    bars: &[],
    claim: text! {
        en: "d: without acks no prefetch holds. The broker sends all there is, \
             and what is sent is done with: gone unless it was packed.",
        zh: "d：没有 ack，prefetch 不起作用。broker 把队列全发出去，发了就删：\
             手里和缓冲区里没做完的全丢。"
    },
    fix: text! {
        en: "Ack after the work is committed; a finite prefetch; a unique key, \
             for what was done and not yet acked comes again.",
        zh: "提交之后再 ack，prefetch 取有限值；做完没来得及 ack 的会再来，\
             要靠唯一键去重。"
    },
    limit: text! {
        en: "A client that stops reading stops the broker at what sockets \
             hold; here all fits. redelivered is on all that come again, done \
             or not: a hint, no proof.",
        zh: "客户端停止读取，broker 就只能发到 socket 装满为止；这里全装得下。\
             重投的都带 redelivered，做没做完都一样：只是提示，不能用来判重。"
    },
    say: text! {
        en: "\"Auto-ack trusts the socket. Ack after the work, or lose what you \
             were holding.\"",
        zh: "「自动 ack 相信的是 socket。要干完再 ack，否则手里有多少丢多少。」"
    },
    source: &[include_str!("auto_ack.rs"), include_str!("auto_ack/stage.rs")],
};

/// The broker takes an order for done when it has sent it.
async fn automatic_ack(lab: Lab) -> Ran {
    let how = Consumes {
        acks: Acks::Automatic,
        prefetch: hands(&lab),
        packs: Packs::OncePerOrder,
    };
    let work = |order: Delivery, bench: Bench| async move {
        bench.pack(order.id).await
    };
    a_packer_dies(&lab, how, work).await
}

/// An order is done when its parcel is in the table, and then it is acked.
async fn ack_when_packed(lab: Lab) -> Ran {
    let how = Consumes {
        acks: Acks::Manual,
        prefetch: hands(&lab),
        packs: Packs::OncePerOrder,
    };
    let work = |order: Delivery, bench: Bench| async move {
        bench.pack(order.id).await?;
        Ok(order.ack().await?)
    };
    a_packer_dies(&lab, how, work).await
}

/// Acked when it has come, and then packed.
async fn ack_then_pack(lab: Lab) -> Ran {
    let how = Consumes {
        acks: Acks::Manual,
        prefetch: hands(&lab),
        packs: Packs::OncePerOrder,
    };
    let work = |order: Delivery, bench: Bench| async move {
        order.ack().await?;
        bench.pack(order.id).await
    };
    a_packer_dies(&lab, how, work).await
}

/// As many as there are may be unacked.
async fn without_prefetch(lab: Lab) -> Ran {
    let how = Consumes {
        acks: Acks::Manual,
        prefetch: UNLIMITED,
        packs: Packs::OncePerOrder,
    };
    let work = |order: Delivery, bench: Bench| async move {
        bench.pack(order.id).await?;
        Ok(order.ack().await?)
    };
    a_packer_dies(&lab, how, work).await
}

const UNLIMITED: u16 = 0;

/// What comes again is packed again.
async fn pack_every_delivery(lab: Lab) -> Ran {
    let how = Consumes {
        acks: Acks::Manual,
        prefetch: hands(&lab),
        packs: Packs::EveryDelivery,
    };
    let work = |order: Delivery, bench: Bench| async move {
        bench.pack(order.id).await?;
        Ok(order.ack().await?)
    };
    a_packer_dies(&lab, how, work).await
}

/// Everything that was sent and not packed is lost: of those in hand the
/// unfinished, and all behind them, for the queue was sent to its end.
fn the_rest_is_lost(outcome: &Outcome) -> Result<(), Text> {
    figures(outcome, outcome.messages, 0, 0)?;
    let unfinished = outcome.plan.of(ConsumerDies);
    let lost = unfinished.chain(behind(outcome)).collect();
    exactly_these(outcome, &[(Kind::Lost, lost)])
}

/// All were packed once; exactly those in hand came again, with the flag.
fn all_once_and_only_the_held_again(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    only_the_held_again(outcome)
}

/// Those in hand were acked already; of them the unfinished are lost.
fn the_unfinished_are_lost(outcome: &Outcome) -> Result<(), Text> {
    flagged_where(outcome, ConsumerDies, false)?;
    exactly_where(outcome, &[(Kind::Lost, ConsumerDies)])
}

/// Nothing is lost, but all behind those in hand comes again, too.
fn the_rest_comes_again(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    let rest = outcome.plan.len() + rest(outcome);
    figures(outcome, outcome.messages, rest, rest)
}

/// Exactly those in hand came again; the finished ones are packed twice.
fn the_finished_are_doubled(outcome: &Outcome) -> Result<(), Text> {
    only_the_held_again(outcome)?;
    exactly_where(outcome, &[(Kind::Duplicated, KillAfterCommit)])
}

fn only_the_held_again(outcome: &Outcome) -> Result<(), Text> {
    let held = outcome.plan.len();
    figures(outcome, outcome.messages - rest(outcome), held, held)?;
    flagged_where(outcome, ConsumerDies, true)?;
    flagged_where(outcome, KillAfterCommit, true)
}

/// How many stood behind those in hand.
fn rest(outcome: &Outcome) -> u32 {
    behind(outcome).count() as u32
}

fn figures(
    outcome: &Outcome,
    sent: u32,
    unacked: u32,
    redelivered: u32,
) -> Result<(), Text> {
    figure_is(outcome, "sent", sent)?;
    figure_is(outcome, "unacked", unacked)?;
    figure_is(outcome, "redelivered", redelivered)
}
