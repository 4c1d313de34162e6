//! What all chains share: three brokers, an exchange, and what strikes them.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use lapin::{
    ErrorKind, ExchangeKind,
    options::{
        BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::FieldTable,
};
use tokio::time::{Instant, sleep_until};

use super::links::{Chain, Home, Link, chains, reaches};
use crate::{
    demos::{
        durability::link::{self, id_of, word},
        shop::orders::Ran,
    },
    fault::{
        container,
        wire::{Protocol, Wire, WireFault},
    },
    lab::{Lab, RanOut, Strike},
    ledger::{MessageId, Witness},
    stage::{Broker, Cluster},
    text,
};

/// The exchange of all chains: durable, direct.
pub const SHOP: &str = "shop";
/// How long is waited for anything that is to happen soon.
pub const SOON: Duration = Duration::from_secs(30);
/// A queue that is younger may not survive a kill of its node (seen: a quorum
/// queue on either version, a classic one on 3.10).
const YOUNG: Duration = Duration::from_secs(4);
const SIGKILLED: i64 = 137;

/// Three brokers, and who was struck.
pub struct Site {
    /// The run.
    pub lab: Lab,
    cluster: Cluster,
    tally: Arc<Tally>,
    /// From the producers to the first node.
    pub producers: Wire,
    declared: Instant,
}

/// Which strikes have struck which orders.
struct Tally {
    lab: Lab,
    struck: Mutex<BTreeSet<(Strike, MessageId)>>,
}

impl Tally {
    /// It has really struck. When it has in every chain that it can reach, it
    /// counts.
    fn struck(&self, strike: Strike, order: MessageId) {
        self.lab.saw(order, strike.fact());
        let mut struck =
            self.struck.lock().unwrap_or_else(PoisonError::into_inner);
        struck.insert((strike, order));
        let everywhere = chains()
            .filter(|chain| reaches(strike, *chain))
            .filter_map(|chain| chain.fated(&self.lab, strike))
            .all(|order| struck.contains(&(strike, order)));
        if everywhere {
            self.lab.struck_once(strike);
        }
    }

    fn has(&self, strike: Strike, order: MessageId) -> bool {
        let struck = self.struck.lock();
        let struck = struck.unwrap_or_else(PoisonError::into_inner);
        struck.contains(&(strike, order))
    }
}

impl Site {
    /// Starts the brokers, and declares what every chain needs.
    pub async fn open(lab: &Lab) -> anyhow::Result<Self> {
        let cluster = lab.start_cluster(3).await?;
        let first = cluster.nodes.first().context("no node")?.amqp;
        let tally =
            Arc::new(Tally { lab: lab.clone(), struck: Mutex::default() });
        let heard = tally.clone();
        let producers =
            Wire::open("producers", first, Protocol::Amqp, move |struck| {
                if let (true, Ok(order)) =
                    (struck.fenced, struck.message.parse())
                {
                    heard.struck(Strike::CutBeforePublish, order);
                }
            })
            .await?;
        let declared = Instant::now();
        let site =
            Self { lab: lab.clone(), cluster, tally, producers, declared };
        for chain in chains() {
            site.declare(chain, chain.home()).await?;
            site.arm(chain);
        }
        Ok(Self { declared: Instant::now(), ..site })
    }

    fn arm(&self, chain: Chain) {
        let strike = Strike::CutBeforePublish;
        let order = chain.fated(&self.lab, strike);
        if let (true, Some(order)) = (self.lab.is_armed(strike), order) {
            let fault = WireFault::CutBeforePublish;
            self.producers.arm(order.to_string(), fault);
        }
    }

    /// Notes a strike.
    pub fn struck(&self, strike: Strike, order: MessageId) {
        self.tally.struck(strike, order);
    }

    /// Whether this order was struck so already.
    pub fn has_struck(&self, strike: Strike, order: MessageId) -> bool {
        self.tally.has(strike, order)
    }

    /// An AMQP URI to the first node, or to a wire before it.
    pub fn uri(&self, wire: Option<&Wire>) -> anyhow::Result<String> {
        let node = self.node(Home::AllThree)?;
        let at: SocketAddr = wire.map_or(node.amqp, Wire::addr);
        Ok(node.uri(at, self.lab.vhost()))
    }

    /// A wire to the first node, for one consumer.
    pub async fn consumer_wire(&self) -> anyhow::Result<Wire> {
        let first = self.node(Home::AllThree)?.amqp;
        Ok(Wire::open("consumer", first, Protocol::Amqp, |_| {}).await?)
    }

    /// The first node is the one that clients talk to, and nothing happens to
    /// it.
    fn node(&self, home: Home) -> anyhow::Result<&Broker> {
        let place = match home {
            Home::AllThree => 0,
            Home::TheKilled => 1,
            Home::TheLost => 2,
        };
        self.cluster.nodes.get(place).context("a cluster of three")
    }

    /// A connection to the first node.
    async fn link(&self) -> anyhow::Result<link::Link> {
        link::Link::open(&self.uri(None)?).await
    }

