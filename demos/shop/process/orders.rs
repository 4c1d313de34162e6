//! The shop's database: the orders that are placed, and the outbox.

use std::path::Path;

use anyhow::Context;
use rusqlite::Transaction;

use super::Done;
use crate::{
    ledger::MessageId,
    pattern::{
        outbox::{Outbox, Sync},
        publisher::Outgoing,
    },
};

/// The orders that are placed. An order that stands here is promised to its
/// customer, whether the process lived to say so or not.
pub struct Orders(Outbox);

impl Orders {
    /// Opens the database, made where it is missing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(Self(open(path)?))
    }

    /// Places an order, in a transaction of the caller's.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn save(tx: &Transaction<'_>, order: &Outgoing) -> Done {
        tx.prepare_cached("INSERT INTO placed VALUES (?1)")?
            .execute([order.id.to_string()])?;
        Ok(())
    }

    /// Whether this order was placed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has(&self, order: MessageId) -> anyhow::Result<bool> {
        let mut look = self
            .0
            .db()
            .prepare_cached("SELECT 1 FROM placed WHERE order_id = ?1")?;
        Ok(look.exists([order.to_string()])?)
    }

    /// Every order that was placed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn all(&self) -> anyhow::Result<Vec<MessageId>> {
        self.ids("SELECT order_id FROM placed ORDER BY 1")
    }

    /// The orders whose row in the outbox nobody has noted as confirmed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open_rows(&self) -> anyhow::Result<Vec<MessageId>> {
        self.ids("SELECT message FROM outbox WHERE state != 'confirmed'")
    }

    fn ids(&self, query: &str) -> anyhow::Result<Vec<MessageId>> {
        let mut all = self.0.db().prepare(query)?;
        let rows = all.query_map([], |row| row.get::<_, String>(0))?;
        rows.map(|id| id?.parse().context("an order in the database")).collect()
    }
}

/// The database, for a process that writes to it.
///
/// A commit does not wait for the disk: the only fault here is the death of a
/// process, and what the system has taken over survives that. A shop takes
/// [`Sync::Full`], for a power loss.
pub(super) fn open(path: &Path) -> anyhow::Result<Outbox> {
    let outbox = Outbox::open(path, Sync::Normal)?;
    outbox.db().execute_batch(
        "CREATE TABLE IF NOT EXISTS placed(order_id TEXT PRIMARY KEY);",
    )?;
    Ok(outbox)
}
