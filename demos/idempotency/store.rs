//! The store forgets: a key that expired, a Redis that was restarted.

use std::time::Duration;

use super::{
    PAID, TRIED, breaks::doubled_if_replayed, every_payment_once, pay::pay_once,
};
use crate::{
    demos::shop::{self, Handled, Handler, Shop},
    fault::container,
    lab::{Failpoints, Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    ledger::MessageId,
    mechanism,
    pattern::consumer::Delivery,
    text, way,
};

/// The dedup key lives shorter than somebody's replay takes to come.
pub static TTL_SHORT: Scenario = Scenario {
    id: "ttl-short",
    recipe: text! {
        en: "Keep each id in Redis for a while; old ones expire.",
        zh: "每个 id 在 Redis 里留一阵子，旧的自动过期。"
    },
    fault: text! {
        en: "1 in 10: its ack is lost, or it is replayed when its key (one \
             hour) has expired.",
        zh: "每 10 笔有 1 笔：ack 丢失，或在键（1 小时）过期之后被重放。"
    },
    predict: Predict {
        question: text! {
            en: "What of the replayed payments?", zh: "重放的付款会怎样？"
        },
        choices: &[
            text! { en: "paid twice", zh: "付两次" },
            text! { en: "paid once", zh: "付一次" },
            text! { en: "an error", zh: "报错" },
        ],
        right: 0,
    },
    needs: Needs::BOOKS_AND_REDIS,
    strikes: &[Strike::Replay, Strike::SwallowAck],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            replayed_after_expiry,
            pay_unless_marked,
            doubled_if_replayed,
            text! { en: "keys in Redis, with a TTL", zh: "键放 Redis，带 TTL" },
        ),
        fixed: way!(
            replayed_after_expiry,
            pay_once,
            every_payment_once,
            text! { en: "keys in the database", zh: "键放数据库" },
        ),
        mechanisms: &[mechanism!(
            "database-key",
            replayed_after_expiry,
            pay_unless_marked,
            doubled_if_replayed,
            text! { en: "the key in the database", zh: "数据库里的键" },
        )],
    },
    columns: PAID,
    figures: &[],
    bars: &[],
    claim: text! {
        en: "a: an expired key and a new message look the same. Before it expires, \
             the key catches.",
        zh: "a：键过期之后，旧消息看起来就是新消息；没过期时倒能拦住。"
    },
    fix: text! {
        en: "Keep keys in the database, longer than the longest replay.",
        zh: "键放数据库，保留时间长于最久的重放。"
    },
    limit: text! {
        en: "They need cleaning up: by age, and never younger than a replay.",
        zh: "键要清理：按时间清，保留期不能比重放窗口还短。"
    },
    say: text! {
        en: "\"A TTL is a promise that nobody replays later than that.\"",
        zh: "「设 TTL 就等于承诺没人会更晚重放。」"
    },
    source: &[include_str!("store.rs"), include_str!("pay.rs")],
};

/// Redis without persistence dies, and with it what was handled. What an
/// append-only file would keep is not run here: Redis documentation,
/// "Persistence", on `appendfsync`.
pub static STORE_LOST: Scenario = Scenario {
    id: "store-lost",
    recipe: text! {
        en: "Keep each id in Redis; Redis does not go down.",
        zh: "id 都放 Redis，Redis 又不会挂。"
    },
    fault: text! {
        en: "1 in 10: its ack is lost, or it is replayed after Redis (without \
             persistence) was killed and started.",
        zh: "每 10 笔有 1 笔：ack 丢失，或在 Redis（未持久化）被杀重启后被重放。"
    },
    predict: Predict {
        question: text! {
            en: "What of the replayed payments?", zh: "重放的付款会怎样？"
        },
        choices: &[
            text! { en: "paid once", zh: "付一次" },
            text! { en: "refused", zh: "被拒绝" },
            text! { en: "paid twice", zh: "付两次" },
        ],
        right: 2,
    },
    needs: Needs { own_redis: true, ..Needs::BOOKS },
    strikes: &[Strike::Replay, Strike::SwallowAck],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            replayed_after_redis_died,
            pay_unless_marked,
            doubled_if_replayed,
            text! { en: "keys in Redis", zh: "键放 Redis" },
        ),
        fixed: way!(
            replayed_after_redis_died,
            pay_once,
            every_payment_once,
            text! { en: "keys in the database", zh: "键放数据库" },
        ),
        mechanisms: &[mechanism!(
            "database-key",
            replayed_after_redis_died,
            pay_unless_marked,
            doubled_if_replayed,
            text! { en: "the key in the database", zh: "数据库里的键" },
        )],
    },
    columns: PAID,
    figures: &[],
    bars: &[],
    claim: text! {
        en: "c: Redis came back empty, and every old id was new again.",
        zh: "c：Redis 空着回来，旧 id 全都成了新 id。"
    },
    fix: text! {
        en: "The key where the money is: one database, one backup.",
        zh: "键和钱放在一起：同一个库，同一份备份。"
    },
    limit: text! {
        en: "An append-only file survives this kill; with everysec a power cut \
             still costs about a second.",
        zh: "开 AOF 扛得住这次被杀；everysec 遇断电仍会丢约一秒。"
    },
    say: text! {
        en: "\"My dedup is exactly as durable as the store of its keys.\"",
        zh: "「去重有多可靠，取决于存键的地方有多可靠。」"
    },
    source: &[include_str!("store.rs"), include_str!("pay.rs")],
};

