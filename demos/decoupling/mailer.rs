//! The mailer, a subscriber whose service goes down while orders come in, and
//! who is restarted before it is back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Context;
use lapin::{
    Connection, ConnectionProperties, ErrorKind,
    options::{QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use tokio::time::sleep;

use crate::{
    demos::shop::{
        CallFailed, Service,
        orders::Ran,
        place::{Clerk, PLACED, Place, Services, subscriber},
    },
    event::Unit,
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Noun, Witness},
    pattern::{
        backoff::{Backoff, Jitter, Retry},
        consumer::Delivery,
        worker::{Acks, Worker, Working},
    },
    text,
};

/// How the mailer works.
#[derive(Clone, Copy)]
pub(super) struct Mailer {
    /// What becomes of its queue while it is away.
    pub queue: Queue,
    /// Who says that a mail is done.
    pub acks: Acks,
}

/// What becomes of a queue whose last consumer goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    /// It stays, and fills.
    Lasting,
    /// It is deleted, with all that is in it.
    AutoDelete,
}

/// As it should be.
pub(super) const MAILER: Mailer =
    Mailer { queue: Queue::Lasting, acks: Acks::Manual };

const OTHERS: [Noun; 2] = [Noun::Stock, Noun::Points];
const ALL: [Noun; 3] = [Noun::Stock, Noun::Points, Noun::Mail];
const MAIL: &str = "mail";
const TAKES: Duration = Duration::from_millis(2);
const AT_MOST: Duration = Duration::from_secs(40);
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(10),
    most: Duration::from_millis(100),
    jitter: Jitter::Full,
};

/// Orders come one after another. Before the first of the stretch the mail
/// service goes down; after the last one its subscriber is restarted, and
/// then the service comes back.
pub(super) async fn through_an_outage(
    lab: Lab,
    place: Place,
    mailer: Mailer,
) -> Ran {
    let services = Services::open(&ALL.map(|noun| (noun, TAKES)))?;
    let mail = services.of(Noun::Mail)?;
    lab.declare_fanout(PLACED, &["stock", "points"]).await?;
    let others = services.subscribe(&lab, &OTHERS).await?;
    let in_vain = Arc::new(AtomicU64::new(0));
    let mut at_work = mailer.start(&lab, mail, &in_vain).await?;
    let mut clerk = Clerk::at_work(&lab, &services).await?;
    let [before, during, after] = three_parts(&lab);
    serve(&lab, &mut clerk, place, &before).await?;
    services.all_made(&lab, &ALL).await?;
    if !during.is_empty() {
        mail.close().await?;
        serve(&lab, &mut clerk, place, &during).await?;
        all_tried(&lab, &during).await?;
        let held = during.iter().filter(|order| is_accepted(&lab, **order));
        held.for_each(|order| lab.saw(*order, Fact::Killed));
        drop(at_work);
        gone(&lab).await?;
        at_work = mailer.start(&lab, mail, &in_vain).await?;
        mail.reopen().await?;
    }
    serve(&lab, &mut clerk, place, &after).await?;
    services.all_made(&lab, &OTHERS).await?;
    all_after(&lab, mail, &after).await?;
    // What is older than those is in hand, or lost: stopping finishes it.
    at_work.stop().await;
    for subscriber in others {
        subscriber.stop().await;
    }
    settle(&lab, &services, mailer.queue).await?;
    tell(&lab, &during, in_vain.load(Relaxed));
    Ok(())
}

/// The orders before, during and after the outage.
fn three_parts(lab: &Lab) -> [Vec<MessageId>; 3] {
    let struck = |order| lab.is_planned(order, Strike::ServiceDown);
    let last = lab.messages().filter(|order| struck(*order)).last();
    let (during, rest): (Vec<_>, Vec<_>) =
        lab.messages().partition(|order| struck(*order));
    let (after, before) =
        rest.into_iter().partition(|order| last.is_none_or(|l| *order > l));
    [before, during, after]
}

/// Places these orders. Who needs a service that is down is told no.
async fn serve(
    lab: &Lab,
    clerk: &mut Clerk,
    place: Place,
    orders: &[MessageId],
) -> Ran {
    for order in orders {
        match place(*order, clerk).await {
            Ok(()) => lab.saw(*order, Fact::Accepted),
            Err(error) => match error.downcast_ref() {
                Some(CallFailed::Down) => {
                    lab.struck(*order, Strike::ServiceDown);
                    lab.saw(*order, Fact::Refused);
                }
                _ => return Err(error.context(format!("{order}"))),
            },
        }
    }
    Ok(())
}

impl Mailer {
    /// Declares its queue and binds it, if that is not so already, and works
    /// on it: calls the service until it answers, then acks.
    async fn start(
        self,
        lab: &Lab,
        mail: &Service,
        in_vain: &Arc<AtomicU64>,
    ) -> anyhow::Result<Working> {
        self.declare(lab).await.context("the mailer's queue")?;
        let worker = Worker { acks: self.acks, ..subscriber(lab, MAIL) };
        let (lab, mail, in_vain) =
            (lab.clone(), mail.client(), in_vain.clone());
        let call_then_ack = move |order: Delivery| {
            let (lab, mail, in_vain) =
                (lab.clone(), mail.clone(), in_vain.clone());
            async move {
                let mut retry = Retry::new(BACKOFF);
                while let Err(failed) = mail.call(order.id).await {
                    in_vain.fetch_add(1, Relaxed);
                    let down = Strike::ServiceDown;
                    if failed == CallFailed::Down
                        && !lab.has_struck(order.id, down)
                    {
                        lab.struck(order.id, down);
                    }
                    sleep(retry.next_delay()).await;
                }
                if self.acks == Acks::Manual {
                    // What cannot be acked any more comes again.
                    let _ = order.ack().await;
                }
            }
        };
        Ok(worker.start(call_then_ack).await?)
    }

