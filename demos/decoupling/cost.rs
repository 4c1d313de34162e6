//! What each kind of safety costs, counted in round trips.
//!
//! Quorum queues take transactions, too (seen on 3.10 and 4.3). A transaction
//! is nearer to a batch than to what databases call by that name: it is not
//! atomic even in one queue.
//!
//! Source: RabbitMQ documentation, "Consumer Acknowledgements and Publisher
//! Confirms", section "Publisher Confirms" (transactions "decrease throughput
//! by a factor of 250"), and "Broker Semantics", section "Semantics of tx".

mod consume;
mod line;
mod publish;
mod rates;
mod trips;

use std::{collections::BTreeMap, ops::RangeInclusive};

use self::{
    consume::{CONSUMING, Consuming},
    publish::{PUBLISHING, Publishing, Publishing::OneByOne},
    rates::{Kept, Rates, rates},
    trips::Exchanged,
};
use super::TRIED;
use crate::{
    demos::shop::orders::{Ran, Tally},
    event::Unit,
    fault::wire::Protocol,
    lab::{
        Bars, Hits, Lab, Needs, Outcome, Predict, Scenario, Ways,
        check::{every_message_confirmed, every_message_once},
    },
    ledger::MessageId,
    text,
    text::Text,
    way,
};

/// "Confirms are too slow for us: we publish without."
pub static COST: Scenario = Scenario {
    id: "cost",
    recipe: text! {
        en: "Confirms are too slow for us: publish without.",
        zh: "confirm 太慢，那就不用 confirm。"
    },
    fault: text! {
        en: "None: each way of publishing and consuming on the same link.",
        zh: "没有故障：各种发布和消费方式，走同一条链路。"
    },
    predict: Predict {
        question: text! {
            en: "At best, how many round trips do the confirms of all cost?",
            zh: "全部订单都要确认，最少要等几个往返？"
        },
        choices: &[
            text! { en: "about one for a window", zh: "大约每个窗口一个" },
            text! { en: "one for every ten", zh: "每十个一个" },
            text! { en: "one for each order", zh: "每个订单一个" },
        ],
        right: 0,
    },
    needs: Needs { fewest: 100, most: 300, seconds: 8, ..Needs::BROKER },
    strikes: &[],
    hits: Hits::Once,
    tried: TRIED,
    ways: Ways::Measure(way!(
        what_safety_costs,
        waiting_is_what_costs,
        text! {
            en: "six ways to publish, five to consume",
            zh: "六种发布，五种消费"
        },
    )),
    columns: &[],
    figures: &[],
    bars: &[
        Bars {
            title: text! {
                en: "round trips per 100 orders", zh: "每 100 个订单的往返数"
            },
            figures: TRIPS,
        },
        Bars {
            title: text! {
                en: "rate, in times of one by one, or of get",
                zh: "速率：逐条等（消费则为 get）的几倍"
            },
            figures: RATES,
        },
    ],
    claim: text! {
        en: "a: a confirm costs a frame, or less. To wait for it before the \
             next publish costs a round trip.",
        zh: "a：一个 confirm 只花一帧，甚至更少；\
             等收到它再发下一条，就要花一个往返。"
    },
    fix: text! {
        en: "Throughput: pipelined, in a bounded window. Simple code: batches. \
             The next step depends on it: one by one. Consume by push.",
        zh: "要吞吐：流水线，窗口有界；要简单：分批；\
             下一步取决于它：逐条等。消费用推送。"
    },
    limit: text! {
        en: "tx hardly ever: nothing goes on until a commit is answered. get \
             for a rare look. \
             Prefetch 1 for slow, uneven work. A cut makes a window unknown.",
        zh: "tx 几乎不用：commit 没答复之前什么都干不了。get 只用于偶尔看一眼；\
             prefetch 1 用于又慢又不均的活。连接一断，整个窗口结果不明。"
    },
    say: text! {
        en: "\"Confirms are cheap, waiting is not: pipeline, bounded.\"",
        zh: "「confirm 便宜，等待才贵：流水线加有界窗口。」"
    },
    source: &[
        include_str!("cost.rs"),
        include_str!("cost/publish.rs"),
        include_str!("cost/consume.rs"),
    ],
};

