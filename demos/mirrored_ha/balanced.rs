//! Balancers before the brokers, an address, and a shop that knows no other.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::future::BoxFuture;
use lapin::{
    Connection, ConnectionProperties,
    options::{BasicGetOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::nodes::{PATIENCE, WINDOW, do_once};
use crate::{
    demos::shop::orders::{ORDERS, Ran, order},
    event::{Seat, Unit},
    lab::{
        Lab, Outcome, Strike,
        check::{
            every_attempt_answered, every_message_confirmed,
            every_message_once, figure_is,
        },
    },
    ledger::MessageId,
    pattern::{
        failover::FailoverPublisher,
        publisher::{Answer, Outgoing},
    },
    stage::{Balancers, Balancing, Broker},
    text,
    text::Text,
};

/// What is to come true is true within this, also on a busy machine.
pub const SOON: Duration = Duration::from_secs(60);
/// Whoever gets no order through for so long calls it an outage: an address
/// that moves takes one to three seconds.
pub const OUTAGE: Duration = Duration::from_secs(15);
/// Between two orders while the fault strikes.
const PACE: Duration = Duration::from_millis(20);

/// Balancers and the brokers behind them.
pub struct Front<'a> {
    /// The balancers.
    pub balancers: Balancers,
    lab: &'a Lab,
    brokers: Vec<&'a Broker>,
}

impl<'a> Front<'a> {
    /// Starts balancers before these brokers, and declares the queue of the
    /// orders on each.
    pub async fn start(
        lab: &'a Lab,
        how: &Balancing,
        brokers: &[&'a Broker],
    ) -> anyhow::Result<Self> {
        for broker in brokers {
            let connection = connect(&direct(lab, broker)).await?;
            let channel = connection.create_channel().await?;
            let durable = QueueDeclareOptions::durable();
            let none = FieldTable::default();
            channel.queue_declare(ORDERS.into(), durable, none).await?;
            connection.close(200, "declared".into()).await?;
        }
        Self::before(lab, how, brokers).await
    }

    /// Starts balancers before these brokers.
    pub async fn before(
        lab: &'a Lab,
        how: &Balancing,
        brokers: &[&'a Broker],
    ) -> anyhow::Result<Self> {
        let brokers = brokers.to_vec();
        let balancers = lab.start_balancers(how, &brokers).await?;
        Ok(Self { balancers, lab, brokers })
    }

    /// Where clients find it: the virtual address, and a heartbeat in
    /// seconds. Without one, client and broker agree on the broker's: 60.
    pub fn uri(&self, heartbeat: Option<u16>) -> String {
        let at = self.balancers.amqp;
        let uri = self.lab.broker().uri(at, self.lab.vhost());
        match heartbeat {
            Some(seconds) => format!("{uri}&heartbeat={seconds}"),
            None => uri,
        }
    }

    /// Who holds the address, once that is only one.
    pub async fn holder(&self) -> anyhow::Result<usize> {
        let what = text! {
            en: "one balancer to hold the address", zh: "虚拟 IP 只在一台上"
        };
        let is_one = || async { Ok(self.balancers.holder().await.is_some()) };
        self.lab.wait_until(what, SOON, is_one).await?;
        let holder = self.balancers.holder().await;
        holder.context("the address moved again")
    }

    /// Draws who holds the address; what is wrong is told beside it: first
    /// of the balancers, then of the brokers.
    pub async fn draw(&self, wrong: &[(usize, Text)]) {
        self.draw_sides(wrong, false).await;
    }

    /// The same, where the balancers may not hear each other.
    pub async fn draw_sides(&self, wrong: &[(usize, Text)], parted: bool) {
        let mut seats = self.balancer_seats(wrong).await;
        let count = seats.len();
        let brokers = (0..self.brokers.len()).map(|n| {
            let word = wrong.iter().find(|(which, _)| *which == count + n);
            let is = text! { en: "up", zh: "正常" };
            Seat {
                name: match self.brokers.len() {
                    1 => "broker".to_owned(),
                    _ => format!("b{}", n + 1),
                },
                is: word.map_or(is, |(_, word)| word.clone()),
                up: word.is_none(),
                side: 0,
            }
        });
        seats.extend(brokers);
        for seat in seats.iter_mut().skip(1) {
            seat.side = u8::from(parted);
        }
        self.lab.draw(seats);
    }

    /// Who of the balancers holds the address, to be drawn with what stands
    /// behind them.
    pub async fn balancer_seats(&self, wrong: &[(usize, Text)]) -> Vec<Seat> {
        let holders = self.balancers.holders().await;
        let seats = (0..self.balancers.count()).map(|n| {
            let is = match holders.contains(&n) {
                true => text! { en: "address", zh: "虚拟 IP" },
                false => text! { en: "standby", zh: "备" },
            };
            let word = wrong.iter().find(|(which, _)| *which == n);
            Seat {
                name: format!("lb{}", n + 1),
                is: word.map_or(is, |(_, word)| word.clone()),
                up: word.is_none(),
                side: 0,
            }
        });
        seats.collect()
    }

    /// Takes what is in the queues past the balancers, and does each order
    /// once. Returns how many different orders that were.
    pub async fn work_off(&self) -> anyhow::Result<u32> {
        let mut done = 0;
        for broker in &self.brokers {
            done += take(self.lab, &direct(self.lab, broker)).await?;
        }
        Ok(done)
    }
}

fn direct(lab: &Lab, broker: &Broker) -> String {
    broker.uri(broker.amqp, lab.vhost())
}

async fn connect(uri: &str) -> anyhow::Result<Connection> {
    let how = ConnectionProperties::default();
    Ok(timeout(SOON, Connection::connect(uri, how)).await??)
}

async fn take(lab: &Lab, uri: &str) -> anyhow::Result<u32> {
    let connection = connect(uri).await?;
    let channel = connection.create_channel().await?;
    let look = BasicGetOptions { no_ack: false };
    let mut done = 0;
    while let Some(got) = channel.basic_get(ORDERS.into(), look).await? {
        let id = got.delivery.properties.message_id().as_ref();
        let id: MessageId =
            id.context("a message without an id")?.as_str().parse()?;
        done += u32::from(do_once(lab, id, got.delivery.redelivered));
        ensure!(got.delivery.acker.ack(Default::default()).await?);
    }
    connection.close(200, "that is all".into()).await?;
    Ok(done)
}

/// Half of the orders, and the other half.
pub fn halves(lab: &Lab) -> (Vec<Outgoing>, Vec<Outgoing>) {
    let mut orders: Vec<_> = lab.messages().map(order).collect();
    let rest = orders.split_off(orders.len() / 2);
    (orders, rest)
}

/// What strikes the balancer that holds the address.
pub struct Blow {
    /// As it was planned.
    pub strike: Strike,
    /// Does it.
    pub fall: for<'a> fn(&'a Balancers, usize) -> BoxFuture<'a, Ran>,
    /// What it is then.
    pub word: Text,
    /// Nobody is told: what was on its way stays unanswered, for certain.
    pub silent: bool,
}

/// What is done about an order without an answer. `false` gives up.
pub type Again =
    for<'a> fn(&'a mut FailoverPublisher, &'a Outgoing) -> BoxFuture<'a, bool>;

/// It is sent again until it is confirmed.
pub fn until_confirmed<'a>(
    shop: &'a mut FailoverPublisher,
    order: &'a Outgoing,
) -> BoxFuture<'a, bool> {
    Box::pin(async { shop.publish(order, OUTAGE).await.is_ok() })
}

