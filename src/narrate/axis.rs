//! The axis of time under a curve.

use crate::text::Lang;

use super::layout::{Ink, Page};

/// Between two marks at least so many columns.
const APART: f64 = 9.0;

/// What people count time in, in milliseconds.
const STEPS: [u64; 16] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000,
    60_000, 120_000, 300_000, 600_000,
];

/// The axis of so many columns after its origin, and the seconds below it.
pub(super) fn axis(page: &Page, span: u64, columns: usize) -> Vec<String> {
    let wide = span as f64 / columns as f64;
    let step = STEPS.into_iter().find(|step| *step as f64 / wide >= APART);
    let step = step.unwrap_or(span.max(1));
    let mut line: Vec<char> =
        std::iter::once('+').chain(std::iter::repeat_n('-', columns)).collect();
    let mut told = String::from("0");
    for mark in (step..=span).step_by(step as usize) {
        let at = ((mark as f64 / wide).round() as usize).min(columns);
        line[at] = '+';
        let last = mark + step > span;
        let label = label(page, mark, step, last);
        let width = page.width_of(&label);
        let at = at.min((columns + 1).saturating_sub(width));
        if at > page.width_of(&told) {
            told = page.pad(&told, at);
            told.push_str(&label);
        }
    }
    let line: String = line.into_iter().collect();
    [line, told].map(|line| page.paint(Ink::Dim, &line)).into()
}

/// The last mark has the unit.
fn label(page: &Page, mark: u64, step: u64, last: bool) -> String {
    let digits = match step {
        ..100 => 2,
        100..1_000 => 1,
        _ => 0,
    };
    let unit = match (last, page.lang) {
        (false, _) => "",
        (true, Lang::En) => " s",
        (true, Lang::Zh) => " 秒",
    };
    format!("{:.digits$}{unit}", mark as f64 / 1000.0)
}
