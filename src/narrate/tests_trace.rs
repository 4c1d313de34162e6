//! The life of one message, on hand-written ways.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use unicode_width::UnicodeWidthStr;

use super::{sample, *};
use crate::{
    event::{Event, WayName, WayResult},
    ledger::{Anomaly, Counts, Fact, Kind, MessageId, Noun},
};

const PAYMENT: MessageId = MessageId::payment(10);

/// Lives of a message in one way, from its facts and how the way ended.
fn fate_of(facts: &[Fact], result: Option<WayResult>) -> Fate {
    let way = WayName::Naive;
    let mut events =
        vec![Event::WayStarted { way, title: Text::same("a way") }];
    events.extend(facts.iter().map(|fact| Event::Fact {
        way,
        message: PAYMENT,
        fact: *fact,
    }));
    events.extend(result.map(|result| Event::WayEnded { way, result }));
    let life = life_in(&events, PAYMENT);
    life.unwrap().ways.remove(0).fate
}

fn life_in(events: &[Event], message: MessageId) -> Option<Life> {
    let events = sample::stamped(events.to_vec());
    let scene = Scene {
        topic: "idempotency",
        scenario: "mark-first",
        events: &events,
        ended: None,
    };
    Life::of(message, &scene)
}

/// A way in which nothing is wrong, unless it is said.
fn ended(wrong: &[(Kind, u16)], counts: Counts) -> WayResult {
    let anomalies = wrong.iter().map(|(kind, applied)| Anomaly {
        message: PAYMENT,
        kind: *kind,
        applied: *applied,
        last_known: None,
    });
    WayResult {
        as_expected: Some(true),
        anomalies: anomalies.collect(),
        counts,
        ..WayResult::default()
    }
}

fn fine() -> Option<WayResult> {
    Some(ended(&[], Counts::default()))
}

#[test]
fn a_message_with_nothing_wrong_has_the_fate_that_its_facts_tell() {
    use Fact::*;
    for (facts, fate) in [
        (&[Accepted, Sent, Confirmed, Delivered, Applied][..], Fate::Once),
        (&[Accepted, Sent, Confirmed], Fate::Once),
        (&[Accepted, Sent, Confirmed, Delivered, Parked], Fate::Parked),
        (&[Accepted, Sent, Unknown, GivenUp, Reported], Fate::Reported),
        (&[Refused], Fate::Refused),
        (&[Sent, Nacked], Fate::NotTaken),
        (&[Sent, Returned, Confirmed], Fate::NotTaken),
        (&[Sent, Unknown], Fate::Unanswered),
    ] {
        assert_eq!(fate_of(facts, fine()), fate, "{facts:?}");
    }
}

#[test]
fn what_the_ledger_says_is_stronger_than_the_facts() {
    let facts = [Fact::Accepted, Fact::Sent, Fact::Confirmed, Fact::Applied];
    for (kind, applied) in [(Kind::Lost, 0), (Kind::Duplicated, 3)] {
        let result = ended(&[(kind, applied)], Counts::default());
        let fate = Fate::Wrong { kinds: vec![kind], applied };
        assert_eq!(fate_of(&facts, Some(result)), fate);
    }
}

#[test]
fn of_more_than_the_ledger_names_the_sums_decide_or_nobody_does() {
    use Fact::{Accepted, Acked, Applied, Confirmed, Delivered, Sent};
    let of = |facts: &[Fact], counts: Counts| {
        // Of twenty-one that went wrong none is this message.
        fate_of(facts, Some(ended(&[], counts)))
    };
    let lost = Counts { lost: 21, ..Counts::default() };
    let gone = [Accepted, Sent, Confirmed];
    let wrong = |kind, applied| Fate::Wrong { kinds: vec![kind], applied };
    assert_eq!(of(&gone, lost.clone()), wrong(Kind::Lost, 0));
    let stuck = Counts { stuck: 21, ..Counts::default() };
    assert_eq!(of(&gone, stuck), wrong(Kind::Stuck, 0));
    let both = Counts { stuck: 1, lost: 20, ..Counts::default() };
    assert_eq!(of(&gone, both), Fate::Unnamed);
    let twice = [Accepted, Sent, Confirmed, Applied, Applied];
    let doubled = Counts { duplicated: 21, ..Counts::default() };
    assert_eq!(of(&twice, doubled.clone()), wrong(Kind::Duplicated, 2));
    let done = [Accepted, Sent, Confirmed, Delivered, Applied];
    assert_eq!(of(&done, doubled.clone()), Fate::Once);
    // Where only the books know what was done.
    let delivered = [Accepted, Sent, Confirmed, Delivered, Acked];
    assert_eq!(of(&delivered, doubled), Fate::Once);
    let some = Counts { lost: 21, delivered: 100, applied: 90, ..lost };
    assert_eq!(of(&delivered, some), Fate::Unnamed);
}

