//! Topic 4, durability: acks, durable queues, persistent messages, dead
//! letters and replicas.
//!
//! Each is a contract of its own between two of the parties, and each is
//! silent about the others: an ack says nothing of the disk, a durable queue
//! nothing of its messages, a confirm nothing of how long a message is kept,
//! a replica nothing of a consumer that loses it. Each is shown to fail alone,
//! and together they are shown to hold.

mod ack_forgotten;
mod ack_multiple;
mod ack_wrong_channel;
mod auto_ack;
mod bench;
mod bystanders;
mod cancel_ignored;
mod consumer_timeout;
mod dead_letters;
mod delayed_retry;
mod depth;
mod every_link;
mod expect;
mod held;
mod late_ack;
mod matrix;
mod orders;
mod packed;
mod poison;
mod poison_counted;
mod retry_delay;
mod rolling_deploy;
mod second_lap;
mod young_queue;
mod young_replicas;

use crate::{demos::shop::link, lab::Topic, ledger::Noun, text};

/// The topic.
pub const TOPIC: Topic = Topic {
    id: "durability",
    title: text! {
        en: "acks, disks, dead letters: what each does alone",
        zh: "ack、持久化与死信：各管什么，单靠哪一个都不够"
    },
    noun: Noun::Order,
    scenarios: &[
        &auto_ack::AUTO_ACK,
        &matrix::MATRIX,
        &poison::POISON,
        &poison_counted::POISON_COUNTED,
        &bystanders::BYSTANDERS,
        &rolling_deploy::ROLLING_DEPLOY,
        &dead_letters::DEAD_LETTERS,
        &retry_delay::RETRY_DELAY,
        &second_lap::SECOND_LAP,
        &delayed_retry::DELAYED_RETRY,
        &consumer_timeout::CONSUMER_TIMEOUT,
        &cancel_ignored::CANCEL_IGNORED,
        &late_ack::LATE_ACK,
        &ack_multiple::ACK_MULTIPLE,
        &ack_wrong_channel::ACK_WRONG_CHANNEL,
        &ack_forgotten::ACK_FORGOTTEN,
        &young_queue::YOUNG_QUEUE,
        &young_replicas::YOUNG_REPLICAS,
        &every_link::EVERY_LINK,
    ],
};

/// The broker versions on which every expectation here was tried.
const TRIED: &[(u16, u16)] = &[(3, 10), (4, 3)];
