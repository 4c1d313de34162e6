//! Topic 5: mirrored queues, quorum queues, two balancers and one address.
//!
//! Mirroring is replication without consensus: a queue is on as many nodes as
//! was said, and whoever of them is left leads, with whatever it has. A quorum
//! queue is Raft: what is confirmed is on a majority, and only who has it may
//! lead. Balancers and a virtual address move connections, and never what is
//! in flight on them.

mod lost_disk;
mod migration;
mod nodes;
mod rebalance;
mod then_and_now;
mod unsynced;

use crate::{lab::Topic, ledger::Noun, text};

/// The topic.
pub const TOPIC: Topic = Topic {
    id: "mirrored-ha",
    title: text! {
        en: "mirrored and quorum queues, balancers, one address",
        zh: "镜像队列与仲裁队列，负载均衡与虚拟 IP"
    },
    noun: Noun::Order,
    scenarios: &[
        &unsynced::UNSYNCED,
        &lost_disk::LOST_DISK,
        &then_and_now::THEN_AND_NOW,
        &migration::MIGRATION,
        &rebalance::REBALANCE,
    ],
};

/// Where mirrored queues were tried: 3.13, the last that has them, is not in
/// Debian.
const MIRRORED: &[(u16, u16)] = &[(3, 10)];
/// Where quorum queues in a cluster were tried.
const BOTH: &[(u16, u16)] = &[(3, 10), (4, 3)];
