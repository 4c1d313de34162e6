//! What a scenario is: data beside its code.

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use super::{Lab, Outcome, run::MOST_MESSAGES};
use crate::{
    event::{Bar, BarGroup, Chart, Column, Unit, WayName, WayResult},
    fault::wire::WireFault,
    ledger::{Fact, Noun},
    text::Text,
};

/// A chapter's worth of scenarios.
pub struct Topic {
    /// Never renamed: progress and links use it.
    pub id: &'static str,
    /// What it is about, in one line.
    pub title: Text,
    /// What its messages are about.
    pub noun: Noun,
    /// Its scenarios, in the order of reading.
    pub scenarios: &'static [&'static Scenario],
}

/// One claim and the run that proves it.
pub struct Scenario {
    /// Never renamed: progress and links use it.
    pub id: &'static str,
    /// The recipe on trial, as people say it.
    pub recipe: Text,
    /// What goes wrong, in one line.
    pub fault: Text,
    /// What is asked before the outcome is told.
    pub predict: Predict,
    /// What it stands on.
    pub needs: Needs,
    /// The faults, each planned on messages of its own.
    pub strikes: &'static [Strike],
    /// How many messages are struck.
    pub hits: Hits,
    /// The broker versions (major, minor) on which its expectations were
    /// tried. On any other it is *observed*: nothing is claimed.
    pub tried: &'static [(u16, u16)],
    /// Naive and fixed, or the only way.
    pub ways: Ways,
    /// The columns of its table worth showing.
    pub columns: &'static [Column],
    /// The figures worth showing beside them, by their ids.
    pub figures: &'static [&'static str],
    /// What is best seen as bars.
    pub bars: &'static [Bars],
    /// What the run shows, in a sentence or two.
    pub claim: Text,
    /// What to do about it.
    pub fix: Text,
    /// What that does not protect from.
    pub limit: Text,
    /// The answer in an interview, in one breath.
    pub say: Text,
    /// The files in which the functions of its ways stand, for `show`.
    pub source: &'static [&'static str],
}

/// A chart of figures: for each a bar of each way, side by side.
pub struct Bars {
    /// What it shows.
    pub title: Text,
    /// The figures, by their ids, in one unit.
    pub figures: &'static [&'static str],
}

impl Bars {
    /// The chart of what the ways have measured; `None` where none measured
    /// any of it.
    pub fn chart(&self, ways: &BTreeMap<WayName, WayResult>) -> Option<Chart> {
        let of = |way: &WayResult, id: &str| {
            way.figures.iter().find(|figure| figure.id == id).cloned()
        };
        let found: Vec<_> = self
            .figures
            .iter()
            .flat_map(|id| {
                ways.iter().filter_map(move |(name, way)| {
                    of(way, id).map(|figure| (*name, figure))
                })
            })
            .collect();
        let (_, first) = found.first()?;
        let unit: Unit = first.unit;
        let alone = ways.len() == 1;
        let mut groups: Vec<BarGroup> = Vec::new();
        for (way, figure) in found {
            let (group, bar) = match alone {
                true => (Text::default(), figure.name),
                false => (figure.name, way.word()),
            };
            let bar = Bar { name: bar, value: figure.value };
            match groups.last_mut() {
                Some(last) if last.name == group => last.bars.push(bar),
                _ => groups.push(BarGroup { name: group, bars: vec![bar] }),
            }
        }
        Some(Chart { title: self.title.clone(), unit, groups })
    }
}

/// A question with two to four answers.
pub struct Predict {
    /// What is asked.
    pub question: Text,
    /// The answers; their keys are a, b, c, d.
    pub choices: &'static [Text],
    /// The index of the right one.
    pub right: usize,
}

/// What a scenario stands on besides a broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Redis, shared with other scenarios.
    pub redis: bool,
    /// A Redis of each way's own, which the fault may kill.
    pub own_redis: bool,
    /// RabbitMQ 4.x only, for this reason.
    pub only_four: Option<OnlyFour>,
    /// SQLite, in the process itself.
    pub sqlite: bool,
    /// A broker of each way's own, because the fault hits the whole node.
    pub own_broker: bool,
    /// The fewest messages with which it can show anything.
    pub fewest: u32,
    /// The most that it sends, whatever is asked for: load is bounded.
    pub most: u32,
    /// Time in seconds, roughly: all ways with 200 messages, without the
    /// boot of the stage.
    pub seconds: u32,
}

/// Why a scenario runs on RabbitMQ 4.x only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnlyFour {
    /// The Rust stream client does not connect to 3.10's stream plugin.
    StreamClient,
}

impl OnlyFour {
    /// The reason, for a person.
    pub const fn why(self) -> Text {
        match self {
            Self::StreamClient => Text::fixed(
                "the Rust stream client was tried with RabbitMQ 4 only",
                "Rust 流客户端只在 RabbitMQ 4 上试过",
            ),
        }
    }
}

