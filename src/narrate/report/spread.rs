//! How long things took: quantiles and a small histogram of each way.

use maud::{Markup, html};

use crate::{narrate::amount::grouped, text, text::Text};

use super::{
    latency::Latency,
    log::Scene,
    say::{at_once, both, px, took},
    way::Way,
};

/// A histogram in its own units.
const WIDTH: f64 = 180.0;
const HEIGHT: f64 = 36.0;

static CONFIRM: Text = Text::fixed("sent to confirmed", "发送到确认");
static EFFECT: Text = Text::fixed("delivered to applied", "投递到生效");

/// The times of a scenario's ways; nothing where none were measured.
pub(super) fn spread(id: &str, scene: &Scene) -> Markup {
    let rows: Vec<(&Way, &Text, &Latency)> = scene
        .ways
        .iter()
        .flat_map(|way| {
            [(way, &CONFIRM, &way.confirm), (way, &EFFECT, &way.effect)]
        })
        .filter(|(.., latency)| latency.measured > 0)
        .collect();
    if rows.is_empty() {
        return html! {};
    }
    let missed: u64 = rows.iter().map(|(.., latency)| latency.missed).sum();
    let heads = [
        text! { en: "way", zh: "做法" },
        text! { en: "from … to …", zh: "区间" },
        text! { en: "messages", zh: "消息数" },
        Text::same("p50"),
        Text::same("p95"),
        Text::same("p99"),
        text! { en: "max", zh: "最长" },
        text! { en: "histogram", zh: "分布" },
    ];
    html! {
        section {
            h3 id=(id) { (both(&text! { en: "How long it took", zh: "耗时" })) }
            div class="scroll" role="region" tabindex="0" aria-labelledby=(id) {
                table class="spread" {
                    thead { tr {
                        @for (n, head) in heads.iter().enumerate() {
                            th scope="col" class=[(2..7).contains(&n).then_some("num")] {
                                (both(head))
                            }
                        }
                    } }
                    tbody { @for (way, what, latency) in &rows { (row(way, what, latency)) } }
                }
            }
            p class="note" { (both(&text! {
                en: "Times are whole milliseconds, as the events have them. \
                     Each column of a histogram is twice as wide as the one \
                     before.",
                zh: "时间精确到毫秒，与事件一致。直方图每一列的宽度是前一列的\
                     两倍。"
            })) }
            @if missed > 0 {
                p class="note" { (both(&text! {
                    en: "{missed} times were not measured: too many messages \
                         were under way at once.",
                    zh: "有 {missed} 次没有计时：同时在途的消息太多。",
                    missed = missed
                })) }
            }
            (numbers(&rows))
        }
    }
}

fn row(way: &Way, what: &Text, latency: &Latency) -> Markup {
    html! {
        tr {
            th scope="row" { (both(&way.name.word())) }
            td { (both(what)) }
            td class="num" { (grouped(&latency.measured.to_string())) }
            @for parts in [500, 950, 990] {
                td class="num" { (both(&short(latency.quantile(parts)))) }
            }
            td class="num" { (both(&short(latency.most))) }
            td { (histogram(way, what, latency)) }
        }
    }
}

/// What took no whole millisecond took less than one.
fn short(ms: u64) -> Text {
    match ms {
        0 => Text::made("<1 ms", "<1 毫秒"),
        ms => took(ms),
    }
}

fn histogram(way: &Way, what: &Text, latency: &Latency) -> Markup {
    let columns = latency.histogram();
    let most = columns.iter().map(|(_, n)| *n).max().unwrap_or(1).max(1);
    let wide = (WIDTH / columns.len().max(6) as f64).min(22.0);
    let (first, last) = (columns.first(), columns.last());
    let name = way.name.word();
    html! {
        svg class="histogram" role="img"
            viewBox={ "0 0 " (px(WIDTH)) " " (px(HEIGHT + 14.0)) } {
            title {
                (at_once(&Text::made(
                    format!("{}, {}", name.en, what.en),
                    format!("{}，{}", name.zh, what.zh),
                )))
            }
            desc { (said(&columns)) }
            path class="floor" d={ "M0 " (px(HEIGHT)) "H" (px(WIDTH)) } {}
            @for (n, (_, count)) in columns.iter().enumerate() {
                @if *count > 0 {
                    @let height = (*count as f64 / most as f64 * (HEIGHT - 2.0)).max(1.5);
                    rect x=(px(n as f64 * wide + 0.5)) y=(px(HEIGHT - height))
                        width=(px(wide - 1.5)) height=(px(height)) {}
                }
            }
            @if let (Some((from, _)), Some((to, _))) = (first, last) {
                text x="0" y=(px(HEIGHT + 12.0)) { (reach(*from)) }
                @if from != to {
                    @let end = (columns.len() as f64 * wide).max(90.0);
                    text class="end" x=(px(end)) y=(px(HEIGHT + 12.0)) {
                        (reach(*to))
                    }
                }
            }
        }
    }
}

/// `<1 ms`, `≤8 ms`: the same in both languages.
fn reach(upto: u64) -> String {
    match upto {
        0 => "<1 ms".to_owned(),
        1 => "1 ms".to_owned(),
        1_024.. => format!("≤{:.0} s", upto as f64 / 1_000.0),
        upto => format!("≤{upto} ms"),
    }
}

fn said(columns: &[(u64, u64)]) -> String {
    let told: Vec<String> = columns
        .iter()
        .map(|(upto, count)| format!("{} {count}", reach(*upto)))
        .collect();
    told.join(", ")
}

/// The histograms as numbers.
fn numbers(rows: &[(&Way, &Text, &Latency)]) -> Markup {
    html! {
        details {
            summary { (both(&text! {
                en: "The histograms as numbers",
                zh: "直方图的数字版"
            })) }
            ul class="plain" {
                @for (way, what, latency) in rows {
                    li {
                        (both(&way.name.word())) ", " (both(what)) ": "
                        (said(&latency.histogram()))
                    }
                }
            }
        }
    }
}
