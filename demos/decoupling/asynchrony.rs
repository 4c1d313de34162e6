//! Who waits for whom: calls in a row, calls in parallel, a publish.

use std::{ops::RangeInclusive, time::Duration};

use super::TRIED;
use crate::{
    demos::shop::{
        load::Percentiles,
        orders::Ran,
        place::{Clerk, PLACED, Place, Served, Services, serve_customers},
    },
    event::{Column, Unit},
    lab::{
        Bars, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::every_message_once,
    },
    ledger::{MessageId, Noun},
    mechanism, text,
    text::Text,
    way,
};

/// "An order needs stock, points and mail: call them."
pub static ASYNC: Scenario = Scenario {
    id: "async",
    recipe: text! {
        en: "An order calls stock (20 ms), points (30 ms) and mail (40 ms).",
        zh: "下单时依次调用库存（20 毫秒）、积分（30）、邮件（40）。"
    },
    fault: text! {
        en: "For 1 order in 10 the mail service takes 300 ms.",
        zh: "每 10 单有 1 单，邮件服务要 300 毫秒。"
    },
    predict: Predict {
        question: text! {
            en: "All three called in parallel: how long does a caller wait?",
            zh: "三个服务并行调用，调用方要等多久？"
        },
        choices: &[
            text! { en: "as long as the slowest", zh: "最慢的那么久" },
            text! { en: "as long as the mean", zh: "平均那么久" },
            text! { en: "as long as the sum", zh: "总和那么久" },
        ],
        right: 0,
    },
    needs: Needs { fewest: 40, most: 500, seconds: 8, ..Needs::BROKER },
    strikes: &[Strike::Slow],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Three {
        naive: way!(
            at_the_counter,
            call_in_turn(order, clerk),
            waited_for_all,
            text! { en: "call one after another", zh: "依次调用" },
        ),
        halfway: way!(
            at_the_counter,
            call_in_parallel(order, clerk),
            waited_for_the_slowest,
            text! { en: "call in parallel", zh: "并行调用" },
        ),
        fixed: way!(
            at_the_counter,
            publish(order, clerk),
            waited_for_none,
            text! {
                en: "publish, wait for the broker's confirm",
                zh: "发布，等 broker 确认"
            },
        ),
        mechanisms: &[mechanism!(
            "queue",
            at_the_counter,
            call_in_parallel(order, clerk),
            waited_for_the_slowest,
            text! { en: "the queue", zh: "队列" },
        )],
    },
    columns: &[Column::Accepted, Column::Applied],
    figures: &["p50", "p95", "p99"],
    bars: &[Bars {
        title: text! {
            en: "how long a caller waits, ms", zh: "调用方等待，毫秒"
        },
        figures: &["p50", "p95", "p99"],
    }],
    claim: text! {
        en: "a: in parallel the slowest decides, and for 1 in 10 that is the \
             slow mail. Published, nobody waits for a service; every effect is \
             made all the same, later.",
        zh: "a：并行时由最慢的决定，每 10 单就有 1 单卡在邮件上。\
             发布之后谁也不等，三件事照样各做一次，只是晚一点。"
    },
    fix: text! {
        en: "Publish what can wait, return at the confirm; a queue of its own \
             for each service.",
        zh: "可以晚做的就发布出去，收到确认即返回；每个服务一条自己的队列。"
    },
    limit: text! {
        en: "\"Accepted\" is not \"done\": who needs the answer now must call \
             (cannot-say-no).",
        zh: "「已受理」不等于「已完成」：当场要结果的还得同步调用（cannot-say-no）。"
    },
    say: text! {
        en: "\"A call costs the sum, in parallel the maximum, by queue a confirm.\"",
        zh: "「串行等总和，并行等最慢，走队列只等一个确认。」"
    },
    source: &[include_str!("asynchrony.rs")],
};

/// One call after another: the customer waits for the sum.
async fn call_in_turn(order: MessageId, clerk: &mut Clerk) -> Ran {
    clerk.stock.call(order).await?;
    clerk.points.call(order).await?;
    clerk.mail.call(order).await?;
    Ok(())
}

