//! A queue with a bound, and twice as much as fits.

mod checks;
mod quorum;

use std::{convert::Infallible, time::Duration};

use futures::future::BoxFuture;
use lapin::types::AMQPValue;
use tokio::{sync::watch, time::sleep};

use self::checks::{
    PATIENT, all_once_and_hammering, all_once_and_patiently,
    the_first_are_gone, the_nacked_are_gone,
};
use super::TRIED;
use crate::{
    demos::shop::orders::{ORDERS, Ran, Tally, order},
    event::{Column, Unit, WayName},
    lab::{Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    ledger::{Fact, Witness},
    mechanism,
    pattern::{
        backoff::{Backoff, Jitter, Retry},
        consumer::{Delivery, Handle, ReconnectingConsumer},
        pipeline::{PipelinedPublisher, Resend, Settings, Summary},
        pressure::Pressure,
        publisher::Route,
    },
    text, way,
};

/// "Give the queue a maximum length; then it cannot eat the broker's memory."
pub static OVERFLOW: Scenario = Scenario {
    id: "overflow",
    recipe: text! {
        en: "Give the queue a max-length, then it cannot eat the memory.",
        zh: "给队列设个 max-length，就不会撑爆内存。"
    },
    fault: text! {
        en: "The consumer is away while twice as much comes as fits.",
        zh: "消费者不在的时候，来了两倍于容量的订单。"
    },
    predict: Predict {
        question: text! {
            en: "Room for half of the orders, confirms on. Which are missing?",
            zh: "队列只放得下一半订单，开着确认。最后少了哪些？"
        },
        choices: &[
            text! {
                en: "the first ones, and they were confirmed",
                zh: "最早那些，而且都确认过"
            },
            text! {
                en: "the last ones, and they were not confirmed",
                zh: "最后那些，它们没有被确认"
            },
            text! { en: "none, the publisher waits", zh: "不少，发布端会等" },
        ],
        right: 0,
    },
    needs: Needs { fewest: 40, most: 2_000, ..Needs::BROKER },
    strikes: &[Strike::QueueFull],
    hits: Hits::Once,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            drop_head,
            the_first_are_gone,
            text! { en: "x-max-length, and no more", zh: "只设 x-max-length" },
        ),
        fixed: way!(
            reject_publish,
            all_once_and_patiently,
            text! {
                en: "reject-publish, resent with backoff",
                zh: "reject-publish，退避重发"
            },
        ),
        mechanisms: &[
            mechanism!(
                "reject-publish",
                drop_head,
                the_first_are_gone,
                text! { en: "reject-publish", zh: "reject-publish" },
            ),
            mechanism!(
                "resend",
                give_up_when_nacked,
                the_nacked_are_gone,
                text! { en: "the resend", zh: "重发" },
            ),
            mechanism!(
                "backoff",
                again_at_once,
                all_once_and_hammering,
                text! { en: "the backoff", zh: "退避" },
            ),
        ],
    },
    columns: &[
        Column::Confirmed,
        Column::Applied,
        Column::Lost,
        Column::Attempts,
    ],
    figures: &["nacks"],
    bars: &[],
    claim: text! {
        en: "a: the default, drop-head, confirms the new and throws out the \
             old. A confirm is about taking over, not about keeping.",
        zh: "a：默认的 drop-head 确认新来的，扔掉最旧的。\
             确认只表示接手，不表示留着。"
    },
    fix: text! {
        en: "x-overflow=reject-publish; a nack means later: back off, resend.",
        zh: "x-overflow=reject-publish；收到 nack 就是「稍后」：退避，再发。"
    },
    limit: text! {
        en: "Ready messages are counted, unacked ones are not; a quorum queue \
             may take more than its limit.",
        zh: "只数 ready 的，没 ack 的不算；仲裁队列会收得比上限多。"
    },
    say: text! {
        en: "\"A bound needs a policy: drop, reject or block. The default \
             drops what was confirmed.\"",
        zh: "「有上限就要有对策：丢、拒、还是堵。默认丢的是已确认的。」"
    },
    source: &[include_str!("overflow.rs")],
};

/// What a queue does that is full, where nobody says otherwise: the oldest
/// makes room (documentation, "Queue Length Limit").
const BY_DEFAULT: Option<&str> = None;
const REJECT_PUBLISH: Option<&str> = Some("reject-publish");

const UNTIL_CONFIRMED: Resend = Resend::UntilConfirmed { attempts: u32::MAX };

/// One publisher, nobody to step out of the way of: no jitter.
const BACKING_OFF: Backoff = Backoff {
    first: Duration::from_millis(50),
    most: Duration::from_millis(500),
    jitter: Jitter::None,
};
const AT_ONCE: Backoff = Backoff {
    first: Duration::ZERO,
    most: Duration::ZERO,
    jitter: Jitter::None,
};

/// A full queue throws out the oldest.
async fn drop_head(lab: Lab) -> Ran {
    twice_what_fits(&lab, BY_DEFAULT, UNTIL_CONFIRMED, BACKING_OFF).await
}

/// A full queue refuses the newest; the shop comes back with it later.
async fn reject_publish(lab: Lab) -> Ran {
    twice_what_fits(&lab, REJECT_PUBLISH, UNTIL_CONFIRMED, BACKING_OFF).await
}

/// Without the resend: a nack is logged, and that was it.
async fn give_up_when_nacked(lab: Lab) -> Ran {
    twice_what_fits(&lab, REJECT_PUBLISH, Resend::Never, BACKING_OFF).await
}

/// Without the backoff: what is refused is sent again at once.
async fn again_at_once(lab: Lab) -> Ran {
    twice_what_fits(&lab, REJECT_PUBLISH, UNTIL_CONFIRMED, AT_ONCE).await
}

