//! With `pause_minority` the side that is no majority stops. It is a side of
//! nodes that hear each other, whatever became of the rest.
//!
//! Cut off from the others, a node learns of it when they have been silent for
//! `net_ticktime`. What a publisher sends it until then waits: a mirrored queue
//! confirms when every mirror has it. Whether some of that is confirmed at the
//! moment when the node takes the mirrors for dead, and pauses, is decided by a
//! race, so it is told as it was observed. In 3.10 the channel asks whether
//! the node is about to pause before it confirms (rabbit_channel,
//! `pause_partition_guard`).
//!
//! The other half of it is certain. Two of three nodes die: for the third that
//! is the same as being cut off, it has less than half, and it stops, with all
//! the messages on its disk. Without the setting a mirrored queue goes on, as
//! [`then-and-now`](super::then_and_now) shows.
//!
//! The setting is put into the running nodes here, and taken out again: a node
//! asks for it when another goes down (rabbit_node_monitor of 3.10).
//!
//! Source: RabbitMQ 3.13 documentation, "Clustering and Network Partitions",
//! sections "Partition Handling Strategies" and "More About Pause-minority
//! Mode"; Jepsen, "Call me maybe: RabbitMQ", which saw older versions lose with it.

use std::time::Duration;

use anyhow::ensure;
use futures::future::{join_all, try_join_all};

use super::{
    meanwhile::{of_them_later, split},
    nodes::{
        ANSWERED, ELECTED, Node, Nodes, SOON, WINDOW, Where, at_once, connect,
        killed, served_within,
    },
};
use crate::{
    demos::shop::orders::{ORDERS, Ran},
    event::{Column, Unit},
    lab::{
        ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_attempt_answered, every_message_confirmed},
    },
    ledger::{Kind as Wrong, MessageId},
    pattern::{failover::FailoverPublisher, publisher::Outgoing},
    text,
    text::Text,
    way,
};

/// "With pause_minority only the side that was cut off stops."
pub static PAUSE_MINORITY: Scenario = Scenario {
    id: "pause-minority",
    recipe: text! {
        en: "Mirrored, with pause_minority: who is cut off stops, others go on.",
        zh: "镜像队列加 pause_minority：被断网的停下，其余照常。"
    },
    fault: text! {
        en: "First n1, the leader, is cut off. Later n2 and n3 are killed.",
        zh: "先把主所在的 n1 断网；恢复之后，再杀掉 n2 和 n3。"
    },
    predict: Predict {
        question: text! {
            en: "The network is whole again; n2 and n3 die. n1 has every message. \
                 Does it serve?",
            zh: "网络早已恢复，n2、n3 死了。n1 消息一条不少，它还服务吗？"
        },
        choices: &[
            text! { en: "yes: it has everything", zh: "服务：数据都在" },
            text! { en: "yes, as soon as it is elected", zh: "选主之后就服务" },
            text! { en: "no: it hangs up, too", zh: "不：它也断开客户端" },
        ],
        right: 2,
    },
    needs: Needs {
        cluster: Some(ClusterOf::Three),
        fewest: 10,
        most: 1_000,
        seconds: 60,
        ..Needs::BROKER
    },
    strikes: &[Strike::Parted, Strike::BrokerKilled],
    hits: Hits::Once,
    tried: super::MIRRORED,
    ways: Ways::Trap(way!(
        less_than_half_pauses,
        the_last_one_stops,
        text! {
            en: "mirrored to all, pause_minority",
            zh: "镜像到所有节点，pause_minority"
        },
    )),
    columns: &[
        Column::Confirmed,
        Column::Attempts,
        Column::Applied,
        Column::Lost,
    ],
    figures: &["blind", "majority", "last"],
    bars: &[],
    claim: text! {
        en: "c: two dead nodes and a cut look the same from n1. It has less than \
             half, so it stops, with all messages on its disk.",
        zh: "c：在 n1 看来，死两个和被断网没有区别。它不到一半，就停下，\
             虽然消息全在它盘上。"
    },
    fix: text! {
        en: "Nothing that keeps two sides from confirming serves with one of \
             three: see `two-members`. Spread the nodes, so that no two die at \
             once.",
        zh: "凡是不许两边都确认的，三个剩一个就不能服务，见 `two-members`。\
             把节点分开放，别让两个一起死。"
    },
    limit: text! {
        en: "What n1 confirms between the cut and its stop is a race: a figure, \
             not a claim. 4.3 takes the setting, and it does nothing.",
        zh: "断网之后、停下之前 n1 能确认几个，要看谁快，每次不同，只作观察。\
             4.3 接受这个配置，但不起作用。"
    },
    say: text! {
        en: "\"pause_minority buys one history, and pays with availability.\"",
        zh: "「pause_minority 保证只有一份历史，代价是可用性。」"
    },
    source: &[include_str!("pause_minority.rs")],
};

