//! What is the same in every way: orders pile up, and are drained by one
//! packer whom others join.

use std::time::{Duration, Instant};

use lapin::types::AMQPValue;
use tokio::{sync::watch, time::sleep};

use crate::{
    demos::shop::{
        link::{number, word},
        orders::{ORDERS, Ran, Tally, publish_these},
    },
    event::Unit,
    lab::{Lab, Strike},
    ledger::{Fact, Witness},
    pattern::{
        consumer::Delivery,
        worker::{Acks, Worker, Working},
    },
    text,
};

/// What the ways do differently.
#[derive(Clone, Copy)]
pub struct How {
    /// Whether what expires goes where people look.
    pub parks: bool,
    /// So many join the first packer.
    pub helpers: u32,
    /// So many unacked each; 0 is no limit.
    pub prefetch: u16,
}

/// Where people look.
const PARKED: &str = "orders.parked";
/// The safety net. The repair takes longer, whatever it is.
const TTL_MS: u32 = 200;
/// Packing one order.
const PACKING: Duration = Duration::from_millis(5);
/// The first packs so many alone, at most.
const ALONE: u32 = 100;
const SOON: Duration = Duration::from_secs(30);
const AT_MOST: Duration = Duration::from_secs(60);

/// Orders pile up while nobody consumes; then they are packed.
pub async fn repaired_too_late(lab: &Lab, how: How) -> Ran {
    lab.declare(PARKED).await?;
    let mut arguments: Vec<(&str, AMQPValue)> = Vec::new();
    if lab.is_armed(Strike::Expire) {
        arguments.push(number("x-message-ttl", TTL_MS));
    }
    if how.parks {
        arguments.push(word("x-dead-letter-exchange", ""));
        arguments.push(word("x-dead-letter-routing-key", PARKED));
    }
    lab.declare_with(ORDERS, "classic", &arguments).await?;
    publish_these(lab, ORDERS, lab.messages()).await?;
    let backlog = backlog(lab, how).await?;
    let from = if backlog > 0 && lab.is_armed(Strike::Expire) {
        PARKED
    } else {
        ORDERS
    };
    drain(lab, how, from, backlog).await?;
    for queue in [ORDERS, PARKED] {
        for order in lab.left_in(queue).await? {
            lab.settle(order, 0, 1);
        }
    }
    Ok(())
}

/// What is left of the orders when the repair is over.
async fn backlog(lab: &Lab, how: How) -> anyhow::Result<u32> {
    if !lab.is_armed(Strike::Expire) {
        return Ok(lab.count());
    }
    let parks = if how.parks { lab.count() } else { 0 };
    let what = text! { en: "the TTL to run out", zh: "TTL 到期" };
    lab.wait_until(what, SOON, || async {
        let (ready, parked) =
            (lab.ready(ORDERS).await?, lab.ready(PARKED).await?);
        Ok(ready == 0 && parked == parks)
    })
    .await?;
    lab.struck_once(Strike::Expire);
    if how.parks {
        lab.messages().for_each(|order| lab.saw(order, Fact::Parked));
    }
    let name = text! { en: "parked", zh: "转死信" };
    let parked = lab.ready(PARKED).await?;
    lab.observe("parked", name, parked.into(), Unit::Count);
    lab.step(
        text! { en: "wait", zh: "等待" },
        text! {
            en: "TTL {ttl} ms, the repair takes longer: {parked} of {all} parked",
            zh: "TTL {ttl} ms，修复更久：{all} 个中 {parked} 个进了死信队列",
            ttl = TTL_MS, parked = parked, all = lab.count()
        },
    );
    Ok(parked)
}

