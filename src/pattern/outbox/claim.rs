//! What a relay does with the table: it claims what is due, and settles what
//! was answered.

use std::time::Duration;

use rusqlite::Transaction;

use super::{Moment, Outbox, OutboxError};
use crate::{ledger::MessageId, pattern::publisher::Outgoing};

/// A relay's wish for rows.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The relay's name, one of its own.
    pub relay: &'a str,
    /// How many rows at most.
    pub rows: u32,
    /// How long they are its own. Longer than an attempt takes: when it is
    /// over, another relay sends them again.
    pub lease: Duration,
    /// Rows with so many attempts are not claimed any more.
    pub attempts: u32,
}

/// A row that was due, and is now this relay's to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The row.
    pub seq: i64,
    /// What to publish.
    pub message: Outgoing,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The broker took it over. Counts from any state, however late.
    Confirmed,
    /// It has nowhere to put it.
    Returned,
    /// It refused it, or it was never sent: to be sent again then.
    Again(Moment),
    /// No answer came: to be sent again then, unless one still comes.
    Unknown(Moment),
}

/// A row and what came of an attempt at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The row.
    pub seq: i64,
    /// Which attempt.
    pub attempt: u32,
    /// What came of it.
    pub outcome: Outcome,
}

/// Open rows that are due, the longest due first. The condition on the state
/// is that of the index, word by word: only then SQLite uses it.
pub(super) const CLAIM: &str =
    "UPDATE outbox SET state = 'sent', attempts = attempts + 1,
        owner = ?1, due_ms = ?2
     WHERE seq IN (
        SELECT seq FROM outbox
        WHERE state IN ('pending', 'sent', 'unknown')
            AND due_ms <= ?3 AND attempts < ?4
        ORDER BY due_ms, seq LIMIT ?5)
     RETURNING seq, message, body, attempts";

impl Outbox {
    /// Claims rows that are due: nobody else gets them until the lease ends.
    /// A row that cannot be read is marked failed, with why, and does not
    /// hold up the others.
    ///
    /// # Errors
    /// What SQLite says; then nothing is claimed.
    pub fn claim(
        &mut self,
        claim: &Claim<'_>,
        now: Moment,
    ) -> Result<Vec<Due>, OutboxError> {
        self.round(&[], claim, now)
    }

    /// Notes what came of attempts.
    ///
    /// # Errors
    /// What SQLite says; then nothing is noted.
    pub fn settle(
        &mut self,
        relay: &str,
        settled: &[Settled],
    ) -> Result<(), OutboxError> {
        let tx = self.begin()?;
        note(&tx, relay, settled)?;
        Ok(tx.commit()?)
    }

    /// Notes what came of attempts and claims more, in one transaction: one
    /// fsync for both.
    ///
    /// # Errors
    /// What SQLite says; then nothing of it happened.
    pub fn round(
        &mut self,
        settled: &[Settled],
        claim: &Claim<'_>,
        now: Moment,
    ) -> Result<Vec<Due>, OutboxError> {
        let tx = self.begin()?;
        note(&tx, claim.relay, settled)?;
        let due = take(&tx, claim, now)?;
        tx.commit()?;
        Ok(due)
    }

