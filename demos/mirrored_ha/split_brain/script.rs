//! What is the same in every way: the first node is cut off from the others,
//! with a publisher on each side, and the network heals.

use futures::future::try_join_all;

use super::super::nodes::{
    ANSWERED, ELECTED, Node, Nodes, SOON, served_within,
};
use crate::{
    demos::shop::orders::Ran,
    event::Unit,
    lab::{Lab, Outcome, Strike},
    ledger::MessageId,
    pattern::publisher::Outgoing,
    text,
    text::Text,
};

/// The node that is cut off.
pub const ALONE: Node = 0;
/// The others.
pub const MAJORITY: [Node; 2] = [1, 2];
/// How many orders each side gets: two in four come before the cut.
#[derive(Clone, Copy)]
pub struct Sides {
    /// Those of the node that is cut off.
    pub alone: u32,
    /// Those of the others.
    pub majority: u32,
}

impl Sides {
    /// Of so many.
    pub fn of(messages: u32) -> Self {
        Self { alone: messages / 4, majority: messages / 4 }
    }

    /// Whether each side confirmed as many.
    pub fn confirmed(
        self,
        outcome: &Outcome,
        alone: u32,
        majority: u32,
    ) -> Result<(), Text> {
        let found = (outcome.figure("alone")?, outcome.figure("majority")?);
        if found == (f64::from(alone), f64::from(majority)) {
            return Ok(());
        }
        Err(text! {
            en: "confirmed by each side: {a} and {m}, not {alone} and {majority}",
            zh: "两边各确认 {a} 和 {m}，而不是 {alone} 和 {majority}",
            a = found.0, m = found.1, alone = alone, majority = majority
        })
    }
}

/// Orders are published before the cut, then on each side, and what was not
/// confirmed is sent again when the network is back. Before the cut this node
/// leads.
pub async fn cut_apart(lab: &Lab, nodes: &Nodes<'_>, leader: Node) -> Ran {
    let sides = Sides::of(lab.count());
    let mut orders: Vec<_> = lab.messages().collect();
    let mut last = |n: u32| orders.split_off(orders.len() - n as usize);
    let (majority, alone) = (last(sides.majority), last(sides.alone));
    nodes.publish(&[leader], orders).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders through n{at}, all confirmed",
            zh: "经 n{at} 发布 {n} 个订单，全部确认",
            n = lab.sums().confirmed, at = leader + 1
        },
    );
    nodes.draw(leader, &[]).await?;
    if !lab.is_armed(Strike::Parted) {
        return Ok(());
    }
    let parted = nodes.part(&[ALONE], &MAJORITY).await?;
    nodes.until_missed(MAJORITY[0], 1).await?;
    nodes.until_missed(ALONE, MAJORITY.len()).await?;
    // Until it has elected, a node sends to the leader that it knew, and what
    // waits on that connection would arrive there when the network is back.
    for node in MAJORITY {
        nodes.until_led_by(node, &MAJORITY).await?;
    }
    if leader != ALONE {
        nodes.until_led_by(ALONE, &[ALONE]).await?;
    }
    lab.struck_once(Strike::Parted);
    let taken =
        |side: Vec<MessageId>| -> Vec<Outgoing> { nodes.take_over(side) };
    let mut there = nodes.publisher(&MAJORITY)?;
    let mut here = nodes.publisher(&[ALONE])?;
    let (alone, majority) = (taken(alone), taken(majority));
    let all = (alone.len(), majority.len());
    let open_there = served_within(ELECTED, &mut there, majority).await;
    let open_here = served_within(ANSWERED, &mut here, alone).await;
    let confirmed = (all.0 - open_here.len(), all.1 - open_there.len());
    observe(lab, confirmed);
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "cut apart: n1 confirms {a} of {of_a}, n2 and n3 {m} of {of_m}",
            zh: "断网：n1 确认 {a}/{of_a}，n2 和 n3 确认 {m}/{of_m}",
            a = confirmed.0, of_a = all.0, m = confirmed.1, of_m = all.1
        },
    );
    nodes.draw_parted(&[ALONE], &MAJORITY).await?;
    parted.heal().await;
    stay_apart(lab, nodes).await?;
    restart(lab, nodes).await?;
    nodes.heal().await?;
    let open: Vec<_> = open_here.into_iter().chain(open_there).collect();
    nodes.publish_again(&mut there, &open).await?;
    let when = text! { en: "the network is back", zh: "网络恢复之后" };
    nodes.look(MAJORITY[0], when).await?;
    nodes.draw(MAJORITY[0], &[]).await
}

fn observe(lab: &Lab, (alone, majority): (usize, usize)) {
    let name = text! { en: "n1", zh: "n1" };
    lab.observe("alone", name, alone as f64, Unit::Count);
    let name = text! { en: "n2+n3", zh: "n2+n3" };
    lab.observe("majority", name, majority as f64, Unit::Count);
}

/// The network is back, and that is all. By default (`ignore`) the nodes tell
/// each other that they were parted, and each side goes on with what it has:
/// nothing is merged.
async fn stay_apart(lab: &Lab, nodes: &Nodes<'_>) -> Ran {
    let what = text! {
        en: "both sides to know of the partition", zh: "两边都发现分过区"
    };
    lab.wait_until(what, SOON, async || {
        let (alone, majority) =
            tokio::join!(nodes.is_parted(ALONE), nodes.is_parted(MAJORITY[0]));
        Ok(alone? && majority?)
    })
    .await?;
    let mut told = Vec::new();
    for (id, node) in [("n1-has", ALONE), ("n2-has", MAJORITY[0])] {
        let depth = nodes.depth(node).await;
        told.push(depth.map_or("-".to_owned(), |depth| depth.to_string()));
        let name = text! { en: "n{n} has", zh: "n{n} 有", n = node + 1 };
        if let Some(depth) = depth {
            lab.observe(id, name, depth.into(), Unit::Count);
        }
    }
    lab.step(
        text! { en: "heal", zh: "恢复" },
        text! {
            en: "the network is back, n1 and n2 both report a partition, and \
                 nothing more: orders on n1, n2: {told}",
            zh: "网络恢复，n1 和 n2 都报告分过区，仅此而已：\
                 n1、n2 上的订单：{told}",
            told = told.join(", ")
        },
    );
    Ok(())
}

/// What an operator does who trusts the side of the first node more: the
/// others are restarted, and take over what it has (documentation,
/// "Recovering From a Split-Brain").
async fn restart(lab: &Lab, nodes: &Nodes<'_>) -> Ran {
    for node in MAJORITY {
        nodes.kill(node).await?;
    }
    try_join_all(MAJORITY.map(|node| nodes.start(node))).await?;
    lab.step(
        text! { en: "restart", zh: "重启" },
        text! {
            en: "n1 is kept, n2 and n3 are restarted",
            zh: "保留 n1，重启 n2 和 n3"
        },
    );
    Ok(())
}
