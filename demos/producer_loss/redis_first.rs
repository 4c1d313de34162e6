//! Accepted means in Redis: variant B is as safe as Redis's append-only file.
//!
//! With `appendfsync everysec` Redis writes to the file before it answers, as
//! with `always` (`flushAppendOnlyFile` in `beforeSleep`, redis/src/server.c),
//! and fsyncs once a second. So a killed process loses nothing that it has
//! answered: the kernel has it. A power cut takes what was not yet on the
//! disk, and a container's kill is none. What it would take is asked of Redis
//! at the yes: `WAITAOF`. (While a slow fsync is under way, everysec puts off
//! the write itself for up to two seconds: Redis documentation, "Diagnosing
//! latency issues", section "Latency due to AOF and disk I/O".)
//!
//! Source: Redis documentation, "Redis persistence", section "How durable is
//! the append only file?", and `WAITAOF`.

use super::{
    TRIED,
    buffered::{self, held},
    table::{self, three_parts},
};
use crate::{
    demos::shop::{
        orders::{ORDERS, Ran, order},
        packing::{Packs, pack},
    },
    event::{Column, Unit, WayName},
    fault::{container, wire::Protocol},
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{
            every_message_confirmed, every_message_once,
            lost_exactly_where_struck,
        },
    },
    ledger::{Fact, MessageId, Witness},
    mechanism,
    pattern::{
        buffer::Buffer, outbox::group::Group, publisher::ConfirmingPublisher,
    },
    stage::{Persistence, Redis},
    text,
    text::Text,
    way,
};

/// "Redis takes the peak; from there a relay publishes."
pub static REDIS_FIRST: Scenario = Scenario {
    id: "redis-first",
    recipe: text! {
        en: "In Redis means accepted; a relay publishes from there.",
        zh: "写进 Redis 就算受理，再由转发进程慢慢发给 broker。"
    },
    fault: text! {
        en: "Redis is killed holding 1 order in 10: the broker is out of \
             reach.",
        zh: "broker 连不上，十分之一的订单压在 Redis 里，这时 Redis 被杀。"
    },
    predict: Predict {
        question: text! {
            en: "appendfsync everysec, SIGKILL once it has written: what of it \
                 is gone?",
            zh: "appendfsync everysec，写出之后才 SIGKILL：压着的订单丢哪些？"
        },
        choices: &[
            text! { en: "nothing", zh: "一个不丢" },
            text! { en: "the last second's", zh: "最后一秒的" },
            text! { en: "all of it", zh: "全部" },
        ],
        right: 0,
    },
    needs: Needs {
        redis: true,
        fewest: 20,
        most: 2_000,
        seconds: 9,
        ..Needs::BOOKS
    },
    strikes: &[Strike::RedisKilled],
    hits: Hits::Stretch,
    tried: TRIED,
    ways: Ways::Three {
        naive: way!(
            no_file,
            gone_with_redis,
            text! { en: "Redis without AOF", zh: "Redis 不开 AOF" },
        ),
        halfway: way!(
            file_every_second,
            kept_and_not_on_disk,
            text! { en: "AOF, appendfsync everysec", zh: "AOF，everysec" },
        ),
        fixed: way!(
            file_always,
            kept_and_on_disk,
            text! { en: "AOF, appendfsync always", zh: "AOF，always" },
        ),
        mechanisms: &[
            mechanism!(
                "aof",
                no_file,
                gone_with_redis,
                text! { en: "the append-only file", zh: "AOF" },
            ),
            mechanism!(
                "always",
                file_every_second,
                kept_and_not_on_disk,
                text! {
                    en: "the fsync before the answer",
                    zh: "先 fsync 再应答"
                },
            ),
        ],
    },
    columns: &[Column::Accepted, Column::Applied, Column::Lost],
    figures: &["unsynced"],
    bars: &[],
    claim: text! {
        en: "a: what Redis has written outlives its process (page cache). But \
             with everysec the yes comes before the disk: a power cut takes \
             that.",
        zh: "a：Redis 写出去的在内核页缓存里，进程死了也在。但 everysec 答复时\
             还没落盘，断电丢的就是这些。"
    },
    fix: text! {
        en: "appendonly yes, appendfsync always, maxmemory-policy noeviction.",
        zh: "appendonly yes，appendfsync always，maxmemory-policy noeviction。"
    },
    limit: text! {
        en: "A kill is no power cut: seen is the missing fsync. While one \
             hangs, up to 2 s of answered writes are in the process still. A \
             replica may lack the last.",
        zh: "杀容器不是断电：只看得到没 fsync。fsync 卡住时，最多 2 秒已应答的\
             写入还在进程里。主从切换还可能少最后几条。"
    },
    say: text! {
        en: "\"Redis first is exactly as safe as its AOF.\"",
        zh: "「先写 Redis 有多可靠，看它的 AOF 怎么配。」"
    },
    source: &[include_str!("redis_first.rs")],
};

/// What Redis holds is in its memory.
async fn no_file(lab: Lab) -> Ran {
    killed_while_it_holds(&lab, Persistence::Off).await
}

/// Each write goes to a file, which is fsynced once a second.
async fn file_every_second(lab: Lab) -> Ran {
    killed_while_it_holds(&lab, Persistence::EverySecond).await
}

/// Each write is on the disk before it is answered.
async fn file_always(lab: Lab) -> Ran {
    killed_while_it_holds(&lab, Persistence::Always).await
}

/// Requests that share a commit, at most.
const TOGETHER: usize = 100;

