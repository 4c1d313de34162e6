//! Pages of hand-made runs: what stands in them, and what never may.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::{
    event::{Event, Gauge, Seat, WayName},
    ledger::{Fact, MessageId, Noun},
    narrate::sample,
    text::Text,
};

fn made(events: Vec<Stamped>) -> String {
    page(events, Lang::En)
}

fn without_style(page: &str) -> String {
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    format!("{head}{body}")
}

/// What stands between a tag and its end, the first time.
fn first<'p>(page: &'p str, from: &str, to: &str) -> &'p str {
    let (_, rest) = page.split_once(from).expect(from);
    rest.split_once(to).expect(to).0
}

#[test]
fn a_page_has_what_a_scenario_is_about_and_came_to() {
    let page = made(sample::single(20));
    for told in [
        "idempotency/mark-first",
        "Look the id up in Redis",
        "dies after the mark",
        "your guess",
        "PROVEN",
        "naive lost 20 of 200, fixed 0",
        "The mark outlived the crash",
        "Id and payment in one transaction",
        "Mail and HTTP lie outside it",
        "Mark first loses",
        "hit 20 of 20",
        "200 payments, each id minted once",
        "rabbitmqctl -p naive list_queues",
        "payment-0010",
        "3.5 s",
        "rmq-lab/rabbitmq:4.3",
        "2026-11-26 08:46:17 UTC",
        "rmq-lab demo idempotency/mark-first --messages 200 --seed 7",
    ] {
        assert!(page.contains(told), "{told}");
    }
    // A lane for each that was struck, in either way.
    assert_eq!(page.matches("<g class=\"lane wrong\">").count(), 20);
    assert_eq!(page.matches("<g class=\"lane\">").count(), 20);
    assert_eq!(page.matches("class=\"band").count(), 40);
}

#[test]
fn both_languages_stand_in_the_page_and_one_is_chosen() {
    for (lang, tag, chosen) in
        [(Lang::En, "en", "in-en"), (Lang::Zh, "zh-Hans", "in-zh")]
    {
        let page = page(sample::single(20), lang);
        assert!(page.contains(&format!("<html lang=\"{tag}\"")));
        let checked = format!("id=\"{chosen}\" checked");
        assert!(page.contains(&checked), "{checked}");
        assert_eq!(page.matches("\" checked").count(), 1);
        assert!(page.contains("The mark outlived the crash"));
        assert!(page.contains("标记在崩溃后还在"));
    }
}

/// What the style sheet hides must have a counterpart that it shows.
#[test]
fn every_word_has_its_counterpart() {
    for events in [
        sample::topic(),
        sample::single(0),
        sample::decoupling(),
        four_orders(4),
    ] {
        let page = made(events);
        for element in ["span", "text"] {
            let of = |lang: &str| {
                let start = format!("<{element} ");
                let tags = page.split(&start).skip(1);
                let tags = tags.filter_map(|rest| rest.split_once('>'));
                tags.filter(|(tag, _)| {
                    tag.contains(&format!("lang=\"{lang}\""))
                })
                .count()
            };
            assert_eq!(of("en"), of("zh-Hans"), "{element}");
        }
    }
}

#[test]
fn nothing_in_a_page_leads_out_of_it() {
    for events in [sample::topic(), sample::single(0), sample::decoupling()] {
        let page = made(events);
        for fetched in ["src=", "<link", "<iframe", "<img", "<base", "@import"]
        {
            assert!(!page.contains(fetched), "{fetched}");
        }
        assert!(!page.contains("url(") || page.matches("url(").count() == 1);
        assert!(page.contains("url(#hatch)"));
        for link in page.split("href=\"").skip(1) {
            assert!(link.starts_with('#'), "{}", &link[..40]);
        }
        assert!(page.contains("default-src 'none'"));
    }
}

#[test]
fn a_login_is_not_passed_on() {
    let page = made(sample::topic());
    assert!(!page.contains("pUq3-kk2e-9sFa"));
    assert!(!page.contains("127.0.0.1"));
}