/// All at once: the customer waits for the slowest.
async fn call_in_parallel(order: MessageId, clerk: &mut Clerk) -> Ran {
    tokio::try_join!(
        clerk.stock.call(order),
        clerk.points.call(order),
        clerk.mail.call(order),
    )?;
    Ok(())
}

/// One publish: the customer waits for the broker's confirm. Three
/// subscribers make the calls, and ack when they were answered.
async fn publish(order: MessageId, clerk: &mut Clerk) -> Ran {
    clerk.publish(order).await
}

const ALL: [Noun; 3] = [Noun::Stock, Noun::Points, Noun::Mail];
const STOCK: Duration = Duration::from_millis(20);
const POINTS: Duration = Duration::from_millis(30);
const MAIL: Duration = Duration::from_millis(40);
const SLOW_MAIL: Duration = Duration::from_millis(300);
/// So many customers are served at a time.
const CLERKS: usize = 10;
/// So many come in a second: what the clerks can bear in the naive way, and
/// no more in the others.
const A_SECOND: f64 = 100.0;

/// Customers come to the counter, and it is measured how long each waits for
/// an answer. The subscribers are there in every way alike.
async fn at_the_counter(lab: Lab, place: Place) -> Ran {
    let services = Services::open(&[
        (Noun::Stock, STOCK),
        (Noun::Points, POINTS),
        (Noun::Mail, MAIL),
    ])?;
    let mail = services.of(Noun::Mail)?;
    let slow = |lab: &Lab| {
        let lab = lab.clone();
        lab.messages().filter(move |id| lab.is_planned(*id, Strike::Slow))
    };
    slow(&lab).for_each(|order| mail.slow_for(order, SLOW_MAIL));
    lab.declare_fanout(PLACED, &services.queues()).await?;
    let subscribers = services.subscribe(&lab, &ALL).await?;
    let served =
        serve_customers(&lab, &services, (CLERKS, A_SECOND), place).await?;
    services.all_made(&lab, &ALL).await?;
    for subscriber in subscribers {
        subscriber.stop().await;
    }
    for order in slow(&lab).filter(|order| mail.was_slow(*order)) {
        lab.struck(order, Strike::Slow);
    }
    services.settle_orders(&lab);
    services.settle_effects(&lab).await?;
    measure(&lab, &served);
    Ok(())
}

/// How long they waited, all and those struck, and how many of each had their
/// answer before the services were done.
fn measure(lab: &Lab, served: &[Served]) {
    let is_struck = |one: &&Served| lab.has_struck(one.order, Strike::Slow);
    let struck: Vec<_> = served.iter().filter(is_struck).collect();
    let early = |of: &[&Served]| {
        let early = of.iter().filter(|one| one.early).count();
        early as f64 / of.len().max(1) as f64 * 1e2
    };
    let all: Vec<_> = served.iter().collect();
    let name = text! { en: "answered first", zh: "先得到答复" };
    lab.observe("early", name, early(&all), Unit::Percent);
    let name =
        text! { en: "struck, answered first", zh: "被打慢的订单：先得到答复" };
    lab.observe("struck-early", name, early(&struck), Unit::Percent);
    let waits = |of: &[&Served]| -> Vec<_> {
        of.iter().map(|one| one.waited).collect()
    };
    let (mut all, mut struck) = (waits(&all), waits(&struck));
    let observe = |id: &str, name, wait: Duration| {
        lab.observe(id, name, ms(wait), Unit::Ms);
    };
    if let Some(waited) = Percentiles::of(&mut all) {
        observe("p50", text! { en: "p50", zh: "p50" }, waited.p50);
        observe("p95", text! { en: "p95", zh: "p95" }, waited.p95);
        observe("p99", text! { en: "p99", zh: "p99" }, waited.p99);
        tell(lab, &waited, served.iter().filter(|one| one.early).count());
    }
    if let Some(waited) = Percentiles::of(&mut struck) {
        let name = text! { en: "struck, p50", zh: "被命中 p50" };
        observe("struck-p50", name, waited.p50);
    }
    // Sorted now.
    if let (Some(all), Some(struck)) = (all.first(), struck.first()) {
        observe("least", text! { en: "least", zh: "最短" }, *all);
        let name = text! { en: "struck, least", zh: "被命中最短" };
        observe("struck-least", name, *struck);
    }
}

