//! The same as [`home-node`](super::home_node) on 3.10, where a publish may be
//! *confirmed and dropped*.
//!
//! To the node that routes, a queue whose home is down is no queue, and
//! confirming what leads nowhere is what a broker does. Only `mandatory` tells:
//! the message comes back first. A client that declares the queue meanwhile is
//! refused with 404, not given another one. Since 3.11 such a publish is
//! nacked (pull request 4563 of rabbitmq-server).
//!
//! Source: RabbitMQ 3.13 documentation, "Classic Queue Mirroring", section
//! "Non-mirrored Queue Behavior in a Cluster"; "Consumer Acknowledgements and
//! Publisher Confirms", section "When Will Published Messages Be Confirmed by
//! the Broker?". What 3.10 does was seen here.

use super::{
    home_node::{
        MEANWHILE, Mandatory, all_confirmed_and_there, home_goes, returned,
    },
    meanwhile::{confirmed_meanwhile, of_them_later},
    nodes::Kind,
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_attempt_answered, figure_is},
    },
    mechanism, text,
    text::Text,
    way,
};

/// "It was confirmed, so it is stored."
pub static HOME_NODE_3: Scenario = Scenario {
    id: "home-node-3",
    recipe: text! {
        en: "The queue is durable, each order is confirmed: so it is stored.",
        zh: "队列持久化，每个订单都等到确认：那就存下了。"
    },
    fault: text! {
        en: "On 3.10 the node where the queue was declared is killed.",
        zh: "3.10 上，声明队列的那个节点被杀。"
    },
    predict: Predict {
        question: text! {
            en: "RabbitMQ 3.10, a classic queue, its node down. A publish through \
                 another node, confirms on, without mandatory?",
            zh: "RabbitMQ 3.10，经典队列，所在节点宕机。从别的节点发布，\
                 开了确认，没带 mandatory，结果？"
        },
        choices: &[
            text! { en: "nacked", zh: "拒收（nack）" },
            text! { en: "no answer until the node is back", zh: "节点恢复前没应答" },
            text! { en: "confirmed, and dropped", zh: "确认，然后丢掉" },
        ],
        right: 2,
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
    ways: Ways::Three {
        naive: way!(
            without_mandatory,
            confirmed_and_dropped,
            text! {
                en: "a classic queue on one node", zh: "经典队列，只在一个节点上"
            },
        ),
        halfway: way!(
            with_mandatory,
            told_of_each,
            text! {
                en: "the same, published with mandatory",
                zh: "同上，发布时带 mandatory"
            },
        ),
        fixed: way!(
            with_members,
            all_confirmed_and_there,
            text! {
                en: "a quorum queue on three nodes", zh: "仲裁队列，三个节点"
            },
        ),
        mechanisms: &[mechanism!(
            "members",
            with_mandatory,
            told_of_each,
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
        en: "c: a queue whose home is down is no queue to the router, and what \
             leads nowhere is confirmed. Only mandatory tells.",
        zh: "c：在路由看来，主不在的队列等于没有，而没处可去的消息照样确认。\
             只有 mandatory 能告诉你。"
    },
    fix: text! {
        en: "A quorum queue; mandatory on every publish. Since 3.11 the broker \
             nacks.",
        zh: "用仲裁队列；每次发布都带 mandatory。3.11 起 broker 会拒收。"
    },
    limit: text! {
        en: "mandatory only tells. To declare it elsewhere meanwhile is refused \
             (404): there is no way to go on under this name.",
        zh: "mandatory 只是告诉你。其间想在别处重新声明，会被拒绝（404）：\
             这个名字没法继续用。"
    },
    say: text! {
        en: "\"A confirm without mandatory does not mean that it is stored.\"",
        zh: "「没带 mandatory 的确认，不代表存下了。」"
    },
    source: &[include_str!("home_node_3.rs"), include_str!("home_node.rs")],
};

/// The broker's confirm is all that the shop asks for.
async fn without_mandatory(lab: Lab) -> Ran {
    home_goes(&lab, Kind::Classic, Mandatory::No).await
}

/// The broker is asked to say when there is no queue.
async fn with_mandatory(lab: Lab) -> Ran {
    home_goes(&lab, Kind::Classic, Mandatory::Yes).await
}

/// Whoever is left has the messages.
async fn with_members(lab: Lab) -> Ran {
    home_goes(&lab, Kind::Quorum(3), Mandatory::Yes).await
}

/// Each was confirmed while the node was away, and just those are gone, without
/// a word; and nobody could declare the queue.
fn confirmed_and_dropped(outcome: &Outcome) -> Result<(), Text> {
    let later = of_them_later(outcome.messages, MEANWHILE);
    confirmed_meanwhile(outcome, later)?;
    figure_is(outcome, "declared", 404)?;
    every_attempt_answered(outcome)?;
    let counts = &outcome.audit.counts;
    match (counts.lost, counts.returned) {
        (lost, 0) if lost == u64::from(later) => Ok(()),
        (lost, returned) => Err(text! {
            en: "{lost} lost, {returned} returned, not {later} and none",
            zh: "丢失 {lost}，退回 {returned}，而不是 {later} 和 0",
            lost = lost, returned = returned, later = later
        }),
    }
}

/// Each came back before it was confirmed, and nothing is lost; and nobody
/// could declare the queue.
fn told_of_each(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "declared", 404)?;
    returned(outcome)
}
