//! A publisher that does not wait for one confirm before the next publish.
//!
//! *When:* many messages must not be lost on their way to the broker, and a
//! round trip for each would take too long. *Cost:* a window of messages is
//! held in memory and, when the connection is cut, unknown all at once;
//! messages that are sent again come after younger ones: their order is lost.
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

mod hearing;
mod link;
mod settings;
#[cfg(test)]
mod tests;
mod window;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use lapin::{Channel, types::ShortString};
use tokio::time::Instant;

pub use self::{
    hearing::News,
    settings::{Late, Resend, Settings, Summary},
};
use self::{
    link::{Link, Publish, publish},
    window::{Attempt, Window},
};
use super::publisher::{Answer, GaveUp, Outgoing, Route};
use crate::ledger::{Fact, Witness};

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
    link: Option<Link>,
    window: Window<Publish>,
    /// To be sent again, before anything new.
    again: VecDeque<Attempt>,
    new: VecDeque<Attempt>,
    /// Since when the connection of what is in the window is given up.
    closing: Option<Instant>,
    began: Instant,
    /// How long the broker had blocked by then.
    blocked_before: Duration,
    heard: Duration,
    summary: Summary,
    finished: bool,
    gave_up: Option<GaveUp>,
    /// For a caller that keeps the books of each message itself.
    news: Option<News>,
    /// Answers and late confirms so far.
    told: u64,
}

/// While there is room nobody waits for answers, but they are heard.
const HEAR_EVERY: Duration = Duration::from_millis(1);
/// A handshake takes several round trips, and a broker that boots takes its
/// time over it, however soon a confirm is to be called late.
const CONNECTED_WITHIN: Duration = Duration::from_secs(5);

impl PipelinedPublisher {
    /// A publisher along `route` at `uri`; connects at the first publish,
    /// or when it is told [to](Self::connect).
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
            again: VecDeque::new(),
            new: VecDeque::new(),
            closing: None,
            began: Instant::now(),
            blocked_before: settings.pressure.seen().blocked,
            heard: Duration::ZERO,
            summary: Summary::default(),
            finished: false,
            gave_up: None,
            news: None,
            told: 0,
            settings,
        }
    }

    /// Keeps what becomes of each message for
    /// [`take_news`](Self::take_news), which then has to be asked for: else
    /// it piles up.
    pub fn keeping_news(mut self) -> Self {
        self.news = Some(News::default());
        self
    }

    /// Connects now and not at the first publish, for a caller who cannot
    /// wait then. Nothing is lost where it fails (`false`): the publish tries
    /// again.
    pub async fn connect(&mut self) -> bool {
        // What was on its way over a connection that has died comes first.
        while !self.is_connected() && self.window.unanswered() > 0 {
            self.close();
            self.news().await;
        }
        self.channel().await.is_some()
    }

    /// Whether it is connected, as far as it knows.
    pub fn is_connected(&self) -> bool {
        self.link.as_ref().and_then(Link::channel).is_some()
    }

    /// What was heard since this was last asked.
    pub fn take_news(&mut self) -> News {
        self.news.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Gives the connection up: whatever is on its way is unknown.
    pub fn give_up(&mut self) {
        self.close();
        self.window.give_up();
        self.hear();
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

    /// Works until something was heard, at most until the other future ends.
    pub async fn hear_until<F: Future>(&mut self, until: F) {
        tokio::select! {
            _ = until => {}
            () = self.work() => {}
        }
    }

    /// What became of what was taken since the last finish.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// One step of what there is to do, if any ever. What was here already is
    /// heard first; where that was the last there was, nothing would come
    /// after it, and whoever waits for news would wait for ever.
    async fn work(&mut self) {
        let told = self.told;
        self.hear();
        self.send_what_fits().await;
        if self.told > told {
            return;
        }
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
            if self.closing.is_some() {
                return;
            }
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
        let publish = publish(
            channel,
            self.exchange.clone(),
            self.key.clone(),
            attempt.message.clone(),
        );
        let publish = match self.window.spare() {
            Some(mut spare) => {
                spare.set(publish);
                spare
            }
            None => Publish::new(publish),
        };
        self.window.push(attempt, sent, publish);
        if sent > self.heard + HEAR_EVERY {
            self.heard = sent;
            self.hear();
        }
    }

    /// Time, without that in which the broker blocked.
    fn clock(&self) -> Duration {
        let blocked = self.settings.pressure.seen().blocked;
        let blocked = blocked.saturating_sub(self.blocked_before);
        self.began.elapsed().saturating_sub(blocked)
    }

    /// Gives the connection up: what is on its way there is unknown.
    fn close(&mut self) {
        if let Some(link) = self.link.take() {
            self.closing = Some(Instant::now());
            link.close();
        }
    }

    async fn channel(&mut self) -> Option<Arc<Channel>> {
        let channel = self.link.as_ref().and_then(Link::channel);
        if channel.is_some() {
            return channel;
        }
        if self.window.unanswered() > 0 {
            // It has just died. What is on its way is about to say so.
            self.close();
            return None;
        }
        let Settings { confirm_timeout, pressure, .. } = &self.settings;
        let within = (*confirm_timeout).max(CONNECTED_WITHIN);
        self.link = Link::keep_trying(&self.uri, within, pressure).await;
        self.link.as_ref().and_then(Link::channel)
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
