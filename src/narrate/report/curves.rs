//! What the gauges showed: arrivals and service above, the depth below, over
//! one axis of time.

use maud::{Markup, html};

use crate::{
    event::{Gauge, Unit},
    narrate::{amount::amount, series::Series, words},
    text,
    text::Text,
};

use super::{
    lanes::strike_said,
    say::{across, at_once, both, down, drawn, joined, moment, px, took},
    scale::{Scale, round_up},
    way::{StageStrike, Way},
};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 940.0;
/// How high a panel is.
pub(super) const PANEL: f64 = 110.0;
/// Columns of a curve; what was sampled more often is added up.
const COLUMNS: usize = 160;
/// Rows of the table beside it.
const ROWS: usize = 24;

/// The curves of a way as a figure; nothing where nothing was sampled.
pub(super) fn curves(id: &str, way: &Way) -> Markup {
    let samples = &way.gauges.samples;
    let span = samples.iter().map(|(at, _)| *at).max().unwrap_or(0);
    if samples.len() < 2 || span == 0 {
        return html! {};
    }
    let curves = Curves::of(way, span);
    if curves.rates.is_empty() && curves.depth.is_none() {
        return html! {};
    }
    let title = match (curves.rates.is_empty(), &curves.depth) {
        (false, Some(_)) => text! {
            en: "Rates and queue depth", zh: "速率与队列积压"
        },
        (true, _) => text! { en: "Queue depth", zh: "队列积压" },
        (false, None) => text! { en: "Rates", zh: "速率" },
    };
    let (caption, about) = (format!("{id}-cap"), format!("{id}-about"));
    html! {
        figure class="wide" {
            div class="picture" {
                figcaption id=(caption) { (both(&title)) }
                p class="note" id=(about) { (both(&curves.in_words())) }
                (curves.legend())
                div class="scroll" role="region" tabindex="0"
                    aria-labelledby=(caption) {
                    (curves.svg(&title, &caption, &about))
                }
            }
            (curves.table())
        }
    }
}

/// Whether the depth of a queue was sampled, so that it is drawn.
pub(super) fn has_depth(way: &Way) -> bool {
    let samples = &way.gauges.samples;
    let mut shown = samples.iter().map(|(_, gauges)| gauges);
    samples.len() > 1 && shown.any(|g| g.contains_key(&Gauge::Depth))
}

struct Curves<'a> {
    way: &'a Way,
    span: u64,
    rates: Vec<(Gauge, Series)>,
    depth: Option<Series>,
    scale: Scale,
}

impl<'a> Curves<'a> {
    fn of(way: &'a Way, span: u64) -> Self {
        let samples = &way.gauges.samples;
        let rates = [Gauge::Arrivals, Gauge::Served];
        let began = way.gauges.began;
        Self {
            way,
            span,
            rates: rates
                .into_iter()
                .filter_map(|g| Some((g, Series::of(g, samples)?)))
                .collect(),
            depth: Series::of(Gauge::Depth, samples),
            scale: Scale::new((began, began + span), (LEFT, RIGHT)),
        }
    }

    /// When arrivals stopped, how deep it became, when it was over.
    fn in_words(&self) -> Text {
        let began = self.way.gauges.began as f64;
        let at = |ms: f64| moment((began + ms.max(0.0)) as u64);
        let mut told = Vec::new();
        let arrivals =
            self.rates.iter().find(|(gauge, _)| *gauge == Gauge::Arrivals);
        if let Some((end, _)) = arrivals.and_then(|(_, s)| s.ends()) {
            told.push(text! {
                en: "arrivals end at {at} s", zh: "{at} 秒停止到达",
                at = at(end)
            });
        }
        if let Some(depth) = self.depth.as_ref().filter(|d| d.most() > 0.0) {
            let (peak, most) = depth.peak();
            told.push(text! {
                en: "deepest {most} at {at} s", zh: "{at} 秒最深 {most}",
                most = amount(most, Unit::Count), at = at(peak)
            });
            told.push(match depth.ends() {
                Some((_, empty)) => text! {
                    en: "empty at {at} s", zh: "{at} 秒排空", at = at(empty)
                },
                None => text! {
                    en: "{left} left at the end", zh: "结束时还剩 {left}",
                    left = amount(depth.last(), Unit::Count)
                },
            });
        }
        let length = took(self.span);
        told.push(Text::made(
            format!("sampled over {}", length.en),
            format!("采样时长 {}", length.zh),
        ));
        joined(&told, "; ", "；")
    }

