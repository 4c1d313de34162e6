//! Faults that meet a consumer's ack, and acks that a cut must not eat.

use std::collections::BTreeMap;

use anyhow::ensure;
use lapin::options::BasicAckOptions;
use rmq_lab::fault::wire::{
    MissReason,
    WireFault::{SwallowAck, SwallowAckThenCut},
};

use super::site::{Site, ids};

const ROUNDS: usize = 5;
/// A thousand messages each.
const LONG_ROUNDS: usize = 3;
const ONE: BasicAckOptions = BasicAckOptions { multiple: false };
const ALL_UP_TO_IT: BasicAckOptions = BasicAckOptions { multiple: true };

pub async fn an_ack_swallowed_before_a_cut_is_the_only_one_lost(
    site: &mut Site,
) -> anyhow::Result<()> {
    for round in 0..ROUNDS {
        let ids = ids(round, 20);
        site.fill(&ids).await?;
        site.wire.arm(&ids[19], SwallowAckThenCut);
        let (_connection, _consumer, deliveries) = site.receive(20).await?;
        for delivery in &deliveries {
            delivery.ack(ONE).await?;
        }
        let struck = site.strike().await?;
        ensure!(struck.message == ids[19], "{struck:?}");
        ensure!(struck.open.is_empty(), "{struck:?}");
        comes_back(site, &ids[19..]).await?;
    }
    site.is_quiet()
}

pub async fn a_swallowed_ack_strikes_when_its_connection_ends(
    site: &mut Site,
) -> anyhow::Result<()> {
    for round in 0..ROUNDS {
        let ids = ids(round, 20);
        site.fill(&ids).await?;
        site.wire.arm(&ids[5], SwallowAck);
        let (connection, _consumer, deliveries) = site.receive(20).await?;
        for delivery in &deliveries {
            delivery.ack(ONE).await?;
        }
        if round % 2 == 0 {
            site.wire.cut().await;
        } else {
            connection.close(200, "done".into()).await?;
        }
        let struck = site.strike().await?;
        ensure!(struck.message == ids[5], "{struck:?}");
        ensure!(struck.open.is_empty(), "{struck:?}");
        comes_back(site, &ids[5..6]).await?;
    }
    site.is_quiet()
}

pub async fn a_swallowed_ack_that_a_later_one_covers_is_missed(
    site: &mut Site,
) -> anyhow::Result<()> {
    for round in 0..ROUNDS {
        let ids = ids(round, 4);
        site.fill(&ids).await?;
        site.wire.arm(&ids[0], SwallowAck);
        let (_connection, _consumer, deliveries) = site.receive(4).await?;
        deliveries[0].ack(ONE).await?;
        deliveries[2].ack(ALL_UP_TO_IT).await?;
        ensure!(site.wire.cut().await == 1, "nothing was cut");
        let missed = site.wire.missed();
        ensure!(missed.len() == round + 1, "{missed:?}");
        let missed = &missed[round];
        ensure!(missed.message == ids[0], "{missed:?}");
        ensure!(missed.reason == MissReason::Covered, "{missed:?}");
        // The last was not acked: it says when all that was is settled.
        comes_back(site, &ids[3..]).await?;
    }
    site.is_quiet()
}

pub async fn a_cut_eats_no_ack_that_was_written_before(
    site: &mut Site,
) -> anyhow::Result<()> {
    for round in 0..LONG_ROUNDS {
        let ids = ids(round, 1_001);
        site.fill(&ids).await?;
        let (_connection, _consumer, deliveries) = site.receive(1_001).await?;
        // The last is not acked: when it is back, so is what was lost.
        for delivery in &deliveries[..1_000] {
            delivery.ack(ONE).await?;
        }
        ensure!(site.wire.cut().await == 1, "nothing was cut");
        comes_back(site, &ids[1_000..]).await?;
    }
    site.is_quiet()
}

/// That the broker delivers these again, and no others.
async fn comes_back(site: &Site, ids: &[String]) -> anyhow::Result<()> {
    let back = site.read(ids.len()).await?;
    let expected: BTreeMap<String, bool> =
        ids.iter().map(|id| (id.clone(), true)).collect();
    ensure!(
        back == expected,
        "{} are back ({:?}), expected {expected:?}",
        back.len(),
        back.iter().take(10).collect::<Vec<_>>()
    );
    Ok(())
}
