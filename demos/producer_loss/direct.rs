//! Publish directly, and write down only what fails: variant C, beside the
//! table first, variant A.
//!
//! The producer's death is that of the objects which hold its memory: its
//! tasks are aborted and dropped, its database stays. A real process is killed
//! in `dual-write`.

mod process;

use futures::future::BoxFuture;

use self::process::{Process, Relays};
use super::{
    TRIED,
    table::{self, three_parts},
};
use crate::{
    demos::shop::{
        orders::{ORDERS, Ran, order},
        packing::{Packs, pack},
        till,
    },
    event::{Column, Unit},
    fault::wire::Protocol,
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
        outbox::{self, Moment},
        publisher::Outgoing,
    },
    text,
    text::Text,
    way,
};

/// "Only what cannot be published needs a row in the table."
pub static DIRECT: Scenario = Scenario {
    id: "direct",
    recipe: text! {
        en: "Publish at once, retry in memory; what fails for good gets a row.",
        zh: "直接发布，失败就在内存里重试，重试用完的才落库。"
    },
    fault: text! {
        en: "The broker is out of reach for 1 in 10; meanwhile the producer \
             dies.",
        zh: "十分之一的订单赶上 broker 连不上，其间生产者又死了。"
    },
    predict: Predict {
        question: text! {
            en: "All are back. Which of those orders arrive?",
            zh: "都恢复之后，这些订单哪些能到？"
        },
        choices: &[
            text! {
                en: "all: what failed has a row",
                zh: "全部：失败的已落库"
            },
            text! { en: "those tried at least once", zh: "至少试发过一次的" },
            text! { en: "none", zh: "一个也到不了" },
        ],
        right: 2,
    },
    needs: Needs { fewest: 20, most: 2_000, seconds: 5, ..Needs::BOOKS },
    strikes: &[Strike::ProducerDies],
    hits: Hits::Stretch,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            through_an_outage,
            publish_directly(order, shop),
            lost_and_no_row,
            text! {
                en: "publish, retry in memory (C)",
                zh: "直接发，内存重试（C）"
            },
        ),
        fixed: way!(
            through_an_outage,
            write_it_down_first(order, shop),
            all_once_from_the_table,
            text! {
                en: "message and order in one transaction (A)",
                zh: "消息与订单同一事务落库（A）"
            },
        ),
        mechanisms: &[
            mechanism!(
                "row-first",
                through_an_outage,
                publish_directly(order, shop),
                lost_and_no_row,
                text! { en: "the row before the yes", zh: "先落库再答复" },
            ),
            mechanism!(
                "relay",
                through_an_outage_without_relay,
                write_it_down_and_publish(order, shop),
                lost_and_in_the_table,
                text! {
                    en: "the relay behind the table",
                    zh: "扫表重发的转发进程"
                },
            ),
        ],
    },
    columns: &[Column::Accepted, Column::Applied, Column::Lost],
    figures: &["rows"],
    bars: &[],
    claim: text! {
        en: "c: a retry in memory dies with its process, before it has failed \
             for good. The table first lost none.",
        zh: "c：内存里的重试，没等到「彻底失败」就跟着进程没了。先落库的一单没\
             丢。"
    },
    fix: text! {
        en: "Order and message in one transaction, then the yes; a relay \
             publishes.",
        zh: "订单和消息同一事务落库，再答复；转发进程扫表发布，重启后接着发。"
    },
    limit: text! {
        en: "C may also say yes only when confirmed: nothing is lost, but \
             each customer waits for the broker.",
        zh: "C 也可以等确认了再答复：不丢，但每位顾客都得陪着等 broker。"
    },
    say: text! {
        en: "\"A retry in memory is only as durable as its process.\"",
        zh: "「内存里的重试，进程一死就没了。」"
    },
    source: &[include_str!("direct.rs")],
};

/// Takes an order. When it returns, the customer is told yes.
type Accept = for<'a> fn(Outgoing, &'a Process) -> BoxFuture<'a, Ran>;

/// Variant C. The order is saved; its message is in memory until the broker
/// confirms it, or until its attempts are used up and it gets a row.
async fn publish_directly(order: Outgoing, shop: &Process) -> Ran {
    let id = order.id;
    shop.table.commit(move |tx| till::save(tx, id)).await?;
    shop.direct.send(order).await?;
    Ok(())
}

