//! One gauge over time, in as many cells as a page has columns.

use crate::event::Gauge;

use super::curve::Samples;

/// What one gauge showed, by the time in milliseconds.
pub(super) struct Series {
    points: Vec<(f64, f64)>,
}

impl Series {
    /// What one gauge showed; `None` where it was not looked at.
    pub fn of(gauge: Gauge, samples: &Samples) -> Option<Self> {
        let mut points: Vec<(f64, f64)> = samples
            .iter()
            .filter_map(|(at, gauges)| {
                let value = gauges.get(&gauge)?;
                let value = if value.is_finite() { *value } else { 0.0 };
                Some((*at as f64, value.max(0.0)))
            })
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        (!points.is_empty()).then_some(Self { points })
    }

    /// The highest.
    pub fn most(&self) -> f64 {
        self.peak().1
    }

    /// The first of the highest.
    pub fn peak(&self) -> (f64, f64) {
        let higher = |best: (f64, f64), point: &(f64, f64)| {
            if point.1 > best.1 { *point } else { best }
        };
        self.points.iter().fold((0.0, 0.0), higher)
    }

    /// When it last showed something, and when nothing any more for good.
    pub fn ends(&self) -> Option<(f64, f64)> {
        let last = self.points.iter().rposition(|(_, value)| *value > 0.0)?;
        let after = self.points.get(last + 1)?;
        Some((self.points[last].0, after.0))
    }

    /// The mean of a rate from its first to its last.
    pub fn mean(&self) -> f64 {
        let busy = |(_, value): &(f64, f64)| *value > 0.0;
        let (Some(first), Some(last)) = (
            self.points.iter().position(busy),
            self.points.iter().rposition(busy),
        ) else {
            return 0.0;
        };
        let before = |n: usize| match n {
            0 => 0.0,
            _ => self.points[n - 1].0,
        };
        let from = before(first);
        let sum: f64 = (first..=last)
            .map(|n| self.points[n].1 * (self.points[n].0 - before(n)))
            .sum();
        match self.points[last].0 - from {
            0.0 => self.points[last].1,
            length => sum / length,
        }
    }

    /// A rate in each cell: the mean. A sample tells of the time since the
    /// one before it.
    pub fn means(&self, span: u64, columns: usize) -> Vec<f64> {
        let wide = span as f64 / columns as f64;
        let mut sums = vec![0.0; columns];
        let mut since = 0.0;
        for (at, rate) in &self.points {
            let (first, last) = (cell(since, wide), cell(*at, wide));
            for (n, sum) in
                sums.iter_mut().enumerate().take(last + 1).skip(first)
            {
                let (from, to) = (n as f64 * wide, (n + 1) as f64 * wide);
                let shared = at.min(to) - f64::max(since, from);
                *sum += rate * shared.max(0.0) / wide;
            }
            since = *at;
        }
        // What a rounding error leaves is nothing.
        let most = sums.iter().copied().fold(0.0, f64::max);
        sums.iter()
            .map(|sum| if *sum < most * 1e-9 { 0.0 } else { *sum })
            .collect()
    }

    /// A depth in each cell: the highest; between two samples a line.
    pub fn highest(&self, span: u64, columns: usize) -> Vec<f64> {
        let wide = span as f64 / columns as f64;
        let mut cells: Vec<Option<f64>> = vec![None; columns];
        for (at, value) in &self.points {
            if let Some(seen) = cells.get_mut(cell(*at, wide).min(columns - 1))
            {
                *seen = Some(seen.map_or(*value, |seen| seen.max(*value)));
            }
        }
        let filled = cells.iter().enumerate().map(|(n, seen)| {
            seen.unwrap_or_else(|| self.at((n as f64 + 0.5) * wide))
        });
        filled.collect()
    }

    /// The last that it showed.
    pub fn last(&self) -> f64 {
        self.points.last().map_or(0.0, |(_, value)| *value)
    }

    /// Between two samples lies a line.
    fn at(&self, time: f64) -> f64 {
        let next = self.points.partition_point(|(at, _)| *at < time);
        match (
            next.checked_sub(1).map(|n| self.points[n]),
            self.points.get(next),
        ) {
            (Some((from, a)), Some((to, b))) if *to > from => {
                a + (b - a) * (time - from) / (to - from)
            }
            (_, Some((_, value))) => *value,
            (Some((_, value)), None) => value,
            (None, None) => 0.0,
        }
    }
}

/// The cell in which a moment lies.
fn cell(at: f64, wide: f64) -> usize {
    (at / wide).floor() as usize
}
