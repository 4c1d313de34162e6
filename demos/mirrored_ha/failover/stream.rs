//! A second publisher, at nodes that live: it is never idle while the leader
//! is killed, and what it was told must be true in the end.
//!
//! The orders on the frozen wire are unknown for certain; a broker that has
//! nothing else to do loses nothing by a kill. Here it is killed at work.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::super::nodes::{Node, Nodes, at_once};
use crate::{
    event::Unit,
    lab::{Lab, Outcome},
    ledger::Noun,
    pattern::{
        failover::FailoverPublisher,
        publisher::{Answer, Outgoing},
    },
    text,
    text::Text,
};

/// So many are sent before the kill begins.
const BEFORE: u32 = 20;
/// Unanswered publishes at a time.
const AT_A_TIME: usize = 4;
/// No more than so many, and for no longer.
const MOST: u32 = 2_000;
const LONGEST: Duration = Duration::from_secs(15);
/// Between two windows, and after one of which nothing was confirmed.
const PACE: Duration = Duration::from_millis(20);
const PAUSE: Duration = Duration::from_millis(100);

/// Publishes to the queue of the orders, and is told apart from them by the
/// noun of its messages: the ledger counts what is wrong with those, too.
pub struct Stream {
    noun: Noun,
    shop: FailoverPublisher,
    sent: u32,
    /// Sent, and not confirmed yet.
    open: Vec<Outgoing>,
    /// Confirmed, of those sent before the kill was over, and after that.
    before: u32,
    after: u32,
}

impl Stream {
    /// One to these nodes. Its first messages are sent now.
    pub async fn begin(
        nodes: &Nodes<'_>,
        at: &[Node],
        noun: Noun,
    ) -> anyhow::Result<Self> {
        let mut shop = nodes.publisher(at)?;
        let first = nodes.take_over((1..=BEFORE).map(|n| noun.number(n)));
        let open = at_once(&mut shop, first).await;
        let before = BEFORE - count(&open);
        Ok(Self { noun, shop, sent: BEFORE, open, before, after: 0 })
    }

    /// Window after window, until the kill is over, something that was sent
    /// after it is confirmed, and nothing is open. What was not confirmed is
    /// sent again in the next window.
    pub async fn go_on(
        &mut self,
        nodes: &Nodes<'_>,
        is_over: &CancellationToken,
    ) {
        let began = Instant::now();
        self.shop.watch_for_a_gap();
        while began.elapsed() < LONGEST && !self.is_done() {
            let is_after = is_over.is_cancelled();
            let window = self.window(nodes);
            let answers = self.shop.attempt_all(&window).await;
            // There is no queue: it went with its node.
            let is_gone = answers.contains(&Answer::Returned);
            let sent = count(&window);
            let answered = window.into_iter().zip(answers);
            let open = answered.filter(|(_, a)| *a != Answer::Confirmed);
            self.open = open.map(|(message, _)| message).collect();
            let confirmed = sent - count(&self.open);
            match is_after {
                true => self.after += confirmed,
                false => self.before += confirmed,
            }
            if is_gone {
                return;
            }
            sleep(if confirmed > 0 { PACE } else { PAUSE }).await;
        }
    }

    fn is_done(&self) -> bool {
        self.after > 0 && self.open.is_empty()
    }

    /// What is open, filled up with what is new.
    fn window(&mut self, nodes: &Nodes<'_>) -> Vec<Outgoing> {
        let mut window = std::mem::take(&mut self.open);
        while window.len() < AT_A_TIME && self.sent < MOST {
            self.sent += 1;
            window.push(nodes.taken(self.noun.number(self.sent)));
        }
        window
    }

    /// Tells what it was confirmed. Returns what is still open.
    pub fn tell(&mut self, lab: &Lab) -> Vec<Outgoing> {
        let gap = self.shop.longest_gap().as_millis();
        for (what, value, unit) in [
            (BEFORE_IT, f64::from(self.before), Unit::Count),
            (AFTER_IT, f64::from(self.after), Unit::Count),
            ("gap", gap as f64, Unit::Ms),
        ] {
            let id = figure(self.noun, what);
            lab.observe(&id, Text::same(&*id), value, unit);
        }
        let (sent, en, zh) = (self.sent, self.noun.as_str(), word(self.noun));
        lab.step(
            text! { en: "beside", zh: "同时" },
            Text::made(
                format!("{sent} {en}s all the while; no confirm for {gap} ms"),
                format!("其间一直在发{zh}，共 {sent} 条；{gap} 毫秒没有确认"),
            ),
        );
        std::mem::take(&mut self.open)
    }

    /// How many there are, and how many of them were worked on.
    pub fn found(&self, lab: &Lab) -> (u32, u32) {
        let all = (1..=self.sent).map(|n| self.noun.number(n));
        let known = all.filter_map(|id| lab.entry(id));
        let found: u32 = known.map(|entry| u32::from(entry.applied > 0)).sum();
        (self.sent, found)
    }
}

const BEFORE_IT: &str = "before";
const AFTER_IT: &str = "after";

fn figure(noun: Noun, what: &str) -> String {
    format!("{}-{what}", noun.as_str())
}

/// What it sends, in Chinese.
fn word(noun: Noun) -> &'static str {
    match noun {
        Noun::Payment => "付款",
        Noun::Invoice => "发票",
        other => other.as_str(),
    }
}

fn count(messages: &[Outgoing]) -> u32 {
    u32::try_from(messages.len()).unwrap_or(u32::MAX)
}

/// It was confirmed messages before the kill was over and after it. That none
/// of them is missing, the ledger says.
pub fn was_confirmed_throughout(
    outcome: &Outcome,
    noun: Noun,
) -> Result<(), Text> {
    let of = |what| outcome.figure(&figure(noun, what));
    let (before, after) = (of(BEFORE_IT)?, of(AFTER_IT)?);
    if before > 0.0 && after > 0.0 {
        return Ok(());
    }
    let (en, zh) = (noun.as_str(), word(noun));
    Err(Text::made(
        format!("{en}s confirmed: {before} before the kill, {after} after it"),
        format!("{zh}的确认：被杀之前 {before} 条，之后 {after} 条"),
    ))
}
