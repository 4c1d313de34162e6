//! A publisher that waits for the broker's confirm.
//!
//! *When:* whenever a message must not be lost between the application and
//! the broker. *Cost:* a round trip to the broker per message, or per window
//! of messages. *Does not protect from:* duplicates. An attempt without an
//! answer is *unknown*, and whoever sends it again may send it twice.
//!
//! Source: RabbitMQ documentation, "Consumer Acknowledgements and Publisher
//! Confirms", section "Publisher Confirms".

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::backoff::{Backoff, Jitter};
use crate::ledger::{Fact, MessageId, Witness};

/// A message on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The business id, minted once before the first attempt.
    pub id: MessageId,
    /// What it says.
    pub body: Vec<u8>,
}

/// Where messages go: an exchange, and the key it routes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The exchange; the empty string is the default exchange.
    pub exchange: String,
    /// The routing key.
    pub key: String,
}

impl Route {
    /// Through the exchange of this name.
    pub fn new(exchange: &str, key: &str) -> Self {
        Self { exchange: exchange.to_owned(), key: key.to_owned() }
    }

    /// To one queue, through the default exchange.
    pub fn queue(name: &str) -> Self {
        Self::new("", name)
    }
}

/// What the broker said to one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It took the message over.
    Confirmed,
    /// It refused it.
    Nacked,
    /// It had nowhere to put it.
    Returned,
    /// Nothing came: neither confirmed nor failed.
    Unknown,
}

/// Every attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{id}: {attempts} attempts, the last one {last:?}")]
pub struct GaveUp {
    /// Which message.
    pub id: MessageId,
    /// How many attempts were made.
    pub attempts: u32,
    /// What was said to the last one.
    pub last: Answer,
}

/// Publishes along one route, persistent and mandatory, and learns the
/// broker's answer to each attempt.
///
/// Reconnects by itself; whatever was in flight when the connection died is
/// [`Answer::Unknown`]. One publisher uses one channel and must not be shared
/// between tasks: lapin 4.12 hands confirms to the wrong publish then.
pub struct ConfirmingPublisher {
    uri: String,
    route: Route,
    witness: Arc<dyn Witness>,
    confirm_timeout: Duration,
    connect_tries: u32,
    mandatory: bool,
    link: Option<Link>,
}

/// A confirming channel on a connection of its own.
pub(super) struct Link {
    pub(super) channel: Channel,
    /// Dropping it would close the channel's connection.
    pub(super) connection: Connection,
}

/// How often a connection is tried before an attempt counts as unknown.
pub(super) const CONNECT_TRIES: u32 = 5;
/// One publisher, one attempt at a time: there is nobody to step out of the
/// way of, and a run without chance is the easier one to read.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(10),
    most: Duration::from_secs(1),
    jitter: Jitter::None,
};

impl ConfirmingPublisher {
    /// A publisher to `queue` at `uri`, through the default exchange;
    /// connects at the first attempt.
    pub fn new(
        uri: impl Into<String>,
        queue: &str,
        witness: Arc<dyn Witness>,
    ) -> Self {
        Self::to(uri, Route::queue(queue), witness)
    }

    /// A publisher along `route` at `uri`; connects at the first attempt.
    pub fn to(
        uri: impl Into<String>,
        route: Route,
        witness: Arc<dyn Witness>,
    ) -> Self {
        Self {
            uri: uri.into(),
            route,
            witness,
            confirm_timeout: Duration::from_secs(10),
            connect_tries: CONNECT_TRIES,
            mandatory: true,
            link: None,
        }
    }

    /// The same, waiting so long for a connection and for an answer (ten
    /// seconds, unless this is said), and connecting once an attempt: for
    /// whoever has another address to try.
    pub fn impatient(mut self, patience: Duration) -> Self {
        self.confirm_timeout = patience;
        self.connect_tries = 1;
        self
    }

    /// The same without `mandatory`: what leads to no queue is confirmed then,
    /// and dropped. For showing that.
    pub fn not_mandatory(mut self) -> Self {
        self.mandatory = false;
        self
    }

    /// Connects now, so that the first message need not wait for it. `false`
    /// when the broker could not be reached; the first attempt tries again.
    pub async fn connect(&mut self) -> bool {
        self.channel().await.is_some()
    }

    /// One attempt.
    pub async fn publish(&mut self, message: &Outgoing) -> Answer {
        let answers = self.publish_batch(std::slice::from_ref(message)).await;
        answers.first().copied().unwrap_or(Answer::Unknown)
    }

    /// Attempts until the broker confirms, at most `attempts` times.
    ///
    /// # Errors
    /// [`GaveUp`] when none was confirmed, and at once when the message is
    /// unroutable: sending it again would not find it a queue.
    pub async fn publish_until_confirmed(
        &mut self,
        message: &Outgoing,
        attempts: u32,
    ) -> Result<(), GaveUp> {
        let mut last = Answer::Unknown;
        for attempt in 1..=attempts {
            last = self.publish(message).await;
            match last {
                Answer::Confirmed => return Ok(()),
                Answer::Returned => {
                    return Err(GaveUp {
                        id: message.id,
                        attempts: attempt,
                        last,
                    });
                }
                Answer::Nacked | Answer::Unknown => {
                    sleep(BACKOFF.longest(attempt)).await
                }
            }
        }
        Err(GaveUp { id: message.id, attempts, last })
    }

