//! Curves: what the gauges showed while a way ran, over one axis of time.
//!
//! ```text
//!  arrivals  avg 500/s |#########
//!  served    avg 100/s |:::::::::::::::::::::::::::::::::::::
//!  depth       max 412 |        :#:.
//!                      |     .########:.
//!                      |  .:#############:.
//!                      | :#################:.
//!                      |.#####################:.
//!                      +---------+---------+---------+-------
//!                      0         1         2         3 s
//! ```
//!
//! Arrivals and service share a scale. ASCII only, as everything that is
//! padded.

use std::collections::BTreeMap;

use crate::{
    event::{Gauge, Unit},
    text,
    text::Text,
};

use super::{
    amount::amount,
    axis::axis,
    layout::{Ink, Page},
    series::Series,
    words,
};

/// What the gauges showed, and when.
pub(super) type Samples = [(u64, BTreeMap<Gauge, f64>)];

/// Lines that the depth takes.
const HEIGHT: usize = 5;

/// Steps within a line: empty, `.`, `:`, `#`.
const STEPS: usize = 3;

/// Below so many columns nothing can be seen.
const LEAST: usize = 12;

/// The curves of a way, and what they show in words.
pub(super) fn curve(page: &Page, samples: &Samples) -> Vec<String> {
    let span = samples.iter().map(|(at, _)| *at).max().unwrap_or(0);
    if samples.len() < 2 || span == 0 {
        return Vec::new();
    }
    let depth = Series::of(Gauge::Depth, samples);
    let rates = [Gauge::Arrivals, Gauge::Served]
        .map(|gauge| (gauge, Series::of(gauge, samples)));
    let mut labels = Labels::default();
    for (gauge, series) in &rates {
        if let Some(series) = series {
            let mean = amount(series.mean(), Unit::PerSecond);
            labels.add(page, *gauge, &words::MEAN, &mean);
        }
    }
    if let Some(depth) = &depth {
        let most = amount(depth.most(), Unit::Count);
        labels.add(page, Gauge::Depth, &words::MOST, &most);
    }
    let lead = labels.width();
    let columns = (page.width - 1).saturating_sub(lead + 1);
    let mut lines = Vec::new();
    if columns >= LEAST && !labels.of.is_empty() {
        lines.extend(levels(page, &labels, &rates, span, columns));
        if let Some(depth) = &depth {
            lines.extend(hill(page, &labels, depth, span, columns));
        }
        lines.extend(
            axis(page, span, columns)
                .iter()
                .map(|line| format!("{}{line}", " ".repeat(lead))),
        );
    }
    lines.extend(in_words(page, depth.as_ref(), rates[0].1.as_ref()));
    lines
}

/// Arrivals and service: a line each, thick where much happens.
fn levels(
    page: &Page,
    labels: &Labels,
    rates: &[(Gauge, Option<Series>); 2],
    span: u64,
    columns: usize,
) -> Vec<String> {
    let cells: Vec<(Gauge, Vec<f64>)> = rates
        .iter()
        .filter_map(|(gauge, series)| {
            Some((*gauge, series.as_ref()?.means(span, columns)))
        })
        .collect();
    let all = cells.iter().flat_map(|(_, cells)| cells);
    let most = all.copied().fold(0.0, f64::max);
    let draw = |(gauge, cells): &(Gauge, Vec<f64>)| {
        let mut last = ' ';
        let plot: String = cells
            .iter()
            .map(|value| {
                last = calm(value / most, last);
                last
            })
            .collect();
        let ink = match gauge {
            Gauge::Arrivals => Ink::Yellow,
            _ => Ink::Green,
        };
        labels.line(page, Some(*gauge), ink, &plot)
    };
    cells.iter().map(draw).collect()
}

/// A share of the scale as a sign.
fn level(share: f64) -> char {
    match share {
        _ if share.is_nan() || share <= 0.0 => ' ',
        ..0.125 => '.',
        ..0.375 => ':',
        ..0.75 => '=',
        _ => '#',
    }
}

