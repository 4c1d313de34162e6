//! The seams of variant B: out of Redis, to the broker or to the table. A
//! relay may die in the middle of each.

mod desk;

use futures::future::BoxFuture;

use self::desk::{Desk, Died};
use super::{TRIED, buffered, table};
use crate::{
    demos::shop::{
        orders::{ORDERS, Ran, order},
        packing::{Packs, pack},
    },
    event::{Column, Unit},
    fault::wire::{Protocol, WireFault},
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_message_once, exactly_where, lost_exactly_where_struck},
    },
    ledger::{Fact, Kind, Witness},
    mechanism, text,
    text::Text,
    way,
};

/// "Pop it from Redis and publish it; what fails goes to the table."
pub static BUFFER_SEAM: Scenario = Scenario {
    id: "buffer-seam",
    recipe: text! {
        en: "Pop an order from Redis, publish it; if that fails, write it \
             down.",
        zh: "从 Redis 弹出订单，发给 broker；发不出去就写进消息表。"
    },
    fault: text! {
        en: "The relay dies with 1 in 10 in hand, or between Redis and the \
             table.",
        zh: "每 10 单有 1 单，转发进程死掉：刚拿到手，或正从 Redis 转到消息表。"
    },
    predict: Predict {
        question: text! {
            en: "All attempts failed: how should it move?",
            zh: "重试用完了，该怎么从 Redis 转到消息表？"
        },
        choices: &[
            text! {
                en: "into the table, then out of Redis",
                zh: "先入表，再出 Redis"
            },
            text! {
                en: "out of Redis, then into the table",
                zh: "先出 Redis，再入表"
            },
            text! { en: "either way", zh: "都一样" },
        ],
        right: 0,
    },
    needs: Needs {
        fewest: 20,
        most: 1_000,
        seconds: 7,
        ..Needs::BOOKS_AND_REDIS
    },
    strikes: &[Strike::RelayDies, Strike::RelayDiesBetween],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            relayed,
            pop_and_publish(relay),
            lost_exactly_where_struck,
            text! {
                en: "pop, publish, else the table",
                zh: "弹出再发，不行才入表"
            },
        ),
        fixed: way!(
            relayed,
            claim_and_see_through(relay),
            once_and_out_of_redis,
            text! {
                en: "claim, publish or write down, then out",
                zh: "先领取，发出或入表之后才移出"
            },
        ),
        mechanisms: &[
            mechanism!(
                "claim",
                relayed,
                pop_and_write_down_first(relay),
                lost_in_hand,
                text! { en: "the claim", zh: "领取" },
            ),
            mechanism!(
                "take-over",
                relayed,
                claim_only_what_is_new(relay),
                lost_and_still_claimed,
                text! { en: "taking over", zh: "接管死者的领取" },
            ),
            mechanism!(
                "table-first",
                relayed,
                claim_and_clear_first(relay),
                lost_in_between,
                text! { en: "the table first", zh: "先入表" },
            ),
            mechanism!(
                "once-per-order",
                relayed_and_packed_as_delivered,
                claim_and_see_through(relay),
                doubled_in_between,
                text! {
                    en: "the unique key of the packer",
                    zh: "打包端的唯一键"
                },
            ),
        ],
    },
    columns: &[
        Column::Accepted,
        Column::Applied,
        Column::Lost,
        Column::Deliveries,
    ],
    figures: &["claimed"],
    bars: &[],
    claim: text! {
        en: "a: dying in between, it is in both: sent twice, packed once. The \
             other way round it is in neither.",
        zh: "a：死在中间，两边都有：发两次，只打包一次。反过来就两边都没有。"
    },
    fix: text! {
        en: "XREADGROUP claims, XAUTOCLAIM takes over. INSERT ... ON CONFLICT \
             DO NOTHING first, XACK and XDEL last.",
        zh: "XREADGROUP 领取，XAUTOCLAIM 接管；先 INSERT ... ON CONFLICT DO \
             NOTHING，最后才 XACK + XDEL。"
    },
    limit: text! {
        en: "XAUTOCLAIM's idle time must exceed the longest round: else the \
             slow are taken for dead, and both publish.",
        zh: "XAUTOCLAIM 的空闲时间短于最慢的一轮，慢的就被当成死的，两边都发。"
    },
    say: text! {
        en: "\"Between two stores: write the new one before clearing the \
             old.\"",
        zh: "「跨两个存储搬消息：先写新的，再删旧的。」"
    },
    source: &[include_str!("buffer_seam.rs")],
};

/// What a relay does with the next order; `false` when there is none.
type Work = for<'a> fn(&'a mut Desk) -> BoxFuture<'a, anyhow::Result<bool>>;

const HOLDING: Strike = Strike::RelayDies;
const BETWEEN: Strike = Strike::RelayDiesBetween;

/// Out of Redis at once. What the broker does not take goes to the table.
async fn pop_and_publish(relay: &mut Desk) -> anyhow::Result<bool> {
    let Some(next) = relay.pop().await? else { return Ok(false) };
    relay.may_die(&next, HOLDING)?;
    if !relay.publish(&next).await {
        relay.may_die(&next, BETWEEN)?;
        relay.write_down(&next).await?;
    }
    Ok(true)
}

