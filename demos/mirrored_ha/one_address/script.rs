//! Clients come in by the address, a publisher and a consumer among them; the
//! leader's node dies, comes back, and then the balancer dies that holds the
//! address.

use std::time::Duration;

use anyhow::Context;
use lapin::{Connection, ConnectionProperties};
use tokio::time::timeout;

use super::{
    super::{
        balanced::{Front, SOON},
        listener::Listener,
        nodes::{Kind, Node, Nodes, PATIENCE, WINDOW, killed},
    },
    publishing::{Seen, struck_while_publishing, thirds},
};
use crate::{
    demos::shop::orders::{ORDERS, Ran},
    event::Unit,
    fault::balancer,
    lab::{Lab, Strike},
    pattern::{failover::FailoverPublisher, publisher::Outgoing},
    stage::Balancing,
    text,
    text::Text,
};

/// How the orders get to their queue.
#[derive(Clone, Copy)]
pub struct Fronted {
    /// What stands before the nodes.
    pub how: Balancing,
    /// What kind of queue it is.
    pub queue: Kind,
    /// What is done about an order without an answer.
    pub again: Again,
}

/// What is done about an order without an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Nothing.
    Never,
    /// It is sent until it is confirmed.
    UntilConfirmed,
    /// The same, for as long as an election and a moving address take.
    Briefly,
}

impl Again {
    fn limit(self) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::UntilConfirmed => Some(SOON),
            Self::Briefly => Some(Duration::from_secs(10)),
        }
    }
}

/// Clients that only are connected: three for each node.
pub(super) const CLIENTS: u32 = 9;

/// Nine clients are connected through the address, and a shop publishes: a
/// third of the orders, a third while the leader's node is killed, and a third
/// while the balancer is lost. A consumer waits for them all the while.
pub async fn through_one_address(lab: &Lab, how: &Fronted) -> Ran {
    let nodes = Nodes::of(lab)?;
    let brokers: anyhow::Result<Vec<_>> =
        (0..nodes.count()).map(|node| nodes.broker(node)).collect();
    let front = Front::before(lab, &how.how, &brokers?).await?;
    let (clients, spread) = connect_clients(&front).await?;
    let fewest = spread.iter().copied().min().unwrap_or(0);
    let words = text! { en: "fewest on a node", zh: "节点最少连接数" };
    lab.observe("fewest", words, f64::from(fewest), Unit::Count);
    let leader = away_from_the_next(&front).await?;
    nodes.declare(how.queue, leader).await?;
    let consumer = Listener::reconnecting(lab, front.uri(Some(2)));
    let what = text! { en: "the consumer", zh: "消费者就位" };
    lab.wait_until(what, SOON, || async { Ok(consumer.begun() > 0) }).await?;
    let mut shop = FailoverPublisher::new(
        [front.uri(Some(10))],
        ORDERS,
        PATIENCE,
        lab.witness(),
    );
    let [before, at_node, at_balancer] = thirds(lab);
    shop.publish_all(before, WINDOW, SOON).await?;
    tell_the_start(lab, &spread);
    let scene = Scene { lab, front, nodes, leader, spread };
    scene.draw(&[], &[]).await?;
    if !lab.is_armed(Strike::BrokerKilled) {
        return Ok(());
    }
    let limit = how.again.limit();
    let open = scene.node_dies(&mut shop, at_node, limit, &clients).await?;
    scene.node_returns().await?;
    if limit.is_some() {
        for order in &open {
            shop.publish(order, SOON).await?;
        }
    }
    scene.balancer_dies(&mut shop, at_balancer, limit, &clients).await?;
    scene.work_off(consumer).await
}

struct Scene<'a> {
    lab: &'a Lab,
    front: Front<'a>,
    nodes: Nodes<'a>,
    leader: Node,
    /// How many of the clients each node was given.
    spread: Vec<u32>,
}

