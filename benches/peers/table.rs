//! What the rounds came to.

use comfy_table::{CellAlignment, Table, presets};

use crate::{CELLS, Peer};

/// What one peer came to, by cell.
pub type Rates = [Vec<f64>; CELLS.len()];

/// Medians and spread, and how ours compares. Sorts the rates.
pub fn draw(peers: &[Peer], rates: &mut [Rates]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let heads = CELLS.map(|(kind, size)| format!("{kind} {size} B"));
    let head = std::iter::once(String::new()).chain(heads);
    table.set_header(head);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut ours: [f64; CELLS.len()] = Default::default();
    let mut others: [f64; CELLS.len()] = Default::default();
    for (peer, rates) in peers.iter().zip(rates) {
        let mut row = vec![peer.name().to_owned()];
        for (cell, rates) in rates.iter_mut().enumerate() {
            rates.sort_by(f64::total_cmp);
            let (Some(least), Some(most)) = (rates.first(), rates.last())
            else {
                continue;
            };
            let median = median(rates);
            row.push(format!("{median:.0} ({least:.0}-{most:.0})"));
            match peer {
                Peer::Pipelined => ours[cell] = median,
                _ => others[cell] = others[cell].max(median),
            }
        }
        table.add_row(row);
    }
    if peers.contains(&Peer::Pipelined) && peers.len() > 1 {
        let ratios = ours.iter().zip(others);
        let ratios = ratios.map(|(ours, other)| format!("{:.2}", ours / other));
        let name = "ours / fastest other".to_owned();
        table.add_row(std::iter::once(name).chain(ratios));
    }
    table
}

/// Of sorted rates.
fn median(rates: &[f64]) -> f64 {
    let middle = rates.len() / 2;
    match rates.len().is_multiple_of(2) {
        true => f64::midpoint(rates[middle - 1], rates[middle]),
        false => rates[middle],
    }
}
