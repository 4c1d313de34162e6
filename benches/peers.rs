//! How fast confirmed publishing is: ours beside the libraries that one would
//! choose instead.
//!
//! `cargo bench --bench peers` starts a broker of its own. Every peer
//! publishes the same persistent, mandatory messages, at most `WINDOW`
//! unconfirmed at a time, and has to know of each whether it was confirmed;
//! the queue is counted afterwards. Rounds are interleaved, so that whatever
//! else the machine does hits all alike. The peers in Python want `python3`
//! with `venv` and a package index; without, the others are measured.
//!
//! `PEERS_ROUNDS` and `PEERS_ONLY` (part of a name) shorten it.
//!
//! Cargo passes `--bench`; without it (`cargo test --benches`) nothing runs.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::print_stderr, reason = "and a problem is told")]

#[path = "peers/python.rs"]
mod python;
#[path = "peers/rust.rs"]
mod rust;
#[path = "peers/table.rs"]
mod table;

use std::{process::ExitCode, thread::available_parallelism, time::Duration};

use anyhow::{Context, ensure};
use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable},
};
use rmq_lab::stage::{Broker, BrokerChoice, Engine, RunId, Stage, Wanted};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use self::python::{Python, pinned};

const MESSAGES: u32 = 40_000;
/// A round trip each: more would only take longer.
const MESSAGES_ONE_BY_ONE: u32 = 1_500;
const WINDOW: u32 = 1_000;
const ROUNDS: usize = 5;
const PUBLISHED_WITHIN: Duration = Duration::from_secs(120);

/// What is to be published.
pub struct Load {
    /// To which queue.
    pub queue: &'static str,
    /// How many.
    pub messages: u32,
    /// Bytes of each body.
    pub size: u32,
    /// Unconfirmed at a time, at most.
    pub window: u32,
}

/// What a peer says it did.
pub struct Outcome {
    /// Messages that the broker confirmed.
    pub confirmed: u64,
    /// From the first publish to the last confirm.
    pub seconds: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    OneByOne,
    Pipelined,
    Relay,
    Amqprs,
    Pika,
    AioPika,
}

impl Peer {
    const ALL: [Self; 6] = [
        Self::OneByOne,
        Self::Pipelined,
        Self::Relay,
        Self::Amqprs,
        Self::Pika,
        Self::AioPika,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::OneByOne => "ConfirmingPublisher, one by one",
            Self::Pipelined => "PipelinedPublisher",
            Self::Relay => "outbox, Relay, PipelinedPublisher",
            Self::Amqprs => "amqprs",
            Self::Pika => "pika SelectConnection",
            Self::AioPika => "aio-pika",
        }
    }

    const fn is_python(self) -> bool {
        matches!(self, Self::Pika | Self::AioPika)
    }
}

