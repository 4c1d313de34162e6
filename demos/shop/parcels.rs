//! What was packed, in SQLite: asked after the run, never of the consumer.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::{
    demos::shop::orders::Ran,
    lab::Lab,
    ledger::{Fact, MessageId, Witness},
    pattern::inbox,
};

const PACKER: &str = "packer";

/// The packer's table, over a connection of its own.
pub struct ParcelTable {
    db: Connection,
    lab: Lab,
}

/// Switching to WAL does not wait for another who does the same.
static OPENING: Mutex<()> = Mutex::new(());

impl ParcelTable {
    /// Opens the table of this way, made where it is missing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(lab: &Lab) -> anyhow::Result<Self> {
        let _one_at_a_time =
            OPENING.lock().unwrap_or_else(PoisonError::into_inner);
        let db = Connection::open(lab.dir().join("parcels.db"))?;
        db.busy_timeout(Duration::from_secs(5))?;
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
             CREATE TABLE IF NOT EXISTS parcel(order_id TEXT NOT NULL);",
        )?;
        inbox::create(&db)?;
        Ok(Self { db, lab: lab.clone() })
    }

    /// Does the work in one transaction.
    ///
    /// # Errors
    /// The work's own, or what SQLite says: then nothing of it happened.
    pub fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let immediate = TransactionBehavior::Immediate;
        let tx = self.db.transaction_with_behavior(immediate)?;
        let done = work(&tx)?;
        tx.commit()?;
        Ok(done)
    }

    /// Packs an order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn pack(&mut self, order: MessageId) -> Ran {
        self.pack_together(&[order])
    }

    /// Packs these orders in one transaction.
    ///
    /// # Errors
    /// What SQLite says: then none is packed.
    pub fn pack_together(&mut self, orders: &[MessageId]) -> Ran {
        self.transaction(|tx| {
            orders.iter().try_for_each(|order| insert(tx, *order))
        })?;
        orders.iter().for_each(|order| self.lab.saw(*order, Fact::Applied));
        Ok(())
    }

    /// Packs an order unless it has been packed: a unique key in the
    /// transaction decides.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn pack_once(&mut self, order: MessageId) -> Ran {
        let first = self.transaction(|tx| {
            let first = inbox::first_time(tx, PACKER, order)?;
            if first {
                insert(tx, order)?;
            }
            Ok(first)
        })?;
        let fact = if first { Fact::Applied } else { Fact::Seen };
        self.lab.saw(order, fact);
        Ok(())
    }

    /// Whether an order has been packed, as far as can be seen now.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has(&self, order: MessageId) -> anyhow::Result<bool> {
        let look = "SELECT 1 FROM parcel WHERE order_id = ?1";
        let mut look = self.db.prepare_cached(look)?;
        Ok(look.exists([order.to_string()])?)
    }

    /// How many different orders are packed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn count(&self) -> anyhow::Result<u32> {
        let all = "SELECT count(DISTINCT order_id) FROM parcel";
        Ok(self.db.query_row(all, [], |row| row.get(0))?)
    }

    /// Writes down how often each order was packed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn settle(&self) -> Ran {
        let count = "SELECT order_id, count(*) FROM parcel GROUP BY order_id";
        let mut all = self.db.prepare(count)?;
        let rows = all.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, u16>(1)?))
        })?;
        for row in rows {
            let (order, times) = row?;
            let order = order.parse().context("an order packed")?;
            self.lab.settle(order, times, 0);
        }
        Ok(())
    }
}

/// Packs an order in this transaction.
///
/// # Errors
/// What SQLite says.
pub fn insert(tx: &Transaction<'_>, order: MessageId) -> Ran {
    tx.prepare_cached("INSERT INTO parcel VALUES (?1)")?
        .execute([order.to_string()])?;
    Ok(())
}