/// Whatever comes out of a queue is text, wherever it stands.
#[test]
fn hostile_words_are_words() {
    const EVIL: &str = "</style></script><script>alert(1)</script>\
                        <img src=x onerror=alert(1)>\" onload=\"alert(1)' &";
    let evil = || Text::same(EVIL);
    let mut events = sample::single(20);
    for Stamped { event, .. } in &mut events {
        match event {
            Event::RunStarted { run, record, scenarios, started, .. } => {
                *run = EVIL.into();
                *record = EVIL.into();
                scenarios.push(EVIL.into());
                *started = Some(EVIL.into());
            }
            Event::StageUp { services, .. } => {
                services[0].product = EVIL.into();
                services[0].source = EVIL.into();
            }
            Event::ScenarioStarted { scenario, kind, on, choices, .. } => {
                *scenario = EVIL.into();
                *kind = EVIL.into();
                on.push(EVIL.into());
                choices[0].text = evil();
            }
            Event::WayStarted { title, .. } => *title = evil(),
            Event::Step { text, verb, .. } => {
                *text = evil();
                *verb = evil();
            }
            Event::Command { line, .. } => *line = EVIL.into(),
            Event::Verdict(ended) => {
                ended.scenario = EVIL.into();
                ended.claim = evil();
                ended.again = EVIL.into();
                ended.charts = vec![sample::waits()];
                ended.charts[0].title = evil();
            }
            _ => {}
        }
    }
    let way = WayName::Naive;
    let seat = Seat { name: EVIL.into(), is: evil(), up: false, side: 0 };
    let place = events.len() / 4;
    let topology = Event::Topology { way, seats: vec![seat] };
    events.insert(place, Stamped { at_ms: 9, event: topology });
    let page = made(events);
    assert!(page.contains("&lt;script&gt;alert(1)"));
    let (scripts, handlers) =
        (page.matches("<script").count(), page.matches(" onload=\"").count());
    assert_eq!((scripts, handlers), (1, 0));
    assert!(!page.contains("<img"));
    assert_eq!(page.matches("</style>").count(), 1);
    assert_eq!(page.matches("</script>").count(), 1);
}

#[test]
fn several_scenarios_have_a_table_of_contents() {
    let page = made(sample::topic());
    let contents = first(&page, "<nav", "</nav>");
    for told in
        ["#s0", "#s1", "#s2", "PROVEN", "REFUTED", "left out", "20 lost"]
    {
        assert!(contents.contains(told), "{told}");
    }
    for id in ["s0", "s1", "s2"] {
        assert!(page.contains(&format!("<article id=\"{id}\"")), "{id}");
    }
    assert!(!made(sample::single(20)).contains("<nav"));
}

#[test]
fn what_is_not_proven_teaches_nothing_and_says_why() {
    let page = made(sample::single(0));
    assert!(page.contains("REFUTED"));
    assert!(page.contains("expected that exactly the struck 20 are lost"));
    assert!(page.contains("7f3a-broker.log"));
    assert!(!page.contains("Mail and HTTP lie outside it"));
    assert!(!page.contains("class=\"right\""));
}

#[test]
fn a_run_that_was_broken_off_says_so_and_shows_what_it_saw() {
    let whole = sample::single(20);
    assert!(!made(whole.clone()).contains("did not come to its end"));
    let struck = whole
        .iter()
        .position(|e| matches!(e.event, Event::Struck { .. }))
        .unwrap();
    let verdict = whole
        .iter()
        .position(|e| matches!(e.event, Event::Verdict(_)))
        .unwrap();
    // Wherever it ends, there is a page; and at the strike it has the lane.
    for end in 0..whole.len() {
        let mut live = Report::new(Lang::En);
        whole[..end].iter().for_each(|event| live.tell(event).unwrap());
        let (live, recorded) = (live.page(), made(whole[..end].to_vec()));
        let says_so = "did not come to its end";
        assert!(live.contains(says_so), "{end}");
        // A scenario that was picked from a record is whole with its verdict.
        assert_eq!(recorded.contains(says_so), end <= verdict, "{end}");
        for page in [live, recorded] {
            assert!(page.ends_with("</html>"), "{end}");
        }
    }
    let mut events = whole[..=struck].to_vec();
    let page = made(events.clone());
    assert!(page.contains("It was interrupted"));
    assert!(page.contains("BROKEN OFF"));
    assert_eq!(page.matches("<g class=\"lane\">").count(), 1);
    events.push(Stamped {
        at_ms: 9_999,
        event: Event::Error {
            error: Text::fixed("the disk is full", "磁盘已满"),
            help: vec![Text::same("df -h")],
            exit: 3,
        },
    });
    let page = made(events);
    assert!(page.contains("the disk is full") && page.contains("df -h"));
    assert!(!page.contains("It was interrupted"));
}

#[test]
fn curves_charts_and_grids_are_drawn_and_told_in_numbers() {
    let page = made(sample::decoupling());
    for told in [
        "Rates and queue depth",
        "; deepest ",
        "The curves as a table",
        "class=\"fill naive\"",
        "How long the caller waits",
        "412 ms",
    ] {
        assert!(page.contains(told), "{told}");
    }
}

const UNDONE: &str = "Not yet done, from facts";

