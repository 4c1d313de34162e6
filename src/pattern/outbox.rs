//! The outbox: a table of messages, written in the transaction of the
//! business.
//!
//! *When:* a customer is promised something in a database, and others must
//! hear of it through a broker. The row of the business and the row of the
//! message are committed together or not at all; a [relay] publishes what is
//! in the table until the broker confirms it. *Cost:* one more row in the same
//! commit (where requests come together, [group commit](group) takes most of
//! that away), a relay, and a delay until it has been around. *Does not
//! protect from:* duplicates: between the confirm and the note of it a relay
//! may die, and its successor publishes again. The consumer has to be
//! idempotent. Nor does it keep the order of messages once some are sent
//! again.
//!
//! # The states of a row
//!
//! ```text
//! pending -> sent -> confirmed            the broker took it over
//!              |---> pending              refused (nack), or never sent
//!              |---> unknown -> sent      no answer: sent again when due
//!              |---> returned             no queue for it: somebody is told
//!              `---> failed               attempts used up: somebody is told
//! ```
//!
//! A confirm counts from whatever state, however late it comes. A row is due
//! again at `due_ms`: for a *sent* one that is the end of its lease, so that a
//! relay that dies holding it loses nothing.
//!
//! SQLite stands in for the application's database. On a server the claim
//! would be `SELECT … FOR UPDATE SKIP LOCKED`; SQLite has one writer at a time
//! and needs no more than a transaction.
//!
//! [relay]: crate::pattern::relay

mod claim;
mod desk;
mod error;
pub mod group;
mod scan;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use self::{
    claim::{Claim, Due, Outcome, Settled},
    desk::Desk,
    error::OutboxError,
    scan::Told,
};
use super::publisher::Outgoing;
use crate::ledger::MessageId;

/// A moment, in milliseconds since 1970. Handed in, so that a test may choose
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// Now.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self(millis(since.unwrap_or_default()))
    }

    /// So many milliseconds after 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// So much later.
    pub fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(millis(delay)))
    }

    /// How long it is since `earlier`; nothing where that is later.
    pub fn since(self, earlier: Self) -> Duration {
        let passed = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(passed).unwrap_or(0))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// What is known of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Written, or to be sent again when it is due.
    Pending,
    /// Leased by a relay that publishes it.
    Sent,
    /// The broker took it over.
    Confirmed,
    /// No answer came in time: neither confirmed nor failed.
    Unknown,
    /// The broker has nowhere to put it. Sending it again would not help.
    Returned,
    /// Its attempts are used up, or the row cannot be read.
    Failed,
}

impl State {
    const ALL: [Self; 6] = [
        Self::Pending,
        Self::Sent,
        Self::Confirmed,
        Self::Unknown,
        Self::Returned,
        Self::Failed,
    ];

    /// As it stands in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Confirmed => "confirmed",
            Self::Unknown => "unknown",
            Self::Returned => "returned",
            Self::Failed => "failed",
        }
    }

    fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Only open rows are in the first index, only rows that somebody still has to
/// be told of in the second: what is confirmed costs no scan anything.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS outbox(
    seq         INTEGER PRIMARY KEY,
    message     TEXT    NOT NULL UNIQUE,
    body        BLOB    NOT NULL,
    state       TEXT    NOT NULL DEFAULT 'pending',
    attempts    INTEGER NOT NULL DEFAULT 0,
    written_ms  INTEGER NOT NULL,
    due_ms      INTEGER NOT NULL,
    owner       TEXT,
    why         TEXT,
    reported_ms INTEGER
);
CREATE INDEX IF NOT EXISTS outbox_due ON outbox(due_ms, seq)
    WHERE state IN ('pending', 'sent', 'unknown');
CREATE INDEX IF NOT EXISTS outbox_untold ON outbox(seq)
    WHERE state IN ('failed', 'returned') AND reported_ms IS NULL;";

/// How long a transaction waits for another process to finish its own.
const BUSY: Duration = Duration::from_secs(5);

