//! Topic 3, idempotency: a message arrives twice; the money moves once.
//!
//! Delivery is at least once. What can be had is an exactly-once *effect*,
//! and only inside one transactional resource: the payment and the note that
//! it was made must stand or fall together. The scenarios walk through the
//! recipes people give, and let each meet the crash that it does not survive.

mod concurrent;
mod inbox;
mod interceptor;
mod lease;
mod marks;
mod no_dedup;
mod pay;
mod store;
mod stream;
mod traps;

use crate::{
    event::Column,
    lab::{
        Outcome, Topic,
        check::{each_came_twice, every_message_once},
    },
    ledger::Noun,
    text,
    text::Text,
};

/// The topic.
pub const TOPIC: Topic = Topic {
    id: "idempotency",
    title: text! {
        en: "a message arrives twice; the money moves once",
        zh: "消息来了两次，钱只动一次"
    },
    noun: Noun::Payment,
    scenarios: &[
        &no_dedup::NO_DEDUP,
        &interceptor::INTERCEPTOR,
        &interceptor::RESEND,
        &marks::MARK_FIRST,
        &marks::MARK_LAST,
        &lease::LEASE_DOUBLED,
        &lease::LEASE_STUCK,
        &store::TTL_SHORT,
        &store::STORE_LOST,
        &inbox::INBOX,
        &concurrent::CONCURRENT,
        &traps::REDELIVERED_FLAG,
        &traps::MESSAGE_ID,
        &stream::STREAM_DEDUP,
        &stream::LOWER_ID,
    ],
};

/// The broker versions on which every expectation here was tried.
const TRIED: &[(u16, u16)] = &[(3, 10), (4, 0), (4, 3)];

/// Those of them whose streams the client can talk to.
const TRIED_STREAMS: &[(u16, u16)] = &[(4, 0), (4, 3)];

/// How ways break, by what struck.
mod breaks {
    use crate::{
        lab::{Outcome, Strike, check::exactly_where},
        ledger::Kind,
        text::Text,
    };

    pub fn lost_if_killed_before_commit(o: &Outcome) -> Result<(), Text> {
        exactly_where(o, &[(Kind::Lost, Strike::KillBeforeCommit)])
    }

    pub fn doubled_if_killed_after_commit(o: &Outcome) -> Result<(), Text> {
        exactly_where(o, &[(Kind::Duplicated, Strike::KillAfterCommit)])
    }

    pub fn doubled_if_delivered_again(o: &Outcome) -> Result<(), Text> {
        exactly_where(
            o,
            &[
                (Kind::Duplicated, Strike::KillAfterCommit),
                (Kind::Duplicated, Strike::SwallowAck),
            ],
        )
    }

    pub fn stuck_if_killed_before_commit(o: &Outcome) -> Result<(), Text> {
        exactly_where(o, &[(Kind::Stuck, Strike::KillBeforeCommit)])
    }

    pub fn doubled_if_replayed(o: &Outcome) -> Result<(), Text> {
        exactly_where(o, &[(Kind::Duplicated, Strike::Replay)])
    }

    pub fn doubled_if_met(o: &Outcome) -> Result<(), Text> {
        exactly_where(o, &[(Kind::Duplicated, Strike::Meet)])
    }

    pub fn doubled_if_confirm_was_lost(o: &Outcome) -> Result<(), Text> {
        exactly_where(o, &[(Kind::Duplicated, Strike::WithholdConfirm)])
    }

    pub fn lost_if_cut_before_publish(o: &Outcome) -> Result<(), Text> {
        exactly_where(o, &[(Kind::Lost, Strike::CutBeforePublish)])
    }
}

/// Every payment made once, although each struck one really came twice: a way
/// that never met the duplicate has not held, it was not tested.
fn every_payment_once(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    each_came_twice(outcome)
}

/// The columns of a story of payments.
const PAID: &[Column] =
    &[Column::Confirmed, Column::Applied, Column::Lost, Column::Doubled];
