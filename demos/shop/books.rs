//! The shop's books, in SQLite.

use std::{
    cell::Cell,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, ensure};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::cents;
use crate::{
    ledger::{Fact, MessageId, Witness},
    pattern::inbox,
};

/// Accounts, what moved between them, and what was handled.
pub struct Books {
    db: Connection,
    witness: Arc<dyn Witness>,
}

/// A transaction on the books for one payment.
pub struct Entry<'a> {
    tx: Transaction<'a>,
    payment: MessageId,
    paid: Cell<bool>,
    witness: Arc<dyn Witness>,
}

static OPENING: Mutex<()> = Mutex::new(());

const HANDLER: &str = "pay";

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS account(name TEXT PRIMARY KEY, cents INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS moved(payment TEXT NOT NULL, cents INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS note(payment TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS note_payment ON note(payment);
    INSERT INTO account VALUES ('customer', 0), ('shop', 0) ON CONFLICT DO NOTHING;";

impl Books {
    /// Opens the books in this directory, made where they are missing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(dir: &Path, witness: Arc<dyn Witness>) -> anyhow::Result<Self> {
        // Switching to WAL does not wait for another who does the same.
        let _one_at_a_time = OPENING.lock();
        let db = Connection::open(dir.join("books.db"))?;
        db.busy_timeout(Duration::from_secs(5))?;
        // A process crash loses nothing with NORMAL; only a power loss could,
        // and no fault here is one (sqlite.org, "PRAGMA synchronous").
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
        )?;
        db.execute_batch(SCHEMA)?;
        inbox::create(&db)?;
        Ok(Self { db, witness })
    }

    /// Does the work in one transaction for one payment: all of it, or
    /// nothing when it ends with an error. IMMEDIATE: the write lock is taken
    /// at the beginning, not half way.
    ///
    /// # Errors
    /// The work's own, or what SQLite says; then nothing of it happened.
    pub fn transaction(
        &mut self,
        payment: MessageId,
        work: impl FnOnce(&Entry<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let witness = self.witness.clone();
        let tx = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let entry = Entry { tx, payment, paid: Cell::new(false), witness };
        let worked = work(&entry);
        let Entry { tx, paid, witness, .. } = entry;
        let ended = match worked {
            Ok(()) => tx.commit().map_err(Into::into),
            Err(error) => tx.rollback().map_err(Into::into).and(Err(error)),
        };
        if paid.get() {
            let fact =
                if ended.is_ok() { Fact::Applied } else { Fact::RolledBack };
            witness.saw(payment, fact);
        }
        ended
    }

    /// Whether the inbox knows this payment, as far as can be seen now.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_known(&self, payment: MessageId) -> anyhow::Result<bool> {
        let known = inbox::is_known(&self.db, HANDLER, payment)?;
        if known {
            self.witness.saw(payment, Fact::Seen);
        }
        Ok(known)
    }

    /// Whether somebody noted this payment as handled, as far as can be seen
    /// now.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has_note(&self, payment: MessageId) -> anyhow::Result<bool> {
        let mut look =
            self.db.prepare_cached("SELECT 1 FROM note WHERE payment = ?1")?;
        let noted = look.exists([payment.to_string()])?;
        if noted {
            self.witness.saw(payment, Fact::Seen);
        }
        Ok(noted)
    }

    /// Every payment that moved money, and how often. The balances must say
    /// the same, else the books themselves are wrong.
    ///
    /// # Errors
    /// What SQLite says, or that the books do not balance.
    pub fn moved(&self) -> anyhow::Result<Vec<(MessageId, u16)>> {
        let sum =
            |sql: &str| self.db.query_row(sql, [], |row| row.get::<_, i64>(0));
        let moved = sum("SELECT coalesce(sum(cents), 0) FROM moved")?;
        let shop = sum("SELECT cents FROM account WHERE name = 'shop'")?;
        let customer =
            sum("SELECT cents FROM account WHERE name = 'customer'")?;
        ensure!(
            moved == shop && shop == -customer,
            "the books do not balance: moved {moved}, shop {shop}, customer {customer}"
        );
        let mut all = self
            .db
            .prepare("SELECT payment, count(*) FROM moved GROUP BY payment")?;
        let rows = all.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, u16>(1)?))
        })?;
        rows.map(|row| {
            let (payment, times) = row?;
            Ok((payment.parse().context("a payment in the books")?, times))
        })
        .collect()
    }
}

impl Entry<'_> {
    /// Notes in this transaction that the payment is handled; `false` when it
    /// was before. The unique key decides, not a check.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn first_time(&self) -> anyhow::Result<bool> {
        let first = inbox::first_time(&self.tx, HANDLER, self.payment)?;
        if !first {
            self.witness.saw(self.payment, Fact::Seen);
        }
        Ok(first)
    }

    /// Notes it without a unique key: nothing stops a second note.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note(&self) -> anyhow::Result<()> {
        let mut note =
            self.tx.prepare_cached("INSERT INTO note VALUES (?1)")?;
        note.execute([self.payment.to_string()])?;
        self.witness.saw(self.payment, Fact::Marked);
        Ok(())
    }

    /// Moves the money.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn pay(&self) -> anyhow::Result<()> {
        let cents = cents(self.payment);
        let add = "UPDATE account SET cents = cents + ?1 WHERE name = ?2";
        let mut add = self.tx.prepare_cached(add)?;
        add.execute((cents, "shop"))?;
        add.execute((-cents, "customer"))?;
        let mut moved =
            self.tx.prepare_cached("INSERT INTO moved VALUES (?1, ?2)")?;
        moved.execute((self.payment.to_string(), cents))?;
        self.paid.set(true);
        Ok(())
    }
}
