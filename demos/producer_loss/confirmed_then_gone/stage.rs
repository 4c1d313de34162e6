//! What is the same in every way: four queues, and what happens to three of
//! them before the consumer comes.

use std::time::Duration;

use anyhow::ensure;
use lapin::{
    Connection, ConnectionProperties, ErrorKind,
    options::{QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable},
};

use crate::{
    demos::shop::{
        orders::{ORDERS, Ran, publish_these},
        packing::{Packs, pack_from},
    },
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Witness},
    text,
    text::Text,
};

/// An argument of a queue.
type Argument = (&'static str, AMQPValue);

/// What the ways do differently.
pub struct Queues {
    /// More arguments of the queue whose messages expire.
    pub expiring: Vec<Argument>,
    /// More arguments of the queue that has room for a few.
    pub bounded: Vec<Argument>,
    /// How a queue is deleted that seems to be used by nobody.
    pub clean_up: QueueDeleteOptions,
}

const EXPIRING: &str = "orders.ttl";
const BOUNDED: &str = "orders.bounded";
/// Nobody consumes it at the moment, so somebody takes it for a left-over.
const IDLE: &str = "orders.idle";
/// Where people look.
const DEAD: &str = "orders.dead";

/// By way of the default exchange to the queue where people look.
pub fn dead_letters() -> Vec<Argument> {
    vec![
        ("x-dead-letter-exchange", AMQPValue::LongString("".into())),
        ("x-dead-letter-routing-key", AMQPValue::LongString(DEAD.into())),
    ]
}

const TO_LIVE: Duration = Duration::from_millis(500);
const SOON: Duration = Duration::from_secs(20);

/// All orders are published and confirmed. Those that are to be struck go to
/// the queue of their fault, all others to a plain one; but some follow into
/// the bounded queue and push out as many. Then it happens, then somebody
/// looks after the dead letters, and then the consumer comes.
pub async fn three_ends(lab: &Lab, queues: Queues) -> Ran {
    declare(lab, queues.expiring, queues.bounded).await?;
    publish(lab).await?;
    expire(lab).await?;
    push_out(lab).await?;
    clean_up(lab, queues.clean_up).await?;
    for order in lab.left_in(DEAD).await? {
        lab.saw(order, Fact::Parked);
    }
    tell_dead_letters(lab);
    let mut left = vec![ORDERS, EXPIRING, BOUNDED];
    if is_there(lab, IDLE).await? {
        left.push(IDLE);
    }
    pack_from(lab, &left, Packs::EveryDelivery).await?;
    let sums = lab.sums();
    if sums.lost == 0 && sums.parked > 0 {
        lab.came_to(text! {
            en: "{parked} parked and none lost",
            zh: "{parked} 条进死信队列，一条没丢", parked = sums.parked
        });
    }
    Ok(())
}

fn planned(lab: &Lab, strike: Strike) -> Vec<MessageId> {
    lab.plan().of(strike).collect()
}

fn is_armed(lab: &Lab, strike: Strike) -> bool {
    lab.plan().of(strike).any(|order| lab.is_planned(order, strike))
}

/// The faults of two queues are arguments: left out, where they are disarmed.
async fn declare(
    lab: &Lab,
    mut expiring: Vec<Argument>,
    mut bounded: Vec<Argument>,
) -> Ran {
    if is_armed(lab, Strike::Expire) {
        let ttl = AMQPValue::LongLongInt(TO_LIVE.as_millis() as i64);
        expiring.push(("x-message-ttl", ttl));
    }
    if is_armed(lab, Strike::QueueFull) {
        let room = AMQPValue::LongLongInt(i64::from(room(lab)));
        bounded.push(("x-max-length", room));
    }
    lab.declare(ORDERS).await?;
    lab.declare(IDLE).await?;
    lab.declare(DEAD).await?;
    lab.declare_with(EXPIRING, "classic", &expiring).await?;
    lab.declare_with(BOUNDED, "classic", &bounded).await
}

/// Half of what comes to the bounded queue: the first half is struck.
fn room(lab: &Lab) -> u32 {
    lab.plan().of(Strike::QueueFull).count() as u32
}

async fn publish(lab: &Lab) -> Ran {
    let others = lab.messages().filter(|order| !lab.plan().strikes(*order));
    let mut others: Vec<_> = others.collect();
    let room = room(lab) as usize;
    ensure!(others.len() >= room, "too few orders to push out {room}");
    let plain = others.split_off(room);
    let oldest_first = [
        (EXPIRING, planned(lab, Strike::Expire)),
        (BOUNDED, planned(lab, Strike::QueueFull)),
        (IDLE, planned(lab, Strike::QueueDeleted)),
        (BOUNDED, others),
        (ORDERS, plain),
    ];
    for (queue, orders) in oldest_first {
        publish_these(lab, queue, orders).await?;
    }
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{all} orders to four queues, {confirmed} confirmed; no \
                 consumer yet",
            zh: "{all} 个订单发往四条队列，已确认 {confirmed} 个；消费者还没来",
            confirmed = lab.sums().confirmed, all = lab.count()
        },
    );
    Ok(())
}

