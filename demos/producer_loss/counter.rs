//! The shop's counter: takes an order, keeps its row, publishes it.
//!
//! Orders go to a direct exchange by region. One region is bound to the queue
//! of the orders, the other was forgotten.

use std::sync::Arc;

use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};

use super::{operator::Operator, rows::Rows};
use crate::{
    demos::shop::orders::{ORDERS, Ran, order},
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Witness},
    pattern::publisher::Outgoing,
};

/// The exchange of all orders; it routes by region.
pub const BY_REGION: &str = "orders-by-region";
/// The region that is bound to the queue of the orders.
pub const EU: &str = "orders.eu";
/// The region whose binding was forgotten.
pub const UK: &str = "orders.uk";

/// What comes back when there is no queue for it, before its ack.
pub const MANDATORY: BasicPublishOptions =
    BasicPublishOptions { mandatory: true, immediate: false };

/// An order, and the key of its region.
pub struct Order {
    what: Outgoing,
    key: &'static str,
}

impl Order {
    /// The order of this id, from the region that the plan says.
    pub fn of(lab: &Lab, id: MessageId) -> Self {
        let forgotten = lab.is_planned(id, Strike::Unroutable);
        if forgotten {
            lab.saw(id, Strike::Unroutable.fact());
        }
        Self { what: order(id), key: if forgotten { UK } else { EU } }
    }

    /// Its id.
    pub fn id(&self) -> MessageId {
        self.what.id
    }
}

/// Takes orders, and publishes them on one confirming channel, one at a time:
/// with a window of 1 a return is always that of the confirm it comes with.
pub struct Counter {
    rows: Rows,
    channel: Channel,
    connection: Connection,
    witness: Arc<dyn Witness>,
}

impl Counter {
    /// A counter that publishes to `uri`.
    ///
    /// # Errors
    /// What SQLite or the broker say.
    pub async fn open(lab: &Lab, uri: &str) -> anyhow::Result<Self> {
        let rows = Rows::open(lab)?;
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(uri, properties).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { rows, channel, connection, witness: lab.witness() })
    }

    /// Writes the order down and tells the customer yes.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn take(&self, order: &Order) -> Ran {
        self.rows.take(order.id())?;
        self.witness.saw(order.id(), Fact::Accepted);
        Ok(())
    }

    /// Publishes it, and waits for the broker's answer.
    ///
    /// # Errors
    /// When there is none.
    pub async fn publish(
        &mut self,
        order: &Order,
        options: BasicPublishOptions,
    ) -> lapin::Result<Confirmation> {
        self.witness.saw(order.id(), Fact::Sent);
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_message_id(order.id().to_string().into());
        let (exchange, key) = (BY_REGION.into(), order.key.into());
        self.channel
            .basic_publish(exchange, key, options, &order.what.body, properties)
            .await?
            .await
    }

    /// It is the broker's now, or so the answer is read.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_done(&self, order: &Order) -> Ran {
        self.witness.saw(order.id(), Fact::Confirmed);
        self.rows.is_done(order.id())
    }

    /// It found no queue: that goes to the log, and nowhere else.
    pub fn logs(&self, order: &Order, back: &BasicReturnMessage) {
        self.witness.saw(order.id(), Fact::Returned);
        tracing::debug!(id = %order.id(), ?back, "returned");
    }

    /// It found no queue: its row goes to the list that people look at.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_returned(&self, order: &Order, back: &BasicReturnMessage) -> Ran {
        self.witness.saw(order.id(), Fact::Returned);
        let why = format!("{} {}", back.reply_code, back.reply_text);
        self.rows.list(order.id(), &why)
    }

    /// Closing time.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn close(self) -> Ran {
        Ok(self.connection.close(200, "closing time".into()).await?)
    }
}

/// The order was published with a key that nobody bound: the queue still
/// holds those before it, and no more.
///
/// # Errors
/// When the queue holds anything else.
pub async fn went_nowhere(
    lab: &Lab,
    operator: &Operator,
    id: MessageId,
) -> Ran {
    let routed = (1..=id.number).map(|number| id.noun.number(number));
    let routed = routed.filter(|id| !lab.plan().strikes(*id)).count();
    operator.sees(lab, ORDERS, u32::try_from(routed)?).await?;
    lab.hit(id, Strike::Unroutable);
    Ok(())
}
