//! A relay's desk: what it can do with an order, one step at a time.

use std::time::Duration;

use crate::{
    demos::{
        producer_loss::{buffered, table},
        shop::orders::ORDERS,
    },
    lab::{Lab, Strike},
    ledger::{Fact, Witness},
    pattern::{
        buffer::{Buffer, Entry},
        outbox::{self, Moment, Outbox, OutboxError},
        publisher::{Answer, ConfirmingPublisher},
    },
};

/// How often a relay publishes an order before it goes to the table.
pub(super) const ATTEMPTS: u32 = 2;

/// The relay died here: not an error of the program, but the fault.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the relay was killed")]
pub(super) struct Died;

/// One relay.
pub(super) struct Desk {
    lab: Lab,
    name: String,
    buffer: Buffer,
    publisher: ConfirmingPublisher,
    table: Outbox,
}

impl Desk {
    /// A new relay, under a name of its own.
    pub async fn open(
        lab: &Lab,
        uri: &str,
        number: u32,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            lab: lab.clone(),
            name: format!("relay-{number}"),
            buffer: buffered::buffer(lab, lab.redis()?).await?,
            publisher: ConfirmingPublisher::new(uri, ORDERS, lab.witness()),
            table: table::open(lab)?,
        })
    }

    /// What a dead relay left, else the next one. That its predecessor is
    /// dead is known here, so it need not have been idle for any time.
    pub async fn claim(&mut self) -> anyhow::Result<Option<Entry>> {
        let left = self.buffer.take_over(&self.name, Duration::ZERO, 1).await?;
        match left.into_iter().next() {
            Some(entry) => Ok(Some(entry)),
            None => self.claim_new().await,
        }
    }

    /// The next one that nobody has claimed.
    pub async fn claim_new(&mut self) -> anyhow::Result<Option<Entry>> {
        let new = self.buffer.claim(&self.name, 1).await?;
        Ok(new.into_iter().next())
    }

    /// The next one, and out of Redis.
    pub async fn pop(&mut self) -> anyhow::Result<Option<Entry>> {
        let next = self.claim_new().await?;
        if let Some(entry) = &next {
            self.clear(entry).await?;
        }
        Ok(next)
    }

    /// Whether the broker confirmed it, after all attempts.
    pub async fn publish(&mut self, entry: &Entry) -> bool {
        for _ in 0..ATTEMPTS {
            if self.publisher.publish(&entry.message).await == Answer::Confirmed
            {
                return true;
            }
        }
        false
    }

    /// Into the table, unless it is there.
    pub async fn write_down(&mut self, entry: &Entry) -> anyhow::Result<()> {
        self.table.transaction(|tx| {
            outbox::write(tx, &entry.message, Moment::now())?;
            Ok::<_, OutboxError>(())
        })?;
        self.lab.saw(entry.message.id, Fact::Stored);
        Ok(())
    }

    /// Out of Redis.
    pub async fn clear(&mut self, entry: &Entry) -> anyhow::Result<()> {
        Ok(self.buffer.done(std::slice::from_ref(entry)).await?)
    }

    /// Here the relay may be struck.
    pub fn may_die(&self, entry: &Entry, strike: Strike) -> Result<(), Died> {
        let (lab, order) = (&self.lab, entry.message.id);
        if !lab.is_planned(order, strike) || lab.has_struck(order, strike) {
            return Ok(());
        }
        lab.struck(order, strike);
        Err(Died)
    }
}