    /// Declares a chain's queues, as an application does when it starts. A
    /// classic queue is made on the node that its declarer is connected to
    /// (documentation, "Clustering Guide", section "Leader Placement").
    pub async fn declare(&self, chain: Chain, home: Home) -> Ran {
        let node = self.node(home)?;
        let uri = node.uri(node.amqp, self.lab.vhost());
        let link = link::Link::open(&uri).await?;
        let kind = match chain.home() {
            Home::AllThree => "quorum",
            Home::TheKilled | Home::TheLost => "classic",
        };
        let mut arguments = vec![word("x-queue-type", kind)];
        if chain.has(Link::DeadLetters) {
            let to = word("x-dead-letter-routing-key", &chain.dead_letters());
            arguments.extend([word("x-dead-letter-exchange", ""), to]);
        }
        let durable = chain.has(Link::Durable);
        declare(&link, &chain.queue(), durable, arguments).await?;
        let exchange =
            ExchangeDeclareOptions { durable: true, ..Default::default() };
        let (direct, none) = (ExchangeKind::Direct, FieldTable::default());
        link.channel
            .exchange_declare(SHOP.into(), direct, exchange, none)
            .await?;
        bind(&link, &chain.queue(), &chain.queue()).await?;
        link.close().await?;
        let link = self.link().await?;
        let classic = vec![word("x-queue-type", "classic")];
        declare(&link, &chain.dead_letters(), true, classic).await?;
        link.close().await
    }

    /// Declares a chain's queues anew, from the first node, once the broker
    /// can: it may still be recovering, or electing a leader.
    pub async fn redeclare(&self, chain: Chain) -> Ran {
        let what = text! {
            en: "{queue} to be declared", zh: "声明 {queue}",
            queue = chain.queue()
        };
        let declare = || self.declare(chain, Home::AllThree);
        self.lab
            .wait_until(what, SOON, || async { Ok(declare().await.is_ok()) })
            .await?;
        if chain.home() == Home::AllThree {
            self.until_there(&chain.queue(), 1).await?;
        }
        Ok(())
    }

    /// Somebody mends what an order found no queue for.
    pub async fn mend(&self, chain: Chain, key: &str) -> Ran {
        let link = self.link().await?;
        bind(&link, &chain.queue(), key).await?;
        link.close().await
    }

    /// How many messages of a queue are ready; `None` where there is no queue.
    pub async fn ready(&self, queue: &str) -> anyhow::Result<Option<u32>> {
        const NOT_FOUND: u16 = 404;
        let link = self.link().await?;
        let passive =
            QueueDeclareOptions { passive: true, ..Default::default() };
        let none = FieldTable::default();
        match link.channel.queue_declare(queue.into(), passive, none).await {
            Ok(seen) => Ok(Some(seen.message_count())),
            Err(error) => match error.kind() {
                ErrorKind::ProtocolError(e) if e.get_id() == NOT_FOUND => {
                    Ok(None)
                }
                _ => Err(error.into()),
            },
        }
    }

    /// Waits until a queue holds so many. It may come to nothing: the check
    /// then says what is missing.
    pub async fn until_there(&self, queue: &str, many: u32) -> Ran {
        let what = text! {
            en: "{many} messages in {queue}", zh: "{queue} 里有 {many} 条消息",
            many = many, queue = queue
        };
        let there = self.lab.wait_until(what, SOON, || async {
            Ok(self.ready(queue).await? >= Some(many))
        });
        match there.await {
            Err(error) if error.is::<RanOut>() => Ok(()),
            other => other,
        }
    }

    /// Takes out what is in a queue.
    pub async fn take_all(
        &self,
        queue: &str,
    ) -> anyhow::Result<Vec<MessageId>> {
        let link = self.link().await?;
        let look = BasicGetOptions { no_ack: true };
        let mut found = Vec::new();
        while let Some(got) = link.channel.basic_get(queue.into(), look).await?
        {
            found.push(id_of(&got.delivery)?);
        }
        link.close().await?;
        Ok(found)
    }

    /// One node is lost with its disk, another is killed at the same moment
    /// and started again. Only when the second is back there is a majority.
    /// The lost one is taken off the list, as an operator would.
    pub async fn strike_nodes(&self) -> Ran {
        let lab = &self.lab;
        let engine = &lab.stage().engine;
        let (killed, lost) =
            (self.node(Home::TheKilled)?, self.node(Home::TheLost)?);
        sleep_until(self.declared + YOUNG).await;
        if lab.is_armed(Strike::DiskLost) {
            container::destroy(engine, lost.container()).await?;
            lab.struck_once(Strike::DiskLost);
        }
        if lab.is_armed(Strike::BrokerKilled) {
            container::kill(engine, killed.container()).await?;
            let code = container::exit_code(engine, killed.container()).await?;
            ensure!(code == SIGKILLED, "the broker ended with {code}");
            lab.struck_once(Strike::BrokerKilled);
            lab.start_again(killed).await?;
        }
        if lab.is_armed(Strike::DiskLost) {
            let gone = format!("rabbit@{}", lost.service.container);
            let forget = ["forget_cluster_node", gone.as_str()];
            self.node(Home::AllThree)?.ctl(&forget).await?;
        }
        Ok(())
    }
}

async fn declare(
    link: &link::Link,
    queue: &str,
    durable: bool,
    arguments: Vec<link::Argument>,
) -> lapin::Result<()> {
    let options = QueueDeclareOptions { durable, ..Default::default() };
    let mut table = FieldTable::default();
    for (key, value) in arguments {
        table.insert(key.into(), value);
    }
    link.channel.queue_declare(queue.into(), options, table).await.map(drop)
}

async fn bind(link: &link::Link, queue: &str, key: &str) -> lapin::Result<()> {
    let (bound, none) = (QueueBindOptions::default(), FieldTable::default());
    link.channel
        .queue_bind(queue.into(), SHOP.into(), key.into(), bound, none)
        .await
}
