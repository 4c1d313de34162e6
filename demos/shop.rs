//! The shop that the stories play in: payments that move money.
//!
//! A payment message says "move this amount from the customer to the shop".
//! The [`Books`] are the truth: what was paid is asked of them after the run,
//! never of the consumer. A [`Shop`] is one consumer process with all that it
//! remembers; when it dies, the next one starts from the books alone.

mod books;
mod drive;
pub mod link;
pub mod load;
pub mod orders;
pub mod packing;
pub mod parcels;
pub mod place;
pub mod process;
mod service;
mod shelf;
pub mod till;

pub use books::{Books, Entry};
pub use drive::{
    HUNDRED_AT_A_TIME, Handled, Handler, MARKS_LIVE, ONE_BY_ONE, PAYMENTS,
    consume, consume_by_two, consume_until, consume_with, publish,
    publish_and_consume, publish_to, publish_twice, replay, settle,
    settle_books, shop,
};
pub use service::{CALL_TIMEOUT, CallFailed, Caller, Load, Manner, Service};
pub use shelf::{Shelf, Step, Taking};

use crate::{
    ledger::MessageId, pattern::dedup::Marks, pattern::publisher::Outgoing,
};

/// One consumer process: what it holds in its memory.
pub struct Shop {
    /// The books, over a connection of its own.
    pub books: Books,
    marks: Option<Marks>,
}

impl Shop {
    /// The marks in Redis.
    ///
    /// # Errors
    /// When this scenario has no Redis.
    pub fn marks(&mut self) -> anyhow::Result<&mut Marks> {
        self.marks
            .as_mut()
            .ok_or_else(|| anyhow::anyhow!("this scenario has no Redis"))
    }
}

/// What a payment moves, in cents.
pub fn cents(payment: MessageId) -> i64 {
    100 + i64::from(payment.number % 900)
}

/// A payment as it goes over the wire.
pub fn payment(id: MessageId) -> Outgoing {
    let body = format!(r#"{{"payment":"{id}","cents":{}}}"#, cents(id));
    Outgoing { id, body: body.into_bytes() }
}
