//! What a [`PipelinedPublisher`] is told, and what it tells.
//!
//! [`PipelinedPublisher`]: super::PipelinedPublisher

use std::time::Duration;

use crate::pattern::{
    pressure::Pressure,
    publisher::{Answer, GaveUp},
};

/// How a pipelined publisher behaves.
#[derive(Clone)]
pub struct Settings {
    /// Publishes without an answer at a time, at most.
    pub window: usize,
    /// A publish that is not answered for so long is late. Time in which the
    /// broker blocks does not count.
    pub confirm_timeout: Duration,
    /// What is done about a late one.
    pub late: Late,
    /// What publishers to this broker share.
    pub pressure: Pressure,
    /// What is done about a nacked message. A returned one is not sent
    /// again: unless this is `Never`, the publisher has given up.
    pub nacked: Resend,
    /// What is done about an unknown one: sent again it may be there twice,
    /// left alone it may be missing.
    pub unknown: Resend,
}

impl Default for Settings {
    /// A window of 1 000, and ten attempts before giving up.
    fn default() -> Self {
        Self {
            window: 1_000,
            confirm_timeout: Duration::from_secs(10),
            late: Late::GiveUp,
            pressure: Pressure::default(),
            nacked: Resend::UntilConfirmed { attempts: 10 },
            unknown: Resend::UntilConfirmed { attempts: 10 },
        }
    }
}

/// What is done about a publish whose confirm is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// It is unknown, and its connection is given up, so that no answer comes
    /// any more.
    GiveUp,
    /// It is told, and listened for: while the connection lives, what was
    /// written to it is on its way, and an answer may still come. For a
    /// caller that decides by itself when to give up.
    Listen,
}

/// Whether a message is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resend {
    /// It is left, and the [`Summary`] says so.
    Never,
    /// At most so many attempts are made, all counted; then the publisher
    /// has given up.
    UntilConfirmed {
        /// How many.
        attempts: u32,
    },
}

/// What became of what was published. Answers are counted by the attempt:
/// once finished, `sent` is the sum of the four.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Messages taken.
    pub messages: u64,
    /// Attempts made.
    pub sent: u64,
    /// Attempts that the broker confirmed: one a message, at most.
    pub confirmed: u64,
    /// Attempts that it refused.
    pub nacked: u64,
    /// Attempts that came back as unroutable.
    pub returned: u64,
    /// Attempts that were not answered.
    pub unknown: u64,
    /// The messages without a confirm, each with its last answer.
    pub left: Vec<GaveUp>,
}

impl Summary {
    pub(super) fn count(&mut self, answer: Answer) {
        let counter = match answer {
            Answer::Confirmed => &mut self.confirmed,
            Answer::Nacked => &mut self.nacked,
            Answer::Returned => &mut self.returned,
            Answer::Unknown => &mut self.unknown,
        };
        *counter += 1;
    }
}
