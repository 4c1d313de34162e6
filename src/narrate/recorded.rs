//! A recorded run as a whole: what it was, its scenarios, and how it ended.

use std::{
    collections::HashSet,
    ops::Range,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::event::{Ended, Event, Stamped, Verdict};

use super::reading::{Events, Unreadable};

/// What the first line of a record says of its run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The run's id.
    pub run: String,
    /// The version of rmq-lab that ran it.
    pub version: String,
    /// What was to be run, as `topic/scenario`.
    pub scenarios: Vec<String>,
    /// When, in UTC, where it is known: `2026-11-26T08:46:17Z`.
    pub started: Option<String>,
    /// Only the facts of struck messages were kept.
    pub struck_only: bool,
}

impl Head {
    /// Of the first event of a record.
    pub fn of(event: &Event) -> Option<Self> {
        let Event::RunStarted {
            run, version, scenarios, started, facts, ..
        } = event
        else {
            return None;
        };
        Some(Self {
            run: run.clone(),
            version: version.clone(),
            scenarios: scenarios.clone(),
            started: started.clone().filter(|said| is_a_time(said)),
            struck_only: facts != "all",
        })
    }

    /// When, as a person reads it: `2026-11-26 08:46`.
    pub fn when(&self) -> Option<String> {
        self.started.as_deref().map(minute)
    }
}

/// `2026-11-26T08:46:17Z`. None outside of the years 1970 to 9999, which only
/// a clock that was never set tells, or a foreign file.
pub fn utc(at: SystemTime) -> Option<String> {
    let since = at.duration_since(UNIX_EPOCH).ok()?;
    let told = || humantime::format_rfc3339_seconds(at).to_string();
    (since.as_secs() <= END_OF_9999).then(told)
}

const END_OF_9999: u64 = 253_402_300_799;

fn is_a_time(said: &str) -> bool {
    humantime::parse_rfc3339(said).is_ok()
}

/// `2026-11-26T08:46:17Z` without its seconds, as a person reads it.
pub fn minute(started: &str) -> String {
    started.get(..16).unwrap_or(started).replace('T', " ")
}

/// The record of a run.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// What it says of the run.
    pub head: Head,
    events: Vec<Stamped>,
    /// Before these something was left out: what lies between is no time to
    /// be waited.
    seams: HashSet<usize>,
}

/// One scenario of a recorded run.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Topic id.
    pub topic: &'a str,
    /// Scenario id.
    pub scenario: &'a str,
    /// All of it, from what it waits for to its verdict.
    pub events: &'a [Stamped],
    /// How it ended, if it did.
    pub ended: Option<&'a Ended>,
}

impl Scene<'_> {
    /// `topic/scenario`.
    pub fn target(&self) -> String {
        format!("{}/{}", self.topic, self.scenario)
    }

    /// Whether it ended, or was left out.
    pub fn is_done(&self) -> bool {
        self.ended.is_some() || self.is_skipped()
    }

    fn is_skipped(&self) -> bool {
        let skipped = |e: &Stamped| matches!(e.event, Event::Skipped { .. });
        self.events.iter().any(skipped)
    }
}

