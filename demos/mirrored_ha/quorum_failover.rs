//! The leader of a quorum queue is killed with publishes on the wire.
//!
//! The same script as [`failover`](super::failover), with Raft in place of
//! mirroring. What is confirmed is on a majority; the others elect one of
//! those who have it; and the member that returns gets what it has missed,
//! where a mirror would have started empty.
//!
//! Source: RabbitMQ documentation, "Quorum Queues", section "Leader
//! Election and Failure Handling".

use super::{
    failover::{
        COLUMNS, NEEDS, Resends, all_but_the_stretch, every_order_and_no_wait,
        fail_over,
    },
    meanwhile::nothing_meanwhile,
    nodes::Kind,
};
use crate::{
    demos::shop::orders::Ran,
    lab::{ClusterOf, Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    mechanism, text, way,
};

/// "A quorum queue fails over by itself, so the publisher need do nothing."
pub static QUORUM_FAILOVER: Scenario = Scenario {
    id: "quorum-failover",
    recipe: text! {
        en: "A quorum queue fails over by itself; the publisher need do nothing.",
        zh: "仲裁队列自己会选主，生产者什么也不用做。"
    },
    fault: text! {
        en: "The leader is killed while publishes are on the wire to it.",
        zh: "消息还在路上，leader 被杀。"
    },
    predict: Predict {
        question: text! {
            en: "Three members, the leader dies. Until the next confirm it takes…",
            zh: "三个成员，leader 挂了。到下一次确认要多久？"
        },
        choices: &[
            text! { en: "less than net_ticktime (5 s here)", zh: "不到 net_ticktime（这里 5 秒）" },
            text! { en: "as long as net_ticktime", zh: "net_ticktime 那么久" },
            text! { en: "until the node is back", zh: "等节点回来" },
        ],
        right: 0,
    },
    needs: Needs { cluster: Some(ClusterOf::Run), ..NEEDS },
    strikes: &[Strike::BrokerKilled],
    hits: Hits::Stretch,
    tried: &[(3, 10), (4, 3)],
    ways: Ways::Pair {
        naive: way!(
            sent_once,
            all_but_the_stretch,
            text! {
                en: "three members, each order sent once",
                zh: "三个成员，每个订单只发一次"
            },
        ),
        fixed: way!(
            sent_until_confirmed,
            every_order_and_no_wait,
            text! {
                en: "three members, sent until confirmed",
                zh: "三个成员，发到确认为止"
            },
        ),
        mechanisms: &[
            mechanism!(
                "resend",
                sent_once,
                all_but_the_stretch,
                text! {
                    en: "sending again what was not answered",
                    zh: "没有应答的就重发"
                },
            ),
            mechanism!(
                "members",
                one_node,
                nothing_meanwhile,
                text! { en: "members on other nodes", zh: "其他节点上的成员" },
            ),
        ],
    },
    columns: &COLUMNS,
    figures: &["gap"],
    bars: &[],
    claim: text! {
        en: "a: the others see the connection to it close, and elect. What was \
             on the wire is nobody's until it is sent again.",
        zh: "a：其他成员看到与它的连接断开，随即选主。\
             在路上的那些，不重发就没人管。"
    },
    fix: text! {
        en: "Quorum queue, confirms, several addresses, send again what is \
             unknown; consumers idempotent.",
        zh: "仲裁队列、确认、多个地址、结果未知的重发；消费者做幂等。"
    },
    limit: text! {
        en: "The gap counts from just before the kill. A killed process closes \
             its connections; a machine that vanishes does not: then the others \
             wait for seconds, see `hung-leader`.",
        zh: "中断从动手杀之前算起。进程被杀，连接会关闭；机器凭空消失则不会，\
             其他成员要等好几秒，见 `hung-leader`。"
    },
    say: text! {
        en: "\"A majority has what was confirmed, and only who has it may lead.\"",
        zh: "「确认过的都在多数派手里，有它的才能当 leader。」"
    },
    source: &[
        include_str!("quorum_failover.rs"),
        include_str!("failover/script.rs"),
        include_str!("failover/stream.rs"),
    ],
};

/// What was on the wire is sent by nobody again.
async fn sent_once(lab: Lab) -> Ran {
    fail_over(&lab, Kind::Quorum(3), None, Resends::Never).await
}

/// What was not answered is sent again, through another node.
async fn sent_until_confirmed(lab: Lab) -> Ran {
    fail_over(&lab, Kind::Quorum(3), None, Resends::UntilConfirmed).await
}

/// A queue on one node of the three.
async fn one_node(lab: Lab) -> Ran {
    fail_over(&lab, Kind::Classic, None, Resends::UntilConfirmed).await
}
