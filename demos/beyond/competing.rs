//! One queue keeps the order of its messages, and not that of the work.
//!
//! An order has three steps (placed, paid, packed), each a message, published
//! one after another. Two packers compete for them. Where one is slow over the
//! first step, the other has the later ones: it is held until they are
//! applied, or until the others have nothing to do that the broker would give
//! them; so nothing here is left to chance.
//!
//! A single active consumer has the order back, and the other packer idle. One
//! queue for each part of the orders, cut by a hash of the order's number,
//! each with a single active consumer, has both: order within an order, and
//! all packers at work. Each of the two mechanisms alone breaks.
//!
//! The publisher takes the modulus itself here, which any version can. The
//! broker has exchanges for it: the consistent hash exchange (a plugin), and
//! from 4.3 on `x-modulus-hash`.
//!
//! Source: RabbitMQ documentation, "Broker Semantics", section "Message
//! ordering guarantees"; "Consumers", sections "Single Active Consumer" (the
//! first that registers is the active one; no policy can set it) and
//! "Concurrency Considerations"; "Modulus Hash Exchange" (4.3).

mod packers;

use self::packers::{How, two_packers};
use super::steps::{all_in_order, place};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_message_once, figure_is},
    },
    ledger::MessageId,
    mechanism, text,
    text::Text,
    way,
};

/// "One queue, so the steps come in order."
pub static COMPETING: Scenario = Scenario {
    id: "competing",
    recipe: text! {
        en: "One queue is first in, first out: the steps are done in order.",
        zh: "一个队列先进先出，所以各步按顺序处理。"
    },
    fault: text! {
        en: "Of 1 order in 10, whoever gets its first step is slow over it.",
        zh: "每 10 单有 1 单：谁拿到它的第一步，谁就处理得慢。"
    },
    predict: Predict {
        question: text! {
            en: "Two consumers, one is slow at \"placed\". What of \"paid\"?",
            zh: "两个消费者，一个卡在「下单」上。「付款」会怎样？"
        },
        choices: &[
            text! { en: "the other one applies it first", zh: "另一个先处理了它" },
            text! { en: "it waits behind \"placed\"", zh: "在「下单」后面等" },
            text! { en: "it goes to the slow one, too", zh: "也发给慢的那个" },
        ],
        right: 0,
    },
    needs: Needs { fewest: 10, most: 5_000, seconds: 3, ..Needs::BOOKS },
    strikes: &[Strike::Slow],
    hits: Hits::OneInTen,
    tried: super::TRIED,
    ways: Ways::Three {
        naive: way!(
            one_queue,
            overtaken_where_struck,
            text! { en: "one queue, two consumers", zh: "一个队列，两个消费者" },
        ),
        halfway: way!(
            single_active,
            in_order_by_one,
            text! { en: "single active consumer", zh: "单活消费者" },
        ),
        fixed: way!(
            queue_for_each_key,
            in_order_by_both,
            text! {
                en: "a queue for each key, each with a single active consumer",
                zh: "按 key 分队列，每个队列单活消费者"
            },
        ),
        mechanisms: &[
            mechanism!(
                "same-key-same-queue",
                queue_for_each_message,
                overtaken_where_struck,
                text! {
                    en: "the same queue for the same order",
                    zh: "同一订单进同一队列"
                },
            ),
            mechanism!(
                "single-active",
                all_compete,
                overtaken_where_struck,
                text! { en: "the single active consumer", zh: "单活消费者" },
            ),
        ],
    },
    columns: &[Column::Confirmed, Column::Applied],
    figures: &["broken", "wrong", "at-work"],
    bars: &[],
    claim: text! {
        en: "a: a queue sends in order. When the work is done, nobody promised: \
             \"paid\" first, and \"placed\" over it.",
        zh: "a：队列只管按顺序发出，不管按顺序做完：\
             「下单」反而盖掉「付款」。"
    },
    fix: text! {
        en: "Hash the order onto N queues, x-single-active-consumer on each: in \
             order within an order, N at work.",
        zh: "按订单哈希到 N 个队列，各设 x-single-active-consumer：\
             单内有序，N 个并行。"
    },
    limit: text! {
        en: "A slow order holds up its queue. Change N when all are empty. A \
             version check in the update needs no order.",
        zh: "慢单会堵住它那个队列。改 N 要等队列全空。\
             更新时校验版本，就不必有序。"
    },
    say: text! {
        en: "\"Order is per key: one queue for a key, one consumer for a queue.\"",
        zh: "「顺序是按 key 的：一个 key 一个队列，一个队列一个消费者。」"
    },
    source: &[
        include_str!("competing.rs"),
        include_str!("competing/packers.rs"),
    ],
};

/// All steps in one queue; whoever is free gets the next.
async fn one_queue(lab: Lab) -> Ran {
    let how = How { queues: 1, queue_of: by_order, single_active: false };
    two_packers(&lab, how).await
}

/// All steps in one queue; the second consumer stands by.
async fn single_active(lab: Lab) -> Ran {
    let how = How { queues: 1, queue_of: by_order, single_active: true };
    two_packers(&lab, how).await
}

/// All steps of an order in one of two queues; for each, one consumer is
/// active and the other stands by.
async fn queue_for_each_key(lab: Lab) -> Ran {
    let how = How { queues: 2, queue_of: by_order, single_active: true };
    two_packers(&lab, how).await
}

/// Two queues, but the steps of an order are in both.
async fn queue_for_each_message(lab: Lab) -> Ran {
    let how = How { queues: 2, queue_of: by_message, single_active: true };
    two_packers(&lab, how).await
}

/// All steps of an order in one of two queues; both consumers work on both.
async fn all_compete(lab: Lab) -> Ran {
    let how = How { queues: 2, queue_of: by_order, single_active: false };
    two_packers(&lab, how).await
}

/// The key is the order's number.
fn by_order(step: MessageId) -> u32 {
    step.number
}

/// The key is the message's own number.
fn by_message(step: MessageId) -> u32 {
    place(step)
}

/// Every struck order had a step applied out of its order. Others may
/// have, too: two compete for each pair of steps.
fn overtaken_where_struck(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    figure_is(outcome, "at-work", 2)?;
    figure_is(outcome, "overtaken", outcome.plan.len())
}

/// In order, and one packer did it all.
fn in_order_by_one(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    all_in_order(outcome)?;
    figure_is(outcome, "at-work", 1)
}

/// In order, and both packers had a part in it.
fn in_order_by_both(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    all_in_order(outcome)?;
    figure_is(outcome, "at-work", 2)
}
