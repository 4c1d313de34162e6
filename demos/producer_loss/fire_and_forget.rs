//! The broker is killed while orders are on their way to it.
//!
//! A publish that is written to a socket has left the producer and need not
//! have arrived. What has arrived in a classic queue is on disk only when it
//! is persistent and was confirmed: on 3.10 the confirm comes after an fsync,
//! on 4.x after the write (RabbitMQ 4.3's `rabbit_classic_queue_store_v2`). The
//! kill here is one of a process; the page cache survives it.
//!
//! Source: RabbitMQ documentation, "Consumer Acknowledgements and Publisher
//! Confirms", sections "When Will Published Messages Be Confirmed by the
//! Broker?" and "Publisher Confirms and Guaranteed Delivery".

mod checks;
mod outlet;
mod stage;

use self::{
    checks::{
        just_the_held_are_gone, just_the_unknown_are_gone, none_is_gone,
        the_confirmed_are_gone, the_queue_and_the_held_are_gone,
    },
    outlet::{
        Mode::{Persistent, Transient},
        Outlet,
    },
    stage::killed_in_flight,
};
use super::TRIED;
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{Hits, Needs, Predict, Scenario, Strike, Ways},
    mechanism,
    pattern::publisher::Outgoing,
    text, way,
};

/// "The queue is durable, and basic_publish gave no error."
pub static FIRE_AND_FORGET: Scenario = Scenario {
    id: "fire-and-forget",
    recipe: text! {
        en: "The queue is durable and the publish gave no error: it is safe.",
        zh: "队列是持久的，发布也没报错：消息就安全了。"
    },
    fault: text! {
        en: "The broker is killed and restarted; 1 order in 10 is on the wire.",
        zh: "broker 被杀后重启；当时十分之一的订单还在路上。"
    },
    predict: Predict {
        question: text! {
            en: "Persistent messages, durable queue, no confirms. What is lost?",
            zh: "消息持久化、队列持久、不开确认。丢什么？"
        },
        choices: &[
            text! { en: "nothing: they are persistent", zh: "不丢：消息是持久的" },
            text! {
                en: "what was on the wire, or not written yet",
                zh: "在路上的，或者还没写盘的"
            },
            text! { en: "all that was in the queue", zh: "队列里的全部" },
        ],
        right: 1,
    },
    needs: Needs {
        own_broker: true,
        fewest: 20,
        most: 10_000,
        seconds: 30,
        ..Needs::BOOKS
    },
    strikes: &[Strike::BrokerKilled],
    hits: Hits::Stretch,
    tried: TRIED,
    ways: Ways::Three {
        naive: way!(
            killed_in_flight,
            write_transient(orders, outlet),
            the_queue_and_the_held_are_gone,
            text! {
                en: "transient messages, no confirms",
                zh: "消息不持久化，不开确认"
            },
        ),
        halfway: way!(
            killed_in_flight,
            write_persistent(orders, outlet),
            just_the_held_are_gone,
            text! {
                en: "persistent messages, no confirms",
                zh: "消息持久化，不开确认"
            },
        ),
        fixed: way!(
            killed_in_flight,
            until_confirmed(orders, outlet),
            none_is_gone,
            text! {
                en: "persistent, and resent until confirmed",
                zh: "消息持久化，重发到确认为止"
            },
        ),
        mechanisms: &[
            mechanism!(
                "confirms",
                killed_in_flight,
                write_persistent(orders, outlet),
                just_the_held_are_gone,
                text! { en: "waiting for confirms", zh: "等待发布确认" },
            ),
            mechanism!(
                "resend",
                killed_in_flight,
                confirmed_or_logged(orders, outlet),
                just_the_unknown_are_gone,
                text! { en: "the resend", zh: "重发" },
            ),
            mechanism!(
                "persistent",
                killed_in_flight,
                transient_until_confirmed(orders, outlet),
                the_confirmed_are_gone,
                text! { en: "the persistent mode", zh: "消息持久化" },
            ),
        ],
    },
    columns: &[
        Column::Attempts,
        Column::Confirmed,
        Column::Unknown,
        Column::Applied,
        Column::Lost,
    ],
    figures: &["kept"],
    bars: &[],
    claim: text! {
        en: "b: no error means written to a socket. Persistent + durable is \
             on disk only once confirmed; without a confirm nobody knows.",
        zh: "b：没报错只说明写进了 socket。持久消息 + 持久队列，\
             也要等确认了才算落盘；没有确认，谁也不知道。"
    },
    fix: text! {
        en: "delivery_mode 2, confirms, and resend whatever is unknown.",
        zh: "delivery_mode 2，开确认，凡是未知的就重发。"
    },
    limit: text! {
        en: "The run kills once the queue is written. A kill is no \
             power cut: 4.x's classic queue confirms before fsync, quorum after.",
        zh: "这里等队列里的都写盘了才杀。进程被杀不等于断电：\
             4.x 经典队列没等 fsync 就确认，仲裁队列先 fsync。"
    },
    say: text! {
        en: "\"Durable queue, persistent message, confirm, else resend.\"",
        zh: "「队列持久、消息持久、等确认，没确认就重发。」"
    },
    source: &[
        include_str!("fire_and_forget.rs"),
        include_str!("fire_and_forget/outlet.rs"),
    ],
};

/// Written to the socket, and forgotten.
async fn write_transient(orders: Vec<Outgoing>, outlet: &mut Outlet) -> Ran {
    outlet.write(&orders, Transient).await
}

/// To be kept on disk, and forgotten.
async fn write_persistent(orders: Vec<Outgoing>, outlet: &mut Outlet) -> Ran {
    outlet.write(&orders, Persistent).await
}

/// What the broker has not confirmed is unknown, and goes out again.
async fn until_confirmed(orders: Vec<Outgoing>, outlet: &mut Outlet) -> Ran {
    let mut open = orders;
    while !open.is_empty() {
        open = outlet.publish(open, Persistent).await?;
    }
    Ok(())
}

/// Without the resend: that some are unknown is known, and no more.
async fn confirmed_or_logged(
    orders: Vec<Outgoing>,
    outlet: &mut Outlet,
) -> Ran {
    let _unknown = outlet.publish(orders, Persistent).await?;
    Ok(())
}

/// Without the persistent mode: confirmed, and in memory.
async fn transient_until_confirmed(
    orders: Vec<Outgoing>,
    outlet: &mut Outlet,
) -> Ran {
    let mut open = orders;
    while !open.is_empty() {
        open = outlet.publish(open, Transient).await?;
    }
    Ok(())
}
