//! What is the same in every way: which order fails when, and who looks.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use futures::{StreamExt, future::BoxFuture};
use lapin::{
    message::Delivery,
    options::{BasicAckOptions, BasicGetOptions},
    types::AMQPValue,
};
use tokio::task::JoinHandle;

use super::{
    book::{Book, FAILS},
    desk::{Came, Desk},
};
use crate::{
    demos::{
        durability::link::{Argument, Link, id_of, word},
        shop::orders::{ORDERS, Ran, publish_these},
    },
    event::Unit,
    fault::wire::Protocol,
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Witness},
    pattern::retry::{Ladder, PARKED_AFTER, PARKED_BECAUSE, Retrier},
    text,
    text::Text,
};

/// What is done with an order that has failed.
type Failed = for<'a> fn(&'a Delivery, &'a mut Desk) -> BoxFuture<'a, Came>;

/// The one queue of those who have only one.
pub(super) const ONE: &str = "orders.retry";
/// What people read who look at what is parked.
pub const WHY: &str = "out of stock";
/// The shorter delay; the longer one is four times as long.
pub const SHORT: Duration = Duration::from_millis(250);
/// Each order is tried three times.
const RETRIES: u32 = 2;
const SOON: Duration = Duration::from_secs(20);

/// One order fails for the second time, and waits for the longer delay, when
/// those are there that fail once. Then come all others, some of which fail always; at last
/// somebody looks at what is parked, mends the cause and replays it.
pub async fn tried_again(lab: Lab, failed: Failed) -> Ran {
    let ladder = Ladder::growing(ORDERS, SHORT, RETRIES);
    declare(&lab, &ladder).await?;
    let wire = lab.wire("retries", Protocol::Amqp).await?;
    let uri = lab.uri_through(&wire);
    let retrier = Retrier::new(uri.clone(), ladder.clone());
    let book = Arc::new(Book::new(&lab));
    let desk = Desk::at(uri, retrier);
    let working = Working::start(&lab, &book, desk, failed).await?;
    come_and_fail(&lab, &book, &working).await?;
    working.wait(&lab, AT_LEAST_TRIED, || book.is_over()).await?;
    look(&lab, &book, &ladder).await?;
    book.mend();
    let replayed = Retrier::new(lab.uri(), ladder.clone()).replay().await?;
    working.wait(&lab, REPLAYED, || book.is_packed()).await?;
    working.stop().await?;
    settle(&lab, &book, &ladder).await?;
    tell(&lab, &book, replayed);
    Ok(())
}

async fn declare(lab: &Lab, ladder: &Ladder) -> Ran {
    lab.declare(ORDERS).await?;
    let back: [Argument; 4] = [
        word("x-dead-letter-exchange", ""),
        word("x-dead-letter-routing-key", ORDERS),
        word("x-dead-letter-strategy", "at-least-once"),
        word("x-overflow", "reject-publish"),
    ];
    lab.declare_with(ONE, "quorum", &back).await?;
    let link = Link::open(&lab.uri()).await?;
    ladder.declare(&link.channel).await?;
    link.close().await
}

const AT_LEAST_TRIED: Text =
    text! { en: "the retries to be over", zh: "重试全部结束" };
const REPLAYED: Text =
    text! { en: "what was replayed to be packed", zh: "重放的订单完成打包" };

