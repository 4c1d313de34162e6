//! The shop's shelf, in SQLite: what is left of each item, and the trail of
//! what was done for each order.

use std::{fmt, path::Path, sync::Mutex, time::Duration};

use anyhow::{Context, bail, ensure};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::ledger::MessageId;

/// Items, and what is left of them.
pub struct Shelf {
    db: Connection,
}

/// What came of taking an item for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// Taken, now.
    Taken,
    /// The order had its item before; no second one was taken.
    Before,
    /// Nothing was left.
    SoldOut,
}

impl Taking {
    /// Whether the order has its item.
    pub const fn has_it(self) -> bool {
        matches!(self, Self::Taken | Self::Before)
    }
}

/// One thing that was done for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An item was taken.
    Taken,
    /// Nothing was left for it.
    SoldOut,
    /// Its money was given back.
    Refunded,
    /// The customer was told.
    CustomerTold,
}

impl Step {
    const ALL: [Self; 4] =
        [Self::Taken, Self::SoldOut, Self::Refunded, Self::CustomerTold];

    /// The step as it stands in the trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::SoldOut => "sold out",
            Self::Refunded => "refunded",
            Self::CustomerTold => "customer told",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

static OPENING: Mutex<()> = Mutex::new(());

/// `once` holds the step where it may be done once only: the unique key is
/// the mechanism. NULLs are distinct (sqlite.org, "NULL Handling"), so
/// without it nothing stops a second.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS item(name TEXT PRIMARY KEY, left INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS trail(
        at INTEGER PRIMARY KEY,
        \"order\" TEXT NOT NULL,
        step TEXT NOT NULL,
        once TEXT,
        UNIQUE (\"order\", once)
    );";

impl Shelf {
    /// Opens the shelf in this directory, made where it is missing. Each
    /// process has a connection of its own.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        // Switching to WAL does not wait for another who does the same.
        let _one_at_a_time = OPENING.lock();
        let db = Connection::open(dir.join("shelf.db"))?;
        db.busy_timeout(Duration::from_secs(5))?;
        // As for the books: no fault here is a power loss.
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
        )?;
        db.execute_batch(SCHEMA)?;
        Ok(Self { db })
    }

    /// Puts `left` of each of these items on the shelf, whatever was there.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn stock(&mut self, items: &[&str], left: i64) -> anyhow::Result<()> {
        let tx = self.begin()?;
        for item in items {
            tx.execute(
                "INSERT INTO item VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET left = excluded.left",
                (item, left),
            )?;
        }
        Ok(tx.commit()?)
    }

    /// What is left of this item, as far as can be seen now: somebody else
    /// may take it before whoever asked does.
    ///
    /// # Errors
    /// What SQLite says, or that there is no such item.
    pub fn left(&self, item: &str) -> anyhow::Result<i64> {
        let look = "SELECT left FROM item WHERE name = ?1";
        let mut look = self.db.prepare_cached(look)?;
        look.query_row([item], |row| row.get(0))
            .with_context(|| format!("the shelf has no {item:?}"))
    }

    /// Takes one for this order if any is left, in one statement and with
    /// the order's note in the same transaction. The order gets one at most,
    /// however often this is asked.
    ///
    /// # Errors
    /// What SQLite says; then nothing was taken.
    pub fn take_if_any(
        &mut self,
        order: MessageId,
        item: &str,
    ) -> anyhow::Result<Taking> {
        let tx = self.begin()?;
        if !once(&tx, order, Step::Taken)? {
            return Ok(Taking::Before);
        }
        let take =
            "UPDATE item SET left = left - 1 WHERE name = ?1 AND left > 0";
        if tx.prepare_cached(take)?.execute([item])? == 1 {
            tx.commit()?;
            return Ok(Taking::Taken);
        }
        tx.rollback()?;
        self.note_once(order, Step::SoldOut)?;
        Ok(Taking::SoldOut)
    }

    /// Takes one for this order and asks nothing: what a naive consumer does
    /// who has looked [before](Self::left). What is left may fall below zero,
    /// and an order may take twice.
    ///
    /// # Errors
    /// What SQLite says, or that there is no such item.
    pub fn take_blindly(
        &mut self,
        order: MessageId,
        item: &str,
    ) -> anyhow::Result<()> {
        let tx = self.begin()?;
        let take = "UPDATE item SET left = left - 1 WHERE name = ?1";
        let taken = tx.prepare_cached(take)?.execute([item])?;
        ensure!(taken == 1, "the shelf has no {item:?}");
        note(&tx, order, Step::Taken)?;
        Ok(tx.commit()?)
    }

    /// Notes a step of this order; nothing stops a second time.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note(&mut self, order: MessageId, step: Step) -> anyhow::Result<()> {
        Ok(note(&self.db, order, step)?)
    }

    /// Notes a step of this order; `false` when it was noted so before. The
    /// unique key decides, not a check.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_once(
        &mut self,
        order: MessageId,
        step: Step,
    ) -> anyhow::Result<bool> {
        Ok(once(&self.db, order, step)?)
    }

    /// What was done for this order, in that order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn trail(&self, order: MessageId) -> anyhow::Result<Vec<Step>> {
        let mut all = self.db.prepare_cached(
            "SELECT step FROM trail WHERE \"order\" = ?1 ORDER BY at",
        )?;
        let steps =
            all.query_map([order.to_string()], |row| row.get::<_, String>(0))?;
        steps.map(|step| step_called(&step?)).collect()
    }

    /// Every item that was sold more often than it was there, with what is
    /// left: below zero.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn oversold(&self) -> anyhow::Result<Vec<(String, i64)>> {
        let mut all = self.db.prepare(
            "SELECT name, left FROM item WHERE left < 0 ORDER BY name",
        )?;
        let items = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(items.collect::<Result<_, _>>()?)
    }

    /// IMMEDIATE: the write lock is taken at the beginning, not half way.
    fn begin(&mut self) -> rusqlite::Result<Transaction<'_>> {
        self.db.transaction_with_behavior(TransactionBehavior::Immediate)
    }
}

fn note(db: &Connection, order: MessageId, step: Step) -> rusqlite::Result<()> {
    let add = "INSERT INTO trail(\"order\", step) VALUES (?1, ?2)";
    db.prepare_cached(add)?.execute((order.to_string(), step.as_str()))?;
    Ok(())
}

fn once(
    db: &Connection,
    order: MessageId,
    step: Step,
) -> rusqlite::Result<bool> {
    let mut add = db.prepare_cached(
        "INSERT INTO trail(\"order\", step, once) VALUES (?1, ?2, ?2)
         ON CONFLICT DO NOTHING",
    )?;
    Ok(add.execute((order.to_string(), step.as_str()))? == 1)
}

fn step_called(name: &str) -> anyhow::Result<Step> {
    match Step::ALL.into_iter().find(|step| step.as_str() == name) {
        Some(step) => Ok(step),
        None => bail!("the trail has an unknown step {name:?}"),
    }
}

#[cfg(test)]
mod tests;