#[test]
fn of_a_way_that_did_not_come_to_its_end_nothing_is_said() {
    let facts = [Fact::Accepted, Fact::Sent];
    assert_eq!(fate_of(&facts, None), Fate::BrokenOff);
    let ran_out = WayResult { as_expected: None, ..WayResult::default() };
    assert_eq!(fate_of(&facts, Some(ran_out)), Fate::BrokenOff);
}

#[test]
fn a_strike_is_told_once_whether_it_is_a_fact_before_or_after() {
    let way = WayName::Naive;
    let fact = |fact| Event::Fact { way, message: PAYMENT, fact };
    let struck = |message, what| Event::Struck { way, message, what };
    let started = || Event::WayStarted { way, title: Text::same("a way") };
    let (killed, cut) = (Fact::Killed, Fact::CutBeforePublish);
    let life = life_in(
        &[
            started(),
            fact(Fact::Delivered),
            fact(killed),
            struck(Some(PAYMENT), killed),
            struck(Some(PAYMENT), cut),
            fact(cut),
            struck(Some(MessageId::payment(11)), killed),
            struck(None, Fact::BrokerKilled),
        ],
        PAYMENT,
    );
    let moments = life.unwrap().ways.remove(0).moments;
    let told: Vec<_> =
        moments.iter().map(|m| (m.fact, m.struck, m.stage)).collect();
    assert_eq!(
        told,
        [
            (Fact::Delivered, false, false),
            (killed, true, false),
            (cut, true, false),
            (Fact::BrokerKilled, true, true),
        ]
    );
    // Known of the stage alone is nothing known of the message.
    let stage = [started(), struck(None, Fact::BrokerKilled)];
    assert!(life_in(&stage, PAYMENT).is_none());
}

fn style(lang: Lang, width: usize) -> Style {
    Style {
        lang,
        color: false,
        width,
        detail: Detail::Normal,
        interactive: false,
    }
}

fn traced(lang: Lang, width: usize) -> String {
    let events = sample::single(20);
    let head = Head::of(&events[0].event).unwrap();
    let scene = Scene {
        topic: "idempotency",
        scenario: "mark-first",
        events: &events,
        ended: None,
    };
    let life = Life::of(PAYMENT, &scene).unwrap();
    trace(&life, &head, &style(lang, width)).join("\n")
}

#[test]
fn two_ways_stand_side_by_side_with_their_fates_below() {
    let told = traced(Lang::En, 80);
    for words in [
        " payment-0010  idempotency/mark-first",
        "recorded: 2026-11-26 08:46 UTC, 7f3a\n",
        " NAIVE   mark, then pay\n",
        " naive                                   fixed",
        "   0.444  confirmed",
        " ! 0.555  killed ",
        "\n ✗ naive  LOST: confirmed or promised, never paid, and nowhere",
        "\n ✓ fixed  paid once\n",
        "\n ! a fault that struck; times are seconds since the run began",
    ] {
        assert!(told.contains(words), "{words:?} in\n{told}");
    }
    let chinese = traced(Lang::Zh, 80);
    for words in
        [" 朴素    先标记，再扣款", " ✗ 朴素  丢失：", " ✓ 改进  已支付"]
    {
        assert!(chinese.contains(words), "{words:?} in\n{chinese}");
    }
}

#[test]
fn where_there_is_no_room_they_stand_below_each_other() {
    let told = traced(Lang::En, 60);
    let (naive, fixed) =
        (told.find("\n naive\n").unwrap(), told.find("\n fixed\n").unwrap());
    assert!(naive < fixed, "{told}");
}

