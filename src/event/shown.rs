//! What is shown of a way besides its story: figures, bars, tables, and who is
//! what.

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// One column of the table that a scenario ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Column {
    /// Promised to the caller.
    Accepted,
    /// The caller was told no, at once.
    Refused,
    /// Confirmed by the broker.
    Confirmed,
    /// Times that anything was put on the wire.
    Attempts,
    /// Undone, and somebody was told.
    Undone,
    /// Given up by its producer, and somebody was told.
    Reported,
    /// Kept where people look: dead-lettered, or by an alternate exchange.
    Parked,
    /// Handed back as unroutable.
    Returned,
    /// Never answered.
    Unknown,
    /// Deliveries, each counted.
    Deliveries,
    /// Applied at least once.
    Applied,
    /// Confirmed or promised, and never applied.
    Lost,
    /// Applied more than once.
    Doubled,
    /// Not applied, and still in the queue.
    Stuck,
}

/// Something that was measured or counted besides the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What checks, tables and charts call it: `p99`.
    pub id: String,
    /// What a person calls it.
    pub name: Text,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: Unit,
}

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Things counted: messages, calls, frames.
    Count,
    /// Milliseconds.
    Ms,
    /// Per second.
    PerSecond,
    /// So many times as much as something else.
    Times,
    /// Parts of a hundred.
    Percent,
}

/// What is sampled over time while a way runs.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Gauge {
    /// Messages in the queue, ready or not yet acked.
    Depth,
    /// Messages that arrived, per second.
    Arrivals,
    /// Messages that were served, per second.
    Served,
}

/// Bars side by side: for each group one bar of each way, or, where there is
/// one way only, one group with a bar for each figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// What it shows.
    pub title: Text,
    /// What the bars are measured in.
    pub unit: Unit,
    /// What stands together.
    pub groups: Vec<BarGroup>,
}

/// Bars that stand together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BarGroup {
    /// What they have in common; empty where there is one group only.
    pub name: Text,
    /// The bars, from the top.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// What it stands for.
    pub name: Text,
    /// Its length, in the chart's unit.
    pub value: f64,
}

/// A table of words: what stands beside what, such as who survives what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// What it shows.
    pub title: Text,
    /// The heads of its columns, without that of the rows' names.
    pub columns: Vec<Text>,
    /// Its rows, from the top.
    pub rows: Vec<GridRow>,
}

/// One row of a grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GridRow {
    /// What it is about.
    pub name: Text,
    /// A cell for each column.
    pub cells: Vec<Text>,
}

/// One machine in a picture of who is what: a broker, a balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// What it is called: `n1`, `lb2`.
    pub name: String,
    /// What it is just now: leader, copy, holds the address, killed.
    pub is: Text,
    /// Whether it can be reached.
    pub up: bool,
    /// Who has the same number hears each other.
    pub side: u8,
}
