//! A machine is lost with its disk, a new one takes its place, and the queue
//! knows nothing of that.
//!
//! A new node joins the cluster by itself (peer discovery), and the cluster
//! counts three running nodes again. Yet the members of a quorum queue are
//! those that it was declared with: the one that is gone still counts for the
//! majority, and the new node has none. So two of three are left, and the next
//! loss stops the queue.
//!
//! The operator has to say both: `rabbitmqctl forget_cluster_node` takes the
//! lost one out of the cluster and out of its queues, `rabbitmq-queues grow`
//! gives the new one a member of each. `grow` alone would make four, and the
//! majority of four is three (3.10); 4.3 refuses it as long as a member does
//! not answer (`non_stable_members`). With `forget_cluster_node` alone there
//! are two, and the majority of two is both.
//! `rabbitmq-queues check_if_node_is_quorum_critical` says so beforehand.
//!
//! A new node under the *old* name joined, and its member was filled again, on
//! 3.10.8 and 4.3.6 (seen, with the two others running all the time). It is
//! not what is shown: a member that forgets what it has voted for is outside
//! of what Raft promises.
//!
//! Without a majority `forget_cluster_node` may say ok on 4.x all the same; it is
//! dropped when the others are back (cluster_minority_SUITE of rabbitmq-server;
//! read, and not run).
//!
//! Source: RabbitMQ documentation, "Quorum Queues", sections "Managing
//! Members" and "Continuous Membership Reconciliation (CMR)" (off by default;
//! on, it does the growing); "rabbitmq-queues(8)".

mod members;

use std::time::Duration;

use self::members::{Members, is_critical};
use super::{
    meanwhile::{of_them_later, split},
    nodes::{Kind, Node, Nodes, SOON},
};
use crate::{
    demos::shop::orders::{ORDERS, Ran},
    event::{Column, Unit},
    fault::container,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_message_confirmed, every_message_once, figure_is},
        scenario::OnlyFour,
    },
    mechanism,
    pattern::{failover::FailoverPublisher, publisher::Answer},
    text,
    text::Text,
    way,
};

/// "A node is lost with its disk: start a new one, the cluster heals itself."
pub static LOST_DISK: Scenario = Scenario {
    id: "lost-disk",
    recipe: text! {
        en: "A machine died with its disk? A new one joins, and all is well.",
        zh: "机器连磁盘一起没了？新机器加入集群就好了。"
    },
    fault: text! {
        en: "A node is lost with its volume and replaced; then another one dies.",
        zh: "一个节点连同卷一起丢失，换上新的；随后又坏一个。"
    },
    predict: Predict {
        question: text! {
            en: "A quorum queue of three. n3 is destroyed, n4 joins: three nodes \
                 run. Now n2 dies. Who confirms?",
            zh: "三成员的仲裁队列。n3 毁了，n4 加入，又是三个节点。这时 n2 宕机，\
                 还能确认吗？"
        },
        choices: &[
            text! { en: "n1 and n4 do", zh: "能，n1 和 n4" },
            text! {
                en: "nobody, until n2 is back", zh: "不能，要等 n2 回来"
            },
            text! {
                en: "n1 does, and may lose it", zh: "n1 能，但可能丢"
            },
        ],
        right: 1,
    },
    needs: Needs {
        nodes: 3,
        only_four: Some(OnlyFour::NodeJoins),
        fewest: 10,
        most: 200,
        seconds: 75,
        ..Needs::BROKER
    },
    strikes: &[Strike::DiskLost, Strike::BrokerKilled],
    hits: Hits::Once,
    tried: &[(4, 3)],
    ways: Ways::Pair {
        naive: way!(
            join_only,
            nothing_confirmed_meanwhile,
            text! {
                en: "the new node joins, the cluster counts three",
                zh: "新节点加入，集群又是三个"
            },
        ),
        fixed: way!(
            join_forget_grow,
            all_confirmed_meanwhile,
            text! {
                en: "and the lost one is forgotten, the queue grown",
                zh: "再把没了的节点除名，把队列扩到新节点"
            },
        ),
        mechanisms: &[
            mechanism!(
                "grow",
                join_and_forget,
                nothing_confirmed_meanwhile,
                text! { en: "rabbitmq-queues grow", zh: "rabbitmq-queues grow" },
            ),
            mechanism!(
                "forget",
                join_and_grow,
                nothing_confirmed_meanwhile,
                text! {
                    en: "rabbitmqctl forget_cluster_node",
                    zh: "rabbitmqctl forget_cluster_node"
                },
            ),
        ],
    },
    columns: &[Column::Confirmed, Column::Attempts, Column::Applied],
    figures: &["members", "meanwhile"],
    bars: &[],
    claim: text! {
        en: "b: a new node has no member of any queue, and the lost one still \
             counts: two of three were left. Nothing is lost; it stands still.",
        zh: "b：新节点上没有任何队列的成员，没了的那个仍算成员：三个里只剩两个。\
             消息没丢，队列停摆。"
    },
    fix: text! {
        en: "forget_cluster_node, then grow NODE all, then quorum_status. Before \
             stopping a node: check_if_node_is_quorum_critical.",
        zh: "forget_cluster_node，再 grow 节点 all，再看 quorum_status。\
             停节点之前：check_if_node_is_quorum_critical。"
    },
    limit: text! {
        en: "grow wants a majority itself, and on 4.3 so does forget: repair \
             before the second loss. Leaders do not move by themselves.",
        zh: "grow 自己也要多数派，4.3 的 forget 也要：第二个坏掉之前就得修。\
             leader 不会自己挪过去。"
    },
    say: text! {
        en: "\"Nodes in the cluster are not members of the queue.\"",
        zh: "「集群里的节点，不等于队列的成员。」"
    },
    source: &[
        include_str!("lost_disk.rs"),
        include_str!("lost_disk/members.rs"),
    ],
};

