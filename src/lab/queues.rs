//! Queues and exchanges of a way's vhost.

use std::time::Duration;

use lapin::{
    Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};

use super::Lab;
use crate::{ledger::MessageId, text};

impl Lab {
    /// Declares a durable classic queue, so that nothing here depends on
    /// which type a version takes by default.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn declare(&self, queue: &str) -> anyhow::Result<()> {
        self.declare_as(queue, "classic").await
    }

    /// Declares a durable queue of a type.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn declare_as(
        &self,
        queue: &str,
        kind: &str,
    ) -> anyhow::Result<()> {
        self.declare_with(queue, kind, &[]).await
    }

    /// Declares a durable queue of a type, with further arguments.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn declare_with(
        &self,
        queue: &str,
        kind: &str,
        more: &[(&str, AMQPValue)],
    ) -> anyhow::Result<()> {
        let connection =
            Connection::connect(&self.uri(), ConnectionProperties::default())
                .await?;
        let channel = connection.create_channel().await?;
        let mut arguments = FieldTable::default();
        let kind = AMQPValue::LongString(kind.into());
        arguments.insert("x-queue-type".into(), kind);
        for (key, value) in more {
            arguments.insert((*key).into(), value.clone());
        }
        let durable = QueueDeclareOptions::durable();
        channel.queue_declare(queue.into(), durable, arguments).await?;
        connection.close(200, "declared".into()).await?;
        Ok(())
    }

    /// Declares a durable fanout exchange, and a durable classic queue of the
    /// same name as each subscriber bound to it.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn declare_fanout(
        &self,
        exchange: &str,
        subscribers: &[&str],
    ) -> anyhow::Result<()> {
        let connection =
            Connection::connect(&self.uri(), ConnectionProperties::default())
                .await?;
        let channel = connection.create_channel().await?;
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let none = FieldTable::default;
        channel
            .exchange_declare(
                exchange.into(),
                ExchangeKind::Fanout,
                durable,
                none(),
            )
            .await?;
        for queue in subscribers {
            self.declare(queue).await?;
            let bound = QueueBindOptions::default();
            channel
                .queue_bind(
                    (*queue).into(),
                    exchange.into(),
                    "".into(),
                    bound,
                    none(),
                )
                .await?;
        }
        connection.close(200, "declared".into()).await?;
        Ok(())
    }

    /// Binds a queue to a fanout exchange.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn bind(
        &self,
        queue: &str,
        exchange: &str,
    ) -> anyhow::Result<()> {
        let connection =
            Connection::connect(&self.uri(), ConnectionProperties::default())
                .await?;
        let channel = connection.create_channel().await?;
        let bound = QueueBindOptions::default();
        let none = FieldTable::default();
        channel
            .queue_bind(queue.into(), exchange.into(), "".into(), bound, none)
            .await?;
        connection.close(200, "bound".into()).await?;
        Ok(())
    }

    /// How many messages of a queue are ready: in it, and given to nobody.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn ready(&self, queue: &str) -> anyhow::Result<u32> {
        let connection =
            Connection::connect(&self.uri(), ConnectionProperties::default())
                .await?;
        let channel = connection.create_channel().await?;
        let passive =
            QueueDeclareOptions { passive: true, ..Default::default() };
        let seen = channel
            .queue_declare(queue.into(), passive, FieldTable::default())
            .await?;
        connection.close(200, "looked".into()).await?;
        Ok(seen.message_count())
    }

    /// What a queue still holds, once nobody consumes it any more.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn left_in(&self, queue: &str) -> anyhow::Result<Vec<MessageId>> {
        let connection =
            Connection::connect(&self.uri(), ConnectionProperties::default())
                .await?;
        let channel = connection.create_channel().await?;
        // Of consumers that closed: a queue takes back what one had not acked
        // in the same step in which it forgets it. After a cut on the wire
        // that is not so, and `is_all_delivered` has to be asked before.
        let what = text! {
            en: "the last consumer to be gone", zh: "最后一个消费者离开"
        };
        self.wait_until(what, Duration::from_secs(10), || async {
            let passive =
                QueueDeclareOptions { passive: true, ..Default::default() };
            let seen = channel.queue_declare(
                queue.into(),
                passive,
                FieldTable::default(),
            );
            Ok(seen.await?.consumer_count() == 0)
        })
        .await?;
        let mut left = Vec::new();
        let look = BasicGetOptions { no_ack: true };
        while let Some(message) = channel.basic_get(queue.into(), look).await? {
            let id = message.delivery.properties.message_id().as_ref();
            left.extend(
                id.and_then(|id| id.as_str().parse::<MessageId>().ok()),
            );
        }
        connection.close(200, "looked".into()).await?;
        Ok(left)
    }
}
