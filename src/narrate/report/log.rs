//! What is kept of a run for its page.

use crate::{
    event::{Choice, Ended, Event, Service, Stamped, WayName},
    text::Text,
};

use super::way::{Told, Way};

/// Scenarios beyond this are counted and not kept: no catalogue has so many.
const SCENES: usize = 200;
/// Anomalies of a way that are kept; the lab names no more.
pub(super) const ANOMALIES: usize = 20;
/// A wait of more than this is told.
const LONG_WAIT_MS: u64 = 2_000;

/// A run.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub begun: Option<Begun>,
    pub services: Vec<Service>,
    pub scenes: Vec<Scene>,
    /// Scenarios for which there was no room.
    pub more: usize,
    pub error: Option<(Text, Vec<Text>)>,
    /// The topics, each with its scenarios.
    pub topics: Vec<Topic>,
    /// The last event: `run-ended`, where the run came to its end.
    pub ended: Option<Event>,
    pub last_ms: u64,
    waiting: Option<Text>,
}

/// A topic's id, and all its scenarios as one types them.
pub type Topic = (String, Vec<String>);

/// How the run began.
#[derive(Debug)]
pub(super) struct Begun {
    pub run: String,
    pub version: String,
    pub scenarios: Vec<String>,
    pub seed: u64,
    pub record: String,
    pub started: Option<String>,
    /// Only the facts of struck messages are in the stream.
    pub struck_only: bool,
}

/// One scenario of the run.
#[derive(Debug)]
pub(super) struct Scene {
    pub topic: String,
    pub scenario: String,
    pub kind: String,
    pub on: Vec<String>,
    pub recipe: Text,
    pub fault: Text,
    pub question: Text,
    pub choices: Vec<Choice>,
    pub without: Option<(String, Text)>,
    pub guess: Option<char>,
    pub ways: Vec<Way>,
    pub ended: Option<Box<Ended>>,
    /// Left out, and why.
    pub skipped: Option<Text>,
}

impl Scene {
    pub fn target(&self) -> String {
        format!("{}/{}", self.topic, self.scenario)
    }

    /// Whether it came to a verdict, or was left out.
    fn is_done(&self) -> bool {
        self.ended.is_some() || self.skipped.is_some()
    }

    fn skipped(topic: &str, scenario: &str, why: &Text) -> Self {
        Self {
            topic: topic.to_owned(),
            scenario: scenario.to_owned(),
            kind: String::new(),
            on: Vec::new(),
            recipe: Text::default(),
            fault: Text::default(),
            question: Text::default(),
            choices: Vec::new(),
            without: None,
            guess: None,
            ways: Vec::new(),
            ended: None,
            skipped: Some(why.clone()),
        }
    }

    fn begun(event: &Event) -> Option<Self> {
        let Event::ScenarioStarted {
            topic,
            scenario,
            kind,
            on,
            recipe,
            fault,
            question,
            choices,
            without,
            ..
        } = event
        else {
            return None;
        };
        Some(Self {
            topic: topic.clone(),
            scenario: scenario.clone(),
            kind: kind.clone(),
            on: on.clone(),
            recipe: recipe.clone(),
            fault: fault.clone(),
            question: question.clone(),
            choices: choices.clone(),
            without: without.clone(),
            guess: None,
            ways: Vec::new(),
            ended: None,
            skipped: None,
        })
    }
}

