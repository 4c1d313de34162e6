//! A channel on a connection of its own, and who is told of what passes it.

use std::sync::Arc;

use anyhow::bail;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    PublisherConfirm,
    options::{BasicPublishOptions, QueueDeclareOptions, QueuePurgeOptions},
    types::FieldTable,
};

pub use crate::demos::shop::orders::Ran;
use crate::{
    demos::shop::orders::order,
    ledger::{Fact, MessageId, Witness},
};

/// One channel to one queue.
pub struct Line {
    pub channel: Channel,
    pub queue: &'static str,
    pub witness: Arc<dyn Witness>,
    mode: u8,
    connection: Connection,
}

/// AMQP's delivery modes.
pub const TRANSIENT: u8 = 1;
pub const PERSISTENT: u8 = 2;

impl Line {
    /// A channel over which messages of this delivery mode go to `queue`.
    pub async fn open(
        uri: &str,
        queue: &'static str,
        mode: u8,
        witness: Arc<dyn Witness>,
    ) -> lapin::Result<Self> {
        let connection =
            Connection::connect(uri, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        Ok(Self { channel, queue, witness, mode, connection })
    }

    /// Publishes an order that is going to be answered.
    pub async fn send(
        &self,
        order: MessageId,
    ) -> lapin::Result<PublisherConfirm> {
        self.witness.saw(order, Fact::Sent);
        self.put(order).await
    }

    /// Publishes an order.
    pub async fn put(&self, id: MessageId) -> lapin::Result<PublisherConfirm> {
        let properties = BasicProperties::default()
            .with_delivery_mode(self.mode)
            .with_message_id(id.to_string().into());
        let (body, queue) = (order(id).body, self.queue.into());
        let options = BasicPublishOptions::default();
        self.channel
            .basic_publish("".into(), queue, options, &body, properties)
            .await
    }

    /// Waits for the broker's answer to a publish.
    pub async fn confirmed(
        &self,
        order: MessageId,
        confirm: PublisherConfirm,
    ) -> Ran {
        if !matches!(confirm.await?, Confirmation::Ack(None)) {
            bail!("{order} was not confirmed");
        }
        self.witness.saw(order, Fact::Confirmed);
        Ok(())
    }

    /// The broker has said that it committed it.
    pub fn committed(&self, order: MessageId) {
        self.witness.saw(order, Fact::Confirmed);
    }

    /// A round trip: the broker has read all that was written before.
    pub async fn sync(&self) -> lapin::Result<()> {
        let passive =
            QueueDeclareOptions { passive: true, ..Default::default() };
        let (queue, none) = (self.queue.into(), FieldTable::default());
        self.channel.queue_declare(queue, passive, none).await.map(drop)
    }

    /// Empties the queue.
    pub async fn purge(&self) -> lapin::Result<()> {
        let all = QueuePurgeOptions::default();
        self.channel.queue_purge(self.queue.into(), all).await.map(drop)
    }

    pub async fn close(self) -> lapin::Result<()> {
        self.connection.close(200, "measured".into()).await
    }
}
