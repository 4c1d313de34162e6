//! The ways of consuming: asking for each order, or having them sent.

use anyhow::Context;
use futures::StreamExt;
use lapin::{
    message::Delivery,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicQosOptions,
    },
    types::FieldTable,
};

use super::{
    line::{Line, Ran},
    publish::Publishing,
};
use crate::{
    demos::shop::orders::Tally,
    ledger::{Fact, MessageId},
    text,
    text::Text,
};

/// How to consume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consuming {
    Unlimited,
    Prefetch100,
    Prefetch10,
    Prefetch1,
    Get,
}

use Consuming::{Get, Prefetch1, Prefetch10, Prefetch100, Unlimited};

/// All of them, in the order of the charts.
pub const CONSUMING: [Consuming; 5] =
    [Unlimited, Prefetch100, Prefetch10, Prefetch1, Get];

impl Consuming {
    /// What figures call it.
    pub const fn id(self) -> &'static str {
        match self {
            Get => "get",
            Prefetch1 => "prefetch-1",
            Prefetch10 => "prefetch-10",
            Prefetch100 => "prefetch-100",
            Unlimited => "unlimited",
        }
    }

    /// What a person calls it.
    pub const fn name(self) -> Text {
        match self {
            Get => Text::fixed("get", "get"),
            Prefetch1 => Text::fixed("prefetch 1", "prefetch 1"),
            Prefetch10 => Text::fixed("prefetch 10", "prefetch 10"),
            Prefetch100 => Text::fixed("prefetch 100", "prefetch 100"),
            Unlimited => text! { en: "no prefetch", zh: "不设 prefetch" },
        }
    }

    /// Whether it waits for each order by itself.
    pub const fn waits_for_each(self) -> bool {
        matches!(self, Get | Prefetch1)
    }

    /// The queue it empties: that of a way of publishing.
    pub const fn queue(self) -> &'static str {
        match self {
            Get => Publishing::TxEach.id(),
            Prefetch1 => Publishing::OneByOne.id(),
            Prefetch10 => Publishing::TxBatches.id(),
            Prefetch100 => Publishing::Batches.id(),
            Unlimited => Publishing::Pipelined.id(),
        }
    }

    /// What its channel has to be told once, before the first order.
    pub async fn prepare(self, line: &Line) -> lapin::Result<()> {
        let prefetch = match self {
            Get | Unlimited => return Ok(()),
            Prefetch1 => 1,
            Prefetch10 => 10,
            Prefetch100 => 100,
        };
        let options = BasicQosOptions::default();
        line.channel.basic_qos(prefetch, options).await
    }

    /// How many of so many orders share a round trip.
    pub const fn together(self, all: usize) -> usize {
        match self {
            Get | Prefetch1 => 1,
            Prefetch10 => 10,
            Prefetch100 => 100,
            Unlimited => all,
        }
    }

    /// Consumes so many orders this way.
    pub async fn consume(self, line: &Line, all: usize) -> Consumed {
        match self {
            Get => get(line, all).await,
            _ => pushed(line, all, self.together(all)).await,
        }
    }
}

/// Which orders came, and how often.
type Consumed = anyhow::Result<Tally>;

/// Asks for one order after another.
async fn get(line: &Line, all: usize) -> Consumed {
    let tally = Tally::default();
    for _ in 0..all {
        let options = BasicGetOptions::default();
        let got = line.channel.basic_get(line.queue.into(), options).await?;
        let order = got.context("the queue is empty")?.delivery;
        took(line, &tally, &order)?;
        order.acker.ack(BasicAckOptions::default()).await?;
    }
    Ok(tally)
}

/// Has the orders sent, and acks a prefetch of them at once. With an ack for
/// each, the next ones come a few at a time: no fewer round trips, and seldom
/// as few (seen: 50 for 200 orders with a prefetch of 10).
async fn pushed(line: &Line, all: usize, prefetch: usize) -> Consumed {
    let tally = Tally::default();
    let (queue, options) = (line.queue.into(), BasicConsumeOptions::default());
    let mut orders = line
        .channel
        .basic_consume(queue, "".into(), options, FieldTable::default())
        .await?;
    for n in 1..=all {
        let order =
            orders.next().await.context("the consumer was cancelled")?;
        let order = order?;
        took(line, &tally, &order)?;
        if n.is_multiple_of(prefetch) || n == all {
            let these = BasicAckOptions { multiple: true };
            order.acker.ack(these).await?;
        }
    }
    Ok(tally)
}

fn took(line: &Line, tally: &Tally, order: &Delivery) -> Ran {
    let id = order.properties.message_id().as_ref();
    let id: MessageId =
        id.context("an order without an id")?.as_str().parse()?;
    line.witness.saw(id, Fact::Delivered);
    tally.add(id);
    Ok(())
}
