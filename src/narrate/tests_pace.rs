//! The narrator: order, pace, questions, and what happens when nobody can be
//! told any more.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    io::{Cursor, Write},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::{person::Person, sample, *};
use crate::event::{Choice, Event};

/// What was written, shared with the test.
#[derive(Clone, Default)]
pub(super) struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pipe that nobody reads.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn style(lang: Lang) -> Style {
    Style {
        lang,
        color: false,
        width: 80,
        detail: Detail::Normal,
        interactive: false,
    }
}

/// A narrator, what it tells, and what it asks on the same paper.
pub(super) fn narrator(pace: Pace, typed: &'static str) -> (Narrator, Paper) {
    let paper = Paper::default();
    let view = Terminal::new(paper.clone(), style(Lang::En));
    let person = Person::new(
        Box::new(Cursor::new(typed)),
        Box::new(paper.clone()),
        false,
    );
    let began = Instant::now();
    let narrator = Narrator::to_person(
        began,
        None,
        Box::new(view),
        pace,
        Lang::En,
        person,
    );
    (narrator, paper)
}

pub(super) fn tell(narrator: &Narrator, events: Vec<Stamped>) {
    events.into_iter().for_each(|event| narrator.retell(event));
}

pub(super) fn choices() -> Vec<Choice> {
    ['a', 'b'].map(|key| Choice { key, text: Text::same("answer") }).to_vec()
}

#[tokio::test]
async fn straight_through_everything_is_told_as_it_comes() {
    let (narrator, paper) = narrator(Pace::Through, "");
    tell(&narrator, sample::single(20));
    narrator.checkpoint().await;
    assert!(paper.text().contains("PROVEN"));
    assert!(!paper.text().contains("step"));
    assert_eq!(narrator.failed(), None);
}

#[tokio::test]
async fn a_step_that_an_earlier_way_told_is_no_stop_of_a_later_way() {
    let stops = |paper: &Paper| paper.text().matches("[Enter]").count();
    let entered = "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n";
    let (narrator, together) = narrator(Pace::Step, entered);
    tell(&narrator, sample::single(20));
    narrator.checkpoint().await;
    let (narrator, parted) = self::narrator(Pace::Step, entered);
    for event in sample::single(20) {
        let ended = matches!(event.event, Event::WayEnded { .. });
        narrator.retell(event);
        if ended {
            narrator.checkpoint().await;
        }
    }
    narrator.checkpoint().await;
    assert!(stops(&together) > 2, "{}", together.text());
    assert_eq!(stops(&parted), stops(&together), "{}", parted.text());
}

#[tokio::test]
async fn what_happens_aside_is_told_in_its_turn() {
    let (narrator, paper) = narrator(Pace::Through, "");
    let (first, second) = (narrator.aside(), narrator.aside());
    first.in_turn();
    let events = |of| sample::single(of).into_iter().map(|told| told.event);
    for (one, other) in events(20).zip(events(30)) {
        second.tell(other);
        first.tell(one);
    }
    // Whoever asks for it does not wait for another's turn.
    second.checkpoint().await;
    first.checkpoint().await;
    let (alone, expected) = self::narrator(Pace::Through, "");
    events(20).for_each(|event| alone.tell(event));
    alone.checkpoint().await;
    assert_eq!(paper.text(), expected.text(), "only the first is told");
    second.in_turn();
    second.checkpoint().await;
    events(30).for_each(|event| alone.tell(event));
    alone.checkpoint().await;
    assert_eq!(paper.text(), expected.text(), "then the second, whole");
}

#[tokio::test]
async fn with_steps_a_way_is_told_at_the_checkpoint() {
    let (narrator, paper) = narrator(Pace::Step, "\n\n\n\n\n\n");
    tell(&narrator, sample::single(20));
    narrator.told().await;
    assert!(
        paper.text().contains("Recipe"),
        "the head of the scenario waits for nobody"
    );
    assert!(!paper.text().contains("NAIVE"), "{}", paper.text());
    narrator.checkpoint().await;
    let told = paper.text();
    // Told before the first step: what the way does, and how it was hit.
    let head = told.find("NAIVE   mark, then pay").unwrap();
    let first = told.find("step 1/6 [Enter]").unwrap();
    assert!(head < first && first < told.find("1 publish").unwrap(), "{told}");
    let fault = told.find("step 3/6 [Enter]").unwrap();
    assert!(
        fault < told.find("payment-0010  marked, killed").unwrap(),
        "{told}"
    );
    let last = told.find("step 6/6 [Enter]").unwrap();
    assert!(
        last < told.find("paid twice     ").unwrap_or(usize::MAX),
        "{told}"
    );
    assert!(last < told.find("PROVEN").unwrap(), "{told}");
}

#[tokio::test]
async fn with_steps_nothing_else_is_told_than_without() {
    for run in [sample::topic(), sample::decoupling()] {
        let (through, plain) = narrator(Pace::Through, "");
        tell(&through, run.clone());
        through.finish().await;
        let (stepped, paper) = narrator(Pace::Step, "");
        tell(&stepped, run);
        stepped.finish().await;
        assert_eq!(plain.text(), paper.text());
    }
}

#[tokio::test]
async fn with_steps_a_curve_comes_after_the_steps_of_its_way() {
    let (narrator, paper) = narrator(Pace::Step, "\n\n\n\n");
    tell(&narrator, sample::decoupling());
    narrator.checkpoint().await;
    let told = paper.text();
    let curve = told.find("arrivals  avg 400/s |###").unwrap();
    assert!(told.find("step 1/").unwrap() < curve, "{told}");
    assert!(curve < told.find("FIXED").unwrap(), "{told}");
    assert_eq!(told.matches("2 fault    in a surge").count(), 2, "{told}");
}

