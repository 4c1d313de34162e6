//! One message in a queue of its own, and a consumer that fails on it always
//! in the same way.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use futures::{StreamExt, future::try_join_all};
use lapin::{
    Channel,
    message::Delivery,
    options::{
        BasicCancelOptions, BasicNackOptions, BasicRejectOptions,
        QueueDeclareOptions,
    },
    types::FieldTable,
};
use tokio::time::timeout;

use crate::{
    demos::{
        durability::link::{Link, number, word},
        shop::orders::{Ran, order},
    },
    fault::wire::{Protocol, Wire},
    lab::Lab,
    ledger::{Fact, MessageId, Noun, Witness},
    pattern::publisher::ConfirmingPublisher,
    stage::Broker,
    text,
};

/// The queue of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// A classic queue.
    Classic,
    /// A quorum queue with whatever limit the broker gives it.
    Quorum,
    /// A quorum queue with a limit of five.
    QuorumOfFive,
}

/// How a consumer fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// `basic.nack`, requeue.
    Nack,
    /// `basic.reject`, requeue.
    Reject,
    /// Its connection is reset.
    Crash,
}

/// One of the two on one of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Where the message is.
    pub queue: Queue,
    /// What happens to it.
    pub failure: Failure,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Deliveries that were made.
    pub deliveries: u16,
    /// Whether the message is in its queue at the end.
    pub queued: bool,
}

/// All queues, in the order of the table.
pub const QUEUES: [Queue; 3] =
    [Queue::Classic, Queue::Quorum, Queue::QuorumOfFive];
/// All failures, in the order of the table.
pub const FAILURES: [Failure; 3] =
    [Failure::Nack, Failure::Reject, Failure::Crash];
/// How many cells, and messages, that makes.
pub const CELLS: u32 = 9;

/// The limit that is declared.
pub const FIVE: u16 = 5;
/// The limit of a quorum queue that was given none, from RabbitMQ 4.0 on.
pub const TWENTY: u16 = 20;

/// After so long without a delivery it is looked whether the message is gone.
const SILENCE: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(30);

impl Queue {
    const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
            Self::QuorumOfFive => "quorum-5",
        }
    }

    fn arguments(self) -> FieldTable {
        let kind = match self {
            Self::Classic => "classic",
            Self::Quorum | Self::QuorumOfFive => "quorum",
        };
        let mut all = vec![word("x-queue-type", kind)];
        if self == Self::QuorumOfFive {
            all.push(number("x-delivery-limit", FIVE.into()));
        }
        let mut table = FieldTable::default();
        for (key, value) in all {
            table.insert(key.into(), value);
        }
        table
    }
}

impl Failure {
    const fn name(self) -> &'static str {
        match self {
            Self::Nack => "nack",
            Self::Reject => "reject",
            Self::Crash => "crash",
        }
    }

    async fn tell(self, delivery: &Delivery) -> lapin::Result<bool> {
        let requeue = true;
        match self {
            Self::Nack => {
                let options = BasicNackOptions { requeue, multiple: false };
                delivery.acker.nack(options).await
            }
            Self::Reject => {
                delivery.acker.reject(BasicRejectOptions { requeue }).await
            }
            // It is the connection that fails.
            Self::Crash => Ok(false),
        }
    }
}

impl Cell {
    /// All, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        FAILURES.into_iter().flat_map(|failure| {
            QUEUES.into_iter().map(move |queue| Self { queue, failure })
        })
    }

    /// Deliveries after which it is called endless: more than five times the
    /// limit. A crash costs a connection: there it is five times the limit
    /// that was declared for another, which is more than any broker's own.
    pub const fn endless(self) -> u16 {
        match (self.queue, self.failure) {
            (Queue::Quorum, Failure::Nack | Failure::Reject) => 5 * TWENTY + 1,
            _ => 5 * FIVE + 1,
        }
    }

    /// What its figure is called.
    pub fn id(self, (major, minor): (u16, u16)) -> String {
        format!("{major}.{minor}-{}", self.name())
    }

    fn name(self) -> String {
        format!("{}-{}", self.queue.name(), self.failure.name())
    }

    /// Its message.
    pub fn message(self) -> MessageId {
        let place = Self::all().position(|cell| cell == self).unwrap_or(0);
        Noun::Order.number(place as u32 + 1)
    }
}

/// A broker, and who hears what happens on it.
pub struct Site<'a> {
    /// For waits.
    pub lab: &'a Lab,
    /// The broker.
    pub broker: &'a Broker,
    /// The ledger, or nobody: it knows one broker only.
    pub witness: Arc<dyn Witness>,
}

