//! Try again later, and not for ever: retry with delays, and a parking place.
//!
//! *When:* what fails now may work in a while: a service is down, a row is
//! locked. The consumer publishes a copy to the queue of its delay, waits for
//! the confirm, and acks the original; the delay over, the broker takes the
//! copy back to the work queue. When the attempts are used up, and for what can
//! never work, the copy goes to a parking queue, with why, and from there
//! back when somebody has mended the cause ([`Retrier::replay`]). *Cost:* a
//! queue for each delay and one for parking; a publish and its confirm for
//! each retry; order, since retries are overtaken. *Does not protect from:*
//! receiving a message again: who dies between the confirm and the ack leaves
//! both, and the handler has to be idempotent. Nor from a message that kills
//! its consumer, which publishes nothing then (give the work queue a delivery
//! limit, and let that lead to the parking queue), nor from a parking queue
//! that nobody looks at.
//!
//! One queue for each delay, because messages expire at the head of a queue
//! only: behind a long delay a short one waits as long. The attempt is counted
//! in a header of the application's own: the broker's `x-death` counts anew
//! for each publish since 4.0, and its `x-delivery-count` counts deliveries that
//! failed by the queue's own notion, which changed in 4.3. A copy is a new message, so the broker finds no
//! cycle of dead letters in it, which it would drop.
//!
//! The queues of the delays are quorum queues that dead-letter at least once:
//! else the broker takes copies back without a confirm, and drops what the
//! work queue refuses. Needs RabbitMQ 3.10 or later.
//!
//! Source: RabbitMQ documentation, "Time-To-Live and Expiration", section
//! "Caveats"; "Dead Letter Exchanges", section "Automatically Dead-lettered
//! Message Cycles"; "Quorum Queues", section "Activating at-least-once
//! dead-lettering". RabbitMQ 4.0 release notes on `x-death`.

mod copy;
mod ladder;

use std::time::Duration;

use lapin::{
    Channel, Confirmation,
    message::Delivery,
    options::{
        BasicAckOptions, BasicGetOptions, BasicPublishOptions,
        QueueDeclareOptions,
    },
    types::FieldTable,
};
use tokio::time::timeout;

use super::{
    consumer::{ConnectionLost, written},
    publisher::{Answer, CONNECT_TRIES, Link},
};

pub use self::{
    copy::{ATTEMPT, Copy, PARKED_AFTER, PARKED_BECAUSE, attempt_of},
    ladder::{Again, Ladder, Step},
};

/// Where a failed delivery went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It comes back as this attempt, after this delay.
    Again(Again),
    /// It is parked, after so many attempts.
    Parked(u32),
}

