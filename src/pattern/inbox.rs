//! The database inbox: a unique key in the transaction of the effect.
//!
//! *When:* the effect is rows in a database. *Cost:* one more insert in the
//! same transaction; the table grows until keys older than the longest replay
//! are deleted. *Does not protect from:* anything outside the database: a
//! mail or an HTTP call made by the handler needs the id passed on.

use std::time::Duration;

use rusqlite::{Connection, Transaction};

use crate::ledger::MessageId;

/// Creates the inbox table where it is missing. The primary key is the
/// mechanism: two transactions cannot both insert the same id. It holds the
/// handler too, so that two handlers on one database do not take each other's
/// work for done.
///
/// # Errors
/// What SQLite says.
pub fn create(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS inbox(
            handler TEXT NOT NULL,
            message TEXT NOT NULL,
            handled_at INTEGER NOT NULL DEFAULT (unixepoch()),
            PRIMARY KEY (handler, message)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS inbox_age ON inbox(handled_at);",
    )
}

/// Notes in this transaction that `message` is being handled; `false` when
/// it was handled before. The note stands or falls with the transaction.
///
/// # Errors
/// What SQLite says; a key that exists already is no error.
pub fn first_time(
    tx: &Transaction<'_>,
    handler: &str,
    message: MessageId,
) -> rusqlite::Result<bool> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO inbox(handler, message) VALUES (?1, ?2)
         ON CONFLICT DO NOTHING",
    )?;
    Ok(insert.execute((handler, message.to_string()))? == 1)
}

/// Whether `message` was handled before, as far as can be seen now. A check
/// is no claim: between it and an insert somebody else may insert.
///
/// # Errors
/// What SQLite says.
pub fn is_known(
    db: &Connection,
    handler: &str,
    message: MessageId,
) -> rusqlite::Result<bool> {
    let look = "SELECT 1 FROM inbox WHERE handler = ?1 AND message = ?2";
    db.prepare_cached(look)?.exists((handler, message.to_string()))
}

/// Forgets what was handled longer ago than `age`, and says how many that
/// were. Never shorter than the longest replay: a key that is gone makes its
/// message new.
///
/// # Errors
/// What SQLite says.
pub fn forget_older_than(
    db: &Connection,
    age: Duration,
) -> rusqlite::Result<usize> {
    let seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
    let old = "DELETE FROM inbox WHERE handled_at < unixepoch() - ?1";
    db.execute(old, [seconds])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYMENT: MessageId = MessageId::payment(1);

    fn database() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        create(&db).unwrap();
        db
    }

    #[test]
    fn each_handler_sees_a_message_for_the_first_time_once() {
        let mut db = database();
        let tx = db.transaction().unwrap();
        assert!(first_time(&tx, "pay", PAYMENT).unwrap());
        assert!(!first_time(&tx, "pay", PAYMENT).unwrap());
        assert!(first_time(&tx, "mail", PAYMENT).unwrap());
    }

    #[test]
    fn a_note_falls_with_its_transaction() {
        let mut db = database();
        let tx = db.transaction().unwrap();
        first_time(&tx, "pay", PAYMENT).unwrap();
        tx.rollback().unwrap();
        assert!(!is_known(&db, "pay", PAYMENT).unwrap());
    }

    #[test]
    fn what_is_forgotten_is_new_again() {
        let mut db = database();
        let tx = db.transaction().unwrap();
        first_time(&tx, "pay", PAYMENT).unwrap();
        tx.commit().unwrap();
        let hour = Duration::from_secs(3600);
        assert_eq!(forget_older_than(&db, hour).unwrap(), 0);
        db.execute("UPDATE inbox SET handled_at = 0", []).unwrap();
        assert_eq!(forget_older_than(&db, hour).unwrap(), 1);
        assert!(!is_known(&db, "pay", PAYMENT).unwrap());
    }
}
