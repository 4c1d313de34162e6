//! A consumer that acks by hand and reconnects.
//!
//! *When:* whenever a delivered message must be worked on at least once.
//! *Cost:* an ack per message. *Does not protect from:* receiving a message
//! again. Whatever was not acked when the connection died comes back, also
//! what was fully worked on; the handler has to be idempotent.
//!
//! Source: RabbitMQ documentation, "Consumer Acknowledgements and Publisher
//! Confirms", sections "Automatic Requeueing" and "Client-level effects".

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, future::BoxFuture};
use lapin::{
    Channel, Connection, ConnectionProperties, Consumer,
    message::Delivery as Raw,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicNackOptions,
        BasicQosOptions, BasicRejectOptions, QueueDeclareOptions,
    },
    types::FieldTable,
};
use tokio::time::{Instant, sleep, timeout};

use crate::ledger::{Fact, MessageId, Witness};

/// One delivery of a message.
pub struct Delivery {
    /// The message's id, from its `message-id` property.
    pub id: MessageId,
    /// The broker's flag: it may have been delivered before. False says
    /// nothing about duplicates that a producer made.
    pub redelivered: bool,
    /// What it says.
    pub body: Vec<u8>,
    acker: lapin::Acker,
    witness: Arc<dyn Witness>,
}

impl Delivery {
    /// Tells the broker that it is done: the broker forgets the message.
    ///
    /// # Errors
    /// When the connection is gone. `Ok` does not mean that the broker heard.
    pub async fn ack(&self) -> Result<(), ConnectionLost> {
        written(self.acker.ack(BasicAckOptions::default())).await?;
        self.witness.saw(self.id, Fact::Acked);
        Ok(())
    }

    /// Says that it cannot be done: the queue hands it to its dead-letter
    /// exchange, and where it names none, drops it.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn reject(&self) -> Result<(), ConnectionLost> {
        written(self.acker.reject(BasicRejectOptions { requeue: false }))
            .await?;
        Ok(())
    }

    /// Gives it back to the queue.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn requeue(&self) -> Result<(), ConnectionLost> {
        let requeue = BasicNackOptions { requeue: true, multiple: false };
        written(self.acker.nack(requeue)).await?;
        self.witness.saw(self.id, Fact::Requeued);
        Ok(())
    }

    /// Says that the work on it failed: it goes back to the queue, and one
    /// more failure is counted towards a quorum queue's delivery limit. A
    /// classic queue counts nothing.
    ///
    /// That is `basic.reject`: from RabbitMQ 4.3 on, a `basic.nack` gives a
    /// message back uncounted (rabbitmq-server #15387).
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn failed(&self) -> Result<(), ConnectionLost> {
        let requeue = BasicRejectOptions { requeue: true };
        written(self.acker.reject(requeue)).await?;
        self.witness.saw(self.id, Fact::Requeued);
        Ok(())
    }
}

/// The connection died under an answer. The broker will deliver again.
#[derive(Debug, thiserror::Error)]
#[error("the connection is gone: {0}")]
pub struct ConnectionLost(String);

impl ConnectionLost {
    /// What lapin says by `Ok(false)`: the channel is known to be dead, and
    /// nothing was written.
    pub(super) fn before_it_was_written() -> Self {
        Self("the channel is closed".to_owned())
    }
}

/// Writing a frame takes microseconds, unless the connection is dying: then
/// lapin (4.12) may never answer.
const WRITTEN_WITHIN: Duration = Duration::from_millis(500);

pub(super) async fn written<T>(
    answer: impl Future<Output = lapin::Result<T>>,
) -> Result<T, ConnectionLost> {
    match timeout(WRITTEN_WITHIN, answer).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(ConnectionLost(error.to_string())),
        Err(_) => Err(ConnectionLost("the answer was not written".to_owned())),
    }
}

/// What is done with a delivery.
pub trait Handle: Send {
    /// What can go wrong in it.
    type Error: Send;

    /// Works on one delivery, and acks it when done. An error ends the
    /// consumer; [`ConnectionLost`] is better left to it (return `Ok`).
    fn handle<'a>(
        &'a mut self,
        delivery: &'a Delivery,
    ) -> BoxFuture<'a, Result<(), Self::Error>>;

    /// Asked after each delivery: `true` ends the consumer although the queue
    /// may hold more.
    fn enough(&self) -> bool {
        false
    }
}

/// Why a consumer ended without having drained its queue.
#[derive(Debug, thiserror::Error)]
pub enum Stopped<E> {
    /// The handler gave up.
    #[error("the handler gave up")]
    Handler(E),
    /// The broker could not be reached for so long.
    #[error("no connection for {0:?}: {1}")]
    Unreachable(Duration, String),
    /// The queue was not drained in time.
    #[error("the queue was not drained within {0:?}")]
    NotDrained(Duration),
}

