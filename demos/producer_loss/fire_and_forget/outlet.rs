//! A producer's way out: with confirms, or without.

use std::{sync::Arc, time::Duration};

use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    PublisherConfirm,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::Ran;
use crate::{
    demos::shop::orders::ORDERS,
    lab::{Lab, RanOut},
    ledger::{Fact, MessageId, Witness},
    pattern::publisher::Outgoing,
    text,
};

/// What becomes of a message in a durable queue when its broker dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is gone.
    Transient = 1,
    /// It is there again, once it was on disk.
    Persistent = 2,
}

/// A channel to the queue of the orders, opened anew when it is gone.
pub struct Outlet {
    witness: Arc<dyn Witness>,
    uri: String,
    link: Option<Link>,
    written: watch::Sender<usize>,
    /// Written, and nobody listens for an answer.
    unheard: Vec<MessageId>,
}

struct Link {
    channel: Channel,
    confirms: bool,
    /// Dropping it would close the channel's connection.
    connection: Connection,
}

/// A connection that does not answer for so long is tried anew.
const HANDSHAKE: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(100);
/// A broker is back after so long, also on a busy machine.
const BACK: Duration = Duration::from_secs(60);

impl Outlet {
    /// Towards the broker at this address; connects when it is first used.
    pub fn to(uri: String, lab: &Lab) -> Self {
        Self {
            witness: lab.witness(),
            uri,
            link: None,
            written: watch::Sender::new(0),
            unheard: Vec::new(),
        }
    }

    /// How many publishes lapin has written to its socket: it says so of
    /// each when the last byte is out (4.12, `IoLoop::write_to_stream`).
    pub fn written(&self) -> watch::Receiver<usize> {
        self.written.subscribe()
    }

    /// Writes each order to the socket, and does not listen for answers.
    pub async fn write(&mut self, orders: &[Outgoing], mode: Mode) -> Ran {
        for order in orders {
            self.witness.saw(order.id, Fact::Sent);
            self.unheard.push(order.id);
            let channel = self.channel().await?;
            self.put(&channel, order, mode).await?;
        }
        Ok(())
    }

    /// Publishes them all, then waits for what the broker says of each.
    /// Returns those that it has not confirmed.
    pub async fn publish(
        &mut self,
        orders: Vec<Outgoing>,
        mode: Mode,
    ) -> anyhow::Result<Vec<Outgoing>> {
        let channel = self.confirming().await?;
        let mut answers = Vec::with_capacity(orders.len());
        for order in &orders {
            self.witness.saw(order.id, Fact::Sent);
            answers.push(self.put(&channel, order, mode).await);
        }
        let mut open = Vec::new();
        for (order, answer) in orders.into_iter().zip(answers) {
            let fact = heard(answer).await;
            self.witness.saw(order.id, fact);
            if fact != Fact::Confirmed {
                open.push(order);
            }
        }
        if !open.is_empty() {
            self.lose();
        }
        Ok(open)
    }

    async fn put(
        &self,
        channel: &Channel,
        order: &Outgoing,
        mode: Mode,
    ) -> lapin::Result<PublisherConfirm> {
        let (queue, options) = (ORDERS.into(), BasicPublishOptions::default());
        let properties = BasicProperties::default()
            .with_delivery_mode(mode as u8)
            .with_message_id(order.id.to_string().into());
        let answer = channel
            .basic_publish("".into(), queue, options, &order.body, properties)
            .await?;
        self.written.send_modify(|written| *written += 1);
        Ok(answer)
    }

    /// Says good-bye, and waits until the broker has: what was written before
    /// has then been handled.
    pub async fn close(mut self) -> Ran {
        if let Some(link) = self.link.take() {
            link.connection.close(200, "that is all".into()).await?;
        }
        self.lose();
        Ok(())
    }

    /// The connection is gone, and with it every answer that nobody has heard.
    pub fn lose(&mut self) {
        self.link = None;
        for order in self.unheard.drain(..) {
            self.witness.saw(order, Fact::Unknown);
        }
    }

    /// The channel, which the broker was asked for confirms on.
    async fn confirming(&mut self) -> anyhow::Result<Channel> {
        let channel = self.channel().await?;
        if let Some(link) = self.link.as_mut().filter(|link| !link.confirms) {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            link.confirms = true;
        }
        Ok(channel)
    }

    async fn channel(&mut self) -> anyhow::Result<Channel> {
        if let Some(link) = &self.link {
            return Ok(link.channel.clone());
        }
        let began = Instant::now();
        while began.elapsed() < BACK {
            if let Ok(Ok(link)) = timeout(HANDSHAKE, open(&self.uri)).await {
                return Ok(self.link.insert(link).channel.clone());
            }
            sleep(AGAIN).await;
        }
        let what = text! { en: "the broker to be back", zh: "broker 恢复" };
        Err(RanOut { what, limit: BACK }.into())
    }
}

async fn open(uri: &str) -> lapin::Result<Link> {
    let connection =
        Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok(Link { channel, confirms: false, connection })
}

/// What the broker said in the end. The publishes are not mandatory.
async fn heard(answer: lapin::Result<PublisherConfirm>) -> Fact {
    let Ok(answer) = answer else { return Fact::Unknown };
    match answer.await {
        Ok(Confirmation::Ack(_)) => Fact::Confirmed,
        Ok(Confirmation::Nack(_)) => Fact::Nacked,
        Ok(Confirmation::NotRequested) | Err(_) => Fact::Unknown,
    }
}
