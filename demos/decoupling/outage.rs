//! A service is down: who is down with it?

use super::{
    TRIED,
    mailer::{MAILER, Mailer, Queue, through_an_outage},
};
use crate::{
    demos::shop::{orders::Ran, place::Place},
    event::Column,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{
            balanced, every_message_once, flagged_where,
            lost_exactly_where_struck,
        },
    },
    ledger::{Kind, Noun},
    mechanism,
    pattern::worker::Acks,
    text,
    text::Text,
    way,
};

/// "The order calls what it needs." One of them is down.
pub static DECOUPLE: Scenario = Scenario {
    id: "decouple",
    recipe: text! {
        en: "An order calls stock, points and mail, and fails if one fails.",
        zh: "下单依次调用库存、积分、邮件，一个失败就算失败。"
    },
    fault: text! {
        en: "The mail service is down for 1 order in 10; its subscriber is \
             restarted meanwhile.",
        zh: "邮件服务宕机，十分之一的订单撞上；其间它的订阅者还重启了一次。"
    },
    predict: Predict {
        question: text! {
            en: "Called directly: what of an order while the mail is down?",
            zh: "直接调用：邮件宕机期间的订单会怎样？"
        },
        choices: &[
            text! { en: "placed, without a mail", zh: "下单成功，只是没有邮件" },
            text! {
                en: "fails, and its stock is taken all the same",
                zh: "下单失败，库存却扣掉了"
            },
            text! { en: "fails, and nothing is left", zh: "下单失败，不留痕迹" },
        ],
        right: 1,
    },
    needs: Needs { fewest: 20, most: 500, seconds: 6, ..Needs::BROKER },
    strikes: &[Strike::ServiceDown],
    hits: Hits::Stretch,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            call_directly,
            refused_and_half_made,
            text! { en: "call all three", zh: "三个都调用" },
        ),
        fixed: way!(
            publish,
            all_accepted_and_made,
            text! {
                en: "publish; the subscriber tries until the call is answered",
                zh: "发布，由订阅者重试到成功为止"
            },
        ),
        mechanisms: &[
            mechanism!(
                "lasting-queue",
                publish_to_a_queue_that_leaves,
                lost_exactly_where_struck,
                text! {
                    en: "a queue that outlives its subscriber",
                    zh: "比订阅者活得久的队列"
                },
            ),
            mechanism!(
                "ack-after",
                publish_and_auto_ack,
                lost_exactly_where_struck,
                text! { en: "the ack after the call", zh: "调用成功之后才 ack" },
            ),
        ],
    },
    columns: &[
        Column::Accepted,
        Column::Refused,
        Column::Applied,
        Column::Lost,
    ],
    figures: &["stranded"],
    bars: &[],
    claim: text! {
        en: "b: the caller is as available as all it calls, and a chain of \
             calls breaks in the middle. Published, the orders went through \
             and their mails out later.",
        zh: "b：调用方的可用性是所有下游的乘积，而且会断在半路。\
             发布之后，订单照收，邮件后补。"
    },
    fix: text! {
        en: "Publish with confirms; a durable queue for each service; ack after \
             the call; retry with backoff.",
        zh: "带确认地发布；每个服务一条持久队列；调用成功再 ack；带退避地重试。"
    },
    limit: text! {
        en: "Down longer, the queue grows: bound it. A call cut off in the middle \
             may have been made: the service must know the id.",
        zh: "宕得久，队列就一直涨，要有上限。\
             半路断掉的调用可能已经生效，服务要能按 id 去重。"
    },
    say: text! {
        en: "\"Direct calls add outages up; a queue turns an outage into delay.\"",
        zh: "「直接调用让故障叠加，队列把故障变成延迟。」"
    },
    source: &[include_str!("outage.rs"), include_str!("mailer.rs")],
};

