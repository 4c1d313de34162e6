//! `rmq-lab read`: a chapter in the terminal, or which there are.

mod inline;
mod paper;
mod table;

use std::fmt::Write as _;

use super::{Manner, names, pager, tidy};
use crate::{
    book::{
        CHAPTERS, Chapter,
        page::{self, Kind},
    },
    demos::TOPICS,
    lab::Topic,
    narrate::{Detail, Ink, Style, painted, wrapped},
    problem::{Exit, Problem},
    text,
    text::{Lang, Text},
};
use paper::Paper;

/// How reading ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub exit: Exit,
    /// The chapter that was shown to its end, for whoever keeps progress.
    pub chapter: Option<&'static Chapter>,
}

/// Shows the chapter about a topic; without one, which there are.
///
/// # Errors
/// A usage [`Problem`] for a topic without a chapter; what could not be
/// written.
pub fn read(topic: Option<&str>, manner: Manner) -> Result<Ended, Problem> {
    let way = pager::Way::from_here();
    let style = manner.style(Detail::Normal);
    let (text, chapter) = match topic {
        None => (list(&style), None),
        Some(topic) => {
            let chapter = names::chapter(topic)?;
            (whole(chapter, &style, way.has_links()), Some(chapter))
        }
    };
    let exit = match way.send(&text) {
        Ok(exit) => exit,
        Err(error) => tidy::not_written(&error)?,
    };
    let chapter = chapter.filter(|_| exit == Exit::Proven);
    Ok(Ended { exit, chapter })
}

/// The chapter, and what to do after it.
fn whole(chapter: &Chapter, style: &Style, links: bool) -> String {
    let blocks = page::blocks(chapter.text(style.lang));
    let mut lines = Paper::new(chapter.topic, style, links).lines(&blocks);
    lines.push(String::new());
    lines.extend(afterwards(chapter, style));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn topic_of(chapter: &Chapter) -> Option<&'static Topic> {
    TOPICS.iter().copied().find(|topic| topic.id == chapter.topic)
}

fn asked(chapter: &Chapter) -> usize {
    chapter.questions().map_or(0, |all| all.len())
}

/// What to type after a chapter.
fn afterwards(chapter: &Chapter, style: &Style) -> Vec<String> {
    let topic = chapter.topic;
    let mut next = Vec::new();
    if let Some(first) = topic_of(chapter).and_then(|t| t.scenarios.first()) {
        next.push(format!("rmq-lab demo {topic}/{}", first.id));
    }
    if asked(chapter) > 0 {
        next.push(format!("rmq-lab quiz {topic}"));
    }
    let following = CHAPTERS
        .iter()
        .skip_while(|other| other.topic != topic)
        .nth(1)
        .map(|other| format!("rmq-lab read {}", other.topic));
    next.extend(following);
    to_type(&next, style)
}

/// Commands, each on a line of its own: they are to be pasted.
fn to_type(commands: &[String], style: &Style) -> Vec<String> {
    let labels = std::iter::once(NEXT.say(style.lang))
        .chain(std::iter::repeat("        "));
    let lines = commands.iter().zip(labels).map(|(command, label)| {
        let command = painted(Ink::Cyan, command, style.color);
        format!(" {label}{command}")
    });
    lines.collect()
}

static NEXT: Text = text! { en: "next    ", zh: "下一步  " };

/// The chapters, and the first to read.
fn list(style: &Style) -> String {
    let mut told = String::new();
    let mut say = |text: &str, indent: &str| {
        for line in wrapped(text, style.width, indent) {
            let _ = writeln!(told, "{line}");
        }
    };
    say(HEAD.say(style.lang), " ");
    say("", "");
    for (nth, chapter) in CHAPTERS.iter().enumerate() {
        let has = has(chapter, style.lang);
        say(&format!("{} {:<14}{has}", nth + 1, chapter.topic), " ");
        say(&title(chapter, style.lang), "   ");
    }
    say("", "");
    let first = CHAPTERS.first().map_or("", |chapter| chapter.topic);
    for line in to_type(&[format!("rmq-lab read {first}")], style) {
        let _ = writeln!(told, "{line}");
    }
    told
}

const HEAD: Text = text! {
    en: "Each chapter is read in a few minutes. What it claims, a run shows.",
    zh: "每章几分钟读完；其中的每个结论，都有一次运行来证明。"
};

fn has(chapter: &Chapter, lang: Lang) -> String {
    let scenarios = topic_of(chapter).map_or(0, |topic| topic.scenarios.len());
    let told = text! {
        en: "{minutes} min, {scenarios} scenarios, {questions} questions",
        zh: "{minutes} 分钟，{scenarios} 个场景，{questions} 道题",
        minutes = minutes(chapter.text(lang), lang), scenarios = scenarios,
        questions = asked(chapter)
    };
    told.say(lang).to_owned()
}

/// Its first heading.
fn title(chapter: &Chapter, lang: Lang) -> String {
    let blocks = page::blocks(chapter.text(lang));
    let titles = blocks.iter().filter_map(|block| match &block.kind {
        Kind::Heading(1, spans) => Some(page::plain(spans)),
        _ => None,
    });
    titles.take(1).collect()
}

/// How long a text takes to read: 200 English words a minute, or 400 Chinese
/// characters. Code is looked at rather than read, and an address is not shown.
pub fn minutes(text: &str, lang: Lang) -> usize {
    let mut code = false;
    let prose = text.lines().filter(|line| {
        let fence = line.starts_with("```");
        code ^= fence;
        !code && !fence && !page::is_address(line)
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

    fn style(lang: Lang) -> Style {
        let (color, width) = (false, 80);
        Style { lang, color, width, detail: Detail::Normal, interactive: false }
    }

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

    #[test]
    fn the_last_chapter_names_no_next_one() {
        let last = CHAPTERS.last().map(|c| whole(c, &style(Lang::En), false));
        assert!(!last.unwrap_or_default().contains("rmq-lab read"));
    }

    #[test]
    fn every_chapter_fits_on_eighty_columns_in_both_languages() {
        use unicode_width::UnicodeWidthStr;
        for (chapter, lang) in
            CHAPTERS.iter().flat_map(|c| [(c, Lang::En), (c, Lang::Zh)])
        {
            let told = whole(chapter, &style(lang), false);
            let wide = told.lines().find(|line| line.width() > 80);
            assert_eq!(wide, None, "{} {lang:?}", chapter.directory);
            assert!(!told.contains("<!--"), "{}", chapter.directory);
            assert!(!told.contains('\u{1b}'), "{}", chapter.directory);
        }
    }
}
