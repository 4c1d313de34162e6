//! Clusters of three, each on an engine of its own: they find each other, and
//! a replicated queue outlives one node with all that it had on disk.

use std::time::Duration;

use anyhow::{Context, ensure};
use lapin::{
    BasicProperties, Confirmation, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use libtest_mimic::{Failed, Trial};
use rmq_lab::stage::{
    Cluster, Engine,
    image::{Reference, resolve},
};
use tokio::time::timeout;

use crate::faults::on_an_engine;

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, image: &'static str| {
        let name = format!("cluster::{name}");
        on_an_engine(&name, async move |engine: &Engine| {
            outlives_a_node(engine, image)
                .await
                .map_err(|error| Failed::from(format!("{error:#}")))
        })
    };
    vec![
        trial("a_replicated_queue_outlives_a_node_of_4", "rabbitmq-4"),
        trial("a_replicated_queue_outlives_a_node_of_3", "rabbitmq-3"),
    ]
}

const NODES: usize = 3;
const QUEUE: &str = "orders";
const MESSAGES: u32 = 20;
const ELECTED_WITHIN: Duration = Duration::from_secs(30);

async fn outlives_a_node(engine: &Engine, image: &str) -> anyhow::Result<()> {
    let is_four = image == "rabbitmq-4";
    let image = resolve(engine, Reference::Named(image), &|_| {}).await;
    let image = image.map_err(anyhow::Error::new)?;
    engine.make_network().await?;
    let cluster =
        Cluster::start(engine, &image, "cluster", NODES, &|_| {}).await?;
    if is_four {
        soon_after_its_slowest_node(&cluster)?;
    }
    for node in &cluster.nodes {
        let running = node.management.running().await?;
        ensure!(running.len() == NODES, "{running:?}");
    }
    cluster.make_vhost(QUEUE).await?;
    let without = cluster.nodes[0].management.without_vhost(QUEUE).await?;
    ensure!(without.is_empty(), "{without:?} run no vhost");
    publish(&cluster).await?;
    engine.remove(cluster.nodes[0].container()).await;
    let kept = timeout(ELECTED_WITHIN, kept(&cluster)).await;
    let kept = kept.context("no leader was elected")??;
    ensure!(kept == MESSAGES, "{kept} of {MESSAGES} are left");
    Ok(())
}

/// From the first container to the last node that counts all others it takes
/// little longer than the slowest of them takes to boot. (On 3.10 they boot
/// one after another, and answer before they have joined.)
fn soon_after_its_slowest_node(cluster: &Cluster) -> anyhow::Result<()> {
    let boots = cluster.nodes.iter().map(|node| node.service.boot_ms);
    let slowest = boots.max().unwrap_or_default() as f64 / 1000.0;
    let took = cluster.took.as_secs_f64();
    eprintln!("cluster of 4.3: {took:.1} s, its slowest node {slowest:.1} s");
    ensure!(
        took <= 1.3 * slowest,
        "{took:.1} s until it stood, its slowest node booted in {slowest:.1} s"
    );
    Ok(())
}

/// By way of the node that is to be lost, which leads the queue.
async fn publish(cluster: &Cluster) -> anyhow::Result<()> {
    let connection = connect(cluster, 0).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut arguments = FieldTable::default();
    let quorum = AMQPValue::LongString("quorum".into());
    arguments.insert("x-queue-type".into(), quorum);
    let durable = QueueDeclareOptions::durable();
    channel.queue_declare(QUEUE.into(), durable, arguments).await?;
    for _ in 0..MESSAGES {
        let options = BasicPublishOptions::default();
        let persistent = BasicProperties::default().with_delivery_mode(2);
        let answer = channel
            .basic_publish("".into(), QUEUE.into(), options, b"-", persistent)
            .await?
            .await?;
        ensure!(answer == Confirmation::Ack(None), "{answer:?}");
    }
    Ok(())
}

/// What the others say is in the queue, once they have elected a leader.
async fn kept(cluster: &Cluster) -> anyhow::Result<u32> {
    let mut kept = 0;
    while kept != MESSAGES {
        let channel = connect(cluster, 1).await?.create_channel().await?;
        let passive =
            QueueDeclareOptions { passive: true, ..Default::default() };
        let seen =
            channel.queue_declare(QUEUE.into(), passive, FieldTable::default());
        // While there is no leader there is no answer, or no count.
        if let Ok(Ok(seen)) = timeout(Duration::from_secs(2), seen).await {
            kept = seen.message_count();
        }
    }
    Ok(kept)
}

async fn connect(cluster: &Cluster, node: usize) -> anyhow::Result<Connection> {
    let node = &cluster.nodes[node];
    let how = ConnectionProperties::default();
    Ok(Connection::connect(&node.uri(node.amqp, "%2f"), how).await?)
}
