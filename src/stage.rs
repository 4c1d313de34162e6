//! What a demo stands on: a broker and, where needed, Redis and a mail
//! sink, in containers started through testcontainers.
//!
//! The lab puts a [`Stage`] up, gives each way of each scenario a vhost of
//! its own on it, and takes it down. Everything made here carries the run's
//! id as a label, so that whatever happens it can be found and removed
//! ([`reap`]). Ports are published on the loopback address only.

pub mod balancer;
pub mod broker;
pub mod cluster;
pub mod docker;
pub mod http;
pub mod image;
pub mod mail;
pub mod memory;
mod ports;
pub mod reap;
pub mod redis;

use std::time::{Duration, Instant};

use crate::{problem::Problem, text::Text};

pub use balancer::{Balancers, Balancing};
pub use broker::{Broker, BrokerChoice};
pub use cluster::Cluster;
pub use docker::{Engine, RunId};
pub use mail::{Letter, MailSink};
pub use redis::{Persistence, Redis};

/// News while something takes a while: what is awaited, and its limit.
pub enum News {
    /// Something begins that takes a while.
    Awaiting(Text, Option<Duration>),
    /// It goes on.
    Progress(Text),
    /// It is there, after so long.
    There(Duration),
}

/// Whoever wants to hear the news.
pub type Hear<'a> = &'a (dyn Fn(News) + Send + Sync);

/// What the stage must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which broker.
    pub broker: BrokerChoice,
    /// Whether Redis is needed.
    pub redis: bool,
    /// Whether mail is sent.
    pub mail: bool,
}

/// A stage that stands.
pub struct Stage {
    /// The engine it stands on.
    pub engine: Engine,
    /// The broker.
    pub broker: Broker,
    /// Redis without persistence, where it was wanted.
    pub redis: Option<Redis>,
    /// Where mail arrives, where it was wanted.
    pub mail: Option<MailSink>,
    /// From nothing to everything answering.
    pub took: Duration,
}

impl Stage {
    /// What it holds, the broker first.
    pub fn services(&self) -> Vec<crate::event::Service> {
        let redis = self.redis.iter().map(|redis| redis.service.clone());
        let mail = self.mail.iter().map(|mail| mail.service.clone());
        let broker = std::iter::once(self.broker.service.clone());
        broker.chain(redis).chain(mail).collect()
    }

    /// Puts up what is wanted: images first, then everything at once.
    ///
    /// # Errors
    /// A [`Problem`] that says what a person can do about it.
    pub async fn up(
        engine: &Engine,
        wanted: &Wanted,
        hear: Hear<'_>,
    ) -> Result<Self, Problem> {
        let broker_image =
            image::resolve(engine, wanted.broker.image(), hear).await?;
        let named = async |wanted, name| match wanted {
            true => {
                let name = image::Reference::Named(name);
                image::resolve(engine, name, hear).await.map(Some)
            }
            false => Ok(None),
        };
        let redis_image = named(wanted.redis, "redis").await?;
        let mail_image = named(wanted.mail, "tools").await?;
        let began = Instant::now();
        engine.make_network().await?;
        let redis = async {
            match redis_image {
                Some(image) => {
                    Redis::start(engine, &image, "redis", Persistence::Off)
                        .await
                        .map(Some)
                }
                None => Ok(None),
            }
        };
        let mail = async {
            match mail_image {
                Some(image) => {
                    MailSink::start(engine, &image, "mail").await.map(Some)
                }
                None => Ok(None),
            }
        };
        let (broker, redis, mail) = tokio::try_join!(
            Broker::start(engine, &broker_image, "broker", hear),
            redis,
            mail
        )?;
        Ok(Self {
            engine: engine.clone(),
            broker,
            redis,
            mail,
            took: began.elapsed(),
        })
    }
}
