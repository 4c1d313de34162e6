//! RabbitMQ's stream protocol as the wire needs it: publishing ids out, their confirms back.
//!
//! Called by the session. Pure: it must not know sockets. A message is named by its publishing id
//! in decimal; several publishers behind one wire that count from the same number are not told
//! apart. Stream consumers do not acknowledge, so the ack faults never strike here.

use super::frame::Fields;
use super::rules::{Report, Rules};
use super::session::{Book, Decision, Fence, Tracker};
use super::{MissReason, WireFault};
use std::collections::BTreeSet;

const DECLARE_PUBLISHER: u16 = 0x0001;
const PUBLISH: u16 = 0x0002;
const PUBLISH_CONFIRM: u16 = 0x0003;
const PUBLISH_ERROR: u16 = 0x0004;
const DELIVER: u16 = 0x0008;
const METADATA: u16 = 0x000F;
const OPEN: u16 = 0x0015;
const CLOSE: u16 = 0x0016;
const HEARTBEAT: u16 = 0x0017;
const RESPONSE: u16 = 0x8000;
/// High enough that no client's own counter comes there.
const FENCE_CORRELATION: u32 = 0xFFFF_FF5E;
/// Set in a message's size field: a batch of messages under one publishing id.
const BATCH_BIT: u8 = 0x80;

/// A publishing id and the publisher that counts it.
type PublishingId = (u8, u64);

/// One stream connection.
#[derive(Debug, Default)]
pub(super) struct StreamTracker {
    /// Forwarded, and neither confirmed nor refused.
    unconfirmed: BTreeSet<PublishingId>,
    /// Confirms on their way to the client, not written yet.
    reaching: Vec<PublishingId>,
    /// Confirms that the client will never get.
    swallowed: BTreeSet<PublishingId>,
    claims: Vec<(WireFault, String)>,
    opened: bool,
    closing: bool,
    closed: bool,
    awaited: Option<bool>,
}

impl Tracker for StreamTracker {
    fn to_broker(
        &mut self,
        frame: &[u8],
        rules: &mut Rules,
        book: &mut Book,
    ) -> Decision {
        match decode(frame) {
            Some(Stream::Publish(publisher, ids)) => {
                return self.on_publish(publisher, &ids, rules, book);
            }
            Some(Stream::Other(DECLARE_PUBLISHER, payload)) => {
                self.forget(payload)
            }
            Some(Stream::Other(CLOSE, _)) => self.closing = true,
            _ => {}
        }
        Decision::Forward
    }

    fn to_client(
        &mut self,
        frame: &[u8],
        withhold: bool,
        rules: &mut Rules,
        book: &mut Book,
    ) -> Decision {
        match decode(frame) {
            Some(Stream::Confirm(publisher, ids)) => {
                self.on_confirm(publisher, &ids, withhold, rules, book)
            }
            Some(Stream::Error(publisher, ids)) => {
                self.on_error(publisher, &ids, withhold, rules, book);
                Decision::Forward
            }
            Some(Stream::Other(key, mut payload)) => {
                self.on_answer(key, payload.u32(), book);
                Decision::Forward
            }
            _ => Decision::Forward,
        }
    }

    fn is_heartbeat(&self, frame: &[u8]) -> bool {
        matches!(decode(frame), Some(Stream::Other(HEARTBEAT, _)))
    }

    fn completes(&self, _frame: &[u8]) -> bool {
        false
    }

    fn is_whole(&self) -> bool {
        true
    }

    fn release(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn reached(&mut self) {
        self.reaching.clear();
    }

    /// An empty metadata query: the connection's process answers it after every publish before it
    /// was handed on.
    fn fence(&mut self) -> Vec<u8> {
        let needs_answer = self.opened && !self.closed;
        self.awaited = Some(needs_answer);
        if !needs_answer || self.closing {
            return Vec::new();
        }
        let mut payload = FENCE_CORRELATION.to_be_bytes().to_vec();
        payload.extend_from_slice(&0u32.to_be_bytes());
        encode(METADATA, &payload)
    }

    fn fence_state(&self) -> Fence {
        if self.awaited == Some(false) { Fence::Held } else { Fence::Awaited }
    }

    fn closed_cleanly(&self) -> bool {
        self.closed
    }

    fn finish(&mut self, fenced: bool, book: &mut Book) {
        for (fault, message) in std::mem::take(&mut self.claims) {
            let unknown = self
                .unconfirmed
                .iter()
                .chain(&self.reaching)
                .chain(&self.swallowed);
            let mut ids: Vec<u64> = unknown.map(|(_, id)| *id).collect();
            ids.sort_unstable();
            let also = ids
                .iter()
                .map(u64::to_string)
                .filter(|id| *id != message)
                .collect();
            book.reports.push(Report::Strike {
                fault,
                message,
                also,
                open: Vec::new(),
                fenced,
            });
        }
    }
}

impl StreamTracker {
    fn on_publish(
        &mut self,
        publisher: u8,
        ids: &[u64],
        rules: &mut Rules,
        book: &mut Book,
    ) -> Decision {
        let met = self.claim_all(ids, WireFault::CutBeforePublish, rules);
        if met {
            return Decision::Cut;
        }
        book.traffic.publishes += ids.len() as u64;
        self.unconfirmed.extend(ids.iter().map(|id| (publisher, *id)));
        Decision::Forward
    }