    /// Publishes many with at most `window` unanswered at a time; those that
    /// were not confirmed are attempted again, one by one.
    ///
    /// # Errors
    /// [`GaveUp`] for the first message that could not be confirmed.
    pub async fn publish_all(
        &mut self,
        messages: impl IntoIterator<Item = Outgoing>,
        window: usize,
        attempts: u32,
    ) -> Result<(), GaveUp> {
        let mut messages = messages.into_iter();
        loop {
            let batch: Vec<_> = messages.by_ref().take(window.max(1)).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let answers = self.publish_batch(&batch).await;
            for (message, answer) in batch.iter().zip(answers) {
                if answer != Answer::Confirmed {
                    self.publish_until_confirmed(message, attempts).await?;
                }
            }
        }
    }

    /// One attempt for each, pipelined. Given up half way (a timeout, a task
    /// that is aborted), all of them are unknown. Returns are matched by
    /// message id, not by confirm: in lapin 4.12 a return can ride on
    /// another's confirm.
    pub async fn publish_batch(&mut self, batch: &[Outgoing]) -> Vec<Answer> {
        let sent = Unanswered::sent(self.witness.clone(), batch);
        let answers = match self.channel().await {
            Some(channel) => self.attempt_on(&channel, batch).await,
            None => vec![Answer::Unknown; batch.len()],
        };
        if answers.contains(&Answer::Unknown) {
            self.link = None;
        }
        sent.answered(&answers);
        answers
    }

    async fn attempt_on(
        &self,
        channel: &Channel,
        batch: &[Outgoing],
    ) -> Vec<Answer> {
        let mut publishes = Vec::with_capacity(batch.len());
        for message in batch {
            let properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_message_id(message.id.to_string().into());
            publishes.push(channel.basic_publish(
                self.route.exchange.as_str().into(),
                self.route.key.as_str().into(),
                BasicPublishOptions {
                    mandatory: self.mandatory,
                    ..Default::default()
                },
                &message.body,
                properties,
            ));
        }
        let sent = join_all(publishes).await;
        // One for all: a broker that answers nothing is not waited for once
        // a message.
        let until = Instant::now() + self.confirm_timeout;
        let mut returned = Vec::new();
        let mut answers = Vec::with_capacity(batch.len());
        for publish in sent {
            let confirmation = match publish {
                Ok(confirm) => timeout_at(until, confirm).await,
                Err(error) => Ok(Err(error)),
            };
            answers.push(match confirmation {
                Ok(Ok(Confirmation::Ack(back))) => {
                    returned.extend(back.and_then(id_of));
                    Answer::Confirmed
                }
                Ok(Ok(Confirmation::Nack(back))) => {
                    returned.extend(back.and_then(id_of));
                    Answer::Nacked
                }
                Ok(Ok(Confirmation::NotRequested) | Err(_)) | Err(_) => {
                    Answer::Unknown
                }
            });
        }
        if !returned.is_empty() {
            for (message, answer) in batch.iter().zip(&mut answers) {
                if returned.contains(&message.id) {
                    *answer = Answer::Returned;
                }
            }
        }
        answers
    }

    async fn channel(&mut self) -> Option<Channel> {
        if let Some(link) = &self.link
            && link.channel.status().connected()
        {
            return Some(link.channel.clone());
        }
        let (tries, within) = (self.connect_tries, self.confirm_timeout);
        self.link = Link::keep_trying(&self.uri, tries, within).await;
        self.link.as_ref().map(|link| link.channel.clone())
    }
}

/// Attempts without an answer. Whoever stops waiting for it does not know,
/// and the witness has to be told.
struct Unanswered<'a> {
    witness: Arc<dyn Witness>,
    batch: &'a [Outgoing],
}

impl<'a> Unanswered<'a> {
    fn sent(witness: Arc<dyn Witness>, batch: &'a [Outgoing]) -> Self {
        for message in batch {
            witness.saw(message.id, Fact::Sent);
        }
        Self { witness, batch }
    }

    fn answered(mut self, answers: &[Answer]) {
        for (message, answer) in
            std::mem::take(&mut self.batch).iter().zip(answers)
        {
            self.witness.saw(message.id, answer.fact());
        }
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        for message in self.batch {
            self.witness.saw(message.id, Answer::Unknown.fact());
        }
    }
}

impl Link {
    /// Tries to connect so many times, each within this time.
    pub(super) async fn keep_trying(
        uri: &str,
        tries: u32,
        within: Duration,
    ) -> Option<Self> {
        for attempt in 1..=tries {
            if let Ok(Ok(link)) = timeout(within, Self::open(uri)).await {
                return Some(link);
            }
            sleep(BACKOFF.longest(attempt)).await;
        }
        None
    }

    async fn open(uri: &str) -> lapin::Result<Self> {
        let connection =
            Connection::connect(uri, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { channel, connection })
    }
}

/// Whose message came back.
pub(super) fn id_of(back: BasicReturnMessage) -> Option<MessageId> {
    let id = back.delivery.properties.message_id().as_ref()?;
    id.as_str().parse().ok()
}

impl Answer {
    /// What the witness is told of it.
    pub(super) fn fact(self) -> Fact {
        match self {
            Self::Confirmed => Fact::Confirmed,
            Self::Nacked => Fact::Nacked,
            Self::Returned => Fact::Returned,
            Self::Unknown => Fact::Unknown,
        }
    }
}
