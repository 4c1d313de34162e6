//! The operator: sets up exchanges and bindings, and looks into queues, past
//! every fault.

use std::time::Duration;

use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    ExchangeKind,
    options::{
        ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};

use super::counter::MANDATORY;
use crate::{demos::shop::orders::Ran, lab::Lab, text};

const SOON: Duration = Duration::from_secs(10);

/// Whoever sets up exchanges and bindings, and looks into queues.
pub struct Operator {
    channel: Channel,
    connection: Connection,
}

impl Operator {
    /// Logs in.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn login(lab: &Lab) -> lapin::Result<Self> {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(&lab.uri(), properties).await?;
        let channel = connection.create_channel().await?;
        Ok(Self { channel, connection })
    }

    /// A durable exchange.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn exchange(
        &self,
        name: &str,
        kind: ExchangeKind,
        arguments: &[(&str, &str)],
    ) -> lapin::Result<()> {
        let durable =
            ExchangeDeclareOptions { durable: true, ..Default::default() };
        let mut table = FieldTable::default();
        for (key, value) in arguments {
            let value = AMQPValue::LongString((*value).into());
            table.insert((*key).into(), value);
        }
        self.channel.exchange_declare(name.into(), kind, durable, table).await
    }

    /// A binding.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn bind(
        &self,
        queue: &str,
        exchange: &str,
        key: &str,
    ) -> lapin::Result<()> {
        let (options, none) =
            (QueueBindOptions::default(), FieldTable::default());
        let (queue, exchange) = (queue.into(), exchange.into());
        self.channel
            .queue_bind(queue, exchange, key.into(), options, none)
            .await
    }

    /// How many messages of a queue are ready.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn count(&self, queue: &str) -> lapin::Result<u32> {
        let (passive, none) = (
            QueueDeclareOptions { passive: true, ..Default::default() },
            FieldTable::default(),
        );
        let seen = self.channel.queue_declare(queue.into(), passive, none);
        Ok(seen.await?.message_count())
    }

    /// Waits until a queue holds so many messages.
    ///
    /// # Errors
    /// When it holds more or fewer.
    pub async fn sees(&self, lab: &Lab, queue: &str, messages: u32) -> Ran {
        let what = text! {
            en: "{n} messages in the queue \"{queue}\"",
            zh: "队列 {queue} 里有 {n} 条消息", n = messages, queue = queue
        };
        lab.wait_until(what, SOON, || async {
            Ok(self.count(queue).await? == messages)
        })
        .await
    }

    /// Whether a message to this exchange reaches a queue: a mandatory one
    /// without an id is tried.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn reaches_a_queue(&self, exchange: &str) -> lapin::Result<bool> {
        self.channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let (key, plain) = ("anything".into(), BasicProperties::default());
        let tried = self
            .channel
            .basic_publish(exchange.into(), key, MANDATORY, b"?", plain)
            .await?
            .await?;
        Ok(matches!(tried, Confirmation::Ack(None)))
    }

    /// Logs out.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn logout(self) -> lapin::Result<()> {
        self.connection.close(200, "set up".into()).await
    }
}
