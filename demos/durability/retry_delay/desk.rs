//! What lies to the consumer's hand when an order has failed: the pattern, and
//! what others do instead.

use std::time::Duration;

use lapin::{
    message::Delivery,
    options::{BasicAckOptions, BasicPublishOptions},
    types::AMQPValue,
};

use super::{
    book::Comes,
    stage::{ONE, WHY},
};
use crate::{
    demos::{durability::link::Link, shop::orders::Ran},
    lab::{Lab, Strike},
    ledger::MessageId,
    pattern::retry::{Again, Copy, Retrier},
    text,
};

/// What has become of an order.
pub(super) type Came = anyhow::Result<Comes>;

/// One consumer's.
pub(super) struct Desk {
    /// The pattern.
    pub retrier: Retrier,
    /// A channel without confirms, through the same wire, where it is used.
    plain: Option<Link>,
    uri: String,
}

const SOON: Duration = Duration::from_secs(10);

impl Desk {
    /// Publishes by way of `uri`.
    pub fn at(uri: String, retrier: Retrier) -> Self {
        Self { retrier, plain: None, uri }
    }

    /// A copy to the queue of its delay; then the ack.
    pub async fn delay(&mut self, order: &Delivery, again: Again) -> Came {
        self.retrier.delay(order, again).await?;
        Ok(Comes::Again)
    }

    /// A copy to the parking queue, with why; then the ack.
    pub async fn park(&mut self, order: &Delivery, tries: u32) -> Came {
        self.retrier.park(order, tries, WHY).await?;
        Ok(Comes::NoMore)
    }

    /// A copy with its own TTL to the one queue; then the ack.
    pub async fn delay_in_one_queue(
        &mut self,
        order: &Delivery,
        again: Again,
    ) -> Came {
        let mut copy = Copy::again(order, again.attempt);
        let ttl = again.delay.as_millis().to_string();
        copy.properties = copy.properties.with_expiration(ttl.into());
        self.retrier.place(&copy, ONE).await?;
        self.forget(order).await?;
        Ok(Comes::Again)
    }

    /// A copy to the queue of its delay, and at once the ack.
    pub async fn delay_unconfirmed(
        &mut self,
        order: &Delivery,
        again: Again,
    ) -> Came {
        let queue = self.retrier.ladder().queue_of(again.delay);
        let Copy { body, properties } = Copy::again(order, again.attempt);
        let options = BasicPublishOptions::default();
        let link = match self.plain.take() {
            Some(link) => link,
            None => Link::open(&self.uri).await?,
        };
        let publish = link.channel.basic_publish(
            "".into(),
            queue.as_str().into(),
            options,
            &body,
            properties,
        );
        publish.await?;
        self.plain = Some(link);
        self.forget(order).await?;
        Ok(Comes::Again)
    }

    /// The ack.
    pub async fn forget(&self, order: &Delivery) -> Came {
        order.acker.ack(BasicAckOptions::default()).await?;
        Ok(Comes::NoMore)
    }

    /// Waits for the cut that this order brings, where one is planned, so that
    /// it takes no other along.
    pub async fn after_the_cut(&mut self, lab: &Lab, order: MessageId) -> Ran {
        let cut = Strike::CutBeforePublish;
        if !lab.is_planned(order, cut) {
            return Ok(());
        }
        let what = text! { en: "the connection to be cut", zh: "连接断开" };
        lab.wait_until(what, SOON, || async { Ok(lab.has_struck(order, cut)) })
            .await?;
        self.plain = None;
        Ok(())
    }
}

/// How often the broker has dead-lettered it, by its own account.
pub(super) fn deaths(order: &Delivery) -> u32 {
    let headers = order.properties.headers().as_ref();
    let deaths = headers
        .and_then(|headers| headers.inner().get("x-death"))
        .and_then(AMQPValue::as_array);
    let counts =
        deaths.into_iter().flat_map(|deaths| deaths.as_slice()).map(|death| {
            let death = death.as_field_table();
            let count = death.and_then(|death| death.inner().get("count"));
            count.and_then(AMQPValue::as_long_long_int).unwrap_or_default()
        });
    u32::try_from(counts.sum::<i64>()).unwrap_or(u32::MAX)
}
