//! What an AMQP 0-9-1 frame says, as far as the wire cares, and the few frames that it writes
//! itself.
//!
//! Called by the AMQP tracker. Pure: it must not know connections, faults or sockets. A frame that
//! does not decode is [`Amqp::Other`]: the broker will have its own opinion about it.

use super::frame::Fields;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;

/// One decoded frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amqp<'a> {
    Method(u16, Method<'a>),
    Header { channel: u16, body: u64, message_id: Option<&'a [u8]> },
    Body { channel: u16, len: u64 },
    Other,
}

/// The methods that move publishes, deliveries and their answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method<'a> {
    ConnectionClose,
    ConnectionCloseOk,
    ChannelOpen,
    ChannelClose,
    ChannelCloseOk,
    Flow,
    FlowOk,
    ConfirmSelect,
    Publish,
    Return,
    Deliver { consumer: &'a [u8], tag: u64 },
    Consume { consumer: &'a [u8], no_ack: bool, no_wait: bool },
    ConsumeOk { consumer: &'a [u8] },
    Cancel { consumer: &'a [u8] },
    CancelOk,
    Get { no_ack: bool },
    GetOk { tag: u64 },
    GetEmpty,
    Ack { tag: u64, multiple: bool },
    Nack { tag: u64, multiple: bool },
    Reject { tag: u64 },
    Recover,
    Other,
}

/// Decodes one whole frame, envelope included.
pub(super) fn decode(frame: &[u8]) -> Amqp<'_> {
    let Some((envelope, rest)) = frame.split_at_checked(7) else {
        return Amqp::Other;
    };
    let channel = u16::from_be_bytes([envelope[1], envelope[2]]);
    let payload = &rest[..rest.len().saturating_sub(1)];
    match envelope[0] {
        METHOD => {
            Amqp::Method(channel, method(payload).unwrap_or(Method::Other))
        }
        HEADER => header(channel, payload).unwrap_or(Amqp::Other),
        BODY => Amqp::Body { channel, len: payload.len() as u64 },
        _ => Amqp::Other,
    }
}

/// Whether the frame only says that its peer is alive.
pub(super) fn is_heartbeat(frame: &[u8]) -> bool {
    frame.first() == Some(&HEARTBEAT)
}

/// The channel a frame belongs to; 0 is the connection itself.
pub(super) fn channel(frame: &[u8]) -> u16 {
    frame.get(1..3).map_or(0, |c| u16::from_be_bytes([c[0], c[1]]))
}

fn method(payload: &[u8]) -> Option<Method<'_>> {
    let mut f = Fields(payload);
    let (class, id) = (f.u16()?, f.u16()?);
    Some(match (class, id) {
        (10, 50) => Method::ConnectionClose,
        (10, 51) => Method::ConnectionCloseOk,
        (20, 10) => Method::ChannelOpen,
        (20, 20) => Method::Flow,
        (20, 21) => Method::FlowOk,
        (20, 40) => Method::ChannelClose,
        (20, 41) => Method::ChannelCloseOk,
        (85, 10) => Method::ConfirmSelect,
        (60, id) => basic(id, f)?,
        _ => Method::Other,
    })
}

fn basic(id: u16, mut f: Fields<'_>) -> Option<Method<'_>> {
    Some(match id {
        20 => {
            f.u16()?;
            f.short_string()?;
            let consumer = f.short_string()?;
            let bits = f.u8()?;
            Method::Consume {
                consumer,
                no_ack: bits & 2 != 0,
                no_wait: bits & 8 != 0,
            }
        }
        21 => Method::ConsumeOk { consumer: f.short_string()? },
        30 => Method::Cancel { consumer: f.short_string()? },
        31 => Method::CancelOk,
        40 => Method::Publish,
        50 => Method::Return,
        60 => Method::Deliver { consumer: f.short_string()?, tag: f.u64()? },
        70 => {
            f.u16()?;
            f.short_string()?;
            Method::Get { no_ack: f.u8()? & 1 != 0 }
        }
        71 => Method::GetOk { tag: f.u64()? },
        72 => Method::GetEmpty,
        80 => Method::Ack { tag: f.u64()?, multiple: f.u8()? & 1 != 0 },
        90 => Method::Reject { tag: f.u64()? },
        100 | 110 => Method::Recover,
        120 => Method::Nack { tag: f.u64()?, multiple: f.u8()? & 1 != 0 },
        _ => Method::Other,
    })
}

fn header(channel: u16, payload: &[u8]) -> Option<Amqp<'_>> {
    let mut f = Fields(payload);
    f.take(4)?; // class, weight
    let body = f.u64()?;
    Some(Amqp::Header { channel, body, message_id: message_id(f) })
}

/// Properties stand in the order of their flags, highest bit first; message-id is bit 7.
fn message_id(mut f: Fields<'_>) -> Option<&[u8]> {
    let flags = f.u16()?;
    let mut more = flags;
    while more & 1 != 0 {
        more = f.u16()?;
    }
    let has = |bit: u16| flags & (1 << bit) != 0;
    if !has(7) {
        return None;
    }
    for bit in (8..16).rev().filter(|bit| has(*bit)) {
        match bit {
            13 => drop(f.long_bytes()?),  // headers
            12 | 11 => drop(f.u8()?),     // delivery mode, priority
            _ => drop(f.short_string()?), // content type and encoding, correlation id, reply-to, expiration
        }
    }
    f.short_string()
}

/// `channel.flow(active = true)`: RabbitMQ answers it and does nothing else.
pub(super) fn flow(channel: u16) -> Vec<u8> {
    method_frame(channel, 20, 20, &[1])
}

/// `basic.cancel` of a consumer: a quorum queue gets every ack before it that the channel had put
/// off.
pub(super) fn cancel(channel: u16, consumer: &[u8]) -> Vec<u8> {
    let len = u8::try_from(consumer.len()).unwrap_or(u8::MAX);
    method_frame(channel, 60, 30, &[&[len][..], consumer, &[0]].concat())
}

/// A publisher confirm of exactly one tag: `basic.ack`, or `basic.nack` where `ack` is false.
pub(super) fn confirm(channel: u16, tag: u64, ack: bool) -> Vec<u8> {
    let mut arguments = [0; 9];
    arguments[..8].copy_from_slice(&tag.to_be_bytes());
    method_frame(channel, 60, if ack { 80 } else { 120 }, &arguments)
}

/// A method frame, arguments already encoded.
pub(super) fn method_frame(
    channel: u16,
    class: u16,
    method: u16,
    arguments: &[u8],
) -> Vec<u8> {
    let mut payload = Vec::with_capacity(4 + arguments.len());
    payload.extend_from_slice(&class.to_be_bytes());
    payload.extend_from_slice(&method.to_be_bytes());
    payload.extend_from_slice(arguments);
    frame(METHOD, channel, &payload)
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 8);
    out.push(kind);
    out.extend_from_slice(&channel.to_be_bytes());
    out.extend_from_slice(
        &u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes(),
    );
    out.extend_from_slice(payload);
    out.push(0xCE);
    out
}

/// Hand-made frames for the tests of this module and of the state machine.
#[cfg(test)]
pub(super) mod made {
    use super::{BODY, HEADER, frame, method_frame};

    pub(in super::super) fn short(text: &str) -> Vec<u8> {
        let mut out = vec![text.len() as u8];
        out.extend_from_slice(text.as_bytes());
        out
    }

    pub(in super::super) fn publish(channel: u16) -> Vec<u8> {
        let arguments =
            [&[0, 0][..], &short("exchange"), &short("key"), &[0]].concat();
        method_frame(channel, 60, 40, &arguments)
    }

    /// A header with content type, headers table, delivery mode and message id.
    pub(in super::super) fn header(
        channel: u16,
        body: u64,
        id: Option<&str>,
    ) -> Vec<u8> {
        let mut payload = vec![0, 60, 0, 0];
        payload.extend_from_slice(&body.to_be_bytes());
        let flags: u16 = (1 << 15)
            | (1 << 13)
            | (1 << 12)
            | if id.is_some() { 1 << 7 } else { 0 };
        payload.extend_from_slice(&flags.to_be_bytes());
        payload.extend_from_slice(&short("text/plain"));
        payload.extend_from_slice(&[0, 0, 0, 4, 1, b'a', b't', 1]);
        payload.push(2);
        payload.extend(id.map(short).unwrap_or_default());
        frame(HEADER, channel, &payload)
    }

    pub(in super::super) fn body(channel: u16, bytes: &[u8]) -> Vec<u8> {
        frame(BODY, channel, bytes)
    }

    pub(in super::super) fn ack(
        channel: u16,
        tag: u64,
        multiple: bool,
    ) -> Vec<u8> {
        method_frame(
            channel,
            60,
            80,
            &[&tag.to_be_bytes()[..], &[u8::from(multiple)]].concat(),
        )
    }

    pub(in super::super) fn nack(
        channel: u16,
        tag: u64,
        multiple: bool,
    ) -> Vec<u8> {
        method_frame(
            channel,
            60,
            120,
            &[&tag.to_be_bytes()[..], &[u8::from(multiple)]].concat(),
        )
    }

    pub(in super::super) fn deliver(
        channel: u16,
        consumer: &str,
        tag: u64,
    ) -> Vec<u8> {
        let arguments = [
            &short(consumer)[..],
            &tag.to_be_bytes(),
            &[0],
            &short("exchange"),
            &short("key"),
        ]
        .concat();
        method_frame(channel, 60, 60, &arguments)
    }

    pub(in super::super) fn consume(
        channel: u16,
        consumer: &str,
        bits: u8,
    ) -> Vec<u8> {
        let arguments = [
            &[0, 0][..],
            &short("queue"),
            &short(consumer),
            &[bits, 0, 0, 0, 0],
        ]
        .concat();
        method_frame(channel, 60, 20, &arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_id_is_found_behind_the_other_properties() {
        let frame = made::header(3, 5, Some("payment-1"));
        let expected = Amqp::Header {
            channel: 3,
            body: 5,
            message_id: Some(b"payment-1"),
        };
        assert_eq!(decode(&frame), expected);
        let frame = made::header(3, 5, None);
        assert_eq!(
            decode(&frame),
            Amqp::Header { channel: 3, body: 5, message_id: None }
        );
    }

    #[test]
    fn acks_carry_tag_and_multiple() {
        assert_eq!(
            decode(&made::ack(1, 7, true)),
            Amqp::Method(1, Method::Ack { tag: 7, multiple: true })
        );
        assert_eq!(
            decode(&confirm(1, 7, false)),
            Amqp::Method(1, Method::Nack { tag: 7, multiple: false })
        );
    }

    #[test]
    fn a_deliver_names_its_consumer_and_tag() {
        let frame = made::deliver(2, "ctag", 9);
        assert_eq!(
            decode(&frame),
            Amqp::Method(2, Method::Deliver { consumer: b"ctag", tag: 9 })
        );
        let frame = made::consume(2, "ctag", 2);
        let consume =
            Method::Consume { consumer: b"ctag", no_ack: true, no_wait: false };
        assert_eq!(decode(&frame), Amqp::Method(2, consume));
    }

    #[test]
    fn a_truncated_method_is_some_other_method() {
        let frame = method_frame(1, 60, 80, &[0, 0]);
        assert_eq!(decode(&frame), Amqp::Method(1, Method::Other));
        assert_eq!(decode(&[1, 0]), Amqp::Other);
    }
}
