//! A million messages: the page stays a page, and its maker stays small.

use super::*;
use crate::{
    event::{Event, WayName},
    ledger::{Fact, MessageId},
    narrate::sample,
};

const MANY: u32 = 1_000_000;

/// The events of a run of so many messages, one in ten of them struck.
fn events(messages: u32) -> impl Iterator<Item = Stamped> {
    let way = WayName::Naive;
    let whole = sample::single(20);
    let is_way = |e: &Stamped| matches!(e.event, Event::WayStarted { .. });
    let start = whole.iter().position(is_way).unwrap_or_default();
    let is_end = |e: &Stamped| matches!(e.event, Event::WayEnded { .. });
    let end = whole.iter().position(is_end).unwrap_or_default();
    let head: Vec<_> = whole[..=start].to_vec();
    let tail: Vec<_> = whole[end..].to_vec();
    let told = (1..=messages).flat_map(move |number| {
        let message = MessageId::payment(number);
        let at_ms = 5_000 + u64::from(number / 20);
        let fact = move |fact| Event::Fact { way, message, fact };
        let mut told = vec![fact(Fact::Sent), fact(Fact::Confirmed)];
        if number.is_multiple_of(10) {
            let what = Fact::Killed;
            told.push(Event::Struck { way, message: Some(message), what });
            told.push(fact(Fact::Redelivered));
        }
        told.extend([fact(Fact::Delivered), fact(Fact::Applied)]);
        if number.is_multiple_of(1_000) {
            let line = format!("rabbitmqctl list_queues {number}");
            told.push(Event::Command { way, line });
            told.push(Event::Struck { way, message: None, what: Fact::Surged });
            let depth = (crate::event::Gauge::Depth, f64::from(number % 7_919));
            let since_ms = u64::from(number);
            let gauges = [depth].into();
            told.push(Event::Sample { way, since_ms, gauges });
        }
        told.into_iter().map(move |event| Stamped { at_ms, event })
    });
    head.into_iter().chain(told).chain(tail)
}

#[test]
fn a_million_messages_make_no_larger_page_than_a_few_thousand() {
    let page = page(events(MANY), Lang::En);
    assert!(page.len() < 1_000_000, "{}", page.len());
    assert!(page.contains(">1 000 000<"), "the sum of all is told");
    assert!(page.contains("Of 100000 strikes 40 messages are drawn"));
    assert!(page.contains("lines more"));
    let lanes = page.matches("<g class=\"lane").count();
    // And those of the fixed way, which was not told so much.
    assert!((40..=80).contains(&lanes), "{lanes}");
}

#[test]
fn nothing_is_kept_of_a_message_that_is_not_shown() {
    let mut report = Report::new(Lang::En);
    let mut most = 0;
    for event in events(50_000) {
        report.log.tell(&event);
        let ways = report.log.scenes.iter().flat_map(|scene| &scene.ways);
        most = most.max(ways.map(|way| way.tracks.len()).sum::<usize>());
    }
    // While it runs, as many as might be shown; then only those.
    assert!((5_000..=5_040).contains(&most), "{most}");
    let ways = report.log.scenes.iter().flat_map(|scene| &scene.ways);
    let kept: usize = ways.map(|way| way.tracks.len()).sum();
    assert!(kept <= 80, "{kept}");
}

/// Never answered: those that are waited for are bounded, and counted.
#[test]
fn what_cannot_be_measured_is_counted() {
    let way = WayName::Naive;
    let mut all = sample::single(20);
    let start =
        all.iter().position(|e| matches!(e.event, Event::WayStarted { .. }));
    let start = start.unwrap_or_default();
    let sent = (1..=20_000).map(|number| Stamped {
        at_ms: 4_000,
        event: Event::Fact {
            way,
            message: MessageId::payment(number),
            fact: Fact::Sent,
        },
    });
    let tail = all.split_off(start + 1);
    let page = page(all.into_iter().chain(sent).chain(tail), Lang::En);
    assert!(page.contains("10000 times were not measured"));
}
