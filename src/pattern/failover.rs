//! A publisher that lives through a fail-over.
//!
//! *When:* there is more than one broker, or a balancer in front of one. The
//! connection will be cut, or fall silent; whoever publishes connects again,
//! to the next address, waits a little longer each time, and sends again what
//! was not answered. *Cost:* nothing until something fails; then the gap, and
//! duplicates. *Does not protect from:* duplicates. What was not answered may
//! have arrived, so whoever consumes must be idempotent.
//!
//! Give the addresses with a heartbeat (`?heartbeat=2`): a connection into a
//! machine that has gone away is found dead by little else, as long as nothing
//! is sent (by TCP keepalives, where they are tuned).
//!
//! Source: RabbitMQ documentation, "Publishers", on data safety; "Detecting Dead TCP Connections with Heartbeats and
//! TCP Keepalives".

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    backoff::{Backoff, Jitter, Retry},
    publisher::{Answer, ConfirmingPublisher, GaveUp, Outgoing},
};
use crate::ledger::Witness;

/// Between attempts. Everybody who was cut off comes back at once, so chance
/// parts them.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(50),
    most: Duration::from_millis(500),
    jitter: Jitter::Equal,
};

/// Publishes to one queue at whichever address answers.
pub struct FailoverPublisher {
    addresses: Vec<String>,
    /// Attempts that failed move on to the next address.
    at: usize,
    queue: String,
    witness: Arc<dyn Witness>,
    patience: Duration,
    mandatory: bool,
    publisher: Option<ConfirmingPublisher>,
    retry: Retry,
    last_confirm: Option<Instant>,
    longest_gap: Duration,
}

impl FailoverPublisher {
    /// A publisher to `queue` at these addresses, the first one first; waits
    /// for an answer as long as `patience` says before it takes it for
    /// unknown.
    pub fn new(
        addresses: impl IntoIterator<Item = String>,
        queue: &str,
        patience: Duration,
        witness: Arc<dyn Witness>,
    ) -> Self {
        Self {
            addresses: addresses.into_iter().collect(),
            at: 0,
            queue: queue.to_owned(),
            witness,
            patience,
            mandatory: true,
            publisher: None,
            retry: Retry::new(BACKOFF),
            last_confirm: None,
            longest_gap: Duration::ZERO,
        }
    }

    /// The same without `mandatory`: for showing what that loses.
    pub fn not_mandatory(mut self) -> Self {
        self.mandatory = false;
        self
    }

    /// One attempt, at the present address. Where the broker did not take the
    /// message, the next attempt is made at the next address.
    pub async fn attempt(&mut self, message: &Outgoing) -> Answer {
        let answers = self.attempt_all(std::slice::from_ref(message)).await;
        answers.first().copied().unwrap_or(Answer::Unknown)
    }

    /// One attempt for each, pipelined.
    pub async fn attempt_all(&mut self, batch: &[Outgoing]) -> Vec<Answer> {
        let mut publisher = match self.publisher.take() {
            Some(publisher) => publisher,
            None => self.connect(),
        };
        let answers = publisher.publish_batch(batch).await;
        if answers.contains(&Answer::Confirmed) {
            let now = Instant::now();
            if let Some(last) = self.last_confirm.replace(now) {
                self.longest_gap = self.longest_gap.max(now - last);
            }
        }
        let is_bad = |answer: &Answer| {
            matches!(answer, Answer::Unknown | Answer::Nacked)
        };
        if answers.iter().any(is_bad) {
            self.at = (self.at + 1) % self.addresses.len().max(1);
        } else {
            self.publisher = Some(publisher);
            self.retry.reset();
        }
        answers
    }

    /// Attempts until the broker confirms, or `limit` is over.
    ///
    /// # Errors
    /// [`GaveUp`] with what was said to the last attempt; at once when the
    /// message is unroutable.
    pub async fn publish(
        &mut self,
        message: &Outgoing,
        limit: Duration,
    ) -> Result<(), GaveUp> {
        let began = Instant::now();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let last = self.attempt(message).await;
            if last == Answer::Confirmed {
                return Ok(());
            }
            if last == Answer::Returned || began.elapsed() > limit {
                return Err(GaveUp { id: message.id, attempts, last });
            }
            sleep(self.retry.next_delay()).await;
        }
    }

    /// Publishes many, at most `window` unanswered at a time; what was not
    /// confirmed is attempted again, each for as long as `limit` says.
    ///
    /// # Errors
    /// [`GaveUp`] for the first that could not be confirmed.
    pub async fn publish_all(
        &mut self,
        messages: impl IntoIterator<Item = Outgoing>,
        window: usize,
        limit: Duration,
    ) -> Result<(), GaveUp> {
        let mut messages = messages.into_iter();
        loop {
            let batch: Vec<_> = messages.by_ref().take(window.max(1)).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let answers = self.attempt_all(&batch).await;
            for (message, answer) in batch.iter().zip(answers) {
                if answer != Answer::Confirmed {
                    self.publish(message, limit).await?;
                }
            }
        }
    }

    /// Measures the longest gap from now on: something has just gone wrong.
    pub fn watch_for_a_gap(&mut self) {
        self.last_confirm = Some(Instant::now());
        self.longest_gap = Duration::ZERO;
    }

    /// The longest time between two answers that confirmed something: what a
    /// fail-over looks like from here.
    pub fn longest_gap(&self) -> Duration {
        self.longest_gap
    }

    fn connect(&self) -> ConfirmingPublisher {
        let address = self.addresses.get(self.at).cloned().unwrap_or_default();
        let publisher = ConfirmingPublisher::new(
            address,
            &self.queue,
            self.witness.clone(),
        );
        let publisher = publisher.impatient(self.patience);
        match self.mandatory {
            true => publisher,
            false => publisher.not_mandatory(),
        }
    }
}
