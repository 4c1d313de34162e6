//! What is the same in every way: the queues, the orders, and who looks.

use std::time::Duration;

use anyhow::ensure;
use lapin::options::BasicGetOptions;

use super::consumer::Working;
use crate::{
    demos::{
        durability::link::{Argument, Link, id_of, number, word},
        shop::orders::{ORDERS, Ran, publish_these},
    },
    event::Unit,
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Witness},
    pattern::retry::Ladder,
    text,
};

/// What the ways do differently.
#[derive(Clone, Copy)]
pub struct Rules {
    /// What the consumer does with an order that it fails at.
    pub failed: Failed,
    /// Where the work queue's dead letters go.
    pub limit_leads_to: LimitLeadsTo,
}

/// What the consumer does with an order that it fails at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// `basic.reject` with requeue: the broker counts.
    GivenBack,
    /// [`Retrier::failed`](crate::pattern::retry::Retrier::failed).
    Copied,
}

/// Where the work queue's dead letters go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LimitLeadsTo {
    /// To a queue with a TTL, and back from there.
    TheDelay,
    /// To where people look.
    TheParking,
}

/// Deliveries that may fail; the one more is the last.
const LIMIT: u32 = 1;
/// How often whoever works on it fails or dies before the limit has it.
pub(super) const DELIVERIES: u32 = LIMIT + 1;
const DELAY: Duration = Duration::from_millis(150);
const RETRIES: u32 = 2;
const SOON: Duration = Duration::from_secs(20);

pub(super) fn ladder() -> Ladder {
    Ladder::growing(ORDERS, DELAY, RETRIES)
}

/// The broker's log names queues and no vhosts: this one is of one way only.
fn delay_queue(lab: &Lab) -> String {
    format!("{}.delay", lab.vhost())
}

/// All orders come; some fail. Then one message more is rejected by hand: it
/// goes where those have gone before it, and when it is there, so are they.
pub async fn go_round(lab: &Lab, rules: Rules) -> Ran {
    declare(lab, rules).await?;
    let working = Working::start(lab, rules);
    publish(lab).await?;
    let what = text! { en: "all orders to be tried", zh: "订单都试过" };
    working.wait(lab, what, |seen| seen.is_tried(lab, rules)).await?;
    reject_by_hand(lab, rules, &working).await?;
    if rules.failed == Failed::GivenBack {
        // The one by hand has come back behind them: their delay is over.
        for order in lab.plan().of(Strike::SecondLap) {
            if lab.is_planned(order, Strike::SecondLap) {
                lab.struck(order, Strike::SecondLap);
            }
        }
    }
    for (order, times) in working.stop().await? {
        lab.settle(order, times, 0);
    }
    let _ = look(lab, |order| lab.saw(order, Fact::Parked)).await?;
    let queues = [ORDERS.to_owned(), delay_queue(lab)];
    for queue in queues.into_iter().chain(ladder().queues()) {
        for order in lab.left_in(&queue).await? {
            lab.settle(order, 0, 1);
        }
    }
    tell(lab, rules).await
}

async fn declare(lab: &Lab, rules: Rules) -> Ran {
    let to = |queue: &str| -> [Argument; 2] {
        [
            word("x-dead-letter-exchange", ""),
            word("x-dead-letter-routing-key", queue),
        ]
    };
    let [exchange, key] = match rules.limit_leads_to {
        LimitLeadsTo::TheDelay => to(&delay_queue(lab)),
        LimitLeadsTo::TheParking => to(&ladder().parking()),
    };
    let limit = number("x-delivery-limit", LIMIT);
    lab.declare_with(ORDERS, "quorum", &[limit, exchange, key]).await?;
    let ttl = number("x-message-ttl", DELAY.as_millis() as u32);
    let [exchange, key] = to(ORDERS);
    let back = [ttl, exchange, key];
    lab.declare_with(&delay_queue(lab), "classic", &back).await?;
    let link = Link::open(&lab.uri()).await?;
    ladder().declare(&link.channel).await?;
    link.close().await
}

async fn publish(lab: &Lab) -> Ran {
    publish_these(lab, ORDERS, lab.messages()).await?;
    let planned = |strike| lab.plan().of(strike).count();
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{all} orders: {fail} fail twice, {kill} kill their consumer; \
                 limit {limit}",
            zh: "{all} 个订单：{fail} 个失败两次，{kill} 个弄死消费者；投递上限 {limit}",
            all = lab.count(), fail = planned(Strike::SecondLap),
            kill = planned(Strike::Poison), limit = LIMIT
        },
    );
    Ok(())
}

