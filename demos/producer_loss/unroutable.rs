//! A routing key that leads to no queue: confirmed, and nowhere.
//!
//! Source: RabbitMQ documentation, "Consumer Acknowledgements and Publisher
//! Confirms", section "When Will Published Messages Be Confirmed by the
//! Broker?": what cannot be routed is confirmed once that is known, and a
//! mandatory one is returned before its ack.

use futures::future::BoxFuture;
use lapin::{
    Confirmation::{self, Ack},
    ExchangeKind,
    options::BasicPublishOptions,
};

use super::{
    TRIED,
    counter::{BY_REGION, Counter, EU, MANDATORY, Order, went_nowhere},
    operator::Operator,
    rows::people_look,
};
use crate::{
    demos::shop::{
        orders::{ORDERS, Ran},
        packing::{Packs, pack},
    },
    event::{Column, Unit},
    fault::wire::Protocol,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{
            balanced, every_attempt_answered, every_message_confirmed,
            exactly_where, figure_is, lost_exactly_where_struck,
        },
    },
    ledger::Entry,
    mechanism, text,
    text::Text,
    way,
};

/// "The broker confirmed it, so it is in the queue."
pub static UNROUTABLE: Scenario = Scenario {
    id: "unroutable",
    recipe: text! {
        en: "The broker has confirmed it, so it is in the queue.",
        zh: "broker 确认了，消息就一定进了队列。"
    },
    fault: text! {
        en: "1 order in 10 has a routing key that no queue is bound for.",
        zh: "每 10 单有 1 单的路由键没有绑定任何队列。"
    },
    predict: Predict {
        question: text! {
            en: "No queue for its key, confirms on. The broker says?",
            zh: "路由不到队列，开着确认。broker 会怎么回？"
        },
        choices: &[
            text! { en: "a nack", zh: "nack" },
            text! { en: "no answer", zh: "不应答" },
            text! { en: "an ack", zh: "照样 ack" },
            text! { en: "it closes the channel", zh: "关闭信道" },
        ],
        right: 2,
    },
    needs: Needs { fewest: 10, most: 2_000, ..Needs::BOOKS },
    strikes: &[Strike::Unroutable],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            taken_one_by_one,
            wait_for_the_ack(order, shop),
            confirmed_and_nowhere,
            text! { en: "publish and wait for the ack", zh: "发布，等 ack" },
        ),
        fixed: way!(
            taken_one_by_one,
            heed_the_return(order, shop),
            told_after_one_attempt,
            text! {
                en: "mandatory; what comes back goes to a list for people",
                zh: "mandatory，退回的进清单让人处理"
            },
        ),
        mechanisms: &[
            mechanism!(
                "mandatory",
                taken_one_by_one,
                heed_what_never_comes(order, shop),
                confirmed_and_nowhere,
                text! { en: "mandatory", zh: "mandatory" },
            ),
            mechanism!(
                "return-before-ack",
                taken_one_by_one,
                match_any_ack(order, shop),
                returned_and_unread,
                text! { en: "reading the return", zh: "先看 return" },
            ),
            mechanism!(
                "no-blind-resend",
                taken_one_by_one,
                resend_what_is_returned(order, shop),
                told_after_many_attempts,
                text! { en: "not resending a return", zh: "退回的不重发" },
            ),
        ],
    },
    columns: &[
        Column::Attempts,
        Column::Confirmed,
        Column::Returned,
        Column::Reported,
        Column::Lost,
    ],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "c: routed to every queue that matches, all 0 of them: done, ack. \
             With mandatory a return (312 NO_ROUTE) comes first, then the ack.",
        zh: "c：交换机把它投给了所有匹配的队列，共 0 个：完成，ack。\
             设了 mandatory，会先退回（312 NO_ROUTE），再 ack。"
    },
    fix: text! {
        en: "Three signals, three answers: nack: retry. Return: a topology \
             bug, alert, no loop. No answer: unknown, resend the same id.",
        zh: "三种信号，三种处理：nack 就重试；return 是拓扑有 bug，告警，\
             别循环重发；没有应答就是未知，用同一 id 重发。"
    },
    limit: text! {
        en: "A key that leads to the wrong queue is routed. In lapin a return \
             hides in Ack(Some(_)); pipelined, match it by message id.",
        zh: "路由到错误的队列也算路由成功。lapin 的 return 藏在 Ack(Some(_)) 里；\
             流水线发布时要按 message id 对应。"
    },
    say: text! {
        en: "\"A confirm says taken over, not stored: no queue, no message. \
             Set mandatory and read the returns.\"",
        zh: "「确认只表示接手，不表示入队：没有队列就没有消息。\
             要设 mandatory 并处理 return。」"
    },
    source: &[include_str!("unroutable.rs")],
};

