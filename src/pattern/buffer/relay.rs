//! The relay of the buffer: out of Redis only when it is somewhere else.

use std::{sync::Arc, time::Duration};

use rand::{SeedableRng, rngs::StdRng};
use tokio::time::sleep;

use super::{Buffer, Entry};
use crate::{
    ledger::{Fact, Witness},
    pattern::{
        backoff::{Backoff, Jitter},
        outbox::{self, Moment, OutboxError, group::Group},
        publisher::{Answer, ConfirmingPublisher},
    },
};

/// How a relay behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name, unlike that of any other relay of the buffer.
    pub name: String,
    /// How many messages it claims at a time.
    pub batch: usize,
    /// What another relay has claimed and not touched for so long is taken
    /// over. Longer than all attempts with their delays: with the defaults an
    /// attempt at a broker that hangs takes a minute (five handshakes and the
    /// confirms, ten seconds each).
    pub idle: Duration,
    /// How often a message is published before it goes to the table.
    pub attempts: u32,
    /// How long it waits before the next attempt.
    pub backoff: Backoff,
    /// Of the jitter.
    pub seed: u64,
}

impl Settings {
    /// Three attempts within some seconds: the table has more patience.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            batch: 500,
            idle: Duration::from_secs(300),
            attempts: 3,
            backoff: Backoff {
                first: Duration::from_millis(500),
                most: Duration::from_secs(5),
                jitter: Jitter::Full,
            },
            seed: rand::random(),
        }
    }
}

/// What a round came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// So many were confirmed, and are out of Redis.
    pub confirmed: usize,
    /// So many went to the table, and are out of Redis.
    pub tabled: usize,
}

/// Redis or the table could not be used. Nothing is lost: what was claimed is
/// in the buffer still, and taken over when it has been idle for long enough.
#[derive(Debug, thiserror::Error)]
pub enum BufferError {
    /// Redis.
    #[error("the buffer in Redis cannot be used: {0}; connect again")]
    Redis(#[from] redis::RedisError),
    /// The table.
    #[error(transparent)]
    Table(#[from] OutboxError),
}

/// Publishes what is in a buffer.
pub struct BufferRelay {
    buffer: Buffer,
    publisher: ConfirmingPublisher,
    table: Group,
    witness: Arc<dyn Witness>,
    settings: Settings,
    rng: StdRng,
}

impl BufferRelay {
    /// A relay from this buffer to where the publisher publishes. What it does
    /// not get rid of goes to the table, whose own relay has more patience.
    pub fn new(
        buffer: Buffer,
        publisher: ConfirmingPublisher,
        table: Group,
        witness: Arc<dyn Witness>,
        settings: Settings,
    ) -> Self {
        let rng = StdRng::seed_from_u64(settings.seed);
        Self { buffer, publisher, table, witness, settings, rng }
    }

    /// Claims, publishes, and sees each message to the broker or to the table.
    /// Given up half way, it loses nothing.
    ///
    /// # Errors
    /// What Redis or SQLite says.
    pub async fn round(&mut self) -> Result<Round, BufferError> {
        let mut round = Round::default();
        let mut left = self.claim().await?;
        for attempt in 1..=self.settings.attempts {
            if left.is_empty() {
                return Ok(round);
            }
            if attempt > 1 {
                let delay =
                    self.settings.backoff.delay(attempt - 1, &mut self.rng);
                sleep(delay).await;
            }
            let (out, again) = self.attempt(left).await?;
            round.confirmed += out.confirmed;
            round.tabled += out.tabled;
            left = again;
        }
        round.tabled += left.len();
        self.write_down(&left).await?;
        Ok(round)
    }

    /// What a dead relay left, and what is new.
    async fn claim(&mut self) -> Result<Vec<Entry>, BufferError> {
        let Settings { name, batch, idle, .. } = &self.settings;
        let mut claimed = self.buffer.take_over(name, *idle, *batch).await?;
        let room = batch.saturating_sub(claimed.len());
        if room > 0 {
            claimed.extend(self.buffer.claim(name, room).await?);
        }
        Ok(claimed)
    }

    /// One attempt at each; what is to be tried again comes back.
    async fn attempt(
        &mut self,
        entries: Vec<Entry>,
    ) -> Result<(Round, Vec<Entry>), BufferError> {
        let messages: Vec<_> =
            entries.iter().map(|entry| entry.message.clone()).collect();
        let answers = self.publisher.publish_batch(&messages).await;
        let (mut confirmed, mut homeless) = (Vec::new(), Vec::new());
        let mut again = Vec::new();
        for (entry, answer) in entries.into_iter().zip(answers) {
            match answer {
                Answer::Confirmed => confirmed.push(entry),
                // No attempt would find it a queue.
                Answer::Returned => homeless.push(entry),
                Answer::Nacked | Answer::Unknown => again.push(entry),
            }
        }
        self.buffer.done(&confirmed).await?;
        self.write_down(&homeless).await?;
        let round =
            Round { confirmed: confirmed.len(), tabled: homeless.len() };
        Ok((round, again))
    }

    /// Into the table first, then out of Redis: dying in between it is in
    /// both, which is a duplicate; the other way round it would be in neither.
    /// A row that is there already is left alone: the business id is its key.
    async fn write_down(
        &mut self,
        entries: &[Entry],
    ) -> Result<(), BufferError> {
        if entries.is_empty() {
            return Ok(());
        }
        let messages: Vec<_> =
            entries.iter().map(|entry| entry.message.clone()).collect();
        let written = self.table.commit(move |tx| {
            for message in &messages {
                outbox::write(tx, message, Moment::now())?;
            }
            Ok(())
        });
        written.await?;
        for entry in entries {
            self.witness.saw(entry.message.id, Fact::Stored);
        }
        Ok(self.buffer.done(entries).await?)
    }
}
