//! What is the same in every way: a counter with ordinary orders in hand,
//! and urgent ones that come after those.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures::{StreamExt, future::try_join_all};
use lapin::{
    BasicProperties, Confirmation,
    options::{BasicAckOptions, BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::time::timeout;

use crate::{
    demos::shop::{
        link::{Link, id_of, number},
        orders::{ORDERS, Ran, order},
    },
    event::Unit,
    lab::{Lab, RanOut, Strike},
    ledger::{Fact, MessageId, Witness},
    text,
};

/// What the ways do differently.
#[derive(Clone, Copy)]
pub struct How {
    /// Whether the queue has levels of priority.
    pub levels: bool,
    /// So many in hand at a time.
    pub prefetch: u16,
}

const ORDINARY: u8 = 0;
const URGENT: u8 = 1;
const SOON: Duration = Duration::from_secs(20);

/// The counter holds ordinary orders when the urgent ones come.
pub async fn urgent_ones_come_later(lab: &Lab, how: How) -> Ran {
    let levels = [number("x-max-priority", URGENT.into())];
    let levels = if how.levels { &levels[..] } else { &[] };
    lab.declare_with(ORDERS, "classic", levels).await?;
    let is_urgent = |id: &MessageId| lab.is_planned(*id, Strike::HeldUp);
    let (urgent, ordinary): (Vec<_>, Vec<_>) =
        lab.messages().partition(is_urgent);
    let shop = Link::open(&lab.uri()).await?;
    let confirm = ConfirmSelectOptions::default();
    shop.channel.confirm_select(confirm).await?;
    publish(lab, &shop, &ordinary, ORDINARY).await?;
    let link = Link::open(&lab.uri()).await?;
    let mut orders = link.consume(ORDERS, how.prefetch).await?;
    let in_hand = u32::from(how.prefetch).min(ordinary.len() as u32);
    let what = text! {
        en: "the consumer's hands to be full", zh: "消费者手里拿满"
    };
    let rest = ordinary.len() as u32 - in_hand;
    let full = || async { Ok(lab.ready(ORDERS).await? == rest) };
    lab.wait_until(what, SOON, full).await?;
    publish(lab, &shop, &urgent, URGENT).await?;
    urgent.iter().for_each(|id| lab.struck(*id, Strike::HeldUp));
    shop.close().await?;
    let (mut done, mut before) = (0, 0);
    for _ in 0..lab.count() {
        let next = timeout(SOON, orders.next()).await.map_err(|_| {
            let what = text! { en: "the next order", zh: "下一个订单" };
            RanOut { what, limit: SOON }
        })?;
        let delivery = next.context("the consumer was ended")??;
        let id = id_of(&delivery)?;
        lab.saw(id, Fact::Delivered);
        match is_urgent(&id) {
            true => before = done,
            false => done += 1,
        }
        lab.saw(id, Fact::Applied);
        lab.settle(id, 1, 0);
        delivery.acker.ack(BasicAckOptions::default()).await?;
        lab.saw(id, Fact::Acked);
    }
    link.close().await?;
    for order in lab.left_in(ORDERS).await? {
        lab.settle(order, 0, 1);
    }
    tell(lab, how, before);
    Ok(())
}

/// Publishes these with a priority, and waits until each is confirmed.
async fn publish(
    lab: &Lab,
    shop: &Link,
    orders: &[MessageId],
    priority: u8,
) -> Ran {
    let mut sent = Vec::with_capacity(orders.len());
    for id in orders {
        lab.saw(*id, Fact::Accepted);
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_priority(priority)
            .with_message_id(id.to_string().into());
        let (body, how) = (order(*id).body, BasicPublishOptions::default());
        lab.saw(*id, Fact::Sent);
        let to = ORDERS.into();
        let publish = shop
            .channel
            .basic_publish("".into(), to, how, &body, properties)
            .await?;
        sent.push(publish);
    }
    for (id, said) in orders.iter().zip(try_join_all(sent).await?) {
        let is_confirmed = matches!(said, Confirmation::Ack(None));
        ensure!(is_confirmed, "{id}: {said:?}");
        lab.saw(*id, Fact::Confirmed);
    }
    Ok(())
}

fn tell(lab: &Lab, how: How, before: u32) {
    let name = text! { en: "before urgent", zh: "加急之前" };
    lab.observe("before", name, before.into(), Unit::Count);
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "prefetch {prefetch}: ordinary orders done before the urgent \
                 ones: {before}",
            zh: "prefetch {prefetch}：加急单之前先做了 {before} 个普通单",
            prefetch = how.prefetch, before = before
        },
    );
    lab.came_to(text! {
        en: "urgent after {n}", zh: "加急排在 {n} 单之后", n = before
    });
}
