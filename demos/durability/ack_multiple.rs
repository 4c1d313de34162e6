//! An ack with `multiple`, while several are in work.
//!
//! Source: RabbitMQ documentation, "Consumer Acknowledgements and Publisher
//! Confirms", section "Acknowledging Multiple Deliveries at Once": it covers
//! every outstanding tag up to and including the one it names, on its channel.
//! Tags are in the order of the deliveries, not of the work.

mod stage;

use std::collections::BTreeSet;

use self::stage::{Ack, Acks, MORE, packed_side_by_side};
use super::{TRIED, expect::behind};
use crate::{
    demos::shop::{orders::Ran, packing::Packs},
    event::Column,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario,
        Strike::ConsumerDies,
        Ways,
        check::{
            every_message_once, exactly_these, figure_is, flagged_where,
            lost_exactly_where_struck,
        },
    },
    ledger::Kind,
    mechanism, text,
    text::Text,
    way,
};

/// "One ack for many: the newest, with `multiple`."
pub static ACK_MULTIPLE: Scenario = Scenario {
    id: "ack-multiple",
    recipe: text! {
        en: "Save acks: ack the newest that is done, with multiple = true.",
        zh: "省着点 ack：做完一个就 ack 最新的，multiple = true。"
    },
    fault: text! {
        en: "1 order in 10 takes long, and the consumer dies over it.",
        zh: "每 10 单有 1 单处理得慢，没做完消费者就崩溃了。"
    },
    predict: Predict {
        question: text! {
            en: "Tags 4 to 9 are in work side by side. 9 is done first, and \
                 acked with multiple. Then it dies. What comes again?",
            zh: "tag 4 到 9 在并行处理，9 先做完，用 multiple ack，\
                 接着崩溃。哪些会重投？"
        },
        choices: &[
            text! { en: "4 to 8", zh: "4 到 8" },
            text! { en: "4 to 9", zh: "4 到 9" },
            text! { en: "none", zh: "一个也不会" },
        ],
        right: 2,
    },
    needs: Needs { fewest: 10, most: 2_000, ..Needs::BOOKS },
    strikes: &[ConsumerDies],
    hits: Hits::Stretch,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            pack_once,
            ack_the_newest(done, acks),
            the_slow_are_lost,
            text! { en: "multiple, up to the newest done", zh: "ack 到最新做完的" },
        ),
        fixed: way!(
            pack_once,
            ack_up_to_the_gap(done, acks),
            all_once_and_all_behind_again,
            text! {
                en: "multiple, up to the first not done",
                zh: "只 ack 到第一个没做完的之前"
            },
        ),
        mechanisms: &[
            mechanism!(
                "low-water-mark",
                pack_once,
                ack_the_newest(done, acks),
                the_slow_are_lost,
                text! { en: "the low-water mark", zh: "低水位" },
            ),
            mechanism!(
                "unique-key",
                pack_every_delivery,
                ack_up_to_the_gap(done, acks),
                the_done_behind_are_doubled,
                text! { en: "the unique key", zh: "唯一键" },
            ),
        ],
    },
    columns: &[Column::Confirmed, Column::Applied, Column::Lost],
    figures: &["unacked", "redelivered"],
    bars: &[],
    claim: text! {
        en: "c: 9 with multiple acks 4 to 8 as well, done or not. Tags rise in \
             the order of delivery; work ends in an order of its own.",
        zh: "c：对 9 用 multiple，4 到 8 不管做没做完都一起 ack 了。\
             tag 按投递顺序递增，做完的顺序却不一定。"
    },
    fix: text! {
        en: "Multiple only up to the last tag before the first that is not \
             done; or ack each by itself.",
        zh: "multiple 只 ack 到第一个没做完的之前（低水位）；或者逐条 ack。"
    },
    limit: text! {
        en: "One slow order now holds back the acks behind it: the prefetch \
             fills, and what is done behind it comes twice (unique key).",
        zh: "一个慢的会拖住后面的 ack：prefetch 占满；\
             后面已做完的也会重投，要靠唯一键。"
    },
    say: text! {
        en: "\"Multiple means all up to here. Side by side, never ack past the \
             oldest that is still in work.\"",
        zh: "「multiple 是『到这里为止全部』。并发处理时，\
             不能越过最早那个没做完的。」"
    },
    source: &[
        include_str!("ack_multiple.rs"),
        include_str!("ack_multiple/stage.rs"),
    ],
};

/// Acks all up to the newest that is done.
async fn ack_the_newest(done: &BTreeSet<u64>, acks: &mut Acks) -> Ran {
    let last = done.last().copied();
    acks.up_to(last).await
}

/// Acks all up to the last before the first that is not done.
async fn ack_up_to_the_gap(done: &BTreeSet<u64>, acks: &mut Acks) -> Ran {
    let behind = acks.acked + 1..;
    let last = behind.take_while(|tag| done.contains(tag)).last();
    acks.up_to(last).await
}

async fn pack_once(lab: Lab, ack: Ack) -> Ran {
    packed_side_by_side(&lab, Packs::OncePerOrder, ack).await
}

async fn pack_every_delivery(lab: Lab, ack: Ack) -> Ran {
    packed_side_by_side(&lab, Packs::EveryDelivery, ack).await
}

/// The broker expected no ack any more, and exactly the slow ones are gone.
fn the_slow_are_lost(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "unacked", 0)?;
    figure_is(outcome, "redelivered", 0)?;
    lost_exactly_where_struck(outcome)
}

/// All were packed once; exactly the slow ones came again, and what was done
/// behind them in the meantime.
fn all_once_and_all_behind_again(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    they_and_those_behind_again(outcome)
}

/// Exactly what was done behind the slow ones is packed twice.
fn the_done_behind_are_doubled(outcome: &Outcome) -> Result<(), Text> {
    they_and_those_behind_again(outcome)?;
    let done = behind(outcome).take(MORE.into()).collect();
    exactly_these(outcome, &[(Kind::Duplicated, done)])
}

fn they_and_those_behind_again(outcome: &Outcome) -> Result<(), Text> {
    let done = behind(outcome).take(MORE.into()).count() as u32;
    let unacked = outcome.plan.len() + done;
    figure_is(outcome, "unacked", unacked)?;
    figure_is(outcome, "redelivered", unacked)?;
    flagged_where(outcome, ConsumerDies, true)
}