impl Scene<'_> {
    async fn node_dies(
        &self,
        shop: &mut FailoverPublisher,
        orders: Vec<Outgoing>,
        limit: Option<Duration>,
        clients: &[Connection],
    ) -> anyhow::Result<Vec<Outgoing>> {
        let (lab, leader) = (self.lab, self.leader);
        let its = self.spread.get(leader).copied().unwrap_or(0);
        let kill = self.nodes.kill(leader);
        let seen = struck_while_publishing(shop, orders, limit, kill).await?;
        lab.struck_once(Strike::BrokerKilled);
        let what = text! { en: "connections to break", zh: "连接断开" };
        let broken = || async { Ok(broken(clients) >= its) };
        lab.wait_until(what, SOON, broken).await?;
        let broken = self::broken(clients);
        let words = text! { en: "broken with the node", zh: "随节点断开" };
        lab.observe("broken", words, f64::from(broken), Unit::Count);
        self.observe("node", &seen);
        lab.step(
            text! { en: "node dies", zh: "节点宕机" },
            seen.after_that(&text! {
                en: "{n} killed: {broken} of {all} connections broke",
                zh: "{n} 被杀：{all} 条连接断了 {broken} 条",
                n = name(leader), broken = broken, all = CLIENTS
            }),
        );
        self.draw(&[], &[(leader, killed())]).await?;
        Ok(seen.open)
    }

    /// The node is back: it gets connections, and no leader.
    async fn node_returns(&self) -> Ran {
        let (lab, leader) = (self.lab, self.leader);
        self.nodes.heal().await?;
        let holder = self.front.holder().await?;
        let what = text! { en: "HAProxy to see it", zh: "HAProxy 发现它" };
        let is_up = || async {
            let backends = self.front.balancers.backends(holder).await;
            Ok(backends.get(leader).is_some_and(|backend| backend.is_up))
        };
        lab.wait_until(what, SOON, is_up).await?;
        let what = text! { en: "its member to be back", zh: "其成员上线" };
        let asked = (leader + 1) % self.nodes.count();
        self.nodes
            .until(what, asked, |at| {
                at.leader == Some(leader) || at.synced.contains(&leader)
            })
            .await?;
        let (_clients, spread) = connect_clients(&self.front).await?;
        let its = spread.get(leader).copied().unwrap_or(0);
        let words = text! { en: "connections when back", zh: "恢复后的连接" };
        lab.observe("back", words, f64::from(its), Unit::Count);
        lab.step(
            text! { en: "return", zh: "恢复" },
            text! {
                en: "{n} is back: {its} of {all} new connections are its own",
                zh: "{n} 恢复：{all} 条新连接里它分到 {its} 条",
                n = name(leader), its = its, all = CLIENTS
            },
        );
        self.draw(&[], &[]).await
    }

    async fn balancer_dies(
        &self,
        shop: &mut FailoverPublisher,
        orders: Vec<Outgoing>,
        limit: Option<Duration>,
        clients: &[Connection],
    ) -> Ran {
        let lab = self.lab;
        let holder = self.front.holder().await?;
        let living = CLIENTS - broken(clients);
        let lose = balancer::lose(&self.front.balancers, holder);
        let seen = struck_while_publishing(shop, orders, limit, lose).await?;
        // Nobody is told: for certain something was on its way.
        if seen.unanswered > 0 {
            lab.struck_once(Strike::BalancerKilled);
        }
        let what = text! { en: "heartbeats to be missed", zh: "心跳超时" };
        let all = || async { Ok(broken(clients) == CLIENTS) };
        lab.wait_until(what, SOON, all).await?;
        let moved = self.front.balancers.holders().await != [holder];
        let words = text! { en: "moved", zh: "漂移" };
        lab.observe("moved", words, f64::from(u8::from(moved)), Unit::Count);
        self.observe("balancer", &seen);
        lab.step(
            text! { en: "balancer dies", zh: "负载均衡宕机" },
            seen.after_that(&text! {
                en: "lb{lb} lost its power: the other {living} connections broke",
                zh: "lb{lb} 断电：剩下的 {living} 条连接也断了",
                lb = holder + 1, living = living
            }),
        );
        let word = text! { en: "no power", zh: "断电" };
        self.draw(&[(holder, word)], &[]).await
    }

    /// What the shop saw of a fault.
    fn observe(&self, of: &str, seen: &Seen) {
        let lab = self.lab;
        let unanswered = f64::from(seen.unanswered)
            + lab.figure("unanswered").unwrap_or(0.0);
        let words = text! { en: "unanswered", zh: "未应答" };
        lab.observe("unanswered", words, unanswered, Unit::Count);
        let (after, gap) = match of {
            "node" => (
                text! { en: "confirmed after the node's death", zh: "节点宕机后确认" },
                text! { en: "gap, node", zh: "中断（节点）" },
            ),
            _ => (
                text! { en: "confirmed after the balancer's", zh: "负载均衡宕机后确认" },
                text! { en: "gap, balancer", zh: "中断（负载均衡）" },
            ),
        };
        let id = format!("after-{of}");
        lab.observe(&id, after, f64::from(seen.after), Unit::Count);
        if seen.after > 0 {
            let gap_ms = seen.gap.as_millis() as f64;
            lab.observe(&format!("gap-{of}"), gap, gap_ms, Unit::Ms);
        }
    }

    /// The consumer does what was confirmed, by way of the address, where that
    /// is reached; what is left then was never confirmed, or cannot be reached.
    async fn work_off(&self, consumer: Listener) -> Ran {
        let lab = self.lab;
        let is_reached = lab.figure("after-balancer") > Some(0.0);
        if is_reached {
            let what = text! { en: "the consumer to do it", zh: "消费者做完" };
            let is_done = || async {
                Ok(u64::from(consumer.done()) >= lab.sums().confirmed)
            };
            lab.wait_until(what, SOON, is_done).await?;
        }
        let (by_it, cuts) = (consumer.done(), consumer.cuts());
        drop(consumer);
        let left = match is_reached {
            true => self.nodes.work_off_by(&self.front.uri(Some(10))).await?,
            false => self.nodes.work_off(self.leader).await?,
        };
        let words = text! { en: "consumer cut", zh: "消费者断线" };
        lab.observe("cuts", words, f64::from(cuts), Unit::Count);
        lab.step(
            text! { en: "consume", zh: "消费" },
            text! {
                en: "cuts of the consumer: {cuts}; it did {done} orders, {left} left",
                zh: "消费者断线 {cuts} 次，完成 {done} 个订单，剩下 {left} 个",
                cuts = cuts, done = by_it, left = left
            },
        );
        let sums = lab.sums();
        if lab.figure("after-node") == Some(0.0) {
            lab.came_to(text! {
                en: "no confirm until the node was back",
                zh: "节点恢复之前再没有确认"
            });
            return Ok(());
        }
        lab.came_to(text! {
            en: "{n} of {all} confirmed", zh: "{all} 个里确认 {n} 个",
            n = sums.confirmed, all = lab.count()
        });
        Ok(())
    }

    /// Draws the balancers and the nodes behind them.
    async fn draw(
        &self,
        balancers: &[(usize, Text)],
        down: &[(Node, Text)],
    ) -> Ran {
        let asked = (self.leader + 1) % self.nodes.count();
        let mut seats = self.front.balancer_seats(balancers).await;
        seats.extend(self.nodes.seats("n", asked, down).await?);
        self.lab.draw(seats);
        Ok(())
    }
}

