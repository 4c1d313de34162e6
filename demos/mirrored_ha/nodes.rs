//! Three nodes, one queue of orders on them, and what may happen to both.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use lapin::{
    Connection, ConnectionProperties,
    options::{BasicGetOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::{
    demos::shop::orders::{ORDERS, Ran, order},
    event::{Seat, Unit},
    fault::{
        container,
        parted::{self, Parted},
    },
    lab::{
        Lab, Outcome, RanOut,
        check::{every_message_confirmed, every_message_once},
    },
    ledger::{Fact, MessageId, Witness},
    pattern::{
        failover::FailoverPublisher,
        publisher::{Answer, Outgoing},
    },
    stage::{Broker, Cluster, image},
    text,
    text::Text,
};

/// Which of the three.
pub type Node = usize;

/// What kind of queue the orders go to. Its leader is where it is declared.
#[derive(Clone, Copy)]
pub enum Kind {
    /// On one node, unless a policy mirrors it.
    Classic,
    /// On so many.
    Quorum(u32),
}

/// Where the queue is, as one node sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Where {
    /// The node that leads it.
    pub leader: Option<Node>,
    /// The others that have a copy, up to date or not.
    pub copies: Vec<Node>,
    /// Those of them that are up to date. Of a quorum queue that is not said:
    /// those that are online.
    pub synced: Vec<Node>,
}

/// A publisher waits for an answer as long as this, then it tries elsewhere.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// A fail-over takes less, and so does the boot of a node of 3.10.
pub const SOON: Duration = Duration::from_secs(60);
/// The longest that a fail-over is waited for, where it may not come.
const FAIL_OVER: Duration = Duration::from_secs(6);
/// Unanswered publishes at a time.
pub const WINDOW: usize = 20;

/// The cluster of a way.
pub struct Nodes<'a> {
    lab: &'a Lab,
    cluster: &'a Cluster,
}

impl<'a> Nodes<'a> {
    /// Those of this way.
    pub fn of(lab: &'a Lab) -> anyhow::Result<Self> {
        Ok(Self { lab, cluster: lab.cluster()? })
    }

    /// Those of a cluster that the way has started for itself.
    pub fn on(lab: &'a Lab, cluster: &'a Cluster) -> Self {
        Self { lab, cluster }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.cluster.nodes.len()
    }

