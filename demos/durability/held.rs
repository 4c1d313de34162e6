//! A delivery in somebody's hands, and acks that come too late.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use lapin::{Acker, message::Delivery, options::BasicAckOptions};
use tokio::time::timeout;

use super::link::id_of;
use crate::{
    lab::Lab,
    ledger::{Fact, MessageId, Witness},
};

/// A delivery that is worked on.
pub(super) struct Held {
    /// Which order it is.
    pub id: MessageId,
    /// The broker's flag.
    pub redelivered: bool,
    acker: Acker,
    acked: AtomicBool,
    late: LateAcks,
    lab: Lab,
}

/// The acks of orders that the broker had given to another meanwhile. Cheap to
/// clone.
#[derive(Clone, Default)]
pub(super) struct LateAcks(Arc<Counts>);

#[derive(Default)]
struct Counts {
    all: AtomicU32,
    errors: AtomicU32,
}

/// Writing a frame takes microseconds, on a busy machine longer. On a dying
/// connection lapin (4.12) may never answer.
const WRITTEN_WITHIN: Duration = Duration::from_secs(2);

impl Held {
    /// Takes a delivery in hand.
    pub fn take(
        delivery: Delivery,
        late: &LateAcks,
        lab: &Lab,
    ) -> anyhow::Result<Self> {
        let (id, redelivered) = (id_of(&delivery)?, delivery.redelivered);
        lab.saw(
            id,
            match redelivered {
                true => Fact::Redelivered,
                false => Fact::Delivered,
            },
        );
        let (late, lab) = (late.clone(), lab.clone());
        Ok(Self {
            id,
            redelivered,
            acker: delivery.acker,
            acked: AtomicBool::new(false),
            late,
            lab,
        })
    }

    /// Tells the broker that it is done with, and goes on, whatever comes of
    /// that: on a channel that is dead lapin says `Ok(false)`.
    pub async fn ack(&self) {
        let late = !self.redelivered && self.is_with_another();
        let ack = self.acker.ack(BasicAckOptions::default());
        let said = timeout(WRITTEN_WITHIN, ack).await;
        let is_error = !matches!(said, Ok(Ok(_)));
        if late {
            self.late.0.all.fetch_add(1, Ordering::Relaxed);
            let error = u32::from(is_error);
            self.late.0.errors.fetch_add(error, Ordering::Relaxed);
        }
        self.acked.store(true, Ordering::Relaxed);
        if matches!(said, Ok(Ok(true))) {
            self.lab.saw(self.id, Fact::Acked);
        }
    }

    /// Whether it was acked here, in time or not.
    pub fn is_acked(&self) -> bool {
        self.acked.load(Ordering::Relaxed)
    }

    /// Whether the channel that it came on is gone, as far as the client
    /// knows: then the broker has taken it back.
    pub fn is_taken_back(&self) -> bool {
        self.acker.poisoned()
    }

    /// Whether the broker has delivered it more than once.
    pub fn is_with_another(&self) -> bool {
        is_with_another(&self.lab, self.id)
    }
}

/// Whether the broker has delivered this order more than once.
pub(super) fn is_with_another(lab: &Lab, order: MessageId) -> bool {
    lab.entry(order).is_some_and(|entry| entry.delivered > 1)
}

impl LateAcks {
    /// How many there were, and how many ended in an error.
    pub fn counts(&self) -> (u32, u32) {
        let Counts { all, errors } = &*self.0;
        (all.load(Ordering::Relaxed), errors.load(Ordering::Relaxed))
    }
}
