//! Counting commits where SQLite writes them.
//!
//! Source: sqlite.org, "Database File Format", section 4.1 "WAL File Format":
//! a header of 32 bytes with the page size at byte 8; then frames, each a
//! header of 24 bytes and a page. Bytes 4 to 7 of a frame's header are the
//! size of the database for a commit, and zero for all others.

use anyhow::Context;

const HEADER: usize = 32;
const FRAME: usize = 24;

/// How many transactions the write-ahead log beside this database holds.
pub(super) fn commits(database: &str) -> anyhow::Result<u32> {
    let log = std::fs::read(format!("{database}-wal"))
        .context("the write-ahead log of the database")?;
    count(&log).context("a write-ahead log as SQLite writes it")
}

fn count(log: &[u8]) -> Option<u32> {
    let page = number(log, 8)? as usize;
    let frames = log.get(HEADER..)?.chunks_exact(FRAME + page);
    let commits = frames.filter(|f| number(f, 4).is_some_and(|n| n > 0));
    u32::try_from(commits.count()).ok()
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn each_transaction_is_one_commit_however_many_pages_it_writes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let path = path.to_str().unwrap();
        let db = Connection::open(path).unwrap();
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
             CREATE TABLE t(x); CREATE INDEX i ON t(x);",
        )
        .unwrap();
        let before = commits(path).unwrap();
        for n in 0..10 {
            db.execute("INSERT INTO t VALUES (?1)", [n]).unwrap();
        }
        db.execute_batch(
            "BEGIN; INSERT INTO t VALUES (10), (11); INSERT INTO t VALUES (12);
             COMMIT",
        )
        .unwrap();
        assert_eq!(commits(path).unwrap() - before, 11);
    }
}