/// It stays in Redis, claimed, until the broker or the table has it.
async fn claim_and_see_through(relay: &mut Desk) -> anyhow::Result<bool> {
    let Some(next) = relay.claim().await? else { return Ok(false) };
    relay.may_die(&next, HOLDING)?;
    if !relay.publish(&next).await {
        relay.write_down(&next).await?;
        relay.may_die(&next, BETWEEN)?;
    }
    relay.clear(&next).await?;
    Ok(true)
}

/// Without the claim: out of Redis at once.
async fn pop_and_write_down_first(relay: &mut Desk) -> anyhow::Result<bool> {
    let Some(next) = relay.pop().await? else { return Ok(false) };
    relay.may_die(&next, HOLDING)?;
    if !relay.publish(&next).await {
        relay.write_down(&next).await?;
        relay.may_die(&next, BETWEEN)?;
    }
    Ok(true)
}

/// Claimed, but what a dead relay has claimed stays the dead one's.
async fn claim_only_what_is_new(relay: &mut Desk) -> anyhow::Result<bool> {
    let Some(next) = relay.claim_new().await? else { return Ok(false) };
    relay.may_die(&next, HOLDING)?;
    if !relay.publish(&next).await {
        relay.write_down(&next).await?;
        relay.may_die(&next, BETWEEN)?;
    }
    relay.clear(&next).await?;
    Ok(true)
}

/// Claimed, and out of Redis before it is in the table.
async fn claim_and_clear_first(relay: &mut Desk) -> anyhow::Result<bool> {
    let Some(next) = relay.claim().await? else { return Ok(false) };
    relay.may_die(&next, HOLDING)?;
    let published = relay.publish(&next).await;
    relay.clear(&next).await?;
    if !published {
        relay.may_die(&next, BETWEEN)?;
        relay.write_down(&next).await?;
    }
    Ok(true)
}

async fn relayed(lab: Lab, work: Work) -> Ran {
    through_redis(&lab, work, Packs::OncePerOrder).await
}

async fn relayed_and_packed_as_delivered(lab: Lab, work: Work) -> Ran {
    through_redis(&lab, work, Packs::EveryDelivery).await
}

/// All orders are accepted; then relays see to them, one relay after another:
/// where one dies, its successor goes on. In the end the table's own relay
/// publishes what it finds there.
async fn through_redis(lab: &Lab, work: Work, packs: Packs) -> Ran {
    lab.declare(ORDERS).await?;
    let wire = lab.wire("relay", Protocol::Amqp).await?;
    for id in lab.messages() {
        if lab.is_planned(id, BETWEEN) {
            // Each attempt of one relay.
            for _ in 0..desk::ATTEMPTS {
                wire.arm(id.to_string(), WireFault::CutBeforePublish);
            }
        }
    }
    let mut shop = buffered::buffer(lab, lab.redis()?).await?;
    for id in lab.messages() {
        shop.put(&order(id)).await?;
        lab.saw(id, Fact::Buffered);
        lab.saw(id, Fact::Accepted);
    }
    let uri = lab.uri_through(&wire);
    let mut relays = 1;
    let mut relay = Desk::open(lab, &uri, relays).await?;
    loop {
        match work(&mut relay).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if error.is::<Died>() => {
                relays += 1;
                relay = Desk::open(lab, &uri, relays).await?;
            }
            Err(error) => return Err(error),
        }
    }
    drop(relay);
    let claimed = shop.claimed().await?;
    let rows = table::count(lab)?;
    table::relay(lab, &lab.uri())?.drain().await?;
    tell(lab, relays, claimed, rows);
    pack(lab, ORDERS, packs).await
}

fn tell(lab: &Lab, relays: u32, claimed: usize, rows: u32) {
    let name = text! { en: "still claimed", zh: "仍被领取" };
    lab.observe("claimed", name, claimed as f64, Unit::Count);
    lab.step(
        text! { en: "relay", zh: "转发" },
        text! {
            en: "{relays} relays in turn, {rows} rows in the table; left in \
                 Redis, claimed: {claimed}",
            zh: "前后 {relays} 个转发进程，消息表 {rows} 行；\
                 Redis 里还领取着 {claimed} 条",
            relays = relays, rows = rows, claimed = claimed
        },
    );
}

/// Each order once, and nothing left in Redis in the name of a dead relay.
fn once_and_out_of_redis(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    claimed(outcome, 0)
}

fn lost_in_hand(outcome: &Outcome) -> Result<(), Text> {
    exactly_where(outcome, &[(Kind::Lost, HOLDING)])?;
    claimed(outcome, 0)
}

/// Lost, although Redis has it; what died between the two is in the table.
fn lost_and_still_claimed(outcome: &Outcome) -> Result<(), Text> {
    exactly_where(outcome, &[(Kind::Lost, HOLDING)])?;
    claimed(outcome, outcome.plan.len())
}

fn lost_in_between(outcome: &Outcome) -> Result<(), Text> {
    exactly_where(outcome, &[(Kind::Lost, BETWEEN)])
}

fn doubled_in_between(outcome: &Outcome) -> Result<(), Text> {
    exactly_where(outcome, &[(Kind::Duplicated, BETWEEN)])
}

fn claimed(outcome: &Outcome, expected: u32) -> Result<(), Text> {
    match outcome.figure("claimed")? {
        n if n == f64::from(expected) => Ok(()),
        n => Err(text! {
            en: "{n} still claimed, not {expected}",
            zh: "仍被领取 {n} 条，应为 {expected} 条",
            n = n, expected = expected
        }),
    }
}
