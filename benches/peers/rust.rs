//! The peers written in Rust, ours among them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use amqprs::{
    Ack, BasicProperties, Cancel, CloseChannel, Nack, Return,
    callbacks::{ChannelCallback, DefaultConnectionCallback},
    channel::{BasicPublishArguments, Channel, ConfirmSelectArguments},
    connection::{Connection, OpenConnectionArguments},
};
use anyhow::ensure;
use rmq_lab::{
    ledger::MessageId,
    pattern::{
        outbox::{self, Moment, Outbox, OutboxError, State, Sync},
        pipeline::{PipelinedPublisher, Settings},
        publisher::{ConfirmingPublisher, Outgoing, Route},
        relay::{self, Relay},
    },
    stage::Broker,
};
use tokio::sync::Semaphore;

use crate::{Load, Outcome};

fn messages(load: &Load) -> impl Iterator<Item = Outgoing> + use<> {
    let size = load.size as usize;
    (1..=load.messages).map(move |number| Outgoing {
        id: MessageId::payment(number),
        body: vec![b'x'; size],
    })
}

/// Publishes and confirms one after the other. Connects with a message that
/// is counted and not timed.
pub async fn one_by_one(uri: &str, load: &Load) -> anyhow::Result<Outcome> {
    let mut publisher = ConfirmingPublisher::new(uri, load.queue, Arc::new(()));
    publisher.publish_all(messages(load).take(1), 1, 1).await?;
    let began = Instant::now();
    publisher.publish_all(messages(load), 1, 1).await?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Outcome { confirmed: u64::from(load.messages) + 1, seconds })
}

/// Ours. Connects with a message that is counted and not timed.
pub async fn pipelined(uri: &str, load: &Load) -> anyhow::Result<Outcome> {
    let window = load.window as usize;
    let settings = Settings { window, ..Settings::default() };
    let route = Route::queue(load.queue);
    let mut publisher =
        PipelinedPublisher::open(uri, route, Arc::new(()), settings);
    let first = publisher.publish_all(messages(load).take(1)).await?;
    let began = Instant::now();
    let rest = publisher.publish_all(messages(load)).await?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Outcome { confirmed: first.confirmed + rest.confirmed, seconds })
}

/// Ours behind a table: every row is claimed, published, and noted as
/// confirmed, with an fsync for each transaction. The rows are written
/// beforehand, and not timed.
pub async fn relay(uri: &str, load: &Load) -> anyhow::Result<Outcome> {
    let dir = tempfile::tempdir()?;
    let mut outbox = Outbox::open(&dir.path().join("shop.db"), Sync::Full)?;
    let now = Moment::now();
    outbox.transaction(|tx| {
        for message in messages(load) {
            outbox::write(tx, &message, now)?;
        }
        Ok::<_, OutboxError>(())
    })?;
    // As by default: while the table is written, three quarters of the window
    // keep the broker busy.
    let settings = relay::Settings {
        window: load.window,
        batch: load.window / 4,
        ..relay::Settings::named("r")
    };
    let route = Route::queue(load.queue);
    let mut relay = Relay::open(outbox, uri, route, Arc::new(()), settings);
    ensure!(relay.connect().await, "no connection");
    let began = Instant::now();
    relay.drain().await?;
    let seconds = began.elapsed().as_secs_f64();
    let counts = relay.counts().await?;
    let confirmed = counts.get(&State::Confirmed).copied().unwrap_or(0);
    Ok(Outcome { confirmed: confirmed.into(), seconds })
}

/// What amqprs does not keep by itself: which publish was confirmed.
#[derive(Default)]
struct Confirms {
    /// The tag of the first in `open`.
    first: u64,
    /// Whether each is confirmed, from the oldest that is not.
    open: VecDeque<bool>,
    confirmed: u64,
}

impl Confirms {
    fn publish(&mut self) {
        self.open.push_back(false);
    }

    /// Returns how many publishes this was news of.
    fn confirm(&mut self, tag: u64, multiple: bool) -> usize {
        let before = self.confirmed;
        let last = (tag - self.first) as usize;
        let from = if multiple { 0 } else { last };
        for confirmed in self.open.range_mut(from..=last) {
            self.confirmed += u64::from(!*confirmed);
            *confirmed = true;
        }
        while self.open.front() == Some(&true) {
            self.open.pop_front();
            self.first += 1;
        }
        (self.confirmed - before) as usize
    }
}

struct Shared {
    confirms: Mutex<Confirms>,
    room: Semaphore,
    window: u32,
}

struct Callback(Arc<Shared>);

type Result<T> = std::result::Result<T, amqprs::error::Error>;

#[async_trait::async_trait]
impl ChannelCallback for Callback {
    async fn close(&mut self, _: &Channel, _: CloseChannel) -> Result<()> {
        self.0.room.close();
        Ok(())
    }
    async fn cancel(&mut self, _: &Channel, _: Cancel) -> Result<()> {
        Ok(())
    }
    async fn flow(&mut self, _: &Channel, active: bool) -> Result<bool> {
        Ok(active)
    }
    async fn publish_ack(&mut self, _: &Channel, ack: Ack) {
        let mut confirms =
            self.0.confirms.lock().unwrap_or_else(PoisonError::into_inner);
        let news = confirms.confirm(ack.delivery_tag(), ack.mutiple());
        drop(confirms);
        self.0.room.add_permits(news);
    }
    async fn publish_nack(&mut self, _: &Channel, _: Nack) {
        self.0.room.close();
    }
    async fn publish_return(
        &mut self,
        _: &Channel,
        _: Return,
        _: BasicProperties,
        _: Vec<u8>,
    ) {
        self.0.room.close();
    }
}

/// amqprs: a callback hears the confirms, a semaphore holds the window.
pub async fn amqprs(broker: &Broker, load: &Load) -> anyhow::Result<Outcome> {
    let connection = Connection::open(&OpenConnectionArguments::new(
        &broker.amqp.ip().to_string(),
        broker.amqp.port(),
        &broker.user,
        &broker.password,
    ))
    .await?;
    connection.register_callback(DefaultConnectionCallback).await?;
    let channel = connection.open_channel(None).await?;
    let shared = Arc::new(Shared {
        confirms: Mutex::new(Confirms { first: 1, ..Confirms::default() }),
        room: Semaphore::new(load.window as usize),
        window: load.window,
    });
    channel.register_callback(Callback(shared.clone())).await?;
    channel.confirm_select(ConfirmSelectArguments::default()).await?;
    let to =
        BasicPublishArguments::new("", load.queue).mandatory(true).finish();
    let began = Instant::now();
    for message in messages(load) {
        shared.room.acquire().await?.forget();
        shared
            .confirms
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .publish();
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_message_id(&message.id.to_string())
            .finish();
        channel.basic_publish(properties, message.body, to.clone()).await?;
    }
    let _all = shared.room.acquire_many(shared.window).await?;
    let seconds = began.elapsed().as_secs_f64();
    let confirmed = {
        let confirms =
            shared.confirms.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(confirms.open.is_empty(), "a confirm is missing");
        confirms.confirmed
    };
    channel.close().await?;
    connection.close().await?;
    Ok(Outcome { confirmed, seconds })
}
