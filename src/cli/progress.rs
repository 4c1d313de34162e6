//! Progress as the commands note it and look at it.
//!
//! What is merely noted on the way (a chapter read, a scenario run) never
//! stands in the way: that it could not be kept is a warning.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::{Manner, state};
use crate::{
    book::{Moment, Progress, Store, store::Kept},
    event::Verdict,
    narrate::{Ink, painted},
    problem::Problem,
    text,
    text::Text,
};

/// Where progress is kept.
pub fn store() -> Store {
    Store::at(state::progress_file())
}

/// What is known so far; a file that was set aside is told on stderr.
///
/// # Errors
/// As [`Store::load`].
pub fn load(manner: Manner) -> Result<Progress, Problem> {
    let Kept { it, notice } = store().load()?;
    if let Some(notice) = notice {
        warn(&notice, &[], manner);
    }
    Ok(it)
}

/// What is known so far, for a command that goes on without it.
pub fn look(manner: Manner) -> Progress {
    load(manner).unwrap_or_else(|problem| {
        warn(&problem.error, &problem.help, manner);
        Progress::default()
    })
}

/// Notes that a chapter was read.
pub fn note_read(topic: &str, manner: Manner) {
    let noted = Notes::default();
    noted.keep(|progress| progress.note_read(topic, Moment::now()));
    noted.tell(manner);
}

/// What went wrong, and what to do about it.
type Wrong = (Text, Vec<Text>);

/// Notes made while something else is told; what went wrong is told at the
/// end.
#[derive(Clone, Default)]
pub struct Notes {
    wrong: Arc<Mutex<Option<Wrong>>>,
}

impl Notes {
    /// Notes how a scenario ended.
    pub fn run(&self, target: &str, verdict: Verdict) {
        let verdict = word(verdict);
        self.keep(|progress| {
            progress.note_run(target, verdict, Moment::now());
        });
    }

    /// Notes that a scenario cannot be run on this machine.
    pub fn skipped(&self, target: &str) {
        self.keep(|progress| progress.note_skipped(target, Moment::now()));
    }

    fn keep(&self, change: impl FnOnce(&mut Progress)) {
        let wrong = match aside(|| store().update(change)) {
            Ok(Kept { notice: None, .. }) => return,
            Ok(Kept { notice: Some(notice), .. }) => (notice, Vec::new()),
            Err(problem) => (problem.error, problem.help),
        };
        let mut first =
            self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(wrong);
    }

    /// Tells what went wrong first, if anything did.
    pub fn tell(&self, manner: Manner) {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((wrong, help)) = wrong.as_ref() {
            warn(wrong, help, manner);
        }
    }
}

/// Does what may wait for a lock where no task waits behind it.
fn aside<T>(work: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|handle| handle.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// As the file has it; never renamed.
const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Proven => "proven",
        Verdict::Refuted => "refuted",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Observed => "observed",
    }
}

/// Tells something that is wrong and stops nothing, in the shape of an error.
fn warn(wrong: &Text, help: &[Text], manner: Manner) {
    let paint = |ink, word: &str| painted(ink, word, manner.color_errors);
    let label = text! { en: "warning:", zh: "提醒:" };
    let label = paint(Ink::Yellow, label.say(manner.lang));
    let mut told = format!("{label} {}\n", wrong.say(manner.lang));
    let label = text! { en: "help:", zh: "办法:" };
    let label = paint(Ink::Cyan, label.say(manner.lang));
    for help in help {
        told.push_str(&format!("  {label} {}\n", help.say(manner.lang)));
    }
    // Where stderr is closed nobody listens.
    let _ = io::stderr().write_all(told.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_kept_as_events_name_it() {
        let all = [
            Verdict::Proven,
            Verdict::Refuted,
            Verdict::Inconclusive,
            Verdict::Observed,
        ];
        for verdict in all {
            let event = serde_json::to_value(verdict).unwrap();
            assert_eq!(event, word(verdict));
        }
    }
}
