//! A message that is accepted can no longer be told no.

use super::{
    TRIED,
    sale::{Sale, is_taken, take_blindly, take_or_undo},
};
use crate::{
    demos::shop::{CallFailed, orders::Ran},
    event::Column,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Struck, Ways,
        check::balanced,
    },
    ledger::Kind,
    mechanism, text,
    text::Text,
    way,
};

/// "Accept every order, and let a consumer take the item."
pub static CANNOT_SAY_NO: Scenario = Scenario {
    id: "cannot-say-no",
    recipe: text! {
        en: "Publish the order, tell the customer yes; a consumer takes the \
             item.",
        zh: "订单发进队列就回复下单成功，库存由消费者去扣。"
    },
    fault: text! {
        en: "1 in 10 wants an item whose last one another has just ordered; \
             both saw \"1 left\".",
        zh: "每 10 单有 1 单：最后一件刚被别人下单，而两人看到的都是「仅剩 1 件」。"
    },
    predict: Predict {
        question: text! {
            en: "The queue has accepted both. The consumer checks the stock. \
                 Then?",
            zh: "两单都已入队受理，消费者会先查库存。然后呢？"
        },
        choices: &[
            text! {
                en: "the second was told yes: it must be undone",
                zh: "第二单已说成功：只能撤销"
            },
            text! { en: "the second is refused", zh: "第二单被拒绝" },
            text! { en: "the broker requeues it", zh: "broker 让它重新排队" },
        ],
        right: 0,
    },
    needs: Needs { fewest: 20, most: 1_000, ..Needs::BOOKS },
    strikes: &[Strike::SoldOut],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Three {
        naive: way!(
            publish_and_trust,
            oversold_where_struck,
            text! { en: "publish, then trust the page", zh: "先发布，再照页面扣减" },
        ),
        halfway: way!(
            publish_and_undo,
            undone_where_struck,
            text! { en: "publish, then check and undo", zh: "先发布，再检查、撤销" },
        ),
        fixed: way!(
            ask_and_publish,
            refused_where_struck,
            text! { en: "ask the stock, publish the rest", zh: "先问库存，其余发布" },
        ),
        mechanisms: &[
            mechanism!(
                "ask-first",
                publish_and_undo,
                undone_where_struck,
                text! { en: "asking first", zh: "先问" },
            ),
            mechanism!(
                "one-statement",
                look_and_publish,
                oversold_where_struck,
                text! {
                    en: "check and take in one statement",
                    zh: "检查与扣减同一条语句"
                },
            ),
        ],
    },
    columns: &[
        Column::Accepted,
        Column::Refused,
        Column::Applied,
        Column::Undone,
    ],
    figures: &["oversold"],
    bars: &[],
    claim: text! {
        en: "a: a queue answers before anybody has looked. All that is left is \
             to take it back: refund, and tell the customer.",
        zh: "a：队列答应的时候，还没人看过库存。之后只能收回：退款，通知顾客。"
    },
    fix: text! {
        en: "What may end in no is a call to whoever decides, check and take in \
             one statement. Only what cannot be refused goes by queue.",
        zh: "可能被拒绝的，同步去问说了算的那一方，检查与扣减用同一条语句；\
             不会被拒绝的才进队列。"
    },
    limit: text! {
        en: "The caller now waits, and fails when the stock is down. Undoing is \
             a fair choice too, if \"accepted\" promises no more than that.",
        zh: "代价：调用方要等，库存服务宕机就下不了单。\
             若「已受理」本就只表示收到，撤销也是正当的做法。"
    },
    say: text! {
        en: "\"A queue cannot say no: what may be refused is asked, not sent.\"",
        zh: "「队列不会说不：可能被拒的要问，不能只发。」"
    },
    source: &[include_str!("say_no.rs"), include_str!("sale.rs")],
};

/// Published is promised. The store trusts what the page said, and takes.
async fn publish_and_trust(lab: Lab) -> Ran {
    let mut sale = Sale::open(&lab, take_blindly).await?;
    for order in sale.customers()? {
        sale.publish(order).await?;
        sale.accept(order);
    }
    sale.close().await
}

