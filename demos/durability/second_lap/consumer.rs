//! A consumer that fails at some orders, and dies of others.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use futures::StreamExt;
use lapin::{
    message::Delivery,
    options::{BasicAckOptions, BasicRejectOptions},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::stage::{DELIVERIES, Failed, Rules, ladder};
use crate::{
    demos::{
        durability::link::{Link, id_of},
        shop::orders::{ORDERS, Ran},
    },
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Witness},
    pattern::retry::Retrier,
    text::Text,
};

const SOON: Duration = Duration::from_secs(30);
/// One at a time: nobody else's order is in its hands when it dies.
const PREFETCH: u16 = 1;
/// How often an order fails that fails.
const FAILS: u32 = 2;

/// What it has seen.
#[derive(Default)]
pub(super) struct Seen {
    orders: BTreeMap<MessageId, Order>,
    /// Deliveries of the message that is rejected by hand.
    pub by_hand: u32,
}

#[derive(Clone, Copy, Default)]
struct Order {
    /// Deliveries of which something has come.
    done: u32,
    /// Deliveries to a consumer that had died before: the broker counts them,
    /// and nobody saw them. When an order at its limit leaves with its dead
    /// consumer, the next one may be sent there (seen on 3.10).
    unseen: u32,
    packed: u16,
}

impl Seen {
    /// Whether all that can come of the orders has come, but for what the
    /// broker does with those at their limit.
    pub fn is_tried(&self, lab: &Lab, rules: Rules) -> bool {
        let is = |id: MessageId, strike| lab.is_planned(id, strike);
        lab.messages().all(|id| {
            let order = self.orders.get(&id).copied().unwrap_or_default();
            let at_its_limit = is(id, Strike::Poison)
                || rules.failed == Failed::GivenBack
                    && is(id, Strike::SecondLap);
            match at_its_limit {
                true => order.done + order.unseen >= DELIVERIES,
                false => order.packed > 0,
            }
        })
    }
}

/// A consumer at work.
pub(super) struct Working {
    seen: Arc<Mutex<Seen>>,
    stop: CancellationToken,
    task: JoinHandle<Ran>,
}

struct Consumer {
    lab: Lab,
    rules: Rules,
    retrier: Retrier,
    seen: Arc<Mutex<Seen>>,
    stop: CancellationToken,
}

/// What has become of the consumer.
enum Life {
    GoesOn,
    EndedBy(MessageId),
}

impl Working {
    pub fn start(lab: &Lab, rules: Rules) -> Self {
        let (seen, stop) = (Arc::default(), CancellationToken::new());
        let mut consumer = Consumer {
            lab: lab.clone(),
            rules,
            retrier: Retrier::new(lab.uri(), ladder()),
            seen: Arc::clone(&seen),
            stop: stop.clone(),
        };
        let task = tokio::spawn(async move { consumer.run().await });
        Self { seen, stop, task }
    }

    /// Waits until it has come so far.
    pub async fn wait(
        &self,
        lab: &Lab,
        what: Text,
        is_so: impl Fn(&Seen) -> bool,
    ) -> Ran {
        lab.wait_until(what, SOON, || async {
            ensure!(!self.task.is_finished(), "the consumer has ended");
            Ok(is_so(&lock(&self.seen)))
        })
        .await
    }

    /// How often each order was packed.
    pub async fn stop(self) -> anyhow::Result<Vec<(MessageId, u16)>> {
        self.stop.cancel();
        self.task.await??;
        let seen = lock(&self.seen);
        let packed = seen.orders.iter().map(|(id, order)| (*id, order.packed));
        Ok(packed.collect())
    }
}

impl Consumer {
    /// Each death is followed by another life, as a supervisor sees to it.
    async fn run(&mut self) -> Ran {
        let uri = self.lab.uri();
        let mut link = Link::open(&uri).await?;
        loop {
            let deliveries = link.consume(ORDERS, PREFETCH).await?;
            let Some(order) = self.live(deliveries).await? else {
                return link.close().await;
            };
            // What it holds goes back to the queue, as when a process ends.
            let (held, next) = tokio::join!(link.close(), Link::open(&uri));
            held?;
            link = next?;
            if self.done(order, 0) >= DELIVERIES {
                self.lab.struck(order, Strike::Poison);
            }
        }
    }

    /// Until it is stopped, or killed by an order.
    async fn live(
        &mut self,
        mut deliveries: lapin::Consumer,
    ) -> anyhow::Result<Option<MessageId>> {
        loop {
            let next = tokio::select! {
                next = deliveries.next() => next,
                () = self.stop.cancelled() => return Ok(None),
            };
            let delivery = next.context("the broker ended the consumer")??;
            if let Life::EndedBy(order) = self.work(&delivery).await? {
                return Ok(Some(order));
            }
        }
    }

    async fn work(&mut self, delivery: &Delivery) -> anyhow::Result<Life> {
        let Ok(id) = id_of(delivery) else {
            self.by_hand(delivery).await?;
            return Ok(Life::GoesOn);
        };
        let fact = match delivery.redelivered {
            true => Fact::Redelivered,
            false => Fact::Delivered,
        };
        self.lab.saw(id, fact);
        if delivery.redelivered {
            let mut seen = lock(&self.seen);
            seen.orders
                .entry(id)
                .or_insert(Order { unseen: 1, ..Order::default() });
        }
        if self.lab.is_planned(id, Strike::Poison) {
            return Ok(Life::EndedBy(id));
        }
        let before = lock(&self.seen).orders.get(&id).map_or(0, |o| o.done);
        if self.lab.is_planned(id, Strike::SecondLap) && before < FAILS {
            self.failed(id, delivery, before).await?;
        } else {
            delivery.acker.ack(BasicAckOptions::default()).await?;
            self.done(id, 1);
            self.lab.saw(id, Fact::Applied);
        }
        Ok(Life::GoesOn)
    }

    async fn failed(
        &mut self,
        id: MessageId,
        delivery: &Delivery,
        before: u32,
    ) -> Ran {
        match self.rules.failed {
            Failed::GivenBack => {
                let back = BasicRejectOptions { requeue: true };
                delivery.acker.reject(back).await?;
            }
            Failed::Copied => {
                // It is back after its delay, and fails again.
                if before > 0 {
                    self.lab.struck(id, Strike::SecondLap);
                }
                self.retrier.failed(delivery, "out of stock").await?;
            }
        }
        self.done(id, 0);
        Ok(())
    }

    async fn by_hand(&self, delivery: &Delivery) -> Ran {
        let times = {
            let mut seen = lock(&self.seen);
            seen.by_hand += 1;
            seen.by_hand
        };
        if times == 1 {
            let away = BasicRejectOptions { requeue: false };
            delivery.acker.reject(away).await?;
        } else {
            delivery.acker.ack(BasicAckOptions::default()).await?;
        }
        Ok(())
    }

    /// One more delivery has come to something: how many were there by now.
    fn done(&self, id: MessageId, packed: u16) -> u32 {
        let mut seen = lock(&self.seen);
        let order = seen.orders.entry(id).or_default();
        order.done += 1;
        order.packed += packed;
        order.done + order.unseen
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
