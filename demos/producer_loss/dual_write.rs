//! Two systems and no common commit: a database and a broker, and a process
//! that is killed at every point between them.
//!
//! RabbitMQ takes part in no distributed transaction: its `tx` covers
//! publishes and acks of one channel, and is not atomic across queues
//! (documentation, "Broker Semantics", semantics of tx).

mod checks;

use self::checks::{
    doubled_where_published_twice, lost_between_the_commits,
    lost_where_only_saved, once_each_that_was_promised,
    phantoms_where_only_published, stuck_in_the_table,
};
use super::TRIED;
use crate::{
    demos::shop::{
        orders::{ORDERS, Ran},
        packing::{Packs, pack},
        process::{Done, Orders, Point, Producer, Work, produce},
    },
    event::{Column, Unit},
    lab::{Hits, Lab, Mechanism, Needs, Predict, Scenario, Strike, Way, Ways},
    ledger::{Fact, MessageId, Noun, Witness},
    mechanism,
    pattern::outbox::{self, Claim, Moment, Outcome, Settled},
    text,
};

/// A way, or a mechanism, whose function a process of its own runs: it is
/// told the function's name.
macro_rules! by_process {
    ($code:ident, $check:expr, $title:expr $(,)?) => {
        Way {
            title: $title,
            run: by_process!($code),
            code: stringify!($code),
            whole: stringify!($code),
            check: $check,
        }
    };
    ($id:literal, $code:ident, $breaks:expr, $name:expr $(,)?) => {
        Mechanism {
            id: $id,
            name: $name,
            without: by_process!($code),
            code: stringify!($code),
            whole: stringify!($code),
            breaks: $breaks,
        }
    };
    ($code:ident) => {
        |lab| {
            let packs = Packs::OncePerOrder;
            Box::pin(killed_at_every_point(lab, stringify!($code), packs))
        }
    };
}

/// "The order first, then the message. A crash just between the two? Come on."
pub static DUAL_WRITE: Scenario = Scenario {
    id: "dual-write",
    recipe: text! {
        en: "Save the order, then publish it. Dying just in between? Never.",
        zh: "先落库，再发消息。偏偏死在中间？没那么巧。"
    },
    fault: text! {
        en: "The producing process gets a SIGKILL over 1 order in 10: before \
             or after the commit, after the publish, after the confirm.",
        zh: "每 10 单有 1 单，生产者进程被 SIGKILL：提交前、提交后、\
             发布后、确认后各有。"
    },
    predict: Predict {
        question: text! {
            en: "What is saved is promised. Which order of the two is safe?",
            zh: "落了库就是答应了顾客。哪种先后顺序安全？"
        },
        choices: &[
            text! { en: "save, then publish", zh: "先落库，再发布" },
            text! { en: "publish, then save", zh: "先发布，再落库" },
            text! { en: "neither", zh: "都不安全" },
        ],
        right: 2,
    },
    needs: Needs { most: 2_000, ..Needs::BOOKS },
    strikes: &[
        Strike::DieAfterPublish,
        Strike::DieAfterCommit,
        Strike::DieAfterConfirm,
        Strike::DieBeforeCommit,
    ],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Three {
        naive: by_process!(
            save_then_publish,
            lost_where_only_saved,
            text! { en: "save, then publish", zh: "先落库，再发布" },
        ),
        halfway: by_process!(
            publish_then_save,
            phantoms_where_only_published,
            text! { en: "publish, then save", zh: "先发布，再落库" },
        ),
        fixed: by_process!(
            outbox,
            once_each_that_was_promised,
            text! {
                en: "order and message in one commit, then relayed",
                zh: "订单与消息一次提交，再由转发进程发出"
            },
        ),
        mechanisms: &[
            by_process!(
                "one-transaction",
                two_transactions,
                lost_between_the_commits,
                text! { en: "the one transaction", zh: "同一事务" },
            ),
            by_process!(
                "relay",
                publish_from_memory,
                stuck_in_the_table,
                text! {
                    en: "the relay that reads the table", zh: "读表的转发进程"
                },
            ),
            mechanism!(
                "idempotent-consumer",
                pack_every_delivery,
                doubled_where_published_twice,
                text! { en: "the idempotent consumer", zh: "幂等消费" },
            ),
        ],
    },
    columns: &[
        Column::Accepted,
        Column::Deliveries,
        Column::Applied,
        Column::Lost,
    ],
    figures: &["phantoms"],
    bars: &[],
    claim: text! {
        en: "c: between two commits there is a gap. Save first: an order \
             without a message. Publish first: a phantom, a message without \
             an order.",
        zh: "c：两次提交之间总有空隙。先落库：有订单，没消息；\
             先发布：有消息，没订单（幽灵单）。"
    },
    fix: text! {
        en: "Transactional outbox: commit both as rows; a relay (or CDC) \
             publishes until confirmed. Some twice: consumers dedupe.",
        zh: "本地消息表：订单和消息一次提交，转发进程（或 CDC）发到确认为止。\
             有的会发两次，靠消费端去重。"
    },
    limit: text! {
        en: "A SIGKILL spares the page cache: no power loss. A server's \
             commit can be unknown, too. The other answer, XA, RabbitMQ \
             does not have.",
        zh: "SIGKILL 不丢页缓存，不等于断电。连着数据库服务器时，\
             提交结果也可能未知。另一条路是 XA，RabbitMQ 不支持。"
    },
    say: text! {
        en: "\"One commit for order and message, a relay, and a consumer \
             that dedupes.\"",
        zh: "「订单和消息一次提交，转发进程发出，消费端去重。」"
    },
    source: &[include_str!("dual_write.rs")],
};

