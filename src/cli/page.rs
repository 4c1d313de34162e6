//! The page of a run, for a browser: it listens beside the view, and is written
//! when all is over.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Manner,
    report::{PageFile, Placed},
};
use crate::{
    demos::TOPICS,
    lab::Scenario,
    narrate::{Report, View, WithReport, report_line},
    problem::{Exit, Problem},
};

/// The page of this run, written when all is over, however it ended.
pub struct Page {
    file: PageFile,
    report: Arc<Mutex<Report>>,
    manner: Manner,
}

impl Page {
    /// A report that is to be written to this file.
    pub fn to(file: PageFile, report: Report, manner: Manner) -> Self {
        let topics = TOPICS.iter().map(|topic| {
            let target = |one: &&Scenario| format!("{}/{}", topic.id, one.id);
            (topic.id.to_owned(), topic.scenarios.iter().map(target).collect())
        });
        let report = report.knows(topics.collect());
        Self { file, report: Arc::new(Mutex::new(report)), manner }
    }

    /// A view, and the report listening beside it.
    pub fn beside(&self, view: Box<dyn View>) -> Box<dyn View> {
        Box::new(WithReport::new(view, self.report.clone()))
    }

    /// Writes it, and says where it is, and whether something was there.
    ///
    /// # Errors
    /// That of the run, else that it cannot be written.
    pub fn written(
        self,
        ended: Result<Exit, Problem>,
        json: bool,
    ) -> Result<Exit, Problem> {
        let Self { file, report, manner } = self;
        let report = report.lock().unwrap_or_else(PoisonError::into_inner);
        let placed = match file.write(&report.page()) {
            Ok(placed) => placed,
            Err(problem) => return Err(not_written(ended, problem)),
        };
        if !json {
            let replaced = placed == Placed::Replaced;
            let Manner { lang, color, .. } = manner;
            let line = report_line(&file.typed, replaced, lang, color);
            // Where nobody listens any more, the page is there all the same.
            let _ = writeln!(io::stdout(), "{line}");
        }
        ended
    }
}

/// What to tell where the page could not be written.
fn not_written(ended: Result<Exit, Problem>, problem: Problem) -> Problem {
    match ended {
        // The first thing that went wrong is what is told.
        Err(first) => first.help(problem.error),
        Ok(Exit::Proven | Exit::Refuted | Exit::Inconclusive) => problem,
        // A signal's exit code stays, whatever came after it.
        Ok(exit) => Problem { exit, ..problem },
    }
}

/// Whether a signal ended it.
pub fn stopped(ended: &Result<Exit, Problem>) -> bool {
    matches!(ended, Ok(Exit::Interrupted | Exit::Terminated | Exit::HungUp))
}
