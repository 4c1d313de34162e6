//! What a pipelined publisher hears, answers and silence, and what it makes of
//! each: news for its caller, another attempt, or the end.

use std::{
    future::poll_fn,
    task::{Context, Waker},
    time::Duration,
};

use tokio::time::sleep;

use super::{
    Late, PipelinedPublisher, Resend, link::CLOSED_WITHIN, window::Attempt,
};
use crate::{
    ledger::{Fact, MessageId},
    pattern::publisher::{Answer, GaveUp},
};

/// What a caller has not been told yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Final answers, in the order in which they became final.
    pub answered: Vec<(MessageId, Answer)>,
    /// Publishes whose confirm is late.
    pub late: Vec<MessageId>,
}

/// A full window is refilled when this part of it is answered.
const REFILL: usize = 16;
/// Nothing here is timed more finely.
const TICK: Duration = Duration::from_millis(10);

impl PipelinedPublisher {
    /// Waits until something has happened, and deals with it: an answer, a
    /// publish that waited for too long, an end of the pressure.
    pub(super) async fn news(&mut self) {
        let held_back = self.has_room();
        let full = self.window.unanswered() >= self.settings.window;
        let many = if full { self.settings.window / REFILL } else { 1 };
        let patience = match self.patience() {
            // Out of order, others may have answers before that one has.
            Some(patience) if full => Some(patience.min(TICK)),
            patience => patience,
        };
        let pressure = self.settings.pressure.clone();
        let heard = poll_fn(|cx| self.window.poll_hear_many(many, cx));
        tokio::select! {
            () = heard => {}
            () = sleep(patience.unwrap_or_default()), if patience.is_some() => {}
            () = pressure.ready(), if held_back => {}
        }
        self.hear();
    }

    /// Deals with what is here already.
    pub(super) fn hear(&mut self) {
        let mut nobody = Context::from_waker(Waker::noop());
        let _ = self.window.poll_hear(&mut nobody);
        if self.patience() == Some(Duration::ZERO) {
            match (self.closing, self.settings.late) {
                (None, Late::GiveUp) => self.close(),
                (None, Late::Listen) => self.tell_late(),
                (Some(_), _) => self.window.give_up(),
            }
        }
        if self.window.lost() {
            self.close();
        }
        if self.window.unanswered() == 0 {
            self.closing = None;
        }
        while let Some((attempt, answer)) = self.window.take() {
            self.tell(attempt, answer);
        }
    }

    fn tell_late(&mut self) {
        let timeout = self.settings.confirm_timeout;
        let Some(by) = self.clock().checked_sub(timeout) else { return };
        while let Some(late) = self.window.late(by) {
            self.witness.saw(late, Fact::TimedOut);
            self.told += 1;
            if let Some(news) = &mut self.news {
                news.late.push(late);
            }
        }
    }

    /// How long the oldest publish may still wait.
    fn patience(&self) -> Option<Duration> {
        let left = match self.closing {
            Some(since) if self.window.unanswered() > 0 => {
                CLOSED_WITHIN.checked_sub(since.elapsed())
            }
            _ => self
                .window
                .oldest()?
                .saturating_add(self.settings.confirm_timeout)
                .checked_sub(self.clock()),
        };
        Some(left.map_or(Duration::ZERO, |left| left.max(TICK)))
    }

    pub(super) fn tell(&mut self, attempt: Attempt, answer: Answer) {
        self.witness.saw(attempt.message.id, answer.fact());
        self.told += 1;
        self.summary.count(answer);
        if let Some(news) = &mut self.news {
            news.answered.push((attempt.message.id, answer));
        }
        let resend = match answer {
            Answer::Confirmed => return self.settings.pressure.confirmed(),
            Answer::Nacked => {
                self.settings.pressure.nacked();
                self.settings.nacked
            }
            Answer::Returned => self.settings.nacked,
            Answer::Unknown => self.settings.unknown,
        };
        match resend {
            // An unroutable message would not find a queue the next time.
            Resend::UntilConfirmed { attempts }
                if attempt.number < attempts && answer != Answer::Returned =>
            {
                let number = attempt.number + 1;
                self.again.push_back(Attempt { number, ..attempt });
            }
            _ => {
                let left = GaveUp {
                    id: attempt.message.id,
                    attempts: attempt.number,
                    last: answer,
                };
                if resend != Resend::Never {
                    self.gave_up.get_or_insert_with(|| left.clone());
                }
                // Whoever hears the news has heard it.
                if self.news.is_none() {
                    self.summary.left.push(left);
                }
            }
        }
    }
}
