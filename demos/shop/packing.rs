//! Packing: what becomes of the orders that arrive.
//!
//! The packer's own table is the truth: what was packed, and how often, is
//! asked of it after the run, never of the consumer.

use std::time::Duration;

use futures::future::BoxFuture;

use super::parcels::ParcelTable;
use crate::{
    lab::{Lab, RanOut},
    ledger::{Fact, MessageId, Witness},
    pattern::consumer::{Delivery, Handle, ReconnectingConsumer, Stopped},
    text,
};

/// How the packer tells a duplicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packs {
    /// Not at all.
    EveryDelivery,
    /// What the broker flags as redelivered is skipped.
    UnlessRedelivered,
    /// By a unique key in the transaction of the parcel.
    OncePerOrder,
}

const PREFETCH: u16 = 100;

/// Packs what is in the queue until that is empty, and settles every order by
/// the packer's table and by what is left.
///
/// # Errors
/// When the queue is not drained in time, or what SQLite or the broker say.
pub async fn pack(lab: &Lab, queue: &str, packs: Packs) -> anyhow::Result<()> {
    pack_from(lab, &[queue], packs).await
}

/// The same, from several queues one after another.
///
/// # Errors
/// As [`pack`].
pub async fn pack_from(
    lab: &Lab,
    queues: &[&str],
    packs: Packs,
) -> anyhow::Result<()> {
    let mut packer = Packer(Parcels::open(lab, packs)?);
    for queue in queues {
        drain(lab, queue, &mut packer).await?;
    }
    packer.0.settle()?;
    for queue in queues {
        for order in lab.left_in(queue).await? {
            lab.settle(order, 0, 1);
        }
    }
    Ok(())
}

async fn drain(
    lab: &Lab,
    queue: &str,
    packer: &mut Packer,
) -> anyhow::Result<()> {
    let limit = Duration::from_secs(60 + u64::from(lab.count()) / 500);
    let consumer = ReconnectingConsumer {
        uri: lab.uri(),
        queue: queue.to_owned(),
        prefetch: PREFETCH,
        limit,
        witness: lab.witness(),
    };
    match consumer.drain(packer).await {
        Ok(()) => Ok(()),
        Err(Stopped::Handler(error)) => Err(error),
        Err(Stopped::NotDrained(limit)) => {
            let what = text! {
                en: "the orders to be packed", zh: "订单全部打包"
            };
            Err(RanOut { what, limit }.into())
        }
        Err(Stopped::Unreachable(limit, _)) => {
            let what = text! {
                en: "a connection to the broker", zh: "连上 broker"
            };
            Err(RanOut { what, limit }.into())
        }
    }
}

/// A packer's table, and how the packer tells a duplicate.
pub struct Parcels {
    table: ParcelTable,
    packs: Packs,
    lab: Lab,
}

impl Parcels {
    /// Opens the table, made where it is missing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(lab: &Lab, packs: Packs) -> anyhow::Result<Self> {
        let table = ParcelTable::open(lab)?;
        Ok(Self { table, packs, lab: lab.clone() })
    }

    /// Packs an order, unless it is told to be a duplicate.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn pack(
        &mut self,
        order: MessageId,
        redelivered: bool,
    ) -> anyhow::Result<()> {
        match self.packs {
            Packs::UnlessRedelivered if redelivered => {
                self.lab.saw(order, Fact::Seen);
                Ok(())
            }
            Packs::OncePerOrder => self.table.pack_once(order),
            Packs::EveryDelivery | Packs::UnlessRedelivered => {
                self.table.pack(order)
            }
        }
    }

    /// Settles every order by how often it was packed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn settle(&self) -> anyhow::Result<()> {
        self.table.settle()
    }
}

struct Packer(Parcels);

impl Handle for Packer {
    type Error = anyhow::Error;

    fn handle<'b>(
        &'b mut self,
        order: &'b Delivery,
    ) -> BoxFuture<'b, anyhow::Result<()>> {
        Box::pin(async move {
            self.0.pack(order.id, order.redelivered)?;
            // A connection that is gone is the consumer's business.
            let _ = order.ack().await;
            Ok(())
        })
    }
}
