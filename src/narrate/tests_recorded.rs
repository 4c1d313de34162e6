//! Records read, picked apart, and told again, on hand-written runs.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    io::Cursor,
    time::{Duration, SystemTime},
};

use flate2::{Compression, write::GzEncoder};

use super::{sample, *};
use crate::event::{Event, FORMAT, Verdict};

fn lines(events: &[Stamped]) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut view = JsonLines::new(&mut lines);
    events.iter().for_each(|event| view.tell(event).unwrap());
    lines
}

fn read(bytes: impl Into<Vec<u8>>) -> Result<Recorded, Unreadable> {
    Recorded::of(Events::of(Cursor::new(bytes.into()))?)
}

fn recorded(events: &[Stamped]) -> Recorded {
    read(lines(events)).unwrap()
}

fn why(bytes: impl Into<Vec<u8>>) -> String {
    read(bytes).unwrap_err().to_string()
}

fn told(events: &[Stamped], lang: Lang, asks: bool) -> String {
    let style = Style {
        lang,
        color: false,
        width: 80,
        detail: Detail::Normal,
        interactive: false,
    };
    let mut out = Vec::new();
    let terminal = Terminal::new(&mut out, style);
    let mut terminal = if asks { terminal } else { terminal.asks_nobody() };
    events.iter().for_each(|event| terminal.tell(event).unwrap());
    drop(terminal);
    String::from_utf8(out).unwrap()
}

/// As `replay` marks it.
fn marked(events: &[Stamped]) -> Vec<Stamped> {
    let mut recorded = recorded(events);
    recorded.amend(|event| {
        if let Event::RunStarted { recorded, .. } = event {
            *recorded = true;
        }
    });
    recorded.into_events()
}

#[test]
fn a_record_is_read_compressed_or_not() {
    let events = sample::single(20);
    let plain = lines(&events);
    let mut gz = GzEncoder::new(Vec::new(), Compression::best());
    io::Write::write_all(&mut gz, &plain).unwrap();
    let gz = gz.finish().unwrap();
    assert_eq!(read(plain).unwrap().events(), events);
    assert_eq!(read(gz.clone()).unwrap().events(), events);
    let torn = why(&gz[..gz.len() / 2]);
    assert!(torn.starts_with("the record is damaged: line "), "{torn}");
}

#[test]
fn a_last_line_that_was_cut_off_is_left_out() {
    let events = sample::single(20);
    let whole = lines(&events);
    let torn = &whole[..whole.len() - 20];
    let read = read(torn).unwrap();
    assert_eq!(read.events(), &events[..events.len() - 1]);
    assert!(read.breaks_off());
}

#[test]
fn a_line_that_is_no_event_is_named() {
    let mut damaged = lines(&sample::single(20)[..3]);
    damaged.extend(b"nonsense\n");
    assert_eq!(
        why(damaged),
        "the record is damaged: line 4 is no event (expected ident)"
    );
}

#[test]
fn a_time_that_no_run_takes_breaks_no_sum() {
    let mut events = sample::single(20);
    for event in &mut events {
        event.at_ms = u64::MAX;
    }
    let recorded = recorded(&events);
    let all: u128 = recorded.events().iter().map(|e| u128::from(e.at_ms)).sum();
    assert!(all < u128::from(u64::MAX), "{all}");
    told(recorded.events(), Lang::En, false);
}

#[test]
fn what_is_no_record_says_so() {
    for stranger in ["hello\n", "{}\n", "{\"at_ms\":1,\"event\":\"waited\"}\n"]
    {
        let why = why(stranger);
        assert!(why.contains("does not begin as a record"), "{why}");
    }
    for empty in ["", "{\"at_ms\":3,\"event\":\"run-sta"] {
        assert!(why(empty).contains("is empty"), "{empty:?}");
    }
    let endless = vec![b'['; 5 * 1024 * 1024];
    assert!(why(endless).contains("longer than any"));
}

