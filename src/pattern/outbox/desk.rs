//! The table on threads that may wait: SQLite blocks, and a commit waits for
//! the disk.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::task::TaskTracker;

use super::{Outbox, OutboxError};

/// An outbox for asynchronous callers. Cheap to clone; all clones are the
/// same connection, and take turns.
#[derive(Clone)]
pub struct Desk {
    outbox: Arc<Mutex<Outbox>>,
    works: TaskTracker,
}

impl Desk {
    /// Over this connection.
    pub fn new(outbox: Outbox) -> Self {
        let outbox = Arc::new(Mutex::new(outbox));
        Self { outbox, works: TaskTracker::new() }
    }

    /// Does the work: begins now, whoever awaits it, and whenever. A caller
    /// that goes away does not stop it: see [`at_rest`](Self::at_rest).
    ///
    /// # Errors
    /// The work's own.
    pub fn work<T, Work>(
        &self,
        work: Work,
    ) -> impl Future<Output = Result<T, OutboxError>> + Send + use<T, Work>
    where
        T: Send + 'static,
        Work: FnOnce(&mut Outbox) -> Result<T, OutboxError> + Send + 'static,
    {
        let outbox = self.outbox.clone();
        let working = self.works.spawn_blocking(move || {
            work(&mut outbox.lock().unwrap_or_else(PoisonError::into_inner))
        });
        async { working.await.map_err(|_| OutboxError::Gone)? }
    }

    /// Returns when nothing is under way any more, for whoever lets a caller
    /// go in the middle of its work and opens the table anew: a claim that is
    /// written only then belongs to nobody.
    pub async fn at_rest(&self) {
        self.works.close();
        self.works.wait().await;
        self.works.reopen();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use tokio::time::timeout;

    use super::*;
    use crate::pattern::outbox::Sync;

    #[tokio::test]
    async fn it_is_at_rest_only_when_abandoned_work_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.db");
        let outbox = Outbox::open(&path, Sync::Normal).unwrap();
        let desk = Desk::new(outbox);
        let (go, wait) = mpsc::channel::<()>();
        let caller = tokio::spawn({
            let desk = desk.clone();
            async move { desk.work(move |_| Ok(wait.recv().is_ok())).await }
        });
        tokio::task::yield_now().await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        let soon = Duration::from_millis(50);
        assert!(timeout(soon, desk.at_rest()).await.is_err());
        go.send(()).unwrap();
        timeout(Duration::from_secs(5), desk.at_rest()).await.unwrap();
        // And it works on.
        assert!(desk.work(|_| Ok(true)).await.unwrap());
    }
}
