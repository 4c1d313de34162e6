//! The scheduled scan: what is given up, whom somebody has to be told of, and
//! the way back.

use std::time::Duration;

use super::{Moment, Outbox, OutboxError, State};
use crate::ledger::MessageId;

/// A row that somebody has to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The row.
    pub seq: i64,
    /// Its message's id, as it stands there: that of a damaged row may be
    /// none.
    pub message: String,
    /// Failed or returned.
    pub state: State,
    /// How often it was attempted.
    pub attempts: u32,
    /// What is wrong with the row itself, if anything.
    pub why: Option<String>,
}

pub(super) const EXHAUSTED: &str =
    "UPDATE outbox SET state = 'failed', owner = NULL, reported_ms = NULL
     WHERE state IN ('pending', 'sent', 'unknown')
        AND due_ms <= ?1 AND attempts >= ?2
     RETURNING message";
pub(super) const UNTOLD: &str =
    "SELECT seq, message, state, attempts, why FROM outbox
     WHERE state IN ('failed', 'returned') AND reported_ms IS NULL
     ORDER BY seq LIMIT ?1";
/// Left to itself, SQLite looks for the lowest number in the table, past all
/// that is confirmed.
pub(super) const OLDEST: &str = "SELECT written_ms FROM outbox WHERE seq = (
        SELECT min(seq) FROM outbox INDEXED BY outbox_due
        WHERE state IN ('pending', 'sent', 'unknown'))";

impl Outbox {
    /// Marks as failed what has been attempted so often and is due again all
    /// the same. Its last confirm has had its time to come; should it come
    /// even later, it still counts.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn fail_exhausted(
        &mut self,
        attempts: u32,
        now: Moment,
    ) -> Result<Vec<MessageId>, OutboxError> {
        let tx = self.begin()?;
        let mut failed = Vec::new();
        {
            let mut update = tx.prepare_cached(EXHAUSTED)?;
            let mut rows = update.query((now.0, attempts))?;
            while let Some(row) = rows.next()? {
                let id = row.get::<_, String>(0)?.parse::<MessageId>();
                failed.extend(id);
            }
        }
        tx.commit()?;
        Ok(failed)
    }

    /// The rows that nobody was told of yet, the first so many.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn untold(&self, most: u32) -> Result<Vec<Told>, OutboxError> {
        let mut look = self.db.prepare_cached(UNTOLD)?;
        let rows = look.query_map([most], |row| {
            Ok(Told {
                seq: row.get(0)?,
                message: row.get(1)?,
                state: State::read(&row.get::<_, String>(2)?)
                    .unwrap_or(State::Failed),
                attempts: row.get(3)?,
                why: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Notes that somebody was told. After the alert has gone out, not
    /// before: a crash in between tells it twice, the other way round never.
    /// A row that was replayed meanwhile is not marked: should it fail again,
    /// that is news.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mark_told(
        &mut self,
        told: &[Told],
        now: Moment,
    ) -> Result<(), OutboxError> {
        let tx = self.begin()?;
        {
            let mut mark = tx.prepare_cached(
                "UPDATE outbox SET reported_ms = ?2
                 WHERE seq = ?1 AND state IN ('failed', 'returned')
                    AND attempts = ?3",
            )?;
            for row in told {
                mark.execute((row.seq, now.0, row.attempts))?;
            }
        }
        Ok(tx.commit()?)
    }

    /// How long the oldest open row has been waiting: the figure to watch,
    /// for a relay that has died in silence shows in it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn age(&self, now: Moment) -> Result<Option<Duration>, OutboxError> {
        let mut look = self.db.prepare_cached(OLDEST)?;
        let mut rows = look.query([])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(now.since(Moment(row.get(0)?))))
    }

    /// Whether there is a row that is still to be sent, now or later.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has_open(&self, attempts: u32) -> Result<bool, OutboxError> {
        let mut look = self.db.prepare_cached(
            "SELECT 1 FROM outbox
             WHERE state IN ('pending', 'sent', 'unknown') AND attempts < ?1
             LIMIT 1",
        )?;
        Ok(look.exists([attempts])?)
    }

    /// Somebody has mended what was wrong: failed and returned rows start
    /// again from the first attempt. Damaged ones stay. Returns how many.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn replay(&mut self, now: Moment) -> Result<usize, OutboxError> {
        let tx = self.begin()?;
        let many = tx.execute(
            "UPDATE outbox SET state = 'pending', attempts = 0, due_ms = ?1,
                owner = NULL, reported_ms = NULL
             WHERE state IN ('failed', 'returned') AND why IS NULL",
            [now.0],
        )?;
        tx.commit()?;
        Ok(many)
    }
}
