//! What a scenario stands on for all of its ways: the stage's own broker, or
//! a shared cluster that nobody else has meanwhile.

use std::{sync::Arc, time::Duration};

use super::{
    Scenario,
    clusters::{Held, NODES},
    run::{Session, heard},
};
use crate::{
    event::Event,
    problem::Problem,
    stage::{Broker, Cluster, News, Stage},
};

/// A broker deletes a vhost with all that is in it within this.
const CLEARED_WITHIN: Duration = Duration::from_secs(10);

/// What a scenario stands on.
pub(super) struct Ground {
    held: Option<Held>,
    cluster: Option<Arc<Cluster>>,
    /// Nothing was done to it since it was last seen whole.
    fresh: bool,
}

impl Ground {
    /// The broker whose version counts.
    pub fn broker<'a>(&'a self, stage: &'a Stage) -> &'a Broker {
        let nodes = self.cluster.iter().flat_map(|cluster| &cluster.nodes);
        nodes.into_iter().next().unwrap_or(&stage.broker)
    }

    /// What it is called above the scenario.
    pub fn product(&self, stage: &Stage) -> String {
        let product = &self.broker(stage).service.product;
        match self.cluster {
            Some(_) => format!("{product} ×{NODES}"),
            None => product.clone(),
        }
    }
}

impl Session {
    /// What a scenario is to stand on. Waits for its cluster, if it needs one
    /// and another scenario has it.
    pub(super) async fn ground(
        &self,
        scenario: &Scenario,
    ) -> Result<Ground, Problem> {
        let Some(of) = scenario.needs.cluster else {
            return Ok(Ground { held: None, cluster: None, fresh: false });
        };
        let held = self.clusters.hold(&self.stage, of).await;
        let held = Some(held);
        let mut ground = Ground { held, cluster: None, fresh: false };
        self.whole(&mut ground).await?;
        ground.fresh = true;
        Ok(ground)
    }

    /// A cluster stands that was not told of yet.
    fn formed(&self, cluster: &Cluster) -> Event {
        let nodes = cluster.nodes.iter();
        let first = cluster.nodes.first();
        Event::StageUp {
            services: nodes.map(|node| node.service.clone()).collect(),
            management: first.filter(|_| self.keep).map(Broker::login),
            way: None,
            places: cluster.places(),
        }
    }

    /// Its cluster, mended. Whoever asks goes on to do something to it.
    pub(super) async fn whole(
        &self,
        ground: &mut Ground,
    ) -> Result<Option<Arc<Cluster>>, Problem> {
        if std::mem::take(&mut ground.fresh) {
            return Ok(ground.cluster.clone());
        }
        let Some(held) = &mut ground.held else { return Ok(None) };
        let hear = |news: News| self.narrator.tell(heard(news));
        let known = held.known();
        let cluster = held.whole(&self.stage, &hear).await?;
        if !known.is_some_and(|known| Arc::ptr_eq(&known, &cluster)) {
            self.narrator.tell(self.formed(&cluster));
        }
        ground.cluster = Some(cluster.clone());
        Ok(Some(cluster))
    }

    /// Takes a way's vhost off its cluster, where a node is left that can. The
    /// others learn of it when they are back.
    pub(super) async fn clear(&self, cluster: &Cluster, vhost: &str) {
        if self.keep {
            return;
        }
        for node in &cluster.nodes {
            let removed = node.management.remove_vhost(vhost);
            let removed = tokio::time::timeout(CLEARED_WITHIN, removed).await;
            if let Ok(Ok(())) = removed {
                return;
            }
        }
    }
}