/// First the order with the longer delay, then those that are to stand behind
/// it, then all others, and a probe behind them all.
async fn come_and_fail(lab: &Lab, book: &Book, working: &Working) -> Ran {
    let first: Vec<_> = book.blocker.into_iter().collect();
    let second: Vec<_> = lab
        .plan()
        .of(Strike::HeldUp)
        .filter(|_| book.blocker.is_some())
        .collect();
    let rest: Vec<_> = lab
        .messages()
        .filter(|id| !first.contains(id) && !second.contains(id))
        .collect();
    publish(lab, &first).await?;
    let what = text! {
        en: "one order to come again", zh: "一个订单回来"
    };
    working.wait(lab, what, || book.is_about_to_block()).await?;
    publish(lab, &second).await?;
    book.stand_behind();
    let what = text! {
        en: "one order to fail twice", zh: "一个订单失败两次"
    };
    working.wait(lab, what, || book.is_blocked()).await?;
    let what = text! {
        en: "the orders behind it to fail", zh: "排在后面的订单失败"
    };
    working.wait(lab, what, || book.all_came(&second)).await?;
    let what = text! {
        en: "the orders behind it to come again", zh: "排在后面的订单回来"
    };
    working.wait(lab, what, || book.all_packed_of(&second)).await?;
    publish(lab, &rest).await?;
    let what = text! { en: "all orders to be tried", zh: "订单都试过一次" };
    working.wait(lab, what, || book.all_came(&rest)).await?;
    tell_published(lab, second.len());
    probe(lab).await
}

async fn publish(lab: &Lab, orders: &[MessageId]) -> Ran {
    publish_these(lab, ORDERS, orders.iter().copied()).await
}

/// A message without an id, which fails once: it goes the way of those that
/// have failed before, and when it is back so are they, or they are gone.
async fn probe(lab: &Lab) -> Ran {
    let link = Link::open(&lab.uri()).await?;
    let publish = link.channel.basic_publish(
        "".into(),
        ORDERS.into(),
        Default::default(),
        b"probe",
        Default::default(),
    );
    publish.await?;
    link.close().await
}

/// A consumer at work.
struct Working(JoinHandle<Ran>, Arc<Book>);

impl Working {
    async fn start(
        lab: &Lab,
        book: &Arc<Book>,
        mut desk: Desk,
        failed: Failed,
    ) -> anyhow::Result<Self> {
        const PREFETCH: u16 = 20;
        let link = Link::open(&lab.uri()).await?;
        let mut consumer = link.consume(ORDERS, PREFETCH).await?;
        let (lab, book) = (lab.clone(), book.clone());
        let kept = book.clone();
        let task = tokio::spawn(async move {
            loop {
                let next = tokio::select! {
                    next = consumer.next() => next,
                    () = book.ended() => break,
                };
                let Some(delivery) = next else { break };
                work(&lab, &book, &delivery?, &mut desk, failed).await?;
            }
            link.close().await
        });
        Ok(Self(task, kept))
    }

    /// Waits until it has come so far.
    async fn wait(
        &self,
        lab: &Lab,
        what: Text,
        is_so: impl Fn() -> bool,
    ) -> Ran {
        lab.wait_until(what, SOON, || async {
            ensure!(!self.0.is_finished(), "the consumer has ended");
            Ok(is_so())
        })
        .await
    }

    async fn stop(self) -> Ran {
        self.1.end();
        self.0.await?
    }
}

/// Packs an order, or does with it what is done with what has failed.
async fn work(
    lab: &Lab,
    book: &Book,
    delivery: &Delivery,
    desk: &mut Desk,
    failed: Failed,
) -> Ran {
    let Ok(id) = id_of(delivery) else {
        match book.probe_came() {
            1 => failed(delivery, desk).await?,
            _ => desk.forget(delivery).await?,
        };
        return Ok(());
    };
    let fact = match delivery.redelivered {
        true => Fact::Redelivered,
        false => Fact::Delivered,
    };
    lab.saw(id, fact);
    let tries = book.came(id);
    if tries > book.fails(id) {
        book.packed(id);
        lab.saw(id, Fact::Applied);
        delivery.acker.ack(BasicAckOptions::default()).await?;
        return Ok(());
    }
    book.others_behind(id, tries).await;
    let began = Instant::now();
    let comes = failed(delivery, desk).await?;
    if tries == 1 {
        desk.after_the_cut(lab, id).await?;
    }
    book.failed(id, comes, began);
    if book.is_behind(id) {
        lab.struck(id, Strike::HeldUp);
    }
    if tries == FAILS {
        lab.struck(id, Strike::Poison);
    }
    Ok(())
}

