//! The links of the chain, and the chains in which one of them is missing.

use crate::{
    lab::{Lab, Strike},
    ledger::MessageId,
    text,
    text::Text,
};

/// A link of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// The message is committed with the order. Without: it is held in memory.
    Outbox,
    /// The broker is waited for. Without: what was written is sent.
    Confirms,
    /// What has no queue comes back. Without: it is confirmed and dropped.
    Mandatory,
    /// The queue outlives its node's restart. Without: it is not durable.
    Durable,
    /// The message is on disk. Without: its delivery mode is 1.
    Persistent,
    /// The same on a quorum queue, which writes every message: its delivery
    /// mode is 1 without, and that is all.
    DeliveryMode,
    /// Three nodes have it. Without: one has.
    Replication,
    /// It is acked when it is done. Without: on receipt.
    AckAfterCommit,
    /// An order is packed once. Without: whenever it is delivered.
    UniqueKey,
    /// What cannot be done is kept. Without: it is dropped.
    DeadLetters,
    /// Somebody is told. Without: nobody is.
    Alert,
}

/// Every link, in the order in which a message meets them.
pub const LINKS: [Link; 11] = [
    Link::Outbox,
    Link::Confirms,
    Link::Mandatory,
    Link::Durable,
    Link::Persistent,
    Link::DeliveryMode,
    Link::Replication,
    Link::AckAfterCommit,
    Link::UniqueKey,
    Link::DeadLetters,
    Link::Alert,
];

/// One chain with orders, tables and queues of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chain {
    /// The link that is missing, if any.
    pub without: Option<Link>,
}

/// The whole chain, and one without each link.
pub fn chains() -> impl Iterator<Item = Chain> {
    let each = LINKS.into_iter().map(Some);
    std::iter::once(None).chain(each).map(|without| Chain { without })
}

const CHAINS: usize = LINKS.len() + 1;
/// Each chain wants an order for each fault, and one that meets none.
pub const FEWEST: u32 = (CHAINS * (FATES.len() + 1)) as u32;

/// What happens to the first orders of each chain, one fault to each.
const FATES: [Strike; 6] = [
    Strike::DieAfterCommit,
    Strike::CutBeforePublish,
    Strike::Unroutable,
    Strike::KillBeforeCommit,
    Strike::KillAfterCommit,
    Strike::Poison,
];

/// On which nodes a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// A quorum queue, on all three.
    AllThree,
    /// A classic queue on the node that is killed, and comes back.
    TheKilled,
    /// A classic queue on the node that is lost with its disk.
    TheLost,
}

impl Chain {
    /// Whether it has this link.
    pub fn has(self, link: Link) -> bool {
        self.without != Some(link)
    }

    /// Where its queue is. A quorum queue is always durable and writes every
    /// message: only a classic one can do without.
    pub fn home(self) -> Home {
        match self.without {
            Some(Link::Durable | Link::Persistent) => Home::TheKilled,
            Some(Link::Replication) => Home::TheLost,
            _ => Home::AllThree,
        }
    }

    /// The name of its queue, and of its directory.
    pub fn queue(self) -> String {
        format!("orders-{}", self.place())
    }

    /// The name of the queue of its dead letters.
    pub fn dead_letters(self) -> String {
        format!("{}.dead", self.queue())
    }

    /// Its own, of all orders in their order.
    pub fn of<All: Iterator<Item = MessageId>>(
        self,
        all: All,
    ) -> impl Iterator<Item = MessageId> + use<All> {
        all.skip(self.place()).step_by(CHAINS)
    }

    /// Its order that is to meet this fault, armed or not.
    pub fn fated(self, lab: &Lab, strike: Strike) -> Option<MessageId> {
        self.fated_of(lab.messages(), strike)
    }

    /// The same, of all orders.
    pub fn fated_of(
        self,
        all: impl Iterator<Item = MessageId>,
        strike: Strike,
    ) -> Option<MessageId> {
        let fate = FATES.iter().position(|fate| *fate == strike)?;
        self.of(all).nth(fate)
    }

    /// Whether this order of it meets this fault.
    pub fn meets(self, lab: &Lab, strike: Strike, order: MessageId) -> bool {
        lab.is_armed(strike) && self.fated(lab, strike) == Some(order)
    }

    fn place(self) -> usize {
        chains().position(|chain| chain == self).unwrap_or(0)
    }
}

/// Whether this strike meets an order in this chain: what its queue loses, no
/// consumer sees.
pub fn reaches(strike: Strike, chain: Chain) -> bool {
    match strike {
        Strike::KillBeforeCommit | Strike::KillAfterCommit | Strike::Poison => {
            chain.home() == Home::AllThree
        }
        _ => FATES.contains(&strike),
    }
}

impl Link {
    /// What it is.
    pub const fn name(self) -> Text {
        match self {
            Self::Outbox => text! { en: "outbox", zh: "本地消息表" },
            Self::Confirms => text! { en: "confirms", zh: "发布确认" },
            Self::Mandatory => text! { en: "mandatory", zh: "mandatory" },
            Self::Durable => {
                text! { en: "durable (classic)", zh: "队列 durable（经典）" }
            }
            Self::Persistent => {
                text! { en: "persistent (classic)", zh: "消息持久化（经典）" }
            }
            Self::DeliveryMode => {
                text! { en: "persistent (quorum)", zh: "消息持久化（仲裁）" }
            }
            Self::Replication => text! { en: "replicas", zh: "多副本" },
            Self::AckAfterCommit => {
                text! { en: "ack after commit", zh: "提交后再 ack" }
            }
            Self::UniqueKey => text! { en: "unique key", zh: "唯一键" },
            Self::DeadLetters => text! { en: "dead letters", zh: "死信" },
            Self::Alert => text! { en: "alert", zh: "告警" },
        }
    }

    /// What becomes of what meets the fault without it.
    pub const fn unless(self) -> Text {
        match self {
            Self::Outbox => text! {
                en: "committed; its producer died",
                zh: "已提交，生产者死了"
            },
            Self::Confirms => text! {
                en: "written; the connection was cut",
                zh: "已写出，连接断了"
            },
            Self::Mandatory => text! {
                en: "confirmed, for no queue", zh: "已确认，却没进队列"
            },
            Self::Durable => text! {
                en: "the queue went with its node", zh: "节点重启，队列没了"
            },
            Self::Persistent => text! {
                en: "the queue came back empty", zh: "节点重启，队列空了"
            },
            Self::DeliveryMode => text! {
                en: "kept all the same, in this queue",
                zh: "在这个队列里照样留住"
            },
            Self::Replication => text! {
                en: "on the one disk that was lost", zh: "只有一份，盘没了"
            },
            Self::AckAfterCommit => text! {
                en: "acked, then died or failed", zh: "先 ack，后死或失败"
            },
            Self::UniqueKey => text! {
                en: "committed, not acked: came again",
                zh: "已提交未 ack，又来一次"
            },
            Self::DeadLetters => text! {
                en: "rejected and dropped", zh: "拒绝后被丢弃"
            },
            Self::Alert => text! {
                en: "kept, and nobody knew", zh: "还留着，没人知道"
            },
        }
    }
}
