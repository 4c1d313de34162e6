//! One run of one scenario: what a way of a scenario holds in its hands.
//!
//! [`scenario`] says what a scenario is, [`run`] is the lifecycle that is the
//! same for all: stage up, drive load, fault strikes, fault lifted, drained,
//! audited, judged, torn down. A way gets a [`Lab`]: its vhost, its messages,
//! its planned strikes, and a ledger to write to. It knows nothing of
//! terminals or of other ways.

pub mod catalogue;
pub mod check;
mod failpoints;
pub mod plan;
pub mod run;
pub mod scenario;
pub mod trouble;
pub mod verdict;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use lapin::{
    Connection, ConnectionProperties,
    options::{BasicGetOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use tokio::time::sleep;

pub use failpoints::{Failpoints, Killed};
pub use plan::Plan;
pub use scenario::{
    Bars, Check, Hits, Mechanism, Needs, Predict, Run, Scenario, Strike, Topic,
    Way, Ways,
};

use crate::{
    event::{Event, Figure, Gauge, Unit, WayName},
    fault::wire::{self, Protocol, Wire},
    ledger::{Audit, Counts, Entry, Fact, Ledger, MessageId, Noun, Witness},
    narrate::Narrator,
    stage::{Broker, Redis, Stage},
    text,
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
    narrator: Narrator,
    began: Instant,
    ledger: Mutex<Ledger>,
    hits: Mutex<BTreeSet<(Option<MessageId>, Strike)>>,
    observed: Mutex<Observed>,
    steps: Mutex<u32>,
    owed: Mutex<Owed>,
}

/// Deliveries that a cut took from a consumer: the broker will make each
/// again, and until it has, an empty queue is not a drained one.
#[derive(Default)]
struct Owed {
    acked: BTreeSet<MessageId>,
    again: BTreeMap<MessageId, u32>,
}

impl Owed {
    fn saw(&mut self, message: MessageId, fact: Fact) {
        match fact {
            Fact::Delivered => {
                self.acked.remove(&message);
            }
            Fact::Redelivered => {
                self.acked.remove(&message);
                if let Some(times) = self.again.get_mut(&message) {
                    *times = times.saturating_sub(1);
                }
            }
            Fact::Acked => {
                self.acked.insert(message);
            }
            // Killed after its ack it comes back no more.
            Fact::Killed if self.acked.contains(&message) => {}
            Fact::Killed => {
                *self.again.entry(message).or_default() += 1;
            }
            _ => {}
        }
    }
}

/// What a way has measured, and what it says of itself.
#[derive(Clone, Default)]
struct Observed {
    figures: Vec<Figure>,
    came_to: Option<Text>,
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
    /// What is known of each message for which a strike was planned.
    pub struck: Vec<Struck>,
    /// What was measured.
    pub figures: Vec<Figure>,
}

impl Outcome {
    /// The value of the figure of this id.
    ///
    /// # Errors
    /// When the way has not measured it.
    pub fn figure(&self, id: &str) -> Result<f64, Text> {
        let found = self.figures.iter().find(|figure| figure.id == id);
        found.map(|figure| figure.value).ok_or_else(|| {
            text! { en: "{id} was not measured", zh: "没有测量 {id}", id = id }
        })
    }
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

    /// Which messages are to be struck, and how.
    pub fn plan(&self) -> &Plan {
        &self.0.plan
    }

    /// Whether `strike` is planned for `message`, and armed.
    pub fn is_planned(&self, message: MessageId, strike: Strike) -> bool {
        self.0.armed && self.0.plan.has(message, strike)
    }

    /// Notes that a planned strike has struck: the fact, and the hit.
    /// Anything that was not planned is a fact and counts as no hit.
    pub fn struck(&self, message: MessageId, strike: Strike) {
        self.saw(message, strike.fact());
        self.hit(message, strike);
    }

    /// Counts a planned strike whose fact was noted before, once it is known
    /// that it really struck.
    pub fn hit(&self, message: MessageId, strike: Strike) {
        if self.is_planned(message, strike)
            && lock(&self.0.hits).insert((Some(message), strike))
        {
            let (way, what) = (self.0.way, strike.fact());
            let message = Some(message);
            self.0.narrator.tell(Event::Struck { way, message, what });
        }
    }

    /// Whether it has struck already.
    pub fn has_struck(&self, message: MessageId, strike: Strike) -> bool {
        lock(&self.0.hits).contains(&(Some(message), strike))
    }

    /// Whether `strike` is to hit the stage as a whole, and armed.
    pub fn is_armed(&self, strike: Strike) -> bool {
        self.0.armed && self.0.plan.has_once(strike)
    }

    /// Counts a strike on the stage as a whole, once it is known that it
    /// really struck.
    pub fn struck_once(&self, strike: Strike) {
        if self.is_armed(strike) && lock(&self.0.hits).insert((None, strike)) {
            let (way, what) = (self.0.way, strike.fact());
            let message = None;
            self.0.narrator.tell(Event::Struck { way, message, what });
        }
    }

    /// Keeps something that was measured, for the check, the table and the
    /// charts.
    pub fn observe(&self, id: &str, name: Text, value: f64, unit: Unit) {
        let figure = Figure { id: id.to_owned(), name, value, unit };
        let mut observed = lock(&self.0.observed);
        observed.figures.retain(|known| known.id != figure.id);
        observed.figures.push(figure);
    }

    /// Keeps what the gauges show now, `since` the way began to measure.
    pub fn sample(
        &self,
        since: Duration,
        gauges: impl IntoIterator<Item = (Gauge, f64)>,
    ) {
        let since_ms = millis(since);
        let (way, gauges) = (self.0.way, gauges.into_iter().collect());
        self.0.narrator.tell(Event::Sample { way, since_ms, gauges });
    }

    /// Says what the way came to, where the ledger's sums do not.
    pub fn came_to(&self, words: Text) {
        lock(&self.0.observed).came_to = Some(words);
    }

    /// Writes down that an effect of another noun was promised with a
    /// message: `mail-0007` with `order-0007`. It is lost, or doubled, as a
    /// message of its own.
    pub fn promise(&self, message: MessageId, effect: Noun) {
        self.saw(effect.number(message.number), Fact::Accepted);
    }

    /// How many planned strikes have struck.
    pub fn hits(&self) -> u32 {
        u32::try_from(lock(&self.0.hits).len()).unwrap_or(u32::MAX)
    }

    /// Where a fault may strike inside a handler. Consumers that are to meet
    /// share one.
    pub fn failpoints(&self) -> Failpoints {
        Failpoints::of(self.clone())
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

    /// The broker of this way: its own, where the fault hits the whole node.
    pub fn broker(&self) -> &Broker {
        self.0.own_broker.as_ref().unwrap_or(&self.0.stage.broker)
    }

    /// An AMQP URI straight to the broker, past every fault.
    pub fn uri(&self) -> String {
        self.broker().uri(self.broker().amqp, &self.0.vhost)
    }

    /// An AMQP URI through a wire.
    pub fn uri_through(&self, wire: &Wire) -> String {
        self.broker().uri(wire.addr(), &self.0.vhost)
    }

    /// A wire to the broker with every planned strike of the wire armed.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn wire(
        &self,
        name: &str,
        protocol: Protocol,
    ) -> anyhow::Result<Wire> {
        let broker = self.broker();
        let upstream = match protocol {
            Protocol::Amqp => broker.amqp,
            Protocol::Stream => broker.stream,
        };
        let lab = self.clone();
        let on_strike =
            move |struck: wire::Struck| lab.wire_struck(&struck, protocol);
        let wire = Wire::open(name, upstream, protocol, on_strike)
            .await
            .context("cannot open a wire on the loopback address")?;
        for (message, strike) in self.0.plan.all() {
            if let (true, Some(fault)) = (self.0.armed, strike.on_wire()) {
                let id = match protocol {
                    Protocol::Amqp => message.to_string(),
                    // A publish in the stream protocol has a number only.
                    Protocol::Stream => message.number.to_string(),
                };
                wire.arm(id, fault);
            }
        }
        Ok(wire)
    }

    fn wire_struck(&self, struck: &wire::Struck, protocol: Protocol) {
        let message = match protocol {
            Protocol::Amqp => struck.message.parse().ok(),
            Protocol::Stream => {
                struck.message.parse().ok().map(|n| self.0.noun.number(n))
            }
        };
        let planned = self.0.plan.all().find(|(planned, strike)| {
            Some(*planned) == message && strike.on_wire() == Some(struck.fault)
        });
        let Some((message, strike)) = planned else { return };
        // Without its fence a cut may have eaten what was forwarded before,
        // and where others were in flight it struck them too: then it is not
        // known what struck whom, and it counts as no hit. A batch in a stream
        // is struck as a whole.
        let alone = struck.also.is_empty() || protocol == Protocol::Stream;
        if struck.fenced && alone {
            self.struck(message, strike);
        }
    }

    /// The Redis of this scenario.
    ///
    /// # Errors
    /// When the scenario does not say that it needs one.
    pub fn redis(&self) -> anyhow::Result<&Redis> {
        let redis = self.0.own_redis.as_ref().or(self.0.stage.redis.as_ref());
        redis.context("the scenario did not say that it needs Redis")
    }

    /// Declares a durable classic queue, so that nothing here depends on
    /// which type a version takes by default.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn declare(&self, queue: &str) -> anyhow::Result<()> {
        self.declare_as(queue, "classic").await
    }

    /// Declares a durable queue of a type.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn declare_as(
        &self,
        queue: &str,
        kind: &str,
    ) -> anyhow::Result<()> {
        let connection =
            Connection::connect(&self.uri(), ConnectionProperties::default())
                .await?;
        let channel = connection.create_channel().await?;
        let mut arguments = FieldTable::default();
        arguments
            .insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
        let durable = QueueDeclareOptions::durable();
        channel.queue_declare(queue.into(), durable, arguments).await?;
        connection.close(200, "declared".into()).await?;
        Ok(())
    }

