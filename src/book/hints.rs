//! Hints for the prediction that a scenario asks for, as `hints.toml` has
//! them.

use serde::Deserialize;

use super::Chapter;
use crate::text::Text;

/// A file of hints.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hints {
    /// The version of the format: 1.
    pub format: u32,
    /// In the order of the catalogue.
    #[serde(rename = "scenario")]
    pub scenarios: Vec<OfScenario>,
}

/// The hints for one scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfScenario {
    /// Its id, without the topic.
    pub id: String,
    /// Three, from a nudge to nearly the answer.
    pub hint: Vec<Text>,
}

impl Chapter {
    /// The hints for its topic's scenarios.
    ///
    /// # Errors
    /// As [`questions`](Self::questions).
    pub fn hints(&self) -> Result<Vec<OfScenario>, toml::de::Error> {
        let file: Hints = toml::from_str(self.hints)?;
        Ok(file.scenarios)
    }
}
