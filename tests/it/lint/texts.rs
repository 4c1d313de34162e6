//! Every text is said in both languages, and plainly.

use rmq_lab::{
    book::questions::Question,
    text::{Lang, Text},
};

use super::{
    book::{Book, Case, LANGUAGES},
    questions::{self, first, first_of_each},
    rule::{Finding, Rule, Spoil, spoil},
};

pub const RULES: &[Rule] = &[
    Rule {
        name: "every_text_is_in_both_languages",
        check: both_languages,
        spoils: one_language,
    },
    Rule {
        name: "questions_and_hints_are_plain_text",
        check: plain_text,
        spoils: markdown,
    },
];

/// All of the book and of the catalogue, and where they stand.
pub fn all(book: &Book) -> Vec<(String, Text)> {
    of_catalogue(book).into_iter().chain(of_book(book)).collect()
}

/// Every text of questions, asked ones too, and of hints, and where it stands.
pub fn of_book(book: &Book) -> Vec<(String, Text)> {
    let mut texts = Vec::new();
    for (at, question) in questions::all(book) {
        let dig = question.dig.iter().flat_map(|d| [&d.ask, &d.answer]);
        let wrong = question.wrong.iter().flat_map(|w| [&w.said, &w.because]);
        let own = [&question.ask, &question.answer].into_iter().chain(dig);
        let own = own.chain(wrong).chain(&question.hint);
        texts.extend(own.map(|text| (at.clone(), text.clone())));
    }
    texts.extend(book.asked().map(|one| {
        let at = format!("{} {}", book.asked.path, one.number);
        (at, one.ask.clone())
    }));
    for pages in &book.chapters {
        let Ok(hints) = &pages.hints.read else { continue };
        for own in &hints.scenarios {
            let at = pages.hints.at(&own.id);
            let own = own.hint.iter().map(|hint| (at.clone(), hint.clone()));
            texts.extend(own);
        }
    }
    texts
}

fn both_languages(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, text) in all(book) {
        let (en, zh) = (text.en.trim(), text.zh.trim());
        let says = if en.is_empty() || zh.is_empty() {
            "said in one language only"
        } else if en.contains(is_chinese) {
            "Chinese in the English text"
        } else if !zh.contains(is_chinese) && !says_no_more(zh, en) {
            "no Chinese in the Chinese text"
        } else if en == zh && en.split_whitespace().count() > 3 {
            "the same in both languages"
        } else {
            continue;
        };
        found.push(Finding::new(at, format!("{says}: {en:?} {zh:?}")));
    }
    found
}

/// Names, settings and numbers: every word of the one is a word of the other.
fn says_no_more(zh: &str, en: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        words.map(str::to_owned).collect()
    };
    let english = words(en);
    words(zh).iter().all(|word| english.contains(word))
}

pub fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

fn one_language(book: &Book) -> Vec<Spoil> {
    type Place = fn(&mut Question) -> &mut Text;
    let places: [(&str, Place); 7] = [
        ("ask", |q| &mut q.ask),
        ("answer", |q| &mut q.answer),
        ("dig ask", |q| &mut q.dig[1].ask),
        ("dig answer", |q| &mut q.dig[1].answer),
        ("wrong", |q| &mut q.wrong[1].said),
        ("because", |q| &mut q.wrong[1].because),
        ("hint", |q| &mut q.hint[2]),
    ];
    let mut spoils = spoilt_texts();
    for (what, place) in places {
        for lang in LANGUAGES {
            let what = format!("no {what} in {lang:?}");
            spoils.extend(first_of_each(book, &what, move |q| match lang {
                Lang::En => place(q).en = "".into(),
                Lang::Zh => place(q).zh = " ".into(),
            }));
        }
        let swapped = move |q: &mut Question| {
            let text = place(q);
            std::mem::swap(&mut text.en, &mut text.zh);
        };
        spoils.push(first(&format!("{what}: swapped"), swapped));
        let english = move |q: &mut Question| {
            place(q).zh = "Words that nobody has put over.".into();
        };
        spoils.push(first(&format!("{what}: English for both"), english));
    }
    spoils.push(spoil("an asked question in English only", |book| {
        if let Ok(file) = &mut book.asked.read {
            file.questions[16].ask.zh = "".into();
        }
    }));
    spoils.push(spoil("a hint in English only", |book| {
        if let Ok(hints) = &mut book.chapters[3].hints.read {
            hints.scenarios[0].hint[1].zh = "".into();
        }
    }));
    spoils
}

fn plain_text(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, text) in of_book(book) {
        for said in LANGUAGES.map(|lang| text.say(lang)) {
            let starts = |mark: &str| {
                said.lines().any(|line| line.trim_start().starts_with(mark))
            };
            let says = if said.contains("**") || said.contains("](") {
                "Markdown"
            } else if starts("# ") || starts("- ") || starts("| ") {
                "a heading, a list or a table"
            } else if said.matches('`').count() % 2 == 1 {
                "a backtick alone"
            } else {
                continue;
            };
            found.push(Finding::new(&at, format!("{says}: {said}")));
        }
    }
    found
}

fn markdown(_: &Book) -> Vec<Spoil> {
    let with = |what: &'static str| {
        first(what, move |q| q.answer.zh.to_mut().push_str(what))
    };
    let marks = ["**bold**", "[a](b)", "\n# Head", "\n- item", "\n| a |", "`x"];
    let mut spoils: Vec<_> = marks.into_iter().map(with).collect();
    spoils.push(spoil("a backtick in a hint", |book| {
        if let Ok(hints) = &mut book.chapters[0].hints.read {
            hints.scenarios[0].hint[0].en.to_mut().push('`');
        }
    }));
    spoils
}

/// Every text of the catalogue, and whose it is.
fn of_catalogue(book: &Book) -> Vec<(String, Text)> {
    let texts = book.cases().flat_map(|(target, case)| {
        let own = [&case.recipe, &case.question];
        // A measure has no fault.
        let fault = Some(&case.fault).filter(|fault| !fault.is_empty());
        own.into_iter()
            .chain(fault)
            .chain(&case.rest)
            .chain(&case.choices)
            .map(|text| (target.clone(), text.clone()))
            .collect::<Vec<_>>()
    });
    texts.collect()
}

/// One language for both, in a place of its own each.
fn spoilt_texts() -> Vec<Spoil> {
    let blank = |text: &mut Text, lang| match lang {
        Lang::En => text.en = " ".into(),
        Lang::Zh => text.zh = "".into(),
    };
    type Place = fn(&mut Case) -> &mut Text;
    let places: [(&str, Place); 4] = [
        ("recipe", |case| &mut case.recipe),
        ("question", |case| &mut case.question),
        ("choice", |case| &mut case.choices[0]),
        ("say", |case| &mut case.rest[3]),
    ];
    let spoils = places.into_iter().flat_map(|(what, place)| {
        LANGUAGES.map(|lang| {
            spoil(format!("no {what} in {lang:?}"), move |book| {
                blank(place(&mut book.topics[0].scenarios[0]), lang);
            })
        })
    });
    spoils.collect()
}
