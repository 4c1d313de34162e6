//! The shop: publishes a window of orders at a time on one channel.

use anyhow::{Error, bail};
use futures::future::join_all;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    ErrorKind,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};

use super::super::rows::Rows;
use crate::{
    demos::shop::orders::{Ran, order},
    fault::wire::{Protocol, Wire},
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Witness},
    pattern::publisher::Outgoing,
};

/// Where orders go, and the exchange that was never declared here.
pub const ORDERS_V1: &str = "orders-v1";
pub const ORDERS_V2: &str = "orders-v2";

/// An order, and the exchange it is published to.
#[derive(Clone)]
pub struct Order {
    what: Outgoing,
    exchange: &'static str,
}

impl Order {
    /// The order of this id, to the exchange that the plan says.
    pub fn of(lab: &Lab, id: MessageId) -> Self {
        let missing = lab.is_planned(id, Strike::NoExchange);
        if missing {
            lab.saw(id, Strike::NoExchange.fact());
        }
        let exchange = if missing { ORDERS_V2 } else { ORDERS_V1 };
        Self { what: order(id), exchange }
    }

    /// Its id.
    pub fn id(&self) -> MessageId {
        self.what.id
    }
}

/// A publish, or some, without an answer.
#[derive(Debug, thiserror::Error)]
#[error("{} orders without an answer: {why}", unanswered.len())]
pub struct Failed {
    /// Which.
    pub unanswered: Vec<Order>,
    /// What was said instead.
    pub why: Error,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.what.id, self.exchange)
    }
}

impl Failed {
    /// Whether the broker closed the channel for want of an exchange.
    pub fn is_not_found(&self) -> bool {
        let said = self.why.downcast_ref().map(lapin::Error::kind);
        matches!(said, Some(ErrorKind::ProtocolError(e)) if e.get_id() == 404)
    }
}

/// One confirming channel at a time, on one connection.
pub struct Shop {
    /// Times that the broker closed the channel: 404.
    pub closed: u32,
    rows: Rows,
    channel: Channel,
    connection: Connection,
    wire: Wire,
    lab: Lab,
}

impl Shop {
    /// Opens for business.
    ///
    /// # Errors
    /// What SQLite or the broker say.
    pub async fn open(lab: &Lab) -> anyhow::Result<Self> {
        let (rows, closed) = (Rows::open(lab)?, 0);
        let wire = lab.wire("shop", Protocol::Amqp).await?;
        let uri = lab.uri_through(&wire);
        let connection =
            Connection::connect(&uri, ConnectionProperties::default()).await?;
        let (channel, lab) = (confirming(&connection).await?, lab.clone());
        Ok(Self { closed, rows, channel, connection, wire, lab })
    }

    /// Writes the order down and tells the customer yes.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn take(&self, order: &Order) -> Ran {
        self.rows.take(order.id())?;
        self.lab.saw(order.id(), Fact::Accepted);
        Ok(())
    }

    /// Publishes all of a window before it waits for the first answer. A
    /// channel that was closed is replaced first.
    ///
    /// # Errors
    /// [`Failed`], with those that were not confirmed.
    pub async fn publish(&mut self, window: &[Order]) -> Result<(), Failed> {
        for order in window {
            self.lab.saw(order.id(), Fact::Sent);
        }
        let answers = match self.put(window).await {
            Ok(answers) => answers,
            Err(why) => window.iter().map(|_| Err(why.clone())).collect(),
        };
        let mut failed: Option<Failed> = None;
        for (order, answer) in window.iter().zip(answers) {
            let unanswered = match answer {
                Ok(()) => self.is_done(order),
                Err(why) => Err(why.into()),
            };
            let Err(why) = unanswered else { continue };
            self.lab.saw(order.id(), Fact::Unknown);
            let first = Failed { unanswered: Vec::new(), why };
            failed.get_or_insert(first).unanswered.push(order.clone());
        }
        let Some(failed) = failed else { return Ok(()) };
        self.closed += u32::from(failed.is_not_found());
        Err(failed)
    }

    /// The wire is held until all of the window is written: so that all of it
    /// is under way when the broker answers the first.
    async fn put(
        &mut self,
        window: &[Order],
    ) -> lapin::Result<Vec<lapin::Result<()>>> {
        if !self.channel.status().connected() {
            self.channel = confirming(&self.connection).await?;
        }
        self.wire.freeze();
        let sent = join_all(window.iter().map(|order| {
            let properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_message_id(order.id().to_string().into());
            self.channel.basic_publish(
                order.exchange.into(),
                "".into(),
                BasicPublishOptions::default(),
                &order.what.body,
                properties,
            )
        }))
        .await;
        self.wire.thaw();
        let answers = join_all(sent.into_iter().map(|sent| async {
            match sent?.await? {
                Confirmation::Ack(_) => Ok(()),
                _ => Err(std::io::Error::other("no ack").into()),
            }
        }));
        Ok(answers.await)
    }

    fn is_done(&self, order: &Order) -> Ran {
        self.lab.saw(order.id(), Fact::Confirmed);
        self.rows.is_done(order.id())
    }

    /// No resend will help this one: it goes on the list, with the reason.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn list(&self, order: &Order, failed: &Failed) -> Ran {
        if !failed.is_not_found() {
            bail!("{order:?}: {failed}");
        }
        self.rows.list(order.id(), &format!("404: {}", failed.why))
    }

    /// Publishes that have passed the wire.
    pub fn passed(&self) -> u64 {
        self.wire.traffic().publishes
    }

    /// Closing time.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn close(self) -> Ran {
        Ok(self.connection.close(200, "closing time".into()).await?)
    }
}

async fn confirming(connection: &Connection) -> lapin::Result<Channel> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}