/// Publishes one order and acts on the answer.
type Place = for<'a> fn(&'a Order, &'a mut Counter) -> BoxFuture<'a, Ran>;

/// An ack: the order is in the queue, or so they think.
async fn wait_for_the_ack(order: &Order, shop: &mut Counter) -> Ran {
    match shop.publish(order, BasicPublishOptions::default()).await? {
        Ack(_) => shop.is_done(order),
        other => refused(order, &other),
    }
}

/// What has no queue comes back before its ack. No resend would find it one:
/// it goes to the list that people look at, and the next order is taken.
async fn heed_the_return(order: &Order, shop: &mut Counter) -> Ran {
    match shop.publish(order, MANDATORY).await? {
        Ack(None) => shop.is_done(order),
        Ack(Some(back)) => shop.is_returned(order, &back),
        other => refused(order, &other),
    }
}

/// Without mandatory: who is to heed a return must have asked for it.
async fn heed_what_never_comes(order: &Order, shop: &mut Counter) -> Ran {
    match shop.publish(order, BasicPublishOptions::default()).await? {
        Ack(None) => shop.is_done(order),
        Ack(Some(back)) => shop.is_returned(order, &back),
        other => refused(order, &other),
    }
}

/// Without a look at what came before the ack.
async fn match_any_ack(order: &Order, shop: &mut Counter) -> Ran {
    match shop.publish(order, MANDATORY).await? {
        Ack(_) => shop.is_done(order),
        other => refused(order, &other),
    }
}

/// A return is taken for a nack: again, and again.
async fn resend_what_is_returned(order: &Order, shop: &mut Counter) -> Ran {
    for _ in 0..TRIES {
        match shop.publish(order, MANDATORY).await? {
            Ack(None) => return shop.is_done(order),
            Ack(Some(back)) => shop.is_returned(order, &back)?,
            other => return refused(order, &other),
        }
    }
    Ok(())
}

const TRIES: u16 = 5;

/// Nothing here makes a broker refuse an order.
fn refused(order: &Order, answer: &Confirmation) -> Ran {
    anyhow::bail!("{}: {answer:?}", order.id())
}

/// Orders are taken and published one at a time, one in ten with a key that
/// was forgotten; then whatever is in the queue is packed.
async fn taken_one_by_one(lab: Lab, place: Place) -> Ran {
    lab.declare(ORDERS).await?;
    let operator = Operator::login(&lab).await?;
    operator.exchange(BY_REGION, ExchangeKind::Direct, &[]).await?;
    operator.bind(ORDERS, BY_REGION, EU).await?;
    let wire = lab.wire("shop", Protocol::Amqp).await?;
    let mut shop = Counter::open(&lab, &lab.uri_through(&wire)).await?;
    for id in lab.messages() {
        let order = Order::of(&lab, id);
        shop.take(&order)?;
        place(&order, &mut shop).await?;
        if lab.is_planned(id, Strike::Unroutable) {
            went_nowhere(&lab, &operator, id).await?;
        }
    }
    shop.close().await?;
    operator.logout().await?;
    tell(&lab, wire.traffic().returns).await?;
    pack(&lab, ORDERS, Packs::EveryDelivery).await
}

