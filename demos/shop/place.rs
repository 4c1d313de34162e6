//! Placing orders: customers, the clerks who serve them, the services that an
//! order needs, and the subscribers that call those for orders published.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use tokio::{sync::Mutex, task::JoinSet};

use super::{
    Caller, Manner, Service,
    load::Pace,
    orders::{Ran, order},
};
use crate::{
    lab::Lab,
    ledger::{Fact, MessageId, Noun, Witness},
    pattern::{
        consumer::Delivery,
        publisher::{ConfirmingPublisher, Route},
        worker::{Acks, Worker, Working},
    },
    text,
};

/// The exchange that a placed order is published to, a fanout.
pub const PLACED: &str = "orders.placed";

/// How often an unanswered publish is sent again.
const RESENDS: u32 = 5;
/// Calls that a subscriber makes at a time.
const AT_ONCE: u16 = 20;
/// All effects are made within this time, or something is wrong.
const AT_MOST: Duration = Duration::from_secs(60);

/// The services that an order needs.
pub struct Services(Vec<Arc<Service>>);

impl Services {
    /// Opens them, each with how long it takes.
    ///
    /// # Errors
    /// When no socket can be had.
    pub fn open(all: &[(Noun, Duration)]) -> anyhow::Result<Self> {
        let open = all.iter().map(|(noun, latency)| {
            Service::open(*noun, Manner::taking(*latency)).map(Arc::new)
        });
        Ok(Self(open.collect::<anyhow::Result<_>>()?))
    }

    /// The one that makes this.
    ///
    /// # Errors
    /// When it was not opened.
    pub fn of(&self, noun: Noun) -> anyhow::Result<&Arc<Service>> {
        let found = self.0.iter().find(|service| service.noun() == noun);
        found.ok_or_else(|| anyhow::anyhow!("no {} here", noun.as_str()))
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.0.iter()
    }

