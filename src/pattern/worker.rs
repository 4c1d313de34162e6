//! A consumer that keeps working until it is told to stop.
//!
//! *When:* for every subscriber that is a service of its own. It works on
//! several deliveries at once, as many as its service bears, reconnects, and
//! goes in good order: it cancels, finishes what it holds, acks, and closes.
//! *Cost:* with a prefetch of *n* the broker counts *n* deliveries as given
//! out, and no other consumer gets them. *Does not protect from:* receiving a
//! message again; without a prefetch, from hoarding the whole queue.
//!
//! Source: RabbitMQ documentation, "Consumer Prefetch" (a limit of 0 means no
//! limit) and "Consumers", section "Cancelling".

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use lapin::{
    Channel, Connection, ConnectionProperties, Consumer,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::consumer::{Delivery, read};
use crate::ledger::Witness;

/// Who says that a delivery is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acks {
    /// The work acks when it is done.
    #[default]
    Manual,
    /// The broker takes a delivery for done when it has written it to the
    /// socket. The work must not ack.
    Automatic,
}

/// How a queue is worked on.
#[derive(Clone)]
pub struct Worker {
    /// Where the broker is.
    pub uri: String,
    /// Which queue.
    pub queue: String,
    /// Deliveries that may be unacked at a time; 0 is no limit.
    pub prefetch: u16,
    /// Deliveries that are worked on at a time, at least one.
    pub at_once: usize,
    /// Who says that they are done.
    pub acks: Acks,
    /// Who wants to know.
    pub witness: Arc<dyn Witness>,
}

/// A worker at work. Dropping it ends it at once, and what it held comes
/// again; [`stop`](Self::stop) is the good way.
#[must_use = "dropping it ends the worker"]
pub struct Working {
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
const CLOSED_WITHIN: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_millis(50);

struct Link {
    connection: Connection,
    channel: Channel,
    consumer: Consumer,
}

impl Worker {
    /// Starts, and returns once the broker has registered the consumer.
    /// `work` gets each delivery, in a task of its own.
    ///
    /// # Errors
    /// What the broker says to the first connection; later ones are tried
    /// again until the worker is stopped.
    pub async fn start<Work, Worked>(self, work: Work) -> lapin::Result<Working>
    where
        Work: Fn(Delivery) -> Worked + Send + Sync + 'static,
        Worked: Future<Output = ()> + Send + 'static,
    {
        let link = self.open().await?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            self.run(link, Arc::new(work), stopped).await;
        });
        Ok(Working { stop, task: Some(task) })
    }

    async fn run<Work, Worked>(
        self,
        first: Link,
        work: Arc<Work>,
        stop: CancellationToken,
    ) where
        Work: Fn(Delivery) -> Worked + Send + Sync + 'static,
        Worked: Future<Output = ()> + Send + 'static,
    {
        let mut next = Some(first);
        while !stop.is_cancelled() {
            let link = match next.take() {
                Some(link) => link,
                None => match timeout(HANDSHAKE_WITHIN, self.open()).await {
                    Ok(Ok(link)) => link,
                    _ => {
                        sleep(AGAIN_AFTER).await;
                        continue;
                    }
                },
            };
            self.consume(link, &work, &stop).await;
        }
    }

    async fn open(&self) -> lapin::Result<Link> {
        let connection =
            Connection::connect(&self.uri, ConnectionProperties::default())
                .await?;
        let channel = connection.create_channel().await?;
        channel.basic_qos(self.prefetch, BasicQosOptions::default()).await?;
        let no_ack = self.acks == Acks::Automatic;
        let options = BasicConsumeOptions { no_ack, ..Default::default() };
        let queue = self.queue.as_str().into();
        let consumer = channel
            .basic_consume(queue, "".into(), options, FieldTable::default())
            .await?;
        Ok(Link { connection, channel, consumer })
    }

    /// Until the connection dies or the worker is to stop.
    async fn consume<Work, Worked>(
        &self,
        mut link: Link,
        work: &Arc<Work>,
        stop: &CancellationToken,
    ) where
        Work: Fn(Delivery) -> Worked + Send + Sync + 'static,
        Worked: Future<Output = ()> + Send + 'static,
    {
        let hands = Arc::new(Semaphore::new(self.at_once.max(1)));
        let mut in_hand = JoinSet::new();
        loop {
            let hand = tokio::select! {
                hand = hands.clone().acquire_owned() => hand,
                () = stop.cancelled() => break,
            };
            let delivery = tokio::select! {
                delivery = link.consumer.next() => delivery,
                () = stop.cancelled() => break,
            };
            let (Some(Ok(delivery)), Ok(hand)) = (delivery, hand) else {
                break;
            };
            while in_hand.try_join_next().is_some() {}
            let Some(delivery) = read(delivery, &self.witness).await else {
                continue;
            };
            let work = work.clone();
            in_hand.spawn(async move {
                work(delivery).await;
                drop(hand);
            });
        }
        let good_bye = async {
            let tag = link.consumer.tag();
            let _ = link
                .channel
                .basic_cancel(tag, BasicCancelOptions::default())
                .await;
            while in_hand.join_next().await.is_some() {}
            let _ = link.connection.close(200, "stopped".into()).await;
        };
        let _ = timeout(CLOSED_WITHIN, good_bye).await;
    }
}

impl Working {
    /// Takes no more deliveries, finishes those in hand, and closes.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
