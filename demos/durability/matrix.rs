//! What survives a restart: every kind of queue, both kinds of message, both
//! ways in which a node goes down.
//!
//! *Durable* is said of an exchange or a queue: its definition is on disk.
//! *Persistent* is said of a message, and a classic queue keeps across a
//! restart what is both. A quorum queue is always durable and writes every
//! message to its log, whatever the delivery mode. A graceful shutdown spares
//! nothing that a kill would take.
//!
//! An exchange that is not durable goes with its bindings on 3.10: declared
//! again, it leads nowhere, and what is published is confirmed and dropped. On
//! 4.3 it comes back, binding and all, after a kill as well: with Khepri "all
//! exchanges are recovered" (`rabbit_db_exchange:recover`). Nothing promises
//! that: it is no reason to leave the switch off.
//!
//! Source: RabbitMQ documentation, "Queues", section "Durability" ("recovered
//! on node boot, including messages in them published as persistent");
//! "Quorum Queues", feature matrix; "Deprecated Features".

mod cells;
mod checks;
mod node;

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use self::{
    cells::{BOUND, CELLS, Cell, FEWEST, Kind, Share},
    checks::as_the_switches_say,
    node::{BOTH, Down},
};
use crate::{
    demos::shop::{
        orders::Ran,
        packing::{Packs, pack_from},
    },
    event::{Column, Grid, GridRow, Unit},
    lab::{Hits, Lab, Needs, Predict, RanOut, Scenario, Strike, Ways},
    text,
    text::Text,
    way,
};

/// "The queue is durable, so its messages survive a restart."
pub static MATRIX: Scenario = Scenario {
    id: "matrix",
    recipe: text! {
        en: "The queue is durable, so its messages survive a restart.",
        zh: "队列声明成 durable，broker 重启消息就不会丢。"
    },
    fault: text! {
        en: "The broker is shut down gracefully; filled again, it is killed.",
        zh: "broker 先正常关机再启动；重新灌满后，又被 SIGKILL。"
    },
    predict: Predict {
        question: text! {
            en: "Durable queues, a graceful restart. What is left?",
            zh: "队列都是 durable，正常重启之后还剩什么？"
        },
        choices: &[
            text! { en: "everything", zh: "全都在" },
            text! { en: "what is persistent", zh: "持久化的消息" },
            text! {
                en: "what is persistent, and all in quorum queues",
                zh: "持久化的消息，以及仲裁队列里的全部"
            },
            text! {
                en: "everything; only a kill loses what is transient",
                zh: "全都在；只有强杀才会丢非持久化的"
            },
        ],
        right: 2,
    },
    needs: Needs {
        own_broker: true,
        fewest: FEWEST,
        most: 2_000,
        seconds: 20,
        ..Needs::BOOKS
    },
    strikes: &[Strike::BrokerRestarted, Strike::BrokerKilled],
    hits: Hits::Once,
    tried: super::TRIED,
    ways: Ways::Trap(way!(
        every_kind_of_queue,
        as_the_switches_say,
        text! {
            en: "every kind of queue on one node",
            zh: "一个节点，各种队列"
        },
    )),
    columns: &[Column::Confirmed, Column::Applied, Column::Lost],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "c: durable is said of the queue, persistent of the message; classic \
             wants both. A graceful restart spares no more than a kill.",
        zh: "c：durable 说的是队列，persistent 说的是消息，经典队列缺一不可。\
             正常重启并不比强杀多留下什么。"
    },
    fix: text! {
        en: "Three switches: durable exchange, durable queue, delivery mode 2; \
             then await the confirm. Or a quorum queue.",
        zh: "三个开关：交换机 durable、队列 durable、消息 delivery mode 2，\
             再等到确认。或者用仲裁队列。"
    },
    limit: text! {
        en: "A kill spares the page cache: no power loss, no lost disk. An \
             exchange not durable: 3.10 drops it, 4.3 happens to keep it.",
        zh: "强杀不伤页缓存：不等于断电，更不等于丢盘。非 durable 的交换机，\
             3.10 会丢，4.3 恰好留着。"
    },
    say: text! {
        en: "\"A restart keeps what is durable, persistent and confirmed.\"",
        zh: "「队列 durable、消息持久化、又确认过的，重启后才还在。」"
    },
    source: &[
        include_str!("matrix.rs"),
        include_str!("matrix/cells.rs"),
        include_str!("matrix/node.rs"),
        include_str!("matrix/checks.rs"),
    ],
};

