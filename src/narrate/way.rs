//! One way of a scenario, as a section: head, steps, the story of the fault.

use std::collections::{BTreeMap, HashSet};

use crate::{
    event::{Gauge, Seat, WayName, WayResult},
    ledger::Counts,
    text::{Lang, Text},
};

use super::{
    layout::{Ink, MARGIN, Page},
    story::Stories,
    topology::topology,
    words,
};

/// A step of a way, or the command that shows the same.
#[derive(Clone, Debug)]
pub(super) enum Line {
    Step {
        n: u32,
        verb: Text,
        text: Text,
    },
    Command(String),
    /// Who is what, and who hears whom.
    Topology(Vec<Seat>),
    /// A remark of the lab, such as a wait that took long.
    Note(String),
}

/// A way while it is told.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub way: WayName,
    pub title: Text,
    /// The mechanism taken out, for the head.
    pub without: Option<String>,
    /// What is still to be told.
    pub lines: Vec<Line>,
    pub stories: Stories,
    /// What the gauges showed, and when.
    pub samples: Vec<(u64, BTreeMap<Gauge, f64>)>,
    /// Known at the end of the way, or before where it is told afterwards.
    pub result: Option<WayResult>,
    /// The head is out, and the lines that follow go out at once.
    pub open: bool,
    fault_told: bool,
    highest_step: u32,
    /// Steps that an earlier way has told: still to be said of them.
    above: Vec<u32>,
}

impl Section {
    pub fn new(way: WayName, title: Text, without: Option<String>) -> Self {
        Self {
            way,
            title,
            without,
            lines: Vec::new(),
            stories: Stories::default(),
            samples: Vec::new(),
            result: None,
            open: false,
            fault_told: false,
            highest_step: 0,
            above: Vec::new(),
        }
    }

    /// `NAIVE   mark, then pay      hit 20 of 20`
    pub fn head(&self, page: &Page) -> Vec<String> {
        let word = page.say(&words::head(self.way)).to_owned();
        let word = match &self.without {
            Some(mechanism) if self.way == WayName::Without => {
                format!("{word} {mechanism}")
            }
            _ => word,
        };
        let mut lead = page.pad(&format!(" {word}"), MARGIN);
        if !lead.ends_with(' ') {
            lead.push_str("  ");
        }
        page.spread(&lead, Ink::Bold, page.say(&self.title), &self.hits(page))
    }

    /// `hit 20 of 20`, where strikes were planned and the end is known.
    pub fn hits(&self, page: &Page) -> String {
        let Some(result) = self.result.as_ref().filter(|r| r.planned > 0)
        else {
            return String::new();
        };
        let hits = crate::text! {
            en: "hit {hit} of {planned}", zh: "命中 {hit}/{planned}",
            hit = result.hit, planned = result.planned
        };
        page.say(&hits).to_owned()
    }

    /// What is shown while the way runs and nothing of it is told yet.
    pub fn running(&self, page: &Page) -> String {
        let head = page.say(&words::head(self.way)).to_owned();
        let title = page.say(&self.title);
        let running = match self.stories.strikes() {
            0 => Text::same(format!("{head}  {title}")),
            struck => Text::made(
                format!("{head}  {title}: {struck} struck"),
                format!("{head}  {title}：已命中 {struck} 次"),
            ),
        };
        page.say(&running).to_owned()
    }

    /// The lines kept so far, as far as they can be told. `already` holds
    /// what an earlier way has told: the same is not told twice, and that is
    /// said beside the next step that is.
    pub fn told(
        &mut self,
        page: &Page,
        already: &mut HashSet<String>,
    ) -> Vec<String> {
        let mut out = Vec::new();
        let kept = std::mem::take(&mut self.lines);
        let mut kept = kept.into_iter();
        while let Some(line) = kept.next() {
            let story_pending = self.result.is_none() && is_fault(&line);
            if story_pending {
                // Its story ends with the way: what follows waits with it.
                self.lines = std::iter::once(line).chain(kept).collect();
                break;
            }
            let lines = self.line(page, &line, already);
            // Only beside steps: other lines may be left out of a replay.
            match line {
                Line::Step { .. } if !lines.is_empty() => {
                    out.extend(self.with_above(page, lines));
                }
                _ => out.extend(lines),
            }
        }
        out
    }

    /// Says with a step's lines which steps before it are as above: at the
    /// right edge where there is room, so that the way takes no line more.
    fn with_above(
        &mut self,
        page: &Page,
        mut lines: Vec<String>,
    ) -> Vec<String> {
        if self.above.is_empty() {
            return lines;
        }
        let said = as_above(page, &std::mem::take(&mut self.above));
        let edge = page.width - 1;
        let room = edge.saturating_sub(page.width_of(&said));
        let used = lines.first().map_or(edge, |first| page.width_of(first));
        let dim = |line: &str| page.paint(Ink::Dim, line);
        if used + 2 <= room {
            let gap = " ".repeat(room - used);
            lines[0].push_str(&format!("{gap}{}", dim(&said)));
            return lines;
        }
        let own = page.wrap(&said, edge - 1);
        let own = own.iter().map(|piece| dim(&format!(" {piece}")));
        own.chain(lines).collect()
    }

