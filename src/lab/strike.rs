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
    /// Two consumers, or two relays, hold a copy at the same moment.
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
    /// The broker is killed while it is on the wire.
    BrokerKilled,
    /// The broker stands still, and its sockets stay open.
    Paused,
    /// The broker cannot be reached.
    Unreachable,
    /// Its routing key leads to no queue.
    Unroutable,
    /// The exchange it is published to does not exist.
    NoExchange,
    /// The producing process is killed before the commit.
    DieBeforeCommit,
    /// The producing process is killed after the commit, before the publish.
    DieAfterCommit,
    /// The producing process is killed after the publish.
    DieAfterPublish,
    /// The producing process is killed after the confirm, before it is
    /// written down.
    DieAfterConfirm,
    /// The relay dies with it in its hands, before it is published.
    RelayDies,
    /// The producing process dies while it holds it in memory.
    ProducerDies,
    /// Redis is killed while it holds it.
    RedisKilled,
    /// A relay dies between Redis and the table: one of two steps is done.
    RelayDiesBetween,
    /// Its time to live runs out in the queue.
    Expire,
    /// Somebody wants to delete the queue that holds it.
    QueueDeleted,
    /// The consumer dies with it in its hands or in its buffer.
    ConsumerDies,
    /// The broker is shut down gracefully and started again.
    BrokerRestarted,
    /// The node's volume is destroyed.
    DiskLost,
    /// Whoever works on it fails, every time.
    Poison,
    /// Its consumer is stopped for a new version while it holds it.
    Deploy,
    /// The dead-letter exchange leads it to no queue.
    Unbound,
    /// Others stand before it and keep it waiting.
    HeldUp,
    /// Its delay is over, and it would fail again.
    SecondLap,
    /// Its consumer takes longer than the broker waits for an ack.
    AckTimeout,
    /// The broker cancels its consumer.
    Cancelled,
    /// Its handler returns early, past the end.
    EarlyReturn,
    /// The brokers no longer hear each other, and their clients hear all.
    Parted,
    /// The machine with the balancer that holds the address is killed.
    BalancerKilled,
    /// The balancer's process is killed, and its machine lives.
    ProxyKilled,
    /// The balancers no longer hear each other.
    BalancersParted,
    /// Nothing comes for longer than a balancer keeps an idle connection.
    Idle,
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
            | Self::Alarm
            | Self::BrokerKilled
            | Self::Paused
            | Self::Unreachable
            | Self::Unroutable
            | Self::NoExchange
            | Self::DieBeforeCommit
            | Self::DieAfterCommit
            | Self::DieAfterPublish
            | Self::DieAfterConfirm
            | Self::RelayDies
            | Self::ProducerDies
            | Self::RedisKilled
            | Self::RelayDiesBetween
            | Self::Expire
            | Self::QueueDeleted
            | Self::ConsumerDies
            | Self::BrokerRestarted
            | Self::DiskLost
            | Self::Poison
            | Self::Deploy
            | Self::Unbound
            | Self::HeldUp
            | Self::SecondLap
            | Self::AckTimeout
            | Self::Cancelled
            | Self::EarlyReturn
            | Self::Parted
            | Self::BalancerKilled
            | Self::ProxyKilled
            | Self::BalancersParted
            | Self::Idle => None,
        }
    }

    /// What a ledger says when it has struck.
    pub const fn fact(self) -> Fact {
        match self {
            Self::KillBeforeCommit
            | Self::KillAfterCommit
            | Self::ConsumerDies => Fact::Killed,
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
            Self::DieBeforeCommit
            | Self::DieAfterCommit
            | Self::DieAfterPublish
            | Self::DieAfterConfirm
            | Self::ProducerDies => Fact::ProducerKilled,
            Self::BrokerKilled => Fact::BrokerKilled,
            Self::Paused => Fact::Paused,
            Self::Unreachable => Fact::Unreachable,
            Self::Unroutable => Fact::Unroutable,
            Self::NoExchange => Fact::NoExchange,
            Self::RedisKilled => Fact::RedisKilled,
            Self::RelayDies | Self::RelayDiesBetween => Fact::RelayKilled,
            Self::Expire => Fact::Expired,
            Self::QueueDeleted => Fact::QueueDeleted,
            Self::BrokerRestarted => Fact::BrokerRestarted,
            Self::DiskLost => Fact::DiskLost,
            Self::Poison => Fact::Poisoned,
            Self::Deploy => Fact::Deployed,
            Self::Unbound => Fact::Unbound,
            Self::HeldUp => Fact::HeldUp,
            Self::SecondLap => Fact::SecondLap,
            Self::AckTimeout => Fact::AckTimedOut,
            Self::Cancelled => Fact::Cancelled,
            Self::EarlyReturn => Fact::EarlyReturn,
            Self::Parted => Fact::Parted,
            Self::BalancerKilled => Fact::BalancerKilled,
            Self::ProxyKilled => Fact::ProxyKilled,
            Self::BalancersParted => Fact::BalancersParted,
            Self::Idle => Fact::Idle,
        }
    }
}
