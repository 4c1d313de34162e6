//! An exchange that does not exist: the channel is closed, and with it goes
//! what was in flight behind.
//!
//! Source: AMQP 0-9-1, channel.close, rule "stability": whoever has sent it
//! must discard whatever comes on that channel but close and close-ok. That a
//! publish to an exchange that does not exist brings it on (404), and that
//! nothing behind it is stored or answered, was seen on 3.10 and 4.3.

mod checks;
mod shop;

use std::slice;

use futures::future::BoxFuture;
use lapin::ExchangeKind;

use self::{
    checks::{
        lost_again_and_again, lost_where_struck, lost_with_all_behind,
        told_where_struck,
    },
    shop::{ORDERS_V1, Order, Shop},
};
use super::{TRIED, operator::Operator, rows::people_look};
use crate::{
    demos::shop::{
        orders::{ORDERS, Ran},
        packing::{Packs, pack},
    },
    event::{Column, Unit},
    lab::{Hits, Lab, Needs, Plan, Predict, Scenario, Strike, Ways},
    ledger::MessageId,
    mechanism, text,
    text::Text,
    way,
};

/// "A publish that fails is one message that failed: log it."
pub static MISSING_EXCHANGE: Scenario = Scenario {
    id: "missing-exchange",
    recipe: text! {
        en: "A publish that fails is one message that failed: log it, go on.",
        zh: "发布失败就是这一条失败：记日志，继续发。"
    },
    fault: text! {
        en: "1 order in 10 goes to an exchange that this broker has not got.",
        zh: "每 10 单有 1 单发往这个 broker 上不存在的交换机。"
    },
    predict: Predict {
        question: text! {
            en: "Behind it on the channel, four orders to the right exchange. \
                 Lost?",
            zh: "同一信道上，它后面还有四个正常订单在途。丢哪些？"
        },
        choices: &[
            text! { en: "none", zh: "都不丢" },
            text! { en: "the one", zh: "只丢那一个" },
            text! { en: "all five", zh: "五个都丢" },
        ],
        right: 2,
    },
    needs: Needs { fewest: 20, most: 2_000, ..Needs::BOOKS },
    strikes: &[Strike::NoExchange],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            by_windows,
            log_the_error(window, shop),
            lost_with_all_behind,
            text! {
                en: "pipelined by 5; an error is logged",
                zh: "五个一窗流水线；出错记日志"
            },
        ),
        fixed: way!(
            by_windows,
            resend_each_alone(window, shop),
            told_where_struck,
            text! {
                en: "resend each alone; its own 404 goes on the list",
                zh: "逐个单独重发；自己 404 的进清单"
            },
        ),
        mechanisms: &[
            mechanism!(
                "resend",
                by_windows,
                log_the_error(window, shop),
                lost_with_all_behind,
                text! { en: "the resend", zh: "重发" },
            ),
            mechanism!(
                "alone",
                by_windows,
                resend_together(window, shop),
                lost_again_and_again,
                text! { en: "resending each alone", zh: "单独重发" },
            ),
            mechanism!(
                "report",
                by_windows,
                log_what_cannot_go(window, shop),
                lost_where_struck,
                text! { en: "the list for people", zh: "给人看的清单" },
            ),
        ],
    },
    columns: &[
        Column::Attempts,
        Column::Confirmed,
        Column::Unknown,
        Column::Reported,
        Column::Lost,
    ],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "c: 404 closes the channel. The broker ignores what comes behind on \
             it: not stored, no ack, no nack.",
        zh: "c：404 会关闭信道，broker 不再理会它后面的发布：\
             不存、不 ack、也不 nack。"
    },
    fix: text! {
        en: "Reopen the channel; what is unknown is resent one by one: the 404 \
             is then its own. That one is told of, and not looped.",
        zh: "重开信道，未知的逐个重发：再 404 就是它自己的问题，\
             报给人，不再循环。"
    },
    limit: text! {
        en: "What was in flight ahead may be stored without a confirm: resent, \
             it comes twice, so a unique key. A channel per exchange helps.",
        zh: "在它前面在途的可能已存下却没确认：重发会重复，消费端要有唯一键。\
             按交换机分信道可减少牵连。"
    },
    say: text! {
        en: "\"A wrong exchange fails the channel, not the message: what was \
             in flight is unknown.\"",
        zh: "「交换机不存在，坏的是整个信道：在途的全都未知。」"
    },
    source: &[include_str!("missing_exchange.rs")],
};

