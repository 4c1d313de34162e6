//! A plain durable queue lives on one node of the cluster, and that node is
//! down.
//!
//! A cluster shares definitions: every node knows the queue. Its messages are
//! where it was declared. On 4.x a publish through another node is nacked as
//! long as that node is away. To the node of 3.10 that routes, a queue whose
//! home is down is no queue, and the message comes back; what becomes of it
//! without `mandatory` is [`home-node-3`](super::home_node_3). What was stored
//! returns with the node on both.
//!
//! Source: RabbitMQ documentation, "Clustering Guide", section "What is
//! Replicated?"; 3.13, "Classic Queue Mirroring", section "Non-mirrored Queue
//! Behavior in a Cluster" (a declaration elsewhere fails with 404); "Consumer
//! Acknowledgements and Publisher Confirms", section "When Will Published
//! Messages Be Confirmed by the Broker?". What 3.10 and 4.3 do was seen here.

use std::time::Duration;

use lapin::{
    ErrorKind,
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
};
use tokio::time::timeout;

use super::{
    meanwhile::{all_meanwhile, nothing_meanwhile, of_them_later, split},
    nodes::{Kind, Nodes, PATIENCE, connect, killed},
};
use crate::{
    demos::shop::orders::{ORDERS, Ran},
    event::{Column, Unit},
    lab::{
        ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::figure_is,
    },
    mechanism, text,
    text::Text,
    way,
};

/// "The cluster has three nodes, so the queue is still there."
pub static HOME_NODE: Scenario = Scenario {
    id: "home-node",
    recipe: text! {
        en: "A cluster of three: one node dies, the queue is on the others.",
        zh: "三节点集群，坏一个，队列还在另外两个上。"
    },
    fault: text! {
        en: "The node where the queue was declared is killed, and returns.",
        zh: "声明队列的那个节点被杀，之后恢复。"
    },
    predict: Predict {
        question: text! {
            en: "A durable classic queue, its node down. A publish through \
                 another node, confirms on, with mandatory?",
            zh: "持久的经典队列，所在节点宕机。从别的节点发布，开了确认，带 \
                 mandatory，结果？"
        },
        choices: &[
            text! {
                en: "not taken: 4.3 nacks it, 3.10 returns it",
                zh: "不收：4.3 拒收（nack），3.10 退回"
            },
            text! { en: "confirmed, and stored elsewhere", zh: "确认，存在别处" },
            text! { en: "no answer until the node is back", zh: "节点恢复前没应答" },
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
    strikes: &[Strike::BrokerKilled],
    hits: Hits::Once,
    tried: &[(3, 10), (4, 3)],
    ways: Ways::Pair {
        naive: way!(
            on_one_node,
            refused_or_returned,
            text! {
                en: "a classic queue on one node", zh: "经典队列，只在一个节点上"
            },
        ),
        fixed: way!(
            on_three_nodes,
            all_confirmed_and_there,
            text! {
                en: "a quorum queue on three nodes", zh: "仲裁队列，三个节点"
            },
        ),
        mechanisms: &[mechanism!(
            "members",
            on_one_node,
            refused_or_returned,
            text! { en: "members on other nodes", zh: "其他节点上的成员" },
        )],
    },
    columns: &[
        Column::Confirmed,
        Column::Returned,
        Column::Applied,
        Column::Lost,
    ],
    figures: &["meanwhile"],
    bars: &[],
    claim: text! {
        en: "a: a cluster shares definitions, not messages. The queue is down \
             with its node, and nothing is taken for it.",
        zh: "a：集群共享的是定义，不是消息。节点挂了队列就挂了，发来的一概不收。"
    },
    fix: text! {
        en: "A quorum queue. Publish with mandatory in any case, see \
             `home-node-3`.",
        zh: "用仲裁队列。发布一律带 mandatory，见 `home-node-3`。"
    },
    limit: text! {
        en: "What was stored comes back with the node, if its disk does.",
        zh: "已存下的会随节点回来，前提是盘还在。"
    },
    say: text! {
        en: "\"Clustering is not replication.\"",
        zh: "「集群不等于复制。」"
    },
    source: &[include_str!("home_node.rs")],
};

/// Messages have to be somewhere, and that is one node.
async fn on_one_node(lab: Lab) -> Ran {
    home_goes(&lab, Kind::Classic, Mandatory::Yes).await
}

/// Messages are on a majority of three nodes.
async fn on_three_nodes(lab: Lab) -> Ran {
    home_goes(&lab, Kind::Quorum(3), Mandatory::Yes).await
}

/// Whether the broker must hand back what it cannot route.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mandatory {
    Yes,
    No,
}

/// One order in so many is published while the node is away.
pub(super) const MEANWHILE: u32 = 2;
/// The first nack may take a while: 6.5 s were seen once on 4.3.6.
const REFUSED_WITHIN: Duration = Duration::from_secs(20);
const HOME: usize = 0;
const OTHER: usize = 1;

/// Half of the orders is stored, the node is killed, the other half is
/// published through another node; then the node returns.
pub(super) async fn home_goes(
    lab: &Lab,
    kind: Kind,
    mandatory: Mandatory,
) -> Ran {
    let nodes = Nodes::of(lab)?;
    nodes.declare(kind, HOME).await?;
    let (before, meanwhile) = split(lab, MEANWHILE);
    nodes.publish(&[HOME], before).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders through the queue's node, all confirmed",
            zh: "经队列所在节点发布 {n} 个订单，全部确认",
            n = lab.sums().confirmed
        },
    );
    nodes.draw(OTHER, &[]).await?;
    if !lab.is_armed(Strike::BrokerKilled) {
        return Ok(());
    }
    nodes.kill(HOME).await?;
    lab.struck_once(Strike::BrokerKilled);
    nodes.until_missed(OTHER, 1).await?;
    let patience = match kind {
        Kind::Classic => {
            declare_elsewhere(lab, &nodes).await?;
            REFUSED_WITHIN
        }
        Kind::Quorum(_) => PATIENCE,
    };
    let mut shop = nodes.patient_publisher(&[OTHER, 2], patience)?;
    if mandatory == Mandatory::No {
        shop = shop.not_mandatory();
    }
    let meanwhile = nodes.take_over(meanwhile);
    let open = nodes.publish_meanwhile(&mut shop, meanwhile).await;
    let (returned, nacked) = (lab.sums().returned, lab.sums().nacked);
    let name = text! { en: "nacked", zh: "被拒收" };
    lab.observe("nacked", name, nacked as f64, Unit::Count);
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "node killed; through another node {open} not confirmed \
                 ({nacked} nacked, {returned} returned)",
            zh: "节点被杀；经别的节点有 {open} 个没确认\
                 （拒收 {nacked}，退回 {returned}）",
            open = open.len(), nacked = nacked, returned = returned
        },
    );
    nodes.draw(OTHER, &[(HOME, killed())]).await?;
    nodes.heal().await?;
    nodes.publish_again(&mut shop, &open).await?;
    nodes.until_led_by(OTHER, &[HOME, OTHER, 2]).await?;
    nodes.draw(OTHER, &[]).await?;
    let when = text! { en: "the node is back", zh: "节点恢复之后" };
    nodes.look(OTHER, when).await
}