impl Recorded {
    /// Reads the record in a file, compressed or not.
    ///
    /// # Errors
    /// Why it cannot be told.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Unreadable> {
        Self::of(Events::open(path.as_ref())?)
    }

    /// Takes what was read elsewhere.
    ///
    /// # Errors
    /// Why it cannot be told.
    pub fn of(events: Events) -> Result<Self, Unreadable> {
        let events: Vec<Stamped> = events.collect::<Result<_, _>>()?;
        let head = events.first().and_then(|first| Head::of(&first.event));
        match head {
            Some(head) => Ok(Self { head, events, seams: HashSet::new() }),
            None => Err(Unreadable::Empty),
        }
    }

    /// Its events, in the order in which they happened.
    pub fn events(&self) -> &[Stamped] {
        &self.events
    }

    /// Its events, to be handed on.
    pub fn into_events(self) -> Vec<Stamped> {
        self.events
    }

    /// Changes what is told; when it happened stays.
    pub fn amend(&mut self, change: impl Fn(&mut Event)) {
        self.events.iter_mut().for_each(|e| change(&mut e.event));
    }

    /// Its scenarios, also those that were left out or never ended.
    pub fn scenes(&self) -> impl Iterator<Item = Scene<'_>> {
        let parts = self.parts().1;
        parts.into_iter().filter_map(|range| self.scene(range))
    }

    /// The verdict on each scenario that came to one.
    pub fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        self.events.iter().filter_map(|stamped| match &stamped.event {
            Event::Verdict(ended) => Some(ended.verdict),
            _ => None,
        })
    }

    /// Whether it does not come to its end: the run was stopped, or killed,
    /// or goes on.
    pub fn breaks_off(&self) -> bool {
        let ended =
            |stamped: &Stamped| matches!(stamped.event, Event::RunEnded { .. });
        // Scenarios that were picked out are whole where each of them is.
        let picked =
            !self.seams.is_empty() && self.scenes().all(|s| s.is_done());
        !picked && !self.events.iter().any(ended)
    }

    /// How long before event `index` nothing was told. What a reader needed
    /// for a guess is not the run's own time.
    pub fn gap_before(&self, index: usize) -> Duration {
        let at = |index: usize| self.events.get(index).map(|e| e.at_ms);
        let before = index.checked_sub(1).and_then(at);
        let is_guess = self
            .events
            .get(index)
            .is_some_and(|e| matches!(e.event, Event::Predicted { .. }));
        match (before, at(index)) {
            (Some(before), Some(now))
                if !is_guess && !self.seams.contains(&index) =>
            {
                Duration::from_millis(now.saturating_sub(before))
            }
            _ => Duration::ZERO,
        }
    }

    /// Only the scenarios of which this is so, as a run of their own. `None`
    /// where there are none.
    pub fn only(&self, wanted: impl Fn(&Scene<'_>) -> bool) -> Option<Self> {
        let (before, parts, after) = self.parts();
        let chosen: Vec<_> = parts
            .iter()
            .filter(|part| {
                self.scene((*part).clone()).is_some_and(|s| wanted(&s))
            })
            .cloned()
            .collect();
        if chosen.is_empty() {
            return None;
        }
        let all = chosen.len() == parts.len();
        if all && !self.breaks_off() {
            return Some(self.clone());
        }
        let mut events = self.events[before].to_vec();
        let mut seams = HashSet::new();
        let of = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
        let mut targets = Vec::new();
        for (nth, part) in (1..).zip(&chosen) {
            targets.extend(self.scene(part.clone()).map(|s| s.target()));
            seams.insert(events.len());
            for stamped in &self.events[part.clone()] {
                events.push(placed(stamped, nth, of));
            }
        }
        seams.insert(events.len());
        let tail = self.events[after].iter();
        let sums = Sums::of(&events);
        events.extend(tail.filter_map(|stamped| sums.end(stamped)));
        let mut head = self.head.clone();
        head.scenarios = targets;
        if let Some(Stamped {
            event: Event::RunStarted { scenarios, .. },
            ..
        }) = events.first_mut()
        {
            scenarios.clone_from(&head.scenarios);
        }
        Some(Self { head, events, seams })
    }

    fn scene(&self, range: Range<usize>) -> Option<Scene<'_>> {
        let events = &self.events[range];
        let mut ended = None;
        let mut named = None;
        for Stamped { event, .. } in events {
            match event {
                Event::ScenarioStarted { topic, scenario, .. }
                | Event::Skipped { topic, scenario, .. } => {
                    named = Some((topic, scenario));
                }
                Event::Verdict(verdict) => ended = Some(&**verdict),
                _ => {}
            }
        }
        let (topic, scenario) = named?;
        Some(Scene { topic, scenario, events, ended })
    }

    /// What comes before the first scenario (the stage), each scenario with
    /// what it waits for, and what comes after the last.
    fn parts(&self) -> (Range<usize>, Vec<Range<usize>>, Range<usize>) {
        let events = &self.events;
        let find = |is: fn(&Event) -> bool, from: usize| {
            let rest = events[from..].iter();
            rest.map(|e| &e.event).position(is).map(|at| from + at)
        };
        let begins = |event: &Event| {
            matches!(
                event,
                Event::ScenarioStarted { .. } | Event::Skipped { .. }
            )
        };
        let stage = |event: &Event| matches!(event, Event::StageUp { .. });
        let ends = |event: &Event| {
            matches!(event, Event::Verdict(_) | Event::Skipped { .. })
        };
        let over = |event: &Event| {
            matches!(event, Event::RunEnded { .. } | Event::Error { .. })
        };
        let end = find(over, 0).unwrap_or(events.len());
        let first = find(stage, 0)
            .map(|at| at + 1)
            .or_else(|| find(begins, 0))
            .unwrap_or(end)
            .min(end);
        let (mut parts, mut from) = (Vec::new(), first);
        while let Some(at) = find(ends, from).filter(|at| *at < end) {
            parts.push(from..at + 1);
            from = at + 1;
        }
        if find(begins, from).is_some_and(|at| at < end) {
            parts.push(from..end);
            from = end;
        }
        (0..first, parts, from..events.len())
    }
}

/// A scenario in its place among those that are left.
fn placed(stamped: &Stamped, nth: u32, all: u32) -> Stamped {
    let mut stamped = stamped.clone();
    if let Event::ScenarioStarted { index, of, .. } = &mut stamped.event {
        (*index, *of) = (nth, all);
    }
    stamped
}

/// What the end of a run says, of the scenarios that are left.
#[derive(Default)]
struct Sums {
    proven: u32,
    refuted: u32,
    inconclusive: u32,
    observed: u32,
    skipped: u32,
    took_ms: u64,
}

impl Sums {
    fn of(events: &[Stamped]) -> Self {
        let mut sums = Self::default();
        for Stamped { event, .. } in events {
            match event {
                Event::Skipped { .. } => sums.skipped += 1,
                Event::Verdict(ended) => {
                    sums.took_ms += ended.took_ms;
                    *match ended.verdict {
                        Verdict::Proven => &mut sums.proven,
                        Verdict::Refuted => &mut sums.refuted,
                        Verdict::Inconclusive => &mut sums.inconclusive,
                        Verdict::Observed => &mut sums.observed,
                    } += 1;
                }
                _ => {}
            }
        }
        sums
    }

    /// The run's own end with these sums. What came after the last scenario
    /// and is no end (an error of another one) is none of theirs.
    fn end(&self, stamped: &Stamped) -> Option<Stamped> {
        let Event::RunEnded {
            boot_ms,
            stage_up_ms,
            stage_down_ms,
            left_behind,
            ..
        } = stamped.event
        else {
            return None;
        };
        let event = Event::RunEnded {
            proven: self.proven,
            refuted: self.refuted,
            inconclusive: self.inconclusive,
            observed: self.observed,
            skipped: self.skipped,
            took_ms: stage_up_ms + self.took_ms + stage_down_ms,
            boot_ms,
            stage_up_ms,
            stage_down_ms,
            left_behind,
        };
        Some(Stamped { at_ms: stamped.at_ms, event })
    }
}
