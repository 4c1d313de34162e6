//! A quorum queue of three members is killed with its leader's node right
//! after it was declared.
//!
//! The killed node does not know the queue's name when it is back, just as
//! that of [`young-queue`](super::young_queue), and starts an empty member. But
//! what was confirmed is on the disks of a majority, and another member leads
//! (that it then fills the empty one is Raft's promise, not looked at here). A
//! quorum queue in a cluster has as many
//! members as there were nodes, three at most by default; it may also be
//! declared with one (`x-quorum-initial-group-size`), and then a cluster helps
//! it nothing.
//!
//! Source: RabbitMQ documentation, "Quorum Queues", sections "Controlling
//! the Initial Group Size" and "Data Safety"; rabbitmq-server #15725.

mod stage;

use self::stage::{MEMBERS, killed_with_its_leader};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{
            every_attempt_answered, every_message_confirmed, every_message_once,
        },
    },
    mechanism, text,
    text::Text,
    way,
};

/// "We run a cluster of three, so one node may go."
pub static YOUNG_REPLICAS: Scenario = Scenario {
    id: "young-replicas",
    recipe: text! {
        en: "A cluster of three: a new queue outlives any one of its nodes.",
        zh: "三节点集群，坏掉哪一个，新队列都还在。"
    },
    fault: text! {
        en: "The node that leads a brand-new queue is killed at its last confirm.",
        zh: "新队列刚确认完最后一条，leader 所在的节点就被杀。"
    },
    predict: Predict {
        question: text! {
            en: "The queue has one member (copy), or three. The node returns and \
                 does not know it. What is left?",
            zh: "队列有一个成员（副本）或三个。节点回来后不认得它。消息还剩多少？"
        },
        choices: &[
            text! { en: "nothing, either way", zh: "怎么都一条不剩" },
            text! { en: "all, if three", zh: "三个成员就一条不少" },
            text! { en: "all, either way", zh: "怎么都一条不少" },
        ],
        right: 1,
    },
    needs: Needs {
        nodes: 3,
        fewest: 2,
        most: 200,
        seconds: 45,
        ..Needs::BROKER
    },
    strikes: &[Strike::BrokerKilled],
    hits: Hits::Once,
    tried: super::TRIED,
    ways: Ways::Pair {
        naive: way!(
            one_member,
            nothing_is_left,
            text! {
                en: "a cluster of three, a queue of one member",
                zh: "集群三个节点，队列一个成员"
            },
        ),
        fixed: way!(
            three_members,
            all_is_left,
            text! {
                en: "a queue of three members", zh: "队列三个成员"
            },
        ),
        mechanisms: &[mechanism!(
            "replicas",
            one_member,
            nothing_is_left,
            text! { en: "a member on each node", zh: "每个节点一个成员" },
        )],
    },
    columns: &[Column::Confirmed, Column::Applied, Column::Lost],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "b: the node forgets a queue that is not yet a second old, whatever \
             its members. With three, a majority has all of it.",
        zh: "b：声明不到一秒的队列，节点重启都不认得，与成员数无关。\
             三个成员时，多数派里什么都有。"
    },
    fix: text! {
        en: "Three members (the default in a cluster of three). Look at \
             rabbitmq-queues quorum_status: one declared before the others had \
             joined has one.",
        zh: "三个成员（三节点集群的默认值）。用 rabbitmq-queues quorum_status \
             看一眼：在别的节点加入之前声明的，只有一个成员。"
    },
    limit: text! {
        en: "One node of three. Two at once, or all in a power cut, may take a \
             second-old queue with them.",
        zh: "只扛得住三个里坏一个。同时坏两个，或全体断电，才声明一秒的队列仍可能没。"
    },
    say: text! {
        en: "\"A cluster replicates queues that have members, not queues that \
             happen to live on it.\"",
        zh: "「集群复制的是有多个成员的队列，不是恰好放在集群上的队列。」"
    },
    source: &[
        include_str!("young_replicas.rs"),
        include_str!("young_replicas/stage.rs"),
    ],
};

/// The queue is on the node that its declarer talked to.
async fn one_member(lab: Lab) -> Ran {
    killed_with_its_leader(&lab, 1).await
}

/// The queue is on all three.
async fn three_members(lab: Lab) -> Ran {
    killed_with_its_leader(&lab, MEMBERS).await
}

/// All was confirmed, and all is gone.
fn nothing_is_left(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_attempt_answered(outcome)?;
    let (lost, all) = (outcome.audit.counts.lost, outcome.messages);
    if lost == u64::from(all) {
        return Ok(());
    }
    Err(text! {
        en: "{lost} of {all} lost", zh: "{all} 个中丢失 {lost} 个",
        lost = lost, all = all
    })
}

/// All was confirmed, and is there once.
fn all_is_left(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_message_once(outcome)
}
