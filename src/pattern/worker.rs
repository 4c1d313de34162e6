//! A consumer that keeps working until it is told to stop.
//!
//! *When:* for every subscriber that is a service of its own. It works on
//! several deliveries at once, as many as its service bears, reconnects, and
//! goes in good order: it cancels, works off what it was sent, acks, and only
//! then closes. What is unacked when the connection closes goes back to the
//! queue as a failed delivery, also what waited in the client's buffer and was
//! never looked at: a quorum queue counts it towards the delivery limit.
//! *Cost:* with a prefetch of *n* the broker counts *n* deliveries as given
//! out, and no other consumer gets them; stopping takes as long as working off
//! those. *Does not protect from:* receiving a message again; without a
//! prefetch, from hoarding the whole queue; with a prefetch above 32 on a
//! quorum queue, from losing acks at the close: with 32 commands under way the
//! channel keeps further acks to itself, and they die with it
//! (rabbitmq-server #10327; seen on 3.10 and 4.3 from a prefetch of 64 on).
//!
//! Source: RabbitMQ documentation, "Consumer Prefetch" (a limit of 0 means no
//! limit), "Consumers", section "Cancelling", and "Quorum Queues", section
//! "Poison Message Handling".

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt};
use lapin::{
    Channel, Connection, ConnectionProperties, Consumer,
    options::{
        BasicCancelOptions, BasicConsumeOptions, BasicNackOptions,
        BasicQosOptions,
    },
    types::FieldTable,
};
use tokio::{
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

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
    stop: watch::Sender<Option<Duration>>,
    task: Option<JoinHandle<()>>,
}

const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// A worker that stops still begins what it was sent, for so long.
const PATIENCE: Duration = Duration::from_secs(20);
/// What it has begun by then may take so long.
const FINISHED_WITHIN: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Set to a patience when the worker is to stop.
type Stop = watch::Receiver<Option<Duration>>;

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
        let (stop, stopped) = watch::channel(None);
        let task = tokio::spawn(async move {
            self.run(link, Arc::new(work), stopped).await;
        });
        Ok(Working { stop, task: Some(task) })
    }

    async fn run<Work, Worked>(
        self,
        first: Link,
        work: Arc<Work>,
        mut stop: Stop,
    ) where
        Work: Fn(Delivery) -> Worked + Send + Sync + 'static,
        Worked: Future<Output = ()> + Send + 'static,
    {
        let mut next = Some(first);
        while stop.borrow().is_none() {
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
            self.consume(link, &work, &mut stop).await;
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
        stop: &mut Stop,
    ) where
        Work: Fn(Delivery) -> Worked + Send + Sync + 'static,
        Worked: Future<Output = ()> + Send + 'static,
    {
        let mut at_work = AtWork {
            hands: Arc::new(Semaphore::new(self.at_once.max(1))),
            in_hand: JoinSet::new(),
            work: work.clone(),
            witness: self.witness.clone(),
        };
        tokio::select! {
            // Once it is told to stop, it begins nothing here any more.
            biased;
            _ = stop.wait_for(Option::is_some) => {}
            () = at_work.work_off(&mut link.consumer) => {}
        }
        let patience = *stop.borrow();
        if let Some(patience) = patience {
            let cancel = BasicCancelOptions::default();
            let cancel = link.channel.basic_cancel(link.consumer.tag(), cancel);
            let _ = timeout(FINISHED_WITHIN, cancel).await;
            // It has an end now: what was sent before the broker heard.
            if !patience.is_zero() {
                let rest = at_work.work_off(&mut link.consumer);
                let _ = timeout(patience, rest).await;
            }
            // What needs no ack cannot be given back: it is gone.
            if self.acks == Acks::Manual {
                give_back(&mut link.consumer).await;
            }
        }
        let good_bye = async {
            while at_work.in_hand.join_next().await.is_some() {}
            let _ = link.connection.close(200, "stopped".into()).await;
        };
        let _ = timeout(FINISHED_WITHIN, good_bye).await;
    }
}

/// The deliveries that a worker has in hand.
struct AtWork<Work> {
    hands: Arc<Semaphore>,
    in_hand: JoinSet<()>,
    work: Arc<Work>,
    witness: Arc<dyn Witness>,
}

impl<Work, Worked> AtWork<Work>
where
    Work: Fn(Delivery) -> Worked + Send + Sync + 'static,
    Worked: Future<Output = ()> + Send + 'static,
{
    /// Begins each delivery as soon as a hand is free, until there are no
    /// more. Left early, it has taken none that it has not begun.
    async fn work_off(&mut self, consumer: &mut Consumer) {
        while let Ok(hand) = self.hands.clone().acquire_owned().await {
            let Some(Ok(delivery)) = consumer.next().await else {
                return;
            };
            while self.in_hand.try_join_next().is_some() {}
            let Some(delivery) = read(delivery, &self.witness).await else {
                continue;
            };
            let work = self.work.clone();
            self.in_hand.spawn(async move {
                work(delivery).await;
                drop(hand);
            });
        }
    }
}

/// Gives back what was sent and not begun. From RabbitMQ 4.3 on, a nack does
/// not count as a failed delivery; before, whatever is done about it does.
async fn give_back(consumer: &mut Consumer) {
    let requeue = BasicNackOptions { requeue: true, multiple: false };
    while let Some(Some(Ok(delivery))) = consumer.next().now_or_never() {
        if delivery.acker.nack(requeue).await.is_err() {
            return;
        }
    }
}

impl Working {
    /// Takes no more deliveries, works off those that it was sent, and closes.
    pub async fn stop(self) {
        self.stop_within(PATIENCE).await;
    }

    /// The same, but what has not been begun after `patience` is given back to
    /// the queue, for another consumer; with automatic acks it is lost.
    pub async fn stop_within(mut self, patience: Duration) {
        self.stop.send_replace(Some(patience));
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
