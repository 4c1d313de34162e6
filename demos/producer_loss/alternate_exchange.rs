//! An alternate exchange: what finds no queue is kept, and nobody is told.
//!
//! Source: RabbitMQ documentation, "Alternate Exchanges": what is routed by
//! way of one counts as routed for the mandatory flag. That nothing comes back
//! then, and that it does where no queue is bound to the alternate exchange,
//! was seen on 3.10 and 4.3.

use futures::future::BoxFuture;
use lapin::{Confirmation::Ack, ExchangeKind};

use super::{
    TRIED,
    counter::{BY_REGION, Counter, EU, MANDATORY, Order, went_nowhere},
    operator::Operator,
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
    ledger::{Fact, Witness},
    mechanism, text,
    text::Text,
    way,
};

/// "We publish with mandatory, and log what comes back."
pub static ALTERNATE_EXCHANGE: Scenario = Scenario {
    id: "alternate-exchange",
    recipe: text! {
        en: "Every publish is mandatory, and what comes back is logged.",
        zh: "发布都设 mandatory，退回的记一行日志。"
    },
    fault: text! {
        en: "1 order in 10 has a routing key that no queue is bound for.",
        zh: "每 10 单有 1 单的路由键没有绑定任何队列。"
    },
    predict: Predict {
        question: text! {
            en: "Now the exchange has an alternate. A wrong key, mandatory?",
            zh: "给交换机配上备用交换机。键不对，且设了 mandatory？"
        },
        choices: &[
            text! { en: "an ack only", zh: "只有 ack" },
            text! { en: "a return, then an ack", zh: "先 return 再 ack" },
            text! { en: "a nack", zh: "nack" },
        ],
        right: 0,
    },
    needs: Needs { fewest: 10, most: 2_000, ..Needs::BOOKS },
    strikes: &[Strike::Unroutable],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            logged,
            exchange_alone(operator),
            lost_for_want_of_an_alternate,
            text! { en: "an exchange by itself", zh: "只有一个交换机" },
        ),
        fixed: way!(
            logged,
            exchange_with_an_alternate(operator),
            parked_where_struck,
            text! {
                en: "alternate-exchange: a fanout to the queue \"unrouted\"",
                zh: "alternate-exchange：fanout 到队列 unrouted"
            },
        ),
        mechanisms: &[
            mechanism!(
                "alternate-exchange",
                logged,
                exchange_alone(operator),
                lost_for_want_of_an_alternate,
                text! { en: "the alternate exchange", zh: "备用交换机" },
            ),
            mechanism!(
                "bound",
                logged,
                exchange_with_an_alternate_to_nowhere(operator),
                lost_in_the_alternate,
                text! {
                    en: "the alternate's binding",
                    zh: "备用交换机的绑定"
                },
            ),
        ],
    },
    columns: &[
        Column::Confirmed,
        Column::Returned,
        Column::Parked,
        Column::Applied,
        Column::Lost,
    ],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "a: by way of the alternate it is routed, mandatory or not: no \
             return. With no queue bound there, it comes back as before.",
        zh: "a：走备用交换机也算路由成功，mandatory 也不退回。\
             备用交换机没绑队列，就照旧退回。"
    },
    fix: text! {
        en: "A fanout with a queue, set by policy: no producer need change. An \
             alarm on the depth of that queue.",
        zh: "用 fanout 加一个队列，由 policy 配置，生产者不用改；\
             给这个队列的积压设告警。"
    },
    limit: text! {
        en: "The producer hears \"confirmed\". A queue that nobody looks at is \
             loss, only slower. The default exchange can have no alternate.",
        zh: "生产者只听到「已确认」。没人看的队列，只是丢得慢些。\
             默认交换机不能配备用交换机。"
    },
    say: text! {
        en: "\"mandatory tells the producer; an alternate exchange keeps the \
             message and tells nobody.\"",
        zh: "「mandatory 告诉生产者；备用交换机替你留下消息，但谁也不告诉。」"
    },
    source: &[
        include_str!("alternate_exchange.rs"),
        include_str!("counter.rs"),
    ],
};

/// Sets up the exchange that orders are published to.
type SetUp = for<'a> fn(&'a Operator) -> BoxFuture<'a, Ran>;

/// What the exchange cannot route, it drops.
async fn exchange_alone(operator: &Operator) -> Ran {
    operator.exchange(UNROUTED, ExchangeKind::Fanout, &[]).await?;
    operator.bind(UNROUTED, UNROUTED, "").await?;
    operator.exchange(BY_REGION, ExchangeKind::Direct, &[]).await?;
    Ok(())
}

/// What the exchange cannot route, it hands to a fanout, which asks for no
/// key.
async fn exchange_with_an_alternate(operator: &Operator) -> Ran {
    let alternate = ("alternate-exchange", UNROUTED);
    operator.exchange(UNROUTED, ExchangeKind::Fanout, &[]).await?;
    operator.bind(UNROUTED, UNROUTED, "").await?;
    operator.exchange(BY_REGION, ExchangeKind::Direct, &[alternate]).await?;
    Ok(())
}

