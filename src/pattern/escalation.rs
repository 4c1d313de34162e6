//! The scheduled scan: gives up what is out of attempts, and tells somebody.
//!
//! *When:* beside every [relay], as a job of its own: what a relay cannot
//! deliver is no longer a matter for programs. *Cost:* two small queries each
//! time, whatever the table holds that is done with; and a person who reads
//! the mail, mends what is wrong and [replays] the rows. *Does not protect
//! from:* the same alert twice (told first, noted afterwards), nor from a mail
//! server that is down: the rows stay untold, and the next scan tries again.
//!
//! It also looks at the *age* of the oldest open row: so a relay shows that
//! has died in silence, or a broker that accepts and never confirms.
//!
//! [relay]: super::relay
//! [replays]: super::outbox::Outbox::replay

use std::{fmt::Write, time::Duration};

use super::{
    alert::{AlertError, Mailer, Notice},
    outbox::{Desk, Moment, OutboxError, State, Told},
};

/// The job. One at a time: two would tell everything twice.
pub struct Escalation {
    desk: Desk,
    mailer: Mailer,
    settings: Settings,
    told_of_age: Option<Moment>,
}

/// How the job behaves.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The relay's own number: a row with so many attempts is given up.
    pub attempts: u32,
    /// Messages that the mail names; of the others it says how many.
    pub named: usize,
    /// An open row that is older is told of, too.
    pub age: Duration,
}

/// Rows that one mail speaks of at most; the next scan tells of the others.
const MOST: u32 = 100_000;

impl Default for Settings {
    /// For the relay's default of ten attempts.
    fn default() -> Self {
        Self { attempts: 10, named: 1_000, age: Duration::from_secs(3_600) }
    }
}

/// What a scan has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Rows marked as failed.
    pub failed: usize,
    /// Rows that somebody was told of.
    pub told: usize,
    /// How long the oldest open row has been waiting.
    pub age: Option<Duration>,
}

/// A scan that did not come to its end. What it has done is noted.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The table.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The mail. The rows stay untold.
    #[error(transparent)]
    Alert(#[from] AlertError),
}

impl Escalation {
    /// A job on this table that tells by this mailer.
    pub fn new(desk: Desk, mailer: Mailer, settings: Settings) -> Self {
        Self { desk, mailer, settings, told_of_age: None }
    }

    /// Scans once.
    ///
    /// # Errors
    /// [`ScanError`]; the next scan takes up where this one ended.
    pub async fn scan(&mut self, now: Moment) -> Result<Scanned, ScanError> {
        let Settings { attempts, named, age: limit } = self.settings;
        let failed = self
            .desk
            .work(move |outbox| outbox.fail_exhausted(attempts, now))
            .await?
            .len();
        // First: a mail that cannot be sent must not hide that nothing moves.
        let age = self.desk.work(move |outbox| outbox.age(now)).await?;
        let old = age.filter(|age| *age > limit);
        let quiet = |at: Moment| now.since(at) < limit;
        if let Some(old) = old
            && !self.told_of_age.is_some_and(quiet)
        {
            self.mailer.send(&too_old(old)).await?;
            self.told_of_age = Some(now);
        }
        let rows = self.desk.work(|outbox| outbox.untold(MOST)).await?;
        let told = rows.len();
        if told > 0 {
            self.mailer.send(&given_up(&rows, named)).await?;
            self.desk.work(move |outbox| outbox.mark_told(&rows, now)).await?;
        }
        Ok(Scanned { failed, told, age })
    }

    /// Scans again and again until the future ends. A scan that fails is
    /// left to the next one, and `failed` hears of it.
    pub async fn run<F: Future>(
        &mut self,
        every: Duration,
        mut failed: impl FnMut(ScanError),
        until: F,
    ) -> F::Output {
        let mut until = std::pin::pin!(until);
        loop {
            if let Err(error) = self.scan(Moment::now()).await {
                failed(error);
            }
            tokio::select! {
                output = &mut until => return output,
                () = tokio::time::sleep(every) => {}
            }
        }
    }
}

