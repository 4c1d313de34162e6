//! What is the same in every way: a broker that waits for acks a second and a
//! half, slow orders, and then a consumer that dies.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use futures::StreamExt;
use lapin::{
    Consumer,
    options::{BasicGetOptions, BasicNackOptions},
};
use tokio::time::{Instant, interval, timeout_at};

use super::{
    super::{held::LateAcks, link::Link},
    Handle,
    consumer::{Ends, Process},
    table::Table,
};
use crate::{
    demos::shop::orders::{ORDERS, Ran, publish_these},
    event::Unit,
    fault::wire::{Protocol, Wire},
    lab::{Lab, Strike},
    ledger::MessageId,
    text,
    text::Text,
};

/// So long the broker waits for an ack.
pub const TIMEOUT: Duration = Duration::from_millis(1_500);
/// Until 4.2 a channel looks so often whether it has waited too long.
const TICK: Duration = Duration::from_millis(500);
/// The first version on which the queue keeps the time, not the channel.
const QUEUE_KEEPS_TIME: (u16, u16) = (4, 3);

const BESIDE: &str = "classic";
const SOON: Duration = Duration::from_secs(40);
const BUSY_EVERY: Duration = Duration::from_millis(500);

/// Orders come, of which some are slow. When all that is over the others come,
/// the process dies with them in its hands, and the next one takes over.
pub async fn slow_and_then_dead(lab: Lab, handle: Handle) -> Ran {
    let table = Table::open(&lab)?;
    shorten_the_timeout(&lab).await?;
    lab.declare_as(ORDERS, "quorum").await?;
    let beside = Beside::hold(&lab).await?;
    let wire = lab.wire("packer", Protocol::Amqp).await?;
    let (late, ends) = (LateAcks::default(), Arc::new(Ends::default()));
    let uri = lab.uri_through(&wire);
    let process = |uri| Process::start(&lab, uri, handle, (&late, &ends));
    let first = process(uri.clone()).await?;
    let (at_risk, others): (Vec<_>, Vec<_>) = lab
        .messages()
        .partition(|order| lab.plan().has(*order, Strike::ConsumerDies));
    publish(&lab, &others).await?;
    all_handled(&lab, &first).await?;
    beside.tell(&lab).await?;
    tell_ends(&lab, &ends, &late);
    publish(&lab, &at_risk).await?;
    let second = match is_armed(&lab, Strike::ConsumerDies) {
        true => {
            die(&lab, &first, &wire, &at_risk).await?;
            process(uri).await?
        }
        false => first,
    };
    all_handled(&lab, &second).await?;
    second.die().await;
    table.settle()?;
    for order in lab.left_in(ORDERS).await? {
        lab.settle(order, 0, 1);
    }
    Ok(())
}

fn is_armed(lab: &Lab, strike: Strike) -> bool {
    lab.plan().of(strike).any(|order| lab.is_planned(order, strike))
}

/// As an operator would in the configuration: `consumer_timeout`. How often a
/// channel looks at it is no setting that could be configured.
async fn shorten_the_timeout(lab: &Lab) -> Ran {
    if !is_armed(lab, Strike::AckTimeout) {
        return Ok(());
    }
    let set = |name, value: Duration| {
        format!("application:set_env(rabbit,{name},{})", value.as_millis())
    };
    let mut settings = vec![set("consumer_timeout", TIMEOUT)];
    if lab.version() < QUEUE_KEEPS_TIME {
        settings.push(set("channel_tick_interval", TICK));
    }
    let settings = format!("{}.", settings.join(", "));
    let said = lab.broker().ctl(&["eval", &settings]).await?;
    ensure!(said.trim() == "ok", "rabbitmqctl eval: {said}");
    lab.step(
        text! { en: "set", zh: "设置" },
        text! {
            en: "consumer_timeout = {ms} ms; {slow} of {all} orders take longer",
            zh: "consumer_timeout = {ms} 毫秒；{all} 单里有 {slow} 单更久",
            ms = TIMEOUT.as_millis(), all = lab.count(),
            slow = lab.plan().of(Strike::AckTimeout).count()
        },
    );
    Ok(())
}

async fn publish(lab: &Lab, orders: &[MessageId]) -> Ran {
    publish_these(lab, ORDERS, orders.iter().copied()).await
}

