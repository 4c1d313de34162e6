//! A publisher is connected to the node that is cut off from the others.
//!
//! Its connection is alive, heartbeats come, and no confirm does: the node
//! has no majority. Waiting is all that is left to a client that knows this
//! address only. One that gives up on an answer, tries another node, and sends
//! again what is unknown is served as soon as the others have noticed and
//! elected. The lonely node may call itself leader still, and two be drawn so;
//! only one of them can confirm (compare [`split-brain`](super::split_brain)).
//! On 4.3 that holds for the cluster's own metadata as well, and
//! `cluster_partition_handling` has nothing left to handle.
//!
//! Who waits here waits on the channel that was in use before. A channel that
//! publishes to the queue for the first time has to be registered with it, and
//! where that is not done within `net_ticktime` and 5 s more, the publish is
//! nacked (rabbit_fifo_client of 4.x; read, and not run).
//!
//! Source: RabbitMQ documentation, "Quorum Queues", section "Availability";
//! 3.13, "Clustering and Network Partitions", section "Behavior During a Network
//! Partition"; 4.3, the same guide, sections "Partition Effects on Replicated
//! Features" (a confirm comes late, or a nack does) and "Raft and the Online
//! Cluster Majority Requirement".

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{
    meanwhile::{all_meanwhile, nothing_meanwhile, split},
    nodes::{Kind, Nodes, PATIENCE, SOON, WINDOW, connect},
};
use crate::{
    demos::shop::orders::{ORDERS, Ran},
    event::{Column, Unit},
    fault::parted::Parted,
    lab::{
        ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::figure_is,
    },
    ledger::MessageId,
    mechanism,
    pattern::{
        pipeline::{Late, PipelinedPublisher, Settings, Summary},
        publisher::Route,
    },
    text,
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
            text! { en: "nacked", zh: "被拒收（nack）" },
            text! { en: "confirmed by its node alone", zh: "由它独自确认" },
        ],
        right: 0,
    },
    needs: Needs {
        cluster: Some(ClusterOf::Run),
        fewest: 10,
        most: 2_000,
        seconds: 40,
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
    its_node_is_cut_off(&lab, Client::Waits).await
}

/// No answer here is a reason to ask there.
async fn every_address(lab: Lab) -> Ran {
    its_node_is_cut_off(&lab, Client::AsksElsewhere).await
}

/// What the client does without an answer.
#[derive(Clone, Copy)]
enum Client {
    Waits,
    AsksElsewhere,
}

/// One order in so many is published while the node is cut off.
const MEANWHILE: u32 = 4;
const ALONE: usize = 0;
const OTHERS: [usize; 2] = [1, 2];
/// An answer is listened for as long as this: longer than heartbeats (4 s here),
/// than `net_ticktime` (5 s), and than the broker's own limits (10 s).
const QUIET: Duration = Duration::from_secs(12);

/// Orders are confirmed by the node that leads; it is cut off; more orders are
/// published by the same client; the network is back.
async fn its_node_is_cut_off(lab: &Lab, client: Client) -> Ran {
    let nodes = Nodes::of(lab)?;
    nodes.declare(Kind::Quorum(3), ALONE).await?;
    let (before, meanwhile) = split(lab, MEANWHILE);
    match client {
        Client::Waits => waits(lab, &nodes, before, meanwhile).await?,
        Client::AsksElsewhere => {
            asks_elsewhere(lab, &nodes, before, meanwhile).await?;
        }
    }
    if lab.is_armed(Strike::Parted) {
        let when = text! { en: "the network is back", zh: "网络恢复之后" };
        nodes.look(OTHERS[0], when).await?;
    }
    Ok(())
}

/// On the channel that it has, whatever comes.
async fn waits(
    lab: &Lab,
    nodes: &Nodes<'_>,
    before: Vec<MessageId>,
    meanwhile: Vec<MessageId>,
) -> Ran {
    let settings = Settings {
        confirm_timeout: SOON,
        late: Late::Listen,
        ..Settings::default()
    };
    let (at, route) = (nodes.address(ALONE)?, Route::queue(ORDERS));
    let mut shop = PipelinedPublisher::open(at, route, lab.witness(), settings);
    shop.publish_all(nodes.take_over(before)).await?;
    all_confirmed(lab, nodes).await?;
    if !lab.is_armed(Strike::Parted) {
        return Ok(());
    }
    let beside = connect(&nodes.address(ALONE)?).await?;
    let parted = shop.attend(cut(lab, nodes)).await?;
    for order in nodes.take_over(meanwhile) {
        shop.publish(order).await;
    }
    shop.attend(sleep(QUIET)).await;
    let healthy = timeout(PATIENCE, beside.create_channel()).await;
    let alive = shop.is_connected() && matches!(healthy, Ok(Ok(_)));
    tell_silence(lab, nodes, shop.summary(), alive);
    nodes.draw_parted(&[ALONE], &OTHERS).await?;
    let heal = async {
        parted.heal().await;
        nodes.heal().await
    };
    shop.attend(heal).await?;
    let all = shop.finish().await?;
    lab.step(
        text! { en: "heal", zh: "恢复" },
        text! {
            en: "now {n} are confirmed, sent {sent} times in all",
            zh: "这才确认 {n} 个，总共发了 {sent} 次",
            n = all.confirmed, sent = all.sent
        },
    );
    Ok(())
}

