//! The last lines of a run of several scenarios.

use crate::{
    event::{Ended, Event, Verdict, WayName, WayResult},
    text,
    text::Text,
};

use super::{
    Detail,
    ending::{command_line, verdict_ink},
    layout::{Ink, MARGIN, Page},
    words,
};

/// What one scenario came to, in a row.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    topic: String,
    scenario: String,
    verdict: Option<Verdict>,
    pub left: Text,
    pub right: Text,
}

impl Outcome {
    pub fn of(ended: &Ended) -> Self {
        let cell = |names: &[WayName]| {
            let found = names
                .iter()
                .find_map(|name| ended.ways.get(name).map(|w| (name, w)));
            match found {
                Some((WayName::Without, way)) => {
                    let mechanism =
                        ended.without.as_deref().unwrap_or_default();
                    let told = in_short(way);
                    Text::made(
                        format!("without {mechanism}: {}", told.en),
                        format!("去掉 {mechanism}：{}", told.zh),
                    )
                }
                Some((_, way)) => in_short(way),
                None => Text::default(),
            }
        };
        Self {
            topic: ended.topic.clone(),
            scenario: ended.scenario.clone(),
            verdict: Some(ended.verdict),
            left: cell(&[WayName::Naive, WayName::Trap, WayName::Measure]),
            right: cell(&[WayName::Fixed, WayName::Without]),
        }
    }

    pub fn skipped(topic: &str, scenario: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            scenario: scenario.to_owned(),
            verdict: None,
            left: words::LEFT_OUT.clone(),
            right: Text::default(),
        }
    }
}

/// What the way says of itself; else `20 lost`, `5 doubled`, or `0`.
fn in_short(way: &WayResult) -> Text {
    if let Some(came_to) = &way.came_to {
        return came_to.clone();
    }
    let counts = &way.counts;
    let wrong = [
        (counts.lost, "lost", "丢失"),
        (counts.duplicated, "doubled", "重复"),
        (counts.stuck, "stuck", "卡住"),
    ];
    let mut told = Text::default();
    for (count, en, zh) in wrong.into_iter().filter(|(count, ..)| *count > 0) {
        let comma = if told.is_empty() { ("", "") } else { (", ", "，") };
        told = Text::made(
            format!("{}{}{count} {en}", told.en, comma.0),
            format!("{}{}{zh} {count}", told.zh, comma.1),
        );
    }
    if told.is_empty() { Text::same("0") } else { told }
}

/// The last lines.
pub(super) fn summary(
    page: &Page,
    detail: Detail,
    outcomes: &[Outcome],
    ended: &Event,
) -> Vec<String> {
    let mut lines = Vec::new();
    if outcomes.len() > 1 {
        lines.push(String::new());
        if detail != Detail::Quiet {
            for of_topic in outcomes.chunk_by(|a, b| a.topic == b.topic) {
                lines.extend(rows(page, of_topic));
            }
        }
        lines.extend(page.hang(" ", Ink::Plain, page.say(&sums(page, ended))));
        lines.extend(next(page, outcomes));
    } else if let Event::RunEnded { left_behind: 1.., .. } = ended {
        lines.extend(page.hang(" ", Ink::Plain, page.say(&left_behind(ended))));
    }
    lines
}

/// The columns of the summary.
#[derive(Clone, Copy)]
struct Columns {
    names: usize,
    lefts: usize,
}

/// Between two columns.
const GAP: &str = "   ";

impl Columns {
    /// As wide as the pairs that fit on one line.
    fn of(page: &Page, outcomes: &[Outcome], topic: &str) -> Self {
        let widest =
            |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or(0);
        let names = widest(
            &mut outcomes.iter().map(|o| page.width_of(&o.scenario) + 2),
        )
        .max(page.width_of(topic));
        // Before the name stands a glyph, between two spaces.
        let room = page.width.saturating_sub(names + 2 * GAP.len() + 2);
        // What stands alone in its row may be longer than its column.
        let pairs = outcomes.iter().filter(|o| !o.right.is_empty());
        let pairs = pairs.map(|o| {
            [&o.left, &o.right].map(|text| page.width_of(page.say(text)))
        });
        let mut lefts = pairs
            .filter(|[left, right]| left + right <= room)
            .map(|[left, _]| left);
        Self { names, lefts: widest(&mut lefts) }
    }
}

fn rows(page: &Page, outcomes: &[Outcome]) -> Vec<String> {
    let topic = outcomes.first().map_or("", |o| o.topic.as_str());
    let columns = Columns::of(page, outcomes, topic);
    let head = match columns.lefts {
        0 => format!(" {topic}"),
        lefts => format!(
            " {}{GAP}{}{GAP}{}",
            page.pad(topic, columns.names),
            page.pad(page.say(&WayName::Naive.word()), lefts),
            page.say(&WayName::Fixed.word()),
        ),
    };
    let mut lines: Vec<_> = page
        .wrap(&head, page.width - 1)
        .iter()
        .map(|l| page.paint(Ink::Dim, &format!(" {}", l.trim_start())))
        .collect();
    for outcome in outcomes {
        lines.extend(row(page, outcome, columns));
    }
    lines
}