    /// One of them.
    pub fn broker(&self, node: Node) -> anyhow::Result<&'a Broker> {
        self.cluster.nodes.get(node).context("there are three nodes")
    }

    /// Where a client finds one of them. Heartbeats are what tells it that a
    /// node has fallen silent.
    pub fn address(&self, node: Node) -> anyhow::Result<String> {
        let broker = self.broker(node)?;
        let uri = broker.uri(broker.amqp, self.lab.vhost());
        Ok(format!("{uri}&heartbeat=2"))
    }

    /// A publisher that tries these nodes one after another.
    pub fn publisher(
        &self,
        nodes: &[Node],
    ) -> anyhow::Result<FailoverPublisher> {
        let addresses: anyhow::Result<Vec<_>> =
            nodes.iter().map(|node| self.address(*node)).collect();
        let witness = self.lab.witness();
        Ok(FailoverPublisher::new(addresses?, ORDERS, PATIENCE, witness))
    }

    /// Declares the queue of the orders at a node, which then leads it
    /// (`queue_leader_locator`, `client-local` by default).
    pub async fn declare(&self, kind: Kind, at: Node) -> Ran {
        self.declare_as(ORDERS, kind, at).await
    }

    /// The same with a queue of another name.
    pub async fn declare_as(&self, queue: &str, kind: Kind, at: Node) -> Ran {
        let connection = connect(&self.address(at)?).await?;
        let channel = connection.create_channel().await?;
        let mut arguments = FieldTable::default();
        let word = |word: &str| AMQPValue::LongString(word.into());
        match kind {
            Kind::Classic => {
                arguments.insert("x-queue-type".into(), word("classic"));
            }
            Kind::Quorum(members) => {
                arguments.insert("x-queue-type".into(), word("quorum"));
                arguments.insert(
                    "x-quorum-initial-group-size".into(),
                    AMQPValue::LongUInt(members),
                );
            }
        }
        let durable = QueueDeclareOptions::durable();
        channel.queue_declare(queue.into(), durable, arguments).await?;
        connection.close(200, "declared".into()).await?;
        Ok(())
    }

    /// Sets a policy on the queue, and waits for as many copies besides the
    /// leader as it asks for.
    pub async fn mirror(&self, policy: Value, copies: usize) -> Ran {
        let (lab, broker) = (self.lab, self.broker(0)?);
        let set = broker.management.set_policy(lab.vhost(), ORDERS, policy);
        if let Err(why) = set.await? {
            bail!("the policy is refused: {why}");
        }
        let what = text! { en: "the copies", zh: "镜像就位" };
        self.until(what, 0, |at| at.copies.len() == copies).await
    }

    /// The name of a node, as the brokers call it.
    pub fn name(&self, node: Node) -> anyhow::Result<String> {
        Ok(format!("rabbit@{}", self.broker(node)?.service.container))
    }

    /// Which node a broker calls by this name.
    pub fn number(&self, name: &Value) -> Option<Node> {
        let host = name.as_str()?.strip_prefix("rabbit@")?;
        let mut nodes = self.cluster.nodes.iter();
        nodes.position(|node| node.service.container == host)
    }

    /// Where the queue is, in the eyes of a node.
    pub async fn locate(&self, asked: Node) -> anyhow::Result<Where> {
        let management = &self.broker(asked)?.management;
        let told = management.queue(self.lab.vhost(), ORDERS).await;
        let Some(told) = told else { return Ok(Where::default()) };
        let all = |key: &str| -> Vec<Node> {
            let names = told[key].as_array().into_iter().flatten();
            names.filter_map(|name| self.number(name)).collect()
        };
        if told["type"] == "quorum" {
            let leader = self.number(&told["leader"]);
            let but = |key| -> Vec<Node> {
                all(key).into_iter().filter(|n| Some(*n) != leader).collect()
            };
            let (copies, synced) = (but("members"), but("online"));
            return Ok(Where { leader, copies, synced });
        }
        let leader = match told["state"] == "down" {
            true => None,
            false => self.number(&told["node"]),
        };
        let (copies, synced) =
            (all("slave_nodes"), all("synchronised_slave_nodes"));
        Ok(Where { leader, copies, synced })
    }

    /// Waits until the queue is where it is wanted, in the eyes of a node.
    pub async fn until(
        &self,
        what: Text,
        asked: Node,
        is_so: impl Fn(&Where) -> bool,
    ) -> Ran {
        let is_so = || async { Ok(is_so(&self.locate(asked).await?)) };
        self.lab.wait_until(what, SOON, is_so).await
    }

    /// Kills one of them.
    pub async fn kill(&self, node: Node) -> Ran {
        let container = self.broker(node)?.container();
        container::kill(&self.cluster.engine, container).await?;
        Ok(())
    }

    /// Shuts one of them down, the graceful way.
    pub async fn shut_down(&self, node: Node) -> Ran {
        let broker = self.broker(node)?;
        container::shut_down(&self.cluster.engine, broker).await?;
        Ok(())
    }

    /// Cuts two sides apart; their clients reach both.
    pub async fn part(
        &self,
        one: &[Node],
        other: &[Node],
    ) -> anyhow::Result<Parted> {
        let engine = &self.cluster.engine;
        let tools = image::Reference::Named("tools");
        let tools = image::resolve(engine, tools, &|_| {}).await?;
        let brokers = |side: &[Node]| -> anyhow::Result<Vec<&Broker>> {
            side.iter().map(|node| self.broker(*node)).collect()
        };
        let (one, other) = (brokers(one)?, brokers(other)?);
        Ok(parted::part(engine, &tools, &one, &other).await?)
    }

    /// Starts a node that was stopped, and waits until it answers.
    pub async fn start(&self, node: Node) -> Ran {
        self.lab.start_again(self.broker(node)?).await
    }

    /// Starts whatever is down, and waits until all count each other again.
    pub async fn heal(&self) -> Ran {
        if self.cluster.mend(SOON).await? {
            return Ok(());
        }
        let what = text! { en: "the cluster to be whole", zh: "集群恢复完整" };
        Err(RanOut { what, limit: SOON }.into())
    }

    /// Publishes these orders and waits until each is confirmed.
    pub async fn publish(
        &self,
        at: &[Node],
        orders: impl IntoIterator<Item = MessageId>,
    ) -> Ran {
        let orders = orders.into_iter().map(|id| self.taken(id));
        let mut publisher = self.publisher(at)?;
        publisher.publish_all(orders, WINDOW, SOON).await?;
        Ok(())
    }

    /// An order, taken over from the customer.
    pub fn taken(&self, id: MessageId) -> Outgoing {
        self.lab.saw(id, Fact::Accepted);
        order(id)
    }

    /// Waits until those that are left know that so many are gone.
    pub async fn until_missed(&self, asked: Node, gone: usize) -> Ran {
        let left = self.count() - gone;
        let management = &self.broker(asked)?.management;
        let what = text! { en: "the others to notice", zh: "其他节点发觉" };
        let noticed =
            || async { Ok(management.counts_running().await == Some(left)) };
        self.lab.wait_until(what, SOON, noticed).await
    }

    /// Waits until one of these leads, in the eyes of a node.
    pub async fn until_led_by(&self, asked: Node, these: &[Node]) -> Ran {
        let what = text! { en: "an election", zh: "选主" };
        let led = |at: &Where| at.leader.is_some_and(|n| these.contains(&n));
        self.until(what, asked, led).await
    }

    /// Waits until a node that is cut off knows that it is alone, or has
    /// stopped because of that.
    pub async fn until_alone(&self, node: Node) -> Ran {
        let management = &self.broker(node)?.management;
        let what = text! { en: "the lonely one to notice", zh: "孤立节点发觉" };
        let alone = || async {
            Ok(management.counts_running().await.is_none_or(|n| n == 1))
        };
        self.lab.wait_until(what, SOON, alone).await
    }

    /// Publishes these while something is down: for the first it waits as
    /// long as a fail-over may take, then the others have one attempt. Returns
    /// those that were not confirmed, and observes how many were.
    pub async fn publish_meanwhile(
        &self,
        shop: &mut FailoverPublisher,
        orders: Vec<Outgoing>,
    ) -> Vec<Outgoing> {
        let mut orders = orders.into_iter();
        let Some(first) = orders.next() else { return Vec::new() };
        let served = shop.publish(&first, FAIL_OVER).await.is_ok();
        let (confirmed, mut open) =
            at_once(shop, orders.collect::<Vec<_>>()).await;
        if !served {
            open.insert(0, first);
        }
        self.observe_meanwhile(confirmed + usize::from(served), open.len());
        open
    }

    /// The same, one attempt for all together.
    pub async fn publish_at_once(
        &self,
        shop: &mut FailoverPublisher,
        orders: Vec<Outgoing>,
    ) -> Vec<Outgoing> {
        let (confirmed, open) = at_once(shop, orders).await;
        self.observe_meanwhile(confirmed, open.len());
        open
    }

    fn observe_meanwhile(&self, confirmed: usize, open: usize) {
        let name = text! { en: "meanwhile", zh: "期间确认" };
        self.lab.observe("meanwhile", name, confirmed as f64, Unit::Count);
        let name = Text::same("open");
        self.lab.observe("open", name, open as f64, Unit::Count);
    }

    /// Says what a way came to in which nothing was lost: that says nothing of
    /// whether it could be used.
    fn came_to(&self, done: u32) {
        let figures = (self.lab.figure("meanwhile"), self.lab.figure("open"));
        let (Some(confirmed), Some(open)) = figures else { return };
        if done == self.lab.count() {
            self.lab.came_to(text! {
                en: "all {done} once, {confirmed} of {all} meanwhile",
                zh: "{done} 条各一次、期间确认 {confirmed}/{all}",
                done = done, confirmed = confirmed, all = confirmed + open
            });
        }
    }

    /// Publishes again what was not confirmed, until it is.
    pub async fn publish_again(
        &self,
        shop: &mut FailoverPublisher,
        orders: &[Outgoing],
    ) -> Ran {
        for order in orders {
            shop.publish(order, SOON).await?;
        }
        Ok(())
    }

    /// Observes the longest time without a confirm.
    pub fn observe_gap(&self, shop: &FailoverPublisher) -> u128 {
        let gap = shop.longest_gap().as_millis();
        let name = text! { en: "gap", zh: "中断" };
        self.lab.observe("gap", name, gap as f64, Unit::Ms);
        gap
    }

    /// Consumes what is in the queue, once it is there, from whichever of
    /// these nodes answers, and does each order once. Returns how many
    /// different orders that were.
    pub async fn work_off(&self, at: Node) -> anyhow::Result<u32> {
        self.work_off_from(ORDERS, at).await
    }

    /// The same from a queue of another name.
    pub async fn work_off_from(
        &self,
        queue: &str,
        at: Node,
    ) -> anyhow::Result<u32> {
        let began = Instant::now();
        let (mut done, mut left) = (0, None);
        while left != Some(0) {
            ensure_in_time(began)?;
            let taken =
                timeout(PATIENCE, self.take(queue, at, &mut done)).await;
            left = taken.ok().and_then(Result::ok);
        }
        self.came_to(done);
        Ok(done)
    }

    /// Takes what is ready. Returns how many were left at the end.
    async fn take(
        &self,
        queue: &str,
        at: Node,
        done: &mut u32,
    ) -> anyhow::Result<u32> {
        let connection = connect(&self.address(at)?).await?;
        let channel = connection.create_channel().await?;
        let look = BasicGetOptions { no_ack: false };
        while let Some(got) = channel.basic_get(queue.into(), look).await? {
            let id = got.delivery.properties.message_id().as_ref();
            let id = id.context("a message without an id")?;
            let order: MessageId = id.as_str().parse()?;
            let again = got.delivery.redelivered;
            let fact = if again { Fact::Redelivered } else { Fact::Delivered };
            let known = self.lab.entry(order).unwrap_or_default();
            self.lab.saw(order, fact);
            if known.delivered == 0 {
                *done += 1;
                self.lab.settle(order, 1, 0);
            }
            ensure!(got.delivery.acker.ack(Default::default()).await?);
        }
        let passive =
            QueueDeclareOptions { passive: true, ..Default::default() };
        let none = FieldTable::default();
        let seen = channel.queue_declare(queue.into(), passive, none).await?;
        let left = seen.message_count();
        connection.close(200, "that is all".into()).await?;
        Ok(left)
    }

    /// Draws who is what, from where the queue is in the eyes of a node; who
    /// does not run is told beside it.
    pub async fn draw(&self, asked: Node, down: &[(Node, Text)]) -> Ran {
        self.lab.draw(self.seats("n", asked, down).await?);
        Ok(())
    }

    /// The same, to be drawn later, with names that begin like this.
    pub async fn seats(
        &self,
        name: &str,
        asked: Node,
        down: &[(Node, Text)],
    ) -> anyhow::Result<Vec<Seat>> {
        Ok(self.seats_at(name, &self.locate(asked).await?, down))
    }

    /// The same, from where the queue was known to be.
    pub fn draw_at(&self, at: &Where, down: &[(Node, Text)]) {
        self.lab.draw(self.seats_at("n", at, down));
    }

    fn seats_at(
        &self,
        name: &str,
        at: &Where,
        down: &[(Node, Text)],
    ) -> Vec<Seat> {
        let seats = (0..self.count()).map(|node| {
            let is_down = down.iter().find(|(down, _)| *down == node);
            let (is, up) = match is_down {
                Some((_, word)) => (word.clone(), false),
                None => (word(at, node), true),
            };
            Seat { name: format!("{name}{}", node + 1), is, up, side: 0 }
        });
        seats.collect()
    }

    /// Draws two sides that do not hear each other, each as it sees itself.
    pub async fn draw_parted(&self, one: &[Node], other: &[Node]) -> Ran {
        let mut seats = Vec::new();
        for (side, nodes) in (0..).zip([one, other]) {
            let Some(first) = nodes.first() else { continue };
            let at = self.locate(*first).await?;
            let of_side = nodes.iter().map(|n| seat(*n, word(&at, *n), side));
            seats.extend(of_side);
        }
        self.lab.draw(seats);
        Ok(())
    }
}

