//! What is put back is the next to be sent, and not the next to be done.
//!
//! A classic queue puts a requeued message where it was, and sends it again at
//! once. The consumer, though, holds its prefetch by then: with ten in hand,
//! the nine younger ones are done first, the later steps of the same order
//! among them. With one in hand there is nothing younger.
//!
//! A version check keeps the state from going back, and refuses the late step.
//! That is right where only the state counts, and a loss where the step has an
//! effect of its own (a mail, a booking).
//!
//! Where a queue puts it, as seen on 4.3.6 and 3.10.8 (five of twelve out, the
//! consumer cancelled, then nacked in the order 3, 1, 2, and read by
//! `basic.get`; `basic.reject` is the same):
//!
//! - classic: 1, 2, 3, and the rest; a place of its own for each.
//! - quorum, 4.3: 3, 1, 2, and the rest: to the front, in the order in which
//!   they were returned. With a delivery limit 3.10 does the same.
//! - quorum, 3.10 without a delivery limit: the rest, and then 3, 1, 2: to the
//!   *end*. There a prefetch of 1 keeps no order; the fixed way measures it.
//!
//! Source: RabbitMQ documentation, "Consumer Acknowledgements and Publisher
//! Confirms", section "Negative Acknowledgement and Requeuing of Deliveries";
//! "Quorum Queues" of 3.x, section "Repeatedly Requeued Deliveries" (to the
//! back, if no delivery limit is set); "Priority Support in Queues" 4.3, section
//! "Redelivery of Returned Messages".

mod line;

use self::line::{Fails, How, OTHERS, on_a_quorum_queue, one_packer};
use super::steps::{Progress, all_in_order};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_message_once, figure_is, lost_exactly_where_struck},
    },
    mechanism, text,
    text::Text,
    way,
};

/// "What failed goes back to its place, so the order stays."
pub static REQUEUE_ORDER: Scenario = Scenario {
    id: "requeue-order",
    recipe: text! {
        en: "What failed is requeued: it goes back to its place in the queue.",
        zh: "失败了就 requeue：它会回到队列里原来的位置。"
    },
    fault: text! {
        en: "A service is down when the first step of 1 order in 10 comes.",
        zh: "每 10 单有 1 单：处理第一步时，所需服务正好宕机。"
    },
    predict: Predict {
        question: text! {
            en: "One consumer, prefetch 10; message 1 is requeued. Next done?",
            zh: "一个消费者，prefetch 10；第 1 条被 requeue。接着处理哪条？"
        },
        choices: &[
            text! { en: "1, at the head again", zh: "第 1 条，又在队首" },
            text! { en: "2 to 10, then 1", zh: "第 2 到 10 条，然后第 1 条" },
            text! { en: "all others, then 1", zh: "其余全部，最后第 1 条" },
        ],
        right: 1,
    },
    needs: Needs { fewest: 10, most: 5_000, seconds: 3, ..Needs::BOOKS },
    strikes: &[Strike::ServiceDown],
    hits: Hits::OneInTen,
    tried: super::TRIED,
    ways: Ways::Three {
        naive: way!(
            ten_in_hand,
            overtaken_by_nine,
            text! { en: "prefetch 10, requeue", zh: "prefetch 10，requeue" },
        ),
        halfway: way!(
            refuse_what_is_older,
            refused_where_struck,
            text! {
                en: "the same, WHERE step < new step",
                zh: "同上，加 WHERE 旧步骤 < 新步骤"
            },
        ),
        fixed: way!(
            one_in_hand,
            in_order,
            text! { en: "prefetch 1, requeue", zh: "prefetch 1，requeue" },
        ),
        mechanisms: &[
            mechanism!(
                "prefetch-1",
                ten_in_hand,
                overtaken_by_nine,
                text! { en: "a prefetch of 1", zh: "prefetch 1" },
            ),
            mechanism!(
                "requeue",
                rejected,
                lost_where_struck,
                text! { en: "the requeue", zh: "requeue" },
            ),
        ],
    },
    columns: &[Column::Applied, Column::Lost],
    figures: &["behind", "broken", "wrong"],
    bars: &[],
    claim: text! {
        en: "b: requeued is the next to be sent; done first is what is in hand.",
        zh: "b：放回队列只是下一个被「发出」；先处理的，是消费者手里已有的。"
    },
    fix: text! {
        en: "Prefetch 1, one active consumer; a version check where late may \
             be dropped.",
        zh: "prefetch 1，单活消费者；迟到的可以丢弃时，用版本校验。"
    },
    limit: text! {
        en: "A poison message stops the line: limit its tries. A 3.10 quorum \
             queue without a limit requeues to the end.",
        zh: "毒消息会堵住整条线，要限次数。\
             3.10 的仲裁队列不设上限时，requeue 会排到队尾。"
    },
    say: text! {
        en: "\"Requeue restores the place in the queue, not in my hands.\"",
        zh: "「requeue 恢复的是队列里的位置，不是我手里的。」"
    },
    source: &[
        include_str!("requeue_order.rs"),
        include_str!("requeue_order/line.rs"),
    ],
};

