//! The table of work: what was noted, and what is done of it.

use crate::{
    demos::shop::{
        orders::Ran,
        parcels::{ParcelTable, insert},
    },
    lab::Lab,
    ledger::{Fact, MessageId, Witness},
};

/// The packer's table, with orders that are noted and not packed yet.
pub struct Table {
    parcels: ParcelTable,
    lab: Lab,
}

impl Table {
    /// Opens the table of this way, made where it is missing.
    pub fn open(lab: &Lab) -> anyhow::Result<Self> {
        let mut parcels = ParcelTable::open(lab)?;
        parcels.transaction(|tx| {
            Ok(tx.execute_batch(
                "CREATE TABLE IF NOT EXISTS job(
                     order_id TEXT PRIMARY KEY,
                     done INTEGER NOT NULL DEFAULT 0
                 ) WITHOUT ROWID;",
            )?)
        })?;
        Ok(Self { parcels, lab: lab.clone() })
    }

    /// Notes that an order is to be packed: committed when this returns, and
    /// once however often it is noted.
    pub fn note(&mut self, order: MessageId) -> Ran {
        let note =
            "INSERT INTO job(order_id) VALUES (?1) ON CONFLICT DO NOTHING";
        self.parcels.transaction(|tx| {
            Ok(tx.prepare_cached(note)?.execute([order.to_string()])?)
        })?;
        self.lab.saw(order, Fact::Stored);
        Ok(())
    }

    /// What is noted and not done.
    pub fn undone(&mut self) -> anyhow::Result<Vec<MessageId>> {
        let undone = "SELECT order_id FROM job WHERE done = 0";
        self.parcels.transaction(|tx| {
            let mut undone = tx.prepare_cached(undone)?;
            let ids = undone.query_map([], |row| row.get::<_, String>(0))?;
            ids.map(|id| Ok(id?.parse()?)).collect()
        })
    }

    /// Packs a noted order, and notes in the same transaction that it is done.
    pub fn finish(&mut self, order: MessageId) -> Ran {
        let done = "UPDATE job SET done = 1 WHERE order_id = ?1";
        self.parcels.transaction(|tx| {
            insert(tx, order)?;
            Ok(tx.prepare_cached(done)?.execute([order.to_string()])?)
        })?;
        self.lab.saw(order, Fact::Applied);
        Ok(())
    }

    /// Packs an order that is in nobody's table.
    pub fn pack(&mut self, order: MessageId) -> Ran {
        self.parcels.pack(order)
    }

    /// Writes down how often each order was packed.
    pub fn settle(&self) -> Ran {
        self.parcels.settle()
    }
}
