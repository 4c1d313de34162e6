//! What a rule is: a pure look at the book, and copies of the book that it
//! must not like.

use std::{collections::HashSet, fmt};

use rmq_lab::text::Lang;

use super::book::Book;

/// Something that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Finding {
    at: String,
    says: String,
}

impl Finding {
    pub fn new(at: impl Into<String>, says: impl Into<String>) -> Self {
        Self { at: at.into(), says: says.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.says)
    }
}

/// A change for the worse.
pub struct Spoil {
    what: String,
    change: Box<dyn Fn(&mut Book)>,
}

pub fn spoil(
    what: impl Into<String>,
    change: impl Fn(&mut Book) + 'static,
) -> Spoil {
    Spoil { what: what.into(), change: Box::new(change) }
}

/// The first of this in a chapter's text, replaced.
pub fn edit(chapter: usize, lang: Lang, from: &str, to: &str) -> Spoil {
    let what = format!("chapter {chapter} {lang:?}: {from:?} as {to:?}");
    let (from, to) = (from.to_owned(), to.to_owned());
    spoil(what, move |book| {
        let paper = &mut book.chapters[chapter].texts[lang as usize];
        paper.text = paper.text.replacen(&from, &to, 1);
    })
}

/// Something at the end of a chapter's text.
pub fn append(chapter: usize, lang: Lang, what: &str) -> Spoil {
    let what = what.to_owned();
    spoil(format!("chapter {chapter} {lang:?}: {what:?} added"), move |book| {
        let paper = &mut book.chapters[chapter].texts[lang as usize];
        paper.text.push_str(&format!("\n{what}\n"));
    })
}

/// A rule.
pub struct Rule {
    /// As a sentence.
    pub name: &'static str,
    /// All that it finds.
    pub check: fn(&Book) -> Vec<Finding>,
    /// What it must find, one change at a time.
    pub spoils: fn(&Book) -> Vec<Spoil>,
}

impl Rule {
    /// What is wrong with the book.
    pub fn judge(&self, book: &Book) -> Result<(), String> {
        told((self.check)(book).iter().map(Finding::to_string).collect())
    }

    /// Every change for the worse is found: what was there before is not
    /// counted.
    pub fn shows_its_teeth(&self, book: &Book) -> Result<(), String> {
        let before: HashSet<_> = (self.check)(book).into_iter().collect();
        let spoils = (self.spoils)(book);
        if spoils.is_empty() {
            return Err("nothing shows that it can fail".to_owned());
        }
        let silent = spoils.iter().filter(|spoil| {
            let mut spoilt = book.clone();
            (spoil.change)(&mut spoilt);
            (self.check)(&spoilt).iter().all(|f| before.contains(f))
        });
        told(silent.map(|s| format!("not found: {}", s.what)).collect())
    }
}

fn told(found: Vec<String>) -> Result<(), String> {
    match found.is_empty() {
        true => Ok(()),
        false => Err(found.join("\n")),
    }
}
