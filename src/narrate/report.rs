//! The view for a browser: one self-contained page, in both languages.
//!
//! A [`Report`] listens while a run is told and keeps what the page will
//! show, and no more: lanes of single messages are few, everything else is
//! added up while it passes. [`Report::page`] then writes the page, for a run
//! that came to its end and for one that did not. [`page`] does both for a
//! run that was recorded.

mod about;
mod anomalies;
mod backlog;
mod bars;
mod curves;
mod document;
mod flow;
mod gauges;
mod heading;
mod lanes;
mod latency;
mod ledger;
mod log;
mod marks;
mod say;
mod scale;
mod scene;
mod spread;
mod steps;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_many;
#[cfg(test)]
mod tests_readable;
#[cfg(test)]
mod tests_undone;
mod tracks;
mod undone;
mod verdict;
mod way;

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::View;
use crate::{event::Stamped, text::Lang};

/// What the page will show, as far as it is known.
#[derive(Debug)]
pub struct Report {
    lang: Lang,
    recorded: bool,
    log: log::Log,
}

impl Report {
    /// A page that opens in this language; the other is a switch away.
    pub fn new(lang: Lang) -> Self {
        Self { lang, recorded: false, log: log::Log::default() }
    }

    /// Marks the page as made from a record.
    #[must_use]
    pub fn recorded(mut self) -> Self {
        self.recorded = true;
        self
    }

    /// Which scenarios make a whole topic (its id, and each as one types it):
    /// such a run is done again by one word.
    #[must_use]
    pub fn knows(mut self, topics: Vec<(String, Vec<String>)>) -> Self {
        self.log.topics = topics;
        self
    }

    /// The page of what was told so far. Where that is no whole run, it says
    /// so.
    pub fn page(&self) -> String {
        document::document(&self.log, self.lang, self.recorded).into_string()
    }
}

impl View for Report {
    fn tell(&mut self, event: &Stamped) -> io::Result<()> {
        self.log.tell(event);
        Ok(())
    }
}

/// The page of a recorded run.
pub fn page(events: impl IntoIterator<Item = Stamped>, lang: Lang) -> String {
    let mut report = Report::new(lang).recorded();
    for event in events {
        report.log.tell(&event);
    }
    report.page()
}

/// A view and, beside it, a report that outlives it: what a terminal that has
/// gone away no longer hears stands in the page.
pub struct WithReport {
    view: Box<dyn View>,
    report: Arc<Mutex<Report>>,
}

impl WithReport {
    /// Tells `view`, and has the report listen.
    pub fn new(view: Box<dyn View>, report: Arc<Mutex<Report>>) -> Self {
        Self { view, report }
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View for WithReport {
    fn tell(&mut self, event: &Stamped) -> io::Result<()> {
        self.report().log.tell(event);
        self.view.tell(event)
    }

    fn glimpse(&mut self, event: &Stamped) {
        self.view.glimpse(event);
    }

    fn ahead(&mut self, events: &[Stamped]) {
        self.view.ahead(events);
    }
}
