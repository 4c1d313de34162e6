//! The faults that a scenario plans.

use crate::{fault::wire::WireFault, ledger::Fact};

/// How many messages are struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hits {
    /// One in ten, at least one of each strike and at most 20.
    OneInTen,
    /// Only the last message, which stands for the whole batch.
    Last,
    /// As many as one in ten, one after another, around the middle: an
    /// outage.
    Stretch,
    /// No message by itself: the stage, once.
    Once,
}

/// A fault on one message, named by the fact that it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strike {
    /// The consumer dies after it began and before the effect is durable.
    KillBeforeCommit,
    /// The consumer dies when the effect is durable and before its ack.
    KillAfterCommit,
    /// The ack is swallowed on the wire, and the connection cut.
    SwallowAck,
    /// The confirm is withheld on the wire, and the connection cut.
    WithholdConfirm,
    /// The connection is cut before the publish reaches the broker.
    CutBeforePublish,
    /// The customer sends the request again.
    Repeat,
    /// Somebody replays the message later.
    Replay,
    /// Two consumers hold a copy at the same moment.
    Meet,
    /// A higher publishing id is confirmed first.
    Overtake,
    /// A service takes far longer over it.
    Slow,
    /// It wants what another has just taken the last of.
    SoldOut,
    /// A service that it needs is down when it comes.
    ServiceDown,
    /// More comes than can be worked on.
    Surge,
    /// The queue is full.
    QueueFull,
    /// One queue is full and refuses it, and another stores it.
    HalfStored,
    /// A subscriber or a consumer joins.
    Join,
    /// The broker runs short of memory.
    Alarm,
}

impl Strike {
    /// The fault on the wire that makes it, where one does.
    pub const fn on_wire(self) -> Option<WireFault> {
        match self {
            Self::SwallowAck => Some(WireFault::SwallowAckThenCut),
            Self::WithholdConfirm => Some(WireFault::CutBeforeConfirm),
            Self::CutBeforePublish => Some(WireFault::CutBeforePublish),
            Self::KillBeforeCommit
            | Self::KillAfterCommit
            | Self::Repeat
            | Self::Replay
            | Self::Meet
            | Self::Overtake
            | Self::Slow
            | Self::SoldOut
            | Self::ServiceDown
            | Self::Surge
            | Self::QueueFull
            | Self::HalfStored
            | Self::Join
            | Self::Alarm => None,
        }
    }

    /// What a ledger says when it has struck.
    pub const fn fact(self) -> Fact {
        match self {
            Self::KillBeforeCommit | Self::KillAfterCommit => Fact::Killed,
            Self::SwallowAck => Fact::AckSwallowed,
            Self::WithholdConfirm => Fact::ConfirmWithheld,
            Self::CutBeforePublish => Fact::CutBeforePublish,
            Self::Repeat => Fact::Repeated,
            Self::Replay => Fact::Replayed,
            Self::Meet => Fact::Met,
            Self::Overtake => Fact::Overtaken,
            Self::Slow => Fact::Slowed,
            Self::SoldOut => Fact::SoldOut,
            Self::ServiceDown => Fact::ServiceDown,
            Self::Surge => Fact::Surged,
            Self::QueueFull => Fact::QueueFull,
            Self::HalfStored => Fact::HalfStored,
            Self::Join => Fact::Joined,
            Self::Alarm => Fact::Alarmed,
        }
    }
}
