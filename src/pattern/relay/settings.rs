//! What a relay is told.

use std::time::Duration;

use crate::pattern::{
    backoff::{Backoff, Jitter},
    pipeline::Late,
    pressure::Pressure,
};

/// How a relay behaves.
#[derive(Clone)]
pub struct Settings {
    /// Its name, unlike that of any other relay on the table.
    pub name: String,
    /// Publishes without an answer at a time, at most.
    pub window: u32,
    /// Rows that are claimed at a time; no more than the window. A quarter of
    /// it leaves the broker something to do while the table is written.
    pub batch: u32,
    /// How long a claimed row is this relay's own. Longer than
    /// `confirm_timeout`: a row whose lease is over is sent again.
    pub lease: Duration,
    /// After so long without an answer a row is *unknown*.
    pub confirm_timeout: Duration,
    /// What is done then: its connection is listened to, or given up.
    pub late: Late,
    /// How often a row is attempted; a connection that is refused counts, for
    /// all rows that were to go over it.
    pub attempts: u32,
    /// How long a row waits before its next attempt. Not from nothing: what
    /// is unknown may still be confirmed.
    pub backoff: Backoff,
    /// How often the table is looked at when nobody rings.
    pub poll: Duration,
    /// What publishers to this broker share.
    pub pressure: Pressure,
    /// Of the jitter.
    pub seed: u64,
}

impl Settings {
    /// Ten attempts with up to five minutes in between: some twenty minutes
    /// in all, a quarter of an hour at least.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            window: 2_000,
            batch: 500,
            lease: Duration::from_secs(60),
            confirm_timeout: Duration::from_secs(10),
            late: Late::Listen,
            attempts: 10,
            backoff: Backoff {
                first: Duration::from_secs(5),
                most: Duration::from_secs(300),
                jitter: Jitter::Equal,
            },
            poll: Duration::from_millis(200),
            pressure: Pressure::default(),
            seed: rand::random(),
        }
    }
}
