//! The relay on a real broker: what no scenario shows of it.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{QueueDeclareOptions, QueuePurgeOptions},
    types::{AMQPValue, FieldTable},
};
use libtest_mimic::{Failed, Trial};
use rmq_lab::{
    fault::wire::{Protocol, Wire, WireFault},
    ledger::Noun,
    pattern::{
        backoff::{Backoff, Jitter},
        outbox::{self, Moment, Outbox, OutboxError, State, Sync},
        publisher::{Outgoing, Route},
        relay::{Relay, Settings},
    },
    stage::{BrokerChoice, Engine, RunId, Stage, Wanted},
};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::shared::{Apart, Brokers, Series};

pub fn trials(brokers: &Brokers) -> Vec<Trial> {
    let four = |name: &str, act: fn(Apart) -> Boxed| {
        brokers.apart(format!("relay::{name}"), Series::Four, act)
    };
    vec![
        four("two_on_one_table_publish_each_row_once", |apart| {
            Box::pin(two_on_one_table(apart))
        }),
        four("it_reconnects_and_every_row_is_confirmed", |apart| {
            Box::pin(it_reconnects(apart))
        }),
        four("what_has_no_queue_is_returned_and_not_tried_again", |apart| {
            Box::pin(what_has_no_queue(apart))
        }),
        four("what_is_refused_waits_and_is_tried_again", |apart| {
            Box::pin(what_is_refused(apart))
        }),
        four("a_confirm_that_comes_late_counts", |apart| {
            Box::pin(a_late_confirm(apart))
        }),
        four("stopped_it_gives_back_what_it_has_not_published", |apart| {
            Box::pin(stopped(apart))
        }),
        Trial::test("relay::it_pauses_while_the_broker_blocks", || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(on_a_broker_of_its_own())
        }),
    ]
}

type Boxed = futures::future::BoxFuture<'static, anyhow::Result<()>>;

const QUEUE: &str = "orders";

/// A table, a queue, and a look at both.
struct Site {
    dir: TempDir,
    uri: String,
    side: Channel,
    _around: Connection,
}

impl Site {
    async fn open(
        uri: String,
        rows: u32,
        arguments: &[(&str, AMQPValue)],
    ) -> anyhow::Result<Self> {
        let around =
            Connection::connect(&uri, ConnectionProperties::default()).await?;
        let side = around.create_channel().await?;
        let mut table = FieldTable::default();
        let classic = AMQPValue::LongString("classic".into());
        table.insert("x-queue-type".into(), classic);
        for (key, value) in arguments {
            table.insert((*key).into(), value.clone());
        }
        let durable = QueueDeclareOptions::durable();
        side.queue_declare(QUEUE.into(), durable, table).await?;
        let dir = tempfile::tempdir()?;
        let site = Self { dir, uri, side, _around: around };
        site.outbox()?.transaction(|tx| {
            for number in 1..=rows {
                let id = Noun::Order.number(number);
                let message = Outgoing { id, body: b"{}".to_vec() };
                outbox::write(tx, &message, Moment::now())?;
            }
            Ok::<_, OutboxError>(())
        })?;
        Ok(site)
    }

    async fn apart(apart: &Apart, rows: u32) -> anyhow::Result<Self> {
        Self::open(uri(apart), rows, &[]).await
    }

    fn outbox(&self) -> Result<Outbox, OutboxError> {
        Outbox::open(&self.dir.path().join("shop.db"), Sync::Normal)
    }

    fn relay(&self, settings: Settings) -> anyhow::Result<Relay> {
        self.relay_to(&self.uri, QUEUE, settings)
    }

    fn relay_to(
        &self,
        uri: &str,
        queue: &str,
        settings: Settings,
    ) -> anyhow::Result<Relay> {
        let (outbox, route) = (self.outbox()?, Route::queue(queue));
        Ok(Relay::open(outbox, uri, route, Arc::new(()), settings))
    }

    fn all_are(&self, state: State, rows: u32) -> anyhow::Result<()> {
        let counts = self.outbox()?.counts()?;
        let all = counts.len() == 1 && counts.get(&state) == Some(&rows);
        ensure!(all, "not all are {state}: {counts:?}");
        Ok(())
    }

