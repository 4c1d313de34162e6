//! Customers who come at a pace that waits for nobody, and a service that
//! can do so much and no more: what `peak` and `endless` have in common.

mod flow;
mod sampling;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};

pub use self::{
    flow::Flow,
    sampling::{Sampled, Sampling},
};
use crate::{
    demos::shop::{
        CallFailed, Caller, Manner, Service,
        load::Pace,
        orders::{ORDERS, Ran, order},
    },
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Noun, Witness},
    pattern::{
        consumer::Delivery,
        pipeline::PipelinedPublisher,
        worker::{Acks, Worker, Working},
    },
    text,
};

/// More than this in a second is no story about queues any more.
const FASTEST: f64 = 1_333.0;
/// Where no fault is armed, customers come below the service's capacity, and
/// only some of them: nothing is claimed of it.
const CALM: f64 = 0.7;
const FEWER: u32 = 4;

/// Customers, their orders, and the service that those are for.
pub struct Surge {
    lab: Lab,
    /// What the service bears.
    pub manner: Manner,
    pub service: Service,
    /// λ, as it is meant to be.
    arrival: f64,
    pub orders: u32,
    pub flow: Flow,
}

impl Surge {
    /// All orders come within this time (longer where they are very many),
    /// so many times as fast as the service can work, which takes so long
    /// over each.
    pub fn prepare(
        lab: &Lab,
        within: Duration,
        overload: f64,
        latency: Duration,
    ) -> anyhow::Result<Self> {
        let orders = f64::from(lab.count());
        let arrival = (orders / within.as_secs_f64()).min(FASTEST);
        let at_once = arrival / overload * latency.as_secs_f64();
        let manner =
            Manner::taking(latency).at_once((at_once.round() as usize).max(1));
        let (arrival, orders) = match lab.is_armed(Strike::Surge) {
            true => (arrival, lab.count()),
            false => (manner.capacity() * CALM, lab.count() / FEWER),
        };
        Ok(Self {
            lab: lab.clone(),
            manner,
            service: Service::open(Noun::Stock, manner)?,
            arrival,
            orders,
            flow: Flow::default(),
        })
    }

    /// How many calls the service works on at a time.
    pub fn at_once(&self) -> u16 {
        let at_once = self.manner.at_once.unwrap_or_default();
        u16::try_from(at_once).unwrap_or(u16::MAX)
    }

    fn pace(&self) -> Pace {
        self.flow.begin();
        Pace::new(self.arrival, self.orders)
    }

    /// Each customer's order is a call, made as soon as it comes.
    pub async fn call_at_once(&self) -> Ran {
        let mut calls = JoinSet::new();
        let mut pace = self.pace();
        while let Some(number) = pace.next().await {
            let (lab, flow) = (self.lab.clone(), self.flow.clone());
            let (id, service) =
                (Noun::Order.number(number), self.service.client());
            flow.came(id);
            calls.spawn(async move {
                let fact = match service.call(id).await {
                    Ok(()) => {
                        flow.done(id);
                        Fact::Accepted
                    }
                    Err(CallFailed::Busy) => Fact::Refused,
                    Err(other) => return Err(other),
                };
                lab.saw(id, fact);
                Ok(())
            });
        }
        self.tell_arrivals();
        while let Some(called) = calls.join_next().await {
            called??;
        }
        Ok(())
    }

    /// Each customer's order is published as soon as it comes, if `may_enter`
    /// lets it.
    pub async fn publish_at_once(
        &self,
        publisher: &mut PipelinedPublisher,
        may_enter: impl Fn(MessageId) -> bool,
    ) -> Ran {
        publisher.connect().await;
        let mut pace = self.pace();
        while let Some(number) = publisher.attend(pace.next()).await {
            let id = Noun::Order.number(number);
            self.flow.came(id);
            if may_enter(id) {
                publisher.publish(order(id)).await;
            }
        }
        self.tell_arrivals();
        publisher.finish().await?;
        Ok(())
    }

    /// A worker who calls the service for each order it holds, and gives back
    /// those that the service is too busy for. No prefetch: it holds them all.
    pub async fn worker(&self, prefetch: u16) -> anyhow::Result<Working> {
        // The worker itself bounds nothing: whatever it holds it calls for.
        let at_once = self.orders as usize;
        let worker = Worker {
            uri: self.lab.uri(),
            queue: ORDERS.to_owned(),
            prefetch,
            at_once,
            acks: Acks::Manual,
            witness: self.lab.witness(),
        };
        let (service, flow) = (self.service.client(), self.flow.clone());
        let working = worker
            .start(move |order| serve(order, service.clone(), flow.clone()));
        Ok(working.await?)
    }

    /// How fast they came, beside what the service can do: if by half more,
    /// that was a surge.
    fn tell_arrivals(&self) {
        let arrival = self.flow.arrival();
        let capacity = self.manner.capacity();
        if arrival > 1.5 * capacity {
            self.lab.struck_once(Strike::Surge);
        }
        self.lab.step(
            text! { en: "fault", zh: "故障" },
            text! {
                en: "{orders} orders at {arrival} a second; the service does \
                     {capacity}, {at_once} at a time",
                zh: "{orders} 个订单，每秒 {arrival} 个；服务每秒处理 {capacity} 个，\
                     同时 {at_once} 个",
                orders = self.orders, arrival = arrival.round(),
                capacity = capacity.round(), at_once = self.at_once()
            },
        );
    }

    /// Asks the service what was done, and the queue what it still holds.
    pub async fn settle(&self, queue: Option<&str>) -> Ran {
        for (number, times) in self.service.made() {
            self.lab.settle(Noun::Order.number(number), times, 0);
        }
        if let Some(queue) = queue {
            for order in self.lab.left_in(queue).await? {
                self.lab.settle(order, 0, 1);
            }
        }
        Ok(())
    }
}

/// How long an order rests in a worker's hands that the service was too busy
/// for, before it is given back.
const REST: Duration = Duration::from_millis(20);

async fn serve(order: Delivery, service: Caller, flow: Flow) {
    flow.begun();
    let called = Instant::now();
    let answered = service.call(order.id).await;
    let took = called.elapsed();
    match answered {
        Ok(()) => flow.done(order.id),
        Err(CallFailed::Busy) => sleep(REST).await,
        Err(_) => {}
    }
    flow.ended(answered.is_ok().then_some(took));
    // What cannot be said to the broker any more comes again by itself.
    let _ = match answered {
        Ok(()) => order.ack().await,
        Err(_) => order.requeue().await,
    };
}

/// The customer at the door is told what the broker says: a confirm is a yes,
/// and a nack is "not now".
pub struct AtTheDoor(Lab);

impl AtTheDoor {
    pub fn of(lab: &Lab) -> Arc<dyn Witness> {
        Arc::new(Self(lab.clone()))
    }
}

impl Witness for AtTheDoor {
    fn saw(&self, order: MessageId, fact: Fact) {
        self.0.saw(order, fact);
        match fact {
            Fact::Confirmed => self.0.saw(order, Fact::Accepted),
            Fact::Nacked => self.0.saw(order, Fact::Refused),
            _ => {}
        }
    }
}
