//! Depth and rates while a way runs.

use std::{collections::VecDeque, time::Duration};

use lapin::{
    Channel, Connection, ConnectionProperties, options::QueueDeclareOptions,
    types::FieldTable,
};
use tokio::time::interval;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::flow::{Flow, Seen};
use crate::{demos::shop::load::DepthIntegral, event::Gauge, lab::Lab};

const EVERY: Duration = Duration::from_millis(25);
/// Rates are over this time: calls end by the handful, a latency apart.
const OVER: Duration = Duration::from_millis(150);

/// Gauges that are read all the time. Dropped, that ends.
#[must_use = "dropping it ends the sampling"]
pub struct Sampling {
    stop: CancellationToken,
    task: AbortOnDropHandle<anyhow::Result<Sampled>>,
}

/// What the gauges showed, all in all.
pub struct Sampled {
    /// L: the mean depth over time.
    pub mean_depth: f64,
    pub deepest: f64,
    /// From the first reading to the last.
    pub time: Duration,
}

impl Sampling {
    /// Reads how deep this queue is, and how fast orders come and are done;
    /// without a queue only how fast.
    pub async fn start(
        lab: &Lab,
        queue: Option<&'static str>,
        flow: &Flow,
    ) -> anyhow::Result<Self> {
        let depth = match queue {
            Some(queue) => Some(Depth::open(lab, queue).await?),
            None => None,
        };
        let stop = CancellationToken::new();
        let reading = read(lab.clone(), depth, flow.clone(), stop.clone());
        let task = AbortOnDropHandle::new(tokio::spawn(reading));
        Ok(Self { stop, task })
    }

    /// Reads once more, and ends.
    pub async fn stop(self) -> anyhow::Result<Sampled> {
        self.stop.cancel();
        self.task.await?
    }
}

async fn read(
    lab: Lab,
    depth: Option<Depth>,
    flow: Flow,
    stop: CancellationToken,
) -> anyhow::Result<Sampled> {
    let mut integral = DepthIntegral::default();
    let mut past = VecDeque::from([Seen::default()]);
    let mut deepest: f64 = 0.0;
    let mut ticks = interval(EVERY);
    loop {
        let last = tokio::select! {
            _ = ticks.tick() => false,
            () = stop.cancelled() => true,
        };
        // First what waits, then what is in hand: an order on its way from
        // here to there may be missed, none is counted twice but for that.
        let ready = match &depth {
            Some(depth) => Some(depth.ready().await?),
            None => None,
        };
        let now = flow.seen();
        let mut gauges = rates(&mut past, now);
        if let Some(ready) = ready {
            let depth = f64::from(ready + now.in_hand);
            integral.add(now.at, depth);
            deepest = deepest.max(depth);
            gauges.push((Gauge::Depth, depth));
        }
        lab.sample(now.at, gauges);
        if last {
            let mean_depth = integral.mean().unwrap_or_default();
            return Ok(Sampled { mean_depth, deepest, time: now.at });
        }
    }
}

/// How fast orders came and were done lately.
fn rates(past: &mut VecDeque<Seen>, now: Seen) -> Vec<(Gauge, f64)> {
    let is_old = |seen: &Seen| now.at.saturating_sub(seen.at) >= OVER;
    while past.get(1).is_some_and(is_old) {
        past.pop_front();
    }
    let then = past.front().copied().unwrap_or_default();
    past.push_back(now);
    let time = now.at.saturating_sub(then.at).as_secs_f64();
    let rate =
        |count: usize| if time > 0.0 { count as f64 / time } else { 0.0 };
    vec![
        (Gauge::Arrivals, rate(now.came - then.came)),
        (Gauge::Served, rate(now.done - then.done)),
    ]
}

/// How many messages of a queue are ready, asked over and over.
struct Depth {
    queue: &'static str,
    channel: Channel,
    /// Dropping it would close the channel's connection.
    _connection: Connection,
}

impl Depth {
    async fn open(lab: &Lab, queue: &'static str) -> anyhow::Result<Self> {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(&lab.uri(), properties).await?;
        let channel = connection.create_channel().await?;
        Ok(Self { queue, channel, _connection: connection })
    }

    async fn ready(&self) -> anyhow::Result<u32> {
        let passive =
            QueueDeclareOptions { passive: true, ..Default::default() };
        let seen = self.channel.queue_declare(
            self.queue.into(),
            passive,
            FieldTable::default(),
        );
        Ok(seen.await?.message_count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_late() {
        let seen = |ms, came, done| Seen {
            at: Duration::from_millis(ms),
            came,
            done,
            in_hand: 0,
        };
        let mut past = VecDeque::from([Seen::default()]);
        let gauges = |arrivals, served| {
            vec![(Gauge::Arrivals, arrivals), (Gauge::Served, served)]
        };
        assert_eq!(rates(&mut past, seen(0, 0, 0)), gauges(0.0, 0.0));
        assert_eq!(rates(&mut past, seen(100, 50, 10)), gauges(500.0, 100.0));
        // What came in the first 100 ms is over and gone.
        assert_eq!(rates(&mut past, seen(300, 50, 20)), gauges(0.0, 50.0));
    }
}
