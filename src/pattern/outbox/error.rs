//! What can go wrong with the table, and what to do about it.

use std::sync::Arc;

use rusqlite::ErrorCode;

/// The table could not be read or written. The transaction did not happen:
/// a caller that has promised nothing yet has lost nothing.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// Another process held the write lock for too long.
    #[error(
        "the outbox is busy: another process holds its write lock; nothing \
         was written, try again, and look for a transaction left open"
    )]
    Busy(#[source] rusqlite::Error),
    /// No space is left for the database.
    #[error(
        "the outbox is full: no space left for the database; nothing was \
         written, free some space, what is in the table is kept"
    )]
    Full(#[source] rusqlite::Error),
    /// The database file is damaged.
    #[error(
        "the outbox's file is damaged: {0}; stop, keep a copy of the file, \
         and let `sqlite3 FILE .recover` save what it can"
    )]
    Corrupt(#[source] rusqlite::Error),
    /// Anything else.
    #[error("the outbox cannot be used: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// The commit that it shared with others failed.
    #[error("{0}")]
    Together(#[source] Arc<OutboxError>),
    /// The thread that writes has gone.
    #[error("the outbox's writer has ended")]
    Gone,
}

impl From<rusqlite::Error> for OutboxError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Busy(error)
            }
            Some(ErrorCode::DiskFull) => Self::Full(error),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt(error)
            }
            _ => Self::Sqlite(error),
        }
    }
}
