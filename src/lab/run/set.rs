//! What a way stands on: made for it, and taken away after it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use super::{How, Session, heard};
use crate::{
    event::WayName,
    lab::{Inner, Lab, Plan, Scenario, lock, trouble::no_room},
    ledger::{Ledger, Noun},
    problem::Problem,
    stage::{Broker, Cluster, Persistence, Redis},
};

impl Session {
    /// Everything a way needs, and nothing that another way has used.
    pub(super) async fn lab(
        &self,
        noun: Noun,
        scenario: &'static Scenario,
        way: WayName,
        how: How,
        cluster: Option<Arc<Cluster>>,
    ) -> Result<Lab, Problem> {
        // There is room for what one way has of its own.
        let before = std::mem::take(&mut *lock(&self.kept));
        self.remove(before).await;
        let name = format!("{}{}.{}", self.prefix, scenario.id, way.as_str());
        let dir = self.dir.join(&name);
        std::fs::create_dir_all(&dir).map_err(|e| no_room(&dir, &e))?;
        let own_broker = match scenario.needs.own_broker {
            true => Some(self.own_broker(&name).await?),
            false => None,
        };
        let broker = own_broker.as_ref().unwrap_or(&self.stage.broker);
        match &cluster {
            Some(cluster) => cluster.make_vhost(&name).await?,
            None => broker.management.make_vhost(&name).await?,
        }
        let own_redis = self.own_redis(scenario, &name).await?;
        let lab = Lab(Arc::new(Inner {
            way,
            stage: self.stage.clone(),
            vhost: name,
            dir,
            noun,
            messages: how.messages,
            plan: Plan::choose(
                noun,
                scenario.strikes,
                scenario.hits,
                how.messages,
                how.seed,
            ),
            armed: how.armed,
            own_redis,
            own_broker,
            cluster,
            started: Mutex::default(),
            keep: self.keep,
            narrator: self.narrator.clone(),
            began: self.began,
            ledger: Mutex::new(Ledger::new(noun, how.messages)),
            hits: Mutex::default(),
            observed: Mutex::default(),
            steps: Mutex::new(0),
            owed: Mutex::default(),
        }));
        if let Some(own) = &lab.0.own_broker {
            lab.stands_alone(own);
        }
        Ok(lab)
    }

    /// A broker for one way, like the one that all share.
    async fn own_broker(&self, way: &str) -> Result<Broker, Problem> {
        let (engine, shared) = (&self.stage.engine, &self.stage.broker);
        let name = format!("broker-{way}");
        let hear = |news| self.narrator.tell(heard(news));
        Broker::start(engine, shared.image(), &name, &hear).await
    }

    /// A Redis for one way, where it needs one, like the one that all share.
    async fn own_redis(
        &self,
        scenario: &Scenario,
        way: &str,
    ) -> Result<Option<Redis>, Problem> {
        let shared = self.stage.redis.as_ref();
        let Some(shared) = shared.filter(|_| scenario.needs.own_redis) else {
            return Ok(None);
        };
        let (engine, name) = (&self.stage.engine, format!("redis-{way}"));
        let off = Persistence::Off;
        Redis::start(engine, shared.image(), &name, off).await.map(Some)
    }

    /// Takes away what a way stood on, so that the next finds it empty. What
    /// cannot be taken away now goes with the stage, and for somebody who
    /// looks the last way's stays until then.
    pub(super) async fn strike_set(&self, lab: &Lab) {
        let mut own = std::mem::take(&mut *lock(&lab.0.started));
        if let Some(broker) = &lab.0.own_broker {
            own.push(broker.container().to_owned());
        } else if let Some(cluster) = &lab.0.cluster {
            self.clear(cluster, lab.vhost()).await;
        } else if !self.keep {
            let management = &self.stage.broker.management;
            let _ = management.remove_vhost(lab.vhost()).await;
        }
        if let Some(redis) = &lab.0.own_redis {
            own.push(redis.container().to_owned());
        }
        if self.keep {
            lock(&self.kept).extend(own);
        } else {
            self.remove(own).await;
        }
        let _ = std::fs::remove_dir_all(lab.dir());
    }

    async fn remove(&self, containers: Vec<String>) {
        for container in containers {
            self.stage.engine.remove(&container).await;
        }
    }

    /// Where the log of the scenario's broker is kept.
    pub(super) async fn log_of(&self, scenario: &Scenario) -> Option<String> {
        let kept = self.log_path(scenario)?;
        if !kept.exists() {
            if scenario.needs.own_broker || scenario.needs.cluster.is_some() {
                return None;
            }
            std::fs::write(&kept, self.stage.broker.log().await).ok()?;
        }
        Some(kept.display().to_string())
    }

    /// Keeps the log of a way's broker beside the record, for whoever has to
    /// find out, and those of all that the way has started.
    pub(super) async fn keep_logs(
        &self,
        scenario: &Scenario,
        lab: &Lab,
    ) -> Option<()> {
        let mut logs = String::new();
        match &lab.0.cluster {
            Some(cluster) => {
                for node in &cluster.nodes {
                    let (name, log) = (&node.service.container, node.log());
                    logs += &format!("\n=== {name}\n{}", log.await);
                }
            }
            None => logs = lab.broker().log().await,
        }
        let started = lock(&lab.0.started).clone();
        for container in started {
            let log = self.stage.engine.log(&container).await;
            logs.push_str(&format!("\n=== {container}\n{log}"));
        }
        std::fs::write(self.log_path(scenario)?, logs).ok()
    }

    fn log_path(&self, scenario: &Scenario) -> Option<PathBuf> {
        Some(self.dir.parent()?.join(format!("{}.broker.log", scenario.id)))
    }
}
