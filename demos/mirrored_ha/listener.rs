//! A consumer that waits at the address for orders.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use futures::StreamExt;
use lapin::{
    Connection, ConnectionProperties,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::nodes::{PATIENCE, do_once};
use crate::{
    demos::shop::orders::ORDERS,
    lab::Lab,
    ledger::MessageId,
    pattern::backoff::{Backoff, Jitter, Retry},
};

/// Unacked deliveries at a time: what a consumer that has gone may hold.
pub const PREFETCH: u16 = 10;
/// Between two attempts to connect again. Everybody who was cut off comes back
/// at once, so chance parts them.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(100),
    most: Duration::from_secs(1),
    jitter: Jitter::Equal,
};

/// A consumer in a task of its own, which ends with it.
pub struct Listener {
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    /// Times that it has begun to consume.
    begun: AtomicU32,
    /// Times that its connection ended.
    cut: AtomicU32,
    /// When it last did.
    last_cut: Mutex<Option<Instant>>,
    /// Orders that it has done.
    done: AtomicU32,
}

impl Listener {
    /// One that consumes until its connection ends.
    pub fn once(lab: &Lab, uri: String) -> Self {
        let (lab, seen) = (lab.clone(), Arc::<Seen>::default());
        let heard = seen.clone();
        let task = tokio::spawn(async move {
            let _ended = consume(&lab, &uri, &heard).await;
        });
        Self { seen, task }
    }

    /// One that connects again whenever it notices that its connection has
    /// ended.
    pub fn reconnecting(lab: &Lab, uri: String) -> Self {
        let (lab, seen) = (lab.clone(), Arc::<Seen>::default());
        let heard = seen.clone();
        let task = tokio::spawn(async move {
            let mut retry = Retry::new(BACKOFF);
            loop {
                let begun = heard.begun.load(Ordering::SeqCst);
                let _ended = consume(&lab, &uri, &heard).await;
                if heard.begun.load(Ordering::SeqCst) > begun {
                    retry.reset();
                }
                sleep(retry.next_delay()).await;
            }
        });
        Self { seen, task }
    }

    /// Whether it consumes now, for all it knows.
    pub fn is_connected(&self) -> bool {
        self.begun() > self.cuts()
    }

    /// How often it has begun to consume.
    pub fn begun(&self) -> u32 {
        self.seen.begun.load(Ordering::SeqCst)
    }

    /// How often its connection ended, and it noticed.
    pub fn cuts(&self) -> u32 {
        self.seen.cut.load(Ordering::SeqCst)
    }

    /// When that was, the last time.
    pub fn last_cut(&self) -> Option<Instant> {
        *self.seen.last_cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many different orders it has done.
    pub fn done(&self) -> u32 {
        self.seen.done.load(Ordering::SeqCst)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn consume(lab: &Lab, uri: &str, seen: &Seen) -> anyhow::Result<()> {
    let how = ConnectionProperties::default();
    let opened = timeout(PATIENCE, async {
        let connection = Connection::connect(uri, how).await?;
        let channel = connection.create_channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let none = FieldTable::default();
        let consumer = channel
            .basic_consume(ORDERS.into(), "".into(), options, none)
            .await?;
        lapin::Result::Ok((connection, channel, consumer))
    });
    let (_connection, _channel, mut consumer) = opened.await??;
    seen.begun.fetch_add(1, Ordering::SeqCst);
    let ended = async {
        while let Some(delivery) = consumer.next().await {
            let delivery = delivery?;
            let id = delivery.properties.message_id().as_ref();
            let id: MessageId =
                id.context("a message without an id")?.as_str().parse()?;
            if do_once(lab, id, delivery.redelivered) {
                seen.done.fetch_add(1, Ordering::SeqCst);
            }
            delivery.acker.ack(BasicAckOptions::default()).await?;
        }
        Ok(())
    };
    let ended = ended.await;
    *seen.last_cut.lock().unwrap_or_else(PoisonError::into_inner) =
        Some(Instant::now());
    seen.cut.fetch_add(1, Ordering::SeqCst);
    ended
}
