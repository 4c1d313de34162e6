//! The window: the publishes that are on their way, and what is known of
//! each. It reads no clock and no socket.
//!
//! Answers are read in the order of the publishes, and told one step later.
//! The reason is a trap in lapin (4.12): when the broker answers many
//! publishes with one frame, a message that came back as unroutable is handed
//! to any one of them. Always to one that was on its way by then, so an
//! answer is final once everything that was on its way when it was heard has
//! been heard too. That costs a round trip in the telling and nothing in
//! throughput: what was heard no longer takes up room in the window.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    ledger::MessageId,
    pattern::publisher::{Answer, Outgoing},
};

/// A message, and how often it has been put on the wire with this.
#[derive(Clone)]
pub(super) struct Attempt {
    pub message: Arc<Outgoing>,
    pub number: u32,
}

/// What came of one publish: confirmed, nacked or unknown, and whose message
/// came back with it.
pub(super) struct Heard {
    pub answer: Answer,
    pub returned: Option<MessageId>,
}

/// `C` is what resolves when the broker has answered.
pub(super) struct Window<C> {
    /// Oldest first, numbered without gaps up to `next`.
    on_their_way: VecDeque<OnItsWay<C>>,
    next: u64,
    /// Heard, but a return may still be missing.
    heard: VecDeque<Waiting>,
    returned: Vec<MessageId>,
    lost: bool,
    /// So many of the oldest were said to be late.
    late: usize,
    /// Answered: what they were made of can be used again.
    spare: Vec<C>,
}

struct OnItsWay<C> {
    attempt: Attempt,
    sent: Duration,
    confirm: C,
    /// What it resolved to, where that is known and not yet read.
    here: Option<Heard>,
}

struct Waiting {
    attempt: Attempt,
    answer: Answer,
    /// For all publishes below this number.
    until: u64,
}

impl<C: Future<Output = Heard> + Unpin> Window<C> {
    pub fn new(size: usize) -> Self {
        Self {
            on_their_way: VecDeque::with_capacity(size),
            next: 0,
            heard: VecDeque::with_capacity(size),
            returned: Vec::new(),
            lost: false,
            late: 0,
            spare: Vec::with_capacity(size),
        }
    }

    /// Puts a publish on its way by polling it once.
    pub fn push(&mut self, attempt: Attempt, sent: Duration, confirm: C) {
        let mut publish = OnItsWay { attempt, sent, confirm, here: None };
        publish.ask(&mut Context::from_waker(Waker::noop()));
        self.on_their_way.push_back(publish);
        self.next += 1;
    }

    /// One that has resolved, if there is one.
    pub fn spare(&mut self) -> Option<C> {
        self.spare.pop()
    }

    /// How many publishes the broker has not answered.
    pub fn unanswered(&self) -> usize {
        self.on_their_way.len()
    }

    /// Whether everything was answered, and every answer taken.
    pub fn is_empty(&self) -> bool {
        self.on_their_way.is_empty() && self.heard.is_empty()
    }

    /// When the oldest unanswered publish was sent, of those that are not
    /// late.
    pub fn oldest(&self) -> Option<Duration> {
        self.on_their_way.get(self.late).map(|oldest| oldest.sent)
    }

    /// The next publish that was sent by then and is still not answered: each
    /// is late once.
    pub fn late(&mut self, by: Duration) -> Option<MessageId> {
        loop {
            let next = self.on_their_way.get(self.late)?;
            if next.sent > by {
                return None;
            }
            self.late += 1;
            // Its answer is here, and waits for that of an older one.
            if next.here.is_none() {
                return Some(next.attempt.message.id);
            }
        }
    }

    /// Reads the answers that are here. Ready when there was one.
    pub fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let before = self.on_their_way.len();
        while let Some(oldest) = self.on_their_way.front_mut() {
            oldest.ask(cx);
            let Some(heard) = oldest.here.take() else { break };
            self.hear(heard);
        }
        match self.on_their_way.len() < before {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// As [`poll_hear`](Self::poll_hear), but woken only when the one that is
    /// `many` from the oldest is answered: to be woken for each would cost
    /// more than publishing does.
    pub fn poll_hear_many(
        &mut self,
        many: usize,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let last = many.min(self.on_their_way.len()).saturating_sub(1);
        if let Some(last) = self.on_their_way.get_mut(last) {
            last.ask(cx);
            if last.here.is_none() {
                return Poll::Pending;
            }
        }
        self.poll_hear(cx)
    }

    /// Reads the answers that are here, and takes what is missing for
    /// unknown.
    pub fn give_up(&mut self) {
        let mut nobody = Context::from_waker(Waker::noop());
        while let Some(oldest) = self.on_their_way.front_mut() {
            oldest.ask(&mut nobody);
            let missing = Heard { answer: Answer::Unknown, returned: None };
            let heard = oldest.here.take().unwrap_or(missing);
            self.hear(heard);
        }
    }

    fn hear(&mut self, heard: Heard) {
        let Some(oldest) = self.on_their_way.pop_front() else { return };
        self.late = self.late.saturating_sub(1);
        self.returned.extend(heard.returned);
        self.lost |= heard.answer == Answer::Unknown;
        self.spare.push(oldest.confirm);
        self.heard.push_back(Waiting {
            attempt: oldest.attempt,
            answer: heard.answer,
            until: self.next,
        });
    }

    /// Whether an answer was unknown since this was last asked.
    pub fn lost(&mut self) -> bool {
        std::mem::take(&mut self.lost)
    }

    /// The next answer that is final.
    pub fn take(&mut self) -> Option<(Attempt, Answer)> {
        let all_heard_below = self.next - self.on_their_way.len() as u64;
        self.heard.front().filter(|next| next.until <= all_heard_below)?;
        let Waiting { attempt, mut answer, .. } = self.heard.pop_front()?;
        let id = attempt.message.id;
        if let Some(back) = self.returned.iter().position(|back| *back == id) {
            self.returned.swap_remove(back);
            answer = Answer::Returned;
        }
        Some((attempt, answer))
    }
}

impl<C: Future<Output = Heard> + Unpin> OnItsWay<C> {
    /// Asks for the answer, and keeps it.
    fn ask(&mut self, cx: &mut Context<'_>) {
        if self.here.is_none()
            && let Poll::Ready(heard) = Pin::new(&mut self.confirm).poll(cx)
        {
            self.here = Some(heard);
        }
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
