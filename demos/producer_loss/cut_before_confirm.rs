//! No confirm: did the broker get it?
//!
//! The connection is cut before the publish has reached the broker, or after,
//! before its confirm comes back. The wire makes either happen to chosen
//! orders; the producer sees one and the same error. So an unanswered publish
//! is *unknown*, must be sent again, and may then be there twice. The broker
//! flags as redelivered what it has itself delivered before: a copy that the
//! producer made is to it a message like any other.
//!
//! Source: RabbitMQ documentation, "Reliability Guide", sections
//! "Acknowledgements and Confirms" and "Data Safety on the Publisher Side".

mod packer;

use serde::Deserialize;

use self::packer::{Tells, pack};
use super::TRIED;
use crate::{
    demos::shop::orders::{ORDERS, Ran},
    event::Column,
    fault::wire::{Protocol, Wire},
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{
            each_came_twice, every_message_confirmed, every_message_once,
            exactly_where, flagged_where,
        },
    },
    ledger::{Fact, Kind, MessageId, Witness},
    mechanism,
    pattern::publisher::{Answer, ConfirmingPublisher, Outgoing},
    text,
    text::Text,
    way,
};

/// "No confirm means that it failed."
pub static CUT_BEFORE_CONFIRM: Scenario = Scenario {
    id: "cut-before-confirm",
    recipe: text! {
        en: "No confirm means it failed: send it again; a copy is flagged anyway.",
        zh: "没收到确认就是失败，再发一次；真重复了，也会带 redelivered。"
    },
    fault: text! {
        en: "1 in 10 is cut off: before the broker has it, or before its confirm.",
        zh: "十分之一的订单断连：或在到达 broker 之前，或在确认返回之前。"
    },
    predict: Predict {
        question: text! {
            en: "No confirm came for these orders. Which has the broker?",
            zh: "这些订单没收到确认。broker 收到了哪些？"
        },
        choices: &[
            text! {
                en: "some, and the producer cannot tell which",
                zh: "收到一部分，生产者分不清是哪些"
            },
            text! { en: "all: they were written", zh: "都收到了：已经写出去了" },
            text! { en: "none: they failed", zh: "都没收到：发布失败了" },
        ],
        right: 0,
    },
    needs: Needs { fewest: 10, most: 20_000, ..Needs::BOOKS },
    strikes: &[Strike::WithholdConfirm, Strike::CutBeforePublish],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            resend_and_trust_the_flag,
            doubled_and_not_flagged,
            text! {
                en: "resend; skip what is flagged redelivered",
                zh: "重发；跳过带 redelivered 标记的"
            },
        ),
        fixed: way!(
            resend_and_ask_the_table,
            every_order_once,
            text! {
                en: "resend under the same id; a unique key tells",
                zh: "用同一个 id 重发；靠唯一键判重"
            },
        ),
        mechanisms: &[
            mechanism!(
                "resend",
                give_up_and_ask_the_table,
                lost_if_it_never_arrived,
                text! { en: "the resend", zh: "重发" },
            ),
            mechanism!(
                "unique-key",
                resend_and_trust_the_flag,
                doubled_and_not_flagged,
                text! { en: "the unique key", zh: "唯一键" },
            ),
            mechanism!(
                "one-id",
                resend_as_new_and_ask_the_table,
                doubled_under_another_id,
                text! { en: "one id for all attempts", zh: "每次重发同一个 id" },
            ),
        ],
    },
    columns: &[
        Column::Confirmed,
        Column::Applied,
        Column::Lost,
        Column::Doubled,
    ],
    figures: &["ids"],
    bars: &[],
    claim: text! {
        en: "a: no confirm is unknown, not failed. The resend saves those that \
             never arrived and doubles those that did; no copy is flagged.",
        zh: "a：没有确认是「未知」，不是「失败」。重发救回没到的，\
             也让已到的变成两条，而且都不带标记。"
    },
    fix: text! {
        en: "Resend under an id minted once, before the first attempt; the \
             consumer keeps it under a unique key (topic idempotency).",
        zh: "id 在第一次发布前生成，重发沿用；消费端用唯一键去重\
             （见 idempotency 专题）。"
    },
    limit: text! {
        en: "Telling the customer no is no way out: the broker may have it. An \
             id made anew for each attempt is a new order to any key.",
        zh: "直接告诉顾客「失败」也不行：broker 可能已经收到。\
             每次重发都换 id，什么唯一键都拦不住。"
    },
    say: text! {
        en: "\"No confirm is unknown: resend, and be ready for two.\"",
        zh: "「没有确认就是未知：要重发，也要扛得住两条。」"
    },
    source: &[include_str!("cut_before_confirm.rs")],
};

/// A copy is what the broker flags.
async fn resend_and_trust_the_flag(lab: Lab) -> Ran {
    let mut shop = Shop::open(&lab).await?;
    for order in taken(&lab) {
        let event = event(order, id_of(order));
        shop.publisher.publish_until_confirmed(&event, TRIES).await?;
    }
    shop.close();
    pack(&lab, Tells::ByFlag).await
}

/// A copy is what bears the id of an event that came before.
async fn resend_and_ask_the_table(lab: Lab) -> Ran {
    let mut shop = Shop::open(&lab).await?;
    for order in taken(&lab) {
        let event = event(order, id_of(order));
        shop.publisher.publish_until_confirmed(&event, TRIES).await?;
    }
    shop.close();
    pack(&lab, Tells::ByEventId).await
}

