//! Hand-made runs for the tests: events as the lab would write them.

mod decoupling;

use std::collections::BTreeMap;

use crate::{
    event::{
        Choice, Column, Ended, Event, FORMAT, Figure, Login, Place, Service,
        Stamped, Unit, Verdict, WayName, WayResult,
    },
    ledger::{Anomaly, Counts, Fact, Kind, MessageId, Noun},
    text,
    text::Text,
};

pub(crate) use decoupling::{
    deaths, decoupling, halfway, measure, rates, samples, waits,
};

/// Gives each event a time.
pub(crate) fn stamped(events: Vec<Event>) -> Vec<Stamped> {
    (0..)
        .step_by(37)
        .zip(events)
        .map(|(at_ms, event)| Stamped { at_ms, event })
        .collect()
}

pub(crate) fn run_started(scenarios: u32) -> Event {
    Event::RunStarted {
        format: FORMAT,
        run: "7f3a".into(),
        version: "0.1.0".into(),
        scenarios: vec!["idempotency/mark-first".into(); scenarios as usize],
        seed: 7,
        record: "/home/student/.local/share/rmq-lab/runs/7f3a.jsonl".into(),
        facts: "all".into(),
        started: Some("2026-11-26T08:46:17Z".into()),
        recorded: false,
    }
}

pub(crate) fn stage(hold: bool) -> Vec<Event> {
    let service = |product: &str, image: &str, source: &str, boot_ms| Service {
        product: product.into(),
        image: image.into(),
        source: source.into(),
        container: "lab-7f3a-broker".into(),
        boot_ms,
    };
    let management = hold.then(|| Login {
        url: "http://127.0.0.1:49153/".into(),
        user: "teacher".into(),
        password: "pUq3-kk2e-9sFa".into(),
    });
    vec![
        Event::Waiting {
            what: text! { en: "RabbitMQ to boot", zh: "RabbitMQ 启动" },
            limit_s: Some(60),
        },
        Event::Progress { text: Text::same("Starting broker...") },
        Event::Waited { took_ms: 3_500 },
        Event::StageUp {
            services: vec![
                service(
                    "RabbitMQ 4.3.6",
                    "rmq-lab/rabbitmq:4.3",
                    "built",
                    3_512,
                ),
                service("Redis 8.0.2", "redis:8", "present", 310),
            ],
            management,
            way: None,
            places: Vec::new(),
        },
    ]
}

/// What a way has started for itself.
pub(crate) fn own_stage(places: Vec<Place>) -> Event {
    Event::StageUp {
        services: vec![Service {
            product: "HAProxy".into(),
            image: "rmq-lab-debian/tools:1".into(),
            source: "present".into(),
            container: "lab-7f3a-lb1-one-balancer.naive".into(),
            boot_ms: 900,
        }],
        management: None,
        way: Some(WayName::Naive),
        places,
    }
}

pub(crate) fn scenario_started(index: u32, of: u32) -> Event {
    Event::ScenarioStarted {
        topic: "idempotency".into(),
        scenario: "mark-first".into(),
        kind: "pair".into(),
        index,
        of,
        on: vec!["RabbitMQ 4.3.6".into(), "Redis 8.0".into(), "SQLite".into()],
        recipe: text! {
            en: "\"Look the id up in Redis; if it is new, mark it, then pay.\"",
            zh: "“先查 Redis 里有没有这个 id；没有就先标记，再扣款。”"
        },
        fault: text! {
            en: "The consumer dies after the mark and before the payment commits, for 20 of the 200 payments.",
            zh: "消费者在标记之后、扣款事务提交之前崩溃，200 笔中 20 笔如此；broker 会重新投递。"
        },
        question: text! {
            en: "What do the books show once the broker has redelivered?",
            zh: "重新投递之后，账本上会怎样？"
        },
        choices: vec![
            choice('a', "20 paid twice", "20 笔重复支付"),
            choice('b', "20 never paid", "20 笔从未支付"),
            choice('c', "all fine", "一切正常"),
        ],
        without: None,
    }
}

