//! Help, and what is said of a command line that cannot be understood, in
//! the language of whoever typed it. Clap speaks English only: its English
//! stays what it is, and the Chinese stands beside it in the table.

mod page;
mod refusal;
mod spoken;
mod table;
#[cfg(test)]
mod tests;

use std::{ffi::OsString, ops::Range};

use clap::{Command, CommandFactory, FromArgMatches, ValueEnum};

pub use refusal::refused;
pub use spoken::{headed, spoken};
pub(super) use table::HELP;

use super::Cli;
use crate::{narrate::Style, text::Lang};

/// The language of what was typed, also where the rest of it makes no sense:
/// the one that `--lang` names, else the locale's.
pub fn lang(words: &[OsString], get: impl Fn(&str) -> Option<String>) -> Lang {
    named(words).map_or_else(|| Lang::from_locale(get), |(_, lang)| lang)
}

/// What `--lang` names, and where it stands.
fn named(words: &[OsString]) -> Option<(Range<usize>, Lang)> {
    let words: Vec<&str> = words
        .iter()
        .map(|word| word.to_str().unwrap_or_default())
        .take_while(|word| *word != "--")
        .collect();
    words.iter().enumerate().skip(1).find_map(|(at, word)| {
        let (value, end) = match word.strip_prefix("--lang")? {
            "" => (words.get(at + 1).copied()?, at + 2),
            rest => (rest.strip_prefix('=')?, at + 1),
        };
        let lang = <Lang as ValueEnum>::from_str(value, false).ok()?;
        Some((at..end, lang))
    })
}

/// What was typed, the name of the program first.
///
/// # Errors
/// Clap's: help and version too, which are in this language already.
pub fn parse(
    words: impl IntoIterator<Item = impl Into<OsString>>,
    lang: Lang,
) -> Result<Cli, clap::Error> {
    let mut words: Vec<OsString> = words.into_iter().map(Into::into).collect();
    // Clap's own `help` takes each word behind it for a command.
    if words.get(1).is_some_and(|word| word == table::HELP)
        && let Some((place, _)) = named(&words)
    {
        words.drain(place);
    }
    let mut tree = command(lang, Style::width_of_terminal());
    let mut matches = tree.try_get_matches_from_mut(words)?;
    Cli::from_arg_matches_mut(&mut matches)
        .map_err(|error| error.format(&mut tree))
}

/// The command tree, whose help is in this language.
fn command(lang: Lang, width: usize) -> Command {
    let mut tree = Cli::command();
    match lang {
        Lang::En => tree,
        Lang::Zh => {
            // Clap's own options and its `help` come with this.
            tree.build();
            translated(tree, "", width)
        }
    }
}

fn translated(mut command: Command, path: &str, width: usize) -> Command {
    let page = page::page(&mut command, path, width);
    let command = command.override_help(page);
    if command.get_name() == table::HELP {
        return command;
    }
    command.mut_subcommands(|inner| {
        let path = below(path, inner.get_name());
        translated(inner, &path, width)
    })
}

/// What is typed for a command below another one, without the program.
fn below(path: &str, name: &str) -> String {
    format!("{path} {name}").trim_start().to_owned()
}
