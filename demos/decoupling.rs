//! Topic 1, decoupling: why a queue, and where its promise ends.
//!
//! A queue absorbs a *bounded* burst, lets callers go at once, and lets
//! services be down for a while. It adds no capacity: every bound needs a
//! policy (drop, reject or block), and a message that is accepted can no
//! longer be told no. Each claim is measured.

mod alarm;
mod asynchrony;
mod cost;
mod endless;
mod half_stored;
mod mailer;
mod outage;
mod overflow;
mod peak;
mod prefetch;
mod sale;
mod say_no;
mod subscriber;
mod sums;
mod surge;

use crate::{lab::Topic, ledger::Noun, text};

/// The topic.
pub const TOPIC: Topic = Topic {
    id: "decoupling",
    title: text! {
        en: "why a queue: async, decoupling, peaks, measured",
        zh: "为什么用队列：异步、解耦、削峰，逐一实测"
    },
    noun: Noun::Order,
    scenarios: &[
        &asynchrony::ASYNC,
        &say_no::CANNOT_SAY_NO,
        &outage::DECOUPLE,
        &subscriber::SUBSCRIBER,
        &peak::PEAK,
        &endless::ENDLESS,
        &overflow::OVERFLOW,
        &half_stored::FANOUT_FULL,
        &prefetch::PREFETCH,
        &alarm::ALARM,
        &cost::COST,
    ],
};

/// The broker versions on which every expectation here was tried.
const TRIED: &[(u16, u16)] = &[(3, 10), (4, 0), (4, 3)];
