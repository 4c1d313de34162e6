//! From the figures of a scenario's ways to bars side by side.

use std::collections::BTreeMap;

use crate::{
    event::{Bar, BarGroup, Chart, WayName, WayResult},
    text::Text,
};

/// A chart of figures: for each a bar of each way, side by side.
pub struct Bars {
    /// What it shows.
    pub title: Text,
    /// The figures, by their ids, in one unit.
    pub figures: &'static [&'static str],
}

impl Bars {
    /// The chart of what the ways have measured; `None` where none measured
    /// any of it.
    pub fn chart(&self, ways: &BTreeMap<WayName, WayResult>) -> Option<Chart> {
        let of = |way: &WayResult, id: &str| {
            way.figures.iter().find(|figure| figure.id == id).cloned()
        };
        let found: Vec<_> = self
            .figures
            .iter()
            .flat_map(|id| {
                ways.iter().filter_map(move |(name, way)| {
                    of(way, id).map(|figure| (*name, figure))
                })
            })
            .collect();
        let (_, first) = found.first()?;
        let unit = first.unit;
        let alone = ways.len() == 1;
        let mut groups: Vec<BarGroup> = Vec::new();
        for (way, figure) in found {
            let (group, bar) = match alone {
                true => (Text::default(), figure.name),
                false => (figure.name, way.word()),
            };
            let bar = Bar { name: bar, value: figure.value };
            match groups.last_mut() {
                Some(last) if last.name == group => last.bars.push(bar),
                _ => groups.push(BarGroup { name: group, bars: vec![bar] }),
            }
        }
        Some(Chart { title: self.title.clone(), unit, groups })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Figure, Unit};

    const WAITS: Bars = Bars {
        title: Text::fixed("waits", "等待"),
        figures: &["p50", "p99"],
    };

    fn way(figures: &[(&str, f64)]) -> WayResult {
        let figures = figures.iter().map(|(id, value)| Figure {
            id: (*id).to_owned(),
            name: Text::same(id.to_uppercase()),
            value: *value,
            unit: Unit::Ms,
        });
        WayResult { figures: figures.collect(), ..WayResult::default() }
    }

    fn drawn(ways: &[(WayName, WayResult)]) -> Vec<(String, Vec<String>)> {
        let ways = ways.iter().cloned().collect();
        let chart = WAITS.chart(&ways).map(|chart| chart.groups);
        let group = |group: BarGroup| {
            let bar = |bar: Bar| format!("{} {}", bar.name.en, bar.value);
            (group.name.en.into(), group.bars.into_iter().map(bar).collect())
        };
        chart.into_iter().flatten().map(group).collect()
    }

    #[test]
    fn several_ways_stand_side_by_side_for_each_figure() {
        let naive = way(&[("p50", 90.0), ("p99", 400.0)]);
        let fixed = way(&[("p50", 2.0), ("p99", 5.0)]);
        let ways = [(WayName::Naive, naive), (WayName::Fixed, fixed)];
        let expected = [
            ("P50".into(), vec!["naive 90".into(), "fixed 2".into()]),
            ("P99".into(), vec!["naive 400".into(), "fixed 5".into()]),
        ];
        assert_eq!(drawn(&ways), expected);
    }

    #[test]
    fn a_way_alone_shows_its_figures_in_one_group() {
        let alone = way(&[("p50", 90.0), ("p99", 400.0), ("other", 1.0)]);
        let expected = [("".into(), vec!["P50 90".into(), "P99 400".into()])];
        assert_eq!(drawn(&[(WayName::Measure, alone)]), expected);
    }

    #[test]
    fn what_nobody_measured_is_not_drawn() {
        let ways = [(WayName::Naive, way(&[])), (WayName::Fixed, way(&[]))];
        assert_eq!(WAITS.chart(&ways.into()), None);
    }
}
