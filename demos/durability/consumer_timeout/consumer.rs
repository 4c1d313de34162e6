//! A consumer process: it packs what is delivered and what is in its table,
//! many at once, opens its consumer anew when that has ended, and can die.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::StreamExt;
use lapin::ErrorKind;
use tokio::{sync::Notify, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    super::{
        held::{Held, LateAcks, is_with_another},
        link::Link,
    },
    Handle,
    stage::TIMEOUT,
    table::Table,
};
use crate::{
    demos::shop::orders::{ORDERS, Ran},
    lab::{Lab, Strike},
    ledger::{MessageId, Witness},
    text,
};

/// No limit: nothing waits behind slow work.
const PREFETCH: u16 = 0;
const AGAIN: Duration = Duration::from_millis(20);
const TAKEN_BACK_WITHIN: Duration = Duration::from_secs(20);

/// What a process holds in its hands. It goes with the process, the table
/// stays.
pub struct Shop {
    lab: Lab,
    table: Mutex<Table>,
    noted: Notify,
    /// Orders in hand that are slow, and unacked.
    slow: Mutex<BTreeSet<MessageId>>,
    /// Orders in hand under which it will die.
    at_risk: Mutex<BTreeSet<MessageId>>,
    failed: Mutex<Option<anyhow::Error>>,
}

/// How often the broker has ended a consumer, and how.
#[derive(Default)]
pub struct Ends {
    /// The channel was closed with 406.
    closed: AtomicU32,
    /// basic.cancel, and the channel is open.
    cancelled: AtomicU32,
}

/// A process at work.
pub struct Process {
    shop: Arc<Shop>,
    alive: CancellationToken,
    /// Orders in hand.
    work: TaskTracker,
    /// The consumer, and whoever works from the table.
    hands: TaskTracker,
    handle: Handle,
    late: LateAcks,
    ends: Arc<Ends>,
}

impl Shop {
    /// Packs an order. It may take its time.
    pub async fn work(&self, order: &Held) -> Ran {
        let unacked = (!order.is_acked()).then_some(order);
        self.takes(order.id, unacked).await?;
        lock(&self.table).pack(order.id)
    }

    /// Commits to the table that an order is to be packed.
    pub fn note(&self, order: &Held) -> Ran {
        lock(&self.table).note(order.id)?;
        self.noted.notify_one();
        Ok(())
    }

    /// How long an order takes. A slow one takes until the broker has given all
    /// slow ones to another; where it waits for no ack, twice as long as it
    /// would have waited. One under which the process dies takes until then.
    async fn takes(&self, order: MessageId, unacked: Option<&Held>) -> Ran {
        let lab = &self.lab;
        let is_due = |strike| {
            lab.is_planned(order, strike) && !lab.has_struck(order, strike)
        };
        if is_due(Strike::ConsumerDies) {
            lock(&self.at_risk).insert(order);
            return std::future::pending().await;
        }
        match unacked {
            _ if !is_due(Strike::AckTimeout) => {}
            None => {
                sleep(2 * TIMEOUT).await;
                lab.struck(order, Strike::AckTimeout);
            }
            // The other one, which the broker gave it to, is quick.
            Some(held) if held.redelivered => {
                lab.hit(order, Strike::AckTimeout);
            }
            Some(_) => {
                lock(&self.slow).insert(order);
                let what = text! {
                    en: "the broker to take it back", zh: "broker 收回消息"
                };
                // All of them: on 4.3 the first late ack revives the consumer
                // that was cancelled, and what is taken back after that may go
                // there, where nobody hears of it (seen on 4.3.6).
                let taken_back = || async {
                    let mut slow = lab.plan().of(Strike::AckTimeout);
                    Ok(slow.all(|order| is_with_another(lab, order)))
                };
                lab.wait_until(what, TAKEN_BACK_WITHIN, taken_back).await?;
                lock(&self.slow).remove(&order);
            }
        }
        Ok(())
    }

    /// The broker has ended the consumer: what is slow was held for too long.
    fn was_timed_out(&self) {
        for order in lock(&self.slow).iter() {
            self.lab.saw(*order, Strike::AckTimeout.fact());
        }
    }

    fn note_failure(&self, worked: Ran) {
        if let Err(error) = worked {
            lock(&self.failed).get_or_insert(error);
        }
    }
}

impl Ends {
    /// Channels closed with 406, and consumers cancelled.
    pub fn counts(&self) -> (u32, u32) {
        let Self { closed, cancelled } = self;
        (closed.load(Ordering::Relaxed), cancelled.load(Ordering::Relaxed))
    }
}

