//! What is the same in every way: a queue with a limit and a place for what
//! has reached it, and a service that is down for a while.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::StreamExt;
use lapin::{
    message::Delivery,
    options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions},
};
use tokio::time::{sleep, timeout};

use crate::{
    demos::{
        durability::link::{Argument, Link, id_of, number, word},
        shop::orders::{ORDERS, Ran, publish_these},
    },
    event::Unit,
    lab::{Lab, RanOut, Strike},
    ledger::{Fact, MessageId, Witness},
    text,
};

/// The first delay; each further one is longer by as much.
pub const MIN_MS: u32 = 200;
/// The longest delay.
pub const MAX_MS: u32 = 1_000;
/// Deliveries that may fail; the one more is the last.
pub(super) const LIMIT: u32 = 4;
/// How long the service is down for an order, since it was first tried. The
/// last of five tries comes 2.0 s after the first with delays that grow, and
/// 0.8 s after it with delays that do not. Where the delays are shorter in all,
/// it is down for the five tries in any case: how fast this machine makes them
/// is not what is judged.
const DOWN: Duration = Duration::from_millis(1_800);
/// How long it takes to ask the service.
const ASKS: Duration = Duration::from_millis(1);
/// Where people look.
const PARKED: &str = "orders.parked";
const SOON: Duration = Duration::from_secs(20);
const PREFETCH: u16 = 20;

/// What the consumer says of an order that it could not pack.
#[derive(Clone, Copy)]
pub enum Answers {
    /// `basic.reject`, requeue.
    Reject,
    /// `basic.nack`, requeue.
    Nack,
}

/// The queues, and what has become of the orders.
pub struct Shop {
    lab: Lab,
    orders: BTreeMap<MessageId, Order>,
    /// What the delays of a policy come to in all, once it is accepted. What is
    /// misspelt in an argument delays nothing.
    delays: Duration,
}

#[derive(Clone, Copy)]
struct Order {
    first: Instant,
    last: Instant,
    /// The shortest time between two tries.
    gap: Duration,
    tries: u32,
    packed: bool,
}

impl Shop {
    /// Declares a queue with a delivery limit and with these arguments.
    pub async fn declare(
        lab: &Lab,
        retry: &[Argument],
    ) -> anyhow::Result<Self> {
        lab.declare(PARKED).await?;
        let limit = [
            number("x-delivery-limit", LIMIT),
            word("x-dead-letter-exchange", ""),
            word("x-dead-letter-routing-key", PARKED),
        ];
        let all = [&limit, retry].concat();
        lab.declare_with(ORDERS, "quorum", &all).await?;
        let of_retry = retry.iter().map(|(key, value)| match value {
            lapin::types::AMQPValue::LongString(word) => {
                format!("{key}=\"{word}\"")
            }
            _ => (*key).to_owned(),
        });
        if let Some(first) = of_retry.into_iter().next() {
            lab.step(
                text! { en: "declare", zh: "声明" },
                text! {
                    en: "{argument}: queue.declare-ok",
                    zh: "{argument}：queue.declare-ok", argument = first
                },
            );
        }
        let (orders, delays) = (BTreeMap::new(), Duration::ZERO);
        Ok(Self { lab: lab.clone(), orders, delays })
    }

    /// Sets a policy on the queue, or tells why the broker does not.
    pub async fn set_policy(&mut self, retry: serde_json::Value) -> Ran {
        let lab = &self.lab;
        let kind = retry["delayed-retry-type"].to_string();
        let delays = in_all(&retry);
        let management = &lab.broker().management;
        let set = management.set_policy(lab.vhost(), ORDERS, retry).await?;
        let said = match &set {
            Ok(()) => {
                self.delays = delays;
                text! { en: "ok", zh: "成功" }
            }
            Err(why) => {
                let name = text! { en: "refused", zh: "被拒" };
                lab.observe("refused", name, 1.0, Unit::Count);
                // "Validation failed", and in the next line of what.
                let why = why.lines().last().unwrap_or_default();
                let why = why.split(". ").next().unwrap_or_default();
                text::Text::same(why.replace("<<", "").replace(">>", ""))
            }
        };
        lab.step(
            text! { en: "policy", zh: "policy" },
            text::Text::made(
                format!("delayed-retry-type {kind}: {}", said.en),
                format!("delayed-retry-type {kind}：{}", said.zh),
            ),
        );
        Ok(())
    }

    fn lab(&self) -> &Lab {
        &self.lab
    }
}

/// What all the delays of an order come to that fails as often as it may.
fn in_all(retry: &serde_json::Value) -> Duration {
    let ms = |key: &str| retry[key].as_u64();
    let min = ms("delayed-retry-min").unwrap_or_default();
    let max = ms("delayed-retry-max").unwrap_or(min);
    let each = (1..=u64::from(LIMIT)).map(|failed| (min * failed).min(max));
    Duration::from_millis(each.sum())
}

/// All orders are published; some need the service while it is down.
pub async fn locked_for_a_while(mut shop: Shop, answers: Answers) -> Ran {
    let lab = shop.lab().clone();
    publish_these(&lab, ORDERS, lab.messages()).await?;
    shop.work(answers).await?;
    for (order, seen) in &shop.orders {
        lab.settle(*order, u16::from(seen.packed), 0);
    }
    for order in lab.left_in(PARKED).await? {
        lab.saw(order, Fact::Parked);
    }
    for order in lab.left_in(ORDERS).await? {
        lab.settle(order, 0, 1);
    }
    tell(&shop);
    Ok(())
}