    fn legend(&self) -> Markup {
        html! {
            ul class="legend" {
                @for (gauge, series) in &self.rates {
                    li {
                        (key(*gauge)) " " (both(&words::gauge(*gauge))) " "
                        (both(&words::MEAN)) " "
                        (amount(series.mean(), Unit::PerSecond))
                    }
                }
                @if let Some(depth) = &self.depth {
                    li {
                        (key(Gauge::Depth)) " "
                        (both(&words::gauge(Gauge::Depth))) " "
                        (both(&words::MOST)) " "
                        (amount(depth.most(), Unit::Count))
                    }
                }
            }
        }
    }

    fn svg(&self, title: &Text, caption: &str, about: &str) -> Markup {
        let top = 24.0;
        let rates_bottom =
            if self.rates.is_empty() { top } else { top + PANEL };
        let gap = if self.rates.is_empty() { 0.0 } else { 28.0 };
        let depth_top = rates_bottom + gap;
        let bottom = match self.depth {
            Some(_) => depth_top + PANEL,
            None => rates_bottom,
        };
        html! {
            svg viewBox={ "0 0 " (px(WIDTH)) " " (px(bottom + 24.0)) }
                role="img" class="curves" aria-labelledby=(caption)
                aria-describedby=(about) {
                title { (at_once(title)) }
                desc { (at_once(&self.in_words())) }
                (self.scale.axis(top, bottom))
                (self.strikes(top, bottom))
                @if !self.rates.is_empty() { (self.rates(rates_bottom)) }
                @if let Some(depth) = &self.depth { (self.depth(depth, bottom)) }
            }
        }
    }

    fn rates(&self, bottom: f64) -> Markup {
        let cells: Vec<(Gauge, Vec<f64>)> = self
            .rates
            .iter()
            .map(|(g, s)| (*g, s.means(self.span, self.columns())))
            .collect();
        let all = cells.iter().flat_map(|(_, cells)| cells.iter().copied());
        let most = round_up(all.fold(0.0, f64::max));
        html! {
            (height(&self.scale, bottom, most, Unit::PerSecond))
            @for (gauge, cells) in &cells {
                path class=(class(*gauge)) d=(self.steps(cells, bottom, most)) {}
            }
        }
    }

    fn depth(&self, depth: &Series, bottom: f64) -> Markup {
        let cells = depth.highest(self.span, self.columns());
        let most = round_up(depth.most());
        let line = self.line(&cells, bottom, most);
        let area = format!("{line}V{}H{}Z", px(bottom), px(LEFT));
        html! {
            path class="depth-area" d=(area) {}
            path class=(class(Gauge::Depth)) d=(line) {}
            (height(&self.scale, bottom, most, Unit::Count))
        }
    }

    /// No more columns than samples: between two there is nothing to see.
    fn columns(&self) -> usize {
        self.way.gauges.samples.len().clamp(2, COLUMNS)
    }

    /// A rate: level within each column.
    fn steps(&self, cells: &[f64], bottom: f64, most: f64) -> String {
        let wide = (RIGHT - LEFT) / cells.len() as f64;
        let mut path = format!("M{} {}", px(LEFT), px(bottom));
        for (n, value) in cells.iter().enumerate() {
            let y = bottom - value / most * PANEL;
            let right = LEFT + (n + 1) as f64 * wide;
            path.push_str(&format!("V{}H{}", px(y), px(right)));
        }
        path
    }

    /// A depth: a line from column to column.
    fn line(&self, cells: &[f64], bottom: f64, most: f64) -> String {
        let wide = (RIGHT - LEFT) / (cells.len().max(2) - 1) as f64;
        let point = |(n, value): (usize, &f64)| {
            let (x, y) =
                (LEFT + n as f64 * wide, bottom - value / most * PANEL);
            format!("{}{} {}", if n == 0 { "M" } else { "L" }, px(x), px(y))
        };
        cells.iter().enumerate().map(point).collect()
    }