/// A way of four orders, one thing each 100 ms; the last order is lost. Of
/// so many the ledger says that they were confirmed.
fn four_orders(confirmed: u64) -> Vec<Stamped> {
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

#[test]
fn machines_that_do_not_hear_each_other_are_parted() {
    let seat = |name: &str, up, side| Seat {
        name: name.into(),
        is: Text::fixed("leader", "主"),
        up,
        side,
    };
    let mut events = sample::single(20);
    let seats =
        vec![seat("n1", true, 0), seat("n2", true, 1), seat("n3", false, 1)];
    let start = events
        .iter()
        .position(|e| matches!(e.event, Event::WayStarted { .. }))
        .unwrap();
    let event = Event::Topology { way: WayName::Naive, seats };
    events.insert(start + 1, Stamped { at_ms: 4_321, event });
    let page = made(events);
    assert!(page.contains("4.321 s"));
    assert_eq!(page.matches("class=\"cut\"").count(), 1);
    assert_eq!(page.matches("class=\"seat down\"").count(), 1);
}

#[test]
fn times_are_measured_from_fact_to_fact() {
    let (way, message) = (WayName::Naive, MessageId::payment(7));
    let fact = |at_ms, fact| Stamped {
        at_ms,
        event: Event::Fact { way, message, fact },
    };
    let mut events = sample::single(20);
    let start = events
        .iter()
        .position(|e| matches!(e.event, Event::WayStarted { .. }))
        .unwrap();
    let facts = [
        fact(1_000, Fact::Sent),
        fact(1_812, Fact::Confirmed),
        fact(1_900, Fact::Delivered),
        fact(1_903, Fact::Applied),
    ];
    events.splice(start + 1..=start, facts);
    let page = made(events);
    let times = first(&page, "class=\"spread\"", "</table>");
    assert!(times.contains("812 ms") && times.contains("3 ms"), "{times}");
    assert!(times.contains("delivered to applied"));
}

#[test]
fn headings_are_in_order_and_names_are_not_given_twice() {
    for events in [
        sample::topic(),
        sample::single(20),
        sample::decoupling(),
        four_orders(4),
    ] {
        let page = without_style(&made(events));
        let mut level = 0;
        for heading in page.split("<h").skip(1) {
            let Some(next) =
                heading.chars().next().and_then(|c| c.to_digit(10))
            else {
                continue;
            };
            assert!(next <= level + 1, "h{level}, then h{next}");
            level = next;
        }
        assert_eq!(page.matches("<h1").count(), 1);
        let mut ids: Vec<&str> = page
            .split(" id=\"")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once('"')?.0))
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all);
        // Whatever names something by its id finds it.
        for attribute in ["aria-labelledby", "aria-describedby", "for", "href"]
        {
            let start = format!(" {attribute}=\"");
            let by = page.split(&start).skip(1);
            for name in by.filter_map(|rest| Some(rest.split_once('"')?.0)) {
                let name = name.trim_start_matches('#');
                assert!(ids.contains(&name), "{attribute}={name}");
            }
        }
    }
}

#[test]
fn every_picture_has_a_name_and_stands_beside_numbers() {
    for events in [sample::single(20), sample::decoupling(), four_orders(4)] {
        let page = made(events);
        for picture in page.split("<svg").skip(1) {
            let svg = picture.split_once("</svg>").unwrap().0;
            let tag = svg.split_once('>').unwrap().0;
            if tag.contains("role=\"img\"") {
                assert!(svg.contains("<title>") && svg.contains("<desc>"));
            } else {
                assert!(tag.contains("aria-hidden=\"true\""), "{tag}");
            }
        }
        let pictures = page.matches("class=\"lanes\"").count();
        let tables = page.matches("The lanes as a table").count();
        assert!(tables <= pictures);
    }
}

/// WCAG 2: text has a contrast of at least 4.5 to what it stands on.
#[test]
fn every_ink_can_be_read_on_every_ground() {
    const STYLE: &str = include_str!("page.css");
    let (light, rest) = STYLE.split_once("@media screen").unwrap();
    let (dark, _) = rest.split_once("/* One of the two").unwrap();
    for theme in [light, dark] {
        let ink =
            |name: &str| luminance(first(theme, &format!("--{name}: #"), ";"));
        let contrast = |a: f64, b: f64| (a.max(b) + 0.05) / (a.min(b) + 0.05);
        let inks = ["ink", "muted", "link", "good", "bad", "warn", "info"];
        for name in inks {
            for ground in ["ground", "card", "sunk"] {
                let found = contrast(ink(name), ink(ground));
                assert!(found >= 4.5, "{name} on {ground}: {found:.2}");
            }
        }
        for name in ["good", "bad", "warn", "info"] {
            let found = contrast(ink(name), ink(&format!("{name}-soft")));
            assert!(found >= 4.5, "{name} on its own: {found:.2}");
        }
    }
}

fn luminance(hex: &str) -> f64 {
    let part = |n: usize| {
        let byte = u8::from_str_radix(&hex[n * 2..n * 2 + 2], 16).unwrap();
        let share = f64::from(byte) / 255.0;
        match share {
            ..=0.040_45 => share / 12.92,
            _ => ((share + 0.055) / 1.055).powf(2.4),
        }
    };
    0.2126 * part(0) + 0.7152 * part(1) + 0.0722 * part(2)
}

#[test]
fn what_a_broken_pipe_does_not_hear_stands_in_the_page() {
    struct Deaf;
    impl View for Deaf {
        fn tell(&mut self, _: &Stamped) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let report = Arc::new(Mutex::new(Report::new(Lang::En)));
    let mut both = WithReport::new(Box::new(Deaf), report.clone());
    for event in sample::single(20) {
        assert!(both.tell(&event).is_err());
    }
    let page = report.lock().unwrap().page();
    assert!(page.contains("PROVEN"));
    assert!(!page.contains("did not come to its end"));
}
