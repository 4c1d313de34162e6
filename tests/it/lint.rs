//! What the workbook says, held against what there is: each rule tells all
//! that it finds at once.

use std::{collections::HashSet, fs, path::PathBuf};

use libtest_mimic::{Failed, Trial};
use rmq_lab::{
    book::{CHAPTERS, Chapter, shown},
    cli::difference,
    demos::TOPICS,
    lab::catalogue::{self, Entry},
    text::{Lang, Text},
};

/// The commonly asked questions whose answer a run must prove.
const PROVEN: &[u32] = &[
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
    24, 25, 26, 27, 28, 29, 30, 31, 32, 33,
];
const ASKED: u32 = 38;
const HINTS: usize = 3;
const LANGUAGES: [Lang; 2] = [Lang::En, Lang::Zh];

type Rule = fn() -> Vec<String>;

pub fn trials() -> Vec<Trial> {
    let rules: [(&str, Rule); 6] = [
        ("code_shown_is_the_code", code),
        ("every_topic_has_its_chapter", topics),
        ("every_scenario_is_named_and_has_hints", scenarios),
        ("every_question_is_whole", questions),
        ("every_asked_question_is_answered", asked),
        ("both_languages_have_the_same_structure", structure),
    ];
    let trial = |(name, rule): (&str, Rule)| {
        Trial::test(format!("lint::{name}"), move || match rule() {
            found if found.is_empty() => Ok(()),
            found => Err(Failed::from(found.join("\n"))),
        })
    };
    rules.into_iter().map(trial).collect()
}

fn entry(target: &str) -> Option<Entry> {
    catalogue::entries(TOPICS).find(|entry| entry.target() == target)
}

fn path(chapter: &Chapter, lang: Lang) -> PathBuf {
    let name = match lang {
        Lang::En => "en.md",
        Lang::Zh => "zh.md",
    };
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("chapters").join(chapter.directory).join(name)
}

/// With `RMQ_LAB_UPDATE` the chapters are filled anew instead.
fn code() -> Vec<String> {
    let code = |target: &str| {
        entry(target).and_then(|entry| difference::of(entry.scenario))
    };
    let mut found = Vec::new();
    for chapter in CHAPTERS {
        for lang in LANGUAGES {
            let path = path(chapter, lang);
            let text = fs::read_to_string(&path).unwrap_or_default();
            let file = path.display();
            let filled = shown::filled(&text, code);
            let torn = shown::torn(&text).into_iter();
            found.extend(torn.map(|l| format!("{file}:{l}: no block of code")));
            for shown in shown::all(&text) {
                if code(&shown.target).is_none() {
                    let line = shown.line;
                    found.push(format!("{file}:{line}: no such difference"));
                }
            }
            if shown::all(&text).is_empty() {
                found.push(format!("{file}: shows no code"));
            }
            if filled == text {
                continue;
            }
            match std::env::var_os("RMQ_LAB_UPDATE") {
                Some(_) => found.extend(
                    fs::write(&path, filled).err().map(|e| e.to_string()),
                ),
                None => found.push(format!(
                    "{file}: shows other code than the source; \
                     RMQ_LAB_UPDATE=1 cargo test -- lint:: fills it in"
                )),
            }
        }
    }
    found
}

fn topics() -> Vec<String> {
    let in_book: Vec<_> = CHAPTERS.iter().map(|c| c.topic).collect();
    let in_catalogue: Vec<_> = TOPICS.iter().map(|t| t.id).collect();
    match in_book == in_catalogue {
        true => Vec::new(),
        false => vec![format!("chapters {in_book:?}, topics {in_catalogue:?}")],
    }
}