fn seat(node: Node, is: Text, side: u8) -> Seat {
    Seat { name: format!("n{}", node + 1), is, up: true, side }
}

fn word(at: &Where, node: Node) -> Text {
    if at.leader == Some(node) {
        return text! { en: "leader", zh: "主" };
    }
    if !at.copies.contains(&node) {
        return text! { en: "-", zh: "-" };
    }
    match at.synced.contains(&node) {
        true => text! { en: "copy", zh: "副本" },
        false => text! { en: "copy, behind", zh: "副本，未同步" },
    }
}

/// The orders before a fault, and a part of them (one in so many) for the
/// time while it lasts.
pub fn split(lab: &Lab, one_in: u32) -> (Vec<MessageId>, Vec<MessageId>) {
    let mut orders: Vec<_> = lab.messages().collect();
    let later = of_them_later(lab.count(), one_in) as usize;
    let meanwhile = orders.split_off(orders.len() - later);
    (orders, meanwhile)
}

/// How many of the orders [`split`] keeps for later.
pub fn of_them_later(messages: u32, one_in: u32) -> u32 {
    messages / one_in
}

/// As many were confirmed while the fault lasted.
pub fn confirmed_meanwhile(
    outcome: &Outcome,
    expected: u32,
) -> Result<(), Text> {
    let confirmed = outcome.figure("meanwhile")?;
    if confirmed == f64::from(expected) {
        return Ok(());
    }
    Err(text! {
        en: "{confirmed} confirmed while it lasted, not {expected}",
        zh: "故障期间确认 {confirmed} 个，而不是 {expected} 个",
        confirmed = confirmed, expected = expected
    })
}

