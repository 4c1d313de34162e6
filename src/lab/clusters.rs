//! The clusters that scenarios share.
//!
//! A cluster takes longer to form than most scenarios take to run, so it is
//! started when the first scenario needs it, and handed from one to the next.
//! Only one has it at a time: its faults hit all who are on it. Where a second
//! scenario wants one of the same kind meanwhile, there may be another
//! ([`THREES`]).
//! What a way has done to it is mended before the next begins, and where that
//! fails it is replaced.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::future::select_all;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{
    problem::Problem,
    stage::{Cluster, Hear, Stage, image, memory},
};

/// Nodes of a shared cluster: the fewest of which one may go.
pub const NODES: usize = 3;
/// A cluster that is not whole again by then is replaced. A node of 3.10 is
/// back after some 10 s, and after a partition it restarts once more.
const MENDED_WITHIN: Duration = Duration::from_secs(60);

/// So many clusters of RabbitMQ 3 at most. Two thirds of the time that topics
/// take on clusters is on these, and most of it is waiting for one node.
pub(super) const THREES: usize = 2;

/// Which brokers a shared cluster is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterOf {
    /// Of the kind that the run is about.
    Run,
    /// Of RabbitMQ 3, which still mirrors queues, whatever the run is about.
    Three,
}

/// The clusters of a run. Cheap to clone.
#[derive(Clone, Default)]
pub struct Clusters(Arc<Slots>);

type Slot = Arc<Mutex<Option<Arc<Cluster>>>>;

#[derive(Default)]
struct Slots {
    three: [Slot; THREES],
    four: [Slot; 1],
    started: AtomicU32,
}

/// A cluster that nobody else has.
pub(super) struct Held {
    slot: OwnedMutexGuard<Option<Arc<Cluster>>>,
    clusters: Clusters,
    of: ClusterOf,
}

impl Clusters {
    /// Waits until a cluster is free, and keeps it.
    pub(super) async fn hold(&self, stage: &Stage, of: ClusterOf) -> Held {
        let slots: &[Slot] = match is_three(stage, of) {
            true => &self.0.three,
            false => &self.0.four,
        };
        // Whoever is alone keeps to the first. Where another does not fit, one
        // waits for what there is.
        let free = memory::available_mib(Some(&stage.engine)).await;
        let fits = memory::is_enough(NODES, free).is_ok();
        let mut busy = Vec::new();
        for (nth, slot) in slots.iter().enumerate() {
            match slot.clone().try_lock_owned() {
                Ok(free) if free.is_some() || fits || nth == 0 => {
                    return Held { slot: free, clusters: self.clone(), of };
                }
                Ok(_) => {}
                Err(_) => busy.push(Box::pin(slot.clone().lock_owned())),
            }
        }
        let slot = select_all(busy).await.0;
        Held { slot, clusters: self.clone(), of }
    }
}

impl Held {
    /// The cluster that is there already, whole or not.
    pub fn known(&self) -> Option<Arc<Cluster>> {
        self.slot.clone()
    }

    /// The cluster, whole: mended, or started anew.
    ///
    /// # Errors
    /// When no cluster can be started.
    pub async fn whole(
        &mut self,
        stage: &Stage,
        hear: Hear<'_>,
    ) -> Result<Arc<Cluster>, Problem> {
        if let Some(cluster) = self.slot.as_ref() {
            // What Docker cannot start again is replaced like what is gone.
            if let Ok(true) = cluster.mend(MENDED_WITHIN).await {
                return Ok(cluster.clone());
            }
            cluster.remove().await;
        }
        *self.slot = None;
        let engine = &stage.engine;
        let own = stage.broker.image();
        let image = match (self.of, stage.broker.version) {
            (ClusterOf::Three, (4.., ..)) => {
                let three = image::Reference::Named("rabbitmq-3");
                image::resolve(engine, three, hear).await?
            }
            _ => own.clone(),
        };
        let free = memory::available_mib(Some(engine)).await;
        let _claim = memory::claim(NODES, free)?;
        let number = &self.clusters.0.started;
        let number = number.fetch_add(1, Ordering::Relaxed) + 1;
        let name = format!("c{number}");
        let cluster = Cluster::start(engine, &image, &name, NODES, hear);
        let cluster = Arc::new(cluster.await?);
        *self.slot = Some(cluster.clone());
        Ok(cluster)
    }
}

/// Whether it is one of RabbitMQ 3: all are, where the run is about that.
fn is_three(stage: &Stage, of: ClusterOf) -> bool {
    let (major, ..) = stage.broker.version;
    of == ClusterOf::Three || major < 4
}
