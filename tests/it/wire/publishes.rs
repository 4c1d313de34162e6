//! Faults that meet a publish or its confirm.

use std::{collections::BTreeSet, time::Duration};

use anyhow::ensure;
use lapin::Channel;
use rmq_lab::fault::wire::WireFault::{
    CutBeforeConfirm, CutBeforePublish, SwallowConfirm,
};
use tokio::time::timeout;

use super::site::{Site, answer, ids, publish};

const ROUNDS: usize = 5;

pub async fn a_publish_that_is_cut_never_reaches_the_broker(
    site: &mut Site,
) -> anyhow::Result<()> {
    for round in 0..ROUNDS {
        let ids = ids(round, 20);
        let at = round * 3;
        site.wire.arm(&ids[at], CutBeforePublish);
        let (_connection, channel) = site.publisher().await?;
        let confirmed = publish_all(&channel, &ids).await?;
        let struck = site.strike().await?;
        ensure!(struck.message == ids[at], "{struck:?}");
        ensure!(!confirmed.contains(&ids[at]), "it was confirmed");
        let before: BTreeSet<String> = ids[..at].iter().cloned().collect();
        let known: BTreeSet<String> =
            confirmed.iter().chain(&struck.also).cloned().collect();
        ensure!(known == before, "{struck:?} and {confirmed:?}");
        let stored: BTreeSet<String> =
            site.read(at).await?.into_keys().collect();
        ensure!(stored == before, "stored {stored:?} of {before:?}");
    }
    site.is_quiet()
}

pub async fn a_publish_cut_before_its_confirm_is_stored(
    site: &mut Site,
) -> anyhow::Result<()> {
    for round in 0..ROUNDS {
        let ids = ids(round, 1);
        site.wire.arm(&ids[0], CutBeforeConfirm);
        let (_connection, channel) = site.publisher().await?;
        let confirmed = publish_all(&channel, &ids).await?;
        ensure!(confirmed.is_empty(), "it was confirmed");
        let struck = site.strike().await?;
        ensure!(struck.message == ids[0], "{struck:?}");
        ensure!(struck.also.is_empty(), "{struck:?}");
        let stored = site.read(1).await?;
        ensure!(stored == [(ids[0].clone(), false)].into(), "{stored:?}");
    }
    site.is_quiet()
}

pub async fn a_cut_amid_many_leaves_what_it_says_it_leaves(
    site: &mut Site,
) -> anyhow::Result<()> {
    for round in 0..ROUNDS {
        let ids = ids(round, 40);
        let target = &ids[round * 7];
        site.wire.arm(target, CutBeforeConfirm);
        let (_connection, channel) = site.publisher().await?;
        let confirmed = publish_all(&channel, &ids).await?;
        let struck = site.strike().await?;
        ensure!(struck.message == *target, "{struck:?}");
        let unanswered: BTreeSet<String> =
            struck.also.into_iter().chain([target.clone()]).collect();
        ensure!(
            unanswered.is_disjoint(&confirmed),
            "{unanswered:?} and {confirmed:?}"
        );
        let expected: BTreeSet<String> =
            unanswered.union(&confirmed).cloned().collect();
        let stored: BTreeSet<String> =
            site.read(expected.len()).await?.into_keys().collect();
        ensure!(stored == expected, "stored {stored:?} of {expected:?}");
    }
    site.is_quiet()
}

pub async fn a_swallowed_confirm_is_the_only_one_missing(
    site: &mut Site,
) -> anyhow::Result<()> {
    let (_connection, channel) = site.publisher().await?;
    for round in 0..ROUNDS {
        let ids = ids(round, 30);
        let at = round * 5;
        site.wire.arm(&ids[at], SwallowConfirm);
        let mut confirms = Vec::new();
        for id in &ids {
            confirms.push(publish(&channel, id).await?);
        }
        let target = confirms.remove(at);
        for confirm in confirms {
            ensure!(answer(confirm).await? == Some(true), "no confirm");
        }
        let struck = site.strike().await?;
        ensure!(struck.message == ids[at], "{struck:?}");
        ensure!(struck.also.is_empty(), "{struck:?}");
        // Later confirms have come on the same channel: it is not late.
        let nothing = timeout(Duration::from_millis(20), target).await;
        ensure!(nothing.is_err(), "the confirm came");
        ensure!(site.read(30).await?.len() == 30, "not all are stored");
    }
    site.is_quiet()
}

/// Publishes without waiting between. Returns those confirmed.
async fn publish_all(
    channel: &Channel,
    ids: &[String],
) -> anyhow::Result<BTreeSet<String>> {
    let mut sent = Vec::with_capacity(ids.len());
    for id in ids {
        // An error here is a connection that was cut already.
        if let Ok(confirm) = publish(channel, id).await {
            sent.push((id, confirm));
        }
    }
    let mut confirmed = BTreeSet::new();
    for (id, confirm) in sent {
        match answer(confirm).await? {
            Some(true) => _ = confirmed.insert(id.clone()),
            Some(false) => anyhow::bail!("{id} was refused"),
            None => {}
        }
    }
    Ok(confirmed)
}
