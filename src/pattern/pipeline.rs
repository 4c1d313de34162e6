//! A publisher that does not wait for one confirm before the next publish.
//!
//! *When:* many messages must not be lost on their way to the broker, and a
//! round trip for each would take too long. *Cost:* a window of messages is
//! held in memory and, when the connection is cut, unknown all at once;
//! messages that are sent again overtake others, so their order is lost.
//! *Does not protect from:* duplicates, as every publisher that sends again;
//! and a caller that dies with its window: what must survive that is written
//! down first (an outbox).
//!
//! The window slides: as soon as the oldest publish is answered, the next one
//! goes out. Sending batch after batch, each waiting for its last confirm,
//! leaves the broker idle for a round trip per batch.
//!
//! A blocked connection is waited for, and no confirm timeout ticks
//! meanwhile: what was published into it is not lost, it has not been read
//! yet, and sending it again would double it.
//!
//! Source: RabbitMQ documentation, "Consumer Acknowledgements and Publisher
//! Confirms", section "Publisher Confirms"; tutorial 7, "Publisher Confirms",
//! strategy 3, "Handling Publisher Confirms Asynchronously".

mod window;

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use lapin::{
    BasicProperties, Channel, Confirmation, options::BasicPublishOptions,
    types::ShortString,
};
use tokio::time::{Instant, sleep, timeout};

use self::window::{Attempt, Heard, Window};
use super::{
    pressure::{Listening, Pressure},
    publisher::{Answer, GaveUp, Link, Outgoing, Route, id_of},
};
use crate::ledger::{Fact, Witness};

/// How a [`PipelinedPublisher`] behaves.
#[derive(Clone)]
pub struct Settings {
    /// Publishes without an answer at a time, at most.
    pub window: usize,
    /// A publish that is not answered for so long is unknown, and its
    /// connection is given up. Time in which the broker blocks does not
    /// count.
    pub confirm_timeout: Duration,
    /// What publishers to this broker share.
    pub pressure: Pressure,
    /// What is done about a nacked message.
    pub nacked: Resend,
    /// What is done about an unknown one: sent again it may be there twice,
    /// left alone it may be missing.
    pub unknown: Resend,
}

impl Default for Settings {
    /// A window of 1 000, and ten attempts before giving up.
    fn default() -> Self {
        Self {
            window: 1_000,
            confirm_timeout: Duration::from_secs(10),
            pressure: Pressure::default(),
            nacked: Resend::UntilConfirmed { attempts: 10 },
            unknown: Resend::UntilConfirmed { attempts: 10 },
        }
    }
}

/// Whether a message is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resend {
    /// It is left, and the [`Summary`] says so.
    Never,
    /// At most so many attempts are made, all counted; then the publisher
    /// has given up.
    UntilConfirmed {
        /// How many.
        attempts: u32,
    },
}

/// What became of what was published. Answers are counted by the attempt:
/// once finished, `sent` is the sum of the four.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Messages taken.
    pub messages: u64,
    /// Attempts made.
    pub sent: u64,
    /// Attempts that the broker confirmed: one a message, at most.
    pub confirmed: u64,
    /// Attempts that it refused.
    pub nacked: u64,
    /// Attempts that came back as unroutable.
    pub returned: u64,
    /// Attempts that were not answered.
    pub unknown: u64,
    /// The messages without a confirm, each with its last answer.
    pub left: Vec<GaveUp>,
}

/// Publishes along one route, persistent and mandatory, with many publishes
/// unanswered at a time, and learns the broker's answer to each attempt.
///
/// Reconnects by itself. It has one channel of its own, on a connection of
/// its own. Answers are heard while one of its methods runs: a caller that
/// has something else to await does so inside [`attend`](Self::attend).
pub struct PipelinedPublisher {
    uri: String,
    exchange: ShortString,
    key: ShortString,
    witness: Arc<dyn Witness>,
    settings: Settings,
    link: Option<Open>,
    window: Window<Confirm>,
    /// To be sent again, before anything new.
    again: VecDeque<Attempt>,
    new: VecDeque<Attempt>,
    /// Since when the connection of what is in the window is given up.
    closing: Option<Instant>,
    began: Instant,
    summary: Summary,
    finished: bool,
    gave_up: Option<GaveUp>,
}

type Confirm = Pin<Box<dyn Future<Output = Heard> + Send>>;

struct Open {
    link: Link,
    /// Shared with every publish that is on its way.
    channel: Arc<Channel>,
    _listening: Listening,
}

/// lapin (4.12) answers for what is in flight within a millisecond when a
/// connection dies, and sometimes never.
const CLOSED_WITHIN: Duration = Duration::from_millis(500);
/// Nothing here is timed more finely.
const TICK: Duration = Duration::from_millis(10);

