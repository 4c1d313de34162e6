//! A producer of each variant: how it takes an order, and what it does with it
//! in its own time.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures::future::BoxFuture;
use tokio::{sync::Notify, task::JoinSet};

use crate::{
    demos::{
        producer_loss::{buffered, table::SOON},
        shop::orders::Ran,
    },
    lab::Lab,
    ledger::{Fact, MessageId, Witness},
    pattern::{
        backoff::{Backoff, Jitter},
        buffer::Buffer,
        direct::{Direct, Settings as Retries},
        outbox::{self, Desk, Moment, Outbox, Sync, group::Group},
        publisher::{ConfirmingPublisher, Outgoing, Route},
        relay::{Relay, Settings},
    },
    stage::{Persistence, Redis},
    text,
    text::Text,
};

/// Where an order waits for the broker, and what its yes waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Variant {
    /// In the table, with a commit for each.
    TableEach,
    /// In the table, with a commit for all that come at once.
    TableGroup,
    /// In Redis, which has no file.
    RedisOff,
    /// In Redis, with a file that is fsynced once a second.
    RedisEverySecond,
    /// In Redis, with a file that is fsynced before the answer.
    RedisAlways,
    /// In memory.
    Memory,
}

/// All of them, the safest first.
pub(super) const VARIANTS: [Variant; 6] = [
    Variant::TableEach,
    Variant::TableGroup,
    Variant::RedisAlways,
    Variant::RedisEverySecond,
    Variant::RedisOff,
    Variant::Memory,
];

impl Variant {
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::TableEach => "table-each",
            Self::TableGroup => "table-group",
            Self::RedisOff => "redis-off",
            Self::RedisEverySecond => "redis-everysec",
            Self::RedisAlways => "redis-always",
            Self::Memory => "memory",
        }
    }

    pub(super) const fn name(self) -> Text {
        match self {
            Self::TableEach => {
                text! { en: "A table, a commit each", zh: "A 落库，逐单提交" }
            }
            Self::TableGroup => {
                text! { en: "A table, group commit", zh: "A 落库，组提交" }
            }
            Self::RedisOff => {
                text! { en: "B Redis, no AOF", zh: "B Redis，无 AOF" }
            }
            Self::RedisEverySecond => {
                text! { en: "B Redis, everysec", zh: "B Redis，everysec" }
            }
            Self::RedisAlways => {
                text! { en: "B Redis, always", zh: "B Redis，always" }
            }
            Self::Memory => text! { en: "C memory", zh: "C 内存" },
        }
    }

    pub(super) fn queue(self) -> String {
        format!("orders.{}", self.id())
    }

    /// What its Redis keeps, where it has one.
    pub(super) const fn keeps(self) -> Option<Persistence> {
        match self {
            Self::RedisOff => Some(Persistence::Off),
            Self::RedisEverySecond => Some(Persistence::EverySecond),
            Self::RedisAlways => Some(Persistence::Always),
            Self::TableEach | Self::TableGroup | Self::Memory => None,
        }
    }

    /// Requests that share a commit, at most.
    const fn together(self) -> usize {
        match self {
            Self::TableEach => 1,
            _ => 1_000,
        }
    }

    /// Its database, in a file named after what it is used for. Each commit
    /// waits for the disk.
    pub(super) fn database(
        self,
        lab: &Lab,
        what_for: &str,
    ) -> anyhow::Result<Outbox> {
        let file = format!("{what_for}-{}.db", self.id());
        Ok(Outbox::open(&lab.dir().join(file), Sync::Full)?)
    }

    pub(super) fn group(self, outbox: Outbox) -> Group {
        Group::start(outbox, self.together())
    }
}

/// Counts what was put on the wire, and tells the lab where it keeps the books
/// of this variant.
pub(super) struct Watch {
    sent: AtomicU32,
    books: Option<Lab>,
}

impl Watch {
    pub(super) fn new(books: Option<Lab>) -> Arc<Self> {
        Arc::new(Self { sent: AtomicU32::new(0), books })
    }

    pub(super) fn sent(&self) -> u32 {
        self.sent.load(Ordering::SeqCst)
    }
}

impl Witness for Watch {
    fn saw(&self, message: MessageId, fact: Fact) {
        if fact == Fact::Sent {
            self.sent.fetch_add(1, Ordering::SeqCst);
        }
        if let Some(lab) = &self.books {
            lab.saw(message, fact);
        }
    }
}

/// How orders are taken.
enum Takes {
    Table { group: Group, bell: Arc<Notify>, relay_at: Desk },
    Buffer(Buffer),
    Memory(Direct),
}

