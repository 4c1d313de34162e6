//! What the workbook says, held against what there is: each rule is a pure
//! look at the book and tells all that it finds at once. That each can fail is
//! shown on copies of the book that are spoilt in memory.
//!
//! With `RMQ_LAB_UPDATE=1`, `lint::code_shown_is_the_code` fills the code into
//! the chapters instead.

mod book;
mod cited;
mod code;
mod commands;
mod evidence;
mod inline;
mod links;
mod prose;
mod questions;
mod rule;
mod scenarios;
mod structure;
mod texts;

use std::sync::LazyLock;

use libtest_mimic::{Failed, Trial};

use book::Book;
use rule::Rule;

static BOOK: LazyLock<Book> = LazyLock::new(Book::load);

const ALL: [&[Rule]; 9] = [
    code::RULES,
    scenarios::RULES,
    questions::RULES,
    texts::RULES,
    structure::RULES,
    prose::RULES,
    links::RULES,
    commands::RULES,
    evidence::RULES,
];

pub fn trials() -> Vec<Trial> {
    let rules = ALL.into_iter().flatten();
    let trials = rules.flat_map(|rule| {
        let name = rule.name;
        let teeth = move || rule.shows_its_teeth(&BOOK).map_err(Failed::from);
        [
            Trial::test(format!("lint::{name}"), move || {
                judge(rule).map_err(Failed::from)
            }),
            Trial::test(format!("lint::teeth::{name}"), teeth),
        ]
    });
    trials.collect()
}

fn judge(rule: &Rule) -> Result<(), String> {
    let update = std::env::var_os("RMQ_LAB_UPDATE").is_some();
    match rule.name == code::RULES[0].name && update {
        true => {
            code::fill(&BOOK)?;
            rule.judge(&Book::load())
        }
        false => rule.judge(&BOOK),
    }
}