/// Waits until the time of those that are to expire is over.
async fn expire(lab: &Lab) -> Ran {
    if !is_armed(lab, Strike::Expire) {
        return Ok(());
    }
    let what = text! { en: "the TTL to run out", zh: "TTL 到期" };
    let none_left = || async { Ok(lab.ready(EXPIRING).await? == 0) };
    lab.wait_until(what, SOON, none_left).await?;
    for order in planned(lab, Strike::Expire) {
        lab.struck(order, Strike::Expire);
    }
    Ok(())
}

/// All were confirmed and only half fit: a full queue drops from its head
/// where nobody says otherwise.
async fn push_out(lab: &Lab) -> Ran {
    if !is_armed(lab, Strike::QueueFull) {
        return Ok(());
    }
    let (ready, room) = (lab.ready(BOUNDED).await?, room(lab));
    ensure!(ready == room, "{ready} in a queue with room for {room}");
    for order in planned(lab, Strike::QueueFull) {
        lab.struck(order, Strike::QueueFull);
    }
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "{expired} expired; {came} came to a queue with room for \
                 {room}",
            zh: "{expired} 个过期；容量 {room} 的队列来了 {came} 个",
            expired = planned(lab, Strike::Expire).len(),
            came = 2 * room, room = room
        },
    );
    Ok(())
}

/// What somebody who cleans up is told by the broker.
enum Told {
    /// The queue is gone, with so many messages.
    Deleted(u32),
    /// 406, PRECONDITION_FAILED.
    NotEmpty,
}

async fn clean_up(lab: &Lab, options: QueueDeleteOptions) -> Ran {
    if !is_armed(lab, Strike::QueueDeleted) {
        return Ok(());
    }
    let orders = planned(lab, Strike::QueueDeleted);
    let told = delete(lab, options).await?;
    if let Told::Deleted(with) = told {
        ensure!(with as usize == orders.len(), "deleted with {with} messages");
    }
    for order in orders {
        lab.struck(order, Strike::QueueDeleted);
    }
    let text: Text = match told {
        Told::Deleted(with) => text! {
            en: "queue.delete on {queue}: ok, {with} messages deleted with it",
            zh: "对 {queue} 执行 queue.delete：成功，{with} 条消息一起没了",
            queue = IDLE, with = with
        },
        Told::NotEmpty => text! {
            en: "queue.delete on {queue}, if-empty: 406, it is not empty",
            zh: "对 {queue} 执行 queue.delete（if-empty）：406，队列不空",
            queue = IDLE
        },
    };
    lab.step(text! { en: "delete", zh: "删除" }, text);
    Ok(())
}

async fn delete(
    lab: &Lab,
    options: QueueDeleteOptions,
) -> anyhow::Result<Told> {
    const PRECONDITION_FAILED: u16 = 406;
    let connection =
        Connection::connect(&lab.uri(), ConnectionProperties::default())
            .await?;
    let channel = connection.create_channel().await?;
    match channel.queue_delete(IDLE.into(), options).await {
        Ok(with) => Ok(Told::Deleted(with)),
        Err(error) => match error.kind() {
            ErrorKind::ProtocolError(said)
                if said.get_id() == PRECONDITION_FAILED =>
            {
                Ok(Told::NotEmpty)
            }
            _ => Err(error.into()),
        },
    }
}

/// Whether the broker knows a queue of this name.
async fn is_there(lab: &Lab, queue: &str) -> anyhow::Result<bool> {
    const NOT_FOUND: u16 = 404;
    let connection =
        Connection::connect(&lab.uri(), ConnectionProperties::default())
            .await?;
    let channel = connection.create_channel().await?;
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let seen =
        channel.queue_declare(queue.into(), passive, FieldTable::default());
    match seen.await {
        Ok(_) => Ok(true),
        Err(error) => match error.kind() {
            ErrorKind::ProtocolError(said) if said.get_id() == NOT_FOUND => {
                Ok(false)
            }
            _ => Err(error.into()),
        },
    }
}

fn tell_dead_letters(lab: &Lab) {
    lab.step(
        text! { en: "look", zh: "查看" },
        text! {
            en: "{parked} dead letters", zh: "死信 {parked} 条",
            parked = lab.sums().parked
        },
    );
}
