//! The stream of events that a run is.
//!
//! The lab writes events as things happen; everything a person or a program
//! sees of a run (terminal, JSON lines, a recorded run told again) is a view
//! of this stream and knows nothing else. Each event carries both languages.
//! `schema/event.schema.json` describes one line of it.

mod shown;
mod stands;

use serde::{Deserialize, Serialize};

pub use self::shown::{
    Bar, BarGroup, Chart, Column, Figure, Gauge, Grid, GridRow, Seat, Unit,
};
pub use self::stands::{Login, Place, Service};
use crate::{
    ledger::{Anomaly, Counts, Fact, MessageId, Noun},
    text::Text,
};

/// The version of the format, as a record's first line says it. One more
/// whenever a record could not be told any more by who knows only the last.
/// Records from before it was written down are of format 0.
pub const FORMAT: u32 = 1;

/// An event and when it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Milliseconds since the run began.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Which way of a scenario an event belongs to.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum WayName {
    /// The way that breaks.
    Naive,
    /// Better, and not there yet: it breaks in another way.
    Halfway,
    /// The way that holds.
    Fixed,
    /// The fixed way with one mechanism taken out.
    Without,
    /// The only way of a trap.
    Trap,
    /// The only way of a measure.
    Measure,
}

impl WayName {
    /// As it stands in `--json` and in the names of vhosts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Halfway => "halfway",
            Self::Fixed => "fixed",
            Self::Without => "without",
            Self::Trap => "trap",
            Self::Measure => "measure",
        }
    }

    /// As a row of a table or a chart, or in a sentence.
    pub const fn word(self) -> Text {
        match self {
            Self::Naive => Text::fixed("naive", "朴素"),
            Self::Halfway => Text::fixed("halfway", "折中"),
            Self::Fixed => Text::fixed("fixed", "改进"),
            Self::Without => Text::fixed("without", "去掉"),
            Self::Trap => Text::fixed("trap", "陷阱"),
            Self::Measure => Text::fixed("measured", "实测"),
        }
    }
}

/// What the lab says of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// What was claimed was seen.
    Proven,
    /// What was claimed was not seen.
    Refuted,
    /// Nothing can be said: nothing sent, no fault struck, a wait ran out.
    Inconclusive,
    /// A broker version for which nothing is claimed.
    Observed,
}

/// One answer to choose from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// `a`, `b`, …
    pub key: char,
    /// What it says.
    pub text: Text,
}

/// What one way came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WayResult {
    /// Strikes that really struck.
    pub hit: u32,
    /// Strikes that were planned.
    pub planned: u32,
    /// The ledger's sums.
    pub counts: Counts,
    /// Whether the way came to what is claimed of it; `None` where it did not
    /// come to its end.
    pub as_expected: Option<bool>,
    /// What differed from the expectation, or why nothing can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Text>,
    /// What it came to in a few words, where the ledger's sums do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came_to: Option<Text>,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<Figure>,
    /// The messages with something wrong (the first 20).
    pub anomalies: Vec<Anomaly>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// How a scenario ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Topic id.
    pub topic: String,
    /// Scenario id.
    pub scenario: String,
    /// What its messages are about.
    pub noun: Noun,
    /// What the lab says of the claim.
    pub verdict: Verdict,
    /// The claim in one line, or what was found instead.
    pub why: Text,
    /// The mechanism that was taken out, with `--without`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without: Option<String>,
    /// What each way came to, by its name.
    pub ways: std::collections::BTreeMap<WayName, WayResult>,
    /// The columns worth showing.
    pub columns: Vec<Column>,
    /// The figures worth showing beside them, by their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<String>,
    /// What is best seen as bars.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<Chart>,
    /// What is best seen as a table of words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grids: Vec<Grid>,
    /// The prediction that is right.
    pub right: Option<char>,
    /// What the run showed, in a sentence or two.
    pub claim: Text,
    /// What to do about it.
    pub fix: Text,
    /// What that does not protect from.
    pub limit: Text,
    /// The answer in an interview, in one breath.
    pub say: Text,
    /// The seed that chose the messages.
    pub seed: u64,
    /// Messages each way sent.
    pub messages: u32,
    /// How long the scenario took, in milliseconds, without its stage.
    pub took_ms: u64,
    /// The command that does this again.
    pub again: String,
    /// Where the broker's log was kept (only where something went wrong).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker_log: Option<String>,
}

