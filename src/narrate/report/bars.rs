//! Charts and grids: bars side by side, and tables of words.

use maud::{Markup, html};

use crate::{
    event::{Bar, Chart, Grid, WayName},
    narrate::amount::amount,
};

use super::say::both;

/// A chart: a table in which each amount has a bar.
pub(super) fn chart(chart: &Chart) -> Markup {
    let bars = chart.groups.iter().flat_map(|group| &group.bars);
    let most = bars.map(size).fold(0.0, f64::max);
    html! {
        figure {
            table class="bars" {
                caption { (both(&chart.title)) }
                @for group in &chart.groups {
                    tbody {
                        @for (n, bar) in group.bars.iter().enumerate() {
                            tr {
                                @if n == 0 && !group.name.is_empty() {
                                    th scope="rowgroup" rowspan=(group.bars.len()) {
                                        (both(&group.name))
                                    }
                                }
                                th scope="row" { (both(&bar.name)) }
                                td class="bar" {
                                    span class=(class(bar))
                                        style={ "--share:" (share(bar, most)) } {}
                                    span class="amount" {
                                        (amount(bar.value, chart.unit))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn size(bar: &Bar) -> f64 {
    if bar.value.is_finite() { bar.value.max(0.0) } else { 0.0 }
}

/// The length, of one; linear, always.
fn share(bar: &Bar, most: f64) -> String {
    if most > 0.0 { format!("{:.4}", size(bar) / most) } else { "0".to_owned() }
}

/// Ways differ by their pattern, too.
fn class(bar: &Bar) -> &'static str {
    let ways = [
        (WayName::Naive, "fill naive"),
        (WayName::Halfway, "fill halfway"),
        (WayName::Fixed, "fill fixed"),
        (WayName::Without, "fill without"),
    ];
    let found = ways.into_iter().find(|(way, _)| way.word() == bar.name);
    found.map_or("fill", |(_, class)| class)
}

/// A table of words.
pub(super) fn grid(grid: &Grid) -> Markup {
    html! {
        figure {
            div class="scroll" tabindex="0" {
                table class="grid" {
                    caption { (both(&grid.title)) }
                    thead { tr {
                        td {}
                        @for column in &grid.columns {
                            th scope="col" { (both(column)) }
                        }
                    } }
                    tbody {
                        @for row in &grid.rows { tr {
                            th scope="row" { (both(&row.name)) }
                            @for cell in &row.cells { td { (both(cell)) } }
                        } }
                    }
                }
            }
        }
    }
}
