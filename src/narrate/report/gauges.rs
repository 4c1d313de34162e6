//! What the gauges showed, in as many samples as can be drawn.

use std::collections::BTreeMap;

use crate::event::Gauge;

/// Samples that are kept; where more come, two become one.
const SAMPLES: usize = 1_024;

/// What the gauges showed, and when.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    pub samples: Vec<(u64, BTreeMap<Gauge, f64>)>,
    /// When the way began to measure, within the run.
    pub began: u64,
    /// Samples that one of those kept stands for.
    pub together: usize,
    pending: Option<(u64, BTreeMap<Gauge, f64>, usize)>,
}

impl Gauges {
    pub fn sample(
        &mut self,
        at: u64,
        since: u64,
        gauges: &BTreeMap<Gauge, f64>,
    ) {
        if self.samples.is_empty() && self.pending.is_none() {
            self.began = at.saturating_sub(since);
            self.together = 1;
        }
        let (time, sums, count) = match self.pending.take() {
            None => (since, gauges.clone(), 1),
            Some((_, sums, count)) => {
                (since, merged(&sums, count, gauges, 1), count + 1)
            }
        };
        if count < self.together {
            self.pending = Some((time, sums, count));
            return;
        }
        self.samples.push((time, sums));
        if self.samples.len() == SAMPLES {
            self.together *= 2;
            let pairs = self.samples.chunks(2).map(|two| match two {
                [(_, a), (at, b)] => (*at, merged(a, 1, b, 1)),
                other => other[0].clone(),
            });
            self.samples = pairs.collect();
        }
    }

    /// No more will come: what waits for another is the last.
    pub fn settle(&mut self) {
        let last = self.pending.take();
        self.samples.extend(last.map(|(at, gauges, _)| (at, gauges)));
    }
}

/// A depth is the highest, a rate the mean.
fn merged(
    a: &BTreeMap<Gauge, f64>,
    times_a: usize,
    b: &BTreeMap<Gauge, f64>,
    times_b: usize,
) -> BTreeMap<Gauge, f64> {
    let mut merged = a.clone();
    for (gauge, value) in b {
        let both = match (merged.get(gauge), gauge) {
            (None, _) => *value,
            (Some(known), Gauge::Depth) => known.max(*value),
            (Some(known), _) => {
                let (a, b) = (times_a as f64, times_b as f64);
                (known * a + value * b) / (a + b)
            }
        };
        merged.insert(*gauge, both);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_has_no_more_samples_and_the_same_peak_and_mean() {
        let mut gauges = Gauges::default();
        for n in 0..100_000_u64 {
            let depth = if n == 77_777 { 9.0 } else { 1.0 };
            let rate = (n % 2) as f64 * 10.0;
            let shown = [(Gauge::Depth, depth), (Gauge::Served, rate)];
            gauges.sample(500 + n, n, &shown.into());
        }
        gauges.settle();
        assert!(gauges.samples.len() <= SAMPLES);
        assert_eq!(gauges.samples.last().map(|s| s.0), Some(99_999));
        assert_eq!(gauges.began, 500);
        let of = |gauge| gauges.samples.iter().map(move |s| s.1[&gauge]);
        assert_eq!(of(Gauge::Depth).fold(0.0, f64::max), 9.0);
        // Sums of binary fractions, so nearly.
        assert!(of(Gauge::Served).all(|rate| (rate - 5.0).abs() < 1e-6));
        let times: Vec<_> = gauges.samples.iter().map(|s| s.0).collect();
        assert!(times.is_sorted());
    }
}
