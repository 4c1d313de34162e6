//! The shop publishes while a fault strikes, and sees what comes of it.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    demos::shop::orders::order,
    lab::Lab,
    pattern::{
        failover::FailoverPublisher,
        publisher::{Answer, Outgoing},
    },
    text,
    text::Text,
};

/// Between two orders while a fault strikes: the first ones are to last until
/// it has.
const PACE: Duration = Duration::from_millis(30);

/// What the clients see of a fault.
#[derive(Default)]
pub(super) struct Seen {
    /// First attempts that were not confirmed.
    pub unanswered: u32,
    /// Confirmed, of those that were sent after the fault had struck.
    pub after: u32,
    /// The longest time without a confirm since the fault.
    pub gap: Duration,
    /// What was never confirmed.
    pub open: Vec<Outgoing>,
}

impl Seen {
    /// What happened, and what became of the publishing.
    pub fn after_that(&self, what: &Text) -> Text {
        let then = match self.after {
            0 => text! { en: "no confirm any more", zh: "再也没有确认" },
            _ => text! {
                en: "no confirm for {gap} ms", zh: "{gap} 毫秒没有确认",
                gap = self.gap.as_millis()
            },
        };
        Text::made(
            format!("{}; {}", what.en, then.en),
            format!("{}；{}", what.zh, then.zh),
        )
    }
}

/// The orders in three parts.
pub(super) fn thirds(lab: &Lab) -> [Vec<Outgoing>; 3] {
    let mut first: Vec<_> = lab.messages().map(order).collect();
    let third = first.len() / 3;
    let last = first.split_off(first.len() - third);
    let second = first.split_off(first.len() - third);
    [first, second, last]
}

/// Publishes one order after another while `strike` is under way, the second
/// half of them only when it is over: it always finds somebody publishing.
pub(super) async fn struck_while_publishing(
    shop: &mut FailoverPublisher,
    orders: Vec<Outgoing>,
    limit: Option<Duration>,
    strike: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Seen> {
    let fallen = CancellationToken::new();
    let began = Instant::now();
    let strike = async {
        // Also where it fails: nobody may wait for it for ever.
        let _done = fallen.clone().drop_guard();
        strike.await
    };
    let publish = publish(shop, orders, limit, &fallen, began);
    let (struck, seen) = tokio::join!(strike, publish);
    struck?;
    Ok(seen)
}

async fn publish(
    shop: &mut FailoverPublisher,
    orders: Vec<Outgoing>,
    limit: Option<Duration>,
    fallen: &CancellationToken,
    began: Instant,
) -> Seen {
    let (mut seen, mut last) = (Seen::default(), began);
    let kept_back = orders.len() / 2;
    let mut gives_up = false;
    for (n, order) in orders.into_iter().enumerate() {
        if n < kept_back && !fallen.is_cancelled() {
            sleep(PACE).await;
        }
        if n == kept_back && !fallen.is_cancelled() {
            fallen.cancelled().await;
            // That was no waiting for a broker.
            last = Instant::now();
        }
        let is_after = fallen.is_cancelled();
        let mut is_confirmed = false;
        if !gives_up {
            is_confirmed = shop.attempt(&order).await == Answer::Confirmed;
            seen.unanswered += u32::from(!is_confirmed);
        }
        if let (false, false, Some(limit)) = (is_confirmed, gives_up, limit) {
            is_confirmed = shop.publish(&order, limit).await.is_ok();
            gives_up = !is_confirmed;
        }
        if !is_confirmed {
            seen.open.push(order);
            continue;
        }
        seen.after += u32::from(is_after);
        seen.gap = seen.gap.max(last.elapsed());
        last = Instant::now();
    }
    seen
}
