//! `rmq-lab list`: what there is.

use std::io::{self, Write};

use serde_json::json;

use unicode_width::UnicodeWidthStr;

use super::{
    Manner, names,
    orientation::{how_far, next},
    pager, progress,
    study::deck::Deck,
    tidy,
};
use crate::{
    book::{Moment, Outline, Progress, Standing, next_step, progress::Run},
    demos::TOPICS,
    lab::{
        Scenario, Topic,
        catalogue::{Entry, entries},
    },
    narrate::{Detail, wrapped},
    problem::{Exit, Problem},
    text,
    text::Text,
};

/// Lists topics and scenarios, or one topic's, for a person or as JSON lines.
/// At a terminal it is paged, as a chapter is.
///
/// # Errors
/// A usage [`Problem`] for an unknown topic; one of the book; what could not
/// be written.
pub fn list(
    topic: Option<&str>,
    json: bool,
    manner: Manner,
) -> Result<Exit, Problem> {
    let only = topic.map(names::chapter).transpose()?;
    let only = only.map(|chapter| chapter.topic);
    let is_meant = |topic: &Topic| only.is_none_or(|only| only == topic.id);
    let outline = Deck::whole()?.outline;
    let known = progress::look(manner);
    let mut text = Vec::new();
    let written = match json {
        true => as_lines(&known, &outline, is_meant, &mut text),
        false => told(&known, &outline, manner, is_meant, &mut text),
    };
    if let Err(error) = written {
        return tidy::not_written(&error);
    }
    let sent = pager::Way::of(json).send(&String::from_utf8_lossy(&text))?;
    Ok(sent.exit)
}

fn as_lines(
    known: &Progress,
    outline: &Outline,
    is_meant: impl Fn(&Topic) -> bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let now = Moment::now();
    for entry in entries(TOPICS).filter(|entry| is_meant(entry.topic)) {
        let topic = outline.topic(entry.topic.id);
        let standing = topic.map(|topic| known.standing(topic, now));
        let standing = standing.unwrap_or_default();
        writeln!(out, "{}", as_json(entry, known, &standing))?;
    }
    Ok(())
}

fn told(
    known: &Progress,
    outline: &Outline,
    manner: Manner,
    is_meant: impl Fn(&Topic) -> bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let now = Moment::now();
    let style = manner.style(Detail::Normal);
    for line in wrapped(HEAD.say(manner.lang), style.width, " ") {
        writeln!(out, "{line}")?;
    }
    for topic in TOPICS.iter().filter(|topic| is_meant(topic)) {
        let standing = outline.topic(topic.id);
        let standing = standing.map(|topic| known.standing(topic, now));
        let how_far = how_far(&standing.unwrap_or_default());
        let head = format!("{:<14}{}", topic.id, how_far.say(manner.lang));
        writeln!(out)?;
        for line in wrapped(&head, style.width, " ") {
            writeln!(out, "{line}")?;
        }
        for line in wrapped(topic.title.say(manner.lang), style.width, "   ") {
            writeln!(out, "{line}")?;
        }
        for scenario in topic.scenarios {
            let kind = scenario.ways.kind();
            let needs = scenario.needs.names().join(" ");
            let head = format!("   {:<20}{kind:<7} {needs}", scenario.id);
            let run = known.run.get(&target(topic, scenario));
            let mark = run.map_or(String::new(), |run| mark(run, manner));
            match head.len() + mark.width() <= style.width {
                true => writeln!(out, "\n{head}{mark}")?,
                false => {
                    writeln!(out, "\n   {}{mark}", scenario.id)?;
                    writeln!(out, "     {kind}  {needs}")?;
                }
            }
            for line in
                wrapped(scenario.recipe.say(manner.lang), style.width, "     ")
            {
                writeln!(out, "{line}")?;
            }
            let mechanisms: Vec<_> =
                scenario.ways.mechanisms().iter().map(|m| m.id).collect();
            if !mechanisms.is_empty() {
                let line = format!("--without {}", mechanisms.join(" | "));
                for line in wrapped(&line, style.width, "     ") {
                    writeln!(out, "{line}")?;
                }
            }
        }
        writeln!(out)?;
    }
    let step = next_step(known, outline, now);
    for line in wrapped(next(&step).say(manner.lang), style.width, " ") {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "   {}", step.command())
}

const HEAD: Text = text! {
    en: "Each line is a recipe that people believe in; the demo shows where it \
         breaks. pair: naive against fixed. trap: a belief that fails. \
         --without M: the fixed way with M taken out.",
    zh: "每行是一种常见的说法（不一定对），演示会让你看到它在哪里出错。\
         pair：朴素与改进两种写法；trap：站不住的说法；\
         --without M：从改进写法中拿掉机制 M。"
};

fn target(topic: &Topic, scenario: &Scenario) -> String {
    format!("{}/{}", topic.id, scenario.id)
}

/// How a scenario ended the last time: a glyph and a word.
fn mark(run: &Run, manner: Manner) -> String {
    let mark = match run.verdict.as_str() {
        "refuted" => text! { en: "✗ refuted", zh: "✗ 被推翻" },
        "skipped" => text! { en: "- left out here", zh: "- 本机跑不了" },
        _ if run.is_done() => text! { en: "✓ done", zh: "✓ 已做" },
        _ => text! { en: "? not proven", zh: "? 无法判定" },
    };
    format!("  {}", mark.say(manner.lang))
}

/// What is known of its topic stands in each line of it.
fn as_json(
    entry: Entry,
    known: &Progress,
    standing: &Standing,
) -> serde_json::Value {
    let scenario = entry.scenario;
    let run = known.run.get(&entry.target());
    let mechanisms: Vec<_> =
        scenario.ways.mechanisms().iter().map(|m| m.id).collect();
    json!({
        "topic": entry.topic.id,
        "id": scenario.id,
        "kind": scenario.ways.kind(),
        "recipe": scenario.recipe,
        "mechanisms": mechanisms,
        "needs": scenario.needs.names(),
        "memory_mib": scenario.needs.memory_mib(),
        "seconds": scenario.needs.seconds,
        "done": run.is_some_and(Run::is_done),
        "verdict": run.map(|run| &run.verdict),
        "read": standing.read,
        "cards": {
            "answered": standing.answered,
            "due": standing.due,
            "of": standing.cards,
        },
        "interview": {
            "spoken": standing.spoken,
            "points": standing.points,
            "of": standing.questions,
        },
        "tried_on": scenario.tried.iter().map(|(major, minor)| format!("{major}.{minor}")).collect::<Vec<_>>(),
    })
}