    fn strikes(&self, top: f64, bottom: f64) -> Markup {
        let (from, to) = {
            let began = self.way.gauges.began;
            (began.saturating_sub(self.span / 50), began + self.span)
        };
        let shown =
            self.way.stage.iter().filter(|s| (from..=to).contains(&s.at));
        strikes(&self.scale, shown, top, bottom)
    }

    /// Some of the samples, as numbers.
    fn table(&self) -> Markup {
        let samples = &self.way.gauges.samples;
        let every = samples.len().div_ceil(ROWS).max(1);
        let mut gauges: Vec<Gauge> =
            self.rates.iter().map(|(gauge, _)| *gauge).collect();
        gauges.extend(self.depth.as_ref().map(|_| Gauge::Depth));
        let unit = |gauge: &Gauge| match gauge {
            Gauge::Depth => Unit::Count,
            _ => Unit::PerSecond,
        };
        let cell = |value: Option<&f64>, gauge: &Gauge| match value {
            Some(value) => amount(*value, unit(gauge)),
            None => "-".to_owned(),
        };
        html! {
            details {
                summary { (both(&text! {
                    en: "The curves as a table",
                    zh: "曲线的表格版"
                })) }
                div class="scroll" tabindex="0" { table {
                    thead { tr {
                        th scope="col" class="num" { (both(&text! {
                            en: "at",
                            zh: "时间"
                        })) }
                        @for gauge in &gauges {
                            th scope="col" class="num" {
                                (both(&words::gauge(*gauge)))
                            }
                        }
                    } }
                    tbody {
                        @for (since, shown) in samples.iter().step_by(every) {
                            tr {
                                th scope="row" class="num" {
                                    (moment(self.way.gauges.began + since)) " s"
                                }
                                @for gauge in &gauges {
                                    td class="num" {
                                        (cell(shown.get(gauge), gauge))
                                    }
                                }
                            }
                        }
                    }
                } }
                @if every > 1 {
                    p class="note" { (both(&text! {
                        en: "one in {every} of {all} samples",
                        zh: "共 {all} 个采样点，每 {every} 个取一个",
                        every = every, all = samples.len()
                    })) }
                }
            }
        }
    }
}

/// Strikes on the stage; the first has its name.
pub(super) fn strikes<'a>(
    scale: &Scale,
    shown: impl Iterator<Item = &'a StageStrike>,
    top: f64,
    bottom: f64,
) -> Markup {
    html! {
        @for (n, strike) in shown.enumerate() {
            @let x = scale.x(strike.at);
            @let y = top - 6.0;
            path class="strike-line" d=(down(x, y - 8.0, bottom)) {
                title { (at_once(&strike_said(strike))) }
            }
            @if n == 0 {
                @let late = x > (scale.left + scale.right) / 2.0;
                @let place = if late { x - 5.0 } else { x + 5.0 };
                @let class = if late { "strike-name end" } else { "strike-name" };
                (drawn((place, y), class, &words::fact(strike.what)))
            }
        }
    }
}

/// The top of a panel and its middle, with their amounts.
pub(super) fn height(
    scale: &Scale,
    bottom: f64,
    most: f64,
    unit: Unit,
) -> Markup {
    html! {
        g class="height" {
            @for share in [0.0, 0.5, 1.0] {
                @let y = bottom - share * PANEL;
                path d=(across(y, scale.left, scale.right)) {}
                text class="end" x=(px(scale.left - 6.0)) y=(px(y + 4.0)) {
                    (amount(most * share, unit))
                }
            }
        }
    }
}

/// A piece of the gauge's line.
fn key(gauge: Gauge) -> Markup {
    html! {
        svg class="key" viewBox="0 0 28 12" aria-hidden="true"
            focusable="false" {
            path class=(class(gauge)) d="M1 6H27" {}
        }
    }
}

const fn class(gauge: Gauge) -> &'static str {
    match gauge {
        Gauge::Depth => "depth",
        Gauge::Arrivals => "arrivals",
        Gauge::Served => "served",
    }
}