/// The node that leads, and is cut off.
const ALONE: Node = 0;
const MAJORITY: [Node; 2] = [1, 2];
/// One order in so many to n1 after the cut, to the others, and to n1 when the
/// others are dead.
const MEANWHILE: u32 = 5;
/// The publisher waits until its node hangs up: `net_ticktime` and a quarter
/// of it is the most that this takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The setting is taken out again, whatever came of it: the nodes are lent.
async fn less_than_half_pauses(lab: Lab) -> Ran {
    let nodes = Nodes::of(&lab)?;
    set(&nodes, "pause_minority").await?;
    let ran = both_faults(&lab, &nodes).await;
    let given_back = set(&nodes, "ignore").await;
    ran.and(given_back)
}

/// On every node, also where one does not take it.
async fn set(nodes: &Nodes<'_>, handling: &str) -> Ran {
    let put = format!(
        "application:set_env(rabbit, cluster_partition_handling, {handling})."
    );
    let all = (0..nodes.count()).map(async |node| -> Ran {
        let told = nodes.broker(node)?.ctl(&["eval", &put]).await?;
        ensure!(told.trim() == "ok", "{handling} is not taken: {told}");
        Ok(())
    });
    join_all(all).await.into_iter().collect()
}

/// First n1 is cut off from the others; later they are killed.
async fn both_faults(lab: &Lab, nodes: &Nodes<'_>) -> Ran {
    let Parts { before, blind, majority, last } = Parts::of(lab);
    let mut here = publish_before(lab, nodes, before).await?;
    if lab.is_armed(Strike::Parted) {
        let parted = nodes.part(&[ALONE], &MAJORITY).await?;
        lab.struck_once(Strike::Parted);
        let open = publish_blind(lab, nodes, &mut here, blind).await?;
        let mut there = nodes.publisher(&MAJORITY)?;
        let left = publish_there(lab, nodes, &mut there, majority).await?;
        parted.heal().await;
        nodes.heal().await?;
        let open: Vec<_> = open.into_iter().chain(left).collect();
        nodes.publish_again(&mut there, &open).await?;
        nodes.draw(ALONE, &[]).await?;
    }
    if lab.is_armed(Strike::BrokerKilled) {
        let open = publish_to_the_last(lab, nodes, last).await?;
        try_join_all(MAJORITY.map(|node| nodes.start(node))).await?;
        nodes.heal().await?;
        let mut everywhere = nodes.publisher(&[ALONE, 1, 2])?;
        nodes.publish_again(&mut everywhere, &open).await?;
    }
    let when = text! { en: "all are back", zh: "全部恢复之后" };
    nodes.look(MAJORITY[0], when).await?;
    nodes.draw(MAJORITY[0], &[]).await?;
    tell(lab);
    Ok(())
}

/// Which order is published when.
struct Parts {
    /// Before anything happens.
    before: Vec<MessageId>,
    /// To n1, after the cut.
    blind: Vec<MessageId>,
    /// To the others, after the cut.
    majority: Vec<MessageId>,
    /// To n1, when the others are dead.
    last: Vec<MessageId>,
}

impl Parts {
    fn of(lab: &Lab) -> Self {
        let (mut before, last) = split(lab, MEANWHILE);
        let mut part = || before.split_off(before.len() - last.len());
        let (majority, blind) = (part(), part());
        Self { before, blind, majority, last }
    }
}

async fn publish_before(
    lab: &Lab,
    nodes: &Nodes<'_>,
    orders: Vec<MessageId>,
) -> anyhow::Result<FailoverPublisher> {
    nodes.mirror_to_all(ALONE).await?;
    let (address, witness) = ([nodes.address(ALONE)?], lab.witness());
    let mut here = FailoverPublisher::new(address, ORDERS, PATIENCE, witness);
    let orders = orders.into_iter().map(|id| nodes.taken(id));
    here.publish_all(orders, WINDOW, SOON).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders through n1, all confirmed",
            zh: "经 n1 发布 {n} 个订单，全部确认", n = lab.sums().confirmed
        },
    );
    nodes.draw(ALONE, &[]).await?;
    Ok(here)
}

/// One attempt for all, on the connection that is open, until it is closed.
/// Returns those that were not confirmed.
async fn publish_blind(
    lab: &Lab,
    nodes: &Nodes<'_>,
    here: &mut FailoverPublisher,
    orders: Vec<MessageId>,
) -> anyhow::Result<Vec<Outgoing>> {
    let orders: Vec<_> = nodes.take_over(orders);
    let all = orders.len();
    let open = at_once(here, orders).await;
    let confirmed = all - open.len();
    lab.observe("blind", BLIND, confirmed as f64, Unit::Count);
    until_it_hangs_up(lab, nodes).await?;
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "n1 cut off: it confirms {n} of {all}, and hangs up",
            zh: "n1 被断网：确认了 {n}/{all}，随后断开客户端",
            n = confirmed, all = all
        },
    );
    Ok(open)
}

