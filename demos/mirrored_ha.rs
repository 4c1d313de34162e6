//! Topic 5: mirrored queues, quorum queues, two balancers and one address.
//!
//! Mirroring is replication without consensus: a queue is on as many nodes as
//! was said, and whoever of them is left leads, with whatever it has. A quorum
//! queue is Raft: what is confirmed is on a majority, and only who has it may
//! lead. Balancers and a virtual address move connections, and never what is
//! in flight on them.

mod balanced;
mod black_hole;
mod copies;
mod cut_off;
mod failover;
mod half_dead;
mod haproxy_dead;
mod home_node;
mod home_node_3;
mod hung_leader;
mod idle_cut;
mod last_copy;
mod listener;
mod lost_disk;
mod meanwhile;
mod migration;
mod nodes;
mod one_address;
mod one_balancer;
mod pause_minority;
mod quorum_failover;
mod rebalance;
mod shutdown;
mod slow_mirror;
mod split_brain;
mod then_and_now;
mod two_masters;
mod two_members;
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
        &home_node::HOME_NODE,
        &home_node_3::HOME_NODE_3,
        &failover::FAILOVER,
        &unsynced::UNSYNCED,
        &shutdown::SHUTDOWN,
        &last_copy::LAST_COPY,
        &split_brain::SPLIT_BRAIN,
        &pause_minority::PAUSE_MINORITY,
        &copies::COPIES,
        &slow_mirror::SLOW_MIRROR,
        &quorum_failover::QUORUM_FAILOVER,
        &hung_leader::HUNG_LEADER,
        &two_members::TWO_MEMBERS,
        &cut_off::CUT_OFF,
        &one_balancer::ONE_BALANCER,
        &haproxy_dead::HAPROXY_DEAD,
        &one_address::ONE_ADDRESS,
        &half_dead::HALF_DEAD,
        &idle_cut::IDLE_CUT,
        &black_hole::BLACK_HOLE,
        &two_masters::TWO_MASTERS,
        &lost_disk::LOST_DISK,
        &then_and_now::THEN_AND_NOW,
        &migration::MIGRATION,
        &rebalance::REBALANCE,
    ],
};

/// Where mirrored queues were tried: 3.13, the last that has them, is not in
/// Debian.
const MIRRORED: &[(u16, u16)] = &[(3, 10)];
/// Where what is not about mirrors was tried.
const BOTH: &[(u16, u16)] = &[(3, 10), (4, 3)];
