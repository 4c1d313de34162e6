//! AMQP's consumer acks on their way to the broker, and the faults that wait for them.
//!
//! Called by the tracker. Pure: it must not know sockets. A swallowed ack is only a claim: it has
//! struck if its tag is open when the channel or the connection ends, and has missed if a later
//! answer of the consumer covered it.

use super::channel::{Closing, Id};
use super::claim::miss;
use super::rules::{Report, Rules};
use super::session::{Book, Decision};
use super::tracker::AmqpTracker;
use super::{MissReason, WireFault};

/// The faults that an ack can meet, the one that cuts first.
const FAULTS: [WireFault; 2] =
    [WireFault::SwallowAckThenCut, WireFault::SwallowAck];

impl AmqpTracker {
    /// An ack of the consumer: forwarded, or swallowed for a message that it covers.
    pub(super) fn client_ack(
        &mut self,
        number: u16,
        tag: u64,
        multiple: bool,
        rules: &mut Rules,
        book: &mut Book,
    ) -> Decision {
        book.traffic.consumer_acks += 1;
        let mut decision = Decision::Forward;
        if FAULTS.iter().any(|f| rules.any(*f)) {
            for (tag, id) in self.open_covered(number, tag, multiple) {
                let Some(id) = id else { continue };
                match rules.take_one_of(&id, &FAULTS) {
                    Some(WireFault::SwallowAckThenCut) => {
                        self.claim(
                            WireFault::SwallowAckThenCut,
                            &id,
                            number,
                            tag,
                        );
                        decision = Decision::Cut;
                    }
                    Some(fault) => {
                        self.claim(fault, &id, number, tag);
                        if decision == Decision::Forward {
                            decision = Decision::Drop;
                        }
                    }
                    None => {}
                }
            }
        }
        if decision == Decision::Forward {
            self.settle(number, tag, multiple, book);
        }
        decision
    }

    /// A nack, reject or recover of the consumer: what was to be swallowed is no ack.
    pub(super) fn client_refuses(
        &mut self,
        number: u16,
        tag: u64,
        multiple: bool,
        rules: &mut Rules,
        book: &mut Book,
    ) {
        if FAULTS.iter().any(|f| rules.any(*f)) {
            for id in self
                .open_covered(number, tag, multiple)
                .into_iter()
                .filter_map(|(_, id)| id)
            {
                if let Some(fault) = rules.take_one_of(&id, &FAULTS) {
                    let message = id.into_string();
                    book.reports.push(Report::Miss {
                        fault,
                        message,
                        reason: MissReason::Refused,
                    });
                }
            }
        }
        self.settle(number, tag, multiple, book);
    }

    /// An answer of the consumer is forwarded: faults whose tag it covers have missed.
    fn settle(
        &mut self,
        number: u16,
        tag: u64,
        multiple: bool,
        book: &mut Book,
    ) {
        let Some(channel) = self.channels.get_mut(&number) else {
            return;
        };
        channel.settle(tag, multiple);
        if self.claims.is_empty() {
            return;
        }
        for claim in std::mem::take(&mut self.claims) {
            if claim.swallows_ack()
                && claim.channel == number
                && !channel.is_open(claim.tag)
            {
                book.reports.push(miss(claim, MissReason::Covered));
            } else {
                self.claims.push(claim);
            }
        }
    }

    /// With its channel, a delivery goes back to its queue: a swallowed ack whose tag is open has
    /// struck.
    pub(super) fn channel_closes(
        &mut self,
        number: u16,
        by: Closing,
        book: &mut Book,
    ) {
        for claim in std::mem::take(&mut self.claims) {
            let open = self
                .channels
                .get(&claim.channel)
                .is_some_and(|c| c.is_open(claim.tag));
            if claim.swallows_ack() && claim.channel == number && open {
                book.reports.push(self.strike(claim, true));
            } else {
                self.claims.push(claim);
            }
        }
        if let Some(channel) = self.channels.get_mut(&number) {
            channel.closing = by;
            channel.requeue_all();
        }
    }

    fn open_covered(
        &self,
        number: u16,
        tag: u64,
        multiple: bool,
    ) -> Vec<(u64, Id)> {
        self.channels
            .get(&number)
            .map(|c| c.open_covered(tag, multiple))
            .unwrap_or_default()
    }
}
