//! What is the same in every way: a packer that gets some orders without an
//! address, and one order more when it has come to rest.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use anyhow::{Context, ensure};
use futures::{StreamExt, future::BoxFuture};
use lapin::{
    message::Delivery,
    options::{BasicAckOptions, BasicGetOptions, BasicRejectOptions},
};
use serde_json::{Value, json};

use crate::{
    demos::{
        durability::{
            bench::Work,
            depth::{Depth, Here, at_rest, show},
            expect::observe_redelivered,
            link::{Argument, Link, id_of, word},
        },
        shop::{
            orders::{ORDERS, Ran},
            packing::{Packs, Parcels},
        },
    },
    event::Unit,
    lab::{Lab, Strike::EarlyReturn},
    ledger::{Fact, MessageId, Witness},
    pattern::publisher::{ConfirmingPublisher, Outgoing},
    text,
    text::Text,
};

/// Where people look: orders that cannot be packed.
const LETTERS: &str = "no-address";
const WINDOW: usize = 100;
const RESENDS: u32 = 5;

/// Works on one order: the code under discussion.
pub type Handle = for<'a> fn(&'a Order, &'a mut Parcels) -> BoxFuture<'a, Ran>;

/// An order as it was delivered.
pub struct Order {
    /// Which.
    pub id: MessageId,
    /// Where the parcel goes, if that is known.
    pub address: Option<String>,
    delivery: Delivery,
    answered: Arc<AtomicU32>,
    lab: Lab,
}

impl Order {
    fn read(
        delivery: Delivery,
        answered: &Arc<AtomicU32>,
        lab: &Lab,
    ) -> anyhow::Result<Self> {
        let (id, answered) = (id_of(&delivery)?, Arc::clone(answered));
        let body: Value = serde_json::from_slice(&delivery.data)?;
        let address = body["address"].as_str().map(str::to_owned);
        let fact = match delivery.redelivered {
            true => Fact::Redelivered,
            false => Fact::Delivered,
        };
        lab.saw(id, fact);
        Ok(Self { id, address, delivery, answered, lab: lab.clone() })
    }

    /// It is done.
    pub async fn ack(&self) -> Ran {
        self.delivery.acker.ack(BasicAckOptions::default()).await?;
        self.lab.saw(self.id, Fact::Acked);
        self.answered.fetch_add(1, SeqCst);
        Ok(())
    }

    /// It cannot be done: to the dead letters, if the queue has any.
    pub async fn reject(&self) -> Ran {
        let for_good = BasicRejectOptions { requeue: false };
        self.delivery.acker.reject(for_good).await?;
        self.answered.fetch_add(1, SeqCst);
        Ok(())
    }
}

/// Rejected orders go where people look.
pub async fn with_dead_letters(lab: Lab, handle: Handle) -> Ran {
    let to_people = [word("x-dead-letter-exchange", ""), word(TO_KEY, LETTERS)];
    packed_until_at_rest(&lab, &to_people, handle).await
}

/// Rejected orders go nowhere.
pub async fn without_dead_letters(lab: Lab, handle: Handle) -> Ran {
    packed_until_at_rest(&lab, &[], handle).await
}

const TO_KEY: &str = "x-dead-letter-routing-key";

async fn packed_until_at_rest(
    lab: &Lab,
    queue: &[Argument],
    handle: Handle,
) -> Ran {
    lab.declare(LETTERS).await?;
    lab.declare_with(ORDERS, "classic", queue).await?;
    let before = lab.count().saturating_sub(1);
    let mut publisher =
        ConfirmingPublisher::new(lab.uri(), ORDERS, lab.witness());
    let orders = lab.messages().take(before as usize);
    let orders = orders.map(|id| outgoing(lab, id));
    publisher.publish_all(orders, WINDOW, RESENDS).await?;
    let packer = Packer::start(lab, handle).await?;
    let first = packer.at_rest(before).await?;
    let last = lab.messages().last().context("no order")?;
    let last = outgoing(lab, last);
    publisher.publish_until_confirmed(&last, RESENDS).await?;
    let then = packer.at_rest(lab.count()).await?;
    tell(lab, first, then);
    packer.link.close().await?;
    start_again(lab, then, handle).await?;
    what_is_left(lab).await
}

/// Exactly the struck orders have no address.
fn outgoing(lab: &Lab, id: MessageId) -> Outgoing {
    lab.saw(id, Fact::Accepted);
    let known = !lab.is_planned(id, EarlyReturn);
    let address = known.then(|| format!("{} High Street", id.number));
    let body = json!({ "order": id.to_string(), "address": address });
    Outgoing { id, body: body.to_string().into_bytes() }
}

/// A packer at work on one order after another.
struct Packer {
    lab: Lab,
    link: Link,
    _work: Work,
    handled: Arc<AtomicU32>,
    answered: Arc<AtomicU32>,
}

