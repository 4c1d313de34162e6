//! Where one frame ends and the next begins, for AMQP 0-9-1 and for RabbitMQ's stream protocol.
//!
//! Called by the lane with whatever bytes have arrived. Pure: it must not know sockets, and not
//! what a frame means. Bytes that are no frames are handed back as raw, once and for all: the proxy
//! then passes them on unread.

use super::Protocol;

/// The longest frame that is looked into. RabbitMQ negotiates 128 KiB (AMQP) and 1 MiB (streams)
/// unless told otherwise.
pub(super) const MAX_FRAME: usize = 4 * 1024 * 1024;

const AMQP_HEADER: usize = 7;
const AMQP_END: u8 = 0xCE;
const GREETING: &[u8; 4] = b"AMQP";
const GREETING_LEN: usize = 8;
const STREAM_HIGHEST_KEY: u16 = 0x0100;

/// Which way bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    ToBroker,
    ToClient,
}

/// What the next bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// One whole frame, its envelope included.
    Frame(&'a [u8]),
    /// AMQP's protocol header: not a frame, always passed on.
    Greeting(&'a [u8]),
    /// Not parseable: this and all that follows in this direction.
    Raw(&'a [u8]),
    /// More bytes are needed.
    Incomplete,
}

/// Splits one direction of one connection into frames. Keeps no bytes of its own.
#[derive(Debug)]
pub(super) struct Framer {
    protocol: Protocol,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Greeting,
    Frames,
    Raw,
}

enum Extent {
    Whole(usize),
    Unknown,
    Garbage,
}

impl Framer {
    pub(super) fn new(protocol: Protocol, direction: Direction) -> Self {
        let greets =
            protocol == Protocol::Amqp && direction == Direction::ToBroker;
        let state = if greets { State::Greeting } else { State::Frames };
        Self { protocol, state }
    }

    /// The first item of `bytes`, which must begin where the last one ended.
    pub(super) fn next<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        if bytes.is_empty() {
            return Step::Incomplete;
        }
        match self.state {
            State::Raw => Step::Raw(bytes),
            State::Greeting => self.greeting(bytes),
            State::Frames => match extent(self.protocol, bytes) {
                Extent::Whole(len) if len <= bytes.len() => {
                    Step::Frame(&bytes[..len])
                }
                Extent::Whole(_) | Extent::Unknown => Step::Incomplete,
                Extent::Garbage => self.give_up(bytes),
            },
        }
    }

    fn greeting<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        let known = bytes.len().min(GREETING.len());
        if bytes[..known] != GREETING[..known] {
            return self.give_up(bytes);
        }
        if bytes.len() < GREETING_LEN {
            return Step::Incomplete;
        }
        self.state = State::Frames;
        Step::Greeting(&bytes[..GREETING_LEN])
    }

    fn give_up<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        self.state = State::Raw;
        Step::Raw(bytes)
    }
}

fn extent(protocol: Protocol, bytes: &[u8]) -> Extent {
    match protocol {
        Protocol::Amqp => amqp_extent(bytes),
        Protocol::Stream => stream_extent(bytes),
    }
}

fn amqp_extent(bytes: &[u8]) -> Extent {
    if !matches!(bytes[0], 1 | 2 | 3 | 8) {
        return Extent::Garbage;
    }
    let Some(&[_, _, _, a, b, c, d]) = bytes.first_chunk::<AMQP_HEADER>()
    else {
        return Extent::Unknown;
    };
    let Some(len) = bounded(u32::from_be_bytes([a, b, c, d]), AMQP_HEADER + 1)
    else {
        return Extent::Garbage;
    };
    match bytes.get(len - 1) {
        Some(&end) if end != AMQP_END => Extent::Garbage,
        _ => Extent::Whole(len),
    }
}

fn stream_extent(bytes: &[u8]) -> Extent {
    let Some(&[a, b, c, d, k, e]) = bytes.first_chunk::<6>() else {
        return Extent::Unknown;
    };
    let key = u16::from_be_bytes([k, e]) & 0x7FFF;
    let size = u32::from_be_bytes([a, b, c, d]);
    if size < 4 || key == 0 || key > STREAM_HIGHEST_KEY {
        return Extent::Garbage;
    }
    bounded(size, 4).map_or(Extent::Garbage, Extent::Whole)
}

fn bounded(size: u32, envelope: usize) -> Option<usize> {
    let size = usize::try_from(size).ok()?;
    (size <= MAX_FRAME).then_some(size + envelope)
}

/// Reads big-endian fields off a payload; every read is checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// AMQP's short string: one length octet, then the bytes.
    pub(super) fn short_string(&mut self) -> Option<&'a [u8]> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }

    /// A `u32` length, then that many bytes.
    pub(super) fn long_bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.take(usize::try_from(len).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_whole_only_with_its_end_octet() {
        let heartbeat = [8, 0, 0, 0, 0, 0, 0, 0xCE];
        let mut framer = Framer::new(Protocol::Amqp, Direction::ToClient);
        for cut in 1..heartbeat.len() {
            assert_eq!(
                framer.next(&heartbeat[..cut]),
                Step::Incomplete,
                "{cut}"
            );
        }
        assert_eq!(framer.next(&heartbeat), Step::Frame(&heartbeat));
    }

    #[test]
    fn a_wrong_end_octet_turns_the_direction_raw_for_good() {
        let mut framer = Framer::new(Protocol::Amqp, Direction::ToClient);
        let bad = [8, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(framer.next(&bad), Step::Raw(&bad));
        let good = [8, 0, 0, 0, 0, 0, 0, 0xCE];
        assert_eq!(framer.next(&good), Step::Raw(&good));
    }

    #[test]
    fn the_greeting_comes_first_from_the_client_only() {
        let mut framer = Framer::new(Protocol::Amqp, Direction::ToBroker);
        assert_eq!(framer.next(b"AMQP\0"), Step::Incomplete);
        assert_eq!(
            framer.next(b"AMQP\0\0\x09\x01"),
            Step::Greeting(b"AMQP\0\0\x09\x01")
        );
        let mut http = Framer::new(Protocol::Amqp, Direction::ToBroker);
        assert_eq!(http.next(b"GET /"), Step::Raw(b"GET /"));
    }

    #[test]
    fn a_length_beyond_reason_is_garbage() {
        let mut framer = Framer::new(Protocol::Amqp, Direction::ToClient);
        let huge = [1, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0];
        assert_eq!(framer.next(&huge), Step::Raw(&huge));
        let mut stream = Framer::new(Protocol::Stream, Direction::ToClient);
        let tiny = [0, 0, 0, 3, 0, 2, 0, 1];
        assert_eq!(stream.next(&tiny), Step::Raw(&tiny));
    }

    #[test]
    fn a_stream_frame_is_its_size_and_four_more() {
        let frame = [0, 0, 0, 4, 0, 23, 0, 1];
        let mut framer = Framer::new(Protocol::Stream, Direction::ToClient);
        assert_eq!(framer.next(&frame[..7]), Step::Incomplete);
        assert_eq!(framer.next(&frame), Step::Frame(&frame));
    }
}
