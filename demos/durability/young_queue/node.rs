//! What lies on the disk of a node, alive or dead.

use std::time::Duration;

use anyhow::ensure;
use tokio::time::{Instant, sleep_until};

use crate::{
    demos::shop::orders::Ran, lab::Lab, ledger::MessageId, stage::Broker, text,
};

/// What the host of the lab's own broker is called.
const ALONE: &str = "broker";

/// The name is saved a second after the declaration, if nothing else is
/// declared.
const SAVED_WITHIN: Duration = Duration::from_secs(20);

/// On 3.x a durable queue that is younger than this sometimes does not come
/// back after a kill (seen on 3.10). The broker has no word for when it would,
/// so there is nothing to ask, and its age must do.
const YOUNG: Duration = Duration::from_secs(4);

/// Whether the node's table of names, as it is on disk, knows a queue.
pub async fn knows(lab: &Lab, queue: &str) -> anyhow::Result<bool> {
    host_knows(lab, lab.broker(), ALONE, queue).await
}

/// The same of any node, whose host has this name.
pub async fn host_knows(
    lab: &Lab,
    node: &Broker,
    host: &str,
    queue: &str,
) -> anyhow::Result<bool> {
    let names = format!("{}/names.dets", quorum(host));
    let names = archive(lab, node, &names).await?;
    Ok(has(&names, format!("{}_{queue}", lab.vhost()).as_bytes()))
}

/// Where the quorum queues of a node keep their names and their messages, in
/// an image of the official one's shape.
fn quorum(host: &str) -> String {
    format!("/var/lib/rabbitmq/mnesia/rabbit@{host}/quorum/rabbit@{host}")
}

/// Waits until a queue that was declared then would be found again by a node
/// that was killed.
pub async fn is_known(lab: &Lab, queue: &str, declared: Instant) -> Ran {
    let what = text! {
        en: "the queue's name on disk", zh: "队列名落盘"
    };
    lab.wait_until(what, SAVED_WITHIN, || knows(lab, queue)).await?;
    if lab.version() < (4, 0) {
        sleep_until(declared + YOUNG).await;
    }
    Ok(())
}

/// Has the only member of a queue stand for election, as an operator would
/// who knows Erlang.
pub async fn elect(lab: &Lab, node: &Broker, queue: &str) -> Ran {
    let member = format!("{{'{}_{queue}', node()}}", lab.vhost());
    let elect = format!("ra:trigger_election({member}).");
    let said = node.ctl(&["eval", &elect]).await?;
    ensure!(said.trim() == "ok", "rabbitmqctl eval: {said}");
    Ok(())
}

/// How many of these orders are in the node's log of quorum queues, whether
/// their queue is known or not.
pub async fn logged(lab: &Lab, orders: &[MessageId]) -> anyhow::Result<usize> {
    let log = archive(lab, lab.broker(), &quorum(ALONE)).await?;
    let is_in = |order: &&MessageId| {
        has(&log, format!(r#"{{"order":"{order}"}}"#).as_bytes())
    };
    Ok(orders.iter().filter(is_in).count())
}

async fn archive(
    lab: &Lab,
    node: &Broker,
    path: &str,
) -> anyhow::Result<Vec<u8>> {
    Ok(lab.stage().engine.archive(node.container(), path).await?)
}

fn has(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|part| part == wanted)
}
