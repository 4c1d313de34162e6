//! What is the same in every way: the backlog, the alarm, and its end.

use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::future::try_join_all;
use lapin::{Connection, ConnectionProperties};
use tokio::{join, time::sleep, try_join};

use super::{
    outlet::Outlet,
    packer::{PREFETCH, Packer},
};
use crate::{
    demos::shop::orders::{ORDERS, Ran, order},
    event::Unit,
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Witness},
    pattern::publisher::ConfirmingPublisher,
    text,
    text::Text,
};

/// A consumer that packs nothing for so long has stalled.
const STALLED: Duration = Duration::from_secs(3);
const BLOCKED: Text = Text::fixed("connection.blocked", "connection.blocked");
const SOON: Duration = Duration::from_secs(20);
const WINDOW: usize = 100;
const RESENDS: u32 = 5;

/// A connection straight to the broker.
pub async fn connect(lab: &Lab) -> lapin::Result<Connection> {
    Connection::connect(&lab.uri(), ConnectionProperties::default()).await
}

/// How often a way sends each order while the alarm lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sends {
    Once,
    Twice,
}

/// Half of the orders are in the queue when the alarm comes; the others are
/// published under it. Lifted once the consumer has packed what it can.
pub async fn under_alarm<Publish, Published>(
    lab: &Lab,
    inbound: &Connection,
    outlet: &Outlet<'_>,
    sends: Sends,
    publish: Publish,
) -> Ran
where
    Publish: Fn(MessageId) -> Published,
    Published: Future<Output = Ran>,
{
    let mut orders: Vec<_> = lab.messages().collect();
    let coming = orders.split_off(orders.len() / 2);
    publish_backlog(lab, &orders).await?;
    let packer = packer(lab, inbound, orders.len()).await?;
    let armed = lab.is_armed(Strike::Alarm);
    if armed {
        raise(lab).await?;
    }
    let publishing = under_pressure(lab, outlet, &coming, publish);
    let watching = async {
        if !armed {
            packer.begin();
            return anyhow::Ok(None);
        }
        let seen = alarmed(lab, &packer, outlet, orders.len(), sends).await;
        // Whatever was seen: the alarm ends here.
        lift(lab, outlet).await?;
        let seen = seen?;
        tell(lab, &seen, orders.len());
        Ok(Some(seen))
    };
    let (published, seen) = join!(publishing, watching);
    published?;
    for (order, times) in packer.finish(lab).await?.all() {
        lab.settle(order, times, 0);
    }
    for order in lab.left_in(ORDERS).await? {
        lab.settle(order, 0, 1);
    }
    tell_end(lab, seen?);
    Ok(())
}

/// A connection is blocked at its first publish: the others meet a blocked
/// one, and each way does with it what it does.
async fn under_pressure<Publish, Published>(
    lab: &Lab,
    outlet: &Outlet<'_>,
    coming: &[MessageId],
    publish: Publish,
) -> Ran
where
    Publish: Fn(MessageId) -> Published,
    Published: Future<Output = Ran>,
{
    let (first, others) = coming.split_at(1);
    let others = async {
        if lab.is_armed(Strike::Alarm) {
            let heard = || async { Ok(outlet.pressure.is_blocked()) };
            lab.wait_until(BLOCKED, SOON, heard).await?;
        }
        try_join_all(others.iter().copied().map(&publish)).await
    };
    let first = try_join_all(first.iter().copied().map(&publish));
    try_join!(first, others)?;
    Ok(())
}

/// A packer that has been sent its prefetch of the backlog.
async fn packer(
    lab: &Lab,
    on: &Connection,
    backlog: usize,
) -> anyhow::Result<Packer> {
    let packer = Packer::start(lab, on).await?;
    let first =
        text! { en: "the consumer's prefetch", zh: "消费者领到 prefetch" };
    let left = backlog - usize::from(PREFETCH);
    lab.wait_until(first, SOON, || async {
        Ok(lab.ready(ORDERS).await? as usize == left)
    })
    .await?;
    Ok(packer)
}

async fn publish_backlog(lab: &Lab, orders: &[MessageId]) -> Ran {
    lab.declare(ORDERS).await?;
    let mut publisher =
        ConfirmingPublisher::new(lab.uri(), ORDERS, lab.witness());
    for order in lab.messages() {
        lab.saw(order, Fact::Accepted);
    }
    let backlog: Vec<_> = orders.iter().copied().map(order).collect();
    publisher.publish_all(backlog, WINDOW, RESENDS).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders wait in the queue, confirmed; as many are to come",
            zh: "{n} 个订单已确认，在队列里等；还有同样多要发布",
            n = orders.len()
        },
    );
    Ok(())
}

