//! The ways of a scenario, and what makes one hold.

use futures::future::BoxFuture;

use super::{Lab, Outcome};
use crate::{event::WayName, text::Text};

/// The ways of a scenario.
pub enum Ways {
    /// A way that breaks and a way that holds, under the same faults.
    Pair {
        /// Breaks as claimed.
        naive: Way,
        /// Holds.
        fixed: Way,
        /// What makes it hold, each of which can be left out.
        mechanisms: &'static [Mechanism],
    },
    /// As a pair, with a way in between that is better and not there yet.
    Three {
        /// Breaks as claimed.
        naive: Way,
        /// Breaks in another way, as claimed.
        halfway: Way,
        /// Holds.
        fixed: Way,
        /// What makes it hold, each of which can be left out.
        mechanisms: &'static [Mechanism],
    },
    /// A belief that a run shows to be false. Its cure is another scenario's
    /// fixed way.
    Trap(Way),
    /// A measurement: there is no fault to strike, and its check judges what
    /// the wire counted. Rates are told as ratios only.
    Measure(Way),
}

impl Ways {
    /// As `list --json` names it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Pair { .. } | Self::Three { .. } => "pair",
            Self::Trap(_) => "trap",
            Self::Measure(_) => "measure",
        }
    }

    /// The same, for a person.
    pub const fn kind_word(&self) -> Text {
        let zh = match self {
            Self::Pair { .. } | Self::Three { .. } => "对照",
            Self::Trap(_) => "陷阱",
            Self::Measure(_) => "测量",
        };
        Text::fixed(self.kind(), zh)
    }

    /// What can be left out of the fixed way.
    pub const fn mechanisms(&self) -> &'static [Mechanism] {
        match self {
            Self::Pair { mechanisms, .. } | Self::Three { mechanisms, .. } => {
                mechanisms
            }
            Self::Trap(_) | Self::Measure(_) => &[],
        }
    }

    /// The way that holds, where there is one.
    pub const fn fixed(&self) -> Option<&Way> {
        match self {
            Self::Pair { fixed, .. } | Self::Three { fixed, .. } => Some(fixed),
            Self::Trap(_) | Self::Measure(_) => None,
        }
    }

    /// All of them, in the order in which they run.
    pub fn all(&self) -> Vec<(WayName, &Way)> {
        match self {
            Self::Pair { naive, fixed, .. } => {
                vec![(WayName::Naive, naive), (WayName::Fixed, fixed)]
            }
            Self::Three { naive, halfway, fixed, .. } => vec![
                (WayName::Naive, naive),
                (WayName::Halfway, halfway),
                (WayName::Fixed, fixed),
            ],
            Self::Trap(way) => vec![(WayName::Trap, way)],
            Self::Measure(way) => vec![(WayName::Measure, way)],
        }
    }
}

/// One way of doing it.
pub struct Way {
    /// What it does, in a few words.
    pub title: Text,
    /// Does it.
    pub run: Run,
    /// The name of its function, for `show`.
    pub code: &'static str,
    /// Its driver and its function, as they stand in the source.
    pub whole: &'static str,
    /// What is expected of it. `Err` says what differed.
    pub check: Check,
}

/// Something that makes a fixed way hold.
pub struct Mechanism {
    /// What `--without` calls it.
    pub id: &'static str,
    /// What it is.
    pub name: Text,
    /// The fixed way with this left out, put together from other parts.
    pub without: Run,
    /// The name of that way's function, for `show`.
    pub code: &'static str,
    /// That way's driver and function, as they stand in the source.
    pub whole: &'static str,
    /// How it then breaks: the fixed way's check fails, and this holds.
    pub breaks: Check,
}

impl Mechanism {
    /// Whether leaving it out is this way.
    pub fn is(&self, way: &Way) -> bool {
        self.whole == way.whole
    }
}

/// Runs a way in the lab.
pub type Run = fn(Lab) -> BoxFuture<'static, anyhow::Result<()>>;

/// Judges what a way came to.
pub type Check = fn(&Outcome) -> Result<(), Text>;

/// A [`Way`] from a driver and the function under discussion, which takes a
/// payment, the shop and the failpoints unless it says otherwise:
/// `way!(drive, code, check, title)` or `way!(drive, code(a, b), …)`. Where
/// the function is the whole way and takes the lab: `way!(code, check, title)`.
#[macro_export]
macro_rules! way {
    ($drive:path, $code:ident $(($($arg:ident),*))?, $check:expr, $title:expr $(,)?) => {
        $crate::lab::Way {
            title: $title,
            run: $crate::run!($drive, $code $(($($arg),*))?),
            code: stringify!($code),
            whole: stringify!($drive, $code $(($($arg),*))?),
            check: $check,
        }
    };
    ($code:ident, $check:expr, $title:expr $(,)?) => {
        $crate::lab::Way {
            title: $title,
            run: |lab| Box::pin($code(lab)),
            code: stringify!($code),
            whole: stringify!($code),
            check: $check,
        }
    };
}

/// A [`Mechanism`]: its id, the driver and the function without it, how that
/// breaks, and its name.
#[macro_export]
macro_rules! mechanism {
    (
        $id:literal, $drive:path, $code:ident $(($($arg:ident),*))?,
        $breaks:expr, $name:expr $(,)?
    ) => {
        $crate::lab::Mechanism {
            id: $id,
            name: $name,
            without: $crate::run!($drive, $code $(($($arg),*))?),
            code: stringify!($code),
            whole: stringify!($drive, $code $(($($arg),*))?),
            breaks: $breaks,
        }
    };
    ($id:literal, $code:ident, $breaks:expr, $name:expr $(,)?) => {
        $crate::lab::Mechanism {
            id: $id,
            name: $name,
            without: |lab| Box::pin($code(lab)),
            code: stringify!($code),
            whole: stringify!($code),
            breaks: $breaks,
        }
    };
}

/// A [`Run`] that hands an async function to a driver.
#[macro_export]
macro_rules! run {
    ($drive:path, $code:ident) => {
        $crate::run!($drive, $code(payment, shop, fail))
    };
    ($drive:path, $code:ident($($arg:ident),*)) => {
        |lab| Box::pin($drive(lab, |$($arg),*| Box::pin($code($($arg),*))))
    };
}
