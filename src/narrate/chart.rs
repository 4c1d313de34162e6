//! Bars: what the ways came to, side by side.
//!
//! The scale is linear, always: that one bar is a single sign beside a line
//! of them *is* what the run showed, and the numbers stand at the ends. Bars
//! are ASCII: blocks are of ambiguous width and tear a Chinese terminal.

use crate::event::{Bar, Chart, WayName};

use super::{
    amount::amount,
    layout::{Ink, Page},
};

/// Below so many columns for the bars, names stand on lines of their own.
const LEAST: usize = 16;

/// One bar and what stands before it.
struct Row<'c> {
    /// Only before the first of its group.
    group: String,
    name: String,
    bar: &'c Bar,
    value: String,
}

/// A chart: its head, then a line for each bar.
pub(super) fn chart(page: &Page, chart: &Chart) -> Vec<String> {
    let rows = rows(page, chart);
    let most = rows.iter().map(|row| size(row.bar)).fold(0.0, f64::max);
    let widest = |of: &dyn Fn(&Row) -> usize| rows.iter().map(of).max();
    let groups = widest(&|row| page.width_of(&row.group)).unwrap_or(0);
    let names = widest(&|row| page.width_of(&row.name)).unwrap_or(0);
    let values = widest(&|row| page.width_of(&row.value)).unwrap_or(0);
    let gap = if groups > 0 { 2 } else { 0 };
    let lead = 1 + groups + gap + names + 2;
    let edge = page.width - 1;
    let beside = edge.saturating_sub(lead + 1 + values);
    let below = edge.saturating_sub(3 + 1 + values).max(1);

    let mut lines: Vec<String> = page
        .wrap(page.say(&chart.title), edge - 1)
        .iter()
        .map(|line| page.paint(Ink::Bold, &format!(" {line}")))
        .collect();
    for row in &rows {
        if beside >= LEAST {
            let group = page.pad(&row.group, groups + gap);
            let name = page.pad(&row.name, names);
            let drawn = drawn(page, row, most, beside);
            lines.push(format!(" {group}{name}  {drawn}"));
        } else {
            let label = format!("{} {}", row.group, row.name);
            lines.extend(page.hang(" ", Ink::Plain, label.trim_start()));
            lines.push(format!("   {}", drawn(page, row, most, below)));
        }
    }
    lines
}

fn rows<'c>(page: &Page, chart: &'c Chart) -> Vec<Row<'c>> {
    let mut rows = Vec::new();
    for group in &chart.groups {
        for (n, bar) in group.bars.iter().enumerate() {
            let name = if n == 0 { page.say(&group.name) } else { "" };
            rows.push(Row {
                group: page.cut(name, page.width),
                name: page.cut(page.say(&bar.name), page.width),
                bar,
                value: amount(bar.value, chart.unit),
            });
        }
    }
    rows
}

/// The bar, and its value at its end.
fn drawn(page: &Page, row: &Row, most: f64, columns: usize) -> String {
    let (fill, ink) = look(row.bar);
    let length = match size(row.bar) {
        0.0 => 0,
        size => ((size / most * columns as f64).round() as usize).max(1),
    };
    let bar = page.paint(ink, &String::from(fill).repeat(length));
    let gap = if length == 0 { "" } else { " " };
    format!("{bar}{gap}{}", row.value)
}

fn size(bar: &Bar) -> f64 {
    if bar.value.is_finite() { bar.value.max(0.0) } else { 0.0 }
}

/// What a bar is drawn with. Ways differ without colour, too.
fn look(bar: &Bar) -> (char, Ink) {
    let ways = [
        (WayName::Naive, '#', Ink::Red),
        (WayName::Halfway, '+', Ink::Yellow),
        (WayName::Fixed, '=', Ink::Green),
        (WayName::Without, '-', Ink::Red),
    ];
    ways.into_iter()
        .find(|(way, ..)| way.word() == bar.name)
        .map_or(('=', Ink::Cyan), |(_, fill, ink)| (fill, ink))
}
