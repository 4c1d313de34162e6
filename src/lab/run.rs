//! The lifecycle, the same for every scenario.
//!
//! A [`Session`] is one stage and everything that is run on it. A scenario
//! runs its ways one after another, each in a vhost and a directory of its
//! own, audits each, and judges. What goes wrong in between makes the
//! scenario inconclusive; what is wrong with the environment ends the run.

mod parts;
mod set;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::time::timeout;

use self::parts::{Part, parts};
use super::{
    Clusters, Mechanism, Outcome, RanOut, Scenario, Topic, Ways,
    ground::Ground,
    millis,
    scenario::OnlyFour,
    trouble::told,
    verdict::{Case, judge},
};
use crate::{
    event::{Chart, Choice, Ended, Event, Grid, Verdict, WayName, WayResult},
    ledger::{Audit, Noun},
    narrate::Narrator,
    problem::Problem,
    stage::{Cluster, News, Stage},
    text,
    text::Text,
};

/// Messages each way sends where nothing else is said.
pub const MESSAGES: u32 = 200;
/// The most that `--messages` takes: the ledger then needs 400 MB.
pub const MOST_MESSAGES: u32 = 10_000_000;
/// Anomalies that an event carries.
const ANOMALIES: usize = 20;

/// How a scenario is to be run.
#[derive(Clone, Copy)]
pub struct How {
    /// Messages each way sends.
    pub messages: u32,
    /// The seed of every random choice.
    pub seed: u64,
    /// The mechanism to leave out of the fixed way.
    pub without: Option<&'static Mechanism>,
    /// Whether faults strike. Without them nothing can be proven; only tests
    /// turn them off.
    pub armed: bool,
    /// Whether to ask for a prediction.
    pub ask: bool,
}

/// One stage and what is run on it. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    /// The stage.
    pub stage: Arc<Stage>,
    /// Who tells it.
    pub narrator: Narrator,
    /// When the run began.
    pub began: Instant,
    /// Where the ways keep their files.
    pub dir: PathBuf,
    /// What the names of its vhosts begin with: nothing, unless several
    /// sessions share a stage.
    pub prefix: String,
    /// Whether vhosts stay until the stage goes, for somebody who looks, and
    /// what the last way has started for itself.
    pub keep: bool,
    /// Containers of a way that are kept until the next one begins.
    pub kept: Arc<Mutex<Vec<String>>>,
    /// The clusters that its scenarios share.
    pub clusters: Clusters,
}

/// A scenario's place in a run.
#[derive(Clone, Copy)]
pub struct Place {
    /// From 1.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

impl Session {
    /// Why a scenario cannot be run on this stage, if it cannot.
    pub fn cannot(&self, scenario: &Scenario) -> Option<Text> {
        let only = scenario.needs.only_four?;
        let (major, minor, _) = self.stage.broker.version;
        ((major, minor) < only.since()).then(|| only.why())
    }