    fn is(&self, number: u32, state: State, times: u32) -> anyhow::Result<()> {
        let id = Noun::Order.number(number);
        let seen = self.outbox()?.state(id)?;
        ensure!(seen == Some((state, times)), "{id}: {seen:?}");
        Ok(())
    }

    async fn purged(&self) -> anyhow::Result<u32> {
        let purge = QueuePurgeOptions::default();
        Ok(self.side.queue_purge(QUEUE.into(), purge).await?)
    }
}

fn uri(apart: &Apart) -> String {
    let broker = &apart.stage.broker;
    broker.uri(broker.amqp, &apart.vhost)
}

async fn wire(apart: &Apart) -> anyhow::Result<(Wire, String)> {
    let broker = &apart.stage.broker;
    let wire = Wire::open("relay", broker.amqp, Protocol::Amqp, |_| {}).await?;
    let uri = broker.uri(wire.addr(), &apart.vhost);
    Ok((wire, uri))
}

fn quick(name: &str) -> Settings {
    Settings {
        poll: Duration::from_millis(10),
        backoff: Backoff {
            first: Duration::from_millis(20),
            most: Duration::from_millis(200),
            jitter: Jitter::Equal,
        },
        ..Settings::named(name)
    }
}

async fn two_on_one_table(apart: Apart) -> anyhow::Result<()> {
    let site = Site::apart(&apart, 2_000).await?;
    let batch = |name| Settings { window: 100, batch: 50, ..quick(name) };
    let (mut a, mut b) = (site.relay(batch("a"))?, site.relay(batch("b"))?);
    let (a, b) = tokio::join!(a.drain(), b.drain());
    a?;
    b?;
    site.all_are(State::Confirmed, 2_000)?;
    let stored = site.purged().await?;
    ensure!(stored == 2_000, "{stored} in the queue");
    Ok(())
}

async fn it_reconnects(apart: Apart) -> anyhow::Result<()> {
    let site = Site::apart(&apart, 300).await?;
    let (wire, uri) = wire(&apart).await?;
    for number in [50, 150, 250] {
        let id = Noun::Order.number(number).to_string();
        wire.arm(id, WireFault::CutBeforeConfirm);
    }
    let batch = Settings { window: 20, batch: 10, ..quick("a") };
    site.relay_to(&uri, QUEUE, batch)?.drain().await?;
    ensure!(wire.traffic().cuts == 3, "{:?}", wire.traffic());
    site.all_are(State::Confirmed, 300)?;
    // What was unknown is there twice, and nothing is missing.
    let stored = site.purged().await?;
    ensure!(stored >= 303, "{stored} in the queue");
    Ok(())
}

async fn what_has_no_queue(apart: Apart) -> anyhow::Result<()> {
    let site = Site::apart(&apart, 10).await?;
    let mut relay = site.relay_to(&site.uri, "no such queue", quick("a"))?;
    relay.drain().await?;
    site.all_are(State::Returned, 10)?;
    site.is(1, State::Returned, 1)?;
    let told = site.outbox()?.untold(100)?;
    ensure!(told.len() == 10, "{told:?}");
    Ok(())
}