/// What a client hears that declares the queue once more, just as it is, while
/// its node is away. Only 3.x answers at once: 4.x was seen to take a minute.
async fn declare_elsewhere(lab: &Lab, nodes: &Nodes<'_>) -> Ran {
    if lab.version() >= (4, 0) {
        return Ok(());
    }
    let connection = connect(&nodes.address(OTHER)?).await?;
    let channel = connection.create_channel().await?;
    let mut arguments = FieldTable::default();
    let classic = AMQPValue::LongString("classic".into());
    arguments.insert("x-queue-type".into(), classic);
    let durable = QueueDeclareOptions::durable();
    let declared = channel.queue_declare(ORDERS.into(), durable, arguments);
    let refused = match timeout(REFUSED_WITHIN, declared).await {
        Ok(Err(error)) => Some(error),
        Ok(Ok(_)) | Err(_) => None,
    };
    let (code, said) = match refused.as_ref().map(|error| error.kind()) {
        Some(ErrorKind::ProtocolError(said)) => {
            (said.get_id(), said.get_message().to_string())
        }
        _ => (0, "-".to_owned()),
    };
    let name = text! { en: "declared again", zh: "重新声明" };
    lab.observe("declared", name, code.into(), Unit::Count);
    lab.step(
        text! { en: "declare", zh: "声明" },
        text! {
            en: "through another node: {code}, {said}",
            zh: "经别的节点：{code}，{said}",
            code = code, said = said
        },
    );
    connection.close(200, "asked".into()).await?;
    Ok(())
}

/// Before this version a queue whose node is down counts as no queue (pull
/// request 4563 of rabbitmq-server; seen on 3.10).
const REFUSES_SINCE: (u16, u16) = (3, 11);

/// Each was nacked, and nothing is lost.
fn refused(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "nacked", of_them_later(outcome.messages, MEANWHILE))?;
    nothing_meanwhile(outcome)
}

/// Each was refused, by a nack or, on 3.10, by coming back.
fn refused_or_returned(outcome: &Outcome) -> Result<(), Text> {
    if outcome.version >= REFUSES_SINCE {
        return refused(outcome);
    }
    returned(outcome)
}

/// Nothing was confirmed meanwhile, nothing is lost, and each was told of.
pub(super) fn returned(outcome: &Outcome) -> Result<(), Text> {
    nothing_meanwhile(outcome)?;
    let later = u64::from(of_them_later(outcome.messages, MEANWHILE));
    let returned = outcome.audit.counts.returned;
    if returned == later {
        return Ok(());
    }
    Err(text! {
        en: "{returned} of {later} returned", zh: "退回 {returned}/{later}",
        returned = returned, later = later
    })
}

/// Every order was confirmed while the node was away, and is there.
pub(super) fn all_confirmed_and_there(outcome: &Outcome) -> Result<(), Text> {
    all_meanwhile(outcome, MEANWHILE)
}
