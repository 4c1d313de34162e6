//! What a scenario is: data beside its code.

use super::{
    Bars, ClusterOf, Hits, Strike, Ways, clusters::NODES, run::MOST_MESSAGES,
};
use crate::{
    event::Column, ledger::Noun, stage::memory::AT_WORK_MIB, text::Text,
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
    /// A mail server that keeps what it gets, shared with other scenarios.
    pub mail: bool,
    /// From some RabbitMQ 4 on only, for this reason.
    pub only_four: Option<OnlyFour>,
    /// SQLite, in the process itself.
    pub sqlite: bool,
    /// A broker of each way's own, because the fault hits the whole node.
    pub own_broker: bool,
    /// A broker more beside it: of the other series, where its image is at
    /// hand, or one like it.
    pub other_broker: bool,
    /// Brokers of a cluster that each way starts for itself.
    pub nodes: u32,
    /// A cluster of three, shared with other scenarios.
    pub cluster: Option<ClusterOf>,
    /// The stage's own broker as well, beside nodes or a cluster.
    pub stage: bool,
    /// Balancers that each way starts for itself.
    pub balancers: bool,
    /// The fewest messages with which it can show anything.
    pub fewest: u32,
    /// The most that it sends, whatever is asked for: load is bounded.
    pub most: u32,
    /// Time in seconds, roughly: all ways with 200 messages, without the
    /// boot of the stage.
    pub seconds: u32,
}

/// Why a scenario runs from some RabbitMQ 4 on only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnlyFour {
    /// The Rust stream client does not connect to 3.10's stream plugin.
    StreamClient,
    /// Quorum queues have it since 4.3; before, they take its arguments and
    /// do nothing.
    DelayedRetry,
    /// A node that joined 3.10 on a busy machine once never started the
    /// vhosts that were there, and refused every client (seen).
    NodeJoins,
    /// It compares 4 with 3.
    Compared,
}

impl OnlyFour {
    /// The first version (major, minor) that it runs on.
    pub const fn since(self) -> (u16, u16) {
        match self {
            Self::StreamClient | Self::NodeJoins | Self::Compared => (4, 0),
            Self::DelayedRetry => (4, 3),
        }
    }

    /// The reason, for a person.
    pub const fn why(self) -> Text {
        match self {
            Self::StreamClient => Text::fixed(
                "the Rust stream client was tried with RabbitMQ 4 only",
                "Rust 流客户端只在 RabbitMQ 4 上试过",
            ),
            Self::NodeJoins => Text::fixed(
                "on RabbitMQ 3 a node that joins may not start its vhosts",
                "RabbitMQ 3 上新加入的节点可能起不来 vhost",
            ),
            Self::DelayedRetry => Text::fixed(
                "quorum queues have a delayed retry since RabbitMQ 4.3",
                "仲裁队列从 RabbitMQ 4.3 起才有延时重试",
            ),
            Self::Compared => Text::fixed(
                "it compares RabbitMQ 4 with 3, and the run is about 3",
                "它拿 RabbitMQ 4 与 3 对照，而本次运行的是 3",
            ),
        }
    }
}

impl Needs {
    /// A broker and nothing else.
    pub const BROKER: Self = Self {
        redis: false,
        own_redis: false,
        mail: false,
        only_four: None,
        sqlite: false,
        own_broker: false,
        other_broker: false,
        nodes: 0,
        cluster: None,
        stage: false,
        balancers: false,
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
        let broker = match self.only_four.map(OnlyFour::since) {
            None if self.cluster == Some(ClusterOf::Three) => "broker-3",
            None => "broker",
            Some((_, 0)) => "broker-4",
            Some(_) => "broker-4.3",
        };
        let others = [
            (self.redis || self.own_redis, "redis"),
            (self.sqlite, "sqlite"),
            (self.mail, "mail"),
            (self.nodes > 0 || self.cluster.is_some(), "cluster"),
            (self.balancers, "balancers"),
        ];
        let others =
            others.into_iter().filter_map(|(is, name)| is.then_some(name));
        std::iter::once(broker).chain(others).collect()
    }

    /// Memory in MiB, roughly, for all that is at work at once.
    pub const fn memory_mib(&self) -> u32 {
        let redis = if self.redis || self.own_redis { 20 } else { 0 };
        let mail = if self.mail { 30 } else { 0 };
        let shared = if self.cluster.is_some() { NODES as u32 } else { 0 };
        let brokers = 1
            + self.own_broker as u32
            + self.other_broker as u32
            + self.nodes
            + shared;
        let balancers = if self.balancers { 60 } else { 0 };
        AT_WORK_MIB * brokers + redis + mail + balancers
    }
}
