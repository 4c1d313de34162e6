//! A producer in a process of its own, there to be killed.
//!
//! The lab starts its own binary once more, with one [`WORD`] behind it; every
//! `main` that may be started so asks [`asked`] first. What the process is to
//! do comes as one line of JSON on its stdin ([`Task`]), what becomes known
//! goes out as lines of JSON on its stdout ([`News`]). Where it is told to
//! stop it says so and stands still, so that the kill meets it there for sure.
//! It ends with its lab, however that ends: its stdin is at an end then.

mod child;
mod orders;
mod parent;

use std::{ops::RangeInclusive, path::PathBuf};

use serde::{Deserialize, Serialize};

pub use self::{
    child::{Done, Producer, Work, asked},
    orders::Orders,
    parent::produce,
};
use crate::{
    lab::Strike,
    ledger::{Fact, MessageId},
};

/// What stands behind the binary's name when it is started as a producer.
pub const WORD: &str = "__producer";

/// A place at which a producer may be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// The order is written and not committed.
    BeforeCommit,
    /// The order is committed, and nothing else has been done.
    AfterCommit,
    /// The message is published, and no answer was looked at.
    AfterPublish,
    /// The broker has confirmed it, and nobody has noted that.
    AfterConfirm,
}

impl Point {
    const ALL: [Self; 4] = [
        Self::BeforeCommit,
        Self::AfterCommit,
        Self::AfterPublish,
        Self::AfterConfirm,
    ];

    /// The strike that meets a producer there.
    pub const fn strike(self) -> Strike {
        match self {
            Self::BeforeCommit => Strike::DieBeforeCommit,
            Self::AfterCommit => Strike::DieAfterCommit,
            Self::AfterPublish => Strike::DieAfterPublish,
            Self::AfterConfirm => Strike::DieAfterConfirm,
        }
    }

    fn of(strike: Strike) -> Option<Self> {
        Self::ALL.into_iter().find(|point| point.strike() == strike)
    }
}

/// Where a producer stops and stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// At which point.
    pub at: Point,
    /// Over which order.
    pub over: MessageId,
}

/// What a producer is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The name of the function that does it.
    pub work: String,
    /// The shop's database.
    pub database: PathBuf,
    /// Where the broker is.
    pub amqp: String,
    /// To which queue.
    pub queue: String,
    /// The numbers of the orders that customers place with it.
    pub orders: RangeInclusive<u32>,
    /// Where it stops, if anywhere.
    pub stop: Option<Stop>,
}

/// A line of news from a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum News {
    /// Something became true of an order.
    Saw(MessageId, Fact),
    /// It stands still here.
    Stands(Stop),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Noun;

    #[test]
    fn what_is_told_is_understood() {
        for at in Point::ALL {
            let stop = Stop { at, over: Noun::Order.number(7) };
            let task = Task {
                work: "save_then_publish".to_owned(),
                database: "/tmp/shop.db".into(),
                amqp: "amqp://127.0.0.1".to_owned(),
                queue: "orders".to_owned(),
                orders: 7..=200,
                stop: Some(stop),
            };
            let line = serde_json::to_string(&task).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Task>(&line).unwrap(), task);
            for news in [News::Stands(stop), News::Saw(stop.over, Fact::Stored)]
            {
                let line = serde_json::to_string(&news).unwrap();
                assert_eq!(serde_json::from_str::<News>(&line).unwrap(), news);
            }
        }
    }

    #[test]
    fn each_point_has_a_strike_of_its_own() {
        for point in Point::ALL {
            assert_eq!(Point::of(point.strike()), Some(point));
        }
        assert_eq!(Point::of(Strike::KillAfterCommit), None);
    }
}
