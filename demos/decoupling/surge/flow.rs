//! Who came when, and who was done when.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{demos::shop::load::Fluid, ledger::MessageId};

/// Orders through a service, by the clock. Cheap to clone.
#[derive(Clone, Default)]
pub struct Flow(Arc<Mutex<Times>>);

#[derive(Default)]
struct Times {
    began: Option<Instant>,
    came: BTreeMap<MessageId, Duration>,
    done: BTreeMap<MessageId, Duration>,
    in_hand: u32,
    /// Calls that were answered well, and how long they took together.
    calls: u32,
    called: Duration,
}

/// What there is to see of it at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub at: Duration,
    pub came: usize,
    pub done: usize,
    /// Delivered, and neither acked nor given back.
    pub in_hand: u32,
}

impl Flow {
    /// The clock starts.
    pub fn begin(&self) {
        self.lock().began = Some(Instant::now());
    }

    pub fn came(&self, order: MessageId) {
        let mut times = self.lock();
        let now = times.now();
        times.came.insert(order, now);
    }

    pub fn begun(&self) {
        self.lock().in_hand += 1;
    }

    /// Its call took so long, if it was answered well.
    pub fn ended(&self, call: Option<Duration>) {
        let mut times = self.lock();
        times.in_hand -= 1;
        if let Some(call) = call {
            times.calls += 1;
            times.called += call;
        }
    }

    pub fn done(&self, order: MessageId) {
        let mut times = self.lock();
        let now = times.now();
        times.done.entry(order).or_insert(now);
    }

    pub fn is_done(&self, order: MessageId) -> bool {
        self.lock().done.contains_key(&order)
    }

    pub fn seen(&self) -> Seen {
        let times = self.lock();
        Seen {
            at: times.now(),
            came: times.came.len(),
            done: times.done.len(),
            in_hand: times.in_hand,
        }
    }

    /// λ: how fast orders came.
    pub fn arrival(&self) -> f64 {
        let times = self.lock();
        per_second(times.came.len().saturating_sub(1), times.burst())
    }

    /// λ as it was, and the μ of a service that works on so many calls at
    /// once, each taking as long as it really took, and never waits for one.
    pub fn fluid(&self, at_once: u16) -> Fluid {
        let arrival = self.arrival();
        let times = self.lock();
        let one_by_one = per_second(times.calls as usize, times.called);
        Fluid { arrival, service: one_by_one * f64::from(at_once) }
    }

    /// From the first order to the last.
    pub fn burst(&self) -> Duration {
        self.lock().burst()
    }

    /// From the last order until all were done.
    pub fn drain(&self) -> Duration {
        let times = self.lock();
        let last = times.done.values().max().copied().unwrap_or_default();
        last.saturating_sub(times.last_came())
    }

    /// How long each order took that was done, from the customer's coming.
    pub fn waits(&self) -> BTreeMap<MessageId, Duration> {
        let times = self.lock();
        let wait = |(order, done): (&MessageId, &Duration)| {
            let came = times.came.get(order)?;
            Some((*order, done.saturating_sub(*came)))
        };
        times.done.iter().filter_map(wait).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Times {
    fn now(&self) -> Duration {
        self.began.map(|began| began.elapsed()).unwrap_or_default()
    }

    fn last_came(&self) -> Duration {
        self.came.values().max().copied().unwrap_or_default()
    }

    fn burst(&self) -> Duration {
        let first = self.came.values().min().copied().unwrap_or_default();
        self.last_came().saturating_sub(first)
    }
}

fn per_second(count: usize, time: Duration) -> f64 {
    match time.is_zero() {
        true => 0.0,
        false => count as f64 / time.as_secs_f64(),
    }
}