    /// The last lines, where no step of the scenario was the fault's own.
    pub fn closing(&mut self, page: &Page) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.fault_told && self.stories.strikes() > 0 {
            self.fault_told = true;
            let n = self.highest_step + 1;
            let lead = step_lead(page, n, &words::FAULT_VERB);
            lines = self.faults(page, &lead);
        }
        self.with_above(page, lines)
    }

    /// Every message with something wrong, and its story.
    pub fn anomalies(&self, page: &Page) -> Vec<String> {
        let mut lines = Vec::new();
        for anomaly in self.result.iter().flat_map(|r| &r.anomalies) {
            let Some(story) = self.stories.of(anomaly.message, page.lang)
            else {
                continue;
            };
            let kind = page.word(words::kind(anomaly.kind));
            let told = format!("{kind}{}{story}", page.say(&words::COLON));
            let lead = format!("   {}  ", anomaly.message);
            lines.extend(page.hang(&lead, Ink::Plain, &told));
        }
        lines
    }

    /// The way will not end: what is known of it can be told.
    pub fn break_off(&mut self) {
        self.result.get_or_insert_with(|| WayResult {
            hit: 0,
            planned: 0,
            counts: Counts::default(),
            as_expected: None,
            why: None,
            came_to: None,
            figures: Vec::new(),
            anomalies: Vec::new(),
            took_ms: 0,
        });
    }

    fn line(
        &mut self,
        page: &Page,
        line: &Line,
        already: &mut HashSet<String>,
    ) -> Vec<String> {
        match line {
            Line::Step { n, verb, text } => {
                self.highest_step = self.highest_step.max(*n);
                let fresh = already.insert(format!("{}\n{}", verb.en, text.en));
                let lead = step_lead(page, *n, verb);
                if !is_fault(line) {
                    if !fresh {
                        self.above.push(*n);
                        return Vec::new();
                    }
                    return page.hang(&lead, Ink::Plain, page.say(text));
                }
                self.fault_told = true;
                if text.is_empty() || !fresh {
                    return self.faults(page, &lead);
                }
                let mut lines = page.hang(&lead, Ink::Plain, page.say(text));
                let indent = " ".repeat(page.width_of(&lead));
                lines.extend(self.story(page, &indent));
                lines
            }
            Line::Command(command) => {
                // The ways differ by vhost; the second command teaches nothing.
                let shape = command.replace(self.way.as_str(), "way");
                if already.insert(shape) {
                    page.verbatim(command)
                } else {
                    Vec::new()
                }
            }
            Line::Topology(seats) => topology(page, seats),
            Line::Note(note) => page.hang("   ", Ink::Plain, note),
        }
    }

    /// What struck, where the scenario does not say it itself.
    fn faults(&self, page: &Page, lead: &str) -> Vec<String> {
        let Some(stage) = self.stories.of_the_stage(page.lang) else {
            return self.story(page, lead);
        };
        let mut lines = page.hang(lead, Ink::Plain, &stage);
        lines.extend(self.story(page, &" ".repeat(page.width_of(lead))));
        lines
    }

    fn story(&self, page: &Page, lead: &str) -> Vec<String> {
        let anomalies = self.result.iter().flat_map(|r| &r.anomalies);
        let wrong: Vec<_> = anomalies.map(|a| a.message).collect();
        let indent = " ".repeat(page.width_of(lead));
        let leads = std::iter::once(lead).chain(std::iter::repeat(&*indent));
        let samples = self.stories.samples(&wrong, page.lang);
        leads
            .zip(samples)
            .flat_map(|(lead, (message, story))| {
                page.hang(lead, Ink::Plain, &format!("{message}  {story}"))
            })
            .collect()
    }
}

/// `1, 2 as above`
fn as_above(page: &Page, steps: &[u32]) -> String {
    let steps: Vec<_> = steps.iter().map(u32::to_string).collect();
    page.word(Text::made(
        format!("{} as above", steps.join(", ")),
        format!("{} 同上", steps.join("、")),
    ))
}

fn is_fault(line: &Line) -> bool {
    matches!(line, Line::Step { verb, .. } if verb.en == words::FAULT_VERB.en)
}

/// ` 1 publish  `: verbs stand in a column of their own.
fn step_lead(page: &Page, n: u32, verb: &Text) -> String {
    let columns = match page.lang {
        Lang::En => 7,
        Lang::Zh => 4,
    };
    let verb = page.pad(page.say(verb), columns);
    format!(" {n} {verb}  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lang: Lang, last: &str) -> Vec<String> {
        let page = Page { lang, color: false, width: 80 };
        let mut already = HashSet::new();
        let mut way = |name, steps: [&str; 3]| {
            let mut way = Section::new(name, Text::same("a way"), None);
            for (n, step) in (1..).zip(steps) {
                let (verb, text) = (Text::same("do"), Text::same(step));
                way.lines.push(Line::Step { n, verb, text });
            }
            let mut lines = way.told(&page, &mut already);
            lines.extend(way.closing(&page));
            lines
        };
        way(WayName::Naive, ["one", "two", "three"]);
        way(WayName::Fixed, ["one", "two", last])
    }

    #[test]
    fn steps_that_are_as_above_are_named() {
        let gap = " ".repeat(50);
        let beside = told(Lang::En, "four");
        assert_eq!(beside, [format!(" 3 do       four{gap}1, 2 as above")]);
        let beside = told(Lang::Zh, "four");
        assert!(beside[0].ends_with("   1、2 同上"), "{beside:?}");
        assert_eq!(told(Lang::En, "three"), [" 1, 2, 3 as above"]);
        let long = "word ".repeat(12);
        let own = told(Lang::En, &long);
        assert_eq!(own.len(), 2, "{own:?}");
        assert_eq!(own[0], " 1, 2 as above");
    }
}
