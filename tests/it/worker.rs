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
    fault::wire::{Protocol, Wire},
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
const SHORTLY: Duration = Duration::from_millis(10);
/// Longer than it takes to work off what was sent.
const PATIENCE: Duration = Duration::from_secs(20);

/// A queue of ten orders, and a worker that has begun the first and may not
/// finish it yet.
struct Site {
    side: Channel,
    _around: Connection,
    /// Between the worker and the broker.
    wire: Wire,
    may_finish: watch::Sender<bool>,
    begun: watch::Receiver<bool>,
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
        let (begins, begun) = watch::channel(false);
        let wire =
            Wire::open("worker", broker.amqp, Protocol::Amqp, |_| {}).await?;
        let done = Arc::<AtomicU32>::default();
        let worker = Worker {
            uri: broker.uri(wire.addr(), &apart.vhost),
            queue: QUEUE.to_owned(),
            prefetch: PREFETCH,
            at_once: 1,
            acks,
            witness: Arc::new(()),
        };
        let counted = Arc::clone(&done);
        let working = worker.start(move |order| {
            let (mut may, counted) = (may.clone(), Arc::clone(&counted));
            begins.send_replace(true);
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
        let _around = around;
        Ok(Self { side, _around, wire, may_finish, begun, done, working })
    }

    /// Waits until one is in hand, and so many are given out.
    async fn is_sent(&mut self, sent: u32) -> anyhow::Result<()> {
        self.begun.wait_for(|begun| *begun).await?;
        while ready(&self.side).await? > ORDERS - sent {
            sleep(SHORTLY).await;
        }
        Ok(())
    }

    /// Stops the worker, and lets it finish only once the broker has heard of
    /// it: before, an ack would call for another order.
    async fn stop(self, patience: Duration) -> (Channel, Connection, u32) {
        let open = async {
            while self.wire.traffic().cancelled == 0 {
                sleep(SHORTLY).await;
            }
            self.may_finish.send_replace(true);
        };
        let stop = self.working.stop_within(patience);
        futures::future::join(stop, open).await;
        (self.side, self._around, self.done.load(SeqCst))
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
    let mut site = Site::open(&apart, acks).await?;
    // Without acks there is no prefetch: it is sent everything.
    let sent = match acks {
        Acks::Manual => u32::from(PREFETCH),
        Acks::Automatic => ORDERS,
    };
    site.is_sent(sent).await?;
    let (side, _around, done) = site.stop(PATIENCE).await;
    let left = ready(&side).await?;
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
    let mut site = Site::open(&apart, Acks::Manual).await?;
    site.is_sent(PREFETCH.into()).await?;
    let (side, _around, done) = site.stop(Duration::ZERO).await;
    ensure!(done == 1, "{done} done");
    while ready(&side).await? < ORDERS - 1 {
        sleep(SHORTLY).await;
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
