//! The relay: publishes what is in the outbox until the broker confirms it.
//!
//! *When:* behind every [outbox]. Several may run on one table: each claims
//! rows under a lease. *Cost:* two updates a row, in transactions that many
//! rows share, and what waits in the table while it sleeps; [`bell`] wakes it.
//! *Does not protect from:* duplicates. A row is published again when no
//! answer came, and when its relay died between the confirm and the note.
//!
//! Three signals, three answers: a nack is tried again after a backoff; a
//! return is a fault of the topology, and trying again would not help;
//! silence is *unknown*, not failed. A confirm that is late is listened for as
//! long as its connection lives: what was written to a living connection is
//! on its way, and sending it again would only double it. When such a row is
//! due again all the same, the connection is given up first, and with it what
//! else is on its way there. Another relay on the table knows nothing of that
//! connection: it sends an unknown row again when it is due.
//!
//! A message is attempted `attempts` times. With a backoff from `first` to
//! `most` that is the outage it sits out; what is left then is marked failed
//! by the [scan], and somebody is told.
//!
//! [outbox]: super::outbox
//! [scan]: super::outbox::Outbox::fail_exhausted
//! [`bell`]: Relay::bell
//!
//! Source: RabbitMQ documentation, "Consumer Acknowledgements and Publisher
//! Confirms", sections "Publisher Confirms" and "When Will Published Messages
//! Be Confirmed by the Broker?".

mod settings;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

pub use self::settings::Settings;
use super::{
    outbox::{
        Claim, Desk, Due, Moment, Outbox, OutboxError, Outcome, Settled, State,
    },
    pipeline::{self, News, PipelinedPublisher, Resend},
    publisher::{Answer, Route},
};
use crate::ledger::{MessageId, Witness};

/// Publishes what is due in an outbox, along one route.
pub struct Relay {
    desk: Desk,
    publisher: PipelinedPublisher,
    settings: Settings,
    rng: StdRng,
    /// Published, and not finally answered.
    flying: HashMap<MessageId, Flying>,
    settled: Vec<Settled>,
    /// Claimed, and not yet published.
    waiting: VecDeque<Due>,
    bell: Arc<Notify>,
    /// The table had nothing more that was due: not asked before this.
    look_at: Instant,
    wrote_at: Instant,
    renewed_at: Instant,
}

#[derive(Clone, Copy)]
struct Flying {
    seq: i64,
    attempt: u32,
    late: bool,
}

/// Answers that come in quick succession are noted together: a transaction
/// costs an fsync and writes whole pages, however few rows it is about. What
/// is not noted when the relay dies is sent again, as is all that is on its
/// way then: at twenty thousand a second, five hundred.
const TOGETHER: Duration = Duration::from_millis(25);

impl Relay {
    /// A relay for this table. It works while one of its methods runs.
    pub fn open(
        outbox: Outbox,
        uri: impl Into<String>,
        route: Route,
        witness: Arc<dyn Witness>,
        settings: Settings,
    ) -> Self {
        let publisher = pipeline::Settings {
            window: settings.window as usize,
            confirm_timeout: settings.confirm_timeout,
            late: settings.late,
            pressure: settings.pressure.clone(),
            // The table decides what is sent again, and when.
            nacked: Resend::Never,
            unknown: Resend::Never,
        };
        let now = Instant::now();
        Self {
            desk: Desk::new(outbox),
            publisher: PipelinedPublisher::open(uri, route, witness, publisher)
                .keeping_news(),
            rng: StdRng::seed_from_u64(settings.seed),
            settings,
            flying: HashMap::new(),
            settled: Vec::new(),
            waiting: VecDeque::new(),
            bell: Arc::default(),
            look_at: now,
            wrote_at: now,
            renewed_at: now,
        }
    }

    /// Connects now, for a caller who cannot wait when there is something to
    /// publish. `false` where it fails: the next row tries again.
    pub async fn connect(&mut self) -> bool {
        self.publisher.connect().await
    }

