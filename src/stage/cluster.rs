//! A cluster of brokers that find each other.
//!
//! All nodes start at once and form the cluster by peer discovery from a list
//! (`classic_config`). None may wait for the first: on RabbitMQ 4.3 a seed
//! that is alone took 100 s (seen). The cluster stands when every node counts
//! all others as running, and not before.
//!
//! Source: RabbitMQ documentation, "Cluster Formation and Peer Discovery",
//! section "Config File Peer Discovery Backend"; "Net Tick Time".

use std::time::{Duration, Instant};

use futures::future::{join_all, try_join_all};
use testcontainers::bollard::{
    models::ContainerStateStatusEnum,
    query_parameters::{
        InspectContainerOptions, RestartContainerOptionsBuilder,
        StartContainerOptions,
    },
};
use tokio::time::sleep;

use super::{
    Broker, Engine, Hear, News, broker::Identity, docker, image::Image,
    memory::AT_WORK_MIB,
};
use crate::{event::Place, problem::Problem, text, text::Text};

/// Brokers that are nodes of one cluster.
pub struct Cluster {
    /// The engine that it stands on.
    pub engine: Engine,
    /// The nodes, in the order of their names.
    pub nodes: Vec<Broker>,
    /// From the first container to the last node that counts all others.
    pub took: Duration,
    name: String,
    /// What all nodes have in common.
    identity: Identity,
    /// How many nodes it ever had.
    made: usize,
}

/// A node that does not answer for so long is taken for dead by the others.
/// The default is a minute.
const TICK_S: u32 = 5;
/// How old what the management API says of a queue may be. The default is
/// five seconds, with which a node of 3.10 takes 3 ms of a core each second,
/// and does nothing. With half a second it took 35 ms.
pub const STATISTICS: Duration = Duration::from_secs(1);
/// What was hurt is whole only if it has been so for this long: a node that
/// ran on after a pause is counted as running at first, and restarts when the
/// others tell it what it has missed.
const WHOLE_FOR: Duration = Duration::from_secs(1);
/// A partition that is older than this does not heal by itself.
const PARTED_FOR: Duration = Duration::from_secs(8);
/// Nodes that were restarted for it have booted by then; if they found
/// themselves apart again, they are restarted again.
const REJOINED_WITHIN: Duration = Duration::from_secs(20);
/// A node has to ask the others before it answers, and while one boots they
/// have no time to spare.
const ASKED_EVERY: Duration = Duration::from_millis(200);
/// One thread for work and one for files in each node: several share a machine
/// here, and each boot is some ten thousand short waits for files. On two cores
/// a node of 3.10 boots with 4.3 s of their time instead of 5.2 s.
const ERLANG: &str = "+S 1:1 +SDcpu 1:1 +SDio 1";

impl Cluster {
    /// A cluster that takes longer than this is given up. Twenty to twenty-six
    /// seconds were seen on 3.10, ten on 4.3.
    pub const FORMED_WITHIN: Duration = Duration::from_secs(120);

    /// Starts so many nodes in containers called `name-n1`, `name-n2` …, and
    /// waits until each answers AMQP and counts all of them.
    ///
    /// # Errors
    /// A [`Problem`], with the end of a broker's log when it did not boot.
    pub async fn start(
        engine: &Engine,
        image: &Image,
        name: &str,
        size: usize,
        hear: Hear<'_>,
    ) -> Result<Self, Problem> {
        let began = Instant::now();
        hear(News::Awaiting(
            text! {
                en: "a cluster of {size} brokers", zh: "{size} 个 broker 组成集群",
                size = size
            },
            Some(Self::FORMED_WITHIN),
        ));
        let quiet = |_: News| {};
        let identity = identity(engine, name, size);
        let hosts = Self::containers(engine, name, size).enumerate();
        let nodes = try_join_all(hosts.map(async |(index, host)| {
            let name = node_name(name, index);
            let identity = &Identity { host, ..identity.clone() };
            Broker::start_as(engine, image, &name, identity, &quiet).await
        }))
        .await?;
        let (engine, name) = (engine.clone(), name.to_owned());
        let took = began.elapsed();
        let made = size;
        let cluster = Self { engine, nodes, took, name, identity, made };
        cluster.is_whole(began).await?;
        hear(News::There(began.elapsed()));
        Ok(Self { took: began.elapsed(), ..cluster })
    }

