//! What a way starts for itself, beside what it stands on.

use std::time::Duration;

use super::{Lab, RanOut, lock, run::heard};
use crate::{
    event::{Event, Place, Service},
    fault::{
        container,
        parted::{self, Parted},
    },
    stage::{
        Balancers, Balancing, Broker, Cluster, Persistence, Redis, image,
        memory,
    },
    text,
};

/// A broker that was stopped is back after so long, also on a busy machine.
const BACK: Duration = Duration::from_secs(60);

impl Lab {
    /// Tells what this way has started for itself, and where it is reached. A
    /// login to look at it is told where that will be possible.
    fn stands(&self, services: Vec<Service>, places: Vec<Place>, by: &Broker) {
        self.0.narrator.tell(Event::StageUp {
            services,
            management: self.0.keep.then(|| by.login()),
            way: Some(self.0.way),
            places,
        });
    }

    /// The same of one broker.
    pub(super) fn stands_alone(&self, broker: &Broker) {
        let service = broker.service.clone();
        let places = vec![broker.place(&service.product)];
        self.stands(vec![service], places, broker);
    }

    /// A Redis more of this way's own, which keeps what it is told to keep
    /// when it is killed. It goes with the way.
    ///
    /// # Errors
    /// When the scenario does not say that it needs Redis, or this one does
    /// not start.
    pub async fn start_redis(
        &self,
        name: &str,
        keeps: Persistence,
    ) -> anyhow::Result<Redis> {
        let (engine, image) = (&self.0.stage.engine, self.redis()?.image());
        let name = format!("redis-{}-{name}", self.0.vhost);
        lock(&self.0.started).push(format!("{}-{name}", engine.prefix()));
        Ok(Redis::start(engine, image, &name, keeps).await?)
    }

    /// A broker more of the named image (`rabbitmq-3`, a row of the table of
    /// images), with a vhost of this way's name on it. It goes with the way.
    /// `None` where the image is not at hand: it is neither pulled nor built.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_broker(
        &self,
        image: &str,
    ) -> anyhow::Result<Option<Broker>> {
        let engine = &self.0.stage.engine;
        let Some(image) = image::at_hand(engine, image).await? else {
            return Ok(None);
        };
        let tag = image.tag.replace(|c: char| !c.is_alphanumeric(), "-");
        let name = format!("broker-{}-{tag}", self.0.vhost);
        lock(&self.0.started).push(format!("{}-{name}", engine.prefix()));
        let narrator = self.0.narrator.clone();
        let hear = move |news| narrator.tell(heard(news));
        let broker = Broker::start(engine, &image, &name, &hear).await?;
        broker.management.make_vhost(&self.0.vhost).await?;
        self.stands_alone(&broker);
        Ok(Some(broker))
    }

    /// A broker more of the kind that the run is about, with the same user and
    /// a vhost of this way's name. It goes with the way.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_twin(&self) -> anyhow::Result<Broker> {
        let engine = &self.0.stage.engine;
        let name = format!("broker-{}-twin", self.0.vhost);
        lock(&self.0.started).push(format!("{}-{name}", engine.prefix()));
        let narrator = self.0.narrator.clone();
        let hear = move |news| narrator.tell(heard(news));
        let twin = self.broker().start_twin(engine, &name, &hear).await?;
        twin.management.make_vhost(&self.0.vhost).await?;
        self.stands_alone(&twin);
        Ok(twin)
    }

    /// Cuts some nodes of the cluster off from others, while clients reach
    /// both.
    ///
    /// # Errors
    /// When the scenario does not say that it needs a cluster, or the engine does not let a container change its network.
    pub async fn part(
        &self,
        cut_off: &[&Broker],
        others: &[&Broker],
    ) -> anyhow::Result<Parted> {
        // A shared cluster may stand on another run's network.
        let engine = &self.cluster()?.engine;
        let narrator = self.0.narrator.clone();
        let hear = move |news| narrator.tell(heard(news));
        let tools = image::Reference::Named("tools");
        let tools = image::resolve(engine, tools, &hear).await?;
        Ok(parted::part(engine, &tools, cut_off, others).await?)
    }

    /// Balancers before these brokers. They go with the way.
    ///
    /// # Errors
    /// When they do not start, or the engine does not let them have an
    /// address in common.
    pub async fn start_balancers(
        &self,
        how: &Balancing,
        brokers: &[&Broker],
    ) -> anyhow::Result<Balancers> {
        // A shared cluster may stand on another run's network.
        let cluster = self.0.cluster.as_ref();
        let engine =
            cluster.map_or(&self.0.stage.engine, |cluster| &cluster.engine);
        let narrator = self.0.narrator.clone();
        let hear = move |news| narrator.tell(heard(news));
        let tools = image::Reference::Named("tools");
        let tools = image::resolve(engine, tools, &hear).await?;
        let name = &self.0.vhost;
        lock(&self.0.started).extend(Balancers::containers(engine, name, how));
        let hosts = brokers.iter().map(|b| b.service.container.clone());
        let hosts: Vec<_> = hosts.collect();
        let balancers =
            Balancers::start(engine, &tools, name, how, &hosts, &hear).await?;
        let services = balancers.services.clone();
        let behind = brokers.first().copied().unwrap_or(self.broker());
        self.stands(services, balancers.places(), behind);
        Ok(balancers)
    }

    /// A cluster of so many brokers of the kind that the run is about, with a
    /// vhost of this way's name. It goes with the way.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_cluster(&self, size: usize) -> anyhow::Result<Cluster> {
        let engine = &self.0.stage.engine;
        let image = self.0.stage.broker.image();
        let free = memory::available_mib(Some(engine)).await;
        let _claim = memory::claim(size, free)?;
        let name = format!("cluster-{}", self.0.vhost);
        lock(&self.0.started).extend(Cluster::containers(engine, &name, size));
        let narrator = self.0.narrator.clone();
        let hear = move |news| narrator.tell(heard(news));
        let cluster = Cluster::start(engine, image, &name, size, &hear).await?;
        cluster.make_vhost(&self.0.vhost).await?;
        if let Some(first) = cluster.nodes.first() {
            let nodes = cluster.nodes.iter().map(|node| node.service.clone());
            self.stands(nodes.collect(), cluster.places(), first);
        }
        Ok(cluster)
    }

    /// Puts a new node in the place of one that is gone for good, with an
    /// empty disk and another name, and waits until it has joined.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn replace_node(
        &self,
        cluster: &mut Cluster,
        index: usize,
    ) -> anyhow::Result<()> {
        lock(&self.0.started).push(cluster.next_container());
        let narrator = self.0.narrator.clone();
        let hear = move |news| narrator.tell(heard(news));
        cluster.replace(index, &hear).await?;
        if let Some(new) = cluster.nodes.get(index) {
            let places = Cluster::places_of(new).to_vec();
            self.stands(vec![new.service.clone()], places, new);
        }
        Ok(())
    }

    /// Starts a broker that was stopped, with its volume as it was, and waits
    /// until it answers.
    ///
    /// # Errors
    /// [`RanOut`] when it does not in time, and what Docker says.
    pub async fn start_again(&self, broker: &Broker) -> anyhow::Result<()> {
        container::start(&self.0.stage.engine, broker.container()).await?;
        if broker.answers(BACK).await {
            return Ok(());
        }
        let what = text! {
            en: "{node} to be back", zh: "{node} 恢复",
            node = broker.service.container
        };
        Err(RanOut { what, limit: BACK }.into())
    }
}
