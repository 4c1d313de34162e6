//! The network between the brokers is cut, and their clients stay.
//!
//! Each side takes the other for dead. A mirrored queue then has a leader on
//! each: both take orders, and both confirm. When the network is back, one
//! history has to go: by default (`ignore`) they go on divided until somebody
//! chooses a side and restarts the other, which then throws away what it had
//! confirmed. `autoheal` makes that choice by itself, for the side with more
//! clients; on 3.10 it was seen to take five seconds, or more than a minute.
//!
//! `pause_minority` stops the side that is no majority, once it has seen the
//! others go down (see [`pause-minority`](super::pause_minority)). The
//! messages of a quorum queue need no such setting: two may call themselves
//! leader for a while, and only the one with a majority confirms. What the nodes
//! know of queues, users and policies does, as long as that is in Mnesia. On 4.3
//! there is none any more: metadata are in Raft too (Khepri), and the setting is
//! taken and does nothing.
//!
//! Source: RabbitMQ 3.13 documentation, "Clustering and Network Partitions",
//! sections "Behavior During a Network Partition", "Recovering From a
//! Split-Brain" and "Partition Handling Strategies"; Jepsen, "Call me maybe:
//! RabbitMQ".

mod script;

use self::script::{ALONE, MAJORITY, Sides, cut_apart};
use super::{
    meanwhile::every_order_once,
    nodes::{Kind, Nodes},
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_attempt_answered, every_message_confirmed},
    },
    ledger::Kind as Wrong,
    mechanism, text,
    text::Text,
    way,
};

/// "Mirrored to all nodes, so a partition does no harm."
pub static SPLIT_BRAIN: Scenario = Scenario {
    id: "split-brain",
    recipe: text! {
        en: "Mirrored to all nodes: after a partition the copies are merged.",
        zh: "镜像到所有节点，分区恢复后会合并。"
    },
    fault: text! {
        en: "n1 is cut off from n2 and n3. Clients reach both sides.",
        zh: "n1 与 n2、n3 之间断网，客户端两边都连得上。"
    },
    predict: Predict {
        question: text! {
            en: "A publisher on each side, confirms on. Then the network heals. \
                 What is gone?",
            zh: "两边各有一个生产者，都等确认。之后网络恢复，什么没了？"
        },
        choices: &[
            text! {
                en: "what one side had confirmed since the cut",
                zh: "断网后其中一边确认过的"
            },
            text! { en: "nothing: it merges", zh: "什么都不少：会合并" },
            text! {
                en: "nothing: only one side confirms",
                zh: "什么都不少：只有一边会确认"
            },
        ],
        right: 0,
    },
    needs: Needs {
        cluster: Some(ClusterOf::Three),
        fewest: 10,
        most: 2_000,
        seconds: 95,
        ..Needs::BROKER
    },
    strikes: &[Strike::Parted],
    hits: Hits::Once,
    tried: super::MIRRORED,
    ways: Ways::Three {
        naive: way!(
            mirrored,
            one_side_is_lost,
            text! {
                en: "mirrored, n1 leads; then n2 and n3 are restarted",
                zh: "镜像队列，主在 n1；恢复后重启 n2 和 n3"
            },
        ),
        halfway: way!(
            led_by_the_majority,
            one_side_is_lost,
            text! {
                en: "the same, and the side of two has the leader",
                zh: "同上，但主在两个节点的那一边"
            },
        ),
        fixed: way!(
            quorum,
            only_the_majority,
            text! { en: "a quorum queue", zh: "仲裁队列" },
        ),
        mechanisms: &[mechanism!(
            "quorum",
            mirrored,
            one_side_is_lost,
            text! { en: "a majority for every confirm", zh: "每次确认都要多数派" },
        )],
    },
    columns: &[Column::Confirmed, Column::Applied, Column::Lost],
    figures: &["alone", "majority"],
    bars: &[],
    claim: text! {
        en: "a: both sides had a leader and confirmed. One side has to go, and \
             with it what it had confirmed since the cut.",
        zh: "a：两边都有主，都在确认。恢复时只能留一边，\
             另一边断网后确认过的就没了。"
    },
    fix: text! {
        en: "A quorum queue: the minority confirms nothing, its publisher sends \
             again elsewhere.",
        zh: "仲裁队列：少数派什么也不确认，生产者到另一边重发。"
    },
    limit: text! {
        en: "The minority is unavailable. Half of two nodes is no majority; two \
             sites of equal size have none when they part.",
        zh: "少数派不可用。两个节点的一半不是多数；两个一样大的机房，\
             断开就谁也没有多数派。"
    },
    say: text! {
        en: "\"Mirroring has no vote, so in a partition two leaders confirm.\"",
        zh: "「镜像没有投票，一分区就有两个主，而且都在确认。」"
    },
    source: &[
        include_str!("split_brain.rs"),
        include_str!("split_brain/script.rs"),
    ],
};