    /// How many rows there are in each state.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn counts(
        &mut self,
    ) -> Result<BTreeMap<State, u32>, OutboxError> {
        self.desk(|outbox| outbox.counts()).await
    }

    /// Ring it after a commit, and the relay looks at once. Where the writer
    /// is another process, the relay looks every `poll`.
    pub fn bell(&self) -> Arc<Notify> {
        self.bell.clone()
    }

    /// The desk it works at, for whoever lets it go in the middle of its work
    /// and has to know when that is [done](Desk::at_rest).
    pub fn works_at(&self) -> Desk {
        self.desk.clone()
    }

    /// Works until the future ends; then takes no more, notes what has been
    /// answered, and gives back what it has not published. What is on its way
    /// is left under its lease.
    ///
    /// # Errors
    /// What SQLite says. Nothing is lost then: what was claimed is due again
    /// when its lease is over.
    pub async fn run<F: Future>(
        &mut self,
        until: F,
    ) -> Result<F::Output, OutboxError> {
        let mut until = std::pin::pin!(until);
        loop {
            tokio::select! {
                biased;
                output = &mut until => {
                    self.give_back().await?;
                    return Ok(output);
                }
                turned = self.turn() => turned?,
            }
        }
    }

    /// Works until nothing is left to be sent: all is confirmed, returned, or
    /// out of attempts.
    ///
    /// # Errors
    /// See [`run`](Self::run).
    pub async fn drain(&mut self) -> Result<(), OutboxError> {
        let attempts = self.settings.attempts;
        loop {
            self.turn().await?;
            if self.is_idle() {
                let open = move |outbox: &mut Outbox| outbox.has_open(attempts);
                if !self.desk(open).await? {
                    return Ok(());
                }
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.flying.is_empty()
            && self.settled.is_empty()
            && self.waiting.is_empty()
    }

    /// Notes what was answered, claims and publishes what is due, and waits
    /// until there is something to do again. Cancelled, it loses nothing: a
    /// claim that nobody reads ends with its lease.
    async fn turn(&mut self) -> Result<(), OutboxError> {
        self.listen();
        let now = Instant::now();
        let blocked = self.settings.pressure.is_blocked();
        let room = self.settings.window.saturating_sub(self.in_flight());
        let look = !blocked && now >= self.look_at;
        let rows = match look && room >= self.settings.batch {
            true => self.settings.batch,
            false if look && self.in_flight() == 0 => room,
            false => 0,
        };
        let write = !self.settled.is_empty()
            && (now >= self.wrote_at + TOGETHER || self.flying.is_empty());
        // While the table is written, what was claimed before is published.
        let round = (rows > 0 || write).then(|| self.begin_round(rows));
        if blocked {
            self.renew().await?;
        } else if !self.waiting.is_empty() {
            self.publish().await;
        }
        match round {
            Some(round) => self.end_round(rows, round).await?,
            None => self.rest().await,
        }
        Ok(())
    }

    /// Waits for an answer, for the bell, or until the table is to be looked
    /// at again.
    async fn rest(&mut self) {
        let now = Instant::now();
        let until = match self.settled.is_empty() {
            true if self.look_at > now => self.look_at,
            true => now + self.settings.poll,
            false => self.wrote_at + TOGETHER,
        };
        let bell = self.bell.clone();
        let mut rung = false;
        self.publisher
            .hear_until(async {
                tokio::select! {
                    () = sleep_until(until) => {}
                    () = bell.notified() => rung = true,
                }
            })
            .await;
        if rung {
            self.look_at = now;
        }
    }

    /// One transaction: notes what was answered, and claims so many rows.
    fn begin_round(
        &mut self,
        rows: u32,
    ) -> impl Future<Output = Result<Vec<Due>, OutboxError>> + use<> {
        let settled = std::mem::take(&mut self.settled);
        let Settings { name, lease, attempts, .. } = self.settings.clone();
        self.desk.work(move |outbox| {
            let claim = Claim { relay: &name, rows, lease, attempts };
            outbox.round(&settled, &claim, Moment::now())
        })
    }

    async fn end_round(
        &mut self,
        rows: u32,
        round: impl Future<Output = Result<Vec<Due>, OutboxError>>,
    ) -> Result<(), OutboxError> {
        let due = self.publisher.attend(round).await?;
        self.wrote_at = Instant::now();
        if (due.len() as u64) < u64::from(rows) {
            self.look_at = self.wrote_at + self.settings.poll;
        }
        self.waiting.extend(due);
        Ok(())
    }

    /// Publishes what was claimed, for as long as the broker takes it.
    async fn publish(&mut self) {
        let again = |row: &Due| self.flying.contains_key(&row.message.id);
        if self.waiting.iter().any(again) {
            // It would go the way on which its last attempt is stuck.
            self.publisher.give_up();
            self.listen();
        }
        while !self.settings.pressure.is_blocked()
            && let Some(due) = self.waiting.pop_front()
        {
            let Due { seq, message, attempt } = due;
            if !self.publisher.is_connected() && !self.publisher.connect().await
            {
                // Nothing was sent: that is no secret, and not unknown.
                self.waiting.push_front(Due { seq, message, attempt });
                return self.unreachable();
            }
            let flying = Flying { seq, attempt, late: false };
            self.flying.insert(message.id, flying);
            self.publisher.publish(message).await;
        }
    }

    fn unreachable(&mut self) {
        for Due { seq, attempt, .. } in std::mem::take(&mut self.waiting) {
            let again = Moment::now().after(self.delay(attempt));
            self.settle(seq, attempt, Outcome::Again(again));
        }
    }

    /// Reads what the publisher has heard.
    fn listen(&mut self) {
        let News { answered, late } = self.publisher.take_news();
        for message in late {
            let Some(flying) = self.flying.get_mut(&message) else { continue };
            flying.late = true;
            let Flying { seq, attempt, .. } = *flying;
            let due = Moment::now().after(self.delay(attempt));
            self.settle(seq, attempt, Outcome::Unknown(due));
        }
        for (message, answer) in answered {
            let Some(flying) = self.flying.remove(&message) else { continue };
            let Flying { seq, attempt, .. } = flying;
            let outcome = match answer {
                Answer::Confirmed => Outcome::Confirmed,
                Answer::Returned => Outcome::Returned,
                Answer::Nacked => {
                    Outcome::Again(Moment::now().after(self.delay(attempt)))
                }
                Answer::Unknown => {
                    Outcome::Unknown(Moment::now().after(self.delay(attempt)))
                }
            };
            self.settle(seq, attempt, outcome);
        }
    }

    fn settle(&mut self, seq: i64, attempt: u32, outcome: Outcome) {
        self.settled.push(Settled { seq, attempt, outcome });
    }

    fn delay(&mut self, attempt: u32) -> Duration {
        self.settings.backoff.delay(attempt, &mut self.rng)
    }

    /// Published and not answered, or to be published next.
    fn in_flight(&self) -> u32 {
        let all = self.flying.len() + self.waiting.len();
        u32::try_from(all).unwrap_or(u32::MAX)
    }

    /// While the broker blocks, confirms do not come, and that is no reason
    /// for another relay to send the rows again.
    async fn renew(&mut self) -> Result<(), OutboxError> {
        let lease = self.settings.lease;
        if self.renewed_at.elapsed() < lease / 3 {
            return Ok(());
        }
        self.renewed_at = Instant::now();
        let on_time = self.flying.values().filter(|flying| !flying.late);
        let waiting = self.waiting.iter().map(|row| row.seq);
        let rows: Vec<_> =
            on_time.map(|flying| flying.seq).chain(waiting).collect();
        let name = self.settings.name.clone();
        self.desk(move |outbox| {
            outbox.renew(&name, &rows, Moment::now().after(lease))
        })
        .await
    }

    async fn give_back(&mut self) -> Result<(), OutboxError> {
        self.listen();
        self.waiting.clear();
        let settled = std::mem::take(&mut self.settled);
        let name = self.settings.name.clone();
        let flying: HashSet<_> =
            self.flying.values().map(|flying| flying.seq).collect();
        self.desk(move |outbox| {
            outbox.settle(&name, &settled)?;
            outbox.release(
                &name,
                |row| !flying.contains(&row),
                Moment::now(),
            )?;
            Ok(())
        })
        .await
    }

    /// Works on the table on a thread that may wait, and hears answers
    /// meanwhile.
    async fn desk<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Outbox) -> Result<T, OutboxError> + Send + 'static,
    ) -> Result<T, OutboxError> {
        let desk = self.desk.clone();
        let working = desk.work(work);
        self.publisher.attend(working).await
    }
}
