//! The shop of one chain: what it takes, where that waits, and how it is
//! published.

use std::{path::PathBuf, time::Duration};

use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::time::sleep;

use super::{
    links::{Chain, Link},
    site::{SHOP, SOON, Site},
};
use crate::{
    demos::shop::{
        orders::{Ran, order},
        till,
    },
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Witness},
    pattern::{
        outbox::{Claim, Moment, Outbox, Outcome, Settled},
        publisher::{Answer, Outgoing},
    },
    text,
};

const COURIER: &str = "courier";
/// An attempt without an answer is made again after so long.
const AGAIN: Duration = Duration::from_millis(50);
const LEASE: Duration = Duration::from_secs(60);
/// Of rows or messages at a time.
const MANY: u32 = 10_000;

/// Where what was promised waits until it is published.
enum Waiting {
    /// In the table of messages.
    InTable,
    /// In the memory of the process: what is open, and what came back.
    InMemory { open: Vec<Outgoing>, returned: Vec<MessageId> },
}

/// One process that takes orders and publishes them.
pub struct Shop {
    chain: Chain,
    database: Outbox,
    waiting: Waiting,
    link: Option<(Connection, Channel)>,
}

/// What is to be published: in the table, a row and which attempt it is.
struct Due {
    message: Outgoing,
    row: Option<(i64, u32)>,
}

impl Shop {
    /// Starts with what the database knows.
    pub fn open(lab: &Lab, chain: Chain) -> anyhow::Result<Self> {
        let waiting = match chain.has(Link::Outbox) {
            true => Waiting::InTable,
            false => Waiting::InMemory { open: vec![], returned: vec![] },
        };
        let mut database = till::open(&directory(lab, chain)?)?;
        database.release(COURIER, |_| true, Moment::now())?;
        Ok(Self { chain, database, waiting, link: None })
    }

    /// Takes every order of its chain, and tells each customer yes. The
    /// process dies after the first commit, and another takes the rest.
    pub fn take_orders(mut self, site: &Site) -> anyhow::Result<Self> {
        let (lab, chain) = (&site.lab, self.chain);
        for id in chain.of(lab.messages()) {
            self.take(lab, id)?;
            let strike = Strike::DieAfterCommit;
            if chain.meets(lab, strike, id) {
                self = Self::open(lab, chain)?;
                site.struck(strike, id);
            }
        }
        Ok(self)
    }

    fn take(&mut self, lab: &Lab, id: MessageId) -> Ran {
        match &mut self.waiting {
            Waiting::InTable => till::place(lab, &mut self.database, [id])?,
            Waiting::InMemory { open, .. } => {
                self.database.transaction(|tx| till::save(tx, id))?;
                lab.saw(id, Fact::Accepted);
                open.push(order(id));
            }
        }
        Ok(())
    }

    /// Publishes what waits, until nothing does.
    pub async fn publish(&mut self, site: &Site) -> Ran {
        loop {
            let due = self.due()?;
            if due.is_empty() {
                match self.has_open()? {
                    true => sleep(AGAIN).await,
                    false => return Ok(()),
                }
                continue;
            }
            let mut answers = Vec::with_capacity(due.len());
            for Due { message, .. } in &due {
                let cut = self.is_to_be_cut(site, message.id);
                answers.push(self.put(site, message).await);
                if cut {
                    self.until_cut(site, message.id).await?;
                }
            }
            if !self.chain.has(Link::Confirms) {
                self.heed_returns(&due, &mut answers).await?;
            }
            for (due, answer) in due.into_iter().zip(answers) {
                site.lab.saw(due.message.id, self.heard(answer));
                self.settle(site, due, answer)?;
            }
        }
    }

    /// One attempt. Where no confirm was asked for, none is waited for.
    async fn put(&mut self, site: &Site, message: &Outgoing) -> Answer {
        let id = message.id;
        let transient = [Link::Persistent, Link::DeliveryMode];
        let transient = transient.iter().any(|link| !self.chain.has(*link));
        let mode = if transient { 1 } else { 2 };
        let options = BasicPublishOptions {
            mandatory: self.chain.has(Link::Mandatory),
            ..Default::default()
        };
        let properties = BasicProperties::default()
            .with_delivery_mode(mode)
            .with_message_id(id.to_string().into());
        let key = key(site, self.chain, id);
        let channel = match self.channel(site).await {
            Ok(channel) => channel,
            Err(_) => return Answer::Unknown,
        };
        site.lab.saw(id, Fact::Sent);
        let (to, key) = (SHOP.into(), key.as_str().into());
        let put =
            channel.basic_publish(to, key, options, &message.body, properties);
        match put.await {
            Ok(answer) => match answer.await {
                Ok(Confirmation::Ack(None) | Confirmation::NotRequested) => {
                    Answer::Confirmed
                }
                Ok(Confirmation::Ack(Some(_))) => Answer::Returned,
                Ok(Confirmation::Nack(_)) => Answer::Nacked,
                Err(_) => Answer::Unknown,
            },
            Err(_) => Answer::Unknown,
        }
    }

    fn is_to_be_cut(&self, site: &Site, id: MessageId) -> bool {
        self.chain.meets(&site.lab, Strike::CutBeforePublish, id)
            && !site.has_struck(Strike::CutBeforePublish, id)
    }

