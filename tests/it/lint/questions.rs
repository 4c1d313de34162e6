//! The questions: every commonly asked one is answered, the answers are
//! proven, whole, and short enough to be said.

use std::collections::BTreeMap;

use rmq_lab::{
    book::questions::Question,
    text::{Lang, Text},
};

use super::{
    book::{Book, LANGUAGES, Toml},
    rule::{Finding, Rule, Spoil, spoil},
    scenarios::{self, HINTS},
};

pub const RULES: &[Rule] = &[
    Rule {
        name: "every_file_is_in_its_format",
        check: formats,
        spoils: other_formats,
    },
    Rule { name: "every_question_is_whole", check: whole, spoils: in_parts },
    Rule {
        name: "ids_are_unique_and_in_kebab_case",
        check: ids,
        spoils: other_ids,
    },
    Rule {
        name: "an_answer_can_be_said_in_thirty_seconds",
        check: thirty_seconds,
        spoils: other_lengths,
    },
    Rule {
        name: "every_asked_question_is_answered",
        check: answered,
        spoils: unanswered,
    },
    Rule {
        name: "what_a_run_must_prove_a_run_proves",
        check: proven,
        spoils: unproven,
    },
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

/// The commonly asked questions: 1 to this.
const ASKED: u32 = 38;

/// Those whose answer a run must prove.
const MUST_BE_PROVEN: [u32; 31] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
    24, 25, 26, 27, 28, 29, 30, 31, 32, 33,
];

/// At least so many of all are.
const PROVEN: usize = 25;

/// In thirty seconds: English words, and Chinese characters and Latin words.
const ENGLISH: std::ops::RangeInclusive<usize> = 30..=120;
const CHINESE: std::ops::RangeInclusive<usize> = 50..=220;

fn formats(book: &Book) -> Vec<Finding> {
    fn of<T>(toml: &Toml<T>, format: fn(&T) -> u32) -> Option<Finding> {
        let says = match toml.read.as_ref().map(format) {
            Ok(1) => return None,
            Ok(other) => format!("format {other}, not 1"),
            Err(error) => error.trim().to_owned(),
        };
        Some(Finding::new(&toml.path, says))
    }
    let both = book.chapters.iter().flat_map(|pages| {
        [
            of(&pages.questions, |file| file.format),
            of(&pages.hints, |file| file.format),
        ]
    });
    both.flatten().collect()
}

fn other_formats(_: &Book) -> Vec<Spoil> {
    vec![
        spoil("questions that cannot be read", |book| {
            book.chapters[0].questions.read = Err("torn".to_owned());
        }),
        spoil("hints that cannot be read", |book| {
            book.chapters[1].hints.read = Err("torn".to_owned());
        }),
        spoil("another format of hints", |book| {
            if let Ok(file) = &mut book.chapters[2].hints.read {
                file.format = 2;
            }
        }),
        spoil("another format of questions", |book| {
            if let Ok(file) = &mut book.chapters[2].questions.read {
                file.format = 0;
            }
        }),
    ]
}

/// Every question, and where it stands.
fn all(book: &Book) -> impl Iterator<Item = (String, &Question)> {
    book.chapters.iter().flat_map(|pages| {
        let file = pages.questions.read.as_ref().ok();
        let questions = file.into_iter().flat_map(|file| &file.questions);
        questions.map(move |one| (pages.questions.at(&one.id), one))
    })
}

fn whole(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, question) in all(book) {
        let mut say = |says: String| {
            found.push(Finding::new(&at, says));
        };
        let (hints, dig) = (question.hint.len(), question.dig.len());
        if hints != HINTS {
            say(format!("{hints} hints, not {HINTS}"));
        }
        if dig < 2 {
            say(format!("{dig} follow-ups, less than 2"));
        }
        if question.wrong.len() < 2 {
            say(format!("{} wrong answers, less than 2", question.wrong.len()));
        }
        if question.proven_by.is_empty() && question.sources.is_empty() {
            say("neither a scenario nor a source".to_owned());
        }
        for target in &question.proven_by {
            if book.case(target).is_none() {
                say(format!("proven by {target}, which does not exist"));
            }
        }
        for number in &question.list {
            if !(1..=ASKED).contains(number) {
                say(format!("answers {number}, which is not on the list"));
            }
        }
    }
    found
}

