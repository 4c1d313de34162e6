//! The command tree in a language, for what clap's companions make of it:
//! completions, which show what each word is, and the manual page.

use clap::{
    Arg, Command,
    builder::{PossibleValue, PossibleValuesParser},
};

use super::{
    below,
    table::{self, ABOUT, HELP, LONG},
};
use crate::{
    cli::AFTER_HELP,
    text,
    text::{Lang, Text},
};

/// A command tree that tells in this language what each word is. It is not
/// for parsing: a value that can be chosen is a word in it, and no more.
pub fn spoken(mut command: Command, lang: Lang) -> Command {
    match lang {
        Lang::En => command,
        Lang::Zh => {
            // Clap's own options and its `help` come with this.
            command.build();
            let after = AFTER_HELP.say(lang).to_owned();
            in_chinese(command.after_help(after), "")
        }
    }
}

fn in_chinese(command: Command, path: &str) -> Command {
    let mut command = command.mut_args(|arg| argument(arg, path));
    // Below clap's own `help` all commands stand once more.
    let words = path.split(' ').filter(|word| *word != HELP);
    let typed = match command.get_name() {
        HELP => HELP.to_owned(),
        _ => words.collect::<Vec<_>>().join(" "),
    };
    if let Some(about) = table::find(&typed, ABOUT) {
        command = command.about(about.say(Lang::Zh).to_owned());
    }
    if let Some(long) = table::find(&typed, LONG) {
        command = command.long_about(long.say(Lang::Zh).to_owned());
    }
    command.mut_subcommands(|inner| {
        let path = below(path, inner.get_name());
        in_chinese(inner, &path)
    })
}

fn argument(arg: Arg, path: &str) -> Arg {
    let id = arg.get_id().to_string();
    let told = |what: &str| Some(table::find(path, what)?.say(Lang::Zh));
    let of_value = |value: PossibleValue| {
        let what = format!("{id}={}", value.get_name());
        match told(&what) {
            Some(text) => value.help(text.to_owned()),
            None => value,
        }
    };
    let values = arg.get_possible_values();
    let explained = values.iter().any(|value| value.get_help().is_some());
    let arg = match explained {
        true => {
            let values: Vec<_> = values.into_iter().map(of_value).collect();
            arg.value_parser(PossibleValuesParser::new(values))
        }
        false => arg,
    };
    match (told(&id), arg.get_long_help().is_some()) {
        (Some(text), false) => arg.help(text.to_owned()),
        (Some(text), true) => {
            arg.help(text.to_owned()).long_help(text.to_owned())
        }
        (None, _) => arg,
    }
}

/// A manual page by `clap_mangen`, whose own words are in this language too.
pub fn headed(page: &str, lang: Lang) -> String {
    match lang {
        Lang::En => page.to_owned(),
        Lang::Zh => {
            let lines = page.lines().map(in_a_manual);
            BETWEEN_ANY_TWO.to_owned() + &lines.collect::<String>()
        }
    }
}

fn in_a_manual(line: &str) -> String {
    if line.starts_with(".TH ") {
        return format!("{line}\n{NOT_SPREAD}");
    }
    let heading = line
        .strip_prefix(".SH ")
        .and_then(|heading| HEADINGS.iter().find(|text| text.en == heading));
    match heading {
        Some(text) => format!(".SH {}\n", text.say(Lang::Zh)),
        None => {
            let told = WORDS.iter().fold(line.to_owned(), |line, text| {
                line.replace(&*text.en, text.say(Lang::Zh))
            });
            told + "\n"
        }
    }
}

/// A line of Chinese may be broken between any two characters: groff's own
/// macros say so (groff_tmac(5), Localization).
const BETWEEN_ANY_TWO: &str = ".mso zh.tmac\n";

/// Nor are the few spaces in a line of Chinese spread over its width.
const NOT_SPREAD: &str = ".ad l\n";

static HEADINGS: [Text; 7] = [
    text! { en: "NAME", zh: "名称" },
    text! { en: "SYNOPSIS", zh: "概要" },
    text! { en: "DESCRIPTION", zh: "描述" },
    text! { en: "OPTIONS", zh: "选项" },
    text! { en: "SUBCOMMANDS", zh: "命令" },
    text! { en: "EXTRA", zh: "说明" },
    text! { en: "VERSION", zh: "版本" },
];

static WORDS: [Text; 3] = [
    text! { en: "Possible values:", zh: "可选：" },
    text! { en: "[default: ", zh: "[默认值：" },
    text! { en: "[\\fIsubcommands\\fR]", zh: "[\\fI命令\\fR]" },
];
