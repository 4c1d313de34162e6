//! What is made of the command line for a shell and for `man`.

mod manual;

use std::io::{self, Write};

use clap::{CommandFactory, builder::PossibleValuesParser};

use super::{Cli, localized::spoken, shelf};
use crate::{book::CHAPTERS, demos::TOPICS, lab::catalogue, text::Lang};

/// The command tree with every name that can be completed in it.
pub fn completable() -> clap::Command {
    let targets = || {
        let topics = TOPICS.iter().map(|topic| topic.id.to_owned());
        let scenarios = catalogue::entries(TOPICS).map(|entry| entry.target());
        topics.chain(scenarios).collect::<Vec<_>>()
    };
    let or_latest = || {
        let mut targets = targets();
        targets.insert(0, shelf::LATEST.to_owned());
        PossibleValuesParser::new(targets)
    };
    let targets = || PossibleValuesParser::new(targets());
    let chapters = || {
        let topics = CHAPTERS.iter().map(|chapter| chapter.topic);
        PossibleValuesParser::new(topics.collect::<Vec<_>>())
    };
    let scenarios = || {
        let all = catalogue::entries(TOPICS).map(|entry| entry.target());
        PossibleValuesParser::new(all.collect::<Vec<_>>())
    };
    let mechanisms = || {
        let mut names: Vec<_> = catalogue::entries(TOPICS)
            .flat_map(|entry| entry.scenario.ways.mechanisms())
            .map(|mechanism| mechanism.id)
            .collect();
        names.sort_unstable();
        names.dedup();
        PossibleValuesParser::new(names)
    };
    Cli::command()
        .mut_subcommand("list", |list| {
            list.mut_arg("topic", |arg| arg.value_parser(chapters()))
        })
        .mut_subcommand("runs", |runs| without_hidden(&runs))
        .mut_subcommand("demo", |demo| {
            demo.mut_arg("targets", |arg| arg.value_parser(targets()))
                .mut_arg("without", |arg| arg.value_parser(mechanisms()))
        })
        .mut_subcommand("read", |read| {
            read.mut_arg("topic", |arg| arg.value_parser(chapters()))
        })
        .mut_subcommand("hint", |hint| {
            hint.mut_arg("target", |arg| arg.value_parser(scenarios()))
        })
        .mut_subcommand("quiz", |quiz| {
            quiz.mut_arg("topic", |arg| arg.value_parser(chapters()))
        })
        .mut_subcommand("interview", |interview| {
            interview.mut_arg("topics", |arg| arg.value_parser(chapters()))
        })
        .mut_subcommand("reset", |reset| {
            reset.mut_arg("topic", |arg| arg.value_parser(chapters()))
        })
        .mut_subcommand("show", |show| {
            show.mut_arg("target", |arg| arg.value_parser(targets()))
                .mut_arg("without", |arg| arg.value_parser(mechanisms()))
        })
        .mut_subcommand("replay", |replay| {
            replay.mut_arg("what", |arg| arg.value_parser(or_latest()))
        })
        .mut_subcommand("trace", |trace| {
            trace
                .mut_arg("scenario", |arg| arg.value_parser(targets()))
                .mut_arg("run", |arg| arg.value_parser(or_latest()))
        })
}

/// A command that does not propose what its help does not tell.
fn without_hidden(command: &clap::Command) -> clap::Command {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let about = command.get_about().cloned().unwrap_or_default();
    clap::Command::new(command.get_name().to_owned())
        .about(about)
        .args(shown.cloned())
}

/// Writes the completions for a shell, which tell in this language what each
/// word is.
///
/// # Errors
/// When stdout is closed.
pub fn completions(
    shell: clap_complete::Shell,
    lang: Lang,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut script = Vec::new();
    let mut tree = spoken(completable(), lang);
    clap_complete::generate(shell, &mut tree, "rmq-lab", &mut script);
    match shell {
        clap_complete::Shell::Bash => {
            let script = String::from_utf8_lossy(&script);
            out.write_all(script.replace(TORN, WHOLE).as_bytes())
        }
        _ => out.write_all(&script),
    }
}

/// What `clap_complete` 4.6 makes of the program's name where it looks up
/// what can be typed behind a command of it, and what where it notes that
/// command: with a hyphen in the name the two differ, and bash proposes
/// nothing.
const TORN: &str = "rmq__subcmd__lab";
const WHOLE: &str = "rmq__lab";

/// Writes the manual page: the program, and each of its commands.
///
/// # Errors
/// When stdout is closed.
pub fn man(lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(manual::page(lang)?.as_bytes())
}
