//! What the operator does when the new node has joined.

use super::{
    LEADER, LOST, QUEUES,
    members::{Members, led_by},
};
use crate::{
    demos::{
        mirrored_ha::nodes::{Nodes, SOON},
        shop::orders::{ORDERS, Ran},
    },
    lab::Lab,
    text,
};

/// One of the things that there are to be done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Takes the lost node out of the cluster and of its queues.
    Forget,
    /// Gives the new node a member of each queue.
    Grow,
    /// Has it lead its share of them.
    Rebalance,
}

impl Repair {
    /// Does it, and waits until `quorum_status` says so.
    pub async fn make(self, lab: &Lab, nodes: &Nodes<'_>, lost: &str) -> Ran {
        match self {
            Self::Forget => forget(lab, nodes, lost).await,
            Self::Grow => grow(lab, nodes).await,
            Self::Rebalance => rebalance(lab, nodes).await,
        }
    }
}

async fn forget(lab: &Lab, nodes: &Nodes<'_>, lost: &str) -> Ran {
    nodes.broker(LEADER)?.ctl(&["forget_cluster_node", lost]).await?;
    until_all(lab, nodes, |members| {
        let is_gone = !members.all.iter().any(|name| name == lost);
        is_gone && members.online() == members.all.len()
    })
    .await
}

async fn grow(lab: &Lab, nodes: &Nodes<'_>) -> Ran {
    let (operator, new) = (nodes.broker(LEADER)?, nodes.name(LOST)?);
    let told = operator.queues(&["grow", &new, "all"]).await?;
    if told.contains("non_stable_members") {
        lab.step(
            text! { en: "grow", zh: "扩容" },
            text! {
                en: "refused: non_stable_members",
                zh: "被拒绝：non_stable_members"
            },
        );
        return Ok(());
    }
    until_all(lab, nodes, |members| members.followers.contains(&new)).await
}

/// A member that was made a moment ago may not take the lead yet: then it is
/// said again. A node without a member cannot lead, and nothing is said.
async fn rebalance(lab: &Lab, nodes: &Nodes<'_>) -> Ran {
    let (operator, new) = (nodes.broker(LEADER)?, nodes.name(LOST)?);
    let members = Members::of(lab, operator, ORDERS).await?;
    if !members.followers.contains(&new) {
        return Ok(());
    }
    let before = led_by(lab, operator, &new).await?;
    let what = text! { en: "a leader on n4", zh: "n4 上有 leader" };
    lab.wait_until(what, SOON, async || {
        operator.queues(&["rebalance", "quorum"]).await?;
        Ok(led_by(lab, operator, &new).await? > 0)
    })
    .await?;
    let container = &operator.service.container;
    lab.command(format!(
        "docker exec {container} rabbitmq-queues rebalance quorum"
    ));
    lab.step(
        text! { en: "rebalance", zh: "平衡" },
        text! {
            en: "n4 led {before} of {all} queues, and now {after}",
            zh: "{all} 个队列里，n4 上的 leader 从 {before} 个变成 {after} 个",
            before = before, all = QUEUES.len(),
            after = led_by(lab, operator, &new).await?
        },
    );
    Ok(())
}

/// Waits until it is so of each queue.
async fn until_all(
    lab: &Lab,
    nodes: &Nodes<'_>,
    is_so: impl Fn(&Members) -> bool,
) -> Ran {
    let operator = nodes.broker(LEADER)?;
    for queue in QUEUES {
        let what = text! { en: "the queues' new members", zh: "队列的新成员" };
        lab.wait_until(what, SOON, async || {
            Ok(is_so(&Members::of(lab, operator, queue).await?))
        })
        .await?;
    }
    Ok(())
}
