//! A burst that does not end.

mod checks;

use std::time::Duration;

use lapin::types::AMQPValue;

use self::checks::{
    all_done_many_too_late, confirmed_and_lost, in_time_or_refused,
    promised_and_lost,
};
use super::{
    TRIED,
    surge::{AtTheDoor, Sampled, Sampling, Surge},
};
use crate::{
    demos::shop::orders::{ORDERS, Ran},
    event::{Column, Unit},
    lab::{Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    ledger::{Fact, MessageId, Witness},
    mechanism,
    pattern::{
        backoff::{Backoff, Jitter, Retry},
        pipeline::{PipelinedPublisher, Resend, Settings},
        pressure::Pressure,
        publisher::Route,
    },
    text, way,
};

/// "The queue is there for peaks; let it grow."
pub static ENDLESS: Scenario = Scenario {
    id: "endless",
    recipe: text! {
        en: "More orders than we can do? The queue takes them all.",
        zh: "订单多得处理不过来？反正队列都收得下。"
    },
    fault: text! {
        en: "Orders come more than three times as fast as they can be done, \
             and go on coming.",
        zh: "订单一直以处理速度的三倍多涌入，没有停的意思。"
    },
    predict: Predict {
        question: text! {
            en: "Customers wait 1.2 s at most. With a queue without bound:",
            zh: "客户最多等 1.2 秒。队列不设上限的话，"
        },
        choices: &[
            text! { en: "all are served in time", zh: "都能按时完成" },
            text! {
                en: "all get a yes, most get it done too late",
                zh: "都被答应，多数完成时已经晚了"
            },
            text! { en: "the broker refuses some", zh: "broker 会拒绝一些" },
        ],
        right: 1,
    },
    needs: Needs { fewest: 100, most: 1_000, seconds: 7, ..Needs::BROKER },
    strikes: &[Strike::Surge],
    hits: Hits::Once,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            no_bound,
            all_done_many_too_late,
            text! { en: "a queue without bound", zh: "队列不设上限" },
        ),
        fixed: way!(
            bound_and_honest,
            in_time_or_refused,
            text! {
                en: "a bound, reject-publish, and an honest \"not now\"",
                zh: "有上限，reject-publish，如实说「现在不行」"
            },
        ),
        mechanisms: &[
            mechanism!(
                "bound",
                no_bound,
                all_done_many_too_late,
                text! { en: "the bound", zh: "队列上限" },
            ),
            mechanism!(
                "reject-publish",
                drop_head,
                confirmed_and_lost,
                text! { en: "reject-publish", zh: "reject-publish" },
            ),
            mechanism!(
                "back-pressure",
                yes_to_all,
                promised_and_lost,
                text! { en: "back pressure", zh: "反压" },
            ),
        ],
    },
    columns: &[
        Column::Accepted,
        Column::Refused,
        Column::Applied,
        Column::Lost,
    ],
    figures: &["late", "longest"],
    bars: &[],
    claim: text! {
        en: "b: above capacity the wait grows for as long as it lasts. No \
             queue helps; it only puts off the no.",
        zh: "b：超出处理能力，等待就一直变长。队列帮不上忙，只是晚一点说「不」。"
    },
    fix: text! {
        en: "Bound the queue well below patience x service rate, \
             reject-publish, and pass the nack on to the customer.",
        zh: "上限要明显小于「耐心 × 处理速率」，用 reject-publish，\
             把 nack 如实告诉客户。"
    },
    limit: text! {
        en: "Refused orders are lost sales: the cure is more capacity.",
        zh: "被拒的订单就是丢掉的生意：要根治只能加处理能力。"
    },
    say: text! {
        en: "\"A queue that is always growing is an outage with a delay.\"",
        zh: "「一直在涨的队列，就是一场推迟了的故障。」"
    },
    source: &[include_str!("endless.rs"), include_str!("surge.rs")],
};

/// How long they go on coming, and how much faster than the service works.
const ON_AND_ON: Duration = Duration::from_millis(2_000);
const OVERLOAD: f64 = 3.0;
/// How long the service works on an order.
const LATENCY: Duration = Duration::from_millis(70);
/// A customer who has waited for so long has left.
const PATIENCE: Duration = Duration::from_millis(1_200);

/// What happens to an order that the service cannot do yet.
#[derive(Clone, Copy)]
enum Bound {
    /// It waits, however many do.
    None,
    /// When the bound is reached the oldest goes: the default.
    DropHead,
    /// When the bound is reached it is refused.
    RejectPublish,
}

/// What a customer is told at the door.
#[derive(Clone, Copy)]
enum Door {
    /// Yes when the broker has confirmed, and no when it has nacked, or has
    /// just now nacked another.
    Honest,
    /// Yes.
    Friendly,
}

/// Everybody is let in.
async fn no_bound(lab: Lab) -> Ran {
    on_and_on(&lab, Bound::None, Door::Honest).await
}

/// As many wait as can be done in time; all others hear so at the door.
async fn bound_and_honest(lab: Lab) -> Ran {
    on_and_on(&lab, Bound::RejectPublish, Door::Honest).await
}

/// Without reject-publish: the newest pushes out the oldest.
async fn drop_head(lab: Lab) -> Ran {
    on_and_on(&lab, Bound::DropHead, Door::Honest).await
}

/// Without back pressure: everybody is told yes, whatever the broker says.
async fn yes_to_all(lab: Lab) -> Ran {
    on_and_on(&lab, Bound::RejectPublish, Door::Friendly).await
}

