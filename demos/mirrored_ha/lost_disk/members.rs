//! Who is a member of the queue, and who may be spared.

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{LEADER, LOST, NEXT, QUEUES};
use crate::{
    demos::{
        mirrored_ha::nodes::{Node, Nodes, killed},
        shop::orders::{ORDERS, Ran},
    },
    event::Seat,
    lab::Lab,
    stage::Broker,
    text,
};

/// Who is a member of a queue, as `quorum_status` has it. The management
/// API of 4.3 goes on naming those that it was declared with (seen).
pub struct Members {
    /// Who leads; empty where nobody does.
    pub leader: String,
    /// The others that answer and have a vote.
    pub followers: Vec<String>,
    /// All, whether they answer or not.
    pub all: Vec<String>,
}

impl Members {
    /// As a node tells it.
    pub async fn of(
        lab: &Lab,
        asked: &Broker,
        queue: &str,
    ) -> anyhow::Result<Self> {
        let told = asked
            .queues(&[
                "--quiet",
                "quorum_status",
                queue,
                "--vhost",
                lab.vhost(),
                "--formatter",
                "json",
            ])
            .await?;
        let told: Vec<Value> =
            serde_json::from_str(&told).context("no quorum_status")?;
        let is = |member: &&Value, state: &str| {
            // Until a new member has caught up it has no vote; 3.10 knows
            // nothing of that.
            let votes = &member["Membership"];
            member["Raft State"] == state
                && (votes.is_null() || votes == "voter")
        };
        let name = |member: &Value| -> String {
            member["Node Name"].as_str().unwrap_or_default().to_owned()
        };
        let leader = told.iter().find(|member| is(member, "leader"));
        let followers = told.iter().filter(|member| is(member, "follower"));
        Ok(Self {
            leader: leader.map(name).unwrap_or_default(),
            followers: followers.map(name).collect(),
            all: told.iter().map(name).collect(),
        })
    }

    /// How many answer.
    pub fn online(&self) -> usize {
        self.followers.len() + usize::from(!self.leader.is_empty())
    }

    /// Who is what: the three that there are, and the one that was.
    pub fn draw(
        &self,
        lab: &Lab,
        nodes: &Nodes<'_>,
        gone: Option<Node>,
    ) -> Ran {
        let mut seats = Vec::new();
        for (node, name) in [(LEADER, "n1"), (NEXT, "n2"), (LOST, "n4")] {
            let full = nodes.name(node)?;
            let up = gone != Some(node);
            let is = match () {
                () if !up => killed(),
                () if self.leader == full => {
                    text! { en: "leader", zh: "主" }
                }
                () if self.followers.contains(&full) => {
                    text! { en: "member", zh: "成员" }
                }
                () => text! { en: "no member", zh: "无成员" },
            };
            seats.push(Seat { name: name.to_owned(), is, up, side: 0 });
        }
        let is = text! { en: "disk lost", zh: "磁盘已毁" };
        let lost = Seat { name: "n3".to_owned(), is, up: false, side: 0 };
        seats.insert(2, lost);
        lab.draw(seats);
        Ok(())
    }
}

/// How many of the queues a node leads, as another one tells it.
pub async fn led_by(
    lab: &Lab,
    asked: &Broker,
    node: &str,
) -> anyhow::Result<usize> {
    let mut led = 0;
    for queue in QUEUES {
        let members = Members::of(lab, asked, queue).await?;
        led += usize::from(members.leader == node);
    }
    Ok(led)
}

/// Whether the queue would stop if this node did, as the broker tells an
/// operator who asks before a restart. (On 4.x the cluster's own metadata may
/// be named as well.)
///
/// # Errors
/// When it tells neither: an answer that nobody understands is no answer.
pub async fn is_critical(node: &Broker) -> anyhow::Result<bool> {
    let told = node.queues(&["check_if_node_is_quorum_critical"]).await?;
    let critical = told.contains(&format!("queue '{ORDERS}' "));
    ensure!(critical || told.contains("reported no"), "{told}");
    Ok(critical)
}
