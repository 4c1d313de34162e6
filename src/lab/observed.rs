//! What a way measures, besides what its ledger counts.

use std::time::Duration;

use super::{Lab, Outcome, lock, millis};
use crate::{
    event::{Event, Figure, Gauge, Grid, Unit},
    text,
    text::Text,
};

/// What a way has measured, and what it says of itself.
#[derive(Clone, Default)]
pub(super) struct Observed {
    pub figures: Vec<Figure>,
    pub came_to: Option<Text>,
    pub grids: Vec<Grid>,
}

impl Outcome {
    /// The value of the figure of this id.
    ///
    /// # Errors
    /// When the way has not measured it.
    pub fn figure(&self, id: &str) -> Result<f64, Text> {
        let found = self.figures.iter().find(|figure| figure.id == id);
        found.map(|figure| figure.value).ok_or_else(|| {
            text! { en: "{id} was not measured", zh: "没有测量 {id}", id = id }
        })
    }
}

impl Lab {
    /// Keeps something that was measured, for the check, the table and the
    /// charts.
    pub fn observe(&self, id: &str, name: Text, value: f64, unit: Unit) {
        let figure = Figure { id: id.to_owned(), name, value, unit };
        let mut observed = lock(&self.0.observed);
        observed.figures.retain(|known| known.id != figure.id);
        observed.figures.push(figure);
    }

    /// What was measured under this id so far.
    pub fn figure(&self, id: &str) -> Option<f64> {
        let observed = lock(&self.0.observed);
        let mut figures = observed.figures.iter();
        figures.find(|figure| figure.id == id).map(|figure| figure.value)
    }

    /// Keeps what the gauges show now, `since` the way began to measure.
    pub fn sample(
        &self,
        since: Duration,
        gauges: impl IntoIterator<Item = (Gauge, f64)>,
    ) {
        let since_ms = millis(since);
        let (way, gauges) = (self.0.way, gauges.into_iter().collect());
        self.0.narrator.tell(Event::Sample { way, since_ms, gauges });
    }

    /// Shows a table of words at the end of the scenario.
    pub fn grid(&self, grid: Grid) {
        lock(&self.0.observed).grids.push(grid);
    }

    /// Says what the way came to, where the ledger's sums do not.
    pub fn came_to(&self, words: Text) {
        lock(&self.0.observed).came_to = Some(words);
    }
}
