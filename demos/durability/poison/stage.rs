//! What is the same in every way: orders, some of which cannot be packed, and
//! a packer who tries.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Context;
use lapin::{
    options::{BasicAckOptions, BasicGetOptions},
    types::AMQPValue,
};

use crate::{
    demos::{
        durability::{
            link::{Argument, Link, id_of, number, word},
            orders::publish_all,
            packed::Packed,
        },
        shop::orders::{ORDERS, Ran, publish_again},
    },
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Witness},
    pattern::{
        consumer::Delivery,
        worker::{Acks, Worker, Working},
    },
    text,
    text::Text,
};

/// What the ways do differently.
pub struct How {
    /// The type of the queue.
    pub queue: &'static str,
    /// Its `x-delivery-limit`.
    pub limit: Option<u16>,
    /// Whether what it gives up goes where people look.
    pub parks: bool,
    /// How the packer says that it failed.
    pub signal: Signal,
    /// What people do about what they find there.
    pub replay: Replay,
}

/// How a consumer says that it failed, and wants it to be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `basic.nack`, requeue.
    Nack,
    /// `basic.reject`, requeue.
    Reject,
}

/// What is done about what was parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// Nothing.
    Never,
    /// It is published again when the packer can pack it.
    OnceMended,
    /// It is published again at once.
    Unmended,
}

/// Deliveries that may fail before one more is too many.
pub const LIMIT: u16 = 5;
/// That of a quorum queue that was given none, from RabbitMQ 4.0 on.
const BROKERS_OWN_LIMIT: u16 = 20;
/// Endless is said of more than five times as many.
pub const ENDLESS: u16 = 5 * LIMIT + 1;

/// Where people look.
const PARKED: &str = "orders.parked";
/// More than there are poison orders, so that the others get through; and no
/// more than 32, so that no answer waits in the channel.
const PREFETCH: u16 = 32;
const SOON: Duration = Duration::from_secs(30);

impl How {
    fn arguments(&self) -> Vec<Argument> {
        let limit =
            self.limit.map(|limit| number("x-delivery-limit", limit.into()));
        let parks = self.parks.then(|| {
            [
                word("x-dead-letter-exchange", ""),
                word("x-dead-letter-routing-key", PARKED),
            ]
        });
        limit.into_iter().chain(parks.into_iter().flatten()).collect()
    }

    /// How often a poison order is delivered before it is given up. `None`: as
    /// often as anybody asks for it.
    pub fn gives_up_after(&self, version: (u16, u16)) -> Option<u16> {
        match (self.queue, self.limit) {
            ("quorum", Some(limit)) => Some(limit + 1),
            ("quorum", None) => default_limit(version).map(|limit| limit + 1),
            _ => None,
        }
    }
}

/// The limit of a quorum queue that was given none.
pub fn default_limit(version: (u16, u16)) -> Option<u16> {
    (version >= (4, 0)).then_some(BROKERS_OWN_LIMIT)
}

/// All orders are published and packed, but for those that cannot be. These
/// come again until their queue gives them up, or have come often enough to
/// call it endless; then people do what they do about it.
pub async fn pack_beside_poison(lab: &Lab, how: How) -> Ran {
    lab.declare(PARKED).await?;
    lab.declare_with(ORDERS, how.queue, &how.arguments()).await?;
    publish_all(lab).await?;
    let packer = Packer::start(lab, how.signal).await?;
    let poison = poison(lab);
    packer.packs_all(lab, lab.count() - poison.len() as u32).await?;
    let given_up = how.gives_up_after(lab.version());
    all_came(lab, &poison, given_up.unwrap_or(ENDLESS)).await?;
    packer.tell(lab, &how, &poison, given_up);
    if given_up.is_some() && how.parks {
        all_parked(lab, poison.len()).await?;
        replay(lab, &how, &packer, &poison).await?;
    }
    packer.close(lab).await
}

/// The orders that cannot be packed.
fn poison(lab: &Lab) -> Vec<MessageId> {
    let is_poison = |order: &MessageId| is_poison(lab, *order);
    lab.messages().filter(is_poison).collect()
}

fn is_poison(lab: &Lab, order: MessageId) -> bool {
    lab.is_planned(order, Strike::Poison)
}

/// Waits until each of these was delivered so often.
async fn all_came(lab: &Lab, orders: &[MessageId], times: u16) -> Ran {
    let what = text! {
        en: "every poison order to come {times} times",
        zh: "每个毒订单都投递 {times} 次", times = times
    };
    let came = |order: &MessageId| {
        lab.entry(*order).is_some_and(|entry| entry.delivered >= times)
    };
    lab.wait_until(what, SOON, || async { Ok(orders.iter().all(came)) }).await
}

/// Waits until so many are where people look.
async fn all_parked(lab: &Lab, all: usize) -> Ran {
    let what = text! {
        en: "the dead letters to arrive", zh: "死信到达"
    };
    lab.wait_until(what, SOON, || async {
        Ok(lab.ready(PARKED).await? as usize >= all)
    })
    .await
}

