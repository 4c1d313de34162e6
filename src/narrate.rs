//! How a run is told.
//!
//! A run is a stream of [events](crate::event); everything here is a view of
//! that stream and knows nothing else: the [`Terminal`] for a person,
//! [`JsonLines`] for a program, the [`Record`] for later. The [`Narrator`]
//! stamps the events, records them and has them told, at a [`Pace`] that
//! never slows the experiment. What was [`Recorded`] is told again by the
//! same narrator; the [`Life`] of one message is looked up in it.

mod amount;
mod axis;
mod chart;
mod curve;
mod ending;
mod grid;
mod handed_on;
mod header;
mod layout;
mod life;
mod narrator;
mod person;
mod reading;
mod record;
mod recorded;
mod report;
#[cfg(test)]
mod sample;
mod series;
mod spinner;
mod story;
mod summary;
mod table;
mod teller;
mod terminal;
#[cfg(test)]
mod tests_chart;
#[cfg(test)]
mod tests_grid;
#[cfg(test)]
mod tests_json;
#[cfg(test)]
mod tests_pace;
#[cfg(test)]
mod tests_person;
#[cfg(test)]
mod tests_recorded;
#[cfg(test)]
mod tests_terminal;
#[cfg(test)]
mod tests_trace;
mod topology;
mod trace;
mod waits;
mod way;
mod words;

pub use handed_on::{Private, to_hand_on};
pub use life::{Fate, InWay, Life, Moment};
pub use narrator::{Failure, Narrator, Pace};
pub use reading::{Events, Unreadable};
pub use record::{JsonLines, Record};
pub use recorded::{Head, Recorded, Scene, minute, utc};
pub use report::{Report, WithReport, page};
pub use terminal::Terminal;
pub use trace::{STRUCK_ONLY, trace};

use std::{io, path::Path};

use crate::{
    event::{Choice, Stamped, Verdict, WayName},
    ledger::Fact,
    text::{Lang, Text},
};

pub use layout::Ink;
use layout::Page;
use unicode_width::UnicodeWidthChar;

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Two lines a scenario.
    Quiet,
    /// Every scenario on a screen of its own.
    #[default]
    Normal,
    /// And every message with something wrong.
    Verbose,
}

impl Detail {
    /// As `--quiet` and `--verbose` ask for it.
    pub const fn of(quiet: bool, verbose: bool) -> Self {
        match (quiet, verbose) {
            (true, _) => Self::Quiet,
            (_, true) => Self::Verbose,
            _ => Self::Normal,
        }
    }
}

/// How a run is told to a person.
#[derive(Clone, Debug)]
pub struct Style {
    /// In which language.
    pub lang: Lang,
    /// Whether with colours, which add nothing that the words do not say.
    pub color: bool,
    /// Columns, 80 at most.
    pub width: usize,
    /// How much.
    pub detail: Detail,
    /// Whether somebody watches who likes to see that something moves.
    pub interactive: bool,
}

impl Style {
    /// The columns of the terminal, 80 at most and where there is none.
    pub fn width_of_terminal() -> usize {
        let columns = terminal_size::terminal_size()
            .map(|(width, _)| usize::from(width.0));
        columns.unwrap_or(80).clamp(20, 80)
    }
}

/// A view of the stream of events.
pub trait View: Send {
    /// Tells one event. A closed pipe is an error of kind `BrokenPipe`.
    fn tell(&mut self, event: &Stamped) -> io::Result<()>;

    /// Shows what happens now and will be told later: enough to see that
    /// something moves. Only at a pace.
    fn glimpse(&mut self, event: &Stamped) {
        let _ = event;
    }

    /// Shows what will be told soon, so that what is known only at the end
    /// can be said at the beginning. Only when told afterwards, at a pace.
    fn ahead(&mut self, events: &[Stamped]) {
        let _ = events;
    }
}

/// A verdict's glyph and its word.
pub const fn verdict_word(verdict: Verdict) -> (&'static str, Text) {
    words::verdict(verdict)
}

/// The word for a fact, as `trace` tells it.
pub const fn fact_word(fact: Fact) -> Text {
    words::fact(fact)
}

/// The word for a way, as the head of its section.
pub const fn way_head(way: WayName) -> Text {
    words::head(way)
}

/// What a scenario asks before its outcome is told: the recipe, the fault,
/// the question and its choices.
pub fn posed(
    recipe: &Text,
    fault: &Text,
    question: &Text,
    choices: &[Choice],
    style: &Style,
) -> Vec<String> {
    let page =
        Page { lang: style.lang, color: style.color, width: style.width };
    let mut lines = header::recipe(&page, recipe, fault);
    lines.extend(header::asked(&page, question, choices));
    lines
}

/// A label in the margin, and a text that hangs beside it.
pub fn labelled(label: &Text, text: &str, style: &Style) -> Vec<String> {
    let page =
        Page { lang: style.lang, color: style.color, width: style.width };
    page.labelled(label, text)
}

/// Where the page of a run is, as the last line of its narrative, and whether
/// something was there before.
pub fn report_line(
    path: &Path,
    replaced: bool,
    lang: Lang,
    color: bool,
) -> String {
    let page = Page { lang, color, width: Style::width_of_terminal() };
    let path = path.display().to_string();
    let line = ending::command_line(&page, &words::REPORT, &path);
    match replaced {
        true => format!("{line}  {}", page.say(&words::REPLACED)),
        false => line,
    }
}

/// A problem as it is told on stderr, in the shape of clap and cargo:
///
/// ```text
/// error: no topic "idempotancy"
///   help: did you mean "idempotency"?
/// ```
///
/// Never wrapped: what helps is often a command.
pub fn error_lines(
    error: &Text,
    help: &[Text],
    lang: Lang,
    color: bool,
) -> String {
    let page = Page { lang, color, width: 80 };
    let label =
        |ink, word: &Text| page.paint(ink, &format!("{}:", page.say(word)));
    let mut told =
        format!("{} {}\n", label(Ink::Red, &words::ERROR), error.say(lang));
    for help in help {
        told.push_str(&format!(
            "  {} {}\n",
            label(Ink::Cyan, &words::HELP),
            help.say(lang)
        ));
    }
    told
}

/// A paragraph in lines of at most `width` columns, each behind `indent`.
/// Chinese characters count as two. Nothing to say is a free line.
pub fn wrapped(text: &str, width: usize, indent: &str) -> Vec<String> {
    // Where Chinese is written, ambiguous characters may be wide, too.
    let wide = text.chars().any(|c| c.width() == Some(2));
    let lang = if wide { Lang::Zh } else { Lang::En };
    let page = Page { lang, color: false, width };
    let room = width.saturating_sub(page.width_of(indent));
    let lines = page.wrap(text, room);
    if lines.is_empty() {
        return vec![String::new()];
    }
    lines.into_iter().map(|line| format!("{indent}{line}")).collect()
}

/// The parts of a line between which it may be broken, each with the space
/// after it.
pub fn unbroken(line: &str) -> Vec<String> {
    layout::glued(line)
}

/// The columns that a text takes: where Chinese is written, the characters
/// whose width Unicode calls ambiguous take two.
pub fn width_in(lang: Lang, text: &str) -> usize {
    Page { lang, color: false, width: 80 }.width_of(text)
}

/// A text in an ink, or as it is where there is no colour.
pub fn painted(ink: Ink, text: &str, color: bool) -> String {
    Page { lang: Lang::En, color, width: 80 }.paint(ink, text)
}
