//! Where the calls of a service are worked on, and tallied.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::http::StatusCode;
use tokio::time::{Instant, sleep_until};

use super::{Load, Manner};
use crate::{
    demos::shop::{Shelf, Taking},
    ledger::MessageId,
};

/// A shelf, and what each order wants from it.
type Stocked = (Shelf, Box<dyn Fn(MessageId) -> String + Send>);

/// One service's memory; it outlives the closing of its door.
pub(super) struct Desk {
    manner: Manner,
    shelf: Option<Mutex<Stocked>>,
    tally: Mutex<Tally>,
}

/// What happened so far, and what is planned.
#[derive(Default)]
pub(super) struct Tally {
    pub load: Load,
    pub made: BTreeMap<u32, u16>,
    pub slow: HashMap<MessageId, Duration>,
    pub was_slow: HashSet<MessageId>,
    at_once: usize,
}

/// One call that is being worked on; it makes room when it is dropped, done
/// or not.
pub(super) struct Call {
    desk: Arc<Desk>,
    id: MessageId,
    until: Instant,
    slow: bool,
}

impl Desk {
    pub(super) fn new(manner: Manner, shelf: Option<Stocked>) -> Self {
        let shelf = shelf.map(Mutex::new);
        Self { manner, shelf, tally: Mutex::default() }
    }

    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }

    /// Takes a call that has just arrived; `None` when there is no room.
    pub(super) fn take(self: &Arc<Self>, id: MessageId) -> Option<Call> {
        let arrived = Instant::now();
        let mut tally = self.tally();
        tally.load.calls += 1;
        if self.manner.at_once.is_some_and(|most| tally.at_once >= most) {
            tally.load.refused += 1;
            return None;
        }
        tally.at_once += 1;
        tally.load.most_at_once = tally.load.most_at_once.max(tally.at_once);
        let slow = tally.slow.get(&id).copied();
        let until = arrived + slow.unwrap_or(self.manner.latency);
        let slow = slow.is_some();
        Some(Call { desk: self.clone(), id, until, slow })
    }

    /// Makes the effect, or says why not.
    fn make(&self, id: MessageId) -> StatusCode {
        if let Some(shelf) = &self.shelf {
            let (shelf, item_of) = &mut *lock(shelf);
            // On this thread, as the books: a transaction of the shelf is
            // microseconds, its file is local.
            match shelf.take_if_any(id, &item_of(id)) {
                Ok(Taking::Taken) => {}
                Ok(Taking::Before) => return StatusCode::NO_CONTENT,
                Ok(Taking::SoldOut) => return StatusCode::CONFLICT,
                Err(error) => {
                    tracing::warn!(%id, %error, "the shelf");
                    return StatusCode::INTERNAL_SERVER_ERROR;
                }
            }
        }
        let mut tally = self.tally();
        let made = tally.made.entry(id.number).or_default();
        *made = made.saturating_add(1);
        StatusCode::NO_CONTENT
    }
}

impl Call {
    /// Takes its time, then makes the effect. Nothing is awaited in between:
    /// a call cut off before has made nothing, and after has made it all.
    pub(super) async fn work(self) -> StatusCode {
        sleep_until(self.until).await;
        let answer = self.desk.make(self.id);
        if self.slow {
            self.desk.tally().was_slow.insert(self.id);
        }
        answer
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.desk.tally().at_once -= 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
