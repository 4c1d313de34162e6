//! Without a prefetch the first consumer is sent the whole queue.

use std::time::Duration;

use tokio::{sync::watch, time::sleep};

use super::TRIED;
use crate::{
    demos::shop::orders::{ORDERS, Ran, Tally, publish_orders},
    event::{Column, Unit},
    lab::{
        Bars, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::every_message_once,
    },
    mechanism,
    pattern::{
        consumer::Delivery,
        worker::{Acks, Worker, Working},
    },
    text,
    text::Text,
    way,
};

/// "The first one is too slow: start a second consumer."
pub static PREFETCH: Scenario = Scenario {
    id: "prefetch",
    recipe: text! {
        en: "The consumer is too slow: start a second one beside it.",
        zh: "消费者太慢，那就再起一个。"
    },
    fault: text! {
        en: "The second consumer joins when the first has been sent its share.",
        zh: "第一个消费者领完它那份之后，第二个才加入。"
    },
    predict: Predict {
        question: text! {
            en: "Without a prefetch, how many orders does the second one get?",
            zh: "不设 prefetch，第二个消费者能分到多少订单？"
        },
        choices: &[
            text! { en: "half", zh: "一半" },
            text! { en: "none", zh: "一个也没有" },
            text! { en: "those that are not acked yet", zh: "还没 ack 的那些" },
        ],
        right: 1,
    },
    needs: Needs { fewest: 40, most: 2_000, ..Needs::BROKER },
    strikes: &[Strike::Join],
    hits: Hits::Once,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            without_prefetch,
            the_second_starves,
            text! { en: "no prefetch", zh: "不设 prefetch" },
        ),
        fixed: way!(
            with_prefetch,
            both_work,
            text! { en: "prefetch 10", zh: "prefetch 10" },
        ),
        mechanisms: &[mechanism!(
            "prefetch",
            without_prefetch,
            the_second_starves,
            text! { en: "the prefetch", zh: "prefetch 上限" },
        )],
    },
    columns: &[Column::Confirmed, Column::Applied],
    figures: &["first", "second", "took"],
    bars: &[Bars {
        title: text! {
            en: "Orders packed by each consumer", zh: "每个消费者打包的订单"
        },
        figures: &["first", "second"],
    }],
    claim: text! {
        en: "b: what was sent to the first is its own until it answers or dies. \
             The second starves beside a full consumer.",
        zh: "b：发给第一个的就归它，除非它应答（ack、nack）或断开。\
             第二个守着一个撑饱的同伴挨饿。"
    },
    fix: text! {
        en: "basic.qos before basic.consume: a prefetch of what the consumer \
             works on in a round trip or two.",
        zh: "basic.consume 之前先 basic.qos：prefetch 取一两个往返内处理得完的量。"
    },
    limit: text! {
        en: "A prefetch of 1 shares best and costs a round trip for each order.",
        zh: "prefetch 1 分得最匀，但每个订单要等一个往返。"
    },
    say: text! {
        en: "\"Prefetch bounds what one consumer can hoard; 0 means no bound.\"",
        zh: "「prefetch 限定一个消费者能囤多少；0 表示不限。」"
    },
    source: &[include_str!("prefetch.rs")],
};

const UNLIMITED: u16 = 0;
const TEN: u16 = 10;
/// Packing one order.
const PACKING: Duration = Duration::from_millis(2);

/// Whoever comes first is sent everything.
async fn without_prefetch(lab: Lab) -> Ran {
    publish_orders(&lab).await?;
    two_pack(&lab, UNLIMITED).await
}

/// At most ten unacked orders each: the rest waits for whoever is free.
async fn with_prefetch(lab: Lab) -> Ran {
    publish_orders(&lab).await?;
    two_pack(&lab, TEN).await
}

