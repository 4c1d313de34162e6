//! Faults on the stream protocol.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use futures::StreamExt;
use rabbitmq_stream_client::{
    Environment,
    types::{ByteCapacity, Message, OffsetSpecification},
};
use rmq_lab::{
    fault::wire::{Protocol, Wire, WireFault},
    ledger::{Fact, MessageId, Witness},
    pattern::stream::{Numbered, StreamPublisher},
};
use tokio::{sync::mpsc::unbounded_channel, time::timeout};

use crate::shared::Apart;

const ROUNDS: u32 = 3;
const MESSAGES: u32 = 40;
const END: &[u8] = b"end";
const WITHIN: Duration = Duration::from_secs(10);

/// Which messages were confirmed.
#[derive(Default)]
struct Confirmed(Mutex<BTreeSet<u32>>);

impl Witness for Confirmed {
    fn saw(&self, message: MessageId, fact: Fact) {
        if fact == Fact::Confirmed {
            let mut seen =
                self.0.lock().unwrap_or_else(PoisonError::into_inner);
            seen.insert(message.number);
        }
    }
}

pub async fn the_stream_holds_what_the_strike_says(
    apart: &Apart,
    fault: WireFault,
) -> anyhow::Result<()> {
    let broker = &apart.stage.broker;
    let around = environment(apart, broker.streams()?).await?;
    let (sender, mut strikes) = unbounded_channel();
    let wire = Wire::open(
        "trial",
        broker.streams()?,
        Protocol::Stream,
        move |struck| {
            // A trial that has ended listens no more.
            let _ = sender.send(struck);
        },
    )
    .await?;
    for round in 0..ROUNDS {
        let stream = format!("stream-{round}");
        let size = ByteCapacity::GB(1);
        around.stream_creator().max_length(size).create(&stream).await?;
        let target = 1 + round * 13;
        wire.arm(target.to_string(), fault);
        let witness = Arc::new(Confirmed::default());
        let through = environment(apart, wire.addr()).await?;
        let mut publisher = StreamPublisher::anonymous(
            &through,
            &stream,
            Arc::clone(&witness) as Arc<dyn Witness>,
        )
        .await?;
        // A few at a time, so that some are confirmed before the cut.
        let all: Vec<_> = (1..=MESSAGES).map(numbered).collect();
        for few in all.chunks(10) {
            if !publisher.publish(few).await.is_empty() {
                break;
            }
        }
        let struck = timeout(WITHIN, strikes.recv()).await;
        let struck = struck.context("no strike")?.context("no wire")?;
        publisher.close().await;
        ensure!(struck.fenced, "not fenced: {struck:?}");
        ensure!(struck.fault == fault, "{struck:?}");
        ensure!(struck.message == target.to_string(), "{struck:?}");
        let mut expected: BTreeSet<u32> = struck
            .also
            .iter()
            .map(|number| number.parse())
            .collect::<Result<_, _>>()?;
        let confirmed =
            witness.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ensure!(expected.is_disjoint(&confirmed), "{struck:?}");
        ensure!(!confirmed.contains(&target), "it was confirmed");
        expected.extend(confirmed);
        if fault == WireFault::CutBeforeConfirm {
            expected.insert(target);
        }
        let stored = read(&around, &stream).await?;
        ensure!(stored == expected, "{stored:?} of {expected:?}, {struck:?}");
    }
    ensure!(wire.armed().is_empty(), "{:?}", wire.armed());
    Ok(())
}

fn numbered(number: u32) -> Numbered {
    let body = number.to_string().into_bytes();
    let id = MessageId::payment(number);
    Numbered { id, number: number.into(), body }
}

/// Reads the stream up to a mark that is set now.
async fn read(
    environment: &Environment,
    stream: &str,
) -> anyhow::Result<BTreeSet<u32>> {
    let marker = environment.producer().build(stream).await?;
    let end = Message::builder().body(END).build();
    marker.send_with_confirm(end).await?;
    marker.close().await?;
    let first = OffsetSpecification::First;
    let mut messages =
        environment.consumer().offset(first).build(stream).await?;
    let mut read = BTreeSet::new();
    loop {
        let next = timeout(WITHIN, messages.next()).await;
        let next = next.context("no mark")?.context("the stream ended")??;
        let body = next.message().data().unwrap_or_default();
        if body == END {
            messages.handle().close().await?;
            return Ok(read);
        }
        let number = std::str::from_utf8(body)?.parse()?;
        ensure!(read.insert(number), "{number} is there twice");
    }
}

/// In load balancer mode the client takes the address it was given and not
/// the one that the broker announces, which is the container's own.
async fn environment(
    apart: &Apart,
    at: SocketAddr,
) -> anyhow::Result<Environment> {
    let broker = &apart.stage.broker;
    Ok(Environment::builder()
        .host("127.0.0.1")
        .port(at.port())
        .username(&broker.user)
        .password(&broker.password)
        .virtual_host(&apart.vhost)
        .load_balancer_mode(true)
        .build()
        .await?)
}
