//! A fault that has met its message on an AMQP connection, and how both are named in a report.
//!
//! Made by the tracker. Pure: it must not know frames.

use super::channel::Id;
use super::rules::Report;
use super::{MissReason, WireFault};

/// A fault that has met its message; what came of it is told at the end.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) fault: WireFault,
    pub(super) message: String,
    pub(super) channel: u16,
    pub(super) tag: u64,
}

impl Claim {
    pub(super) fn swallows_ack(&self) -> bool {
        matches!(
            self.fault,
            WireFault::SwallowAck | WireFault::SwallowAckThenCut
        )
    }
}

/// The report of a claim that came to nothing.
pub(super) fn miss(claim: Claim, reason: MissReason) -> Report {
    Report::Miss { fault: claim.fault, message: claim.message, reason }
}

/// The id of a content header.
pub(super) fn id(bytes: Option<&[u8]>) -> Id {
    bytes.map(|bytes| String::from_utf8_lossy(bytes).into())
}

/// How a message is called in a report; one without an id by where it travelled.
pub(super) fn name(channel: u16, tag: u64, id: &Id) -> String {
    id.as_deref().map_or_else(
        || format!("(no id: channel {channel}, tag {tag})"),
        str::to_owned,
    )
}
