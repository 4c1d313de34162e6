//! A backlog waits for as long as its queue lets it.
//!
//! The consumer is down for repair, and the queue has a TTL that somebody set
//! as a safety net. When the consumer is back, with helpers, there is nothing
//! to drain: everything has expired, confirmed and all. With a dead-letter
//! exchange what expires is parked, and then drained from there: put back
//! into the queue it would expire once more.
//!
//! Then the drain. One packer begins alone, and three join when a third is
//! done. With a finite prefetch they share what is left; without one the first
//! has been sent all of it, and the helpers stand beside. That it is sent
//! before work begins is waited for, so the hoard is certain.
//!
//! A TTL that is lifted while orders wait does not save them: when each is to
//! expire was written down when it came (`calculate_msg_expiry` of a classic
//! queue, `update_expiry_header` of a quorum queue, read and not tried).
//!
//! Source: RabbitMQ documentation, "Time-to-Live and Expiration", section
//! "Per-Queue Message TTL in Queues"; "Dead Letter Exchanges" (a TTL is one of
//! the reasons); "Consumer Prefetch"; "Consumers", section "Queue Parallelism
//! Considerations" (one queue is bound to one core).

mod drain;

use self::drain::{How, repaired_too_late};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_message_once, exactly_these, figure_is},
    },
    ledger::Kind,
    mechanism, text,
    text::Text,
    way,
};

/// "Millions piled up: start more consumers."
pub static BACKLOG: Scenario = Scenario {
    id: "backlog",
    recipe: text! {
        en: "It piled up: mend the consumer, then start more of them.",
        zh: "积压了？修好消费者，再多起几个。"
    },
    fault: text! {
        en: "The repair takes longer than the queue's TTL, which nobody minded.",
        zh: "修复时间超过了队列的 TTL，没人留意还有这个设置。"
    },
    predict: Predict {
        question: text! {
            en: "Four consumers are up again. What do they find?",
            zh: "四个消费者都起来了，它们会拿到什么？"
        },
        choices: &[
            text! { en: "the backlog", zh: "整个积压" },
            text! { en: "half of it", zh: "一半" },
            text! { en: "an empty queue", zh: "空队列" },
        ],
        right: 2,
    },
    needs: Needs { fewest: 20, most: 5_000, seconds: 4, ..Needs::BROKER },
    strikes: &[Strike::Expire],
    hits: Hits::Once,
    tried: super::TRIED,
    ways: Ways::Pair {
        naive: way!(
            expires,
            all_gone,
            text! { en: "a TTL, then four", zh: "TTL，之后四个消费者" },
        ),
        fixed: way!(
            parked_then_drained,
            drained_by_four,
            text! {
                en: "dead-lettered, then four, prefetch 2",
                zh: "转入死信，之后四个消费者，prefetch 2"
            },
        ),
        mechanisms: &[
            mechanism!(
                "dead-letters",
                expires,
                all_gone,
                text! { en: "the dead-letter exchange", zh: "死信交换机" },
            ),
            mechanism!(
                "helpers",
                drained_by_one,
                no_help,
                text! { en: "help from other consumers", zh: "更多消费者" },
            ),
            mechanism!(
                "prefetch",
                without_prefetch,
                no_help,
                text! { en: "the prefetch", zh: "prefetch 上限" },
            ),
        ],
    },
    columns: &[
        Column::Confirmed,
        Column::Parked,
        Column::Applied,
        Column::Lost,
    ],
    figures: &["helped", "faster"],
    bars: &[],
    claim: text! {
        en: "c: confirmed is not kept. The TTL ran on through the repair.",
        zh: "c：确认不等于留着。修复期间 TTL 照样在走。"
    },
    fix: text! {
        en: "Stop the loss: dead-letter. To lift the TTL now helps new orders \
             only (read in the source, not tried). Then more consumers, each \
             with a prefetch.",
        zh: "先止损：设死信。现在撤掉 TTL，只对新消息有效（看源码，没试过）。\
             再加消费者，都设 prefetch。"
    },
    limit: text! {
        en: "Drain it where it is parked: put back, it expires again. More \
             consumers help only if they were too few.",
        zh: "直接消费死信队列，放回原队列又会过期。瓶颈在消费者，加人才有用。"
    },
    say: text! {
        en: "\"Stop the loss, find the cause, then drain, in that order.\"",
        zh: "「先止损，再找原因，最后扩容消化，次序不能乱。」"
    },
    source: &[include_str!("backlog.rs"), include_str!("backlog/drain.rs")],
};

/// What one packer works on in a round trip or two.
const TWO: u16 = 2;
const UNLIMITED: u16 = 0;

/// What expires is gone. Four begin after that.
async fn expires(lab: Lab) -> Ran {
    let how = How { parks: false, helpers: 3, prefetch: TWO };
    repaired_too_late(&lab, how).await
}

/// What expires is dead-lettered, and drained from there by four.
async fn parked_then_drained(lab: Lab) -> Ran {
    let how = How { parks: true, helpers: 3, prefetch: TWO };
    repaired_too_late(&lab, how).await
}

/// The same, and nobody joins.
async fn drained_by_one(lab: Lab) -> Ran {
    let how = How { parks: true, helpers: 0, prefetch: TWO };
    repaired_too_late(&lab, how).await
}

/// The same with four, and no bound to what one is sent.
async fn without_prefetch(lab: Lab) -> Ran {
    let how = How { parks: true, helpers: 3, prefetch: UNLIMITED };
    repaired_too_late(&lab, how).await
}

/// Every order was confirmed, and is gone.
fn all_gone(outcome: &Outcome) -> Result<(), Text> {
    let all = (1..=outcome.messages).map(|n| outcome.noun.number(n));
    exactly_these(outcome, &[(Kind::Lost, all.collect())])?;
    figure_is(outcome, "parked", 0)
}

/// So many take long enough that their time can be judged.
const TIME_TELLS: u32 = 100;
/// Four came to 2.8 to 4.9 times the speed of one; one alone, to one.
const FASTER: f64 = 1.3;
/// Nobody comes to this alone.
const AS_FOUR: f64 = 2.5;

/// Every order was parked, and is done; the helpers did a quarter at least,
/// and it went faster. (Few are packed sooner than a busy machine may stall:
/// there the time says nothing.)
fn drained_by_four(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    figure_is(outcome, "parked", outcome.messages)?;
    let (helped, faster) =
        (outcome.figure("helped")?, outcome.figure("faster")?);
    let is_shared = helped * 4.0 >= f64::from(outcome.messages);
    if is_shared && (faster > FASTER || outcome.messages < TIME_TELLS) {
        return Ok(());
    }
    Err(text! {
        en: "the helpers did {helped}: {faster} times as fast",
        zh: "后来者做了 {helped} 个，速度为 {faster} 倍",
        helped = helped, faster = faster
    })
}

/// Every order is done, all of them by the first, and no sooner than by one.
fn no_help(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    figure_is(outcome, "parked", outcome.messages)?;
    figure_is(outcome, "helped", 0)?;
    let faster = outcome.figure("faster")?;
    if faster < AS_FOUR || outcome.messages < TIME_TELLS {
        return Ok(());
    }
    Err(text! {
        en: "one alone was {faster} times as fast", zh: "一个人干却快了 {faster} 倍",
        faster = faster
    })
}
