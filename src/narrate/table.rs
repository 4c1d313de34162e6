//! The table at the end of a scenario: what each way came to.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, ContentArrangement, Row, Table, presets};

use crate::{
    event::{Column, Ended, WayName, WayResult},
    ledger::Counts,
    text::Text,
};

use super::{
    amount::{NONE, amount, grouped},
    layout::{Ink, Page},
    words,
};

/// One column, and what stands before it: nothing, `=` or `+`.
pub(super) struct Head {
    holds: Holds,
    pub name: Text,
    pub operator: &'static str,
}

impl Head {
    /// The sum of the ledger that it shows, if it is one.
    pub const fn column(&self) -> Option<Column> {
        match self.holds {
            Holds::Counted(column) => Some(column),
            Holds::Measured(_) => None,
        }
    }
}

/// What a column shows of a way.
enum Holds {
    /// A sum of the ledger.
    Counted(Column),
    /// Something measured, by its id.
    Measured(String),
}

type Ways = BTreeMap<WayName, WayResult>;

/// The columns: what the claim counts, then what it measures.
pub(super) fn heads(ended: &Ended) -> Vec<Head> {
    let mut heads = counted(ended);
    heads.extend(measured(ended));
    heads
}

/// The table, or a line for each way where it is too wide for the page.
pub(super) fn table(page: &Page, ended: &Ended) -> Vec<String> {
    let ways = &ended.ways;
    let heads = heads(ended);
    if heads.is_empty() || ways.is_empty() {
        return Vec::new();
    }
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

/// A column for each figure that any way has.
fn measured(ended: &Ended) -> Vec<Head> {
    let named = |id: &String| {
        let mut figures = ended.ways.values().flat_map(|way| &way.figures);
        let name = figures.find(|figure| figure.id == *id)?.name.clone();
        Some(Head { holds: Holds::Measured(id.clone()), name, operator: "" })
    };
    ended.figures.iter().filter_map(named).collect()
}

/// `confirmed = paid + LOST` is written only where the sums agree with it.
fn counted(ended: &Ended) -> Vec<Head> {
    let (columns, ways) = (&ended.columns, &ended.ways);
    let mut heads: Vec<Head> = columns
        .iter()
        .map(|column| Head {
            holds: Holds::Counted(*column),
            name: words::column_of(*column, ended.noun),
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

fn draw(page: &Page, heads: &[Head], ways: &Ways) -> Vec<String> {
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
            row.push(cell(head, result));
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
    let lead = page.margin(page.say(&way.word()));
    let units: Vec<String> = heads
        .iter()
        .enumerate()
        .map(|(n, head)| {
            let name = page.say(&head.name).to_owned();
            let value = cell(head, result);
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

pub(super) fn cell(head: &Head, way: &WayResult) -> String {
    match &head.holds {
        Holds::Counted(column) => {
            grouped(&value(*column, &way.counts).to_string())
        }
        Holds::Measured(id) => way
            .figures
            .iter()
            .find(|figure| figure.id == *id)
            .map_or(NONE.to_owned(), |f| amount(f.value, f.unit)),
    }
}

fn value(column: Column, counts: &Counts) -> u64 {
    match column {
        Column::Accepted => counts.accepted,
        Column::Refused => counts.refused,
        Column::Attempts => counts.attempts,
        Column::Undone | Column::Reported => counts.reported,
        Column::Parked => counts.parked,
        Column::Returned => counts.returned,
        Column::Unknown => counts.unknown,
        Column::Confirmed => counts.confirmed,
        Column::Deliveries => counts.deliveries,
        Column::Applied => counts.applied,
        Column::Lost => counts.lost,
        Column::Doubled => counts.duplicated,
        Column::Stuck => counts.stuck,
    }
}