/// What was heard while the node was cut off, and on what connection.
fn tell_silence(lab: &Lab, nodes: &Nodes<'_>, said: &Summary, alive: bool) {
    nodes.observe_meanwhile(said.confirmed, said.messages - said.confirmed);
    observe_refusals(lab, said.nacked + said.returned);
    let name = text! { en: "connection alive", zh: "连接正常" };
    lab.observe("alive", name, f64::from(u8::from(alive)), Unit::Count);
    let health = match alive {
        true => text! { en: "alive", zh: "正常" },
        false => text! { en: "dead", zh: "已断" },
    };
    let (n, all, nacked) = (said.confirmed, said.messages, said.nacked);
    let seconds = QUIET.as_secs();
    lab.step(
        text! { en: "fault", zh: "故障" },
        Text::made(
            format!(
                "n1 cut off: in {seconds} s {n} of {all} confirmed, {nacked} \
                 nacked, the connection {}",
                health.en
            ),
            format!(
                "n1 被隔离：{seconds} 秒内确认 {n}/{all}，拒收 {nacked}，连接{}",
                health.zh
            ),
        ),
    );
}

/// At another address, after a while without an answer.
async fn asks_elsewhere(
    lab: &Lab,
    nodes: &Nodes<'_>,
    before: Vec<MessageId>,
    meanwhile: Vec<MessageId>,
) -> Ran {
    let mut shop = nodes.publisher(&[ALONE, OTHERS[0], OTHERS[1]])?;
    shop.publish_all(nodes.take_over(before), WINDOW, SOON).await?;
    all_confirmed(lab, nodes).await?;
    if !lab.is_armed(Strike::Parted) {
        return Ok(());
    }
    let parted = cut(lab, nodes).await?;
    let meanwhile = nodes.take_over(meanwhile);
    let all = meanwhile.len();
    let open = nodes.publish_meanwhile(&mut shop, meanwhile).await;
    observe_refusals(lab, lab.sums().nacked);
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "n1 cut off: {n} of {all} confirmed meanwhile",
            zh: "n1 被隔离：其间确认 {n}/{all}",
            n = all - open.len(), all = all
        },
    );
    nodes.draw_parted(&[ALONE], &OTHERS).await?;
    parted.heal().await;
    nodes.heal().await?;
    nodes.publish_again(&mut shop, &open).await
}

async fn all_confirmed(lab: &Lab, nodes: &Nodes<'_>) -> Ran {
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders through n1, all confirmed",
            zh: "经 n1 发布 {n} 个订单，全部确认",
            n = lab.sums().confirmed
        },
    );
    nodes.draw(ALONE, &[]).await
}

/// Cuts the leader's node off, and waits until the others have elected.
async fn cut(lab: &Lab, nodes: &Nodes<'_>) -> anyhow::Result<Parted> {
    let parted = nodes.part(&[ALONE], &OTHERS).await?;
    nodes.until_missed(OTHERS[0], 1).await?;
    lab.struck_once(Strike::Parted);
    nodes.until_led_by(OTHERS[0], &OTHERS).await?;
    Ok(parted)
}

fn observe_refusals(lab: &Lab, refused: u64) {
    let name = text! { en: "refused", zh: "被拒收" };
    lab.observe("nacked", name, refused as f64, Unit::Count);
}

/// Neither yes nor no was said meanwhile, on a connection that was alive; then
/// each was confirmed there, sent once, and nothing is lost.
fn no_answer(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "nacked", 0)?;
    figure_is(outcome, "alive", 1)?;
    nothing_meanwhile(outcome)?;
    let (sent, all) = (outcome.audit.counts.attempts, outcome.messages);
    if sent == u64::from(all) {
        return Ok(());
    }
    Err(text! {
        en: "{sent} attempts for {all} orders", zh: "{all} 个订单发了 {sent} 次",
        sent = sent, all = all
    })
}

/// All were confirmed by the others meanwhile, and none is lost.
fn others_confirm(outcome: &Outcome) -> Result<(), Text> {
    all_meanwhile(outcome, MEANWHILE)
}
