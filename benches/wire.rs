//! What the wire costs a publisher that waits for confirms.
//!
//! `cargo bench --bench wire` starts a broker of its own and publishes the
//! same messages to it directly, through an idle wire and through one with
//! faults armed for messages that never come: armed, it has to look into
//! every publish and every confirm. Rounds are interleaved, so that whatever
//! else the machine does hits all three alike.
//!
//! Cargo passes `--bench`; without it (`cargo test --benches`) nothing runs.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::print_stderr, reason = "and a problem is told")]

use std::{
    collections::VecDeque, net::SocketAddr, process::ExitCode, time::Instant,
};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
        QueuePurgeOptions,
    },
    types::{AMQPValue, FieldTable},
};
use rmq_lab::{
    fault::wire::{Protocol, Wire, WireFault},
    stage::{Broker, BrokerChoice, Engine, RunId, Stage, Wanted},
};
use tokio::signal::unix::{SignalKind, signal};

const MESSAGES: usize = 40_000;
const BODY: [u8; 100] = [b'x'; 100];
/// Unconfirmed publishes at a time, at most.
const WINDOW: usize = 1_000;
/// Publishes handed to the client at once.
const JOINED: usize = 50;
const ROUNDS: usize = 5;
const WAYS: [&str; 3] = ["direct", "wire, idle", "wire, armed"];

#[tokio::main]
async fn main() -> ExitCode {
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let engine = match Engine::connect(RunId::random()).await {
        Ok(engine) => engine,
        Err(problem) => return fail(&problem),
    };
    let code = tokio::select! {
        code = run(&engine) => code,
        code = told_to_stop() => code,
    };
    match engine.tear_down().await {
        0 => code,
        left => {
            eprintln!("{left} containers or networks were left behind");
            ExitCode::FAILURE
        }
    }
}

async fn run(engine: &Engine) -> ExitCode {
    let wanted =
        Wanted { broker: BrokerChoice::Four, redis: false, mail: false };
    let stage = match Stage::up(engine, &wanted, &|_| {}).await {
        Ok(stage) => stage,
        Err(problem) => return fail(&problem),
    };
    match compare(&stage.broker).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &impl std::fmt::Debug) -> ExitCode {
    eprintln!("{error:?}");
    ExitCode::FAILURE
}

/// Killing only cargo sends SIGHUP: the broker must not outlive it.
async fn told_to_stop() -> ExitCode {
    let heard = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = heard(SignalKind::interrupt()) => ExitCode::from(130),
        _ = heard(SignalKind::terminate()) => ExitCode::from(143),
        _ = heard(SignalKind::hangup()) => ExitCode::from(129),
    }
}

async fn compare(broker: &Broker) -> anyhow::Result<()> {
    let side = confirming(broker, broker.amqp).await?;
    let open = |name| Wire::open(name, broker.amqp, Protocol::Amqp, |_| {});
    let (idle, armed) = (open("idle").await?, open("armed").await?);
    for fault in [
        WireFault::CutBeforePublish,
        WireFault::CutBeforeConfirm,
        WireFault::SwallowAckThenCut,
    ] {
        armed.arm("never", fault);
    }
    let ways = [broker.amqp, idle.addr(), armed.addr()];
    println!("{}", broker.service.product);
    println!(
        "{MESSAGES} persistent messages of {} B, window {WINDOW}, {ROUNDS} \
         rounds: messages confirmed a second",
        BODY.len()
    );
    println!(
        "{:8} {:12} {:>8} {:>8} {:>8} {:>12}",
        "queue", "way", "median", "least", "most", "wire/direct"
    );
    for kind in ["classic", "quorum"] {
        declare(&side.channel, kind).await?;
        let mut rates: [Vec<f64>; 3] = Default::default();
        // The first round warms up and does not count.
        for round in 0..=ROUNDS {
            for (way, rates) in ways.iter().zip(&mut rates) {
                let rate = publish(broker, *way, kind).await?;
                if round > 0 {
                    rates.push(rate);
                }
                let purge = QueuePurgeOptions::default();
                side.channel.queue_purge(kind.into(), purge).await?;
            }
        }
        let direct = median(&mut rates[0])?;
        for (way, rates) in WAYS.iter().zip(&mut rates) {
            let middle = median(rates)?;
            println!(
                "{kind:8} {way:12} {middle:8.0} {:8.0} {:8.0} {:12.2}",
                rates[0],
                rates[ROUNDS - 1],
                middle / direct
            );
        }
    }
    ensure!(armed.armed().len() == 3, "a fault met a message");
    Ok(())
}

/// The middle one. Sorts them.
fn median(rates: &mut [f64]) -> anyhow::Result<f64> {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().context("no rounds")
}

struct Link {
    channel: Channel,
    connection: Connection,
}

async fn confirming(broker: &Broker, at: SocketAddr) -> anyhow::Result<Link> {
    let uri = broker.uri(at, "%2f");
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&uri, properties).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(Link { channel, connection })
}

/// A queue named by its type.
async fn declare(channel: &Channel, kind: &str) -> anyhow::Result<()> {
    let mut arguments = FieldTable::default();
    let value = AMQPValue::LongString(kind.into());
    arguments.insert("x-queue-type".into(), value);
    let durable =
        QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(kind.into(), durable, arguments).await?;
    Ok(())
}

/// Publishes all and waits for all confirms. Returns messages a second.
async fn publish(
    broker: &Broker,
    at: SocketAddr,
    queue: &str,
) -> anyhow::Result<f64> {
    let Link { channel, connection } = confirming(broker, at).await?;
    let began = Instant::now();
    let mut unconfirmed = VecDeque::with_capacity(WINDOW + JOINED);
    for first in (0..MESSAGES).step_by(JOINED) {
        let burst = (first..first + JOINED).map(|number| {
            let properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_message_id(format!("m{number}").into());
            let options = BasicPublishOptions::default();
            let (exchange, key) = ("".into(), queue.into());
            channel.basic_publish(exchange, key, options, &BODY, properties)
        });
        unconfirmed.extend(try_join_all(burst).await?);
        while unconfirmed.len() > WINDOW
            && let Some(confirm) = unconfirmed.pop_front()
        {
            ensure!(confirm.await?.is_ack(), "a publish was refused");
        }
    }
    for confirm in unconfirmed {
        ensure!(confirm.await?.is_ack(), "a publish was refused");
    }
    let rate = MESSAGES as f64 / began.elapsed().as_secs_f64();
    connection.close(200, "done".into()).await?;
    Ok(rate)
}
