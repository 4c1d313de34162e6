//! The life of one message in a recorded scenario: what happened to it, in
//! every way, and what became of it.

use serde::Serialize;

use crate::{
    event::{Event, Stamped, WayName, WayResult},
    ledger::{Anomaly, Audit, Counts, Fact, Kind, Ledger, MessageId},
    text::Text,
};

use super::recorded::Scene;

/// What is recorded of one message in one scenario.
#[derive(Clone, Debug)]
pub struct Life {
    /// Which message.
    pub message: MessageId,
    /// The scenario, as `topic/scenario`.
    pub target: String,
    /// Each way of the scenario, in its order.
    pub ways: Vec<InWay>,
}

/// What is recorded of it in one way.
#[derive(Clone, Debug)]
pub struct InWay {
    /// Which way.
    pub way: WayName,
    /// What it does.
    pub title: Text,
    /// What happened, in the order in which it became known.
    pub moments: Vec<Moment>,
    /// What became of it.
    pub fate: Fate,
}

/// One thing that happened to the message, or to all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// Milliseconds since the run began.
    pub at_ms: u64,
    /// What.
    pub fact: Fact,
    /// It is a planned fault that struck.
    pub struck: bool,
    /// It hit the stage as a whole, and not only this message.
    pub stage: bool,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fate", rename_all = "kebab-case")]
pub enum Fate {
    /// Something is wrong with it, by the ledger.
    Wrong {
        /// What.
        kinds: Vec<Kind>,
        /// How often its effect was made.
        applied: u16,
    },
    /// Its effect was made once.
    Once,
    /// It lies where people look.
    Parked,
    /// It was given up, and somebody was told.
    Reported,
    /// Its caller was told no.
    Refused,
    /// The broker refused it, or handed it back; nobody was promised it.
    NotTaken,
    /// No answer came, and nobody was promised it.
    Unanswered,
    /// The ledger names only the first messages with something wrong, and the
    /// record does not say of this one what the books say.
    Unnamed,
    /// The way did not come to its end.
    BrokenOff,
    /// The record knows nothing of it in this way.
    Unseen,
}

impl Life {
    /// What is recorded of `message` in this scenario; `None` where nothing
    /// is, in any way.
    pub fn of(message: MessageId, scene: &Scene<'_>) -> Option<Self> {
        let mut ways: Vec<Traced> = Vec::new();
        for stamped in scene.events {
            follow(&mut ways, message, stamped);
        }
        // The ledger may know of one of which nothing was told.
        let seen = |way: &Traced| {
            way.moments.iter().any(|moment| !moment.stage)
                || way.names(message).next().is_some()
        };
        if !ways.iter().any(seen) {
            return None;
        }
        let ways = ways.into_iter().map(|way| way.told(message)).collect();
        Some(Self { message, target: scene.target(), ways })
    }
}

/// A way while its events are gone through.
struct Traced {
    way: WayName,
    title: Text,
    moments: Vec<Moment>,
    /// A strike that is still to be told as a fact, too.
    awaited: Option<Fact>,
    /// Whether the scenario tells of effects as they are made; else only the
    /// books know, which are asked when all is over.
    tells_effects: bool,
    result: Option<WayResult>,
}

fn follow(ways: &mut Vec<Traced>, message: MessageId, stamped: &Stamped) {
    let at_ms = stamped.at_ms;
    if let Event::WayStarted { way, title } = &stamped.event {
        ways.push(Traced::new(*way, title.clone()));
        return;
    }
    let (Event::Fact { way, .. }
    | Event::Struck { way, .. }
    | Event::WayEnded { way, .. }) = &stamped.event
    else {
        return;
    };
    let Some(traced) = ways.iter_mut().rfind(|traced| traced.way == *way)
    else {
        return;
    };
    match &stamped.event {
        Event::Fact { message: of, fact, .. } => {
            traced.tells_effects |= *fact == Fact::Applied;
            if *of == message {
                traced.saw(*fact, at_ms);
            }
        }
        Event::Struck { message: None, what, .. } => {
            let moment =
                Moment { at_ms, fact: *what, struck: true, stage: true };
            traced.moments.push(moment);
        }
        Event::Struck { message: Some(of), what, .. } if *of == message => {
            traced.struck(*what, at_ms);
        }
        Event::WayEnded { result, .. } => traced.result = Some(result.clone()),
        _ => {}
    }
}

impl Traced {
    const fn new(way: WayName, title: Text) -> Self {
        Self {
            way,
            title,
            moments: Vec::new(),
            awaited: None,
            tells_effects: false,
            result: None,
        }
    }

    fn saw(&mut self, fact: Fact, at_ms: u64) {
        if self.awaited == Some(fact) {
            self.awaited = None;
            return;
        }
        let (struck, stage) = (false, false);
        self.moments.push(Moment { at_ms, fact, struck, stage });
    }