const CELLS: [(&str, u32); 4] =
    [("classic", 100), ("quorum", 100), ("classic", 1_024), ("quorum", 1_024)];

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
    let python = match Python::set_up().await {
        Ok(python) => Some(python),
        Err(error) => {
            eprintln!("without the peers in Python: {error:#}");
            None
        }
    };
    let wanted =
        Wanted { broker: BrokerChoice::Four, redis: false, mail: false };
    let stage = match Stage::up(engine, &wanted, &|_| {}).await {
        Ok(stage) => stage,
        Err(problem) => return fail(&problem),
    };
    match compare(&stage.broker, python.as_ref()).await {
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

async fn compare(
    broker: &Broker,
    python: Option<&Python>,
) -> anyhow::Result<()> {
    let rounds = match std::env::var("PEERS_ROUNDS") {
        Ok(rounds) => rounds.parse().context("PEERS_ROUNDS")?,
        Err(_) => ROUNDS,
    };
    ensure!(rounds > 0, "PEERS_ROUNDS: at least one");
    let only = std::env::var("PEERS_ONLY").unwrap_or_default();
    let peers: Vec<Peer> = Peer::ALL
        .into_iter()
        .filter(|peer| python.is_some() || !peer.is_python())
        .filter(|peer| peer.name().contains(&only))
        .collect();
    let uri = broker.uri(broker.amqp, "%2f");
    let side = Connection::connect(&uri, ConnectionProperties::default());
    let side = side.await?;
    let counter = side.create_channel().await?;
    let mut rates = vec![[const { Vec::new() }; CELLS.len()]; peers.len()];
    // The first round warms up and does not count.
    for round in 0..=rounds {
        for (cell, (kind, size)) in CELLS.into_iter().enumerate() {
            for (peer, rates) in peers.iter().zip(&mut rates) {
                let rate = measure(*peer, broker, python, &counter, kind, size);
                let rate = rate.await.with_context(|| peer.name())?;
                if round > 0 {
                    rates[cell].push(rate);
                }
            }
        }
    }
    describe(broker, python, rounds).await?;
    println!("{}", table::draw(&peers, &mut rates));
    Ok(())
}

/// One peer on an empty queue: messages confirmed a second.
async fn measure(
    peer: Peer,
    broker: &Broker,
    python: Option<&Python>,
    counter: &Channel,
    kind: &'static str,
    size: u32,
) -> anyhow::Result<f64> {
    declare(counter, kind).await?;
    let messages = match peer {
        Peer::OneByOne => MESSAGES_ONE_BY_ONE,
        _ => MESSAGES,
    };
    let load = Load { queue: kind, messages, size, window: WINDOW };
    let uri = broker.uri(broker.amqp, "%2f");
    let publishing = async {
        match (peer, python) {
            (Peer::OneByOne, _) => rust::one_by_one(&uri, &load).await,
            (Peer::Pipelined, _) => rust::pipelined(&uri, &load).await,
            (Peer::Relay, _) => rust::relay(&uri, &load).await,
            (Peer::Amqprs, _) => rust::amqprs(broker, &load).await,
            (peer, python) => {
                let script = match peer {
                    Peer::Pika => "pika_select.py",
                    _ => "aio_pika_window.py",
                };
                // Both know nothing of lapin's own parameters.
                let uri = uri.split('?').next().unwrap_or(&uri);
                let python = python.context("no Python")?;
                python.publish(script, uri, &load).await
            }
        }
    };
    let published = timeout(PUBLISHED_WITHIN, publishing).await;
    let outcome = published.context("it did not end")??;
    let stored =
        counter.queue_delete(kind.into(), QueueDeleteOptions::default());
    let stored = u64::from(stored.await?);
    ensure!(
        stored == outcome.confirmed && stored >= u64::from(messages),
        "{} confirmed, {stored} in the queue",
        outcome.confirmed
    );
    Ok(f64::from(messages) / outcome.seconds)
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

async fn describe(
    broker: &Broker,
    python: Option<&Python>,
    rounds: usize,
) -> anyhow::Result<()> {
    let cores = available_parallelism().map_or(0, usize::from);
    println!(
        "{} in a container on the same machine: {} {}, {cores} cores",
        broker.service.product,
        std::env::consts::OS,
        std::env::consts::ARCH,
    );
    println!("lapin {}, amqprs {}", locked("lapin"), locked("amqprs"));
    if let Some(python) = python {
        let (pika, aio_pika) = (pinned("pika"), pinned("aio-pika"));
        let version = python.version().await?;
        println!("pika {pika}, aio-pika {aio_pika}, {version}");
    }
    println!(
        "{MESSAGES} persistent, mandatory messages ({MESSAGES_ONE_BY_ONE} one \
         by one), window {WINDOW}:\nmessages confirmed a second, median of \
         {rounds} rounds (least-most)"
    );
    Ok(())
}

/// The version that Cargo.lock holds.
fn locked(package: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let named = lock.split_once(&format!("name = \"{package}\"\nversion = \""));
    named.and_then(|rest| rest.1.split('"').next()).unwrap_or("?")
}
