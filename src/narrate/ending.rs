//! How a scenario's end is told: tables, bars, claim, verdict; and in full whatever
//! was not proven.

use std::collections::BTreeMap;

use crate::{
    event::{Ended, Verdict, WayName, WayResult},
    ledger::{Anomaly, Fact, Kind, MessageId},
    text,
    text::Text,
};

use super::{
    Detail,
    chart::chart,
    grid::grid,
    layout::{Ink, MARGIN, Page},
    story::Stories,
    table::table,
    words,
};

/// Lines of a laptop's terminal, and of a projector.
const SCREEN: usize = 24;

/// What of the run and the scenario the end refers to.
pub(super) struct Context<'a> {
    pub page: &'a Page,
    pub detail: Detail,
    pub guess: Option<char>,
    /// `trap` and `measure` have no second way to compare with.
    pub pair: bool,
    pub record: Option<&'a str>,
    pub stories: &'a BTreeMap<WayName, Stories>,
    /// Lines that the scenario takes so far.
    pub height: usize,
}

/// The end of a scenario.
pub(super) fn ending(told: &Context, ended: &Ended) -> Vec<String> {
    let sure = matches!(ended.verdict, Verdict::Proven | Verdict::Observed);
    if told.detail == Detail::Quiet {
        let mut lines = verdict(told, ended);
        if !sure {
            lines.extend(trouble(told, ended));
        }
        return lines;
    }
    let sums = table(told.page, ended);
    let charts: Vec<Vec<String>> =
        ended.charts.iter().map(|c| chart(told.page, c)).collect();
    let grids = ended.grids.iter().map(|g| grid(told.page, g));
    let words = words_after(told, ended, sure);
    let parts: Vec<Vec<String>> = std::iter::once(sums)
        .chain(grids)
        .chain(charts)
        .filter(|part| !part.is_empty())
        .collect();
    let height = words.len() + parts.iter().map(Vec::len).sum::<usize>();
    let mut free = free_lines(told.height + height, parts.len() + 1, sure);
    let mut lines = Vec::new();
    // Where there are few, the one before the words comes first.
    for part in parts {
        if free > 1 {
            free -= 1;
            lines.push(String::new());
        }
        lines.extend(part);
    }
    if free > 0 {
        lines.push(String::new());
    }
    lines.extend(words);
    lines
}

/// Free lines before the words, each table and each chart, unless they would
/// push the scenario's head off the screen. What is told in full scrolls
/// anyway, and so does what is far too long.
fn free_lines(height: usize, wanted: usize, sure: bool) -> usize {
    if sure && height <= SCREEN + wanted {
        SCREEN.saturating_sub(height).min(wanted)
    } else {
        wanted
    }
}

/// Claim, lessons, verdict, and what comes next.
fn words_after(told: &Context, ended: &Ended, sure: bool) -> Vec<String> {
    let page = told.page;
    let mut lines = claim(told, ended, sure);
    if !sure {
        // What to do about it and what to say is not taught by a run that
        // did not show it.
        lines.extend(verdict(told, ended));
        lines.extend(trouble(told, ended));
        return lines;
    }
    let lessons = [
        (&words::FIX, &ended.fix),
        (&words::LIMIT, &ended.limit),
        (&words::SAY, &ended.say),
    ];
    for (label, text) in lessons.into_iter().filter(|(_, t)| !t.is_empty()) {
        lines.extend(page.labelled(label, page.say(text)));
    }
    lines.extend(verdict(told, ended));
    lines.extend(next(told, ended));
    lines
}

fn claim(told: &Context, ended: &Ended, sure: bool) -> Vec<String> {
    if ended.claim.is_empty() {
        return Vec::new();
    }
    let page = told.page;
    let mut claim = page.say(&ended.claim).to_owned();
    if let Some(right) = ended.right {
        let prefix = format!("{right}{}", page.say(&words::COLON));
        if sure && !claim.starts_with(&prefix) {
            claim.insert_str(0, &prefix);
        }
    }
    // A guess is not held against what was not shown.
    if let Some(guess) = told.guess.filter(|_| sure) {
        let said = match ended.right {
            Some(right) if right == guess => {
                text! { en: " You said {guess}, too.", zh: "你也选了 {guess}。", guess = guess }
            }
            _ => {
                text! { en: " You said {guess}.", zh: "你选的是 {guess}。", guess = guess }
            }
        };
        claim.push_str(page.say(&said));
    }
    page.labelled(&words::CLAIM, &claim)
}

fn verdict(told: &Context, ended: &Ended) -> Vec<String> {
    let page = told.page;
    let (glyph, word) = words::verdict(ended.verdict);
    let ink = verdict_ink(ended.verdict);
    let lead = format!(" {glyph} {}  ", page.say(&word));
    let took = page.seconds(ended.took_ms);
    if told.detail != Detail::Quiet {
        return page.spread(&lead, ink, page.say(&ended.why), &took);
    }
    let id = format!("{}/{}", ended.topic, ended.scenario);
    let mut lines = page.spread(&lead, ink, &id, &took);
    lines.extend(page.hang("   ", Ink::Plain, page.say(&ended.why)));
    lines
}

