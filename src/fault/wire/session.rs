//! One connection as a state machine: every frame goes in, a decision comes out.
//!
//! Called by the lanes. Pure: it must not know sockets or time. It holds the order of a cut: drain
//! what the client wrote, settle what is half sent, fence, and only then over. The protocols' own
//! bookkeeping is behind [`Tracker`].

use super::frame::Direction;
use super::rules::{Report, Rules};
use super::stream::StreamTracker;
use super::tracker::AmqpTracker;
use super::{Protocol, Traffic};

/// What becomes of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Forward,
    Drop,
    /// These whole frames go out instead.
    Replace(Vec<u8>),
    /// The frame is dropped, and the connection is to be cut because of it.
    Cut,
}

/// How far a cut has come. From the first step on, the client gets nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// What the client wrote before the cut is still forwarded.
    Draining,
    /// Only the rest of a publish that the broker has in part is forwarded.
    Settling,
    /// The fence is out; its answers are awaited.
    Fencing,
    Over,
}

/// What came of a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fence {
    /// It is not out, or not all is answered.
    Awaited,
    /// Answered, and one more is needed.
    Again,
    Held,
    /// The broker closed the connection instead of answering.
    Broken,
}

/// Counters and news of one connection, collected frame by frame.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) traffic: Traffic,
    pub(super) reports: Vec<Report>,
}

/// What the state machine asks of a protocol.
pub(super) trait Tracker: Send {
    /// A frame that the client wrote and the broker is to get.
    fn to_broker(
        &mut self,
        frame: &[u8],
        rules: &mut Rules,
        book: &mut Book,
    ) -> Decision;
    /// A frame of the broker. With `withhold` the client does not get it, whatever is answered.
    fn to_client(
        &mut self,
        frame: &[u8],
        withhold: bool,
        rules: &mut Rules,
        book: &mut Book,
    ) -> Decision;
    /// Whether the frame only says that its peer is alive.
    fn is_heartbeat(&self, frame: &[u8]) -> bool;
    /// Whether the frame belongs to something that the broker already has in part.
    fn completes(&self, frame: &[u8]) -> bool;
    /// Whether the broker has nothing in part.
    fn is_whole(&self) -> bool;
    /// Gives up what is held back.
    fn release(&mut self) -> Vec<u8>;
    /// What was forwarded to the client has been written.
    fn reached(&mut self);
    /// The frames that the broker will answer when it has handled all before them. Begins to await
    /// the answers.
    fn fence(&mut self) -> Vec<u8>;
    fn fence_state(&self) -> Fence;
    /// Whether the peers said good-bye to each other.
    fn closed_cleanly(&self) -> bool;
    /// The sockets are closed: tells of every fault taken.
    fn finish(&mut self, fenced: bool, book: &mut Book);
}

/// The state of one connection.
pub(super) struct Session {
    phase: Phase,
    tracker: Box<dyn Tracker>,
    book: Book,
    /// The client has heard something since it last spoke.
    heard: bool,
    /// One direction is no longer parseable: all is passed on unread, and no fence is possible.
    blind: bool,
}

