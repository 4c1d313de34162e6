//! `rmq-lab list`: what there is.

use std::io::{self, Write};

use serde_json::json;

use super::Manner;
use crate::{
    demos::TOPICS,
    lab::{Scenario, catalogue::entries},
    narrate::{Detail, wrapped},
    text,
    text::Text,
};

/// Lists topics and scenarios, for a person or as JSON lines.
///
/// # Errors
/// When stdout is closed.
pub fn list(json: bool, manner: Manner, out: &mut dyn Write) -> io::Result<()> {
    if json {
        for entry in entries(TOPICS) {
            writeln!(out, "{}", as_json(entry.topic.id, entry.scenario))?;
        }
        return Ok(());
    }
    let style = manner.style(Detail::Normal);
    for line in wrapped(HEAD.say(manner.lang), style.width, " ") {
        writeln!(out, "{line}")?;
    }
    for topic in TOPICS {
        writeln!(out, "\n {}", topic.id)?;
        for line in wrapped(topic.title.say(manner.lang), style.width, "   ") {
            writeln!(out, "{line}")?;
        }
        for scenario in topic.scenarios {
            let kind = scenario.ways.kind();
            let needs = scenario.needs.names().join(" ");
            let head = format!("   {:<20}{kind:<7} {needs}", scenario.id);
            match head.len() <= style.width {
                true => writeln!(out, "\n{head}")?,
                false => {
                    writeln!(out, "\n   {}", scenario.id)?;
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

fn as_json(topic: &str, scenario: &Scenario) -> serde_json::Value {
    let mechanisms: Vec<_> =
        scenario.ways.mechanisms().iter().map(|m| m.id).collect();
    json!({
        "topic": topic,
        "id": scenario.id,
        "kind": scenario.ways.kind(),
        "recipe": scenario.recipe,
        "mechanisms": mechanisms,
        "needs": scenario.needs.names(),
        "memory_mib": scenario.needs.memory_mib(),
        "seconds": scenario.needs.seconds,
        "tried_on": scenario.tried.iter().map(|(major, minor)| format!("{major}.{minor}")).collect::<Vec<_>>(),
    })
}
