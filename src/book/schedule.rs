//! When a card comes back: spaced repetition by FSRS.
//!
//! Intervals are whole days (FSRS's long-term scheduler): whoever opens a
//! terminal once a day is not asked the same thing ten minutes later. What was
//! answered wrong is asked once more in the same session, for practice.

use rs_fsrs::{FSRS, Parameters, Rating, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Moment;

/// A card is due so many hours early: who learns at about the same time each
/// day finds yesterday's cards.
const EARLY_HOURS: i64 = 8;
/// FSRS's own limits.
const STABILITY: (f64, f64) = (0.1, 36_500.0);
const DIFFICULTY: (f64, f64) = (1.0, 10.0);

/// How well something was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Not known.
    Again,
    /// Known with trouble.
    Hard,
    /// Known.
    Good,
    /// Known without thinking.
    Easy,
}

impl Grade {
    /// From the worst to the best; their keys are 1 to 4.
    pub const ALL: [Self; 4] =
        [Self::Again, Self::Hard, Self::Good, Self::Easy];

    const fn rating(self) -> Rating {
        match self {
            Self::Again => Rating::Again,
            Self::Hard => Rating::Hard,
            Self::Good => Rating::Good,
            Self::Easy => Rating::Easy,
        }
    }
}

/// What is known of a card that was answered at least once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// When it is to be asked again.
    pub due: Moment,
    /// When it was answered last.
    pub last: Moment,
    /// The last grade, 1 to 4.
    pub grade: u8,
    /// How often it was answered.
    pub times: u32,
    /// How often it had been known and was not any more.
    pub lapses: u32,
    /// FSRS: after so many days nine in ten remember.
    pub stability: f64,
    /// FSRS: from 1 to 10.
    pub difficulty: f64,
    /// What a newer version keeps of it.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Card {
    /// From when on it is asked.
    pub const fn ready(&self) -> Moment {
        self.due.plus_hours(-EARLY_HOURS)
    }

    /// Whether it is to be asked now.
    pub fn is_due(&self, now: Moment) -> bool {
        self.ready() <= now
    }

    /// As FSRS knows it. A file that was changed by hand, or a clock that was
    /// set back, must not lead out of its limits.
    fn to_fsrs(&self, now: Moment) -> rs_fsrs::Card {
        let within = |value: f64, (least, most): (f64, f64)| {
            if value.is_finite() { value.clamp(least, most) } else { least }
        };
        let last = std::time::SystemTime::from(self.last.min(now));
        rs_fsrs::Card {
            stability: within(self.stability, STABILITY),
            difficulty: within(self.difficulty, DIFFICULTY),
            reps: i32::try_from(self.times).unwrap_or(i32::MAX - 1),
            state: State::Review,
            last_review: last.into(),
            ..rs_fsrs::Card::default()
        }
    }
}

/// The card after an answer; `None` is one that was never answered.
pub fn review(card: Option<&Card>, grade: Grade, now: Moment) -> Card {
    // Some hours early counts as in time, else nothing would be learnt.
    let at = card.map_or(now, |card| match card.is_due(now) {
        true => now.max(card.due),
        false => now,
    });
    let before = card.map(|card| card.to_fsrs(at)).unwrap_or_default();
    let time = std::time::SystemTime::from(at);
    let after = fsrs().next(before, time.into(), grade.rating()).card;
    let lapsed = card.is_some() && grade == Grade::Again;
    Card {
        due: at.plus_days(after.scheduled_days),
        last: now,
        grade: grade as u8 + 1,
        times: card.map_or(0, |card| card.times).saturating_add(1),
        lapses: card
            .map_or(0, |card| card.lapses)
            .saturating_add(u32::from(lapsed)),
        stability: after.stability,
        difficulty: after.difficulty,
        more: card.map(|card| card.more.clone()).unwrap_or_default(),
    }
}

/// After how many days the card comes back, for each grade.
pub fn days(card: Option<&Card>, now: Moment) -> [i64; 4] {
    Grade::ALL.map(|grade| {
        let due = review(card, grade, now).due;
        due.0.saturating_sub(now.0).saturating_add(12 * 60 * 60) / 86_400
    })
}

fn fsrs() -> FSRS {
    FSRS::new(Parameters {
        enable_short_term: false,
        enable_fuzz: false,
        ..Parameters::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(1_764_150_000);

    #[test]
    fn a_new_card_comes_back_after_whole_days_the_later_the_better_known() {
        assert_eq!(days(None, NOW), [1, 2, 3, 15]);
        let card = review(None, Grade::Good, NOW);
        assert_eq!(card.due, NOW.plus_days(3));
        assert_eq!((card.grade, card.times, card.lapses), (3, 1, 0));
    }

    #[test]
    fn what_stays_known_comes_back_ever_later_and_what_is_forgotten_soon() {
        let mut card = review(None, Grade::Good, NOW);
        let mut interval = 3;
        for _ in 0..5 {
            let now = card.due;
            card = review(Some(&card), Grade::Good, now);
            let next = (card.due.0 - now.0) / 86_400;
            assert!(next > interval, "{next} after {interval}");
            interval = next;
        }
        let now = card.due;
        card = review(Some(&card), Grade::Again, now);
        assert!(card.due < now.plus_days(interval / 2));
        assert_eq!(card.lapses, 1);
    }

    #[test]
    fn each_grade_is_later_than_the_one_below_it() {
        let mut card = None;
        let mut now = NOW;
        for grade in [Grade::Good, Grade::Again, Grade::Hard, Grade::Easy] {
            let [again, hard, good, easy] = days(card.as_ref(), now);
            assert!(again >= 1 && again < hard && hard < good && good < easy);
            let next = review(card.as_ref(), grade, now);
            now = next.due;
            card = Some(next);
        }
    }

    #[test]
    fn yesterdays_card_is_due_somewhat_earlier_today_and_counts_as_in_time() {
        let card = review(None, Grade::Again, NOW);
        assert!(!card.is_due(NOW.plus_hours(12)));
        let early = NOW.plus_hours(20);
        assert!(card.is_due(early));
        let told = days(Some(&card), early);
        assert_eq!(told, days(Some(&card), NOW.plus_days(1)));
        let next = review(Some(&card), Grade::Good, early);
        assert!(next.stability > card.stability);
        assert_eq!(next.last, early);
    }

    #[test]
    fn no_card_that_can_stand_in_a_file_leads_out_of_bounds() {
        let far = [i64::MIN, -1, 0, NOW.0, i64::MAX];
        for (due, last) in far.iter().flat_map(|d| far.map(|l| (*d, l))) {
            for stability in [-1.0, 0.0, 1e300, f64::NAN] {
                let card = Card {
                    due: Moment(due),
                    last: Moment(last),
                    grade: 9,
                    times: u32::MAX,
                    lapses: u32::MAX,
                    stability,
                    difficulty: -stability,
                    more: Map::new(),
                };
                for grade in Grade::ALL {
                    let next = review(Some(&card), grade, NOW);
                    assert!(next.due > NOW, "{next:?}");
                    assert!(next.stability.is_finite(), "{next:?}");
                    assert!(next.difficulty.is_finite(), "{next:?}");
                }
            }
        }
    }

    #[test]
    fn a_clock_that_was_set_back_does_no_harm() {
        let card = review(None, Grade::Good, NOW);
        let before = Moment(NOW.0 - 10 * 86_400);
        assert!(!card.is_due(before));
        let next = review(Some(&card), Grade::Good, before);
        assert!(next.due > before);
    }
}