const SOON: Duration = Duration::from_secs(30);

/// More orders than the worker can do, until the last that was kept is done.
async fn on_and_on(lab: &Lab, bound: Bound, door: Door) -> Ran {
    let surge = Surge::prepare(lab, ON_AND_ON, OVERLOAD, LATENCY)?;
    lab.declare_with(ORDERS, "classic", &bound.of(&surge)).await?;
    let worker = surge.worker(surge.at_once()).await?;
    let sampling = Sampling::start(lab, Some(ORDERS), &surge.flow).await?;
    door.open(lab, &surge).await?;
    // In order, to one worker: when the last that was confirmed is done, all
    // others that were kept are done too, or in its hands.
    let last = lab.messages().filter(|id| is_confirmed(lab, *id)).last();
    let all = text! { en: "the last order to be done", zh: "最后一个订单完成" };
    lab.wait_until(all, SOON, || async {
        Ok(last.is_none_or(|last| surge.flow.is_done(last)))
    })
    .await?;
    worker.stop().await;
    let sampled = sampling.stop().await?;
    surge.settle(Some(ORDERS)).await?;
    tell(lab, &surge, &sampled);
    Ok(())
}

fn is_confirmed(lab: &Lab, id: MessageId) -> bool {
    lab.entry(id).is_some_and(|entry| entry.confirmed > 0)
}

impl Bound {
    /// Two rounds of the service wait, besides the one that is worked on:
    /// whoever is let in is done in three latencies and what machine and
    /// broker add: a fifth of the patience.
    fn of(self, surge: &Surge) -> Vec<(&'static str, AMQPValue)> {
        let rounds = i64::from(surge.at_once()) * 2;
        let length = ("x-max-length", AMQPValue::LongLongInt(rounds));
        let reject = AMQPValue::LongString("reject-publish".into());
        match self {
            Self::None => vec![],
            Self::DropHead => vec![length],
            Self::RejectPublish => vec![length, ("x-overflow", reject)],
        }
    }
}

/// After a nack: as long as the service needs for one at most. The queue has
/// room again then.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(10),
    most: LATENCY,
    jitter: Jitter::None,
};
const HEEDLESS: Backoff = Backoff {
    first: Duration::ZERO,
    most: Duration::ZERO,
    jitter: Jitter::None,
};

impl Door {
    /// Customers come, one after another, and are told something.
    async fn open(self, lab: &Lab, surge: &Surge) -> Ran {
        let (backoff, witness) = match self {
            Self::Honest => (BACKOFF, AtTheDoor::of(lab)),
            Self::Friendly => (HEEDLESS, lab.witness()),
        };
        let pressure = Pressure::new(Retry::new(backoff));
        let settings = Settings {
            pressure: pressure.clone(),
            nacked: Resend::Never,
            unknown: Resend::Never,
            ..Settings::default()
        };
        let route = Route::queue(ORDERS);
        let mut publisher =
            PipelinedPublisher::open(lab.uri(), route, witness, settings);
        let may_enter = |order| match self {
            Self::Honest if pressure.is_open() => true,
            Self::Honest => {
                lab.saw(order, Fact::Refused);
                false
            }
            Self::Friendly => {
                lab.saw(order, Fact::Accepted);
                true
            }
        };
        surge.publish_at_once(&mut publisher, may_enter).await
    }
}

fn tell(lab: &Lab, surge: &Surge, sampled: &Sampled) {
    let sums = lab.sums();
    let waits = surge.flow.waits();
    let late = waits.values().filter(|wait| **wait > PATIENCE).count();
    let longest = waits.values().max().copied().unwrap_or_default();
    let last = waits.last_key_value().map(|(_, wait)| *wait);
    lab.step(
        text! { en: "door", zh: "入口" },
        text! {
            en: "{yes} told yes, {no} told \"not now\": {nacks} by a nack, \
                 the others before they published",
            zh: "答应 {yes}，说「现在不行」{no}：其中 {nacks} 个是 nack，\
                 其余没发布就劝退",
            yes = sums.accepted, no = sums.refused, nacks = sums.nacked
        },
    );
    lab.step(
        text! { en: "service", zh: "服务" },
        text! {
            en: "{done} done, {late} after the customer had left; {deepest} \
                 waiting at most",
            zh: "完成 {done}，其中 {late} 个客户已离开；最多积压 {deepest}",
            done = sums.applied, late = late, deepest = sampled.deepest
        },
    );
    if late > 0 {
        lab.came_to(text! {
            en: "{late} of {all} too late", zh: "{all} 个中 {late} 个太晚",
            late = late, all = sums.accepted
        });
    } else if sums.lost == 0 {
        lab.came_to(text! {
            en: "{done} in time, {refused} refused",
            zh: "{done} 个按时，{refused} 个被拒",
            done = sums.applied, refused = sums.refused
        });
    }
    let name = text! { en: "too late", zh: "太晚" };
    lab.observe("late", name, late as f64, Unit::Count);
    let ms = |wait: Duration| wait.as_secs_f64() * 1e3;
    let name = text! { en: "longest wait", zh: "最长等待" };
    lab.observe("longest", name, ms(longest), Unit::Ms);
    let room = f64::from(surge.at_once()) * 3.0;
    let name = text! { en: "room", zh: "容量" };
    lab.observe("room", name, room, Unit::Count);
    let name = text! { en: "wait of the last", zh: "最后一个的等待" };
    lab.observe("last", name, ms(last.unwrap_or_default()), Unit::Ms);
}