const TRIPS: &[&str] = &[
    "trips-unconfirmed",
    "trips-pipelined",
    "trips-batches",
    "trips-one-by-one",
    "trips-tx-batches",
    "trips-tx-each",
    "trips-unlimited",
    "trips-prefetch-100",
    "trips-prefetch-10",
    "trips-prefetch-1",
    "trips-get",
];
const RATES: &[&str] = &[
    "rate-unconfirmed",
    "rate-pipelined",
    "rate-batches",
    "rate-one-by-one",
    "rate-tx-batches",
    "rate-tx-each",
    "rate-unlimited",
    "rate-prefetch-100",
    "rate-prefetch-10",
    "rate-prefetch-1",
    "rate-get",
];

/// Every order is published in five ways that are answered, and consumed in
/// five; a copy of each once more without any answer. First the round trips
/// are counted on the wire, then the rates are measured without it.
async fn what_safety_costs(lab: Lab) -> Ran {
    let wire = lab.wire("link", Protocol::Amqp).await?;
    let mut published = BTreeMap::new();
    for how in PUBLISHING {
        let exchanged = trips::publishing(&lab, &wire, how).await?;
        observe_trips(&lab, how.id(), how.name(), exchanged);
        published.insert(how, exchanged);
    }
    let (mut consumed, mut taken) = (BTreeMap::new(), Vec::new());
    for how in CONSUMING {
        let (exchanged, orders) = trips::consuming(&lab, &wire, how).await?;
        observe_trips(&lab, how.id(), how.name(), exchanged);
        consumed.insert(how, exchanged);
        taken.push(orders);
    }
    drop(wire);
    settle(&lab, &taken).await?;
    tell_trips(&lab, &published, &consumed);
    let rates = rates(&lab).await?;
    observe_rates(&lab, &rates);
    tell_rates(&lab, &rates);
    Ok(())
}

/// An order was applied as often as in the way in which it came least, or,
/// where it came twice, most often.
async fn settle(lab: &Lab, taken: &[Tally]) -> Ran {
    let taken: Vec<_> = taken.iter().map(Tally::all).collect();
    let times = |order: MessageId| {
        let each = taken.iter().map(|way| way.get(&order).copied());
        let each: Vec<u16> = each.map(Option::unwrap_or_default).collect();
        let (least, most) = (each.iter().min(), each.iter().max());
        let twice = most.filter(|most| **most > 1);
        twice.or(least).copied().unwrap_or_default()
    };
    for order in lab.messages() {
        lab.settle(order, times(order), 0);
    }
    for how in CONSUMING {
        for order in lab.left_in(how.queue()).await? {
            lab.settle(order, 0, 1);
        }
    }
    Ok(())
}

fn observe_trips(lab: &Lab, id: &str, name: Text, exchanged: Exchanged) {
    let all = f64::from(lab.count());
    let per_hundred = exchanged.round_trips as f64 * 100.0 / all;
    lab.observe(&format!("trips-{id}"), name.clone(), per_hundred, Unit::Count);
    let turns = exchanged.round_trips as f64;
    lab.observe(&format!("turns-{id}"), name.clone(), turns, Unit::Count);
    let frames = exchanged.frames as f64;
    lab.observe(&format!("frames-{id}"), name, frames, Unit::Count);
}

fn tell_trips(
    lab: &Lab,
    published: &BTreeMap<Publishing, Exchanged>,
    consumed: &BTreeMap<Consuming, Exchanged>,
) {
    let published = |how| published.get(&how).copied().unwrap_or_default();
    let consumed = |how| consumed.get(&how).copied().unwrap_or_default();
    let each = published(Publishing::OneByOne);
    let batches = published(Publishing::Batches);
    let pipelined = published(Publishing::Pipelined);
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{all} orders each way; round trips waited for: {each} one \
                 by one, {batches} by 100, {pipelined} pipelined, {tx} tx each",
            zh: "每种方式 {all} 个订单；等待的往返：逐条等 {each} 个，百条一批 \
                 {batches} 个，流水线 {pipelined} 个，tx 逐条 {tx} 个",
            all = lab.count(), each = each.round_trips,
            batches = batches.round_trips, pipelined = pipelined.round_trips,
            tx = published(Publishing::TxEach).round_trips
        },
    );
    let publishes = u64::from(lab.count()) * trips::PUBLISH_FRAMES;
    lab.step(
        text! { en: "confirm", zh: "确认" },
        text! {
            en: "in {each} frames one by one, in {pipelined} pipelined: one \
                 may confirm many",
            zh: "逐条等用了 {each} 帧，流水线 {pipelined} 帧：一帧可以确认\
                 很多条",
            each = each.frames - publishes,
            pipelined = pipelined.frames - publishes
        },
    );
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "{get} round trips by get, {one} with prefetch 1, {ten} with \
                 prefetch 10 and an ack for ten",
            zh: "往返：get：{get} 个；prefetch 1：{one} 个；\
                 prefetch 10：{ten} 个（十条一个 ack）",
            get = consumed(Consuming::Get).round_trips,
            one = consumed(Consuming::Prefetch1).round_trips,
            ten = consumed(Consuming::Prefetch10).round_trips
        },
    );
    lab.came_to(text! {
        en: "one by one {each} round trips, pipelined {pipelined}",
        zh: "逐条等 {each} 个往返，流水线 {pipelined} 个",
        each = each.round_trips, pipelined = pipelined.round_trips
    });
}

