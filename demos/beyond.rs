//! Topic 6, beyond the five: order, backlog, priority, and reading again.
//!
//! One sentence is behind all of them: what a consumer has been sent is out of
//! the queue's hands. A queue keeps its order, and not that of the work; it
//! keeps what nobody reads, for as long as its TTL; it puts the urgent first
//! among those that still wait; and what was acked it does not have.

mod backlog;
mod competing;
mod priority;
mod replay;
mod requeue_order;
mod steps;

use crate::{lab::Topic, ledger::Noun, text};

/// The topic.
pub const TOPIC: Topic = Topic {
    id: "beyond",
    title: text! {
        en: "order, backlog, priority, replay", zh: "顺序、积压、优先级、重放"
    },
    noun: Noun::Order,
    scenarios: &[
        &competing::COMPETING,
        &requeue_order::REQUEUE_ORDER,
        &backlog::BACKLOG,
        &priority::PRIORITY,
        &replay::REPLAY,
    ],
};

/// The broker versions on which every expectation here was tried.
const TRIED: &[(u16, u16)] = &[(3, 10), (4, 3)];