/// A change of every question in turn.
fn each(
    book: &Book,
    what: &str,
    change: impl Fn(&mut Question) + Copy + 'static,
) -> Vec<Spoil> {
    let ids: Vec<_> = all(book).map(|(_, one)| one.id.clone()).collect();
    let spoils = ids.into_iter().map(|id| {
        spoil(format!("{id}: {what}"), move |book| {
            for pages in &mut book.chapters {
                let Ok(file) = &mut pages.questions.read else { continue };
                let own = file.questions.iter_mut().filter(|q| q.id == id);
                own.for_each(change);
            }
        })
    });
    spoils.collect()
}

/// A change of the first question.
fn first(what: &str, change: impl Fn(&mut Question) + 'static) -> Spoil {
    spoil(what, move |book| {
        if let Ok(file) = &mut book.chapters[0].questions.read {
            change(&mut file.questions[0]);
        }
    })
}

/// A change of the first question of every chapter in turn.
fn first_of_each(
    book: &Book,
    what: &str,
    change: impl Fn(&mut Question) + Copy + 'static,
) -> Vec<Spoil> {
    let spoils = (0..book.chapters.len()).map(|nth| {
        spoil(format!("chapter {nth}: {what}"), move |book| {
            if let Ok(file) = &mut book.chapters[nth].questions.read {
                change(&mut file.questions[0]);
            }
        })
    });
    spoils.collect()
}

fn in_parts(book: &Book) -> Vec<Spoil> {
    let mut spoils = each(book, "a hint less", |q| {
        q.hint.pop();
    });
    spoils.extend(each(book, "one follow-up", |q| q.dig.truncate(1)));
    spoils.extend(each(book, "one wrong answer", |q| q.wrong.truncate(1)));
    spoils.extend(each(book, "rests on nothing", |q| {
        q.proven_by.clear();
        q.sources.clear();
    }));
    spoils.extend(each(book, "proven by nobody knows what", |q| {
        q.proven_by.push("idempotency/never".to_owned());
    }));
    spoils.push(first("question 39", |q| q.list.push(ASKED + 1)));
    spoils.push(first("question 0", |q| q.list.push(0)));
    spoils
}

fn ids(book: &Book) -> Vec<Finding> {
    let kebab = |id: &str| {
        id.split('-').all(|word| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            !word.is_empty() && word.chars().all(plain)
        })
    };
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    let mut found = Vec::new();
    for (at, question) in all(book) {
        if !kebab(&question.id) {
            found.push(Finding::new(&at, "no kebab-case"));
        }
        if let Some(other) = seen.insert(&question.id, at.clone()) {
            found.push(Finding::new(&at, format!("the same as {other}")));
        }
    }
    found
}

fn other_ids(_: &Book) -> Vec<Spoil> {
    let named = |id: &'static str| first(id, move |q| q.id = id.to_owned());
    vec![
        named("Upper-case"),
        named("under_score"),
        named("two--dashes"),
        named(""),
        spoil("one id in two chapters", |book| {
            let [one, other, ..] = book.chapters.as_mut_slice() else { return };
            if let (Ok(one), Ok(other)) =
                (&one.questions.read, &mut other.questions.read)
            {
                other.questions[0].id.clone_from(&one.questions[0].id);
            }
        }),
    ]
}

fn thirty_seconds(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, question) in all(book) {
        let words = question.answer.en.split_whitespace().count();
        if !ENGLISH.contains(&words) {
            let says = format!("an English answer of {words} words");
            found.push(Finding::new(&at, says));
        }
        let words = spoken(&question.answer.zh);
        if !CHINESE.contains(&words) {
            let says = format!("a Chinese answer of {words} characters");
            found.push(Finding::new(&at, says));
        }
    }
    found
}

