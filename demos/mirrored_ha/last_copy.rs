//! n/2+1 copies, and then the second copy is lost, too.
//!
//! Two copies of three nodes look like a majority, and are a number. When the
//! mirror's node is down, the leader is left with the only copy, and goes on
//! confirming: nobody votes. Then its disk is lost, and with it everything that
//! it had confirmed alone. The operator does it right, `forget_cluster_node`
//! *before* the mirror is started again: so the stopped mirror is promoted with
//! what it had when it went down. (Started first, it would have come back
//! empty, and nothing were left; seen on 3.10.) A quorum queue under the same
//! faults has every confirmed message on two disks, of which one is lost;
//! whoever returns is filled from the other.
//!
//! Source: RabbitMQ 3.13 documentation, "Classic Queue Mirroring", sections
//! "Replication Factor: How Many Mirrors are Optimal?" and "Loss of a Leader
//! While All Mirrors are Stopped"; 4.3, "Quorum Queues", section "Data
//! Safety".

use anyhow::ensure;
use serde_json::json;

use super::{
    meanwhile::{all_meanwhile, confirmed_meanwhile, of_them_later, split},
    nodes::{Kind, Nodes, gone, killed},
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    fault::container,
    lab::{
        ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{
            every_attempt_answered, every_message_confirmed, exactly_these,
        },
    },
    ledger::Kind::Lost,
    mechanism, text,
    text::Text,
    way,
};