    async fn declare(self, lab: &Lab) -> lapin::Result<()> {
        let connection =
            Connection::connect(&lab.uri(), ConnectionProperties::default())
                .await?;
        let channel = connection.create_channel().await?;
        let options = QueueDeclareOptions {
            auto_delete: self.queue == Queue::AutoDelete,
            ..QueueDeclareOptions::durable()
        };
        let mut classic = FieldTable::default();
        let kind = AMQPValue::LongString("classic".into());
        classic.insert("x-queue-type".into(), kind);
        channel.queue_declare(MAIL.into(), options, classic).await?;
        let (bind, none) = (QueueBindOptions::default(), FieldTable::default());
        channel
            .queue_bind(MAIL.into(), PLACED.into(), "".into(), bind, none)
            .await?;
        connection.close(200, "declared".into()).await
    }
}

fn is_accepted(lab: &Lab, order: MessageId) -> bool {
    lab.entry(order).is_some_and(|entry| entry.accepted)
}

/// Each order of the outage has met it: its call was refused.
async fn all_tried(lab: &Lab, during: &[MessageId]) -> Ran {
    let what = text! {
        en: "a call in vain for each order", zh: "每个订单都调用失败过一次"
    };
    let struck = |order| lab.has_struck(order, Strike::ServiceDown);
    lab.wait_until(what, AT_MOST, || async {
        Ok(during.iter().all(|order| struck(*order)))
    })
    .await
}

/// The broker has noticed that the mailer is gone.
async fn gone(lab: &Lab) -> Ran {
    let what = text! { en: "the mailer to be gone", zh: "邮件订阅者离开" };
    lab.wait_until(what, AT_MOST, || async {
        let connection =
            Connection::connect(&lab.uri(), ConnectionProperties::default())
                .await?;
        let channel = connection.create_channel().await?;
        let passive =
            QueueDeclareOptions { passive: true, ..Default::default() };
        let none = FieldTable::default();
        let seen = channel.queue_declare(MAIL.into(), passive, none).await;
        connection.close(200, "looked".into()).await?;
        match seen {
            Ok(queue) => Ok(queue.consumer_count() == 0),
            Err(error) => match error.kind() {
                ErrorKind::ProtocolError(e) if e.get_id() == 404 => Ok(true),
                _ => Err(error.into()),
            },
        }
    })
    .await
}

/// The mails of the orders after the outage are out.
async fn all_after(lab: &Lab, mail: &Service, after: &[MessageId]) -> Ran {
    let what = text! {
        en: "the mails after the outage", zh: "恢复之后的邮件发出"
    };
    lab.wait_until(what, AT_MOST, || async {
        let made = mail.made();
        Ok(after.iter().all(|order| made.contains_key(&order.number)))
    })
    .await
}

/// Each order by what the services made of it; and what they made for orders
/// that were refused.
async fn settle(lab: &Lab, services: &Services, mails: Queue) -> Ran {
    services.settle_orders(lab);
    for queue in services.queues() {
        if queue == MAIL && mails == Queue::AutoDelete {
            continue;
        }
        for order in lab.left_in(queue).await? {
            lab.settle(order, 0, 1);
        }
    }
    let mut stranded = 0;
    for service in services.all() {
        for (number, times) in service.made() {
            if !is_accepted(lab, Noun::Order.number(number)) {
                lab.settle(service.noun().number(number), times, 0);
                stranded += 1;
            }
        }
    }
    let name = text! { en: "stranded", zh: "白做" };
    lab.observe("stranded", name, f64::from(stranded), Unit::Count);
    Ok(())
}

fn tell(lab: &Lab, during: &[MessageId], in_vain: u64) {
    if let (Some(first), Some(last)) = (during.first(), during.last()) {
        lab.step(
            text! { en: "outage", zh: "宕机" },
            text! {
                en: "the mail service is down from {first} to {last}",
                zh: "从 {first} 到 {last}，邮件服务宕机",
                first = first, last = last
            },
        );
    }
    let sums = lab.sums();
    let (accepted, refused) = (sums.accepted, sums.refused);
    lab.step(
        text! { en: "order", zh: "下单" },
        match refused {
            0 => text! {
                en: "{accepted} accepted; {in_vain} calls in vain until the \
                     service was back",
                zh: "受理 {accepted} 单；服务恢复之前白调用了 {in_vain} 次",
                accepted = accepted, in_vain = in_vain
            },
            refused => text! {
                en: "{accepted} accepted, {refused} refused: stock and points \
                     are made, the mail is not",
                zh: "受理 {accepted} 单，拒绝 {refused} 单：库存、积分已动，邮件没发",
                accepted = accepted, refused = refused
            },
        },
    );
    if refused > 0 {
        lab.came_to(text! {
            en: "{refused} refused, half made", zh: "{refused} 单失败且做了一半",
            refused = refused
        });
    }
}