/// All queues are filled, and every order is confirmed. The node goes down and
/// comes back, and it is counted what each queue has kept. Then the same
/// again, with a kill.
async fn every_kind_of_queue(lab: Lab) -> Ran {
    let (mut kept, declared) = (Vec::new(), Instant::now());
    for down in BOTH {
        cells::declare(&lab).await?;
        let held = held(&lab).await?;
        cells::fill(&lab, down).await?;
        node::take_down(&lab, down, declared).await?;
        kept.extend(counted(&lab, down, held).await?);
        tell(&lab, down, &kept);
    }
    tell_exchange(&lab, &kept);
    refuse(&lab).await?;
    pack_all(&lab).await?;
    lab.grid(grid(&lab, &kept));
    Ok(())
}

/// What is left of a share: so many, or not even its queue.
struct Kept {
    down: Down,
    share: Share,
    left: Option<u32>,
}

/// How many messages each queue holds.
async fn held(lab: &Lab) -> anyhow::Result<BTreeMap<&'static str, u32>> {
    let mut held = BTreeMap::new();
    for Cell { queue, .. } in CELLS {
        held.insert(queue, cells::ready(lab, queue).await?.unwrap_or(0));
    }
    Ok(held)
}

/// Asks the broker what each queue has kept besides what it held before; then
/// an application starts, and publishes by way of its exchange.
async fn counted(
    lab: &Lab,
    down: Down,
    held: BTreeMap<&'static str, u32>,
) -> anyhow::Result<Vec<Kept>> {
    let mut kept = Vec::new();
    let of = |queue: &str| held.get(queue).copied().unwrap_or(0);
    for cell in CELLS {
        let share = Share::Before(cell);
        let count = share.of(down, lab.messages()).count() as u32;
        let before = of(cell.queue);
        if cell.kind == Kind::Quorum {
            leader(lab, cell.queue, before + count).await?;
        }
        let left = cells::ready(lab, cell.queue).await?;
        let left = left.map(|ready| ready.saturating_sub(before));
        kept.push(Kept { down, share, left });
    }
    let before = cells::ready(lab, BOUND.queue).await?.unwrap_or(0);
    cells::publish_afterwards(lab, down).await?;
    let left = cells::ready(lab, BOUND.queue).await?;
    let left = left.map(|ready| ready.saturating_sub(before));
    kept.push(Kept { down, share: Share::Afterwards, left });
    for one in &kept {
        let (id, left) = (one.id(), one.left);
        let count = left.map_or(-1.0, f64::from);
        lab.observe(&id, Text::same(id.as_str()), count, Unit::Count);
    }
    Ok(kept)
}

/// While a quorum queue has no leader it says that it is empty. One that stays
/// so is: the check then says what is missing.
async fn leader(lab: &Lab, queue: &str, holds: u32) -> Ran {
    let what = text! {
        en: "a leader of {queue}", zh: "{queue} 选出 leader", queue = queue
    };
    let elected = lab.wait_until(what, ELECTED, || async {
        Ok(cells::ready(lab, queue).await? >= Some(holds))
    });
    match elected.await {
        Err(error) if error.is::<RanOut>() => Ok(()),
        other => other,
    }
}

const ELECTED: Duration = Duration::from_secs(10);

/// What the broker says to queues that are not durable, nor exclusive.
async fn refuse(lab: &Lab) -> Ran {
    let quorum = cells::refusal(lab, "quorum").await?.unwrap_or(0);
    observe_code(lab, "refused-quorum", quorum);
    let is_new = lab.version() >= (4, 0);
    let words = if is_new && lab.is_armed(Down::Killed.strike()) {
        node::deny_fleeting_queues(lab).await?;
        let classic = cells::refusal(lab, "classic").await?.unwrap_or(0);
        observe_code(lab, "refused-classic", classic);
        text! {
            en: "not durable: quorum {quorum}; classic {classic} if denied (upstream 4.3)",
            zh: "非 durable：仲裁队列报 {quorum}；禁用后（官方 4.3 默认）经典队列\
                 报 {classic}",
            quorum = quorum, classic = classic
        }
    } else {
        text! {
            en: "a quorum queue that is not durable: {quorum}",
            zh: "非 durable 的仲裁队列：报 {quorum}", quorum = quorum
        }
    };
    lab.step(text! { en: "refused", zh: "拒绝" }, words);
    Ok(())
}

fn observe_code(lab: &Lab, id: &str, code: u16) {
    lab.observe(id, Text::same(id), code.into(), Unit::Count);
}

/// Packs what is left in the queues that are left.
async fn pack_all(lab: &Lab) -> Ran {
    let mut left = Vec::new();
    for Cell { queue, .. } in CELLS {
        if cells::ready(lab, queue).await?.is_some() {
            left.push(queue);
        }
    }
    pack_from(lab, &left, Packs::EveryDelivery).await
}