macro_rules! work {
    ($code:ident) => {
        (stringify!($code), |shop| Box::pin($code(shop)))
    };
}

/// What the processes of this scenario do, by name.
pub const WORKS: &[(&str, Work)] = &[
    work!(save_then_publish),
    work!(publish_then_save),
    work!(outbox),
    work!(two_transactions),
    work!(publish_from_memory),
];

/// A dual write: the order is committed, then its message is published.
async fn save_then_publish(shop: &mut Producer) -> Done {
    while let Some(order) = shop.next_order() {
        shop.transaction(&order, |tx| Orders::save(tx, &order))?;
        shop.publish(&order).await?;
    }
    Ok(())
}

/// A dual write the other way round.
async fn publish_then_save(shop: &mut Producer) -> Done {
    while let Some(order) = shop.next_order() {
        shop.publish(&order).await?;
        shop.transaction(&order, |tx| Orders::save(tx, &order))?;
    }
    Ok(())
}

/// Order and message are committed together; what is in the table is
/// published, also what a process before this one has left there.
async fn outbox(shop: &mut Producer) -> Done {
    take_back(shop)?;
    relay(shop).await?;
    while let Some(order) = shop.next_order() {
        shop.transaction(&order, |tx| {
            Orders::save(tx, &order)?;
            outbox::write(tx, &order, Moment::now())?;
            Ok(())
        })?;
        relay(shop).await?;
    }
    Ok(())
}

/// Without the one transaction: each has a commit of its own.
async fn two_transactions(shop: &mut Producer) -> Done {
    take_back(shop)?;
    relay(shop).await?;
    while let Some(order) = shop.next_order() {
        shop.transaction(&order, |tx| Orders::save(tx, &order))?;
        shop.outbox.transaction(|tx| {
            outbox::write(tx, &order, Moment::now())?;
            Done::Ok(())
        })?;
        relay(shop).await?;
    }
    Ok(())
}

/// Without the relay: after the commit the order in hand is published, and
/// its row is a note that nobody reads.
async fn publish_from_memory(shop: &mut Producer) -> Done {
    while let Some(order) = shop.next_order() {
        shop.transaction(&order, |tx| {
            Orders::save(tx, &order)?;
            outbox::write(tx, &order, Moment::now())?;
            Ok(())
        })?;
        shop.publish(&order).await?;
        note_confirmed(shop, order.id)?;
    }
    Ok(())
}

/// Without the idempotent consumer: the producer is the same, and whatever is
/// delivered is packed.
async fn pack_every_delivery(lab: Lab) -> Ran {
    killed_at_every_point(lab, "outbox", Packs::EveryDelivery).await
}

/// The relay's name. Each process has it in turn, never two at a time.
const RELAY: &str = "relay";

const CLAIM: Claim<'static> = Claim {
    relay: RELAY,
    rows: 100,
    lease: std::time::Duration::from_secs(30),
    attempts: u32::MAX,
};

