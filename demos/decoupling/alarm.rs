//! A memory alarm blocks publishers; consumers go on, if they may.
//!
//! From its first publish after the alarm on, the broker reads no more from a
//! connection (documentation), and says so: connection.blocked. What it would
//! not read are also the acks and cancels of consumers on that connection;
//! lapin (4.12) does not even write them, nor publishes, while it is blocked.
//! Other clients may write into the socket, where it all waits as well. A
//! publish that is held so is not taken back: it goes out afterwards.
//! In the lab the alarm is raised by a limit of 10 MB, and lifted again.
//!
//! Source: RabbitMQ documentation, "Memory and Disk Alarms" and "Blocked
//! Connection Notifications".

mod outlet;
mod packer;
mod stage;

use std::{collections::BTreeSet, time::Duration};

use tokio::time::timeout;

use self::{
    outlet::Outlet,
    packer::PREFETCH,
    stage::{Sends, connect, under_alarm},
};
use super::TRIED;
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_message_confirmed, every_message_once},
    },
    ledger::Kind,
    mechanism, text,
    text::Text,
    way,
};

/// "One connection will do, and what is not confirmed is sent again."
pub static ALARM: Scenario = Scenario {
    id: "alarm",
    recipe: text! {
        en: "One connection will do. A confirm is late? Send it again.",
        zh: "一个连接就够了；confirm 迟迟不来就重发。"
    },
    fault: text! {
        en: "A memory alarm: half of the orders are in the queue, half come.",
        zh: "内存告警：一半订单已在队列里，另一半正要发布。"
    },
    predict: Predict {
        question: text! {
            en: "One connection for both: what does its consumer get meanwhile?",
            zh: "收发共用一个连接：告警期间，它的消费者能收到什么？"
        },
        choices: &[
            text! {
                en: "all: only publishing stops", zh: "全部：停的只是发布"
            },
            text! {
                en: "its prefetch, then no more",
                zh: "一个 prefetch 的量，然后就没了"
            },
            text! { en: "nothing", zh: "什么也收不到" },
        ],
        right: 1,
    },
    needs: Needs {
        own_broker: true,
        fewest: 40,
        most: 400,
        seconds: 12,
        ..Needs::BROKER
    },
    strikes: &[Strike::Alarm],
    hits: Hits::Once,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            one_connection_and_resend,
            stalls_and_doubles,
            text! {
                en: "one connection, resend when late",
                zh: "一个连接，迟了就重发"
            },
        ),
        fixed: way!(
            two_connections_and_wait,
            drains_and_loses_nothing,
            text! {
                en: "two connections, wait while blocked",
                zh: "两个连接，被阻塞就等"
            },
        ),
        mechanisms: &[
            mechanism!(
                "own-connection",
                one_connection_and_wait,
                stalls,
                text! {
                    en: "a connection of its own", zh: "发布单独用一个连接"
                },
            ),
            mechanism!(
                "honour-blocked",
                two_connections_and_resend,
                doubles,
                text! {
                    en: "heeding connection.blocked",
                    zh: "听从 connection.blocked"
                },
            ),
        ],
    },
    columns: &[Column::Confirmed, Column::Applied, Column::Doubled],
    figures: &["drained", "sent"],
    bars: &[],
    claim: text! {
        en: "b: the broker reads a blocked connection no more, acks neither; \
             the client here does not even write. Held back is not lost: \
             what is resent is there twice.",
        zh: "b：连接一被阻塞，broker 就不读了，ack 也一样；\
             这里的客户端干脆不写。压着不等于丢了：重发的就成了两份。"
    },
    fix: text! {
        en: "Publish on a connection of its own. At connection.blocked wait, \
             pass the pressure on, and send nothing again.",
        zh: "发布单独用一个连接。收到 connection.blocked 就等，\
             把压力往上游传，不要重发。"
    },
    limit: text! {
        en: "Alarms are cluster-wide: one node short of memory blocks all \
             publishers. If it lasts, refuse orders at the door.",
        zh: "告警是全集群的：一个节点缺内存，所有发布者都被阻塞。\
             持续太久，就在入口拒单。"
    },
    say: text! {
        en: "\"An alarm blocks connections that publish, so consume on another.\"",
        zh: "「告警阻塞的是发布用的连接，所以消费另开连接。」"
    },
    source: &[include_str!("alarm.rs")],
};

/// Publisher and consumer share a connection. What is late is sent again.
async fn one_connection_and_resend(lab: Lab) -> Ran {
    let both = connect(&lab).await?;
    let outlet = &Outlet::open(&lab, &both).await?;
    let publish = |order| async move {
        match timeout(LATE, outlet.publish(order)).await {
            Ok(answered) => answered,
            Err(_) => outlet.publish_again(order).await,
        }
    };
    under_alarm(&lab, &both, outlet, Sends::Twice, publish).await
}

