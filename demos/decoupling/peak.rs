//! A burst above the capacity of a service.

use std::time::Duration;

use super::{
    TRIED,
    sums::all_but_the_refused_once,
    surge::{AtTheDoor, Sampled, Sampling, Surge},
};
use crate::{
    demos::shop::{
        load::little,
        orders::{ORDERS, Ran},
    },
    event::{Column, Unit},
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::every_message_once,
    },
    mechanism,
    pattern::{
        pipeline::{PipelinedPublisher, Settings},
        publisher::Route,
    },
    text,
    text::Text,
    way,
};

/// "The peak is short; the service will cope."
pub static PEAK: Scenario = Scenario {
    id: "peak",
    recipe: text! {
        en: "The peak is short: the shop calls the service, it will cope.",
        zh: "高峰很短：商城直接调服务，扛得住的。"
    },
    fault: text! {
        en: "All orders come at once, several times what the service can do.",
        zh: "订单一下子全来，是服务处理能力的好几倍。"
    },
    predict: Predict {
        question: text! {
            en: "A burst of 3.5 times what the service can do. A queue:",
            zh: "高峰是服务处理能力的 3.5 倍。加个队列，"
        },
        choices: &[
            text! { en: "shaves it: no more work", zh: "削峰：总工作量变少了" },
            text! {
                en: "moves it: the work comes after the burst",
                zh: "移峰：活留到高峰之后干"
            },
            text! { en: "makes the service faster", zh: "服务会变快" },
        ],
        right: 1,
    },
    needs: Needs { fewest: 40, most: 2_000, seconds: 6, ..Needs::BROKER },
    strikes: &[Strike::Surge],
    hits: Hits::Once,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            call_the_service,
            the_excess_is_refused,
            text! { en: "one call for each order", zh: "每个订单调用一次" },
        ),
        fixed: way!(
            through_a_queue,
            all_done_as_computed,
            text! {
                en: "publish; a worker takes what the service bears",
                zh: "先发布；worker 按服务的承受力取"
            },
        ),
        mechanisms: &[
            mechanism!(
                "queue",
                call_the_service,
                the_excess_is_refused,
                text! { en: "the queue", zh: "队列" },
            ),
            mechanism!(
                "prefetch",
                without_prefetch,
                called_in_vain,
                text! { en: "the prefetch", zh: "prefetch 上限" },
            ),
        ],
    },
    columns: &[Column::Refused, Column::Applied],
    figures: &["busy", "drain", "fluid"],
    bars: &[],
    claim: text! {
        en: "b: the queue adds no capacity. Backlog is (arrivals - service) \
             x time, and is worked off at the service's own rate.",
        zh: "b：队列不增加处理能力。积压 =（到达 − 处理）× 时间，\
             再按服务自己的速率排空。"
    },
    fix: text! {
        en: "Publish at the door; a prefetch of what the service bears.",
        zh: "入口只管发布；prefetch 等于服务能同时处理的量。"
    },
    limit: text! {
        en: "A burst only: where arrivals stay above service, it never drains.",
        zh: "只对短高峰有效：到达一直高于处理，就永远排不空。"
    },
    say: text! {
        en: "\"It shaves the rate, not the work: (λ - μ)t waits, and is done \
             later.\"",
        zh: "「削峰填谷，削的是瞬时速率，活一点没少：积压 (λ − μ)t，晚点还得干。」"
    },
    source: &[include_str!("peak.rs"), include_str!("surge.rs")],
};

/// The burst, and how much faster it is than the service.
const BURST: Duration = Duration::from_millis(400);
const OVERLOAD: f64 = 3.5;
/// How long the service works on an order.
const LATENCY: Duration = Duration::from_millis(140);

/// Every order is a call; a busy service says no, and the customer leaves.
async fn call_the_service(lab: Lab) -> Ran {
    let surge = Surge::prepare(&lab, BURST, OVERLOAD, LATENCY)?;
    called(&lab, &surge).await
}

/// Every order is a message. As many are out of the queue as the service
/// works on, and one more only for one that is acked.
async fn through_a_queue(lab: Lab) -> Ran {
    let surge = Surge::prepare(&lab, BURST, OVERLOAD, LATENCY)?;
    queued(&lab, &surge, surge.at_once()).await
}

/// Without the prefetch: whatever is in the queue is called for at once.
async fn without_prefetch(lab: Lab) -> Ran {
    let surge = Surge::prepare(&lab, BURST, OVERLOAD, LATENCY)?;
    queued(&lab, &surge, UNLIMITED).await
}

const UNLIMITED: u16 = 0;
const SOON: Duration = Duration::from_secs(30);

async fn called(lab: &Lab, surge: &Surge) -> Ran {
    let sampling = Sampling::start(lab, None, &surge.flow).await?;
    surge.call_at_once().await?;
    sampling.stop().await?;
    surge.settle(None).await?;
    tell_calls(lab, surge);
    Ok(())
}

async fn queued(lab: &Lab, surge: &Surge, prefetch: u16) -> Ran {
    lab.declare(ORDERS).await?;
    let mut publisher = PipelinedPublisher::open(
        lab.uri(),
        Route::queue(ORDERS),
        AtTheDoor::of(lab),
        Settings::default(),
    );
    let worker = surge.worker(prefetch).await?;
    let sampling = Sampling::start(lab, Some(ORDERS), &surge.flow).await?;
    surge.publish_at_once(&mut publisher, |_| true).await?;
    let all = text! { en: "all orders to be done", zh: "订单全部完成" };
    lab.wait_until(all, SOON, || async {
        Ok(surge.flow.waits().len() >= surge.orders as usize)
    })
    .await?;
    let sampled = sampling.stop().await?;
    worker.stop().await;
    surge.settle(Some(ORDERS)).await?;
    tell_calls(lab, surge);
    tell_model(lab, surge, &sampled);
    Ok(())
}

