//! A consumer that takes longer over an order than the broker waits for its
//! ack: `consumer_timeout`, half an hour unless it is set.
//!
//! The order goes back to the queue and to whoever comes next, and the first
//! one finishes it all the same. Until 4.2 the channel keeps the time, whatever
//! the queue, and is closed with 406 PRECONDITION_FAILED: all that it had
//! unacked goes back. On 4.3 a quorum queue keeps it and sends basic.cancel; the
//! channel stays, and a late ack is no error. A classic queue there waits on.
//! Seen on 3.10.8 and 4.3.6. A client that does not announce
//! `consumer_cancel_notify` has its channel closed on 4.3, too (4.3.7's release
//! notes). A timeout of a queue's own, `x-consumer-timeout`, is there since
//! 3.12 (its release notes); 3.10 has the node's setting only.
//!
//! A client that answers the cancel of 4.3 with basic.cancel-ok is forgotten;
//! of one that does not, 4.3.6 and before forget the consumer only with its
//! channel (4.3.7's release notes say that it mends this, not tried here). So a
//! late ack revives it: seen on 4.3.6, five orders were
//! acked too late, and all five were sent to the consumer that lapin (4.12)
//! held for cancelled, which dropped them unread.
//!
//! Sources: RabbitMQ documentation, "Consumers", section "Delivery
//! Acknowledgement Timeout"; rabbitmq-server 4.3, `consumer_timeouts.md`;
//! `rabbit_channel:evaluate_consumer_timeout` (3.10); `rabbit_fifo`,
//! `evaluate_consumer_timeout` and `maybe_untimeout`, and what `rabbit_channel`
//! does when deliveries are `released` (4.3).

mod checks;
mod consumer;
mod stage;
mod table;

use futures::future::BoxFuture;

use self::{
    checks::{every_order_once, the_dead_lost_it, the_slow_did_it_twice},
    consumer::Shop,
    stage::slow_and_then_dead,
};
use super::held::Held;
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{Hits, Needs, Predict, Scenario, Strike, Ways},
    mechanism, text, way,
};

/// "Manual acks, after the work: whatever happens, it is done once."
pub static CONSUMER_TIMEOUT: Scenario = Scenario {
    id: "consumer-timeout",
    recipe: text! {
        en: "Ack by hand when the work is done, however long that takes.",
        zh: "手动 ack，做完再确认，多久都行。"
    },
    fault: text! {
        en: "Some orders take longer than consumer_timeout; then a crash.",
        zh: "有些单耗时超过 consumer_timeout；随后消费者崩溃。"
    },
    predict: Predict {
        question: text! {
            en: "Work takes longer than the broker waits for an ack. Then?",
            zh: "处理时间超过 broker 等 ack 的上限，会怎样？"
        },
        choices: &[
            text! { en: "it is done twice", zh: "这单做两次" },
            text! { en: "the order is lost", zh: "这单丢了" },
            text! { en: "the broker waits on", zh: "broker 继续等" },
        ],
        right: 0,
    },
    needs: Needs {
        own_broker: true,
        fewest: 4,
        most: 2_000,
        seconds: 40,
        ..Needs::BOOKS
    },
    strikes: &[Strike::AckTimeout, Strike::ConsumerDies],
    hits: Hits::OneInTen,
    tried: super::TRIED,
    ways: Ways::Three {
        naive: way!(
            slow_and_then_dead,
            work_then_ack(order, shop),
            the_slow_did_it_twice,
            text! { en: "work, then ack", zh: "先做，做完再 ack" },
        ),
        halfway: way!(
            slow_and_then_dead,
            ack_then_work(order, shop),
            the_dead_lost_it,
            text! { en: "ack, then work", zh: "先 ack，再做" },
        ),
        fixed: way!(
            slow_and_then_dead,
            note_then_ack(order, shop),
            every_order_once,
            text! {
                en: "commit it to a table, ack, work from the table",
                zh: "先落任务表，再 ack，按表处理"
            },
        ),
        mechanisms: &[
            mechanism!(
                "ack-before-work",
                slow_and_then_dead,
                work_then_ack(order, shop),
                the_slow_did_it_twice,
                text! { en: "the ack before the work", zh: "处理前先 ack" },
            ),
            mechanism!(
                "table",
                slow_and_then_dead,
                ack_then_work(order, shop),
                the_dead_lost_it,
                text! { en: "the table", zh: "任务表" },
            ),
        ],
    },
    columns: &[
        Column::Deliveries,
        Column::Applied,
        Column::Lost,
        Column::Doubled,
    ],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "a: it goes to the next consumer, and the first one finishes too. \
             Until 4.2 the channel is closed, 406; on 4.3 a quorum queue sends \
             basic.cancel, a classic one waits on.",
        zh: "a：broker 把它交给下一个消费者，原来那个也会做完。\
             4.2 及以前：406 关信道；4.3：仲裁队列发 basic.cancel，\
             经典队列不限时。"
    },
    fix: text! {
        en: "Hold no delivery over long work: a row in a table, ack, work from \
             the table. Else smaller units, or a longer x-consumer-timeout \
             (since 3.12).",
        zh: "长活别压着不 ack：先落表再 ack，按表处理。\
             或拆小任务，或调大 x-consumer-timeout（3.12 起才有）。"
    },
    limit: text! {
        en: "Noting needs a unique key. 4.3 closes the channel of a client \
             without consumer_cancel_notify; else close it after the cancel: \
             a late ack revives it (4.3.6).",
        zh: "落表也会重复，表上要有唯一键。4.3：没声明 consumer_cancel_notify \
             的客户端，信道被关；收到 cancel 的要自己关：迟到的 ack \
             会让旧消费者复活（见于 4.3.6）。"
    },
    say: text! {
        en: "\"An unacked delivery is a loan for half an hour: hand long work \
             over to a table and ack first.\"",
        zh: "「没 ack 的消息只借你半小时：长活先落表，马上 ack。」"
    },
    source: &[
        include_str!("consumer_timeout.rs"),
        include_str!("consumer_timeout/table.rs"),
    ],
};

/// Does something about one order that was delivered.
type Handle = for<'a> fn(&'a Held, &'a Shop) -> BoxFuture<'a, Ran>;

/// The ack says that the work is done.
async fn work_then_ack(order: &Held, shop: &Shop) -> Ran {
    shop.work(order).await?;
    order.ack().await;
    Ok(())
}

/// The ack says that it has come; the work is in memory.
async fn ack_then_work(order: &Held, shop: &Shop) -> Ran {
    order.ack().await;
    shop.work(order).await
}

/// The ack says that it is on disk; the work is in the table.
async fn note_then_ack(order: &Held, shop: &Shop) -> Ran {
    shop.note(order)?;
    order.ack().await;
    Ok(())
}