fn tell(lab: &Lab, waited: &Percentiles, early: usize) {
    let Percentiles { p50, p95, p99, .. } = *waited;
    let [p50, p95, p99] = [p50, p95, p99].map(|wait| ms(wait).round());
    lab.step(
        text! { en: "order", zh: "下单" },
        text! {
            en: "{all} orders; a customer waits p50 {p50}, p95 {p95}, p99 \
                 {p99} ms",
            zh: "{all} 单；顾客等待 p50 {p50}、p95 {p95}、p99 {p99} 毫秒",
            all = lab.count(), p50 = p50, p95 = p95, p99 = p99
        },
    );
    let made = lab.sums().applied;
    lab.step(
        text! { en: "effects", zh: "结果" },
        text! {
            en: "{made} made in full; {early} customers had their answer before",
            zh: "{made} 单全部办妥；{early} 位顾客在办妥之前就得到了答复",
            made = made, early = early
        },
    );
    lab.came_to(text! {
        en: "p50 {p50}, p99 {p99} ms", zh: "p50 {p50}、p99 {p99} 毫秒",
        p50 = p50, p99 = p99
    });
}

/// Nobody waited less than the sum of the latencies.
fn waited_for_all(outcome: &Outcome) -> Result<(), Text> {
    waited_at_least(outcome, STOCK + POINTS + MAIL, STOCK + POINTS + SLOW_MAIL)
}

/// Nobody waited less than the slowest service took.
fn waited_for_the_slowest(outcome: &Outcome) -> Result<(), Text> {
    waited_at_least(outcome, MAIL, SLOW_MAIL)?;
    // And not for the sum: the luckiest of many shows it on a loaded machine,
    // too.
    within(outcome, "least", 0.0..=ms(STOCK + POINTS + MAIL))?;
    within(outcome, "struck-least", 0.0..=ms(STOCK + POINTS + SLOW_MAIL))
}

/// A call that takes so long cannot be waited for in less, and its answer
/// cannot come before it is done, on a loaded machine either.
fn waited_at_least(
    outcome: &Outcome,
    all: Duration,
    struck: Duration,
) -> Result<(), Text> {
    every_message_once(outcome)?;
    for figure in ["early", "struck-early"] {
        within(outcome, figure, 0.0..=0.0)?;
    }
    within(outcome, "least", ms(all)..=f64::MAX)?;
    within(outcome, "struck-least", ms(struck)..=f64::MAX)
}

/// Most had their answer before the services were done, those struck too, who
/// waited for no slow mail. Answer and effects share the machine's load, so
/// this holds under any. (Most, not all: one confirm or another takes long.)
fn waited_for_none(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    for figure in ["early", "struck-early"] {
        within(outcome, figure, 50.0..=100.0)?;
    }
    within(outcome, "struck-p50", 0.0..=ms(SLOW_MAIL))
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn within(
    outcome: &Outcome,
    figure: &str,
    bounds: RangeInclusive<f64>,
) -> Result<(), Text> {
    let value = outcome.figure(figure)?;
    if bounds.contains(&value) {
        return Ok(());
    }
    let (value, from) = (format!("{value:.1}"), bounds.start());
    Err(match *bounds.end() {
        f64::MAX => text! {
            en: "{figure}: {value}, less than {from}",
            zh: "{figure}：{value}，小于 {from}",
            figure = figure, value = value, from = from
        },
        to => text! {
            en: "{figure}: {value}, not from {from} to {to}",
            zh: "{figure}：{value}，不在 {from} 到 {to} 之间",
            figure = figure, value = value, from = from, to = to
        },
    })
}