impl Packer {
    async fn start(lab: &Lab, handle: Handle) -> anyhow::Result<Self> {
        let link = Link::open(&lab.uri()).await?;
        let mut orders = link.consume(ORDERS, prefetch(lab)).await?;
        let mut parcels = Parcels::open(lab, Packs::OncePerOrder)?;
        let (handled, answered) = <(Arc<AtomicU32>, Arc<AtomicU32>)>::default();
        let (mine, acks, at) = (handled.clone(), answered.clone(), lab.clone());
        let work = Work::of(async move {
            while let Some(Ok(delivery)) = orders.next().await {
                let Ok(order) = Order::read(delivery, &acks, &at) else {
                    return;
                };
                if handle(&order, &mut parcels).await.is_err() {
                    return;
                }
                if order.address.is_none() {
                    at.struck(order.id, EarlyReturn);
                }
                mine.fetch_add(1, SeqCst);
            }
        });
        Ok(Self { lab: lab.clone(), link, _work: work, handled, answered })
    }

    /// Waits until no more of `all` come, though the packer is idle.
    async fn at_rest(&self, all: u32) -> anyhow::Result<Depth> {
        let here = || {
            let came = self.handled.load(SeqCst);
            let unacked = came.checked_sub(self.answered.load(SeqCst))?;
            Some(Here { came: came.into(), unacked: Some(unacked.into()) })
        };
        let prefetch = Some(prefetch(&self.lab));
        let depth = at_rest(&self.lab, (ORDERS, all), prefetch, here).await?;
        ensure!(self.link.channel.status().connected(), "the packer is gone");
        Ok(depth)
    }
}

/// What operators do first: whatever was unacked comes again.
async fn start_again(lab: &Lab, left: Depth, handle: Handle) -> Ran {
    let packer = Packer::start(lab, handle).await?;
    let again = packer.at_rest(left.ready + left.unacked).await?;
    packer.link.close().await?;
    let name = text! { en: "unacked again", zh: "再次未 ack" };
    lab.observe("again", name, again.unacked.into(), Unit::Count);
    lab.step(
        text! { en: "restart", zh: "重启" },
        text! {
            en: "the consumer starts again: {ready} ready, {unacked} unacked",
            zh: "消费者重启：待投递 {ready}，未 ack {unacked}",
            ready = again.ready, unacked = again.unacked
        },
    );
    Ok(())
}

/// As many may be unacked as have no address.
fn prefetch(lab: &Lab) -> u16 {
    u16::try_from(lab.plan().len()).unwrap_or(u16::MAX)
}

/// Asks the packer's table, the dead letters, and the queue: what its last
/// consumer had not acked comes with the flag.
async fn what_is_left(lab: &Lab) -> Ran {
    Parcels::open(lab, Packs::OncePerOrder)?.settle()?;
    for order in lab.left_in(LETTERS).await? {
        lab.saw(order, Fact::Parked);
    }
    let parked = lab.sums().parked;
    if parked > 0 {
        lab.came_to(text! {
            en: "{parked} of {all} parked", zh: "{all} 条中 {parked} 条转人工",
            parked = parked, all = lab.count()
        });
    }
    let link = Link::open(&lab.uri()).await?;
    let look = BasicGetOptions { no_ack: true };
    while let Some(got) = link.channel.basic_get(ORDERS.into(), look).await? {
        let order = id_of(&got.delivery)?;
        if got.delivery.redelivered {
            lab.saw(order, Fact::Redelivered);
        }
        lab.settle(order, 0, 1);
    }
    observe_redelivered(lab);
    link.close().await
}

fn tell(lab: &Lab, first: Depth, then: Depth) {
    let figures: [(&str, Text, u32); 4] = [
        ("before", text! { en: "ready before", zh: "先前待投递" }, first.ready),
        ("ready", text! { en: "ready", zh: "待投递" }, then.ready),
        ("unacked", text! { en: "unacked", zh: "未 ack" }, then.unacked),
        ("consumers", text! { en: "consumers", zh: "消费者" }, then.consumers),
    ];
    for (id, name, value) in figures {
        lab.observe(id, name, value.into(), Unit::Count);
    }
    lab.step(
        text! { en: "look", zh: "查看" },
        text! {
            en: "{ready} ready, {unacked} unacked (prefetch {prefetch}), \
                 {consumers} consumer, its channel open",
            zh: "待投递 {ready}，未 ack {unacked}（prefetch {prefetch}），\
                 消费者 {consumers} 个，channel 正常",
            ready = first.ready, unacked = first.unacked,
            prefetch = prefetch(lab), consumers = first.consumers
        },
    );
    show(lab);
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "one order more is confirmed: {ready} ready, {unacked} unacked",
            zh: "再发 1 个订单，照样确认：待投递 {ready}，未 ack {unacked}",
            ready = then.ready, unacked = then.unacked
        },
    );
}
