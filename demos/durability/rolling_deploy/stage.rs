//! What is the same in every way: instances of a packer, each replaced by the
//! next while it holds its prefetch.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use lapin::{options::QueueDeclareOptions, types::FieldTable};
use tokio::sync::watch;

use crate::{
    demos::{
        durability::{
            link::{Link, number},
            orders::publish_all,
            packed::Packed,
        },
        shop::orders::{ORDERS, Ran},
    },
    event::Unit,
    fault::wire::{Protocol, Wire},
    lab::{Lab, Strike},
    pattern::{
        consumer::Delivery,
        worker::{Acks, Worker, Working},
    },
    text,
};

/// What the broker sends ahead.
pub const PREFETCH: u32 = 10;
const LIMIT: u32 = 3;
/// How long an instance may take to work off what it was sent.
pub const GRACE: Duration = Duration::from_secs(20);
/// One more than the limit allows.
pub const DEPLOYS: u32 = LIMIT + 1;
const SOON: Duration = Duration::from_secs(20);

/// How an instance takes its leave.
type Leave = fn(Instance) -> futures::future::BoxFuture<'static, Ran>;

/// One instance after another is started, is sent its prefetch, and is told to
/// leave while it has the first order in hand. The last one stays.
pub async fn deploy_again_and_again(lab: Lab, leave: Leave) -> Ran {
    let limit = number("x-delivery-limit", LIMIT);
    lab.declare_with(ORDERS, "quorum", &[limit]).await?;
    publish_all(&lab).await?;
    let parcels = Packed::open(&lab)?;
    let wire = Arc::new(lab.wire("packer", Protocol::Amqp).await?);
    let armed = lab.is_armed(Strike::Deploy);
    let deploys = if armed { DEPLOYS } else { 0 };
    for _ in 0..deploys {
        let instance = Instance::start(&lab, &wire, &parcels).await?;
        instance.has_its_hands_full().await?;
        leave(instance).await?;
        all_back(&lab).await?;
    }
    // Each was told to leave with its hands full.
    lab.struck_once(Strike::Deploy);
    let last = Instance::start(&lab, &wire, &parcels).await?;
    last.gate.send_replace(u32::MAX);
    drained(&lab, &parcels).await?;
    last.working.stop().await;
    parcels.settle(ORDERS).await?;
    tell(&lab, deploys, wire.traffic().deliveries);
    Ok(())
}

/// A packer that finishes only as many orders as it may, so that it can be
/// told to leave at a chosen moment.
pub struct Instance {
    lab: Lab,
    wire: Arc<Wire>,
    parcels: Packed,
    packed_before: u32,
    sent_before: u64,
    /// Up to how many packed orders, over all instances, it may finish.
    gate: watch::Sender<u32>,
    /// Whether it has an order in hand.
    begun: watch::Receiver<bool>,
    /// What an application would hold.
    working: Working,
}

impl Instance {
    async fn start(
        lab: &Lab,
        wire: &Arc<Wire>,
        parcels: &Packed,
    ) -> anyhow::Result<Self> {
        let worker = Worker {
            uri: lab.uri_through(wire),
            queue: ORDERS.to_owned(),
            prefetch: PREFETCH as u16,
            at_once: 1,
            acks: Acks::Manual,
            witness: lab.witness(),
        };
        let packed_before = parcels.count()?;
        let (gate, allowed) = watch::channel(packed_before);
        let (begins, begun) = watch::channel(false);
        let books = parcels.clone();
        let pack = move |order: Delivery| {
            let (books, mut allowed) = (books.clone(), allowed.clone());
            begins.send_replace(true);
            async move {
                let packed = books.count().unwrap_or(u32::MAX);
                let may = allowed.wait_for(|up_to| packed < *up_to);
                let may = may.await.is_ok();
                // What cannot be acked any more comes again.
                if may && books.pack(&[order.id]).is_ok() {
                    let _ = order.ack().await;
                }
            }
        };
        Ok(Self {
            lab: lab.clone(),
            wire: wire.clone(),
            parcels: parcels.clone(),
            packed_before,
            sent_before: wire.traffic().deliveries,
            gate,
            begun,
            working: worker.start(pack).await?,
        })
    }

