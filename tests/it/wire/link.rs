//! What is done to the link as a whole.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use lapin::{
    BasicProperties,
    options::{BasicGetOptions, BasicPublishOptions},
};
use rmq_lab::fault::wire::WireFault;
use tokio::time::timeout;

use super::site::{QUEUE, Site, answer, connect, publish};

const SHORTLY: Duration = Duration::from_millis(200);
const LIMIT: Duration = Duration::from_secs(5);

pub async fn a_frozen_link_moves_nothing_until_it_is_thawed(
    site: &mut Site,
) -> anyhow::Result<()> {
    let (_connection, channel) = site.publisher().await?;
    site.wire.freeze();
    let mut confirm = Box::pin(publish(&channel, "a").await?);
    let early = timeout(SHORTLY, &mut confirm).await;
    ensure!(early.is_err(), "a confirm came over a frozen link");
    ensure!(site.read(0).await?.is_empty(), "the publish arrived");
    site.wire.thaw();
    let confirm = timeout(LIMIT, confirm).await??;
    ensure!(confirm.is_ack(), "refused");
    ensure!(site.read(1).await?.len() == 1, "not stored");
    Ok(())
}

pub async fn what_was_written_on_a_frozen_link_dies_with_a_cut(
    site: &mut Site,
) -> anyhow::Result<()> {
    let (_connection, channel) = site.publisher().await?;
    site.wire.freeze();
    let confirm = publish(&channel, "a").await?;
    ensure!(site.wire.cut().await == 1, "nothing was cut");
    ensure!(answer(confirm).await?.is_none(), "it was answered");
    site.wire.thaw();
    ensure!(site.read(0).await?.is_empty(), "the publish arrived");
    ensure!(site.wire.cut().await == 0, "the connection is still there");
    Ok(())
}

pub async fn a_delay_is_met_in_both_directions(
    site: &mut Site,
) -> anyhow::Result<()> {
    let (_connection, channel) = site.publisher().await?;
    let delay = Duration::from_millis(100);
    site.wire.delay(Some(delay));
    let began = Instant::now();
    let confirm = publish(&channel, "a").await?;
    ensure!(answer(confirm).await? == Some(true), "no confirm");
    let took = began.elapsed();
    ensure!(took >= 2 * delay, "a round trip of {took:?}");
    site.wire.delay(None);
    Ok(())
}

pub async fn a_refused_connection_is_reset_and_an_open_one_stays(
    site: &mut Site,
) -> anyhow::Result<()> {
    let (_connection, channel) = site.publisher().await?;
    site.wire.refuse(true);
    let refused = timeout(LIMIT, connect(&site.uri())).await;
    ensure!(refused.context("no answer")?.is_err(), "it was let in");
    let confirm = publish(&channel, "a").await?;
    ensure!(answer(confirm).await? == Some(true), "the open one is dead");
    ensure!(site.wire.traffic().connections == 1, "the refused one counts");
    site.wire.refuse(false);
    connect(&site.uri()).await?;
    Ok(())
}

/// Several frames each, with and without a fault that makes the wire look.
pub async fn large_messages_pass_unharmed(
    site: &mut Site,
) -> anyhow::Result<()> {
    let body: Vec<u8> = (0..=250).cycle().take(1_000_000).collect();
    let (_connection, channel) = site.publisher().await?;
    for armed in [false, true] {
        if armed {
            site.wire.arm("never", WireFault::CutBeforePublish);
        }
        let options = BasicPublishOptions::default();
        let none = BasicProperties::default();
        let (exchange, key) = ("".into(), QUEUE.into());
        let sent =
            channel.basic_publish(exchange, key, options, &body, none).await?;
        ensure!(answer(sent).await? == Some(true), "no confirm");
        let options = BasicGetOptions { no_ack: true };
        let got = channel.basic_get(QUEUE.into(), options).await?;
        ensure!(got.context("nothing there")?.data == body, "it was changed");
    }
    Ok(())
}

pub async fn a_wire_that_is_dropped_resets_its_connections(
    site: &mut Site,
) -> anyhow::Result<()> {
    let (_connection, channel) = site.publisher().await?;
    drop(site.open_another_wire().await?);
    // An error at once, or once it is waited for.
    if let Ok(confirm) = publish(&channel, "a").await {
        ensure!(answer(confirm).await?.is_none(), "the connection lives on");
    }
    Ok(())
}
