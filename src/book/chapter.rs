//! The chapters, as they are embedded.

use super::page::is_address;
use crate::text::Lang;

/// One chapter, and what belongs to it.
#[derive(Debug)]
pub struct Chapter {
    /// The topic that it is about.
    pub topic: &'static str,
    /// Its directory under `chapters/`.
    pub directory: &'static str,
    /// `en.md`.
    pub en: &'static str,
    /// `zh.md`.
    pub zh: &'static str,
    /// `questions.toml`.
    pub questions: &'static str,
    /// `hints.toml`.
    pub hints: &'static str,
    /// `recorded.jsonl.gz`, the run that ships; empty, where none was made yet.
    pub recorded: &'static [u8],
}

macro_rules! chapter {
    ($topic:literal, $directory:literal) => {
        Chapter {
            topic: $topic,
            directory: $directory,
            en: include_str!(concat!("../../chapters/", $directory, "/en.md")),
            zh: include_str!(concat!("../../chapters/", $directory, "/zh.md")),
            questions: include_str!(concat!(
                "../../chapters/",
                $directory,
                "/questions.toml"
            )),
            hints: include_str!(concat!(
                "../../chapters/",
                $directory,
                "/hints.toml"
            )),
            recorded: include_bytes!(concat!(
                "../../chapters/",
                $directory,
                "/recorded.jsonl.gz"
            )),
        }
    };
}

/// All of them, in the order of reading.
pub static CHAPTERS: &[Chapter] = &[
    chapter!("decoupling", "01-decoupling"),
    chapter!("producer-loss", "02-producer-loss"),
    chapter!("idempotency", "03-idempotency"),
    chapter!("durability", "04-durability"),
    chapter!("mirrored-ha", "05-mirrored-ha"),
    chapter!("beyond", "06-beyond"),
];

impl Chapter {
    /// The chapter about a topic.
    pub fn about(topic: &str) -> Option<&'static Self> {
        CHAPTERS.iter().find(|chapter| chapter.topic == topic)
    }

    /// Its text in a language.
    pub const fn text(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Zh => self.zh,
        }
    }

    /// How many minutes its text takes to read.
    pub fn minutes(&self, lang: Lang) -> usize {
        minutes(self.text(lang), lang)
    }
}

/// How long a text takes to read: 200 English words a minute, or 400 Chinese
/// characters. Code is looked at rather than read, and an address is not shown.
pub fn minutes(text: &str, lang: Lang) -> usize {
    let mut code = false;
    let prose = text.lines().filter(|line| {
        let fence = line.starts_with("```");
        code ^= fence;
        !code && !fence && !is_address(line)
    });
    let count: usize = match lang {
        Lang::En => prose.map(|line| line.split_whitespace().count()).sum(),
        Lang::Zh => prose
            .flat_map(str::chars)
            .filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c))
            .count(),
    };
    let a_minute = match lang {
        Lang::En => 200,
        Lang::Zh => 400,
    };
    count.div_ceil(a_minute).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_addresses_take_no_time_to_read() {
        let words = "word ".repeat(400);
        assert_eq!(minutes(&words, Lang::En), 2);
        let code = format!("```text\n{words}\n```\n");
        assert_eq!(minutes(&code, Lang::En), 1);
        let addresses = "[name]: https://a.b\n".repeat(200);
        assert_eq!(minutes(&addresses, Lang::En), 1);
        assert_eq!(minutes(&"字".repeat(401), Lang::Zh), 2);
    }
}
