//! What the stories of the three variants share: the table of messages, its
//! relay, and a broker out of reach for a stretch of orders.

use std::time::Duration;

use crate::{
    demos::shop::{
        orders::{ORDERS, Ran},
        till,
    },
    lab::{Lab, Strike},
    ledger::MessageId,
    pattern::{
        backoff::{Backoff, Jitter},
        outbox::{Moment, Outbox, OutboxError},
        publisher::Route,
        relay::{Relay, Settings},
    },
    text,
};

/// No relay shares the table with another one here, and none waits for long.
pub(super) const SOON: Backoff = Backoff {
    first: Duration::from_millis(50),
    most: Duration::from_millis(200),
    jitter: Jitter::None,
};

const RELAY: &str = "relay";
/// How long is waited for anything that is to happen soon.
pub(super) const WITHIN: Duration = Duration::from_secs(30);

/// The shop's database, over a connection of its own.
pub(super) fn open(lab: &Lab) -> Result<Outbox, OutboxError> {
    till::open(lab.dir())
}

/// The relay of the table. It takes back what it had claimed when it died:
/// its name is its own.
pub(super) fn relay(lab: &Lab, uri: &str) -> anyhow::Result<Relay> {
    let mut outbox = open(lab)?;
    outbox.release(RELAY, |_| true, Moment::now())?;
    let settings = Settings {
        attempts: u32::MAX,
        backoff: SOON,
        poll: Duration::from_millis(20),
        seed: 1,
        ..Settings::named(RELAY)
    };
    let route = Route::queue(ORDERS);
    Ok(Relay::open(outbox, uri, route, lab.witness(), settings))
}

/// Of which of these orders there is a row in the table of messages.
pub(super) fn rows(lab: &Lab, orders: &[MessageId]) -> anyhow::Result<u32> {
    let table = open(lab)?;
    let mut rows = 0;
    for order in orders {
        rows += u32::from(table.state(*order)?.is_some());
    }
    Ok(rows)
}

/// How many rows the table of messages has.
pub(super) fn count(lab: &Lab) -> anyhow::Result<u32> {
    Ok(open(lab)?.counts()?.values().sum())
}

/// Whether the table has a message that is still to be sent.
pub(super) fn has_open(lab: &Lab) -> anyhow::Result<bool> {
    Ok(open(lab)?.has_open(u32::MAX)?)
}

/// The orders before the stretch with this strike, in it, and after it.
pub(super) fn three_parts(lab: &Lab, strike: Strike) -> [Vec<MessageId>; 3] {
    let struck = |order: &MessageId| lab.is_planned(*order, strike);
    let last = lab.messages().filter(struck).last();
    let (during, rest): (Vec<_>, Vec<_>) = lab.messages().partition(struck);
    let (after, before) =
        rest.into_iter().partition(|order| last.is_none_or(|l| *order > l));
    [before, during, after]
}

/// Tells how the broker is out of reach, and for whom.
pub(super) fn tell_outage(lab: &Lab, during: &[MessageId]) {
    let (Some(first), Some(last)) = (during.first(), during.last()) else {
        return;
    };
    lab.step(
        text! { en: "outage", zh: "失联" },
        text! {
            en: "no broker from {first} to {last}; customers hear yes",
            zh: "从 {first} 到 {last} 连不上 broker，照样答复成功",
            first = first, last = last
        },
    );
}

/// Waits until so many orders are confirmed.
pub(super) async fn all_confirmed(lab: &Lab, orders: &[MessageId]) -> Ran {
    let what = text! { en: "the confirms", zh: "全部确认" };
    let confirmed = |order: &MessageId| {
        lab.entry(*order).is_some_and(|entry| entry.confirmed > 0)
    };
    lab.wait_until(what, WITHIN, || async { Ok(orders.iter().all(confirmed)) })
        .await
}
