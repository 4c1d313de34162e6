//! Trying again later: why each delay needs a queue of its own.
//!
//! A message expires when it is at the head of its queue, and not before (seen
//! on 3.10 and 4.3 with quorum queues; the documentation says it of both
//! kinds). So where delays differ, one queue is no timetable. What the rest of a retry needs (a confirm before the ack,
//! a count of attempts, a place for what never works) is shown by leaving it
//! out.
//!
//! Source: RabbitMQ documentation, "Time-To-Live and Expiration", sections
//! "Per-Message TTL in Publishers" and "Per-Message TTL and Dead Lettering".

mod book;
mod checks;
mod desk;
mod stage;

use lapin::message::Delivery;

use self::{
    checks::{
        each_in_its_time, held_up_by_the_longer, never_parked,
        the_given_up_are_gone, the_unconfirmed_are_gone,
    },
    desk::{Came, Desk, deaths},
    stage::tried_again,
};
use crate::{
    event::Column,
    lab::{Hits, Needs, Predict, Scenario, Strike, Ways},
    mechanism,
    pattern::retry::Step,
    text, way,
};

/// "A delay queue, and each message brings its own TTL."
pub static RETRY_DELAY: Scenario = Scenario {
    id: "retry-delay",
    recipe: text! {
        en: "Retry later: one delay queue, and each copy brings its own TTL.",
        zh: "延时重试：一条延时队列就够，每条消息自带 TTL。"
    },
    fault: text! {
        en: "1 in 10 fails: behind a long delay, cut at the retry, or always.",
        zh: "每 10 单有 1 单失败：排在长延时之后、重发时断线，或一直失败。"
    },
    predict: Predict {
        question: text! {
            en: "TTL 250 ms, published just behind one of 1000 ms. Back after?",
            zh: "TTL 250 ms，紧跟在一条 1000 ms 的后面。多久回来？"
        },
        choices: &[
            text! { en: "250 ms", zh: "250 ms" },
            text! { en: "1000 ms: with the other", zh: "1000 ms：跟那条一起" },
            text! { en: "1250 ms: after it", zh: "1250 ms：等那条走了再算" },
        ],
        right: 1,
    },
    needs: Needs { fewest: 10, most: 2_000, seconds: 8, ..Needs::BROKER },
    strikes: &[Strike::HeldUp, Strike::Poison, Strike::CutBeforePublish],
    hits: Hits::OneInTen,
    tried: super::TRIED,
    ways: Ways::Pair {
        naive: way!(
            tried_again,
            one_queue_for_all(order, desk),
            held_up_by_the_longer,
            text! { en: "one delay queue, a TTL each", zh: "一条延时队列，TTL 各带各的" },
        ),
        fixed: way!(
            tried_again,
            a_queue_for_each_delay(order, desk),
            each_in_its_time,
            text! { en: "one queue per delay", zh: "每种延时一条队列" },
        ),
        mechanisms: &[
            mechanism!(
                "queue-per-delay",
                tried_again,
                one_queue_for_all(order, desk),
                held_up_by_the_longer,
                text! { en: "a queue for each delay", zh: "每种延时一条队列" },
            ),
            mechanism!(
                "confirm",
                tried_again,
                unconfirmed(order, desk),
                the_unconfirmed_are_gone,
                text! { en: "the confirm before the ack", zh: "先等确认再 ack" },
            ),
            mechanism!(
                "own-count",
                tried_again,
                counted_by_the_broker(order, desk),
                never_parked,
                text! { en: "a count of our own", zh: "自己的次数 header" },
            ),
            mechanism!(
                "parking",
                tried_again,
                given_up(order, desk),
                the_given_up_are_gone,
                text! { en: "the parking queue", zh: "人工队列" },
            ),
        ],
    },
    columns: &[
        Column::Confirmed,
        Column::Applied,
        Column::Parked,
        Column::Lost,
    ],
    figures: &["held-up", "longest"],
    bars: &[],
    claim: text! {
        en: "b: what expires leaves at the head only. Behind a long delay, a \
             short one is as long.",
        zh: "b：消息只在队头过期。排在长延时后面，短延时也成了长延时。"
    },
    fix: text! {
        en: "A queue for each delay; publish the copy, wait for its confirm, \
             ack; count in your own header; after n, park it with why.",
        zh: "每种延时一条队列；先另发一份、等到确认、再 ack；次数记在自己的 header \
             里；满 n 次就转人工，写明原因。"
    },
    limit: text! {
        en: "Retries overtake: order is lost. Dying between confirm and ack \
             doubles, so be idempotent. Somebody must look at what is parked.",
        zh: "重试会打乱顺序。死在确认与 ack 之间会重复，消费要幂等。\
             人工队列得有人看。"
    },
    say: text! {
        en: "\"A TTL queue is a timer only if all its delays are equal.\"",
        zh: "「TTL 队列里延时都一样，才能当定时器用。」"
    },
    source: &[
        include_str!("retry_delay.rs"),
        include_str!("retry_delay/stage.rs"),
    ],
};

/// All copies wait in one queue, each with the TTL of its delay.
async fn one_queue_for_all(order: &Delivery, desk: &mut Desk) -> Came {
    match desk.retrier.next(order) {
        Step::Again(again) => desk.delay_in_one_queue(order, again).await,
        Step::Park(tries) => desk.park(order, tries).await,
    }
}

/// Each copy waits in the queue of its delay.
async fn a_queue_for_each_delay(order: &Delivery, desk: &mut Desk) -> Came {
    match desk.retrier.next(order) {
        Step::Again(again) => desk.delay(order, again).await,
        Step::Park(tries) => desk.park(order, tries).await,
    }
}

/// Without the confirm: published, and acked at once.
async fn unconfirmed(order: &Delivery, desk: &mut Desk) -> Came {
    match desk.retrier.next(order) {
        Step::Again(again) => desk.delay_unconfirmed(order, again).await,
        Step::Park(tries) => desk.park(order, tries).await,
    }
}

/// Without a count of our own: `x-death` is asked, and each copy starts anew.
async fn counted_by_the_broker(order: &Delivery, desk: &mut Desk) -> Came {
    match desk.retrier.ladder().after(1 + deaths(order)) {
        Step::Again(again) => desk.delay(order, again).await,
        Step::Park(tries) => desk.park(order, tries).await,
    }
}

/// Without the parking queue: what has failed often enough is acked.
async fn given_up(order: &Delivery, desk: &mut Desk) -> Came {
    match desk.retrier.next(order) {
        Step::Again(again) => desk.delay(order, again).await,
        Step::Park(_) => desk.forget(order).await,
    }
}
