//! Back pressure: what the broker says when it has had enough, passed on to
//! whoever publishes.
//!
//! *When:* whenever messages may come faster than the broker takes them. It
//! says so in two ways: it nacks (a full queue that rejects publishes), and
//! it blocks the connection (memory or disk alarm). *Cost:* publishers wait,
//! and so do their callers; a caller that may not wait asks [`is_open`] and
//! refuses its customer at the door. *Does not protect from:* an alarm that
//! lasts, and the moment before the news is here. What was published by then
//! lies in buffers; waiting there is not losing, and sending it again would
//! double it.
//!
//! Without this a blocked connection goes unnoticed: lapin (4.12) stops
//! writing to the socket, also the acks of consumers on that connection, and
//! keeps on accepting publishes into memory. Hence one connection for
//! publishing and another for consuming.
//!
//! [`is_open`]: Pressure::is_open
//!
//! Source: RabbitMQ documentation, "Blocked Connection Notifications",
//! "Memory and Disk Alarms", and "Queue Length Limit", section on
//! reject-publish.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use lapin::{Connection, Event};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, timeout_at},
};

use super::backoff::{Backoff, Jitter, Retry};

/// Shared by all that publish to one broker. Cheap to clone; all clones are
/// the same gate.
#[derive(Clone)]
pub struct Pressure(Arc<watch::Sender<State>>);

struct State {
    retry: Retry,
    /// Connections that the broker has blocked.
    blocked: usize,
    blocked_since: Option<Instant>,
    /// After a nack: nobody publishes before this.
    not_before: Option<Instant>,
    seen: Seen,
}

/// What there was to see of the pressure so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Publishes that the broker refused.
    pub nacks: u64,
    /// Times that it blocked a connection.
    pub blocks: u64,
    /// How long at least one connection was blocked.
    pub blocked: Duration,
    /// How long publishers waited, all together.
    pub waited: Duration,
}

const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(10),
    most: Duration::from_secs(1),
    jitter: Jitter::Full,
};

impl Default for Pressure {
    /// From 10 ms to a second, with full jitter.
    fn default() -> Self {
        Self::new(Retry::new(BACKOFF))
    }
}

impl Pressure {
    /// A gate that is open, and waits like this after nacks.
    pub fn new(retry: Retry) -> Self {
        Self(Arc::new(watch::Sender::new(State {
            retry,
            blocked: 0,
            blocked_since: None,
            not_before: None,
            seen: Seen::default(),
        })))
    }

    /// Waits until it is worth while to publish: no connection is blocked,
    /// and the delay after the last nack is over. Cancelling loses nothing.
    pub async fn ready(&self) {
        if self.is_open() {
            return;
        }
        let began = Instant::now();
        let _waited = OnDrop(|| {
            self.quietly(|state| state.seen.waited += began.elapsed());
        });
        let mut news = self.0.subscribe();
        loop {
            let not_before = {
                let state = news.borrow_and_update();
                if state.is_open() {
                    return;
                }
                state.not_before.filter(|_| state.blocked == 0)
            };
            // The sender lives in self: there is always news to wait for.
            let _ = match not_before {
                Some(at) => timeout_at(at, news.changed()).await,
                None => Ok(news.changed().await),
            };
        }
    }

    /// Whether a publish would go out at once. For a caller that would
    /// rather say no than wait: it may be shut a moment later.
    pub fn is_open(&self) -> bool {
        self.0.borrow().is_open()
    }

    /// Whether the broker has blocked a connection.
    pub fn is_blocked(&self) -> bool {
        self.0.borrow().blocked > 0
    }

    /// What there was to see so far.
    pub fn seen(&self) -> Seen {
        let state = self.0.borrow();
        let now = state.blocked_since.map(|since| since.elapsed());
        let blocked = state.seen.blocked + now.unwrap_or_default();
        Seen { blocked, ..state.seen }
    }

    /// The broker refused a publish: nobody publishes for a while. Refusals
    /// that come in during that while are answers to what was already on its
    /// way, and do not make it longer.
    pub fn nacked(&self) {
        self.quietly(|state| {
            state.seen.nacks += 1;
            if state.delay_left().is_none() {
                let delay = state.retry.next_delay();
                state.not_before = Some(Instant::now() + delay);
            }
        });
    }

    /// The broker took a publish over: the next delay is the first one
    /// again. One that has begun is waited out.
    pub fn confirmed(&self) {
        // Called for every confirm, and there is hardly ever a thing to reset.
        if self.0.borrow().retry.failed() > 0 {
            self.quietly(|state| state.retry.reset());
        }
    }

    /// Heeds connection.blocked and connection.unblocked on this connection,
    /// for as long as both the connection and what is returned live.
    ///
    /// Takes the connection's only event listener: lapin (4.12) hands each
    /// event to one of its listeners, not to all.
    pub fn listen(&self, connection: &Connection) -> Listening {
        let events = connection.events_listener();
        let mut gate = Gate { pressure: self.clone(), blocked: false };
        // It may have happened before there was a listener.
        gate.set(connection.status().blocked());
        let task = tokio::spawn(listen(events, gate));
        Listening(task.abort_handle())
    }

    /// Changes what nobody waits for.
    fn quietly(&self, change: impl FnOnce(&mut State)) {
        self.0.send_if_modified(|state| {
            change(state);
            false
        });
    }

    fn block(&self) {
        self.0.send_modify(|state| {
            state.seen.blocks += 1;
            state.blocked += 1;
            state.blocked_since.get_or_insert_with(Instant::now);
        });
    }

    fn unblock(&self) {
        self.0.send_modify(|state| {
            state.blocked = state.blocked.saturating_sub(1);
            if state.blocked == 0
                && let Some(since) = state.blocked_since.take()
            {
                state.seen.blocked += since.elapsed();
            }
        });
    }
}

impl State {
    fn is_open(&self) -> bool {
        self.blocked == 0 && self.delay_left().is_none()
    }

    fn delay_left(&self) -> Option<Duration> {
        let left = self.not_before?.checked_duration_since(Instant::now())?;
        (!left.is_zero()).then_some(left)
    }
}

/// Dropping it ends the listening, and a connection that nobody listens to
/// blocks nobody.
#[must_use = "dropping it ends the listening"]
pub struct Listening(AbortHandle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One connection's part in the pressure. A dead connection is not blocked:
/// whoever publishes on the next one will hear it anew.
struct Gate {
    pressure: Pressure,
    blocked: bool,
}

impl Gate {
    fn set(&mut self, blocked: bool) {
        if blocked && !self.blocked {
            self.pressure.block();
        } else if !blocked && self.blocked {
            self.pressure.unblock();
        }
        self.blocked = blocked;
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.set(false);
    }
}

async fn listen(events: impl Stream<Item = Event>, mut gate: Gate) {
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Event::ConnectionBlocked(_) => gate.set(true),
            Event::ConnectionUnblocked => gate.set(false),
            Event::Error(_) => return,
            _ => {}
        }
    }
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
#[path = "pressure_tests.rs"]
mod tests;