#[tokio::test]
async fn a_way_in_two_halves_is_told_in_two_halves() {
    let (narrator, paper) = narrator(Pace::Step, "\n\n\n\n\n\n");
    let mut events = sample::naive(sample::result(20, true));
    let rest = events.split_off(3);
    tell(&narrator, sample::stamped(events));
    narrator.checkpoint().await;
    assert!(paper.text().contains("1 publish"), "{}", paper.text());
    tell(&narrator, sample::stamped(rest));
    narrator.checkpoint().await;
    let told = paper.text();
    assert!(told.contains("payment-0010  marked, killed"), "{told}");
    assert!(told.contains("hit 20 of 20"), "{told}");
}

#[tokio::test]
async fn at_the_end_of_input_the_telling_goes_on() {
    let (narrator, paper) = narrator(Pace::Step, "\n");
    tell(&narrator, sample::single(20));
    narrator.checkpoint().await;
    narrator.hold().await;
    assert!(paper.text().contains("PROVEN"));
    assert!(!paper.text().contains("step 3/6"), "nobody is there to be asked");
}

#[tokio::test]
async fn at_a_pace_the_steps_are_apart() {
    let (narrator, paper) =
        narrator(Pace::Every(Duration::from_millis(20)), "");
    tell(&narrator, sample::single(20));
    let began = Instant::now();
    narrator.checkpoint().await;
    assert!(began.elapsed() >= Duration::from_millis(6 * 20), "six steps");
    assert!(paper.text().contains("PROVEN"));
}

#[tokio::test]
async fn a_key_or_enter_answers_and_nonsense_is_asked_again() {
    for (typed, answer, asked) in [
        ("b\n", Some('b'), 1),
        ("B\n", Some('b'), 1),
        ("\n", None, 1),
        ("", None, 1),
        ("x\nab\na\n", Some('a'), 3),
        ("x\ny\nz\na\n", None, 3),
    ] {
        let (narrator, paper) = narrator(Pace::Through, typed);
        assert_eq!(
            narrator.ask(&Text::default(), &choices()).await,
            answer,
            "{typed:?}"
        );
        assert_eq!(
            paper.text().matches(": ").count(),
            asked,
            "{:?}",
            paper.text()
        );
    }
}

#[tokio::test]
async fn a_closed_pipe_is_found_and_stops_nothing() {
    let view = Terminal::new(Closed, style(Lang::En));
    let narrator = Narrator::new(
        Instant::now(),
        None,
        Box::new(view),
        Pace::Through,
        Lang::En,
    );
    tell(&narrator, sample::single(20));
    let failure = narrator.failure().await;
    assert_eq!(failure, Failure::View(io::ErrorKind::BrokenPipe));
    narrator.checkpoint().await;
    narrator.finish().await;
    assert_eq!(narrator.failed(), Some(failure));
}

#[tokio::test]
async fn a_record_is_written_at_once_at_any_pace() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.jsonl");
    let record = Record::create(&path).unwrap();
    let view = Box::new(JsonLines::new(Paper::default()));
    let narrator =
        Narrator::new(Instant::now(), Some(record), view, Pace::Step, Lang::En);
    let told = sample::single(20);
    tell(&narrator, told.clone());
    assert_eq!(Recorded::read(&path).unwrap().events(), told);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_found() {
    let record = Record::create("/dev/full").unwrap();
    let view = Box::new(JsonLines::new(Paper::default()));
    let narrator = Narrator::new(
        Instant::now(),
        Some(record),
        view,
        Pace::Through,
        Lang::En,
    );
    tell(&narrator, sample::single(20));
    let Failure::Record(kind, _) = narrator.failure().await else {
        panic!("not the record")
    };
    assert_eq!(kind, io::ErrorKind::StorageFull);
}

#[test]
fn a_view_that_hangs_holds_nobody_up() {
    struct Hangs(std::sync::mpsc::Receiver<()>);
    impl View for Hangs {
        fn tell(&mut self, _: &Stamped) -> io::Result<()> {
            let _ = self.0.recv();
            Ok(())
        }
    }
    let (release, held) = std::sync::mpsc::channel();
    let narrator = Narrator::new(
        Instant::now(),
        None,
        Box::new(Hangs(held)),
        Pace::Through,
        Lang::En,
    );
    let began = Instant::now();
    (0..1000).for_each(|_| narrator.tell(Event::Waited { took_ms: 1 }));
    assert!(began.elapsed() < Duration::from_secs(5));
    drop(release);
}

#[test]
fn a_person_who_says_nothing_does_not_keep_the_program() {
    /// Standard input on which nothing ever comes.
    struct Silent;
    impl io::Read for Silent {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            loop {
                std::thread::park();
            }
        }
    }
    let person = Person::new(
        Box::new(io::BufReader::new(Silent)),
        Box::new(Paper::default()),
        false,
    );
    let view = Box::new(JsonLines::new(Paper::default()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let began = Instant::now();
        let narrator = Narrator::to_person(
            began,
            None,
            view,
            Pace::Through,
            Lang::En,
            person,
        );
        let question = Text::default();
        let asking = narrator.ask(&question, &[]);
        let asked =
            tokio::time::timeout(Duration::from_millis(50), asking).await;
        assert!(asked.is_err(), "nobody answered");
    });
    let began = Instant::now();
    drop(runtime);
    assert!(began.elapsed() < Duration::from_secs(1));
}
