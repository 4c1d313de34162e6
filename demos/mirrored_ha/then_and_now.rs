//! One script on three nodes of RabbitMQ 3 with a mirrored queue, and on three
//! of RabbitMQ 4 with a quorum queue.
//!
//! The mirrored queue is on two nodes, n/2+1 of three, and that is a number of
//! copies and no majority: as long as one node is left it confirms, and
//! whoever is left leads, with whatever it has. A quorum queue confirms what a
//! majority has written, and only who has it may lead; without a majority it
//! confirms nothing, and forgets nothing.
//!
//! Under the easy fault both look the same. With two of three gone one goes on
//! and the other does not, and that is what they are paid for: in the third
//! row a copy has restarted, and the one that goes on has lost all.
//!
//! Source: RabbitMQ 3.13 documentation, "Classic Queue Mirroring", sections
//! "Replication Factor: How Many Mirrors are Optimal?" and "Unsynchronised
//! Mirrors"; 4.3, "Quorum Queues", sections "Leader Election and Failure
//! Handling" and "Data Safety".

mod script;

use self::script::{EVENTS, Side, Told};
use super::nodes::{Kind, Nodes};
use crate::{
    demos::shop::orders::Ran,
    event::{Column, Grid, GridRow, Unit},
    lab::{
        ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_attempt_answered, every_message_confirmed, figure_is},
        scenario::OnlyFour,
    },
    text,
    text::Text,
    way,
};

/// "Mirrored queues or quorum queues: both are high availability."
pub static THEN_AND_NOW: Scenario = Scenario {
    id: "then-and-now",
    recipe: text! {
        en: "Mirrored (3.x) or quorum (4.x): either way a queue on several nodes.",
        zh: "镜像队列（3.x）和仲裁队列（4.x），不都是多副本高可用吗。"
    },
    fault: text! {
        en: "Leader killed; then the next; a copy restarts, leader killed.",
        zh: "主被杀；接着又坏一个；副本重启后主被杀。"
    },
    predict: Predict {
        question: text! {
            en: "Two of three nodes go down, one after the other. Who still \
                 confirms?",
            zh: "三个节点先后坏了两个，谁还在确认？"
        },
        choices: &[
            text! { en: "neither", zh: "都不确认了" },
            text! { en: "the mirrored queue", zh: "镜像队列" },
            text! { en: "the quorum queue", zh: "仲裁队列" },
            text! { en: "both", zh: "都还在确认" },
        ],
        right: 1,
    },
    needs: Needs {
        only_four: Some(OnlyFour::Compared),
        cluster: Some(ClusterOf::Three),
        nodes: 3,
        fewest: 60,
        most: 600,
        seconds: 75,
        ..Needs::BROKER
    },
    strikes: &[Strike::BrokerKilled],
    hits: Hits::Once,
    tried: super::BOTH,
    ways: Ways::Trap(way!(
        one_script_on_both,
        a_majority_or_whoever_is_left,
        text! {
            en: "one script on both, half of the orders each",
            zh: "同一套脚本，两边各一半订单"
        },
    )),
    columns: &[Column::Confirmed, Column::Applied, Column::Lost],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "b: n/2+1 mirrors count copies, not votes. Whoever is left leads and \
             confirms, an empty copy too.",
        zh: "b：n/2+1 个镜像数的是份数，不是票数。谁剩下谁当主、谁确认，\
             哪怕它是空的。"
    },
    fix: text! {
        en: "Quorum queues. And three nodes in three failure domains, or two go \
             down together.",
        zh: "用仲裁队列。三个节点放进三个故障域，否则会一起坏两个。"
    },
    limit: text! {
        en: "A quorum queue stands still without a majority: two nodes are not \
             better than one.",
        zh: "仲裁队列没有多数派就停摆：两个节点不比一个强。"
    },
    say: text! {
        en: "\"Mirrors: whoever is left leads. Raft: who has it all leads.\"",
        zh: "「镜像是谁剩下谁当主，Raft 是数据齐全的才能当主。」"
    },
    source: &[
        include_str!("then_and_now.rs"),
        include_str!("then_and_now/script.rs"),
    ],
};