/// The same, and the queue is not bound.
async fn exchange_with_an_alternate_to_nowhere(operator: &Operator) -> Ran {
    let alternate = ("alternate-exchange", UNROUTED);
    operator.exchange(UNROUTED, ExchangeKind::Fanout, &[]).await?;
    operator.exchange(BY_REGION, ExchangeKind::Direct, &[alternate]).await?;
    Ok(())
}

/// The alternate exchange, and the queue for what it gets.
const UNROUTED: &str = "unrouted";

/// Orders are published one at a time, mandatory. That one came back is
/// logged, and its ack is an ack.
async fn logged(lab: Lab, set_up: SetUp) -> Ran {
    lab.declare(ORDERS).await?;
    lab.declare(UNROUTED).await?;
    let operator = Operator::login(&lab).await?;
    set_up(&operator).await?;
    operator.bind(ORDERS, BY_REGION, EU).await?;
    let wire = lab.wire("shop", Protocol::Amqp).await?;
    let mut shop = Counter::open(&lab, &lab.uri_through(&wire)).await?;
    for id in lab.messages() {
        let order = Order::of(&lab, id);
        shop.take(&order)?;
        match shop.publish(&order, MANDATORY).await? {
            Ack(back) => {
                back.iter().for_each(|back| shop.logs(&order, back));
                shop.is_done(&order)?;
            }
            other => anyhow::bail!("{id}: {other:?}"),
        }
        if lab.is_planned(id, Strike::Unroutable) {
            went_nowhere(&lab, &operator, id).await?;
        }
    }
    shop.close().await?;
    let kept = look_into_unrouted(&lab).await?;
    tell(&lab, wire.traffic().returns, kept);
    // Of itself, does the alternate lead to a queue?
    let leads = f64::from(operator.reaches_a_queue(UNROUTED).await?);
    lab.observe("leads", Text::same("leads"), leads, Unit::Count);
    operator.logout().await?;
    pack(&lab, ORDERS, Packs::EveryDelivery).await
}

/// People look into the queue of what was not routed.
async fn look_into_unrouted(lab: &Lab) -> anyhow::Result<usize> {
    let kept = lab.left_in(UNROUTED).await?;
    for order in &kept {
        lab.saw(*order, Fact::Parked);
    }
    Ok(kept.len())
}

fn tell(lab: &Lab, returns: u64, kept: usize) {
    let name = text! { en: "returns", zh: "return 次数" };
    lab.observe("returns", name, returns as f64, Unit::Count);
    let (all, confirmed) = (lab.sums().accepted, lab.sums().confirmed);
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{all} orders, mandatory: {confirmed} confirmed, {returns} \
                 returned",
            zh: "{all} 个订单，mandatory：{confirmed} 个已确认，{returns} 次被退回",
            all = all, confirmed = confirmed, returns = returns
        },
    );
    lab.step(
        text! { en: "look", zh: "查看" },
        text! {
            en: "{kept} orders in the queue \"unrouted\"",
            zh: "队列 unrouted 里有 {kept} 个订单", kept = kept
        },
    );
    if kept > 0 {
        lab.came_to(text! {
            en: "{kept} of {all} kept in \"unrouted\"",
            zh: "{all} 条中 {kept} 条留在 unrouted", kept = kept, all = all
        });
    }
}

/// Each struck order came back and is nowhere. The fanout would have led to
/// its queue; nothing led to the fanout.
fn lost_for_want_of_an_alternate(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "leads", 1)?;
    lost_though_returned(outcome)
}

/// Each struck order came back and is nowhere: the fanout leads to no queue.
fn lost_in_the_alternate(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "leads", 0)?;
    lost_though_returned(outcome)
}

fn lost_though_returned(outcome: &Outcome) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    lost_exactly_where_struck(outcome)?;
    let (struck, counts) = (outcome.plan.len(), &outcome.audit.counts);
    let (confirmed, returned) = (counts.confirmed, counts.returned);
    let others = u64::from(outcome.messages - struck);
    if (confirmed, returned) != (others, struck.into()) {
        return Err(text! {
            en: "{confirmed} confirmed, {returned} returned",
            zh: "确认 {confirmed}，退回 {returned}",
            confirmed = confirmed, returned = returned
        });
    }
    figure_is(outcome, "returns", struck)
}

/// Nothing came back; the struck orders are where people look, and the others
/// are done.
fn parked_where_struck(outcome: &Outcome) -> Result<(), Text> {
    balanced(outcome)?;
    every_message_confirmed(outcome)?;
    exactly_where(outcome, &[])?;
    figure_is(outcome, "returns", 0)?;
    let other = outcome
        .struck
        .iter()
        .find(|struck| (struck.entry.parked, struck.entry.applied) != (1, 0));
    if let Some(struck) = other {
        return Err(text! {
            en: "{order} was not kept aside once",
            zh: "{order} 没有恰好留存一份", order = struck.message
        });
    }
    let (struck, counts) = (outcome.plan.len(), &outcome.audit.counts);
    let (kept, done) = (counts.parked, counts.applied);
    let others = u64::from(outcome.messages - struck);
    if (kept, done) == (struck.into(), others) {
        return Ok(());
    }
    Err(text! {
        en: "{kept} kept, {done} done", zh: "留存 {kept}，完成 {done}",
        kept = kept, done = done
    })
}
