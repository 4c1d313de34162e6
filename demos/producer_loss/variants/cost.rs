//! What a yes costs, with nobody dying and nothing published meanwhile.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::try_join_all;

use super::{
    deaths::{Own, orders_each},
    producer::{VARIANTS, Variant},
    wal,
};
use crate::{
    demos::shop::orders::order,
    event::Unit,
    lab::Lab,
    ledger::{MessageId, Noun},
    pattern::{
        buffer::Buffer,
        direct::{Direct, Settings},
        outbox::{self, Moment, group::Group},
        publisher::Route,
    },
    stage::Redis,
    text,
    text::Text,
};

/// Customers who order at the same moment.
pub(super) const CALLERS: u32 = 200;
const ROUNDS: u32 = 5;

/// What a variant's yes costs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// Orders that were not on disk at the yes.
    pub unsynced: u32,
    /// Commits for all callers at once, where there are commits.
    pub commits: Option<u32>,
    /// Orders a second, with all callers at once.
    pub per_second: f64,
    /// What one customer alone waits for the yes: the median, in seconds.
    pub wait: f64,
}

impl Cost {
    pub(super) fn observe(&self, lab: &Lab, variant: Variant) {
        let observe = |what: &str, value: f64, unit| {
            let id = format!("{what}-{}", variant.id());
            lab.observe(&id, name(what, variant), value, unit);
        };
        observe("unsynced", self.unsynced.into(), Unit::Count);
        if let Some(commits) = self.commits {
            observe("commits", commits.into(), Unit::Count);
        }
        observe("rate", self.per_second, Unit::PerSecond);
        observe("wait", self.wait * 1000.0, Unit::Ms);
    }
}

fn name(what: &str, variant: Variant) -> Text {
    match (what, variant) {
        // Redis says it of each order; of SQLite the setting is read back.
        ("unsynced", Variant::TableEach | Variant::TableGroup) => {
            text! { en: "not on disk, by setting", zh: "未落盘（按设置）" }
        }
        ("unsynced", _) => text! { en: "not on disk", zh: "未落盘" },
        ("commits", _) => text! { en: "commits", zh: "提交次数" },
        ("rate", _) => text! { en: "orders per second", zh: "每秒订单数" },
        _ => text! { en: "wait for yes", zh: "等待答复" },
    }
}

/// How a variant takes an order here.
#[derive(Clone)]
enum Takes {
    Table(Group),
    Buffer(Buffer),
    Memory(Arc<Direct>),
}

impl Takes {
    async fn take(&mut self, id: MessageId) -> anyhow::Result<()> {
        let order = order(id);
        match self {
            Takes::Table(group) => {
                let written = group
                    .commit(move |tx| outbox::write(tx, &order, Moment::now()));
                written.await?;
            }
            Takes::Buffer(buffer) => buffer.put(&order).await?,
            Takes::Memory(direct) => direct.send(order).await?,
        }
        Ok(())
    }
}

/// A variant on the bench.
struct Bench {
    variant: Variant,
    takes: Takes,
    /// Its database, where the commits are counted.
    database: Option<String>,
    cost: Cost,
    waits: Vec<Duration>,
    rounds: Vec<Duration>,
}

/// Measures all variants, each order and each round in turn: whatever else the
/// machine does meanwhile, it does to all.
pub(super) async fn all(
    lab: &Lab,
    redis: &Own,
) -> anyhow::Result<BTreeMap<Variant, Cost>> {
    let mut benches = Vec::new();
    for variant in VARIANTS {
        benches.push(bench(lab, variant, redis.get(&variant)).await?);
    }
    for id in orders(lab) {
        for bench in &mut benches {
            let began = Instant::now();
            bench.takes.take(id).await?;
            bench.waits.push(began.elapsed());
        }
    }
    for round in 0..ROUNDS {
        for bench in &mut benches {
            let before = bench.commits()?;
            bench.rounds.push(at_once(&bench.takes, round).await?);
            let commits = bench.commits()?.zip(before);
            bench.cost.commits = commits.map(|(after, before)| after - before);
        }
    }
    let costs = benches.into_iter().map(|mut bench| {
        bench.cost.wait = median(bench.waits);
        bench.cost.per_second = f64::from(CALLERS) / median(bench.rounds);
        (bench.variant, bench.cost)
    });
    Ok(costs.collect())
}

impl Bench {
    fn commits(&self) -> anyhow::Result<Option<u32>> {
        self.database.as_deref().map(wal::commits).transpose()
    }
}

async fn bench(
    lab: &Lab,
    variant: Variant,
    redis: Option<&Redis>,
) -> anyhow::Result<Bench> {
    let mut database = None;
    let mut unsynced = 0;
    let takes = match redis {
        Some(redis) => {
            let mut buffer = Buffer::new(redis.connect().await?, "cost");
            for id in orders(lab) {
                buffer.put(&order(id)).await?;
                unsynced += u32::from(!buffer.is_on_disk().await?);
            }
            Takes::Buffer(buffer)
        }
        None if variant == Variant::Memory => {
            // None of them is on any disk before the broker has it.
            unsynced = orders_each(lab);
            Takes::Memory(Arc::new(memory(lab).await?))
        }
        None => {
            let outbox = variant.database(lab, "cost")?;
            // A checkpoint would begin the log anew, and its commits are
            // counted.
            let log = outbox.db();
            log.pragma_update(None, "wal_autocheckpoint", 0)?;
            // FULL (2): a commit returns when its log is fsynced. It is a
            // setting that is read back, not what the disk has.
            let sync: u8 =
                log.pragma_query_value(None, "synchronous", |row| row.get(0))?;
            unsynced = if sync >= 2 { 0 } else { orders_each(lab) };
            database = log.path().map(str::to_owned);
            Takes::Table(variant.group(outbox))
        }
    };
    let cost = Cost { unsynced, ..Cost::default() };
    let (waits, rounds) = (Vec::new(), Vec::new());
    Ok(Bench { variant, takes, database, cost, waits, rounds })
}

/// Publishes to a broker that is there.
async fn memory(lab: &Lab) -> anyhow::Result<Direct> {
    let queue = format!("{}.cost", Variant::Memory.queue());
    lab.declare(&queue).await?;
    let table = Variant::Memory.database(lab, "cost")?;
    Ok(Direct::start(
        lab.uri(),
        Route::queue(&queue),
        Variant::Memory.group(table),
        Arc::new(()),
        Settings::default(),
    ))
}

/// As many as there are in a part of the run.
fn orders(lab: &Lab) -> impl Iterator<Item = MessageId> + use<> {
    (1..=orders_each(lab)).map(|number| Noun::Order.number(number))
}

/// How long it takes until all callers have their yes.
async fn at_once(takes: &Takes, round: u32) -> anyhow::Result<Duration> {
    // Numbers that no order of the lab has.
    let first = 1_000_000 * (round + 1);
    let began = Instant::now();
    let callers = (first..first + CALLERS).map(|number| {
        let mut takes = takes.clone();
        async move { takes.take(Noun::Order.number(number)).await }
    });
    try_join_all(callers).await?;
    Ok(began.elapsed())
}

/// In seconds.
fn median(mut all: Vec<Duration>) -> f64 {
    all.sort_unstable();
    let middle = all.get(all.len() / 2).copied().unwrap_or_default();
    middle.as_secs_f64()
}
