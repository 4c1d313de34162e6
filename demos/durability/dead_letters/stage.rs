//! What is the same in every way: orders, a consumer that rejects some, an
//! exchange without a queue, and somebody who mends it.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures::StreamExt;
use lapin::options::{BasicAckOptions, BasicRejectOptions};
use serde_json::json;

use crate::{
    demos::{
        durability::link::{Argument, Link, id_of, word},
        shop::orders::{ORDERS, Ran, Tally, publish_these},
    },
    event::Unit,
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Witness},
    text,
};

/// Whether somebody mends the binding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mended {
    /// A moment after the orders were rejected.
    Yes,
    /// Not while anybody looks.
    Never,
}

const DLX: &str = "orders.dlx";
/// Where people look.
const DEAD: &str = "orders.dead";
const SOON: Duration = Duration::from_secs(20);
const PREFETCH: u16 = 20;

/// Where the queue's dead letters go.
pub fn dead_letter_exchange() -> Argument {
    word("x-dead-letter-exchange", DLX)
}

/// Some orders are rejected while the exchange leads to no queue. Then that
/// is mended, and one message more is rejected: when that is where people look,
/// so is all that ever will be, and what the queue had kept.
pub async fn into_nowhere(
    lab: &Lab,
    queue: &[Argument],
    mended: Mended,
) -> Ran {
    lab.declare_fanout(DLX, &[]).await?;
    lab.declare_with(ORDERS, "quorum", queue).await?;
    lab.declare(DEAD).await?;
    let armed = |id| lab.is_planned(id, Strike::Unbound);
    let is_armed = lab.messages().any(armed);
    if !is_armed {
        lab.bind(DEAD, DLX).await?;
    }
    publish_these(lab, ORDERS, lab.messages()).await?;
    pack_or_reject(lab).await?;
    let arrived = lab.ready(DEAD).await?;
    if is_armed {
        ensure!(arrived == 0, "{arrived} dead letters without a binding");
        for order in lab.plan().of(Strike::Unbound) {
            lab.struck(order, Strike::Unbound);
        }
    }
    let kept = kept(lab).await?;
    if mended == Mended::Yes {
        lab.bind(DEAD, DLX).await?;
        look_again(lab).await?;
        reject(lab).await?;
        all_there(lab, arrived + kept + 1).await?;
    }
    for order in lab.left_in(DEAD).await? {
        lab.saw(order, Fact::Parked);
    }
    if mended == Mended::Never {
        still_kept(lab, kept).await?;
    }
    tell(lab, kept, mended).await
}

/// The orders for which a strike is planned have no address: no parcel.
async fn pack_or_reject(lab: &Lab) -> Ran {
    let link = Link::open(&lab.uri()).await?;
    let mut orders = link.consume(ORDERS, PREFETCH).await?;
    let (packed, mut seen) = (Tally::default(), 0);
    while seen < lab.count() {
        let next = orders.next().await;
        let delivery = next.context("the broker ended the consumer")??;
        let id = id_of(&delivery)?;
        lab.saw(id, Fact::Delivered);
        if lab.plan().has(id, Strike::Unbound) {
            let away = BasicRejectOptions { requeue: false };
            delivery.acker.reject(away).await?;
        } else {
            delivery.acker.ack(BasicAckOptions::default()).await?;
            packed.add(id);
            lab.saw(id, Fact::Applied);
        }
        seen += 1;
    }
    link.close().await?;
    for (order, times) in packed.all() {
        lab.settle(order, times, 0);
    }
    for order in lab.left_in(ORDERS).await? {
        lab.settle(order, 0, 1);
    }
    tell_rejected(lab);
    Ok(())
}

/// How many dead letters the queue keeps: the broker is asked itself, since
/// its lists are some seconds old.
async fn kept(lab: &Lab) -> anyhow::Result<u32> {
    let (vhost, queue) = (lab.vhost(), ORDERS);
    let asked = format!(
        "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"{vhost}\">>, \
         queue, <<\"{queue}\">>)), [{{_, N}}] = rabbit_amqqueue:info(Q, \
         [messages_dlx]), N."
    );
    let told = lab.broker().ctl(&["eval", &asked]).await?;
    told.trim().parse().with_context(|| format!("dead letters kept: {told}"))
}

/// Any change of its policy makes the queue look where its letters lead.
async fn look_again(lab: &Lab) -> Ran {
    let policy = json!({ "max-length": 100_000 });
    let management = &lab.broker().management;
    let set = management.set_policy(lab.vhost(), ORDERS, policy).await?;
    set.map_err(|why| anyhow::anyhow!("no policy: {why}"))
}