/// A connection each. What is published into a blocked one is waited for.
async fn two_connections_and_wait(lab: Lab) -> Ran {
    let (inbound, outbound) = (connect(&lab).await?, connect(&lab).await?);
    let outlet = &Outlet::open(&lab, &outbound).await?;
    let publish = |order| async move {
        outlet.pressure.ready().await;
        outlet.publish(order).await
    };
    under_alarm(&lab, &inbound, outlet, Sends::Once, publish).await
}

/// The publisher waits, and so do the acks on its connection.
async fn one_connection_and_wait(lab: Lab) -> Ran {
    let both = connect(&lab).await?;
    let outlet = &Outlet::open(&lab, &both).await?;
    let publish = |order| async move {
        outlet.pressure.ready().await;
        outlet.publish(order).await
    };
    under_alarm(&lab, &both, outlet, Sends::Once, publish).await
}

/// The consumer goes on, and the publisher sends again.
async fn two_connections_and_resend(lab: Lab) -> Ran {
    let (inbound, outbound) = (connect(&lab).await?, connect(&lab).await?);
    let outlet = &Outlet::open(&lab, &outbound).await?;
    let publish = |order| async move {
        match timeout(LATE, outlet.publish(order)).await {
            Ok(answered) => answered,
            Err(_) => outlet.publish_again(order).await,
        }
    };
    under_alarm(&lab, &inbound, outlet, Sends::Twice, publish).await
}

/// After so long a confirm is late.
const LATE: Duration = Duration::from_millis(500);

/// The consumer got its prefetch and no more, and every order that was sent
/// again is there twice.
fn stalls_and_doubles(outcome: &Outcome) -> Result<(), Text> {
    stalled(outcome)?;
    doubled_what_came(outcome)
}

/// Nothing is lost or doubled, but the consumer stood still.
fn stalls(outcome: &Outcome) -> Result<(), Text> {
    stalled(outcome)?;
    waited(outcome)?;
    every_message_once(outcome)
}

/// The consumer worked, but every order that was sent again is there twice.
fn doubles(outcome: &Outcome) -> Result<(), Text> {
    drained(outcome)?;
    doubled_what_came(outcome)
}

/// The backlog was packed under the alarm, and all orders once in the end.
fn drains_and_loses_nothing(outcome: &Outcome) -> Result<(), Text> {
    drained(outcome)?;
    waited(outcome)?;
    every_message_once(outcome)?;
    every_message_confirmed(outcome)
}

/// Only the publish that met the alarm was sent; all others waited.
fn waited(outcome: &Outcome) -> Result<(), Text> {
    match outcome.figure("sent")? {
        1.0 => Ok(()),
        n => Err(text! {
            en: "{n} sent while blocked, not 1", zh: "阻塞期间发了 {n} 次，应为 1 次",
            n = n
        }),
    }
}

/// Under the alarm no publish was let in, and of the backlog just what had
/// been sent before was packed.
fn stalled(outcome: &Outcome) -> Result<(), Text> {
    match (packed(outcome)?, f64::from(PREFETCH)) {
        (packed, prefetch) if packed == prefetch => Ok(()),
        (packed, prefetch) => Err(text! {
            en: "{packed} packed while blocked, not the prefetch of {prefetch}",
            zh: "阻塞期间打包了 {packed} 个，应为 prefetch 的 {prefetch} 个",
            packed = packed, prefetch = prefetch
        }),
    }
}

/// Under the alarm no publish was let in, and the whole backlog was packed.
fn drained(outcome: &Outcome) -> Result<(), Text> {
    match (packed(outcome)?, f64::from(outcome.messages / 2)) {
        (packed, all) if packed == all => Ok(()),
        (packed, all) => Err(text! {
            en: "{packed} of {all} packed while blocked",
            zh: "阻塞期间打包 {packed}/{all} 个",
            packed = packed, all = all
        }),
    }
}

fn packed(outcome: &Outcome) -> Result<f64, Text> {
    match outcome.figure("let-in")? {
        0.0 => outcome.figure("drained"),
        n => Err(text! {
            en: "{n} confirmed under the alarm", zh: "告警期间确认了 {n} 个",
            n = n
        }),
    }
}

fn doubled_what_came(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    let came = outcome.messages / 2 + 1..=outcome.messages;
    let came: BTreeSet<_> = came.map(|n| outcome.noun.number(n)).collect();
    let twice: BTreeSet<_> = outcome.audit.of(Kind::Duplicated).collect();
    let wrong = outcome.audit.anomalies.len();
    if twice == came && wrong == came.len() {
        return Ok(());
    }
    Err(text! {
        en: "{doubled} of {all} doubled, {wrong} wrong in all",
        zh: "{all} 个中重复 {doubled} 个，共有 {wrong} 处不对",
        doubled = twice.len(), all = came.len(), wrong = wrong
    })
}
