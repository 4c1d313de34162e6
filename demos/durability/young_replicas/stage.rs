//! What is the same in both ways: a cluster of three, a new queue that its
//! first node leads, and a kill of that node.

use std::time::Duration;

use anyhow::{Context, ensure};
use lapin::{
    Confirmation,
    options::{
        BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use tokio::time::{Instant, timeout};

use crate::{
    demos::{
        durability::{
            link::{Link, id_of},
            young_queue::{node, stage::publish},
        },
        shop::orders::{ORDERS, Ran},
    },
    fault::container,
    lab::{Lab, Strike},
    ledger::{Fact, Witness},
    stage::{Broker, Cluster},
    text,
};

/// Members of a queue that is on every node.
pub const MEMBERS: u16 = 3;
const SOON: Duration = Duration::from_secs(60);
/// A queue that has a leader, or is about to, confirms within this.
const LEADER: Duration = Duration::from_secs(5);

/// A new queue is declared on the first node and filled; that is killed, and
/// started again. What the queue has kept is asked of the second node.
pub async fn killed_with_its_leader(lab: &Lab, members: u16) -> Ran {
    let cluster = lab.start_cluster(usize::from(MEMBERS)).await?;
    let [first, second, _] = nodes(&cluster)?;
    let link = open(lab, first).await?;
    let confirms = ConfirmSelectOptions::default();
    link.channel.confirm_select(confirms).await?;
    declare(&link, members).await?;
    let declared = Instant::now();
    let orders: Vec<_> = lab.messages().collect();
    publish(lab, &link.channel, ORDERS, &orders).await?;
    if lab.is_armed(Strike::BrokerKilled) {
        kill(lab, first, declared).await?;
    }
    let kept = read(lab, first, second, members).await?;
    lab.step(
        text! { en: "look", zh: "查看" },
        text! {
            en: "members: {members}; the second node reads {kept} of {all}",
            zh: "成员数 {members}：从第二个节点读出 {kept}/{all}",
            members = members, kept = kept, all = orders.len()
        },
    );
    Ok(())
}

fn nodes(cluster: &Cluster) -> anyhow::Result<[&Broker; 3]> {
    let all: Vec<_> = cluster.nodes.iter().collect();
    all.try_into().ok().context("a cluster of three")
}

async fn open(lab: &Lab, node: &Broker) -> anyhow::Result<Link> {
    Link::open(&node.uri(node.amqp, lab.vhost())).await
}

/// The leader is on the node that the declarer is connected to
/// (`queue_leader_locator`, `client-local` by default).
async fn declare(link: &Link, members: u16) -> Ran {
    let mut arguments = FieldTable::default();
    let quorum = AMQPValue::LongString("quorum".into());
    arguments.insert("x-queue-type".into(), quorum);
    let members = AMQPValue::LongUInt(members.into());
    arguments.insert("x-quorum-initial-group-size".into(), members);
    let durable = QueueDeclareOptions::durable();
    link.channel.queue_declare(ORDERS.into(), durable, arguments).await?;
    Ok(())
}

/// Kills the node, and starts it again. A queue whose name it has saved by
/// then was too old for this fault, and is not struck.
async fn kill(lab: &Lab, node: &Broker, declared: Instant) -> Ran {
    let engine = &lab.stage().engine;
    container::kill(engine, node.container()).await?;
    let age = declared.elapsed();
    let host = &node.service.container;
    if !node::host_knows(lab, node, host, ORDERS).await? {
        lab.struck_once(Strike::BrokerKilled);
    }
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "{node} killed, {ms} ms after the declaration",
            zh: "声明 {ms} 毫秒后杀掉 {node}",
            node = host, ms = age.as_millis()
        },
    );
    lab.start_again(node).await
}

/// Takes out what is in the queue, from a node that nothing has happened to,
/// and says how much that was. First a message more, without an id, has to be
/// confirmed: the queue has a leader then that knows all before it.
async fn read(
    lab: &Lab,
    killed: &Broker,
    other: &Broker,
    members: u16,
) -> anyhow::Result<u32> {
    let what = text! { en: "the queue to answer", zh: "队列恢复" };
    let answers = || answers(lab, killed, other, members);
    lab.wait_until(what, SOON, answers).await?;
    let link = open(lab, other).await?;
    let look = BasicGetOptions { no_ack: true };
    let mut kept = 0;
    while let Some(got) = link.channel.basic_get(ORDERS.into(), look).await? {
        let Ok(order) = id_of(&got.delivery) else { continue };
        lab.saw(order, Fact::Delivered);
        lab.settle(order, 1, 0);
        kept += 1;
    }
    link.close().await?;
    Ok(kept)
}

/// Whether the queue confirms a message. It may be unknown to the cluster, or
/// its only member may be without a leader, on 3.x (seen on 3.10): what an
/// operator would do then is done.
async fn answers(
    lab: &Lab,
    killed: &Broker,
    other: &Broker,
    members: u16,
) -> anyhow::Result<bool> {
    let link = open(lab, other).await?;
    let confirms = ConfirmSelectOptions::default();
    link.channel.confirm_select(confirms).await?;
    if declare(&link, members).await.is_err() {
        return Ok(false);
    }
    let options = BasicPublishOptions::default();
    let probe = link.channel.basic_publish(
        "".into(),
        ORDERS.into(),
        options,
        b"probe",
        lapin::BasicProperties::default().with_delivery_mode(2),
    );
    match timeout(LEADER, probe.await?).await {
        Ok(answer) => {
            let answer = answer?;
            ensure!(answer == Confirmation::Ack(None), "probe: {answer:?}");
            Ok(true)
        }
        Err(_) => {
            if members == 1 {
                node::elect(lab, killed, ORDERS).await?;
            }
            Ok(false)
        }
    }
}