/// One message more, without an id.
async fn reject(lab: &Lab) -> Ran {
    let link = Link::open(&lab.uri()).await?;
    let (options, probe) = Default::default();
    let channel = &link.channel;
    let publish =
        channel.basic_publish("".into(), ORDERS.into(), options, b"", probe);
    publish.await?;
    let mut orders = link.consume(ORDERS, PREFETCH).await?;
    let next = orders.next().await;
    let delivery = next.context("the broker ended the consumer")??;
    let away = BasicRejectOptions { requeue: false };
    delivery.acker.reject(away).await?;
    link.close().await
}

async fn all_there(lab: &Lab, expected: u32) -> Ran {
    let what = text! {
        en: "the dead letters to arrive", zh: "死信到达"
    };
    let there = || async { Ok(lab.ready(DEAD).await? >= expected) };
    lab.wait_until(what, SOON, there).await
}

/// Nobody has mended it. The lab does, to see which it still keeps.
async fn still_kept(lab: &Lab, kept: u32) -> Ran {
    lab.bind(DEAD, DLX).await?;
    look_again(lab).await?;
    all_there(lab, kept).await?;
    for order in lab.left_in(DEAD).await? {
        lab.settle(order, 0, 1);
    }
    Ok(())
}

fn rejected(lab: &Lab) -> impl Iterator<Item = MessageId> {
    lab.plan().of(Strike::Unbound)
}

fn tell_rejected(lab: &Lab) {
    let rejected = rejected(lab).count() as u32;
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "{packed} packed, {rejected} rejected (requeue = false), to an \
                 exchange without a queue",
            zh: "打包 {packed} 个，reject {rejected} 个（requeue = false），\
                 而死信交换机没绑队列",
            packed = lab.count() - rejected, rejected = rejected
        },
    );
    lab.command(format!(
        "docker exec {} rabbitmqctl -p {} list_queues name messages \
         messages_ready",
        lab.broker().service.container,
        lab.vhost()
    ));
}

async fn tell(lab: &Lab, kept: u32, mended: Mended) -> Ran {
    let lines = warnings(lab, kept > 0).await?;
    let name = text! { en: "kept", zh: "队列留着" };
    lab.observe("kept", name, kept.into(), Unit::Count);
    let name = text! { en: "log lines", zh: "日志行数" };
    lab.observe("log", name, lines as f64, Unit::Count);
    let parked = lab.sums().parked;
    if mended == Mended::Yes {
        lab.step(
            text! { en: "mend", zh: "修复" },
            text! {
                en: "a queue is bound, a policy touched: {parked} of {all} arrive",
                zh: "绑上队列，改一下 policy：{all} 个里到了 {parked} 个",
                parked = parked, all = rejected(lab).count()
            },
        );
    }
    if parked > 0 && lab.sums().lost == 0 {
        lab.came_to(text! {
            en: "{n} kept and parked", zh: "留住并转人工 {n} 个", n = parked
        });
    }
    Ok(())
}

/// How many warnings and errors the log has about dead letters of the queue. A
/// log may come late: what is due is waited for, and so is a line that comes
/// behind all that there may be.
async fn warnings(lab: &Lab, is_due: bool) -> anyhow::Result<usize> {
    const NO_QUEUE: &str = "never-declared";
    let what =
        || text! { en: "the broker's log to say so", zh: "broker 写日志" };
    let queue = format!("queue '{ORDERS}' in vhost '{}'", lab.vhost());
    let lines = async || {
        let log = lab.broker().log().await;
        let lines = log.lines().filter(|line| line.contains(&queue));
        // As in dead-letter-exchange or dead-letter-strategy. The vhost is
        // called dead-letters, too.
        let lines = lines.filter(|line| line.contains("dead-letter-"));
        let bad = |line: &&str| {
            line.contains("[warning]") || line.contains("[error]")
        };
        lines.filter(bad).count()
    };
    if is_due {
        lab.wait_until(what(), SOON, || async { Ok(lines().await > 0) })
            .await?;
    }
    // The broker answers 404, and logs that it did.
    let _ = lab.ready(NO_QUEUE).await;
    let refused = format!("no queue '{NO_QUEUE}' in vhost '{}'", lab.vhost());
    let said = || async { Ok(lab.broker().log().await.contains(&refused)) };
    lab.wait_until(what(), SOON, said).await?;
    Ok(lines().await)
}