impl Session {
    pub(super) fn new(protocol: Protocol) -> Self {
        let tracker: Box<dyn Tracker> = match protocol {
            Protocol::Amqp => Box::new(AmqpTracker::default()),
            Protocol::Stream => Box::new(StreamTracker::default()),
        };
        Self {
            phase: Phase::Open,
            tracker,
            book: Book::default(),
            heard: false,
            blind: false,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether bytes that are no frame may pass in this direction.
    pub(super) fn passes(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToBroker => {
                matches!(self.phase, Phase::Open | Phase::Draining)
            }
            Direction::ToClient => self.phase == Phase::Open,
        }
    }

    /// Decides about one whole frame.
    pub(super) fn on_frame(
        &mut self,
        direction: Direction,
        frame: &[u8],
        rules: &mut Rules,
    ) -> Decision {
        if self.blind {
            return if self.passes(direction) {
                Decision::Forward
            } else {
                Decision::Drop
            };
        }
        let decision = match direction {
            Direction::ToBroker => self.client_wrote(frame, rules),
            Direction::ToClient => self.broker_wrote(frame, rules),
        };
        if decision == Decision::Cut
            && matches!(self.phase, Phase::Open | Phase::Draining)
        {
            self.phase = Phase::Settling;
        }
        decision
    }

    fn client_wrote(&mut self, frame: &[u8], rules: &mut Rules) -> Decision {
        let forwards = match self.phase {
            Phase::Open | Phase::Draining => true,
            Phase::Settling => self.tracker.completes(frame),
            Phase::Fencing | Phase::Over => false,
        };
        if !forwards {
            return Decision::Drop;
        }
        self.book.traffic.frames_to_broker += 1;
        if !self.tracker.is_heartbeat(frame) {
            self.book.traffic.turns +=
                u64::from(std::mem::take(&mut self.heard));
        }
        self.tracker.to_broker(frame, rules, &mut self.book)
    }

    fn broker_wrote(&mut self, frame: &[u8], rules: &mut Rules) -> Decision {
        self.book.traffic.frames_to_client += 1;
        let withhold = self.phase != Phase::Open;
        let decision =
            self.tracker.to_client(frame, withhold, rules, &mut self.book);
        if self.phase == Phase::Fencing {
            self.phase = self.fenced_phase();
        }
        let decision = if withhold { Decision::Drop } else { decision };
        let reaches = match &decision {
            Decision::Forward => true,
            Decision::Replace(frames) => !frames.is_empty(),
            Decision::Drop | Decision::Cut => false,
        };
        self.heard |= reaches && !self.tracker.is_heartbeat(frame);
        decision
    }

    /// The direction is no longer parseable. Returns what was held back and has to go first.
    pub(super) fn on_raw(&mut self) -> Vec<u8> {
        if self.blind {
            return Vec::new();
        }
        self.blind = true;
        self.book.traffic.unparsed += 1;
        self.tracker.release()
    }

    /// The client will write no more: what is held back has no rest to wait for.
    pub(super) fn release(&mut self) -> Vec<u8> {
        if self.passes(Direction::ToBroker) {
            self.tracker.release()
        } else {
            Vec::new()
        }
    }

    /// What was forwarded to the client has been written.
    pub(super) fn reached(&mut self) {
        self.tracker.reached();
    }

    /// Begins a cut, unless one has begun. With `drain`, what the client wrote before is forwarded
    /// first.
    pub(super) fn begin_cut(&mut self, drain: bool) {
        if self.phase == Phase::Open {
            self.phase = if drain { Phase::Draining } else { Phase::Settling };
        }
    }

    /// Nothing more that the client wrote before the cut is to come.
    pub(super) fn end_drain(&mut self) {
        if self.phase == Phase::Draining {
            self.phase = Phase::Settling;
        }
    }

    /// The fence to write to the broker, `None` while the rest of a publish is missing.
    pub(super) fn fence(&mut self) -> Option<Vec<u8>> {
        if self.blind {
            self.phase = Phase::Over;
            return Some(Vec::new());
        }
        if !self.tracker.is_whole() {
            return None;
        }
        let fence = self.tracker.fence();
        self.phase = self.fenced_phase();
        Some(fence)
    }

    fn fenced_phase(&self) -> Phase {
        match self.tracker.fence_state() {
            Fence::Awaited => Phase::Fencing,
            Fence::Again => Phase::Settling,
            Fence::Held | Fence::Broken => Phase::Over,
        }
    }

    /// The sockets are closed. What is still to be told goes into the book.
    pub(super) fn finish(&mut self) {
        let fence = self.tracker.fence_state();
        let held =
            self.phase == Phase::Over && !self.blind && fence == Fence::Held;
        let fenced = held || self.tracker.closed_cleanly();
        let cut = self.phase != Phase::Open;
        self.book.traffic.unfenced += u64::from(cut && !fenced);
        self.tracker.finish(fenced, &mut self.book);
    }

    /// Takes counters and news. While a cut is under way the news wait for its end.
    pub(super) fn take_book(&mut self, over: bool) -> Book {
        let traffic = std::mem::take(&mut self.book.traffic);
        let reports = if over || self.phase == Phase::Open {
            std::mem::take(&mut self.book.reports)
        } else {
            Vec::new()
        };
        Book { traffic, reports }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
