//! The bench of a packing process, which dies with orders in its hands.

use std::{
    collections::BTreeSet,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::ensure;
use tokio::task::JoinHandle;

use crate::{
    demos::shop::{
        orders::Ran,
        packing::{Packs, Parcels},
    },
    fault::wire::Wire,
    lab::{
        Lab,
        Strike::{self, ConsumerDies, KillAfterCommit},
    },
    ledger::MessageId,
    text,
};

/// A wait for something that takes milliseconds on an idle machine.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// Where one process packs. Cheap to clone.
#[derive(Clone)]
pub(super) struct Bench {
    lab: Lab,
    parcels: Arc<Mutex<Parcels>>,
    hands: Arc<Mutex<Hands>>,
}

#[derive(Default)]
struct Hands {
    /// Over these the process is to die: work on them does not go on.
    held: BTreeSet<(MessageId, Strike)>,
    packed: u32,
    trouble: Option<anyhow::Error>,
}

impl Bench {
    /// A process at its beginning.
    pub fn open(lab: &Lab, packs: Packs) -> anyhow::Result<Self> {
        let parcels = Arc::new(Mutex::new(Parcels::open(lab, packs)?));
        Ok(Self { lab: lab.clone(), parcels, hands: Arc::default() })
    }

    /// Packs an order. Where the process is to die over it, that takes for
    /// ever: before the parcel is in the table, or after.
    pub async fn pack(&self, order: MessageId) -> Ran {
        self.may_die(order, ConsumerDies).await;
        lock(&self.parcels).pack(order, false)?;
        lock(&self.hands).packed += 1;
        self.may_die(order, KillAfterCommit).await;
        Ok(())
    }

    async fn may_die(&self, order: MessageId, strike: Strike) {
        if self.lab.is_planned(order, strike) {
            lock(&self.hands).held.insert((order, strike));
            pending::<()>().await;
        }
    }

    /// Keeps what went wrong, for whoever waits.
    pub fn note(&self, ran: Ran) {
        if let Err(error) = ran {
            lock(&self.hands).trouble.get_or_insert(error);
        }
    }

    /// How many are packed.
    pub fn packed(&self) -> u32 {
        lock(&self.hands).packed
    }

    /// How many are in work and will not be done.
    pub fn held(&self) -> u32 {
        u32::try_from(lock(&self.hands).held.len()).unwrap_or(u32::MAX)
    }

    /// Whether the process is to die at all.
    pub fn is_mortal(&self) -> bool {
        self.lab.plan().all().any(|(id, is)| self.lab.is_planned(id, is))
    }

    /// Waits until every order over which the process is to die is in work;
    /// where it is not to die, until all are packed.
    pub async fn is_laden(&self) -> Ran {
        let (all, mortal) = (self.lab.count(), self.is_mortal());
        let what = text! { en: "the consumer's work", zh: "消费者干活" };
        self.lab
            .wait_until(what, SOON, || async {
                if let Some(trouble) = lock(&self.hands).trouble.take() {
                    return Err(trouble);
                }
                Ok(match mortal {
                    true => self.held() == self.lab.plan().len(),
                    false => self.packed() == all,
                })
            })
            .await
    }

    /// Its connection is cut, and all that it knew is gone with `process`.
    pub async fn dies<Process>(&self, wire: &Wire, process: Process) -> Ran {
        wire.refuse(true);
        let cut = wire.cut().await;
        drop(process);
        ensure!(cut == 1, "{cut} connections cut, not the consumer's");
        for (order, strike) in &lock(&self.hands).held {
            self.lab.struck(*order, *strike);
        }
        Ok(())
    }
}

/// A task that ends at once when this is dropped.
pub(super) struct Work(JoinHandle<()>);

impl Work {
    /// Starts it.
    pub fn of(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits until a queue has so many ready: a dead consumer's are back.
pub(super) async fn back_in(lab: &Lab, queue: &str, ready: u32) -> Ran {
    let what = text! {
        en: "the queue to take back what was unacked", zh: "未 ack 的回到队列"
    };
    let is_back = || async { Ok(lab.ready(queue).await? == ready) };
    lab.wait_until(what, SOON, is_back).await
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
