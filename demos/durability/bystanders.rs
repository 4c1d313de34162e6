//! One message kills its consumer, and those beside it pay.
//!
//! When a consumer dies, everything that it had not acked goes back to the
//! queue as a failed delivery: the broker cannot know which one it was. With a
//! prefetch of ten each crash counts for ten, and after one crash more than
//! the limit allows, a quorum queue gives up all ten.
//!
//! The fixed way bounds what a crash may hit. A failure that can be caught is
//! better caught, and that one message rejected; but nobody catches a kill for
//! want of memory.
//!
//! Source: RabbitMQ documentation, "Quorum Queues", section "Poison Message
//! Handling"; "Consumer Prefetch". That a lost connection counts on 3.10 and
//! 4.3 alike is measured by [`poison-counted`](super::poison_counted).

mod stage;

use self::stage::{CRASHES, How, TEN, crash_and_restart};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{
            every_attempt_answered, every_message_confirmed, exactly_where,
        },
    },
    ledger::Kind,
    mechanism, text,
    text::Text,
    way,
};

/// "The delivery limit takes the poison message out, and only that."
pub static BYSTANDERS: Scenario = Scenario {
    id: "bystanders",
    recipe: text! {
        en: "The delivery limit puts the poison aside; the rest goes on.",
        zh: "投递上限会把毒消息挑出去，其他照常。"
    },
    fault: text! {
        en: "One order of ten kills its consumer whenever it comes.",
        zh: "十个订单里有一个，谁消费谁崩溃。"
    },
    predict: Predict {
        question: text! {
            en: "Limit 5, prefetch 10, one kills the consumer: dead letters?",
            zh: "上限 5，prefetch 10，一条让消费者崩溃：死信有几条？"
        },
        choices: &[
            text! { en: "none", zh: "0 条" },
            text! { en: "1", zh: "1 条" },
            text! { en: "10", zh: "10 条" },
        ],
        right: 2,
    },
    needs: Needs { fewest: 10, most: 10, seconds: 3, ..Needs::BOOKS },
    strikes: &[Strike::Poison],
    hits: Hits::OneInTen,
    tried: super::TRIED,
    ways: Ways::Pair {
        naive: way!(
            ten_at_a_time,
            all_parked_with_it,
            text! {
                en: "prefetch 10, packed in one transaction",
                zh: "prefetch 10，一个事务打包"
            },
        ),
        fixed: way!(
            one_at_a_time,
            just_the_poison_parked,
            text! {
                en: "prefetch 1", zh: "prefetch 1"
            },
        ),
        mechanisms: &[
            mechanism!(
                "prefetch-1",
                ten_at_a_time,
                all_parked_with_it,
                text! { en: "a prefetch of 1", zh: "prefetch 1" },
            ),
            mechanism!(
                "dead-letters",
                without_dead_letters,
                just_the_poison_lost,
                text! { en: "the dead-letter exchange", zh: "死信交换机" },
            ),
        ],
    },
    columns: &[
        Column::Confirmed,
        Column::Applied,
        Column::Parked,
        Column::Lost,
        Column::Deliveries,
    ],
    figures: &["crashes"],
    bars: &[],
    claim: text! {
        en: "c: a crash is a failed delivery of everything unacked. Six of them, \
             and nine innocent orders are dead letters too.",
        zh: "c：崩溃一次，所有未 ack 的都记一次失败。六次之后，\
             九个无辜订单也成了死信。"
    },
    fix: text! {
        en: "Catch what can be caught and reject that one alone. Where the \
             process may die, prefetch what a crash may cost: 1.",
        zh: "能捕获的就捕获，只 reject 那一条。进程可能崩溃的，\
             prefetch 就是一次崩溃的代价：设 1。"
    },
    limit: text! {
        en: "Prefetch 1 costs a round trip a message. Without a limit (classic \
             queues) the crash loop has no end.",
        zh: "prefetch 1 每条多一个往返。没有上限（经典队列）则崩溃循环没有尽头。"
    },
    say: text! {
        en: "\"Prefetch is the blast radius of a crash.\"",
        zh: "「prefetch 就是崩溃的波及范围。」"
    },
    source: &[
        include_str!("bystanders.rs"),
        include_str!("bystanders/stage.rs"),
    ],
};

/// Ten orders are sent ahead, packed together, and acked together.
async fn ten_at_a_time(lab: Lab) -> Ran {
    let how = How { prefetch: TEN, parks: true };
    crash_and_restart(&lab, how).await
}

/// One order is sent, packed and acked; then the next one.
async fn one_at_a_time(lab: Lab) -> Ran {
    let how = How { prefetch: 1, parks: true };
    crash_and_restart(&lab, how).await
}

/// Without a place for what is given up.
async fn without_dead_letters(lab: Lab) -> Ran {
    let how = How { prefetch: 1, parks: false };
    crash_and_restart(&lab, how).await
}

/// The poison and everything beside it.
fn all_parked_with_it(outcome: &Outcome) -> Result<(), Text> {
    let all = outcome.messages;
    nothing_but(outcome, &[])?;
    sums_are(outcome, 0, all, all * CRASHES)
}

/// The poison, and all others are done.
fn just_the_poison_parked(outcome: &Outcome) -> Result<(), Text> {
    let others = outcome.messages - outcome.plan.len();
    nothing_but(outcome, &[])?;
    sums_are(outcome, others, outcome.plan.len(), others + CRASHES)?;
    if outcome.struck.iter().all(|struck| struck.entry.parked == 1) {
        return Ok(());
    }
    Err(text! { en: "another was parked", zh: "进死信的是另一条" })
}

/// The poison is nowhere, and all others are done.
fn just_the_poison_lost(outcome: &Outcome) -> Result<(), Text> {
    let others = outcome.messages - outcome.plan.len();
    nothing_but(outcome, &[(Kind::Lost, Strike::Poison)])?;
    sums_are(outcome, others, 0, others + CRASHES)
}

/// Every order was confirmed, the consumer crashed once more than the limit
/// allows, and just these are wrong.
fn nothing_but(
    outcome: &Outcome,
    wrong: &[(Kind, Strike)],
) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_attempt_answered(outcome)?;
    exactly_where(outcome, wrong)?;
    match outcome.figure("crashes")? {
        n if n == f64::from(CRASHES) => Ok(()),
        n => Err(text! { en: "{n} crashes", zh: "崩溃 {n} 次", n = n }),
    }
}

/// So many are done, so many parked, after so many deliveries.
fn sums_are(
    outcome: &Outcome,
    done: u32,
    parked: u32,
    deliveries: u32,
) -> Result<(), Text> {
    let counts = &outcome.audit.counts;
    let found = (counts.applied, counts.parked, counts.deliveries);
    if found == (done.into(), parked.into(), deliveries.into()) {
        return Ok(());
    }
    Err(text! {
        en: "{done} done, {parked} parked, {deliveries} deliveries",
        zh: "完成 {done}，死信 {parked}，投递 {deliveries} 次",
        done = found.0, parked = found.1, deliveries = found.2
    })
}
