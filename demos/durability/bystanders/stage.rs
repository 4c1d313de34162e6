//! What is the same in every way: a packer that packs what it was sent in one
//! transaction, and is started again whenever it dies.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures::StreamExt;
use lapin::options::{BasicAckOptions, QueueDeclareOptions};
use tokio::time::timeout;

use crate::{
    demos::{
        durability::{
            link::{Link, id_of, number, word},
            orders::publish_all,
            packed::Packed,
        },
        shop::orders::{ORDERS, Ran},
    },
    event::Unit,
    fault::wire::{Protocol, Wire},
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Witness},
    text,
};

/// What the ways do differently.
pub struct How {
    /// So many unacked at a time, packed in one transaction.
    pub prefetch: u16,
    /// Whether what the queue gives up goes where people look.
    pub parks: bool,
}

/// A prefetch of ten.
pub const TEN: u16 = 10;
const LIMIT: u32 = 5;
/// One more than the limit allows.
pub const CRASHES: u32 = LIMIT + 1;
/// A queue that gives up later than that does not give up.
const TOO_MANY: u32 = 5 * CRASHES;

/// Where people look.
const PARKED: &str = "orders.parked";
const SOON: Duration = Duration::from_secs(20);

/// The packer is started, and started again, until its queue is empty.
pub async fn crash_and_restart(lab: &Lab, how: How) -> Ran {
    lab.declare(PARKED).await?;
    let mut arguments = vec![number("x-delivery-limit", LIMIT)];
    if how.parks {
        arguments.push(word("x-dead-letter-exchange", ""));
        arguments.push(word("x-dead-letter-routing-key", PARKED));
    }
    lab.declare_with(ORDERS, "quorum", &arguments).await?;
    publish_all(lab).await?;
    let parcels = Packed::open(lab)?;
    let mut crashes = 0;
    let mut left = nobody_consumes(lab).await?;
    while left > 0 {
        let killed_by = run(lab, &parcels, &how, left).await?;
        left = nobody_consumes(lab).await?;
        if let Some(poison) = killed_by {
            lab.hit(poison, Strike::Poison);
            crashes += 1;
        }
        ensure!(crashes < TOO_MANY, "{crashes} crashes and no end");
    }
    let packed = parcels.count()?;
    if how.parks {
        all_parked(lab, lab.count() - packed).await?;
    }
    for order in lab.left_in(PARKED).await? {
        lab.saw(order, Fact::Parked);
    }
    parcels.settle(ORDERS).await?;
    tell(lab, &how, crashes);
    Ok(())
}

/// A packer's life: it packs what is left, a batch at a time, or dies. Returns
/// what killed it.
async fn run(
    lab: &Lab,
    parcels: &Packed,
    how: &How,
    mut left: u32,
) -> anyhow::Result<Option<MessageId>> {
    let wire = Wire::open("packer", lab.broker().amqp, Protocol::Amqp, |_| {});
    let wire = wire.await?;
    let link = Link::open(&lab.uri_through(&wire)).await?;
    let mut orders = link.consume(ORDERS, how.prefetch).await?;
    while left > 0 {
        let mut batch = Vec::new();
        while batch.len() < usize::from(how.prefetch).min(left as usize) {
            let order = timeout(SOON, orders.next()).await?;
            let order = order.context("the consumer was cancelled")??;
            saw(lab, id_of(&order)?, order.redelivered);
            batch.push(order);
        }
        let ids: Vec<_> = batch.iter().map(id_of).collect::<Result<_, _>>()?;
        if let Some(poison) = ids.iter().find(|id| is_poison(lab, **id)) {
            // The transaction dies with the process, and all acks with it.
            drop(wire);
            ids.iter().for_each(|held| lab.saw(*held, Fact::Killed));
            return Ok(Some(*poison));
        }
        parcels.pack(&ids)?;
        for order in &batch {
            order.acker.ack(BasicAckOptions::default()).await?;
        }
        left -= batch.len() as u32;
    }
    link.close().await?;
    Ok(None)
}

fn is_poison(lab: &Lab, order: MessageId) -> bool {
    lab.is_planned(order, Strike::Poison)
}

fn saw(lab: &Lab, order: MessageId, redelivered: bool) {
    if redelivered {
        return lab.saw(order, Fact::Redelivered);
    }
    lab.saw(order, Fact::Delivered);
    if is_poison(lab, order) {
        lab.saw(order, Fact::Poisoned);
    }
}

/// Waits until the broker has forgotten the last packer, and with it taken
/// back, or given up, what that held; then it holds so many.
async fn nobody_consumes(lab: &Lab) -> anyhow::Result<u32> {
    let link = Link::open(&lab.uri()).await?;
    let look = || async {
        let passive =
            QueueDeclareOptions { passive: true, ..Default::default() };
        let none = lapin::types::FieldTable::default();
        link.channel.queue_declare(ORDERS.into(), passive, none).await
    };
    let what = text! {
        en: "the packer's connection to be gone", zh: "打包进程的连接断开"
    };
    lab.wait_until(what, SOON, || async {
        Ok(look().await?.consumer_count() == 0)
    })
    .await?;
    let left = look().await?.message_count();
    link.close().await?;
    Ok(left)
}

async fn all_parked(lab: &Lab, all: u32) -> Ran {
    let what = text! { en: "the dead letters to arrive", zh: "死信到达" };
    let arrived = || async { Ok(lab.ready(PARKED).await? >= all) };
    lab.wait_until(what, SOON, arrived).await
}

fn tell(lab: &Lab, how: &How, crashes: u32) {
    let name = text! { en: "crashes", zh: "崩溃次数" };
    lab.observe("crashes", name, crashes.into(), Unit::Count);
    let sums = lab.sums();
    let (parked, lost, done) = (sums.parked, sums.lost, sums.applied);
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "{crashes} crashes, {unacked} unacked each time: {parked} \
                 dead-lettered, {done} done",
            zh: "崩溃 {crashes} 次，每次 {unacked} 条未 ack：死信 {parked} 条，\
                 完成 {done} 个",
            crashes = crashes, unacked = how.prefetch, parked = parked,
            done = done
        },
    );
    if lost == 0 {
        lab.came_to(text! {
            en: "{parked} of {all} dead-lettered", zh: "{all} 条中 {parked} 条进死信",
            parked = parked, all = lab.count()
        });
    }
}
