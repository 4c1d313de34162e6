//! The leader of a mirrored queue is killed with publishes on the wire.
//!
//! Under this fault mirroring does what it is trusted for: a synchronised
//! mirror takes over, and nothing that was confirmed is missing. What was on
//! the wire is *unknown*: it is confirmed by nobody, and the fail-over does not
//! bring it back. Whoever published it sends it again, through another node.
//! A second publisher, at nodes that live, never pauses: the leader is killed
//! at work, and what that one was confirmed must be there, too.
//!
//! n/2+1 of three nodes is two copies. That is a number of copies, and no
//! majority: nobody votes. [`last-copy`](super::last_copy) and
//! [`unsynced`](super::unsynced) show what it does not promise. With
//! `ha-mode: all` it is the same: the fixed way has its leader killed a second
//! time, with three copies, under the second publisher alone.
//!
//! Source: RabbitMQ 3.13 documentation, "Classic Queue Mirroring", sections
//! "Replication Factor: How Many Mirrors are Optimal?" and "Mirrored Queue
//! Implementation and Semantics" (a publisher at a node that lives has its
//! confirm all the same: here it is the node that dies).

mod script;
mod stream;

use anyhow::Context;
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub(super) use self::script::{Resends, fail_over};
pub(super) use self::script::{all_but_the_stretch, every_order_and_no_wait};
use self::stream::{Stream, was_confirmed_throughout};
use super::{
    meanwhile::nothing_meanwhile,
    nodes::{Kind, Node, Nodes, killed},
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
    },
    ledger::Noun,
    mechanism, text,
    text::Text,
    way,
};

/// "Mirrored to n/2+1: the fail-over loses nothing."
pub static FAILOVER: Scenario = Scenario {
    id: "failover",
    recipe: text! {
        en: "Mirrored to n/2+1 nodes: the leader may die at any time.",
        zh: "镜像到 n/2+1 个节点，主节点随时可以挂。"
    },
    fault: text! {
        en: "The leader is killed while publishes are on the wire to it.",
        zh: "消息还在路上，主节点被杀。"
    },
    predict: Predict {
        question: text! {
            en: "A synchronised mirror takes over. What may be missing in the end?",
            zh: "已同步的镜像接管之后，可能少了什么？"
        },
        choices: &[
            text! {
                en: "what was on the wire, unless it is sent again",
                zh: "少了在路上的那些，除非重发"
            },
            text! {
                en: "some that were confirmed", zh: "少了一些确认过的"
            },
            text! { en: "nothing", zh: "什么都不少" },
        ],
        right: 0,
    },
    needs: Needs { seconds: 50, ..NEEDS },
    strikes: &[Strike::BrokerKilled],
    hits: Hits::Stretch,
    tried: super::MIRRORED,
    ways: Ways::Pair {
        naive: way!(
            sent_once,
            all_but_the_stretch,
            text! {
                en: "two copies, each order sent once",
                zh: "两份副本，每个订单只发一次"
            },
        ),
        fixed: way!(
            sent_until_confirmed,
            the_same_with_all,
            text! {
                en: "two copies, then all; sent until confirmed",
                zh: "先两份副本，再全部节点；发到确认为止"
            },
        ),
        mechanisms: &[
            mechanism!(
                "resend",
                sent_once,
                all_but_the_stretch,
                text! {
                    en: "sending again what was not answered",
                    zh: "没有应答的就重发"
                },
            ),
            mechanism!(
                "second-copy",
                one_copy,
                nothing_meanwhile,
                text! { en: "the second copy", zh: "第二份副本" },
            ),
        ],
    },
    columns: &COLUMNS,
    figures: &["gap"],
    bars: &[],
    claim: text! {
        en: "a: nothing confirmed is missing, and nobody had confirmed what was \
             on the wire. A fail-over is a gap and a set of unknowns, mirrored \
             to two or to all.",
        zh: "a：确认过的一条不少，在路上的谁也没确认过。\
             两份也好，全部也好，故障转移 = 一段中断 + 一批结果未知。"
    },
    fix: text! {
        en: "Confirms, reconnect to another node with backoff, send again what \
             is unknown; consumers idempotent.",
        zh: "开确认；带退避地连到别的节点；结果未知的重发；消费者做幂等。"
    },
    limit: text! {
        en: "This is the easy fault: one node, its mirror synchronised, nobody \
             cut off. See unsynced, split-brain, slow-mirror.",
        zh: "这是最容易的故障：只坏一个节点、镜像已同步、网络没断。\
             另见 unsynced、split-brain、slow-mirror。"
    },
    say: text! {
        en: "\"Fail-over keeps what was confirmed; the rest is the publisher's.\"",
        zh: "「故障转移保住确认过的，其余归生产者负责。」"
    },
    source: &[
        include_str!("failover.rs"),
        include_str!("failover/script.rs"),
        include_str!("failover/stream.rs"),
    ],
};

