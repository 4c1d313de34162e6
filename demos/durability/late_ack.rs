//! The broker takes an order back that is being worked on, and gives it to
//! another.
//!
//! What is unacked goes back to its queue when its channel ends, whoever holds
//! it. The one who does is told by his client library, if he asks; the work
//! that he has begun goes on. His ack is on a channel that is gone: lapin
//! (4.12) answers `Ok(false)` and sends nothing.
//!
//! Source: RabbitMQ documentation, "Consumer Acknowledgements and Publisher
//! Confirms", section "When Consumers Fail or Lose Connection: Automatic
//! Requeueing".

mod checks;
mod stage;

use futures::future::BoxFuture;

use self::{
    checks::{
        doubled_under_both, doubled_under_the_ack, doubled_under_the_work,
        every_order_once,
    },
    stage::{Packer, taken_from_under},
};
use super::held::Held;
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{Hits, Needs, Predict, Scenario, Strike, Ways},
    mechanism, text, way,
};

/// "Ack when the work is done: until then the order is mine."
pub static LATE_ACK: Scenario = Scenario {
    id: "late-ack",
    recipe: text! {
        en: "Ack when the work is done: until then the order is mine.",
        zh: "做完再 ack，没 ack 之前这单就归我。"
    },
    fault: text! {
        en: "A connection is cut under the work or under the ack; work goes on.",
        zh: "处理途中或 ack 途中断连，手上的活照样干完。"
    },
    predict: Predict {
        question: text! {
            en: "The connection dies under the work. Who works on the order?",
            zh: "处理到一半连接断了，这单归谁做？"
        },
        choices: &[
            text! { en: "both, at the same time", zh: "两个同时做" },
            text! { en: "another, alone", zh: "换成另一个" },
            text! { en: "the first one, alone", zh: "还是第一个" },
        ],
        right: 0,
    },
    needs: Needs { fewest: 2, most: 5_000, seconds: 6, ..Needs::BOOKS },
    strikes: &[Strike::Meet, Strike::SwallowAck],
    hits: Hits::OneInTen,
    tried: super::TRIED,
    ways: Ways::Three {
        naive: way!(
            taken_from_under,
            finish_and_ack(order, packer),
            doubled_under_both,
            text! { en: "finish the work, then ack", zh: "做完再 ack" },
        ),
        halfway: way!(
            taken_from_under,
            give_up_if_taken_back(order, packer),
            doubled_under_the_ack,
            text! {
                en: "give the work up if the channel is dead",
                zh: "发现信道已断就放弃"
            },
        ),
        fixed: way!(
            taken_from_under,
            finish_under_a_key(order, packer),
            every_order_once,
            text! {
                en: "a unique key in the parcel's transaction",
                zh: "唯一键和打包放进同一事务"
            },
        ),
        mechanisms: &[
            mechanism!(
                "unique-key",
                taken_from_under,
                finish_and_ack(order, packer),
                doubled_under_both,
                text! { en: "the unique key", zh: "唯一键" },
            ),
            mechanism!(
                "one-transaction",
                taken_from_under,
                look_then_finish(order, packer),
                doubled_under_the_work,
                text! {
                    en: "deciding in the transaction", zh: "在事务里判断"
                },
            ),
        ],
    },
    columns: &[Column::Deliveries, Column::Applied, Column::Doubled],
    figures: &["late", "errors"],
    bars: &[],
    claim: text! {
        en: "a: a dead channel is a dead consumer; what it held goes to \
             another. The first one finishes all the same, and its late ack \
             is no error: lapin says Ok(false).",
        zh: "a：信道断了，broker 就当消费者死了，手上的单立刻给别人。\
             原来那个照样做完，迟到的 ack 也不报错：lapin 返回 Ok(false)。"
    },
    fix: text! {
        en: "Let the effect decide, not the ack: a unique key, or a version, \
             in the transaction that commits it.",
        zh: "由落库来判定，别靠 ack：唯一键或版本号，与业务同一事务。"
    },
    limit: text! {
        en: "Giving up spares work, no more: after the commit it is too late. \
             A mail or a call needs the id passed on.",
        zh: "放弃只能省点力气：提交之后就晚了。发邮件、调接口要把 id 传下去。"
    },
    say: text! {
        en: "\"Unacked is not a lock: two may work on one order at once, so \
             the commit must fence.\"",
        zh: "「没 ack 不等于上锁：同一单可能两个人同时在做，\
             要在提交时拦住。」"
    },
    source: &[include_str!("late_ack.rs")],
};

/// Works on one order.
type Handle = for<'a> fn(&'a Held, &'a mut Packer) -> BoxFuture<'a, Ran>;

/// Whoever has begun finishes, and acks.
async fn finish_and_ack(order: &Held, packer: &mut Packer) -> Ran {
    packer.work(order).await?;
    packer.parcels.pack(order.id)?;
    order.ack().await;
    Ok(())
}

/// Whoever has lost the channel has lost the order: another will do it.
async fn give_up_if_taken_back(order: &Held, packer: &mut Packer) -> Ran {
    packer.work(order).await?;
    if order.is_taken_back() {
        return Ok(());
    }
    packer.parcels.pack(order.id)?;
    order.ack().await;
    Ok(())
}

/// Both finish, and one of them commits.
async fn finish_under_a_key(order: &Held, packer: &mut Packer) -> Ran {
    packer.work(order).await?;
    packer.parcels.pack_once(order.id)?;
    order.ack().await;
    Ok(())
}

/// Without the transaction: each looks before the other has packed.
async fn look_then_finish(order: &Held, packer: &mut Packer) -> Ran {
    if !packer.has_packed(order)? {
        packer.work(order).await?;
        packer.parcels.pack(order.id)?;
    }
    order.ack().await;
    Ok(())
}
