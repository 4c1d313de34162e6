//! Topics and chapters belong together; every scenario is in its chapter, asks
//! for a prediction, and has hints that do not give it away.

use std::collections::BTreeSet;

use rmq_lab::text::Text;

use super::{
    book::{Book, LANGUAGES, Pages},
    rule::{Finding, Rule, Spoil, spoil},
};

pub const RULES: &[Rule] = &[
    Rule {
        name: "every_topic_has_a_chapter_and_every_chapter_a_topic",
        check: topics,
        spoils: other_topics,
    },
    Rule {
        name: "every_scenario_is_named_in_its_chapter",
        check: named,
        spoils: unnamed,
    },
    Rule {
        name: "every_scenario_has_three_hints",
        check: three_hints,
        spoils: fewer_hints,
    },
    Rule {
        name: "no_hint_gives_the_letter_away",
        check: letters,
        spoils: given_away,
    },
    Rule {
        name: "every_scenario_asks_for_a_prediction",
        check: predictions,
        spoils: no_prediction,
    },
];

pub const HINTS: usize = 3;

fn topics(book: &Book) -> Vec<Finding> {
    let of_book = book.chapters.iter().map(|pages| pages.topic.as_str());
    let of_book: Vec<_> = of_book.collect();
    let topics = book.topics.iter().map(|topic| topic.id.as_str());
    let topics: Vec<_> = topics.collect();
    let mut found = Vec::new();
    if of_book != topics {
        let says = format!("chapters {of_book:?}, and topics {topics:?}");
        found.push(Finding::new("chapters", says));
    }
    let there: BTreeSet<_> = book
        .files
        .iter()
        .filter_map(|path| path.strip_prefix("chapters/")?.split_once('/'))
        .map(|(directory, _)| directory)
        .collect();
    let known = book.chapters.iter().map(|pages| pages.directory.as_str());
    let known: BTreeSet<_> = known.collect();
    found.extend(there.symmetric_difference(&known).map(|directory| {
        let says = "there or embedded, and not both";
        Finding::new(format!("chapters/{directory}"), says)
    }));
    found
}

fn other_topics(book: &Book) -> Vec<Spoil> {
    let mut spoils = vec![
        spoil("chapters in another order", |book| book.chapters.swap(0, 1)),
        spoil("a chapter that is not embedded", |book| {
            book.files.insert("chapters/99-new/en.md".to_owned());
        }),
    ];
    for nth in 0..book.chapters.len() {
        spoils.push(spoil(format!("no chapter {nth}"), move |book| {
            book.chapters.remove(nth);
        }));
    }
    for nth in 0..book.topics.len() {
        spoils.push(spoil(format!("no topic {nth}"), move |book| {
            book.topics.remove(nth);
        }));
    }
    spoils
}

/// The pages about each scenario.
fn of_scenarios(book: &Book) -> impl Iterator<Item = (&Pages, String, String)> {
    book.cases().filter_map(|(target, case)| {
        let (topic, _) = target.split_once('/')?;
        let pages = book.chapters.iter().find(|p| p.topic == topic)?;
        Some((pages, target, case.id.clone()))
    })
}

fn named(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for (pages, target, id) in of_scenarios(book) {
        for paper in &pages.texts {
            let bare = paper.text.contains(&format!("`{id}`"));
            if !bare && !mentions(&paper.text, &target) {
                let says = format!("{target} is not named");
                found.push(Finding::new(&paper.path, says));
            }
        }
    }
    found
}

/// Whether a text says `topic/scenario`, and not the beginning of another.
fn mentions(text: &str, target: &str) -> bool {
    text.match_indices(target).any(|(at, _)| {
        let next = text[at + target.len()..].chars().next();
        !next.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-')
    })
}