/// What there was to see under the alarm.
struct Seen {
    since: Instant,
    drained: usize,
    let_in: u64,
    /// Publishes of those to come.
    sent: u64,
}

/// What happens between the alarm and its end.
async fn alarmed(
    lab: &Lab,
    packer: &Packer,
    outlet: &Outlet<'_>,
    backlog: usize,
    sends: Sends,
) -> anyhow::Result<Seen> {
    lab.wait_until(BLOCKED, SOON, || async {
        Ok(outlet.connection.status().blocked())
    })
    .await?;
    let since = Instant::now();
    lab.struck_once(Strike::Alarm);
    packer.begin();
    let backlog_sent = backlog as u64;
    let all = u64::from(lab.count()) - backlog_sent;
    if sends == Sends::Twice {
        let resent =
            text! { en: "every order to be sent again", zh: "每个订单都重发" };
        lab.wait_until(resent, SOON, || async {
            Ok(lab.sums().attempts == backlog_sent + 2 * all)
        })
        .await?;
    }
    until_drained_or_stalled(packer, backlog).await;
    ensure!(outlet.connection.status().blocked(), "the alarm ended by itself");
    let let_in = lab.sums().confirmed - backlog_sent;
    let sent = lab.sums().attempts - backlog_sent;
    Ok(Seen { since, drained: packer.packed.count(), let_in, sent })
}

async fn until_drained_or_stalled(packer: &Packer, backlog: usize) {
    let (mut packed, mut since) = (packer.packed.count(), Instant::now());
    while packed < backlog && since.elapsed() < STALLED {
        sleep(Duration::from_millis(10)).await;
        let now = packer.packed.count();
        if now > packed {
            (packed, since) = (now, Instant::now());
        }
    }
}

/// Less memory than the broker needs for itself.
const TOO_LITTLE: [&str; 3] =
    ["set_vm_memory_high_watermark", "absolute", "10MB"];
const ENOUGH: [&str; 2] = ["set_vm_memory_high_watermark", "0.6"];

async fn raise(lab: &Lab) -> Ran {
    let container = &lab.broker().service.container;
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "the broker may use 10 MB of memory, and uses more: alarm",
            zh: "broker 只许用 10 MB 内存，实际超出：告警"
        },
    );
    lab.command(format!(
        "docker exec {container} rabbitmqctl {}",
        TOO_LITTLE.join(" ")
    ));
    lab.broker().ctl(&TOO_LITTLE).await?;
    Ok(())
}

async fn lift(lab: &Lab, outlet: &Outlet<'_>) -> Ran {
    lab.broker().ctl(&ENOUGH).await?;
    let what = text! { en: "the alarm to be lifted", zh: "告警解除" };
    let lifted = || async { Ok(!outlet.connection.status().blocked()) };
    lab.wait_until(what, SOON, lifted).await
}

fn tell(lab: &Lab, seen: &Seen, backlog: usize) {
    let Seen { since, drained, let_in, sent } = seen;
    let name = text! { en: "sent", zh: "发送" };
    lab.observe("sent", name, *sent as f64, Unit::Count);
    let name = text! { en: "packed", zh: "打包" };
    lab.observe("drained", name, *drained as f64, Unit::Count);
    let name = text! { en: "confirmed meanwhile", zh: "期间确认" };
    lab.observe("let-in", name, *let_in as f64, Unit::Count);
    let name = text! { en: "blocked", zh: "阻塞" };
    let blocked = since.elapsed().as_secs_f64() * 1e3;
    lab.observe("blocked", name, blocked, Unit::Ms);
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "{drained} of {backlog} packed while blocked, prefetch \
                 {prefetch}; publishes of new orders: {sent}, confirmed \
                 {let_in}",
            zh: "阻塞期间打包 {drained}/{backlog} 个，prefetch {prefetch}；\
                 新订单发布 {sent} 次，确认 {let_in} 个",
            drained = drained, backlog = backlog, let_in = let_in,
            sent = sent, prefetch = PREFETCH
        },
    );
}

fn tell_end(lab: &Lab, seen: Option<Seen>) {
    let sums = lab.sums();
    if let Some(Seen { drained, .. }) = seen {
        lab.came_to(text! {
            en: "{drained} packed, {doubled} doubled",
            zh: "打包 {drained}，重复 {doubled}",
            drained = drained, doubled = sums.duplicated
        });
    }
    lab.step(
        text! { en: "lifted", zh: "解除" },
        text! {
            en: "{confirmed} of {all} confirmed in {attempts} publishes; \
                 {doubled} doubled",
            zh: "{attempts} 次发布，确认 {confirmed}/{all} 个；\
                 重复 {doubled} 个",
            confirmed = sums.confirmed, all = lab.count(),
            attempts = sums.attempts, doubled = sums.duplicated
        },
    );
}