fn choice(key: char, en: &'static str, zh: &'static str) -> Choice {
    Choice { key, text: Text::fixed(en, zh) }
}

fn step(way: WayName, n: u32, verb: Text, text: Text) -> Event {
    Event::Step { way, n, verb, text }
}

/// The steps and facts of a way in which the consumer is killed 20 times.
fn way(
    way: WayName,
    title: Text,
    consume: Text,
    after: &[Fact],
    result: WayResult,
) -> Vec<Event> {
    let mut events = vec![
        Event::WayStarted { way, title },
        step(
            way,
            1,
            text! { en: "publish", zh: "发布" },
            text! {
                en: "200 payments, each id minted once by the shop; 200 confirmed",
                zh: "200 笔支付，id 由商城只生成一次；200 笔已确认"
            },
        ),
        Event::Command {
            way,
            line: format!(
                "docker exec lab-7f3a-broker rabbitmqctl -p {} list_queues name messages",
                way.as_str()
            ),
        },
        step(way, 2, text! { en: "consume", zh: "消费" }, consume),
    ];
    for number in (10..=200).step_by(10) {
        let message = MessageId::payment(number);
        let fact = |fact| Event::Fact { way, message, fact };
        events.extend([Fact::Sent, Fact::Confirmed, Fact::Delivered].map(fact));
        if way == WayName::Naive {
            events.push(fact(Fact::Marked));
        }
        events.push(Event::Struck {
            way,
            message: Some(message),
            what: Fact::Killed,
        });
        events.push(fact(Fact::Killed));
        events.extend(after.iter().copied().map(fact));
    }
    events.push(step(
        way,
        3,
        text! { en: "fault", zh: "故障" },
        Text::default(),
    ));
    events.push(Event::WayEnded { way, result });
    events
}

pub(crate) fn result(lost: u64, as_expected: bool) -> WayResult {
    let anomalies = (1..=20u32)
        .take(lost as usize)
        .map(|n| Anomaly {
            message: MessageId::payment(n * 10),
            kind: Kind::Lost,
            applied: 0,
            last_known: Some((Fact::Acked, 2_345)),
        })
        .collect();
    WayResult {
        hit: 20,
        planned: 20,
        came_to: None,
        figures: vec![Figure {
            id: "p99".into(),
            name: text! { en: "99 %", zh: "99 %" },
            value: 41.5,
            unit: Unit::Ms,
        }],
        counts: Counts {
            attempts: 200,
            attempted: 200,
            confirmed: 200,
            delivered: 200,
            deliveries: 220,
            applied: 200 - lost,
            lost,
            ..Counts::default()
        },
        as_expected: Some(as_expected),
        why: (!as_expected).then(|| {
            text! {
                en: "expected that exactly the struck 20 are lost, found {lost} lost",
                zh: "预期恰好被命中的 20 笔丢失，实际丢失 {lost} 笔", lost = lost
            }
        }),
        anomalies,
        took_ms: 2_000,
    }
}

pub(crate) fn naive(result: WayResult) -> Vec<Event> {
    way(
        WayName::Naive,
        text! { en: "mark, then pay", zh: "先标记，再扣款" },
        text! { en: "SET id NX, pay, ack; prefetch 1", zh: "SET id NX，扣款，ack；prefetch 1" },
        &[Fact::Redelivered, Fact::Seen, Fact::Acked],
        result,
    )
}

pub(crate) fn fixed(result: WayResult) -> Vec<Event> {
    way(
        WayName::Fixed,
        text! { en: "mark and pay in one transaction", zh: "标记与扣款在同一个事务里" },
        text! {
            en: "BEGIN, insert id, pay, COMMIT, then ack; prefetch 1",
            zh: "BEGIN，插入 id，扣款，COMMIT，然后 ack；prefetch 1"
        },
        &[Fact::RolledBack, Fact::Redelivered, Fact::Applied, Fact::Acked],
        result,
    )
}