/// Without the resend: what has no confirm has failed, and is logged.
async fn give_up_and_ask_the_table(lab: Lab) -> Ran {
    let mut shop = Shop::open(&lab).await?;
    for order in taken(&lab) {
        let event = event(order, id_of(order));
        let _logged = shop.publisher.publish(&event).await;
    }
    shop.close();
    pack(&lab, Tells::ByEventId).await
}

/// Without the one id: an attempt is an event, and every event has its own.
async fn resend_as_new_and_ask_the_table(lab: Lab) -> Ran {
    let mut shop = Shop::open(&lab).await?;
    for order in taken(&lab) {
        let mut answer = Answer::Unknown;
        while answer == Answer::Unknown {
            let event = event(order, new_id());
            answer = shop.publisher.publish(&event).await;
        }
    }
    shop.close();
    pack(&lab, Tells::ByEventId).await
}

/// How often an order is published until it is confirmed, at most.
const TRIES: u32 = 5;

/// What is said of an order. In the lab the message itself is named after the
/// order, so that the wire finds it; the consumer goes by the event.
#[derive(Deserialize)]
struct Event {
    order: MessageId,
    event: String,
}

/// The same whenever it is asked for: an order is placed once.
fn id_of(order: MessageId) -> String {
    format!("placed:{order}")
}

/// Another one each time.
fn new_id() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// Every order of the run; its customer is told yes.
fn taken(lab: &Lab) -> impl Iterator<Item = MessageId> {
    lab.messages().inspect(|order| lab.saw(*order, Fact::Accepted))
}

/// An order as it goes over the wire.
fn event(order: MessageId, event: String) -> Outgoing {
    let body = format!(r#"{{"order":"{order}","event":"{event}"}}"#);
    Outgoing { id: order, body: body.into_bytes() }
}

/// Where orders are taken; it publishes over a wire.
struct Shop {
    lab: Lab,
    wire: Wire,
    publisher: ConfirmingPublisher,
}

impl Shop {
    async fn open(lab: &Lab) -> anyhow::Result<Self> {
        lab.declare(ORDERS).await?;
        let wire = lab.wire("producer", Protocol::Amqp).await?;
        let uri = lab.uri_through(&wire);
        let publisher = ConfirmingPublisher::new(uri, ORDERS, lab.witness());
        Ok(Self { lab: lab.clone(), wire, publisher })
    }

    /// What the wire has seen, and what the producer has heard of it.
    fn close(self) {
        let (seen, heard) = (self.wire.traffic(), self.lab.sums());
        self.lab.step(
            text! { en: "publish", zh: "发布" },
            text! {
                en: "{attempts} publishes: the broker confirmed {arrived}, the \
                     producer heard {heard}",
                zh: "发布 {attempts} 次：broker 确认了 {arrived} 次，\
                     生产者只收到 {heard} 个确认",
                attempts = heard.attempts, arrived = seen.confirmed,
                heard = heard.confirmed
            },
        );
    }
}

/// Doubled where the broker had it already, and no copy bears the flag.
fn doubled_and_not_flagged(outcome: &Outcome) -> Result<(), Text> {
    doubled_where_it_had_arrived(outcome)?;
    ids(outcome, outcome.messages)
}

/// The same; and the copies came under ids of their own.
fn doubled_under_another_id(outcome: &Outcome) -> Result<(), Text> {
    doubled_where_it_had_arrived(outcome)?;
    ids(outcome, outcome.messages + copies(outcome))
}

fn doubled_where_it_had_arrived(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    exactly_where(outcome, &[(Kind::Duplicated, Strike::WithholdConfirm)])?;
    each_came_twice(outcome)?;
    deliveries(outcome, outcome.messages + copies(outcome))?;
    flagged_where(outcome, Strike::WithholdConfirm, false)
}

/// Nothing was sent again: lost is what never arrived.
fn lost_if_it_never_arrived(outcome: &Outcome) -> Result<(), Text> {
    exactly_where(outcome, &[(Kind::Lost, Strike::CutBeforePublish)])?;
    let never = outcome.plan.of(Strike::CutBeforePublish).count() as u32;
    deliveries(outcome, outcome.messages - never)
}

/// Every order packed once, although the copies came.
fn every_order_once(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_message_once(outcome)?;
    each_came_twice(outcome)?;
    deliveries(outcome, outcome.messages + copies(outcome))?;
    ids(outcome, outcome.messages)
}

/// Orders that the broker had when their confirm was withheld.
fn copies(outcome: &Outcome) -> u32 {
    outcome.plan.of(Strike::WithholdConfirm).count() as u32
}

fn deliveries(outcome: &Outcome, expected: u32) -> Result<(), Text> {
    let deliveries = outcome.audit.counts.deliveries;
    if deliveries == u64::from(expected) {
        return Ok(());
    }
    Err(text! {
        en: "{deliveries} deliveries, not {expected}",
        zh: "投递 {deliveries} 次，应为 {expected} 次",
        deliveries = deliveries, expected = expected
    })
}

/// Under how many ids the events came.
fn ids(outcome: &Outcome, expected: u32) -> Result<(), Text> {
    let ids = outcome.figure("ids")?;
    if ids == f64::from(expected) {
        return Ok(());
    }
    Err(text! {
        en: "{ids} event ids, not {expected}",
        zh: "事件 id 有 {ids} 个，应为 {expected} 个",
        ids = ids, expected = expected
    })
}