/// As [`level`], but what hardly changes keeps its sign: a steady service
/// that is counted every few milliseconds should look steady.
fn calm(share: f64, last: char) -> char {
    let near = [share / 1.3, share * 1.3].map(level);
    if share > 0.0 && near.contains(&last) { last } else { level(share) }
}

/// The depth: filled below its curve.
fn hill(
    page: &Page,
    labels: &Labels,
    depth: &Series,
    span: u64,
    columns: usize,
) -> Vec<String> {
    let most = depth.most();
    if most <= 0.0 {
        return vec![labels.line(page, Some(Gauge::Depth), Ink::Plain, "")];
    }
    let heights: Vec<usize> = depth
        .highest(span, columns)
        .into_iter()
        .map(|value| {
            let steps = value / most * (HEIGHT * STEPS) as f64;
            if value > 0.0 { (steps.round() as usize).max(1) } else { 0 }
        })
        .collect();
    let row = |row: usize| {
        let sign = |height: &usize| match height.saturating_sub(row * STEPS) {
            0 => ' ',
            1 => '.',
            2 => ':',
            _ => '#',
        };
        let plot: String = heights.iter().map(sign).collect();
        let top = row + 1 == HEIGHT;
        labels.line(page, top.then_some(Gauge::Depth), Ink::Cyan, &plot)
    };
    (0..HEIGHT).rev().map(row).collect()
}

/// When it stopped, how far it rose, when it was over.
fn in_words(
    page: &Page,
    depth: Option<&Series>,
    arrivals: Option<&Series>,
) -> Vec<String> {
    let at = |seconds: f64| page.seconds(seconds.max(0.0) as u64);
    let mut told = Vec::new();
    if let Some((end, _)) = arrivals.and_then(Series::ends) {
        told.push(text! {
            en: "arrivals end at {at}", zh: "{at}到达停止", at = at(end)
        });
    }
    if let Some(depth) = depth.filter(|depth| depth.most() > 0.0) {
        let (peak, most) = depth.peak();
        told.push(text! {
            en: "deepest {most} at {at}", zh: "{at}最深 {most}",
            most = amount(most, Unit::Count), at = at(peak)
        });
        told.push(match depth.ends() {
            Some((_, empty)) => text! {
                en: "empty at {at}", zh: "{at}排空", at = at(empty)
            },
            None => text! {
                en: "{left} left at the end", zh: "结束时还剩 {left}",
                left = amount(depth.last(), Unit::Count)
            },
        });
    }
    if told.is_empty() {
        return Vec::new();
    }
    let told: Vec<&str> = told.iter().map(|text| page.say(text)).collect();
    page.hang("   ", Ink::Plain, &told.join(page.say(&words::COMMA)))
}

/// What stands before the curves: each gauge's name and its amount.
#[derive(Default)]
struct Labels {
    of: BTreeMap<Gauge, (String, String)>,
    names: usize,
    amounts: usize,
}

impl Labels {
    fn add(&mut self, page: &Page, gauge: Gauge, word: &Text, amount: &str) {
        let name = page.word(words::gauge(gauge));
        // A narrow page needs its columns for the curve.
        let amount = match page.width {
            ..60 => amount.to_owned(),
            _ => format!("{} {amount}", page.say(word)),
        };
        self.names = self.names.max(page.width_of(&name));
        self.amounts = self.amounts.max(page.width_of(&amount));
        self.of.insert(gauge, (name, amount));
    }

    fn width(&self) -> usize {
        1 + self.names + 2 + self.amounts + 1
    }

    /// A line of the plot behind the label of its gauge, or behind none.
    fn line(
        &self,
        page: &Page,
        gauge: Option<Gauge>,
        ink: Ink,
        plot: &str,
    ) -> String {
        let label = gauge.and_then(|gauge| self.of.get(&gauge));
        let label = label.map_or_else(String::new, |(name, amount)| {
            let gap = self.amounts.saturating_sub(page.width_of(amount));
            let name = page.pad(name, self.names);
            format!(" {name}  {}{amount}", " ".repeat(gap))
        });
        let label = page.pad(&label, self.width());
        let wall = page.paint(Ink::Dim, "|");
        format!("{label}{wall}{}", page.paint(ink, plot.trim_end()))
    }
}