    /// The queues of their subscribers: each has one of its own.
    pub fn queues(&self) -> Vec<&'static str> {
        self.0.iter().map(|service| service.noun().as_str()).collect()
    }

    /// For each of these a subscriber that calls it for every order in its
    /// queue, and acks when the call was answered.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn subscribe(
        &self,
        lab: &Lab,
        to: &[Noun],
    ) -> anyhow::Result<Vec<Working>> {
        let mut working = Vec::new();
        for noun in to {
            let own = noun.as_str();
            working.push(self.subscribe_to(lab, *noun, own).await?);
        }
        Ok(working)
    }

    /// A subscriber that calls one of them for every order in this queue.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn subscribe_to(
        &self,
        lab: &Lab,
        noun: Noun,
        queue: &str,
    ) -> anyhow::Result<Working> {
        let caller = self.of(noun)?.client();
        let call_then_ack = move |order: Delivery| {
            let caller = caller.clone();
            async move {
                // What cannot be answered any more comes again.
                let _ = match caller.call(order.id).await {
                    Ok(()) => order.ack().await,
                    Err(_) => order.requeue().await,
                };
            }
        };
        // The copies of an order in three queues are no redeliveries: those
        // of one are told.
        let witness: Arc<dyn Witness> = match noun {
            Noun::Stock | Noun::Points => Arc::new(()),
            _ => lab.witness(),
        };
        let worker = Worker { witness, ..subscriber(lab, queue) };
        Ok(worker.start(call_then_ack).await?)
    }

    /// Waits until each of these has made its effect for every order that was
    /// accepted.
    ///
    /// # Errors
    /// When that takes too long.
    pub async fn all_made(&self, lab: &Lab, by: &[Noun]) -> Ran {
        let what = text! {
            en: "all effects of all orders", zh: "所有订单的所有动作完成"
        };
        let owed = lab.messages().filter(|order| {
            lab.entry(*order).is_some_and(|entry| entry.accepted)
        });
        let owed: Vec<_> = owed.collect();
        lab.wait_until(what, AT_MOST, || async {
            for noun in by {
                let made = self.of(*noun)?.made();
                if owed.iter().any(|order| !made.contains_key(&order.number)) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .await
    }

    /// Settles each order by asking the services and nobody else: it was
    /// made when all of them had made their part, and as often as the one
    /// that made it most often.
    pub fn settle_orders(&self, lab: &Lab) {
        let made: Vec<_> = self.0.iter().map(|one| one.made()).collect();
        for order in lab.messages() {
            let times = || {
                let by = made.iter().map(|made| made.get(&order.number));
                by.map(|times| times.copied().unwrap_or_default())
            };
            let whole = times().all(|times| times > 0);
            let most = times().max().filter(|_| whole);
            lab.settle(order, most.unwrap_or_default(), 0);
        }
    }

    /// Settles each effect as well, as a message of its own noun, and what
    /// the subscribers' queues still hold.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn settle_effects(&self, lab: &Lab) -> Ran {
        for service in &self.0 {
            let noun = service.noun();
            for (number, times) in service.made() {
                lab.settle(noun.number(number), times, 0);
            }
            for order in lab.left_in(noun.as_str()).await? {
                lab.settle(noun.number(order.number), 0, 1);
            }
        }
        Ok(())
    }
}

/// A subscriber to its own queue, not started yet.
pub fn subscriber(lab: &Lab, queue: &str) -> Worker {
    Worker {
        uri: lab.uri(),
        queue: queue.to_owned(),
        prefetch: AT_ONCE,
        at_once: AT_ONCE.into(),
        acks: Acks::Manual,
        witness: lab.witness(),
    }
}

/// Serves one customer after another, with what the shop has.
pub struct Clerk {
    /// Calls the stock.
    pub stock: Caller,
    /// Calls the points.
    pub points: Caller,
    /// Calls the mail.
    pub mail: Caller,
    publisher: ConfirmingPublisher,
}

impl Clerk {
    /// A clerk, connected to the broker before the first customer comes.
    ///
    /// # Errors
    /// When a service is missing or the broker cannot be reached.
    pub async fn at_work(
        lab: &Lab,
        services: &Services,
    ) -> anyhow::Result<Self> {
        let route = Route::new(PLACED, "");
        let mut publisher =
            ConfirmingPublisher::to(lab.uri(), route, lab.witness());
        anyhow::ensure!(publisher.connect().await, "no connection");
        Ok(Self {
            stock: services.of(Noun::Stock)?.client(),
            points: services.of(Noun::Points)?.client(),
            mail: services.of(Noun::Mail)?.client(),
            publisher,
        })
    }

    /// Publishes an order, and returns when the broker has confirmed it.
    ///
    /// # Errors
    /// When it was not confirmed.
    pub async fn publish(&mut self, id: MessageId) -> Ran {
        let order = order(id);
        Ok(self.publisher.publish_until_confirmed(&order, RESENDS).await?)
    }
}

/// What a clerk does with an order before the customer may go.
pub type Place = for<'a> fn(MessageId, &'a mut Clerk) -> BoxFuture<'a, Ran>;

/// One customer, served.
pub struct Served {
    /// The order.
    pub order: MessageId,
    /// How long the customer waited for the answer.
    pub waited: Duration,
    /// The answer came before every service was done with the order.
    pub early: bool,
}

/// Has every order of the run placed, and promises all its effects. Customers
/// come at an even pace, so many a second, and in every way at the same; each
/// clerk serves one at a time.
///
/// # Errors
/// When an order could not be placed.
pub async fn serve_customers(
    lab: &Lab,
    services: &Services,
    (clerks, a_second): (usize, f64),
    place: Place,
) -> anyhow::Result<Vec<Served>> {
    let mut counters = JoinSet::new();
    let mut at_work = Vec::new();
    for _ in 0..clerks {
        at_work.push(Clerk::at_work(lab, services).await?);
    }
    let customers = Arc::new(Mutex::new(Pace::new(a_second, lab.count())));
    for mut clerk in at_work {
        let services = services.0.clone();
        let (customers, lab) = (customers.clone(), lab.clone());
        counters.spawn(async move {
            let next = async || customers.lock().await.next().await;
            let mut served = Vec::new();
            while let Some(number) = next().await {
                let (order, came) =
                    (Noun::Order.number(number), Instant::now());
                place(order, &mut clerk).await?;
                let waited = came.elapsed();
                let early = services.iter().any(|one| !one.has_made(order));
                served.push(Served { order, waited, early });
                lab.saw(order, Fact::Accepted);
                for service in &services {
                    lab.promise(order, service.noun());
                }
            }
            anyhow::Ok(served)
        });
    }
    let mut served = Vec::new();
    while let Some(counter) = counters.join_next().await {
        served.extend(counter??);
    }
    Ok(served)
}