impl PipelinedPublisher {
    /// A publisher along `route` at `uri`; connects at the first publish.
    pub fn open(
        uri: impl Into<String>,
        route: Route,
        witness: Arc<dyn Witness>,
        settings: Settings,
    ) -> Self {
        let settings = Settings { window: settings.window.max(1), ..settings };
        Self {
            uri: uri.into(),
            exchange: route.exchange.into(),
            key: route.key.into(),
            witness,
            link: None,
            window: Window::new(settings.window),
            settings,
            again: VecDeque::new(),
            new: VecDeque::new(),
            closing: None,
            began: Instant::now(),
            summary: Summary::default(),
            finished: false,
            gave_up: None,
        }
    }

    /// Publishes all and sees every one through to its answer.
    ///
    /// # Errors
    /// [`GaveUp`] for the first message that was to be confirmed and could
    /// not be. Then no more are taken; those under way are seen through.
    pub async fn publish_all(
        &mut self,
        messages: impl IntoIterator<Item = Outgoing>,
    ) -> Result<Summary, GaveUp> {
        for message in messages {
            self.publish(message).await;
            if self.gave_up.is_some() {
                break;
            }
        }
        self.finish().await
    }

    /// Takes a message, and returns when it has gone out: at once while
    /// there is room in the window and no pressure. What becomes of it, the
    /// witness is told, and [`finish`](Self::finish) returns. Cancelled, it
    /// has still taken the message.
    pub async fn publish(&mut self, message: Outgoing) {
        if std::mem::take(&mut self.finished) {
            self.summary = Summary::default();
        }
        self.summary.messages += 1;
        let message = Arc::new(message);
        self.new.push_back(Attempt { message, number: 1 });
        self.hear();
        loop {
            self.send_what_fits().await;
            if self.new.is_empty() {
                return;
            }
            self.news().await;
        }
    }

    /// Sees every message that was taken through to its answer.
    ///
    /// # Errors
    /// [`GaveUp`] for the first message that was to be confirmed and could
    /// not be; [`summary`](Self::summary) holds the others.
    pub async fn finish(&mut self) -> Result<Summary, GaveUp> {
        loop {
            self.hear();
            self.send_what_fits().await;
            if self.is_done() {
                break;
            }
            self.news().await;
        }
        self.finished = true;
        match self.gave_up.take() {
            Some(gave_up) => Err(gave_up),
            None => Ok(self.summary.clone()),
        }
    }

    /// Awaits something else, and meanwhile hears answers and sends again:
    /// for a caller that publishes at a rate of its own.
    pub async fn attend<F: Future>(&mut self, until: F) -> F::Output {
        let mut until = std::pin::pin!(until);
        loop {
            tokio::select! {
                biased;
                output = &mut until => return output,
                () = self.work() => {}
            }
        }
    }

    /// What became of what was taken since the last finish.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// One step of what there is to do, if any ever.
    async fn work(&mut self) {
        self.hear();
        self.send_what_fits().await;
        match self.is_done() {
            true => std::future::pending().await,
            false => self.news().await,
        }
    }

    fn is_done(&self) -> bool {
        self.again.is_empty() && self.new.is_empty() && self.window.is_empty()
    }

    fn has_room(&self) -> bool {
        self.window.unanswered() < self.settings.window
            && self.closing.is_none()
            && !(self.again.is_empty() && self.new.is_empty())
    }

    async fn send_what_fits(&mut self) {
        while self.has_room() && self.settings.pressure.is_open() {
            let channel = self.channel().await;
            let next = self.again.pop_front();
            let Some(attempt) = next.or_else(|| self.new.pop_front()) else {
                return;
            };
            self.witness.saw(attempt.message.id, Fact::Sent);
            self.summary.sent += 1;
            match channel {
                Some(channel) => self.send(channel, attempt),
                None => self.tell(attempt, Answer::Unknown),
            }
        }
    }

    fn send(&mut self, channel: Arc<Channel>, attempt: Attempt) {
        let sent = self.clock();
        let confirm = Box::pin(publish(
            channel,
            self.exchange.clone(),
            self.key.clone(),
            attempt.message.clone(),
        ));
        self.window.push(attempt, sent, confirm);
    }

    /// Waits until something has happened, and deals with it: an answer, a
    /// publish that waited for too long, an end of the pressure.
    async fn news(&mut self) {
        let patience = self.patience();
        let held_back = self.has_room();
        let pressure = self.settings.pressure.clone();
        let heard = poll_fn(|cx| self.window.poll_hear(cx));
        tokio::select! {
            () = heard => {}
            () = sleep(patience.unwrap_or_default()), if patience.is_some() => {}
            () = pressure.ready(), if held_back => {}
        }
        self.settle();
    }

