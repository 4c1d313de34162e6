//! `rmq-lab list`: what there is.

use std::io::{self, Write};

use serde_json::json;

use unicode_width::UnicodeWidthStr;

use super::{Manner, progress};
use crate::{
    book::{Progress, progress::Run},
    demos::TOPICS,
    lab::{
        Scenario, Topic,
        catalogue::{Entry, entries},
    },
    narrate::{Detail, wrapped},
    text,
    text::Text,
};

/// Lists topics and scenarios, for a person or as JSON lines.
///
/// # Errors
/// When stdout is closed.
pub fn list(json: bool, manner: Manner, out: &mut dyn Write) -> io::Result<()> {
    let known = progress::look(manner);
    if json {
        for entry in entries(TOPICS) {
            writeln!(out, "{}", as_json(entry, &known))?;
        }
        return Ok(());
    }
    let style = manner.style(Detail::Normal);
    for line in wrapped(HEAD.say(manner.lang), style.width, " ") {
        writeln!(out, "{line}")?;
    }
    for topic in TOPICS {
        let done = |s: &&&Scenario| known.is_done(&target(topic, s));
        let (done, of) = (
            topic.scenarios.iter().filter(done).count(),
            topic.scenarios.len(),
        );
        let count = text! {
            en: "{done} of {of} done", zh: "{of} 个已做 {done} 个",
            done = done, of = of
        };
        writeln!(out, "\n {}  {}", topic.id, count.say(manner.lang))?;
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
    let example = TOPICS.first().map_or("", |topic| topic.id);
    writeln!(out, " rmq-lab demo {example}")
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

fn as_json(entry: Entry, known: &Progress) -> serde_json::Value {
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
        "tried_on": scenario.tried.iter().map(|(major, minor)| format!("{major}.{minor}")).collect::<Vec<_>>(),
    })
}
