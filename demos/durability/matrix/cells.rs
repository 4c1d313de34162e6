//! The cells of the table: queues of every kind, each filled with orders of
//! its own, and asked afterwards what it has kept.

use anyhow::ensure;
use lapin::{
    BasicProperties, Channel, Confirmation, ErrorKind, ExchangeKind,
    options::{
        BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
        QueueBindOptions, QueueDeclareOptions,
    },
    types::FieldTable,
};

use super::node::Down;
use crate::{
    demos::{
        durability::link::{Link, word},
        shop::orders::{Ran, order},
    },
    lab::Lab,
    ledger::{Fact, MessageId, Witness},
};

/// A queue, and how its orders are published. None is exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its name.
    pub queue: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The delivery mode of its messages: persistent is 2, transient 1.
    pub persistent: bool,
    /// By way of which exchange.
    exchange: &'static str,
}

/// What a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A classic queue whose definition is kept on disk.
    Durable,
    /// A classic queue whose definition is not.
    NotDurable,
    /// A quorum queue: always durable.
    Quorum,
}

/// Every cell.
pub const CELLS: [Cell; 7] = [
    cell("durable.persistent", Kind::Durable, true),
    cell("durable.transient", Kind::Durable, false),
    cell("fleeting.persistent", Kind::NotDurable, true),
    cell("fleeting.transient", Kind::NotDurable, false),
    cell("quorum.persistent", Kind::Quorum, true),
    cell("quorum.transient", Kind::Quorum, false),
    BOUND,
];
/// A durable queue and persistent messages, but they come by way of an
/// exchange that is not durable.
pub const BOUND: Cell =
    Cell { exchange: SHOP, ..cell("durable.bound", Kind::Durable, true) };
const SHOP: &str = "shop";
/// Orders are dealt out in turn, in both rounds to each cell and to what is
/// published by way of the exchange afterwards.
const SHARES: usize = CELLS.len() + 1;

const fn cell(queue: &'static str, kind: Kind, persistent: bool) -> Cell {
    Cell { queue, kind, persistent, exchange: "" }
}

/// What a round does with a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Fills it before the node goes down.
    Before(Cell),
    /// Publishes by way of [`BOUND`]'s exchange when it is back.
    Afterwards,
}

impl Share {
    /// Its own, of all orders in their order.
    pub fn of<All: Iterator<Item = MessageId>>(
        self,
        down: Down,
        all: All,
    ) -> impl Iterator<Item = MessageId> + use<All> {
        let place = match self {
            Self::Before(cell) => CELLS.iter().position(|c| *c == cell),
            Self::Afterwards => None,
        };
        let place = place.unwrap_or(CELLS.len());
        let before = match down {
            Down::Gracefully => 0,
            Down::Killed => SHARES,
        };
        all.skip(before + place).step_by(2 * SHARES)
    }
}

/// With fewer, a share would be empty.
pub const FEWEST: u32 = 2 * SHARES as u32;

/// Makes every queue that is not there.
pub async fn declare(lab: &Lab) -> Ran {
    let link = Link::open(&lab.uri()).await?;
    for Cell { queue, kind, .. } in CELLS {
        declare_queue(&link.channel, queue, kind).await?;
    }
    declare_exchange(&link.channel).await?;
    let (bound, none) = (QueueBindOptions::default(), FieldTable::default());
    let (queue, shop) = (BOUND.queue.into(), SHOP.into());
    link.channel.queue_bind(queue, shop, "".into(), bound, none).await?;
    link.close().await
}

async fn declare_queue(
    channel: &Channel,
    queue: &str,
    kind: Kind,
) -> lapin::Result<()> {
    let (durable, kind) = match kind {
        Kind::Durable => (true, "classic"),
        Kind::NotDurable => (false, "classic"),
        Kind::Quorum => (true, "quorum"),
    };
    declare_as(channel, queue, durable, kind).await
}

async fn declare_as(
    channel: &Channel,
    queue: &str,
    durable: bool,
    kind: &str,
) -> lapin::Result<()> {
    let options = QueueDeclareOptions { durable, ..Default::default() };
    let mut arguments = FieldTable::default();
    let (key, kind) = word("x-queue-type", kind);
    arguments.insert(key.into(), kind);
    channel.queue_declare(queue.into(), options, arguments).await.map(drop)
}

/// As an application does when it starts. It is not durable.
async fn declare_exchange(channel: &Channel) -> lapin::Result<()> {
    let (options, none) =
        (ExchangeDeclareOptions::default(), FieldTable::default());
    let fanout = ExchangeKind::Fanout;
    channel.exchange_declare(SHOP.into(), fanout, options, none).await
}

/// Publishes what is to be in the queues when the node goes down, and waits
/// until the broker has confirmed each order.
pub async fn fill(lab: &Lab, down: Down) -> Ran {
    let link = Link::open(&lab.uri()).await?;
    for cell in CELLS {
        let orders = Share::Before(cell).of(down, lab.messages());
        publish(lab, &link, cell, orders.collect()).await?;
    }
    link.close().await
}

/// A producer starts again, declares its exchange, and publishes.
pub async fn publish_afterwards(lab: &Lab, down: Down) -> Ran {
    let link = Link::open(&lab.uri()).await?;
    declare_exchange(&link.channel).await?;
    let orders = Share::Afterwards.of(down, lab.messages());
    publish(lab, &link, BOUND, orders.collect()).await?;
    link.close().await
}

/// Without `mandatory`: what has no queue is confirmed, and that is all.
async fn publish(
    lab: &Lab,
    link: &Link,
    cell: Cell,
    orders: Vec<MessageId>,
) -> Ran {
    let channel = &link.channel;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut answers = Vec::with_capacity(orders.len());
    for id in orders {
        let properties = BasicProperties::default()
            .with_delivery_mode(if cell.persistent { 2 } else { 1 })
            .with_message_id(id.to_string().into());
        let (to, key) = (cell.exchange.into(), cell.queue.into());
        let (options, body) = (BasicPublishOptions::default(), order(id).body);
        lab.saw(id, Fact::Accepted);
        lab.saw(id, Fact::Sent);
        let answer =
            channel.basic_publish(to, key, options, &body, properties).await?;
        answers.push((id, answer));
    }
    for (id, answer) in answers {
        let answer = answer.await?;
        ensure!(answer == Confirmation::Ack(None), "{id}: {answer:?}");
        lab.saw(id, Fact::Confirmed);
    }
    Ok(())
}

/// How many messages the broker says are in a queue; `None` where it knows of
/// no such queue.
pub async fn ready(lab: &Lab, queue: &str) -> anyhow::Result<Option<u32>> {
    const NOT_FOUND: u16 = 404;
    let link = Link::open(&lab.uri()).await?;
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let none = FieldTable::default();
    let seen = link.channel.queue_declare(queue.into(), passive, none).await;
    match seen {
        Ok(seen) => Ok(Some(seen.message_count())),
        Err(error) if code(&error) == Some(NOT_FOUND) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// With what code the broker refuses a queue that is not durable, if it does.
pub async fn refusal(lab: &Lab, kind: &str) -> anyhow::Result<Option<u16>> {
    let link = Link::open(&lab.uri()).await?;
    match declare_as(&link.channel, "fleeting", false, kind).await {
        Ok(()) => Ok(None),
        Err(error) => match code(&error) {
            Some(code) => Ok(Some(code)),
            None => Err(error.into()),
        },
    }
}

fn code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(said) => Some(said.get_id()),
        _ => None,
    }
}
