//! The things that can be known of a message.

use serde::{Deserialize, Serialize};

use super::MessageId;

/// One thing that happened to one message.
///
/// The first group is counted by the ledger; the second tells the story and
/// is kept as the last thing known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// The caller was promised it will be done.
    Accepted,
    /// The caller was told no, at once.
    Refused,
    /// The producer put it on the wire (once per attempt).
    Sent,
    /// The broker took it over: a publisher confirm (basic.ack to us).
    Confirmed,
    /// The broker refused it (basic.nack to us).
    Nacked,
    /// The broker handed it back as unroutable (basic.return).
    Returned,
    /// No answer came: neither confirmed nor failed.
    Unknown,
    /// A consumer received it for the first time, as the broker tells it.
    Delivered,
    /// A consumer received it with `redelivered` set.
    Redelivered,
    /// Dead-lettered into the queue that people look after.
    Parked,
    /// Given up by its producer, and somebody was told.
    Reported,

    /// An interceptor dropped a duplicate before it was published.
    Dropped,
    /// Its id was marked as handled.
    Marked,
    /// Its id was leased: marked as being processed, for a while.
    Leased,
    /// Its id was found marked: taken for a duplicate.
    Seen,
    /// Its id was found leased by somebody else.
    Busy,
    /// Its effect was made and committed: paid, sent, booked.
    Applied,
    /// Its effect was undone with its transaction.
    RolledBack,
    /// The consumer acked it.
    Acked,
    /// The consumer gave it back to the queue.
    Requeued,
    /// Fault: the consumer that held it died.
    Killed,
    /// Fault: its ack was swallowed on the wire, and the connection cut.
    AckSwallowed,
    /// Fault: its confirm was withheld, and the connection cut.
    ConfirmWithheld,
    /// Fault: the connection was cut before it reached the broker.
    CutBeforePublish,
    /// Fault: the customer sent the request again.
    Repeated,
    /// Fault: somebody replayed it later.
    Replayed,
    /// Fault: two held a copy of it at the same moment.
    Met,
    /// Fault: its publishing id was lower than one already confirmed.
    Overtaken,
    /// Fault: a service took far longer over it than over the others.
    Slowed,
    /// Fault: it wanted what another had just taken the last of.
    SoldOut,
    /// Fault: a service that it needed was down when it came.
    ServiceDown,
    /// Fault: more came than can be worked on.
    Surged,
    /// Fault: the queue was full.
    QueueFull,
    /// Fault: one queue refused it for being full while another stored it.
    HalfStored,
    /// Fault: somebody joined who had not been there before.
    Joined,
    /// Fault: the broker ran short of memory and blocked publishers.
    Alarmed,
    /// Fault: the broker was killed while it was on the wire.
    BrokerKilled,
    /// Fault: the broker stood still, and its sockets stayed open.
    Paused,
    /// Fault: the broker could not be reached.
    Unreachable,
    /// Fault: its routing key leads to no queue.
    Unroutable,
    /// Fault: the exchange it was published to does not exist.
    NoExchange,
    /// Fault: the process that produced it was killed.
    ProducerKilled,
    /// Fault: the relay that held it died.
    RelayKilled,
    /// Fault: Redis was killed while it held it.
    RedisKilled,
    /// Fault: its time to live ran out in the queue.
    Expired,
    /// Fault: somebody wanted to delete the queue that held it.
    QueueDeleted,
    /// Fault: the broker was shut down gracefully, and started again.
    BrokerRestarted,
    /// Fault: the node lost its volume.
    DiskLost,
    /// Fault: whoever works on it fails, every time.
    Poisoned,
    /// Fault: its consumer was stopped for a new version.
    Deployed,
    /// Fault: the dead-letter exchange led to no queue.
    Unbound,
    /// Fault: others stood before it and kept it waiting.
    HeldUp,
    /// Fault: its delay was over, and it would fail again.
    SecondLap,
    /// Fault: it took longer than the broker waits for an ack.
    AckTimedOut,
    /// Fault: the broker cancelled its consumer.
    Cancelled,
    /// Another's ack covered it before it was done.
    AckedUndone,
    /// It was acked on another channel than it came on.
    OtherChannel,
    /// Fault: its handler returned early, past the end.
    EarlyReturn,
    /// Fault: the brokers no longer heard each other.
    Parted,
    /// Fault: the machine with the balancer that holds the address was killed.
    BalancerKilled,
    /// Fault: the balancer's process was killed.
    ProxyKilled,
    /// Fault: the balancers no longer heard each other.
    BalancersParted,
    /// Fault: nothing came for longer than an idle connection is kept.
    Idle,

    /// Its row was committed with the business: it is on disk.
    Stored,
    /// Redis took it.
    Buffered,
    /// Its confirm did not come in time. It may still come: an answer is
    /// counted when it is final.
    TimedOut,
    /// Its producer sends it no more: marked *failed*.
    GivenUp,
}

/// Whoever wants to know what happens to messages while it happens.
///
/// In the lab that is the ledger and the record; in an application it would
/// be metrics and tracing. Called synchronously: be quick.
pub trait Witness: Send + Sync {
    /// `fact` has just become true of `message`.
    fn saw(&self, message: MessageId, fact: Fact);
}

/// Nobody watches.
impl Witness for () {
    fn saw(&self, _: MessageId, _: Fact) {}
}