async fn what_is_refused(apart: Apart) -> anyhow::Result<()> {
    let full = [
        ("x-max-length", AMQPValue::LongInt(5)),
        ("x-overflow", AMQPValue::LongString("reject-publish".into())),
    ];
    let site = Site::open(uri(&apart), 6, &full).await?;
    let mut relay =
        site.relay(Settings { window: 1, batch: 1, ..quick("a") })?;
    let refused = async {
        loop {
            if site.outbox()?.state(Noun::Order.number(6))?.is_some_and(
                |(state, times)| state == State::Pending && times >= 2,
            ) {
                return anyhow::Ok(());
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    relay.run(refused).await??;
    ensure!(site.purged().await? == 5, "the queue was not full");
    relay.drain().await?;
    site.all_are(State::Confirmed, 6)
}

async fn a_late_confirm(apart: Apart) -> anyhow::Result<()> {
    let site = Site::apart(&apart, 20).await?;
    let (wire, uri) = wire(&apart).await?;
    let patient = Settings {
        confirm_timeout: Duration::from_millis(100),
        backoff: Backoff {
            first: Duration::from_secs(60),
            most: Duration::from_secs(60),
            jitter: Jitter::None,
        },
        ..quick("a")
    };
    let mut relay = site.relay_to(&uri, QUEUE, patient)?;
    ensure!(relay.connect().await, "no connection");
    wire.freeze();
    let unknown = async {
        while site.outbox()?.counts()?.get(&State::Unknown) != Some(&20) {
            sleep(Duration::from_millis(5)).await;
        }
        anyhow::Ok(())
    };
    relay.run(unknown).await??;
    wire.thaw();
    relay.drain().await?;
    site.all_are(State::Confirmed, 20)?;
    site.is(1, State::Confirmed, 1)?;
    ensure!(site.purged().await? == 20, "sent again");
    Ok(())
}

async fn stopped(apart: Apart) -> anyhow::Result<()> {
    let site = Site::apart(&apart, 50).await?;
    let (wire, uri) = wire(&apart).await?;
    let mut relay = site.relay_to(
        &uri,
        QUEUE,
        Settings { window: 10, batch: 10, ..quick("a") },
    )?;
    ensure!(relay.connect().await, "no connection");
    wire.freeze();
    let claimed = async {
        while !site.outbox()?.counts()?.contains_key(&State::Sent) {
            sleep(Duration::from_millis(5)).await;
        }
        anyhow::Ok(())
    };
    relay.run(claimed).await??;
    let counts = site.outbox()?.counts()?;
    let sent = counts.get(&State::Sent).copied().unwrap_or(0);
    ensure!(sent <= 10, "{counts:?}");
    // The next one under this name takes over what the first died with.
    drop(relay);
    let mut outbox = site.outbox()?;
    outbox.release("a", |_| true, Moment::now())?;
    site.relay(quick("a"))?.drain().await?;
    site.all_are(State::Confirmed, 50)
}

async fn on_a_broker_of_its_own() -> Result<(), Failed> {
    let told = |problem| format!("{problem:?}");
    let engine = Engine::connect(RunId::random()).await.map_err(told)?;
    let wanted =
        Wanted { broker: BrokerChoice::Four, redis: false, mail: false };
    let ended = async {
        let stage = Stage::up(&engine, &wanted, &|_| {}).await;
        let stage = stage.map_err(|p| anyhow::anyhow!("{p:?}"))?;
        pauses_while_blocked(&stage).await
    };
    let ended = ended.await;
    match engine.tear_down().await {
        0 => ended.map_err(|error| format!("{error:#}").into()),
        left => Err(format!("{left} left behind").into()),
    }
}

async fn pauses_while_blocked(stage: &Stage) -> anyhow::Result<()> {
    let broker = &stage.broker;
    let uri = broker.uri(broker.amqp, "%2f");
    let site = Site::open(uri, 100, &[]).await?;
    let settings = Settings {
        window: 10,
        batch: 10,
        confirm_timeout: Duration::from_millis(200),
        lease: Duration::from_millis(600),
        ..quick("a")
    };
    let pressure = settings.pressure.clone();
    let mut relay = site.relay(settings)?;
    ensure!(relay.connect().await, "no connection");
    let limit = |limit: &'static str| async move {
        let set = ["set_vm_memory_high_watermark", "absolute", limit];
        broker.ctl(&set).await.map_err(|p| anyhow::anyhow!("{p:?}"))
    };
    limit("10MB").await?;
    // Longer than the timeout and the lease: nothing may be sent again.
    let blocked = async {
        while !pressure.is_blocked() {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_secs(2)).await;
        site.outbox()?.counts().context("the table")
    };
    let counts = relay.run(blocked).await??;
    ensure!(!counts.contains_key(&State::Unknown), "{counts:?}");
    ensure!(!counts.contains_key(&State::Confirmed), "{counts:?}");
    limit("2GB").await?;
    relay.drain().await?;
    site.all_are(State::Confirmed, 100)?;
    let stored = site.purged().await?;
    ensure!(stored == 100, "{stored} in the queue");
    Ok(())
}
