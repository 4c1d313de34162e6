//! The axis of time under a picture.

use maud::{Markup, html};

use super::say::px;

/// What people count time in, in milliseconds.
const STEPS: [u64; 20] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000,
    30_000, 60_000, 120_000, 300_000, 600_000, 3_600_000,
];
/// Marks on the axis, at most.
const MARKS: u64 = 9;

/// From moments within the run to places in a picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    from: u64,
    to: u64,
    pub left: f64,
    pub right: f64,
}

impl Scale {
    pub fn new((from, to): (u64, u64), (left, right): (f64, f64)) -> Self {
        Self { from, to: to.max(from + 10), left, right }
    }

    pub fn x(&self, at: u64) -> f64 {
        let span = (self.to - self.from) as f64;
        let share = at.saturating_sub(self.from) as f64 / span;
        self.left + share.min(1.0) * (self.right - self.left)
    }

    /// The moments at which the axis is marked.
    fn marks(&self) -> (u64, Vec<u64>) {
        let span = self.to - self.from;
        let fits = |step: &u64| span / step <= MARKS;
        let step = STEPS.into_iter().find(fits);
        let step = step.unwrap_or(span / MARKS + 1);
        let first = self.from.div_ceil(step) * step;
        (step, (first..=self.to).step_by(step as usize).collect())
    }

    /// Lines from the top to the bottom, and the seconds below them.
    pub fn axis(&self, top: f64, bottom: f64) -> Markup {
        let (step, marks) = self.marks();
        let digits = match step {
            ..10 => 3,
            10..100 => 2,
            100..1_000 => 1,
            _ => 0,
        };
        let last = marks.last().copied();
        html! {
            g class="axis" {
                @for at in marks {
                    @let x = px(self.x(at));
                    path d={ "M" (x) " " (px(top)) "V" (px(bottom)) } {}
                    @let unit = if Some(at) == last { " s" } else { "" };
                    text x=(x) y=(px(bottom + 16.0)) class="mid" {
                        (format!("{:.digits$}{unit}", at as f64 / 1000.0))
                    }
                }
            }
        }
    }
}

/// The next round number that is not lower, for the height of a picture.
pub(super) fn round_up(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let ten = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let round = steps.into_iter().find(|step| step * ten >= value * 0.999);
    round.map_or(value, |step| step * ten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_some_marks_whatever_its_length() {
        for span in [1, 10, 99, 1_846, 7_000, 61_000, 3_000_000, 1 << 40] {
            for from in [0, 3_657, 1_234_567] {
                let scale = Scale::new((from, from + span), (100.0, 900.0));
                let (_, marks) = scale.marks();
                let n = marks.len();
                assert!((2..=10).contains(&n), "{span}: {n}");
                for at in marks {
                    assert!((100.0..=900.0).contains(&scale.x(at)));
                }
            }
        }
    }

    #[test]
    fn a_height_is_round_and_not_too_low() {
        for (value, round) in
            [(0.0, 1.0), (160.0, 200.0), (499.0, 500.0), (0.7, 0.8)]
        {
            assert!((round_up(value) - round).abs() < 1e-9, "{value}");
        }
    }
}
