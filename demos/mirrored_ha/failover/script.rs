//! One script for a mirrored queue and for a quorum queue: some orders are
//! confirmed, some are on the wire when the leader is killed, and the rest is
//! published while it is away.

use serde_json::Value;

use super::super::{
    meanwhile::{confirmed_meanwhile, every_order_once},
    nodes::{Kind, Nodes, PATIENCE, WINDOW, killed},
};
use crate::{
    demos::shop::orders::{ORDERS, Ran},
    fault::wire::{Protocol, Wire},
    lab::{
        Lab, Outcome, Strike,
        check::{every_attempt_answered, exactly_where},
    },
    ledger::{Kind as Wrong, MessageId},
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

/// Publishes through the leader's node, which is killed with the planned
/// orders on the wire; goes on through the others; reads what there is when
/// the node is back.
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
        let what =
            text! { en: "the copy to be synchronised", zh: "镜像同步完成" };
        nodes.until(what, NEXT, |at| at.synced.len() == 1).await?;
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
    let stretch: Vec<_> =
        on_the_wire.iter().map(|id| nodes.taken(*id)).collect();
    let answers = kill_under(&nodes, &wire, &mut shop, &stretch).await?;
    for (order, answer) in on_the_wire.iter().zip(answers) {
        if answer == Answer::Unknown {
            lab.struck(*order, Strike::BrokerKilled);
        }
    }
    let again = match resends {
        Resends::Never => Vec::new(),
        Resends::UntilConfirmed => stretch,
    };
    let rest = rest.into_iter().map(|id| nodes.taken(id));
    let rest: Vec<_> = again.into_iter().chain(rest).collect();
    // At once: whoever asks first whether the others have noticed, measures no
    // gap.
    let open = nodes.publish_meanwhile(&mut shop, rest).await;
    let gap = nodes.observe_gap(&shop);
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "{n} on the wire; from the kill on no confirm for {gap} ms",
            zh: "{n} 个在路上，杀主节点；从动手起 {gap} 毫秒没有确认",
            n = on_the_wire.len(), gap = gap
        },
    );
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

/// Nothing passes the wire any more; the orders are sent into it, the leader
/// is killed, and the connection breaks. Returns what was answered. The gap is
/// measured from just before the kill, which is a part of it.
async fn kill_under(
    nodes: &Nodes<'_>,
    wire: &Wire,
    shop: &mut FailoverPublisher,
    orders: &[Outgoing],
) -> anyhow::Result<Vec<Answer>> {
    wire.freeze();
    shop.watch_for_a_gap();
    let kill = async {
        nodes.kill(LEADER).await?;
        wire.refuse(true);
        wire.cut().await;
        Ok::<_, anyhow::Error>(())
    };
    let (answers, killed) = tokio::join!(shop.attempt_all(orders), kill);
    killed?;
    Ok(answers)
}

/// Those on the wire are missing and known to be unanswered, and all others
/// are done.
pub fn all_but_the_stretch(outcome: &Outcome) -> Result<(), Text> {
    confirmed_meanwhile(outcome, rest(outcome))?;
    every_attempt_answered(outcome)?;
    exactly_where(outcome, &[(Wrong::Lost, Strike::BrokerKilled)])
}

/// Every order is done, and those that were sent while the leader was away
/// did not have to wait for it.
pub fn every_order_and_no_wait(outcome: &Outcome) -> Result<(), Text> {
    confirmed_meanwhile(outcome, rest(outcome) + outcome.plan.len())?;
    every_order_once(outcome)?;
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
