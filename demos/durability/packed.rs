//! A table of parcels that several hold at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    demos::shop::{orders::Ran, parcels::ParcelTable},
    lab::Lab,
    ledger::MessageId,
};

/// What was packed in one way. Cheap to clone.
#[derive(Clone)]
pub(super) struct Packed {
    table: Arc<Mutex<ParcelTable>>,
    lab: Lab,
}

impl Packed {
    /// An empty table.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(lab: &Lab) -> anyhow::Result<Self> {
        let table = Arc::new(Mutex::new(ParcelTable::open(lab)?));
        Ok(Self { table, lab: lab.clone() })
    }

    /// Packs these orders, all in one transaction.
    ///
    /// # Errors
    /// What SQLite says: then none is packed.
    pub fn pack(&self, orders: &[MessageId]) -> Ran {
        self.table().pack_together(orders)
    }

    /// How many different orders are packed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn count(&self) -> anyhow::Result<u32> {
        self.table().count()
    }

    /// Whether this order is packed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has(&self, order: MessageId) -> anyhow::Result<bool> {
        self.table().has(order)
    }

    /// Writes into the ledger what was packed, and what this queue still holds
    /// once nobody consumes it any more.
    ///
    /// # Errors
    /// What SQLite or the broker say.
    pub async fn settle(&self, queue: &str) -> Ran {
        self.table().settle()?;
        for order in self.lab.left_in(queue).await? {
            self.lab.settle(order, 0, 1);
        }
        Ok(())
    }

    fn table(&self) -> MutexGuard<'_, ParcelTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
