//! The shop's process: publishes orders in transactions, and is killed.

use std::collections::BTreeSet;

use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::BasicPublishOptions,
};

use super::super::operator::Operator;
use crate::{
    demos::shop::orders::{ORDERS, Ran, order},
    fault::wire::{Protocol, Wire},
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Witness},
};

/// The process is gone, and whatever it remembered.
#[derive(Debug, thiserror::Error)]
#[error("the process was killed")]
pub struct Killed;

/// One process after another, each with a transactional channel.
pub struct Shop {
    /// How many of the processes were killed.
    pub killed: u32,
    told_yes: BTreeSet<MessageId>,
    channel: Channel,
    connection: Connection,
    wire: Wire,
    operator: Operator,
    lab: Lab,
}

impl Shop {
    /// Opens for business.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn open(lab: &Lab) -> anyhow::Result<Self> {
        let wire = lab.wire("shop", Protocol::Amqp).await?;
        let (connection, channel) = transactional(lab, &wire).await?;
        Ok(Self {
            killed: 0,
            told_yes: BTreeSet::new(),
            channel,
            connection,
            wire,
            operator: Operator::login(lab).await?,
            lab: lab.clone(),
        })
    }

    /// Publishes within the open transaction.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn publish(&self, id: MessageId) -> Ran {
        self.lab.saw(id, Fact::Sent);
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_message_id(id.to_string().into());
        let options = BasicPublishOptions::default();
        let (queue, body) = (ORDERS.into(), order(id).body);
        self.channel
            .basic_publish("".into(), queue, options, &body, properties)
            .await?;
        Ok(())
    }

    /// Commits the open transaction, and waits for tx.commit-ok.
    ///
    /// # Errors
    /// [`Killed`], or when the connection is gone.
    pub async fn commit(&mut self, orders: &[MessageId]) -> Ran {
        let last = orders.last().copied();
        let dies = |strike| {
            let planned = |id| self.lab.is_planned(id, strike);
            last.filter(|id| planned(*id) && !self.lab.has_struck(*id, strike))
        };
        if let Some(struck) = dies(Strike::DieBeforeCommit) {
            let stored = self.operator.count(ORDERS).await?;
            self.is_killed(orders).await;
            self.operator.sees(&self.lab, ORDERS, stored).await?;
            self.lab.struck(struck, Strike::DieBeforeCommit);
            return Err(Killed.into());
        }
        if let Some(struck) = dies(Strike::DieAfterPublish) {
            let stored = self.operator.count(ORDERS).await?;
            let channel = self.channel.clone();
            // Who is killed does not learn what came of it.
            let answer = tokio::spawn(async move { channel.tx_commit().await });
            let all = stored + u32::try_from(orders.len())?;
            self.operator.sees(&self.lab, ORDERS, all).await?;
            answer.abort();
            self.is_killed(orders).await;
            self.lab.struck(struck, Strike::DieAfterPublish);
            return Err(Killed.into());
        }
        self.channel.tx_commit().await?;
        orders.iter().for_each(|id| self.lab.saw(*id, Fact::Confirmed));
        Ok(())
    }

    /// The wire hands on what was written and waits until the broker has
    /// handled it; then the connection is reset, as that of a killed process.
    async fn is_killed(&mut self, orders: &[MessageId]) {
        self.wire.cut().await;
        self.killed += 1;
        orders.iter().for_each(|id| self.lab.saw(*id, Fact::Unknown));
    }

    /// The customer is told yes, and does not ask again.
    pub fn tell_yes(&mut self, order: MessageId) {
        self.lab.saw(order, Fact::Accepted);
        self.told_yes.insert(order);
    }

    /// Those of them who were told nothing: they ask again.
    pub fn untold(&self, orders: &[MessageId]) -> Vec<MessageId> {
        let told = |id: &&MessageId| self.told_yes.contains(id);
        orders.iter().filter(|id| !told(id)).copied().collect()
    }

    /// The next process.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn restart(&mut self) -> Ran {
        (self.connection, self.channel) =
            transactional(&self.lab, &self.wire).await?;
        Ok(())
    }

    /// Closing time.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn close(self) -> Ran {
        self.operator.logout().await?;
        Ok(self.connection.close(200, "closing time".into()).await?)
    }
}

async fn transactional(
    lab: &Lab,
    wire: &Wire,
) -> lapin::Result<(Connection, Channel)> {
    let (uri, plain) = (lab.uri_through(wire), ConnectionProperties::default());
    let connection = Connection::connect(&uri, plain).await?;
    let channel = connection.create_channel().await?;
    channel.tx_select().await?;
    Ok((connection, channel))
}
