//! The queues of a retry, and which comes next. Pure but for
//! [`Ladder::declare`].

use std::time::Duration;

use lapin::{
    Channel,
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
};

/// The delays of a work queue, one after each failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    work: String,
    delays: Vec<Duration>,
}

/// A retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// Which attempt it is, counted from 1: the first retry is the second.
    pub attempt: u32,
    /// After how long.
    pub delay: Duration,
}

/// What comes after an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One more.
    Again(Again),
    /// It was the last of so many.
    Park(u32),
}

/// Each delay is so many times the one before.
const FACTOR: u32 = 4;

impl Ladder {
    /// For the queue `work`: `retries` delays, the first so long and each
    /// further one four times as long.
    pub fn growing(work: &str, first: Duration, retries: u32) -> Self {
        let delays = (0..retries)
            .map(|n| first.saturating_mul(FACTOR.saturating_pow(n)));
        Self { work: work.to_owned(), delays: delays.collect() }
    }

    /// The queue that is worked on.
    pub fn work(&self) -> &str {
        &self.work
    }

    /// How often a message is attempted before it is parked.
    pub fn attempts(&self) -> u32 {
        u32::try_from(self.delays.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// What comes after this attempt, counted from 1, has failed.
    pub fn after(&self, attempt: u32) -> Step {
        let attempt = attempt.max(1);
        match self.delays.get(attempt as usize - 1) {
            Some(delay) => {
                Step::Again(Again { attempt: attempt + 1, delay: *delay })
            }
            None => Step::Park(attempt),
        }
    }

    /// The queue of a delay. The delay is in its name: a queue's TTL cannot be
    /// changed by declaring it anew (406), and what waits in the old one must
    /// still come back.
    pub fn queue_of(&self, delay: Duration) -> String {
        format!("{}.retry.{}ms", self.work, delay.as_millis())
    }

    /// The queues of all delays.
    pub fn queues(&self) -> Vec<String> {
        self.delays.iter().map(|delay| self.queue_of(*delay)).collect()
    }

    /// Where people look.
    pub fn parking(&self) -> String {
        format!("{}.parked", self.work)
    }

    /// Declares the queues of the delays and the parking queue, durable and
    /// quorum. The work queue is the application's own.
    ///
    /// # Errors
    /// What the broker says: 406 where one exists with other arguments.
    pub async fn declare(&self, channel: &Channel) -> lapin::Result<()> {
        for delay in &self.delays {
            let queue = self.queue_of(*delay);
            declare(channel, &queue, self.back_after(*delay)).await?;
        }
        declare(channel, &self.parking(), vec![]).await
    }

    /// Back to the work queue when the delay is over, at least once.
    fn back_after(&self, delay: Duration) -> Vec<Argument> {
        let ttl = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        let mut arguments = back_to(&self.work);
        arguments.push(("x-message-ttl", AMQPValue::LongLongInt(ttl)));
        arguments
    }
}

/// An argument of a queue.
type Argument = (&'static str, AMQPValue);

/// What expires goes back to this queue by way of the default exchange, and
/// is kept until that queue has confirmed it.
fn back_to(work: &str) -> Vec<Argument> {
    vec![
        word("x-dead-letter-exchange", ""),
        word("x-dead-letter-routing-key", work),
        word("x-dead-letter-strategy", "at-least-once"),
        // Without this the strategy falls back to at most once.
        word("x-overflow", "reject-publish"),
    ]
}

fn word(key: &'static str, value: &str) -> Argument {
    (key, AMQPValue::LongString(value.into()))
}

async fn declare(
    channel: &Channel,
    queue: &str,
    arguments: Vec<Argument>,
) -> lapin::Result<()> {
    let mut table = FieldTable::default();
    for (key, value) in
        arguments.into_iter().chain([word("x-queue-type", "quorum")])
    {
        table.insert(key.into(), value);
    }
    let durable = QueueDeclareOptions::durable();
    channel.queue_declare(queue.into(), durable, table).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn again(attempt: u32, ms: u32) -> Step {
        Step::Again(Again { attempt, delay: MS * ms })
    }

    #[test]
    fn each_delay_is_four_times_the_one_before_and_then_it_is_parked() {
        let ladder = Ladder::growing("orders", MS * 250, 3);
        assert_eq!(ladder.after(1), again(2, 250));
        assert_eq!(ladder.after(2), again(3, 1_000));
        assert_eq!(ladder.after(3), again(4, 4_000));
        assert_eq!(ladder.after(4), Step::Park(4));
        assert_eq!(ladder.attempts(), 4);
    }

    #[test]
    fn an_attempt_beyond_the_last_is_parked_and_none_is_the_first() {
        let ladder = Ladder::growing("orders", MS * 250, 1);
        assert_eq!(ladder.after(u32::MAX), Step::Park(u32::MAX));
        assert_eq!(ladder.after(0), again(2, 250));
    }

    #[test]
    fn without_retries_the_first_failure_is_parked() {
        let ladder = Ladder::growing("orders", MS, 0);
        assert_eq!(ladder.after(1), Step::Park(1));
        assert!(ladder.queues().is_empty());
    }

    #[test]
    fn a_delay_has_a_queue_of_its_own_with_its_ttl_in_the_name() {
        let ladder = Ladder::growing("orders", MS * 250, 2);
        assert_eq!(
            ladder.queues(),
            ["orders.retry.250ms", "orders.retry.1000ms"]
        );
        assert_eq!(ladder.parking(), "orders.parked");
        assert!(
            ladder
                .back_after(MS * 250)
                .contains(&("x-message-ttl", AMQPValue::LongLongInt(250)))
        );
    }

    #[test]
    fn delays_that_no_clock_can_measure_do_not_overflow() {
        let ladder = Ladder::growing("orders", Duration::MAX, 40);
        assert_eq!(ladder.attempts(), 41);
        assert!(matches!(ladder.after(40), Step::Again(_)));
        assert!(!ladder.back_after(Duration::MAX).is_empty());
    }
}
