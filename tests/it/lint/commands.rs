//! A command that is shown can be typed: the program itself is asked.

use clap::error::ErrorKind;
use rmq_lab::{
    book::page::{Kind, blocks},
    cli,
    text::Lang,
};

use super::{
    book::{Book, LANGUAGES, Paper},
    inline::{flat, words},
    rule::{Finding, Rule, Spoil, append, spoil},
    texts,
};

pub const RULES: &[Rule] = &[Rule {
    name: "every_command_that_is_shown_can_be_typed",
    check: commands,
    spoils: mistyped,
}];

/// A command, where it stands, and how it is written.
struct Shown {
    at: String,
    line: String,
}

fn commands(book: &Book) -> Vec<Finding> {
    let mut shown: Vec<_> = book.texts().flat_map(of_paper).collect();
    shown.extend(texts::of_book(book).into_iter().flat_map(|(at, text)| {
        let both = LANGUAGES.map(|lang| text.say(lang).to_owned());
        both.into_iter().flat_map(move |said| {
            let code = said.split('`').skip(1).step_by(2);
            let code = code.filter_map(command);
            let at = at.clone();
            code.map(move |line| Shown { at: at.clone(), line })
                .collect::<Vec<_>>()
        })
    }));
    let tree = cli::completion::completable();
    let wrong = shown.iter().filter_map(|shown| {
        let says = refused(&tree, book, &shown.line)?;
        Some(Finding::new(&shown.at, format!("{says}: {}", shown.line)))
    });
    wrong.collect()
}

/// The commands of a text: lines of code, and code in a line. Below a command
/// stand options of it.
fn of_paper(paper: &Paper) -> Vec<Shown> {
    let mut all = Vec::new();
    for block in flat(&blocks(&paper.text)) {
        let Kind::Code(_, text) = block.kind else { continue };
        let mut above = String::new();
        for (nth, line) in text.lines().enumerate() {
            let typed = match command(line) {
                Some(command) => {
                    above.clone_from(&command);
                    command
                }
                None if line.trim_start().starts_with("--")
                    && !above.is_empty() =>
                {
                    let options = bare(line).replace(',', "");
                    let name: Vec<_> =
                        above.split_whitespace().take(2).collect();
                    // Several ways to say something, and none to be typed.
                    format!("{} … {options}", name.join(" "))
                }
                None => continue,
            };
            let at = paper.at(block.line + 1 + nth);
            all.push(Shown { at, line: typed });
        }
    }
    for words in words(paper) {
        let code = words.spans.iter().filter(|span| span.code);
        all.extend(code.filter_map(|span| {
            let line = command(&span.text)?;
            let at = paper.at(paper.line_of("rmq-lab ", words.line));
            Some(Shown { at, line })
        }));
    }
    all
}

/// `rmq-lab …`, without prompt, settings and remarks.
fn command(line: &str) -> Option<String> {
    let line = line.trim().trim_start_matches("$ ");
    let settings = line
        .split_inclusive(' ')
        .take_while(|word| word.contains('=') && !word.starts_with('-'));
    let line = bare(&line[settings.map(str::len).sum::<usize>()..]);
    let own = line.strip_prefix("cargo run -- ");
    let words = match own.or_else(|| line.strip_prefix("rmq-lab ")) {
        Some(words) => words,
        None if line == "rmq-lab" => "",
        None => return None,
    };
    Some(format!("rmq-lab {words}").trim_end().to_owned())
}

/// As far as it is to be typed.
fn bare(line: &str) -> String {
    let ends = ["  ", " # ", " | ", " > ", " && ", "\t"];
    let line = line.trim();
    let end = ends.iter().filter_map(|end| line.find(end)).min();
    line[..end.unwrap_or(line.len())].trim().to_owned()
}

/// Why a command cannot be typed.
fn refused(tree: &clap::Command, book: &Book, line: &str) -> Option<String> {
    let typed: Vec<_> = line.split_whitespace().collect();
    // TOPIC, N, FILE and the like stand for something.
    let stands_for = |word: &&&str| {
        word.contains(['…', '[', '<', '|'])
            || word.chars().any(|c| c.is_ascii_uppercase())
    };
    if typed.iter().any(|word| stands_for(&word)) {
        return unknown_word(tree, &typed);
    }
    match tree.clone().try_get_matches_from(&typed) {
        Ok(_) => without_mechanism(book, &typed),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => None,
            _ => {
                let told = error.to_string();
                Some(told.lines().next().unwrap_or_default().to_owned())
            }
        },
    }
}

/// A subcommand or an option that does not exist.
fn unknown_word(tree: &clap::Command, typed: &[&str]) -> Option<String> {
    let mut tree = tree.clone();
    tree.build();
    let mut at = &tree;
    for word in typed.iter().skip(1) {
        if let Some(below) = at.find_subcommand(word) {
            at = below;
        } else if let Some(option) = word.strip_prefix("--") {
            let option = option.split('=').next().unwrap_or_default();
            let knows = |arg: &clap::Arg| arg.get_long() == Some(option);
            if option != "help" && !at.get_arguments().any(knows) {
                return Some(format!("no option --{option}"));
            }
        } else if at.has_subcommands() && !word.contains(['…', '[', '<']) {
            let placeholder = word.chars().all(|c| !c.is_ascii_lowercase());
            if !placeholder {
                return Some(format!("no command {word}"));
            }
        }
    }
    None
}

/// A mechanism that another scenario has.
fn without_mechanism(book: &Book, typed: &[&str]) -> Option<String> {
    let at = typed.iter().position(|word| *word == "--without")?;
    let mechanism = typed.get(at + 1)?;
    let case = typed.iter().find_map(|word| book.case(word))?;
    let has = case.mechanisms.iter().any(|one| one == mechanism);
    (!has).then(|| format!("{} has no mechanism {mechanism}", case.id))
}

fn mistyped(book: &Book) -> Vec<Spoil> {
    let wrong = [
        "```sh\nrmq-lab dmeo idempotency\n```",
        "```sh\n$ rmq-lab demo idempotency --mesages 5\n```",
        "```sh\nrmq-lab demo idempotency/never\n```",
        "```sh\nrmq-lab show idempotency/inbox --without luck  # so\n```",
        "```sh\nrmq-lab demo idempotency/inbox --without confirm\n```",
        "```sh\ncargo run -- demo TOPIC --wihtout M\n```",
        "```sh\nRUST_LOG=debug rmq-lab raed\n```",
        "```text\nrmq-lab demo idempotency\n   --stp, --pace 2s   pause\n```",
        "So: `rmq-lab demo durability/never`.",
        "So: `rmq-lab hint`, or `rmq-lab lsit`.",
        "- So: `rmq-lab show idempotency/inbox --dif`.",
    ];
    let mut spoils = Vec::new();
    for nth in 0..book.chapters.len() {
        spoils.extend(wrong.map(|what| append(nth, Lang::En, what)));
    }
    spoils.push(append(0, Lang::Zh, wrong[0]));
    spoils.extend((0..book.papers.len()).map(|nth| {
        spoil(format!("paper {nth}"), move |book| {
            let more = "\n```sh\nrmq-lab demo --al\n```\n";
            book.papers[nth].text.push_str(more);
        })
    }));
    spoils.push(spoil("in an answer", |book| {
        if let Ok(file) = &mut book.chapters[0].questions.read {
            file.questions[0].answer.en = "Try `rmq-lab lsit`.".into();
        }
    }));
    spoils
}
