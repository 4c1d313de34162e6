//! How many messages came how far, and when: of all of them, in as many
//! columns as can be drawn.

use crate::ledger::Fact;

/// Columns that are kept; where time runs on, two become one.
const COLUMNS: usize = 256;

/// What is counted, from the shop to the effect.
pub(super) const COUNTED: [Fact; 4] =
    [Fact::Sent, Fact::Confirmed, Fact::Delivered, Fact::Applied];

/// Counts over time.
#[derive(Debug)]
pub(super) struct Flow {
    began: u64,
    /// Milliseconds of a column.
    wide: u64,
    counts: [Vec<u32>; COUNTED.len()],
}

impl Flow {
    pub fn new(began: u64) -> Self {
        Self { began, wide: 1, counts: Default::default() }
    }

    pub fn saw(&mut self, fact: Fact, at: u64) {
        let fact = match fact {
            Fact::Redelivered => Fact::Delivered,
            other => other,
        };
        let Some(row) = COUNTED.iter().position(|counted| *counted == fact)
        else {
            return;
        };
        let since = at.saturating_sub(self.began);
        while since / self.wide >= COLUMNS as u64 {
            self.wide *= 2;
            for counts in &mut self.counts {
                *counts =
                    counts.chunks(2).map(|two| two.iter().sum()).collect();
            }
        }
        let column = (since / self.wide) as usize;
        let counts = &mut self.counts[row];
        if counts.len() <= column {
            counts.resize(column + 1, 0);
        }
        counts[column] = counts[column].saturating_add(1);
    }

    /// What there is, each with its sum; deliveries count each.
    pub fn rows(&self) -> impl Iterator<Item = (Fact, u64)> {
        let sums = self.counts.iter().map(|counts| {
            counts.iter().map(|count| u64::from(*count)).sum::<u64>()
        });
        COUNTED.into_iter().zip(sums).filter(|(_, sum)| *sum > 0)
    }

    /// The counts of a row between two moments, in at most so many columns,
    /// each with the moments between which it lies.
    pub fn columns(
        &self,
        fact: Fact,
        (from, to): (u64, u64),
        most: usize,
    ) -> Vec<(u64, u64, u64)> {
        let row = COUNTED.iter().position(|counted| *counted == fact);
        let Some(counts) = row.map(|row| &self.counts[row]) else {
            return Vec::new();
        };
        let first = (from.saturating_sub(self.began) / self.wide) as usize;
        let last = (to.saturating_sub(self.began) / self.wide) as usize;
        let together = (last + 1 - first.min(last)).div_ceil(most.max(1));
        let end = counts.len().min(last + 1);
        let shown = counts.get(first.min(end)..end).unwrap_or_default();
        let columns = shown.chunks(together).enumerate();
        columns
            .map(|(n, chunk)| {
                let at = |column: usize| {
                    self.began + (first + column) as u64 * self.wide
                };
                let sum = chunk.iter().map(|count| u64::from(*count)).sum();
                (at(n * together), at((n + 1) * together), sum)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_where_columns_become_one() {
        let mut flow = Flow::new(1_000);
        for at in 0..100_000 {
            flow.saw(Fact::Sent, 1_000 + at);
        }
        flow.saw(Fact::Redelivered, 90_000);
        let rows: Vec<_> = flow.rows().collect();
        assert_eq!(rows, [(Fact::Sent, 100_000), (Fact::Delivered, 1)]);
        let columns = flow.columns(Fact::Sent, (1_000, 101_000), 100);
        assert!(columns.len() <= 100, "{}", columns.len());
        let sum: u64 = columns.iter().map(|(_, _, count)| count).sum();
        assert_eq!(sum, 100_000);
        assert_eq!(columns[0].0, 1_000);
        assert!(columns.windows(2).all(|two| two[0].1 == two[1].0));
    }
}
