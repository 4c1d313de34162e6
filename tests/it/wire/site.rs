//! What a trial of the wire stands on: a queue, a wire, and a way around it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use futures::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer,
    PublisherConfirm,
    message::Delivery,
    options::{
        BasicConsumeOptions, BasicGetOptions, BasicPublishOptions,
        BasicQosOptions, ConfirmSelectOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use rmq_lab::{
    fault::wire::{Protocol, Struck, Wire},
    stage::Stage,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, error::TryRecvError, unbounded_channel},
    time::{Instant, timeout},
};

use crate::shared::Apart;

pub const QUEUE: &str = "q";
const WITHIN: Duration = Duration::from_secs(10);
/// Published around the wire behind everything else.
const MARK: &str = "mark";

pub struct Site {
    pub wire: Wire,
    stage: Arc<Stage>,
    vhost: String,
    strikes: UnboundedReceiver<Struck>,
    side: Channel,
    // Dropping it would close the channel's connection.
    _around: Connection,
}

impl Site {
    /// Declares the queue and opens the wire.
    pub async fn open(apart: &Apart, kind: &str) -> anyhow::Result<Self> {
        let (stage, vhost) = (Arc::clone(&apart.stage), apart.vhost.clone());
        let broker = &stage.broker;
        let around = connect(&broker.uri(broker.amqp, &vhost)).await?;
        let side = confirming(&around).await?;
        let mut arguments = FieldTable::default();
        let kind = AMQPValue::LongString(kind.into());
        arguments.insert("x-queue-type".into(), kind);
        let durable =
            QueueDeclareOptions { durable: true, ..Default::default() };
        side.queue_declare(QUEUE.into(), durable, arguments).await?;
        let (wire, strikes) = open_wire(&stage).await?;
        Ok(Self { wire, stage, vhost, strikes, side, _around: around })
    }

    /// Puts another wire in the place of this one, which it returns.
    pub async fn open_another_wire(&mut self) -> anyhow::Result<Wire> {
        let (wire, strikes) = open_wire(&self.stage).await?;
        self.strikes = strikes;
        Ok(std::mem::replace(&mut self.wire, wire))
    }

    /// Where a client of the wire connects to.
    pub fn uri(&self) -> String {
        self.stage.broker.uri(self.wire.addr(), &self.vhost)
    }

    /// A publisher through the wire. Whoever drops the connection closes it.
    pub async fn publisher(&self) -> anyhow::Result<(Connection, Channel)> {
        let connection = connect(&self.uri()).await?;
        let channel = confirming(&connection).await?;
        Ok((connection, channel))
    }

    /// A consumer through the wire, and the first `count` deliveries.
    pub async fn receive(
        &self,
        count: usize,
    ) -> anyhow::Result<(Connection, Consumer, Vec<Delivery>)> {
        let connection = connect(&self.uri()).await?;
        let channel = connection.create_channel().await?;
        channel.basic_qos(2_000, BasicQosOptions::default()).await?;
        let mut consumer = channel
            .basic_consume(
                QUEUE.into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await?;
        let mut deliveries = Vec::with_capacity(count);
        while deliveries.len() < count {
            let next = timeout(WITHIN, consumer.next()).await;
            let next = next.context("a delivery in vain")?;
            deliveries.push(next.context("the consumer ended")??);
        }
        Ok((connection, consumer, deliveries))
    }

    /// Puts messages into the queue, around the wire.
    pub async fn fill(&self, ids: &[String]) -> anyhow::Result<()> {
        let mut confirms = Vec::with_capacity(ids.len());
        for id in ids {
            confirms.push(publish(&self.side, id).await?);
        }
        for confirm in confirms {
            ensure!(answer(confirm).await? == Some(true), "not stored");
        }
        Ok(())
    }

    /// Reads the queue empty: each message's id, and whether it was
    /// redelivered.
    ///
    /// What the broker has taken lies before the mark. What it takes back
    /// from a consumer may come behind it, so that `at_least` as many are
    /// waited for: name something that must come back, and whatever comes
    /// back with it has come too.
    pub async fn read(
        &self,
        at_least: usize,
    ) -> anyhow::Result<BTreeMap<String, bool>> {
        self.fill(&[MARK.to_owned()]).await?;
        let (mut read, mut marked) = (BTreeMap::new(), false);
        let limit = Instant::now() + WITHIN;
        loop {
            let options = BasicGetOptions { no_ack: true };
            let got = self.side.basic_get(QUEUE.into(), options).await?;
            let Some(got) = got else {
                if marked && read.len() >= at_least {
                    return Ok(read);
                }
                if Instant::now() > limit {
                    bail!("{at_least} in vain, there are {read:?}");
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
                continue;
            };
            let id = got.properties.message_id().as_ref();
            let id = id.context("a message without an id")?.to_string();
            if id == MARK {
                marked = true;
                continue;
            }
            let twice = read.insert(id.clone(), got.redelivered);
            ensure!(twice.is_none(), "{id} is there twice");
        }
    }

    /// The next strike. It must have been fenced.
    pub async fn strike(&mut self) -> anyhow::Result<Struck> {
        let struck = timeout(WITHIN, self.strikes.recv()).await;
        let struck = struck.context("no strike")?.context("no wire")?;
        ensure!(struck.fenced, "not fenced: {struck:?}");
        Ok(struck)
    }

    /// That nothing struck, and nothing waits to.
    pub fn is_quiet(&mut self) -> anyhow::Result<()> {
        let next = self.strikes.try_recv();
        ensure!(matches!(next, Err(TryRecvError::Empty)), "{next:?}");
        ensure!(self.wire.armed().is_empty(), "{:?}", self.wire.armed());
        Ok(())
    }
}

async fn open_wire(
    stage: &Stage,
) -> anyhow::Result<(Wire, UnboundedReceiver<Struck>)> {
    let (sender, strikes) = unbounded_channel();
    let upstream = stage.broker.amqp;
    let wire = Wire::open("trial", upstream, Protocol::Amqp, move |struck| {
        // A trial that has ended listens no more.
        let _ = sender.send(struck);
    });
    Ok((wire.await?, strikes))
}

pub async fn connect(uri: &str) -> anyhow::Result<Connection> {
    Ok(Connection::connect(uri, ConnectionProperties::default()).await?)
}

async fn confirming(connection: &Connection) -> anyhow::Result<Channel> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

/// Publishes a message whose body is its id.
pub async fn publish(
    channel: &Channel,
    id: &str,
) -> lapin::Result<PublisherConfirm> {
    let properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_message_id(id.into());
    let options = BasicPublishOptions::default();
    let (exchange, key, body) = ("".into(), QUEUE.into(), id.as_bytes());
    channel.basic_publish(exchange, key, options, body, properties).await
}

/// What the client is told of a publish: ack, nack, or an error.
///
/// # Errors
/// When it is told nothing.
pub async fn answer(confirm: PublisherConfirm) -> anyhow::Result<Option<bool>> {
    let answer = timeout(WITHIN, confirm).await.context("no answer")?;
    Ok(answer.ok().map(|answer| answer.is_ack()))
}

/// Ids of messages, of one round.
pub fn ids(round: usize, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{round}-{number}")).collect()
}
