//! The three variants side by side: what dies with whom, and what a yes costs.
//!
//! Every variant has a queue of its own on one broker, and sees the same three
//! deaths. What was lost is read off the queues. What is on the disk at the
//! yes, Redis says itself (`WAITAOF`); of SQLite each commit is counted in its
//! write-ahead log, and with `synchronous=FULL` each is fsynced (sqlite.org,
//! "PRAGMA synchronous"). Latency and throughput depend on disk and machine:
//! they are told as ratios, and nothing is claimed of them.

mod cost;
mod deaths;
mod producer;
mod wal;

use std::collections::BTreeMap;

use self::{
    cost::Cost,
    deaths::{DEATHS, Death},
    producer::{VARIANTS, Variant},
};
use super::TRIED;
use crate::{
    demos::shop::orders::Ran,
    event::{Grid, GridRow, Unit},
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Ways,
        check::{every_message_confirmed, every_message_once},
    },
    text,
    text::Text,
    way,
};

/// "Which of the three shall we take?"
pub static VARIANTS_MEASURED: Scenario = Scenario {
    id: "variants",
    recipe: text! {
        en: "A the table first, B Redis first, C publish at once: take the \
             fastest.",
        zh: "A 先落库、B 先写 Redis、C 直接发：哪个快用哪个。"
    },
    fault: text! {
        en: "The broker is out of reach; then the producer dies; Redis; the \
             broker.",
        zh: "broker 连不上时照样接单；接着生产者、Redis、broker 各死一次。"
    },
    predict: Predict {
        question: text! {
            en: "Which is on disk at the yes, survives each death, and shares \
                 its fsyncs?",
            zh: "返回成功时已经落盘、谁死都不丢、fsync 还能共用的，是哪个？"
        },
        choices: &[
            text! { en: "the table, with group commit", zh: "先落库，组提交" },
            text! { en: "Redis, everysec", zh: "Redis，everysec" },
            text! { en: "memory, with retries", zh: "内存里重试" },
        ],
        right: 0,
    },
    needs: Needs {
        redis: true,
        own_broker: true,
        fewest: 60,
        most: 300,
        seconds: 25,
        ..Needs::BOOKS
    },
    strikes: &[],
    hits: Hits::Once,
    tried: TRIED,
    ways: Ways::Measure(way!(
        three_variants,
        as_safe_as_where_they_wait,
        text! {
            en: "the same three deaths for each",
            zh: "每种都经历同样三次死亡"
        },
    )),
    columns: &[],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "a: a message is as safe as the place where it waits. Requests \
             that come together share a commit, and the table is cheap.",
        zh: "a：消息有多安全，取决于它在哪里等。一起来的请求共用一次提交，先落\
             库就不贵了。"
    },
    fix: text! {
        en: "A where a loss is a debt; B with AOF always for a peak the \
             database cannot take; C for what may be lost.",
        zh: "丢了要赔的用 A；数据库扛不住的高峰用 B，AOF 配 always；丢得起的\
             用 C。"
    },
    limit: text! {
        en: "Ratios of this disk. Redis always shares its fsyncs, too. None \
             of the three spares the consumer its unique key.",
        zh: "比值只对这块盘有效。Redis always 也会共用 fsync。哪种都少不了消费\
             端的唯一键。"
    },
    say: text! {
        en: "\"Choose by what a loss costs, then batch what is slow.\"",
        zh: "「先看丢一条赔多少，再把慢的攒成批。」"
    },
    source: &[
        include_str!("variants.rs"),
        include_str!("variants/deaths.rs"),
        include_str!("variants/cost.rs"),
    ],
};

/// Each variant takes orders under each death; then, with nobody dying, it is
/// measured what a yes costs.
async fn three_variants(lab: Lab) -> Ran {
    let (lost, redis) = deaths::all(&lab).await?;
    let costs = cost::all(&lab, &redis).await?;
    for variant in VARIANTS {
        for death in DEATHS {
            let lost = lost.get(&(variant, death)).copied().unwrap_or(u32::MAX);
            let id = format!("lost-{}-{}", death.id(), variant.id());
            lab.observe(&id, variant.name(), lost.into(), Unit::Count);
        }
        let cost = costs.get(&variant).copied().unwrap_or_default();
        cost.observe(&lab, variant);
    }
    lab.grid(grid(&lab, &lost, &costs));
    let each = commits(&costs, Variant::TableEach);
    let group = commits(&costs, Variant::TableGroup);
    lab.step(
        text! { en: "cost", zh: "代价" },
        text! {
            en: "{callers} customers at once: {each} commits with one each, \
                 {group} in groups",
            zh: "{callers} 位顾客同时下单：各自提交 {each} 次，\
                 组提交 {group} 次",
            callers = cost::CALLERS, each = each, group = group
        },
    );
    let per = deaths::orders_each(&lab);
    lab.came_to(text! {
        en: "memory and Redis without AOF lost all {per}, the table none",
        zh: "内存和不开 AOF 的 Redis 丢了全部 {per} 单，落库的一单没丢",
        per = per
    });
    Ok(())
}