    /// The fault must have struck before anything else is published: what is
    /// written to a dying connection would be lost, too.
    async fn until_cut(&mut self, site: &Site, id: MessageId) -> Ran {
        let what = text! { en: "the connection to be cut", zh: "连接被切断" };
        let link = self.link.as_ref();
        let dead = || {
            site.has_struck(Strike::CutBeforePublish, id)
                && link.is_none_or(|(link, _)| !link.status().connected())
        };
        site.lab.wait_until(what, SOON, || async { Ok(dead()) }).await
    }

    /// A listener hears what comes back without any confirm.
    async fn heed_returns(
        &mut self,
        due: &[Due],
        answers: &mut [Answer],
    ) -> Ran {
        let Some((_, channel)) = &self.link else { return Ok(()) };
        // After the answer to this, every return is here.
        let passive =
            QueueDeclareOptions { passive: true, ..Default::default() };
        let (dead, none) = (self.chain.dead_letters(), FieldTable::default());
        channel.queue_declare(dead.as_str().into(), passive, none).await?;
        for back in channel.wait_for_confirms().await? {
            let id = back.delivery.properties.message_id().clone();
            let at = due.iter().position(|due| {
                id.as_ref()
                    .is_some_and(|id| id.as_str() == due.message.id.to_string())
            });
            if let Some(answer) = at.and_then(|at| answers.get_mut(at)) {
                *answer = Answer::Returned;
            }
        }
        Ok(())
    }

    /// What was written and never answered is taken for sent here, and is
    /// unknown to the ledger.
    fn heard(&self, answer: Answer) -> Fact {
        match answer {
            Answer::Confirmed if self.chain.has(Link::Confirms) => {
                Fact::Confirmed
            }
            Answer::Confirmed | Answer::Unknown => Fact::Unknown,
            Answer::Nacked => Fact::Nacked,
            Answer::Returned => Fact::Returned,
        }
    }

    async fn channel(&mut self, site: &Site) -> anyhow::Result<Channel> {
        if let Some((link, channel)) = &self.link
            && link.status().connected()
        {
            return Ok(channel.clone());
        }
        let how = ConnectionProperties::default();
        let uri = site.uri(Some(&site.producers))?;
        let link = Connection::connect(&uri, how).await?;
        let channel = link.create_channel().await?;
        if self.chain.has(Link::Confirms) {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
        }
        self.link = Some((link, channel.clone()));
        Ok(channel)
    }

    fn due(&mut self) -> anyhow::Result<Vec<Due>> {
        if let Waiting::InMemory { open, .. } = &mut self.waiting {
            let due = |message| Due { message, row: None };
            return Ok(open.drain(..).map(due).collect());
        }
        let claim = Claim {
            relay: COURIER,
            rows: MANY,
            lease: LEASE,
            attempts: u32::MAX,
        };
        let rows = self.database.claim(&claim, Moment::now())?;
        let due = rows.into_iter().map(|row| Due {
            message: row.message,
            row: Some((row.seq, row.attempt)),
        });
        Ok(due.collect())
    }

    fn has_open(&self) -> anyhow::Result<bool> {
        match &self.waiting {
            Waiting::InTable => Ok(self.database.has_open(u32::MAX)?),
            Waiting::InMemory { open, .. } => Ok(!open.is_empty()),
        }
    }

    fn settle(&mut self, site: &Site, due: Due, answer: Answer) -> Ran {
        let id = due.message.id;
        if answer == Answer::Returned {
            site.struck(Strike::Unroutable, id);
        }
        let again = Moment::now().after(AGAIN);
        match (&mut self.waiting, due.row) {
            (Waiting::InMemory { open, returned }, _) => match answer {
                Answer::Confirmed => {}
                Answer::Returned => returned.push(id),
                Answer::Nacked | Answer::Unknown => open.push(due.message),
            },
            (Waiting::InTable, Some((seq, attempt))) => {
                let outcome = match answer {
                    Answer::Confirmed => Outcome::Confirmed,
                    Answer::Returned => Outcome::Returned,
                    Answer::Nacked => Outcome::Again(again),
                    Answer::Unknown => Outcome::Unknown(again),
                };
                let settled = Settled { seq, attempt, outcome };
                self.database.settle(COURIER, &[settled])?;
            }
            (Waiting::InTable, None) => {}
        }
        Ok(())
    }

    /// What came back, and nobody was told of.
    pub fn untold(&self) -> anyhow::Result<Vec<String>> {
        Ok(match &self.waiting {
            Waiting::InTable => {
                let rows = self.database.untold(MANY)?;
                rows.into_iter().map(|row| row.message).collect()
            }
            Waiting::InMemory { returned, .. } => {
                returned.iter().map(MessageId::to_string).collect()
            }
        })
    }

    /// Somebody has mended what was wrong: what came back goes out again.
    pub fn replay(&mut self) -> Ran {
        match &mut self.waiting {
            Waiting::InTable => {
                self.database.replay(Moment::now())?;
            }
            Waiting::InMemory { open, returned } => {
                open.extend(returned.drain(..).map(order));
            }
        }
        Ok(())
    }
}

/// The key of an order. One has a key that leads nowhere, until somebody binds
/// it.
pub fn key(site: &Site, chain: Chain, id: MessageId) -> String {
    match chain.meets(&site.lab, Strike::Unroutable, id) {
        true => astray(chain),
        false => chain.queue(),
    }
}

/// The key that leads nowhere.
pub fn astray(chain: Chain) -> String {
    format!("{}.eu", chain.queue())
}

/// What one chain keeps in files.
pub fn directory(lab: &Lab, chain: Chain) -> std::io::Result<PathBuf> {
    let dir = lab.dir().join(chain.queue());
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}