/// As it is tried out before it is relied on: one message, rejected by hand.
async fn reject_by_hand(lab: &Lab, rules: Rules, working: &Working) -> Ran {
    let link = Link::open(&lab.uri()).await?;
    let channel = &link.channel;
    let options = Default::default();
    let probe = Default::default();
    let publish =
        channel.basic_publish("".into(), ORDERS.into(), options, b"", probe);
    publish.await?;
    link.close().await?;
    let there = text! { en: "one rejected by hand", zh: "手工 reject 的那条" };
    match rules.limit_leads_to {
        LimitLeadsTo::TheDelay => {
            working.wait(lab, there, |seen| seen.by_hand == 2).await?;
            lab.step(
                text! { en: "by hand", zh: "手工" },
                text! {
                    en: "one more is rejected (requeue = false): it is back",
                    zh: "另有一条被 reject（requeue = false）：回来了"
                },
            );
        }
        LimitLeadsTo::TheParking => {
            let is_parked = || async { look(lab, |_| ()).await };
            lab.wait_until(there, SOON, is_parked).await?;
        }
    }
    Ok(())
}

/// Looks at what is parked, and leaves it there: whether the one that was
/// rejected by hand is among it.
async fn look(lab: &Lab, found: impl Fn(MessageId)) -> anyhow::Result<bool> {
    let link = Link::open(&lab.uri()).await?;
    let (parking, options) = (ladder().parking(), BasicGetOptions::default());
    let get = || link.channel.basic_get(parking.as_str().into(), options);
    let mut by_hand = false;
    while let Some(parked) = get().await? {
        match id_of(&parked.delivery) {
            Ok(id) => found(id),
            Err(_) => by_hand = true,
        }
    }
    // Not acked: all of it goes back.
    link.close().await?;
    Ok(by_hand)
}

async fn tell(lab: &Lab, rules: Rules) -> Ran {
    let (lost, parked) = (lab.sums().lost, lab.sums().parked);
    let can_be_cut = rules.limit_leads_to == LimitLeadsTo::TheDelay;
    ensure!(lost == 0 || can_be_cut, "{lost} lost without a cycle");
    let lines = in_the_log(lab, lost > 0).await?;
    let name = text! { en: "log lines", zh: "日志行数" };
    lab.observe("log", name, lines as f64, Unit::Count);
    if lost > 0 {
        lab.step(
            text! { en: "log", zh: "日志" },
            text! {
                en: "{lost} are gone, and \"Message dropped\" is there {lines} \
                     time",
                zh: "{lost} 个没了，日志里只有 {lines} 行「Message dropped」",
                lost = lost, lines = lines
            },
        );
        let container = &lab.broker().service.container;
        lab.command(format!(
            "docker logs {container} 2>&1 | grep -A2 'Message dropped'"
        ));
    } else if parked > 0 {
        lab.came_to(text! {
            en: "{n} parked, none lost", zh: "转人工 {n} 个，一个没丢", n = parked
        });
    }
    Ok(())
}

/// How often the broker's log says that it has broken the circle of this way;
/// a log may come late.
async fn in_the_log(lab: &Lab, is_due: bool) -> anyhow::Result<usize> {
    let queue = delay_queue(lab);
    let lines = async || drops(&lab.broker().log().await, &queue);
    if is_due {
        let what =
            text! { en: "the broker's log to say so", zh: "broker 写日志" };
        lab.wait_until(what, SOON, || async { Ok(lines().await > 0) }).await?;
    }
    Ok(lines().await)
}

/// How often the log says that a cycle with this queue in it was broken. The
/// list of queues may take several lines.
fn drops(log: &str, queue: &str) -> usize {
    const LINES: usize = 4;
    let lines: Vec<_> = log.lines().collect();
    let of_queue = |at: &usize| {
        let entry = &lines[*at..lines.len().min(at + LINES)];
        entry.iter().any(|line| line.contains(queue))
    };
    let dropped = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.contains("Message dropped"))
        .map(|(at, _)| at);
    dropped.filter(of_queue).count()
}
