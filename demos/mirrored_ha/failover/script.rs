//! One script for a mirrored queue and for a quorum queue: some orders are
//! confirmed, some are on the wire when the leader is killed, and the rest is
//! published while it is away.

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        meanwhile::{confirmed_meanwhile, every_order_once},
        nodes::{Kind, Node, Nodes, PATIENCE, WINDOW, killed},
    },
    stream::{Stream, was_confirmed_throughout},
};
use crate::{
    demos::shop::orders::{ORDERS, Ran},
    fault::wire::{Protocol, Wire},
    lab::{
        Lab, Outcome, Strike,
        check::{every_attempt_answered, exactly_where},
    },
    ledger::{Kind as Wrong, MessageId, Noun},
    pattern::{
        failover::FailoverPublisher,
        publisher::{Answer, Outgoing},
    },
    text,
    text::Text,
};

/// What a publisher does with an order that was not answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Resends {
    /// Nothing.
    Never,
    /// Sends it again.
    UntilConfirmed,
}

/// `net_ticktime` of the lab's clusters: nobody waits for that after a kill,
/// though the kill itself takes a part of a second.
const TICK_MS: u32 = 5_000;
const LEADER: usize = 0;
const NEXT: usize = 1;
/// Whoever publishes to these is not at the node that is killed.
const LIVE: [Node; 2] = [NEXT, 2];

/// Publishes through the leader's node, which is killed with the planned
/// orders on the wire; goes on through the others; reads what there is when
/// the node is back. Where nothing confirmed is to be missing, a second
/// publisher keeps the queue at work meanwhile.
pub async fn fail_over(
    lab: &Lab,
    kind: Kind,
    policy: Option<Value>,
    resends: Resends,
) -> Ran {
    let nodes = Nodes::of(lab)?;
    nodes.declare(kind, LEADER).await?;
    if let Some(policy) = policy {
        nodes.mirror(policy, 1).await?;
        nodes.until_synced(NEXT, 1).await?;
    }
    let wire = lab.wire("producer", Protocol::Amqp).await?;
    let mut shop = shop(lab, &nodes, &wire)?;
    let (before, on_the_wire, rest) = parts(lab);
    let before = before.into_iter().map(|id| nodes.taken(id));
    shop.publish_all(before, WINDOW, PATIENCE).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders through the leader's node, all confirmed",
            zh: "经主节点发布 {n} 个订单，全部确认",
            n = lab.sums().confirmed
        },
    );
    nodes.draw(NEXT, &[]).await?;
    if on_the_wire.is_empty() {
        return Ok(());
    }
    let mut beside = match resends {
        Resends::Never => None,
        Resends::UntilConfirmed => {
            Some(Stream::begin(&nodes, &LIVE, Noun::Payment).await?)
        }
    };
    let fault = Fault { lab, nodes: &nodes, wire: &wire, resends };
    let mut open =
        fault.strike(&mut shop, &mut beside, on_the_wire, rest).await?;
    if let Some(stream) = &mut beside {
        open.extend(stream.tell(lab));
    }
    nodes.until_missed(NEXT, 1).await?;
    nodes.draw(NEXT, &[(LEADER, killed())]).await?;
    nodes.heal().await?;
    nodes.publish_again(&mut shop, &open).await?;
    let when = text! { en: "the node is back", zh: "节点恢复之后" };
    nodes.look(NEXT, when).await?;
    Ok(())
}

/// A publisher to the leader's node, by way of the wire, and to the others.
fn shop(
    lab: &Lab,
    nodes: &Nodes<'_>,
    wire: &Wire,
) -> anyhow::Result<FailoverPublisher> {
    let through = format!("{}&heartbeat=2", lab.uri_through(wire));
    let addresses = [through, nodes.address(1)?, nodes.address(2)?];
    let witness = lab.witness();
    Ok(FailoverPublisher::new(addresses, ORDERS, PATIENCE, witness))
}

/// The orders before the planned ones, those, and the rest. Without a fault
/// all of them are before.
fn parts(lab: &Lab) -> (Vec<MessageId>, Vec<MessageId>, Vec<MessageId>) {
    let planned = |id: &MessageId| lab.is_planned(*id, Strike::BrokerKilled);
    let struck: Vec<_> = lab.messages().filter(planned).collect();
    let Some(first) = struck.first().copied() else {
        return (lab.messages().collect(), Vec::new(), Vec::new());
    };
    let others = lab.messages().filter(|id| !struck.contains(id));
    let (before, rest) = others.partition(|id| id.number < first.number);
    (before, struck, rest)
}

