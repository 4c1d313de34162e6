//! The steps of an order, each a message of its own, and a table of what
//! became of them.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use rusqlite::{Connection, TransactionBehavior};

use crate::{
    demos::shop::orders::{Ran, order},
    event::Unit,
    lab::{Lab, Outcome, check::figure_is},
    ledger::{Fact, MessageId, Noun, Witness},
    pattern::publisher::ConfirmingPublisher,
    text,
    text::Text,
};

/// Placed, paid, packed: `order-0007`, `payment-0007`, `stock-0007`.
const STEPS: [Noun; 3] = [Noun::Order, Noun::Payment, Noun::Stock];

const LAST: u32 = STEPS.len() as u32 - 1;

/// The steps of all orders, in the order in which they are made.
pub(super) fn steps(lab: &Lab) -> impl Iterator<Item = MessageId> + use<> {
    lab.messages().flat_map(|order| STEPS.map(|noun| noun.number(order.number)))
}

/// How many there are.
pub(super) fn count(lab: &Lab) -> u32 {
    lab.count() * STEPS.len() as u32
}

/// Where it stands among all steps, from 0.
pub(super) fn place(step: MessageId) -> u32 {
    (step.number - 1) * STEPS.len() as u32 + nth(step)
}

/// Which step of its order it is, from 0.
fn nth(step: MessageId) -> u32 {
    STEPS.iter().take_while(|noun| **noun != step.noun).count() as u32
}

/// Promises these steps, publishes them to a queue, and waits until each is
/// confirmed.
pub(super) async fn publish(
    lab: &Lab,
    queue: &str,
    steps: impl Iterator<Item = MessageId>,
) -> Ran {
    const WINDOW: usize = 100;
    const RESENDS: u32 = 5;
    let mut shop = ConfirmingPublisher::new(lab.uri(), queue, lab.witness());
    let steps = steps.inspect(|id| lab.saw(*id, Fact::Accepted)).map(order);
    Ok(shop.publish_all(steps, WINDOW, RESENDS).await?)
}

/// What the shop knows of its orders: the state of each, and a log of the
/// steps in the order in which they were applied.
pub(super) struct Progress {
    db: Mutex<Connection>,
    lab: Lab,
}

const SCHEMA: &str = "
    CREATE TABLE state(number INTEGER PRIMARY KEY, step INTEGER NOT NULL);
    CREATE TABLE log(
        at INTEGER PRIMARY KEY, number INTEGER NOT NULL, step INTEGER NOT NULL
    );
    CREATE INDEX log_number ON log(number);";

/// The state becomes what the step says.
const SET: &str = "INSERT INTO state VALUES (?1, ?2)
    ON CONFLICT DO UPDATE SET step = excluded.step";
/// The same, unless the state is further already.
const ADVANCE: &str = "INSERT INTO state VALUES (?1, ?2)
    ON CONFLICT DO UPDATE SET step = excluded.step
    WHERE state.step < excluded.step";

const FURTHER: &str = "SELECT 1 FROM state WHERE number = ?1 AND step > ?2";
const LOG: &str = "INSERT INTO log(number, step) VALUES (?1, ?2)";

impl Progress {
    /// An empty table. A process crash is no fault here: it lives in memory.
    pub fn open(lab: &Lab) -> anyhow::Result<Self> {
        let db = Connection::open_in_memory()?;
        db.execute_batch(SCHEMA)?;
        Ok(Self { db: Mutex::new(db), lab: lab.clone() })
    }

    /// Applies a step, whatever the state of its order.
    pub fn apply(&self, step: MessageId) -> Ran {
        self.write(SET, step)
    }

    /// Applies a step unless its order is further already: then it is refused.
    pub fn apply_if_newer(&self, step: MessageId) -> Ran {
        self.write(ADVANCE, step)
    }

    fn write(&self, sql: &str, step: MessageId) -> Ran {
        let row = (step.number, nth(step));
        let mut db = self.db();
        let tx =
            db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if tx.prepare_cached(FURTHER)?.exists(row)? {
            self.lab.saw(step, Fact::Overtaken);
        }
        let applied = tx.prepare_cached(sql)?.execute(row)? > 0;
        if applied {
            tx.prepare_cached(LOG)?.execute(row)?;
        }
        tx.commit()?;
        if applied {
            self.lab.saw(step, Fact::Applied);
        }
        Ok(())
    }

    /// Whether the order of this step is done.
    pub fn is_done(&self, step: MessageId) -> anyhow::Result<bool> {
        let look = "SELECT 1 FROM log WHERE number = ?1 AND step = ?2";
        let db = self.db();
        let mut look = db.prepare_cached(look)?;
        Ok(look.exists((step.number, LAST))?)
    }

    /// Writes down how often each step was applied, and tells how many orders
    /// had a step after a later one (`broken`, and `overtaken` those of them
    /// that were struck), and how many ended in another state than their last
    /// (`wrong`).
    pub fn settle(&self) -> Ran {
        let broken = self.numbers(
            "SELECT DISTINCT a.number FROM log a JOIN log b
             ON a.number = b.number AND a.at < b.at AND a.step > b.step",
        )?;
        let wrong = format!("SELECT number FROM state WHERE step < {LAST}");
        let wrong = self.numbers(&wrong)?;
        let db = self.db();
        let mut all = db.prepare(
            "SELECT number, step, count(*) FROM log GROUP BY number, step",
        )?;
        let rows = all.query_map([], |row| {
            Ok((row.get(0)?, row.get::<_, u32>(1)?, row.get(2)?))
        })?;
        for row in rows {
            let (number, step, times) = row?;
            let noun =
                STEPS.get(step as usize).context("a step of an order")?;
            self.lab.settle(noun.number(number), times, 0);
        }
        let lab = &self.lab;
        let struck = lab.plan().all().map(|(order, _)| order.number);
        let struck = struck.filter(|number| broken.contains(number)).count();
        let count = |id, name, n: usize| {
            lab.observe(id, name, n as f64, Unit::Count);
        };
        let name = text! { en: "out of order", zh: "乱序" };
        count("broken", name, broken.len());
        count("wrong", text! { en: "wrong", zh: "状态错" }, wrong.len());
        count("overtaken", text! { en: "overtaken", zh: "被超" }, struck);
        Ok(())
    }

    fn numbers(&self, sql: &str) -> anyhow::Result<BTreeSet<u32>> {
        let db = self.db();
        let mut found = db.prepare(sql)?;
        let found = found.query_map([], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No order had a step after a later one, and each ended in its last state.
pub(super) fn all_in_order(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "broken", 0)?;
    figure_is(outcome, "wrong", 0)
}
