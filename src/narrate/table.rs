//! The table at the end of a scenario: what each way came to.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, ContentArrangement, Row, Table, presets};

use crate::{
    event::{Column, WayName, WayResult},
    ledger::{Counts, Noun},
    text::Text,
};

use super::{
    layout::{Ink, MARGIN, Page},
    words,
};

/// One column, and what stands before it: nothing, `=` or `+`.
struct Head {
    column: Column,
    name: Text,
    operator: &'static str,
}

/// The table, or a line for each way where it is too wide for the page.
pub(super) fn table(
    page: &Page,
    noun: Noun,
    columns: &[Column],
    ways: &BTreeMap<WayName, WayResult>,
) -> Vec<String> {
    if columns.is_empty() || ways.is_empty() {
        return Vec::new();
    }
    let heads = heads(noun, columns, ways);
    let drawn = draw(page, &heads, ways);
    if drawn.iter().all(|line| page.width_of(line) < page.width) {
        let mut lines = drawn.into_iter();
        let head = lines.next().map(|line| page.paint(Ink::Dim, &line));
        return head.into_iter().chain(lines).collect();
    }
    ways.iter()
        .flat_map(|(way, result)| sentence(page, *way, result, &heads))
        .collect()
}

/// `confirmed = paid + LOST` is written only where the sums agree with it.
fn heads(
    noun: Noun,
    columns: &[Column],
    ways: &BTreeMap<WayName, WayResult>,
) -> Vec<Head> {
    let mut heads: Vec<Head> = columns
        .iter()
        .map(|column| Head {
            column: *column,
            name: words::column_of(*column, noun),
            operator: "",
        })
        .collect();
    let total = columns.windows(2).position(|pair| {
        matches!(pair, [Column::Confirmed | Column::Accepted, Column::Applied])
    });
    let Some(total) = total else { return heads };
    let parts = columns[total + 1..]
        .iter()
        .take_while(|c| {
            matches!(c, Column::Applied | Column::Lost | Column::Stuck)
        })
        .count();
    let parts = total + 1..total + 1 + parts;
    let adds_up = ways.values().all(|way| {
        let sum: u64 =
            columns[parts.clone()].iter().map(|c| value(*c, &way.counts)).sum();
        sum == value(columns[total], &way.counts)
    });
    if adds_up && parts.len() > 1 {
        for (n, part) in heads[parts].iter_mut().enumerate() {
            part.operator = if n == 0 { "=" } else { "+" };
        }
    }
    heads
}

fn draw(
    page: &Page,
    heads: &[Head],
    ways: &BTreeMap<WayName, WayResult>,
) -> Vec<String> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    let mut names = vec![String::new()];
    for head in heads {
        names.push(head.operator.to_owned());
        names.push(page.say(&head.name).to_owned());
    }
    table.add_row(names);
    for (way, result) in ways {
        let mut row = vec![page.say(&way.word()).to_owned()];
        for head in heads {
            row.push(String::new());
            row.push(value(head.column, &result.counts).to_string());
        }
        table.add_row(Row::from(row));
    }
    for (n, column) in table.column_iter_mut().enumerate() {
        if n == 0 {
            column.set_padding((1, 3));
            continue;
        }
        // Before each number a column for its operator; where there is none,
        // a gap. Numbers stand to the right.
        let gap = n > 1
            && n % 2 == 1
            && heads.get(n / 2).is_some_and(|h| h.operator.is_empty());
        column.set_padding(match (n % 2, gap) {
            (0, _) => (0, 0),
            (_, false) => (1, 1),
            (_, true) => (2, 2),
        });
        column.set_cell_alignment(CellAlignment::Right);
    }
    let drawn = table.lines().map(|line| line.trim_end().to_owned());
    drawn.collect()
}

fn sentence(
    page: &Page,
    way: WayName,
    result: &WayResult,
    heads: &[Head],
) -> Vec<String> {
    let lead = page.pad(&format!(" {}", page.say(&way.word())), MARGIN);
    let units: Vec<String> = heads
        .iter()
        .enumerate()
        .map(|(n, head)| {
            let name = page.say(&head.name).to_owned();
            let value = value(head.column, &result.counts);
            let unit = match head.operator {
                "" => format!("{name} {value}"),
                operator => format!("{operator} {name} {value}"),
            };
            let last_of_group =
                heads.get(n + 1).is_some_and(|next| next.operator.is_empty());
            if last_of_group {
                format!("{unit}{}", page.say(&words::COMMA).trim_end())
            } else {
                unit
            }
        })
        .collect();
    page.flow(&lead, Ink::Bold, &units, " ")
}

fn value(column: Column, counts: &Counts) -> u64 {
    match column {
        Column::Accepted => counts.accepted,
        Column::Refused => counts.refused,
        Column::Attempts => counts.attempts,
        Column::Reported => counts.reported,
        Column::Confirmed => counts.confirmed,
        Column::Deliveries => counts.deliveries,
        Column::Applied => counts.applied,
        Column::Lost => counts.lost,
        Column::Doubled => counts.duplicated,
        Column::Stuck => counts.stuck,
    }
}