/// Somebody looks, and does something about it or not.
async fn replay(
    lab: &Lab,
    how: &How,
    packer: &Packer,
    poison: &[MessageId],
) -> Ran {
    if how.replay == Replay::Never {
        return Ok(());
    }
    if how.replay == Replay::OnceMended {
        packer.mended.store(true, Relaxed);
    }
    let reasons = publish_parked(lab, poison.len()).await?;
    lab.step(
        text! { en: "replay", zh: "重放" },
        text! {
            en: "{all} parked, x-first-death-reason is {reason}: published again",
            zh: "人工队列 {all} 个，x-first-death-reason 写着 {reason}：重新发布",
            all = reasons.len(),
            reason = reasons.first().map_or("-", String::as_str)
        },
    );
    if how.replay == Replay::OnceMended {
        return packer.packs_all(lab, lab.count()).await;
    }
    let rounds = 2 * how.gives_up_after(lab.version()).unwrap_or(ENDLESS);
    all_came(lab, poison, rounds).await?;
    all_parked(lab, poison.len()).await
}

/// Publishes again so many that are parked, and takes each from there only
/// when it is confirmed: who dies in between has it twice, and never not at
/// all. Returns why each was dead-lettered.
async fn publish_parked(lab: &Lab, all: usize) -> anyhow::Result<Vec<String>> {
    let link = Link::open(&lab.uri()).await?;
    let mut reasons = Vec::new();
    for _ in 0..all {
        let look = BasicGetOptions::default();
        let parked = link.channel.basic_get(PARKED.into(), look).await?;
        let parked = parked.context("nothing parked any more")?;
        let order = id_of(&parked.delivery)?;
        lab.saw(order, Fact::Parked);
        let headers = parked.delivery.properties.headers().as_ref();
        let why =
            headers.and_then(|all| all.inner().get("x-first-death-reason"));
        if let Some(AMQPValue::LongString(why)) = why {
            reasons.push(why.to_string());
        }
        publish_again(lab, ORDERS, [order]).await?;
        parked.delivery.acker.ack(BasicAckOptions::default()).await?;
    }
    link.close().await?;
    Ok(reasons)
}

struct Packer {
    working: Working,
    parcels: Packed,
    mended: Arc<AtomicBool>,
}

impl Packer {
    /// Packs what can be packed, and says of everything else that it failed.
    async fn start(lab: &Lab, signal: Signal) -> anyhow::Result<Self> {
        let worker = Worker {
            uri: lab.uri(),
            queue: ORDERS.to_owned(),
            prefetch: PREFETCH,
            at_once: 1,
            acks: Acks::Manual,
            witness: lab.witness(),
        };
        let parcels = Packed::open(lab)?;
        let mended = Arc::<AtomicBool>::default();
        let (books, is_mended) = (parcels.clone(), Arc::clone(&mended));
        let lab = lab.clone();
        let work = move |order: Delivery| {
            let (lab, books) = (lab.clone(), books.clone());
            let fails = is_poison(&lab, order.id) && !is_mended.load(Relaxed);
            async move {
                // What cannot be answered any more comes again.
                let _ = match fails {
                    false if books.pack(&[order.id]).is_ok() => {
                        order.ack().await
                    }
                    _ => {
                        fail(&lab, order.id);
                        signal.give(&order).await
                    }
                };
            }
        };
        let working = worker.start(work).await?;
        Ok(Self { working, parcels, mended })
    }

    /// Waits until so many orders are packed.
    async fn packs_all(&self, lab: &Lab, all: u32) -> Ran {
        let what = text! {
            en: "{all} orders to be packed", zh: "{all} 个订单打包完", all = all
        };
        let packed = || async { Ok(self.parcels.count()? >= all) };
        lab.wait_until(what, SOON, packed).await
    }

    fn tell(
        &self,
        lab: &Lab,
        how: &How,
        poison: &[MessageId],
        given_up: Option<u16>,
    ) {
        if poison.is_empty() {
            return;
        }
        let (signal, all) = (how.signal.name(), poison.len());
        let told: Text = match given_up {
            Some(times) => text! {
                en: "{all} orders fail, {signal}: each came {times} times",
                zh: "{all} 个订单失败，{signal}：各投递 {times} 次",
                all = all, signal = signal, times = times
            },
            None => text! {
                en: "{all} orders fail, {signal}: each came {times} times at \
                     least, and comes on",
                zh: "{all} 个订单失败，{signal}：各至少投递 {times} 次，还在继续",
                all = all, signal = signal, times = ENDLESS
            },
        };
        lab.step(text! { en: "consume", zh: "消费" }, told);
        if let Some(later) = given_up.filter(|times| *times > LIMIT + 1) {
            lab.came_to(text! {
                en: "each came {later} times", zh: "各投递 {later} 次",
                later = later
            });
        }
    }

    /// Stops, and asks the books and the queues.
    async fn close(self, lab: &Lab) -> Ran {
        self.working.stop_within(Duration::ZERO).await;
        for order in lab.left_in(PARKED).await? {
            lab.saw(order, Fact::Parked);
        }
        self.parcels.settle(ORDERS).await?;
        let sums = lab.sums();
        if sums.lost + sums.stuck == 0 && sums.applied < u64::from(lab.count())
        {
            lab.came_to(text! {
                en: "{parked} parked and not done", zh: "{parked} 单停在人工队列",
                parked = sums.parked
            });
        }
        Ok(())
    }
}

/// It really fails: that is the strike, the first time.
fn fail(lab: &Lab, order: MessageId) {
    if !lab.has_struck(order, Strike::Poison) {
        lab.struck(order, Strike::Poison);
    }
}

impl Signal {
    const fn name(self) -> &'static str {
        match self {
            Self::Nack => "nack",
            Self::Reject => "reject",
        }
    }

    async fn give(
        self,
        order: &Delivery,
    ) -> Result<(), crate::pattern::consumer::ConnectionLost> {
        match self {
            Self::Nack => order.requeue().await,
            Self::Reject => order.failed().await,
        }
    }
}
