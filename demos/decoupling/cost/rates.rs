//! How fast each way is, straight at the broker.
//!
//! A rate says something about one machine at one moment only. So the ways
//! take turns, in several rounds of a few orders each; the best round of each
//! counts, because what slows a round down is other work; and what is told
//! are ratios.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    consume::{CONSUMING, Consuming},
    line::{Line, PERSISTENT, Ran, TRANSIENT},
    publish::{PUBLISHING, Publishing},
};
use crate::{
    lab::Lab,
    ledger::{MessageId, Noun},
};

/// Where and how messages are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// Persistent, in a classic queue.
    Classic,
    /// Transient, in a classic queue.
    Transient,
    /// In a quorum queue, which persists whatever it gets.
    Quorum,
}

/// Orders a second, of each round.
#[derive(Default)]
pub struct Rates {
    publishing: BTreeMap<(Kept, Publishing), Vec<f64>>,
    consuming: BTreeMap<Consuming, Vec<f64>>,
}

const ROUNDS: usize = 3;
/// After so long no further round begins.
const ENOUGH: Duration = Duration::from_secs(4);
/// Orders of one round: few where a way waits for each.
const FEW: u32 = 60;
const MANY: u32 = 2_000;
/// What is compared where everything is compared in a classic queue.
const ELSEWHERE: [Publishing; 3] =
    [Publishing::Pipelined, Publishing::OneByOne, Publishing::TxEach];

impl Rates {
    /// Of this way, so many times that of the other.
    pub fn publishing(
        &self,
        (kept, of): (Kept, Publishing),
        other: Publishing,
    ) -> f64 {
        let rate = |kept, of| {
            self.publishing.get(&(kept, of)).map(|rounds| best(rounds))
        };
        ratio(rate(kept, of), rate(Kept::Classic, other))
    }

    /// Of this way, so many times that of the other.
    pub fn consuming(&self, of: Consuming, other: Consuming) -> f64 {
        let rate = |of| self.consuming.get(&of).map(|rounds| best(rounds));
        ratio(rate(of), rate(other))
    }
}

/// Measures all ways. None of these orders are in the ledger.
pub async fn rates(lab: &Lab) -> anyhow::Result<Rates> {
    lab.declare(Kept::Classic.queue()).await?;
    lab.declare_as(Kept::Quorum.queue(), "quorum").await?;
    let (mut rates, began) = (Rates::default(), Instant::now());
    for _ in 0..ROUNDS {
        if began.elapsed() > ENOUGH {
            break;
        }
        for how in PUBLISHING {
            rates.publish(lab, Kept::Classic, how).await?;
        }
        // What was published now waits to be consumed.
        for how in CONSUMING {
            rates.consume(lab, how).await?;
        }
        for kept in [Kept::Transient, Kept::Quorum] {
            for how in ELSEWHERE {
                rates.publish(lab, kept, how).await?;
            }
        }
        empty(lab).await?;
    }
    Ok(rates)
}

impl Rates {
    async fn publish(&mut self, lab: &Lab, kept: Kept, how: Publishing) -> Ran {
        let line = line(lab, kept).await?;
        how.prepare(&line).await?;
        let all = if how.waits_for_each() { FEW } else { MANY };
        let orders: Vec<MessageId> =
            (1..=all).map(|n| Noun::Order.number(n)).collect();
        let began = Instant::now();
        how.publish(&line, &orders).await?;
        line.sync().await?;
        let rate = f64::from(all) / began.elapsed().as_secs_f64();
        self.publishing.entry((kept, how)).or_default().push(rate);
        line.close().await?;
        Ok(())
    }

    async fn consume(&mut self, lab: &Lab, how: Consuming) -> Ran {
        let line = line(lab, Kept::Classic).await?;
        how.prepare(&line).await?;
        let all = if how.waits_for_each() { FEW } else { MANY };
        let began = Instant::now();
        how.consume(&line, all as usize).await?;
        line.sync().await?;
        let rate = f64::from(all) / began.elapsed().as_secs_f64();
        self.consuming.entry(how).or_default().push(rate);
        line.close().await?;
        Ok(())
    }
}

impl Kept {
    const fn queue(self) -> &'static str {
        match self {
            Self::Classic | Self::Transient => "rates",
            Self::Quorum => "rates-quorum",
        }
    }
}

async fn line(lab: &Lab, kept: Kept) -> lapin::Result<Line> {
    let mode = match kept {
        Kept::Transient => TRANSIENT,
        Kept::Classic | Kept::Quorum => PERSISTENT,
    };
    Line::open(&lab.uri(), kept.queue(), mode, Arc::new(())).await
}

async fn empty(lab: &Lab) -> Ran {
    for kept in [Kept::Classic, Kept::Quorum] {
        let line = line(lab, kept).await?;
        line.purge().await?;
        line.close().await?;
    }
    Ok(())
}

fn best(rounds: &[f64]) -> f64 {
    rounds.iter().copied().fold(0.0, f64::max)
}

fn ratio(of: Option<f64>, other: Option<f64>) -> f64 {
    match (of, other) {
        (Some(of), Some(other)) if other > 0.0 => of / other,
        _ => 0.0,
    }
}
