//! From events to lines: which of them are worth saying, and when.

mod section;

use std::collections::{BTreeMap, HashSet, VecDeque};

use crate::{
    event::{Event, Stamped, WayName, WayResult},
    text,
    text::Text,
};

use super::{
    Detail,
    ending::{self, Context},
    header,
    layout::{Ink, Page},
    spinner::Busy,
    story::{Stories, foresee},
    summary::{Outcome, summary},
    waits::Waits,
    way::{Line, Section},
    words,
};

/// A wait of more than this is worth a line where no spinner told it.
const LONG_WAIT_MS: u64 = 2_000;

/// Turns the stream into lines. Knows no output.
#[derive(Debug)]
pub(super) struct Teller {
    page: Page,
    detail: Detail,
    interactive: bool,
    /// Told from a record, as its first event says.
    recorded: bool,
    /// The reader is asked for a guess while it is told.
    pub asks: bool,
    /// Told afterwards, step by step: lines go out as they come.
    paced: bool,
    /// What the ways that are queued will have come to.
    foreseen: VecDeque<(WayName, WayResult, Stories)>,
    record: Option<String>,
    scene: Scene,
    section: Option<Section>,
    /// The way that runs now and is told later.
    running: Option<Section>,
    /// Ways begun, for the spinner's clock.
    ways: usize,
    waits: Waits,
    outcomes: Vec<Outcome>,
    /// Something was written: the next scenario leaves a line free.
    begun: bool,
}

/// The scenario that is being told.
#[derive(Debug, Default)]
struct Scene {
    pair: bool,
    without: Option<String>,
    guess: Option<char>,
    /// Lines told of it, the reader's own answer included.
    height: usize,
    /// Nothing of a way was told yet.
    fresh: bool,
    already: HashSet<String>,
    stories: BTreeMap<WayName, Stories>,
}

impl Teller {
    pub fn new(page: Page, detail: Detail, interactive: bool) -> Self {
        Self {
            page,
            detail,
            interactive,
            recorded: false,
            asks: true,
            paced: false,
            foreseen: VecDeque::new(),
            record: None,
            scene: Scene::default(),
            section: None,
            running: None,
            ways: 0,
            waits: Waits::default(),
            outcomes: Vec::new(),
            begun: false,
        }
    }

    /// What happens now and is told later, for the spinner.
    pub fn glimpse(&mut self, Stamped { at_ms, event }: &Stamped) {
        match event {
            event if self.is_of_then(event) => {}
            Event::WayStarted { way, title } => {
                self.ways += 1;
                self.running = Some(Section::new(*way, title.clone(), None));
            }
            Event::Struck { message, what, .. } => {
                if let Some(running) = &mut self.running {
                    running.stories.struck(*message, *what, *at_ms);
                }
            }
            Event::WayEnded { .. } => self.running = None,
            Event::Waiting { what, limit_s } => {
                self.waits.begin(what, *limit_s)
            }
            Event::Progress { text } => self.waits.news(text),
            Event::Waited { .. } => {
                self.waits.end(&self.page);
            }
            _ => {}
        }
    }

    /// What will be told soon. Whoever calls this tells step by step.
    pub fn ahead(&mut self, events: &[Stamped]) {
        self.paced = true;
        self.running = None;
        self.waits.clear();
        self.foreseen.extend(foresee(events));
    }

    /// The lines that an event is worth.
    pub fn told(&mut self, Stamped { at_ms, event }: &Stamped) -> Vec<String> {
        let lines = match event {
            event if self.is_of_then(event) => Vec::new(),
            Event::RunStarted { record, run, seed, recorded, .. } => {
                self.recorded = *recorded;
                let mut lines = match recorded {
                    true => header::recorded(&self.page, event),
                    false => Vec::new(),
                };
                lines.extend(self.run_started(record, run, *seed));
                lines
            }
            Event::Waiting { what, limit_s } => self.waiting(what, *limit_s),
            Event::Progress { text } => self.progress(text),
            Event::Waited { took_ms } => self.waited(*took_ms),
            Event::StageUp { .. } => {
                header::stands(&self.page, self.detail, self.recorded, event)
            }
            Event::ScenarioStarted { .. } => self.scenario_started(event),
            Event::Predicted { guess } => self.predicted(*guess),
            Event::Skipped { topic, scenario, why } => {
                self.skipped(topic, scenario, why)
            }
            Event::WayStarted { way, title } => self.way_started(*way, title),
            Event::Step { n, verb, text, .. } => self.line(Line::Step {
                n: *n,
                verb: verb.clone(),
                text: text.clone(),
            }),
            Event::Topology { seats, .. } => {
                self.line(Line::Topology(seats.clone()))
            }
            Event::Command { line, .. } => {
                self.line(Line::Command(line.clone()))
            }
            Event::Struck { way, message, what } => {
                self.stories(*way, |stories| {
                    stories.struck(*message, *what, *at_ms);
                })
            }
            Event::Fact { way, message, fact } => self
                .stories(*way, |stories| stories.saw(*message, *fact, *at_ms)),
            Event::Sample { way, since_ms, gauges } => {
                let section = self.section.as_mut();
                if let Some(section) = section.filter(|s| s.way == *way) {
                    section.samples.push((*since_ms, gauges.clone()));
                }
                Vec::new()
            }
            Event::WayEnded { way, result } => self.way_ended(*way, result),
            Event::Verdict(ended) => self.verdict(ended),
            Event::RunEnded { .. } => {
                let mut lines = self.abandon();
                lines.extend(summary(
                    &self.page,
                    self.detail,
                    &self.outcomes,
                    event,
                ));
                lines
            }
            Event::Error { .. } => self.abandon(),
        };
        self.begun |= !lines.is_empty();
        self.scene.height += lines.len();
        lines
    }