async fn tell(lab: &Lab, returns: u64) -> Ran {
    let (ready, sums) = (lab.ready(ORDERS).await?, lab.sums());
    let (told, no_route) = people_look(lab, "312 NO_ROUTE")?;
    for (id, value) in [
        ("returns", returns as f64),
        ("stored", f64::from(ready)),
        ("no-route", f64::from(no_route)),
    ] {
        lab.observe(id, Text::same(id), value, Unit::Count);
    }
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{attempts} publishes: {confirmed} confirmed, {returns} \
                 returned",
            zh: "发布 {attempts} 次：{confirmed} 个已确认，{returns} 次被退回",
            attempts = sums.attempts, confirmed = sums.confirmed,
            returns = returns
        },
    );
    lab.step(
        text! { en: "look", zh: "查看" },
        text! {
            en: "{ready} in the queue, {no_route} on the list as \
                 \"312 NO_ROUTE\"",
            zh: "队列里 {ready} 个，清单上 {no_route} 个（312 NO_ROUTE）",
            ready = ready, no_route = no_route
        },
    );
    let (more, all) = (sums.attempts - sums.attempted, sums.accepted);
    match told {
        0 => {}
        _ if more > 0 => lab.came_to(text! {
            en: "{more} publishes for nothing", zh: "白白多发布 {more} 次",
            more = more
        }),
        _ => lab.came_to(text! {
            en: "{told} of {all} put on the list", zh: "{all} 条中 {told} 条进清单",
            told = told, all = all
        }),
    }
    Ok(())
}

/// All were confirmed, nothing came back, and the struck ones are nowhere.
fn confirmed_and_nowhere(outcome: &Outcome) -> Result<(), Text> {
    lost_though_confirmed(outcome, 0)
}

/// All were confirmed, the struck ones are nowhere, and each had come back.
fn returned_and_unread(outcome: &Outcome) -> Result<(), Text> {
    lost_though_confirmed(outcome, outcome.plan.len())
}

fn lost_though_confirmed(outcome: &Outcome, returns: u32) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    every_message_confirmed(outcome)?;
    lost_exactly_where_struck(outcome)?;
    figure_is(outcome, "returns", returns)?;
    figure_is(outcome, "stored", outcome.messages - outcome.plan.len())
}

/// The struck ones came back once and somebody was told; the others are done.
fn told_after_one_attempt(outcome: &Outcome) -> Result<(), Text> {
    told_after(outcome, 1)
}

/// The same, after publishes that could not have helped.
fn told_after_many_attempts(outcome: &Outcome) -> Result<(), Text> {
    told_after(outcome, TRIES)
}

fn told_after(outcome: &Outcome, tries: u16) -> Result<(), Text> {
    balanced(outcome)?;
    exactly_where(outcome, &[])?;
    let told = |entry: &Entry| {
        entry.reported
            && (entry.sent, entry.returned) == (tries, tries)
            && entry.applied == 0
    };
    let other = outcome.struck.iter().find(|struck| !told(&struck.entry));
    if let Some(struck) = other {
        return Err(text! {
            en: "{order} was not told after {tries} attempts",
            zh: "{order} 没有在 {tries} 次发布后告知",
            order = struck.message, tries = tries
        });
    }
    let (struck, counts) = (outcome.plan.len(), &outcome.audit.counts);
    let others = outcome.messages - struck;
    let (done, told) = (counts.applied, counts.reported);
    if (done, told) != (others.into(), struck.into()) {
        return Err(text! {
            en: "{done} done, {told} told", zh: "完成 {done}，告知 {told}",
            done = done, told = told
        });
    }
    figure_is(outcome, "no-route", struck)?;
    figure_is(outcome, "returns", struck * u32::from(tries))?;
    figure_is(outcome, "stored", others)
}