fn tell_calls(lab: &Lab, surge: &Surge) {
    let load = surge.service.load();
    lab.step(
        text! { en: "service", zh: "服务" },
        text! {
            en: "{calls} calls, {refused} refused (503), {most} at once at \
                 most",
            zh: "{calls} 次调用，拒绝 {refused} 次 (503)，最多同时 {most} 个",
            calls = load.calls, refused = load.refused,
            most = load.most_at_once
        },
    );
    let name = text! { en: "vain calls", zh: "白调用" };
    lab.observe("busy", name, load.refused as f64, Unit::Count);
    if load.refused > 0 {
        lab.came_to(text! {
            en: "{refused} of {calls} calls refused",
            zh: "{calls} 次调用被拒 {refused} 次",
            refused = load.refused, calls = load.calls
        });
    }
}

/// What was measured, beside what two lines of arithmetic say.
fn tell_model(lab: &Lab, surge: &Surge, sampled: &Sampled) {
    let (flow, fluid) = (&surge.flow, surge.flow.fluid(surge.at_once()));
    let backlog = fluid.backlog_after(flow.burst().as_secs_f64());
    let model = fluid.drain_time(backlog) * 1e3;
    let drain = flow.drain().as_secs_f64() * 1e3;
    let waits = flow.waits();
    let orders = waits.len() as f64;
    let wait = waits.values().map(Duration::as_secs_f64).sum::<f64>();
    let wait = wait / orders * 1e3;
    // L = λW, where λ is of the same time as L: up to the last order done.
    let arrival = orders / sampled.time.as_secs_f64();
    let little = little(arrival, sampled.mean_depth) * 1e3;
    lab.step(
        text! { en: "drain", zh: "排空" },
        text! {
            en: "{deepest} waited at most, (λ - μ)t is {backlog}; a wait of \
                 {wait} ms, by Little {little}",
            zh: "最多积压 {deepest}，按 (λ - μ)t 为 {backlog}；平均等待 {wait} \
                 毫秒，按 Little 定律 {little}",
            deepest = sampled.deepest, backlog = backlog.round(),
            wait = wait.round(), little = little.round()
        },
    );
    let figures = [
        ("drain", text! { en: "drain", zh: "排空用时" }, drain),
        ("fluid", text! { en: "fluid model", zh: "流体模型" }, model),
        ("wait", text! { en: "mean wait", zh: "平均等待" }, wait),
        ("little", text! { en: "by Little", zh: "按 Little 定律" }, little),
    ];
    for (id, name, value) in figures {
        lab.observe(id, name, value, Unit::Ms);
    }
    let name = text! { en: "deepest", zh: "最深" };
    lab.observe("deepest", name, sampled.deepest, Unit::Count);
    let name = text! { en: "(λ - μ)t", zh: "(λ - μ)t" };
    lab.observe("backlog", name, backlog, Unit::Count);
}

/// Some were refused, and all others done.
fn the_excess_is_refused(outcome: &Outcome) -> Result<(), Text> {
    all_but_the_refused_once(outcome)?;
    match outcome.audit.counts.refused {
        0 => Err(text! { en: "none was refused", zh: "一个都没有被拒" }),
        _ => Ok(()),
    }
}

/// Every order once, no call in vain, and about as long as computed.
fn all_done_as_computed(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    if outcome.figure("busy")? > 0.0 {
        return Err(text! { en: "calls were refused", zh: "有调用被拒" });
    }
    let (deepest, backlog) =
        (outcome.figure("deepest")?, outcome.figure("backlog")?);
    if deepest < DEEP * backlog {
        return Err(text! {
            en: "{deepest} waited at most, computed {backlog}",
            zh: "最多积压 {deepest}，应为 {backlog}",
            deepest = deepest, backlog = backlog.round()
        });
    }
    let (drain, fluid) = (outcome.figure("drain")?, outcome.figure("fluid")?);
    let (wait, little) = (outcome.figure("wait")?, outcome.figure("little")?);
    let as_computed = (AT_LEAST * fluid..fluid * AT_MOST).contains(&drain)
        && (wait - little).abs() <= LITTLE_WITHIN * little;
    if as_computed {
        return Ok(());
    }
    Err(text! {
        en: "drain {drain} ms, computed {fluid}; wait {wait} ms, computed \
             {little}",
        zh: "排空 {drain} ms，应为 {fluid}；等待 {wait} ms，应为 {little}",
        drain = drain.round(), fluid = fluid.round(),
        wait = wait.round(), little = little.round()
    })
}

/// A loaded machine serves less, and so the backlog is deeper; it is sampled,
/// and one sample may come a little late.
const DEEP: f64 = 0.85;
/// So many hands cannot do the work in less time than it takes, divided among
/// them: nothing that a queue does makes it shorter. But for rounding.
const AT_LEAST: f64 = 0.95;
/// From above the model is off by what a hand is idle between its ack and the
/// next delivery: some milliseconds in 140 where the machine is free, and as
/// much as the call itself where seven processes want each core. Worked off
/// one by one it would be five times as long, and more.
const AT_MOST: f64 = 4.0;
/// From empty to empty Little's law is exact, so this checks the measuring: the
/// depth is sampled, some 60 times in all, and
/// the answer of a busy broker is late (1 to 4 % seen).
const LITTLE_WITHIN: f64 = 0.25;

/// Every order once, and the service was called in vain.
fn called_in_vain(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    match outcome.figure("busy")? {
        0.0 => Err(text! { en: "no call in vain", zh: "没有白调用的" }),
        _ => Ok(()),
    }
}