/// A relay's window of rows stays in memory between claim and note. SQLite's
/// own 2 MiB are left behind by a thousand bodies of a kilobyte.
const CACHE_KIB: i64 = 16 * 1024;
/// Every row is written three times within a moment; a page that is copied
/// into the database only then is copied once. The WAL grows to 16 MiB.
const CHECKPOINT_PAGES: i64 = 4_000;

/// What a commit waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// The disk (fsync): it survives a power loss.
    #[default]
    Full,
    /// The operating system: it survives the death of the process, and may
    /// not survive a power loss (sqlite.org, "PRAGMA synchronous", WAL).
    Normal,
}

/// The table, over a connection of its own.
pub struct Outbox {
    db: Connection,
}

impl Outbox {
    /// Opens the database, and makes the table where it is missing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(path: &Path, sync: Sync) -> Result<Self, OutboxError> {
        let db = Connection::open(path)?;
        db.busy_timeout(BUSY)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(
            None,
            "synchronous",
            match sync {
                Sync::Full => "FULL",
                Sync::Normal => "NORMAL",
            },
        )?;
        db.pragma_update(None, "cache_size", -CACHE_KIB)?;
        db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        Self::over(db)
    }

    /// Over a connection of the application's, with its own settings.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn over(db: Connection) -> Result<Self, OutboxError> {
        db.execute_batch(SCHEMA)?;
        // Four statements a round, each used for every row.
        db.set_prepared_statement_cache_capacity(32);
        Ok(Self { db })
    }

    /// The connection, for the application's own tables.
    pub fn db(&self) -> &Connection {
        &self.db
    }

    /// Does the business and writes its messages in one transaction: all of
    /// it, or nothing when it ends with an error. IMMEDIATE: whoever cannot
    /// have the write lock hears so before any work is done.
    ///
    /// # Errors
    /// The work's own, or what SQLite says; then nothing of it happened.
    pub fn transaction<T, E: From<OutboxError>>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let tx = self.begin()?;
        let done = work(&tx)?;
        tx.commit().map_err(OutboxError::from)?;
        Ok(done)
    }

    fn begin(&mut self) -> Result<Transaction<'_>, OutboxError> {
        let immediate = TransactionBehavior::Immediate;
        Ok(self.db.transaction_with_behavior(immediate)?)
    }

    /// How many rows there are in each state. Reads the whole table.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn counts(&self) -> Result<BTreeMap<State, u32>, OutboxError> {
        let mut all = self
            .db
            .prepare_cached("SELECT state, count(*) FROM outbox GROUP BY 1")?;
        let rows = all.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?))
        })?;
        let mut counts = BTreeMap::new();
        for row in rows {
            let (word, many) = row?;
            let state = State::read(&word);
            *counts.entry(state.unwrap_or(State::Failed)).or_default() += many;
        }
        Ok(counts)
    }

    /// The state of one message's row, and how often it was attempted.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn state(
        &self,
        message: MessageId,
    ) -> Result<Option<(State, u32)>, OutboxError> {
        let mut look = self.db.prepare_cached(
            "SELECT state, attempts FROM outbox WHERE message = ?1",
        )?;
        let mut rows = look.query([message.to_string()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let state = State::read(&row.get::<_, String>(0)?);
        Ok(Some((state.unwrap_or(State::Failed), row.get(1)?)))
    }
}

/// Writes a message in the transaction of the business. `false` when it is
/// there already: the business id is the key.
///
/// # Errors
/// What SQLite says; then the transaction must not be committed.
pub fn write(
    tx: &Transaction<'_>,
    message: &Outgoing,
    now: Moment,
) -> Result<bool, OutboxError> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO outbox(message, body, written_ms, due_ms)
         VALUES (?1, ?2, ?3, ?3) ON CONFLICT(message) DO NOTHING",
    )?;
    let id = message.id.to_string();
    Ok(insert.execute((id, &message.body, now.0))? == 1)
}