/// One consumer is sent its share before a second joins; then both pack.
async fn two_pack(lab: &Lab, prefetch: u16) -> Ran {
    let (begin, wait) = watch::channel(false);
    let first = packer(lab, prefetch, wait.clone()).await?;
    let share = match u32::from(prefetch) {
        UNLIMITED_SHARE => lab.count(),
        prefetch => prefetch.min(lab.count()),
    };
    let its_share = text! {
        en: "the first consumer's share to be sent",
        zh: "第一个消费者领完它那份"
    };
    lab.wait_until(its_share, SOON, || async {
        Ok(lab.ready(ORDERS).await? == lab.count() - share)
    })
    .await?;
    let second = match lab.is_armed(Strike::Join) {
        true => Some(packer(lab, prefetch, wait).await?),
        false => None,
    };
    if second.is_some() {
        lab.struck_once(Strike::Join);
    }
    let began = std::time::Instant::now();
    begin.send_replace(true);
    let packed = |packer: &Packer| packer.packed.count();
    let all = text! { en: "all orders to be packed", zh: "订单全部打包" };
    lab.wait_until(all, AT_MOST, || async {
        let all = packed(&first) + second.as_ref().map_or(0, packed);
        Ok(all >= lab.count() as usize)
    })
    .await?;
    let took = began.elapsed();
    // Who is not there does not starve.
    if let Some(second) = &second {
        tell(lab, prefetch, share, packed(&first), packed(second), took);
    }
    for packer in [Some(first), second].into_iter().flatten() {
        for (order, times) in packer.packed.all() {
            lab.settle(order, times, 0);
        }
        packer.working.stop().await;
    }
    for order in lab.left_in(ORDERS).await? {
        lab.settle(order, 0, 1);
    }
    Ok(())
}

const UNLIMITED_SHARE: u32 = 0;
const SOON: Duration = Duration::from_secs(10);
const AT_MOST: Duration = Duration::from_secs(60);

struct Packer {
    working: Working,
    packed: Tally,
}

/// A consumer that packs one order after another, once it may begin.
async fn packer(
    lab: &Lab,
    prefetch: u16,
    begin: watch::Receiver<bool>,
) -> anyhow::Result<Packer> {
    let worker = Worker {
        uri: lab.uri(),
        queue: ORDERS.to_owned(),
        prefetch,
        at_once: 1,
        acks: Acks::Manual,
        witness: lab.witness(),
    };
    let packed = Tally::default();
    let tally = packed.clone();
    let pack = move |order: Delivery| {
        let (packed, mut begin) = (tally.clone(), begin.clone());
        async move {
            if begin.wait_for(|begun| *begun).await.is_err() {
                return;
            }
            sleep(PACKING).await;
            if order.ack().await.is_ok() {
                packed.add(order.id);
            }
        }
    };
    Ok(Packer { working: worker.start(pack).await?, packed })
}

fn tell(
    lab: &Lab,
    prefetch: u16,
    share: u32,
    first: usize,
    second: usize,
    took: Duration,
) {
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "the second joins when {share} of {all} were sent to the first",
            zh: "已有 {share}/{all} 个发给第一个，这时第二个加入",
            share = share, all = lab.count()
        },
    );
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "prefetch {prefetch}: the first packed {first}, the second \
                 {second}",
            zh: "prefetch {prefetch}：第一个打包 {first} 个，第二个 {second} 个",
            prefetch = prefetch, first = first, second = second
        },
    );
    lab.came_to(text! {
        en: "the second got {second}", zh: "第二个分到 {second}", second = second
    });
    let name = text! { en: "first", zh: "第一个" };
    lab.observe("first", name, first as f64, Unit::Count);
    let name = text! { en: "second", zh: "第二个" };
    lab.observe("second", name, second as f64, Unit::Count);
    let name = text! { en: "took", zh: "用时" };
    lab.observe("took", name, took.as_secs_f64() * 1e3, Unit::Ms);
}

/// All of it went to the first; nothing was lost by it.
fn the_second_starves(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    match outcome.figure("second")? {
        0.0 => Ok(()),
        n => Err(text! {
            en: "the second consumer got {n}", zh: "第二个消费者分到了 {n} 个", n = n
        }),
    }
}

/// Each did a quarter at least.
fn both_work(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    let (first, second) = (outcome.figure("first")?, outcome.figure("second")?);
    if first.min(second) * 4.0 >= f64::from(outcome.messages) {
        return Ok(());
    }
    Err(text! {
        en: "not shared: {first} and {second}", zh: "没有分匀：{first} 和 {second}",
        first = first, second = second
    })
}