/// The key lives in Redis, for as long as Redis and its TTL please.
async fn pay_unless_marked(
    payment: &Delivery,
    shop: &mut Shop,
    fail: &Failpoints,
) -> Handled {
    if shop.marks()?.mark(payment.id).await? {
        shop.books.transaction(payment.id, |entry| {
            entry.pay()?;
            fail.before_commit(payment.id)
        })?;
    }
    fail.after_commit(payment.id)?;
    Ok(payment.ack().await?)
}

const LONG: Duration = Duration::from_secs(3600);

async fn replayed_after_expiry(
    lab: Lab,
    handle: Handler,
) -> anyhow::Result<()> {
    shop::publish(&lab).await?;
    shop::consume_with(&lab, handle, shop::ONE_BY_ONE, LONG).await?;
    the_hour_is_over(&lab).await?;
    shop::replay(&lab, Strike::Replay).await?;
    shop::consume_with(&lab, handle, shop::ONE_BY_ONE, LONG).await?;
    shop::settle(&lab).await
}

/// The lab ends the hour of the keys, and waits until Redis has expired them.
/// That way none expires before a redelivery, however slow this
/// machine, and each before its replay.
async fn the_hour_is_over(lab: &Lab) -> anyhow::Result<()> {
    const LEFT: Duration = Duration::from_millis(5);
    const WITHIN: Duration = Duration::from_secs(10);
    let before = marked(lab).await?;
    let planned: Vec<MessageId> = lab.plan().of(Strike::Replay).collect();
    let mut shop = shop::shop(lab, LONG).await?;
    shop.marks()?.end_within(&planned, LEFT).await?;
    let what = text! { en: "the keys to expire", zh: "键过期" };
    lab.wait_until(what, WITHIN, || async { Ok(marked(lab).await? == 0) })
        .await?;
    lab.step(
        text! { en: "expire", zh: "过期" },
        text! {
            en: "the hour of {before} keys is ended here (PEXPIRE), and they \
                 are gone",
            zh: "{before} 个键的一小时提前结束（PEXPIRE），已经过期",
            before = before
        },
    );
    Ok(())
}

async fn replayed_after_redis_died(
    lab: Lab,
    handle: Handler,
) -> anyhow::Result<()> {
    shop::publish(&lab).await?;
    shop::consume_with(&lab, handle, shop::ONE_BY_ONE, LONG).await?;
    let before = marked(&lab).await?;
    let (engine, redis) = (&lab.stage().engine, lab.redis()?);
    container::kill(engine, redis.container()).await?;
    container::start(engine, redis.container()).await?;
    redis.answers().await?;
    let after = marked(&lab).await?;
    lab.step(
        text! { en: "kill", zh: "杀掉" },
        text! {
            en: "Redis killed and started: {before} keys of the struck before, \
                 {after} after",
            zh: "Redis 被杀并重启：被命中付款的键，之前 {before} 个，之后 {after} 个",
            before = before, after = after
        },
    );
    lab.command(format!("docker restart -t 0 {}", redis.service.container));
    shop::replay(&lab, Strike::Replay).await?;
    shop::consume_with(&lab, handle, shop::ONE_BY_ONE, LONG).await?;
    shop::settle(&lab).await
}

/// How many of the payments that are to be replayed Redis remembers.
async fn marked(lab: &Lab) -> anyhow::Result<u64> {
    let planned: Vec<MessageId> = lab.plan().of(Strike::Replay).collect();
    let mut shop = shop::shop(lab, LONG).await?;
    Ok(shop.marks()?.count(&planned).await?)
}