impl Process {
    /// Starts, and consumes once this returns.
    pub async fn start(
        lab: &Lab,
        uri: String,
        handle: Handle,
        (late, ends): (&LateAcks, &Arc<Ends>),
    ) -> anyhow::Result<Arc<Self>> {
        let shop = Shop {
            lab: lab.clone(),
            table: Mutex::new(Table::open(lab)?),
            noted: Notify::new(),
            slow: Mutex::default(),
            at_risk: Mutex::default(),
            failed: Mutex::default(),
        };
        let process = Arc::new(Self {
            shop: Arc::new(shop),
            alive: CancellationToken::new(),
            work: TaskTracker::new(),
            hands: TaskTracker::new(),
            handle,
            late: late.clone(),
            ends: ends.clone(),
        });
        let first = Link::open(&uri).await?;
        let consumer = process.clone();
        process.hand(async move { consumer.consume(first, uri).await });
        let desk = process.clone();
        process.hand(async move { desk.work_from_the_table().await });
        Ok(process)
    }

    /// Runs this as long as the process lives.
    fn hand(&self, task: impl Future<Output = Ran> + Send + 'static) {
        let (alive, shop) = (self.alive.clone(), self.shop.clone());
        self.hands.spawn(async move {
            if let Some(ended) = alive.run_until_cancelled(task).await {
                shop.note_failure(ended);
            }
        });
    }

    fn begin(&self, work: impl Future<Output = Ran> + Send + 'static) {
        let (alive, shop) = (self.alive.clone(), self.shop.clone());
        self.work.spawn(async move {
            if let Some(worked) = alive.run_until_cancelled(work).await {
                shop.note_failure(worked);
            }
        });
    }

    /// Consumes, again whenever the consumer has ended. Each has a connection
    /// of its own, which stays open until all that came over it is done.
    async fn consume(&self, first: Link, uri: String) -> Ran {
        let mut link = Arc::new(first);
        loop {
            let mut orders = link.consume(ORDERS, PREFETCH).await?;
            let end = loop {
                let delivery = match orders.next().await {
                    Some(Ok(delivery)) => delivery,
                    Some(Err(error)) => break Some(error),
                    None => break None,
                };
                let order = Held::take(delivery, &self.late, &self.shop.lab)?;
                let (handle, shop) = (self.handle, self.shop.clone());
                let link = link.clone();
                self.begin(async move {
                    let handled = handle(&order, &shop).await;
                    drop(link);
                    handled
                });
            };
            self.has_ended(&link, end.as_ref());
            drop(orders);
            link = Arc::new(open_again(&uri).await);
        }
    }

    fn has_ended(&self, link: &Link, error: Option<&lapin::Error>) {
        const PRECONDITION_FAILED: u16 = 406;
        let ended = match error.map(lapin::Error::kind) {
            Some(ErrorKind::ProtocolError(said))
                if said.get_id() == PRECONDITION_FAILED =>
            {
                &self.ends.closed
            }
            None if link.channel.status().connected() => &self.ends.cancelled,
            _ => return,
        };
        ended.fetch_add(1, Ordering::Relaxed);
        self.shop.was_timed_out();
    }

    /// Packs what is noted, each order in a task of its own, whoever noted it.
    async fn work_from_the_table(&self) -> Ran {
        let mut begun = BTreeSet::new();
        loop {
            let undone = lock(&self.shop.table).undone()?;
            for order in undone {
                if begun.insert(order) {
                    let shop = self.shop.clone();
                    self.begin(async move {
                        shop.takes(order, None).await?;
                        lock(&shop.table).finish(order)
                    });
                }
            }
            self.shop.noted.notified().await;
        }
    }

    /// Whether it has nothing in hand and nothing in its table.
    ///
    /// # Errors
    /// What went wrong in it.
    pub fn is_idle(&self) -> anyhow::Result<bool> {
        if let Some(error) = lock(&self.shop.failed).take() {
            return Err(error);
        }
        let undone = lock(&self.shop.table).undone()?;
        Ok(undone.is_empty() && self.work.is_empty())
    }

    /// How many orders it has in hand under which it will die.
    pub fn at_risk(&self) -> usize {
        lock(&self.shop.at_risk).len()
    }

    /// Ends at once, whatever is in hand.
    pub async fn die(&self) {
        self.alive.cancel();
        for tasks in [&self.hands, &self.work] {
            tasks.close();
            tasks.wait().await;
        }
    }
}

async fn open_again(uri: &str) -> Link {
    loop {
        match Link::open(uri).await {
            Ok(link) => return link,
            Err(_) => sleep(AGAIN).await,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