fn given_up(rows: &[Told], named: usize) -> Notice {
    let many = rows.len();
    let mut body = format!(
        "{many} messages were not published. Mend what is wrong, then \
         replay them.\n{many} 条消息没有发出去。排除故障后请重放。\n\n"
    );
    for Told { message, state, attempts, why, .. } in rows.iter().take(named) {
        let what = match state {
            State::Returned => "no queue takes it / 路由不到队列",
            _ => "no confirm / 没有确认",
        };
        let why = why.as_deref().unwrap_or(what);
        // Writing to a string does not fail.
        let _ = writeln!(body, "{message}  {attempts} x  {why}");
    }
    if let Some(more) = many.checked_sub(named).filter(|more| *more > 0) {
        let _ = writeln!(body, "and {more} more / 另有 {more} 条");
    }
    let subject =
        format!("{many} messages were given up / {many} 条消息发送失败");
    Notice { subject, body }
}

fn too_old(age: Duration) -> Notice {
    let seconds = age.as_secs();
    Notice {
        subject: format!(
            "the oldest unpublished message is {seconds} s old / \
             最老的未发消息已等了 {seconds} 秒"
        ),
        body: "Is a relay running? Does the broker confirm?\n\
               转发程序还在运行吗？broker 还在确认吗？"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ledger::Noun,
        pattern::{
            outbox::{self, Claim, Outbox, Sync},
            publisher::Outgoing,
        },
    };

    const NOW: Moment = Moment::from_millis(1_000_000);

    fn told(many: u32) -> Vec<Told> {
        let row = |seq: u32| Told {
            seq: seq.into(),
            message: Noun::Order.number(seq).to_string(),
            state: State::Failed,
            attempts: 3,
            why: None,
        };
        (1..=many).map(row).collect()
    }

    #[test]
    fn a_mail_names_the_first_and_counts_the_others() {
        let notice = given_up(&told(5), 3);
        assert!(notice.subject.starts_with("5 messages were given up"));
        assert!(notice.body.contains("order-0003  3 x  no confirm"));
        assert!(!notice.body.contains("order-0004"));
        assert!(notice.body.ends_with("and 2 more / 另有 2 条\n"));
        assert!(!given_up(&told(3), 3).body.contains("more"));
    }

    #[tokio::test]
    async fn with_the_mail_server_down_the_rows_stay_untold() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.db");
        let mut outbox = Outbox::open(&path, Sync::Normal).unwrap();
        let id = Noun::Order.number(1);
        let message = Outgoing { id, body: Vec::new() };
        outbox.transaction(|tx| outbox::write(tx, &message, NOW)).unwrap();
        let lease = Duration::ZERO;
        let claim = Claim { relay: "r", rows: 1, lease, attempts: 1 };
        outbox.claim(&claim, NOW).unwrap();
        let nobody = ([127, 0, 0, 1], 1).into();
        let mailer = Mailer::new(nobody, "a@x.example", "b@x.example").unwrap();
        let settings = Settings { attempts: 1, ..Settings::default() };
        let mut job = Escalation::new(Desk::new(outbox), mailer, settings);
        let (heard, mut hear) = tokio::sync::mpsc::unbounded_channel();
        let twice = async { [hear.recv().await, hear.recv().await] };
        let every = Duration::from_millis(1);
        let tell = |failed| assert!(heard.send(failed).is_ok());
        for failed in job.run(every, tell, twice).await {
            let mail = matches!(failed, Some(ScanError::Alert(_)));
            assert!(mail, "{failed:?}");
        }
        let outbox = Outbox::open(&path, Sync::Normal).unwrap();
        assert_eq!(outbox.untold(10).unwrap().len(), 1);
        let state = outbox.state(id).unwrap().map(|(state, _)| state);
        assert_eq!(state, Some(State::Failed));
    }
}
