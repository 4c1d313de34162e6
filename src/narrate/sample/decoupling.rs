//! Scenarios of another topic: with curves, bars, and a struck stage.

use std::collections::BTreeMap;

use crate::{
    event::{
        Bar, BarGroup, Chart, Column, Ended, Event, Figure, Gauge, Grid,
        GridRow, Stamped, Unit, Verdict, WayName, WayResult,
    },
    ledger::{Counts, Fact, Noun},
    text,
    text::Text,
};

use super::{ended, result, run_ended, run_started, stamped, step};

fn figure(id: &str, name: Text, value: f64, unit: Unit) -> Figure {
    Figure { id: id.into(), name, value, unit }
}

/// 400 a second for a second, onto a service that takes 100 a second.
pub(crate) fn samples(way: WayName, queue: bool) -> Vec<Event> {
    let mut depth = 0.0_f64;
    let sample = |n: u32| {
        let arrivals = if (1..=10).contains(&n) { 400.0 } else { 0.0 };
        // Counted every 100 ms, it is one more or one less.
        let able = [100.0_f64, 110.0, 90.0][n as usize % 3] / 10.0;
        let waits = depth + arrivals / 10.0;
        let served = if n == 0 { 0.0 } else { able.min(waits) };
        depth = if queue { waits - served } else { 0.0 };
        let mut gauges = BTreeMap::from([
            (Gauge::Arrivals, arrivals),
            (Gauge::Served, served * 10.0),
        ]);
        if queue {
            gauges.insert(Gauge::Depth, depth);
        }
        Event::Sample { way, since_ms: u64::from(n) * 100, gauges }
    };
    let last = if queue { 44 } else { 14 };
    (0..=last).map(sample).collect()
}

fn way(way: WayName, title: Text, result: WayResult) -> Vec<Event> {
    let mut events = vec![
        Event::WayStarted { way, title },
        step(
            way,
            1,
            text! { en: "surge", zh: "高峰" },
            text! {
                en: "400 orders in one second; the mail service takes 100 a second",
                zh: "一秒内来 400 个订单；邮件服务每秒只能处理 100 个"
            },
        ),
        Event::Struck { way, message: None, what: Fact::Surged },
    ];
    events.extend(samples(way, way == WayName::Fixed));
    events.push(Event::WayEnded { way, result });
    events
}

fn came_to(refused: u64, p99: f64) -> WayResult {
    WayResult {
        hit: 1,
        planned: 1,
        came_to: Some(text! {
            en: "{refused} of 400 refused", zh: "400 个拒 {refused} 个",
            refused = refused
        }),
        figures: vec![
            figure("p99", Text::same("p99"), p99, Unit::Ms),
            figure(
                "rate",
                text! { en: "served", zh: "处理" },
                99.7,
                Unit::PerSecond,
            ),
        ],
        counts: Counts {
            accepted: 400 - refused,
            refused,
            applied: 400 - refused,
            ..Counts::default()
        },
        ..result(0, true)
    }
}

/// A chart as `lab::Bars` makes it of two ways.
pub(crate) fn waits() -> Chart {
    let group = |name: &'static str, naive, fixed| BarGroup {
        name: Text::same(name),
        bars: vec![
            Bar { name: WayName::Naive.word(), value: naive },
            Bar { name: WayName::Fixed.word(), value: fixed },
        ],
    };
    Chart {
        title: text! {
            en: "How long the caller waits", zh: "调用方等多久"
        },
        unit: Unit::Ms,
        groups: vec![
            group("p50", 121.4, 1.84),
            group("p95", 253.0, 6.2),
            group("p99", 412.3, 14.0),
        ],
    }
}

/// A chart as `lab::Bars` makes it of a measure.
pub(crate) fn rates() -> Chart {
    let bar = |name, value| Bar { name, value };
    Chart {
        title: text! {
            en: "Confirmed messages per second", zh: "每秒确认的消息数"
        },
        unit: Unit::PerSecond,
        groups: vec![BarGroup {
            name: Text::default(),
            bars: vec![
                bar(text! { en: "one by one", zh: "逐条确认" }, 1_479.0),
                bar(text! { en: "by 100", zh: "每 100 条" }, 13_298.2),
                bar(text! { en: "window 500", zh: "窗口 500" }, 9_944.4),
            ],
        }],
    }
}