/// All were confirmed, some of them late, and none is missing.
pub fn every_order_once(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_message_once(outcome)
}

/// A word for a node that was killed.
pub fn killed() -> Text {
    text! { en: "killed", zh: "被杀" }
}

/// A word for a node that is lost with its disk.
pub fn gone() -> Text {
    text! { en: "lost", zh: "没了" }
}

/// One attempt for all together. How many were confirmed, and the others.
async fn at_once(
    shop: &mut FailoverPublisher,
    orders: Vec<Outgoing>,
) -> (usize, Vec<Outgoing>) {
    let answers = shop.attempt_all(&orders).await;
    let all = orders.len();
    let open: Vec<_> = orders
        .into_iter()
        .zip(answers)
        .filter(|(_, answer)| *answer != Answer::Confirmed)
        .map(|(order, _)| order)
        .collect();
    (all - open.len(), open)
}

async fn connect(uri: &str) -> anyhow::Result<Connection> {
    let how = ConnectionProperties::default();
    Ok(timeout(PATIENCE, Connection::connect(uri, how)).await??)
}

fn ensure_in_time(began: Instant) -> Ran {
    if began.elapsed() < SOON {
        return Ok(());
    }
    let what = text! { en: "the queue to be read", zh: "读出队列" };
    Err(RanOut { what, limit: SOON }.into())
}
