//! Messages by name: what was wrong with each and the last thing known, and
//! the facts of those in the lanes, as tables.

use maud::{Markup, html};

use crate::{
    ledger::{Anomaly, Fact, Kind, Noun},
    narrate::words,
    text,
    text::Text,
};

use super::{
    lanes::struck_by,
    say::{both, joined, moment},
    tracks::Track,
    way::Way,
};

/// The messages of a way with something wrong.
pub(super) fn anomalies(way: &Way) -> Markup {
    let Some(result) = &way.result else { return html! {} };
    if result.anomalies.is_empty() {
        return html! {};
    }
    let counts = &result.counts;
    let all =
        counts.lost + counts.duplicated + counts.stuck + counts.unexpected;
    let listed = result.anomalies.len() as u64;
    html! {
        details {
            summary { (both(&text! {
                en: "Messages that ended wrong, by name: {all}",
                zh: "结局不对的消息：{all} 条",
                all = all.max(listed)
            })) }
            div class="scroll" tabindex="0" {
                table {
                    thead { tr {
                        th scope="col" { (both(&MESSAGE)) }
                        th scope="col" { (both(&text! {
                            en: "what is wrong",
                            zh: "问题"
                        })) }
                        th scope="col" class="num" { (both(&text! {
                            en: "last known at",
                            zh: "最后所知时间"
                        })) }
                        th scope="col" { (both(&text! {
                            en: "last known",
                            zh: "最后所知"
                        })) }
                    } }
                    tbody {
                        @for anomaly in &result.anomalies { (row(anomaly)) }
                    }
                }
            }
            @if all > listed {
                p class="note" { (both(&text! {
                    en: "and {more} more", zh: "另有 {more} 条",
                    more = all - listed
                })) }
            }
        }
    }
}

static MESSAGE: Text = Text::fixed("message", "消息");

fn row(anomaly: &Anomaly) -> Markup {
    let noun = anomaly.message.noun;
    html! {
        tr {
            th scope="row" class="id" { (anomaly.message.to_string()) }
            td { (both(&wrong(anomaly.kind, anomaly.applied, noun))) }
            @match anomaly.last_known {
                Some((fact, at)) => {
                    td class="num" { (moment(at.into())) " s" }
                    td { (both(&words::fact_of(fact, noun))) }
                }
                None => {
                    td class="num" { "-" }
                    td { (both(&words::NOTHING_KNOWN)) }
                }
            }
        }
    }
}

/// `lost`, or `paid 2 times`.
fn wrong(kind: Kind, times: u16, noun: Noun) -> Text {
    let applied = words::fact_of(Fact::Applied, noun);
    match kind {
        Kind::Duplicated => Text::made(
            format!("✗ {} {times} times", applied.en),
            format!("✗ {} {times} 次", applied.zh),
        ),
        kind => {
            let word = words::kind(kind);
            Text::made(format!("✗ {}", word.en), format!("✗ {}", word.zh))
        }
    }
}

/// The lanes as a table.
pub(super) fn facts(lanes: &[Track], noun: Noun) -> Markup {
    if lanes.is_empty() {
        return html! {};
    }
    html! {
        details {
            summary { (both(&text! {
                en: "The lanes as a table", zh: "泳道的表格版"
            })) }
            div class="scroll" tabindex="0" {
                table class="facts" {
                    thead { tr {
                        th scope="col" { (both(&MESSAGE)) }
                        th scope="col" { (both(&words::FAULT)) }
                        th scope="col" { (both(&text! {
                            en: "came to",
                            zh: "结局"
                        })) }
                        th scope="col" { (both(&text! {
                            en: "what is known, in seconds since the run began",
                            zh: "已知事实（自运行开始的秒数）"
                        })) }
                    } }
                    tbody { @for lane in lanes { (lane_row(lane, noun)) } }
                }
            }
        }
    }
}

fn lane_row(lane: &Track, noun: Noun) -> Markup {
    let name = |fact: &Fact| words::fact_of(*fact, lane.message.noun);
    let struck: Vec<Text> = struck_by(lane).iter().map(name).collect();
    let came_to = lane.wrong.map(|(kind, times)| wrong(kind, times, noun));
    html! {
        tr {
            th scope="row" class="id" { (lane.message.to_string()) }
            td { (both(&joined(&struck, ", ", "、"))) }
            td { @if let Some(came_to) = came_to { (both(&came_to)) } }
            td {
                @if lane.facts.is_empty() {
                    (both(&words::NOTHING_KNOWN))
                } @else {
                    (both(&story(lane)))
                }
                @if lane.left_out > 0 {
                    " " (both(&text! {
                        en: "({more} facts between are left out)",
                        zh: "（中间省略 {more} 条）", more = lane.left_out
                    }))
                }
            }
        }
    }
}

/// `3.750 accepted, sent; 3.806 confirmed`
fn story(lane: &Track) -> Text {
    let moments = by_moment(lane).into_iter().map(|(at, facts)| {
        let name = |fact: &Fact| words::fact_of(*fact, lane.message.noun);
        let names: Vec<Text> = facts.iter().map(name).collect();
        let names = joined(&names, ", ", "、");
        let at = moment(at);
        Text::made(
            format!("{at}\u{a0}{}", names.en),
            format!("{at}\u{a0}{}", names.zh),
        )
    });
    joined(&moments.collect::<Vec<_>>(), "; ", "；")
}

/// What was seen in the same millisecond stands together.
fn by_moment(lane: &Track) -> Vec<(u64, Vec<Fact>)> {
    let mut moments: Vec<(u64, Vec<Fact>)> = Vec::new();
    for (at, fact) in &lane.facts {
        match moments.last_mut() {
            Some((last, facts)) if last == at => facts.push(*fact),
            _ => moments.push((*at, vec![*fact])),
        }
    }
    moments
}
