//! The balancer vanishes under a consumer, and nobody tells it.
//!
//! A machine that loses its power closes nothing. Whoever sends something
//! learns of it: the address has moved, and its new holder knows nothing of
//! the connection and resets it. Whoever only waits, waits. A consumer sends
//! nothing but heartbeats, every half of what was agreed upon: every 30 s at
//! the 60 s that the broker proposes, and never where there are none, as some
//! clients and operators have it. The broker for its part takes a silent
//! client for gone after two; until then it delivers to a ghost, and keeps
//! what the ghost has not acked, so the last orders come later than the
//! consumer.
//!
//! A client that asks for none gets none only if the broker proposes none
//! (lapin 4.12 takes over the broker's; others switch them off by asking). So
//! the broker proposes none while the naive consumer connects.
//!
//! Source: RabbitMQ documentation, "Detecting Dead TCP Connections with
//! Heartbeats and TCP Keepalives", sections "Heartbeat Timeout Value" and
//! "Heartbeat Frames".

use std::time::Duration;

use anyhow::{Context, ensure};
use lapin::{
    Connection, ConnectionProperties, options::QueueDeclareOptions,
    types::FieldTable,
};
use tokio::time::Instant;

use super::{
    balanced::{Front, SOON, halves},
    listener::{Listener, PREFETCH},
};
use crate::{
    demos::shop::orders::{ORDERS, Ran, publish_these},
    event::{Column, Unit},
    fault::balancer,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, RanOut, Scenario, Strike, Ways,
        check::{
            every_attempt_answered, every_message_confirmed,
            every_message_once, figure_is,
        },
    },
    ledger::MessageId,
    mechanism,
    pattern::publisher::Outgoing,
    stage::Balancing,
    text,
    text::Text,
    way,
};

/// "The address moves, and the consumer connects again."
pub static BLACK_HOLE: Scenario = Scenario {
    id: "black-hole",
    recipe: text! {
        en: "The address moves, and the consumer connects again by itself.",
        zh: "虚拟 IP 漂走，消费者会自动重连。"
    },
    fault: text! {
        en: "The consumer's balancer loses its power: no word, no reset.",
        zh: "消费者所经的负载均衡断电：不发 FIN，也不发 RST。"
    },
    predict: Predict {
        question: text! {
            en: "The consumer waits, heartbeats are off. And 10 s after the \
                 address has moved?",
            zh: "消费者只在等消息，心跳关着。虚拟 IP 漂走 10 秒后，它怎样了？"
        },
        choices: &[
            text! { en: "it believes itself connected, and gets nothing", zh: "自以为连着，什么都收不到" },
            text! { en: "an error, and ended", zh: "报错退出" },
            text! { en: "it has connected again", zh: "已经重连" },
        ],
        right: 0,
    },
    needs: Needs {
        balancers: true,
        fewest: 2,
        most: 200,
        seconds: 35,
        ..Needs::BROKER
    },
    strikes: &[Strike::BalancerKilled],
    hits: Hits::Once,
    tried: super::BOTH,
    ways: Ways::Pair {
        naive: way!(
            no_heartbeat,
            connected_to_nobody,
            text! { en: "reconnects; no heartbeats", zh: "会重连；心跳关闭" },
        ),
        fixed: way!(
            short_heartbeat,
            noticed_and_got_all,
            text! { en: "reconnects; heartbeat of 2 s", zh: "会重连；心跳 2 秒" },
        ),
        mechanisms: &[mechanism!(
            "heartbeat",
            no_heartbeat,
            connected_to_nobody,
            text! { en: "a short heartbeat", zh: "短心跳" },
        )],
    },
    columns: &[Column::Confirmed, Column::Applied, Column::Stuck],
    figures: &["noticed", "held"],
    bars: &[],
    claim: text! {
        en: "a: nobody closed the connection, so nobody noticed. The broker, too, \
             counted its consumer, and delivered to it.",
        zh: "a：没人关连接，就没人察觉。broker 也以为消费者还在，照样投递。"
    },
    fix: text! {
        en: "heartbeat=5 to 20; a finite prefetch, so a ghost holds little.",
        zh: "心跳设 5 到 20 秒；prefetch 有限，幽灵消费者占住的就少。"
    },
    limit: text! {
        en: "Watched for 10 s, longer than 2 s heartbeats take to tell. The \
             default of 60 s tells in half a minute or more. What a ghost holds \
             comes again after two heartbeats: be idempotent.",
        zh: "观察了 10 秒，比 2 秒心跳察觉所需的长；默认的 60 秒要半分钟以上才察觉。\
             投给幽灵的，约两个心跳之后才重投：要幂等。"
    },
    say: text! {
        en: "\"Reconnecting helps whoever notices; heartbeats are how.\"",
        zh: "「光会重连没用，得先察觉断线；靠的就是心跳。」"
    },
    source: &[include_str!("black_hole.rs"), include_str!("listener.rs")],
};

