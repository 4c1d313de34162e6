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
//! [`unsynced`](super::unsynced) show what it does not promise.
//!
//! Source: RabbitMQ 3.13 documentation, "Classic Queue Mirroring", sections
//! "Replication Factor: How Many Mirrors are Optimal?" and "Mirrored Queue
//! Implementation and Semantics" (a publisher at a node that lives has its
//! confirm all the same: here it is the node that dies).

mod script;
mod stream;

use serde_json::json;

pub(super) use self::script::{Resends, fail_over};
pub(super) use self::script::{all_but_the_stretch, every_order_and_no_wait};
use super::{meanwhile::nothing_meanwhile, nodes::Kind};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{ClusterOf, Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    mechanism, text, way,
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
    needs: NEEDS,
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
            every_order_and_no_wait,
            text! {
                en: "two copies, sent until confirmed",
                zh: "两份副本，发到确认为止"
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
             on the wire. A fail-over is a gap and a set of unknowns.",
        zh: "a：确认过的一条不少，在路上的谁也没确认过。\
             故障转移 = 一段中断 + 一批结果未知。"
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

/// What was not answered is sent again, through another node.
async fn sent_until_confirmed(lab: Lab) -> Ran {
    mirrored(&lab, 2, Resends::UntilConfirmed).await
}

/// The queue is on one node.
async fn one_copy(lab: Lab) -> Ran {
    mirrored(&lab, 1, Resends::UntilConfirmed).await
}

async fn mirrored(lab: &Lab, copies: u32, resends: Resends) -> Ran {
    let policy = json!({
        "ha-mode": "exactly", "ha-params": copies, "ha-sync-mode": "automatic",
    });
    let policy = (copies > 1).then_some(policy);
    fail_over(lab, Kind::Classic, policy, resends).await
}