    /// Whether a recorded run has this and whoever is told it again has no use
    /// for it: a command for a container that is gone, a wait that is over.
    fn is_of_then(&self, event: &Event) -> bool {
        self.recorded
            && matches!(
                event,
                Event::Command { .. }
                    | Event::Waiting { .. }
                    | Event::Progress { .. }
                    | Event::Waited { .. }
            )
    }

    /// What is under way, for the spinner.
    pub fn busy(&self) -> Option<Busy> {
        if let Some(wait) = self.waits.busy(&self.page) {
            return Some(wait);
        }
        let told_at_its_end =
            self.section.as_ref().filter(|section| !section.open);
        let runs = self.running.as_ref().or(told_at_its_end)?;
        Some(Busy::Way(self.ways, runs.running(&self.page)))
    }

    fn run_started(
        &mut self,
        record: &str,
        run: &str,
        seed: u64,
    ) -> Vec<String> {
        self.record = (!record.is_empty()).then(|| record.to_owned());
        if self.detail != Detail::Verbose {
            return Vec::new();
        }
        let told = text! { en: "run {run}, seed {seed}", zh: "运行 {run}，种子 {seed}",
        run = run, seed = seed };
        let mut lines = self.page.hang(" ", Ink::Plain, self.page.say(&told));
        let path = self.record.iter();
        lines.extend(
            path.map(|p| ending::command_line(&self.page, &words::RECORD, p)),
        );
        lines
    }

    fn waiting(&mut self, what: &Text, limit_s: Option<u64>) -> Vec<String> {
        self.waits.begin(what, limit_s);
        // Outside a way that is an image or a boot, which takes long: in a
        // log nobody should wonder what hangs.
        let silent = self.interactive
            || self.detail == Detail::Quiet
            || self.section.is_some();
        match self.waits.latest(&self.page) {
            Some(words) if !silent => self.page.hang(" ", Ink::Plain, &words),
            _ => Vec::new(),
        }
    }

    fn progress(&mut self, text: &Text) -> Vec<String> {
        self.waits.news(text);
        if self.detail != Detail::Verbose {
            return Vec::new();
        }
        self.page.hang("   ", Ink::Plain, self.page.say(text))
    }

    fn waited(&mut self, took_ms: u64) -> Vec<String> {
        let Some(words) = self.waits.end(&self.page) else { return Vec::new() };
        let told_by_spinner =
            self.interactive && self.detail != Detail::Verbose;
        if took_ms < LONG_WAIT_MS || told_by_spinner || self.section.is_none() {
            return Vec::new();
        }
        let took = self.page.seconds(took_ms);
        let note = format!("{}{}{took}", words, self.page.say(&words::COLON));
        self.line(Line::Note(note))
    }

    fn scenario_started(&mut self, event: &Event) -> Vec<String> {
        let mut lines = self.abandon();
        let Event::ScenarioStarted { kind, without, .. } = event else {
            return lines;
        };
        self.scene = Scene {
            pair: kind == "pair",
            without: without.as_ref().map(|(mechanism, _)| mechanism.clone()),
            fresh: true,
            ..Scene::default()
        };
        if self.detail != Detail::Quiet {
            if self.begun {
                lines.push(String::new());
            }
            lines.extend(header::scenario(&self.page, self.recorded, event));
        }
        lines
    }

    fn predicted(&mut self, guess: Option<char>) -> Vec<String> {
        self.scene.guess = guess;
        if self.asks {
            // The prompt and the answer stand where the free line would.
            self.scene.height += 1;
            self.scene.fresh = false;
        }
        Vec::new()
    }

    fn skipped(
        &mut self,
        topic: &str,
        scenario: &str,
        why: &Text,
    ) -> Vec<String> {
        self.outcomes.push(Outcome::skipped(topic, scenario));
        let left_out = self.page.say(&words::LEFT_OUT);
        let colon = self.page.say(&words::COLON);
        let told = format!(
            "{topic}/{scenario}  {left_out}{colon}{}",
            self.page.say(why)
        );
        let mut lines = Vec::new();
        if self.begun && self.detail != Detail::Quiet {
            lines.push(String::new());
        }
        lines.extend(self.page.hang(" - ", Ink::Plain, &told));
        lines
    }

    fn verdict(&mut self, ended: &crate::event::Ended) -> Vec<String> {
        let mut lines = self.abandon();
        self.outcomes.push(Outcome::of(ended));
        let context = Context {
            page: &self.page,
            detail: self.detail,
            guess: self.scene.guess,
            pair: self.scene.pair,
            record: self.record.as_deref(),
            stories: &self.scene.stories,
            height: self.scene.height + lines.len(),
        };
        lines.extend(ending::ending(&context, ended));
        lines
    }
}
