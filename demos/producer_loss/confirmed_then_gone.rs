//! Confirmed, and gone all the same: by contract, without any crash.
//!
//! A confirm says that the broker took a message over. How long it keeps it
//! is the queue's business: a message whose time to live is over is dropped, a
//! full queue drops its oldest (drop-head, the default), and a queue that is
//! deleted takes its messages along. What is dropped for its age or for want
//! of room goes to a dead-letter exchange, where the queue names one; what is
//! deleted does not.
//!
//! Source: RabbitMQ documentation, "Time-To-Live and Expiration", "Queue
//! Length Limit" and "Dead Letter Exchanges"; AMQP 0-9-1, `queue.delete`. That
//! a quorum queue refuses if-empty, whether empty or not, was seen on 3.10 and
//! 4.3 ("not supported by quorum queues").

mod checks;
mod stage;

use lapin::options::QueueDeleteOptions;

use self::{
    checks::{
        gone_in_silence, parked_or_packed, the_deleted_are_gone,
        the_expired_are_gone, the_pushed_out_are_gone,
    },
    stage::{Queues, dead_letters, three_ends},
};
use super::TRIED;
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    mechanism, text, way,
};

/// "The broker has confirmed it, so it is there until it is consumed."
pub static CONFIRMED_THEN_GONE: Scenario = Scenario {
    id: "confirmed-then-gone",
    recipe: text! {
        en: "Once confirmed, a message is kept until it has been consumed.",
        zh: "只要确认了，消息就会一直留到被消费。"
    },
    fault: text! {
        en: "No crash: a TTL runs out, a queue is full, a queue is deleted.",
        zh: "没有任何崩溃：TTL 到期、队列满了、队列被删。"
    },
    predict: Predict {
        question: text! {
            en: "All orders are confirmed, no consumer yet. What is lost?",
            zh: "订单全部确认了，消费者还没来。会丢哪些？"
        },
        choices: &[
            text! { en: "none", zh: "不丢" },
            text! { en: "the expired", zh: "过期的" },
            text! { en: "the expired and the deleted", zh: "过期的和被删的" },
            text! {
                en: "these, and the oldest of the full queue",
                zh: "还有满队列里最旧的"
            },
        ],
        right: 3,
    },
    needs: Needs { fewest: 10, most: 20_000, ..Needs::BOOKS },
    strikes: &[Strike::Expire, Strike::QueueFull, Strike::QueueDeleted],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            confirmed_and_trusted,
            gone_in_silence,
            text! {
                en: "a TTL, a max-length, a clean-up",
                zh: "设 TTL、设上限、定期清理队列"
            },
        ),
        fixed: way!(
            dead_lettered_and_if_empty,
            parked_or_packed,
            text! {
                en: "the same, with dead letters and if-empty",
                zh: "同样的设置，加上死信和 if-empty"
            },
        ),
        mechanisms: &[
            mechanism!(
                "expired-letters",
                without_letters_for_the_expired,
                the_expired_are_gone,
                text! {
                    en: "the dead-lettering of what expires",
                    zh: "过期消息进死信"
                },
            ),
            mechanism!(
                "overflow-letters",
                without_letters_for_the_pushed_out,
                the_pushed_out_are_gone,
                text! {
                    en: "the dead-lettering of what is pushed out",
                    zh: "被挤掉的消息进死信"
                },
            ),
            mechanism!(
                "if-empty",
                without_a_look_before_the_delete,
                the_deleted_are_gone,
                text! { en: "the check for emptiness", zh: "删前检查是否为空" },
            ),
        ],
    },
    columns: &[
        Column::Confirmed,
        Column::Applied,
        Column::Parked,
        Column::Lost,
    ],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "d: a confirm is about taking over, not about keeping. By contract \
             all three go, and nobody tells the producer.",
        zh: "d：确认只表示接手，不表示留着。三种都是按约定丢的，\
             生产者毫不知情。"
    },
    fix: text! {
        en: "Dead letters to a queue where people look; if-empty, or no right to \
             delete at all; an alert on depth.",
        zh: "死信进一条有人看的队列；删队列带 if-empty，\
             或干脆不给删除权限；积压要告警。"
    },
    limit: text! {
        en: "Dead letters move unconfirmed, unless a quorum queue moves them at \
             least once. Quorum queues refuse if-empty.",
        zh: "死信转移默认没有确认，仲裁队列可设为至少一次。\
             仲裁队列不支持 if-empty。"
    },
    say: text! {
        en: "\"Confirmed: the broker has it. For how long, the queue decides.\"",
        zh: "「确认说明 broker 收下了；留多久，看队列怎么设。」"
    },
    source: &[
        include_str!("confirmed_then_gone.rs"),
        include_str!("confirmed_then_gone/stage.rs"),
    ],
};

/// What ages or is too much is dropped, and a queue that nobody consumes is
/// cleaned up.
async fn confirmed_and_trusted(lab: Lab) -> Ran {
    let queues = Queues {
        expiring: vec![],
        bounded: vec![],
        clean_up: QueueDeleteOptions::default(),
    };
    three_ends(&lab, queues).await
}

/// What ages or is too much goes where people look, and a queue is cleaned up
/// only if it is empty.
async fn dead_lettered_and_if_empty(lab: Lab) -> Ran {
    let queues = Queues {
        expiring: dead_letters(),
        bounded: dead_letters(),
        clean_up: if_empty(),
    };
    three_ends(&lab, queues).await
}

/// Without the first.
async fn without_letters_for_the_expired(lab: Lab) -> Ran {
    let queues = Queues {
        expiring: vec![],
        bounded: dead_letters(),
        clean_up: if_empty(),
    };
    three_ends(&lab, queues).await
}

/// Without the second.
async fn without_letters_for_the_pushed_out(lab: Lab) -> Ran {
    let queues = Queues {
        expiring: dead_letters(),
        bounded: vec![],
        clean_up: if_empty(),
    };
    three_ends(&lab, queues).await
}

/// Without the third: the broker would say how much it throws away.
async fn without_a_look_before_the_delete(lab: Lab) -> Ran {
    let queues = Queues {
        expiring: dead_letters(),
        bounded: dead_letters(),
        clean_up: QueueDeleteOptions::default(),
    };
    three_ends(&lab, queues).await
}

/// Refused with 406 PRECONDITION_FAILED where there are messages.
fn if_empty() -> QueueDeleteOptions {
    QueueDeleteOptions { if_empty: true, ..Default::default() }
}