pub(super) const fn verdict_ink(verdict: Verdict) -> Ink {
    match verdict {
        Verdict::Proven => Ink::Green,
        Verdict::Refuted => Ink::Red,
        Verdict::Inconclusive => Ink::Yellow,
        Verdict::Observed => Ink::Cyan,
    }
}

fn next(told: &Context, ended: &Ended) -> Vec<String> {
    let diff = if told.pair { " --diff" } else { "" };
    let without = ended.without.as_ref();
    let without = without.map(|m| format!(" --without {m}"));
    let command = format!(
        "rmq-lab show {}/{}{}{diff}",
        ended.topic,
        ended.scenario,
        without.unwrap_or_default()
    );
    vec![command_line(told.page, &words::NEXT, &command)]
}

/// A label and something to copy: never broken, on a line of its own where
/// the label leaves no room.
pub(super) fn command_line(
    page: &Page,
    label: &crate::text::Text,
    command: &str,
) -> String {
    let lead = page.pad(&format!(" {}", page.say(label)), MARGIN);
    let lead = if lead.ends_with(' ') { lead } else { format!("{lead}  ") };
    let (label, command) =
        (page.paint(Ink::Bold, &lead), page.paint(Ink::Cyan, command));
    if page.width_of(&lead) + page.width_of(&command) < page.width
        || !lead.contains("  ")
    {
        format!("{label}{command}")
    } else {
        format!("{}\n{command}", label.trim_end())
    }
}

/// Everything that is known of what went otherwise.
fn trouble(told: &Context, ended: &Ended) -> Vec<String> {
    let page = told.page;
    let mut lines = Vec::new();
    for (way, result) in &ended.ways {
        if result.as_expected == Some(true) {
            continue;
        }
        if let Some(why) = &result.why {
            lines.extend(page.labelled(&way.word(), page.say(why)));
        }
        lines.extend(messages(told, *way, result));
    }
    if let Some(record) = told.record {
        lines.push(command_line(page, &words::RECORD, record));
    }
    if let Some(log) = &ended.broker_log {
        lines.push(command_line(page, &words::BROKER_LOG, log));
    }
    if !ended.again.is_empty() {
        lines.push(command_line(page, &words::AGAIN, &ended.again));
    }
    lines
}

/// The messages with something wrong; where nothing is wrong with any, those
/// that were struck and should have been harmed. Each with the last thing
/// known of it.
fn messages(told: &Context, way: WayName, result: &WayResult) -> Vec<String> {
    let stories = told.stories.get(&way);
    let mut lines = Vec::new();
    for anomaly in &result.anomalies {
        let last = anomaly.last_known.map(|(fact, at)| (fact, u64::from(at)));
        lines.extend(message(told.page, anomaly.message, Some(anomaly), last));
    }
    if result.anomalies.is_empty() {
        let struck = stories.map(Stories::struck_messages).unwrap_or_default();
        if !struck.is_empty() {
            lines.extend(told.page.hang(
                "   ",
                Ink::Plain,
                told.page.say(&words::THE_STRUCK),
            ));
        }
        for id in struck.into_iter().take(20) {
            let last = stories.and_then(|stories| stories.last(id));
            lines.extend(message(told.page, id, None, last));
        }
    }
    let counts = &result.counts;
    let wrong =
        counts.lost + counts.duplicated + counts.stuck + counts.unexpected;
    let listed = result.anomalies.len() as u64;
    if !result.anomalies.is_empty() && wrong > listed {
        let more = text! {
            en: "and {more} more", zh: "另有 {more} 条", more = wrong - listed
        };
        lines.extend(told.page.hang("   ", Ink::Plain, told.page.say(&more)));
    }
    lines
}

fn message(
    page: &Page,
    id: MessageId,
    anomaly: Option<&Anomaly>,
    last: Option<(Fact, u64)>,
) -> Vec<String> {
    let last = match last {
        Some((fact, at)) => {
            format!(
                "{} {}",
                at_seconds(at),
                page.say(&words::fact_of(fact, id.noun))
            )
        }
        None => page.say(&words::NOTHING_KNOWN).to_owned(),
    };
    let wrong = match anomaly {
        Some(a) if a.kind == Kind::Duplicated => {
            let applied = words::fact_of(Fact::Applied, id.noun);
            let n = a.applied;
            let times = Text::made(
                format!("{} {n} times", applied.en),
                format!("{} {n} 次", applied.zh),
            );
            format!("{}{}", page.say(&times), page.say(&words::COMMA))
        }
        Some(a) => format!(
            "{}{}",
            page.say(&words::kind(a.kind)),
            page.say(&words::COMMA)
        ),
        None => String::new(),
    };
    let told = text! {
        en: "{wrong}last known: {last}", zh: "{wrong}最后所知：{last}",
        wrong = wrong, last = last
    };
    page.hang(&format!("   {id}  "), Ink::Plain, page.say(&told))
}

/// A time within the run, as `trace` gives it.
pub(super) fn at_seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}
