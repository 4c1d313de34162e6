//! Three deaths, and what each variant lost to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::try_join_all;

use super::{
    Lost,
    producer::{Producer, VARIANTS, Variant, Watch},
};
use crate::{
    demos::shop::{
        orders::{Ran, order},
        packing::{Packs, pack},
    },
    fault::{
        container,
        wire::{Protocol, Wire},
    },
    lab::Lab,
    ledger::{Fact, MessageId, Noun, Witness},
    stage::Redis,
    text,
};

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Death {
    /// The producing process, while the broker cannot be reached.
    Producer,
    /// Redis, while the broker cannot be reached.
    Redis,
    /// The broker, while the orders are on the wire.
    Broker,
}

/// In the order in which they come.
pub(super) const DEATHS: [Death; 3] =
    [Death::Producer, Death::Redis, Death::Broker];
/// Each death has its own part of the orders.
pub(super) const PARTS: u32 = 3;

impl Death {
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Redis => "redis",
            Self::Broker => "broker",
        }
    }
}

/// How many orders each death meets.
pub(super) fn orders_each(lab: &Lab) -> u32 {
    lab.count() / PARTS
}

/// What there is of each variant.
struct Row {
    variant: Variant,
    redis: Option<Redis>,
    watch: Arc<Watch>,
    producer: Producer,
}

struct Rows<'a> {
    lab: &'a Lab,
    uri: String,
    rows: Vec<Row>,
}

const WITHIN: Duration = Duration::from_secs(40);
/// A queue younger than this may die with its node on 3.10 (seen there: 3 of
/// 16 runs; none of 16 on 4.x).
const OLD_ENOUGH: Duration = Duration::from_secs(4);

/// Each variant's own Redis.
pub(super) type Own = BTreeMap<Variant, Redis>;

/// Lets all variants see all deaths, and counts what each lost to each.
pub(super) async fn all(lab: &Lab) -> anyhow::Result<(Lost, Own)> {
    for variant in VARIANTS {
        lab.declare(&variant.queue()).await?;
    }
    let declared = Instant::now();
    let wire = lab.wire("producers", Protocol::Amqp).await?;
    let mut rows = Rows::open(lab, &wire).await?;
    let mut parts = DEATHS.map(|death| (death, part(lab, death)));
    let spare: Vec<_> = lab
        .messages()
        .filter(|id| parts.iter().all(|(_, part)| !part.contains(id)))
        .collect();
    rows.take(&spare).await?;
    rows.are_through().await?;
    for (death, orders) in &mut parts {
        match death {
            Death::Producer => rows.producers_die(&wire, orders).await?,
            Death::Redis => rows.redis_dies(&wire, orders).await?,
            Death::Broker => {
                is_old_enough(lab, declared).await?;
                rows.broker_dies(&wire, orders).await?;
            }
        }
        rows.are_through().await?;
    }
    let mut redis = BTreeMap::new();
    for row in rows.rows {
        row.producer.die().await;
        redis.extend(row.redis.map(|own| (row.variant, own)));
    }
    Ok((read_off(lab, &parts).await?, redis))
}

/// The orders that meet this death.
fn part(lab: &Lab, death: Death) -> BTreeSet<MessageId> {
    let (per, nth) = (orders_each(lab), death as u32);
    let (first, last) = (nth * per + 1, (nth + 1) * per);
    (first..=last).map(|number| Noun::Order.number(number)).collect()
}

async fn is_old_enough(lab: &Lab, declared: Instant) -> Ran {
    let what = text! {
        en: "the queues to be four seconds old", zh: "队列建好满四秒"
    };
    lab.wait_until(what, WITHIN, || async {
        Ok(declared.elapsed() >= OLD_ENOUGH)
    })
    .await
}

