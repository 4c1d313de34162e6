//! How many messages the broker had taken that were not yet done, over time,
//! as the facts tell it: for where nobody looked into the queue itself.

use std::collections::HashMap;

use crate::ledger::{Fact, MessageId};

/// Columns that are kept; where time runs on, two become one.
const COLUMNS: u64 = 256;
/// Messages that are followed. A run whose facts are all recorded has no
/// more, whatever it calls them; of a larger one nothing is said.
const MESSAGES: usize = 20_000;

/// What a message is done by: its effect, where effects are told; else its
/// ack; else its delivery.
pub(super) const DONE: [Fact; 3] =
    [Fact::Applied, Fact::Acked, Fact::Delivered];

/// The messages that are not yet done, by each of [`DONE`].
#[derive(Debug, Default)]
pub(super) struct Undone {
    /// The first moment at which anything was known.
    began: u64,
    /// A column is two milliseconds to the power of this.
    doubled: u32,
    of: HashMap<MessageId, [Stand; DONE.len()]>,
    levels: [Level; DONE.len()],
    /// Which of [`DONE`] are told at all.
    told: [bool; DONE.len()],
    /// Messages of which anything was known, each once.
    pub messages: u64,
    /// No more is counted.
    closed: bool,
}

/// Where a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stand {
    /// Not with the broker, as far as is known.
    #[default]
    Outside,
    /// The broker returned it; it acks that, too, which means nothing.
    HandedBack,
    /// The broker has it.
    Taken,
    /// For good, however often it comes again.
    Done,
}

impl Stand {
    fn after(self, fact: Fact, done: Fact) -> Self {
        match (self, fact) {
            (Self::Done, _) | (_, Fact::Parked) => Self::Done,
            (Self::Taken, Fact::Reported) => Self::Done,
            _ if fact == done => Self::Done,
            (_, Fact::Returned) => Self::HandedBack,
            (Self::HandedBack, Fact::Sent) => Self::Outside,
            (Self::Outside, Fact::Confirmed) => Self::Taken,
            // Whoever was given it had it from the broker, confirmed or not.
            (_, Fact::Delivered) => Self::Taken,
            (stand, _) => stand,
        }
    }
}

/// How many there are, and were.
#[derive(Debug, Default)]
struct Level {
    now: u32,
    most: u32,
    most_at: u64,
    /// The last moment at which it changed.
    until: u64,
    /// The highest in each column, and the last.
    columns: Vec<(u32, u32)>,
}

impl Level {
    fn becomes(&mut self, now: u32, column: usize, at: u64) {
        while self.columns.len() <= column {
            self.columns.push((self.now, self.now));
        }
        // Threads that witness do not queue up: a millisecond may be off.
        if let Some((highest, last)) = self.columns.last_mut() {
            *highest = now.max(*highest);
            *last = now;
        }
        if now > self.most {
            (self.most, self.most_at) = (now, at);
        }
        self.now = now;
        self.until = self.until.max(at);
    }

    fn halve(&mut self) {
        let pairs = self.columns.chunks(2).map(|two| match two {
            [(a, _), (b, last)] => (*a.max(b), *last),
            other => other[0],
        });
        self.columns = pairs.collect();
    }
}

/// How many were not yet done.
#[derive(Debug)]
pub(super) struct Curve {
    pub most: u32,
    /// The first moment at which there were so many.
    pub most_at: u64,
    /// How many there are in the end.
    pub left: u32,
    /// Since when there are so many.
    pub until: u64,
    pub columns: Vec<Column>,
}

/// Some of the time.
#[derive(Debug)]
pub(super) struct Column {
    pub from: u64,
    pub to: u64,
    pub highest: u32,
    /// How many there were at the end of it.
    pub last: u32,
}

impl Undone {
    pub fn saw(&mut self, message: MessageId, fact: Fact, at: u64) {
        let fact = match fact {
            Fact::Redelivered => Fact::Delivered,
            other => other,
        };
        let begins =
            matches!(fact, Fact::Confirmed | Fact::Returned | Fact::Parked)
                || DONE.contains(&fact);
        let known = self.of.contains_key(&message);
        if self.closed || !(begins || known) {
            return;
        }
        if !known && self.of.len() == MESSAGES {
            *self = Self { closed: true, ..Self::default() };
            return;
        }
        if self.messages == 0 {
            self.began = at;
        }
        self.messages += u64::from(!known);
        for (told, done) in self.told.iter_mut().zip(DONE) {
            *told |= done == fact;
        }
        let column = self.column(at);
        let stands = self.of.entry(message).or_default();
        let each = DONE.into_iter().zip(stands).zip(&mut self.levels);
        for ((done, stand), level) in each {
            let next = stand.after(fact, done);
            match (*stand == Stand::Taken, next == Stand::Taken) {
                (false, true) => level.becomes(level.now + 1, column, at),
                (true, false) => level.becomes(level.now - 1, column, at),
                _ => {}
            }
            *stand = next;
        }
    }

