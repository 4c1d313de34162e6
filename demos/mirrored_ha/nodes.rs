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
    demos::shop::orders::{ORDERS, Ran},
    event::Seat,
    fault::container,
    lab::{Lab, RanOut},
    ledger::{Fact, MessageId, Witness},
    pattern::failover::FailoverPublisher,
    stage::{Broker, Cluster},
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
    pub fn taken(&self, id: MessageId) -> crate::pattern::publisher::Outgoing {
        self.lab.saw(id, Fact::Accepted);
        crate::demos::shop::orders::order(id)
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
        let at = self.locate(asked).await?;
        let seats = (0..self.count()).map(|node| {
            let is_down = down.iter().find(|(down, _)| *down == node);
            let (is, up) = match is_down {
                Some((_, word)) => (word.clone(), false),
                None => (word(&at, node), true),
            };
            Seat { name: format!("{name}{}", node + 1), is, up, side: 0 }
        });
        Ok(seats.collect())
    }
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

/// A word for a node that was killed.
pub fn killed() -> Text {
    text! { en: "killed", zh: "被杀" }
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