/// A run with a third way between the naive and the fixed one.
fn three_ways() -> Vec<Stamped> {
    let started =
        |way: WayName| Event::WayStarted { way, title: Text::same("a way") };
    let fact = |way| move |fact| Event::Fact { way, message: PAYMENT, fact };
    let gone = [Fact::Sent, Fact::Confirmed];
    let done = [Fact::Sent, Fact::Confirmed, Fact::Delivered, Fact::Applied];
    let ways = [
        (WayName::Naive, &gone[..]),
        (WayName::Halfway, &done[..]),
        (WayName::Fixed, &done[..]),
    ];
    let mut events = Vec::new();
    for (way, facts) in ways {
        events.push(started(way));
        events.extend(facts.iter().copied().map(fact(way)));
        let result = match way {
            WayName::Naive => ended(
                &[(Kind::Lost, 0)],
                Counts { lost: 1, ..Counts::default() },
            ),
            _ => ended(&[], Counts::default()),
        };
        events.push(Event::WayEnded { way, result });
    }
    sample::stamped(events)
}

#[test]
fn of_three_ways_two_stand_side_by_side_and_the_one_between_below() {
    let events = three_ways();
    let scene = Scene {
        topic: "idempotency",
        scenario: "mark-first",
        events: &events,
        ended: None,
    };
    let life = Life::of(PAYMENT, &scene).unwrap();
    let told = |lang, width| {
        trace(&life, &Head::default(), &style(lang, width)).join("\n")
    };
    let wide = told(Lang::En, 80);
    let both =
        wide.find("\n naive                                   fixed").unwrap();
    let between = wide.find("\n\n halfway\n").unwrap();
    let fates = wide.find("\n ✗ naive  LOST").unwrap();
    assert!(both < between && between < fates, "{wide}");
    assert_eq!(wide.matches(" halfway\n").count(), 1, "{wide}");
    assert!(wide.contains("\n ✓ halfway  paid once\n"), "{wide}");
    for line in told(Lang::Zh, 80).lines() {
        assert!(line.width_cjk() <= 80, "{line}");
    }
    // Where there is no room, all three in their order.
    let narrow = told(Lang::En, 60);
    let places = ["\n naive\n", "\n halfway\n", "\n fixed\n"]
        .map(|name| narrow.find(name).unwrap());
    assert!(places.is_sorted(), "{narrow}");
}

#[test]
fn no_line_is_wider_than_the_page() {
    for lang in [Lang::En, Lang::Zh] {
        for width in [80, 60, 40] {
            let told = traced(lang, width);
            for line in told.lines() {
                let columns = match lang {
                    Lang::En => line.width(),
                    Lang::Zh => line.width_cjk(),
                };
                assert!(columns <= width, "{columns} of {width}: {line}");
            }
        }
    }
}

#[test]
fn colour_moves_no_column() {
    let events = sample::single(20);
    let head = Head::of(&events[0].event).unwrap();
    let scene = Scene {
        topic: "idempotency",
        scenario: "mark-first",
        events: &events,
        ended: None,
    };
    let life = Life::of(PAYMENT, &scene).unwrap();
    let inked = Style { color: true, ..style(Lang::Zh, 80) };
    let inked = trace(&life, &head, &inked).join("\n");
    let mut plain = String::new();
    let mut rest = inked.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_ne!(plain, inked);
    assert_eq!(plain, traced(Lang::Zh, 80));
}

#[test]
fn what_happened_very_often_is_told_by_its_beginning_and_its_end() {
    let way = WayName::Trap;
    let message = Noun::Order.number(7);
    let mut events =
        vec![Event::WayStarted { way, title: Text::same("requeue") }];
    let fact = |fact| Event::Fact { way, message, fact };
    for _ in 0..500 {
        events.extend([fact(Fact::Redelivered), fact(Fact::Requeued)]);
    }
    let life = life_in(&events, message).unwrap();
    assert_eq!(life.ways[0].moments.len(), 1_000);
    let told = trace(&life, &Head::default(), &style(Lang::En, 80));
    assert!(told.len() < 60, "{}", told.len());
    assert!(told.join("\n").contains("952 more between"), "{told:?}");
}
