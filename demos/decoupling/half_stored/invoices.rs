//! The invoice service's own database.

use std::path::Path;

use anyhow::Context;
use rusqlite::{Connection, TransactionBehavior};

use crate::{ledger::MessageId, pattern::inbox};

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS invoice(\"order\" TEXT NOT NULL);";

const HANDLER: &str = "invoice";

/// Invoices that were written, in SQLite: the truth that the audit asks for.
pub(super) struct Invoices(Connection);

impl Invoices {
    pub(super) fn open(dir: &Path) -> anyhow::Result<Self> {
        let db = Connection::open(dir.join("invoices.db"))?;
        db.execute_batch(SCHEMA)?;
        inbox::create(&db)?;
        Ok(Self(db))
    }

    /// Writes an invoice for this order, be there one or not.
    pub(super) fn write(&mut self, order: MessageId) -> anyhow::Result<bool> {
        insert(&self.0, order)?;
        Ok(true)
    }

    /// Writes an invoice for this order unless it was handled before: key and
    /// invoice in one transaction. The key decides, not a look beforehand.
    pub(super) fn write_once(
        &mut self,
        order: MessageId,
    ) -> anyhow::Result<bool> {
        let tx =
            self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let first = inbox::first_time(&tx, HANDLER, order)?;
        if first {
            insert(&tx, order)?;
        }
        tx.commit()?;
        Ok(first)
    }

    /// Every order with an invoice, and how many it has.
    pub(super) fn written(&self) -> anyhow::Result<Vec<(MessageId, u16)>> {
        let mut all = self.0.prepare(
            "SELECT \"order\", count(*) FROM invoice GROUP BY \"order\"",
        )?;
        let rows = all.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, u16>(1)?))
        })?;
        rows.map(|row| {
            let (order, times) = row?;
            Ok((order.parse().context("an order among the invoices")?, times))
        })
        .collect()
    }
}

fn insert(db: &Connection, order: MessageId) -> anyhow::Result<()> {
    let mut insert = db.prepare_cached("INSERT INTO invoice VALUES (?1)")?;
    insert.execute([order.to_string()])?;
    Ok(())
}
