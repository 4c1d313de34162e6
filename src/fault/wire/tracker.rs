//! AMQP's part of the state machine: tags, confirms, deliveries, acks, and the fault that meets its
//! message.
//!
//! Called by the session, frame by frame. Pure: it must not know sockets, nor in which phase a cut
//! is.

use super::amqp::{self, Amqp, Method};
use super::channel::{Channel, Closing, Upload};
use super::claim::{Claim, id, miss, name};
use super::confirms::Confirm;
use super::rules::{Report, Rules};
use super::session::{Book, Decision, Fence, Tracker};
use super::{MissReason, WireFault};
use std::collections::{BTreeMap, BTreeSet};

/// The connection's own channel, awaited when the client has begun to close.
const CONNECTION: u16 = 0;

/// One AMQP connection's channels and the faults taken on it.
#[derive(Debug, Default)]
pub(super) struct AmqpTracker {
    pub(super) channels: BTreeMap<u16, Channel>,
    pub(super) claims: Vec<Claim>,
    closing: Closing,
    closed: bool,
    /// The channels whose answer the fence awaits; `None` before the fence.
    awaited: Option<BTreeSet<u16>>,
    /// A second round is to follow the first.
    again: bool,
    broken: bool,
}

impl Tracker for AmqpTracker {
    fn to_broker(
        &mut self,
        frame: &[u8],
        rules: &mut Rules,
        book: &mut Book,
    ) -> Decision {
        if let Some(held) = self.interrupted(frame) {
            return Decision::Replace([&held, frame].concat());
        }
        match amqp::decode(frame) {
            Amqp::Method(channel, method) => {
                self.client_method(channel, method, frame, rules, book)
            }
            Amqp::Header { channel, body, message_id } => self
                .client_header(channel, body, message_id, frame, rules, book),
            Amqp::Body { channel, len } => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.uploaded(len);
                }
                Decision::Forward
            }
            Amqp::Other => Decision::Forward,
        }
    }

    fn to_client(
        &mut self,
        frame: &[u8],
        withhold: bool,
        rules: &mut Rules,
        book: &mut Book,
    ) -> Decision {
        match amqp::decode(frame) {
            Amqp::Method(channel, Method::Ack { tag, multiple }) => {
                let confirm = Confirm { channel, tag, multiple, ack: true };
                self.on_confirm(&confirm, withhold, rules, book)
            }
            Amqp::Method(channel, Method::Nack { tag, multiple }) => {
                let confirm = Confirm { channel, tag, multiple, ack: false };
                self.on_confirm(&confirm, withhold, rules, book)
            }
            Amqp::Method(channel, method) => {
                self.broker_method(channel, method, withhold, book)
            }
            Amqp::Header { channel, message_id, .. } => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.delivered(|| id(message_id));
                }
                Decision::Forward
            }
            Amqp::Body { .. } | Amqp::Other => Decision::Forward,
        }
    }

    fn is_heartbeat(&self, frame: &[u8]) -> bool {
        amqp::is_heartbeat(frame)
    }

    fn completes(&self, frame: &[u8]) -> bool {
        let begun = self
            .channels
            .get(&amqp::channel(frame))
            .is_some_and(Channel::is_uploading);
        begun
            && matches!(
                amqp::decode(frame),
                Amqp::Header { .. } | Amqp::Body { .. }
            )
    }

    fn is_whole(&self) -> bool {
        !self.channels.values().any(Channel::is_uploading)
    }

    fn release(&mut self) -> Vec<u8> {
        self.channels
            .values_mut()
            .filter_map(Channel::take_held)
            .flatten()
            .collect()
    }

    fn reached(&mut self) {
        self.channels.values_mut().for_each(Channel::confirms_reached);
    }

    fn fence(&mut self) -> Vec<u8> {
        let mut awaited = BTreeSet::new();
        let mut out = Vec::new();
        self.again = false;
        match self.closing {
            Closing::ByClient if !self.closed => {
                awaited.insert(CONNECTION);
            }
            Closing::ByClient | Closing::ByBroker => {}
            Closing::No => {
                for (number, channel) in &mut self.channels {
                    if channel.closing == Closing::No {
                        for consumer in channel.take_consumers() {
                            self.again = true;
                            out.extend(amqp::cancel(*number, &consumer));
                        }
                        out.extend(amqp::flow(*number));
                    }
                    if channel.closing != Closing::ByBroker {
                        awaited.insert(*number);
                    }
                }
            }
        }
        self.awaited = Some(awaited);
        out
    }

    fn fence_state(&self) -> Fence {
        match &self.awaited {
            _ if self.broken => Fence::Broken,
            Some(awaited) if awaited.is_empty() && self.again => Fence::Again,
            Some(awaited) if awaited.is_empty() => Fence::Held,
            _ => Fence::Awaited,
        }
    }

    fn closed_cleanly(&self) -> bool {
        self.closed
    }

    fn finish(&mut self, fenced: bool, book: &mut Book) {
        for claim in std::mem::take(&mut self.claims) {
            let struck = match claim.fault {
                WireFault::CutBeforePublish
                | WireFault::CutBeforeConfirm
                | WireFault::SwallowConfirm => true,
                WireFault::SwallowAck | WireFault::SwallowAckThenCut => self
                    .channels
                    .get(&claim.channel)
                    .is_some_and(|c| c.is_open(claim.tag)),
            };
            book.reports.push(if struck {
                self.strike(claim, fenced)
            } else {
                miss(claim, MissReason::Covered)
            });
        }
    }
}

