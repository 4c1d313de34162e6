//! `rmq-lab read`: a chapter in the terminal, or which there are.

mod inline;
mod paper;
mod questions;
mod table;

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    time::Duration,
};

use super::{Manner, names, pager, study::deck::Deck};
use crate::{
    book::{
        CHAPTERS, Chapter,
        page::{self, Kind},
    },
    demos::TOPICS,
    lab::{Topic, catalogue::Entry},
    narrate::{Detail, Ink, Style, painted, wrapped},
    problem::{Exit, Problem},
    text,
    text::{Lang, Text},
};
use pager::{Seen, Sent};
use paper::Paper;

/// How reading ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub exit: Exit,
    /// The chapter that was read, for whoever keeps progress.
    pub chapter: Option<&'static Chapter>,
}

/// Shows the chapter about a topic, or only its questions; without a topic,
/// which chapters there are.
///
/// # Errors
/// A usage [`Problem`] for a topic without a chapter; what could not be
/// written.
pub fn read(
    topic: Option<&str>,
    only_questions: bool,
    manner: Manner,
) -> Result<Ended, Problem> {
    let way = pager::Way::from_here();
    let style = manner.style(Detail::Normal);
    let (text, chapter) = match topic {
        None => (list(&style), None),
        Some(topic) => {
            let chapter = chapter(topic)?;
            match only_questions {
                true => (all_asked(chapter, manner)?, None),
                false => {
                    (whole(chapter, &style, way.has_links()), Some(chapter))
                }
            }
        }
    };
    let Sent { exit, seen } = way.send(&text)?;
    let Some(chapter) = chapter.filter(|_| exit == Exit::Proven) else {
        return Ok(Ended { exit, chapter: None });
    };
    let is_read = is_read(seen, chapter.minutes(manner.lang));
    if let (false, Seen::Paged(open)) = (is_read, seen) {
        // Where stderr is closed nobody listens.
        let told = not_read(open);
        let _ = writeln!(io::stderr(), " {}", told.say(manner.lang));
    }
    Ok(Ended { exit, chapter: is_read.then_some(chapter) })
}

/// The chapter that is meant.
fn chapter(typed: &str) -> Result<&'static Chapter, Problem> {
    let problem = match names::chapter(typed) {
        Ok(chapter) => return Ok(chapter),
        Err(problem) => problem,
    };
    match names::scenario(typed) {
        Some(scenario) => Err(no_chapter(scenario)),
        // A scenario was meant, which is told as every command tells it.
        None if typed.contains('/') => names::entries(typed).and(Err(problem)),
        None => Err(problem),
    }
}

/// A scenario was named: what to read, and what there is of it instead.
fn no_chapter(scenario: Entry) -> Problem {
    let target = scenario.target();
    Problem::usage(text! {
        en: "{target} is a scenario: chapters are about topics",
        zh: "{target} 是场景：每一章讲一个主题", target = target
    })
    .help(text! {
        en: "its chapter: rmq-lab read {topic}",
        zh: "它那一章：rmq-lab read {topic}", topic = scenario.topic.id
    })
    .help(text! {
        en: "its code: rmq-lab show {target}",
        zh: "它的代码：rmq-lab show {target}", target = target
    })
    .help(text! {
        en: "its run: rmq-lab demo {target}",
        zh: "它的运行：rmq-lab demo {target}", target = target
    })
    .help(text! {
        en: "a hint: rmq-lab hint {target}",
        zh: "提示：rmq-lab hint {target}", target = target
    })
}

/// Of each minute that a chapter takes, how long its pager is open at least
/// where somebody reads it: a quarter. Many read faster than is reckoned, and
/// leave out what they know; who is done sooner has looked, and not read.
const OF_A_MINUTE: Duration = Duration::from_secs(15);

