//! What counts as a failed delivery depends on how it is told, on the type of
//! the queue, and on the broker's version.
//!
//! Each cell of the table is one message in a queue of its own, which its
//! consumer gives back whenever it comes, always in the same way. A queue that
//! counts this gives up after one delivery more than its limit. Endless is
//! said of a message that has come more than five times as often as the limit
//! would allow, and is still in its queue.
//!
//! Where an image of the other series is at hand, a broker of it is started
//! and measured beside the run's own.
//!
//! Source: RabbitMQ documentation, "Quorum Queues", section "Poison Message
//! Handling" (no limit before 4.0, then 20); "Negative Acknowledgements" (4.3);
//! rabbitmq-server #15387 (reject counts, nack does not). Classic queues count
//! nothing: rabbitmq-server #2013.

mod lane;
mod table;

use std::{collections::BTreeSet, sync::Arc};

use self::{
    lane::{CELLS, Cell, Site},
    table::{Measured, gives_up_after, grid},
};
use crate::{
    demos::shop::orders::Ran,
    event::{Column, Unit},
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_attempt_answered, every_message_confirmed},
    },
    ledger::Kind,
    text,
    text::Text,
    way,
};

/// "A quorum queue has a delivery limit: poison goes away by itself."
pub static POISON_COUNTED: Scenario = Scenario {
    id: "poison-counted",
    recipe: text! {
        en: "A quorum queue limits deliveries: no poison message comes for ever.",
        zh: "仲裁队列有投递上限，毒消息不会没完没了。"
    },
    fault: text! {
        en: "It always fails: told by nack, by reject, or by a crash.",
        zh: "每次都失败：用 nack、用 reject，或者干脆崩溃。"
    },
    predict: Predict {
        question: text! {
            en: "RabbitMQ 4.3, quorum queue, limit 5. Which one never ends?",
            zh: "RabbitMQ 4.3，仲裁队列，上限 5。哪一种没有尽头？"
        },
        choices: &[
            text! { en: "nack, requeue", zh: "nack 放回" },
            text! { en: "reject, requeue", zh: "reject 放回" },
            text! { en: "the crash", zh: "崩溃" },
            text! { en: "none", zh: "都有尽头" },
        ],
        right: 0,
    },
    needs: Needs {
        fewest: CELLS,
        most: CELLS,
        other_broker: true,
        seconds: 12,
        ..Needs::BROKER
    },
    strikes: &[Strike::Poison],
    hits: Hits::Once,
    tried: super::TRIED,
    ways: Ways::Trap(way!(
        fail_each_in_its_way,
        as_the_version_counts,
        text! {
            en: "each failure on each queue, until it ends or goes on and on",
            zh: "每种失败方式在每种队列上各试一遍"
        },
    )),
    columns: &[Column::Confirmed, Column::Lost, Column::Stuck],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "a: since 4.3 a nack says \"not now\" and does not count; a reject \
             says \"failed\" and counts, and so does a crash.",
        zh: "a：4.3 起 nack 表示「现在不行」，不计数；reject 表示「处理失败」，\
             计数；崩溃也计数。"
    },
    fix: text! {
        en: "Declare x-delivery-limit and a dead-letter exchange; tell failure \
             by reject: with a limit of your own, that counts in any version.",
        zh: "自己声明 x-delivery-limit 和死信交换机；失败用 reject：\
             自己设了上限，哪个版本都计数。"
    },
    limit: text! {
        en: "Classic queues count nothing at all: there the consumer has to \
             bound its retries.",
        zh: "经典队列什么都不计：只能由消费者自己限制重试次数。"
    },
    say: text! {
        en: "\"The limit counts failures, not deliveries; what a failure is, \
             changed in 4.3.\"",
        zh: "「上限数的是失败，不是投递；什么算失败，4.3 改过。」"
    },
    source: &[
        include_str!("poison_counted.rs"),
        include_str!("poison_counted/lane.rs"),
        include_str!("poison_counted/table.rs"),
    ],
};

/// Each message fails in its own way, whenever it comes, here and on a broker
/// of the other series.
async fn fail_each_in_its_way(lab: Lab) -> Ran {
    let site = Site { lab: &lab, broker: lab.broker(), witness: lab.witness() };
    site.prepare().await?;
    if lab.is_armed(Strike::Poison) {
        let here = async { Ok((lab.version(), site.fail().await?)) };
        let (here, there) = tokio::try_join!(here, on_the_other(&lab))?;
        // Whatever came again had failed.
        if here.1.iter().all(|(_, ended)| ended.deliveries > 1) {
            lab.struck_once(Strike::Poison);
        }
        tell(&lab, &here, there.as_ref());
        let all: Vec<_> = there.into_iter().chain([here]).collect();
        all.iter().for_each(|measured| observe(&lab, measured));
        lab.grid(grid(&all));
    }
    for cell in Cell::all() {
        let waits = site.holds(cell).await?;
        lab.settle(cell.message(), 0, waits.into());
    }
    Ok(())
}

