//! What one AMQP channel still owes: publishes without a confirm, deliveries without an ack.
//!
//! Kept by the AMQP tracker. Pure bookkeeping: it must not know which faults are armed. Its maps
//! hold only what is still open, so that its memory is bounded by the client's window and prefetch.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

/// A message's id, absent where the publisher gave none.
pub(super) type Id = Option<Box<str>>;

/// Who has begun to close the channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Closing {
    #[default]
    No,
    ByClient,
    ByBroker,
}

/// How much of a publish the broker has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Upload {
    #[default]
    None,
    /// The method was forwarded, or is held back until its header tells the message's id.
    Method { held: Option<Vec<u8>> },
    /// The header was forwarded; so many octets of body are to come.
    Body { left: u64 },
}

/// Whose content header the broker sends next.
#[derive(Debug, Default)]
pub(super) enum Download {
    #[default]
    None,
    Delivery(u64),
    Untracked,
}

/// One channel, from its open to its close-ok. Confirm tags restart at 1 with each.
#[derive(Debug, Default)]
pub(super) struct Channel {
    pub(super) closing: Closing,
    pub(super) upload: Upload,
    pub(super) download: Download,
    /// The client's own `channel.flow`s that were not answered yet.
    pub(super) flows: usize,
    confirming: bool,
    last_tag: u64,
    /// Forwarded publishes whose confirm the broker has not sent.
    unconfirmed: BTreeMap<u64, Id>,
    /// Confirms on their way to the client, not written yet.
    reaching: BTreeMap<u64, Id>,
    /// Confirms that the client will never get, though its connection stays.
    swallowed: BTreeMap<u64, Id>,
    /// Deliveries that the broker holds as unacknowledged.
    open: BTreeMap<u64, Id>,
    auto_ack: HashSet<Vec<u8>>,
    /// The consumers that acknowledge.
    consumers: BTreeSet<Vec<u8>>,
    consumes: VecDeque<bool>,
    gets: VecDeque<bool>,
}

impl Channel {
    pub(super) fn select_confirms(&mut self) {
        self.confirming = true;
    }

    /// A header was forwarded that announces so many octets of body.
    pub(super) fn uploads(&mut self, body: u64) {
        self.upload =
            if body == 0 { Upload::None } else { Upload::Body { left: body } };
    }

    /// A body frame was forwarded.
    pub(super) fn uploaded(&mut self, len: u64) {
        if let Upload::Body { left } = self.upload {
            self.uploads(left.saturating_sub(len));
        }
    }

    /// Whether the broker has a publish in part: no other method may come between on this channel.
    pub(super) fn is_uploading(&self) -> bool {
        matches!(
            self.upload,
            Upload::Method { held: None } | Upload::Body { .. }
        )
    }

    pub(super) fn is_holding(&self) -> bool {
        matches!(self.upload, Upload::Method { held: Some(_) })
    }

    pub(super) fn take_held(&mut self) -> Option<Vec<u8>> {
        if !self.is_holding() {
            return None;
        }
        match std::mem::take(&mut self.upload) {
            Upload::Method { held } => held,
            _ => None,
        }
    }

    /// A publish's header goes to the broker: the publish gets its tag.
    pub(super) fn published(&mut self, id: Id) {
        if self.confirming {
            self.last_tag += 1;
            self.unconfirmed.insert(self.last_tag, id);
        }
    }

    /// The unconfirmed publishes that a confirm covers. With `multiple`, tag 0 means all of them.
    pub(super) fn covered(&self, tag: u64, multiple: bool) -> Vec<(u64, Id)> {
        covered(&self.unconfirmed, tag, multiple)
    }

    /// The confirm of `tag` is about to be written to the client.
    pub(super) fn confirm_leaves(&mut self, tag: u64) {
        if let Some(id) = self.unconfirmed.remove(&tag) {
            self.reaching.insert(tag, id);
        }
    }

    /// As [`Self::confirm_leaves`] for all that a confirm covers. How many they were.
    pub(super) fn confirms_leave(&mut self, tag: u64, multiple: bool) -> usize {
        if !multiple {
            let known = self.unconfirmed.contains_key(&tag);
            self.confirm_leaves(tag);
            return usize::from(known);
        }
        let later = self.unconfirmed.split_off(&after(tag));
        let mut leaving = std::mem::replace(&mut self.unconfirmed, later);
        let count = leaving.len();
        self.reaching.append(&mut leaving);
        count
    }

    /// All that was leaving has been written.
    pub(super) fn confirms_reached(&mut self) {
        self.reaching.clear();
    }