fn scenarios() -> Vec<String> {
    let mut found = Vec::new();
    for chapter in CHAPTERS {
        let hints = match chapter.hints() {
            Ok(hints) => hints,
            Err(error) => {
                found.push(format!("{}: {error}", chapter.directory));
                continue;
            }
        };
        let of_topic = catalogue::entries(TOPICS)
            .filter(|entry| entry.topic.id == chapter.topic);
        for entry in of_topic {
            let target = entry.target();
            for lang in LANGUAGES {
                let text = chapter.text(lang);
                let bare = format!("`{}`", entry.scenario.id);
                if !text.contains(&bare) && !text.contains(&target) {
                    found.push(format!("{target}: not named in {lang:?}"));
                }
            }
            let id = entry.scenario.id;
            let known = hints.iter().find(|known| known.id == id);
            let count = known.map_or(0, |known| known.hint.len());
            if count != HINTS {
                found.push(format!("{target}: {count} hints"));
            }
        }
        for known in hints {
            let target = format!("{}/{}", chapter.topic, known.id);
            if entry(&target).is_none() {
                found.push(format!("{target}: hints for no scenario"));
            }
            found.extend(known.hint.iter().filter_map(|h| half(&target, h)));
        }
    }
    found
}

/// A text that one language lacks.
fn half(of: &str, text: &Text) -> Option<String> {
    let lacks = text.en.trim().is_empty() || text.zh.trim().is_empty();
    lacks.then(|| format!("{of}: a text in one language only: {text:?}"))
}

fn questions() -> Vec<String> {
    let (mut found, mut ids) = (Vec::new(), HashSet::new());
    for chapter in CHAPTERS {
        let questions = match chapter.questions() {
            Ok(questions) => questions,
            Err(error) => {
                found.push(format!("{}: {error}", chapter.directory));
                continue;
            }
        };
        for question in questions {
            let id = &question.id;
            let mut say = |what: String| found.push(format!("{id}: {what}"));
            if !ids.insert(id.clone()) {
                say("asked twice".to_owned());
            }
            let parts = (question.hint.len(), question.dig.len());
            if parts.0 != HINTS || parts.1 < 2 || question.wrong.len() < 2 {
                say(format!("{parts:?} hints and follow-ups"));
            }
            if question.proven_by.is_empty() && question.sources.is_empty() {
                say("neither proven nor sourced".to_owned());
            }
            for target in &question.proven_by {
                if entry(target).is_none() {
                    say(format!("no scenario {target}"));
                }
            }
            let words = question.answer.en.split_whitespace().count();
            if !(30..=120).contains(&words) {
                say(format!("an answer of {words} words"));
            }
            let digs = question.dig.iter().flat_map(|d| [&d.ask, &d.answer]);
            let wrong =
                question.wrong.iter().flat_map(|w| [&w.said, &w.because]);
            let texts = [&question.ask, &question.answer].into_iter();
            let texts = texts.chain(digs).chain(wrong).chain(&question.hint);
            found.extend(texts.filter_map(|text| half(id, text)));
        }
    }
    found
}

fn asked() -> Vec<String> {
    let questions: Vec<_> = CHAPTERS
        .iter()
        .flat_map(|chapter| chapter.questions().unwrap_or_default())
        .collect();
    let missing = |number: u32| {
        let mut answers =
            questions.iter().filter(|q| q.list.contains(&number)).peekable();
        if answers.peek().is_none() {
            return Some(format!("question {number} is not answered"));
        }
        let proven = answers.any(|q| !q.proven_by.is_empty());
        (PROVEN.contains(&number) && !proven)
            .then(|| format!("question {number} is proven by no scenario"))
    };
    (1..=ASKED).filter_map(missing).collect()
}

/// Levels of headings, fences and rows of tables, in their order.
fn shape(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut shape = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
            shape.push(line.to_owned());
        } else if fenced {
            continue;
        } else if line.starts_with('#') {
            shape.push(line.chars().take_while(|c| *c == '#').collect());
        } else if line.starts_with('|') {
            shape.push(format!("row of {}", line.matches(" |").count()));
        } else if line.starts_with("<!--") {
            shape.push(line.to_owned());
        }
    }
    shape
}

fn structure() -> Vec<String> {
    let differs = |chapter: &&Chapter| shape(chapter.en) != shape(chapter.zh);
    let told = |chapter: &Chapter| {
        let (en, zh) = (shape(chapter.en), shape(chapter.zh));
        let at = en.iter().zip(&zh).find(|(en, zh)| en != zh);
        format!("{}: {at:?} ({} and {})", chapter.directory, en.len(), zh.len())
    };
    CHAPTERS.iter().filter(differs).map(told).collect()
}
