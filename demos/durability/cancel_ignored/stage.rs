//! What is the same in every way: a packer at work, an operator who deletes
//! its queue and declares it anew, and orders before and after.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use lapin::{
    Channel, Connection, ConnectionProperties, Consumer,
    message::Delivery,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicQosOptions,
        QueueDeclareOptions, QueueDeleteOptions,
    },
    types::FieldTable,
};
use tokio::sync::watch;

use futures::StreamExt;

use super::{super::link::id_of, Consume};
use crate::{
    demos::shop::orders::{ORDERS, Ran, Tally, publish_these},
    event::Unit,
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Witness},
    text,
};

const PREFETCH: u16 = 10;
const SOON: Duration = Duration::from_secs(20);

/// A process that packs orders, with one connection.
pub struct Packer {
    lab: Lab,
    connection: Connection,
    packed: Tally,
    stands: watch::Sender<Stands>,
}

/// Where a packer stands. Nothing is judged by it: it orders the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    /// It waits for a delivery, or works on one.
    Consuming,
    /// It was told that there is no next one.
    Told,
    /// It has done what it does about that.
    Settled,
}

/// The deliveries of one consumer.
pub struct Orders<'a> {
    packer: &'a Packer,
    consumer: Consumer,
    /// The consumer's. Dropping it would close it.
    _channel: Channel,
}

impl Orders<'_> {
    /// The next delivery; `None` when the consumer has ended.
    pub async fn next(&mut self) -> Option<lapin::Result<Delivery>> {
        self.packer.has_reacted();
        let next = self.consumer.next().await;
        if next.is_none() {
            self.packer.stands.send_replace(Stands::Told);
        }
        next
    }
}

impl Packer {
    async fn open(lab: &Lab) -> anyhow::Result<Self> {
        let how = ConnectionProperties::default();
        Ok(Self {
            lab: lab.clone(),
            connection: Connection::connect(&lab.uri(), how).await?,
            packed: Tally::default(),
            stands: watch::Sender::new(Stands::Consuming),
        })
    }

    /// Declares the queue: nothing changes where it is there already.
    pub async fn declare(&self) -> Ran {
        self.lab.declare(ORDERS).await
    }

    /// Consumes the queue on a channel of its own.
    pub async fn consume(&self) -> anyhow::Result<Orders<'_>> {
        let channel = self.connection.create_channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let (any, options) = ("".into(), BasicConsumeOptions::default());
        let none = FieldTable::default();
        let consumer =
            channel.basic_consume(ORDERS.into(), any, options, none).await?;
        Ok(Orders { packer: self, consumer, _channel: channel })
    }

    /// Packs one order and acks it.
    pub async fn pack(&self, delivery: Delivery) -> Ran {
        let order = id_of(&delivery)?;
        let redelivered = delivery.redelivered;
        self.lab.saw(
            order,
            match redelivered {
                true => Fact::Redelivered,
                false => Fact::Delivered,
            },
        );
        self.packed.add(order);
        self.lab.saw(order, Fact::Applied);
        if delivery.acker.ack(BasicAckOptions::default()).await? {
            self.lab.saw(order, Fact::Acked);
        }
        Ok(())
    }

    fn has_reacted(&self) {
        self.stands.send_if_modified(|stands| {
            let was_told = *stands == Stands::Told;
            if was_told {
                *stands = Stands::Settled;
            }
            was_told
        });
    }

    /// What the broker says of the queue over this very connection, which
    /// proves that it is open: messages that are ready, and consumers.
    async fn asks(&self) -> anyhow::Result<(u32, u32)> {
        let channel = self.connection.create_channel().await?;
        let passive =
            QueueDeclareOptions { passive: true, ..Default::default() };
        let none = FieldTable::default();
        let seen = channel.queue_declare(ORDERS.into(), passive, none).await?;
        Ok((seen.message_count(), seen.consumer_count()))
    }
}

