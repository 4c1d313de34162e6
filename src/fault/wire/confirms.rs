//! AMQP's publisher confirms on their way back, and the faults that wait for them.
//!
//! Called by the tracker. Pure: it must not know sockets. A confirm that is swallowed while the
//! connection stays must not be told by a later `multiple` one either: from then on those are split
//! into single ones.

use super::amqp;
use super::channel::Id;
use super::rules::{Report, Rules};
use super::session::{Book, Decision};
use super::tracker::AmqpTracker;
use super::{MissReason, WireFault};

/// A publisher confirm, positive or negative.
pub(super) struct Confirm {
    pub(super) channel: u16,
    pub(super) tag: u64,
    pub(super) multiple: bool,
    pub(super) ack: bool,
}

impl AmqpTracker {
    /// The broker answers publishes: forwarded, withheld, or rewritten so that one answer is
    /// missing.
    pub(super) fn on_confirm(
        &mut self,
        confirm: &Confirm,
        withhold: bool,
        rules: &mut Rules,
        book: &mut Book,
    ) -> Decision {
        let Some(channel) = self.channels.get_mut(&confirm.channel) else {
            return Decision::Forward;
        };
        let (tag, multiple) = (confirm.tag, confirm.multiple);
        if confirm.ack {
            book.traffic.confirm_frames += 1;
        }
        let armed = rules.any(WireFault::CutBeforeConfirm)
            || rules.any(WireFault::SwallowConfirm);
        if !withhold && !armed && !channel.would_betray(tag, multiple) {
            confirm.count(channel.confirms_leave(tag, multiple), book);
            return Decision::Forward;
        }
        let covered = channel.covered(tag, multiple);
        confirm.count(covered.len(), book);
        let cut = self.meets_cut(confirm, &covered, rules, book) && !withhold;
        self.confirm_one_by_one(
            confirm,
            &covered,
            withhold || cut,
            rules,
            book,
            cut,
        )
    }

    /// Whether a confirm that was to be cut is among those covered. A nack in its place is a miss.
    fn meets_cut(
        &mut self,
        confirm: &Confirm,
        covered: &[(u64, Id)],
        rules: &mut Rules,
        book: &mut Book,
    ) -> bool {
        let mut met = false;
        for (tag, id) in covered {
            let Some(id) = id
                .as_deref()
                .filter(|id| rules.take(id, WireFault::CutBeforeConfirm))
            else {
                continue;
            };
            if confirm.ack {
                self.claim(
                    WireFault::CutBeforeConfirm,
                    id,
                    confirm.channel,
                    *tag,
                );
                met = true;
            } else {
                let (fault, message) =
                    (WireFault::CutBeforeConfirm, id.to_owned());
                book.reports.push(Report::Miss {
                    fault,
                    message,
                    reason: MissReason::Nacked,
                });
            }
        }
        met
    }

    fn confirm_one_by_one(
        &mut self,
        confirm: &Confirm,
        covered: &[(u64, Id)],
        withhold: bool,
        rules: &mut Rules,
        book: &mut Book,
        cut: bool,
    ) -> Decision {
        let Some(channel) = self.channels.get_mut(&confirm.channel) else {
            return Decision::Forward;
        };
        let mut rewrite = channel.would_betray(confirm.tag, confirm.multiple);
        let mut out = Vec::new();
        for (tag, id) in covered {
            if withhold {
                channel.swallow_confirm(*tag);
                continue;
            }
            let taken = id
                .as_deref()
                .filter(|id| rules.take(id, WireFault::SwallowConfirm));
            if let Some(message) = taken.map(str::to_owned) {
                let fault = WireFault::SwallowConfirm;
                if confirm.ack {
                    rewrite = true;
                    channel.swallow_confirm(*tag);
                    let (also, open) = (Vec::new(), Vec::new());
                    book.reports.push(Report::Strike {
                        fault,
                        message,
                        also,
                        open,
                        fenced: true,
                    });
                    continue;
                }
                book.reports.push(Report::Miss {
                    fault,
                    message,
                    reason: MissReason::Nacked,
                });
            }
            channel.confirm_leaves(*tag);
            out.extend(amqp::confirm(confirm.channel, *tag, confirm.ack));
        }
        match (cut, withhold, rewrite) {
            (true, ..) => Decision::Cut,
            (false, true, _) => Decision::Drop,
            (false, false, true) => Decision::Replace(out),
            (false, false, false) => Decision::Forward,
        }
    }
}

impl Confirm {
    fn count(&self, messages: usize, book: &mut Book) {
        let messages = messages as u64;
        let counter = if self.ack {
            &mut book.traffic.confirmed
        } else {
            &mut book.traffic.nacked
        };
        *counter += messages;
    }
}
