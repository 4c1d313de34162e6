//! Topic 2, producer loss: a producer that loses nothing.
//!
//! A confirm means that the broker took responsibility; not that anybody
//! consumed. No confirm means *unknown*, not failed. So what was promised to a
//! customer is written down in the same transaction as the business, published
//! until it is confirmed, and, when that cannot be, somebody is told.

mod alternate_exchange;
mod buffer_seam;
mod buffered;
mod chain;
mod confirmed_then_gone;
mod counter;
mod cut_before_confirm;
mod direct;
mod dual_write;
mod false_failures;
mod fire_and_forget;
mod missing_exchange;
mod operator;
mod redis_first;
mod rows;
mod table;
mod two_relays;
mod tx_and_confirms;
mod unroutable;
mod variants;

pub use dual_write::WORKS;

use crate::{lab::Topic, ledger::Noun, text};

/// The topic.
pub const TOPIC: Topic = Topic {
    id: "producer-loss",
    title: text! {
        en: "a producer that loses nothing: outbox, resends",
        zh: "不丢消息的生产者：本地消息表、确认、重发、告警"
    },
    noun: Noun::Order,
    scenarios: &[
        &fire_and_forget::FIRE_AND_FORGET,
        &unroutable::UNROUTABLE,
        &alternate_exchange::ALTERNATE_EXCHANGE,
        &missing_exchange::MISSING_EXCHANGE,
        &tx_and_confirms::TX_AND_CONFIRMS,
        &cut_before_confirm::CUT_BEFORE_CONFIRM,
        &dual_write::DUAL_WRITE,
        &chain::CHAIN,
        &false_failures::FALSE_FAILURES,
        &two_relays::TWO_RELAYS,
        &direct::DIRECT,
        &redis_first::REDIS_FIRST,
        &buffer_seam::BUFFER_SEAM,
        &variants::VARIANTS_MEASURED,
        &confirmed_then_gone::CONFIRMED_THEN_GONE,
    ],
};

/// The broker versions on which every expectation here was tried.
const TRIED: &[(u16, u16)] = &[(3, 10), (4, 0), (4, 3)];
