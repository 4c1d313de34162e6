//! Publish directly; only what fails goes to the table of messages.
//!
//! *When:* losing a message is a nuisance and not a debt: notifications,
//! clicks. *Cost:* nothing while the broker is well: no row, no fsync. *Does
//! not protect from:* the death of its process. Between the caller's yes and
//! the broker's confirm a message is in memory and nowhere else: what waits
//! for its next attempt, what is on its way, what has not been tried yet. A
//! crash, an `OOM` kill or a deploy takes all of it, and the longer the broker
//! is away, the more that is. Whoever may not lose it writes it down first
//! (an [outbox]), or says yes only when it is confirmed.
//!
//! Sent at once; without a confirm, sent again after a backoff; after so many
//! attempts it is written to the table, whose relay has more patience.
//!
//! [outbox]: super::outbox

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::{
    backoff::{Backoff, Jitter},
    outbox::{self, Moment, group::Group},
    pipeline::{self, PipelinedPublisher, Resend},
    publisher::{Answer, Outgoing, Route},
};
use crate::ledger::{Fact, MessageId, Witness};

/// How it behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Messages in memory at most; then the caller waits.
    pub room: usize,
    /// How often a message is published before it goes to the table.
    pub attempts: u32,
    /// How long it waits before the next attempt.
    pub backoff: Backoff,
    /// Of the jitter.
    pub seed: u64,
}

impl Default for Settings {
    /// Five attempts within some four seconds, eight at most.
    fn default() -> Self {
        Self {
            room: 10_000,
            attempts: 5,
            backoff: Backoff {
                first: Duration::from_millis(500),
                most: Duration::from_secs(5),
                jitter: Jitter::Full,
            },
            seed: rand::random(),
        }
    }
}

/// Its task has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the publishing task has ended; nothing was taken")]
pub struct Gone;

/// Publishes from memory, in a task of its own. Dropped, it takes what it
/// holds with it.
pub struct Direct {
    line: mpsc::Sender<Outgoing>,
    held: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Direct {
    /// Starts publishing along `route` at `uri`.
    pub fn start(
        uri: impl Into<String>,
        route: Route,
        table: Group,
        witness: Arc<dyn Witness>,
        settings: Settings,
    ) -> Self {
        let publisher = pipeline::Settings {
            nacked: Resend::Never,
            unknown: Resend::Never,
            ..pipeline::Settings::default()
        };
        let publisher =
            PipelinedPublisher::open(uri, route, witness.clone(), publisher)
                .keeping_news();
        let (line, taken) = mpsc::channel(settings.room.max(1));
        let held = Arc::new(AtomicUsize::new(0));
        let desk = Desk {
            publisher,
            table,
            witness,
            rng: StdRng::seed_from_u64(settings.seed),
            settings,
            flying: HashMap::new(),
            waiting: BTreeMap::new(),
            next: 0,
            away_until: None,
            held: held.clone(),
        };
        Self { line, held, task: tokio::spawn(desk.work(taken)) }
    }

    /// Takes a message into memory, and returns at once while there is room.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn send(&self, message: Outgoing) -> Result<(), Gone> {
        let room = self.line.reserve().await.map_err(|_| Gone)?;
        self.held.fetch_add(1, Ordering::SeqCst);
        room.send(message);
        Ok(())
    }

    /// How many messages are in memory and nowhere else.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    /// Dies as its process would: what it holds is gone when this returns.
    pub async fn die(mut self) {
        self.task.abort();
        // Aborted, as was asked for.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is in memory: lines and maps, and not one file.
struct Desk {
    publisher: PipelinedPublisher,
    table: Group,
    witness: Arc<dyn Witness>,
    settings: Settings,
    rng: StdRng,
    /// Published, and not answered.
    flying: HashMap<MessageId, Attempt>,
    /// To be published when its time has come.
    waiting: BTreeMap<(Instant, u64), Attempt>,
    /// Tells those apart that are due at the same moment.
    next: u64,
    /// The broker was out of reach: not asked again before this.
    away_until: Option<Instant>,
    held: Arc<AtomicUsize>,
}

struct Attempt {
    message: Outgoing,
    number: u32,
}

impl Desk {
    async fn work(mut self, mut line: mpsc::Receiver<Outgoing>) {
        loop {
            let due = self.waiting.keys().next().map(|(due, _)| *due);
            let has_room =
                self.waiting.len() + self.flying.len() < self.settings.room;
            let mut came = None;
            let next = async {
                let later = sleep_until(due.unwrap_or_else(far));
                tokio::select! {
                    message = line.recv(), if has_room => came = Some(message),
                    () = later, if due.is_some() => {}
                }
            };
            self.publisher.hear_until(next).await;
            match came {
                Some(Some(message)) => {
                    self.publish(Attempt { message, number: 1 }).await;
                }
                // Nobody can send any more; it was told to end.
                Some(None) => return,
                None => {}
            }
            self.publish_what_is_due().await;
            self.listen().await;
        }
    }

    async fn publish_what_is_due(&mut self) {
        let now = Instant::now();
        while let Some(next) = self.waiting.first_entry()
            && next.key().0 <= now
        {
            let attempt = next.remove();
            self.publish(attempt).await;
        }
    }

    async fn publish(&mut self, attempt: Attempt) {
        if !self.reaches().await {
            return self.again(attempt).await;
        }
        let message = attempt.message.clone();
        self.flying.insert(message.id, attempt);
        self.publisher.publish(message).await;
    }

    /// Whether there is a connection. A broker that has just been out of
    /// reach is not asked once more for each message.
    async fn reaches(&mut self) -> bool {
        if self.publisher.is_connected() {
            return true;
        }
        if self.away_until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        let reached = self.publisher.connect().await;
        let rest = self.settings.backoff.first;
        self.away_until = (!reached).then(|| Instant::now() + rest);
        reached
    }

    async fn listen(&mut self) {
        for (id, answer) in self.publisher.take_news().answered {
            let Some(attempt) = self.flying.remove(&id) else { continue };
            match answer {
                Answer::Confirmed => self.out(),
                // No attempt would find it a queue.
                Answer::Returned => self.write_down(attempt).await,
                Answer::Nacked | Answer::Unknown => self.again(attempt).await,
            }
        }
    }

    async fn again(&mut self, attempt: Attempt) {
        if attempt.number >= self.settings.attempts {
            return self.write_down(attempt).await;
        }
        self.wait(attempt);
    }

    fn wait(&mut self, attempt: Attempt) {
        let delay = self.settings.backoff.delay(attempt.number, &mut self.rng);
        let number = attempt.number + 1;
        let attempt = Attempt { number, ..attempt };
        self.next += 1;
        self.waiting.insert((Instant::now() + delay, self.next), attempt);
    }

    async fn write_down(&mut self, attempt: Attempt) {
        let message = attempt.message.clone();
        let id = message.id;
        let written = self
            .table
            .commit(move |tx| outbox::write(tx, &message, Moment::now()));
        match written.await {
            Ok(_) => {
                self.witness.saw(id, Fact::Stored);
                self.out();
            }
            // It is nowhere else: it stays in memory, and goes on trying.
            Err(_) => self.wait(attempt),
        }
    }

    fn out(&self) {
        self.held.fetch_sub(1, Ordering::SeqCst);
    }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}