impl<'a> Rows<'a> {
    async fn open(lab: &'a Lab, wire: &Wire) -> anyhow::Result<Rows<'a>> {
        let uri = lab.uri_through(wire);
        let open = VARIANTS.map(async |variant| {
            let redis = match variant.keeps() {
                Some(keeps) => {
                    Some(lab.start_redis(variant.id(), keeps).await?)
                }
                None => None,
            };
            // The books are those of one variant: its orders are the run's.
            let books = variant == Variant::TableGroup;
            let watch = Watch::new(books.then(|| lab.clone()));
            let producer =
                Producer::start(lab, variant, &uri, redis.as_ref(), &watch)
                    .await?;
            anyhow::Ok(Row { variant, redis, watch, producer })
        });
        let rows = try_join_all(open).await?;
        Ok(Self { lab, uri, rows })
    }

    /// Each variant takes these orders.
    async fn take(
        &mut self,
        orders: impl IntoIterator<Item = &MessageId>,
    ) -> Ran {
        let orders: Vec<_> = orders.into_iter().copied().collect();
        let takes = self.rows.iter_mut().map(async |row| {
            for id in &orders {
                row.producer.take(order(*id)).await?;
                // As far as the books go, that is a yes.
                row.watch.saw(*id, Fact::Accepted);
            }
            anyhow::Ok(())
        });
        try_join_all(takes).await?;
        Ok(())
    }

    async fn are_through(&self) -> Ran {
        let what = text! {
            en: "every variant to have sent what it has",
            zh: "各方案把手头的订单发完"
        };
        self.lab
            .wait_until(what, WITHIN, || async {
                for row in &self.rows {
                    if !row.producer.is_through().await? {
                        return Ok(false);
                    }
                }
                Ok(true)
            })
            .await
    }

    async fn producers_die(
        &mut self,
        wire: &Wire,
        orders: &BTreeSet<MessageId>,
    ) -> Ran {
        wire.refuse(true);
        wire.cut().await;
        self.take(orders).await?;
        for row in std::mem::take(&mut self.rows) {
            let Row { variant, redis, watch, producer } = row;
            producer.die().await;
            let producer = Producer::start(
                self.lab,
                variant,
                &self.uri,
                redis.as_ref(),
                &watch,
            )
            .await?;
            self.rows.push(Row { variant, redis, watch, producer });
        }
        wire.refuse(false);
        Ok(())
    }

    /// Each relay has an order more in its hands, which it cannot get rid of:
    /// what comes then is in Redis and nowhere else.
    async fn redis_dies(
        &mut self,
        wire: &Wire,
        orders: &BTreeSet<MessageId>,
    ) -> Ran {
        wire.refuse(true);
        wire.cut().await;
        let more = Noun::Order.number(self.lab.count() + 1);
        for row in self.rows.iter_mut().filter(|row| row.redis.is_some()) {
            let before = row.watch.sent();
            row.producer.take(order(more)).await?;
            let watch = &row.watch;
            let what =
                text! { en: "a publish in vain", zh: "一次发不出去的发布" };
            let tried = || async { Ok(watch.sent() > before) };
            self.lab.wait_until(what, WITHIN, tried).await?;
        }
        self.take(orders).await?;
        let engine = &self.lab.stage().engine;
        let all = self.rows.iter().filter_map(|row| row.redis.as_ref());
        let deaths = all.map(async |redis| {
            let what =
                text! { en: "Redis to write its AOF", zh: "Redis 写出 AOF" };
            let written = || async { Ok(redis.has_written().await?) };
            self.lab.wait_until(what, WITHIN, written).await?;
            container::kill(engine, redis.container()).await?;
            container::start(engine, redis.container()).await?;
            redis.answers().await?;
            anyhow::Ok(())
        });
        try_join_all(deaths).await?;
        for row in &mut self.rows {
            row.producer.meet_again(row.redis.as_ref()).await?;
        }
        wire.refuse(false);
        Ok(())
    }

    /// What is on the wire does not arrive: the wire holds it, and the broker
    /// is killed.
    async fn broker_dies(
        &mut self,
        wire: &Wire,
        orders: &BTreeSet<MessageId>,
    ) -> Ran {
        let before: Vec<_> =
            self.rows.iter().map(|row| row.watch.sent()).collect();
        wire.freeze();
        self.take(orders).await?;
        let what = text! { en: "orders on the wire", zh: "订单发到线上" };
        let rows = &self.rows;
        self.lab
            .wait_until(what, WITHIN, || async {
                let sent = rows.iter().map(|row| row.watch.sent());
                Ok(sent.zip(&before).all(|(sent, before)| sent > *before))
            })
            .await?;
        let (engine, broker) = (&self.lab.stage().engine, self.lab.broker());
        container::kill(engine, broker.container()).await?;
        wire.thaw();
        container::start(engine, broker.container()).await?;
        let what = text! { en: "the broker to answer", zh: "broker 应答" };
        let (limit, soon) = (Duration::from_secs(60), Duration::from_secs(5));
        self.lab
            .wait_until(what, limit, || async {
                Ok(broker.answers(soon).await)
            })
            .await?;
        Ok(())
    }
}

/// What is in the queues is what was not lost.
async fn read_off(
    lab: &Lab,
    parts: &[(Death, BTreeSet<MessageId>); 3],
) -> anyhow::Result<Lost> {
    let mut lost = BTreeMap::new();
    for variant in VARIANTS {
        let arrived: BTreeSet<MessageId> = match variant {
            Variant::TableGroup => {
                pack(lab, &variant.queue(), Packs::OncePerOrder).await?;
                let done = |id: &MessageId| {
                    lab.entry(*id).is_some_and(|known| known.applied > 0)
                };
                lab.messages().filter(done).collect()
            }
            _ => lab.left_in(&variant.queue()).await?.into_iter().collect(),
        };
        for (death, orders) in parts {
            let missing = orders.difference(&arrived).count();
            lost.insert((variant, *death), u32::try_from(missing)?);
        }
    }
    Ok(lost)
}
