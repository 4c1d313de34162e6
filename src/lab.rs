//! One run of one scenario: what a way of a scenario holds in its hands.
//!
//! [`scenario`] says what a scenario is, [`run`] is the lifecycle that is the
//! same for all: stage up, drive load, fault strikes, fault lifted, drained,
//! audited, judged, torn down. A way gets a [`Lab`]: its vhost, its messages,
//! its planned strikes, and a ledger to write to. It knows nothing of
//! terminals or of other ways.

mod bars;
pub mod catalogue;
pub mod check;
pub mod clusters;
mod failpoints;
mod ground;
pub mod lanes;
mod observed;
mod owed;
pub mod plan;
mod queues;
pub mod run;
pub mod scenario;
mod start;
mod strike;
mod struck;
pub mod trouble;
pub mod verdict;
mod ways;
mod wires;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::time::sleep;

pub use bars::Bars;
pub use clusters::{ClusterOf, Clusters};
pub use failpoints::{Failpoints, Killed};
use observed::Observed;
use owed::Owed;
pub use plan::Plan;
pub use scenario::{Needs, Predict, Scenario, Topic};
pub use strike::{Hits, Strike};
pub use ways::{Check, Mechanism, Run, Way, Ways};

use crate::{
    event::{Event, Figure, Seat, WayName},
    fault::wire::Wire,
    ledger::{Audit, Counts, Entry, Fact, Ledger, MessageId, Noun, Witness},
    narrate::Narrator,
    stage::{Broker, Cluster, MailSink, Redis, Stage},
    text::Text,
};

/// Above so many messages only the facts of the struck ones are recorded:
/// the ledger counts all, the record stays readable.
pub const RECORD_ALL_UP_TO: u32 = 5_000;

/// What one way of one scenario works with. Cheap to clone.
#[derive(Clone)]
pub struct Lab(Arc<Inner>);

struct Inner {
    way: WayName,
    stage: Arc<Stage>,
    vhost: String,
    dir: PathBuf,
    noun: Noun,
    messages: u32,
    plan: Plan,
    armed: bool,
    own_redis: Option<Redis>,
    own_broker: Option<Broker>,
    cluster: Option<Arc<Cluster>>,
    /// Containers that the way itself has started.
    started: Mutex<Vec<String>>,
    /// Somebody looks at what stands when the run is over.
    keep: bool,
    narrator: Narrator,
    began: Instant,
    ledger: Mutex<Ledger>,
    hits: Mutex<BTreeSet<(Option<MessageId>, Strike)>>,
    observed: Mutex<Observed>,
    steps: Mutex<u32>,
    owed: Mutex<Owed>,
}

/// What a way came to, for its check.
pub struct Outcome {
    /// The sums and the anomalies.
    pub audit: Audit,
    /// What was planned.
    pub plan: Plan,
    /// What they are about.
    pub noun: Noun,
    /// How many messages there were.
    pub messages: u32,
    /// The version of the broker, (major, minor): where what is expected
    /// depends on it.
    pub version: (u16, u16),
    /// What is known of each message for which a strike was planned.
    pub struck: Vec<Struck>,
    /// What was measured.
    pub figures: Vec<Figure>,
}

/// A planned strike, and what is known of its message in the end.
pub struct Struck {
    /// Which message.
    pub message: MessageId,
    /// Which strike.
    pub strike: Strike,
    /// What is known.
    pub entry: Entry,
}

/// A wait that ran out: nothing can be said then.
#[derive(Clone, Debug, thiserror::Error)]
#[error("waited {limit:?} for {what}", what = what.en)]
pub struct RanOut {
    /// What was awaited.
    pub what: Text,
    /// For so long.
    pub limit: Duration,
}

impl Lab {
    /// Which way this is.
    pub fn way(&self) -> WayName {
        self.0.way
    }

    /// The messages of the run, by number.
    pub fn messages(&self) -> impl Iterator<Item = MessageId> + use<> {
        let noun = self.0.noun;
        (1..=self.0.messages).map(move |number| noun.number(number))
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.0.messages
    }

    /// Writes down that an effect of another noun was promised with a
    /// message: `mail-0007` with `order-0007`. It is lost, or doubled, as a
    /// message of its own.
    pub fn promise(&self, message: MessageId, effect: Noun) {
        self.saw(effect.number(message.number), Fact::Accepted);
    }

    /// Tells a step of the way.
    pub fn step(&self, verb: Text, text: Text) {
        let n = {
            let mut steps = lock(&self.0.steps);
            *steps += 1;
            *steps
        };
        self.0.narrator.tell(Event::Step { way: self.0.way, n, verb, text });
    }

    /// Draws who is what now.
    pub fn draw(&self, seats: Vec<Seat>) {
        self.0.narrator.tell(Event::Topology { way: self.0.way, seats });
    }

    /// Shows a command that can be pasted.
    pub fn command(&self, line: impl Into<String>) {
        self.0
            .narrator
            .tell(Event::Command { way: self.0.way, line: line.into() });
    }