/// Consumes one queue until it is drained, over as many connections as that
/// takes.
pub struct ReconnectingConsumer {
    /// Where the broker is.
    pub uri: String,
    /// Which queue.
    pub queue: String,
    /// How many deliveries may be unacked at a time.
    pub prefetch: u16,
    /// Draining may take so long.
    pub limit: Duration,
    /// Who wants to know.
    pub witness: Arc<dyn Witness>,
}

/// Silence on the wire after which the queue is asked whether it is empty.
const IDLE: Duration = Duration::from_millis(15);
const UNREACHABLE: Duration = Duration::from_secs(20);

impl ReconnectingConsumer {
    /// Hands each delivery to `handler`, one at a time, until the queue is
    /// empty and nothing is unacked here.
    ///
    /// # Errors
    /// See [`Stopped`].
    pub async fn drain<H: Handle>(
        &self,
        handler: &mut H,
    ) -> Result<(), Stopped<H::Error>> {
        let began = Instant::now();
        let mut connected = Instant::now();
        loop {
            if began.elapsed() > self.limit {
                return Err(Stopped::NotDrained(self.limit));
            }
            let opened = timeout(UNREACHABLE, self.open()).await;
            let failed = match opened {
                Ok(Ok(link)) => {
                    connected = Instant::now();
                    match self.consume(link, handler, began).await {
                        Ok(true) => return Ok(()),
                        Ok(false) => continue,
                        Err(stopped) => return Err(stopped),
                    }
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the handshake hung".to_owned(),
            };
            if connected.elapsed() > UNREACHABLE {
                return Err(Stopped::Unreachable(UNREACHABLE, failed));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn open(&self) -> lapin::Result<(Connection, Channel, Consumer)> {
        let connection =
            Connection::connect(&self.uri, ConnectionProperties::default())
                .await?;
        let channel = connection.create_channel().await?;
        channel.basic_qos(self.prefetch, BasicQosOptions::default()).await?;
        let consumer = channel
            .basic_consume(
                self.queue.as_str().into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await?;
        Ok((connection, channel, consumer))
    }

    /// `true`: drained. `false`: the connection died.
    async fn consume<H: Handle>(
        &self,
        (connection, channel, mut consumer): (Connection, Channel, Consumer),
        handler: &mut H,
        began: Instant,
    ) -> Result<bool, Stopped<H::Error>> {
        let mut wait = IDLE;
        loop {
            if began.elapsed() > self.limit {
                return Err(Stopped::NotDrained(self.limit));
            }
            match timeout(wait, consumer.next()).await {
                Ok(Some(Ok(delivery))) => {
                    wait = IDLE;
                    // What is still buffered of a dead channel comes again.
                    if !channel.status().connected() {
                        return Ok(false);
                    }
                    let Some(delivery) = read(delivery, &self.witness).await
                    else {
                        continue;
                    };
                    handler
                        .handle(&delivery)
                        .await
                        .map_err(Stopped::Handler)?;
                    if handler.enough() {
                        let _ = connection.close(200, "enough".into()).await;
                        return Ok(true);
                    }
                }
                Ok(Some(Err(_)) | None) => return Ok(false),
                // Asked, empty, and still nothing has arrived.
                Err(_) if wait.is_zero() => {
                    let _ = connection.close(200, "drained".into()).await;
                    return Ok(true);
                }
                Err(_) => match self.is_empty(&channel).await {
                    Ok(true) => wait = Duration::ZERO,
                    Ok(false) => {}
                    Err(_) => return Ok(false),
                },
            }
        }
    }

    /// Whether the queue holds nothing that is ready. Asked twice on the
    /// consumer's own channel: when the second answer is here, so is every
    /// delivery that the queue had sent before the first.
    async fn is_empty(&self, channel: &Channel) -> lapin::Result<bool> {
        for _ in 0..2 {
            let passive =
                QueueDeclareOptions { passive: true, ..Default::default() };
            let queue = channel
                .queue_declare(
                    self.queue.as_str().into(),
                    passive,
                    FieldTable::default(),
                )
                .await?;
            if queue.message_count() > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A message without an id that we could tell apart is rejected, so that it
/// goes to the dead letters and not round and round.
pub(super) async fn read(
    delivery: Raw,
    witness: &Arc<dyn Witness>,
) -> Option<Delivery> {
    let id = delivery.properties.message_id().as_ref();
    let Some(id) = id.and_then(|id| id.as_str().parse().ok()) else {
        let to_dead_letters = BasicRejectOptions { requeue: false };
        let _ = delivery.acker.reject(to_dead_letters).await;
        return None;
    };
    let redelivered = delivery.redelivered;
    let fact = if redelivered { Fact::Redelivered } else { Fact::Delivered };
    witness.saw(id, fact);
    Some(Delivery {
        id,
        redelivered,
        body: delivery.data,
        acker: delivery.acker,
        witness: witness.clone(),
    })
}
