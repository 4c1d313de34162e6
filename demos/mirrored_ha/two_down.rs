//! n/2+1 copies, and all n/2+1 nodes are down.
//!
//! Two copies of three nodes look like a majority, and are a number: when both
//! are gone, the third node has nothing, and does not know that it has
//! nothing to say. On 3.10 it confirms what it cannot store (see
//! [`home-node`](super::home_node)). A quorum queue with two of its three
//! members down confirms nothing, because one is no majority, and goes on when
//! one of them is back: what was not answered is sent again, and all is there.
//!
//! Source: RabbitMQ 3.13 documentation, "Classic Queue Mirroring", section
//! "How Many Mirrors are Optimal?"; "Quorum Queues", section "Availability".

use serde_json::json;

use super::nodes::{
    Kind, Nodes, confirmed_meanwhile, every_order_once, killed, of_them_later,
    split,
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::every_message_confirmed,
    },
    mechanism, text,
    text::Text,
    way,
};

/// "Mirrored to n/2+1 nodes: that is a majority."
pub static TWO_DOWN: Scenario = Scenario {
    id: "two-down",
    recipe: text! {
        en: "Mirrored to n/2+1 nodes: a majority, so it is consistent.",
        zh: "镜像到 n/2+1 个节点，过半数，所以是一致的。"
    },
    fault: text! {
        en: "Two of the three nodes are killed; then they return.",
        zh: "三个节点被杀掉两个，之后恢复。"
    },
    predict: Predict {
        question: text! {
            en: "Both copies are down, the third node lives. A publish there, \
                 with confirms (3.10)?",
            zh: "两份副本的节点都宕机，第三个活着。往它发布并等确认（3.10）？"
        },
        choices: &[
            text! { en: "refused, or no answer", zh: "拒收，或没有应答" },
            text! {
                en: "mirrored: confirmed and lost; quorum: no answer",
                zh: "镜像：确认了却丢了；仲裁：没有应答"
            },
            text! { en: "confirmed and kept, on both", zh: "都确认，都保住" },
        ],
        right: 1,
    },
    needs: Needs {
        cluster: Some(ClusterOf::Three),
        fewest: 10,
        most: 2_000,
        seconds: 60,
        ..Needs::BROKER
    },
    strikes: &[Strike::BrokerKilled],
    hits: Hits::Once,
    tried: super::MIRRORED,
    ways: Ways::Pair {
        naive: way!(
            two_copies,
            meanwhile_is_lost,
            text! {
                en: "a mirrored queue, two copies", zh: "镜像队列，两份副本"
            },
        ),
        fixed: way!(
            three_members,
            silent_and_whole,
            text! {
                en: "a quorum queue, three members", zh: "仲裁队列，三个成员"
            },
        ),
        mechanisms: &[mechanism!(
            "majority",
            two_copies,
            meanwhile_is_lost,
            text! {
                en: "a majority for every confirm", zh: "每次确认都要多数派"
            },
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
        en: "b: n/2+1 mirrors is a number of copies; nobody counts votes. A \
             quorum queue without its majority says nothing.",
        zh: "b：n/2+1 个镜像只是份数，没人数票。仲裁队列凑不齐多数派就不应答。"
    },
    fix: text! {
        en: "A quorum queue; send again what was not answered. Three nodes bear \
             one loss, five bear two.",
        zh: "仲裁队列；没应答的重发。三个节点扛得住坏一个，五个扛两个。"
    },
    limit: text! {
        en: "Unavailable is the price: no majority, no confirms. Two disks gone \
             for good may take confirmed messages along.",
        zh: "代价是不可用：没有多数派就没有确认。两块盘永久丢失，\
             确认过的也可能没了。"
    },
    say: text! {
        en: "\"n/2+1 mirrors is a copy count, not a majority.\"",
        zh: "「n/2+1 个镜像是份数，不是多数派。」"
    },
    source: &[include_str!("two_down.rs")],
};

/// Two nodes have the queue, and whoever is left does as it likes.
async fn two_copies(lab: Lab) -> Ran {
    let nodes = Nodes::of(&lab)?;
    nodes.declare(Kind::Classic, LEADER).await?;
    let two = [nodes.name(LEADER)?, nodes.name(OTHER)?];
    nodes.mirror(json!({ "ha-mode": "nodes", "ha-params": two }), 1).await?;
    two_go(&lab, &nodes).await
}

/// Three nodes have it, and two of them must agree.
async fn three_members(lab: Lab) -> Ran {
    let nodes = Nodes::of(&lab)?;
    nodes.declare(Kind::Quorum(3), LEADER).await?;
    two_go(&lab, &nodes).await
}

/// One order in so many is published while two nodes are away.
const MEANWHILE: u32 = 5;
const LEADER: usize = 0;
const OTHER: usize = 1;
const LEFT: usize = 2;

/// Orders are stored, two nodes are killed, and more is published at the
/// third; then both return.
async fn two_go(lab: &Lab, nodes: &Nodes<'_>) -> Ran {
    let (before, meanwhile) = split(lab, MEANWHILE);
    nodes.publish(&[LEADER], before).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders, all confirmed", zh: "{n} 个订单，全部确认",
            n = lab.sums().confirmed
        },
    );
    nodes.draw(LEFT, &[]).await?;
    if !lab.is_armed(Strike::BrokerKilled) {
        return Ok(());
    }
    nodes.kill(OTHER).await?;
    nodes.kill(LEADER).await?;
    lab.struck_once(Strike::BrokerKilled);
    nodes.until_missed(LEFT, 2).await?;
    let mut shop = nodes.publisher(&[LEFT])?.not_mandatory();
    let meanwhile: Vec<_> =
        meanwhile.into_iter().map(|id| nodes.taken(id)).collect();
    let all = meanwhile.len();
    let open = nodes.publish_at_once(&mut shop, meanwhile).await;
    let confirmed = all - open.len();
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "two nodes killed; at the third {open} not confirmed, {ok} are",
            zh: "杀掉两个节点；第三个节点上 {open} 个没确认，{ok} 个确认",
            open = open.len(), ok = confirmed
        },
    );
    let both = [(LEADER, killed()), (OTHER, killed())];
    nodes.draw(LEFT, &both).await?;
    // The last that was killed has everything: it must be back for a mirrored
    // queue to be whole.
    nodes.start(LEADER).await?;
    nodes.publish_again(&mut shop, &open).await?;
    nodes.heal().await?;
    let done = nodes.work_off(LEFT).await?;
    lab.step(
        text! { en: "look", zh: "查看" },
        text! {
            en: "the nodes are back: {done} of {all} orders in the queue",
            zh: "节点都恢复之后：队列里有 {done}/{all} 个订单",
            done = done, all = lab.count()
        },
    );
    Ok(())
}

/// All that was published at the third node was confirmed, and is gone.
fn meanwhile_is_lost(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    let later = of_them_later(outcome.messages, MEANWHILE);
    confirmed_meanwhile(outcome, later)?;
    let lost = outcome.audit.counts.lost;
    if lost == u64::from(later) {
        return Ok(());
    }
    Err(text! {
        en: "{lost} lost, not {later}", zh: "丢失 {lost} 个，而不是 {later} 个",
        lost = lost, later = later
    })
}

/// Nothing was confirmed without a majority, and nothing is lost.
fn silent_and_whole(outcome: &Outcome) -> Result<(), Text> {
    confirmed_meanwhile(outcome, 0)?;
    every_order_once(outcome)
}
