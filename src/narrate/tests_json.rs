//! What a program sees: one line an event, as the schema says.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};

use super::{sample, *};
use crate::event::{Event, Place, Seat, WayName};

fn every_kind() -> Vec<Stamped> {
    let mut events = sample::topic();
    events.extend(sample::single(0));
    events.extend(sample::decoupling());
    events.push(Stamped {
        at_ms: 8,
        event: Event::Topology {
            way: WayName::Naive,
            seats: vec![Seat {
                name: "n1".to_owned(),
                is: Text::fixed("leader", "主"),
                up: true,
                side: 0,
            }],
        },
    });
    events.push(Stamped {
        at_ms: 8,
        event: sample::own_stage(Vec::from([Place {
            what: Text::fixed("virtual IP", "虚拟 IP"),
            at: "172.18.255.254:5672".to_owned(),
        }])),
    });
    events.push(Stamped {
        at_ms: 9,
        event: Event::Error {
            error: Text::fixed("Docker refused", "Docker 拒绝了"),
            help: vec![Text::same("sudo usermod -aG docker $USER")],
            exit: 3,
        },
    });
    events
}

fn schema() -> jsonschema::Validator {
    let schema: Value =
        serde_json::from_str(include_str!("../../schema/event.schema.json"))
            .unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// The name of an event. A new kind does not compile here until it is named,
/// and fails below until [`every_kind`] and the schema know it.
fn kind(event: &Event) -> &'static str {
    match event {
        Event::RunStarted { .. } => "run-started",
        Event::Waiting { .. } => "waiting",
        Event::Progress { .. } => "progress",
        Event::Waited { .. } => "waited",
        Event::StageUp { .. } => "stage-up",
        Event::ScenarioStarted { .. } => "scenario-started",
        Event::Predicted { .. } => "predicted",
        Event::Skipped { .. } => "skipped",
        Event::WayStarted { .. } => "way-started",
        Event::Step { .. } => "step",
        Event::Command { .. } => "command",
        Event::Topology { .. } => "topology",
        Event::Struck { .. } => "struck",
        Event::Fact { .. } => "fact",
        Event::Sample { .. } => "sample",
        Event::WayEnded { .. } => "way-ended",
        Event::Verdict(_) => "verdict",
        Event::RunEnded { .. } => "run-ended",
        Event::Error { .. } => "error",
    }
}

#[test]
fn every_event_is_as_the_schema_says() {
    let schema = schema();
    let mut seen = std::collections::BTreeSet::new();
    for event in every_kind() {
        let line = serde_json::to_value(&event).unwrap();
        assert_eq!(line["event"], kind(&event.event));
        if let Err(error) = schema.validate(&line) {
            panic!("{error}\n{line}");
        }
        seen.insert(kind(&event.event));
    }
    let file: Value =
        serde_json::from_str(include_str!("../../schema/event.schema.json"))
            .unwrap();
    assert_eq!(file["oneOf"].as_array().unwrap().len(), seen.len(), "{seen:?}");
}