/// As long as this the naive one is watched after the orders were published:
/// longer than the fixed one takes to notice.
const WATCHED: Duration = Duration::from_secs(10);
/// What the broker proposes, by default, in seconds.
const PROPOSED: u16 = 60;

/// Nothing is ever sent on an idle connection.
async fn no_heartbeat(lab: Lab) -> Ran {
    vanishes_under_a_consumer(&lab, None).await
}

/// Two seconds; four later a silent broker is taken for gone.
async fn short_heartbeat(lab: Lab) -> Ran {
    vanishes_under_a_consumer(&lab, Some(2)).await
}

/// A consumer has had half of the orders when the balancer that it is
/// connected through is lost. The others come when the address has moved.
async fn vanishes_under_a_consumer(lab: &Lab, heartbeat: Option<u16>) -> Ran {
    let front = Front::start(lab, &Balancing::SOUND, &[lab.broker()]).await?;
    let consumer = connected(lab, &front, heartbeat).await?;
    let (before, after) = halves(lab);
    let first = u32::try_from(before.len()).unwrap_or(u32::MAX);
    publish_these(lab, ORDERS, ids(&before)).await?;
    let what =
        text! { en: "the first orders to be done", zh: "前一半订单处理完" };
    lab.wait_until(what, SOON, || async { Ok(consumer.done() == first) })
        .await?;
    nothing_on_the_way(lab).await?;
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "{n} orders, through the address",
            zh: "经虚拟 IP 收到 {n} 个订单",
            n = first
        },
    );
    front.draw(&[]).await;
    if !lab.is_armed(Strike::BalancerKilled) {
        return Ok(());
    }
    let (lost, was_cut) = (front.holder().await?, consumer.cuts());
    let began = Instant::now();
    balancer::unplug(&front.balancers, lost).await?;
    let other = front.holder().await?;
    if other != lost {
        lab.struck_once(Strike::BalancerKilled);
    }
    publish_these(lab, ORDERS, ids(&after)).await?;
    watch(lab, &consumer, was_cut).await?;
    measure(lab, &consumer, was_cut, began).await?;
    let (cuts, done) = (consumer.cuts() - was_cut, consumer.done());
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "lb{n} is gone; cuts noticed {cuts}, \
                 orders done {done} of {all}",
            zh: "lb{n} 消失；察觉断线 {cuts} 次，处理了 {done}/{all} 个订单",
            n = lost + 1, cuts = cuts, done = done, all = lab.count()
        },
    );
    front.draw(&[(lost, text! { en: "no power", zh: "断电" })]).await;
    lab.came_to(text! {
        en: "{done} of {all} received", zh: "{all} 个里收到 {done} 个",
        done = done, all = lab.count()
    });
    close(lab, consumer).await
}

/// A consumer at the address that has begun. For one without heartbeats the
/// broker proposes none until then; whoever connects meanwhile and asks for
/// some has them all the same.
async fn connected(
    lab: &Lab,
    front: &Front<'_>,
    heartbeat: Option<u16>,
) -> anyhow::Result<Listener> {
    if heartbeat.is_none() {
        propose(lab, 0).await?;
    }
    let consumer = Listener::reconnecting(lab, front.uri(heartbeat));
    let what = text! { en: "the consumer", zh: "消费者就位" };
    let is_there = || async { Ok(consumer.begun() > 0) };
    let there = lab.wait_until(what, SOON, is_there).await;
    // Given back whatever came of it: the broker is shared.
    if heartbeat.is_none() {
        propose(lab, PROPOSED).await?;
    }
    there?;
    let name = text! { en: "heartbeat", zh: "心跳" };
    let seconds = f64::from(agreed(lab).await?);
    lab.observe("heartbeat", name, seconds, Unit::Count);
    Ok(consumer)
}

/// Has the broker propose a heartbeat of so many seconds to who connects from
/// now on.
async fn propose(lab: &Lab, seconds: u16) -> Ran {
    let put = format!("application:set_env(rabbit, heartbeat, {seconds}).");
    let told = lab.broker().ctl(&["eval", &put]).await?;
    ensure!(told.trim() == "ok", "a heartbeat is not taken: {told}");
    Ok(())
}

/// The heartbeat that consumer and broker have agreed upon, in seconds: the
/// shortest of the vhost's connections.
async fn agreed(lab: &Lab) -> anyhow::Result<u32> {
    let connections =
        ["list_connections", "-q", "--no-table-headers", "vhost", "timeout"];
    let told = lab.broker().ctl(&connections).await?;
    let own = |line: &str| -> Option<u32> {
        line.strip_prefix(lab.vhost())?.trim().parse().ok()
    };
    let agreed = told.lines().filter_map(own).min();
    agreed.with_context(|| format!("no connection of it: {told}"))
}