/// It was sent once, and that must do.
pub fn never<'a>(
    _: &'a mut FailoverPublisher,
    _: &'a Outgoing,
) -> BoxFuture<'a, bool> {
    Box::pin(async { true })
}

/// The shop publishes to the address. Half way, one order after another, the
/// balancer that holds it is struck; from then on the longest time without a
/// confirm is measured. What is in the queue is worked off past the balancers.
pub async fn published_through(
    lab: &Lab,
    how: &Balancing,
    blow: &Blow,
    again: Again,
) -> Ran {
    let front = Front::start(lab, how, &[lab.broker()]).await?;
    let uri = front.uri(Some(10));
    let mut shop =
        FailoverPublisher::new([uri], ORDERS, PATIENCE, lab.witness());
    let (before, rest) = halves(lab);
    shop.publish_all(before, WINDOW, SOON).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders through the address, all confirmed",
            zh: "经虚拟 IP 发布 {n} 个订单，全部确认", n = lab.sums().confirmed
        },
    );
    front.draw(&[]).await;
    if !lab.is_armed(blow.strike) {
        return Ok(());
    }
    let struck = front.holder().await?;
    let fallen = CancellationToken::new();
    // The gap is measured from the moment at which the fault begins.
    shop.watch_for_a_gap();
    let strike = async {
        // Also where it fails: nobody may wait for it for ever.
        let _done = fallen.clone().drop_guard();
        (blow.fall)(&front.balancers, struck).await
    };
    let publish = publish(&mut shop, rest, &fallen, again);
    let (struck_down, seen) = tokio::join!(strike, publish);
    struck_down?;
    if !blow.silent || seen.unanswered > 0 {
        lab.struck_once(blow.strike);
    }
    tell(lab, &front, struck, blow, &seen).await;
    if seen.after > 0 {
        let gap = shop.longest_gap().as_millis() as f64;
        let name = text! { en: "gap", zh: "中断" };
        lab.observe("gap", name, gap, Unit::Ms);
    }
    front.work_off().await?;
    lab.came_to(text! {
        en: "{n} of {all} confirmed", zh: "{all} 个里确认 {n} 个",
        n = lab.sums().confirmed, all = lab.count()
    });
    Ok(())
}