/// The new node joins, and that is all.
async fn join_only(lab: Lab) -> Ran {
    disk_is_lost(&lab, &[]).await
}

/// The queue is told, too: who is gone, and who has come.
async fn join_forget_grow(lab: Lab) -> Ran {
    disk_is_lost(&lab, &[Repair::Forget, Repair::Grow]).await
}

/// Two members, and both are needed.
async fn join_and_forget(lab: Lab) -> Ran {
    disk_is_lost(&lab, &[Repair::Forget]).await
}

/// Four members, and three are needed.
async fn join_and_grow(lab: Lab) -> Ran {
    disk_is_lost(&lab, &[Repair::Grow]).await
}

/// What the operator does when the new node has joined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repair {
    /// Takes the lost node out of the cluster and of its queues.
    Forget,
    /// Gives the new node a member of each queue.
    Grow,
}

/// One order in so many is published when two nodes have gone.
const MEANWHILE: u32 = 10;
/// It leads, and stays.
const LEADER: Node = 0;
/// It is killed when the new one is there.
const NEXT: Node = 1;
/// It is lost with its disk, and another takes its place.
const LOST: Node = 2;
/// No answer within this is none. What is confirmed at all is within a second.
const NO_ANSWER: Duration = Duration::from_secs(10);

/// Orders are confirmed, a node is destroyed and replaced, another one killed,
/// and the last orders are published to what is left.
async fn disk_is_lost(lab: &Lab, repairs: &[Repair]) -> Ran {
    let mut cluster = lab.start_cluster(3).await?;
    let (before, meanwhile) = split(lab, MEANWHILE);
    let nodes = Nodes::on(lab, &cluster);
    nodes.declare(Kind::Quorum(3), LEADER).await?;
    nodes.publish(&[LEADER], before).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders confirmed; three members",
            zh: "{n} 个订单已确认；三个成员", n = lab.sums().confirmed
        },
    );
    if !lab.is_armed(Strike::DiskLost) {
        return Ok(());
    }
    let lost = nodes.name(LOST)?;
    container::destroy(&cluster.engine, nodes.broker(LOST)?.container())
        .await?;
    lab.replace_node(&mut cluster, LOST).await?;
    lab.struck_once(Strike::DiskLost);
    let nodes = Nodes::on(lab, &cluster);
    lab.step(
        text! { en: "replace", zh: "替换" },
        text! {
            en: "n3 is gone with its volume; n4 has joined: {n} nodes running",
            zh: "n3 连同卷一起没了；n4 已加入：{n} 个节点在运行",
            n = nodes.broker(LEADER)?.management.running().await?.len()
        },
    );
    for repair in repairs {
        repair.make(lab, &nodes, &lost).await?;
    }
    let members = Members::of(lab, nodes.broker(LEADER)?).await?;
    let critical = is_critical(nodes.broker(NEXT)?).await?;
    tell_members(lab, &nodes, &members, critical)?;
    nodes.kill(NEXT).await?;
    lab.struck_once(Strike::BrokerKilled);
    let mut shop = FailoverPublisher::new(
        [nodes.address(LEADER)?],
        ORDERS,
        NO_ANSWER,
        lab.witness(),
    );
    let meanwhile: Vec<_> =
        meanwhile.into_iter().map(|order| nodes.taken(order)).collect();
    let answers = shop.attempt_all(&meanwhile).await;
    let confirmed =
        answers.iter().filter(|answer| **answer == Answer::Confirmed).count();
    tell_meanwhile(lab, confirmed, meanwhile.len());
    members.draw(lab, &nodes, Some(NEXT))?;
    nodes.start(NEXT).await?;
    for (order, answer) in meanwhile.iter().zip(answers) {
        if answer != Answer::Confirmed {
            shop.publish(order, SOON).await?;
        }
    }
    let when = text! { en: "n2 is back", zh: "n2 回来之后" };
    nodes.look(LEADER, when).await?;
    Ok(())
}