fn commits(costs: &BTreeMap<Variant, Cost>, variant: Variant) -> u32 {
    costs.get(&variant).and_then(|cost| cost.commits).unwrap_or_default()
}

type Lost = BTreeMap<(Variant, Death), u32>;

fn grid(lab: &Lab, lost: &Lost, costs: &BTreeMap<Variant, Cost>) -> Grid {
    let base = costs.get(&Variant::TableEach).copied().unwrap_or_default();
    let row = |variant: Variant| {
        let lost = DEATHS.map(|death| {
            let lost = lost.get(&(variant, death)).copied();
            lost.map_or(Text::same("-"), |n| Text::same(n.to_string()))
        });
        let cost = costs.get(&variant).copied().unwrap_or_default();
        let more = [
            Text::same(cost.unsynced.to_string()),
            Text::same(times(cost.per_second, base.per_second)),
            Text::same(times(cost.wait, base.wait)),
        ];
        let cells = lost.into_iter().chain(more).collect();
        GridRow { name: variant.name(), cells }
    };
    Grid {
        title: text! {
            en: "Lost of {per} orders each; A with a commit each is 1x; A is \
                 on disk by its setting",
            zh: "各 {per} 单中丢失的；A 逐单提交为 1x；A 落盘与否看的是设置",
            per = deaths::orders_each(lab)
        },
        columns: vec![
            text! { en: "producer dies", zh: "生产者被杀" },
            text! { en: "Redis dies", zh: "Redis 被杀" },
            text! { en: "broker dies", zh: "broker 被杀" },
            text! { en: "not on disk at yes", zh: "返回时 未落盘" },
            text! { en: "orders per second", zh: "每秒 订单数" },
            text! { en: "one alone waits", zh: "单个请求 延迟" },
        ],
        rows: VARIANTS.map(row).to_vec(),
    }
}

fn times(value: f64, base: f64) -> String {
    match value / base {
        times if !times.is_finite() => "-".to_owned(),
        times if times < 0.005 => "<0.01x".to_owned(),
        times if times < 0.095 => format!("{times:.2}x"),
        times if times < 9.5 => format!("{times:.1}x"),
        times => format!("{times:.0}x"),
    }
}

/// Memory loses all with its producer, Redis without a file all with Redis;
/// everything else loses nothing. What was on disk at the yes is as the
/// settings say, and a group shares commits.
fn as_safe_as_where_they_wait(outcome: &Outcome) -> Result<(), Text> {
    // The ledger is that of group commit.
    every_message_once(outcome)?;
    every_message_confirmed(outcome)?;
    let all = f64::from(outcome.messages / deaths::PARTS);
    for variant in VARIANTS {
        for death in DEATHS {
            let lost = format!("lost-{}-{}", death.id(), variant.id());
            let expected =
                if dies_with(variant) == Some(death) { all } else { 0.0 };
            is(outcome, &lost, |lost| lost == expected)?;
        }
    }
    let unsynced = |variant: Variant| format!("unsynced-{}", variant.id());
    is(outcome, &unsynced(Variant::TableEach), |n| n == 0.0)?;
    is(outcome, &unsynced(Variant::TableGroup), |n| n == 0.0)?;
    is(outcome, &unsynced(Variant::RedisOff), |n| n == all)?;
    is(outcome, &unsynced(Variant::RedisEverySecond), |n| n > 0.0)?;
    is(outcome, &unsynced(Variant::RedisAlways), |n| n == 0.0)?;
    let callers = f64::from(cost::CALLERS);
    is(outcome, "commits-table-each", |n| n == callers)?;
    // Those who come during a commit share the next.
    is(outcome, "commits-table-group", |n| n >= 1.0 && n <= callers / 4.0)
}

/// Whose death takes what a variant has accepted.
const fn dies_with(variant: Variant) -> Option<Death> {
    match variant {
        Variant::Memory => Some(Death::Producer),
        Variant::RedisOff => Some(Death::Redis),
        _ => None,
    }
}

fn is(
    outcome: &Outcome,
    id: &str,
    expected: impl Fn(f64) -> bool,
) -> Result<(), Text> {
    match outcome.figure(id)? {
        n if expected(n) => Ok(()),
        n => Err(text! { en: "{id}: {n}", zh: "{id}：{n}", id = id, n = n }),
    }
}
