//! What is the same in every story of the shop: publish the payments,
//! consume them, and ask the books.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;

use super::{Books, Shop, payment};
use crate::{
    fault::wire::{Protocol, Wire},
    lab::{Failpoints, Killed, Lab, RanOut, Strike},
    ledger::{Fact, MessageId, Witness},
    pattern::{
        consumer::{
            ConnectionLost, Delivery, Handle, ReconnectingConsumer, Stopped,
        },
        dedup::Marks,
        publisher::ConfirmingPublisher,
    },
    text,
};

/// The queue of the payments.
pub const PAYMENTS: &str = "payments";
/// A prefetch of one: the consumer holds one payment at a time, so that its
/// death concerns exactly that one.
pub const ONE_BY_ONE: u16 = 1;
/// A prefetch for where nobody dies.
pub const HUNDRED_AT_A_TIME: u16 = 100;

/// How often an unanswered publish is sent again.
const RESENDS: u32 = 5;
/// The broker gives back what a dead consumer held within milliseconds.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(5);
/// How long marks in Redis live where nothing else is said.
pub const MARKS_LIVE: Duration = Duration::from_secs(600);

/// What a handler comes to.
pub type Handled = anyhow::Result<()>;
/// What is done with one payment: the code under discussion.
pub type Handler = for<'a> fn(
    &'a Delivery,
    &'a mut Shop,
    &'a Failpoints,
) -> BoxFuture<'a, Handled>;

/// Publishes every payment of the run and waits until each is confirmed.
///
/// # Errors
/// When one could not be confirmed.
pub async fn publish(lab: &Lab) -> anyhow::Result<()> {
    publish_to(lab, "classic").await
}

/// Like [`publish`], to a queue of this type.
///
/// # Errors
/// When one could not be confirmed.
pub async fn publish_to(lab: &Lab, queue_type: &str) -> anyhow::Result<()> {
    lab.declare_as(PAYMENTS, queue_type).await?;
    publish_all(lab, lab.messages()).await?;
    tell_published(lab, queue_type);
    Ok(())
}

/// Like [`publish`], with two copies in a row of each planned message.
///
/// # Errors
/// When one could not be confirmed.
pub async fn publish_twice(lab: &Lab, strike: Strike) -> anyhow::Result<()> {
    lab.declare_as(PAYMENTS, "classic").await?;
    let copies = lab.messages().flat_map(|id| {
        let copies = if lab.is_planned(id, strike) { 2 } else { 1 };
        std::iter::repeat_n(id, copies)
    });
    publish_all(lab, copies).await?;
    tell_published(lab, "classic");
    Ok(())
}

fn tell_published(lab: &Lab, queue_type: &str) {
    let sums = lab.sums();
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{sent} payments, ids minted once, to a {kind} queue; \
                 {confirmed} confirmed",
            zh: "{sent} 笔付款，id 只生成一次，发往 {kind} 队列；\
                 {confirmed} 笔已确认",
            sent = sums.attempted, confirmed = sums.confirmed,
            kind = queue_type
        },
    );
    let container = &lab.broker().service.container;
    lab.command(format!(
        "docker exec {container} rabbitmqctl -p {} list_queues name messages",
        lab.vhost()
    ));
}

async fn publish_all(
    lab: &Lab,
    messages: impl Iterator<Item = MessageId>,
) -> anyhow::Result<()> {
    let wire = lab.wire("producer", Protocol::Amqp).await?;
    let mut publisher = ConfirmingPublisher::new(
        lab.uri_through(&wire),
        PAYMENTS,
        lab.witness(),
    );
    // Where the wire strikes a publish, one is in flight at a time: then a
    // cut leaves exactly that one without an answer.
    let struck = |strike| lab.plan().of(strike).next().is_some();
    let window = if struck(Strike::WithholdConfirm)
        || struck(Strike::CutBeforePublish)
    {
        1
    } else {
        100
    };
    let outgoing = messages.map(|id| {
        lab.saw(id, Fact::Accepted);
        payment(id)
    });
    publisher.publish_all(outgoing, window, RESENDS).await?;
    Ok(())
}

