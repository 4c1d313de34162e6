//! Orders that wait in Redis: what every story of variant B shares.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::time::sleep;

use super::table::SOON;
use crate::{
    demos::shop::orders::Ran,
    lab::{Lab, RanOut},
    ledger::MessageId,
    pattern::{
        buffer::{Buffer, BufferRelay, Round, Settings},
        outbox::group::Group,
        publisher::ConfirmingPublisher,
    },
    stage::Redis,
    text,
};

const RELAY: &str = "relay";
const POLL: Duration = Duration::from_millis(5);
const SOON_ENOUGH: Duration = Duration::from_secs(30);

/// The buffer of this way, over a connection of its own.
pub(super) async fn buffer(lab: &Lab, redis: &Redis) -> anyhow::Result<Buffer> {
    Ok(over(lab, redis.connect().await?))
}

fn over(lab: &Lab, connection: MultiplexedConnection) -> Buffer {
    Buffer::new(connection, &format!("orders:{}", lab.vhost()))
}

/// A relay at work, for as long as it is polled. When Redis was away it
/// connects again and takes over what it had claimed: no other relay works on
/// this buffer, so nobody has to be idle for that. It never stops trying, so
/// nothing gets to the table here.
pub(super) async fn relay(
    lab: &Lab,
    redis: &Redis,
    publisher: impl Fn() -> ConfirmingPublisher,
    table: Group,
) {
    let settings = Settings {
        idle: Duration::ZERO,
        attempts: u32::MAX,
        backoff: SOON,
        seed: 1,
        ..Settings::named(RELAY)
    };
    loop {
        if let Ok(connection) = redis.connect().await {
            let mut relay = BufferRelay::new(
                over(lab, connection),
                publisher(),
                table.clone(),
                lab.witness(),
                settings.clone(),
            );
            while let Ok(round) = relay.round().await {
                if round == Round::default() {
                    sleep(POLL).await;
                }
            }
        }
        sleep(POLL).await;
    }
}

/// Waits until the buffer is empty.
pub(super) async fn is_empty(lab: &Lab, buffer: &Buffer) -> Ran {
    let what = text! { en: "the buffer to be empty", zh: "Redis 缓冲排空" };
    lab.wait_until(what, SOON_ENOUGH, || async {
        Ok(buffer.clone().waiting().await? == 0)
    })
    .await
}

/// Which of these orders the buffer holds.
pub(super) async fn held(
    buffer: &mut Buffer,
    orders: &[MessageId],
) -> anyhow::Result<Vec<MessageId>> {
    let held = buffer.held().await?;
    let held = held.iter().map(|entry| entry.message.id);
    Ok(held.filter(|id| orders.contains(id)).collect())
}

/// How a wait for the relay ends that is not under way any more.
pub(super) fn relay_ended() -> anyhow::Error {
    let what = text! { en: "a relay at work", zh: "转发进程在工作" };
    RanOut { what, limit: Duration::ZERO }.into()
}
