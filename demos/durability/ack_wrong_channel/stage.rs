//! What is the same in every way: a consumer with a channel for each of two
//! queues dies, and another takes over.

use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use anyhow::{Context, bail};
use futures::{StreamExt, future::BoxFuture, stream::BoxStream};
use lapin::{
    Channel, ErrorKind, Event,
    options::{BasicAckOptions, BasicQosOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    demos::{
        durability::{
            bench::{Bench, SOON, Work, back_in, lock},
            depth::{Depth, Here, at_rest, depth, show},
            link::{Link, id_of},
        },
        shop::{
            orders::{Ran, publish_these},
            packing::{Packs, pack_from},
        },
    },
    event::Unit,
    fault::wire::{Protocol, Wire},
    lab::{Lab, Strike::ConsumerDies},
    ledger::{Fact, MessageId, Witness},
    text,
    text::Text,
};

/// Orders whose money takes its time.
const TRANSFERS: &str = "by-transfer";
/// Orders that are paid at once.
const CARDS: &str = "by-card";

/// Acks an order that is packed: the code under discussion.
pub type Ack = for<'a> fn(&'a Paid) -> BoxFuture<'a, Ran>;

/// An order that is packed, and not yet acked.
pub struct Paid {
    order: MessageId,
    /// The number of its delivery: on each channel they begin at 1.
    tag: u64,
    /// The channel that brought it.
    pub came_on: Channel,
    /// The channel that the consumer opened first.
    pub at_hand: Channel,
    /// A channel that brings nothing.
    pub for_acks: Channel,
    lab: Lab,
}

impl Paid {
    /// Acks its number on this channel.
    pub async fn ack_on(&self, channel: &Channel) -> Ran {
        let this_one = BasicAckOptions { multiple: false };
        channel.basic_ack(self.tag, this_one).await?;
        self.lab.saw(
            self.order,
            match channel.id() == self.came_on.id() {
                true => Fact::Acked,
                false => Fact::OtherChannel,
            },
        );
        Ok(())
    }
}

/// The transfers are all in work, and the cards are packed and acked, when
/// the consumer dies.
pub async fn two_channels(lab: Lab, ack: Ack) -> Ran {
    publish(&lab).await?;
    let bench = Bench::open(&lab, Packs::EveryDelivery)?;
    if bench.is_mortal() {
        until_it_dies(&lab, &bench, ack).await?;
    }
    pack_from(&lab, &[TRANSFERS, CARDS], Packs::EveryDelivery).await
}

async fn publish(lab: &Lab) -> Ran {
    for queue in [TRANSFERS, CARDS] {
        lab.declare(queue).await?;
        // The struck orders are paid by transfer.
        let its = |id: &MessageId| lab.plan().strikes(*id);
        let its = lab.messages().filter(|id| its(id) == (queue == TRANSFERS));
        publish_these(lab, queue, its).await?;
    }
    let transfers = lab.plan().len();
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{transfers} orders paid by transfer, {cards} by card, a queue \
                 each; {confirmed} confirmed",
            zh: "转账订单 {transfers} 个，刷卡订单 {cards} 个，各进一个队列；\
                 {confirmed} 个已确认",
            transfers = transfers, cards = lab.count() - transfers,
            confirmed = lab.sums().confirmed
        },
    );
    Ok(())
}

async fn until_it_dies(lab: &Lab, bench: &Bench, ack: Ack) -> Ran {
    let wire = lab.wire("consumer", Protocol::Amqp).await?;
    let consumer = Consumer::open(lab, &wire).await?;
    let work = consumer.take_the_transfers(bench).await?;
    bench.is_laden().await?;
    let cards = tokio::select! {
        rest = consumer.at_rest() => rest?,
        ended = consumer.pack_the_cards(bench, ack) => {
            ended?;
            bail!("the consumer of the cards has ended")
        }
    };
    let transfers = depth(lab, TRANSFERS).await?;
    if transfers.unacked == 0 {
        for order in lab.plan().of(ConsumerDies) {
            lab.saw(order, Fact::AckedUndone);
        }
    }
    consumer.tell(bench, transfers, cards);
    bench.dies(&wire, (consumer, work)).await?;
    for (queue, depth) in [(TRANSFERS, transfers), (CARDS, cards)] {
        back_in(lab, queue, depth.ready + depth.unacked).await?;
    }
    Ok(())
}

/// A consumer with three channels on one connection.
struct Consumer {
    lab: Lab,
    /// With the channel of the transfers, the first.
    link: Link,
    cards: Channel,
    for_acks: Channel,
    /// Cards that have come, and been packed and acked.
    handled: AtomicU32,
    /// What the broker said to each channel that it has closed.
    closed: Mutex<Vec<String>>,
}

type Errors = BoxStream<'static, lapin::Error>;

impl Consumer {
    async fn open(lab: &Lab, wire: &Wire) -> anyhow::Result<Self> {
        let link = Link::open(&lab.uri_through(wire)).await?;
        let cards = link.connection.create_channel().await?;
        let for_acks = link.connection.create_channel().await?;
        Ok(Self {
            lab: lab.clone(),
            link,
            cards,
            for_acks,
            handled: AtomicU32::new(0),
            closed: Mutex::default(),
        })
    }

