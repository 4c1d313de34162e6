//! One direction of one connection: bytes in, frames decided, bytes out.
//!
//! Called by the pump after every read. Pure: it must not know sockets. Frames that are simply
//! forwarded leave as one slice of the buffer they came in; only a burst in which something is
//! dropped or replaced is copied.

use super::Protocol;
use super::frame::{Direction, Framer, MAX_FRAME, Step};
use super::rules::Rules;
use super::session::{Decision, Session};
use std::ops::Range;

/// How much is read at once, unless one frame is longer.
const BUFFER: usize = 128 * 1024;
/// Less room than this, and the buffer's content moves to its front.
const ROOM: usize = 32 * 1024;
const LONGEST: usize = MAX_FRAME + BUFFER;

/// The buffer and the framing of one direction.
pub(super) struct Lane {
    direction: Direction,
    framer: Framer,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

/// What a burst leaves to be written: a run of the lane's buffer, or a copy with pieces changed.
#[derive(Debug, Default)]
pub(super) struct Output {
    run: Range<usize>,
    spliced: Option<Vec<u8>>,
}

impl Lane {
    pub(super) fn new(protocol: Protocol, direction: Direction) -> Self {
        let framer = Framer::new(protocol, direction);
        Self { direction, framer, buffer: vec![0; BUFFER], start: 0, end: 0 }
    }

    /// Where to read into; never empty.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.buffer.len() - self.end < ROOM {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.buffer.len() - self.end < ROOM {
            let longer =
                (self.buffer.len() * 2).min(LONGEST).max(self.end + ROOM);
            self.buffer.resize(longer, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// So many bytes were read into the room.
    pub(super) fn filled(&mut self, len: usize) {
        self.end = (self.end + len).min(self.buffer.len());
    }

    /// Decides about every whole frame that is there. What is torn stays for the next burst.
    pub(super) fn relay(
        &mut self,
        session: &mut Session,
        rules: &mut Rules,
    ) -> Output {
        let mut out = Output::default();
        loop {
            let at = self.start;
            let (len, decision) =
                match self.framer.next(&self.buffer[at..self.end]) {
                    Step::Incomplete => return out,
                    Step::Frame(frame) => (
                        frame.len(),
                        session.on_frame(self.direction, frame, rules),
                    ),
                    Step::Greeting(bytes) => {
                        (bytes.len(), pass(session, self.direction))
                    }
                    Step::Raw(bytes) => {
                        let held = session.on_raw();
                        if session.passes(self.direction) && !held.is_empty() {
                            out.splice(&self.buffer, &held);
                        }
                        (bytes.len(), pass(session, self.direction))
                    }
                };
            self.start += len;
            match decision {
                Decision::Forward => out.forward(&self.buffer, at..at + len),
                Decision::Replace(bytes) => out.splice(&self.buffer, &bytes),
                Decision::Drop | Decision::Cut => {}
            }
        }
    }

    /// No more will come: what was torn or held back goes out as it is.
    pub(super) fn flush(&mut self, session: &mut Session) -> Vec<u8> {
        let mut rest = match self.direction {
            Direction::ToBroker => session.release(),
            Direction::ToClient => Vec::new(),
        };
        if session.passes(self.direction) {
            rest.extend_from_slice(&self.buffer[self.start..self.end]);
        }
        self.start = self.end;
        rest
    }

    /// The bytes of an output, valid until the next read.
    pub(super) fn bytes<'a>(&'a self, out: &'a Output) -> &'a [u8] {
        out.spliced.as_deref().unwrap_or(&self.buffer[out.run.clone()])
    }
}

impl Output {
    fn forward(&mut self, buffer: &[u8], range: Range<usize>) {
        if let Some(spliced) = &mut self.spliced {
            spliced.extend_from_slice(&buffer[range]);
        } else if self.run.is_empty() {
            self.run = range;
        } else if self.run.end == range.start {
            self.run.end = range.end;
        } else {
            self.splice(buffer, &buffer[range]);
        }
    }

    fn splice(&mut self, buffer: &[u8], bytes: &[u8]) {
        let run = self.run.clone();
        self.spliced
            .get_or_insert_with(|| buffer[run].to_vec())
            .extend_from_slice(bytes);
    }
}

fn pass(session: &Session, direction: Direction) -> Decision {
    if session.passes(direction) { Decision::Forward } else { Decision::Drop }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