fn tell_the_start(lab: &Lab, spread: &[u32]) {
    let shares: Vec<_> = spread.iter().map(u32::to_string).collect();
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders through the address, all confirmed; connections to \
                 the nodes: {shares}",
            zh: "经虚拟 IP 发布 {n} 个订单，全部确认；各节点连接数：{shares}",
            n = lab.sums().confirmed, shares = shares.join(", ")
        },
    );
}

/// Nine connections, one after another, and how many each node was given.
async fn connect_clients(
    front: &Front<'_>,
) -> anyhow::Result<(Vec<Connection>, Vec<u32>)> {
    let holder = front.holder().await?;
    let totals = async || -> Vec<u32> {
        let backends = front.balancers.backends(holder).await;
        backends.iter().map(|backend| backend.total).collect()
    };
    let before = totals().await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let how = ConnectionProperties::default();
        let uri = front.uri(Some(2));
        clients.push(timeout(SOON, Connection::connect(&uri, how)).await??);
    }
    let after = totals().await;
    let given = before.iter().zip(&after);
    Ok((clients, given.map(|(was, is)| is - was).collect()))
}

/// A node that HAProxy will not give the next connection to, so that who
/// publishes is connected to another one than the leader's. It goes round: one
/// connection more shows whose turn it was.
async fn away_from_the_next(front: &Front<'_>) -> anyhow::Result<Node> {
    let holder = front.holder().await?;
    let was = front.balancers.backends(holder).await;
    let how = ConnectionProperties::default();
    let uri = front.uri(Some(2));
    let probe = timeout(SOON, Connection::connect(&uri, how)).await??;
    let is = front.balancers.backends(holder).await;
    probe.close(200, "seen".into()).await?;
    let mut both = was.iter().zip(&is);
    let given = both.position(|(was, is)| is.total > was.total);
    given.context("HAProxy counts no connection")
}

fn name(node: Node) -> String {
    format!("n{}", node + 1)
}

fn broken(clients: &[Connection]) -> u32 {
    let broken = clients.iter().filter(|client| !client.status().connected());
    u32::try_from(broken.count()).unwrap_or(u32::MAX)
}