/// How long the consumer stays away when the queue is full.
const AWAY: Duration = Duration::from_secs(1);
/// Publishes without an answer at a time.
const WINDOW: usize = 10;
const SOON: Duration = Duration::from_secs(30);

/// All orders are published to a queue with room for half of them. The
/// consumer comes back a while after the first nack, or when all is published.
async fn twice_what_fits(
    lab: &Lab,
    overflow: Option<&str>,
    nacked: Resend,
    backoff: Backoff,
) -> Ran {
    let room = match lab.is_armed(Strike::QueueFull) {
        true => lab.count() / 2,
        false => lab.count(),
    };
    lab.declare_with(ORDERS, "classic", &bound(room, overflow)).await?;
    let pressure = Pressure::new(Retry::new(backoff));
    let settings = Settings {
        window: WINDOW,
        pressure: pressure.clone(),
        nacked,
        ..Settings::default()
    };
    let (end, published) = watch::channel(false);
    let publishing = async {
        let summary = publish(lab, settings).await;
        end.send_replace(true);
        summary
    };
    let packing = async {
        let is_nacked = || pressure.seen().nacks > 0;
        let full = text! { en: "the queue to be full", zh: "队列装满" };
        lab.wait_until(full, SOON, || async {
            Ok(is_nacked() || *published.borrow())
        })
        .await?;
        if is_nacked() {
            sleep(AWAY).await;
        }
        // Who hammers goes on until it shows, on a slow machine, too.
        if backoff.most.is_zero() {
            let many = || async { Ok(pressure.seen().nacks > PATIENT) };
            let what = text! { en: "many nacks", zh: "大量 nack" };
            lab.wait_until(what, SOON, many).await?;
        }
        came_back(lab, room, pressure.seen().nacks).await?;
        pack(lab, &published).await
    };
    let (summary, packed) = tokio::try_join!(publishing, packing)?;
    tell(lab, &summary);
    if lab.way() == WayName::Fixed {
        quorum::takes_more_than_its_limit(lab, room).await?;
    }
    for (order, times) in packed.all() {
        lab.settle(order, times, 0);
    }
    for order in lab.left_in(ORDERS).await? {
        lab.settle(order, 0, 1);
    }
    Ok(())
}

fn bound(room: u32, overflow: Option<&str>) -> Vec<(&'static str, AMQPValue)> {
    let length = AMQPValue::LongLongInt(i64::from(room));
    let overflow = overflow.map(|what| AMQPValue::LongString(what.into()));
    [("x-max-length", Some(length)), ("x-overflow", overflow)]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

/// Every order, in order: promised to its customer, and put on the wire.
async fn publish(lab: &Lab, settings: Settings) -> anyhow::Result<Summary> {
    let route = Route::queue(ORDERS);
    let mut publisher =
        PipelinedPublisher::open(lab.uri(), route, lab.witness(), settings);
    let orders = lab.messages().map(|id| {
        lab.saw(id, Fact::Accepted);
        order(id)
    });
    Ok(publisher.publish_all(orders).await?)
}

/// The consumer is back: was the queue full, and what did that cost so far?
async fn came_back(lab: &Lab, room: u32, nacks: u64) -> Ran {
    let ready = lab.ready(ORDERS).await?;
    if ready == room && lab.sums().attempted > u64::from(room) {
        lab.struck_once(Strike::QueueFull);
    }
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "room for {room} of {all}: {confirmed} confirmed, {ready} \
                 ready, {nacks} nacks",
            zh: "容量 {room}/{all}：已确认 {confirmed}，就绪 {ready}，\
                 nack {nacks} 次",
            room = room, all = lab.count(), ready = ready,
            confirmed = lab.sums().confirmed, nacks = nacks
        },
    );
    let name = text! { en: "nacks", zh: "nack 次数" };
    lab.observe("nacks", name, nacks as f64, Unit::Count);
    if nacks > PATIENT {
        lab.came_to(text! {
            en: "{nacks} nacks before there was room",
            zh: "腾出位置之前 nack {nacks} 次",
            nacks = nacks
        });
    }
    Ok(())
}

/// Packs until all is published and the queue is empty.
async fn pack(
    lab: &Lab,
    published: &watch::Receiver<bool>,
) -> anyhow::Result<Tally> {
    let consumer = ReconnectingConsumer {
        uri: lab.uri(),
        queue: ORDERS.to_owned(),
        prefetch: PREFETCH,
        limit: SOON,
        witness: lab.witness(),
    };
    let mut packer = Packer::default();
    let mut last = false;
    while !last {
        // What came before this look is found by one drain more.
        last = *published.borrow();
        consumer.drain(&mut packer).await?;
    }
    Ok(packer.0)
}

const PREFETCH: u16 = 100;

/// Packs an order, then acks it.
#[derive(Default)]
struct Packer(Tally);

impl Handle for Packer {
    type Error = Infallible;

    fn handle<'a>(
        &'a mut self,
        order: &'a Delivery,
    ) -> BoxFuture<'a, Result<(), Infallible>> {
        Box::pin(async {
            self.0.add(order.id);
            // An ack that is not written: the order comes again, and counts.
            let _ = order.ack().await;
            Ok(())
        })
    }
}

fn tell(lab: &Lab, summary: &Summary) {
    let sums = lab.sums();
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{confirmed} of {all} confirmed, {nacked} nacks",
            zh: "{confirmed}/{all} 已确认，nack {nacked} 次",
            confirmed = sums.confirmed, all = sums.accepted,
            nacked = summary.nacked
        },
    );
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "{delivered} delivered, packed and acked",
            zh: "投递 {delivered} 个，打包并 ack",
            delivered = sums.delivered
        },
    );
}
