//! What is the same in every way: orders are packed side by side, some are
//! slow, the packer dies over these, and another takes over.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use futures::{StreamExt, future::BoxFuture};
use lapin::{Channel, Consumer, options::BasicAckOptions};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    demos::{
        durability::{
            bench::{Bench, Work, back_in, lock},
            depth::{Depth, Here, at_rest},
            expect::observe_redelivered,
            link::{Link, id_of},
        },
        shop::{
            orders::{ORDERS, Ran, publish_orders},
            packing::{Packs, pack},
        },
    },
    event::Unit,
    fault::wire::{Protocol, Wire},
    lab::Lab,
    ledger::{Fact, MessageId, Witness},
    text,
};

/// Acks what may be acked, now that these tags are done: the code under
/// discussion.
pub type Ack =
    for<'a> fn(&'a BTreeSet<u64>, &'a mut Acks) -> BoxFuture<'a, Ran>;

/// So many may be unacked besides the slow ones.
pub const MORE: u16 = 10;

/// The acks of one channel.
pub struct Acks {
    /// All up to this tag are acked.
    pub acked: u64,
    done: BTreeSet<u64>,
    came: BTreeMap<u64, MessageId>,
    channel: Channel,
    lab: Lab,
}

impl Acks {
    /// Acks all up to this tag in one frame. A tag that was covered before is
    /// not acked again: the broker would know it no more, and close the
    /// channel (406, "unknown delivery tag").
    pub async fn up_to(&mut self, tag: Option<u64>) -> Ran {
        let Some(tag) = tag.filter(|tag| *tag > self.acked) else {
            return Ok(());
        };
        let multiple = BasicAckOptions { multiple: true };
        self.channel.basic_ack(tag, multiple).await?;
        for (covered, order) in self.came.range(self.acked + 1..=tag) {
            let fact = match self.done.contains(covered) {
                true => Fact::Acked,
                false => Fact::AckedUndone,
            };
            self.lab.saw(*order, fact);
        }
        self.acked = tag;
        Ok(())
    }
}

/// Packs as many side by side as may be unacked, until the slow ones are all
/// in work and nothing moves any more; then it dies over them.
pub async fn packed_side_by_side(lab: &Lab, packs: Packs, ack: Ack) -> Ran {
    publish_orders(lab).await?;
    let wire = lab.wire("packer", Protocol::Amqp).await?;
    let bench = Bench::open(lab, packs)?;
    let packer = Packer::start(lab, &wire, &bench, ack).await?;
    bench.is_laden().await?;
    let depth = packer.at_rest(lab, &wire, &bench).await?;
    if bench.is_mortal() {
        tell(lab, &bench, depth);
        bench.dies(&wire, packer).await?;
        back_in(lab, ORDERS, depth.ready + depth.unacked).await?;
    } else {
        packer.link.close().await?;
    }
    pack(lab, ORDERS, packs).await?;
    observe_redelivered(lab);
    Ok(())
}

/// A packer at work. Dropping it ends it at once.
struct Packer {
    link: Link,
    _work: Work,
    acked: Arc<Mutex<Acked>>,
}

/// How far a packer is with its acks.
#[derive(Clone, Copy, Default)]
struct Acked {
    /// Parcels that it has thought about acking.
    considered: u32,
    /// All up to this tag are acked.
    acked: u64,
}

impl Packer {
    async fn start(
        lab: &Lab,
        wire: &Wire,
        bench: &Bench,
        ack: Ack,
    ) -> anyhow::Result<Self> {
        let link = Link::open(&lab.uri_through(wire)).await?;
        let consumer = link.consume(ORDERS, prefetch(lab)).await?;
        let acks = Acks {
            acked: 0,
            done: BTreeSet::new(),
            came: BTreeMap::new(),
            channel: link.channel.clone(),
            lab: lab.clone(),
        };
        let acked = Arc::default();
        let (bench, so_far) = (bench.clone(), Arc::clone(&acked));
        let work = Work::of(async move {
            bench.note(work(consumer, &bench, acks, ack, &so_far).await);
        });
        Ok(Self { link, _work: work, acked })
    }

    /// Waits until nothing moves any more.
    async fn at_rest(
        &self,
        lab: &Lab,
        wire: &Wire,
        bench: &Bench,
    ) -> anyhow::Result<Depth> {
        let here = || {
            let (packed, held) = (bench.packed(), bench.held());
            let Acked { considered, acked } = *lock(&self.acked);
            let came = wire.traffic().deliveries;
            let idle = considered == packed && u64::from(packed + held) == came;
            // Tags begin at 1 and leave none out.
            let unacked = Some(came.saturating_sub(acked));
            idle.then_some(Here { came, unacked })
        };
        let orders = (ORDERS, lab.count());
        at_rest(lab, orders, Some(prefetch(lab)), here).await
    }
}

/// Packs each delivery in a task of its own; whenever some are done, it is
/// asked how far may be acked.
async fn work(
    mut consumer: Consumer,
    bench: &Bench,
    mut acks: Acks,
    ack: Ack,
    so_far: &Mutex<Acked>,
) -> Ran {
    let (finished, mut ends) = mpsc::unbounded_channel();
    let mut in_work = JoinSet::new();
    loop {
        tokio::select! {
            Some(delivery) = consumer.next() => {
                let delivery = delivery?;
                let (tag, order) = (delivery.delivery_tag, id_of(&delivery)?);
                acks.lab.saw(order, Fact::Delivered);
                acks.came.insert(tag, order);
                let (bench, finished) = (bench.clone(), finished.clone());
                in_work.spawn(async move {
                    bench.note(bench.pack(order).await);
                    let _ = finished.send(tag);
                });
            }
            Some(tag) = ends.recv() => {
                acks.done.insert(tag);
                while let Ok(tag) = ends.try_recv() {
                    acks.done.insert(tag);
                }
                let done = acks.done.clone();
                ack(&done, &mut acks).await?;
                let considered = u32::try_from(done.len())?;
                *lock(so_far) = Acked { considered, acked: acks.acked };
            }
            else => return Ok(()),
        }
        while in_work.try_join_next().is_some() {}
    }
}

fn prefetch(lab: &Lab) -> u16 {
    u16::try_from(lab.plan().len()).unwrap_or(u16::MAX).saturating_add(MORE)
}

fn tell(lab: &Lab, bench: &Bench, depth: Depth) {
    let name = text! { en: "unacked", zh: "未 ack" };
    lab.observe("unacked", name, depth.unacked.into(), Unit::Count);
    let (held, packed) = (bench.held(), bench.packed());
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "prefetch {prefetch}: {packed} packed, {held} in work; queue: \
                 {ready} ready, {unacked} unacked",
            zh: "prefetch {prefetch}：打包完 {packed} 个，还在做 {held} 个；\
                 队列：待投递 {ready}，未 ack {unacked}",
            prefetch = prefetch(lab), packed = packed, held = held,
            ready = depth.ready, unacked = depth.unacked
        },
    );
}