/// Odd orders go to the one, even ones to the other.
async fn one_script_on_both(lab: Lab) -> Ran {
    let four = lab.start_cluster(3).await?;
    let (odd, even): (Vec<_>, Vec<_>) =
        lab.messages().partition(|order| order.number % 2 == 1);
    let nodes = (Nodes::of(&lab)?, Nodes::on(&lab, &four));
    let mut then = Side::new(&lab, nodes.0, Kind::Classic, odd);
    let mut now = Side::new(&lab, nodes.1, Kind::Quorum(3), even);
    tokio::try_join!(then.declare(), now.declare())?;
    if !lab.is_armed(Strike::BrokerKilled) {
        tokio::try_join!(then.work(), now.work())?;
        return Ok(());
    }
    let mut rows = Vec::new();
    let told = tokio::try_join!(then.leader_dies(), now.leader_dies())?;
    tell(&lab, &mut rows, told);
    let told = tokio::try_join!(then.two_are_down(), now.two_are_down())?;
    tell(&lab, &mut rows, told);
    let told = tokio::try_join!(then.copy_restarts(), now.copy_restarts())?;
    lab.struck_once(Strike::BrokerKilled);
    tell(&lab, &mut rows, told);
    let [three, four] = [then.version(), now.version()];
    lab.grid(Grid {
        title: text! {
            en: "Confirmed while it lasted, and lost of these",
            zh: "故障期间确认了多少，其中丢了多少"
        },
        columns: vec![
            text! { en: "{v} mirrored", zh: "{v} 镜像", v = three },
            text! { en: "{v} quorum", zh: "{v} 仲裁", v = four },
        ],
        rows,
    });
    lab.came_to(text! {
        en: "{lost} confirmed orders lost", zh: "丢失 {lost} 个已确认的订单",
        lost = lab.sums().lost
    });
    Ok(())
}

/// Tells what an event came to on both sides, and keeps it for the table.
fn tell(lab: &Lab, rows: &mut Vec<GridRow>, (then, now): (Told, Told)) {
    let Some((event, name)) = EVENTS.get(rows.len()) else { return };
    for (side, told) in [("then", &then), ("now", &now)] {
        let of = |what: &str| format!("{side}-{event}-{what}");
        let counts = [
            ("all", told.all),
            ("attempted", told.attempted),
            ("meanwhile", told.meanwhile),
            ("lost", told.lost()),
        ];
        for (what, count) in counts {
            let id = of(what);
            lab.observe(&id, Text::same(&*id), count.into(), Unit::Count);
        }
    }
    let cells = [then.cell(), now.cell()];
    let [mirrored, quorum] = &cells;
    lab.step(
        text! { en: "fault", zh: "故障" },
        Text::made(
            format!("{}: m {}; q {}", name.en, mirrored.en, quorum.en),
            format!("{}：m {}；q {}", name.zh, mirrored.zh, quorum.zh),
        ),
    );
    lab.draw([then.seats, now.seats].concat());
    rows.push(GridRow { name: name.clone(), cells: cells.to_vec() });
}

/// Both outlive the leader. With two of three down the mirrored queue confirms
/// all, the quorum queue nothing, and neither loses any. When the copy has
/// restarted, the mirrored queue loses all, the quorum queue nothing. Every
/// order was sent while it lasted: who sends nothing is confirmed nothing.
fn a_majority_or_whoever_is_left(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_attempt_answered(outcome)?;
    let all = |event: &str| outcome.figure(&format!("then-{event}-all"));
    let [(died, _), (down, _), (empty, _)] = &EVENTS;
    let is = |id: String, count: f64| figure_is(outcome, &id, count as u32);
    for side in ["then", "now"] {
        for (event, _) in &EVENTS {
            let all = outcome.figure(&format!("{side}-{event}-all"))?;
            is(format!("{side}-{event}-attempted"), all)?;
        }
        is(format!("{side}-{died}-lost"), 0.0)?;
        is(format!("{side}-{down}-lost"), 0.0)?;
    }
    is(format!("then-{down}-meanwhile"), all(down)?)?;
    is(format!("now-{down}-meanwhile"), 0.0)?;
    is(format!("then-{empty}-lost"), all(empty)?)?;
    is(format!("now-{empty}-lost"), 0.0)?;
    let (lost, expected) = (outcome.audit.counts.lost, all(empty)?);
    if lost as f64 == expected {
        return Ok(());
    }
    Err(text! {
        en: "{lost} lost, not {expected}",
        zh: "丢失 {lost} 个，而不是 {expected} 个",
        lost = lost, expected = expected
    })
}
