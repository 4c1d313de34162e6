//! Packs orders that come as events with an id of their own, and tells copies
//! by the broker's flag or by that id.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context;
use futures::future::BoxFuture;
use rusqlite::{Connection, TransactionBehavior};

use super::{Event, Ran};
use crate::{
    demos::shop::orders::ORDERS,
    event::Unit,
    lab::Lab,
    ledger::{Fact, MessageId, Witness},
    pattern::consumer::{Delivery, Handle, ReconnectingConsumer},
    text,
};

/// How a copy is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// The broker flags it as redelivered.
    ByFlag,
    /// Its event's id is in the table already.
    ByEventId,
}

const PREFETCH: u16 = 100;

/// Packs what is in the queue until that is empty, and settles every order by
/// the parcels.
pub async fn pack(lab: &Lab, tells: Tells) -> Ran {
    let consumer = ReconnectingConsumer {
        uri: lab.uri(),
        queue: ORDERS.to_owned(),
        prefetch: PREFETCH,
        limit: Duration::from_secs(60 + u64::from(lab.count()) / 500),
        witness: lab.witness(),
    };
    let db = Connection::open(lab.dir().join("parcels.db"))?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
         CREATE TABLE parcel(order_id TEXT NOT NULL);
         CREATE TABLE event(id TEXT PRIMARY KEY) WITHOUT ROWID;",
    )?;
    let mut packer = Packer { db, tells, lab, came: BTreeSet::new() };
    consumer.drain(&mut packer).await?;
    let name = text! { en: "event ids", zh: "事件 id" };
    let came = packer.came.len() as f64;
    lab.observe("ids", name, came, Unit::Count);
    let packed = packer.settle()?;
    for order in lab.left_in(ORDERS).await? {
        lab.settle(order, 0, 1);
    }
    tell(lab, packer.came.len(), packed);
    Ok(())
}

struct Packer<'a> {
    db: Connection,
    tells: Tells,
    lab: &'a Lab,
    /// The ids of all events that came, copies or not.
    came: BTreeSet<String>,
}

impl Packer<'_> {
    fn pack(&mut self, delivery: &Delivery) -> Ran {
        let event = serde_json::from_slice(&delivery.body);
        let Event { order, event } = event.context("an order's event")?;
        let tx = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let is_copy = match self.tells {
            Tells::ByFlag => delivery.redelivered,
            Tells::ByEventId => {
                let sql =
                    "INSERT INTO event VALUES (?1) ON CONFLICT DO NOTHING";
                tx.execute(sql, [&event])? == 0
            }
        };
        self.came.insert(event);
        if is_copy {
            self.lab.saw(order, Fact::Seen);
            return Ok(());
        }
        let sql = "INSERT INTO parcel VALUES (?1)";
        tx.execute(sql, [order.to_string()])?;
        tx.commit()?;
        self.lab.saw(order, Fact::Applied);
        Ok(())
    }

    /// Asks the parcels how often each order was packed.
    fn settle(&self) -> anyhow::Result<u64> {
        let mut all = self.db.prepare("SELECT order_id FROM parcel")?;
        let mut packed = 0;
        for order in all.query_map([], |row| row.get::<_, String>(0))? {
            let order: MessageId = order?.parse().context("a parcel")?;
            self.lab.settle(order, 1, 0);
            packed += 1;
        }
        Ok(packed)
    }
}

impl Handle for Packer<'_> {
    type Error = anyhow::Error;

    fn handle<'b>(
        &'b mut self,
        delivery: &'b Delivery,
    ) -> BoxFuture<'b, anyhow::Result<()>> {
        Box::pin(async move {
            self.pack(delivery)?;
            // A connection that is gone is the consumer's business.
            let _ = delivery.ack().await;
            Ok(())
        })
    }
}

fn tell(lab: &Lab, ids: usize, packed: u64) {
    let entries = lab.messages().filter_map(|order| lab.entry(order));
    let flagged: u64 = entries.map(|order| u64::from(order.redelivered)).sum();
    lab.step(
        text! { en: "pack", zh: "打包" },
        text! {
            en: "{deliveries} deliveries, {ids} event ids, {flagged} flagged \
                 redelivered: {packed} parcels",
            zh: "投递 {deliveries} 次，事件 id {ids} 个，带 redelivered 的 \
                 {flagged} 次：打了 {packed} 个包裹",
            deliveries = lab.sums().deliveries, ids = ids, flagged = flagged,
            packed = packed
        },
    );
}
