//! The ledgers of the ways side by side: the columns of the claim, and, one
//! click away, everything that was counted and measured.

use maud::{Markup, html};

use crate::{
    event::{Column, Ended, Figure, WayName, WayResult},
    ledger::Counts,
    narrate::{
        amount::{NONE, amount, grouped},
        table,
    },
    text,
    text::Text,
};

use super::say::both;

/// A word of the ledger, what it means, and where it is counted.
type Entry = (Text, Text, fn(&Counts) -> u64);

macro_rules! entries {
    ($($field:ident: $en:literal, $zh:literal, $means:literal, $means_zh:literal;)+) => {
        [$((
            Text::fixed($en, $zh),
            Text::fixed($means, $means_zh),
            |counts: &Counts| counts.$field,
        )),+]
    };
}

/// Every sum of the ledger, in the order of a message's life.
static ENTRIES: [Entry; 19] = entries! {
    accepted: "accepted", "已受理",
        "promised to the caller", "已答应调用方";
    refused: "refused", "已拒绝",
        "the caller was told no", "当场拒绝了调用方";
    attempts: "attempts", "发布次数",
        "each time anything was put on the wire", "每次发到网络上都计一次";
    attempted: "attempted", "已尝试",
        "the producer tried to send it", "生产者尝试发送过";
    confirmed: "confirmed", "已确认",
        "the broker took it over", "broker 已接管";
    nacked: "nacked", "被拒收",
        "the broker refused it", "broker 拒收";
    returned: "returned", "被退回",
        "handed back as unroutable", "路由不到，被退回";
    unknown: "unknown", "未知",
        "no answer ever came", "始终没有应答";
    delivered: "delivered", "已投递",
        "a consumer received it", "有消费者收到";
    deliveries: "deliveries", "投递次数",
        "each delivery counted", "每次投递都计一次";
    applied: "applied", "已生效",
        "its effect was made", "业务效果已产生";
    parked: "parked", "转人工",
        "dead-lettered to where people look", "死信，转入人工队列";
    reported: "reported", "已报告",
        "given up, and somebody was told", "已放弃，并已通知人";
    waiting: "waiting", "仍在队列",
        "copies still in the queue", "队列里剩下的份数";
    recovered: "recovered", "失而复得",
        "unknown, and yet delivered", "结果未知，却已投递";
    lost: "lost", "丢失",
        "confirmed or promised, and nothing came of it", "确认或答应过，最后不了了之";
    duplicated: "duplicated", "重复",
        "applied more than once", "生效不止一次";
    stuck: "stuck", "卡住",
        "owed, and still in the queue", "该做未做，仍在队列";
    unexpected: "unexpected", "来历不明",
        "delivered, and never attempted", "投递了，却没人发过";
};

/// The table that the claim is about.
pub(super) fn ledger(ended: &Ended) -> Markup {
    let heads = table::heads(ended);
    if heads.is_empty() || ended.ways.is_empty() {
        return html! {};
    }
    html! {
        div class="scroll" tabindex="0" {
            table class="ledger" {
                caption { (both(&text! {
                    en: "What each way came to", zh: "各做法的结果"
                })) }
                thead { tr {
                    td {}
                    @for head in &heads {
                        th scope="col" class="num" {
                            @if !head.operator.is_empty() {
                                span class="operator" { (head.operator) } " "
                            }
                            (both(&head.name))
                        }
                    }
                } }
                tbody {
                    @for (way, result) in &ended.ways { tr {
                        th scope="row" { (both(&named(*way, ended))) }
                        @for head in &heads {
                            @let bad = is_bad(head.column(), result);
                            td class=(if bad { "num bad" } else { "num" }) {
                                (table::cell(head, result))
                            }
                        }
                    } }
                }
            }
        }
    }
}

/// The way, with the mechanism that it lacks.
fn named(way: WayName, ended: &Ended) -> Text {
    let word = way.word();
    match &ended.without {
        Some(mechanism) if way == WayName::Without => Text::made(
            format!("{} {mechanism}", word.en),
            format!("{} {mechanism}", word.zh),
        ),
        _ => word,
    }
}

/// What nobody wants any of: set in bold.
fn is_bad(column: Option<Column>, way: &WayResult) -> bool {
    match column {
        Some(Column::Lost) => way.counts.lost > 0,
        Some(Column::Doubled) => way.counts.duplicated > 0,
        Some(Column::Stuck) => way.counts.stuck > 0,
        _ => false,
    }
}

/// Everything that was counted and measured.
pub(super) fn everything(ended: &Ended) -> Markup {
    let ways = &ended.ways;
    let any = |count: &fn(&Counts) -> u64| {
        ways.values().any(|way| count(&way.counts) > 0)
    };
    let heads = html! {
        @for way in ways.keys() {
            th scope="col" class="num" { (both(&named(*way, ended))) }
        }
    };
    html! {
        @if !ways.is_empty() {
            details {
                summary { (both(&text! {
                    en: "Everything that was counted and measured",
                    zh: "全部计数与测量"
                })) }
                div class="scroll" tabindex="0" { table {
                    thead { tr {
                        th scope="col" { (both(&text! {
                            en: "counted",
                            zh: "计数"
                        })) }
                        (heads)
                        th scope="col" { (both(&text! {
                            en: "which means",
                            zh: "含义"
                        })) }
                    } }
                    tbody {
                        @for (name, means, count) in &ENTRIES { @if any(count) { tr {
                            th scope="row" { (both(name)) }
                            @for way in ways.values() {
                                td class="num" {
                                    (grouped(&count(&way.counts).to_string()))
                                }
                            }
                            td { (both(means)) }
                        } } }
                    }
                } }
                (figures(ended, &heads))
            }
        }
    }
}

fn figures(ended: &Ended, heads: &Markup) -> Markup {
    let mut known: Vec<&Figure> = Vec::new();
    for figure in ended.ways.values().flat_map(|way| &way.figures) {
        if known.iter().all(|known| known.id != figure.id) {
            known.push(figure);
        }
    }
    let value = |way: &WayResult, id: &str| {
        let found = way.figures.iter().find(|figure| figure.id == id);
        found.map_or(NONE.to_owned(), |f| amount(f.value, f.unit))
    };
    html! {
        @if !known.is_empty() {
            div class="scroll" tabindex="0" { table {
                thead { tr {
                    th scope="col" { (both(&text! {
                        en: "measured",
                        zh: "测量"
                    })) }
                    (heads)
                } }
                tbody { @for figure in known { tr {
                    th scope="row" { (both(&figure.name)) }
                    @for way in ended.ways.values() {
                        td class="num" { (value(way, &figure.id)) }
                    }
                } } }
            } }
        }
    }
}
