//! The whole deployment: three nodes, two balancers, one address.
//!
//! A client knows the virtual address and nothing else. HAProxy gives each of
//! its connections to a node in turn, wherever the leader of the queue is: the
//! node passes on what is published. So when the leader's node dies, only the
//! connections to *that* node break; who is connected to another one waits
//! for an election. When the balancer that holds the address dies, all of
//! them break. In neither case is anything that was confirmed at stake, and in
//! both it is the client that connects again and sends again.
//!
//! Source: RabbitMQ documentation, "Clustering Guide", sections "Clustering and
//! Clients" and "Connecting to Clusters from Clients"; "Quorum Queues",
//! section "Leader Election and Failure Handling"; HAProxy 3.0 Configuration
//! Manual, `balance roundrobin`.

mod checks;
mod publishing;
mod script;

use self::{
    checks::{
        every_order_through_one_address, nobody_after_balancer,
        nobody_after_node, some_stay_unknown,
    },
    script::{Again, Fronted, through_one_address},
};
use super::nodes::Kind;
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{ClusterOf, Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    mechanism,
    stage::{Balancing, balancer::Address},
    text, way,
};

/// "Three nodes, two balancers, one address: clients need not do anything."
pub static ONE_ADDRESS: Scenario = Scenario {
    id: "one-address",
    recipe: text! {
        en: "Three nodes, two balancers, one address: clients need do nothing.",
        zh: "三个节点、两台负载均衡、一个虚拟 IP：客户端什么也不用做。"
    },
    fault: text! {
        en: "The leader's node is killed; then the balancer with the address.",
        zh: "先杀 leader 所在的节点，再让持有虚拟 IP 的负载均衡断电。"
    },
    predict: Predict {
        question: text! {
            en: "Nine clients behind the address. The leader's node dies, later \
                 the balancer. How many connections break?",
            zh: "虚拟 IP 后面有九个客户端。先是 leader 所在的节点宕机，后是负载均衡。\
                 各断几条连接？"
        },
        choices: &[
            text! { en: "three, then all", zh: "先三条，后全部" },
            text! { en: "all, both times", zh: "两次都是全部" },
            text! { en: "none: the address lives", zh: "一条不断：虚拟 IP 还在" },
        ],
        right: 0,
    },
    needs: Needs {
        cluster: Some(ClusterOf::Run),
        balancers: true,
        fewest: 30,
        most: 400,
        seconds: 45,
        ..Needs::BROKER
    },
    strikes: &[Strike::BrokerKilled, Strike::BalancerKilled],
    hits: Hits::Once,
    tried: super::BOTH,
    ways: Ways::Pair {
        naive: way!(
            sent_once,
            some_stay_unknown,
            text! { en: "each order sent once", zh: "每个订单只发一次" },
        ),
        fixed: way!(
            sent_until_confirmed,
            every_order_through_one_address,
            text! {
                en: "a quorum queue; sent until confirmed",
                zh: "仲裁队列；发到确认为止"
            },
        ),
        mechanisms: &[
            mechanism!(
                "resend",
                sent_once,
                some_stay_unknown,
                text! {
                    en: "sending the unanswered again", zh: "重发未应答的"
                },
            ),
            mechanism!(
                "members",
                on_one_node,
                nobody_after_node,
                text! { en: "members on other nodes", zh: "其他节点上的成员" },
            ),
            mechanism!(
                "keepalived",
                without_keepalived,
                nobody_after_balancer,
                text! { en: "keepalived", zh: "keepalived" },
            ),
        ],
    },
    columns: &[Column::Confirmed, Column::Applied],
    figures: &["broken", "unanswered", "cuts", "gap-node", "gap-balancer"],
    bars: &[],
    claim: text! {
        en: "a: the address gives each node its share of connections, and those \
             to a dead node break; with the balancer all do. The leader's death \
             is an election, seen as a gap.",
        zh: "a：虚拟 IP 后面每个节点分到一份连接，节点宕机只断它那份；\
             负载均衡宕机，全断。leader 宕机则要选主，看上去是一段中断。"
    },
    fix: text! {
        en: "Quorum queues, two balancers, keepalived; clients that reconnect, \
             confirm and resend; consumers idempotent.",
        zh: "仲裁队列、两台负载均衡、keepalived；客户端要重连、要确认、要重发，\
             消费者做幂等。"
    },
    limit: text! {
        en: "The node that returns gets connections, and leads nothing: see \
             `rebalance`. All of it stands in one place.",
        zh: "恢复的节点会分到连接，但一个 leader 也没有，见 `rebalance`。\
             而且这一切都在同一个机房。"
    },
    say: text! {
        en: "\"The address finds a node, the node finds the leader, the client \
             resends.\"",
        zh: "「虚拟 IP 找到节点，节点找到 leader，重发归客户端。」"
    },
    source: &[
        include_str!("one_address.rs"),
        include_str!("one_address/script.rs"),
        include_str!("one_address/publishing.rs"),
        include_str!("one_address/checks.rs"),
        include_str!("listener.rs"),
    ],
};

const WHOLE: Fronted = Fronted {
    how: Balancing::SOUND,
    queue: Kind::Quorum(3),
    again: Again::UntilConfirmed,
};

/// What was not answered is forgotten.
async fn sent_once(lab: Lab) -> Ran {
    through_one_address(&lab, &Fronted { again: Again::Never, ..WHOLE }).await
}

/// What was not answered is sent again, to the same address.
async fn sent_until_confirmed(lab: Lab) -> Ran {
    through_one_address(&lab, &WHOLE).await
}

/// Three nodes, and the queue on one of them.
async fn on_one_node(lab: Lab) -> Ran {
    let how = Fronted { queue: Kind::Classic, again: Again::Briefly, ..WHOLE };
    through_one_address(&lab, &how).await
}

/// Two balancers, and nobody hands the address on.
async fn without_keepalived(lab: Lab) -> Ran {
    let fixed = Balancing { address: Address::Fixed, ..Balancing::SOUND };
    let how = Fronted { how: fixed, again: Again::Briefly, ..WHOLE };
    through_one_address(&lab, &how).await
}