    /// Takes every transfer in hand, which ends with the consumer.
    async fn take_the_transfers(&self, bench: &Bench) -> anyhow::Result<Work> {
        let (lab, bench) = (self.lab.clone(), bench.clone());
        let mut transfers =
            self.link.consume(TRANSFERS, prefetch(&self.lab)).await?;
        Ok(Work::of(async move {
            let mut in_work = JoinSet::new();
            while let Some(Ok(delivery)) = transfers.next().await {
                let Ok(order) = id_of(&delivery) else { continue };
                lab.saw(order, Fact::Delivered);
                let bench = bench.clone();
                in_work.spawn(async move {
                    bench.note(bench.pack(order).await);
                });
            }
        }))
    }

    /// Packs the cards one by one, and acks each.
    async fn pack_the_cards(&self, bench: &Bench, ack: Ack) -> Ran {
        let qos = BasicQosOptions::default();
        self.cards.basic_qos(prefetch(&self.lab), qos).await?;
        let (options, none) = (Default::default(), FieldTable::default());
        let (queue, tag) = (CARDS.into(), "".into());
        let cards = self.cards.basic_consume(queue, tag, options, none);
        let mut cards = cards.await?;
        let errors = self.link.connection.events_listener();
        let mut errors: Errors = Box::pin(errors.filter_map(async |event| {
            if let Event::Error(error) = event { Some(error) } else { None }
        }));
        while let Some(delivery) = cards.next().await {
            let delivery = delivery?;
            let order = Paid {
                order: id_of(&delivery)?,
                tag: delivery.delivery_tag,
                came_on: self.cards.clone(),
                at_hand: self.link.channel.clone(),
                for_acks: self.for_acks.clone(),
                lab: self.lab.clone(),
            };
            self.lab.saw(order.order, Fact::Delivered);
            bench.pack(order.order).await?;
            self.hear(ack(&order).await, &mut errors).await?;
            self.handled.fetch_add(1, SeqCst);
        }
        Ok(())
    }

    /// What the broker says to an ack: nothing, or it closes the channel.
    /// Asked for something else on the same channel, it has said so before it
    /// answers. On a channel that is closed no ack goes out any more.
    async fn hear(&self, acked: Ran, errors: &mut Errors) -> Ran {
        let channels = [&self.link.channel, &self.cards, &self.for_acks];
        for channel in &channels {
            let passive =
                QueueDeclareOptions { passive: true, ..Default::default() };
            let none = FieldTable::default();
            // Of a closed channel the reason follows.
            let _ = channel.queue_declare(CARDS.into(), passive, none).await;
        }
        let closed = channels.iter().filter(|ch| !ch.status().connected());
        let closed = closed.count();
        while lock(&self.closed).len() < closed {
            let reason = timeout(SOON, errors.next()).await?;
            let reason = reason.context("a channel closed without a reason")?;
            let said = unknown_tag(&reason).with_context(|| reason.clone())?;
            lock(&self.closed).push(said);
        }
        if closed == 0 { acked } else { Ok(()) }
    }

    /// Waits until no more cards come.
    async fn at_rest(&self) -> anyhow::Result<Depth> {
        let cards = self.lab.count() - self.lab.plan().len();
        let here = || {
            let came = self.handled.load(SeqCst).into();
            Some(Here { came, unacked: None })
        };
        let prefetch = Some(prefetch(&self.lab));
        at_rest(&self.lab, (CARDS, cards), prefetch, here).await
    }

    fn tell(&self, bench: &Bench, transfers: Depth, cards: Depth) {
        let (lab, closed) = (&self.lab, lock(&self.closed));
        let figures = [
            ("406", closed.len() as f64),
            ("transfers", transfers.unacked.into()),
            ("cards", cards.unacked.into()),
        ];
        for (id, value) in figures {
            lab.observe(id, Text::same(id), value, Unit::Count);
        }
        if let Some(said) = closed.first() {
            lab.step(
                text! { en: "ack", zh: "ack" },
                text! {
                    en: "406 {said}; the channel is closed",
                    zh: "406 {said}，channel 被关闭", said = said
                },
            );
        }
        lab.step(
            text! { en: "consume", zh: "消费" },
            text! {
                en: "transfers: {held} in work, {open} unacked; cards: \
                     {packed} packed, {owed} unacked",
                zh: "转账：{held} 个还在处理，未 ack {open}；\
                     刷卡：{packed} 个已打包，未 ack {owed}",
                held = bench.held(), open = transfers.unacked,
                packed = bench.packed(), owed = cards.unacked
            },
        );
        show(lab);
    }
}

/// 406, "PRECONDITION_FAILED - unknown delivery tag 1".
fn unknown_tag(error: &lapin::Error) -> Option<String> {
    const PRECONDITION_FAILED: u16 = 406;
    let ErrorKind::ProtocolError(said) = error.kind() else { return None };
    let words = said.get_message().to_string();
    let is_it = said.get_id() == PRECONDITION_FAILED
        && words.contains("unknown delivery tag");
    is_it.then_some(words)
}

/// All transfers at once.
fn prefetch(lab: &Lab) -> u16 {
    u16::try_from(lab.plan().len()).unwrap_or(u16::MAX)
}