    /// The names of the containers of such a cluster, whether they are there
    /// or not.
    pub fn containers(
        engine: &Engine,
        name: &str,
        size: usize,
    ) -> impl Iterator<Item = String> {
        let prefix = engine.prefix();
        let name = name.to_owned();
        (0..size).map(move |n| format!("{prefix}-{}", node_name(&name, n)))
    }

    /// Where this host reaches a node: its management page, and AMQP.
    pub fn places_of(node: &Broker) -> [Place; 2] {
        let name = node.service.container.rsplit('-').next();
        let name = name.unwrap_or_default();
        let at = node.management.url.clone();
        [Place { what: Text::same(name), at }, node.place(name)]
    }

    /// The same of all nodes.
    pub fn places(&self) -> Vec<Place> {
        self.nodes.iter().flat_map(Self::places_of).collect()
    }

    /// The container of the next node that is made.
    pub fn next_container(&self) -> String {
        let name = node_name(&self.name, self.made);
        format!("{}-{name}", self.engine.prefix())
    }

    /// Puts a new machine in the place of a node that is gone for good: with a
    /// name of its own and an empty disk, and the secrets of the others. It
    /// joins them by itself, as any node does. Waits until all that are there
    /// count each other; whoever is gone is still known to them.
    ///
    /// # Errors
    /// A [`Problem`] when it does not boot or does not join.
    pub async fn replace(
        &mut self,
        index: usize,
        hear: Hear<'_>,
    ) -> Result<(), Problem> {
        let began = Instant::now();
        let host = self.next_container();
        let number = self.made + 1;
        let conf = format!(
            "{}cluster_formation.classic_config.nodes.{number} = \
             rabbit@{host}\n",
            self.identity.conf
        );
        let identity = Identity { host, conf, ..self.identity.clone() };
        let name = node_name(&self.name, self.made);
        let Some(gone) = self.nodes.get_mut(index) else { return Ok(()) };
        let image = gone.image().clone();
        self.made = number;
        *gone = Broker::start_as(&self.engine, &image, &name, &identity, hear)
            .await?;
        self.is_whole(began).await
    }

    /// Makes a vhost and waits until every node runs it.
    ///
    /// A node that is at the very end of its boot may miss it
    /// ([`Management::start_where_missed`]).
    ///
    /// # Errors
    /// What the management API says, if a node does not run it in time.
    pub async fn make_vhost(&self, vhost: &str) -> Result<(), Problem> {
        let Some(first) = self.nodes.first() else { return Ok(()) };
        let management = &first.management;
        tokio::select! {
            made = management.make_vhost(vhost) => made,
            () = management.start_where_missed(vhost) => Ok(()),
        }
    }

    /// Heals what was done to it: starts nodes that are down, lets those that
    /// are paused go on, and waits until all count each other again. `false`
    /// where that took longer than `limit`, or a node is gone altogether.
    ///
    /// # Errors
    /// What Docker says.
    pub async fn mend(&self, limit: Duration) -> Result<bool, Problem> {
        let began = Instant::now();
        for node in &self.nodes {
            if !self.wake(node.container()).await? {
                return Ok(false);
            }
        }
        let (mut whole_since, mut patience) = (None, began + PARTED_FOR);
        while began.elapsed() < limit {
            let seen = self
                .nodes
                .iter()
                .map(|node| node.management.counts_whole(self.nodes.len()));
            if join_all(seen).await.into_iter().all(|whole| whole) {
                let since = *whole_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= WHOLE_FOR {
                    return Ok(true);
                }
            } else {
                whole_since = None;
                if Instant::now() > patience && self.rejoin().await? {
                    patience = Instant::now() + REJOINED_WITHIN;
                }
            }
            sleep(ASKED_EVERY).await;
        }
        Ok(false)
    }