/// What there is while the leader is killed.
struct Fault<'a> {
    lab: &'a Lab,
    nodes: &'a Nodes<'a>,
    wire: &'a Wire,
    resends: Resends,
}

impl Fault<'_> {
    /// The leader is killed with these on the wire; then the rest is
    /// published. The second publisher, where there is one, goes on meanwhile.
    /// Returns those orders that were not confirmed.
    async fn strike(
        &self,
        shop: &mut FailoverPublisher,
        beside: &mut Option<Stream>,
        on_the_wire: Vec<MessageId>,
        rest: Vec<MessageId>,
    ) -> anyhow::Result<Vec<Outgoing>> {
        let nodes = self.nodes;
        let stretch = nodes.take_over(on_the_wire);
        let many = stretch.len();
        let is_over = CancellationToken::new();
        let orders = async {
            let answers = self.kill_under(shop, &stretch, &is_over).await?;
            for (order, answer) in stretch.iter().zip(answers) {
                if answer == Answer::Unknown {
                    self.lab.struck(order.id, Strike::BrokerKilled);
                }
            }
            let mut orders = match self.resends {
                Resends::Never => Vec::new(),
                Resends::UntilConfirmed => stretch.clone(),
            };
            orders.extend(nodes.take_over(rest));
            // At once: whoever asks first whether the others have noticed,
            // measures no gap.
            let open = nodes.publish_meanwhile(shop, orders).await;
            Ok::<_, anyhow::Error>((open, nodes.observe_gap(shop)))
        };
        let stream = async {
            if let Some(stream) = beside {
                stream.go_on(nodes, &is_over).await;
            }
        };
        let (orders, ()) = tokio::join!(orders, stream);
        let (open, gap) = orders?;
        self.lab.step(
            text! { en: "fault", zh: "故障" },
            text! {
                en: "{n} on the wire; from the kill on no confirm for {gap} ms",
                zh: "{n} 个在路上，杀主节点；从动手起 {gap} 毫秒没有确认",
                n = many, gap = gap
            },
        );
        Ok(open)
    }

    /// Nothing passes the wire any more; the orders are sent into it, the
    /// leader is killed, and the connection breaks. Returns what was answered.
    /// The gap is measured from just before the kill, which is a part of it.
    async fn kill_under(
        &self,
        shop: &mut FailoverPublisher,
        orders: &[Outgoing],
        is_over: &CancellationToken,
    ) -> anyhow::Result<Vec<Answer>> {
        self.wire.freeze();
        shop.watch_for_a_gap();
        let kill = async {
            // Also where it fails: nobody may wait for it for ever.
            let over = is_over.clone().drop_guard();
            self.nodes.kill(LEADER).await?;
            drop(over);
            self.wire.refuse(true);
            self.wire.cut().await;
            Ok::<_, anyhow::Error>(())
        };
        let (answers, killed) = tokio::join!(shop.attempt_all(orders), kill);
        killed?;
        Ok(answers)
    }
}

/// Those on the wire are missing and known to be unanswered, and all others
/// are done.
pub fn all_but_the_stretch(outcome: &Outcome) -> Result<(), Text> {
    confirmed_meanwhile(outcome, rest(outcome))?;
    every_attempt_answered(outcome)?;
    exactly_where(outcome, &[(Wrong::Lost, Strike::BrokerKilled)])
}

/// Every order is done, and those that were sent while the leader was away
/// did not have to wait for it. Of what was published all the while, nothing
/// that was confirmed is missing.
pub fn every_order_and_no_wait(outcome: &Outcome) -> Result<(), Text> {
    confirmed_meanwhile(outcome, rest(outcome) + outcome.plan.len())?;
    every_order_once(outcome)?;
    was_confirmed_throughout(outcome, Noun::Payment)?;
    let gap = outcome.figure("gap")?;
    if gap < f64::from(TICK_MS) {
        return Ok(());
    }
    Err(text! {
        en: "from the kill on no confirm for {gap} ms, as long as net_ticktime",
        zh: "从动手杀起 {gap} 毫秒没有确认，与 net_ticktime 一样长", gap = gap
    })
}

/// Orders behind the planned ones.
fn rest(outcome: &Outcome) -> u32 {
    let last = outcome.plan.all().map(|(message, _)| message.number).max();
    outcome.messages - last.unwrap_or(0)
}
