//! Points in time, as progress keeps them. Whoever needs the time is given it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{text, text::Text};

const HOUR: i64 = 60 * 60;
/// The end of the year 9999: what is later was never meant.
const LATEST: i64 = 253_402_300_799;

/// Whole seconds since 1970.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct Moment(pub i64);

impl Moment {
    /// By the system's clock.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since.unwrap_or_default().as_secs();
        Self(i64::try_from(seconds).unwrap_or(LATEST))
    }

    /// So many hours later, or earlier.
    #[must_use]
    pub const fn plus_hours(self, hours: i64) -> Self {
        Self(self.0.saturating_add(hours.saturating_mul(HOUR)))
    }

    /// So many days later.
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        self.plus_hours(days.saturating_mul(24))
    }

    /// How long from `now` until then, in words: `in 3 days`.
    pub fn told_at(self, now: Self) -> Text {
        let seconds = self.0.saturating_sub(now.0);
        let hours = seconds.saturating_add(HOUR - 1) / HOUR;
        match hours {
            ..=0 => text! { en: "now", zh: "现在" },
            1 => text! { en: "in an hour", zh: "1 小时内" },
            2..=12 => text! {
                en: "in {hours} hours", zh: "{hours} 小时后", hours = hours
            },
            13..=36 => text! { en: "in a day", zh: "1 天后" },
            _ => {
                let days = hours.saturating_add(12) / 24;
                text! { en: "in {days} days", zh: "{days} 天后", days = days }
            }
        }
    }
}

impl From<Moment> for SystemTime {
    fn from(moment: Moment) -> Self {
        let seconds = moment.0.clamp(0, LATEST).unsigned_abs();
        UNIX_EPOCH + Duration::from_secs(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_come_is_told_in_hours_and_then_in_days() {
        let now = Moment(1_000_000);
        let told = |hours| now.plus_hours(hours).told_at(now).en.into_owned();
        assert_eq!(told(-5), "now");
        assert_eq!(told(0), "now");
        assert_eq!(told(1), "in an hour");
        assert_eq!(told(12), "in 12 hours");
        assert_eq!(told(16), "in a day");
        assert_eq!(told(24), "in a day");
        assert_eq!(told(40), "in 2 days");
        assert_eq!(told(24 * 15), "in 15 days");
        assert_eq!(Moment(now.0 + 1).told_at(now).en, "in an hour");
    }

    #[test]
    fn no_time_is_too_far_away_to_be_told() {
        for far in [i64::MIN, -1, 0, i64::MAX] {
            let _ = SystemTime::from(Moment(far));
            let _ = Moment(far).plus_days(i64::MAX).told_at(Moment(i64::MIN));
        }
    }
}
