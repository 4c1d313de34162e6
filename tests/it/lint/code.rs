//! The code that a chapter shows is the code.

use std::{fs, path::Path};

use rmq_lab::{
    book::{
        page::{Kind, blocks},
        shown,
    },
    text::Lang,
};

use super::{
    book::{Book, LANGUAGES, Paper, ROOT},
    inline::flat,
    rule::{Finding, Rule, Spoil, append, edit, spoil},
};

pub const RULES: &[Rule] = &[
    Rule {
        name: "code_shown_is_the_code",
        check: code_shown_is_the_code,
        spoils: other_code,
    },
    Rule {
        name: "a_block_of_code_is_a_drawing_commands_or_filled_in",
        check: tags,
        spoils: other_tags,
    },
];

/// What a chapter shows beside a scenario's code: drawings, and commands.
const TAGS: [&str; 2] = ["text", "sh"];

const FILL: &str = "RMQ_LAB_UPDATE=1 cargo test --test it -- \
                    lint::code_shown_is_the_code fills it in";

fn code_shown_is_the_code(book: &Book) -> Vec<Finding> {
    book.chapter_texts().flat_map(|paper| of_paper(book, paper)).collect()
}

fn of_paper(book: &Book, paper: &Paper) -> Vec<Finding> {
    let all = shown::all(&paper.text);
    let torn = shown::torn(&paper.text).into_iter().map(|line| {
        Finding::new(paper.at(line), "no block of code follows the comment")
    });
    let mut found: Vec<_> = torn.collect();
    if all.is_empty() {
        found.push(Finding::new(&paper.path, "shows no code of a scenario"));
    }
    found.extend(all.iter().filter_map(|shown| {
        let (target, at) = (&shown.target, paper.at(shown.line));
        let Some(case) = book.case(target) else {
            return Some(Finding::new(at, format!("no scenario {target}")));
        };
        let Some(code) = &case.code else {
            let says = format!("{target} has one way: nothing differs");
            return Some(Finding::new(at, says));
        };
        (shown.body(&paper.text) != *code).then(|| {
            Finding::new(at, format!("not the code of {target}: {FILL}"))
        })
    }));
    found
}

/// Fills in the code of every chapter.
pub fn fill(book: &Book) -> Result<(), String> {
    for paper in book.chapter_texts() {
        let code = |target: &str| book.case(target)?.code.clone();
        let filled = shown::filled(&paper.text, code);
        if filled != paper.text {
            fs::write(Path::new(ROOT).join(&paper.path), filled)
                .map_err(|error| format!("{}: {error}", paper.path))?;
        }
    }
    Ok(())
}

fn other_code(book: &Book) -> Vec<Spoil> {
    let mut spoils = vec![
        append(0, Lang::En, "<!-- diff: no/where -->\n```diff\n```"),
        append(0, Lang::Zh, "<!-- diff: decoupling/async -->\n\nwords"),
        spoil("no code at all", |book| {
            let paper = &mut book.chapters[1].texts[0];
            paper.text = paper.text.replace("<!-- diff:", "<!-- that:");
        }),
    ];
    let trap = book.cases().find(|(_, case)| case.code.is_none());
    spoils.extend(trap.map(|(target, _)| {
        let block = format!("<!-- diff: {target} -->\n```diff\n```");
        append(0, Lang::En, &block)
    }));
    let places = book.chapters.iter().enumerate().flat_map(|(nth, pages)| {
        pages.texts.iter().map(move |paper| (nth, paper))
    });
    spoils.extend(places.flat_map(|(nth, paper)| {
        let lang = paper.lang;
        shown::all(&paper.text).into_iter().map(move |shown| {
            let target = shown.target;
            spoil(format!("{target} {lang:?} differs"), move |book| {
                let paper = &mut book.chapters[nth].texts[lang as usize];
                paper.text = shown::filled(&paper.text, |other| {
                    (other == target).then(|| "+one line\n".to_owned())
                });
            })
        })
    }));
    spoils
}

/// A difference without the comment before it was typed by hand.
fn tags(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for paper in book.chapter_texts() {
        for block in flat(&blocks(&paper.text)) {
            let Kind::Code(tag, _) = block.kind else { continue };
            let says = match tag.as_str() {
                known if TAGS.contains(&known) => continue,
                "diff" => "a difference of no scenario".to_owned(),
                other => format!("code that is tagged {other:?}"),
            };
            found.push(Finding::new(paper.at(block.line), says));
        }
    }
    found
}

fn other_tags(book: &Book) -> Vec<Spoil> {
    let more = [
        "```rust\nfn one() {}\n```",
        "```toml\none = 1\n```",
        "```text ignore\none\n```",
        "```\none\n```",
        "```diff\n-one\n+two\n```",
        "So:\n\n    one",
        "- So:\n\n  ```console\n  one\n  ```",
    ];
    let mut spoils = Vec::new();
    for nth in 0..book.chapters.len() {
        for lang in LANGUAGES {
            spoils.extend(more.map(|what| append(nth, lang, what)));
            spoils.push(edit(nth, lang, "```text", "```txt"));
            spoils.push(edit(nth, lang, "<!-- diff: ", "<!-- that: "));
        }
    }
    spoils
}