/// Publishes a window of orders, and acts on what has become of them.
type Publish = for<'a> fn(&'a [Order], &'a mut Shop) -> BoxFuture<'a, Ran>;

/// What went wrong is in the log. The next window gets a new channel.
async fn log_the_error(window: &[Order], shop: &mut Shop) -> Ran {
    if let Err(failed) = shop.publish(window).await {
        tracing::debug!(%failed, "not published");
    }
    Ok(())
}

/// Whatever has no answer is unknown: each is sent again on a new channel,
/// alone. A 404 is then its own: it goes on the list, and not out again.
async fn resend_each_alone(window: &[Order], shop: &mut Shop) -> Ran {
    if let Err(failed) = shop.publish(window).await {
        for order in &failed.unanswered {
            if let Err(own) = shop.publish(slice::from_ref(order)).await {
                shop.list(order, &own)?;
            }
        }
    }
    Ok(())
}

/// What has no answer is sent again as it was, the culprit in front.
async fn resend_together(window: &[Order], shop: &mut Shop) -> Ran {
    let mut last = shop.publish(window).await;
    for _ in 0..TRIES {
        let Err(failed) = last else { break };
        last = shop.publish(&failed.unanswered).await;
    }
    Ok(())
}

/// Each is sent again alone; what cannot go out is logged.
async fn log_what_cannot_go(window: &[Order], shop: &mut Shop) -> Ran {
    if let Err(failed) = shop.publish(window).await {
        for order in &failed.unanswered {
            if let Err(own) = shop.publish(slice::from_ref(order)).await {
                tracing::debug!(%own, "not published");
            }
        }
    }
    Ok(())
}

const TRIES: u32 = 3;

/// Publishes without an answer at a time.
const WINDOW: usize = 5;

/// Windows of at most five. A struck order opens one of its own, so that it
/// is known what is behind it; what is ahead of it has been answered.
fn windows(
    orders: impl Iterator<Item = MessageId>,
    plan: &Plan,
) -> Vec<Vec<MessageId>> {
    let mut windows: Vec<Vec<_>> = Vec::new();
    for order in orders {
        match windows.last_mut() {
            Some(last) if last.len() < WINDOW && !plan.strikes(order) => {
                last.push(order);
            }
            _ => windows.push(vec![order]),
        }
    }
    windows
}

/// Orders are taken and published window by window; then whatever is in the
/// queue is packed.
async fn by_windows(lab: Lab, publish: Publish) -> Ran {
    lab.declare(ORDERS).await?;
    let operator = Operator::login(&lab).await?;
    operator.exchange(ORDERS_V1, ExchangeKind::Fanout, &[]).await?;
    operator.bind(ORDERS, ORDERS_V1, "").await?;
    operator.logout().await?;
    let mut shop = Shop::open(&lab).await?;
    for window in windows(lab.messages(), lab.plan()) {
        let (first, closed) = (window[0], shop.closed);
        let window: Vec<_> =
            window.into_iter().map(|id| Order::of(&lab, id)).collect();
        window.iter().try_for_each(|order| shop.take(order))?;
        publish(&window, &mut shop).await?;
        if shop.closed > closed {
            lab.hit(first, Strike::NoExchange);
        }
    }
    let (passed, closed) = (shop.passed(), shop.closed);
    shop.close().await?;
    tell(&lab, passed, closed).await?;
    pack(&lab, ORDERS, Packs::OncePerOrder).await
}

async fn tell(lab: &Lab, passed: u64, closed: u32) -> Ran {
    let (ready, sums) = (lab.ready(ORDERS).await?, lab.sums());
    let (told, not_found) = people_look(lab, "404")?;
    for (id, value) in
        [("passed", passed as f64), ("not-found", f64::from(not_found))]
    {
        lab.observe(id, Text::same(id), value, Unit::Count);
    }
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{attempts} publishes on the wire; channel closed {closed} \
                 times (404)",
            zh: "链路上发布 {attempts} 次；信道被关 {closed} 次（404）",
            attempts = passed, closed = closed
        },
    );
    lab.step(
        text! { en: "look", zh: "查看" },
        text! {
            en: "{confirmed} confirmed, {ready} in the queue, {told} on the \
                 list",
            zh: "{confirmed} 个已确认，队列里 {ready} 个，清单上 {told} 个",
            confirmed = sums.confirmed, ready = ready, told = told
        },
    );
    if told > 0 {
        lab.came_to(text! {
            en: "{told} of {all} put on the list",
            zh: "{all} 条中 {told} 条进清单",
            told = told, all = sums.accepted
        });
    }
    Ok(())
}
