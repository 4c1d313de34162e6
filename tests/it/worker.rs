//! How a worker stops, on a real broker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{BasicGetOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use libtest_mimic::Trial;
use rmq_lab::{
    ledger::Noun,
    pattern::{
        publisher::{ConfirmingPublisher, Outgoing},
        worker::{Acks, Worker, Working},
    },
};
use tokio::{sync::watch, time::sleep};

use crate::shared::{Apart, Brokers, Series};

pub fn trials(brokers: &Brokers) -> Vec<Trial> {
    let on = |series, name: &str, act: fn(Apart) -> Boxed| {
        brokers.apart(format!("worker::{name}"), series, act)
    };
    vec![
        on(Series::Four, "stopping_it_works_off_what_it_was_sent", |apart| {
            Box::pin(works_off(apart, Acks::Manual))
        }),
        on(Series::Three, "on_3_it_works_off_what_it_was_sent_too", |apart| {
            Box::pin(works_off(apart, Acks::Manual))
        }),
        on(Series::Four, "what_was_acked_when_it_was_sent_is_done", |apart| {
            Box::pin(works_off(apart, Acks::Automatic))
        }),
        on(Series::Four, "without_patience_it_gives_back_uncounted", |apart| {
            Box::pin(gives_back(apart))
        }),
    ]
}

type Boxed = futures::future::BoxFuture<'static, anyhow::Result<()>>;

const QUEUE: &str = "orders";
const ORDERS: u32 = 10;
const PREFETCH: u16 = 4;

/// A queue of ten orders, and a worker that has begun the first and may not
/// finish it yet.
struct Site {
    side: Channel,
    _around: Connection,
    may_finish: watch::Sender<bool>,
    done: Arc<AtomicU32>,
    working: Working,
}

impl Site {
    async fn open(apart: &Apart, acks: Acks) -> anyhow::Result<Self> {
        let broker = &apart.stage.broker;
        let uri = broker.uri(broker.amqp, &apart.vhost);
        let around =
            Connection::connect(&uri, ConnectionProperties::default()).await?;
        let side = around.create_channel().await?;
        let mut arguments = FieldTable::default();
        let quorum = AMQPValue::LongString("quorum".into());
        arguments.insert("x-queue-type".into(), quorum);
        let durable = QueueDeclareOptions::durable();
        side.queue_declare(QUEUE.into(), durable, arguments).await?;
        let orders = (1..=ORDERS).map(|number| Outgoing {
            id: Noun::Order.number(number),
            body: Vec::new(),
        });
        ConfirmingPublisher::new(uri.clone(), QUEUE, Arc::new(()))
            .publish_all(orders, 10, 1)
            .await?;
        let (may_finish, may) = watch::channel(false);
        let done = Arc::<AtomicU32>::default();
        let worker = Worker {
            uri,
            queue: QUEUE.to_owned(),
            prefetch: PREFETCH,
            at_once: 1,
            acks,
            witness: Arc::new(()),
        };
        let counted = Arc::clone(&done);
        let working = worker.start(move |order| {
            let (mut may, counted) = (may.clone(), Arc::clone(&counted));
            async move {
                if may.wait_for(|may| *may).await.is_err() {
                    return;
                }
                if acks == Acks::Automatic || order.ack().await.is_ok() {
                    counted.fetch_add(1, SeqCst);
                }
            }
        });
        let working = working.await?;
        Ok(Self { side, _around: around, may_finish, done, working })
    }

    /// How many orders are in the queue, and given to nobody.
    async fn ready(&self) -> anyhow::Result<u32> {
        ready(&self.side).await
    }
}

async fn ready(side: &Channel) -> anyhow::Result<u32> {
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let none = FieldTable::default();
    let seen = side.queue_declare(QUEUE.into(), passive, none).await?;
    Ok(seen.message_count())
}

/// Stopped with its buffer full, it leaves nothing of it behind.
async fn works_off(apart: Apart, acks: Acks) -> anyhow::Result<()> {
    let site = Site::open(&apart, acks).await?;
    // Without acks there is no prefetch: it is sent everything.
    let sent = match acks {
        Acks::Manual => u32::from(PREFETCH),
        Acks::Automatic => ORDERS,
    };
    while site.ready().await? > ORDERS - sent {
        sleep(Duration::from_millis(10)).await;
    }
    let Site { side, may_finish, done, working, .. } = site;
    let open = async { may_finish.send_replace(true) };
    futures::future::join(working.stop(), open).await;
    let (done, left) = (done.load(SeqCst), ready(&side).await?);
    ensure!(done == sent, "{done} done");
    ensure!(left == ORDERS - sent, "{left} left");
    while let Some(next) = get(&side).await? {
        ensure!(!next.redelivered, "sent before, and given back");
    }
    Ok(())
}

/// Told to stop at once, it finishes what it has begun, and the rest of what
/// it was sent counts as no failed delivery.
async fn gives_back(apart: Apart) -> anyhow::Result<()> {
    let site = Site::open(&apart, Acks::Manual).await?;
    while site.ready().await? > ORDERS - u32::from(PREFETCH) {
        sleep(Duration::from_millis(10)).await;
    }
    let Site { side, may_finish, done, working, .. } = site;
    let stop = working.stop_within(Duration::ZERO);
    let open = async { may_finish.send_replace(true) };
    futures::future::join(stop, open).await;
    ensure!(done.load(SeqCst) == 1, "{} done", done.load(SeqCst));
    while ready(&side).await? < ORDERS - 1 {
        sleep(Duration::from_millis(10)).await;
    }
    let mut again = 0;
    while let Some(next) = get(&side).await? {
        let headers = next.properties.headers().clone().unwrap_or_default();
        let failed = headers.inner().get("x-delivery-count");
        ensure!(failed.is_none(), "counted as failed: {failed:?}");
        again += u32::from(next.redelivered);
    }
    let given_back = u32::from(PREFETCH) - 1;
    ensure!(again == given_back, "{again} given back");
    Ok(())
}

async fn get(
    side: &Channel,
) -> anyhow::Result<Option<lapin::message::Delivery>> {
    let look = BasicGetOptions { no_ack: true };
    let got = side.basic_get(QUEUE.into(), look).await.context("basic.get")?;
    Ok(got.map(|got| got.delivery))
}
