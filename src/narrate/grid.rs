//! A table of words: rows by columns.
//!
//! Laid out by hand and not by comfy-table, which does not know that, in
//! Chinese, a character of ambiguous width takes two columns.

use crate::event::Grid;

use super::{
    layout::{Ink, Page},
    words,
};

/// Between two columns.
const GAP: usize = 2;
/// Heads are broken into lines of so many columns until the grid fits: first
/// not at all.
const HEADS: [usize; 6] = [usize::MAX, 16, 13, 11, 9, 7];

/// A grid: its title, its heads, a line for each row. Where it is too wide
/// for the page, each row is a sentence.
pub(super) fn grid(page: &Page, grid: &Grid) -> Vec<String> {
    let mut lines: Vec<String> = page
        .wrap(page.say(&grid.title), page.width - 2)
        .iter()
        .map(|line| page.paint(Ink::Bold, &format!(" {line}")))
        .collect();
    let drawn = HEADS.iter().find_map(|columns| drawn(page, grid, *columns));
    lines.extend(drawn.unwrap_or_else(|| sentences(page, grid)));
    lines
}

/// The grid with its heads broken; `None` where that is too wide.
fn drawn(page: &Page, grid: &Grid, columns: usize) -> Option<Vec<String>> {
    let heads: Vec<Vec<String>> = grid
        .columns
        .iter()
        .map(|head| broken(page, page.say(head), columns))
        .collect();
    let widest = |texts: &mut dyn Iterator<Item = &str>| {
        texts.map(|text| page.width_of(text)).max().unwrap_or(0)
    };
    let names = widest(&mut grid.rows.iter().map(|row| page.say(&row.name)));
    let widths: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(n, head)| {
            let cells = grid.rows.iter().filter_map(|row| row.cells.get(n));
            let cells = cells.map(|cell| page.say(cell));
            widest(&mut head.iter().map(String::as_str).chain(cells))
        })
        .collect();
    let width = 1 + names + widths.iter().map(|w| GAP + w).sum::<usize>();
    if width >= page.width {
        return None;
    }
    let line = |name: &str, cells: &[&str]| {
        let mut line = format!(" {}", page.pad(name, names));
        for (cell, width) in cells.iter().zip(&widths) {
            let gap = GAP + width.saturating_sub(page.width_of(cell));
            line.push_str(&" ".repeat(gap));
            line.push_str(cell);
        }
        line.trim_end().to_owned()
    };
    let height = heads.iter().map(Vec::len).max().unwrap_or(0);
    let mut lines = Vec::with_capacity(height + grid.rows.len());
    for n in 0..height {
        // Heads stand on the rows, whatever their height.
        let cells: Vec<&str> = heads
            .iter()
            .map(|head| {
                let above = height - head.len();
                let line = n.checked_sub(above).and_then(|n| head.get(n));
                line.map_or("", String::as_str)
            })
            .collect();
        lines.push(page.paint(Ink::Dim, &line("", &cells)));
    }
    for row in &grid.rows {
        let cells: Vec<&str> =
            row.cells.iter().map(|cell| page.say(cell)).collect();
        lines.push(line(page.say(&row.name), &cells));
    }
    Some(lines)
}

/// A head in lines: broken at its spaces where that will do, for a Chinese
/// word may be broken anywhere and should not be.
fn broken(page: &Page, head: &str, columns: usize) -> Vec<String> {
    let words = || head.split_whitespace();
    if words().any(|word| page.width_of(word) > columns) {
        return page.wrap(head, columns);
    }
    let mut lines: Vec<String> = Vec::new();
    for word in words() {
        match lines.last_mut() {
            Some(line)
                if page.width_of(line) + 1 + page.width_of(word) <= columns =>
            {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn sentences(page: &Page, grid: &Grid) -> Vec<String> {
    let comma = page.say(&words::COMMA).trim_end();
    let mut lines = Vec::new();
    for row in &grid.rows {
        let name =
            format!("{}{}", page.say(&row.name), page.say(&words::COLON));
        lines.extend(page.hang(" ", Ink::Plain, name.trim_end()));
        let last = row.cells.len().saturating_sub(1);
        let cells: Vec<String> = grid
            .columns
            .iter()
            .zip(&row.cells)
            .enumerate()
            .map(|(n, (head, cell))| {
                let comma = if n == last { "" } else { comma };
                format!("{} {}{comma}", page.say(head), page.say(cell))
            })
            .collect();
        lines.extend(page.flow("   ", Ink::Plain, &cells, " "));
    }
    lines
}
