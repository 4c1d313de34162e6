//! The till, where customers order: the order and its message are one
//! commit.

use std::path::Path;

use rusqlite::Transaction;

use super::orders::order;
use crate::{
    lab::Lab,
    ledger::{Fact, MessageId, Witness},
    pattern::outbox::{self, Moment, Outbox, OutboxError, Sync},
};

/// The shop's own table, beside the outbox.
const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS placed(order_id TEXT PRIMARY KEY);";

/// Opens the shop's database in the way's directory.
///
/// A process crash loses nothing with NORMAL; only a power loss could, and no
/// fault here is one (sqlite.org, "PRAGMA synchronous").
///
/// # Errors
/// What SQLite says.
pub fn open(dir: &Path) -> Result<Outbox, OutboxError> {
    let outbox = Outbox::open(&dir.join("shop.db"), Sync::Normal)?;
    outbox.db().execute_batch(SCHEMA)?;
    Ok(outbox)
}

/// Takes orders: each with its message in one transaction. When it is
/// committed the customer is told yes.
///
/// # Errors
/// What SQLite says.
pub fn place(
    lab: &Lab,
    outbox: &mut Outbox,
    orders: impl IntoIterator<Item = MessageId>,
) -> Result<(), OutboxError> {
    for id in orders {
        outbox.transaction(|tx| {
            save(tx, id)?;
            outbox::write(tx, &order(id), Moment::now())
        })?;
        lab.saw(id, Fact::Stored);
        lab.saw(id, Fact::Accepted);
    }
    Ok(())
}

/// Saves the order itself.
///
/// # Errors
/// What SQLite says.
pub fn save(tx: &Transaction<'_>, id: MessageId) -> Result<(), OutboxError> {
    tx.prepare_cached("INSERT INTO placed VALUES (?1)")?
        .execute([id.to_string()])?;
    Ok(())
}