#[test]
fn a_record_of_a_newer_format_is_refused_and_an_older_one_is_told() {
    let ours = String::from_utf8(lines(&sample::single(20))).unwrap();
    let format = |with: &str| ours.replacen("\"format\":1,", with, 1);
    let newer = format("\"format\":99,\"unheard\":[1],").replacen(
        "\"version\":\"0.1.0\"",
        "\"version\":\"9.0.0\"",
        1,
    );
    let why = why(newer);
    assert!(
        why.contains("written by a later rmq-lab 9.0.0: its format is 99"),
        "{why}"
    );
    let older =
        format("").replacen(",\"started\":\"2026-11-26T08:46:17Z\"", "", 1);
    assert_ne!(older, ours);
    let older = read(older).unwrap();
    assert_eq!(older.head.when(), None);
    assert_eq!(older.events().len(), sample::single(20).len());
    let newest = read(format(&format!("\"format\":{FORMAT},")));
    assert_eq!(newest.unwrap().head.when().unwrap(), "2026-11-26 08:46");
}

#[test]
fn a_time_that_is_none_is_not_told() {
    let day = Duration::from_secs(86_400);
    let epoch = SystemTime::UNIX_EPOCH;
    assert_eq!(utc(epoch).unwrap(), "1970-01-01T00:00:00Z");
    let last = epoch + Duration::from_secs(253_402_300_799);
    assert_eq!(utc(last).unwrap(), "9999-12-31T23:59:59Z");
    assert_eq!(utc(epoch - day), None);
    assert_eq!(utc(last + day), None);
    let ours = String::from_utf8(lines(&sample::single(20))).unwrap();
    for foreign in ["12026-11-26T08:46:17Z", "1826-11-26T08:46:17Z", "soon"] {
        let record = ours.replace("2026-11-26T08:46:17Z", foreign);
        assert_eq!(read(record).unwrap().head.started, None, "{foreign}");
    }
}

#[test]
fn a_run_is_told_again_as_it_was_told_apart_from_the_mark() {
    for events in [sample::single(20), sample::single(0), sample::topic()] {
        for lang in [Lang::En, Lang::Zh] {
            let mark = if lang == Lang::En { "recorded: " } else { "录像: " };
            let live = told(&lasting(&events), lang, false);
            let again = told(&marked(&events), lang, false);
            let (first, rest) = again.split_once('\n').unwrap();
            let head =
                if lang == Lang::En { " RECORDED  " } else { " 录像  " };
            assert!(first.starts_with(head), "{first}");
            assert!(first.contains("2026-11-26 08:46 UTC"), "{first}");
            assert!(first.contains("0.1.0"), "{first}");
            let scenarios = recorded(&events).verdicts().count();
            assert_eq!(rest.matches(mark).count(), scenarios, "{rest}");
            assert_eq!(bare(&live, mark), bare(rest, mark));
        }
    }
}

/// Without what was of its own time: commands, waits, and where the stage was
/// reached.
fn lasting(events: &[Stamped]) -> Vec<Stamped> {
    let mut lasting = events.to_vec();
    lasting.retain(|stamped| {
        !matches!(
            stamped.event,
            Event::Command { .. }
                | Event::Waiting { .. }
                | Event::Progress { .. }
                | Event::Waited { .. }
        )
    });
    for stamped in &mut lasting {
        if let Event::StageUp { management, places, .. } = &mut stamped.event {
            *management = None;
            places.clear();
        }
    }
    lasting
}

#[test]
fn what_was_of_its_own_time_is_not_told_again() {
    let style = |detail, interactive| Style {
        lang: Lang::En,
        color: false,
        width: 80,
        detail,
        interactive,
    };
    for detail in [Detail::Quiet, Detail::Normal, Detail::Verbose] {
        for interactive in [false, true] {
            let mut out = Vec::new();
            let mut terminal =
                Terminal::new(&mut out, style(detail, interactive));
            for event in marked(&sample::topic()) {
                terminal.tell(&event).unwrap();
            }
            drop(terminal);
            let told = String::from_utf8(out).unwrap();
            assert!(told.contains("PROVEN"), "{told}");
            for then in ["docker exec", "waiting for", "Starting", "pUq3"] {
                assert!(!told.contains(then), "{then} in {told}");
            }
        }
    }
}