/// What both scenarios with this script need.
pub(super) const NEEDS: Needs = Needs {
    cluster: Some(ClusterOf::Three),
    fewest: 10,
    most: 5_000,
    seconds: 30,
    ..Needs::BROKER
};

/// What both show.
pub(super) const COLUMNS: [Column; 4] =
    [Column::Confirmed, Column::Unknown, Column::Applied, Column::Lost];

/// What was on the wire is sent by nobody again.
async fn sent_once(lab: Lab) -> Ran {
    mirrored(&lab, 2, Resends::Never).await
}

/// What was not answered is sent again, through another node. Then the queue
/// is mirrored to all, and its leader killed again.
async fn sent_until_confirmed(lab: Lab) -> Ran {
    mirrored(&lab, 2, Resends::UntilConfirmed).await?;
    and_mirrored_to_all(&lab).await
}

/// The queue is on one node.
async fn one_copy(lab: Lab) -> Ran {
    mirrored(&lab, 1, Resends::UntilConfirmed).await
}

/// So many copies, and the leader's node is killed.
async fn mirrored(lab: &Lab, copies: u32, resends: Resends) -> Ran {
    let policy = json!({
        "ha-mode": "exactly", "ha-params": copies, "ha-sync-mode": "automatic",
    });
    let policy = (copies > 1).then_some(policy);
    fail_over(lab, Kind::Classic, policy, resends).await
}

/// Mirrored to all nodes, with every copy synchronised. The leader is killed
/// while invoices are published through the others.
async fn and_mirrored_to_all(lab: &Lab) -> Ran {
    if lab.hits() == 0 {
        // Nobody was killed the first time either.
        return Ok(());
    }
    let nodes = Nodes::of(lab)?;
    let all = json!({ "ha-mode": "all", "ha-sync-mode": "automatic" });
    let copies = nodes.count() - 1;
    nodes.mirror(all, copies).await?;
    nodes.until_synced(ASKED, copies).await?;
    let leader = nodes.locate(ASKED).await?.leader;
    let leader = leader.context("it has a leader")?;
    let live: Vec<Node> = (0..=copies).filter(|n| *n != leader).collect();
    let asked = *live.first().context("there are others")?;
    let mut stream = Stream::begin(&nodes, &live, Noun::Invoice).await?;
    let is_over = CancellationToken::new();
    let kill = async {
        // Also where it fails: nobody may wait for it for ever.
        let _over = is_over.clone().drop_guard();
        nodes.kill(leader).await
    };
    let (killed_it, ()) = tokio::join!(kill, stream.go_on(&nodes, &is_over));
    killed_it?;
    lab.step(
        text! { en: "once more", zh: "再来一次" },
        text! {
            en: "mirrored to all: n{n}, the leader, is killed",
            zh: "镜像到所有节点：杀掉主所在的 n{n}", n = leader + 1
        },
    );
    let open = stream.tell(lab);
    nodes.until_missed(asked, 1).await?;
    nodes.draw(asked, &[(leader, killed())]).await?;
    nodes.heal().await?;
    let mut shop = nodes.publisher(&live)?;
    nodes.publish_again(&mut shop, &open).await?;
    nodes.work_off(asked).await?;
    let (sent, found) = stream.found(lab);
    lab.step(
        text! { en: "look", zh: "查看" },
        text! {
            en: "the node is back: {found} of {sent} invoices in the queue",
            zh: "节点恢复之后：队列里有 {found}/{sent} 张发票",
            found = found, sent = sent
        },
    );
    Ok(())
}

/// Any node that lives.
const ASKED: Node = 1;

/// Nothing confirmed is missing, neither with two copies nor with all.
fn the_same_with_all(outcome: &Outcome) -> Result<(), Text> {
    every_order_and_no_wait(outcome)?;
    was_confirmed_throughout(outcome, Noun::Invoice)
}