/// What the consumer has noticed, and what the broker believes.
async fn measure(
    lab: &Lab,
    consumer: &Listener,
    was_cut: u32,
    began: Instant,
) -> Ran {
    let count = |id, name, value: u32| {
        lab.observe(id, name, f64::from(value), Unit::Count);
    };
    if let Some(noticed) = consumer.last_cut().filter(|at| *at > began) {
        let name = text! { en: "noticed", zh: "察觉用时" };
        let ms = (noticed - began).as_millis() as f64;
        lab.observe("noticed", name, ms, Unit::Ms);
        if noticed - began > WATCHED {
            // Watched for as long, one that never notices looks the same.
            let what =
                text! { en: "a machine that is fast enough", zh: "机器足够快" };
            return Err(RanOut { what, limit: WATCHED }.into());
        }
    }
    let took = began.elapsed().as_millis() as f64;
    let name = text! { en: "watched for", zh: "观察时长" };
    lab.observe("watched", name, took, Unit::Ms);
    let (counted, ready) = asked(lab).await?;
    let name = text! { en: "broker's consumers", zh: "broker 眼中的消费者" };
    count("counted", name, counted);
    let held = (lab.count() - consumer.done()).saturating_sub(ready);
    let name = text! { en: "held by a ghost", zh: "幽灵占住" };
    count("held", name, held);
    let name = text! { en: "cuts noticed", zh: "察觉断线" };
    count("cuts", name, consumer.cuts() - was_cut);
    Ok(())
}

/// Waits until the broker has had every ack: one that is still on the way when
/// the balancer goes is sent again, and answered by a reset.
async fn nothing_on_the_way(lab: &Lab) -> Ran {
    let what = text! { en: "the last ack", zh: "最后一个 ack 送达" };
    let unacked = [
        "list_queues",
        "-q",
        "--no-table-headers",
        "-p",
        lab.vhost(),
        "messages_unacknowledged",
    ];
    let none = || async {
        let told = lab.broker().ctl(&unacked).await?;
        Ok(told.trim() == "0")
    };
    lab.wait_until(what, SOON, none).await
}

fn ids(orders: &[Outgoing]) -> Vec<MessageId> {
    orders.iter().map(|order| order.id).collect()
}

/// Until all orders have come, or time is up for a consumer that has noticed
/// nothing.
async fn watch(lab: &Lab, consumer: &Listener, was_cut: u32) -> Ran {
    let watched = Instant::now();
    let what = text! { en: "the consumer to notice", zh: "消费者察觉" };
    let is_over = || {
        let is_cut = consumer.cuts() > was_cut;
        let all = consumer.done() == lab.count();
        let over = all || (!is_cut && watched.elapsed() > WATCHED);
        async move { Ok(over) }
    };
    lab.wait_until(what, SOON, is_over).await
}

/// How many consumers the broker believes the queue to have, and how many
/// orders wait for them.
async fn asked(lab: &Lab) -> anyhow::Result<(u32, u32)> {
    let how = ConnectionProperties::default();
    let connection = Connection::connect(&lab.uri(), how).await?;
    let channel = connection.create_channel().await?;
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let none = FieldTable::default();
    let seen = channel.queue_declare(ORDERS.into(), passive, none).await?;
    connection.close(200, "looked".into()).await?;
    Ok((seen.consumer_count(), seen.message_count()))
}

/// An operator closes every connection, of ghosts too; what nobody has worked
/// on is in the queue.
async fn close(lab: &Lab, consumer: Listener) -> Ran {
    drop(consumer);
    let vhost = ["--vhost", lab.vhost(), "that is all"];
    let close = [&["close_all_connections"], vhost.as_slice()].concat();
    lab.broker().ctl(&close).await?;
    for left in lab.left_in(ORDERS).await? {
        lab.settle(left, 0, 1);
    }
    Ok(())
}

/// It noticed nothing, and of the orders since then it had none: as many as
/// its prefetch allows are out to a ghost.
fn connected_to_nobody(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "heartbeat", 0)?;
    figure_is(outcome, "cuts", 0)?;
    figure_is(outcome, "counted", 1)?;
    every_message_confirmed(outcome)?;
    every_attempt_answered(outcome)?;
    let counts = &outcome.audit.counts;
    let first = u64::from(outcome.messages / 2);
    let rest = u64::from(outcome.messages) - first;
    let held = outcome.messages.div_ceil(2).min(PREFETCH.into());
    figure_is(outcome, "held", held)?;
    if counts.applied == first && counts.waiting == rest {
        return Ok(());
    }
    Err(text! {
        en: "{applied} done, {waiting} wait", zh: "处理 {applied}，滞留 {waiting}",
        applied = counts.applied, waiting = counts.waiting
    })
}

/// It noticed, connected again, and had every order.
fn noticed_and_got_all(outcome: &Outcome) -> Result<(), Text> {
    outcome.figure("noticed")?;
    every_message_confirmed(outcome)?;
    every_message_once(outcome)
}