/// "Mirrored to n/2+1 nodes: that is a majority."
pub static LAST_COPY: Scenario = Scenario {
    id: "last-copy",
    recipe: text! {
        en: "Mirrored to n/2+1 nodes: a majority has it, so it is safe.",
        zh: "镜像到 n/2+1 个节点，过半数都有，所以安全。"
    },
    fault: text! {
        en: "The mirror's node is down; then the leader's disk is lost.",
        zh: "镜像所在节点先宕机，随后主节点连盘都没了。"
    },
    predict: Predict {
        question: text! {
            en: "The mirror's node returns; of three disks one is lost for good. \
                 What is left in a mirrored queue?",
            zh: "镜像节点只是宕机，又回来了；三块盘只坏一块。\
                 镜像队列里还剩什么？"
        },
        choices: &[
            text! { en: "everything", zh: "全部" },
            text! {
                en: "what was there when it went down",
                zh: "它宕机之前的那些"
            },
            text! { en: "nothing", zh: "什么都不剩" },
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
    strikes: &[Strike::DiskLost],
    hits: Hits::Once,
    tried: super::MIRRORED,
    ways: Ways::Pair {
        naive: way!(
            two_copies,
            confirmed_alone_is_lost,
            text! {
                en: "a mirrored queue, two copies of three nodes",
                zh: "镜像队列，三个节点上有两份"
            },
        ),
        fixed: way!(
            three_members,
            everything_is_there,
            text! {
                en: "a quorum queue, three members", zh: "仲裁队列，三个成员"
            },
        ),
        mechanisms: &[mechanism!(
            "majority",
            two_copies,
            confirmed_alone_is_lost,
            text! {
                en: "three members, two of which confirm",
                zh: "三个成员，两个点头才算确认"
            },
        )],
    },
    columns: &[Column::Confirmed, Column::Applied, Column::Lost],
    figures: &["meanwhile"],
    bars: &[],
    claim: text! {
        en: "b: what the leader confirmed alone was on one disk. The mirror has \
             the rest, if n1 is forgotten before n2 is started.",
        zh: "b：主节点独自确认的只在一块盘上。其余的镜像还有，\
             前提是先除名 n1，再启动 n2。"
    },
    fix: text! {
        en: "A quorum queue: each confirm is on two of three disks, and a member \
             that was away is filled by one that was not.",
        zh: "仲裁队列：每次确认都在三块盘中的两块上；离开过的成员由没离开的补齐。"
    },
    limit: text! {
        en: "One disk of three; five members bear two. A third mirror would have \
             borne it, too, and alone go on confirming. `ha-mode: nodes` here: \
             with `exactly 2`, 3.x makes a new mirror on n3, unsynchronised with \
             manual sync.",
        zh: "只扛得住三块盘坏一块；五个成员扛两块。第三个镜像也扛得住，\
             落了单照样独自确认。这里是 `ha-mode: nodes`；用 `exactly 2`，\
             3.x 会在 n3 上新建镜像，手动同步时它没同步。"
    },
    say: text! {
        en: "\"n/2+1 mirrors is a copy count, not a majority.\"",
        zh: "「n/2+1 个镜像是份数，不是多数派。」"
    },
    source: &[include_str!("last_copy.rs")],
};

/// Two nodes have it, and whoever is left confirms alone.
async fn two_copies(lab: Lab) -> Ran {
    let nodes = Nodes::of(&lab)?;
    nodes.declare(Kind::Classic, LEADER).await?;
    let two = [nodes.name(LEADER)?, nodes.name(MIRROR)?];
    nodes.mirror(json!({ "ha-mode": "nodes", "ha-params": two }), 1).await?;
    both_go(&lab, &nodes).await
}

/// Three nodes have it, and two of them must agree.
async fn three_members(lab: Lab) -> Ran {
    let nodes = Nodes::of(&lab)?;
    nodes.declare(Kind::Quorum(3), LEADER).await?;
    both_go(&lab, &nodes).await
}

/// One order in so many is published while the mirror's node is down.
const MEANWHILE: u32 = 2;
const LEADER: usize = 0;
const MIRROR: usize = 1;
const THIRD: usize = 2;

/// Orders are published before and after the mirror's node goes down; then the
/// leader's node is lost with its disk, and the other one returns.
async fn both_go(lab: &Lab, nodes: &Nodes<'_>) -> Ran {
    let (before, meanwhile) = split(lab, MEANWHILE);
    nodes.publish(&[LEADER], before).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders, all confirmed", zh: "{n} 个订单，全部确认",
            n = lab.sums().confirmed
        },
    );
    nodes.draw(LEADER, &[]).await?;
    if !lab.is_armed(Strike::DiskLost) {
        return Ok(());
    }
    nodes.kill(MIRROR).await?;
    nodes.until_missed(LEADER, 1).await?;
    let mut shop = nodes.publisher(&[LEADER, THIRD])?;
    let meanwhile = nodes.take_over(meanwhile);
    let open = nodes.publish_meanwhile(&mut shop, meanwhile).await;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "n2 is down: {n} more confirmed without it",
            zh: "n2 宕机：没有它也又确认了 {n} 个",
            n = of_them_later(lab.count(), MEANWHILE) as usize - open.len()
        },
    );
    nodes.draw(LEADER, &[(MIRROR, killed())]).await?;
    let leader = nodes.broker(LEADER)?.container();
    container::destroy(&lab.stage().engine, leader).await?;
    lab.struck_once(Strike::DiskLost);
    nodes.until_missed(THIRD, 2).await?;
    forget(nodes).await?;
    nodes.start(MIRROR).await?;
    nodes.until_missed(THIRD, 1).await?;
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "n1 and its disk are lost and forgotten; then n2 is started",
            zh: "n1 连盘一起没了，先从集群除名，再启动 n2"
        },
    );
    nodes.draw(THIRD, &[(LEADER, gone())]).await?;
    nodes.publish_again(&mut shop, &open).await?;
    let when = text! { en: "n2 is back", zh: "n2 恢复之后" };
    nodes.look(THIRD, when).await?;
    Ok(())
}

/// What an operator does about a node that will not return, before those that
/// are down are started again.
async fn forget(nodes: &Nodes<'_>) -> Ran {
    let name = nodes.name(LEADER)?;
    let told =
        nodes.broker(THIRD)?.ctl(&["forget_cluster_node", &name]).await?;
    ensure!(!told.to_lowercase().contains("error"), "rabbitmqctl: {told}");
    Ok(())
}

/// All was confirmed; what the leader confirmed alone is gone.
fn confirmed_alone_is_lost(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_attempt_answered(outcome)?;
    let later = of_them_later(outcome.messages, MEANWHILE);
    confirmed_meanwhile(outcome, later)?;
    let alone = outcome.messages - later + 1..=outcome.messages;
    let alone = alone.map(|n| outcome.noun.number(n)).collect();
    exactly_these(outcome, &[(Lost, alone)])
}

/// All was confirmed in time, and is there.
fn everything_is_there(outcome: &Outcome) -> Result<(), Text> {
    all_meanwhile(outcome, MEANWHILE)
}