    /// Most strikes are a fact first, and counted as a strike when it is
    /// certain that they struck; a few the other way round.
    fn struck(&mut self, what: Fact, at_ms: u64) {
        let mut known = self.moments.iter_mut().rev();
        match known.find(|m| m.fact == what && !m.struck) {
            Some(known) => known.struck = true,
            None => {
                let (struck, stage) = (true, false);
                self.moments.push(Moment { at_ms, fact: what, struck, stage });
                self.awaited = Some(what);
            }
        }
    }

    /// What the ledger says is wrong with it.
    fn names(
        &self,
        message: MessageId,
    ) -> impl Iterator<Item = &Anomaly> + use<'_> {
        let all = self.result.iter().flat_map(|result| &result.anomalies);
        all.filter(move |anomaly| anomaly.message == message)
    }

    fn told(self, message: MessageId) -> InWay {
        let fate = self.fate(message);
        let Self { way, title, mut moments, .. } = self;
        match fate {
            Fate::Unseen => moments.clear(),
            // What struck the stage later had nothing to do with it.
            Fate::Once | Fate::Parked | Fate::Reported | Fate::Refused => {
                let own = moments.iter().rposition(|m| !m.stage);
                moments.truncate(own.map_or(0, |last| last + 1));
            }
            _ => {}
        }
        InWay { way, title, moments, fate }
    }

    fn fate(&self, message: MessageId) -> Fate {
        let own = || self.moments.iter().filter(|moment| !moment.stage);
        let applied = own().filter(|m| m.fact == Fact::Applied).count();
        let applied = u16::try_from(applied).unwrap_or(u16::MAX);
        let ended = |result: &&WayResult| result.as_expected.is_some();
        let Some(result) = self.result.as_ref().filter(ended) else {
            return match own().count() {
                0 => Fate::Unseen,
                _ => Fate::BrokenOff,
            };
        };
        let named = || self.names(message);
        let kinds: Vec<Kind> = named().map(|anomaly| anomaly.kind).collect();
        if !kinds.is_empty() {
            let applied = named().map(|a| a.applied).max().unwrap_or(applied);
            return Fate::Wrong { kinds, applied };
        }
        if own().count() == 0 {
            return Fate::Unseen;
        }
        // Pure addition again, of what the record kept.
        let mut ledger = Ledger::new(message.noun, 0);
        for Moment { fact, at_ms, .. } in own() {
            let at = u32::try_from(*at_ms).unwrap_or(u32::MAX);
            ledger.record(message, *fact, at);
        }
        ledger.settle(message, applied, 0);
        let Audit { counts: sums, .. } = ledger.audit();
        if all_are_named(result) {
            return right(&sums);
        }
        self.unless_wrong(result, &sums, applied)
    }

    /// Of a message that may be among those with something wrong that the
    /// ledger does not name.
    fn unless_wrong(
        &self,
        result: &WayResult,
        sums: &Counts,
        applied: u16,
    ) -> Fate {
        let wrong = |kind| Fate::Wrong { kinds: vec![kind], applied };
        if applied > 1 {
            return wrong(Kind::Duplicated);
        }
        let only_the_books_know = !self.tells_effects && sums.delivered > 0;
        if only_the_books_know {
            // As many as were delivered were done: all of them were.
            let all_done = result.counts.applied == result.counts.delivered;
            return match all_done && sums.deliveries == 1 {
                true => Fate::Once,
                false => Fate::Unnamed,
            };
        }
        if sums.lost == 0 {
            return right(sums);
        }
        // Owed and not done: whether a copy was left in the queue, only the
        // sums can tell.
        match (result.counts.lost, result.counts.stuck) {
            (1.., 0) => wrong(Kind::Lost),
            (0, 1..) => wrong(Kind::Stuck),
            _ => Fate::Unnamed,
        }
    }
}

/// Whether the ledger names every message with something wrong.
fn all_are_named(result: &WayResult) -> bool {
    let counts = &result.counts;
    let wrong =
        counts.lost + counts.duplicated + counts.stuck + counts.unexpected;
    wrong <= result.anomalies.len() as u64
}

/// What became of a message with which nothing is wrong.
fn right(sums: &Counts) -> Fate {
    let owed = sums.accepted + sums.confirmed > 0;
    if sums.applied > 0 {
        Fate::Once
    } else if sums.parked > 0 {
        Fate::Parked
    } else if sums.reported > 0 {
        Fate::Reported
    } else if owed {
        // Were it not done, it would be lost or stuck.
        Fate::Once
    } else if sums.refused > 0 {
        Fate::Refused
    } else if sums.nacked + sums.returned > 0 {
        Fate::NotTaken
    } else {
        Fate::Unanswered
    }
}