fn unnamed(book: &Book) -> Vec<Spoil> {
    let places = of_scenarios(book).flat_map(|(pages, target, id)| {
        let topic = pages.topic.clone();
        LANGUAGES.map(|lang| {
            let (topic, target, id) =
                (topic.clone(), target.clone(), id.clone());
            let what = format!("{target} is not named in {lang:?}");
            spoil(what, move |book| {
                let pages = book.chapters.iter_mut();
                for pages in pages.filter(|pages| pages.topic == topic) {
                    let text = &mut pages.texts[lang as usize].text;
                    *text = text
                        .replace(&format!("`{id}`"), "it")
                        .replace(&target, "it");
                }
            })
        })
    });
    places.collect()
}

fn three_hints(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for pages in &book.chapters {
        let Ok(hints) = &pages.hints.read else { continue };
        let topic = book.topics.iter().find(|t| t.id == pages.topic);
        let cases = topic.map_or(&[][..], |topic| &topic.scenarios);
        for case in cases {
            let own = hints.scenarios.iter().filter(|own| own.id == case.id);
            let own: Vec<_> = own.collect();
            let at = pages.hints.at(&case.id);
            match own.as_slice() {
                [] => found.push(Finding::new(at, "has no hints")),
                [one] if one.hint.len() == HINTS => {}
                [one] => {
                    let says = format!("{} hints", one.hint.len());
                    found.push(Finding::new(at, says));
                }
                _ => found.push(Finding::new(at, "has hints twice")),
            }
        }
        let strangers = hints.scenarios.iter();
        let strangers =
            strangers.filter(|own| cases.iter().all(|case| case.id != own.id));
        found.extend(strangers.map(|own| {
            Finding::new(pages.hints.at(&own.id), "hints for no scenario")
        }));
    }
    found
}

/// A change of the hints of every scenario in turn.
fn each_hinted(
    book: &Book,
    what: &str,
    change: impl Fn(&mut Vec<Text>, &Book, &str) + Copy + 'static,
) -> Vec<Spoil> {
    let targets: Vec<_> =
        of_scenarios(book).map(|(_, t, id)| (t, id)).collect();
    let spoils = targets.into_iter().map(|(target, id)| {
        spoil(format!("{target}: {what}"), move |book| {
            let whole = book.clone();
            for pages in &mut book.chapters {
                let Ok(hints) = &mut pages.hints.read else { continue };
                let topic = target.split('/').next();
                let own = hints.scenarios.iter_mut();
                for own in own.filter(|own| own.id == id) {
                    if topic == Some(&pages.topic) {
                        change(&mut own.hint, &whole, &target);
                    }
                }
            }
        })
    });
    spoils.collect()
}

fn fewer_hints(book: &Book) -> Vec<Spoil> {
    let mut spoils = each_hinted(book, "no hint", |hints, _, _| hints.clear());
    spoils.extend(each_hinted(book, "one hint less", |hints, _, _| {
        hints.pop();
    }));
    spoils.extend(each_hinted(book, "one hint more", |hints, _, _| {
        hints.extend(hints.first().cloned());
    }));
    spoils.push(spoil("a name misspelt", |book| {
        if let Ok(hints) = &mut book.chapters[0].hints.read {
            hints.scenarios[0].id.push('s');
        }
    }));
    spoils.push(spoil("hints twice", |book| {
        if let Ok(hints) = &mut book.chapters[0].hints.read {
            let first = hints.scenarios[0].clone();
            hints.scenarios.push(first);
        }
    }));
    spoils
}

fn letters(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for (pages, target, id) in of_scenarios(book) {
        let Ok(hints) = &pages.hints.read else { continue };
        let own = hints.scenarios.iter().filter(|own| own.id == id);
        for hint in own.flat_map(|own| &own.hint) {
            for lang in LANGUAGES {
                let said = hint.say(lang);
                let right = book.case(&target).and_then(|case| {
                    case.choices.get(case.right).map(|text| text.say(lang))
                });
                // A choice of a word or two may well be said in passing.
                let whole = right.is_some_and(|right| {
                    right.chars().count() > 12 && said.contains(right)
                });
                if whole || names_a_letter(said) {
                    let says = format!("gives the answer away: {said}");
                    found.push(Finding::new(pages.hints.at(&id), says));
                }
            }
        }
    }
    found
}