/// What the shop saw of its orders when it first sent them.
#[derive(Default)]
struct Seen {
    unanswered: u32,
    /// Confirmed, of those that were sent after the fault had struck.
    after: u32,
    /// For how long one was sent again before the shop gave up.
    in_vain: Option<Duration>,
}

/// One after another, some of them only after the fault has struck: it
/// always finds somebody publishing.
async fn publish(
    shop: &mut FailoverPublisher,
    orders: Vec<Outgoing>,
    fallen: &CancellationToken,
    again: Again,
) -> Seen {
    let mut seen = Seen::default();
    let kept_back = orders.len() / 2;
    for (n, order) in orders.iter().enumerate() {
        if n < kept_back && !fallen.is_cancelled() {
            sleep(PACE).await;
        }
        if n == kept_back {
            fallen.cancelled().await;
        }
        let is_after = fallen.is_cancelled();
        if shop.attempt(order).await == Answer::Confirmed {
            seen.after += u32::from(is_after);
            continue;
        }
        seen.unanswered += 1;
        let began = Instant::now();
        if !again(shop, order).await {
            seen.in_vain = Some(began.elapsed());
            break;
        }
    }
    seen
}

async fn tell(
    lab: &Lab,
    front: &Front<'_>,
    struck: usize,
    blow: &Blow,
    seen: &Seen,
) {
    let Seen { unanswered, after, in_vain } = seen;
    let moved = front.balancers.holders().await != [struck];
    let name = struck + 1;
    for (id, name, value) in [
        ("after", text! { en: "after it", zh: "其后确认" }, f64::from(*after)),
        (
            "unanswered",
            text! { en: "unanswered", zh: "未应答" },
            f64::from(*unanswered),
        ),
        (
            "moved",
            text! { en: "moved", zh: "漂移" },
            f64::from(u8::from(moved)),
        ),
    ] {
        lab.observe(id, name, value, Unit::Count);
    }
    let then = match in_vain.map(|waited| waited.as_secs()) {
        None => text! {
            en: "then {after} confirmed", zh: "其后确认 {after} 个", after = after
        },
        Some(seconds) => text! {
            en: "sent again for {s} s, in vain", zh: "重发了 {s} 秒，没用",
            s = seconds
        },
    };
    lab.step(
        text! { en: "fault", zh: "故障" },
        Text::made(
            format!(
                "lb{name} {}; {unanswered} unanswered, {}",
                blow.word.en, then.en
            ),
            format!(
                "lb{name} {}；未应答 {unanswered} 个，{}",
                blow.word.zh, then.zh
            ),
        ),
    );
    front.draw(&[(struck, blow.word.clone())]).await;
}

/// After the fault nothing was confirmed any more, and of each attempt that is
/// known.
pub fn nobody_came_through(outcome: &Outcome) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    figure_is(outcome, "after", 0)
}

/// After the fault orders were confirmed again, all of them, and none is
/// missing.
pub fn every_order_came_through(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "moved", 1)?;
    every_message_confirmed(outcome)?;
    every_message_once(outcome)
}