    /// Deals with what is here already.
    fn hear(&mut self) {
        let mut nobody = Context::from_waker(Waker::noop());
        if self.window.poll_hear(&mut nobody).is_ready() {
            self.settle();
        }
    }

    fn settle(&mut self) {
        if self.patience() == Some(Duration::ZERO) {
            match self.closing {
                None => self.close(),
                Some(_) => self.window.give_up(),
            }
        }
        if self.window.lost() {
            self.close();
        }
        if self.window.unanswered() == 0 {
            self.closing = None;
        }
        while let Some((attempt, answer)) = self.window.take() {
            self.tell(attempt, answer);
        }
    }

    /// How long the oldest publish may still wait.
    fn patience(&self) -> Option<Duration> {
        let oldest = self.window.oldest()?;
        let left = match self.closing {
            Some(since) => CLOSED_WITHIN.checked_sub(since.elapsed()),
            None => (oldest + self.settings.confirm_timeout)
                .checked_sub(self.clock()),
        };
        Some(left.map_or(Duration::ZERO, |left| left.max(TICK)))
    }

    /// Time, without that in which the broker blocked.
    fn clock(&self) -> Duration {
        let blocked = self.settings.pressure.seen().blocked;
        self.began.elapsed().saturating_sub(blocked)
    }

    /// Gives the connection up: what is on its way there is unknown.
    fn close(&mut self) {
        if let Some(Open { link, .. }) = self.link.take() {
            self.closing = Some(Instant::now());
            tokio::spawn(async move {
                let bye = link.connection.close(200, "given up".into());
                let _ = timeout(CLOSED_WITHIN, bye).await;
            });
        }
    }

    fn tell(&mut self, attempt: Attempt, answer: Answer) {
        self.witness.saw(attempt.message.id, answer.fact());
        let (counter, resend) = match answer {
            Answer::Confirmed => {
                self.summary.confirmed += 1;
                return self.settings.pressure.confirmed();
            }
            Answer::Nacked => {
                self.settings.pressure.nacked();
                (&mut self.summary.nacked, self.settings.nacked)
            }
            Answer::Returned => {
                (&mut self.summary.returned, self.settings.nacked)
            }
            Answer::Unknown => {
                (&mut self.summary.unknown, self.settings.unknown)
            }
        };
        *counter += 1;
        match resend {
            // An unroutable message would not find a queue the next time.
            Resend::UntilConfirmed { attempts }
                if attempt.number < attempts && answer != Answer::Returned =>
            {
                let number = attempt.number + 1;
                self.again.push_back(Attempt { number, ..attempt });
            }
            _ => {
                let left = GaveUp {
                    id: attempt.message.id,
                    attempts: attempt.number,
                    last: answer,
                };
                if resend != Resend::Never {
                    self.gave_up.get_or_insert_with(|| left.clone());
                }
                self.summary.left.push(left);
            }
        }
    }

    async fn channel(&mut self) -> Option<Arc<Channel>> {
        if let Some(open) = &self.link {
            return Some(open.channel.clone());
        }
        let within = self.settings.confirm_timeout;
        let link = Link::keep_trying(&self.uri, within).await?;
        let listening = self.settings.pressure.listen(&link.connection);
        let channel = Arc::new(link.channel.clone());
        let open =
            Open { link, channel: channel.clone(), _listening: listening };
        self.link = Some(open);
        Some(channel)
    }
}

impl Drop for PipelinedPublisher {
    /// What is on its way is unknown, and the witness has to be told.
    fn drop(&mut self) {
        self.window.give_up();
        while let Some((attempt, answer)) = self.window.take() {
            self.witness.saw(attempt.message.id, answer.fact());
        }
    }
}

/// Publishes, and waits for the confirm.
async fn publish(
    channel: Arc<Channel>,
    exchange: ShortString,
    key: ShortString,
    message: Arc<Outgoing>,
) -> Heard {
    let mandatory =
        BasicPublishOptions { mandatory: true, ..Default::default() };
    let properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_message_id(message.id.to_string().into());
    let sent = channel
        .basic_publish(exchange, key, mandatory, &message.body, properties)
        .await;
    let confirmation = match sent {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    let (answer, back) = match confirmation {
        Ok(Confirmation::Ack(back)) => (Answer::Confirmed, back),
        Ok(Confirmation::Nack(back)) => (Answer::Nacked, back),
        Ok(Confirmation::NotRequested) | Err(_) => (Answer::Unknown, None),
    };
    Heard { answer, returned: back.and_then(id_of) }
}
