//! The broker cancels a consumer, and the client waits for the next delivery.
//!
//! A broker ends a consumer by `basic.cancel` when its queue is deleted, when
//! the node of its queue is lost, and on 4.3 when a quorum queue has waited
//! for an ack too long. Connection and channel stay open, and heartbeats go
//! on. In lapin (4.12) the stream of deliveries yields its end, `None`, once;
//! polled again it is pending for good (seen on 3.10 and 4.3).
//!
//! Source: RabbitMQ documentation, "Consumer Cancel Notification". It is sent
//! to clients with the capability `consumer_cancel_notify`; others are told
//! nothing.

mod checks;
mod stage;

use futures::future::BoxFuture;

use self::{
    checks::{every_order_packed, stuck_without_a_consumer},
    stage::{Packer, cleaned_up_under_it},
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{Hits, Needs, Predict, Scenario, Strike, Ways},
    mechanism, text, way,
};

/// "The process is up and connected, so it consumes."
pub static CANCEL_IGNORED: Scenario = Scenario {
    id: "cancel-ignored",
    recipe: text! {
        en: "The consumer is connected and its heartbeats pass: it consumes.",
        zh: "消费者连接正常、心跳也通，那就是在消费。"
    },
    fault: text! {
        en: "Somebody cleans up: the queue is deleted, and declared anew.",
        zh: "有人清理队列：删掉，又原样重建。"
    },
    predict: Predict {
        question: text! {
            en: "The queue under a consumer is deleted. What does it see?",
            zh: "正在消费的队列被删了，消费者会看到什么？"
        },
        choices: &[
            text! { en: "its connection is closed", zh: "连接被关闭" },
            text! { en: "an error from the next delivery", zh: "取下一条时报错" },
            text! {
                en: "a basic.cancel; all else stays open",
                zh: "一个 basic.cancel，其余照常"
            },
            text! {
                en: "nothing; the new queue takes over",
                zh: "没有感觉，新队列自动接上"
            },
        ],
        right: 2,
    },
    needs: Needs { fewest: 2, most: 10_000, seconds: 3, ..Needs::BROKER },
    strikes: &[Strike::Cancelled],
    hits: Hits::OneInTen,
    tried: super::TRIED,
    ways: Ways::Pair {
        naive: way!(
            cleaned_up_under_it,
            wait_for_the_next(packer),
            stuck_without_a_consumer,
            text! {
                en: "consume once, wait for the next delivery",
                zh: "订阅一次，一直等下一条"
            },
        ),
        fixed: way!(
            cleaned_up_under_it,
            begin_again(packer),
            every_order_packed,
            text! {
                en: "the end of the stream begins it again",
                zh: "流一结束就从头再来"
            },
        ),
        mechanisms: &[
            mechanism!(
                "consume-again",
                cleaned_up_under_it,
                wait_for_the_next(packer),
                stuck_without_a_consumer,
                text! { en: "the new consumer", zh: "重新订阅" },
            ),
            mechanism!(
                "declare-first",
                cleaned_up_under_it,
                only_consume_again(packer),
                stuck_without_a_consumer,
                text! { en: "declaring before consuming", zh: "订阅前先声明队列" },
            ),
        ],
    },
    columns: &[Column::Confirmed, Column::Applied, Column::Stuck],
    figures: &["consumers"],
    bars: &[],
    claim: text! {
        en: "c: basic.cancel ends the consumer and nothing else. Whoever does \
             not read it is connected, healthy, and gets nothing for good.",
        zh: "c：basic.cancel 只结束这个消费者，连接和信道都还在。\
             不处理它，进程看着健康，却再也收不到消息。"
    },
    fix: text! {
        en: "Take a cancel for the end of the consumer: declare, consume \
             again, with a backoff. Alert on a queue with 0 consumers.",
        zh: "收到 cancel 就当消费者已结束：重新声明、重新订阅，带退避。\
             队列消费者数为 0 要告警。"
    },
    limit: text! {
        en: "What was in the deleted queue is gone. A client without \
             consumer_cancel_notify is not even told.",
        zh: "被删队列里的消息已经没了。客户端没声明 consumer_cancel_notify，\
             连通知都没有。"
    },
    say: text! {
        en: "\"Connected is not consuming: handle basic.cancel, and watch the \
             queue's consumers, not the process.\"",
        zh: "「连着不等于在消费：要处理 basic.cancel，\
             监控看队列的消费者数，别只看进程。」"
    },
    source: &[include_str!("cancel_ignored.rs")],
};

/// Consumes a queue, and does what it holds to be right when nothing more
/// comes.
type Consume = for<'a> fn(&'a Packer) -> BoxFuture<'a, Ran>;

/// Consumes once, and then takes what comes: nothing, after the end.
async fn wait_for_the_next(packer: &Packer) -> Ran {
    packer.declare().await?;
    let mut orders = packer.consume().await?;
    loop {
        while let Some(order) = orders.next().await {
            packer.pack(order?).await?;
        }
    }
}

/// When there is no next one the consumer has ended: all begins again, the
/// queue included.
async fn begin_again(packer: &Packer) -> Ran {
    loop {
        packer.declare().await?;
        let mut orders = packer.consume().await?;
        while let Some(order) = orders.next().await {
            packer.pack(order?).await?;
        }
    }
}

/// Without the declaration: there is nothing to consume yet, 404.
async fn only_consume_again(packer: &Packer) -> Ran {
    packer.declare().await?;
    loop {
        let mut orders = packer.consume().await?;
        while let Some(order) = orders.next().await {
            packer.pack(order?).await?;
        }
    }
}