pub(crate) fn ended(
    verdict: Verdict,
    ways: BTreeMap<WayName, WayResult>,
) -> Ended {
    let lost = ways.get(&WayName::Naive).map_or(0, |way| way.counts.lost);
    Ended {
        topic: "idempotency".into(),
        scenario: "mark-first".into(),
        noun: Noun::Payment,
        verdict,
        why: text! {
            en: "naive lost {lost} of 200, fixed 0",
            zh: "朴素做法 200 笔丢 {lost} 笔，改进后丢 0 笔", lost = lost
        },
        without: None,
        ways,
        columns: vec![
            Column::Confirmed,
            Column::Applied,
            Column::Lost,
            Column::Doubled,
        ],
        figures: Vec::new(),
        charts: Vec::new(),
        grids: Vec::new(),
        right: Some('b'),
        claim: text! {
            en: "The mark outlived the crash, the money did not.",
            zh: "标记在崩溃后还在，钱却没有动。"
        },
        fix: text! {
            en: "Id and payment in one transaction; ack after the commit.",
            zh: "id 与扣款放进同一个事务，提交之后再 ack。"
        },
        limit: text! {
            en: "Mail and HTTP lie outside it: pass the id on.",
            zh: "邮件和 HTTP 不在事务之内：把 id 一路传下去。"
        },
        say: text! {
            en: "\"Mark first loses, mark last doubles; one transaction, neither.\"",
            zh: "“先标记会丢，后标记会重；放进一个事务，既不丢也不重。”"
        },
        seed: 7,
        messages: 200,
        took_ms: 4_120,
        again: "rmq-lab demo idempotency/mark-first --messages 200 --seed 7"
            .into(),
        broker_log: (verdict == Verdict::Refuted).then(|| {
            "/home/student/.local/share/rmq-lab/runs/7f3a-broker.log".into()
        }),
    }
}

/// A scenario from its start to its verdict.
pub(crate) fn scenario(index: u32, of: u32, lost: u64) -> Vec<Event> {
    let (first, second) = (result(lost, lost == 20), result(0, true));
    let ways =
        [(WayName::Naive, first.clone()), (WayName::Fixed, second.clone())];
    let verdict = if lost == 20 { Verdict::Proven } else { Verdict::Refuted };
    let mut events = vec![scenario_started(index, of)];
    if of == 1 {
        events.push(Event::Predicted { guess: Some('a') });
    }
    events.extend(naive(first));
    events.extend(fixed(second));
    events.push(Event::Verdict(Box::new(ended(
        verdict,
        ways.into_iter().collect(),
    ))));
    events
}

pub(crate) fn run_ended(proven: u32, refuted: u32, skipped: u32) -> Event {
    Event::RunEnded {
        proven,
        refuted,
        inconclusive: 0,
        observed: 0,
        skipped,
        took_ms: 34_200,
        boot_ms: 3_512,
        stage_up_ms: 5_000,
        stage_down_ms: 400,
        left_behind: 0,
    }
}

/// One scenario, as `rmq-lab demo idempotency/mark-first` runs it.
pub(crate) fn single(lost: u64) -> Vec<Stamped> {
    let mut events = vec![run_started(1)];
    events.extend(stage(false));
    events.extend(scenario(1, 1, lost));
    events.push(run_ended(u32::from(lost == 20), u32::from(lost != 20), 0));
    stamped(events)
}

/// Three scenarios, one of them refuted, one left out.
pub(crate) fn topic() -> Vec<Stamped> {
    let mut events = vec![run_started(3)];
    events.extend(stage(true));
    events.extend(scenario(1, 3, 20));
    events.extend(scenario(2, 3, 0));
    events.push(Event::Skipped {
        topic: "idempotency".into(),
        scenario: "streams".into(),
        why: text! { en: "needs a broker from 3.9 on", zh: "需要 3.9 以上的 broker" },
    });
    events.push(run_ended(1, 1, 1));
    stamped(events)
}