impl Log {
    pub fn tell(&mut self, Stamped { at_ms, event }: &Stamped) {
        self.last_ms = self.last_ms.max(*at_ms);
        match event {
            Event::RunStarted { .. } => self.begun = Begun::of(event),
            Event::Waiting { what, .. } => self.waiting = Some(what.clone()),
            Event::Waited { took_ms } => self.waited(*at_ms, *took_ms),
            Event::Progress { .. } => {}
            Event::StageUp { services, .. } => self.stage_up(services),
            Event::ScenarioStarted { .. } => {
                self.settle();
                self.add(Scene::begun(event));
            }
            Event::Skipped { topic, scenario, why } => {
                self.add(Some(Scene::skipped(topic, scenario, why)));
            }
            Event::Predicted { guess } => {
                if let Some(scene) = self.scenes.last_mut() {
                    scene.guess = *guess;
                }
            }
            Event::WayStarted { way, title } => {
                self.settle();
                if let (0, Some(scene)) = (self.more, self.scenes.last_mut()) {
                    scene.ways.push(Way::new(*way, title.clone(), *at_ms));
                }
            }
            Event::Verdict(ended) => self.verdict(ended),
            Event::RunEnded { .. } => {
                self.settle();
                self.ended = Some(event.clone());
            }
            Event::Error { error, help, .. } => {
                self.settle();
                self.error = Some((error.clone(), help.clone()));
            }
            Event::Step { way, .. }
            | Event::Topology { way, .. }
            | Event::Command { way, .. }
            | Event::Struck { way, .. }
            | Event::Fact { way, .. }
            | Event::Sample { way, .. }
            | Event::WayEnded { way, .. } => {
                if let Some(way) = self.way(*way) {
                    way.tell(*at_ms, event);
                }
            }
        }
    }

    /// Whether every scenario that the run was to have is there, and done.
    pub fn has_all(&self) -> bool {
        let wanted = self.begun.as_ref().map(|begun| begun.scenarios.len());
        wanted == Some(self.scenes.len() + self.more)
            && self.scenes.iter().all(Scene::is_done)
    }

    fn add(&mut self, scene: Option<Scene>) {
        match scene {
            Some(scene) if self.scenes.len() < SCENES => {
                self.scenes.push(scene);
            }
            _ => self.more += 1,
        }
    }

    /// The way of this name in the scenario that is running.
    fn way(&mut self, name: WayName) -> Option<&mut Way> {
        if self.more > 0 {
            return None;
        }
        self.scenes.last_mut()?.ways.iter_mut().rfind(|way| way.name == name)
    }

    /// Whatever ran has ended, or will not: only what is shown is kept.
    fn settle(&mut self) {
        if let Some(scene) = self.scenes.last_mut() {
            scene.ways.iter_mut().for_each(Way::settle);
        }
    }

    fn waited(&mut self, at_ms: u64, took_ms: u64) {
        let Some(what) = self.waiting.take() else { return };
        let scene = self.scenes.last_mut().filter(|_| self.more == 0);
        let way = scene.and_then(|scene| scene.ways.last_mut());
        if let Some(way) = way.filter(|way| way.is_open())
            && took_ms >= LONG_WAIT_MS
        {
            way.note(at_ms, Told::Waited { what, took_ms });
        }
    }

    fn stage_up(&mut self, services: &[Service]) {
        for service in services {
            let known = self.services.iter().any(|s| s == service);
            // A run on shared clusters starts a handful; never thousands.
            if !known && self.services.len() < SCENES {
                self.services.push(service.clone());
            }
        }
    }

    fn verdict(&mut self, ended: &Ended) {
        self.settle();
        let scene = self.scenes.last_mut().filter(|scene| {
            scene.topic == ended.topic && scene.scenario == ended.scenario
        });
        if let Some(scene) = scene {
            let mut ended = ended.clone();
            for way in ended.ways.values_mut() {
                way.anomalies.truncate(ANOMALIES);
            }
            scene.ended = Some(Box::new(ended));
        }
    }
}

impl Begun {
    fn of(event: &Event) -> Option<Self> {
        let Event::RunStarted {
            run,
            version,
            scenarios,
            seed,
            record,
            facts,
            started,
            ..
        } = event
        else {
            return None;
        };
        Some(Self {
            run: run.clone(),
            version: version.clone(),
            scenarios: scenarios.iter().take(SCENES).cloned().collect(),
            seed: *seed,
            record: record.clone(),
            started: started.clone(),
            struck_only: facts == "struck",
        })
    }
}
