//! Records made by hand, in a state directory of their own.

use std::{
    fs::{self, File},
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use rmq_lab::{
    event::{
        Column, Ended, Event, FORMAT, Service, Stamped, Verdict, WayName,
        WayResult,
    },
    ledger::{Anomaly, Counts, Fact, Kind, MessageId, Noun},
    text::Text,
};
use tempfile::TempDir;

/// A state directory with some runs.
pub struct Shelf(TempDir);

impl Shelf {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a place"))
    }

    /// With a run of this id, and this record.
    pub fn with(self, id: &str, record: impl AsRef<[u8]>) -> Self {
        let home = self.0.path().join("runs").join(id);
        fs::create_dir_all(&home).expect("our own directory");
        fs::write(home.join("record.jsonl"), record).expect("our own file");
        self
    }

    /// A run that says nothing of its time, and whose file says it was
    /// written before 1970.
    pub fn before_all_times(self, id: &str, record: &str) -> Self {
        let shelf = self.with(id, record);
        let file = File::options().write(true).open(shelf.record_of(id));
        let then = UNIX_EPOCH - Duration::from_secs(86_400);
        file.expect("our own file").set_modified(then).expect("a time");
        shelf
    }

    pub fn state(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    pub fn record_of(&self, id: &str) -> PathBuf {
        self.0.path().join("runs").join(id).join("record.jsonl")
    }
}

/// The record of one scenario in which payment-0010 is lost in the naive way.
pub fn record(id: &str, started: &str, verdict: Verdict) -> String {
    lines(&[
        vec![run_started(id, started, "all"), stage_up()],
        mark_first(verdict),
        vec![run_ended(verdict)],
    ])
}

/// The same in a run of many messages, which keeps the struck ones only.
pub fn record_of_the_struck(id: &str, started: &str) -> String {
    lines(&[
        vec![run_started(id, started, "struck"), stage_up()],
        mark_first(Verdict::Proven),
        vec![run_ended(Verdict::Proven)],
    ])
}

/// The same, killed in the naive way.
pub fn broken_off(id: &str, started: &str) -> String {
    let mut scenario = mark_first(Verdict::Proven);
    scenario.truncate(8);
    lines(&[vec![run_started(id, started, "all"), stage_up()], scenario])
}

fn lines(parts: &[Vec<Event>]) -> String {
    let stamped = (0..).step_by(7).zip(parts.concat());
    let lines = stamped.map(|(at_ms, event)| {
        let line = serde_json::to_string(&Stamped { at_ms, event });
        line.expect("an event") + "\n"
    });
    lines.collect()
}

fn run_started(id: &str, started: &str, facts: &str) -> Event {
    Event::RunStarted {
        format: FORMAT,
        run: id.to_owned(),
        version: "0.1.0".to_owned(),
        scenarios: vec!["idempotency/mark-first".to_owned()],
        seed: 1,
        record: "/nowhere/record.jsonl".to_owned(),
        facts: facts.to_owned(),
        started: Some(started.to_owned()),
        recorded: false,
    }
}

fn stage_up() -> Event {
    Event::StageUp {
        services: vec![Service {
            product: "RabbitMQ 4.3.6".to_owned(),
            image: "rabbitmq:4.3-management".to_owned(),
            source: "present".to_owned(),
            container: "lab-broker".to_owned(),
            boot_ms: 3_000,
        }],
        management: Some(rmq_lab::event::Login {
            url: "http://127.0.0.1:49153/".to_owned(),
            user: "teacher".to_owned(),
            password: "of-then".to_owned(),
        }),
        way: None,
        places: Vec::new(),
    }
}

fn mark_first(verdict: Verdict) -> Vec<Event> {
    let mut events = vec![Event::ScenarioStarted {
        topic: "idempotency".to_owned(),
        scenario: "mark-first".to_owned(),
        kind: "pair".to_owned(),
        index: 1,
        of: 1,
        on: vec!["RabbitMQ 4.3.6".to_owned()],
        recipe: Text::fixed("Mark it, then pay.", "先标记，再付款。"),
        fault: Text::fixed("The consumer dies.", "消费者崩溃。"),
        question: Text::fixed("What then?", "会怎样？"),
        choices: Vec::new(),
        without: None,
    }];
    let lost =
        way(WayName::Naive, "mark, then pay", &[Fact::Seen, Fact::Acked]);
    let paid =
        way(WayName::Fixed, "both at once", &[Fact::Applied, Fact::Acked]);
    let mut ways = std::collections::BTreeMap::new();
    for (events_of_way, result) in [lost, paid] {
        let name = match &events_of_way[0] {
            Event::WayStarted { way, .. } => *way,
            other => panic!("{other:?}"),
        };
        events.extend(events_of_way);
        events.push(Event::WayEnded { way: name, result: result.clone() });
        ways.insert(name, result);
    }
    events.push(Event::Verdict(Box::new(ended(verdict, ways))));
    events
}

/// A way in which payment-0010 is struck, and payment-0011 is not; it promises
/// a mail with each.
fn way(
    way: WayName,
    title: &'static str,
    after: &[Fact],
) -> (Vec<Event>, WayResult) {
    let message = MessageId::payment(10);
    let fact = |message, fact| Event::Fact { way, message, fact };
    let mut events =
        vec![Event::WayStarted { way, title: Text::fixed(title, "写法") }];
    let first = [Fact::Accepted, Fact::Sent, Fact::Confirmed, Fact::Delivered];
    events.extend(first.map(|f| fact(message, f)));
    events.push(fact(message, Fact::Killed));
    events.push(Event::Struck {
        way,
        message: Some(message),
        what: Fact::Killed,
    });
    events.push(fact(message, Fact::Redelivered));
    events.extend(after.iter().map(|f| fact(message, *f)));
    let other = MessageId::payment(11);
    let smooth = [&first[..], &[Fact::Applied, Fact::Acked]].concat();
    events.extend(smooth.into_iter().map(|f| fact(other, f)));
    events.push(fact(Noun::Mail.number(11), Fact::Accepted));
    let lost = way == WayName::Naive;
    let anomaly = Anomaly {
        message,
        kind: Kind::Lost,
        applied: 0,
        last_known: Some((Fact::Acked, 77)),
    };
    let counts = Counts {
        accepted: 2,
        attempts: 2,
        attempted: 2,
        confirmed: 2,
        applied: 2 - u64::from(lost),
        lost: u64::from(lost),
        ..Counts::default()
    };
    let result = WayResult {
        hit: 1,
        planned: 1,
        counts,
        as_expected: Some(true),
        anomalies: if lost { vec![anomaly] } else { Vec::new() },
        took_ms: 40,
        ..WayResult::default()
    };
    (events, result)
}

fn ended(
    verdict: Verdict,
    ways: std::collections::BTreeMap<WayName, WayResult>,
) -> Ended {
    Ended {
        topic: "idempotency".to_owned(),
        scenario: "mark-first".to_owned(),
        noun: Noun::Payment,
        verdict,
        why: Text::fixed("naive 1 of 2 lost", "朴素写法 2 条中丢失 1 条"),
        without: None,
        ways,
        columns: vec![Column::Confirmed, Column::Applied, Column::Lost],
        figures: Vec::new(),
        charts: Vec::new(),
        grids: Vec::new(),
        right: Some('b'),
        claim: Text::fixed("The mark outlived it.", "标记还在。"),
        fix: Text::fixed("One transaction.", "同一事务。"),
        limit: Text::fixed("One database.", "只限一个库。"),
        say: Text::fixed("\"Both at once.\"", "「一起提交。」"),
        seed: 1,
        messages: 2,
        took_ms: 80,
        again: "rmq-lab demo idempotency/mark-first --seed 1".to_owned(),
        broker_log: None,
    }
}

fn run_ended(verdict: Verdict) -> Event {
    let count = |wanted| u32::from(verdict == wanted);
    Event::RunEnded {
        proven: count(Verdict::Proven),
        refuted: count(Verdict::Refuted),
        inconclusive: count(Verdict::Inconclusive),
        observed: count(Verdict::Observed),
        skipped: 0,
        took_ms: 5_000,
        boot_ms: 3_000,
        stage_up_ms: 3_100,
        stage_down_ms: 300,
        left_behind: 0,
    }
}
