//! Dead letters: how sure is their way to where people look?
//!
//! A queue republishes what it dead-letters without waiting for an answer
//! (at most once): where the exchange leads to no queue, or does not exist, the
//! message is gone, and nothing is logged. A quorum queue can keep it until
//! every target has confirmed (at least once), if it rejects publishes when it
//! is full; with the default, drop-head, it falls back to at most once and logs
//! that. All of it was seen on 3.10 and 4.3. A classic queue refuses
//! the argument (406).
//!
//! What could not be routed is tried again every 180 s (seen: 180.1 and
//! 180.5 s; `dead_letter_worker_publisher_confirm_timeout`, in ms), and at once
//! when a policy of the queue changes: then the worker looks its topology up
//! anew (`rabbit_fifo_dlx:update_config`, `rabbit_fifo_dlx_worker`; seen on
//! both).
//!
//! Source: RabbitMQ documentation, "Dead Letter Exchanges", sections
//! "Dead-Lettered Effects on Messages" and "Safety"; "Quorum Queues", sections
//! "Activating at-least-once dead-lettering" and "Limitations".

mod checks;
mod stage;

use self::{
    checks::{
        gone_after_a_warning, gone_in_silence, kept_and_parked, kept_for_nobody,
    },
    stage::{Mended, dead_letter_exchange, into_nowhere},
};
use super::link::word;
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    mechanism, text, way,
};

/// "Rejected messages are safe: the queue has a dead-letter exchange."
pub static DEAD_LETTERS: Scenario = Scenario {
    id: "dead-letters",
    recipe: text! {
        en: "The queue has a dead-letter exchange: nothing rejected is lost.",
        zh: "队列配了死信交换机：reject 的消息丢不了。"
    },
    fault: text! {
        en: "1 order in 10 is rejected; the exchange has lost its binding.",
        zh: "每 10 单 reject 1 单；而死信交换机的绑定没了。"
    },
    predict: Predict {
        question: text! {
            en: "The binding is mended a moment later. The rejected orders?",
            zh: "过一会儿绑定修好了。先前 reject 的订单呢？"
        },
        choices: &[
            text! { en: "are gone", zh: "没了" },
            text! { en: "arrive now", zh: "这时才送到" },
            text! { en: "went back to their queue", zh: "退回了原队列" },
        ],
        right: 0,
    },
    needs: Needs { fewest: 10, most: 2_000, seconds: 8, ..Needs::BROKER },
    strikes: &[Strike::Unbound],
    hits: Hits::OneInTen,
    tried: super::TRIED,
    ways: Ways::Pair {
        naive: way!(
            at_most_once,
            gone_in_silence,
            text! { en: "at most once, the default", zh: "至多一次（默认）" },
        ),
        fixed: way!(
            at_least_once,
            kept_and_parked,
            text! {
                en: "at least once, with reject-publish",
                zh: "至少一次，配 reject-publish"
            },
        ),
        mechanisms: &[
            mechanism!(
                "at-least-once",
                without_the_strategy,
                gone_in_silence,
                text! { en: "the strategy at-least-once", zh: "at-least-once 策略" },
            ),
            mechanism!(
                "reject-publish",
                without_reject_publish,
                gone_after_a_warning,
                text! { en: "the overflow reject-publish", zh: "溢出策略 reject-publish" },
            ),
            mechanism!(
                "mended-binding",
                without_anybody_to_mend_it,
                kept_for_nobody,
                text! { en: "mending the binding", zh: "修好绑定" },
            ),
        ],
    },
    columns: &[
        Column::Confirmed,
        Column::Applied,
        Column::Parked,
        Column::Lost,
    ],
    figures: &["kept", "log"],
    bars: &[],
    claim: text! {
        en: "a: a dead letter is published without a confirm. No queue, no \
             message; not even a line in the log.",
        zh: "a：死信是不等确认的发布。路由不到队列就没了，日志里也没有一行。"
    },
    fix: text! {
        en: "A quorum queue, at-least-once and reject-publish: it keeps the \
             letters. Elsewhere an alternate exchange on the DLX.",
        zh: "仲裁队列 + at-least-once + reject-publish：死信先留着。\
             其他队列可给死信交换机配备用交换机。"
    },
    limit: text! {
        en: "Retried every 180 s, or when a policy of the queue changes. What is \
             kept fills the queue: set max-length, watch its depth.",
        zh: "每 180 秒重试一次，改该队列的 policy 会立刻重试。留着的死信占队列长度：\
             设 max-length，盯住积压。"
    },
    say: text! {
        en: "\"Dead-lettering is at most once, unless a quorum queue is told \
             otherwise, twice.\"",
        zh: "「死信默认至多一次；要至少一次，仲裁队列上得设两个参数。」"
    },
    source: &[
        include_str!("dead_letters.rs"),
        include_str!("dead_letters/stage.rs"),
    ],
};

/// What is rejected is published to the exchange, and forgotten.
async fn at_most_once(lab: Lab) -> Ran {
    let queue = [dead_letter_exchange()];
    into_nowhere(&lab, &queue, Mended::Yes).await
}

/// What is rejected is kept until a queue has confirmed it.
async fn at_least_once(lab: Lab) -> Ran {
    let queue = [
        dead_letter_exchange(),
        word("x-dead-letter-strategy", "at-least-once"),
        word("x-overflow", "reject-publish"),
    ];
    into_nowhere(&lab, &queue, Mended::Yes).await
}

/// Without the strategy.
async fn without_the_strategy(lab: Lab) -> Ran {
    let queue = [dead_letter_exchange(), word("x-overflow", "reject-publish")];
    into_nowhere(&lab, &queue, Mended::Yes).await
}

/// Without reject-publish: the strategy is set, and not in effect.
async fn without_reject_publish(lab: Lab) -> Ran {
    let queue = [
        dead_letter_exchange(),
        word("x-dead-letter-strategy", "at-least-once"),
    ];
    into_nowhere(&lab, &queue, Mended::Yes).await
}

/// Without anybody who mends the binding.
async fn without_anybody_to_mend_it(lab: Lab) -> Ran {
    let queue = [
        dead_letter_exchange(),
        word("x-dead-letter-strategy", "at-least-once"),
        word("x-overflow", "reject-publish"),
    ];
    into_nowhere(&lab, &queue, Mended::Never).await
}
