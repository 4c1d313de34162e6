//! A priority orders what waits in the queue, and not what has been sent.
//!
//! The ordinary orders come first, and a consumer holds as many as its
//! prefetch when the urgent ones arrive. These are the next to be sent, and
//! are done after all that it holds: ten ordinary ones with a prefetch of ten.
//! With a prefetch of one it is the one in hand. Without `x-max-priority` a
//! classic queue takes the property and ignores it, and they wait for all.
//!
//! A quorum queue has 32 strict levels from 4.3 on (0 to 31, and 4 where none
//! is given), two before (4.0), none on 3.x; it needs no argument, and with
//! it the starved are the ordinary ones (not run here).
//!
//! Source: RabbitMQ documentation, "Priority Support in Queues" 4.3, sections
//! "How Priority Queues Work with Consumers", "Declaration and Supported
//! Priority Ranges" and "Low Message Priority and the Resource Starvation
//! Problem".

mod counter;

use self::counter::{How, urgent_ones_come_later};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_message_once, figure_is},
    },
    mechanism, text,
    text::Text,
    way,
};

/// "Urgent orders get a priority, and go first."
pub static PRIORITY: Scenario = Scenario {
    id: "priority",
    recipe: text! {
        en: "Publish urgent orders with a priority: they go first.",
        zh: "加急订单发布时设优先级，就会先处理。"
    },
    fault: text! {
        en: "1 order in 10 is urgent, and comes when the consumer is busy.",
        zh: "每 10 单有 1 单加急，到达时消费者手里已有活。"
    },
    predict: Predict {
        question: text! {
            en: "Prefetch 10, then an urgent order: how many are done before?",
            zh: "prefetch 10，这时来了加急单：它之前还要做几单？"
        },
        choices: &[
            text! { en: "none", zh: "0 单" },
            text! { en: "1, the one in work", zh: "1 单，正在做的" },
            text! { en: "10", zh: "10 单" },
        ],
        right: 2,
    },
    needs: Needs { fewest: 20, most: 5_000, seconds: 2, ..Needs::BROKER },
    strikes: &[Strike::HeldUp],
    hits: Hits::OneInTen,
    tried: super::TRIED,
    ways: Ways::Pair {
        naive: way!(
            ten_in_hand,
            after_ten,
            text! {
                en: "x-max-priority, prefetch 10",
                zh: "x-max-priority，prefetch 10"
            },
        ),
        fixed: way!(
            one_in_hand,
            after_the_one_in_work,
            text! {
                en: "x-max-priority, prefetch 1",
                zh: "x-max-priority，prefetch 1"
            },
        ),
        mechanisms: &[
            mechanism!(
                "small-prefetch",
                ten_in_hand,
                after_ten,
                text! { en: "a prefetch of 1", zh: "prefetch 1" },
            ),
            mechanism!(
                "x-max-priority",
                without_levels,
                after_all,
                text! { en: "x-max-priority", zh: "x-max-priority" },
            ),
        ],
    },
    columns: &[Column::Confirmed, Column::Applied],
    figures: &["before"],
    bars: &[],
    claim: text! {
        en: "c: a priority sorts what waits in the queue. Ten were not waiting \
             there any more.",
        zh: "c：优先级只排队列里还在等的。那十单已经不在队列里了。"
    },
    fix: text! {
        en: "x-max-priority when the queue is declared (classic), and a small \
             prefetch.",
        zh: "声明队列时设 x-max-priority（经典队列），prefetch 设小。"
    },
    limit: text! {
        en: "The one in work is still done first. A queue for each class, with \
             consumers of its own, waits for nobody.",
        zh: "正在做的那单仍要先做完。每类一个队列、各有消费者，才谁也不用等。"
    },
    say: text! {
        en: "\"Priority ends where prefetch begins.\"",
        zh: "「优先级管到 prefetch 为止。」"
    },
    source: &[include_str!("priority.rs"), include_str!("priority/counter.rs")],
};

const TEN: u16 = 10;

/// A queue with levels; ten are sent ahead.
async fn ten_in_hand(lab: Lab) -> Ran {
    let how = How { levels: true, prefetch: TEN };
    urgent_ones_come_later(&lab, how).await
}

/// A queue with levels; one is sent at a time.
async fn one_in_hand(lab: Lab) -> Ran {
    let how = How { levels: true, prefetch: 1 };
    urgent_ones_come_later(&lab, how).await
}

/// A plain queue: it stores the priority, and that is all.
async fn without_levels(lab: Lab) -> Ran {
    let how = How { levels: false, prefetch: 1 };
    urgent_ones_come_later(&lab, how).await
}

/// The urgent ones came after as many as the prefetch.
fn after_ten(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    figure_is(outcome, "before", TEN.into())
}

/// The urgent ones came after the one in work.
fn after_the_one_in_work(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    figure_is(outcome, "before", 1)
}

/// The urgent ones came last.
fn after_all(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    figure_is(outcome, "before", outcome.messages - outcome.plan.len())
}