    /// The confirm of `tag` is withheld for good.
    pub(super) fn swallow_confirm(&mut self, tag: u64) {
        if let Some(id) = self.unconfirmed.remove(&tag) {
            self.swallowed.insert(tag, id);
        }
    }

    /// Whether a `multiple` confirm up to `tag` would tell the client of a swallowed one.
    pub(super) fn would_betray(&self, tag: u64, multiple: bool) -> bool {
        multiple && self.swallowed.range(..after(tag)).next().is_some()
    }

    /// Every forwarded publish whose fate the client does not know, by tag.
    pub(super) fn unknown(&self) -> BTreeMap<u64, &Id> {
        self.unconfirmed
            .iter()
            .chain(&self.reaching)
            .chain(&self.swallowed)
            .map(|(tag, id)| (*tag, id))
            .collect()
    }

    pub(super) fn consume(
        &mut self,
        consumer: &[u8],
        no_ack: bool,
        no_wait: bool,
    ) {
        if !no_wait {
            self.consumes.push_back(no_ack);
        }
        if !consumer.is_empty() {
            self.acks_itself(consumer, no_ack);
        }
    }

    /// The broker names the consumer: it chose the name where the client gave none.
    pub(super) fn consume_ok(&mut self, consumer: &[u8]) {
        if let Some(no_ack) = self.consumes.pop_front() {
            self.acks_itself(consumer, no_ack);
        }
    }

    fn acks_itself(&mut self, consumer: &[u8], no_ack: bool) {
        if no_ack {
            self.auto_ack.insert(consumer.to_vec());
        } else {
            self.auto_ack.remove(consumer);
            self.consumers.insert(consumer.to_vec());
        }
    }

    /// A consumer was cancelled, by either side.
    pub(super) fn cancel(&mut self, consumer: &[u8]) {
        self.consumers.remove(consumer);
    }

    /// The consumers that acknowledge, for the last time.
    pub(super) fn take_consumers(&mut self) -> BTreeSet<Vec<u8>> {
        std::mem::take(&mut self.consumers)
    }

    pub(super) fn get(&mut self, no_ack: bool) {
        self.gets.push_back(no_ack);
    }

    pub(super) fn get_empty(&mut self) {
        self.gets.pop_front();
    }

    pub(super) fn get_ok(&mut self, tag: u64) {
        let tracked = self.gets.pop_front() != Some(true);
        self.download =
            if tracked { Download::Delivery(tag) } else { Download::Untracked };
    }

    pub(super) fn deliver(&mut self, consumer: &[u8], tag: u64) {
        let tracked = !self.auto_ack.contains(consumer);
        self.download =
            if tracked { Download::Delivery(tag) } else { Download::Untracked };
    }

    pub(super) fn returned(&mut self) {
        self.download = Download::Untracked;
    }

    /// The content header that follows a deliver, a get-ok or a return.
    pub(super) fn delivered(&mut self, id: impl FnOnce() -> Id) {
        if let Download::Delivery(tag) = std::mem::take(&mut self.download) {
            self.open.insert(tag, id());
        }
    }

    /// The open deliveries that an ack or nack of the client covers. With `multiple`, tag 0 means
    /// all.
    pub(super) fn open_covered(
        &self,
        tag: u64,
        multiple: bool,
    ) -> Vec<(u64, Id)> {
        covered(&self.open, tag, multiple)
    }

    /// The client's ack or nack goes to the broker.
    pub(super) fn settle(&mut self, tag: u64, multiple: bool) {
        if multiple {
            self.open = self.open.split_off(&after(tag));
        } else {
            self.open.remove(&tag);
        }
    }

    pub(super) fn is_open(&self, tag: u64) -> bool {
        self.open.contains_key(&tag)
    }

    pub(super) fn open(&self) -> impl Iterator<Item = (u64, &Id)> {
        self.open.iter().map(|(tag, id)| (*tag, id))
    }

    pub(super) fn requeue_all(&mut self) {
        self.open.clear();
    }
}

/// The first tag not covered by a `multiple` up to `tag`.
fn after(tag: u64) -> u64 {
    if tag == 0 { u64::MAX } else { tag.saturating_add(1) }
}

fn covered(
    from: &BTreeMap<u64, Id>,
    tag: u64,
    multiple: bool,
) -> Vec<(u64, Id)> {
    if multiple {
        from.range(..after(tag)).map(|(tag, id)| (*tag, id.clone())).collect()
    } else {
        from.get_key_value(&tag)
            .map(|(tag, id)| (*tag, id.clone()))
            .into_iter()
            .collect()
    }
}
