//! The shop's rows: one for each order, and a list for people.
//!
//! What could not be published for a reason that no resend cures stands on
//! the list. Who was told is asked of it after the run, never of the code
//! that wrote it.

use anyhow::Context;
use rusqlite::Connection;

use crate::{
    demos::shop::orders::Ran,
    lab::Lab,
    ledger::{Fact, MessageId, Witness},
};

/// The rows of one way.
pub struct Rows(Connection);

impl Rows {
    /// Opens the rows, made where they are missing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(lab: &Lab) -> rusqlite::Result<Self> {
        let db = Connection::open(lab.dir().join("taken.db"))?;
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
             CREATE TABLE IF NOT EXISTS taken(
                order_id TEXT PRIMARY KEY, state TEXT NOT NULL, why TEXT);",
        )?;
        Ok(Self(db))
    }

    /// An order is taken.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn take(&self, order: MessageId) -> Ran {
        self.0
            .prepare_cached("INSERT INTO taken VALUES (?1, 'taken', NULL)")?
            .execute([order.to_string()])?;
        Ok(())
    }

    /// It is the broker's now.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_done(&self, order: MessageId) -> Ran {
        self.update(order, "done", None)
    }

    /// It goes on the list, with the reason.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn list(&self, order: MessageId, why: &str) -> Ran {
        self.update(order, "listed", Some(why))
    }

    fn update(&self, order: MessageId, state: &str, why: Option<&str>) -> Ran {
        let of = "UPDATE taken SET state = ?2, why = ?3 WHERE order_id = ?1";
        self.0.prepare_cached(of)?.execute((order.to_string(), state, why))?;
        Ok(())
    }
}

/// People look at the list, and so are told of each order on it. Returns how
/// many, and how many of them for a reason that begins so.
///
/// # Errors
/// What SQLite says.
pub fn people_look(lab: &Lab, reason: &str) -> anyhow::Result<(u32, u32)> {
    let rows = Rows::open(lab)?;
    let mut list = rows.0.prepare(
        "SELECT order_id, why FROM taken
         WHERE state = 'listed' ORDER BY order_id",
    )?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    };
    let (mut told, mut for_that) = (0, 0);
    for row in list.query_map([], row)? {
        let (order, why) = row?;
        let order: MessageId = order.parse().context("an order listed")?;
        lab.saw(order, Fact::Reported);
        told += 1;
        for_that += u32::from(why.starts_with(reason));
    }
    Ok((told, for_that))
}