/// `answer b`, `(b)`, `b is right`, `选 b`, `答案是 b`. An `a` alone is an
/// article, and `A` a name.
fn names_a_letter(said: &str) -> bool {
    let words: Vec<_> = said
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let alone = words.iter().any(|word| matches!(*word, "b" | "c" | "d"));
    let led = words.windows(2).any(|pair| {
        let leads = ["answer", "choice", "option", "pick", "letter"];
        let letter = pair[1].to_ascii_lowercase();
        leads.contains(&pair[0].to_ascii_lowercase().as_str())
            && matches!(letter.as_str(), "a" | "b" | "c" | "d")
    });
    let tight: String = said.to_lowercase().split_whitespace().collect();
    let chinese = ["选", "答案是", "选项"].iter().any(|lead| {
        tight.split(lead).skip(1).any(|after| {
            let mut after = after.chars();
            after.next().is_some_and(|c| ('a'..='d').contains(&c))
                && !after.next().is_some_and(|c| c.is_ascii_alphanumeric())
        })
    });
    alone || led || chinese
}

fn given_away(book: &Book) -> Vec<Spoil> {
    let with = |what: &str, en: &'static str, zh: &'static str| {
        each_hinted(book, what, move |hints, _, _| {
            hints.insert(0, Text::fixed(en, zh));
        })
    };
    let mut spoils = with("b in English", "It is b.", "再看看故障。");
    spoils.extend(with("answer a", "Look at answer A.", "再看看故障。"));
    spoils.extend(with("选 a", "Look again.", "选 a。"));
    spoils.extend(with("选项 D", "Look again.", "看看选项 D。"));
    let long = |book: &Book, target: &str, lang| {
        book.case(target).is_some_and(|case| {
            case.choices[case.right].say(lang).chars().count() > 12
        })
    };
    let targets: Vec<_> = of_scenarios(book).map(|(_, t, _)| t).collect();
    let said = each_hinted(book, "the choice itself", |hints, book, target| {
        if let Some(case) = book.case(target) {
            hints.push(case.choices[case.right].clone());
        }
    });
    let says_much = said.into_iter().zip(targets).filter(|(_, target)| {
        LANGUAGES.iter().any(|lang| long(book, target, *lang))
    });
    spoils.extend(says_much.map(|(spoil, _)| spoil));
    spoils
}

fn predictions(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for (target, case) in book.cases() {
        let mut say = |says: &str| {
            found.push(Finding::new(&target, says));
        };
        if !(2..=4).contains(&case.choices.len()) {
            say("asks with less than two or more than four choices");
        }
        if case.right >= case.choices.len() {
            say("none of the choices is right");
        }
        if case.question.is_empty() {
            say("asks nothing");
        }
        for lang in LANGUAGES {
            let choices: BTreeSet<_> =
                case.choices.iter().map(|choice| choice.say(lang)).collect();
            if choices.len() < case.choices.len() {
                say("two choices say the same");
            }
        }
    }
    found
}

fn no_prediction(book: &Book) -> Vec<Spoil> {
    type Change = fn(&mut super::book::Case);
    let changes: [(&str, Change); 5] = [
        ("one choice", |case| case.choices.truncate(1)),
        ("five choices", |case| {
            let more = (0..5).map(|n| Text::same(n.to_string()));
            case.choices.extend(more);
        }),
        ("no choice is right", |case| case.right = case.choices.len()),
        ("no question", |case| case.question = Text::default()),
        ("one choice twice", |case| case.choices[1] = case.choices[0].clone()),
    ];
    let cases: Vec<_> = book.cases().map(|(target, _)| target).collect();
    let spoils = cases.iter().flat_map(|target| {
        changes.map(|(what, change)| {
            let (topic, id) = target.split_once('/').unwrap_or_default();
            let (topic, id) = (topic.to_owned(), id.to_owned());
            spoil(format!("{target}: {what}"), move |book| {
                let topics = book.topics.iter_mut().filter(|t| t.id == topic);
                let cases = topics.flat_map(|topic| &mut topic.scenarios);
                cases.filter(|case| case.id == id).for_each(change);
            })
        })
    });
    spoils.collect()
}
