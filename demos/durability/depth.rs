//! What the broker says of a queue, and of what it still expects to be acked.

use std::sync::Mutex;

use anyhow::Context;

use super::bench::{SOON, lock};
use crate::{lab::Lab, text};

/// What stands in a queue. `rabbitmqctl list_queues` asks the queue itself;
/// the management API's figures are some seconds old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Depth {
    /// In it, and given to nobody.
    pub ready: u32,
    /// Given out, and not yet acked.
    pub unacked: u32,
    /// Who consumes it.
    pub consumers: u32,
}

const LOOK: &[&str] = &[
    "list_queues",
    "name",
    "messages_ready",
    "messages_unacknowledged",
    "consumers",
];

/// Asks the broker.
pub(super) async fn depth(lab: &Lab, queue: &str) -> anyhow::Result<Depth> {
    let head = ["--silent", "-p", lab.vhost()];
    let told = lab.broker().ctl(&[&head, LOOK].concat()).await?;
    let row = told.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == queue).then(|| words.map(str::parse::<u32>))
    });
    let mut row = row.with_context(|| format!("no {queue}: {told}"))?;
    let mut next = || anyhow::Ok(row.next().context("a figure")??);
    Ok(Depth { ready: next()?, unacked: next()?, consumers: next()? })
}

/// Shows how to ask.
pub(super) fn show(lab: &Lab) {
    let container = &lab.broker().service.container;
    let (vhost, look) = (lab.vhost(), LOOK.join(" "));
    lab.command(format!(
        "docker exec {container} rabbitmqctl -p {vhost} {look}"
    ));
}

/// What the consumer's side has counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here {
    /// Deliveries that have come.
    pub came: u64,
    /// Of these, not yet acked; `None` where it does not know.
    pub unacked: Option<u64>,
}

/// Waits until nothing is on its way any more between a queue that once held
/// `all` and its consumer, and nothing more will be: both sides have counted
/// the same, and the queue is empty or the `prefetch` is full (a consumer
/// without acks has none). `here` is `None` while the consumer is at work.
pub(super) async fn at_rest(
    lab: &Lab,
    (queue, all): (&str, u32),
    prefetch: Option<u16>,
    here: impl Fn() -> Option<Here>,
) -> anyhow::Result<Depth> {
    let seen = Mutex::new(None);
    let what = text! {
        en: "broker and consumer to be at rest", zh: "broker 与消费者都停下来"
    };
    lab.wait_until(what, SOON, || async {
        let Some(Here { came, unacked }) = here() else { return Ok(false) };
        let depth = depth(lab, queue).await?;
        let full = prefetch.map(u32::from) == Some(depth.unacked);
        let agreed = u64::from(depth.ready) + came == u64::from(all)
            && unacked.is_none_or(|n| n == u64::from(depth.unacked));
        *lock(&seen) = Some(depth);
        Ok(agreed && (depth.ready == 0 || full))
    })
    .await?;
    let seen = lock(&seen).take();
    seen.context("nobody looked")
}