/// Waits until nothing is in the queue, in hand or in the table.
async fn all_handled(lab: &Lab, process: &Process) -> Ran {
    let what = text! { en: "the orders to be handled", zh: "订单处理完" };
    let handled = || async {
        let done = lab.is_all_delivered() && process.is_idle()?;
        Ok(done && lab.ready(ORDERS).await? == 0)
    };
    tokio::select! {
        handled = lab.wait_until(what, SOON, handled) => handled,
        failed = keep_it_busy(lab) => failed,
    }
}

/// Somebody asks the queue for a message every now and then, as long as this
/// is polled; one that it gets goes back.
///
/// On 4.3 a quorum queue sets its clock for the next overdue delivery when it
/// has done something; in a rare millisecond it does not, and nothing is taken
/// back until it does something again (`rabbit_fifo.erl` of 4.3, `handle_aux`
/// with `eval`; seen in two of some sixty runs with an idle queue). The queue
/// of a shop is never idle for long.
async fn keep_it_busy(lab: &Lab) -> Ran {
    let link = Link::open(&lab.uri()).await?;
    let mut clock = interval(BUSY_EVERY);
    loop {
        clock.tick().await;
        let ask = BasicGetOptions::default();
        if let Some(got) = link.channel.basic_get(ORDERS.into(), ask).await? {
            let back = BasicNackOptions { requeue: true, multiple: false };
            got.delivery.acker.nack(back).await?;
        }
    }
}

/// The process dies when it has all these in hand.
async fn die(
    lab: &Lab,
    process: &Process,
    wire: &Wire,
    orders: &[MessageId],
) -> Ran {
    let what = text! {
        en: "the orders to be in hand", zh: "订单都在手上"
    };
    let all = || async { Ok(process.at_risk() == orders.len()) };
    lab.wait_until(what, SOON, all).await?;
    wire.refuse(true);
    let cut = wire.cut().await;
    process.die().await;
    ensure!(cut > 0, "the process had no connection");
    wire.refuse(false);
    for order in orders {
        lab.struck(*order, Strike::ConsumerDies);
    }
    Ok(())
}

/// A message of a classic queue that is delivered beside the orders, and never
/// acked.
struct Beside {
    consumer: Consumer,
    since: Instant,
    _link: Link,
}

impl Beside {
    async fn hold(lab: &Lab) -> anyhow::Result<Self> {
        lab.declare(BESIDE).await?;
        let link = Link::open(&lab.uri()).await?;
        let (key, options) = (BESIDE.into(), Default::default());
        let plain = Default::default();
        link.channel
            .basic_publish("".into(), key, options, b"beside", plain)
            .await?;
        let mut consumer = link.consume(BESIDE, 1).await?;
        let held = timeout_at(Instant::now() + SOON, consumer.next()).await?;
        held.context("no delivery of the classic queue")??;
        Ok(Self { consumer, since: Instant::now(), _link: link })
    }

    /// Whether the broker takes it back within twice the time that it waits.
    async fn tell(mut self, lab: &Lab) -> Ran {
        if !is_armed(lab, Strike::AckTimeout) {
            return Ok(());
        }
        let over = self.since + 2 * TIMEOUT;
        let taken_back = timeout_at(over, self.consumer.next()).await.is_ok();
        let name = Text::same("classic");
        lab.observe("classic", name, taken_back.into(), Unit::Count);
        Ok(())
    }
}

/// What the broker did about the slow ones, and what came of their acks.
fn tell_ends(lab: &Lab, ends: &Ends, late: &LateAcks) {
    let ((closed, cancelled), (late, errors)) = (ends.counts(), late.counts());
    for (id, count) in [
        ("closed", closed),
        ("cancelled", cancelled),
        ("late", late),
        ("errors", errors),
    ] {
        lab.observe(id, Text::same(id), count.into(), Unit::Count);
    }
    let broker = match (closed, cancelled) {
        (0, 0) => return,
        (0, _) => text! {
            en: "basic.cancel, the channel stays open",
            zh: "basic.cancel，信道还开着"
        },
        _ => text! {
            en: "channel closed, 406 PRECONDITION_FAILED",
            zh: "信道被关，406 PRECONDITION_FAILED"
        },
    };
    lab.step(
        text! { en: "fault", zh: "故障" },
        Text::made(
            format!("{}; late acks: {late}, errors: {errors}", broker.en),
            format!("{}；迟到的 ack {late} 个，报错 {errors} 个", broker.zh),
        ),
    );
}