/// The same on the other series, where its image is at hand.
async fn on_the_other(lab: &Lab) -> anyhow::Result<Option<Measured>> {
    let other = match lab.version() {
        (..4, _) => "rabbitmq-4",
        _ => "rabbitmq-3",
    };
    let Some(broker) = lab.start_broker(other).await? else {
        return Ok(None);
    };
    let site = Site { lab, broker: &broker, witness: Arc::new(()) };
    site.prepare().await?;
    let (major, minor, _) = broker.version;
    Ok(Some(((major, minor), site.fail().await?)))
}

fn observe(lab: &Lab, (version, cells): &Measured) {
    for (cell, ended) in cells {
        let id = cell.id(*version);
        let queued = f64::from(u8::from(ended.queued));
        for (id, value) in
            [(format!("{id}-queued"), queued), (id, ended.deliveries.into())]
        {
            lab.observe(&id, Text::same(id.clone()), value, Unit::Count);
        }
    }
}

fn tell(lab: &Lab, here: &Measured, there: Option<&Measured>) {
    let deliveries: u32 =
        here.1.iter().map(|(_, ended)| u32::from(ended.deliveries)).sum();
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "{all} messages, each given back in its own way, {times} \
                 deliveries",
            zh: "{all} 条消息，各按各的方式失败，共投递 {times} 次",
            all = CELLS, times = deliveries
        },
    );
    if there.is_none() {
        lab.step(
            text! { en: "beside", zh: "对照" },
            text! {
                en: "no image of the other series here: this broker alone",
                zh: "本机没有另一系列的镜像：只测这一个 broker"
            },
        );
    }
    let endless = here.1.iter().filter(|(_, ended)| ended.queued).count();
    lab.came_to(text! {
        en: "{endless} of {all} endless", zh: "{all} 条中 {endless} 条无尽",
        endless = endless, all = CELLS
    });
}

/// Here and, if it was measured, there each cell ended as its version has it.
fn as_the_version_counts(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_attempt_answered(outcome)?;
    for cell in Cell::all() {
        ended_as_expected(outcome, cell, outcome.version)?;
    }
    for version in super::TRIED.iter().filter(|v| **v != outcome.version) {
        let measured =
            Cell::all().any(|cell| outcome.figure(&cell.id(*version)).is_ok());
        if measured {
            Cell::all().try_for_each(|cell| {
                ended_as_expected(outcome, cell, *version)
            })?;
        }
    }
    // The ledger is that of the run's own broker.
    let gone = Cell::all().filter_map(|cell| {
        gives_up_after(cell, outcome.version).map(|_| cell.message())
    });
    let gone: BTreeSet<_> = gone.collect();
    let lost: BTreeSet<_> = outcome.audit.of(Kind::Lost).collect();
    let stuck = outcome.audit.counts.stuck as usize;
    if lost == gone && stuck + lost.len() == CELLS as usize {
        return Ok(());
    }
    Err(text! {
        en: "{lost} gone, {stuck} still queued, not {expected} gone",
        zh: "丢失 {lost} 条，还在队列 {stuck} 条，应丢失 {expected} 条",
        lost = lost.len(), stuck = stuck, expected = gone.len()
    })
}

fn ended_as_expected(
    outcome: &Outcome,
    cell: Cell,
    version: (u16, u16),
) -> Result<(), Text> {
    let id = cell.id(version);
    let deliveries = outcome.figure(&id)?;
    let queued = outcome.figure(&format!("{id}-queued"))? > 0.0;
    let after = gives_up_after(cell, version);
    let as_expected = match after {
        Some(after) => deliveries == f64::from(after) && !queued,
        None => deliveries >= f64::from(cell.endless()) && queued,
    };
    if as_expected {
        return Ok(());
    }
    let after = after.map_or("-".to_owned(), |after| after.to_string());
    Err(text! {
        en: "{id}: {deliveries} deliveries, queued {queued}; to be gone after \
             {after}",
        zh: "{id}：投递 {deliveries} 次，仍在队列 {queued}；应在 {after} 次后消失",
        id = id, deliveries = deliveries, queued = queued, after = after
    })
}