async fn until_it_hangs_up(lab: &Lab, nodes: &Nodes<'_>) -> Ran {
    let what = text! { en: "n1 to pause", zh: "n1 暂停" };
    let address = nodes.address(ALONE)?;
    let hung_up = || async { Ok(connect(&address).await.is_err()) };
    lab.wait_until(what, SOON, hung_up).await
}

/// Returns those that were not confirmed.
async fn publish_there(
    lab: &Lab,
    nodes: &Nodes<'_>,
    there: &mut FailoverPublisher,
    orders: Vec<MessageId>,
) -> anyhow::Result<Vec<Outgoing>> {
    for node in MAJORITY {
        nodes.until_led_by(node, &MAJORITY).await?;
    }
    let orders: Vec<_> = nodes.take_over(orders);
    let all = orders.len();
    let open = served_within(ELECTED, there, orders).await;
    let confirmed = all - open.len();
    lab.observe("majority", OTHERS, confirmed as f64, Unit::Count);
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "n2 and n3 go on: {n} of {all} confirmed",
            zh: "n2 和 n3 照常：确认 {n}/{all}", n = confirmed, all = all
        },
    );
    let at = nodes.locate(MAJORITY[0]).await?;
    nodes.draw_at(&at, &[(ALONE, paused())]);
    Ok(open)
}

/// The others die, and it is asked to go on alone. Returns those that were not
/// confirmed.
async fn publish_to_the_last(
    lab: &Lab,
    nodes: &Nodes<'_>,
    orders: Vec<MessageId>,
) -> anyhow::Result<Vec<Outgoing>> {
    let what = text! { en: "n1 to have every message", zh: "n1 同步完毕" };
    let has_all = |at: &Where| at.synced.len() == MAJORITY.len();
    nodes.until(what, ALONE, has_all).await?;
    let at = nodes.locate(ALONE).await?;
    for node in MAJORITY {
        nodes.kill(node).await?;
    }
    lab.struck_once(Strike::BrokerKilled);
    until_it_hangs_up(lab, nodes).await?;
    let orders: Vec<_> = nodes.take_over(orders);
    let all = orders.len();
    let mut here = nodes.publisher(&[ALONE])?;
    let open = served_within(ANSWERED, &mut here, orders).await;
    let confirmed = all - open.len();
    lab.observe("last", LAST, confirmed as f64, Unit::Count);
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "n2 and n3 killed: n1 hangs up, {n} of {all} confirmed",
            zh: "杀掉 n2 和 n3：n1 断开客户端，确认 {n}/{all}",
            n = confirmed, all = all
        },
    );
    let at = Where { leader: None, ..at };
    nodes.draw_at(&at, &[(ALONE, paused()), (1, killed()), (2, killed())]);
    Ok(open)
}

const BLIND: Text = text! { en: "n1 cut off", zh: "n1 被断网" };
const OTHERS: Text = text! { en: "n2+n3", zh: "n2+n3" };
const LAST: Text = text! { en: "n1 left over", zh: "只剩 n1" };

fn paused() -> Text {
    text! { en: "paused", zh: "已暂停" }
}

fn tell(lab: &Lab) {
    let figures = (lab.figure("blind"), lab.figure("last"));
    let (Some(blind), Some(last)) = figures else { return };
    lab.came_to(text! {
        en: "n1 confirmed {blind} when cut off, {last} when left over",
        zh: "n1 被断网时确认 {blind} 个，只剩它时 {last} 个",
        blind = blind, last = last
    });
}

/// The others confirmed all of theirs, the last one none. Of what n1 confirmed
/// after the cut some may be lost; nothing else is.
fn the_last_one_stops(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_attempt_answered(outcome)?;
    let each = of_them_later(outcome.messages, MEANWHILE);
    let found = (outcome.figure("majority")?, outcome.figure("last")?);
    if found != (f64::from(each), 0.0) {
        return Err(text! {
            en: "of {each} each, the majority confirmed {m}, and n1 alone {n}",
            zh: "各 {each} 个：多数派确认 {m} 个，只剩 n1 时确认 {n} 个",
            each = each, m = found.0, n = found.1
        });
    }
    let blind = outcome.messages - 3 * each..outcome.messages - 2 * each;
    let other = |order: &MessageId| !blind.contains(&(order.number - 1));
    if let Some(order) = outcome.audit.of(Wrong::Lost).find(other) {
        return Err(text! {
            en: "{order} is lost, and n1 did not get it after the cut",
            zh: "{order} 丢了，但它不是断网后发给 n1 的", order = order
        });
    }
    let (lost, confirmed) =
        (outcome.audit.counts.lost, outcome.figure("blind")?);
    if lost as f64 <= confirmed {
        return Ok(());
    }
    Err(text! {
        en: "{lost} lost, though n1 confirmed {confirmed} after the cut",
        zh: "丢了 {lost} 个，而断网后 n1 只确认 {confirmed} 个",
        lost = lost, confirmed = confirmed
    })
}
