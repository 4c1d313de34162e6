//! Round and round by dead letters: the broker breaks the circle.
//!
//! A dead letter is not routed to a queue that it has died in before, unless
//! a consumer has rejected it (`requeue = false`) since: it is dropped. Seen
//! on 3.10 and 4.3 with a delivery limit and a TTL, and with two TTLs: when the
//! delay is over the message does not come back even once. On 4.3 a reject
//! saves its own lap only: what was rejected, came back, and then met the
//! limit or a TTL was dropped on its way to the delay. On 3.10, whose
//! `x-death` is not in the order of time, it came back once more. With
//! at-least-once dead-lettering it is neither dropped nor delivered: it stays
//! in the queue of the delay, counted among its messages and not among those
//! that are ready.
//!
//! Source: RabbitMQ 3.13 documentation, "Dead Letter Exchanges", section
//! "Routing Dead-Lettered Messages"; `rabbit_dead_letter` of 3.10.8 and 4.3.6 (`detect_cycles`; its warning is logged once for each cycle and
//! queue), `mc:is_death_cycle/2` of 4.3.6.

mod checks;
mod consumer;
mod stage;

use self::{
    checks::{all_gone, none_lost, the_deadly_are_gone},
    stage::{
        Failed::{Copied, GivenBack},
        LimitLeadsTo::{TheDelay, TheParking},
        Rules, go_round,
    },
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    mechanism, text, way,
};

/// "The limit sends it to the delay queue, the TTL sends it back."
pub static SECOND_LAP: Scenario = Scenario {
    id: "second-lap",
    recipe: text! {
        en: "The delivery limit leads to a delay queue, its TTL back: it retries.",
        zh: "超过投递上限就进延时队列，TTL 到期再回来：自动重试。"
    },
    fault: text! {
        en: "1 order in 10 fails twice, or kills its consumer every time.",
        zh: "每 10 单有 1 单：失败两次，或每次都让消费者崩溃。"
    },
    predict: Predict {
        question: text! {
            en: "Limit, delay queue, TTL, work queue. And an order that failed?",
            zh: "上限 -> 延时队列 -> TTL 到期 -> 工作队列。失败的订单会怎样？"
        },
        choices: &[
            text! { en: "goes round until it works", zh: "一直转，直到成功" },
            text! { en: "is gone when its delay is over", zh: "延时一到就没了" },
            text! { en: "ends in the delay queue", zh: "留在延时队列里" },
        ],
        right: 1,
    },
    needs: Needs { fewest: 10, most: 2_000, seconds: 8, ..Needs::BROKER },
    strikes: &[Strike::SecondLap, Strike::Poison],
    hits: Hits::OneInTen,
    tried: super::TRIED,
    ways: Ways::Pair {
        naive: way!(
            round_by_dead_letters,
            all_gone,
            text! {
                en: "round by dead letters alone", zh: "只靠死信转圈"
            },
        ),
        fixed: way!(
            round_by_copies,
            none_lost,
            text! {
                en: "a copy of our own; the limit leads to parking",
                zh: "自己另发一份；超限的进人工队列"
            },
        ),
        mechanisms: &[
            mechanism!(
                "own-copy",
                round_by_dead_letters,
                all_gone,
                text! { en: "a copy of our own", zh: "自己另发一份" },
            ),
            mechanism!(
                "limit-to-parking",
                copies_but_the_limit_leads_round,
                the_deadly_are_gone,
                text! {
                    en: "the limit that leads to parking",
                    zh: "超限进人工队列"
                },
            ),
        ],
    },
    columns: &[
        Column::Confirmed,
        Column::Applied,
        Column::Parked,
        Column::Lost,
    ],
    figures: &["log"],
    bars: &[],
    claim: text! {
        en: "b: a dead letter does not return to a queue it has died in, unless \
             rejected (requeue = false) since. One log line for them all.",
        zh: "b：死信不会再投回它「死」过的队列，除非其间被 reject 过\
             （requeue = false）。丢再多，日志也只有一行。"
    },
    fix: text! {
        en: "Publish a copy, wait for its confirm, ack. The limit catches what \
             kills its consumer: let it lead to a parking queue.",
        zh: "自己另发一份，等确认，再 ack。投递上限用来兜住弄死消费者的消息：\
             让它通往人工队列。"
    },
    limit: text! {
        en: "One reject (requeue = false) saves its own lap. On 4.3 the next \
             one, by limit or TTL, is dropped all the same.",
        zh: "reject（requeue = false）只保得住那一圈：在 4.3 上，下一圈若是超限\
             或过期，照样被丢。"
    },
    say: text! {
        en: "\"A cycle without a reject in it is cut by the broker: a loss.\"",
        zh: "「循环里没有 reject，broker 就会掐断它，消息就丢了。」"
    },
    source: &[
        include_str!("second_lap.rs"),
        include_str!("second_lap/stage.rs"),
        include_str!("second_lap/consumer.rs"),
    ],
};

/// What fails is given back until the limit takes it to the delay.
async fn round_by_dead_letters(lab: Lab) -> Ran {
    let rules = Rules { failed: GivenBack, limit_leads_to: TheDelay };
    go_round(&lab, rules).await
}

/// What fails is copied to the delay; what kills its consumer is parked.
async fn round_by_copies(lab: Lab) -> Ran {
    let rules = Rules { failed: Copied, limit_leads_to: TheParking };
    go_round(&lab, rules).await
}

/// Without the parking: the limit leads round.
async fn copies_but_the_limit_leads_round(lab: Lab) -> Ran {
    let rules = Rules { failed: Copied, limit_leads_to: TheDelay };
    go_round(&lab, rules).await
}