impl Kept {
    /// The id of its figure.
    fn id(&self) -> String {
        figure(self.down, self.share)
    }
}

/// The id of the figure of what is left; -1 where there is no queue.
fn figure(down: Down, share: Share) -> String {
    match share {
        Share::Before(cell) => format!("{}-{}", down.id(), cell.queue),
        Share::Afterwards => format!("{}-afterwards", down.id()),
    }
}

fn tell(lab: &Lab, down: Down, kept: &[Kept]) {
    let here = kept.iter().filter(|one| one.down == down);
    let before = here.filter(|one| one.share != Share::Afterwards);
    let (left, gone) =
        before.fold((0, 0), |(left, gone), one| match one.left {
            Some(count) => (left + count, gone),
            None => (left, gone + 1),
        });
    let filled: usize = CELLS
        .map(|cell| Share::Before(cell).of(down, lab.messages()).count())
        .iter()
        .sum();
    let verb = match down {
        Down::Gracefully => text! { en: "restart", zh: "重启" },
        Down::Killed => text! { en: "kill", zh: "强杀" },
    };
    let words = text! {
        en: "of {filled} confirmed orders in 7 queues {left} are left; {gone} \
             queues are gone",
        zh: "7 条队列里 {filled} 个已确认订单，还剩 {left} 个；{gone} 条队列没了",
        filled = filled, left = left, gone = gone
    };
    lab.step(verb, words);
}

fn tell_exchange(lab: &Lab, kept: &[Kept]) {
    let late = kept.iter().filter(|one| one.share == Share::Afterwards);
    let arrived: u32 = late.filter_map(|one| one.left).sum();
    let sent = |down| Share::Afterwards.of(down, lab.messages()).count();
    let sent: usize = BOTH.map(sent).iter().sum();
    lab.step(
        text! { en: "route", zh: "路由" },
        text! {
            en: "an exchange that was not durable: {arrived} of {sent} confirmed \
                 arrive",
            zh: "非 durable 的交换机，重启后再发：已确认 {sent} 个，到了 {arrived} 个",
            sent = sent, arrived = arrived
        },
    );
}

/// Rows by queue, columns by message and by what happened.
fn grid(lab: &Lab, kept: &[Kept]) -> Grid {
    let left = |down, share: Share| {
        let all = share.of(down, lab.messages()).count();
        let found =
            kept.iter().find(|one| (one.down, one.share) == (down, share));
        match found.and_then(|one| one.left) {
            Some(left) => Text::same(format!("{left}/{all}")),
            None => text! { en: "no queue", zh: "队列没了" },
        }
    };
    let by_kind = |kind, name| {
        let cell = |persistent| {
            let mut cells = CELLS.into_iter();
            cells.find(|c| (c.kind, c.persistent) == (kind, persistent))
        };
        let cells = [true, false].into_iter().filter_map(cell);
        let cells = cells.flat_map(|c| BOTH.map(|d| left(d, Share::Before(c))));
        GridRow { name, cells: cells.collect() }
    };
    let of = |share, name| {
        let none = [Text::same("-"), Text::same("-")];
        let cells = BOTH.map(|down| left(down, share));
        GridRow { name, cells: cells.into_iter().chain(none).collect() }
    };
    let refused = || text! { en: "refused", zh: "拒绝" };
    Grid {
        title: text! {
            en: "Left of what was confirmed", zh: "已确认的消息还剩多少"
        },
        columns: vec![
            text! { en: "persistent, restart", zh: "持久化 正常重启" },
            text! { en: "persistent, SIGKILL", zh: "持久化 SIGKILL" },
            text! { en: "transient, restart", zh: "非持久化 正常重启" },
            text! { en: "transient, SIGKILL", zh: "非持久化 SIGKILL" },
        ],
        rows: vec![
            by_kind(
                Kind::Durable,
                text! { en: "classic, durable", zh: "经典队列，durable" },
            ),
            by_kind(
                Kind::NotDurable,
                text! { en: "classic, not durable", zh: "经典队列，非 durable" },
            ),
            by_kind(
                Kind::Quorum,
                text! { en: "quorum (is durable)", zh: "仲裁队列（必为 durable）" },
            ),
            GridRow {
                name: text! { en: "quorum, not durable", zh: "仲裁队列，非 durable" },
                cells: [(); 4].map(|()| refused()).to_vec(),
            },
            of(
                Share::Before(BOUND),
                text! {
                    en: "exchange not durable",
                    zh: "交换机非 durable"
                },
            ),
            of(
                Share::Afterwards,
                text! { en: "- published afterwards", zh: "- 重启后再发的" },
            ),
        ],
    }
}
