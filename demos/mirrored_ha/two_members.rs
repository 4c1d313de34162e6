//! Two members are one too few.
//!
//! A majority of two is two: a quorum queue with members on two nodes stops
//! when either of them goes, so it is *less* available than one on a single
//! node, and three cost one node more. The same holds for the cluster's own
//! metadata where they are in Khepri (always on 4.3), and for `pause_minority`
//! on 3.x.
//!
//! Source: RabbitMQ documentation, "Quorum Queues", section "Fault
//! Tolerance and Minimum Number of Members Online"; "Clustering Guide",
//! section "Node Counts and Quorum".

use super::{
    home_node::{Mandatory, all_confirmed_and_there, home_goes},
    meanwhile::nothing_meanwhile,
    nodes::Kind,
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{ClusterOf, Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    mechanism, text, way,
};

/// "Two copies are enough: one may go."
pub static TWO_MEMBERS: Scenario = Scenario {
    id: "two-members",
    recipe: text! {
        en: "Two copies are enough: one of them may go.",
        zh: "两份就够了：坏一份还有一份。"
    },
    fault: text! {
        en: "The node that leads is killed, and returns.",
        zh: "leader 所在节点被杀，之后恢复。"
    },
    predict: Predict {
        question: text! {
            en: "A quorum queue with two members. One node dies. Publishes are…",
            zh: "仲裁队列两个成员，坏了一个节点。此时发布…"
        },
        choices: &[
            text! { en: "confirmed by the other", zh: "由另一个确认" },
            text! {
                en: "not confirmed until it is back", zh: "它回来之前都不确认"
            },
            text! { en: "confirmed, and at risk", zh: "确认，但有风险" },
        ],
        right: 1,
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
            two,
            nothing_meanwhile,
            text! { en: "a quorum queue, two members", zh: "仲裁队列，两个成员" },
        ),
        fixed: way!(
            three,
            all_confirmed_and_there,
            text! {
                en: "a quorum queue, three members", zh: "仲裁队列，三个成员"
            },
        ),
        mechanisms: &[mechanism!(
            "third-member",
            two,
            nothing_meanwhile,
            text! { en: "the third member", zh: "第三个成员" },
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
        en: "b: a majority of two is two. Two members bear no loss at all, three \
             bear one, four bear one, five bear two.",
        zh: "b：两个的多数派就是两个。两个成员一个也坏不起，三个扛一个，\
             四个还是一个，五个扛两个。"
    },
    fix: text! {
        en: "An odd number, three at least; rabbitmq-queues grow where a queue \
             has fewer.",
        zh: "成员取奇数，至少三个；不够的用 rabbitmq-queues grow 补。"
    },
    limit: text! {
        en: "Nothing is lost either way: what was confirmed is on both disks. \
             Two members cost availability.",
        zh: "两种都没丢：确认过的两块盘上都有。两个成员输的是可用性。"
    },
    say: text! {
        en: "\"Two is worse than one: either may stop it.\"",
        zh: "「两个不如一个：坏哪个都得停。」"
    },
    source: &[include_str!("two_members.rs"), include_str!("home_node.rs")],
};

/// Both of two must agree.
async fn two(lab: Lab) -> Ran {
    home_goes(&lab, Kind::Quorum(2), Mandatory::Yes).await
}

/// Two of three must agree.
async fn three(lab: Lab) -> Ran {
    home_goes(&lab, Kind::Quorum(3), Mandatory::Yes).await
}