    /// How many nodes each counts as running, for whoever has to find out why
    /// they are not whole: `n1 3, n2 2 (parted), n3 -`. One that does not
    /// answer is quoted: the last line of its log.
    pub async fn counted(&self) -> String {
        let counted = self.nodes.iter().zip(1..).map(async |(node, number)| {
            let management = &node.management;
            let running = match management.counts_running().await {
                Some(running) => running.to_string(),
                None => format!("- ({})", node.last_words().await),
            };
            let parted = match management.is_parted().await {
                true => " (parted)",
                false => "",
            };
            format!("n{number} {running}{parted}")
        });
        join_all(counted).await.join(", ")
    }

    /// Where a node of RabbitMQ 3 knows of a partition, it goes on divided
    /// until one side is restarted: all but the first are. `false` where there
    /// is nothing to do.
    ///
    /// Source: documentation, "Clustering and Network Partitions", section
    /// "Recovering From a Split-Brain".
    async fn rejoin(&self) -> Result<bool, Problem> {
        let parted = self.nodes.iter().map(|node| node.management.is_parted());
        if !join_all(parted).await.into_iter().any(|parted| parted) {
            return Ok(false);
        }
        let docker = self.engine.docker();
        let at_once = RestartContainerOptionsBuilder::new().t(0).build();
        let others = self.nodes.iter().skip(1).map(|node| {
            docker.restart_container(node.container(), Some(at_once.clone()))
        });
        try_join_all(others).await.map_err(|e| docker::failed(&e))?;
        Ok(true)
    }

    /// Has a container run, whatever was done to it. `false` where there is
    /// none.
    async fn wake(&self, container: &str) -> Result<bool, Problem> {
        let docker = self.engine.docker();
        let seen = docker
            .inspect_container(container, None::<InspectContainerOptions>)
            .await;
        let Ok(seen) = seen else { return Ok(false) };
        match seen.state.and_then(|state| state.status) {
            Some(ContainerStateStatusEnum::RUNNING) => {}
            Some(ContainerStateStatusEnum::PAUSED) => docker
                .unpause_container(container)
                .await
                .map_err(|e| docker::failed(&e))?,
            _ => docker
                .start_container(container, None::<StartContainerOptions>)
                .await
                .map_err(|e| docker::failed(&e))?,
        }
        Ok(true)
    }

    /// Removes its containers.
    pub async fn remove(&self) {
        let nodes =
            self.nodes.iter().map(|n| self.engine.remove(n.container()));
        join_all(nodes).await;
    }

    async fn is_whole(&self, began: Instant) -> Result<(), Problem> {
        let size = self.nodes.len();
        loop {
            let seen = self.nodes.iter().map(|node| node.management.running());
            let seen = try_join_all(seen).await?;
            if seen.iter().all(|running| running.len() == size) {
                return Ok(());
            }
            if began.elapsed() > Self::FORMED_WITHIN {
                let seen: Vec<_> =
                    seen.iter().map(|nodes| nodes.len().to_string()).collect();
                let seen = seen.join(", ");
                return Err(Problem::environment(text! {
                    en: "the brokers have not found each other: of {size} they \
                         count {seen}",
                    zh: "broker 没有组成集群：应有 {size} 个，各自看到 {seen} 个",
                    size = size, seen = seen
                })
                .help(text! {
                    en: "a broker wants about {mib} MiB of memory: \
                         rmq-lab doctor",
                    zh: "每个 broker 约需 {mib} MiB 内存：rmq-lab doctor",
                    mib = AT_WORK_MIB
                }));
            }
            sleep(ASKED_EVERY).await;
        }
    }
}

/// The name of a node's container, without the run's prefix. It is the name
/// of its host as well, by which the others find it.
fn node_name(name: &str, index: usize) -> String {
    // A dot would make it a long name.
    format!("{}-n{}", name.replace('.', "-"), index + 1)
}

/// One user, one secret and one list of all for all.
fn identity(engine: &Engine, name: &str, size: usize) -> Identity {
    let mut conf = format!(
        "net_ticktime = {TICK_S}\n\
         collect_statistics_interval = {}\n\
         cluster_formation.peer_discovery_backend = classic_config\n",
        STATISTICS.as_millis()
    );
    let hosts = Cluster::containers(engine, name, size);
    for (number, host) in (1..).zip(hosts) {
        conf += &format!(
            "cluster_formation.classic_config.nodes.{number} = rabbit@{host}\n"
        );
    }
    Identity { conf, erlang: ERLANG, streams: false, ..Identity::of_host("") }
}