/// One packer packs a part alone, others join, and all pack the rest.
async fn drain(lab: &Lab, how: How, queue: &str, backlog: u32) -> Ran {
    // So many may each of them pack by now.
    let (may, until) = watch::channel(0);
    let start = || Packer::start(lab, queue, how.prefetch, until.clone());
    let mut packers = vec![start().await?];
    // What the first is sent before it begins is its own.
    let its_share = match how.prefetch {
        0 => backlog,
        prefetch => backlog.min(prefetch.into()),
    };
    let what = text! {
        en: "the first packer's share to be sent", zh: "第一个消费者领完它那份"
    };
    lab.wait_until(what, SOON, || async {
        Ok(lab.ready(queue).await? == backlog - its_share)
    })
    .await?;
    let alone = (backlog / 3).min(ALONE);
    let by_one = pack(lab, &packers, &may, alone, alone as usize).await?;
    for _ in 0..how.helpers {
        packers.push(start().await?);
    }
    let by_all = pack(lab, &packers, &may, backlog, usize::MAX).await?;
    let mut counts = packers.iter().map(|packer| packer.packed.count());
    let (first, helped) = (counts.next().unwrap_or_default(), counts.sum());
    for packer in packers {
        for (order, times) in packer.packed.all() {
            lab.settle(order, times, 0);
        }
        packer.working.stop().await;
    }
    // How long one order took, in each part.
    let each =
        |took: Duration, n: u32| took.as_secs_f64() / f64::from(n.max(1));
    let faster = each(by_one, alone) / each(by_all, backlog - alone);
    tell(lab, how, first, helped, faster);
    Ok(())
}

/// Each packer may pack `each`; waits until `all` are packed, and then stops
/// them. Returns how long it took.
async fn pack(
    lab: &Lab,
    packers: &[Packer],
    may: &watch::Sender<usize>,
    all: u32,
    each: usize,
) -> anyhow::Result<Duration> {
    let began = Instant::now();
    may.send_replace(each);
    let what = text! { en: "the orders to be packed", zh: "订单打包" };
    lab.wait_until(what, AT_MOST, || async {
        let packed = packers.iter().map(|packer| packer.packed.count());
        Ok(packed.sum::<usize>() >= all as usize)
    })
    .await?;
    may.send_replace(0);
    Ok(began.elapsed())
}

struct Packer {
    working: Working,
    packed: Tally,
}

impl Packer {
    /// Packs one order after another, as many as it may.
    async fn start(
        lab: &Lab,
        queue: &str,
        prefetch: u16,
        may: watch::Receiver<usize>,
    ) -> anyhow::Result<Self> {
        let worker = Worker {
            uri: lab.uri(),
            queue: queue.to_owned(),
            prefetch,
            at_once: 1,
            acks: Acks::Manual,
            witness: lab.witness(),
        };
        let packed = Tally::default();
        let tally = packed.clone();
        let pack = move |order: Delivery| {
            let (packed, mut may) = (tally.clone(), may.clone());
            async move {
                let is_next = |may: &usize| packed.count() < *may;
                if may.wait_for(is_next).await.is_err() {
                    return;
                }
                sleep(PACKING).await;
                if order.ack().await.is_ok() {
                    packed.add(order.id);
                }
            }
        };
        Ok(Self { working: worker.start(pack).await?, packed })
    }
}

fn tell(lab: &Lab, how: How, first: usize, helped: usize, faster: f64) {
    let name = text! { en: "first", zh: "第一个" };
    lab.observe("first", name, first as f64, Unit::Count);
    let name = text! { en: "helpers", zh: "后来的" };
    lab.observe("helped", name, helped as f64, Unit::Count);
    if first + helped == 0 {
        lab.step(
            text! { en: "consume", zh: "消费" },
            text! {
                en: "{n} packers are up, and find nothing",
                zh: "{n} 个消费者起来了，什么也没拿到", n = how.helpers + 1
            },
        );
        return;
    }
    let faster = (faster * 10.0).round() / 10.0;
    let name = text! { en: "faster", zh: "提速" };
    lab.observe("faster", name, faster, Unit::Times);
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "the first packed {first}, the others {helped}: {faster} times as \
                 fast as one",
            zh: "第一个打包 {first} 个，后来的 {helped} 个：速度为一个的 \
                 {faster} 倍",
            first = first, helped = helped, faster = faster
        },
    );
    lab.came_to(match helped {
        0 => text! {
            en: "one packed all {n}", zh: "一个消费者做完全部 {n} 单", n = first
        },
        _ => text! {
            en: "drained {faster} times as fast", zh: "消化速度 {faster} 倍",
            faster = faster
        },
    });
}
