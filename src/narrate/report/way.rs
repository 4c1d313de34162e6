//! What is kept of one way: the steps as told, a few messages in full, and
//! the sums of all others.

use crate::{
    event::{Event, Seat, WayName, WayResult},
    ledger::Fact,
    text::Text,
};

use super::{
    flow::Flow,
    gauges::Gauges,
    latency::Latency,
    log::ANOMALIES,
    tracks::{Track, Tracks},
    undone::Undone,
};

/// Lines of a way that are kept; no scenario tells so many.
const LINES: usize = 80;
/// Strikes on the stage that are drawn.
const STAGE_STRIKES: usize = 24;

/// A way.
#[derive(Debug)]
pub(super) struct Way {
    pub name: WayName,
    pub title: Text,
    pub lines: Vec<(u64, Told)>,
    /// Lines for which there was no room.
    pub more_lines: usize,
    /// What struck the stage as a whole.
    pub stage: Vec<StageStrike>,
    pub more_stage: usize,
    pub tracks: Tracks,
    pub flow: Flow,
    pub undone: Undone,
    pub gauges: Gauges,
    /// From the wire to the broker's confirm.
    pub confirm: Latency,
    /// From the delivery to the effect.
    pub effect: Latency,
    pub result: Option<WayResult>,
    settled: bool,
}

/// One line of a way.
#[derive(Debug)]
pub(super) enum Told {
    Step { n: u32, verb: Text, text: Text },
    Command(String),
    Topology(Vec<Seat>),
    Waited { what: Text, took_ms: u64 },
}

/// A strike on the stage as a whole.
#[derive(Debug)]
pub(super) struct StageStrike {
    pub at: u64,
    pub what: Fact,
    /// When a message moved again: from then on it is no gap.
    pub until: Option<u64>,
}

impl Way {
    pub fn new(name: WayName, title: Text, at: u64) -> Self {
        Self {
            name,
            title,
            lines: Vec::new(),
            more_lines: 0,
            stage: Vec::new(),
            more_stage: 0,
            tracks: Tracks::default(),
            flow: Flow::new(at),
            undone: Undone::default(),
            gauges: Gauges::default(),
            confirm: Latency::default(),
            effect: Latency::default(),
            result: None,
            settled: false,
        }
    }

    /// Whether it still runs.
    pub const fn is_open(&self) -> bool {
        !self.settled && self.result.is_none()
    }

    pub fn tell(&mut self, at: u64, event: &Event) {
        match event {
            Event::Step { n, verb, text, .. } => {
                let (verb, text) = (verb.clone(), text.clone());
                self.note(at, Told::Step { n: *n, verb, text });
            }
            Event::Command { line, .. } => {
                self.note(at, Told::Command(line.clone()));
            }
            Event::Topology { seats, .. } => {
                self.note(at, Told::Topology(seats.clone()));
            }
            Event::Struck { message: Some(message), what, .. } => {
                self.tracks.struck(*message, *what, at);
            }
            Event::Struck { message: None, what, .. } => {
                self.stage_struck(at, *what);
            }
            Event::Fact { message, fact, .. } => {
                self.tracks.saw(*message, *fact, at);
                self.flow.saw(*fact, at);
                self.undone.saw(*message, *fact, at);
                self.moved(at, *fact);
                self.latencies(*message, *fact, at);
            }
            Event::Sample { since_ms, gauges, .. } => {
                self.gauges.sample(at, *since_ms, gauges);
            }
            Event::WayEnded { result, .. } => {
                let mut result = result.clone();
                result.anomalies.truncate(ANOMALIES);
                self.result = Some(result);
                self.settle();
            }
            _ => {}
        }
    }

    pub fn note(&mut self, at: u64, told: Told) {
        if self.lines.len() < LINES {
            self.lines.push((at, told));
        } else {
            self.more_lines += 1;
        }
    }

    /// Whatever is not shown is forgotten.
    pub fn settle(&mut self) {
        if self.settled {
            return;
        }
        self.settled = true;
        let anomalies = self.result.iter().flat_map(|r| &r.anomalies);
        self.tracks.keep_only(anomalies.map(|anomaly| anomaly.message));
        self.undone.settle();
        self.gauges.settle();
        self.confirm.settle();
        self.effect.settle();
    }

    /// The messages that have a lane, by number.
    pub fn lanes(&self) -> Vec<Track> {
        let anomalies = self.result.iter().flat_map(|r| &r.anomalies);
        self.tracks.lanes(anomalies)
    }

    fn stage_struck(&mut self, at: u64, what: Fact) {
        if self.stage.len() < STAGE_STRIKES {
            self.stage.push(StageStrike { at, what, until: None });
        } else {
            self.more_stage += 1;
        }
    }

    /// Where something still moves, the strike was no gap.
    fn moved(&mut self, at: u64, fact: Fact) {
        let moves = matches!(
            fact,
            Fact::Accepted
                | Fact::Confirmed
                | Fact::Delivered
                | Fact::Redelivered
                | Fact::Applied
        );
        // Strikes come in order: the open ones are the last.
        let open = self.stage.iter_mut().rev();
        if moves {
            open.take_while(|strike| strike.until.is_none())
                .for_each(|strike| strike.until = Some(at));
        }
    }

    fn latencies(
        &mut self,
        message: crate::ledger::MessageId,
        fact: Fact,
        at: u64,
    ) {
        match fact {
            Fact::Sent => self.confirm.begins(message, at),
            Fact::Confirmed => self.confirm.ends(message, at),
            Fact::Unknown | Fact::Nacked | Fact::Returned => {
                self.confirm.fails(message);
            }
            Fact::Delivered | Fact::Redelivered => {
                // Another copy is another beginning.
                self.effect.fails(message);
                self.effect.begins(message, at);
            }
            Fact::Applied => self.effect.ends(message, at),
            Fact::Acked | Fact::Requeued | Fact::Killed | Fact::Seen => {
                self.effect.fails(message);
            }
            _ => {}
        }
    }
}
