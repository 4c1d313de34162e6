//! The code that a chapter shows is the code.

use std::{fs, path::Path};

use rmq_lab::{book::shown, text::Lang};

use super::{
    book::{Book, Paper, ROOT},
    rule::{Finding, Rule, Spoil, append, spoil},
};

pub const RULES: &[Rule] = &[Rule {
    name: "code_shown_is_the_code",
    check: code_shown_is_the_code,
    spoils: other_code,
}];

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