/// Why a delivery is still where it was.
#[derive(Debug, thiserror::Error)]
pub enum NotPlaced {
    /// The broker did not take the copy over. The original is not acked.
    #[error(
        "{queue} did not take the copy ({last:?}): it is not acked, let go of \
         the connection and it is delivered again"
    )]
    Copy {
        /// Where it was to go.
        queue: String,
        /// What was said to the last attempt.
        last: Answer,
    },
    /// The copy is there and the ack is not: it will be delivered again, too.
    #[error("the copy is placed and the original not acked: {0}")]
    Ack(#[from] ConnectionLost),
    /// The broker could not be reached.
    #[error("the broker cannot be reached: nothing was placed or acked")]
    Unreachable,
    /// The parking queue could not be read.
    #[error("the parking queue cannot be read: {0}")]
    Parking(#[from] lapin::Error),
}

/// Places copies of failed deliveries. One for each consumer; it has a
/// connection of its own, so that acks go out also while an alarm blocks
/// publishers.
pub struct Retrier {
    uri: String,
    ladder: Ladder,
    link: Option<Link>,
}

/// Each within [`CONFIRMED_WITHIN`].
const TRIES: u32 = 5;
const CONFIRMED_WITHIN: Duration = Duration::from_secs(10);

impl Retrier {
    /// Connects when it is first needed. The queues must exist:
    /// [`Ladder::declare`].
    pub fn new(uri: impl Into<String>, ladder: Ladder) -> Self {
        Self { uri: uri.into(), ladder, link: None }
    }

    /// Its queues.
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Work on it has failed: it comes again after its delay, or is parked
    /// when that was its last attempt.
    ///
    /// # Errors
    /// [`NotPlaced`].
    pub async fn failed(
        &mut self,
        delivery: &Delivery,
        why: &str,
    ) -> Result<Placed, NotPlaced> {
        match self.next(delivery) {
            Step::Again(again) => {
                self.delay(delivery, again).await?;
                Ok(Placed::Again(again))
            }
            Step::Park(attempts) => {
                self.park(delivery, attempts, why).await?;
                Ok(Placed::Parked(attempts))
            }
        }
    }

    /// What comes next, should this attempt fail.
    pub fn next(&self, delivery: &Delivery) -> Step {
        self.ladder.after(attempt_of(&delivery.properties))
    }

    /// A copy to the queue of its delay; then the ack.
    ///
    /// # Errors
    /// [`NotPlaced`].
    pub async fn delay(
        &mut self,
        delivery: &Delivery,
        again: Again,
    ) -> Result<(), NotPlaced> {
        let queue = self.ladder.queue_of(again.delay);
        self.place(&Copy::again(delivery, again.attempt), &queue).await?;
        ack(delivery).await
    }

    /// A copy to the parking queue, with why; then the ack.
    ///
    /// # Errors
    /// [`NotPlaced`].
    pub async fn park(
        &mut self,
        delivery: &Delivery,
        attempts: u32,
        why: &str,
    ) -> Result<(), NotPlaced> {
        let queue = self.ladder.parking();
        self.place(&Copy::parked(delivery, attempts, why), &queue).await?;
        ack(delivery).await
    }

    /// The cause is mended: what is parked now goes back to the work queue,
    /// each as if it were new. Returns how many did.
    ///
    /// # Errors
    /// [`NotPlaced`]; those that were not replayed are still parked.
    pub async fn replay(&mut self) -> Result<u32, NotPlaced> {
        let parking = self.ladder.parking();
        let work = self.ladder.work().to_owned();
        // What fails again meanwhile is parked again, and not replayed again.
        let parked = self.parked(&parking).await?;
        for replayed in 0..parked {
            let Some(delivery) = self.take_from(&parking).await? else {
                return Ok(replayed);
            };
            self.place(&Copy::replayed(&delivery), &work).await?;
            ack(&delivery).await?;
        }
        Ok(parked)
    }

    async fn parked(&mut self, parking: &str) -> Result<u32, NotPlaced> {
        let passive =
            QueueDeclareOptions { passive: true, ..Default::default() };
        let none = FieldTable::default();
        let channel = self.channel().await?;
        let queue = channel.queue_declare(parking.into(), passive, none);
        Ok(queue.await?.message_count())
    }

    async fn take_from(
        &mut self,
        parking: &str,
    ) -> Result<Option<Delivery>, NotPlaced> {
        let channel = self.channel().await?;
        let got = channel.basic_get(parking.into(), BasicGetOptions::default());
        Ok(got.await?.map(|got| got.delivery))
    }

    /// Publishes a copy to a queue until the broker confirms it.
    ///
    /// # Errors
    /// [`NotPlaced::Copy`]: at once where there is no such queue.
    pub async fn place(
        &mut self,
        copy: &Copy,
        queue: &str,
    ) -> Result<(), NotPlaced> {
        let mut last = Answer::Unknown;
        for _ in 0..TRIES {
            last = self.attempt(copy, queue).await;
            match last {
                Answer::Confirmed => return Ok(()),
                Answer::Returned => break,
                Answer::Unknown => self.link = None,
                Answer::Nacked => {}
            }
        }
        Err(NotPlaced::Copy { queue: queue.to_owned(), last })
    }

    async fn attempt(&mut self, copy: &Copy, queue: &str) -> Answer {
        let Ok(channel) = self.channel().await else { return Answer::Unknown };
        let mandatory =
            BasicPublishOptions { mandatory: true, ..Default::default() };
        let confirmed = async {
            let (body, properties) = (&copy.body, copy.properties.clone());
            let key = queue.into();
            let written = channel
                .basic_publish("".into(), key, mandatory, body, properties)
                .await?;
            written.await
        };
        match timeout(CONFIRMED_WITHIN, confirmed).await {
            Ok(Ok(Confirmation::Ack(None))) => Answer::Confirmed,
            // One at a time: what came back is this one.
            Ok(Ok(Confirmation::Ack(Some(_)))) => Answer::Returned,
            Ok(Ok(Confirmation::Nack(_))) => Answer::Nacked,
            Ok(Ok(Confirmation::NotRequested) | Err(_)) | Err(_) => {
                Answer::Unknown
            }
        }
    }

    async fn channel(&mut self) -> Result<Channel, NotPlaced> {
        let alive = |link: &Link| link.channel.status().connected();
        if !self.link.as_ref().is_some_and(alive) {
            self.link =
                Link::keep_trying(&self.uri, CONNECT_TRIES, CONFIRMED_WITHIN)
                    .await;
        }
        let link = self.link.as_ref().ok_or(NotPlaced::Unreachable)?;
        Ok(link.channel.clone())
    }
}

async fn ack(delivery: &Delivery) -> Result<(), NotPlaced> {
    // On a channel known to be dead, lapin writes nothing and says so.
    match written(delivery.acker.ack(BasicAckOptions::default())).await? {
        true => Ok(()),
        false => Err(ConnectionLost::before_it_was_written().into()),
    }
}
