//! `rmq-lab hint`: help with what a scenario asks you to predict.

use std::io::{self, Write};

use super::{Manner, names};
use crate::{
    book::Chapter,
    lab::{catalogue::Entry, run},
    narrate::{Detail, Ink, labelled, painted, posed},
    problem::Problem,
    text,
    text::Text,
};

/// Shows the first `level` hints for a scenario's question.
///
/// # Errors
/// A usage [`Problem`] without a name, or for one that does not exist;
/// within, that stdout is closed.
pub fn hint(
    target: Option<&str>,
    level: u8,
    manner: Manner,
    out: &mut dyn Write,
) -> Result<io::Result<()>, Problem> {
    let entry = only(target)?;
    let hints = hints(entry)?;
    let scenario = entry.scenario;
    let style = manner.style(Detail::Normal);
    let target = entry.target();
    let head = format!(" {target}");
    let mut lines = vec![painted(Ink::Bold, &head, manner.color)];
    lines.extend(posed(
        &scenario.recipe,
        &scenario.fault,
        &scenario.predict.question,
        &run::choices(scenario),
        &style,
    ));
    let level = usize::from(level);
    for (nth, hint) in hints.iter().enumerate().take(level) {
        let label = numbered(nth + 1);
        lines.extend(labelled(&label, hint.say(manner.lang), &style));
    }
    let next = match level < hints.len() {
        true => format!("rmq-lab hint {target} --level {}", level + 1),
        false => format!("rmq-lab demo {target}"),
    };
    let next = painted(Ink::Cyan, &next, manner.color);
    lines.push(format!(" {} {next}", NEXT.say(manner.lang)));
    let told: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Ok(out.write_all(told.as_bytes()))
}

fn numbered(nth: usize) -> Text {
    text! { en: "Hint {nth}", zh: "提示 {nth}", nth = nth }
}

const NEXT: Text = text! { en: "next   ", zh: "下一步 " };

/// The one scenario that is named.
fn only(target: Option<&str>) -> Result<Entry, Problem> {
    let example = text! {
        en: "for example: rmq-lab hint idempotency/mark-first",
        zh: "例如：rmq-lab hint idempotency/mark-first"
    };
    let Some(target) = target else {
        return Err(Problem::usage(text! {
            en: "a hint for which scenario?", zh: "要哪个场景的提示？"
        })
        .help(example));
    };
    let target = &*names::by_id(target);
    let found = names::entries(target)?;
    match found.as_slice() {
        [one] if target.contains('/') => Ok(*one),
        _ => Err(Problem::usage(text! {
            en: "{topic} is a topic: hints are for one scenario",
            zh: "{topic} 是主题：提示只针对单个场景", topic = target
        })
        .help(found.first().map_or(example, |first| {
            let target = first.target();
            text! {
                en: "for example: rmq-lab hint {target}",
                zh: "例如：rmq-lab hint {target}", target = target
            }
        }))),
    }
}

fn hints(entry: Entry) -> Result<Vec<Text>, Problem> {
    let all = Chapter::about(entry.topic.id).map(Chapter::hints);
    let all = all.and_then(Result::ok).unwrap_or_default();
    let own = all.into_iter().find(|one| one.id == entry.scenario.id);
    own.map(|own| own.hint).ok_or_else(|| {
        Problem::environment(text! {
            en: "the hints for {target} are not in this binary",
            zh: "本程序中没有 {target} 的提示", target = entry.target()
        })
    })
}