/// A producer at work. What it has in memory dies with it.
pub(super) struct Producer {
    variant: Variant,
    lab: Lab,
    takes: Takes,
    tasks: JoinSet<()>,
}

/// Attempts are not used up while the lab looks on.
const RETRIES: Retries = Retries {
    room: 10_000,
    attempts: u32::MAX,
    backoff: Backoff { jitter: Jitter::None, ..SOON },
    seed: 1,
};

impl Producer {
    /// Starts with an empty memory; database and Redis are as they are.
    pub(super) async fn start(
        lab: &Lab,
        variant: Variant,
        uri: &str,
        redis: Option<&Redis>,
        watch: &Arc<Watch>,
    ) -> anyhow::Result<Self> {
        let group = variant.group(variant.database(lab, "shop")?);
        let route = Route::queue(&variant.queue());
        let mut tasks = JoinSet::new();
        let takes =
            match redis {
                Some(redis) => {
                    let (lab, redis) = (lab.clone(), redis.clone());
                    let (uri, watch) = (uri.to_owned(), watch.clone());
                    let buffer = buffered::buffer(&lab, &redis).await?;
                    tasks.spawn(async move {
                        let publisher = || {
                            let (uri, route) = (uri.clone(), route.clone());
                            ConfirmingPublisher::to(uri, route, watch.clone())
                        };
                        buffered::relay(&lab, &redis, publisher, group).await;
                    });
                    Takes::Buffer(buffer)
                }
                None if variant == Variant::Memory => Takes::Memory(
                    Direct::start(uri, route, group, watch.clone(), RETRIES),
                ),
                None => {
                    let mut relay = relay(lab, variant, uri, route, watch)?;
                    let (bell, relay_at) = (relay.bell(), relay.works_at());
                    tasks.spawn(async move {
                        // It ends with the producer, and has nobody to tell.
                        let _ = relay.run(std::future::pending::<()>()).await;
                    });
                    Takes::Table { group, bell, relay_at }
                }
            };
        Ok(Self { variant, lab: lab.clone(), takes, tasks })
    }

    /// Takes an order. When it returns, the customer is told yes.
    pub(super) async fn take(&mut self, order: Outgoing) -> Ran {
        match &mut self.takes {
            Takes::Table { group, bell, .. } => {
                let written = group
                    .commit(move |tx| outbox::write(tx, &order, Moment::now()));
                written.await?;
                bell.notify_one();
            }
            Takes::Buffer(buffer) => buffer.put(&order).await?,
            Takes::Memory(direct) => direct.send(order).await?,
        }
        Ok(())
    }

    /// Connects to its Redis again, where it has one: that was away.
    pub(super) async fn meet_again(&mut self, redis: Option<&Redis>) -> Ran {
        if let (Takes::Buffer(buffer), Some(redis)) = (&mut self.takes, redis) {
            *buffer = buffered::buffer(&self.lab, redis).await?;
        }
        Ok(())
    }

    /// Whether nothing is left to be sent, as far as it knows.
    pub(super) fn is_through(&self) -> BoxFuture<'_, anyhow::Result<bool>> {
        Box::pin(async {
            Ok(match &self.takes {
                Takes::Table { .. } => {
                    let table = self.variant.database(&self.lab, "shop")?;
                    !table.has_open(u32::MAX)?
                }
                Takes::Buffer(buffer) => buffer.clone().waiting().await? == 0,
                Takes::Memory(direct) => direct.held() == 0,
            })
        })
    }

    /// All that it has in memory is gone when this returns.
    pub(super) async fn die(mut self) {
        self.tasks.shutdown().await;
        match self.takes {
            Takes::Memory(direct) => direct.die().await,
            // What the relay was writing is on disk before another begins.
            Takes::Table { relay_at, .. } => relay_at.at_rest().await,
            Takes::Buffer(_) => {}
        }
    }
}

/// The relay of a table. It takes back what it had claimed when it died.
fn relay(
    lab: &Lab,
    variant: Variant,
    uri: &str,
    route: Route,
    watch: &Arc<Watch>,
) -> anyhow::Result<Relay> {
    const NAME: &str = "relay";
    let mut outbox = variant.database(lab, "shop")?;
    outbox.release(NAME, |_| true, Moment::now())?;
    let settings = Settings {
        attempts: u32::MAX,
        backoff: SOON,
        seed: 1,
        ..Settings::named(NAME)
    };
    Ok(Relay::open(outbox, uri, route, watch.clone(), settings))
}
