//! Three nodes, one queue of orders on them, and what may happen to both.

mod traffic;

use std::time::Duration;

use anyhow::{Context, bail};
use lapin::{
    Connection, ConnectionProperties,
    options::{QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable},
};
use serde_json::{Value, json};
use tokio::time::timeout;

pub use self::traffic::{
    ANSWERED, ELECTED, PATIENCE, WINDOW, at_once, do_once, served_within,
};
use crate::{
    demos::shop::orders::{ORDERS, Ran},
    event::Seat,
    fault::{container, parted::Parted},
    lab::{Lab, RanOut},
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

/// So often at most a queue is declared.
const DECLARED: u32 = 3;
/// A fail-over takes less, and so does the boot of a node of 3.10.
pub const SOON: Duration = Duration::from_secs(60);
/// After a partition nodes of 3.10 are restarted, and on a busy machine each
/// takes half a minute: it was seen to take more than a minute in all.
const HEALED: Duration = Duration::from_secs(100);

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

    /// Declares the queue of the orders at a node, which then leads it
    /// (`queue_leader_locator`, `client-local` by default). Of a quorum queue
    /// that is looked at: on a busy machine its first election may end
    /// otherwise, and then it is declared anew.
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
        for _ in 0..DECLARED {
            let arguments = arguments.clone();
            channel.queue_declare(queue.into(), durable, arguments).await?;
            if matches!(kind, Kind::Classic) || self.leads(queue, at).await? {
                connection.close(200, "declared".into()).await?;
                return Ok(());
            }
            let how = QueueDeleteOptions::default();
            channel.queue_delete(queue.into(), how).await?;
        }
        bail!("it is led by another node than the one that declares it");
    }

    /// Whether this node leads, once somebody does.
    async fn leads(&self, queue: &str, node: Node) -> anyhow::Result<bool> {
        let what = text! { en: "a leader", zh: "选出 leader" };
        let led = || async {
            Ok(self.locate_queue(queue, node).await?.leader.is_some())
        };
        self.lab.wait_until(what, SOON, led).await?;
        Ok(self.locate_queue(queue, node).await?.leader == Some(node))
    }

    /// Declares a classic queue at a node, which then leads it, and mirrors it
    /// to all others; who comes back copies what it has missed.
    pub async fn mirror_to_all(&self, leader: Node) -> Ran {
        self.declare(Kind::Classic, leader).await?;
        let all = json!({ "ha-mode": "all", "ha-sync-mode": "automatic" });
        self.mirror(all, self.count() - 1).await
    }

    /// Sets a policy on the queue, and waits for as many copies besides the
    /// leader as it asks for.
    pub async fn mirror(&self, policy: Value, copies: usize) -> Ran {
        self.mirror_queue(ORDERS, policy, copies).await
    }

    /// The same with a queue of another name.
    pub async fn mirror_queue(
        &self,
        queue: &str,
        policy: Value,
        copies: usize,
    ) -> Ran {
        let (lab, broker) = (self.lab, self.broker(0)?);
        let set = broker.management.set_policy(lab.vhost(), queue, policy);
        if let Err(why) = set.await? {
            bail!("the policy is refused: {why}");
        }
        let what = text! { en: "the copies", zh: "镜像就位" };
        let is_so = || async {
            Ok(self.locate_queue(queue, 0).await?.copies.len() == copies)
        };
        self.lab.wait_until(what, SOON, is_so).await
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
        self.locate_queue(ORDERS, asked).await
    }

    async fn locate_queue(
        &self,
        queue: &str,
        asked: Node,
    ) -> anyhow::Result<Where> {
        let management = &self.broker(asked)?.management;
        let told = management.queue(self.lab.vhost(), queue).await;
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

    /// Waits until so many copies are synchronised, in the eyes of a node.
    pub async fn until_synced(&self, asked: Node, copies: usize) -> Ran {
        let what =
            text! { en: "the copies to be synchronised", zh: "镜像同步完成" };
        let synced =
            |at: &Where| at.leader.is_some() && at.synced.len() == copies;
        self.until(what, asked, synced).await
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

    /// Cuts the first off from the others; clients reach both sides.
    pub async fn part(
        &self,
        one: &[Node],
        other: &[Node],
    ) -> anyhow::Result<Parted> {
        let brokers = |side: &[Node]| -> anyhow::Result<Vec<&Broker>> {
            side.iter().map(|node| self.broker(*node)).collect()
        };
        self.lab.part(&brokers(one)?, &brokers(other)?).await
    }

    /// Starts a node that was stopped, and waits until it answers.
    pub async fn start(&self, node: Node) -> Ran {
        self.lab.start_again(self.broker(node)?).await
    }

    /// Starts whatever is down, and waits until all count each other again.
    pub async fn heal(&self) -> Ran {
        if self.cluster.mend(HEALED).await? {
            return Ok(());
        }
        let what = text! {
            en: "the cluster to be whole; running: {counted}",
            zh: "集群恢复完整；各节点看到的运行数：{counted}",
            counted = self.cluster.counted().await
        };
        Err(RanOut { what, limit: HEALED }.into())
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

    /// Whether a node of 3.x knows that it was parted from others, and has not
    /// come together with them again.
    pub async fn is_parted(&self, asked: Node) -> anyhow::Result<bool> {
        Ok(self.broker(asked)?.management.is_parted().await)
    }

    /// Waits until one of these leads, in the eyes of a node.
    pub async fn until_led_by(&self, asked: Node, these: &[Node]) -> Ran {
        let what = text! { en: "an election", zh: "选主" };
        let led = |at: &Where| at.leader.is_some_and(|n| these.contains(&n));
        self.until(what, asked, led).await
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

/// A word for a node that was killed.
pub fn killed() -> Text {
    text! { en: "killed", zh: "被杀" }
}

/// A word for a node that is lost with its disk.
pub fn gone() -> Text {
    text! { en: "lost", zh: "没了" }
}

/// A connection to a node, within a client's patience.
pub async fn connect(uri: &str) -> anyhow::Result<Connection> {
    let how = ConnectionProperties::default();
    Ok(timeout(PATIENCE, Connection::connect(uri, how)).await??)
}
