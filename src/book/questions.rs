//! The questions of a chapter, as `questions.toml` has them.

use serde::Deserialize;

use super::Chapter;
use crate::text::Text;

/// A file of questions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Questions {
    /// The version of the format: 1.
    pub format: u32,
    /// In the order of asking.
    #[serde(rename = "question")]
    pub questions: Vec<Question>,
}

/// How deep a question goes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Everybody is asked it.
    Basic,
    /// Asked of whoever has used it.
    Deep,
    /// Asked of whoever runs it.
    Expert,
}

/// One question.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Stable, unique in the whole book.
    pub id: String,
    /// The numbers of the commonly asked questions that it answers.
    pub list: Vec<u32>,
    /// How deep it goes.
    pub level: Level,
    /// The scenarios that prove the answer, as `topic/scenario`.
    pub proven_by: Vec<String>,
    /// What else the answer rests on.
    pub sources: Vec<String>,
    /// The question, as an interviewer says it.
    pub ask: Text,
    /// The thirty-second answer. Paragraphs are parted by an empty line;
    /// other line breaks mean nothing.
    pub answer: Text,
    /// Follow-ups that dig deeper.
    #[serde(default)]
    pub dig: Vec<Dig>,
    /// What is often said, and is wrong.
    #[serde(default)]
    pub wrong: Vec<Wrong>,
    /// Three, from a nudge to nearly the answer.
    pub hint: Vec<Text>,
}

/// A follow-up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dig {
    /// What is asked.
    pub ask: Text,
    /// The answer.
    pub answer: Text,
}

/// A wrong answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wrong {
    /// What is said.
    pub said: Text,
    /// Why that is wrong.
    pub because: Text,
}

impl Chapter {
    /// Its questions.
    ///
    /// # Errors
    /// When the embedded file is not in the format above. A test reads them
    /// all, so a released binary has none.
    pub fn questions(&self) -> Result<Vec<Question>, toml::de::Error> {
        let file: Questions = toml::from_str(self.questions)?;
        Ok(file.questions)
    }
}