/// Ten are sent ahead; what fails goes back.
async fn ten_in_hand(lab: Lab) -> Ran {
    let how =
        How { prefetch: TEN, apply: Progress::apply, fails: Fails::Requeue };
    one_packer(&lab, how).await
}

/// Ten are sent ahead; a step older than the state is refused.
async fn refuse_what_is_older(lab: Lab) -> Ran {
    let how = How {
        prefetch: TEN,
        apply: Progress::apply_if_newer,
        fails: Fails::Requeue,
    };
    one_packer(&lab, how).await
}

/// One in hand: what fails is the next again.
async fn one_in_hand(lab: Lab) -> Ran {
    let how =
        How { prefetch: 1, apply: Progress::apply, fails: Fails::Requeue };
    one_packer(&lab, how).await?;
    on_a_quorum_queue(&lab).await
}

/// One in hand; what fails is rejected.
async fn rejected(lab: Lab) -> Ran {
    let (apply, fails) = (Progress::apply, Fails::Reject);
    let how = How { prefetch: 1, apply, fails };
    one_packer(&lab, how).await
}

const TEN: u16 = 10;

/// Each struck order was overtaken by its own later steps, and no other was:
/// its state is the first step's for good.
fn overtaken_by_nine(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    let struck = outcome.plan.len();
    figure_is(outcome, "overtaken", struck)?;
    figure_is(outcome, "broken", struck)?;
    figure_is(outcome, "wrong", struck)?;
    let nine = f64::from(TEN - 1);
    // At the end of the queue, or where others fail as well, fewer are done.
    let least = if nine_are_done(outcome) { nine } else { 2.0 };
    match outcome.figure("behind")? {
        n if (least..=nine).contains(&n) => Ok(()),
        n => Err(text! { en: "behind {n}", zh: "排在 {n} 条之后", n = n }),
    }
}

/// Whether behind a struck first step there are nine that do not fail: two of
/// its order, three of each of the next two, and the first of the third.
fn nine_are_done(outcome: &Outcome) -> bool {
    let is_done = |order: u32| {
        let id = outcome.noun.number(order);
        order <= outcome.messages && !outcome.plan.strikes(id)
    };
    let mut struck = outcome.plan.all().map(|(id, _)| id.number);
    struck.any(|order| (order + 1..=order + 3).all(is_done))
}

/// The states are right, and each struck step was never applied.
fn refused_where_struck(outcome: &Outcome) -> Result<(), Text> {
    lost_exactly_where_struck(outcome)?;
    all_in_order(outcome)
}

/// Each struck step is gone.
fn lost_where_struck(outcome: &Outcome) -> Result<(), Text> {
    lost_exactly_where_struck(outcome)?;
    figure_is(outcome, "behind", 0)
}

/// The failed step was the next one; and on a quorum queue it is, too, unless
/// it is of 3.x and has no delivery limit.
fn in_order(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    all_in_order(outcome)?;
    figure_is(outcome, "behind", 0)?;
    let behind = match outcome.version {
        (..4, _) => OTHERS,
        _ => 0,
    };
    figure_is(outcome, "quorum", behind)
}