/// Published is promised. The store checks, and undoes the promise to whoever
/// came too late.
async fn publish_and_undo(lab: Lab) -> Ran {
    let mut sale = Sale::open(&lab, take_or_undo).await?;
    for order in sale.customers()? {
        sale.publish(order).await?;
        sale.accept(order);
    }
    sale.close().await
}

/// The stock takes it or says no (409) while the customer waits. Packing and
/// mailing cannot be refused: they go by queue.
async fn ask_and_publish(lab: Lab) -> Ran {
    let mut sale = Sale::open(&lab, is_taken).await?;
    for order in sale.customers()? {
        match sale.stock.call(order).await {
            Ok(()) => {
                sale.publish(order).await?;
                sale.accept(order);
            }
            Err(CallFailed::SoldOut) => sale.refuse(order),
            Err(other) => return Err(other.into()),
        }
    }
    sale.close().await
}

/// A direct answer as well, but it trusts what the page said was there: the
/// look and the taking are two steps, and another came in between.
async fn look_and_publish(lab: Lab) -> Ran {
    let mut sale = Sale::open(&lab, is_taken).await?;
    for order in sale.customers()? {
        sale.take_as_seen(order)?;
        sale.publish(order).await?;
        sale.accept(order);
    }
    sale.close().await
}

/// All were told yes, all taken, and exactly the struck ones out of nothing.
fn oversold_where_struck(outcome: &Outcome) -> Result<(), Text> {
    came_to(outcome, &Expected { oversold: true, ..Expected::default() })
}

/// All were told yes, and exactly the struck ones were undone.
fn undone_where_struck(outcome: &Outcome) -> Result<(), Text> {
    came_to(outcome, &Expected { undone: true, ..Expected::default() })
}

/// Exactly the struck ones were told no; nothing had to be undone.
fn refused_where_struck(outcome: &Outcome) -> Result<(), Text> {
    came_to(outcome, &Expected { refused: true, ..Expected::default() })
}

/// What is expected of each struck order, and of no other.
#[derive(Default)]
struct Expected {
    oversold: bool,
    undone: bool,
    refused: bool,
}

fn came_to(outcome: &Outcome, expected: &Expected) -> Result<(), Text> {
    balanced(outcome)?;
    for kind in [Kind::Lost, Kind::Duplicated, Kind::Stuck, Kind::Unexpected] {
        if let Some(order) = outcome.audit.of(kind).next() {
            return Err(text! {
                en: "{order}: {kind}", zh: "{order}：{kind}",
                order = order, kind = format!("{kind:?}").to_lowercase()
            });
        }
    }
    let as_expected = |Struck { entry, .. }: &&Struck| {
        entry.reported == expected.undone
            && (entry.refused > 0) == expected.refused
            && entry.accepted != expected.refused
            && (entry.applied > 0) == expected.oversold
    };
    let other = outcome.struck.iter().find(|order| !as_expected(order));
    if let Some(Struck { message, .. }) = other {
        return Err(text! {
            en: "{order} came to something else", zh: "{order} 的结局不符",
            order = message
        });
    }
    let struck = outcome.plan.len().into();
    let only = |is: bool| if is { struck } else { 0 };
    let (counts, all) = (&outcome.audit.counts, u64::from(outcome.messages));
    let sold = all - only(expected.undone) - only(expected.refused);
    let sums = [
        ("undone", counts.reported, only(expected.undone)),
        ("refused", counts.refused, only(expected.refused)),
        ("accepted", counts.accepted, all - only(expected.refused)),
        ("taken", counts.applied, sold),
        ("mails", outcome.figure("mails")? as u64, sold),
        (
            "oversold",
            outcome.figure("oversold")? as u64,
            only(expected.oversold),
        ),
    ];
    match sums.into_iter().find(|(_, is, should)| is != should) {
        None => Ok(()),
        Some((what, is, should)) => Err(text! {
            en: "{what}: {is}, not {should}", zh: "{what}：{is}，应为 {should}",
            what = what, is = is, should = should
        }),
    }
}