    /// What a queue still holds, once nobody consumes it any more.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn left_in(&self, queue: &str) -> anyhow::Result<Vec<MessageId>> {
        let connection =
            Connection::connect(&self.uri(), ConnectionProperties::default())
                .await?;
        let channel = connection.create_channel().await?;
        // Of consumers that closed: a queue takes back what one had not acked
        // in the same step in which it forgets it. After a cut on the wire
        // that is not so, and `is_all_delivered` has to be asked before.
        let what = text! {
            en: "the last consumer to be gone", zh: "最后一个消费者离开"
        };
        self.wait_until(what, Duration::from_secs(10), || async {
            let passive =
                QueueDeclareOptions { passive: true, ..Default::default() };
            let seen = channel.queue_declare(
                queue.into(),
                passive,
                FieldTable::default(),
            );
            Ok(seen.await?.consumer_count() == 0)
        })
        .await?;
        let mut left = Vec::new();
        let look = BasicGetOptions { no_ack: true };
        while let Some(message) = channel.basic_get(queue.into(), look).await? {
            let id = message.delivery.properties.message_id().as_ref();
            left.extend(
                id.and_then(|id| id.as_str().parse::<MessageId>().ok()),
            );
        }
        connection.close(200, "looked".into()).await?;
        Ok(left)
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

    /// Whether the broker has delivered all that it owes: each confirmed
    /// message once, and again each that a cut took from its consumer.
    pub fn is_all_delivered(&self) -> bool {
        let owes = lock(&self.0.owed).again.values().any(|times| *times > 0);
        // Asked of the plan, not of the hits: the wire reports a strike a
        // moment after the consumer has felt it.
        let swallowed: Vec<_> = self
            .0
            .plan
            .of(Strike::SwallowAck)
            .filter(|_| self.0.armed)
            .collect();
        let ledger = lock(&self.0.ledger);
        let again = |message| {
            ledger.entry(message).is_some_and(|entry| entry.delivered > 1)
        };
        !owes
            && swallowed.into_iter().all(again)
            && ledger
                .entries()
                .all(|(_, entry)| entry.confirmed == 0 || entry.delivered > 0)
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
            struck: struck.collect(),
            figures: lock(&self.0.observed).figures.clone(),
        }
    }

    fn audit(&self) -> Audit {
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
