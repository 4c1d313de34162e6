//! Pages of hand-made runs: what stands in them, and what never may.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::{
    event::{Event, Seat, WayName},
    ledger::{Fact, MessageId},
    narrate::sample,
    text::Text,
};

pub(super) fn made(events: Vec<Stamped>) -> String {
    page(events, Lang::En)
}

/// What stands between a tag and its end, the first time.
pub(super) fn first<'p>(page: &'p str, from: &str, to: &str) -> &'p str {
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