impl AmqpTracker {
    /// Anything but a header behind a held publish: the client breaks the protocol, the broker
    /// shall see it.
    fn interrupted(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let channel = self.channels.get_mut(&amqp::channel(frame))?;
        if !channel.is_holding()
            || matches!(amqp::decode(frame), Amqp::Header { .. })
        {
            return None;
        }
        channel.take_held()
    }

    fn client_method(
        &mut self,
        number: u16,
        method: Method<'_>,
        frame: &[u8],
        rules: &mut Rules,
        book: &mut Book,
    ) -> Decision {
        match method {
            Method::ConnectionClose => self.closing = Closing::ByClient,
            Method::ChannelOpen => {
                drop(self.channels.insert(number, Channel::default()))
            }
            Method::ChannelClose => {
                self.channel_closes(number, Closing::ByClient, book)
            }
            Method::ChannelCloseOk => drop(self.channels.remove(&number)),
            Method::Ack { tag, multiple } => {
                return self.client_ack(number, tag, multiple, rules, book);
            }
            Method::Nack { tag, multiple } => {
                self.client_refuses(number, tag, multiple, rules, book)
            }
            Method::Reject { tag } => {
                self.client_refuses(number, tag, false, rules, book)
            }
            Method::Recover => self.client_refuses(
                number,
                0,
                true,
                &mut Rules::default(),
                book,
            ),
            _ => {
                let Some(channel) = self.channels.get_mut(&number) else {
                    return Decision::Forward;
                };
                return channel_method(channel, method, frame, rules, book);
            }
        }
        Decision::Forward
    }

    fn client_header(
        &mut self,
        number: u16,
        body: u64,
        message_id: Option<&[u8]>,
        frame: &[u8],
        rules: &mut Rules,
        book: &mut Book,
    ) -> Decision {
        let Some(channel) = self.channels.get_mut(&number) else {
            return Decision::Forward;
        };
        let Upload::Method { held } = std::mem::take(&mut channel.upload)
        else {
            return Decision::Forward;
        };
        let id = id(message_id);
        if held.is_some()
            && let Some(id) = id
                .as_deref()
                .filter(|id| rules.take(id, WireFault::CutBeforePublish))
        {
            self.claim(WireFault::CutBeforePublish, id, number, 0);
            return Decision::Cut;
        }
        book.traffic.publishes += 1;
        channel.published(id);
        channel.uploads(body);
        match held {
            Some(held) => Decision::Replace([&held, frame].concat()),
            None => Decision::Forward,
        }
    }