impl Site<'_> {
    /// Declares a queue for each cell and puts its message there.
    pub async fn prepare(&self) -> Ran {
        let link = Link::open(&self.uri()).await?;
        for cell in Cell::all() {
            let (name, durable) = (cell.name(), QueueDeclareOptions::durable());
            let arguments = cell.queue.arguments();
            link.channel
                .queue_declare(name.as_str().into(), durable, arguments)
                .await?;
            self.witness.saw(cell.message(), Fact::Accepted);
            let witness = self.witness.clone();
            ConfirmingPublisher::new(self.uri(), &name, witness)
                .publish_all([order(cell.message())], 1, 1)
                .await?;
        }
        link.close().await
    }

    /// Fails in each cell until its queue gives up, or it is endless.
    pub async fn fail(&self) -> anyhow::Result<Vec<(Cell, Ended)>> {
        let told = Cell::all().filter(|cell| cell.failure != Failure::Crash);
        let told = try_join_all(told.map(|cell| self.fail_and_tell(cell)));
        let (told, crashed) = tokio::try_join!(told, self.crash())?;
        Ok(told.into_iter().chain(crashed).collect())
    }

    /// Whether the cell's queue holds its message, once nobody consumes it.
    pub async fn holds(&self, cell: Cell) -> anyhow::Result<bool> {
        let link = Link::open(&self.uri()).await?;
        let holds = self.is_back(&link.channel, cell).await?;
        link.close().await?;
        Ok(holds)
    }

    async fn fail_and_tell(&self, cell: Cell) -> anyhow::Result<(Cell, Ended)> {
        let link = Link::open(&self.uri()).await?;
        let mut deliveries = 0;
        loop {
            deliveries += self.consume_until_silent(&link, cell).await?;
            let queued = self.is_back(&link.channel, cell).await?;
            if !queued || deliveries >= cell.endless() {
                link.close().await?;
                return Ok((cell, Ended { deliveries, queued }));
            }
        }
    }

    /// Fails on whatever comes. Silence proves nothing: it only ends a turn,
    /// and the queue is asked when its consumer is gone.
    async fn consume_until_silent(
        &self,
        link: &Link,
        cell: Cell,
    ) -> anyhow::Result<u16> {
        let mut consumer = link.consume(&cell.name(), 1).await?;
        let mut deliveries = 0;
        while deliveries < cell.endless() {
            let Ok(delivery) = timeout(SILENCE, consumer.next()).await else {
                break;
            };
            let delivery = delivery.context("cancelled")??;
            deliveries += 1;
            self.saw(cell, &delivery);
            cell.failure.tell(&delivery).await?;
        }
        let cancel = BasicCancelOptions::default();
        link.channel.basic_cancel(consumer.tag(), cancel).await?;
        while let Some(delivery) = consumer.next().await {
            let delivery = delivery?;
            deliveries += 1;
            self.saw(cell, &delivery);
            cell.failure.tell(&delivery).await?;
        }
        Ok(deliveries)
    }

    /// A process consumes the queues of all that it may still crash on, gets
    /// a message from each, and crashes; then another is started.
    async fn crash(&self) -> anyhow::Result<Vec<(Cell, Ended)>> {
        let look = Link::open(&self.uri()).await?;
        let cells = Cell::all().filter(|cell| cell.failure == Failure::Crash);
        let mut going: Vec<_> = cells.map(|cell| (cell, 0)).collect();
        let mut ended = Vec::new();
        while !going.is_empty() {
            self.consume_and_crash(&mut going).await?;
            let mut on = Vec::new();
            for (cell, deliveries) in going {
                let queued = self.is_back(&look.channel, cell).await?;
                if queued && deliveries < cell.endless() {
                    on.push((cell, deliveries));
                } else {
                    ended.push((cell, Ended { deliveries, queued }));
                }
            }
            going = on;
        }
        look.close().await?;
        Ok(ended)
    }

    async fn consume_and_crash(&self, going: &mut [(Cell, u16)]) -> Ran {
        let amqp = self.broker.amqp;
        let wire = Wire::open("crash", amqp, Protocol::Amqp, |_| {}).await?;
        let uri = self.broker.uri(wire.addr(), self.lab.vhost());
        let link = Link::open(&uri).await?;
        for (cell, deliveries) in going {
            let mut consumer = link.consume(&cell.name(), 1).await?;
            let delivery = timeout(SOON, consumer.next()).await;
            let delivery = delivery?.context("cancelled")??;
            *deliveries += 1;
            self.saw(*cell, &delivery);
        }
        drop(wire);
        Ok(())
    }

    /// Waits until the broker has forgotten the consumer of the cell's queue.
    /// A quorum queue has then taken back, or given up, what that held: it is
    /// one step of its log. A classic queue does it a step later, and gives up
    /// nothing.
    async fn is_back(
        &self,
        channel: &Channel,
        cell: Cell,
    ) -> anyhow::Result<bool> {
        let what = text! {
            en: "the consumer to be gone", zh: "消费者离开"
        };
        let classic = cell.queue == Queue::Classic;
        let gone = || async {
            let (ready, consumers) = look_at(channel, cell).await?;
            Ok(consumers == 0 && (ready == 1 || !classic))
        };
        self.lab.wait_until(what, SOON, gone).await?;
        let (ready, _) = look_at(channel, cell).await?;
        ensure!(ready <= 1, "{ready} messages in the queue of one");
        Ok(ready == 1)
    }

    fn saw(&self, cell: Cell, delivery: &Delivery) {
        let fact = match delivery.redelivered {
            true => Fact::Redelivered,
            false => Fact::Delivered,
        };
        self.witness.saw(cell.message(), fact);
    }

    fn uri(&self) -> String {
        self.broker.uri(self.broker.amqp, self.lab.vhost())
    }
}

/// How many messages of the cell's queue are ready, and how many consumers it
/// has.
async fn look_at(channel: &Channel, cell: Cell) -> lapin::Result<(u32, u32)> {
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let name = cell.name();
    let seen = channel
        .queue_declare(name.as_str().into(), passive, FieldTable::default())
        .await?;
    Ok((seen.message_count(), seen.consumer_count()))
}
