//! The questions: every commonly asked one is answered, the answers are
//! proven, whole, and short enough to be said.

use std::collections::BTreeMap;

use rmq_lab::book::questions::Question;

use super::{
    book::{AskedOne, Book, Toml},
    rule::{Finding, Rule, Spoil, spoil},
    scenarios::HINTS,
    texts::is_chinese,
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
        name: "the_asked_questions_are_numbered_by_topic",
        check: numbered,
        spoils: other_numbers,
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
];

/// At least so many of the asked ones are proven.
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
    let asked = of(&book.asked, |file| file.format);
    both.flatten().chain(asked).collect()
}

fn other_formats(_: &Book) -> Vec<Spoil> {
    vec![
        spoil("asked questions that cannot be read", |book| {
            book.asked.read = Err("torn".to_owned());
        }),
        spoil("another format of asked questions", |book| {
            if let Ok(file) = &mut book.asked.read {
                file.format = 2;
            }
        }),
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
pub fn all(book: &Book) -> impl Iterator<Item = (String, &Question)> {
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
            if book.asked().all(|one| one.number != *number) {
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
pub fn first(what: &str, change: impl Fn(&mut Question) + 'static) -> Spoil {
    spoil(what, move |book| {
        if let Ok(file) = &mut book.chapters[0].questions.read {
            change(&mut file.questions[0]);
        }
    })
}

/// A change of the first question of every chapter in turn.
pub fn first_of_each(
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
    let last = book.asked().map(|one| one.number).max().unwrap_or_default();
    spoils.push(first("one too many", move |q| q.list.push(last + 1)));
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

/// Where an asked question stands.
fn asked_at(book: &Book, one: &AskedOne) -> String {
    format!("{} {}: {}", book.asked.path, one.number, one.ask.en)
}

fn numbered(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut topics = book.chapters.iter().map(|pages| &pages.topic).peekable();
    for (number, one) in (1..).zip(book.asked()) {
        let mut say = |says: String| {
            found.push(Finding::new(asked_at(book, one), says));
        };
        if one.number != number {
            say(format!("number {}, and it is the {number}th", one.number));
        }
        // In the order of the chapters.
        while topics.next_if(|topic| **topic != one.topic).is_some() {}
        if topics.peek().is_none() {
            say(format!("{} is no topic, or was before", one.topic));
        }
    }
    if book.asked().next().is_none() {
        found.push(Finding::new(&book.asked.path, "nothing is asked"));
    }
    found
}

fn other_numbers(_: &Book) -> Vec<Spoil> {
    type Change = fn(&mut Vec<AskedOne>);
    let changes: [(&str, Change); 5] = [
        ("nothing is asked", Vec::clear),
        ("one is left out", |asked| {
            asked.remove(11);
        }),
        ("two change places", |asked| asked.swap(3, 4)),
        ("another topic", |asked| asked[20].topic = "weather".to_owned()),
        ("a topic again", |asked| {
            let first = asked[0].topic.clone();
            asked[37].topic = first;
        }),
    ];
    let spoils = changes.into_iter().map(|(what, change)| {
        spoil(what, move |book| {
            if let Ok(file) = &mut book.asked.read {
                change(&mut file.questions);
            }
        })
    });
    spoils.collect()
}

fn answered(book: &Book) -> Vec<Finding> {
    let missing = |one: &&AskedOne| {
        all(book).all(|(_, question)| !question.list.contains(&one.number))
    };
    book.asked()
        .filter(missing)
        .map(|one| Finding::new(asked_at(book, one), "nobody answers it"))
        .collect()
}

fn unanswered(book: &Book) -> Vec<Spoil> {
    let spoils = book.asked().map(|one| {
        let number = one.number;
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
    let is_proven = |one: &&AskedOne| {
        all(book).any(|(_, question)| {
            question.list.contains(&one.number)
                && question.proven_by.iter().any(|t| book.case(t).is_some())
        })
    };
    let mut found: Vec<_> = book
        .asked()
        .filter(|one| one.must_be_proven && !is_proven(one))
        .map(|one| Finding::new(asked_at(book, one), "no run proves it"))
        .collect();
    let (count, asked) =
        (book.asked().filter(is_proven).count(), book.asked().count());
    if count < PROVEN {
        let says = format!("runs prove {count} of {asked}, less than {PROVEN}");
        found.push(Finding::new("questions", says));
    }
    found
}

fn unproven(book: &Book) -> Vec<Spoil> {
    let mut spoils: Vec<_> = book
        .asked()
        .filter(|one| one.must_be_proven)
        .map(|one| {
            let number = one.number;
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