/// Somebody publishes the planned messages once more.
///
/// # Errors
/// When one could not be confirmed.
pub async fn replay(lab: &Lab, strike: Strike) -> anyhow::Result<()> {
    let mut publisher =
        ConfirmingPublisher::new(lab.uri(), PAYMENTS, lab.witness());
    let planned =
        lab.plan().of(strike).filter(|id| lab.is_planned(*id, strike));
    for id in planned {
        lab.saw(id, strike.fact());
        publisher.publish_until_confirmed(&payment(id), RESENDS).await?;
        lab.hit(id, strike);
    }
    Ok(())
}

/// The story that most scenarios tell: all is published, then consumed one
/// payment at a time, struck where it is planned, and the books are asked.
///
/// # Errors
/// When the queue is not drained in time, or what a handler says.
pub async fn publish_and_consume(
    lab: Lab,
    handle: Handler,
) -> anyhow::Result<()> {
    publish(&lab).await?;
    consume(&lab, handle).await?;
    settle(&lab).await
}

/// Consumes until the queue is drained, one payment at a time.
///
/// # Errors
/// See [`consume_with`].
pub async fn consume(lab: &Lab, handle: Handler) -> anyhow::Result<()> {
    consume_with(lab, handle, ONE_BY_ONE, MARKS_LIVE).await
}

/// Consumes until the queue is drained. A consumer that is killed loses its
/// connection, with every ack that was not sent, and its memory; the next one
/// starts with the books and Redis as they are.
///
/// # Errors
/// When the queue is not drained in time, or what a handler says.
pub async fn consume_with(
    lab: &Lab,
    handle: Handler,
    prefetch: u16,
    marks_live: Duration,
) -> anyhow::Result<()> {
    consume_until(lab, handle, prefetch, marks_live, |_| false).await
}

/// Like [`consume_with`], and ends early once `enough` says so.
///
/// # Errors
/// See [`consume_with`].
pub async fn consume_until(
    lab: &Lab,
    handle: Handler,
    prefetch: u16,
    marks_live: Duration,
    enough: fn(&Lab) -> bool,
) -> anyhow::Result<()> {
    let consuming = Consuming { handle, prefetch, marks_live, enough };
    consuming.run(lab, lab.failpoints()).await?;
    tell_consumed(lab, prefetch);
    Ok(())
}

/// Two consumers at once, one payment at a time each, in tasks of their own.
///
/// # Errors
/// See [`consume_with`].
pub async fn consume_by_two(lab: &Lab, handle: Handler) -> anyhow::Result<()> {
    let failpoints = lab.failpoints();
    let one = || {
        let (lab, failpoints) = (lab.clone(), failpoints.clone());
        let consuming = Consuming {
            handle,
            prefetch: ONE_BY_ONE,
            marks_live: MARKS_LIVE,
            enough: |_| false,
        };
        tokio::spawn(async move { consuming.run(&lab, failpoints).await })
    };
    let (first, second) = (one(), one());
    first.await??;
    second.await??;
    tell_consumed(lab, ONE_BY_ONE);
    Ok(())
}

fn tell_consumed(lab: &Lab, prefetch: u16) {
    let sums = lab.sums();
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "{deliveries} deliveries, manual ack, prefetch {prefetch}",
            zh: "{deliveries} 次投递，手动 ack，prefetch {prefetch}",
            deliveries = sums.deliveries, prefetch = prefetch
        },
    );
}

/// How a queue is consumed.
struct Consuming {
    handle: Handler,
    prefetch: u16,
    marks_live: Duration,
    enough: fn(&Lab) -> bool,
}