/// Both sides go on.
async fn mirrored(lab: Lab) -> Ran {
    let nodes = Nodes::of(&lab)?;
    nodes.mirror_to_all(ALONE).await?;
    cut_apart(&lab, &nodes, ALONE).await
}

/// Both sides go on: the one that had a mirror makes it the leader.
async fn led_by_the_majority(lab: Lab) -> Ran {
    let nodes = Nodes::of(&lab)?;
    nodes.mirror_to_all(MAJORITY[0]).await?;
    cut_apart(&lab, &nodes, MAJORITY[0]).await
}

/// Whoever has no majority behind it confirms nothing.
async fn quorum(lab: Lab) -> Ran {
    let nodes = Nodes::of(&lab)?;
    nodes.declare(Kind::Quorum(3), ALONE).await?;
    cut_apart(&lab, &nodes, ALONE).await
}

/// One in so many may have found a way to the side that stays: one of 25 was
/// seen to, once in some forty runs.
const STRAGGLERS: u64 = 10;

/// Both sides confirmed all of theirs, and those of the side that was
/// restarted are gone.
fn one_side_is_lost(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_attempt_answered(outcome)?;
    let sides = Sides::of(outcome.messages);
    sides.confirmed(outcome, sides.alone, sides.majority)?;
    each_had_its_own(outcome)?;
    let (lost, all) = (outcome.audit.counts.lost, u64::from(sides.majority));
    let kept = outcome.messages - sides.majority;
    let of_the_kept =
        outcome.audit.of(Wrong::Lost).find(|order| order.number <= kept);
    if let Some(order) = of_the_kept {
        return Err(text! {
            en: "{order} is lost, and its side was kept",
            zh: "{order} 丢了，而它那一边是留下的", order = order
        });
    }
    if (all - all.div_ceil(STRAGGLERS)..=all).contains(&lost) {
        return Ok(());
    }
    Err(text! {
        en: "{lost} lost, not {n}", zh: "丢失 {lost} 个，而不是 {n} 个",
        lost = lost, n = sides.majority
    })
}

/// With the network back neither side had what the other one had confirmed.
fn each_had_its_own(outcome: &Outcome) -> Result<(), Text> {
    let has = (outcome.figure("n1-has")?, outcome.figure("n2-has")?);
    let all = f64::from(outcome.messages);
    if has.0 < all && has.1 < all {
        return Ok(());
    }
    Err(text! {
        en: "the network was back, and of {all} orders n1 had {a}, n2 {b}",
        zh: "网络恢复之后，{all} 个订单里 n1 有 {a}，n2 有 {b}",
        a = has.0, b = has.1, all = all
    })
}

/// Only the majority confirmed; the others were sent again, and none is lost.
fn only_the_majority(outcome: &Outcome) -> Result<(), Text> {
    let sides = Sides::of(outcome.messages);
    sides.confirmed(outcome, 0, sides.majority)?;
    every_order_once(outcome)
}