    /// No more will come.
    pub fn settle(&mut self) {
        self.of = HashMap::new();
        self.closed = true;
    }

    /// Whether this fact of [`DONE`] was told of any message.
    pub fn tells(&self, done: Fact) -> bool {
        DONE.into_iter().zip(self.told).any(|(of, told)| told && of == done)
    }

    /// How many there were of which this fact of [`DONE`] was not yet told.
    pub fn by(&self, done: Fact) -> Option<Curve> {
        let level = DONE.iter().position(|of| *of == done)?;
        let level = &self.levels[level];
        let moment = |column: u64| self.began + (column << self.doubled);
        let columns = level.columns.iter().zip(0..);
        let columns = columns.map(|((highest, last), n)| Column {
            from: moment(n),
            to: moment(n + 1).min(level.until),
            highest: *highest,
            last: *last,
        });
        Some(Curve {
            most: level.most,
            most_at: level.most_at,
            left: level.now,
            until: level.until,
            columns: columns.collect(),
        })
    }

    fn column(&mut self, at: u64) -> usize {
        let since = at.saturating_sub(self.began);
        while (since >> self.doubled) >= COLUMNS {
            self.doubled += 1;
            self.levels.iter_mut().for_each(Level::halve);
        }
        (since >> self.doubled) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not yet done after these facts of one message, by [`DONE`].
    fn left(facts: &[Fact]) -> Vec<u32> {
        let mut undone = Undone::default();
        for (fact, at) in facts.iter().zip(1..) {
            undone.saw(MessageId::payment(1), *fact, at);
        }
        DONE.iter().map(|done| undone.by(*done).unwrap().left).collect()
    }

    #[test]
    fn a_message_counts_once_from_the_broker_to_its_end() {
        use Fact::*;
        let cases: &[(&[Fact], [u32; 3])] = &[
            (&[Sent, Unknown], [0, 0, 0]),
            (&[Sent, Confirmed], [1, 1, 1]),
            // Two copies of it are one message.
            (&[Confirmed, Confirmed, Delivered], [1, 1, 0]),
            (&[Confirmed, Delivered, Acked], [1, 0, 0]),
            (&[Confirmed, Delivered, Applied, Redelivered], [0, 1, 0]),
            // A confirm may come late, or never.
            (&[Delivered, Acked, Confirmed], [1, 0, 0]),
            (&[Sent, Redelivered], [1, 1, 0]),
            (&[Applied, Confirmed], [0, 1, 1]),
            (&[Confirmed, Parked, Delivered], [0, 0, 0]),
            // Given up by its producer, and then sent by hand.
            (&[Sent, Reported, Sent, Confirmed], [1, 1, 1]),
            (&[Sent, Confirmed, Reported], [0, 0, 0]),
            // The broker acks what it has returned.
            (&[Sent, Returned, Confirmed], [0, 0, 0]),
            (&[Sent, Confirmed, Returned], [0, 0, 0]),
            (&[Sent, Returned, Confirmed, Sent, Confirmed], [1, 1, 1]),
        ];
        for (facts, wanted) in cases {
            assert_eq!(left(facts), wanted, "{facts:?}");
        }
    }

    #[test]
    fn a_long_run_has_no_more_columns_and_the_same_peak_and_end() {
        let mut undone = Undone::default();
        for n in 0..300_u32 {
            let at = 7_000 + u64::from(n) * 10;
            undone.saw(MessageId::payment(n), Fact::Confirmed, at);
        }
        for n in 0..297_u32 {
            let at = 100_000 + u64::from(n) * 1_000;
            undone.saw(MessageId::payment(n), Fact::Delivered, at);
        }
        undone.settle();
        // Whatever comes now is not counted.
        undone.saw(MessageId::payment(299), Fact::Delivered, 400_000);
        assert!(undone.tells(Fact::Delivered) && !undone.tells(Fact::Acked));
        assert_eq!(undone.messages, 300);
        let curve = undone.by(Fact::Delivered).unwrap();
        assert_eq!((curve.most, curve.most_at), (300, 9_990));
        assert_eq!((curve.left, curve.until), (3, 396_000));
        let columns = &curve.columns;
        assert!(columns.len() as u64 <= COLUMNS, "{}", columns.len());
        assert_eq!(columns[0].from, 7_000);
        assert_eq!(columns.iter().map(|c| c.highest).max(), Some(300));
        let last = columns.last().unwrap();
        assert_eq!((last.to, last.last), (396_000, 3));
        assert!(columns.windows(2).all(|two| two[0].to == two[1].from));
        assert!(columns.iter().all(|c| c.last <= c.highest));
    }

    #[test]
    fn of_more_messages_than_are_recorded_nothing_is_said() {
        let mut undone = Undone::default();
        for n in 0..=MESSAGES as u32 {
            undone.saw(MessageId::payment(n), Fact::Confirmed, 1);
        }
        assert!(undone.of.is_empty());
        assert_eq!(undone.by(Fact::Applied).unwrap().most, 0);
        assert_eq!(undone.messages, 0);
    }
}
