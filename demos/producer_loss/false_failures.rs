//! False failures: the broker is slow to answer, and is taken for dead.
//!
//! The broker stands still (its container is paused) for longer than the
//! notes' algorithm has patience. Its sockets stay open, so what is published
//! is not lost: it lies in buffers, and is stored when the broker goes on.

mod stage;

use std::{ops::RangeInclusive, time::Duration};

use super::TRIED;
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{balanced, every_message_once},
    },
    ledger::Kind,
    mechanism,
    pattern::{
        backoff::{Backoff, Jitter},
        pipeline::Late,
        relay::Settings,
    },
    text,
    text::Text,
    way,
};

use self::stage::{patient, relay_while_paused, resend_and_give_up};

/// "No confirm in time: resend; three times in vain: failed."
pub static FALSE_FAILURES: Scenario = Scenario {
    id: "false-failures",
    recipe: text! {
        en: "No confirm in time? Resend. Three times in vain? It failed.",
        zh: "超时没确认就重发，发满三次还没确认，就标记失败。"
    },
    fault: text! {
        en: "The broker stands still for longer than three timeouts.",
        zh: "broker 停顿，时间比三次超时还长。"
    },
    predict: Predict {
        question: text! {
            en: "All are marked failed. What is in the queue afterwards?",
            zh: "全部被标记为失败，之后队列里有什么？"
        },
        choices: &[
            text! { en: "nothing", zh: "什么都没有" },
            text! { en: "each order once", zh: "每个订单一份" },
            text! { en: "each order three times", zh: "每个订单三份" },
        ],
        right: 2,
    },
    needs: Needs {
        own_broker: true,
        fewest: 2,
        most: 1_000,
        seconds: 14,
        ..Needs::BOOKS
    },
    strikes: &[Strike::Paused],
    hits: Hits::Once,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            resend_on_timeout,
            all_failed_and_all_tripled,
            text! {
                en: "resend on timeout, then failed",
                zh: "超时就重发，三次算失败"
            },
        ),
        fixed: way!(
            unknown_and_wait,
            none_failed_and_each_once,
            text! {
                en: "unknown; wait with backoff; late confirms count",
                zh: "记为未知，退避等待，迟到的确认也算"
            },
        ),
        mechanisms: &[
            mechanism!(
                "late-confirms",
                unknown_and_deaf,
                sent_again,
                text! { en: "listening for late confirms", zh: "等迟到的确认" },
            ),
            mechanism!(
                "backoff",
                unknown_and_impatient,
                sent_again,
                text! { en: "the backoff", zh: "退避" },
            ),
            mechanism!(
                "unknown",
                silence_is_failure,
                false_alarms,
                text! {
                    en: "unknown as a state of its own",
                    zh: "「未知」这个单独的状态"
                },
            ),
        ],
    },
    columns: &[
        Column::Attempts,
        Column::Deliveries,
        Column::Applied,
        Column::Doubled,
    ],
    figures: &["failed"],
    bars: &[],
    claim: text! {
        en: "c: what was written to a living connection is on its way. All were \
             delivered, all were called failed, each was packed three times.",
        zh: "c：写进活着的连接的，都还在路上。全部送达了，却全被当成失败，\
             每单打包三次。"
    },
    fix: text! {
        en: "Silence is unknown, not failed: wait with backoff, let a confirm \
             count from any state, alert on the age of the oldest row.",
        zh: "没回音是「未知」，不是失败：退避等待，任何状态下都接受确认，\
             按最老一行的等待时间告警。"
    },
    limit: text! {
        en: "Patience ends, too: when the connection is gone, unknown has to be \
             resent, and may double. The consumer must be idempotent.",
        zh: "耐心也有限：连接没了，未知的只能重发，可能重复。\
             消费端必须幂等。"
    },
    say: text! {
        en: "\"A timeout is not an answer: unknown, not failed.\"",
        zh: "「超时不是答复：是未知，不是失败。」"
    },
    source: &[
        include_str!("false_failures.rs"),
        include_str!("false_failures/stage.rs"),
    ],
};