    fn broker_method(
        &mut self,
        number: u16,
        method: Method<'_>,
        withhold: bool,
        book: &mut Book,
    ) -> Decision {
        match method {
            Method::ConnectionClose => {
                self.closing = Closing::ByBroker;
                self.broken = self.awaited.is_some();
            }
            Method::ConnectionCloseOk => {
                self.closed = true;
                self.answered(CONNECTION);
            }
            Method::ChannelClose => {
                self.channel_closes(number, Closing::ByBroker, book);
                self.answered(number);
            }
            Method::ChannelCloseOk => {
                self.answered(number);
                if !withhold {
                    self.channels.remove(&number);
                }
            }
            Method::FlowOk => {
                let Some(channel) =
                    self.channels.get_mut(&number).filter(|c| c.flows > 0)
                else {
                    return if self.answered(number) {
                        Decision::Drop
                    } else {
                        Decision::Forward
                    };
                };
                channel.flows -= 1;
            }
            _ => {
                if let Some(channel) = self.channels.get_mut(&number) {
                    delivery_method(channel, method, book);
                }
            }
        }
        Decision::Forward
    }

    fn answered(&mut self, number: u16) -> bool {
        self.awaited.as_mut().is_some_and(|awaited| awaited.remove(&number))
    }

    pub(super) fn claim(
        &mut self,
        fault: WireFault,
        message: &str,
        channel: u16,
        tag: u64,
    ) {
        self.claims.push(Claim {
            fault,
            message: message.to_owned(),
            channel,
            tag,
        });
    }

    pub(super) fn strike(&self, claim: Claim, fenced: bool) -> Report {
        let other = |name: &String| *name != claim.message;
        let channels = self.channels.iter();
        let also = channels.clone().flat_map(|(n, c)| {
            c.unknown().into_iter().map(|(tag, id)| name(*n, tag, id))
        });
        let open = channels
            .flat_map(|(n, c)| c.open().map(|(tag, id)| name(*n, tag, id)));
        let (also, open) =
            (also.filter(other).collect(), open.filter(other).collect());
        Report::Strike {
            fault: claim.fault,
            message: claim.message,
            also,
            open,
            fenced,
        }
    }
}

/// The client's methods that concern one channel's bookkeeping only.
fn channel_method(
    channel: &mut Channel,
    method: Method<'_>,
    frame: &[u8],
    rules: &Rules,
    book: &mut Book,
) -> Decision {
    match method {
        Method::Publish => {
            let held =
                rules.any(WireFault::CutBeforePublish).then(|| frame.to_vec());
            let decision =
                if held.is_some() { Decision::Drop } else { Decision::Forward };
            channel.upload = Upload::Method { held };
            return decision;
        }
        Method::ConfirmSelect => channel.select_confirms(),
        Method::Flow => channel.flows += 1,
        Method::Consume { consumer, no_ack, no_wait } => {
            channel.consume(consumer, no_ack, no_wait)
        }
        Method::Cancel { consumer } => channel.cancel(consumer),
        Method::Get { no_ack } => {
            book.traffic.gets += 1;
            channel.get(no_ack);
        }
        _ => {}
    }
    Decision::Forward
}

/// The broker's methods that begin or refuse a delivery.
fn delivery_method(channel: &mut Channel, method: Method<'_>, book: &mut Book) {
    match method {
        Method::ConsumeOk { consumer } => channel.consume_ok(consumer),
        Method::Cancel { consumer } => channel.cancel(consumer),
        Method::Deliver { consumer, tag } => {
            book.traffic.deliveries += 1;
            channel.deliver(consumer, tag);
        }
        Method::GetOk { tag } => {
            book.traffic.deliveries += 1;
            channel.get_ok(tag);
        }
        Method::GetEmpty => channel.get_empty(),
        Method::CancelOk => book.traffic.cancelled += 1,
        Method::Return => {
            book.traffic.returns += 1;
            channel.returned();
        }
        _ => {}
    }
}
