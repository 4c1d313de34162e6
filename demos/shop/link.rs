//! A consumer's connection, for stories in which every frame is told.
//!
//! What an application would use instead is in [`crate::pattern`].

use anyhow::Context;
use lapin::{
    Channel, Connection, ConnectionProperties, Consumer,
    message::Delivery,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable},
};

use crate::{demos::shop::orders::Ran, ledger::MessageId};

/// An argument of a queue.
pub type Argument = (&'static str, AMQPValue);

/// A connection with one channel.
pub struct Link {
    /// Dropping it closes the channel.
    pub connection: Connection,
    /// The channel.
    pub channel: Channel,
}

impl Link {
    /// Connects.
    pub async fn open(uri: &str) -> anyhow::Result<Self> {
        let how = ConnectionProperties::default();
        let connection = Connection::connect(uri, how).await?;
        let channel = connection.create_channel().await?;
        Ok(Self { connection, channel })
    }

    /// Consumes a queue with acks by hand, so many unacked at a time (0: no
    /// limit).
    pub async fn consume(
        &self,
        queue: &str,
        prefetch: u16,
    ) -> anyhow::Result<Consumer> {
        let qos = BasicQosOptions::default();
        self.channel.basic_qos(prefetch, qos).await?;
        self.consume_with(queue, BasicConsumeOptions::default()).await
    }

    /// Consumes a queue so.
    pub async fn consume_with(
        &self,
        queue: &str,
        options: BasicConsumeOptions,
    ) -> anyhow::Result<Consumer> {
        let none = FieldTable::default();
        let consumer = self
            .channel
            .basic_consume(queue.into(), "".into(), options, none)
            .await?;
        Ok(consumer)
    }

    /// Says good-bye, and waits until the broker has: what was written before
    /// has then been handled.
    pub async fn close(self) -> Ran {
        self.connection.close(200, "that is all".into()).await?;
        Ok(())
    }
}

/// Which message this is a delivery of.
pub fn id_of(delivery: &Delivery) -> anyhow::Result<MessageId> {
    let id = delivery.properties.message_id().as_ref();
    let id = id.context("a message without an id")?;
    Ok(id.as_str().parse()?)
}

/// An argument that is a word.
pub fn word(key: &'static str, value: &str) -> Argument {
    (key, AMQPValue::LongString(value.into()))
}

/// An argument that is a number.
pub fn number(key: &'static str, value: u32) -> Argument {
    (key, AMQPValue::LongUInt(value))
}
