//! Publishing orders on a connection that the broker may block.

use anyhow::ensure;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};

use crate::{
    demos::shop::orders::{ORDERS, Ran, order},
    lab::Lab,
    ledger::{Fact, MessageId, Witness},
    pattern::pressure::{Listening, Pressure},
};

/// A channel to publish on, and the pressure on its connection.
pub struct Outlet<'a> {
    pub connection: &'a Connection,
    pub pressure: Pressure,
    lab: Lab,
    channel: Channel,
    _listening: Listening,
}

impl<'a> Outlet<'a> {
    /// On this connection.
    pub async fn open(lab: &Lab, on: &'a Connection) -> lapin::Result<Self> {
        let channel = on.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let pressure = Pressure::default();
        let listening = pressure.listen(on);
        Ok(Self {
            connection: on,
            pressure,
            lab: lab.clone(),
            channel,
            _listening: listening,
        })
    }

    /// Publishes an order, and waits for the answer.
    pub async fn publish(&self, id: MessageId) -> Ran {
        self.lab.saw(id, Fact::Sent);
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_message_id(id.to_string().into());
        let (body, options) = (order(id).body, BasicPublishOptions::default());
        let queue = ORDERS.into();
        let confirm = self
            .channel
            .basic_publish("".into(), queue, options, &body, properties)
            .await?;
        let answer = confirm.await?;
        ensure!(answer == Confirmation::Ack(None), "{id}: {answer:?}");
        self.lab.saw(id, Fact::Confirmed);
        Ok(())
    }

    /// What became of the first attempt will never be known.
    pub async fn publish_again(&self, id: MessageId) -> Ran {
        self.lab.saw(id, Fact::Unknown);
        self.publish(id).await
    }
}