/// A packer packs what comes; its queue is deleted and declared anew; more
/// comes.
pub async fn cleaned_up_under_it(lab: Lab, consume: Consume) -> Ran {
    let packer = Arc::new(Packer::open(&lab).await?);
    packer.declare().await?;
    let at_work = tokio::spawn({
        let packer = packer.clone();
        async move {
            // Its process stays up whatever becomes of the consumer.
            let ended = consume(&packer).await;
            packer.stands.send_replace(Stands::Settled);
            ended
        }
    });
    let (after, before): (Vec<_>, Vec<_>) =
        lab.messages().partition(|order| lab.plan().strikes(*order));
    publish(&lab, &before).await?;
    all_packed(&lab, &packer, before.len()).await?;
    let armed = |order: &_| lab.is_planned(*order, Strike::Cancelled);
    if after.iter().any(armed) {
        clean_up(&lab, &packer).await?;
        for order in &after {
            lab.struck(*order, Strike::Cancelled);
        }
    }
    publish(&lab, &after).await?;
    packed_or_stuck(&lab, &packer, after.len()).await?;
    at_work.abort();
    let (_, packer) = (at_work.await, packer);
    // Its channels are closing already.
    let _ = packer.connection.close(200, "stopped".into()).await;
    for (order, times) in packer.packed.all() {
        lab.settle(order, times, 0);
    }
    for order in lab.left_in(ORDERS).await? {
        lab.settle(order, 0, 1);
    }
    Ok(())
}

async fn publish(lab: &Lab, orders: &[MessageId]) -> Ran {
    publish_these(lab, ORDERS, orders.iter().copied()).await
}

async fn all_packed(lab: &Lab, packer: &Packer, orders: usize) -> Ran {
    let what = text! {
        en: "the first orders to be packed", zh: "第一批订单打包"
    };
    let done = || async { Ok(packer.packed.count() == orders) };
    lab.wait_until(what, SOON, done).await?;
    let (ready, consumers) = packer.asks().await?;
    ensure!(ready == 0, "{ready} orders are still in the queue");
    ensure!(consumers == 1, "{consumers} consumers, not the packer alone");
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "{orders} orders published and packed; 1 consumer",
            zh: "{orders} 个订单发布并打包；消费者 1 个", orders = orders
        },
    );
    Ok(())
}

/// Deletes the queue, which ends its consumer, and declares it anew once the
/// packer has done about it whatever it does.
async fn clean_up(lab: &Lab, packer: &Packer) -> Ran {
    let operator =
        Connection::connect(&lab.uri(), ConnectionProperties::default())
            .await?;
    let channel = operator.create_channel().await?;
    let anyway = QueueDeleteOptions::default();
    let with = channel.queue_delete(ORDERS.into(), anyway).await?;
    ensure!(with == 0, "{with} orders were deleted with the queue");
    operator.close(200, "deleted".into()).await?;
    let what = text! {
        en: "the packer to hear of it", zh: "打包进程得知"
    };
    let mut stands = packer.stands.subscribe();
    let heard = || {
        let settled = *stands.borrow_and_update() == Stands::Settled;
        async move { Ok(settled) }
    };
    lab.wait_until(what, SOON, heard).await?;
    lab.declare(ORDERS).await?;
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "queue.delete ends the consumer; then the queue is declared \
                 anew",
            zh: "queue.delete 让消费者结束；随后队列原样重建"
        },
    );
    Ok(())
}

/// Waits until all is packed, or nobody is there who could: the broker has no
/// consumer to give it to.
async fn packed_or_stuck(lab: &Lab, packer: &Packer, orders: usize) -> Ran {
    let what = text! {
        en: "the other orders to be packed", zh: "其余订单打包"
    };
    let all = lab.count() as usize;
    let over = || async {
        let (ready, consumers) = packer.asks().await?;
        let stuck = consumers == 0 && ready as usize == orders;
        Ok(packer.packed.count() == all || stuck)
    };
    lab.wait_until(what, SOON, over).await?;
    let (ready, consumers) = packer.asks().await?;
    let name = text! { en: "ready", zh: "积压" };
    lab.observe("ready", name, ready.into(), Unit::Count);
    let name = text! { en: "consumers", zh: "消费者" };
    lab.observe("consumers", name, consumers.into(), Unit::Count);
    lab.step(
        text! { en: "look", zh: "查看" },
        text! {
            en: "over the packer's own connection: {ready} ready, \
                 consumers: {consumers}",
            zh: "经由打包进程自己的连接查询：积压 {ready}，消费者 {consumers}",
            ready = ready, consumers = consumers
        },
    );
    let container = &lab.broker().service.container;
    lab.command(format!(
        "docker exec {container} rabbitmqctl -p {} list_queues name messages \
         consumers",
        lab.vhost()
    ));
    Ok(())
}
