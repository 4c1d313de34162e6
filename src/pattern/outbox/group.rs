//! Group commit: requests that come together share one fsync.
//!
//! *When:* many requests at once each want a transaction of their own, and
//! the disk's fsync is what they wait for. While one commit is under way the
//! next ones queue up; then all of them are committed together, and each is
//! answered when its own work is on disk. *Cost:* a thread, and for a single
//! request nothing. *Does not protect from:* anything; it only makes "table
//! first" cheap. A request whose work fails is undone alone; where the commit
//! itself fails, none of the group has happened, and each is told so.

use std::{sync::Arc, thread};

use rusqlite::Transaction;
use tokio::sync::{mpsc, oneshot};

use super::{Outbox, OutboxError};

/// Commits for many callers. Cheap to clone.
#[derive(Clone)]
pub struct Group {
    jobs: mpsc::Sender<Box<dyn Job>>,
}

/// As many requests wait in line at most; whoever comes then waits outside.
const LINE: usize = 4_096;

impl Group {
    /// Starts the thread that writes. At most `most` requests share a commit;
    /// 1 is a commit for each. The thread ends with the last clone.
    pub fn start(mut outbox: Outbox, most: usize) -> Self {
        let (jobs, mut line) = mpsc::channel::<Box<dyn Job>>(LINE);
        thread::spawn(move || {
            let mut group = Vec::with_capacity(most);
            while let Some(first) = line.blocking_recv() {
                group.push(first);
                while group.len() < most
                    && let Ok(next) = line.try_recv()
                {
                    group.push(next);
                }
                let committed = commit(&mut outbox, &mut group);
                for job in group.drain(..) {
                    job.answer(&committed);
                }
            }
        });
        Self { jobs }
    }

    /// Does the work in a transaction, and returns when it is committed. A
    /// caller that goes away does not take its work back.
    ///
    /// # Errors
    /// The work's own, or what SQLite says: then nothing of it happened.
    pub async fn commit<T, F>(&self, work: F) -> Result<T, OutboxError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, OutboxError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Task { work: Some(work), done: None, reply };
        let sent = self.jobs.send(Box::new(task)).await;
        sent.map_err(|_| OutboxError::Gone)?;
        answer.await.map_err(|_| OutboxError::Gone)?
    }
}

type Committed = Result<(), Arc<OutboxError>>;

fn commit(outbox: &mut Outbox, group: &mut [Box<dyn Job>]) -> Committed {
    let work = |outbox: &mut Outbox| {
        let tx = outbox.begin()?;
        for job in group {
            tx.execute_batch("SAVEPOINT job")?;
            let undo = if job.work(&tx) { "" } else { "ROLLBACK TO job;" };
            tx.execute_batch(&format!("{undo} RELEASE job"))?;
        }
        Ok(tx.commit()?)
    };
    work(outbox).map_err(Arc::new)
}

/// One caller's work.
trait Job: Send {
    /// Does it; `false` asks to undo it.
    fn work(&mut self, tx: &Transaction<'_>) -> bool;
    fn answer(self: Box<Self>, committed: &Committed);
}

struct Task<T, F> {
    work: Option<F>,
    done: Option<Result<T, OutboxError>>,
    reply: oneshot::Sender<Result<T, OutboxError>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&Transaction<'_>) -> Result<T, OutboxError> + Send,
{
    fn work(&mut self, tx: &Transaction<'_>) -> bool {
        self.done = self.work.take().map(|work| work(tx));
        matches!(self.done, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, committed: &Committed) {
        let answer = match (self.done, committed) {
            // Its own failure is the better answer.
            (Some(Err(own)), _) => Err(own),
            (_, Err(all)) => Err(OutboxError::Together(all.clone())),
            (Some(Ok(done)), Ok(())) => Ok(done),
            (None, Ok(())) => Err(OutboxError::Gone),
        };
        // A caller that has gone away asks no more.
        let _ = self.reply.send(answer);
    }
}