/// One thing that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A run begins.
    RunStarted {
        /// The version of the format: [`FORMAT`].
        #[serde(default)]
        format: u32,
        /// Its id; everything it makes is labelled with it.
        run: String,
        /// The version of rmq-lab.
        version: String,
        /// Scenarios it will run, as `topic/scenario`.
        scenarios: Vec<String>,
        /// The seed of every random choice.
        seed: u64,
        /// Where it is recorded.
        record: String,
        /// `all`, or `struck`: with many messages only the facts of the
        /// struck ones are recorded.
        facts: String,
        /// When, by the clock, in UTC: `2026-11-26T08:46:17Z`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        started: Option<String>,
        /// Told again from a record: nothing of it happens now.
        #[serde(default, skip_serializing_if = "is_false")]
        recorded: bool,
    },
    /// Something takes a while: an image, a boot, a wait.
    Waiting {
        /// What is awaited.
        what: Text,
        /// At most so long, in seconds, where there is a limit.
        limit_s: Option<u64>,
    },
    /// Progress of what is awaited, such as a line of an image's build.
    Progress {
        /// The news.
        text: Text,
    },
    /// What was awaited is there.
    Waited {
        /// After so long, in milliseconds.
        took_ms: u64,
    },
    /// The stage stands, or what a scenario or a way has beside it.
    StageUp {
        /// What it holds, the broker first.
        services: Vec<Service>,
        /// Management address, user and password, with `--hold`.
        management: Option<Login>,
        /// The way that has started it for itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        way: Option<WayName>,
        /// Where it is reached.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        places: Vec<Place>,
    },
    /// A scenario begins.
    ScenarioStarted {
        /// Topic id.
        topic: String,
        /// Scenario id.
        scenario: String,
        /// `pair`, `trap` or `measure`.
        kind: String,
        /// Its place in this run, from 1.
        index: u32,
        /// How many this run has.
        of: u32,
        /// What it runs on: `RabbitMQ 4.3.6`, `Redis 8.0`, `SQLite`.
        on: Vec<String>,
        /// The recipe on trial, as people say it.
        recipe: Text,
        /// What goes wrong.
        fault: Text,
        /// What is asked before the outcome is told.
        question: Text,
        /// What can be answered.
        choices: Vec<Choice>,
        /// The mechanism taken out, and what it is called.
        without: Option<(String, Text)>,
    },
    /// The reader was asked, and guessed (or skipped).
    Predicted {
        /// The key of the choice.
        guess: Option<char>,
    },
    /// The scenario cannot run here and is left out.
    Skipped {
        /// Topic id.
        topic: String,
        /// Scenario id.
        scenario: String,
        /// Why.
        why: Text,
    },
    /// A way begins.
    WayStarted {
        /// Which.
        way: WayName,
        /// What it does.
        title: Text,
    },
    /// A step of a way.
    Step {
        /// Which way.
        way: WayName,
        /// The number of the step, from 1.
        n: u32,
        /// One word: publish, consume, fault …
        verb: Text,
        /// What was done and seen.
        text: Text,
    },
    /// Who is what now: machines in a row, parted where they do not hear each
    /// other.
    Topology {
        /// Which way.
        way: WayName,
        /// The machines, from the left.
        seats: Vec<Seat>,
    },
    /// A command that shows the same, to be pasted.
    Command {
        /// Which way.
        way: WayName,
        /// The command line.
        line: String,
    },
    /// A fault really struck.
    Struck {
        /// Which way.
        way: WayName,
        /// Which message; `None` where the whole stage was struck.
        message: Option<MessageId>,
        /// What struck.
        what: Fact,
    },
    /// Something became known of a message.
    Fact {
        /// Which way.
        way: WayName,
        /// Which message.
        message: MessageId,
        /// What.
        fact: Fact,
    },
    /// What the gauges showed at one moment of a way.
    Sample {
        /// Which way.
        way: WayName,
        /// Milliseconds since the way began to measure.
        since_ms: u64,
        /// What each gauge showed.
        gauges: std::collections::BTreeMap<Gauge, f64>,
    },
    /// A way ended and its ledger was added up.
    WayEnded {
        /// Which.
        way: WayName,
        /// What it came to.
        result: WayResult,
    },
    /// The verdict on a scenario.
    Verdict(Box<Ended>),
    /// The run is over and everything is removed.
    RunEnded {
        /// Scenarios with each verdict.
        proven: u32,
        /// Refuted ones.
        refuted: u32,
        /// Inconclusive ones.
        inconclusive: u32,
        /// Observed ones.
        observed: u32,
        /// Scenarios left out.
        skipped: u32,
        /// From the command to the end, in milliseconds.
        took_ms: u64,
        /// The broker's own share: container start to first handshake.
        boot_ms: u64,
        /// Stage up, all of it, in milliseconds.
        stage_up_ms: u64,
        /// Stage down, in milliseconds.
        stage_down_ms: u64,
        /// Containers, networks and volumes still there afterwards.
        left_behind: u32,
    },
    /// Something is wrong with the environment or the request.
    Error {
        /// What.
        error: Text,
        /// What to do about it.
        help: Vec<Text>,
        /// The exit code.
        exit: u8,
    },
}

fn is_false(is: &bool) -> bool {
    !is
}
