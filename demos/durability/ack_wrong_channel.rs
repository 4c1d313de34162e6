//! An ack by number alone, on another channel than the delivery came on.
//!
//! Source: RabbitMQ documentation, "Consumer Acknowledgements and Publisher
//! Confirms", section "Delivery Identifiers: Delivery Tags": tags are scoped
//! per channel, and an ack on a different channel closes it with "unknown
//! delivery tag". That holds where the other channel has no such tag open;
//! where it has one, the broker acks that, without a word (seen here on 3.10
//! and 4.3).

mod stage;

use std::collections::BTreeSet;

use self::stage::{Paid, two_channels};
use super::TRIED;
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        Hits, Needs, Outcome, Predict, Scenario,
        Strike::ConsumerDies,
        Ways,
        check::{every_message_once, exactly_these, figure_is, flagged_where},
    },
    ledger::{Kind, MessageId},
    mechanism, text,
    text::Text,
    way,
};

/// "A delivery tag names the delivery: keep the number and ack it later."
pub static ACK_WRONG_CHANNEL: Scenario = Scenario {
    id: "ack-wrong-channel",
    recipe: text! {
        en: "Keep the delivery tag, and ack it later on the channel at hand.",
        zh: "记下 delivery tag，稍后在手边的 channel 上 ack。"
    },
    fault: text! {
        en: "The consumer dies: 1 order in 10, on the other channel, is in work.",
        zh: "消费者崩溃，另一个 channel 上有 1/10 的订单还在处理。"
    },
    predict: Predict {
        question: text! {
            en: "An order came as tag 7 on channel 2, and tag 7 is acked on \
                 channel 1, which has a 7 in work, too. The broker?",
            zh: "订单在 channel 2 上的 tag 是 7，却在 channel 1 上 ack 了 7，\
                 channel 1 也有个 7 在处理。broker 会？"
        },
        choices: &[
            text! { en: "acks the right one", zh: "ack 对的那个" },
            text! { en: "acks channel 1's 7", zh: "ack channel 1 的 7" },
            text! { en: "says 406, unknown tag", zh: "报 406，tag 未知" },
            text! { en: "ignores it", zh: "忽略" },
        ],
        right: 1,
    },
    needs: Needs { fewest: 10, most: 2_000, ..Needs::BOOKS },
    strikes: &[ConsumerDies],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Three {
        naive: way!(
            two_channels,
            ack_at_hand(order),
            namesakes_swapped,
            text! { en: "ack on the channel at hand", zh: "在手边的 channel 上 ack" },
        ),
        halfway: way!(
            two_channels,
            ack_on_one_for_acks(order),
            refused_and_doubled,
            text! { en: "ack on a channel just for acks", zh: "专开一个 channel 来 ack" },
        ),
        fixed: way!(
            two_channels,
            ack_where_it_came(order),
            all_once_in_silence,
            text! { en: "ack on the channel it came on", zh: "从哪个 channel 来，就在哪个 ack" },
        ),
        mechanisms: &[mechanism!(
            "own-channel",
            two_channels,
            ack_at_hand(order),
            namesakes_swapped,
            text! { en: "the channel of the delivery", zh: "在原 channel 上 ack" },
        )],
    },
    columns: &[
        Column::Confirmed,
        Column::Applied,
        Column::Lost,
        Column::Doubled,
    ],
    figures: &["406"],
    bars: &[],
    claim: text! {
        en: "b: and says nothing. 7 is only a number: the order in work there is \
             lost, the packed one comes again. Where no 7 is open: 406.",
        zh: "b：而且一声不吭。7 只是个编号：那边还在处理的订单丢了，\
             这边打包好的又来一遍。那边没有 7 才报 406。"
    },
    fix: text! {
        en: "Keep the delivery, not the number: most clients' deliveries ack \
             themselves (in lapin, delivery.ack()).",
        zh: "别只存编号，要留住 delivery 本身，由它来 ack\
             （lapin：delivery.ack()）。"
    },
    limit: text! {
        en: "Tags begin at 1 on every channel, also on the one that is opened \
             after a reconnect: there an old number is another order, too.",
        zh: "每个 channel 的 tag 都从 1 开始，断线重连后新开的也一样：\
             旧编号到那里就是另一个订单。"
    },
    say: text! {
        en: "\"A tag belongs to its channel. On another it is unknown, if you \
             are lucky.\"",
        zh: "「tag 只在自己的 channel 里有效。拿到别处，运气好才报 406。」"
    },
    source: &[
        include_str!("ack_wrong_channel.rs"),
        include_str!("ack_wrong_channel/stage.rs"),
    ],
};

/// The number is known, and a channel is at hand.
async fn ack_at_hand(order: &Paid) -> Ran {
    order.ack_on(&order.at_hand).await
}

/// The number is known, and there is a channel for all acks.
async fn ack_on_one_for_acks(order: &Paid) -> Ran {
    order.ack_on(&order.for_acks).await
}

/// The number and the channel belong together.
async fn ack_where_it_came(order: &Paid) -> Ran {
    order.ack_on(&order.came_on).await
}

/// No error at all. The transfers in work are acked, so they are lost with
/// their consumer; the cards of the same numbers are not, and packed again.
fn namesakes_swapped(outcome: &Outcome) -> Result<(), Text> {
    let (struck, namesakes) = (outcome.plan.len(), namesakes(outcome));
    unacked(outcome, 0, struck)?;
    figure_is(outcome, "406", 0)?;
    let lost = outcome.plan.of(ConsumerDies).collect();
    let expected = [(Kind::Lost, lost), (Kind::Duplicated, namesakes)];
    exactly_these(outcome, &expected)
}

/// The first ack has the channel closed, and there is no second: nothing is
/// acked, and every card that was packed is packed again.
fn refused_and_doubled(outcome: &Outcome) -> Result<(), Text> {
    let (struck, namesakes) = (outcome.plan.len(), namesakes(outcome));
    unacked(outcome, struck, struck)?;
    figure_is(outcome, "406", 1)?;
    flagged_where(outcome, ConsumerDies, true)?;
    exactly_these(outcome, &[(Kind::Duplicated, namesakes)])
}

/// Exactly the transfers in work come again.
fn all_once_in_silence(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    unacked(outcome, outcome.plan.len(), 0)?;
    figure_is(outcome, "406", 0)?;
    flagged_where(outcome, ConsumerDies, true)
}

/// The cards with the same tags as the transfers in work: the first ones.
fn namesakes(outcome: &Outcome) -> BTreeSet<MessageId> {
    let orders = (1..=outcome.messages).map(|n| outcome.noun.number(n));
    let cards = orders.filter(|order| !outcome.plan.strikes(*order));
    cards.take(outcome.plan.len() as usize).collect()
}

fn unacked(outcome: &Outcome, transfers: u32, cards: u32) -> Result<(), Text> {
    figure_is(outcome, "transfers", transfers)?;
    figure_is(outcome, "cards", cards)
}