/// Variant A. Order and message are saved together, or not at all.
async fn write_it_down_first(order: Outgoing, shop: &Process) -> Ran {
    let id = order.id;
    let both = shop.table.commit(move |tx| {
        till::save(tx, id)?;
        outbox::write(tx, &order, Moment::now())
    });
    both.await?;
    shop.bell.notify_one();
    Ok(())
}

/// There is a row, and whoever wrote it publishes; nobody reads the table.
async fn write_it_down_and_publish(order: Outgoing, shop: &Process) -> Ran {
    write_it_down_first(order.clone(), shop).await?;
    shop.direct.send(order).await?;
    Ok(())
}

async fn through_an_outage(lab: Lab, accept: Accept) -> Ran {
    outage(&lab, accept, Relays::One).await
}

async fn through_an_outage_without_relay(lab: Lab, accept: Accept) -> Ran {
    outage(&lab, accept, Relays::None).await
}

/// Before the first order of the stretch the broker goes out of reach; after
/// the last one the producer dies; then both come back.
async fn outage(lab: &Lab, accept: Accept, relays: Relays) -> Ran {
    lab.declare(ORDERS).await?;
    let wire = lab.wire("producer", Protocol::Amqp).await?;
    let uri = lab.uri_through(&wire);
    let [before, during, after] = three_parts(lab, Strike::ProducerDies);
    let mut process = Process::start(lab, &uri, relays)?;
    take(lab, &process, accept, &before).await?;
    table::all_confirmed(lab, &before).await?;
    table::tell_outage(lab, &during);
    if !during.is_empty() {
        wire.refuse(true);
        wire.cut().await;
        take(lab, &process, accept, &during).await?;
        dies(lab, process, &during).await?;
        wire.refuse(false);
        process = Process::start(lab, &uri, relays)?;
    }
    take(lab, &process, accept, &after).await?;
    process.is_through(lab).await?;
    process.die().await;
    pack(lab, ORDERS, Packs::OncePerOrder).await
}

async fn take(
    lab: &Lab,
    process: &Process,
    accept: Accept,
    orders: &[MessageId],
) -> Ran {
    for id in orders {
        accept(order(*id), process).await?;
        lab.saw(*id, Fact::Accepted);
    }
    Ok(())
}

/// The producer dies. Struck is what was promised and not confirmed.
async fn dies(lab: &Lab, process: Process, during: &[MessageId]) -> Ran {
    let held = process.direct.held();
    process.die().await;
    let rows = table::rows(lab, during)?;
    for order in during {
        if lab.entry(*order).is_some_and(|known| known.confirmed == 0) {
            lab.struck(*order, Strike::ProducerDies);
        }
    }
    let name = text! { en: "rows", zh: "有行" };
    lab.observe("rows", name, rows.into(), Unit::Count);
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "the producer dies: {held} messages in memory; {rows} of {all} \
                 have a row",
            zh: "生产者死亡：内存里 {held} 条消息，{all} 单中有 {rows} 单已落库",
            held = held, rows = rows, all = during.len()
        },
    );
    Ok(())
}

/// Exactly the struck orders are lost, and the table knew none of them.
fn lost_and_no_row(outcome: &Outcome) -> Result<(), Text> {
    lost_exactly_where_struck(outcome)?;
    rows(outcome, 0)
}

/// Exactly the struck orders are lost, although each has its row.
fn lost_and_in_the_table(outcome: &Outcome) -> Result<(), Text> {
    lost_exactly_where_struck(outcome)?;
    rows(outcome, outcome.plan.len())
}

fn all_once_from_the_table(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    every_message_confirmed(outcome)?;
    rows(outcome, outcome.plan.len())
}

/// So many of the struck orders had a row when the producer died.
fn rows(outcome: &Outcome, expected: u32) -> Result<(), Text> {
    match outcome.figure("rows")? {
        rows if rows == f64::from(expected) => Ok(()),
        rows => Err(text! {
            en: "{rows} rows, not {expected}", zh: "有 {rows} 行，应为 {expected} 行",
            rows = rows, expected = expected
        }),
    }
}