fn row(page: &Page, outcome: &Outcome, columns: Columns) -> Vec<String> {
    let (glyph, ink) = match outcome.verdict {
        Some(verdict) => (words::verdict(verdict).0, verdict_ink(verdict)),
        None => ("-", Ink::Dim),
    };
    // The glyph is for the eye; whatever is not proven says so in a word.
    let word = match outcome.verdict {
        Some(Verdict::Proven) | None => String::new(),
        Some(other) => format!("  {}", page.say(&words::verdict(other).1)),
    };
    let (left, right) = (page.say(&outcome.left), page.say(&outcome.right));
    let lead = format!(" {glyph} ");
    let name = page.pad(&outcome.scenario, columns.names - 2);
    let cell = page.pad(left, columns.lefts);
    let in_columns = right.is_empty() || page.width_of(left) <= columns.lefts;
    let told = format!("{name}{GAP}{cell}{GAP}{right}{word}");
    if in_columns && page.width_of(&told) + 3 < page.width {
        return vec![format!("{}{}", page.paint(ink, &lead), told.trim_end())];
    }
    let told = match right {
        "" => left.to_owned(),
        _ => page.say(&pair(outcome)).to_owned(),
    };
    page.hang(&lead, ink, &format!("{}: {told}{word}", outcome.scenario))
}

/// Both results in one sentence, where no column says which is which.
fn pair(outcome: &Outcome) -> Text {
    let Outcome { left, right, .. } = outcome;
    let (naive, fixed) = (WayName::Naive.word(), WayName::Fixed.word());
    Text::made(
        format!("{} {}; {} {}", naive.en, left.en, fixed.en, right.en),
        format!("{} {}；{} {}", naive.zh, left.zh, fixed.zh, right.zh),
    )
}

/// `9 of 9 proven, 34 s, of which the broker's boot 3.5 s; nothing left behind`
fn sums(page: &Page, ended: &Event) -> Text {
    let Event::RunEnded {
        proven,
        refuted,
        inconclusive,
        observed,
        skipped,
        took_ms,
        boot_ms,
        ..
    } = ended
    else {
        return Text::default();
    };
    let all = proven + refuted + inconclusive + observed + skipped;
    let mut told = text! {
        en: "{proven} of {all} proven", zh: "{all} 个场景中 {proven} 个已证实",
        proven = proven, all = all
    };
    let others = [
        (refuted, "refuted", "被推翻"),
        (inconclusive, "not proven", "无法判定"),
        (observed, "observed", "仅观察"),
        (skipped, "left out", "已跳过"),
    ];
    for (count, en, zh) in others.into_iter().filter(|(count, ..)| **count > 0)
    {
        told = Text::made(
            format!("{}, {count} {en}", told.en),
            format!("{}，{count} 个{zh}", told.zh),
        );
    }
    let left = left_behind(ended);
    let (took, boot) = (page.seconds(*took_ms), page.seconds(*boot_ms));
    Text::made(
        format!(
            "{}, {took}, of which the broker's boot {boot}; {}",
            told.en, left.en
        ),
        format!("{}，共 {took}，其中 broker 启动 {boot}；{}", told.zh, left.zh),
    )
}

fn left_behind(ended: &Event) -> Text {
    match ended {
        Event::RunEnded { left_behind: 0, .. } => {
            text! { en: "nothing left behind", zh: "没有留下任何东西" }
        }
        Event::RunEnded { left_behind, .. } => text! {
            en: "{left} things left behind: run rmq-lab clean",
            zh: "残留 {left} 项，请运行 rmq-lab clean",
            left = left_behind
        },
        _ => Text::default(),
    }
}

/// What to do next. Of a topic that was shown as it claims: read why, and see
/// what was kept of it. Where something failed: look at the code of it.
fn next(page: &Page, outcomes: &[Outcome]) -> Vec<String> {
    let Some(topic) = outcomes.first().map(|o| o.topic.as_str()) else {
        return Vec::new();
    };
    let commands = if outcomes.iter().any(|o| o.topic != topic) {
        vec!["rmq-lab list".to_owned()]
    } else if succeeded(outcomes) {
        vec![format!("rmq-lab read {topic}"), format!("rmq-lab quiz {topic}")]
    } else {
        vec![format!("rmq-lab show {topic} --diff")]
    };
    let lines = commands.iter().enumerate().map(|(nth, command)| match nth {
        0 => command_line(page, &words::NEXT, command),
        // On a line of its own: it is to be pasted.
        _ => {
            let margin = " ".repeat(MARGIN);
            format!("{margin}{}", page.paint(Ink::Cyan, command))
        }
    });
    lines.collect()
}

/// Whether something was shown, and nothing failed. What was left out is no
/// failure.
fn succeeded(outcomes: &[Outcome]) -> bool {
    let mut verdicts = outcomes.iter().filter_map(|o| o.verdict).peekable();
    verdicts.peek().is_some()
        && verdicts.all(|verdict| {
            matches!(verdict, Verdict::Proven | Verdict::Observed)
        })
}
