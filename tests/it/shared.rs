//! Brokers that trials share, each started when the first trial needs it.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use libtest_mimic::{Failed, Trial};
use rmq_lab::{
    demos::TOPICS,
    event::{Ended, Stamped},
    lab::{
        Clusters, Scenario, Topic,
        catalogue::{Entry, entries},
        run::{How, Place, Session},
    },
    narrate::{Narrator, Pace, View},
    problem::Problem,
    stage::{BrokerChoice, Engine, RunId, Stage, Wanted, reap},
    text::Lang,
};
use tokio::{runtime::Handle, sync::OnceCell, time::timeout};

/// The brokers of a test run. Cheap to clone.
#[derive(Clone)]
pub struct Brokers(Arc<Inner>);

struct Inner {
    runtime: Handle,
    dir: tempfile::TempDir,
    four: OnceCell<Arc<Stage>>,
    three: OnceCell<Arc<Stage>>,
    runs: AtomicU32,
    clusters: Clusters,
}

/// Which of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Series {
    /// RabbitMQ 4.
    Four,
    /// RabbitMQ 3.
    Three,
}

/// A vhost that one trial has to itself.
#[derive(Clone)]
pub struct Apart {
    pub stage: Arc<Stage>,
    pub vhost: String,
}

const APART_WITHIN: Duration = Duration::from_secs(60);

struct Silent;

impl View for Silent {
    fn tell(&mut self, _: &Stamped) -> io::Result<()> {
        Ok(())
    }
}

impl Brokers {
    pub fn new(runtime: Handle) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Self(Arc::new(Inner {
            runtime,
            dir,
            four: OnceCell::new(),
            three: OnceCell::new(),
            runs: AtomicU32::new(0),
            clusters: Clusters::default(),
        }))
    }

    /// A trial that runs one scenario on a shared broker and looks at how it
    /// ended.
    pub fn trial(
        &self,
        name: String,
        series: Series,
        entry: Entry,
        how: How,
        look: impl Fn(&Ended) -> Result<(), Failed> + Send + 'static,
    ) -> Trial {
        let brokers = self.clone();
        Trial::test(name, move || {
            let runtime = brokers.0.runtime.clone();
            let ended = runtime.block_on(brokers.run(series, entry, how));
            look(&ended.map_err(|problem| format!("{:?}", problem))?)
        })
    }

    /// A trial that does as it likes in a vhost of its own on a shared broker.
    pub fn apart<F: Future<Output = anyhow::Result<()>>>(
        &self,
        name: String,
        series: Series,
        act: impl FnOnce(Apart) -> F + Send + 'static,
    ) -> Trial {
        let brokers = self.clone();
        Trial::test(name, move || {
            let runtime = brokers.0.runtime.clone();
            let ended = runtime.block_on(async {
                let stage = brokers.stage(series).await?;
                let run = brokers.0.runs.fetch_add(1, Ordering::Relaxed);
                let vhost = format!("apart.{run}");
                let apart = Apart { stage, vhost };
                let management = &apart.stage.broker.management;
                management.make_vhost(&apart.vhost).await?;
                let ended = timeout(APART_WITHIN, act(apart.clone())).await;
                management.remove_vhost(&apart.vhost).await?;
                ended.context("it does not come to an end")?
            });
            ended.map_err(|error| format!("{error:#}").into())
        })
    }

    async fn run(
        &self,
        series: Series,
        entry: Entry,
        how: How,
    ) -> Result<Ended, Problem> {
        let stage = self.stage(series).await?;
        let run = self.0.runs.fetch_add(1, Ordering::Relaxed);
        let dir = self.0.dir.path().join(run.to_string());
        let began = Instant::now();
        let view = Box::new(Silent);
        let session = Session {
            stage,
            narrator: Narrator::new(began, None, view, Pace::Through, Lang::En),
            began,
            dir: dir.join("work"),
            prefix: format!("{run}."),
            keep: false,
            kept: Arc::default(),
            clusters: self.0.clusters.clone(),
        };
        let place = Place { index: 1, of: 1 };
        session.scenario(entry.topic, entry.scenario, place, how).await
    }

    async fn stage(&self, series: Series) -> Result<Arc<Stage>, Problem> {
        let (cell, broker) = match series {
            Series::Four => (&self.0.four, BrokerChoice::Four),
            Series::Three => (&self.0.three, BrokerChoice::Three),
        };
        cell.get_or_try_init(|| async {
            let engine = Engine::connect(RunId::random()).await?;
            let _ = reap::remove_orphans(engine.docker()).await;
            let mail = all().any(|entry| entry.scenario.needs.mail);
            let wanted = Wanted { broker, redis: true, mail };
            match Stage::up(&engine, &wanted, &|_| {}).await {
                Ok(stage) => Ok(Arc::new(stage)),
                Err(problem) => {
                    engine.tear_down().await;
                    Err(problem)
                }
            }
        })
        .await
        .cloned()
    }

    /// Removes them. Returns how much is left all the same.
    pub async fn tear_down(&self) -> u32 {
        let mut left = 0;
        for stage in [&self.0.four, &self.0.three] {
            if let Some(stage) = stage.get() {
                left += stage.engine.tear_down().await;
            }
        }
        left
    }
}

/// Removes what trials that were broken off had made for themselves.
pub async fn remove_ours() -> anyhow::Result<()> {
    let engine = Engine::connect(RunId::random()).await?;
    let us = reap::Owner::this();
    for left in reap::leftovers(engine.docker()).await? {
        if left.owner.as_ref() == Some(&us) {
            reap::remove(engine.docker(), &left).await;
        }
    }
    Ok(())
}

/// Every scenario of the catalogue.
pub fn all() -> impl Iterator<Item = Entry> {
    entries(TOPICS)
}

/// A scenario made for a trial, in a topic of its own.
pub fn made(topic: &'static Topic, scenario: &'static Scenario) -> Entry {
    Entry { topic, scenario }
}

/// The usual run.
pub fn usual() -> How {
    How { messages: 100, seed: 11, without: None, armed: true, ask: false }
}

/// The built binary.
pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_rmq-lab"))
}