    /// Runs one scenario to its verdict.
    ///
    /// # Errors
    /// A [`Problem`] of the environment; whatever else goes wrong makes the
    /// scenario inconclusive.
    pub async fn scenario(
        &self,
        topic: &Topic,
        scenario: &'static Scenario,
        place: Place,
        how: How,
    ) -> Result<Ended, Problem> {
        let messages = how.messages.min(scenario.needs.most);
        let how = How { messages, ..how };
        let mut ground = self.ground(scenario).await?;
        let product = ground.product(&self.stage).to_owned();
        let (major, minor, _) = ground.broker(&self.stage).version;
        let started = self.started(topic, scenario, (place, product), how);
        self.narrator.tell(started);
        if how.ask {
            let choices = choices(scenario);
            let guess =
                self.narrator.ask(&scenario.predict.question, &choices).await;
            self.narrator.tell(Event::Predicted { guess });
        }
        let (mut ways, mut grids) = (BTreeMap::new(), Vec::new());
        for part in parts(scenario, how.without) {
            let (result, shown) =
                self.way(topic.noun, scenario, &part, how, &mut ground).await?;
            ways.insert(part.name, result);
            grids.extend(shown);
        }
        let (verdict, why) = judge(&Case {
            ways: &ways,
            without: how.without.map(|mechanism| &mechanism.name),
            tried: self.has_been_tried(scenario, (major, minor)),
            measure: matches!(scenario.ways, Ways::Measure(_)),
        });
        let broker_log = match verdict {
            Verdict::Proven | Verdict::Observed => None,
            Verdict::Refuted | Verdict::Inconclusive => {
                self.log_of(scenario).await
            }
        };
        // The ways' own time: a reader may think as long as they like.
        let took_ms = ways.values().map(|way: &WayResult| way.took_ms).sum();
        // What the run with a mechanism taken out shows is said by its `why`.
        let unless_without = |text: &Text| match how.without {
            Some(_) => Text::default(),
            None => text.clone(),
        };
        let ended = Ended {
            topic: topic.id.to_owned(),
            scenario: scenario.id.to_owned(),
            noun: topic.noun,
            verdict,
            why,
            without: how.without.map(|mechanism| mechanism.id.to_owned()),
            columns: scenario.columns.to_vec(),
            figures: owned(scenario.figures),
            charts: charts(scenario, &ways),
            grids,
            ways,
            right: how.without.is_none().then(|| key(scenario.predict.right)),
            claim: unless_without(&scenario.claim),
            fix: unless_without(&scenario.fix),
            limit: unless_without(&scenario.limit),
            say: unless_without(&scenario.say),
            seed: how.seed,
            messages: how.messages,
            took_ms,
            again: again(topic, scenario, how),
            broker_log,
        };
        self.narrator.tell(Event::Verdict(Box::new(ended.clone())));
        self.narrator.checkpoint().await;
        Ok(ended)
    }

    /// Whether what is expected was tried on this version; of what compares
    /// two, on both.
    fn has_been_tried(&self, scenario: &Scenario, on: (u16, u16)) -> bool {
        let (major, minor, _) = self.stage.broker.version;
        let compares = scenario.needs.only_four == Some(OnlyFour::Compared);
        scenario.tried.contains(&on)
            && (!compares || scenario.tried.contains(&(major, minor)))
    }

    async fn way(
        &self,
        noun: Noun,
        scenario: &'static Scenario,
        part: &Part,
        how: How,
        ground: &mut Ground,
    ) -> Result<(WayResult, Vec<Grid>), Problem> {
        let (way, title) = (part.name, part.title.clone());
        self.narrator.tell(Event::WayStarted { way, title });
        // What the way before has done to it is mended on nobody's account.
        let cluster = self.whole(ground).await?;
        let began = Instant::now();
        let lab = self.lab(noun, scenario, part.name, how, cluster).await?;
        let own = scenario.needs.seconds + how.messages / 250;
        let mut limit = Duration::from_secs(60 + u64::from(own));
        if scenario.needs.nodes > 0 {
            // A cluster that does not form says so itself.
            limit += Cluster::FORMED_WITHIN;
        }
        let ran = timeout(limit, (part.run)(lab.clone())).await.unwrap_or_else(|_| {
            let what = text! { en: "the way to come to an end", zh: "该写法运行结束" };
            Err(RanOut { what, limit }.into())
        });
        let outcome = lab.outcome();
        let (as_expected, why) = match ran {
            Ok(()) => match part.judge(&outcome) {
                Ok(()) => (Some(true), None),
                Err(why) => (Some(false), Some(why)),
            },
            Err(error) => (None, Some(told(error)?)),
        };
        let Outcome { audit: Audit { counts, mut anomalies, .. }, .. } =
            outcome;
        anomalies.truncate(ANOMALIES);
        let observed = super::lock(&lab.0.observed).clone();
        let result = WayResult {
            hit: lab.hits(),
            planned: lab.plan().len(),
            counts,
            as_expected,
            why,
            came_to: observed.came_to,
            figures: observed.figures,
            anomalies,
            took_ms: millis(began.elapsed()),
        };
        self.narrator.tell(Event::WayEnded { way, result: result.clone() });
        // While it is told step by step, its vhost is still there to look at.
        self.narrator.checkpoint().await;
        // What it started goes now, and the logs with it.
        if result.as_expected != Some(true) {
            self.keep_logs(scenario, &lab).await;
        }
        self.strike_set(&lab).await;
        Ok((result, observed.grids))
    }