/// Publishes what is due, row by row: confirmed first, noted then. Killed in
/// between, the row is still open.
async fn relay(shop: &mut Producer) -> Done {
    for row in shop.outbox.claim(&CLAIM, Moment::now())? {
        shop.publish(&row.message).await?;
        let (seq, attempt) = (row.seq, row.attempt);
        let outcome = Outcome::Confirmed;
        shop.outbox.settle(RELAY, &[Settled { seq, attempt, outcome }])?;
    }
    Ok(())
}

/// What was leased to this name is nobody's any more: who had it is dead.
/// Another relay would have to wait for the lease to end.
fn take_back(shop: &mut Producer) -> Done {
    shop.outbox.release(RELAY, |_| true, Moment::now())?;
    Ok(())
}

fn note_confirmed(shop: &Producer, order: MessageId) -> Done {
    let note = "UPDATE outbox SET state = 'confirmed' WHERE message = ?1";
    shop.outbox.db().execute(note, [order.to_string()])?;
    Ok(())
}

/// Customers place their orders with processes that do this work and are
/// killed where it is planned; then what has arrived is packed. What was
/// promised is asked of the database, what was done of the packer's table.
async fn killed_at_every_point(lab: Lab, work: &str, packs: Packs) -> Ran {
    lab.declare(ORDERS).await?;
    let database = lab.dir().join("shop.db");
    produce(&lab, work, &database).await?;
    let orders = Orders::open(&database)?;
    for order in orders.all()? {
        if lab.entry(order).is_none_or(|known| !known.accepted) {
            lab.saw(order, Fact::Accepted);
        }
    }
    tell_produced(&lab);
    pack(&lab, ORDERS, packs).await?;
    let open = orders.open_rows()?;
    for order in &open {
        lab.settle(*order, 0, 1);
    }
    let phantoms = settle_phantoms(&lab);
    tell_packed(&lab, open.len(), phantoms);
    Ok(())
}

/// Who gets a parcel gets a mail. A mail about an order that is in no books
/// was promised to nobody: such an order is known by its mail.
fn settle_phantoms(lab: &Lab) -> u32 {
    let phantoms = lab.messages().filter_map(|order| {
        let known = lab.entry(order)?;
        let phantom = known.applied > 0 && !known.accepted;
        phantom.then_some((order.number, known.applied))
    });
    let mut many = 0;
    for (number, parcels) in phantoms.collect::<Vec<_>>() {
        lab.settle(Noun::Mail.number(number), parcels, 0);
        many += 1;
    }
    let name = text! { en: "phantoms", zh: "幽灵单" };
    lab.observe("phantoms", name, f64::from(many), Unit::Count);
    if many > 0 {
        lab.came_to(text! {
            en: "{many} phantoms", zh: "幽灵单 {many} 个", many = many
        });
    }
    many
}

fn tell_produced(lab: &Lab) {
    let died = |point: Point| {
        let strike = point.strike();
        lab.plan().of(strike).filter(|id| lab.has_struck(*id, strike)).count()
    };
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "kills: {before} before commit, {commit} after, \
                 {publish} after publish, {confirm} after confirm",
            zh: "被杀：提交前 {before} 次，提交后 {commit} 次，\
                 发布后 {publish} 次，确认后 {confirm} 次",
            before = died(Point::BeforeCommit),
            commit = died(Point::AfterCommit),
            publish = died(Point::AfterPublish),
            confirm = died(Point::AfterConfirm)
        },
    );
    let sums = lab.sums();
    lab.step(
        text! { en: "produce", zh: "生产" },
        text! {
            en: "{saved} of {all} orders saved, {attempts} publishes, \
                 {many} processes",
            zh: "{all} 单落库 {saved} 单，发布 {attempts} 次，\
                 前后 {many} 个进程",
            all = lab.count(), saved = sums.accepted, attempts = sums.attempts,
            many = lab.hits() + 1
        },
    );
}

fn tell_packed(lab: &Lab, open: usize, phantoms: u32) {
    let sums = lab.sums();
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "{deliveries} deliveries, {packed} orders packed, \
                 {phantoms} phantoms, {open} rows open",
            zh: "投递 {deliveries} 次，打包 {packed} 单，幽灵单 {phantoms} 个，\
                 表中未完成 {open} 行",
            deliveries = sums.deliveries, packed = sums.applied,
            phantoms = phantoms, open = open
        },
    );
}
