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
//! are two, and the majority of two is both. With both said the new one has its
//! copies, and leads nothing until `rabbitmq-queues rebalance`.
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
mod repair;

use std::time::Duration;

use self::{
    members::{Members, is_critical, led_by},
    repair::Repair,
};
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
    ledger::MessageId,
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
        seconds: 95,
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
            join_forget_grow_rebalance,
            all_confirmed_and_led,
            text! {
                en: "the lost one is forgotten, queues grown, rebalanced",
                zh: "再除名没了的节点，扩容队列，重新平衡"
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
            mechanism!(
                "rebalance",
                join_forget_and_grow,
                leads_nothing,
                text! {
                    en: "rabbitmq-queues rebalance",
                    zh: "rabbitmq-queues rebalance"
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
        en: "forget_cluster_node, grow NODE all, rebalance quorum; then look: \
             quorum_status. Before stopping one: \
             check_if_node_is_quorum_critical.",
        zh: "forget_cluster_node，grow 节点 all，rebalance quorum；\
             再看 quorum_status。\
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
        include_str!("lost_disk/repair.rs"),
    ],
};

/// The new node joins, and that is all.
async fn join_only(lab: Lab) -> Ran {
    disk_is_lost(&lab, &[]).await
}

/// The queues are told, too: who is gone, who has come, and that it may lead.
async fn join_forget_grow_rebalance(lab: Lab) -> Ran {
    let repairs = [Repair::Forget, Repair::Grow, Repair::Rebalance];
    disk_is_lost(&lab, &repairs).await
}

/// Two members, and both are needed.
async fn join_and_forget(lab: Lab) -> Ran {
    disk_is_lost(&lab, &[Repair::Forget, Repair::Rebalance]).await
}

/// Four members, and three are needed.
async fn join_and_grow(lab: Lab) -> Ran {
    disk_is_lost(&lab, &[Repair::Grow, Repair::Rebalance]).await
}

/// Three members, and the new one leads nothing.
async fn join_forget_and_grow(lab: Lab) -> Ran {
    disk_is_lost(&lab, &[Repair::Forget, Repair::Grow]).await
}

/// Where the orders are, and two beside it, for there is something to spread.
const QUEUES: [&str; 3] = [ORDERS, "payments", "invoices"];
/// One order in so many is published when two nodes have gone.
const MEANWHILE: u32 = 10;
/// It leads all of them, and stays.
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
    for queue in QUEUES {
        nodes.declare_as(queue, Kind::Quorum(3), LEADER).await?;
    }
    nodes.publish(&[LEADER], before).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders confirmed; three members; n1 leads {all} queues",
            zh: "{n} 个订单已确认；三个成员；{all} 个队列的 leader 都在 n1 上",
            n = lab.sums().confirmed, all = QUEUES.len()
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
    let operator = nodes.broker(LEADER)?;
    lab.step(
        text! { en: "replace", zh: "替换" },
        text! {
            en: "n3 is gone with its volume; n4 has joined: {n} nodes running",
            zh: "n3 连同卷一起没了；n4 已加入：{n} 个节点在运行",
            n = operator.management.running().await?.len()
        },
    );
    for repair in repairs {
        repair.make(lab, &nodes, &lost).await?;
    }
    let members = Members::of(lab, operator, ORDERS).await?;
    let critical = is_critical(nodes.broker(NEXT)?).await?;
    tell_members(lab, &nodes, &members, critical)?;
    let led = led_by(lab, operator, &nodes.name(LOST)?).await?;
    let name = text! { en: "n4 leads", zh: "n4 的 leader 数" };
    lab.observe("led", name, led as f64, Unit::Count);
    the_next_one_dies(lab, &nodes, meanwhile, &members).await
}

/// One more node is killed, and the orders that are left are published to the
/// first; then it is back.
async fn the_next_one_dies(
    lab: &Lab,
    nodes: &Nodes<'_>,
    orders: Vec<MessageId>,
    members: &Members,
) -> Ran {
    nodes.kill(NEXT).await?;
    lab.struck_once(Strike::BrokerKilled);
    let mut shop = FailoverPublisher::new(
        [nodes.address(LEADER)?],
        ORDERS,
        NO_ANSWER,
        lab.witness(),
    );
    let orders = nodes.take_over(orders);
    let answers = shop.attempt_all(&orders).await;
    let confirmed =
        answers.iter().filter(|answer| **answer == Answer::Confirmed).count();
    tell_meanwhile(lab, confirmed, orders.len());
    members.draw(lab, nodes, Some(NEXT))?;
    nodes.start(NEXT).await?;
    for (order, answer) in orders.iter().zip(answers) {
        if answer != Answer::Confirmed {
            shop.publish(order, SOON).await?;
        }
    }
    let when = text! { en: "n2 is back", zh: "n2 回来之后" };
    nodes.look(LEADER, when).await
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
        en: "{confirmed} of {all} confirmed meanwhile, n4 leads {led}",
        zh: "其间 {all} 个确认了 {confirmed} 个，n4 的 leader 数 {led}",
        confirmed = confirmed, all = all,
        led = lab.figure("led").unwrap_or_default()
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

/// The queue is repaired, and the new node leads its share.
fn all_confirmed_and_led(outcome: &Outcome) -> Result<(), Text> {
    all_confirmed_meanwhile(outcome)?;
    if outcome.figure("led")? >= 1.0 {
        return Ok(());
    }
    Err(text! {
        en: "n4 leads none of {n} queues",
        zh: "{n} 个队列的 leader 没有一个在 n4 上", n = QUEUES.len()
    })
}

/// The queue is repaired, and the new node has no more than copies.
fn leads_nothing(outcome: &Outcome) -> Result<(), Text> {
    all_confirmed_meanwhile(outcome)?;
    figure_is(outcome, "led", 0)
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