fn observe_rates(lab: &Lab, rates: &Rates) {
    for how in PUBLISHING {
        let times = rates.publishing((Kept::Classic, how), OneByOne);
        let id = format!("rate-{}", how.id());
        lab.observe(&id, how.name(), times, Unit::Times);
    }
    for how in CONSUMING {
        let times = rates.consuming(how, Consuming::Get);
        let id = format!("rate-{}", how.id());
        lab.observe(&id, how.name(), times, Unit::Times);
    }
}

/// What the chart of rates does not say, as ratios, too.
fn tell_rates(lab: &Lab, rates: &Rates) {
    let of =
        |kept, how| format!("{:.1}", rates.publishing((kept, how), OneByOne));
    lab.step(
        text! { en: "rates", zh: "速率" },
        text! {
            en: "one by one 1, transient {transient}; on a quorum queue \
                 {quorum}, pipelined there {quick}, tx each there {tx}. No \
                 confirms {none} times tx each (the documentation says 250)",
            zh: "逐条等为 1：非持久 {transient}。仲裁队列上：逐条等 {quorum}、\
                 流水线 {quick}、tx 逐条 {tx}。不确认是 tx 逐条的 {none} 倍\
                 （文档说 250 倍）",
            transient = of(Kept::Transient, OneByOne),
            quorum = of(Kept::Quorum, OneByOne),
            quick = of(Kept::Quorum, Publishing::Pipelined),
            tx = of(Kept::Quorum, Publishing::TxEach),
            none = format!("{:.0}", rates.publishing(
                (Kept::Classic, Publishing::Unconfirmed), Publishing::TxEach))
        },
    );
}

/// Each way waits for as many round trips as there are things that it waits
/// for, and a confirm is one frame at most.
fn waiting_is_what_costs(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    every_message_confirmed(outcome)?;
    let all = u64::from(outcome.messages);
    let (tens, hundreds) = (all.div_ceil(10), all.div_ceil(100));
    let between = |id, trips| within(outcome, "turns", id, trips);
    let exactly = |id, trips| between(id, trips..=trips);
    exactly("unconfirmed", 0)?;
    exactly("one-by-one", all)?;
    exactly("tx-each", all)?;
    exactly("tx-batches", hundreds)?;
    exactly("get", all)?;
    exactly("prefetch-1", all)?;
    exactly("prefetch-10", tens)?;
    exactly("prefetch-100", hundreds)?;
    exactly("unlimited", 1)?;
    // Some of a batch may be confirmed before a slow client has written the
    // rest of it; that is a turn, and nobody waits for it. A window goes on by
    // halves, which may be a turn each. One for every ten is twice as many.
    let most = tens / 2;
    between("batches", hundreds..=most)?;
    between("pipelined", 1..=most)?;
    let publishes = all * trips::PUBLISH_FRAMES;
    let more = |id, least, most| {
        within(outcome, "frames", id, publishes + least..=publishes + most)
    };
    more("unconfirmed", 0, 0)?;
    more("pipelined", 1, all)?;
    more("batches", hundreds, all)?;
    more("one-by-one", all, all)?;
    // A commit, and its answer.
    more("tx-each", 2 * all, 2 * all)
}

fn within(
    outcome: &Outcome,
    what: &str,
    id: &str,
    expected: RangeInclusive<u64>,
) -> Result<(), Text> {
    let seen = outcome.figure(&format!("{what}-{id}"))?;
    let (least, most) = (*expected.start(), *expected.end());
    if (least as f64..=most as f64).contains(&seen) {
        return Ok(());
    }
    Err(text! {
        en: "{id}: {seen} {what}, not {least} to {most}",
        zh: "{id}：{what} 为 {seen}，不在 {least} 到 {most} 之间",
        id = id, seen = seen, what = what, least = least, most = most
    })
}