    /// Finishes so many orders, and begins no other; the broker sends others
    /// in their place.
    pub async fn finish(&self, orders: u32) -> Ran {
        let up_to = self.packed_before + orders;
        self.gate.send_replace(up_to);
        let what = text! { en: "the orders in hand", zh: "手头的订单" };
        let done = || async { Ok(self.parcels.count()? >= up_to) };
        self.lab.wait_until(what, SOON, done).await?;
        self.holds_its_prefetch().await
    }

    /// Stops the worker. The order in hand is finished only once the broker has
    /// heard of it: before, its ack would call for another one.
    pub async fn stop_within(self, patience: Duration) -> Ran {
        let before = self.wire.traffic().cancelled;
        let cancelled = async {
            let what = text! { en: "the cancel", zh: "取消订阅" };
            let heard = || async { Ok(self.wire.traffic().cancelled > before) };
            self.lab.wait_until(what, SOON, heard).await?;
            self.gate.send_replace(u32::MAX);
            Ok(())
        };
        let stopped = self.working.stop_within(patience);
        futures::future::join(stopped, cancelled).await.1
    }

    /// The process ends, and its connection with it.
    pub async fn exit(self) -> Ran {
        drop(self.working);
        Ok(())
    }

    /// Waits until it has an order in hand, and the broker has sent as much as
    /// it sends ahead.
    async fn has_its_hands_full(&self) -> Ran {
        let what = text! { en: "an order in hand", zh: "手头有订单" };
        let begun = || async { Ok(*self.begun.borrow()) };
        self.lab.wait_until(what, SOON, begun).await?;
        self.holds_its_prefetch().await
    }

    /// What the queue has given out must have come through the wire as well: it
    /// is counted there.
    async fn holds_its_prefetch(&self) -> Ran {
        let what = text! {
            en: "the prefetch to be sent", zh: "预取的订单推来"
        };
        let packed = self.parcels.count()?;
        let left = self.lab.count() - packed;
        let sent = u64::from(PREFETCH + packed - self.packed_before);
        let sent = || async {
            let came = self.wire.traffic().deliveries - self.sent_before;
            Ok(came >= sent && self.lab.ready(ORDERS).await? + PREFETCH <= left)
        };
        self.lab.wait_until(what, SOON, sent).await
    }
}

/// Waits until the broker has forgotten the last instance: in the same step it
/// has taken back, or given up, what that held.
async fn all_back(lab: &Lab) -> Ran {
    let what = text! {
        en: "the old instance to be gone", zh: "旧实例离开"
    };
    let link = Link::open(&lab.uri()).await?;
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    lab.wait_until(what, SOON, || async {
        let none = FieldTable::default();
        let seen = link.channel.queue_declare(ORDERS.into(), passive, none);
        Ok(seen.await?.consumer_count() == 0)
    })
    .await?;
    link.close().await
}

/// Waits until the last instance has packed whatever the queue still had.
async fn drained(lab: &Lab, parcels: &Packed) -> Ran {
    let what = text! { en: "the queue to be empty", zh: "队列消费完" };
    // The last order was never sent to anybody before: behind it is nothing.
    let last = lab.messages().last();
    let last = last.context("no orders")?;
    lab.wait_until(what, SOON, || async { parcels.has(last) }).await
}

/// What the broker sent is counted on the wire: also what was never looked at.
fn tell(lab: &Lab, deploys: u32, sent: u64) {
    let (lost, all) = (lab.sums().lost, u64::from(lab.count()));
    let name = text! { en: "deliveries", zh: "投递次数" };
    lab.observe("sent", name, sent as f64, Unit::Count);
    let again = sent.saturating_sub(all);
    lab.step(
        text! { en: "deploy", zh: "发版" },
        text! {
            en: "{deploys} times, {prefetch} unacked each time: {again} sent \
                 again, {lost} gone",
            zh: "{deploys} 次，每次 {prefetch} 条未 ack：重新投递 {again} 次，\
                 丢 {lost} 单",
            deploys = deploys, prefetch = PREFETCH, again = again, lost = lost
        },
    );
    if lost == 0 {
        lab.came_to(text! {
            en: "{again} sent again", zh: "重新投递 {again} 次", again = again
        });
    }
}
