//! Orders on their way: what is the same in every story of the first topic.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    lab::Lab,
    ledger::{Fact, MessageId, Witness},
    pattern::publisher::{ConfirmingPublisher, Outgoing},
    text,
};

/// The queue of the orders.
pub const ORDERS: &str = "orders";

/// What a way comes to.
pub type Ran = anyhow::Result<()>;

/// Unconfirmed publishes at a time, where nothing strikes them.
const WINDOW: usize = 100;
/// How often an unanswered publish is sent again.
const RESENDS: u32 = 5;

/// An order as it goes over the wire.
pub fn order(id: MessageId) -> Outgoing {
    Outgoing { id, body: format!(r#"{{"order":"{id}"}}"#).into_bytes() }
}

/// Publishes every order of the run to a classic queue and waits until each
/// is confirmed.
///
/// # Errors
/// When one could not be confirmed.
pub async fn publish_orders(lab: &Lab) -> Ran {
    lab.declare(ORDERS).await?;
    publish_these(lab, ORDERS, lab.messages()).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{sent} orders to a classic queue; {confirmed} confirmed",
            zh: "{sent} 个订单发往经典队列；{confirmed} 个已确认",
            sent = lab.sums().attempted, confirmed = lab.sums().confirmed
        },
    );
    let container = &lab.broker().service.container;
    lab.command(format!(
        "docker exec {container} rabbitmqctl -p {} list_queues name messages",
        lab.vhost()
    ));
    Ok(())
}

/// Takes these orders, publishes them to a queue that is there, and waits
/// until each is confirmed.
///
/// # Errors
/// When one could not be confirmed.
pub async fn publish_these(
    lab: &Lab,
    queue: &str,
    orders: impl IntoIterator<Item = MessageId>,
) -> Ran {
    let taken = orders.into_iter().inspect(|id| lab.saw(*id, Fact::Accepted));
    publish_again(lab, queue, taken).await
}

/// Publishes orders that were taken before, and waits until each is confirmed.
///
/// # Errors
/// When one could not be confirmed.
pub async fn publish_again(
    lab: &Lab,
    queue: &str,
    orders: impl IntoIterator<Item = MessageId>,
) -> Ran {
    let mut publisher =
        ConfirmingPublisher::new(lab.uri(), queue, lab.witness());
    let orders = orders.into_iter().map(order);
    publisher.publish_all(orders, WINDOW, RESENDS).await?;
    Ok(())
}

/// Who worked on which order, and how often. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tally(Arc<Mutex<BTreeMap<MessageId, u16>>>);

impl Tally {
    /// One more.
    pub fn add(&self, order: MessageId) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry(order).or_default() += 1;
    }

    /// How many orders were worked on.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Each with how often.
    pub fn all(&self) -> BTreeMap<MessageId, u16> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
