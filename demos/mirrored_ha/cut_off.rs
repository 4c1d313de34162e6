//! A publisher is connected to the node that is cut off from the others.
//!
//! Its connection is alive, heartbeats come, and no confirm does: the node
//! has no majority. Waiting is all that is left to a client that knows this
//! address only. One that gives up on an answer, tries another node, and sends
//! again what is unknown is served as soon as the others have noticed and
//! elected. Two leaders there are not: what the lonely node took in, and never
//! confirmed, is nobody's (compare [`split-brain`](super::split_brain)). On 4.3
//! that holds for the cluster's own metadata as well, and
//! `cluster_partition_handling` has nothing left to handle.
//!
//! Source: RabbitMQ documentation, "Quorum Queues", section "Availability";
//! 3.13, "Clustering and Network Partitions", section "Behavior During a Network
//! Partition", and of 4.3 what it says of Khepri.

use super::{
    meanwhile::{all_meanwhile, nothing_meanwhile, split},
    nodes::{Kind, Nodes, SOON, WINDOW},
};
use crate::{
    demos::shop::orders::Ran,
    event::{Column, Unit},
    lab::{
        ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::figure_is,
    },
    mechanism, text,
    text::Text,
    way,
};

/// "The connection is alive, so the broker is there."
pub static CUT_OFF: Scenario = Scenario {
    id: "cut-off",
    recipe: text! {
        en: "The connection is alive and heartbeats come: all is well.",
        zh: "连接活着，心跳正常，那就没问题。"
    },
    fault: text! {
        en: "The client's node, which leads, is cut off from the other two.",
        zh: "客户端连的节点（正是 leader）与另外两个断网。"
    },
    predict: Predict {
        question: text! {
            en: "A quorum queue. The client stays connected to the node that is \
                 cut off. Its publishes are…",
            zh: "仲裁队列。客户端一直连着被隔离的节点，它发布的消息…"
        },
        choices: &[
            text! {
                en: "not answered until the network is back",
                zh: "网络恢复前没有应答"
            },
            text! { en: "nacked", zh: "被拒收(nack)" },
            text! { en: "confirmed by its node alone", zh: "由它独自确认" },
        ],
        right: 0,
    },
    needs: Needs {
        cluster: Some(ClusterOf::Run),
        fewest: 10,
        most: 2_000,
        seconds: 45,
        ..Needs::BROKER
    },
    strikes: &[Strike::Parted],
    hits: Hits::Once,
    tried: &[(3, 10), (4, 3)],
    ways: Ways::Pair {
        naive: way!(
            one_address,
            no_answer,
            text! {
                en: "the client knows one address", zh: "客户端只知道一个地址"
            },
        ),
        fixed: way!(
            every_address,
            others_confirm,
            text! {
                en: "it gives up after 2 s and tries the next",
                zh: "等 2 秒没应答就换下一个地址"
            },
        ),
        mechanisms: &[mechanism!(
            "addresses",
            one_address,
            no_answer,
            text! { en: "other nodes' addresses", zh: "其他节点的地址" },
        )],
    },
    columns: &[
        Column::Confirmed,
        Column::Attempts,
        Column::Applied,
        Column::Lost,
    ],
    figures: &["meanwhile"],
    bars: &[],
    claim: text! {
        en: "a: alone it has no majority, so it says nothing, on a connection in \
             perfect health. The other two elect, and serve.",
        zh: "a：独自一个凑不齐多数派，只能不作声，而连接一切正常。\
             另外两个选出新 leader 继续服务。"
    },
    fix: text! {
        en: "A time limit on every confirm; then another node, and send again. A \
             heartbeat tells of the connection only.",
        zh: "每个确认都要有时限；超时就换节点重发。心跳只说明连接还在。"
    },
    limit: text! {
        en: "Sent again is sent twice: what the lonely node took in may still \
             arrive. Consumers idempotent.",
        zh: "重发就可能两份：被隔离节点收下的那份仍可能出现。消费者要幂等。"
    },
    say: text! {
        en: "\"Without a majority a quorum queue is silent, not wrong.\"",
        zh: "「凑不齐多数派，仲裁队列宁可不作声，也不出错。」"
    },
    source: &[include_str!("cut_off.rs")],
};

/// Whatever happens, it is this node or none.
async fn one_address(lab: Lab) -> Ran {
    let nodes = Nodes::of(&lab)?;
    its_node_is_cut_off(&lab, &nodes, &[ALONE]).await
}

/// No answer here is a reason to ask there.
async fn every_address(lab: Lab) -> Ran {
    let nodes = Nodes::of(&lab)?;
    its_node_is_cut_off(&lab, &nodes, &[ALONE, 1, 2]).await
}

/// One order in so many is published while the node is cut off.
const MEANWHILE: u32 = 4;
const ALONE: usize = 0;
const OTHERS: [usize; 2] = [1, 2];

/// Orders are confirmed by the node that leads; it is cut off; more orders are
/// published by the same client; the network is back.
async fn its_node_is_cut_off(
    lab: &Lab,
    nodes: &Nodes<'_>,
    addresses: &[usize],
) -> Ran {
    nodes.declare(Kind::Quorum(3), ALONE).await?;
    let (before, meanwhile) = split(lab, MEANWHILE);
    let mut shop = nodes.publisher(addresses)?;
    let before = before.into_iter().map(|id| nodes.taken(id));
    shop.publish_all(before, WINDOW, SOON).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders through n1, all confirmed",
            zh: "经 n1 发布 {n} 个订单，全部确认",
            n = lab.sums().confirmed
        },
    );
    nodes.draw(ALONE, &[]).await?;
    if !lab.is_armed(Strike::Parted) {
        return Ok(());
    }
    let parted = nodes.part(&[ALONE], &OTHERS).await?;
    nodes.until_missed(OTHERS[0], 1).await?;
    lab.struck_once(Strike::Parted);
    nodes.until_led_by(OTHERS[0], &OTHERS).await?;
    let meanwhile: Vec<_> = nodes.take_over(meanwhile);
    let all = meanwhile.len();
    let open = nodes.publish_meanwhile(&mut shop, meanwhile).await;
    let confirmed = all - open.len();
    let name = text! { en: "nacked", zh: "被拒收" };
    let nacked = lab.sums().nacked;
    lab.observe("nacked", name, nacked as f64, Unit::Count);
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "n1 cut off: {n} of {all} confirmed meanwhile",
            zh: "n1 被隔离：其间确认 {n}/{all}", n = confirmed, all = all
        },
    );
    nodes.draw_parted(&[ALONE], &OTHERS).await?;
    parted.heal().await;
    nodes.heal().await?;
    nodes.publish_again(&mut shop, &open).await?;
    let when = text! { en: "the network is back", zh: "网络恢复之后" };
    nodes.look(OTHERS[0], when).await?;
    Ok(())
}

/// Neither yes nor no was said meanwhile, and nothing is lost.
fn no_answer(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "nacked", 0)?;
    nothing_meanwhile(outcome)
}

/// All were confirmed by the others meanwhile, and none is lost.
fn others_confirm(outcome: &Outcome) -> Result<(), Text> {
    all_meanwhile(outcome, MEANWHILE)
}
