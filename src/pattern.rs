//! What an application does about it.
//!
//! Each file is one small, reusable piece: it says when to use it, what it
//! costs and what it does not protect from. Nothing here knows the lab; a
//! file can be lifted into an application. The only type shared with the lab
//! is the message's id, and [`Witness`](crate::ledger::Witness), through
//! which an application would feed its metrics.

pub mod alert;
pub mod backoff;
pub mod buffer;
pub mod consumer;
pub mod dedup;
pub mod direct;
pub mod escalation;
pub mod failover;
pub mod inbox;
pub mod intercept;
pub mod outbox;
pub mod pipeline;
pub mod pressure;
pub mod publisher;
pub mod relay;
pub mod retry;
pub mod stream;
pub mod worker;