/// Whether a chapter of so many minutes counts as read. How long a person
/// looks at what was put on the terminal as it is, nobody can know.
fn is_read(seen: Seen, minutes: usize) -> bool {
    let minutes = u32::try_from(minutes).unwrap_or(u32::MAX);
    match seen {
        Seen::Elsewhere => false,
        Seen::Shown => true,
        Seen::Paged(open) => open >= OF_A_MINUTE.saturating_mul(minutes),
    }
}

fn not_read(open: Duration) -> Text {
    text! {
        en: "closed after {seconds} s: not marked as read",
        zh: "{seconds} 秒后关闭：未标记为已读",
        seconds = open.as_secs()
    }
}

/// The chapter, and what to do after it.
fn whole(chapter: &Chapter, style: &Style, links: bool) -> String {
    let blocks = page::blocks(chapter.text(style.lang));
    let mut lines = Paper::new(chapter.topic, style, links).lines(&blocks);
    lines.push(String::new());
    lines.extend(afterwards(chapter, style));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The questions of the chapter with their answers, and what to do after it.
fn all_asked(chapter: &Chapter, manner: Manner) -> Result<String, Problem> {
    let topic = chapter.topic;
    let mut told = questions::told(&Deck::whole()?, topic, manner);
    let next =
        ["quiz", "interview"].map(|word| format!("rmq-lab {word} {topic}"));
    for line in to_type(&next, &manner.style(Detail::Normal)) {
        let _ = writeln!(told, "{line}");
    }
    Ok(told)
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
        minutes = chapter.minutes(lang), scenarios = scenarios,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn style(lang: Lang) -> Style {
        let (color, width) = (false, 80);
        Style { lang, color, width, detail: Detail::Normal, interactive: false }
    }

    #[test]
    fn a_chapter_is_read_when_its_pager_was_open_long_enough() {
        let paged = |seconds| Seen::Paged(Duration::from_secs(seconds));
        // A quarter of twelve minutes is three.
        assert!(is_read(paged(180), 12));
        assert!(!is_read(paged(179), 12));
        assert!(!is_read(paged(0), 1));
        assert!(is_read(paged(15), 1));
        assert!(is_read(Seen::Shown, 12));
        assert!(!is_read(Seen::Elsewhere, 12));
        assert!(!is_read(paged(3_600), usize::MAX), "and nothing overflows");
    }

    #[test]
    fn who_closes_a_chapter_at_once_is_told_in_both_languages() {
        let told = not_read(Duration::from_millis(4_900));
        assert_eq!(told.en, "closed after 4 s: not marked as read");
        assert_eq!(told.zh, "4 秒后关闭：未标记为已读");
    }

    #[test]
    fn a_scenario_is_no_chapter_and_says_so_in_both_languages() {
        let problem = chapter("3/inbox").unwrap_err();
        let (error, help) = (&problem.error, &problem.help);
        assert_eq!(problem.exit, Exit::Usage);
        assert!(error.en.starts_with("idempotency/inbox is a scenario: "));
        assert!(error.zh.starts_with("idempotency/inbox 是场景："));
        let commands = [
            "read idempotency",
            "show idempotency/inbox",
            "demo idempotency/inbox",
            "hint idempotency/inbox",
        ];
        assert_eq!(help.len(), commands.len());
        for (help, command) in help.iter().zip(commands) {
            let command = format!(" rmq-lab {command}");
            assert!(help.en.ends_with(&command), "{}", help.en);
            let command = command.trim_start();
            assert!(help.zh.ends_with(command), "{}", help.zh);
        }
    }

    #[test]
    fn what_is_to_be_typed_is_told_whole_and_where_it_leads() {
        let last = CHAPTERS.last().unwrap();
        for lang in [Lang::En, Lang::Zh] {
            let told = whole(last, &style(lang), false);
            for words in [
                "messages_unacknowledged",
                "durability/cancel-ignored",
                "-> NAME: rmq-lab demo beyond/NAME\n",
                "-> TOPIC/NAME: rmq-lab demo TOPIC/NAME\n",
            ] {
                assert!(told.contains(words), "{words}: {told}");
            }
            assert!(!told.contains("( →") && !told.contains("（ →"), "{told}");
        }
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