/// Chinese characters, and whatever else is said as a word.
fn spoken(text: &str) -> usize {
    let chinese = text.chars().filter(|c| is_chinese(*c)).count();
    let others = text.split(|c: char| !c.is_ascii_alphanumeric());
    chinese + others.filter(|word| !word.is_empty()).count()
}

fn other_lengths(book: &Book) -> Vec<Spoil> {
    let mut spoils = each(book, "a word", |q| q.answer.en = "Yes.".into());
    spoils.extend(each(book, "一个字", |q| q.answer.zh = "对。".into()));
    spoils.push(first("a lecture", |q| q.answer.en = "so ".repeat(121).into()));
    spoils.push(first("讲课", |q| q.answer.zh = "课".repeat(221).into()));
    spoils
}

fn answered(book: &Book) -> Vec<Finding> {
    let missing = |number: &u32| {
        all(book).all(|(_, question)| !question.list.contains(number))
    };
    (1..=ASKED)
        .filter(missing)
        .map(|n| Finding::new(format!("question {n}"), "nobody answers it"))
        .collect()
}

fn unanswered(_: &Book) -> Vec<Spoil> {
    let spoils = (1..=ASKED).map(|number| {
        spoil(format!("{number} is not answered"), move |book| {
            for pages in &mut book.chapters {
                let Ok(file) = &mut pages.questions.read else { continue };
                file.questions.retain(|q| !q.list.contains(&number));
            }
        })
    });
    spoils.collect()
}

fn proven(book: &Book) -> Vec<Finding> {
    let is_proven = |number: &u32| {
        all(book).any(|(_, question)| {
            question.list.contains(number)
                && question.proven_by.iter().any(|t| book.case(t).is_some())
        })
    };
    let mut found: Vec<_> = MUST_BE_PROVEN
        .iter()
        .filter(|number| !is_proven(*number))
        .map(|n| Finding::new(format!("question {n}"), "no run proves it"))
        .collect();
    let count = (1..=ASKED).filter(is_proven).count();
    if count < PROVEN {
        let says = format!("runs prove {count} of {ASKED}, less than {PROVEN}");
        found.push(Finding::new("questions", says));
    }
    found
}

fn unproven(_: &Book) -> Vec<Spoil> {
    let mut spoils: Vec<_> = MUST_BE_PROVEN
        .into_iter()
        .map(|number| {
            spoil(format!("{number} is not proven"), move |book| {
                for pages in &mut book.chapters {
                    let Ok(file) = &mut pages.questions.read else { continue };
                    let own = file.questions.iter_mut();
                    own.filter(|q| q.list.contains(&number))
                        .for_each(|q| q.proven_by.clear());
                }
            })
        })
        .collect();
    spoils.push(spoil("no topic has scenarios", |book| {
        book.topics.iter_mut().for_each(|topic| topic.scenarios.clear());
    }));
    spoils
}

/// Every text of questions and hints, and where it stands.
pub fn texts(book: &Book) -> Vec<(String, Text)> {
    let mut texts = Vec::new();
    for (at, question) in all(book) {
        let dig = question.dig.iter().flat_map(|d| [&d.ask, &d.answer]);
        let wrong = question.wrong.iter().flat_map(|w| [&w.said, &w.because]);
        let own = [&question.ask, &question.answer].into_iter().chain(dig);
        let own = own.chain(wrong).chain(&question.hint);
        texts.extend(own.map(|text| (at.clone(), text.clone())));
    }
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
    for (at, text) in scenarios::texts(book).into_iter().chain(texts(book)) {
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
    let mut spoils = scenarios::spoilt_texts();
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
    spoils.push(spoil("a hint in English only", |book| {
        if let Ok(hints) = &mut book.chapters[3].hints.read {
            hints.scenarios[0].hint[1].zh = "".into();
        }
    }));
    spoils
}

fn plain_text(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, text) in texts(book) {
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
