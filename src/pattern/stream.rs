//! A stream producer that the broker deduplicates.
//!
//! *When:* the target is a stream, one producer at a time publishes under a
//! name, and its messages have a rising number (an outbox row's id). *Cost:*
//! the number has to be kept by the producer, across restarts. *Does not
//! protect from:* a second name, a producer without one, or numbers out of
//! order: a lower number than the last is confirmed and never stored.
//!
//! Source: RabbitMQ documentation, "Streams", section on deduplication, and
//! the blog of 2021-07-28 on message deduplication with streams.

use std::{
    future::{Ready, ready},
    sync::Arc,
    time::Duration,
};

use rabbitmq_stream_client::{
    ConfirmationStatus, Dedup, Environment, NoDedup, Producer,
    error::{ProducerCreateError, ProducerPublishError},
    types::Message,
};
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::timeout,
};

use crate::ledger::{Fact, MessageId, Witness};

/// A message with the number that the broker compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The business id.
    pub id: MessageId,
    /// The publishing id: rising, never used for another message.
    pub number: u64,
    /// What it says.
    pub body: Vec<u8>,
}

/// Publishes to one stream.
pub struct StreamPublisher {
    producer: Option<Kind>,
    witness: Arc<dyn Witness>,
}

enum Kind {
    Named(Producer<Dedup>),
    Anonymous(Producer<NoDedup>),
}

/// Silence after which what is unanswered is unknown: as long as the client
/// library's own `send_with_confirm` waits.
const SILENCE: Duration = Duration::from_secs(1);
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

type Answered = Result<ConfirmationStatus, ProducerPublishError>;

impl StreamPublisher {
    /// A producer whose messages the broker compares with those that came
    /// under this name before.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn named(
        environment: &Environment,
        name: &str,
        stream: &str,
        witness: Arc<dyn Witness>,
    ) -> Result<Self, ProducerCreateError> {
        let producer = environment.producer().name(name).build(stream).await?;
        Ok(Self { producer: Some(Kind::Named(producer)), witness })
    }

    /// A producer without a name: its numbers mean nothing to the broker.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn anonymous(
        environment: &Environment,
        stream: &str,
        witness: Arc<dyn Witness>,
    ) -> Result<Self, ProducerCreateError> {
        let producer = environment.producer().build(stream).await?;
        Ok(Self { producer: Some(Kind::Anonymous(producer)), witness })
    }

    /// Publishes all and waits for the confirms. Returns the messages that
    /// were not confirmed: unknown, also when the connection died.
    pub async fn publish(&mut self, batch: &[Numbered]) -> Vec<MessageId> {
        let (sender, mut answers) = unbounded_channel();
        let messages = batch.iter().map(|message| {
            self.witness.saw(message.id, Fact::Sent);
            let body = message.body.clone();
            Message::builder().publishing_id(message.number).body(body).build()
        });
        let messages = messages.collect();
        // An error here is a connection that died: the answers tell.
        let _ = match &mut self.producer {
            Some(Kind::Named(p)) => p.batch_send(messages, tell(sender)).await,
            Some(Kind::Anonymous(p)) => {
                p.batch_send(messages, tell(sender)).await
            }
            None => Ok(()),
        };
        let mut confirmed = std::collections::HashSet::new();
        while confirmed.len() < batch.len()
            && let Ok(Some(number)) = timeout(SILENCE, answers.recv()).await
        {
            confirmed.insert(number);
        }
        for message in batch {
            let came = confirmed.contains(&message.number);
            let fact = if came { Fact::Confirmed } else { Fact::Unknown };
            self.witness.saw(message.id, fact);
        }
        let unknown = batch.iter().filter(|m| !confirmed.contains(&m.number));
        unknown.map(|message| message.id).collect()
    }

    /// Closes the producer, also when its connection is dead.
    pub async fn close(mut self) {
        let closing = async {
            match self.producer.take() {
                Some(Kind::Named(producer)) => producer.close().await,
                Some(Kind::Anonymous(producer)) => producer.close().await,
                None => Ok(()),
            }
        };
        let _ = timeout(CLOSE_WITHIN, closing).await;
    }
}

impl Drop for StreamPublisher {
    /// The client (0.11) closes in its own `drop` and blocks the thread until
    /// the broker answers; on a dead connection that is for ever.
    fn drop(&mut self) {
        if let Some(producer) = self.producer.take() {
            std::thread::spawn(move || drop(producer));
        }
    }
}

/// Passes the number of each confirmed message on.
fn tell(
    sender: UnboundedSender<u64>,
) -> impl Fn(Answered) -> Ready<()> + Send + Sync + 'static {
    move |answered| {
        if let Ok(status) = answered
            && status.confirmed()
        {
            let _ = sender.send(status.publishing_id());
        }
        ready(())
    }
}
