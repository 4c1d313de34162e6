//! Packing orders: a consumer on a connection that it may share.

use std::{convert::Infallible, time::Duration};

use futures::{StreamExt, future::BoxFuture};
use lapin::{
    Channel, Connection, Consumer,
    message::Delivery as Raw,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions,
        BasicQosOptions,
    },
    types::FieldTable,
};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    demos::shop::orders::{ORDERS, Tally},
    lab::Lab,
    ledger::{Fact, MessageId, Witness},
    pattern::consumer::{Delivery, Handle, ReconnectingConsumer},
};

/// Orders that may be unacked at a time.
pub const PREFETCH: u16 = 10;
const DRAINED_WITHIN: Duration = Duration::from_secs(30);

/// A consumer that has been sent its prefetch, and packs once it may begin.
pub struct Packer {
    pub packed: Tally,
    begin: watch::Sender<bool>,
    stop: CancellationToken,
    task: JoinHandle<lapin::Result<()>>,
}

impl Packer {
    /// On this connection.
    pub async fn start(lab: &Lab, on: &Connection) -> lapin::Result<Self> {
        let channel = on.create_channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let consumer = channel
            .basic_consume(
                ORDERS.into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await?;
        let (begin, may_begin) = watch::channel(false);
        let (packed, stop) = (Tally::default(), CancellationToken::new());
        let hands = Hands { lab: lab.clone(), packed: packed.clone() };
        let task = tokio::spawn(work(
            hands,
            (channel, consumer),
            may_begin,
            stop.clone(),
        ));
        Ok(Self { packed, begin, stop, task })
    }

    /// Lets it pack.
    pub fn begin(&self) {
        self.begin.send_replace(true);
    }

    /// Goes in good order, and has another pack what is left.
    pub async fn finish(self, lab: &Lab) -> anyhow::Result<Tally> {
        self.stop.cancel();
        self.task.await??;
        let next = ReconnectingConsumer {
            uri: lab.uri(),
            queue: ORDERS.to_owned(),
            prefetch: PREFETCH,
            limit: DRAINED_WITHIN,
            witness: lab.witness(),
        };
        let mut hands = Hands { lab: lab.clone(), packed: self.packed.clone() };
        next.drain(&mut hands).await?;
        Ok(self.packed)
    }
}

async fn work(
    hands: Hands,
    (channel, mut orders): (Channel, Consumer),
    mut may_begin: watch::Receiver<bool>,
    stop: CancellationToken,
) -> lapin::Result<()> {
    if may_begin.wait_for(|begun| *begun).await.is_err() {
        return Ok(());
    }
    let mut acks = JoinSet::new();
    loop {
        let order = tokio::select! {
            order = orders.next() => order,
            () = stop.cancelled() => break,
        };
        match order {
            Some(order) => hands.pack(order?, &mut acks),
            None => break,
        }
    }
    acks.join_all().await;
    let tag = orders.tag();
    channel.basic_cancel(tag, BasicCancelOptions::default()).await?;
    channel.close(200, "stopped".into()).await
}

struct Hands {
    lab: Lab,
    packed: Tally,
}

impl Hands {
    /// On a connection that is blocked, the client (lapin 4.12) holds acks
    /// back. They are not waited for: what was delivered is packed.
    fn pack(&self, order: Raw, acks: &mut JoinSet<lapin::Result<bool>>) {
        let id = order.properties.message_id().as_ref();
        let id = id.and_then(|id| id.as_str().parse::<MessageId>().ok());
        if let Some(id) = id {
            let fact = match order.redelivered {
                true => Fact::Redelivered,
                false => Fact::Delivered,
            };
            self.lab.saw(id, fact);
            self.packed.add(id);
        }
        let acker = order.acker;
        acks.spawn(async move { acker.ack(BasicAckOptions::default()).await });
    }
}

impl Handle for Hands {
    type Error = Infallible;

    fn handle<'a>(
        &'a mut self,
        order: &'a Delivery,
    ) -> BoxFuture<'a, Result<(), Infallible>> {
        Box::pin(async move {
            self.packed.add(order.id);
            let _ = order.ack().await;
            Ok(())
        })
    }
}
