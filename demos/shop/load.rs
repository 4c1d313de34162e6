//! The arithmetic of load: what a run is measured by, and what it is
//! measured against. Pure, but for the sleeping of [`Pace`].

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What most had to wait, and the unlucky ones.
///
/// By nearest rank: the least value that at least so many percent do not
/// exceed, so always one that was measured (definition 1 in R. J. Hyndman,
/// Y. Fan, "Sample Quantiles in Statistical Packages", The American
/// Statistician 50 (1996), 361–365).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    /// Half waited no longer.
    pub p50: Duration,
    /// 95 of 100 waited no longer.
    pub p95: Duration,
    /// 99 of 100 waited no longer.
    pub p99: Duration,
    /// Nobody waited longer.
    pub max: Duration,
}

impl Percentiles {
    /// Of these, which are sorted for it; `None` of nothing.
    pub fn of(waits: &mut [Duration]) -> Option<Self> {
        waits.sort_unstable();
        let rank = |percent: usize| {
            let rank = (percent * waits.len()).div_ceil(100);
            waits.get(rank.checked_sub(1)?).copied()
        };
        Some(Self {
            p50: rank(50)?,
            p95: rank(95)?,
            p99: rank(99)?,
            max: rank(100)?,
        })
    }
}

/// A queue as a tank: filled at one rate, drained at another, both per
/// second.
///
/// The fluid approximation (L. Kleinrock, *Queueing Systems*, vol. 2:
/// *Computer Applications*, Wiley 1976, chapter 2): while λ > μ the backlog
/// grows as (λ − μ)·t, and chance hardly matters. For λ < μ it says zero and
/// is silent on the short queues that chance makes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fluid {
    /// λ: what arrives in a second.
    pub arrival: f64,
    /// μ: what can be served in a second.
    pub service: f64,
}

impl Fluid {
    /// What waits after so many seconds, beginning with nothing:
    /// (λ − μ)·t, and never less than nothing.
    pub fn backlog_after(&self, seconds: f64) -> f64 {
        ((self.arrival - self.service) * seconds).max(0.0)
    }

    /// How many seconds this backlog lasts once nothing more arrives:
    /// backlog / μ; for ever where nothing is served.
    pub fn drain_time(&self, backlog: f64) -> f64 {
        if backlog <= 0.0 { 0.0 } else { backlog / self.service }
    }
}

/// Little's law, L = λ·W, read as W = L / λ: how many seconds each stays in
/// the mean, from the mean number in a system and what arrives in a second,
/// whatever the order of service and the distributions (J. D. C. Little, "A
/// Proof for the Queuing Formula: L = λW", Operations Research 9 (1961),
/// 383–387).
pub fn little(arrival_rate: f64, mean_number: f64) -> f64 {
    mean_number / arrival_rate
}

/// The mean depth of a queue over time, from samples of it: the integral of
/// depth over time, divided by the time. A depth holds until the next
/// sample, which is exact where every change is a sample.
///
/// This is the L of [`little`], measured: a mean over *time*. The mean of the
/// samples would be another number where they are not evenly spaced.
#[derive(Clone, Copy, Debug, Default)]
pub struct DepthIntegral {
    first: Option<Duration>,
    last: (Duration, f64),
    integral: f64,
}

impl DepthIntegral {
    /// Adds that the depth was this at that time; times are counted from any
    /// one moment and do not go back (one that does is taken for the last).
    pub fn add(&mut self, at: Duration, depth: f64) {
        let (last, held) = self.last;
        let at = if self.first.is_some() { at.max(last) } else { at };
        if self.first.is_some() {
            self.integral += held * (at - last).as_secs_f64();
        } else {
            self.first = Some(at);
        }
        self.last = (at, depth);
    }

    /// The mean depth from the first sample to the last; `None` before any
    /// time has passed. The last sample's depth has held for no time yet.
    pub fn mean(&self) -> Option<f64> {
        let passed = self.last.0.checked_sub(self.first?)?;
        (!passed.is_zero()).then(|| self.integral / passed.as_secs_f64())
    }
}

/// Arrivals at an even pace that waits for nobody: an open loop.
///
/// Arrival *n* (from 0) is due n/λ after the start, counted from there each
/// time, so that no error adds up. One who falls behind does not sleep until
/// he has caught up: a slow service gets no fewer arrivals for being slow. A
/// closed loop would spare it (B. Schroeder, A. Wierman, M. Harchol-Balter,
/// "Open Versus Closed: A Cautionary Tale", NSDI 2006).
///
/// Tokio's timer ticks in milliseconds: above 1000 per second arrivals come
/// by twos and threes, at the same rate.
#[derive(Debug)]
pub struct Pace {
    rate: f64,
    arrivals: u32,
    /// When the first was asked for.
    start: Option<Instant>,
    come: u32,
}

impl Pace {
    /// So many arrivals, at a rate per second. The first comes at once when
    /// it is asked for; that starts the clock. At a rate that is not above
    /// zero nothing else ever comes.
    pub const fn new(rate: f64, arrivals: u32) -> Self {
        Self { rate, arrivals, start: None, come: 0 }
    }

    /// Sleeps until the next arrival is due and gives its number, from 1;
    /// `None` after the last. Dropped while it sleeps, it has lost nothing.
    pub async fn next(&mut self) -> Option<u32> {
        if self.come == self.arrivals {
            return None;
        }
        let due = *self.start.get_or_insert_with(Instant::now)
            + due(self.come, self.rate)?;
        // A deadline that has passed would still cost a turn of the runtime.
        if due > Instant::now() {
            sleep_until(due).await;
        }
        self.come += 1;
        Some(self.come)
    }
}

/// When arrival `n` (from 0) is due, counted from the start.
fn due(n: u32, rate: f64) -> Option<Duration> {
    if n == 0 {
        return Some(Duration::ZERO);
    }
    Duration::try_from_secs_f64(f64::from(n) / rate).ok()
}

#[cfg(test)]
mod tests;
