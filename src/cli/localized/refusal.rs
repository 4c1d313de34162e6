//! A command line that clap refuses: what is wrong with it, in both languages.
//! The English is clap's own.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::{
    cli::typed::Wanted,
    problem::{Problem, did_you_mean},
    text,
    text::Text,
};

/// What is wrong, what was perhaps meant, and where help is.
pub fn refused(error: &clap::Error) -> Problem {
    let wrong = wrong(error).unwrap_or_else(|| Text {
        en: of_clap(error).into(),
        zh: "命令行有误".into(),
    });
    let tips = tips(error).into_iter().chain([more(error)]);
    tips.fold(Problem::usage(wrong), Problem::help)
}

/// Clap's own sentence.
fn of_clap(error: &clap::Error) -> String {
    let told = error.to_string();
    let told = told.strip_prefix("error: ").unwrap_or(&told);
    told.split("\n\n").next().unwrap_or_default().trim().to_owned()
}

fn wrong(error: &clap::Error) -> Option<Text> {
    let arg = || word(error, ContextKind::InvalidArg);
    let value = || word(error, ContextKind::InvalidValue);
    let command = || word(error, ContextKind::InvalidSubcommand);
    Some(match error.kind() {
        ErrorKind::UnknownArgument if arg()?.starts_with('-') => text! {
            en: "unexpected argument '{arg}' found", zh: "没有选项 \"{arg}\"",
            arg = arg()?
        },
        ErrorKind::UnknownArgument => text! {
            en: "unexpected argument '{arg}' found", zh: "多了参数 \"{arg}\"",
            arg = arg()?
        },
        ErrorKind::InvalidSubcommand => text! {
            en: "unrecognized subcommand '{name}'", zh: "没有命令 \"{name}\"",
            name = command()?
        },
        ErrorKind::InvalidValue if value()?.is_empty() => text! {
            en: "a value is required for '{arg}' but none was supplied",
            zh: "{arg} 后面缺少值",
            arg = arg()?
        },
        ErrorKind::InvalidValue => text! {
            en: "invalid value '{value}' for '{arg}'",
            zh: "{arg} 的值 \"{value}\" 无效",
            value = value()?, arg = arg()?
        },
        ErrorKind::ValueValidation => invalid(arg()?, value()?, error),
        ErrorKind::TooManyValues => text! {
            en: "unexpected value '{value}' for '{arg}' found; \
                 no more were expected",
            zh: "{arg} 后面多了一个值 \"{value}\"",
            value = value()?, arg = arg()?
        },
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => Text {
            en: of_clap(error).into(),
            zh: format!("{} 的值，个数不对", arg()?).into(),
        },
        ErrorKind::NoEquals => text! {
            en: "equal sign is needed when assigning values to '{arg}'",
            zh: "{arg} 和它的值之间要有等号",
            arg = arg()?
        },
        ErrorKind::ArgumentConflict => conflict(arg().or(command())?, error),
        ErrorKind::MissingRequiredArgument => text! {
            en: "the following required arguments were not provided: {args}",
            zh: "缺少参数 {args}",
            args = words(error.get(ContextKind::InvalidArg)?).join(", ")
        },
        ErrorKind::MissingSubcommand => text! {
            en: "'{name}' requires a subcommand but one was not provided",
            zh: "{name} 后面还缺一个命令",
            name = command()?
        },
        ErrorKind::InvalidUtf8 => text! {
            en: "invalid UTF-8 was detected in one or more arguments",
            zh: "有参数不是有效的 UTF-8"
        },
        _ => return None,
    })
}

/// A value that one of our own parsers refused, and what it wants.
fn invalid(arg: &str, value: &str, error: &clap::Error) -> Text {
    let wanted = error.source().and_then(|s| s.downcast_ref::<Wanted>());
    match wanted {
        Some(Wanted(wanted)) => Text::made(
            format!("invalid value '{value}' for '{arg}': {}", wanted.en),
            format!("{arg} 的值 \"{value}\" 无效：应为 {}", wanted.zh),
        ),
        None => text! {
            en: "invalid value '{value}' for '{arg}'",
            zh: "{arg} 的值 \"{value}\" 无效",
            value = value, arg = arg
        },
    }
}

/// Two that exclude each other, or one that was typed twice.
fn conflict(arg: &str, error: &clap::Error) -> Text {
    let prior = error.get(ContextKind::PriorArg).map(words);
    let prior = prior.unwrap_or_default();
    match prior.as_slice() {
        [same] if same == arg => text! {
            en: "the argument '{arg}' cannot be used multiple times",
            zh: "{arg} 只能写一次",
            arg = arg
        },
        [] => text! {
            en: "the argument '{arg}' cannot be used with one or more of the \
                 other specified arguments",
            zh: "{arg} 不能与其他参数同时使用",
            arg = arg
        },
        all => Text::made(
            format!(
                "the argument '{arg}' cannot be used with '{}'",
                all.join("', '")
            ),
            format!("{arg} 不能与 {} 同时使用", all.join("、")),
        ),
    }
}

/// What was perhaps meant, the likeliest first, and what there is.
fn tips(error: &clap::Error) -> Vec<Text> {
    let near = [
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedArg,
        ContextKind::SuggestedValue,
    ];
    let near = near.into_iter().filter_map(|kind| error.get(kind));
    // Clap has the likeliest last.
    let near = near.flat_map(|all| words(all).into_iter().rev());
    let mut tips: Vec<Text> = near.map(|name| did_you_mean(&name)).collect();
    if let Some(ContextValue::StyledStrs(all)) =
        error.get(ContextKind::Suggested)
    {
        tips.extend(all.iter().filter_map(|tip| of_tip(&tip.to_string())));
    }
    let valid = error.get(ContextKind::ValidValue).map(words);
    let valid = valid.filter(|names| !names.is_empty());
    tips.extend(valid.map(|names| {
        text! {
            en: "one of {names}", zh: "可选：{names}", names = names.join(", ")
        }
    }));
    tips
}

/// One of clap's tips, which it gives as a sentence.
fn of_tip(tip: &str) -> Option<Text> {
    let quoted: Vec<&str> = tip.split('\'').skip(1).step_by(2).collect();
    let zh = match quoted.as_slice() {
        [word, typed] if tip.starts_with("to pass ") => {
            format!("如果 {word} 本来就是值，写成 {typed}")
        }
        [word, _] if tip.starts_with("subcommand ") => {
            format!("{word} 是命令：去掉前面的 --")
        }
        [there] if tip.ends_with(" exists") => format!("有 {there}"),
        _ => return None,
    };
    Some(Text::made(tip, zh))
}

/// Where all that can be typed is told.
fn more(error: &clap::Error) -> Text {
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => String::new(),
    };
    // "Usage: rmq-lab demo [OPTIONS] …": the program and its commands.
    let is_name = |word: &&str| word.starts_with(|c: char| c.is_lowercase());
    let mut words: Vec<&str> =
        usage.split_whitespace().skip(1).take_while(is_name).collect();
    // A value that cannot be read comes without a usage.
    if words.is_empty() {
        words.push("rmq-lab");
    }
    words.push("--help");
    text! {
        en: "{command} tells the rest", zh: "完整用法：{command}",
        command = words.join(" ")
    }
}

/// What the error names, where that is one word.
fn word(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    }
}

/// All that it names.
fn words(value: &ContextValue) -> Vec<String> {
    match value {
        ContextValue::String(word) => vec![word.clone()],
        ContextValue::Strings(words) => words.clone(),
        _ => Vec::new(),
    }
}
