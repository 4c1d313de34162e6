//! The help of a command, laid out as clap lays out its own. Clap breaks
//! lines at spaces only, and Chinese has none.

use clap::{Arg, Command, builder::styling};

use super::{
    below,
    table::{self, ABOUT, HELP, LONG},
};
use crate::{
    cli::AFTER_HELP,
    narrate::wrapped,
    text,
    text::{Lang, Text},
};

/// What help is told in where clap does not tell it.
const LANG: Lang = Lang::Zh;

/// Before what is said of an argument, which stands below its name.
const INDENT: &str = "          ";

/// How a page is drawn.
#[derive(Clone, Copy)]
struct Sheet {
    width: usize,
    head: styling::Style,
    literal: styling::Style,
}

/// The help of a built command that is typed like this.
pub(super) fn page(command: &mut Command, path: &str, width: usize) -> String {
    let usage = command.render_usage().to_string();
    let styles = command.get_styles();
    let sheet = Sheet {
        width,
        head: *styles.get_header(),
        literal: *styles.get_literal(),
    };
    let about = table::find(path, LONG).or_else(|| table::find(path, ABOUT));
    let mut sections = Vec::new();
    sections.extend(about.map(|about| sheet.paragraphs(about)));
    sections.push(sheet.usage(&usage));
    sections.extend(sheet.commands(command, path));
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let (named, mut options): (Vec<&Arg>, Vec<&Arg>) =
        shown.partition(|arg| arg.is_positional());
    // What every command has comes last.
    options
        .sort_by_key(|arg| matches!(arg.get_id().as_str(), HELP | "version"));
    sections.extend(sheet.arguments(&ARGUMENTS, &named, path));
    sections.extend(sheet.arguments(&OPTIONS, &options, path));
    if path.is_empty() {
        sections.push(sheet.paragraphs(&AFTER_HELP));
    }
    sections.join("\n\n") + "\n"
}

impl Sheet {
    fn paragraphs(self, text: &Text) -> String {
        let paragraphs = text.say(LANG).split("\n\n");
        let paragraphs =
            paragraphs.map(|text| wrapped(text, self.width, "").join("\n"));
        paragraphs.collect::<Vec<_>>().join("\n\n")
    }

    /// A heading.
    fn head(self, label: &Text) -> String {
        format!("{}{}{:#}", self.head, label.say(LANG), self.head)
    }

    /// What is typed as it stands.
    fn literal(self, word: &str) -> String {
        format!("{}{word}{:#}", self.literal, self.literal)
    }

    /// How a command is typed, from what clap says of it.
    fn usage(self, told: &str) -> String {
        let mut usage = told.trim_start_matches(&*USAGE.en).trim().to_owned();
        for word in [&SOME_OPTIONS, &SOME_COMMAND] {
            usage = usage.replace(&*word.en, word.say(LANG));
        }
        format!("{}{usage}", self.head(&USAGE))
    }

    /// The commands below a command, each with what it does beside it.
    fn commands(self, command: &Command, path: &str) -> Option<String> {
        let all: Vec<&str> = command
            .get_subcommands()
            .filter(|inner| !inner.is_hide_set())
            .map(Command::get_name)
            .collect();
        let longest = all.iter().map(|name| name.len()).max()?;
        // Below clap's own `help` all of them stand once more.
        if command.get_name() == HELP {
            return None;
        }
        let indent = " ".repeat(longest + 4);
        let mut lines = vec![self.head(&COMMANDS)];
        for name in all {
            let about = table::find(&below(path, name), ABOUT);
            let about = about.map_or("", |about| about.say(LANG));
            let gap = " ".repeat(longest + 2 - name.len());
            let lead = format!("  {}{gap}", self.literal(name));
            lines.extend(hung(&lead, &wrapped(about, self.width, &indent)));
        }
        Some(lines.join("\n"))
    }

    fn arguments(
        self,
        label: &Text,
        all: &[&Arg],
        path: &str,
    ) -> Option<String> {
        let all: Vec<String> =
            all.iter().map(|arg| self.argument(arg, path)).collect();
        let head = self.head(label);
        (!all.is_empty()).then(|| format!("{head}\n{}", all.join("\n\n")))
    }

    /// An argument's name, and below it what it is.
    fn argument(self, arg: &Arg, path: &str) -> String {
        let told = arg.to_string();
        let mut lines = vec![match (arg.get_short(), arg.get_long()) {
            (None, None) => format!("  {told}"),
            (short, _) => {
                let short = match short {
                    Some(letter) => {
                        format!("{}, ", self.literal(&format!("-{letter}")))
                    }
                    None => "    ".to_owned(),
                };
                let (name, value) = match told.split_once(' ') {
                    Some((name, value)) => (name, format!(" {value}")),
                    None => (told.as_str(), String::new()),
                };
                format!("  {short}{}{value}", self.literal(name))
            }
        }];
        let id = arg.get_id().as_str();
        let what = table::find(path, id).map_or("", |text| text.say(LANG));
        let mut what = what.to_owned();
        if let Some(default) = default(arg) {
            what.push_str(&format!(" {}", default.say(LANG)));
        }
        let values = arg.get_possible_values();
        let explained: Vec<(&str, &Text)> = values
            .iter()
            .filter_map(|value| {
                let name = value.get_name();
                let text = table::find(path, &format!("{id}={name}"))?;
                Some((name, text))
            })
            .collect();
        if explained.is_empty() && !values.is_empty() {
            let names: Vec<&str> =
                values.iter().map(|value| value.get_name()).collect();
            what.push_str(&format!(" {}", choice(&names).say(LANG)));
        }
        lines.extend(wrapped(&what, self.width, INDENT));
        let indent = format!("{INDENT}  ");
        for (name, text) in explained {
            let lead = format!("{INDENT}- ");
            let text = format!("{name}：{}", text.say(LANG));
            lines.extend(hung(&lead, &wrapped(&text, self.width, &indent)));
        }
        lines.join("\n")
    }
}

/// Lines with a lead in the place of the first one's indent.
fn hung(lead: &str, lines: &[String]) -> Vec<String> {
    let with_lead = |(nth, line): (usize, &String)| match nth {
        0 => format!("{lead}{}", line.trim_start()),
        _ => line.clone(),
    };
    lines.iter().enumerate().map(with_lead).collect()
}

/// What an argument is where it is left out.
fn default(arg: &Arg) -> Option<Text> {
    let all: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    let told = arg.get_action().takes_values() && !all.is_empty();
    told.then(|| {
        text! {
            en: "[default: {value}]", zh: "[默认值：{value}]",
            value = all.join(" ")
        }
    })
}

/// What can be chosen from.
fn choice(names: &[&str]) -> Text {
    text! {
        en: "[possible values: {names}]", zh: "[可选：{names}]",
        names = names.join(", ")
    }
}

const USAGE: Text = text! { en: "Usage:", zh: "用法：" };
const COMMANDS: Text = text! { en: "Commands:", zh: "命令：" };
const ARGUMENTS: Text = text! { en: "Arguments:", zh: "参数：" };
const OPTIONS: Text = text! { en: "Options:", zh: "选项：" };
const SOME_OPTIONS: Text = text! { en: "[OPTIONS]", zh: "[选项]" };
const SOME_COMMAND: Text = text! { en: "[COMMAND]", zh: "[命令]" };
