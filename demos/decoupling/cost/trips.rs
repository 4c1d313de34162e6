//! What each way exchanges with the broker, counted on the wire.

use std::{sync::Arc, time::Duration};

use super::{
    consume::Consuming,
    line::{Line, PERSISTENT},
    publish::Publishing,
};
use crate::{
    demos::shop::orders::Tally,
    fault::wire::{Traffic, Wire},
    lab::Lab,
    ledger::Witness,
    text,
};

/// Long beside the time that a client needs for a batch, so that whatever it
/// sends without waiting is on its way before the first answer is back. To a
/// client that waits for each answer it makes no difference.
const LINK: Duration = Duration::from_millis(25);
const SOON: Duration = Duration::from_secs(10);
/// The method, the header and one frame of the body.
pub const PUBLISH_FRAMES: u64 = 3;

/// What one way exchanged with the broker.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exchanged {
    /// What was said and answered before anything more was said.
    pub round_trips: u64,
    /// Frames both ways.
    pub frames: u64,
}

/// Publishes the orders one way, to a queue of its own, and counts.
pub async fn publishing(
    lab: &Lab,
    wire: &Wire,
    how: Publishing,
) -> anyhow::Result<Exchanged> {
    let orders: Vec<_> = lab.messages().collect();
    let unanswered = how == Publishing::Unconfirmed;
    // Without an answer there is nothing to enter in a ledger.
    let witness: Arc<dyn Witness> =
        if unanswered { Arc::new(()) } else { lab.witness() };
    lab.declare(how.id()).await?;
    let uri = lab.uri_through(wire);
    let line = Line::open(&uri, how.id(), PERSISTENT, witness).await?;
    how.prepare(&line).await?;
    wire.delay((!how.waits_for_each()).then_some(LINK));
    let before = wire.traffic();
    how.publish(&line, &orders).await?;
    let all = orders.len() as u64 * PUBLISH_FRAMES;
    let what = text! { en: "every publish to pass", zh: "每条发布都经过链路" };
    lab.wait_until(what, SOON, || async {
        Ok(wire.traffic().frames_to_broker - before.frames_to_broker >= all)
    })
    .await?;
    let exchanged = exchanged(before, wire.traffic(), unanswered);
    wire.delay(None);
    line.sync().await?;
    line.close().await?;
    Ok(exchanged)
}

/// Consumes the orders one way, and counts.
pub async fn consuming(
    lab: &Lab,
    wire: &Wire,
    how: Consuming,
) -> anyhow::Result<(Exchanged, Tally)> {
    let uri = lab.uri_through(wire);
    let line = Line::open(&uri, how.queue(), PERSISTENT, lab.witness()).await?;
    how.prepare(&line).await?;
    let before = wire.traffic();
    let orders = lab.count() as usize;
    let tally = how.consume(&line, orders).await?;
    let last =
        text! { en: "the last ack to pass", zh: "最后一个 ack 经过链路" };
    let all = orders.div_ceil(how.together(orders)) as u64;
    lab.wait_until(last, SOON, || async {
        Ok(wire.traffic().consumer_acks - before.consumer_acks == all)
    })
    .await?;
    let exchanged = exchanged(before, wire.traffic(), true);
    line.sync().await?;
    line.close().await?;
    Ok((exchanged, tally))
}

/// What was said last is no round trip where nobody answers it.
fn exchanged(before: Traffic, after: Traffic, unanswered: bool) -> Exchanged {
    let turns = after.turns - before.turns;
    let frames = |t: Traffic| t.frames_to_broker + t.frames_to_client;
    Exchanged {
        round_trips: turns - u64::from(unanswered && turns > 0),
        frames: frames(after) - frames(before),
    }
}
