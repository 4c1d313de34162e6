//! Where no depth was sampled: what the facts tell is not yet done.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{
    tests::{first, made},
    *,
};
use crate::{
    event::{Event, Gauge, WayName},
    ledger::{Fact, Noun},
    narrate::sample,
    text::Text,
};

const UNDONE: &str = "Not yet done, from facts";

/// A way of four orders, one thing each 100 ms; the last order is lost. Of
/// so many the ledger says that they were confirmed.
pub(super) fn four_orders(confirmed: u64) -> Vec<Stamped> {
    let way = WayName::Naive;
    let told = |number, fact| Event::Fact {
        way,
        message: Noun::Order.number(number),
        fact,
    };
    let mut result = sample::result(0, true);
    result.counts.confirmed = confirmed;
    let mut events = vec![
        sample::run_started(1),
        sample::scenario_started(1, 1),
        Event::WayStarted { way, title: Text::same("four orders") },
    ];
    events.extend((1..=4).map(|n| told(n, Fact::Confirmed)));
    let what = Fact::BrokerKilled;
    events.push(Event::Struck { way, message: None, what });
    events.extend((1..=3).flat_map(|n| {
        [Fact::Delivered, Fact::Applied].map(|fact| told(n, fact))
    }));
    events.push(Event::WayEnded { way, result });
    (0..)
        .step_by(100)
        .zip(events)
        .map(|(at_ms, event)| Stamped { at_ms, event })
        .collect()
}

#[test]
fn where_no_depth_was_sampled_the_facts_tell_what_is_not_yet_done() {
    let page = made(four_orders(4));
    for told in [
        UNDONE,
        "未完成（由事件推得）",
        "was not sampled here",
        "until it was done, parked or reported. 4 at most, at 0.600 s; 1 left \
         at the end: lost, or still waiting.",
        "0.600 秒最多，4 条；结束时还剩 1 条：丢了，或仍在等。",
    ] {
        assert!(page.contains(told), "{told}");
    }
    assert!(!page.contains("Queue depth"));
    // The picture: its name in both languages, the curve, and the fault with
    // the time in which nothing moved.
    let figure = first(&page, UNDONE, "</figure>");
    let svg = first(figure, "<svg", "</svg>");
    for drawn in [
        "<title>Not yet done, from facts · 未完成（由事件推得）</title>",
        "<desc>4 at most, ",
        "class=\"undone\"",
        "class=\"strike-line\"",
        "lang=\"zh-Hans\">剩 1<",
    ] {
        assert!(svg.contains(drawn), "{drawn}: {svg}");
    }
    assert_eq!(svg.matches("class=\"band\"").count(), 1);
    let last = figure.rsplit_once("<tr>").unwrap().1;
    let last = last.split_once("</tr>").unwrap().0;
    assert!(last.contains("1.300 s") && last.contains(">1<"), "{last}");
}

/// By what messages are done is the same in all ways of a scenario: an ack
/// is no effect where another way tells of effects.
#[test]
fn a_way_that_does_nothing_has_done_nothing() {
    let mut events = four_orders(4);
    let way = WayName::Fixed;
    let title = Text::same("deliver, and do nothing");
    let mut more = vec![Event::WayStarted { way, title }];
    for fact in [Fact::Confirmed, Fact::Delivered, Fact::Acked] {
        more.extend((1..=7).map(|number| Event::Fact {
            way,
            message: Noun::Order.number(number),
            fact,
        }));
    }
    let more = (2_000..).step_by(100).zip(more);
    events.extend(more.map(|(at_ms, event)| Stamped { at_ms, event }));
    let page = made(events);
    assert!(page.contains("7 at most, at 2.700 s; 7 left when it was broken"));
    assert_eq!(page.matches("class=\"undone\"").count(), 2);
}

#[test]
fn nothing_is_derived_where_depth_is_known_or_facts_are_not() {
    assert!(made(four_orders(4)).contains(UNDONE));
    // The ledger knows of one more.
    assert!(!made(four_orders(5)).contains(UNDONE));
    let mut struck_only = four_orders(4);
    if let Event::RunStarted { facts, .. } = &mut struck_only[0].event {
        *facts = "struck".into();
    }
    assert!(!made(struck_only).contains(UNDONE));
    let mut sampled = four_orders(4);
    let end = sampled.len() - 1;
    for (n, since_ms) in [(0, 100), (1, 200)] {
        let event = Event::Sample {
            way: WayName::Naive,
            since_ms,
            gauges: [(Gauge::Depth, 4.0)].into(),
        };
        sampled.insert(end + n, Stamped { at_ms: 1_310, event });
    }
    let page = made(sampled);
    assert!(page.contains("Queue depth") && !page.contains(UNDONE));
    assert!(!made(sample::decoupling()).contains(UNDONE));
    // One at a time is no backlog.
    let mut one_by_one = four_orders(4);
    one_by_one.retain(|told| match &told.event {
        Event::Fact { message, .. } => message.number == 1,
        _ => true,
    });
    if let Some(Event::WayEnded { result, .. }) =
        one_by_one.last_mut().map(|told| &mut told.event)
    {
        result.counts.confirmed = 1;
    }
    assert!(!made(one_by_one).contains(UNDONE));
}