/// What is lost by whom, when who dies.
pub(crate) fn deaths() -> Grid {
    let row = |name, cells: [u32; 3]| GridRow {
        name,
        cells: cells.map(|lost| Text::same(lost.to_string())).to_vec(),
    };
    Grid {
        title: text! { en: "Lost of 60 orders", zh: "60 个订单中丢失" },
        columns: vec![
            text! { en: "producer dies", zh: "生产者死亡" },
            text! { en: "Redis dies", zh: "Redis 死亡" },
            text! { en: "broker dies", zh: "broker 死亡" },
        ],
        rows: vec![
            row(text! { en: "table first", zh: "先落库" }, [0, 0, 0]),
            row(
                text! { en: "Redis without AOF", zh: "Redis 不开 AOF" },
                [0, 60, 0],
            ),
            row(text! { en: "memory", zh: "内存" }, [60, 0, 0]),
        ],
    }
}

fn verdict() -> Ended {
    let ways = [
        (WayName::Naive, came_to(289, 412.3)),
        (WayName::Fixed, came_to(0, 14.0)),
    ];
    Ended {
        topic: "decoupling".into(),
        scenario: "peak".into(),
        noun: Noun::Order,
        why: text! {
            en: "naive refused 289 of 400, fixed 0",
            zh: "朴素做法 400 个拒 289 个，改进后一个不拒"
        },
        columns: vec![Column::Accepted, Column::Refused],
        figures: vec!["p99".into(), "rate".into()],
        charts: vec![waits()],
        claim: text! {
            en: "The queue keeps what the service cannot take yet.",
            zh: "服务暂时处理不完的，队列替它存着。"
        },
        ..ended(Verdict::Proven, ways.into_iter().collect())
    }
}

fn scenario(index: u32, of: u32) -> Vec<Event> {
    let Event::ScenarioStarted { on, choices, without, .. } =
        super::scenario_started(index, of)
    else {
        return Vec::new();
    };
    let ended = verdict();
    let mut events = vec![Event::ScenarioStarted {
        topic: ended.topic.clone(),
        scenario: ended.scenario.clone(),
        kind: "pair".into(),
        index,
        of,
        on,
        recipe: text! {
            en: "\"Call the mail service for each order.\"",
            zh: "“每个订单直接调用邮件服务。”"
        },
        fault: text! {
            en: "400 orders come within a second.",
            zh: "一秒内来 400 个订单。"
        },
        question: Text::default(),
        choices,
        without,
    }];
    let titles = [
        text! { en: "call the service", zh: "直接调用服务" },
        text! { en: "publish, serve later", zh: "先发布，慢慢处理" },
    ];
    for ((name, result), title) in ended.ways.clone().into_iter().zip(titles) {
        events.extend(way(name, title, result));
    }
    events.push(Event::Verdict(Box::new(ended)));
    events
}

/// A scenario with three ways, one of which measured nothing.
pub(crate) fn halfway() -> Ended {
    let mut ended = verdict();
    let mut halfway = came_to(12, 0.0);
    halfway.figures.clear();
    ended.ways.insert(WayName::Halfway, halfway);
    ended
}

/// A measure: figures and bars, no counted columns.
pub(crate) fn measure() -> Ended {
    let measured = WayResult { hit: 0, planned: 0, ..came_to(0, 3.1) };
    Ended {
        scenario: "window".into(),
        columns: Vec::new(),
        charts: vec![rates()],
        grids: vec![deaths()],
        ways: [(WayName::Measure, measured)].into(),
        ..verdict()
    }
}

/// A run of the peak and of the measure.
pub(crate) fn decoupling() -> Vec<Stamped> {
    let mut events = vec![run_started(2)];
    events.extend(scenario(1, 2));
    events.push(Event::Verdict(Box::new(measure())));
    events.push(run_ended(2, 0, 0));
    stamped(events)
}