impl Repair {
    /// Does it, and waits until `quorum_status` says so.
    async fn make(self, lab: &Lab, nodes: &Nodes<'_>, lost: &str) -> Ran {
        let operator = nodes.broker(LEADER)?;
        let new = nodes.name(LOST)?;
        match self {
            Self::Forget => {
                operator.ctl(&["forget_cluster_node", lost]).await?;
            }
            Self::Grow => {
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
            }
        }
        let what = text! { en: "the queue's new members", zh: "队列的新成员" };
        lab.wait_until(what, SOON, async || {
            let members = Members::of(lab, operator).await?;
            Ok(match self {
                Self::Forget => {
                    let is_gone = !members.all.iter().any(|name| name == lost);
                    is_gone && members.online() == members.all.len()
                }
                Self::Grow => members.followers.contains(&new),
            })
        })
        .await
    }
}

fn tell_members(
    lab: &Lab,
    nodes: &Nodes<'_>,
    members: &Members,
    critical: bool,
) -> Ran {
    let (online, all) = (members.online(), members.all.len());
    let name = text! { en: "members online", zh: "在线成员" };
    lab.observe("members", name, online as f64, Unit::Count);
    let name = text! { en: "n2 critical", zh: "n2 关键" };
    lab.observe("critical", name, f64::from(u8::from(critical)), Unit::Count);
    let told = match critical {
        true => text! { en: "critical", zh: "关键节点，不能停" },
        false => text! { en: "not critical", zh: "不是关键节点" },
    };
    let told = Text::made(
        format!("{online} of {all} members online; n2 is {}", told.en),
        format!("{all} 个成员，{online} 个在线；n2 {}", told.zh),
    );
    lab.step(text! { en: "members", zh: "成员" }, told);
    let container = &nodes.broker(NEXT)?.service.container;
    lab.command(format!(
        "docker exec {container} rabbitmq-queues check_if_node_is_quorum_critical"
    ));
    members.draw(lab, nodes, None)
}

fn tell_meanwhile(lab: &Lab, confirmed: usize, all: usize) {
    let name = text! { en: "confirmed then", zh: "其间确认" };
    lab.observe("meanwhile", name, confirmed as f64, Unit::Count);
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "n2 killed; {confirmed} of {all} orders confirmed after that",
            zh: "n2 被杀；此后的 {all} 个订单确认了 {confirmed} 个",
            confirmed = confirmed, all = all
        },
    );
    lab.came_to(text! {
        en: "{confirmed} of {all} confirmed meanwhile",
        zh: "其间 {all} 个确认了 {confirmed} 个",
        confirmed = confirmed, all = all
    });
}

/// The broker said that the next loss would stop the queue, and it did;
/// afterwards everything is there.
fn nothing_confirmed_meanwhile(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "critical", 1)?;
    figure_is(outcome, "meanwhile", 0)?;
    every_message_confirmed(outcome)?;
    every_message_once(outcome)
}

/// Three members, of which one may go.
fn all_confirmed_meanwhile(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "members", 3)?;
    figure_is(outcome, "critical", 0)?;
    figure_is(
        outcome,
        "meanwhile",
        of_them_later(outcome.messages, MEANWHILE),
    )?;
    every_message_confirmed(outcome)?;
    every_message_once(outcome)
}
