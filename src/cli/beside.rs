//! The scenarios of a run: one after another, or beside each other where they
//! have nothing in common ([`Turns`]). They are told in the order of the list,
//! each as a whole, however they came to run.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use super::{demo::bug, progress::Notes, summary::Summary};
use crate::{
    event::{Ended, Event},
    lab::{
        catalogue::Entry,
        lanes::{Lane, Turns},
        run::{How, Place, Session},
    },
    narrate::Narrator,
    problem::Problem,
    text::Text,
};

/// How a scenario came to its end.
enum Came {
    /// To a verdict.
    To(Box<Ended>),
    /// It cannot be run here.
    Skipped(Text),
    /// The environment is at fault.
    Failed(Problem),
}

/// All scenarios of a run, each with a narrator that knows its turn.
pub struct Scenarios {
    session: Session,
    entries: Vec<Entry>,
    how: How,
    narrators: Vec<Narrator>,
    turns: Turns,
    running: JoinSet<(usize, Came)>,
    over: BTreeMap<usize, Came>,
    /// The first that is not told to its end.
    told: usize,
}

impl Scenarios {
    /// Those of `entries`, of which so many may run at once.
    pub fn new(
        session: Session,
        entries: Vec<Entry>,
        how: How,
        at_once: usize,
    ) -> Self {
        let (major, ..) = session.stage.broker.version;
        let all = entries.iter().map(|entry| {
            let needs = &entry.scenario.needs;
            (entry.topic.id, Lane::of(needs, major), needs.seconds)
        });
        let turns = Turns::new(all, at_once);
        let narrators: Vec<_> =
            entries.iter().map(|_| session.narrator.aside()).collect();
        let (running, over) = (JoinSet::new(), BTreeMap::new());
        Self { session, entries, how, narrators, turns, running, over, told: 0 }
    }

    /// Runs and tells all of them, and adds up what they came to.
    ///
    /// # Errors
    /// The first [`Problem`] of the environment in the order of the list, when
    /// those before it are told.
    pub async fn run(
        mut self,
        summary: &mut Summary,
        notes: &Notes,
    ) -> Result<(), Problem> {
        while self.told < self.entries.len() {
            // Before any other begins: what is next may have to ask.
            self.narrators[self.told].in_turn();
            if let Some(came) = self.over.remove(&self.told) {
                self.note(came, summary, notes)?;
                self.told += 1;
                continue;
            }
            self.begin();
            if self.over.contains_key(&self.told) {
                continue;
            }
            let Some(ended) = self.running.join_next().await else {
                // Nothing runs, and nothing may begin: all is told.
                return Ok(());
            };
            let (place, came) = ended.map_err(|failed| bug(&failed))?;
            self.turns.over(place);
            if matches!(came, Came::Failed(_)) {
                self.turns.none_after(place);
            }
            self.over.insert(place, came);
        }
        Ok(())
    }

    /// Has all begin that may.
    fn begin(&mut self) {
        while let Some(place) = self.turns.begin() {
            let entry = self.entries[place];
            let narrator = self.narrators[place].clone();
            if let Some(why) = self.session.cannot(entry.scenario) {
                self.turns.over(place);
                self.over.insert(place, Came::Skipped(why));
                continue;
            }
            let session = Session { narrator, ..self.session.clone() };
            let (how, of) = (self.how, self.entries.len());
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let at = Place { index: number(place + 1), of: number(of) };
            self.running.spawn(async move {
                let Entry { topic, scenario } = entry;
                let ended = session.scenario(topic, scenario, at, how).await;
                let came = ended
                    .map_or_else(Came::Failed, |ended| Came::To(ended.into()));
                (place, came)
            });
        }
    }

    fn note(
        &self,
        came: Came,
        summary: &mut Summary,
        notes: &Notes,
    ) -> Result<(), Problem> {
        let entry = self.entries[self.told];
        match came {
            Came::Failed(problem) => return Err(problem),
            Came::Skipped(why) => {
                summary.skipped += 1;
                let topic = entry.topic.id.to_owned();
                let scenario = entry.scenario.id.to_owned();
                let event = Event::Skipped { topic, scenario, why };
                self.session.narrator.tell(event);
                notes.skipped(&entry.target());
            }
            Came::To(ended) => {
                // Without a mechanism it was another claim.
                if ended.without.is_none() {
                    notes.run(&entry.target(), ended.verdict);
                }
                summary.ended.push(*ended);
            }
        }
        Ok(())
    }
}