    fn started(
        &self,
        topic: &Topic,
        scenario: &Scenario,
        (place, product): (Place, String),
        how: How,
    ) -> Event {
        let stage = &self.stage;
        let redis = scenario.needs.redis || scenario.needs.own_redis;
        let redis = stage
            .redis
            .as_ref()
            .filter(|_| redis)
            .map(|r| r.service.product.clone());
        let mail = stage
            .mail
            .as_ref()
            .filter(|_| scenario.needs.mail)
            .map(|m| m.service.product.clone());
        let sqlite = scenario.needs.sqlite.then(|| "SQLite".to_owned());
        let own = &stage.broker.service.product;
        let on: Vec<_> = match (scenario.needs.cluster, scenario.needs.nodes) {
            (Some(_), nodes @ 1..) => vec![product, format!("{own} ×{nodes}")],
            (None, nodes @ 1..) => vec![format!("{product} ×{nodes}")],
            (_, 0) => vec![product],
        };
        let beside = scenario.needs.stage.then(|| own.clone());
        let on = on.into_iter().chain(beside);
        Event::ScenarioStarted {
            topic: topic.id.to_owned(),
            scenario: scenario.id.to_owned(),
            kind: scenario.ways.kind().to_owned(),
            index: place.index,
            of: place.of,
            on: on.chain(redis).chain(sqlite).chain(mail).collect(),
            recipe: scenario.recipe.clone(),
            fault: scenario.fault.clone(),
            question: match how.without {
                Some(_) => Text::default(),
                None => scenario.predict.question.clone(),
            },
            choices: match how.without {
                Some(_) => Vec::new(),
                None => choices(scenario),
            },
            without: how.without.map(|m| (m.id.to_owned(), m.name.clone())),
        }
    }
}

/// What a scenario lets one choose from, with its keys.
pub fn choices(scenario: &Scenario) -> Vec<Choice> {
    let choices = scenario.predict.choices.iter().enumerate();
    choices
        .map(|(i, text)| Choice { key: key(i), text: text.clone() })
        .collect()
}

fn charts(
    scenario: &Scenario,
    ways: &BTreeMap<WayName, WayResult>,
) -> Vec<Chart> {
    scenario.bars.iter().filter_map(|bars| bars.chart(ways)).collect()
}

fn key(index: usize) -> char {
    ['a', 'b', 'c', 'd'].get(index).copied().unwrap_or('?')
}

fn again(topic: &Topic, scenario: &Scenario, how: How) -> String {
    let mut line = format!(
        "rmq-lab demo {}/{} --seed {}",
        topic.id, scenario.id, how.seed
    );
    if how.messages != MESSAGES {
        line.push_str(&format!(" --messages {}", how.messages));
    }
    if let Some(mechanism) = how.without {
        line.push_str(&format!(" --without {}", mechanism.id));
    }
    line
}

/// News of the stage, as an event.
pub fn heard(news: News) -> Event {
    match news {
        News::Awaiting(what, limit) => {
            Event::Waiting { what, limit_s: limit.map(|limit| limit.as_secs()) }
        }
        News::Progress(text) => Event::Progress { text },
        News::There(took) => Event::Waited { took_ms: millis(took) },
    }
}

fn owned(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}
