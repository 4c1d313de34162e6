//! How long something took, of every message and in little room: counted in
//! classes that are exact up to 64 ms and within 3 % above.

use std::collections::HashMap;

use crate::ledger::MessageId;

/// Messages that may be under way at once; others are not measured.
const OPEN: usize = 10_000;
/// Classes in each doubling, as a power of two.
const BITS: u32 = 5;
const FINE: u64 = 1 << BITS;

/// Times from one fact of a message to another.
#[derive(Debug, Default)]
pub(super) struct Latency {
    open: HashMap<MessageId, u64>,
    classes: Vec<u32>,
    pub measured: u64,
    /// There was no room to measure these.
    pub missed: u64,
    pub most: u64,
}

impl Latency {
    /// The time of a message begins, unless it has begun already.
    pub fn begins(&mut self, message: MessageId, at: u64) {
        if self.open.len() < OPEN {
            self.open.entry(message).or_insert(at);
        } else if !self.open.contains_key(&message) {
            self.missed += 1;
        }
    }

    /// It ends, and counts.
    pub fn ends(&mut self, message: MessageId, at: u64) {
        let Some(began) = self.open.remove(&message) else { return };
        let took = at.saturating_sub(began);
        let class = class(took);
        if self.classes.len() <= class {
            self.classes.resize(class + 1, 0);
        }
        self.classes[class] = self.classes[class].saturating_add(1);
        self.measured += 1;
        self.most = self.most.max(took);
    }

    /// It ends otherwise, and does not count.
    pub fn fails(&mut self, message: MessageId) {
        self.open.remove(&message);
    }

    /// Nothing will end any more.
    pub fn settle(&mut self) {
        self.open = HashMap::new();
    }

    /// The time within which so many parts of a thousand were done.
    pub fn quantile(&self, parts: u64) -> u64 {
        let wanted = (self.measured * parts).div_ceil(1_000).max(1);
        let mut seen = 0;
        for (n, count) in self.classes.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return longest(n).min(self.most);
            }
        }
        self.most
    }

    /// How many took how long: 0, 1, 2, to 4, to 8 ms, and so on; each class
    /// by the longest time in it, from the shortest that occurs to the
    /// longest.
    pub fn histogram(&self) -> Vec<(u64, u64)> {
        let mut columns: Vec<(u64, u64)> = Vec::new();
        let counted =
            self.classes.iter().enumerate().filter(|(_, count)| **count > 0);
        for (n, count) in counted {
            let upto = match longest(n) {
                0 => 0,
                took => took.next_power_of_two(),
            };
            while let Some((last, _)) = columns.last()
                && *last < upto
            {
                let next = (*last * 2).max(1);
                columns.push((next, 0));
            }
            match columns.last_mut() {
                Some((_, sum)) => *sum += u64::from(*count),
                None => columns.push((upto, u64::from(*count))),
            }
        }
        columns
    }
}

/// The class of a time.
fn class(took: u64) -> usize {
    let class = if took < 2 * FINE {
        took
    } else {
        let shift = took.ilog2() - BITS;
        u64::from(shift) * FINE + (took >> shift)
    };
    usize::try_from(class).unwrap_or(usize::MAX)
}

/// The longest time in a class.
fn longest(class: usize) -> u64 {
    let class = class as u64;
    if class < 2 * FINE {
        return class;
    }
    let shift = class / FINE - 1;
    let lowest = (class - shift * FINE) << shift;
    lowest + (1 << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_its_times_and_hardly_more() {
        for took in (0..5_000).chain([65_535, 1 << 20, 86_400_000, 1 << 40]) {
            let longest = longest(class(took));
            assert!(took <= longest, "{took}");
            assert!(longest as f64 <= took as f64 * 1.032, "{took} {longest}");
            assert!(class(longest) == class(took), "{took}");
            assert!(class(longest + 1) == class(took) + 1, "{took}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_times() {
        let mut latency = Latency::default();
        for took in 1..=1_000 {
            latency.begins(MessageId::payment(1), 7);
            latency.ends(MessageId::payment(1), 7 + took);
        }
        assert_eq!(latency.measured, 1_000);
        assert_eq!(latency.most, 1_000);
        for (parts, right) in [(500, 500.0), (990, 990.0), (1_000, 1_000.0)] {
            let told = latency.quantile(parts) as f64;
            assert!((right..right * 1.04).contains(&told), "{parts} {told}");
        }
    }

    #[test]
    fn a_histogram_has_every_class_between_its_ends() {
        let mut latency = Latency::default();
        for took in [0, 0, 1, 3, 17] {
            latency.begins(MessageId::payment(1), 0);
            latency.ends(MessageId::payment(1), took);
        }
        let wanted = [(0, 2), (1, 1), (2, 0), (4, 1), (8, 0), (16, 0), (32, 1)];
        assert_eq!(latency.histogram(), wanted);
    }

    #[test]
    fn what_was_not_answered_is_not_measured() {
        let mut latency = Latency::default();
        let id = MessageId::payment(1);
        latency.begins(id, 0);
        latency.fails(id);
        latency.ends(id, 9);
        latency.begins(id, 10);
        latency.begins(id, 15);
        latency.ends(id, 20);
        assert_eq!((latency.measured, latency.most), (1, 10));
    }
}
