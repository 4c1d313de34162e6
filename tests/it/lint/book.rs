//! The workbook and the catalogue in memory, as the rules see them. A copy
//! can be spoilt.

use std::{collections::BTreeSet, fs, path::Path};

use rmq_lab::{
    book::{CHAPTERS, hints::Hints, questions::Questions},
    cli::difference,
    demos::TOPICS,
    lab::Scenario,
    text::{Lang, Text},
};
use serde::Deserialize;

pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");
pub const LANGUAGES: [Lang; 2] = [Lang::En, Lang::Zh];

/// Files beside the chapters that people read.
const PAPERS: [(&str, Lang); 4] = [
    (README, Lang::En),
    (README_ZH, Lang::Zh),
    ("CHANGELOG.md", Lang::En),
    ("CONTRIBUTING.md", Lang::En),
];
pub const README: &str = "README.md";
pub const README_ZH: &str = "README.zh-CN.md";

/// Everything that the rules look at.
#[derive(Clone)]
pub struct Book {
    pub chapters: Vec<Pages>,
    pub topics: Vec<Facts>,
    /// What interviewers ask.
    pub asked: Toml<Asked>,
    /// README and the like, as far as they exist.
    pub papers: Vec<Paper>,
    /// Every file of the repository, from its root.
    pub files: BTreeSet<String>,
}

/// A text in one language.
#[derive(Clone)]
pub struct Paper {
    /// From the root.
    pub path: String,
    pub lang: Lang,
    pub text: String,
}

/// A chapter.
#[derive(Clone)]
pub struct Pages {
    pub topic: String,
    pub directory: String,
    /// English and Chinese.
    pub texts: [Paper; 2],
    pub questions: Toml<Questions>,
    pub hints: Toml<Hints>,
}

/// The commonly asked questions, as `asked.toml` has them.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub format: u32,
    #[serde(rename = "question")]
    pub questions: Vec<AskedOne>,
}

/// One of them.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedOne {
    /// Counted from 1.
    pub number: u32,
    pub topic: String,
    /// Whether a run must prove the answer.
    pub must_be_proven: bool,
    pub ask: Text,
}

/// A file, and what is in it.
#[derive(Clone)]
pub struct Toml<T> {
    pub path: String,
    raw: String,
    pub read: Result<T, String>,
}

/// What the catalogue says of a topic.
#[derive(Clone)]
pub struct Facts {
    pub id: String,
    pub scenarios: Vec<Case>,
}

/// What it says of a scenario.
#[derive(Clone)]
pub struct Case {
    pub id: String,
    pub recipe: Text,
    pub fault: Text,
    /// Claim, fix, limit, say.
    pub rest: Vec<Text>,
    pub question: Text,
    pub choices: Vec<Text>,
    pub right: usize,
    /// What a chapter may show of it.
    pub code: Option<String>,
    pub mechanisms: Vec<String>,
}

impl Book {
    /// As it lies there.
    pub fn load() -> Self {
        let mut files = BTreeSet::new();
        walk(Path::new(ROOT), "", &mut files);
        let chapters = CHAPTERS
            .iter()
            .map(|chapter| Pages::load(chapter.topic, chapter.directory));
        let papers = PAPERS.iter().filter(|(path, _)| files.contains(*path));
        let topics = TOPICS.iter().map(|topic| Facts {
            id: topic.id.to_owned(),
            scenarios: topic.scenarios.iter().map(|s| Case::of(s)).collect(),
        });
        Self {
            chapters: chapters.collect(),
            topics: topics.collect(),
            asked: Toml::load("chapters/asked.toml".to_owned()),
            papers: papers
                .map(|(path, lang)| Paper::load(path, *lang))
                .collect(),
            files,
        }
    }

    /// The chapters' texts, and the papers.
    pub fn texts(&self) -> impl Iterator<Item = &Paper> {
        self.chapter_texts().chain(&self.papers)
    }

    pub fn chapter_texts(&self) -> impl Iterator<Item = &Paper> {
        self.chapters.iter().flat_map(|pages| &pages.texts)
    }

    /// What interviewers ask.
    pub fn asked(&self) -> impl Iterator<Item = &AskedOne> {
        let file = self.asked.read.as_ref().ok();
        file.into_iter().flat_map(|file| &file.questions)
    }

    /// A scenario by `topic/scenario`.
    pub fn case(&self, target: &str) -> Option<&Case> {
        let (topic, scenario) = target.split_once('/')?;
        let topic = self.topics.iter().find(|t| t.id == topic)?;
        topic.scenarios.iter().find(|case| case.id == scenario)
    }

    /// Every scenario with its `topic/scenario`.
    pub fn cases(&self) -> impl Iterator<Item = (String, &Case)> {
        self.topics.iter().flat_map(|topic| {
            topic
                .scenarios
                .iter()
                .map(move |case| (format!("{}/{}", topic.id, case.id), case))
        })
    }
}

impl Paper {
    fn load(path: &str, lang: Lang) -> Self {
        let text = fs::read_to_string(Path::new(ROOT).join(path));
        let text = text.unwrap_or_default();
        Self { path: path.to_owned(), lang, text }
    }

    /// A place in it.
    pub fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }

    /// The line, from this one on, on which something stands.
    pub fn line_of(&self, what: &str, from: usize) -> usize {
        let lines = self.text.lines().enumerate().skip(from.max(1) - 1);
        let mut found = lines.filter(|(_, line)| line.contains(what));
        found.next().map_or(from, |(nth, _)| nth + 1)
    }
}

impl Pages {
    fn load(topic: &str, directory: &str) -> Self {
        let path = |name: &str| format!("chapters/{directory}/{name}");
        Self {
            topic: topic.to_owned(),
            directory: directory.to_owned(),
            texts: [
                Paper::load(&path("en.md"), Lang::En),
                Paper::load(&path("zh.md"), Lang::Zh),
            ],
            questions: Toml::load(path("questions.toml")),
            hints: Toml::load(path("hints.toml")),
        }
    }
}

impl<T: serde::de::DeserializeOwned> Toml<T> {
    fn load(path: String) -> Self {
        let raw = fs::read_to_string(Path::new(ROOT).join(&path));
        let raw = raw.unwrap_or_default();
        let read = toml::from_str(&raw).map_err(|error| error.to_string());
        Self { path, raw, read }
    }
}

impl<T> Toml<T> {
    /// Where the entry of this id stands.
    pub fn at(&self, id: &str) -> String {
        let named = format!("id = \"{id}\"");
        let mut lines = self.raw.lines();
        match lines.position(|line| line.starts_with(&named)) {
            Some(nth) => format!("{}:{} {id}", self.path, nth + 1),
            None => format!("{} {id}", self.path),
        }
    }
}

impl Case {
    fn of(scenario: &Scenario) -> Self {
        let rest =
            [&scenario.claim, &scenario.fix, &scenario.limit, &scenario.say];
        let mechanisms = scenario.ways.mechanisms().iter();
        Self {
            id: scenario.id.to_owned(),
            recipe: scenario.recipe.clone(),
            fault: scenario.fault.clone(),
            rest: rest.into_iter().cloned().collect(),
            question: scenario.predict.question.clone(),
            choices: scenario.predict.choices.to_vec(),
            right: scenario.predict.right,
            code: difference::of(scenario),
            mechanisms: mechanisms.map(|m| m.id.to_owned()).collect(),
        }
    }
}

fn walk(directory: &Path, below: &str, files: &mut BTreeSet<String>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{below}{name}");
        if path == "target" || path == ".git" {
            continue;
        }
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{path}/"), files);
        }
        files.insert(path);
    }
}