/// Somebody looks at what is parked, and leaves it there.
async fn look(lab: &Lab, book: &Book, ladder: &Ladder) -> Ran {
    let link = Link::open(&lab.uri()).await?;
    let (parking, mut explained) = (ladder.parking(), 0);
    let options = BasicGetOptions::default();
    let get = || link.channel.basic_get(parking.as_str().into(), options);
    while let Some(parked) = get().await? {
        let id = id_of(&parked.delivery)?;
        lab.saw(id, Fact::Parked);
        book.is_parked(id);
        let headers = parked.delivery.properties.headers().as_ref();
        let says = |key: &str| headers.and_then(|h| h.inner().get(key));
        let because = AMQPValue::LongString(WHY.into());
        let after = AMQPValue::LongUInt(RETRIES + 1);
        if says(PARKED_BECAUSE) == Some(&because)
            && says(PARKED_AFTER) == Some(&after)
        {
            explained += 1;
        }
    }
    let name = text! { en: "with why", zh: "写明原因" };
    lab.observe("explained", name, f64::from(explained), Unit::Count);
    // Not acked: all of it goes back.
    link.close().await
}

fn tell_published(lab: &Lab, behind: usize) {
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{all} orders; {behind} fail behind one that waits {long} ms",
            zh: "{all} 个订单；{behind} 个失败时前面有一个要等 {long} ms",
            all = lab.count(), behind = behind, long = 4 * SHORT.as_millis()
        },
    );
}

fn tell(lab: &Lab, book: &Book, replayed: u32) {
    let (held_up, longest) = (book.held_up(), book.longest());
    let name = text! { en: "held up", zh: "被挡住" };
    lab.observe("held-up", name, held_up as f64, Unit::Count);
    let name = text! { en: "250 ms took", zh: "250 ms 实际" };
    let longest = longest.as_secs_f64() * 1e3;
    lab.observe("longest", name, longest, Unit::Ms);
    lab.step(
        text! { en: "retry", zh: "重试" },
        text! {
            en: "{short} ms took {longest} ms at worst; {held} came after the \
                 long delay",
            zh: "{short} ms 的延时最久等了 {longest} ms；{held} 个晚于长延时那个",
            short = SHORT.as_millis(), longest = longest.round(),
            held = held_up
        },
    );
    lab.step(
        text! { en: "parked", zh: "转人工" },
        text! {
            en: "{parked} after {tries} tries each; mended, {replayed} replayed",
            zh: "{parked} 个各试 {tries} 次后转人工；修好后重放 {replayed} 个",
            parked = lab.sums().parked, tries = RETRIES + 1,
            replayed = replayed
        },
    );
    let sums = lab.sums();
    if held_up > 0 {
        lab.came_to(text! {
            en: "{n} of {all} short delays held up", zh: "{all} 个短延时中 {n} 个被挡住",
            n = held_up, all = lab.plan().of(Strike::HeldUp).count()
        });
    } else if sums.parked > 0 && sums.lost == 0 {
        lab.came_to(text! {
            en: "each in its time", zh: "各按各的延时"
        });
    }
}

/// What was packed, and what is still anywhere.
async fn settle(lab: &Lab, book: &Book, ladder: &Ladder) -> Ran {
    for (order, times) in book.all_packed() {
        lab.settle(order, times, 0);
    }
    // Those that still go round come to the work queue within a delay.
    let what = text! { en: "the delays to run out", zh: "延时到期" };
    let round = book.going_round();
    lab.wait_until(what, SOON, || async {
        Ok(lab.ready(ORDERS).await? as usize >= round)
    })
    .await?;
    let queues = [ORDERS.to_owned(), ONE.to_owned(), ladder.parking()];
    for queue in queues.into_iter().chain(ladder.queues()) {
        for order in lab.left_in(&queue).await? {
            lab.settle(order, 0, 1);
        }
    }
    Ok(())
}
