//! The buffer in Redis: what is in it is lost by no relay's death.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use libtest_mimic::Trial;
use rmq_lab::{
    ledger::Noun,
    pattern::{
        backoff::{Backoff, Jitter},
        buffer::{Buffer, BufferRelay, Entry, Round, Settings},
        outbox::{self, Moment, Outbox, State, Sync, group::Group},
        publisher::{ConfirmingPublisher, Outgoing},
    },
};

use crate::shared::{Apart, Brokers, Series};

pub fn trials(brokers: &Brokers) -> Vec<Trial> {
    vec![
        brokers.apart(
            "buffer::what_a_dead_relay_claimed_is_taken_over".into(),
            Series::Four,
            taken_over,
        ),
        brokers.apart(
            "buffer::each_message_is_claimed_by_one_relay".into(),
            Series::Four,
            claimed_once,
        ),
        brokers.apart(
            "buffer::a_redis_that_forgot_its_group_is_told_again".into(),
            Series::Four,
            forgotten,
        ),
        brokers.apart(
            "buffer::what_the_broker_does_not_take_goes_to_the_table".into(),
            Series::Four,
            to_the_table,
        ),
        brokers.apart(
            "buffer::what_is_no_message_holds_up_nobody".into(),
            Series::Four,
            no_message,
        ),
    ]
}

/// Nobody listens there.
const NOWHERE: &str = "amqp://127.0.0.1:1/%2f";

fn order(number: u32) -> Outgoing {
    Outgoing { id: Noun::Order.number(number), body: vec![0, 255, b'x'] }
}

async fn with(apart: &Apart, orders: u32) -> anyhow::Result<Buffer> {
    let redis = apart.stage.redis.as_ref().context("no Redis")?;
    let key = format!("buffer:{}", apart.vhost);
    let mut buffer = Buffer::new(redis.connect().await?, &key);
    for number in 1..=orders {
        buffer.put(&order(number)).await?;
    }
    Ok(buffer)
}

fn numbers(entries: &[Entry]) -> Vec<u32> {
    entries.iter().map(|entry| entry.message.id.number).collect()
}

async fn taken_over(apart: Apart) -> anyhow::Result<()> {
    let mut buffer = with(&apart, 3).await?;
    let claimed = buffer.claim("a", 2).await?;
    ensure!(numbers(&claimed) == [1, 2] && claimed[0].message == order(1));
    // It is alive: it has touched them just now.
    let soon = Duration::from_secs(60);
    ensure!(buffer.take_over("b", soon, 9).await?.is_empty());
    let over = buffer.take_over("b", Duration::ZERO, 9).await?;
    ensure!(numbers(&over) == [1, 2]);
    buffer.done(&over).await?;
    // The one that was taken for dead was only slow.
    buffer.done(&claimed).await?;
    ensure!(buffer.waiting().await? == 1 && buffer.claimed().await? == 0);
    ensure!(numbers(&buffer.claim("b", 9).await?) == [3]);
    Ok(())
}

async fn claimed_once(apart: Apart) -> anyhow::Result<()> {
    let mut buffer = with(&apart, 4).await?;
    let first = buffer.claim("a", 2).await?;
    let second = buffer.claim("b", 9).await?;
    ensure!(numbers(&first) == [1, 2] && numbers(&second) == [3, 4]);
    ensure!(buffer.claim("a", 9).await?.is_empty());
    ensure!(buffer.claimed().await? == 4);
    ensure!(numbers(&buffer.held().await?) == [1, 2, 3, 4]);
    Ok(())
}

async fn forgotten(apart: Apart) -> anyhow::Result<()> {
    let mut buffer = with(&apart, 1).await?;
    // Nobody has made the group yet, as after a restart without a file.
    ensure!(buffer.take_over("a", Duration::ZERO, 9).await?.is_empty());
    ensure!(buffer.claimed().await? == 0);
    ensure!(numbers(&buffer.claim("a", 9).await?) == [1]);
    // The shared Redis keeps nothing on a disk.
    ensure!(!buffer.is_on_disk().await?);
    Ok(())
}

fn relay(buffer: &Buffer, dir: &Path) -> anyhow::Result<BufferRelay> {
    let publisher = ConfirmingPublisher::new(NOWHERE, "orders", Arc::new(()));
    let table = Group::start(table(dir)?, 100);
    let none = Duration::ZERO;
    let settings = Settings {
        attempts: 2,
        idle: Duration::ZERO,
        backoff: Backoff { first: none, most: none, jitter: Jitter::None },
        ..Settings::named("relay")
    };
    let (buffer, nobody) = (buffer.clone(), Arc::new(()));
    Ok(BufferRelay::new(buffer, publisher, table, nobody, settings))
}

fn table(dir: &Path) -> anyhow::Result<Outbox> {
    Ok(Outbox::open(&dir.join("shop.db"), Sync::Normal)?)
}

async fn to_the_table(apart: Apart) -> anyhow::Result<()> {
    let mut buffer = with(&apart, 3).await?;
    let dir = tempfile::tempdir()?;
    let mut relay = relay(&buffer, dir.path())?;
    // One of them is there already: a relay died between table and Redis.
    table(dir.path())?
        .transaction(|tx| outbox::write(tx, &order(2), Moment::now()))?;
    let round = relay.round().await?;
    ensure!(round == Round { confirmed: 0, tabled: 3 }, "{round:?}");
    ensure!(buffer.waiting().await? == 0 && buffer.claimed().await? == 0);
    let counts = table(dir.path())?.counts()?;
    ensure!(counts == [(State::Pending, 3)].into(), "{counts:?}");
    ensure!(relay.round().await? == Round::default());
    Ok(())
}

async fn no_message(apart: Apart) -> anyhow::Result<()> {
    let redis = apart.stage.redis.as_ref().context("no Redis")?;
    let mut buffer = with(&apart, 0).await?;
    let key = format!("buffer:{}", apart.vhost);
    let _: String = redis::cmd("XADD")
        .arg(&[key.as_str(), "*", "something", "else"])
        .query_async(&mut redis.connect().await?)
        .await?;
    buffer.put(&order(1)).await?;
    ensure!(numbers(&buffer.claim("a", 9).await?) == [1]);
    ensure!(buffer.claimed().await? == 2, "it is left for a person to see");
    Ok(())
}