/// One call after another. With the mail down the order fails, and what was
/// made before it stays made.
async fn call_directly(lab: Lab) -> Ran {
    let place: Place = |order, clerk| {
        Box::pin(async move {
            clerk.stock.call(order).await?;
            clerk.points.call(order).await?;
            clerk.mail.call(order).await?;
            Ok(())
        })
    };
    through_an_outage(lab, place, MAILER).await
}

/// The order is placed when the broker has confirmed it. The mailer holds what
/// it cannot mail yet, tries again with backoff, and acks what was mailed.
async fn publish(lab: Lab) -> Ran {
    let place: Place = |order, clerk| Box::pin(clerk.publish(order));
    through_an_outage(lab, place, MAILER).await
}

/// The mailer's queue is auto-delete: it goes when its last consumer goes,
/// with all that was not acked.
async fn publish_to_a_queue_that_leaves(lab: Lab) -> Ran {
    let place: Place = |order, clerk| Box::pin(clerk.publish(order));
    let mailer = Mailer { queue: Queue::AutoDelete, ..MAILER };
    through_an_outage(lab, place, mailer).await
}

/// The broker takes an order for done when it is written to the mailer's
/// socket; what the mailer holds is nowhere else.
async fn publish_and_auto_ack(lab: Lab) -> Ran {
    let place: Place = |order, clerk| Box::pin(clerk.publish(order));
    let mailer = Mailer { acks: Acks::Automatic, ..MAILER };
    through_an_outage(lab, place, mailer).await
}

/// Exactly the struck orders were refused, and exactly their stock and points
/// were made nevertheless.
fn refused_and_half_made(outcome: &Outcome) -> Result<(), Text> {
    balanced(outcome)?;
    for kind in [Kind::Lost, Kind::Duplicated, Kind::Stuck] {
        if let Some(order) = outcome.audit.of(kind).next() {
            return Err(text! {
                en: "{order}: {kind}", zh: "{order}：{kind}",
                order = order, kind = format!("{kind:?}").to_lowercase()
            });
        }
    }
    let other = outcome.struck.iter().find(|order| {
        let known = &order.entry;
        known.refused == 0 || known.accepted || known.applied > 0
    });
    if let Some(order) = other {
        return Err(text! {
            en: "{order} was not refused", zh: "{order} 没有被拒绝",
            order = order.message
        });
    }
    let mut expected: Vec<_> = [Noun::Stock, Noun::Points]
        .into_iter()
        .flat_map(|noun| {
            let struck = outcome.struck.iter();
            struck.map(move |order| noun.number(order.message.number))
        })
        .collect();
    let mut made: Vec<_> = outcome.audit.of(Kind::Unexpected).collect();
    expected.sort_unstable();
    made.sort_unstable();
    if made != expected {
        let (made, expected) = (made.len(), expected.len());
        return Err(text! {
            en: "{made} effects of orders that failed, not {expected}",
            zh: "失败的订单留下 {made} 个动作，应为 {expected} 个",
            made = made, expected = expected
        });
    }
    let counts = &outcome.audit.counts;
    let all = u64::from(outcome.messages);
    if counts.refused + counts.accepted == all
        && counts.accepted == counts.applied
        && counts.refused == u64::from(outcome.plan.len())
    {
        return Ok(());
    }
    Err(text! {
        en: "{refused} refused, {applied} of {accepted} accepted were made",
        zh: "拒绝 {refused} 单，受理的 {accepted} 单中办妥 {applied} 单",
        refused = counts.refused, applied = counts.applied,
        accepted = counts.accepted
    })
}

/// Nobody was refused, every order was made once, the struck ones too.
fn all_accepted_and_made(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    // The mailer that held them was restarted: they came again.
    flagged_where(outcome, Strike::ServiceDown, true)?;
    match outcome.audit.counts.refused {
        0 => Ok(()),
        n => Err(text! { en: "{n} refused", zh: "拒绝 {n} 单", n = n }),
    }
}