/// Words only: the mark moves what stands at the right edge.
fn bare(told: &str, mark: &str) -> Vec<String> {
    told.replace(mark, " ").split_whitespace().map(str::to_owned).collect()
}

#[test]
fn scenarios_are_told_apart() {
    let recorded = recorded(&sample::topic());
    let scenes: Vec<_> = recorded.scenes().collect();
    let named: Vec<_> = scenes.iter().map(Scene::target).collect();
    assert_eq!(
        named,
        [
            "idempotency/mark-first",
            "idempotency/mark-first",
            "idempotency/streams"
        ]
    );
    let verdicts: Vec<_> =
        scenes.iter().map(|s| s.ended.map(|ended| ended.verdict)).collect();
    assert_eq!(verdicts, [Some(Verdict::Proven), Some(Verdict::Refuted), None]);
    let lengths: usize = scenes.iter().map(|s| s.events.len()).sum();
    // The run's beginning, its stage, and its end belong to none.
    assert_eq!(lengths + 1 + 4 + 1, recorded.events().len());
}

#[test]
fn what_is_picked_out_is_a_run_of_its_own() {
    let recorded = recorded(&sample::topic());
    let picked = recorded.only(|scene| scene.scenario == "streams").unwrap();
    assert_eq!(picked.head.scenarios, ["idempotency/streams"]);
    let Some(Event::RunEnded { proven: 0, refuted: 0, skipped: 1, .. }) =
        picked.events().last().map(|last| &last.event)
    else {
        panic!("{:?}", picked.events().last());
    };
    let first = recorded
        .only(|scene| scene.ended.is_some_and(|e| e.verdict == Verdict::Proven))
        .unwrap();
    let places: Vec<_> = first
        .events()
        .iter()
        .filter_map(|stamped| match stamped.event {
            Event::ScenarioStarted { index, of, .. } => Some((index, of)),
            _ => None,
        })
        .collect();
    assert_eq!(places, [(1, 1)]);
    assert!(!first.breaks_off());
    assert!(recorded.only(|_| false).is_none());
    let all = recorded.only(|_| true).unwrap();
    assert_eq!(all.events(), recorded.events());
}

#[test]
fn a_whole_scenario_of_a_run_that_broke_off_is_whole() {
    let mut events = sample::topic();
    let verdict = |e: &Stamped| matches!(e.event, Event::Verdict(_));
    let first = events.iter().position(verdict).unwrap();
    events.truncate(first + 5);
    let recorded = recorded(&events);
    assert!(recorded.breaks_off());
    assert_eq!(recorded.scenes().count(), 2);
    let whole = recorded.only(|scene| scene.ended.is_some()).unwrap();
    assert!(!whole.breaks_off());
    let torn = recorded.only(|scene| scene.ended.is_none()).unwrap();
    assert!(torn.breaks_off());
}

#[test]
fn what_was_left_out_is_not_waited_for() {
    let recorded = recorded(&sample::topic());
    let picked = recorded.only(|scene| scene.ended.is_none()).unwrap();
    let gaps: Vec<_> = (0..picked.events().len())
        .map(|index| picked.gap_before(index).as_millis())
        .collect();
    // The stage as it came up, and what lay behind in a step each.
    assert_eq!(gaps, [0, 37, 37, 37, 37, 0, 0]);
}

#[test]
fn the_time_for_a_guess_is_not_the_runs() {
    let recorded = recorded(&sample::single(20));
    let guess = recorded
        .events()
        .iter()
        .position(|e| matches!(e.event, Event::Predicted { .. }))
        .unwrap();
    assert!(recorded.gap_before(guess).is_zero());
    assert!(!recorded.gap_before(guess + 1).is_zero());
}