    /// Whoever works for this way reports here.
    pub fn witness(&self) -> Arc<dyn Witness> {
        Arc::new(self.clone())
    }

    /// Files of this way only.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// The stage.
    pub fn stage(&self) -> &Stage {
        &self.0.stage
    }

    /// The name of this way's vhost.
    pub fn vhost(&self) -> &str {
        &self.0.vhost
    }

    /// The broker of this way: its own, where the fault hits the whole node,
    /// or the first of the cluster, where it has one.
    pub fn broker(&self) -> &Broker {
        let nodes = self.0.cluster.iter().flat_map(|cluster| &cluster.nodes);
        let own = self.0.own_broker.as_ref();
        own.or(nodes.into_iter().next()).unwrap_or(&self.0.stage.broker)
    }

    /// The cluster of this scenario. Others have it after this way.
    ///
    /// # Errors
    /// When the scenario does not say that it needs one.
    pub fn cluster(&self) -> anyhow::Result<&Cluster> {
        let cluster = self.0.cluster.as_deref();
        cluster.context("the scenario did not say that it needs a cluster")
    }

    /// The version of this way's broker, (major, minor).
    pub fn version(&self) -> (u16, u16) {
        let (major, minor, _) = self.broker().version;
        (major, minor)
    }

    /// An AMQP URI straight to the broker, past every fault.
    pub fn uri(&self) -> String {
        self.broker().uri(self.broker().amqp, &self.0.vhost)
    }

    /// An AMQP URI through a wire.
    pub fn uri_through(&self, wire: &Wire) -> String {
        self.broker().uri(wire.addr(), &self.0.vhost)
    }

    /// The Redis of this scenario.
    ///
    /// # Errors
    /// When the scenario does not say that it needs one.
    pub fn redis(&self) -> anyhow::Result<&Redis> {
        let redis = self.0.own_redis.as_ref().or(self.0.stage.redis.as_ref());
        redis.context("the scenario did not say that it needs Redis")
    }

    /// The mail sink of this scenario. Others send to it too: a way has
    /// letters sent to an address of its own, and looks at those.
    ///
    /// # Errors
    /// When the scenario does not say that it needs one.
    pub fn mail(&self) -> anyhow::Result<&MailSink> {
        let mail = self.0.stage.mail.as_ref();
        mail.context("the scenario did not say that it needs mail")
    }

    /// Writes down what stands after the run.
    pub fn settle(&self, message: MessageId, applied: u16, waiting: u16) {
        lock(&self.0.ledger).settle(message, applied, waiting);
    }

    /// Waits for a condition, and says for what.
    ///
    /// # Errors
    /// [`RanOut`] when it does not come true within `limit`.
    pub async fn wait_until<Asked>(
        &self,
        what: Text,
        limit: Duration,
        mut is_so: impl FnMut() -> Asked,
    ) -> anyhow::Result<()>
    where
        Asked: Future<Output = anyhow::Result<bool>>,
    {
        let began = Instant::now();
        let mut told = false;
        while !is_so().await? {
            if began.elapsed() > limit {
                return Err(RanOut { what, limit }.into());
            }
            if !told && began.elapsed() > Duration::from_secs(2) {
                told = true;
                let (what, limit_s) = (what.clone(), Some(limit.as_secs()));
                self.0.narrator.tell(Event::Waiting { what, limit_s });
            }
            sleep(Duration::from_millis(10)).await;
        }
        if told {
            let took_ms = millis(began.elapsed());
            self.0.narrator.tell(Event::Waited { took_ms });
        }
        Ok(())
    }

    /// What is known of one message so far.
    pub fn entry(&self, message: MessageId) -> Option<Entry> {
        lock(&self.0.ledger).entry(message).copied()
    }

    /// The sums so far.
    pub fn sums(&self) -> Counts {
        self.audit().counts
    }

    fn outcome(&self) -> Outcome {
        let struck = self.0.plan.all().map(|(message, strike)| Struck {
            message,
            strike,
            entry: self.entry(message).unwrap_or_default(),
        });
        Outcome {
            audit: self.audit(),
            plan: self.0.plan.clone(),
            noun: self.0.noun,
            messages: self.0.messages,
            version: self.version(),
            struck: struck.collect(),
            figures: lock(&self.0.observed).figures.clone(),
        }
    }

    /// What the ledger adds up to so far.
    pub fn audit(&self) -> Audit {
        lock(&self.0.ledger).audit()
    }
}

impl Witness for Lab {
    fn saw(&self, message: MessageId, fact: Fact) {
        let at = u32::try_from(self.0.began.elapsed().as_millis())
            .unwrap_or(u32::MAX);
        lock(&self.0.ledger).record(message, fact, at);
        if self.0.plan.strikes(message) {
            lock(&self.0.owed).saw(message, fact);
        }
        if self.0.messages <= RECORD_ALL_UP_TO || self.0.plan.strikes(message) {
            self.0.narrator.tell(Event::Fact {
                way: self.0.way,
                message,
                fact,
            });
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