#[test]
fn every_fact_is_in_the_schema() {
    use crate::ledger::Fact::{self, *};
    const fn next(fact: Option<Fact>) -> Option<Fact> {
        Some(match fact {
            None => Accepted,
            Some(Accepted) => Sent,
            Some(Sent) => Confirmed,
            Some(Confirmed) => Nacked,
            Some(Nacked) => Returned,
            Some(Returned) => Unknown,
            Some(Unknown) => Delivered,
            Some(Delivered) => Redelivered,
            Some(Redelivered) => Parked,
            Some(Parked) => Reported,
            Some(Reported) => Dropped,
            Some(Dropped) => Marked,
            Some(Marked) => Leased,
            Some(Leased) => Seen,
            Some(Seen) => Busy,
            Some(Busy) => Applied,
            Some(Applied) => RolledBack,
            Some(RolledBack) => Acked,
            Some(Acked) => Requeued,
            Some(Requeued) => Killed,
            Some(Killed) => AckSwallowed,
            Some(AckSwallowed) => ConfirmWithheld,
            Some(ConfirmWithheld) => CutBeforePublish,
            Some(CutBeforePublish) => Repeated,
            Some(Repeated) => Replayed,
            Some(Replayed) => Met,
            Some(Met) => Overtaken,
            Some(Overtaken) => Refused,
            Some(Refused) => Slowed,
            Some(Slowed) => SoldOut,
            Some(SoldOut) => ServiceDown,
            Some(ServiceDown) => Surged,
            Some(Surged) => QueueFull,
            Some(QueueFull) => HalfStored,
            Some(HalfStored) => Joined,
            Some(Joined) => Alarmed,
            Some(Alarmed) => BrokerKilled,
            Some(BrokerKilled) => Paused,
            Some(Paused) => Unreachable,
            Some(Unreachable) => Unroutable,
            Some(Unroutable) => NoExchange,
            Some(NoExchange) => ProducerKilled,
            Some(ProducerKilled) => RelayKilled,
            Some(RelayKilled) => RedisKilled,
            Some(RedisKilled) => Expired,
            Some(Expired) => QueueDeleted,
            Some(QueueDeleted) => BrokerRestarted,
            Some(BrokerRestarted) => DiskLost,
            Some(DiskLost) => Poisoned,
            Some(Poisoned) => Deployed,
            Some(Deployed) => Unbound,
            Some(Unbound) => HeldUp,
            Some(HeldUp) => SecondLap,
            Some(SecondLap) => AckTimedOut,
            Some(AckTimedOut) => Cancelled,
            Some(Cancelled) => AckedUndone,
            Some(AckedUndone) => OtherChannel,
            Some(OtherChannel) => EarlyReturn,
            Some(EarlyReturn) => Parted,
            Some(Parted) => BalancerKilled,
            Some(BalancerKilled) => ProxyKilled,
            Some(ProxyKilled) => BalancersParted,
            Some(BalancersParted) => Idle,
            Some(Idle) => Stored,
            Some(Stored) => Buffered,
            Some(Buffered) => TimedOut,
            Some(TimedOut) => GivenUp,
            Some(GivenUp) => return None,
        })
    }
    let schema = schema();
    let mut fact = next(None);
    while let Some(told) = fact {
        let line = json!({
            "at_ms": 1, "event": "fact", "way": "naive", "message": "payment-0010", "fact": told
        });
        assert!(schema.is_valid(&line), "{line}");
        assert!(
            !fact_word(told).en.is_empty() && !fact_word(told).zh.is_empty()
        );
        fact = next(fact);
    }
}

#[test]
fn what_is_no_event_is_refused() {
    let schema = schema();
    for wrong in [
        json!({}),
        json!({"at_ms": 1, "event": "coffee"}),
        json!({"event": "waited", "took_ms": 1}),
        json!({"at_ms": 1, "event": "waited"}),
        json!({"at_ms": 1, "event": "waited", "took_ms": -1}),
        json!({"at_ms": 1, "event": "waited", "took_ms": 1, "more": true}),
        json!({"at_ms": 1, "event": "progress", "text": {"en": "only"}}),
        json!({"at_ms": 1, "event": "fact", "way": "naive", "message": "foo-1", "fact": "sent"}),
        json!({"at_ms": 1, "event": "command", "way": "both", "line": "ls"}),
    ] {
        assert!(!schema.is_valid(&wrong), "{wrong}");
    }
}

#[test]
fn a_verdict_has_its_fields_at_the_top() {
    let events = sample::single(20);
    let verdict =
        events.iter().find(|e| matches!(e.event, Event::Verdict(_))).unwrap();
    let line = serde_json::to_value(verdict).unwrap();
    assert_eq!(line["event"], "verdict");
    assert_eq!(line["topic"], "idempotency");
    assert_eq!(line["verdict"], "proven");
    assert_eq!(line["ways"]["naive"]["counts"]["lost"], 20);
}

#[test]
fn one_event_a_line() {
    let mut out = Vec::new();
    let mut view = JsonLines::new(&mut out);
    let events = every_kind();
    for event in &events {
        view.tell(event).unwrap();
    }
    let lines = String::from_utf8(out).unwrap();
    let read: Vec<Stamped> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, events);
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.jsonl");
    let events = every_kind();
    let mut record = Record::create(&path).unwrap();
    for event in &events {
        record.tell(event).unwrap();
    }
    drop(record);
    assert_eq!(Recorded::read(&path).unwrap().events(), events);
}

#[test]
fn a_record_is_on_disk_after_each_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.jsonl");
    let events = sample::single(20);
    let upto = events
        .iter()
        .position(|e| matches!(e.event, Event::Verdict(_)))
        .unwrap()
        + 1;
    let mut record = Record::create(&path).unwrap();
    for event in &events[..upto] {
        record.tell(event).unwrap();
    }
    assert_eq!(Recorded::read(&path).unwrap().events(), &events[..upto]);
}
