//! The packer of one chain.

use std::time::Duration;

use anyhow::Context;
use futures::future::BoxFuture;
use rusqlite::{Connection, TransactionBehavior};
use tokio::time::Instant;

use super::{
    links::{Chain, Link},
    shop::directory,
    site::{SOON, Site},
};
use crate::{
    demos::shop::orders::Ran,
    fault::wire::{Traffic, Wire},
    lab::{Killed, Lab, RanOut, Strike},
    ledger::{Fact, MessageId, Witness},
    pattern::{
        consumer::{
            ConnectionLost, Delivery, Handle, ReconnectingConsumer, Stopped,
        },
        inbox,
    },
    text,
};

const PACKER: &str = "packer";
const PREFETCH: u16 = 10;
/// After a cut the broker gives back what was not acked.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(10);

/// Packs what is in a chain's queue until that is empty. A packer that dies is
/// followed by another, which knows what the table knows.
pub async fn pack(site: &Site, chain: Chain) -> Ran {
    let wire = site.consumer_wire().await?;
    let consumer = ReconnectingConsumer {
        uri: site.uri(Some(&wire))?,
        queue: chain.queue(),
        prefetch: PREFETCH,
        limit: SOON,
        witness: site.lab.witness(),
    };
    let mut owed = None;
    loop {
        let parcels = open(&site.lab, chain)?;
        let before = wire.traffic();
        let mut packer =
            Packer { parcels, site, chain, wire: &wire, before, acks: 0 };
        match consumer.drain(&mut packer).await {
            Ok(()) if came(site, owed) => return Ok(()),
            Ok(()) => {}
            Err(Stopped::Handler(error)) => match error.downcast::<Killed>() {
                Ok(killed) => {
                    let id = killed.message;
                    // What the broker may not have dealt with is not known to
                    // be acked, or not: should it come again, it dies again.
                    if wire.traffic().unfenced == before.unfenced {
                        site.struck(killed.strike, id);
                    }
                    let acked = !chain.has(Link::AckAfterCommit);
                    let before = delivered(site, id);
                    owed = (!acked).then(|| (id, before, Instant::now()));
                }
                Err(error) => return Err(error),
            },
            Err(
                Stopped::NotDrained(limit) | Stopped::Unreachable(limit, _),
            ) => {
                let what = text! {
                    en: "the orders to be packed", zh: "订单全部打包"
                };
                return Err(RanOut { what, limit }.into());
            }
        }
    }
}

/// Whether the order that a dead packer held has come again. Should it stay
/// away, the ledger will say so.
fn came(site: &Site, owed: Option<(MessageId, u16, Instant)>) -> bool {
    owed.is_none_or(|(id, before, since)| {
        delivered(site, id) > before || since.elapsed() > GIVEN_BACK_WITHIN
    })
}

fn delivered(site: &Site, id: MessageId) -> u16 {
    site.lab.entry(id).unwrap_or_default().delivered
}

/// The packer's table, made where it is missing.
fn open(lab: &Lab, chain: Chain) -> anyhow::Result<Connection> {
    let db = Connection::open(directory(lab, chain)?.join("parcels.db"))?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
         CREATE TABLE IF NOT EXISTS parcel(order_id TEXT NOT NULL);",
    )?;
    inbox::create(&db)?;
    Ok(db)
}

/// Asks a chain's table what was packed, and how often.
pub fn settle(lab: &Lab, chain: Chain) -> Ran {
    let db = open(lab, chain)?;
    let mut all =
        db.prepare("SELECT order_id, count(*) FROM parcel GROUP BY order_id")?;
    let rows = all.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, u16>(1)?))
    })?;
    for row in rows {
        let (order, times) = row?;
        lab.settle(order.parse().context("an order packed")?, times, 0);
    }
    Ok(())
}

struct Packer<'a> {
    parcels: Connection,
    site: &'a Site,
    chain: Chain,
    wire: &'a Wire,
    /// What had passed the wire when it began.
    before: Traffic,
    /// How many it has acked.
    acks: u64,
}

impl Packer<'_> {
    async fn work(&mut self, order: &Delivery) -> Ran {
        if !self.chain.has(Link::AckAfterCommit) {
            self.ack(order).await?;
        }
        if self.chain.meets(&self.site.lab, Strike::Poison, order.id) {
            self.site.struck(Strike::Poison, order.id);
            // What was acked can be rejected no more.
            if self.chain.has(Link::AckAfterCommit) {
                order.reject().await?;
            }
            return Ok(());
        }
        self.pack(order.id)?;
        if self.chain.has(Link::AckAfterCommit) {
            self.ack(order).await?;
        }
        Ok(())
    }

    async fn ack(&mut self, order: &Delivery) -> Ran {
        order.ack().await?;
        self.acks += 1;
        Ok(())
    }

    /// Dead: nothing more leaves this process. What it has acked has left it:
    /// an ack still on its way would be lost with the connection.
    async fn die(&mut self) -> Ran {
        let what = text! { en: "its acks to be passed on", zh: "ack 已送出" };
        let all = self.before.consumer_acks + self.acks;
        let wire = self.wire;
        let passed = || async { Ok(wire.traffic().consumer_acks >= all) };
        self.site.lab.wait_until(what, SOON, passed).await?;
        self.wire.cut().await;
        Ok(())
    }

    fn pack(&mut self, order: MessageId) -> Ran {
        let (site, chain) = (self.site, self.chain);
        let tx = self
            .parcels
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if chain.has(Link::UniqueKey) && !inbox::first_time(&tx, PACKER, order)?
        {
            site.lab.saw(order, Fact::Seen);
            return Ok(());
        }
        tx.prepare_cached("INSERT INTO parcel VALUES (?1)")?
            .execute([order.to_string()])?;
        dies_here(site, chain, Strike::KillBeforeCommit, order)?;
        tx.commit()?;
        site.lab.saw(order, Fact::Applied);
        dies_here(site, chain, Strike::KillAfterCommit, order)
    }
}

/// It may die here, once.
fn dies_here(
    site: &Site,
    chain: Chain,
    strike: Strike,
    message: MessageId,
) -> Ran {
    match chain.meets(&site.lab, strike, message)
        && !site.has_struck(strike, message)
    {
        true => Err(Killed { message, strike }.into()),
        false => Ok(()),
    }
}

impl Handle for Packer<'_> {
    type Error = anyhow::Error;

    fn handle<'b>(&'b mut self, order: &'b Delivery) -> BoxFuture<'b, Ran> {
        Box::pin(async move {
            match self.work(order).await {
                Err(error) if error.is::<Killed>() => {
                    self.die().await?;
                    Err(error)
                }
                // The consumer sees it too, and opens another.
                Err(error) if error.is::<ConnectionLost>() => Ok(()),
                other => other,
            }
        })
    }
}