/// The notes' algorithm: three publishes, a timeout each, then failed. What
/// the broker says later is not heard.
async fn resend_on_timeout(lab: Lab) -> Ran {
    resend_and_give_up(&lab).await
}

/// A row without an answer is unknown, and due again after the backoff,
/// unless its confirm comes.
async fn unknown_and_wait(lab: Lab) -> Ran {
    relay_while_paused(&lab, patient()).await
}

/// After the timeout the connection is given up: nobody hears the confirm.
async fn unknown_and_deaf(lab: Lab) -> Ran {
    // Nobody will hear, so it need not wait for longer than the pause.
    let settings = Settings { late: Late::GiveUp, backoff: SOON, ..patient() };
    relay_while_paused(&lab, settings).await
}

/// A row without an answer is due again at once.
async fn unknown_and_impatient(lab: Lab) -> Ran {
    let settings = Settings { backoff: AT_ONCE, ..patient() };
    relay_while_paused(&lab, settings).await
}

/// One timeout, and the row is given up.
async fn silence_is_failure(lab: Lab) -> Ran {
    let settings = Settings { attempts: 1, backoff: AT_ONCE, ..patient() };
    relay_while_paused(&lab, settings).await
}

const SOON: Backoff = Backoff {
    first: Duration::from_secs(3),
    most: Duration::from_secs(3),
    jitter: Jitter::None,
};
const AT_ONCE: Backoff = Backoff {
    first: Duration::ZERO,
    most: Duration::ZERO,
    jitter: Jitter::None,
};

/// Every order was marked failed, and every order was packed three times.
fn all_failed_and_all_tripled(outcome: &Outcome) -> Result<(), Text> {
    balanced(outcome)?;
    all_are(outcome, "failed")?;
    let anomalies = outcome.audit.anomalies.iter();
    let tripled = anomalies
        .filter(|one| one.kind == Kind::Duplicated && one.applied == 3)
        .count();
    match tripled == outcome.messages as usize {
        true => Ok(()),
        false => Err(text! {
            en: "{n} of {all} packed three times", zh: "{all} 单中 {n} 单打包三次",
            n = tripled, all = outcome.messages
        }),
    }
}

/// All were without an answer for a while, none was called failed, each was
/// sent and packed once.
fn none_failed_and_each_once(outcome: &Outcome) -> Result<(), Text> {
    all_are(outcome, "unknown")?;
    none_is(outcome, "failed")?;
    every_message_once(outcome)?;
    sent_once(outcome)
}

/// No answer was lost sight of, and orders were sent again: at least as many
/// publishes more as there are orders.
fn sent_again(outcome: &Outcome) -> Result<(), Text> {
    balanced(outcome)?;
    let all = u64::from(outcome.messages);
    sent(outcome, 2 * all..=u64::MAX)
}

/// Every order was called failed, though each was sent, and packed, once.
fn false_alarms(outcome: &Outcome) -> Result<(), Text> {
    all_are(outcome, "failed")?;
    every_message_once(outcome)?;
    sent_once(outcome)
}

fn sent_once(outcome: &Outcome) -> Result<(), Text> {
    let all = u64::from(outcome.messages);
    sent(outcome, all..=all)
}

fn sent(outcome: &Outcome, times: RangeInclusive<u64>) -> Result<(), Text> {
    let attempts = outcome.audit.counts.attempts;
    match times.contains(&attempts) {
        true => Ok(()),
        false => Err(text! {
            en: "{n} publishes of {all} orders", zh: "{all} 单发布了 {n} 次",
            n = attempts, all = outcome.messages
        }),
    }
}

fn all_are(outcome: &Outcome, state: &str) -> Result<(), Text> {
    is(outcome, state, outcome.messages)
}

fn none_is(outcome: &Outcome, state: &str) -> Result<(), Text> {
    is(outcome, state, 0)
}

fn is(outcome: &Outcome, state: &str, many: u32) -> Result<(), Text> {
    let seen = outcome.figure(state)?;
    match seen == f64::from(many) {
        true => Ok(()),
        false => Err(text! {
            en: "{seen} of {all} orders were {state}",
            zh: "{all} 单中 {seen} 单曾为 {state}",
            seen = seen, all = outcome.messages, state = state
        }),
    }
}