impl Consuming {
    async fn run(
        &self,
        lab: &Lab,
        failpoints: Failpoints,
    ) -> anyhow::Result<()> {
        let wire = lab.wire("consumer", Protocol::Amqp).await?;
        let consumer = ReconnectingConsumer {
            uri: lab.uri_through(&wire),
            queue: PAYMENTS.to_owned(),
            prefetch: self.prefetch,
            limit: Duration::from_secs(60 + u64::from(lab.count()) / 500),
            witness: lab.witness(),
        };
        let mut empty_since = Instant::now();
        loop {
            let mut process = Process {
                shop: shop(lab, self.marks_live).await?,
                handle: self.handle,
                failpoints: failpoints.clone(),
                wire: &wire,
                lab: lab.clone(),
                enough: self.enough,
                handled: false,
            };
            let drained = consumer.drain(&mut process).await;
            if process.handled {
                empty_since = Instant::now();
            }
            match drained {
                // After a cut the broker takes a moment to put back what was
                // unacked: an empty queue is not yet a drained one. Should
                // something stay away, the audit will say so.
                Ok(()) if process.enough() || lab.is_all_delivered() => {
                    return Ok(());
                }
                Ok(()) if empty_since.elapsed() > GIVEN_BACK_WITHIN => {
                    return Ok(());
                }
                Ok(()) => continue,
                Err(Stopped::Handler(error)) if error.is::<Killed>() => {}
                Err(Stopped::Handler(error)) => return Err(error),
                Err(Stopped::NotDrained(limit)) => {
                    let what = text! { en: "the queue to be drained", zh: "队列被消费完" };
                    return Err(RanOut { what, limit }.into());
                }
                Err(Stopped::Unreachable(limit, _)) => {
                    let what = text! { en: "a connection to the broker", zh: "连上 broker" };
                    return Err(RanOut { what, limit }.into());
                }
            }
        }
    }
}

/// A consumer process with nothing remembered yet.
///
/// # Errors
/// When the books or Redis cannot be opened.
pub async fn shop(lab: &Lab, marks_live: Duration) -> anyhow::Result<Shop> {
    let books = Books::open(lab.dir(), lab.witness())?;
    let marks = match lab.redis() {
        Ok(redis) => {
            let prefix = lab.vhost();
            Some(Marks::new(
                redis.connect().await?,
                prefix,
                marks_live,
                lab.witness(),
            ))
        }
        Err(_) => None,
    };
    Ok(Shop { books, marks })
}

/// Asks the books what was paid and the queue what it still holds.
///
/// # Errors
/// What the books or the broker say.
pub async fn settle(lab: &Lab) -> anyhow::Result<()> {
    settle_books(lab)?;
    for payment in lab.left_in(PAYMENTS).await? {
        lab.settle(payment, 0, 1);
    }
    Ok(())
}

/// Asks the books what was paid.
///
/// # Errors
/// What the books say.
pub fn settle_books(lab: &Lab) -> anyhow::Result<()> {
    let books = Books::open(lab.dir(), Arc::new(()))?;
    for (payment, times) in books.moved()? {
        lab.settle(payment, times, 0);
    }
    Ok(())
}

/// The handler at work in a process that can be killed.
struct Process<'a> {
    shop: Shop,
    handle: Handler,
    failpoints: Failpoints,
    wire: &'a Wire,
    lab: Lab,
    enough: fn(&Lab) -> bool,
    handled: bool,
}

impl Handle for Process<'_> {
    type Error = anyhow::Error;

    fn handle<'a>(
        &'a mut self,
        delivery: &'a Delivery,
    ) -> BoxFuture<'a, Handled> {
        Box::pin(async move {
            self.handled = true;
            match (self.handle)(delivery, &mut self.shop, &self.failpoints)
                .await
            {
                Err(error) => match error.downcast_ref::<Killed>() {
                    Some(killed) => {
                        // Dead: nothing more leaves this process.
                        if self.wire.cut().await == 1 {
                            self.lab.hit(killed.message, killed.strike);
                        }
                        Err(error)
                    }
                    // The connection is gone under an ack: the consumer sees
                    // it too, and opens another.
                    None if error.is::<ConnectionLost>() => Ok(()),
                    None => Err(error),
                },
                Ok(()) => Ok(()),
            }
        })
    }

    fn enough(&self) -> bool {
        (self.enough)(&self.lab)
    }
}