impl Needs {
    /// A broker and nothing else.
    pub const BROKER: Self = Self {
        redis: false,
        own_redis: false,
        only_four: None,
        sqlite: false,
        own_broker: false,
        fewest: 1,
        most: MOST_MESSAGES,
        seconds: 4,
    };
    /// The books in SQLite.
    pub const BOOKS: Self = Self { sqlite: true, ..Self::BROKER };
    /// The books, and a Redis shared with others.
    pub const BOOKS_AND_REDIS: Self = Self { redis: true, ..Self::BOOKS };

    /// The needs as `list --json` names them.
    pub fn names(&self) -> Vec<&'static str> {
        let broker =
            if self.only_four.is_some() { "broker-4" } else { "broker" };
        let others =
            [(self.redis || self.own_redis, "redis"), (self.sqlite, "sqlite")];
        let others =
            others.into_iter().filter_map(|(is, name)| is.then_some(name));
        std::iter::once(broker).chain(others).collect()
    }

    /// Memory in MiB, roughly: measured idle, and doubled for load.
    pub const fn memory_mib(&self) -> u32 {
        let redis = if self.redis || self.own_redis { 20 } else { 0 };
        let broker = if self.own_broker { 600 } else { 300 };
        broker + redis
    }
}

/// How many messages are struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hits {
    /// One in ten, at least one of each strike and at most 20.
    OneInTen,
    /// Only the last message, which stands for the whole batch.
    Last,
    /// As many as one in ten, one after another, around the middle: an
    /// outage.
    Stretch,
    /// No message by itself: the stage, once.
    Once,
}

/// A fault on one message, named by the fact that it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strike {
    /// The consumer dies after it began and before the effect is durable.
    KillBeforeCommit,
    /// The consumer dies when the effect is durable and before its ack.
    KillAfterCommit,
    /// The ack is swallowed on the wire, and the connection cut.
    SwallowAck,
    /// The confirm is withheld on the wire, and the connection cut.
    WithholdConfirm,
    /// The connection is cut before the publish reaches the broker.
    CutBeforePublish,
    /// The customer sends the request again.
    Repeat,
    /// Somebody replays the message later.
    Replay,
    /// Two consumers hold a copy at the same moment.
    Meet,
    /// A higher publishing id is confirmed first.
    Overtake,
    /// A service takes far longer over it.
    Slow,
    /// It wants what another has just taken the last of.
    SoldOut,
    /// A service that it needs is down when it comes.
    ServiceDown,
    /// More comes than can be worked on.
    Surge,
    /// The queue is full.
    QueueFull,
    /// One queue is full and refuses it, and another stores it.
    HalfStored,
    /// A subscriber or a consumer joins.
    Join,
    /// The broker runs short of memory.
    Alarm,
}

impl Strike {
    /// The fault on the wire that makes it, where one does.
    pub const fn on_wire(self) -> Option<WireFault> {
        match self {
            Self::SwallowAck => Some(WireFault::SwallowAckThenCut),
            Self::WithholdConfirm => Some(WireFault::CutBeforeConfirm),
            Self::CutBeforePublish => Some(WireFault::CutBeforePublish),
            Self::KillBeforeCommit
            | Self::KillAfterCommit
            | Self::Repeat
            | Self::Replay
            | Self::Meet
            | Self::Overtake
            | Self::Slow
            | Self::SoldOut
            | Self::ServiceDown
            | Self::Surge
            | Self::QueueFull
            | Self::HalfStored
            | Self::Join
            | Self::Alarm => None,
        }
    }

    /// What a ledger says when it has struck.
    pub const fn fact(self) -> Fact {
        match self {
            Self::KillBeforeCommit | Self::KillAfterCommit => Fact::Killed,
            Self::SwallowAck => Fact::AckSwallowed,
            Self::WithholdConfirm => Fact::ConfirmWithheld,
            Self::CutBeforePublish => Fact::CutBeforePublish,
            Self::Repeat => Fact::Repeated,
            Self::Replay => Fact::Replayed,
            Self::Meet => Fact::Met,
            Self::Overtake => Fact::Overtaken,
            Self::Slow => Fact::Slowed,
            Self::SoldOut => Fact::SoldOut,
            Self::ServiceDown => Fact::ServiceDown,
            Self::Surge => Fact::Surged,
            Self::QueueFull => Fact::QueueFull,
            Self::HalfStored => Fact::HalfStored,
            Self::Join => Fact::Joined,
            Self::Alarm => Fact::Alarmed,
        }
    }
}

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
    /// How it then breaks: the fixed way's check fails, and this holds.
    pub breaks: Check,
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
            check: $check,
        }
    };
    ($code:ident, $check:expr, $title:expr $(,)?) => {
        $crate::lab::Way {
            title: $title,
            run: |lab| Box::pin($code(lab)),
            code: stringify!($code),
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
            breaks: $breaks,
        }
    };
    ($id:literal, $code:ident, $breaks:expr, $name:expr $(,)?) => {
        $crate::lab::Mechanism {
            id: $id,
            name: $name,
            without: |lab| Box::pin($code(lab)),
            code: stringify!($code),
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