    /// Keeps rows for longer: while a broker blocks, their answers wait.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn renew(
        &mut self,
        relay: &str,
        rows: &[i64],
        until: Moment,
    ) -> Result<(), OutboxError> {
        let tx = self.begin()?;
        {
            let mut renew = tx.prepare_cached(
                "UPDATE outbox SET due_ms = ?2
                 WHERE seq = ?1 AND owner = ?3 AND state = 'sent'",
            )?;
            for seq in rows {
                renew.execute((seq, until.0, relay))?;
            }
        }
        Ok(tx.commit()?)
    }

    /// Gives rows of this relay back, due at once, and says how many: what it
    /// has not published when it ends, or, when it starts again under its old
    /// name, what its predecessor died with. A relay's name is its own. The
    /// attempt does not count: a relay that is often restarted must not use
    /// attempts up.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn release(
        &mut self,
        relay: &str,
        wanted: impl Fn(i64) -> bool,
        now: Moment,
    ) -> Result<usize, OutboxError> {
        let tx = self.begin()?;
        let mut released = 0;
        {
            let mut look = tx.prepare_cached(
                "SELECT seq FROM outbox
                 WHERE state IN ('pending', 'sent', 'unknown')
                    AND state = 'sent' AND owner = ?1",
            )?;
            let rows = look.query_map([relay], |row| row.get(0))?;
            let rows = rows.collect::<Result<Vec<i64>, _>>()?;
            let mut release = tx.prepare_cached(
                "UPDATE outbox SET state = 'pending', owner = NULL,
                    due_ms = ?2, attempts = max(attempts - 1, 0)
                 WHERE seq = ?1",
            )?;
            for row in rows.into_iter().filter(|row| wanted(*row)) {
                released += release.execute((row, now.0))?;
            }
        }
        tx.commit()?;
        Ok(released)
    }
}

fn take(
    tx: &Transaction<'_>,
    claim: &Claim<'_>,
    now: Moment,
) -> Result<Vec<Due>, OutboxError> {
    if claim.rows == 0 {
        return Ok(Vec::new());
    }
    let mut due = Vec::with_capacity(claim.rows.min(1_000) as usize);
    let mut unreadable = Vec::new();
    {
        let mut update = tx.prepare_cached(CLAIM)?;
        let mut rows = update.query((
            claim.relay,
            now.after(claim.lease).0,
            now.0,
            claim.attempts,
            claim.rows,
        ))?;
        while let Some(row) = rows.next()? {
            let seq = row.get(0)?;
            match read(row) {
                Ok((message, attempt)) => {
                    due.push(Due { seq, message, attempt });
                }
                Err(why) => unreadable.push((seq, why)),
            }
        }
    }
    for (seq, why) in unreadable {
        tx.prepare_cached(
            "UPDATE outbox SET state = 'failed', owner = NULL, why = ?2
             WHERE seq = ?1",
        )?
        .execute((seq, why))?;
    }
    // RETURNING keeps no order (sqlite.org, "RETURNING", limitations).
    due.sort_unstable_by_key(|row| row.seq);
    Ok(due)
}

fn read(row: &rusqlite::Row<'_>) -> Result<(Outgoing, u32), String> {
    let id: String = row.get(1).map_err(|error| error.to_string())?;
    let id: MessageId = id.parse().map_err(|error| format!("{error}"))?;
    let body = row.get(2).map_err(|error| error.to_string())?;
    let attempt = row.get(3).map_err(|error| error.to_string())?;
    Ok((Outgoing { id, body }, attempt))
}

/// A confirm is true whoever hears it, and whenever. A return is, of the last
/// attempt. Anything else is said only while the row is this relay's own.
fn note(
    tx: &Transaction<'_>,
    relay: &str,
    settled: &[Settled],
) -> Result<(), OutboxError> {
    if settled.is_empty() {
        return Ok(());
    }
    let mut confirmed = tx.prepare_cached(
        "UPDATE outbox SET state = 'confirmed', owner = NULL WHERE seq = ?1",
    )?;
    let mut otherwise = tx.prepare_cached(
        "UPDATE outbox SET state = ?2, due_ms = ?3, owner = NULL
         WHERE seq = ?1 AND attempts = ?4 AND owner = ?5 AND state = 'sent'",
    )?;
    let mut returned = tx.prepare_cached(
        "UPDATE outbox SET state = 'returned', owner = NULL
         WHERE seq = ?1 AND attempts = ?2 AND state IN ('sent', 'unknown')",
    )?;
    for Settled { seq, attempt, outcome } in settled {
        let (state, due) = match outcome {
            Outcome::Confirmed => {
                confirmed.execute([seq])?;
                continue;
            }
            Outcome::Returned => {
                returned.execute((seq, attempt))?;
                continue;
            }
            Outcome::Again(due) => ("pending", due.0),
            Outcome::Unknown(due) => ("unknown", due.0),
        };
        otherwise.execute((seq, state, due, attempt, relay))?;
    }
    Ok(())
}