impl Shop {
    /// Until each order is packed, or was tried as often as it may be.
    async fn work(&mut self, answers: Answers) -> Ran {
        let link = Link::open(&self.lab.uri()).await?;
        let mut orders = link.consume(ORDERS, PREFETCH).await?;
        let began = Instant::now();
        while self.open() > 0 {
            if began.elapsed() > SOON {
                let what = text! {
                    en: "the retries to be over", zh: "重试全部结束"
                };
                return Err(RanOut { what, limit: SOON }.into());
            }
            const LOOK: Duration = Duration::from_millis(50);
            match timeout(LOOK, orders.next()).await {
                Ok(next) => {
                    let next = next.context("the broker ended the consumer")?;
                    self.pack(&next?, answers).await?;
                }
                // All that is open is where people look.
                Err(_) if self.lab.ready(PARKED).await? == self.open() => break,
                Err(_) => {}
            }
        }
        link.close().await
    }

    async fn pack(&mut self, delivery: &Delivery, answers: Answers) -> Ran {
        let id = id_of(delivery)?;
        let now = Instant::now();
        let waits = self.waits(answers);
        let new = Order {
            first: now,
            last: now,
            gap: Duration::MAX,
            tries: 0,
            packed: false,
        };
        let order = self.orders.entry(id).or_insert(new);
        if order.tries > 0 {
            order.gap = order.gap.min(now - order.last);
        }
        (order.last, order.tries) = (now, order.tries + 1);
        let tries = order.tries;
        let fact = match delivery.redelivered {
            true => Fact::Redelivered,
            false => Fact::Delivered,
        };
        self.lab.saw(id, fact);
        let down = Strike::ServiceDown;
        let lasts =
            now - order.first < DOWN || (waits < DOWN && tries <= LIMIT + 1);
        if self.lab.is_planned(id, down) && lasts {
            sleep(ASKS).await;
            match answers {
                Answers::Reject => {
                    let again = BasicRejectOptions { requeue: true };
                    delivery.acker.reject(again).await?;
                }
                Answers::Nack => {
                    let again =
                        BasicNackOptions { requeue: true, multiple: false };
                    delivery.acker.nack(again).await?;
                }
            }
            if tries == 1 {
                self.lab.struck(id, down);
            }
            return Ok(());
        }
        order.packed = true;
        delivery.acker.ack(BasicAckOptions::default()).await?;
        self.lab.saw(id, Fact::Applied);
        Ok(())
    }

    /// How long an order waits between its tries, in all. What is nacked has
    /// not failed, and does not wait.
    fn waits(&self, answers: Answers) -> Duration {
        match answers {
            Answers::Reject => self.delays,
            Answers::Nack => Duration::ZERO,
        }
    }

    /// How many orders are not packed.
    fn open(&self) -> u32 {
        let packed = self.orders.values().filter(|order| order.packed);
        self.lab.count() - packed.count() as u32
    }
}

fn tell(shop: &Shop) {
    let lab = &shop.lab;
    let struck = lab.plan().of(Strike::ServiceDown);
    let struck: Vec<_> = struck.filter_map(|id| shop.orders.get(&id)).collect();
    let tries = || struck.iter().map(|order| order.tries);
    let within = || struck.iter().map(|order| order.last - order.first);
    let (most, fewest) = (tries().max(), tries().min());
    let (longest, shortest) = (within().max(), within().min());
    let ms =
        |span: Option<Duration>| span.unwrap_or_default().as_secs_f64() * 1e3;
    let name = text! { en: "tries", zh: "次数" };
    lab.observe("tries", name, most.unwrap_or_default().into(), Unit::Count);
    let name = text! { en: "fewest tries", zh: "最少次数" };
    let fewest = fewest.unwrap_or_default();
    lab.observe("fewest", name, fewest.into(), Unit::Count);
    let name = text! { en: "within", zh: "历时" };
    lab.observe("within", name, ms(longest), Unit::Ms);
    let name = text! { en: "at least within", zh: "最短历时" };
    lab.observe("shortest", name, ms(shortest), Unit::Ms);
    let gap = struck.iter().map(|order| order.gap).min();
    let name = text! { en: "shortest gap", zh: "最短间隔" };
    lab.observe("gap", name, ms(gap), Unit::Ms);
    let (parked, most) = (lab.sums().parked, most.unwrap_or_default());
    let (en, zh) = match parked {
        0 => ("all done".to_owned(), "全部完成".to_owned()),
        n => (
            format!("{n} parked at the limit"),
            format!("{n} 个到上限，转人工"),
        ),
    };
    let (ends, ms) = (text::Text::made(en, zh), ms(longest).round());
    lab.step(
        text! { en: "consume", zh: "消费" },
        text::Text::made(
            format!("up to {most} tries within {ms} ms; {}", ends.en),
            format!("{ms} ms 内最多试了 {most} 次；{}", ends.zh),
        ),
    );
    if parked > 0 {
        lab.came_to(text! {
            en: "{n} parked after {ms} ms", zh: "{n} 个 {ms} ms 后转人工",
            n = parked, ms = ms
        });
    } else if most > LIMIT + 1 {
        lab.came_to(text! {
            en: "one tried {n} times", zh: "有一单试了 {n} 次", n = most
        });
    }
}