    fn on_confirm(
        &mut self,
        publisher: u8,
        ids: &[u64],
        withhold: bool,
        rules: &mut Rules,
        book: &mut Book,
    ) -> Decision {
        book.traffic.confirm_frames += 1;
        book.traffic.confirmed += ids.len() as u64;
        let cut = self.claim_all(ids, WireFault::CutBeforeConfirm, rules);
        let mut passing = Vec::with_capacity(ids.len());
        for id in ids {
            let known = self.unconfirmed.remove(&(publisher, *id));
            if withhold || cut {
                if known {
                    self.swallowed.insert((publisher, *id));
                }
            } else if rules.any(WireFault::SwallowConfirm)
                && rules.take(&id.to_string(), WireFault::SwallowConfirm)
            {
                self.swallowed.insert((publisher, *id));
                let (fault, message) =
                    (WireFault::SwallowConfirm, id.to_string());
                let (also, open) = (Vec::new(), Vec::new());
                book.reports.push(Report::Strike {
                    fault,
                    message,
                    also,
                    open,
                    fenced: true,
                });
            } else {
                passing.push(*id);
            }
        }
        self.reaching.extend(passing.iter().map(|id| (publisher, *id)));
        if cut {
            Decision::Cut
        } else if withhold || passing.is_empty() {
            Decision::Drop
        } else if passing.len() < ids.len() {
            Decision::Replace(confirm(publisher, &passing))
        } else {
            Decision::Forward
        }
    }

    fn on_error(
        &mut self,
        publisher: u8,
        ids: &[u64],
        withhold: bool,
        rules: &mut Rules,
        book: &mut Book,
    ) {
        book.traffic.nacked += ids.len() as u64;
        for id in ids {
            if self.unconfirmed.remove(&(publisher, *id)) && withhold {
                self.swallowed.insert((publisher, *id));
            }
            let faults =
                [WireFault::CutBeforeConfirm, WireFault::SwallowConfirm];
            if let Some(fault) = rules.take_one_of(&id.to_string(), &faults) {
                let message = id.to_string();
                book.reports.push(Report::Miss {
                    fault,
                    message,
                    reason: MissReason::Nacked,
                });
            }
        }
    }

    fn on_answer(
        &mut self,
        key: u16,
        correlation: Option<u32>,
        book: &mut Book,
    ) {
        const OPENED: u16 = RESPONSE | OPEN;
        const CLOSED: u16 = RESPONSE | CLOSE;
        const ANSWERED: u16 = RESPONSE | METADATA;
        match key {
            OPENED => self.opened = true,
            CLOSED => {
                self.closed = true;
                self.awaited = self.awaited.map(|_| false);
            }
            ANSWERED if correlation == Some(FENCE_CORRELATION) => {
                self.awaited = self.awaited.map(|_| false)
            }
            DELIVER => book.traffic.deliveries += 1,
            _ => {}
        }
    }

    /// A publisher's number is used anew: what its predecessor left unconfirmed is nobody's any
    /// more.
    fn forget(&mut self, mut payload: Fields<'_>) {
        let _correlation = payload.u32();
        if let Some(publisher) = payload.u8() {
            self.unconfirmed.retain(|(p, _)| *p != publisher);
            self.swallowed.retain(|(p, _)| *p != publisher);
        }
    }

    fn claim_all(
        &mut self,
        ids: &[u64],
        fault: WireFault,
        rules: &mut Rules,
    ) -> bool {
        if !rules.any(fault) {
            return false;
        }
        let before = self.claims.len();
        let met =
            ids.iter().map(u64::to_string).filter(|id| rules.take(id, fault));
        self.claims.extend(met.map(|id| (fault, id)));
        self.claims.len() > before
    }
}

/// One decoded stream frame.
enum Stream<'a> {
    Publish(u8, Vec<u64>),
    Confirm(u8, Vec<u64>),
    Error(u8, Vec<u64>),
    Other(u16, Fields<'a>),
}

fn decode(frame: &[u8]) -> Option<Stream<'_>> {
    let mut f = Fields(frame);
    let (_size, key, version) = (f.u32()?, f.u16()?, f.u16()?);
    Some(match key {
        PUBLISH => Stream::Publish(f.u8()?, published(f, version)?),
        PUBLISH_CONFIRM => Stream::Confirm(f.u8()?, numbered(f, 0)?),
        PUBLISH_ERROR => Stream::Error(f.u8()?, numbered(f, 2)?),
        key => Stream::Other(key, f),
    })
}

/// The ids of a `Publish`; version 2 puts a filter value before each message.
fn published(mut f: Fields<'_>, version: u16) -> Option<Vec<u64>> {
    let count = f.u32()?;
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(f.u64()?);
        if version >= 2 {
            let len = f.u16()?;
            f.take(if len == u16::MAX { 0 } else { usize::from(len) })?; // a length of -1 is none
        }
        if f.0.first()? & BATCH_BIT != 0 {
            f.take(1 + 2 + 4)?; // kind, number of messages, size when unpacked
        }
        f.long_bytes()?;
    }
    Some(ids)
}

fn numbered(mut f: Fields<'_>, code: usize) -> Option<Vec<u64>> {
    let count = f.u32()?;
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(f.u64()?);
        f.take(code)?;
    }
    Some(ids)
}

fn confirm(publisher: u8, ids: &[u64]) -> Vec<u8> {
    let mut payload = vec![publisher];
    payload.extend_from_slice(
        &u32::try_from(ids.len()).unwrap_or(u32::MAX).to_be_bytes(),
    );
    ids.iter().for_each(|id| payload.extend_from_slice(&id.to_be_bytes()));
    encode(PUBLISH_CONFIRM, &payload)
}

fn encode(key: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len() + 4).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(payload.len() + 8);
    out.extend_from_slice(&size.to_be_bytes());
    out.extend_from_slice(&key.to_be_bytes());
    out.extend_from_slice(&1u16.to_be_bytes());
    out.extend_from_slice(payload);
    out
}