/// The broker is away, Redis holds what came meanwhile, and is killed.
async fn killed_while_it_holds(lab: &Lab, keeps: Persistence) -> Ran {
    let redis = lab.start_redis("buffer", keeps).await?;
    lab.declare(ORDERS).await?;
    let wire = lab.wire("relay", Protocol::Amqp).await?;
    let uri = lab.uri_through(&wire);
    let publisher = || ConfirmingPublisher::new(&uri, ORDERS, lab.witness());
    let table = Group::start(table::open(lab)?, TOGETHER);
    let orders = async {
        let mut shop = buffered::buffer(lab, &redis).await?;
        let [mut before, during, after] = three_parts(lab, Strike::RedisKilled);
        // What the relay has in its hands when the broker goes away.
        let in_hand = before.pop();
        take(lab, &mut shop, &before).await?;
        buffered::is_empty(lab, &shop).await?;
        if !during.is_empty() {
            wire.refuse(true);
            wire.cut().await;
        }
        take(lab, &mut shop, in_hand.as_slice()).await?;
        if !during.is_empty() {
            tried_in_vain(lab, in_hand.as_slice()).await?;
            table::tell_outage(lab, &during);
            let unsynced = take(lab, &mut shop, &during).await?;
            let held = held(&mut shop, &during).await?;
            dies(lab, &redis).await?;
            held.iter().for_each(|id| lab.struck(*id, Strike::RedisKilled));
            shop = buffered::buffer(lab, &redis).await?;
            let back = buffered::held(&mut shop, &during).await?;
            tell(lab, held.len(), back.len(), unsynced);
            wire.refuse(false);
        }
        take(lab, &mut shop, &after).await?;
        buffered::is_empty(lab, &shop).await
    };
    tokio::select! {
        ended = orders => ended?,
        () = buffered::relay(lab, &redis, publisher, table) => {
            return Err(buffered::relay_ended());
        }
    }
    pack(lab, ORDERS, Packs::OncePerOrder).await
}

/// Takes orders: each is in Redis, then its customer is told yes. Returns of
/// how many Redis had nothing on disk yet.
async fn take(
    lab: &Lab,
    shop: &mut Buffer,
    orders: &[MessageId],
) -> anyhow::Result<u32> {
    let mut unsynced = 0;
    for id in orders {
        shop.put(&order(*id)).await?;
        lab.saw(*id, Fact::Buffered);
        lab.saw(*id, Fact::Accepted);
        unsynced += u32::from(!shop.is_on_disk().await?);
    }
    Ok(unsynced)
}

/// The relay has claimed these and cannot get rid of them: what comes now
/// waits behind them, in Redis and nowhere else.
async fn tried_in_vain(lab: &Lab, orders: &[MessageId]) -> Ran {
    let what = text! { en: "a publish in vain", zh: "一次发不出去的发布" };
    let tried =
        |id: &MessageId| lab.entry(*id).is_some_and(|known| known.unknown > 0);
    lab.wait_until(what, table::WITHIN, || async {
        Ok(orders.iter().all(tried))
    })
    .await
}

/// It dies when the kernel has what it has answered for.
async fn dies(lab: &Lab, redis: &Redis) -> Ran {
    let what = text! { en: "Redis to write its AOF", zh: "Redis 写出 AOF" };
    lab.wait_until(what, table::WITHIN, || async {
        Ok(redis.has_written().await?)
    })
    .await?;
    let engine = &lab.stage().engine;
    container::kill(engine, redis.container()).await?;
    container::start(engine, redis.container()).await?;
    redis.answers().await?;
    Ok(())
}

fn tell(lab: &Lab, held: usize, back: usize, unsynced: u32) {
    let name = text! { en: "not on disk", zh: "未落盘" };
    lab.observe("unsynced", name, unsynced.into(), Unit::Count);
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "Redis killed and back: held {held}, kept {back}; not on disk \
                 at the yes: {unsynced}",
            zh: "Redis 被杀并重启：原有 {held}，还剩 {back}；\
                 返回成功时未落盘 {unsynced}",
            held = held, back = back, unsynced = unsynced
        },
    );
    if back == held && unsynced > 0 && lab.way() != WayName::Naive {
        lab.came_to(text! {
            en: "none lost, {unsynced} not on disk at the yes",
            zh: "一单没丢，{unsynced} 单返回成功时未落盘",
            unsynced = unsynced
        });
    }
}

/// Exactly what Redis held is lost.
fn gone_with_redis(outcome: &Outcome) -> Result<(), Text> {
    lost_exactly_where_struck(outcome)?;
    match outcome.figure("unsynced")? {
        n if n == f64::from(outcome.plan.len()) => Ok(()),
        n => Err(unsynced(n)),
    }
}

/// Nothing is lost to this kill, but a power cut would have taken something:
/// the first write after a quiet second may be fsynced at once.
fn kept_and_not_on_disk(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    match outcome.figure("unsynced")? {
        n if n > 0.0 => Ok(()),
        n => Err(unsynced(n)),
    }
}

/// Nothing is lost, and each was on disk at the yes.
fn kept_and_on_disk(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    every_message_confirmed(outcome)?;
    match outcome.figure("unsynced")? {
        0.0 => Ok(()),
        n => Err(unsynced(n)),
    }
}

fn unsynced(n: f64) -> Text {
    text! { en: "{n} not on disk at the yes", zh: "{n} 单返回成功时未落盘", n = n }
}
