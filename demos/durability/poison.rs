//! A message that fails whoever works on it, and however often.
//!
//! Given back to a classic queue it comes again at once, for ever. A quorum
//! queue gives up on it once more deliveries have failed than its delivery
//! limit allows, and then drops it, unless it knows a dead-letter exchange.
//!
//! The failure is told by `basic.reject`, the one answer that counts on every
//! version: since RabbitMQ 4.3 a `basic.nack` is given back uncounted
//! (rabbitmq-server #15387), and [`poison-counted`](super::poison_counted)
//! measures it. The limit is declared: RabbitMQ 3.10 has none of its own, from
//! 4.0 on it is 20.
//!
//! Source: RabbitMQ documentation, "Quorum Queues", section "Poison Message
//! Handling", and "Negative Acknowledgements" (4.3), section "basic.reject vs.
//! basic.nack".

mod checks;
mod stage;

use self::{
    checks::{
        endless_and_still_queued, gone_in_silence, later_or_never,
        left_where_they_were_parked, parked_again, parked_then_done,
    },
    stage::{How, LIMIT, Replay, Signal, pack_beside_poison},
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    mechanism, text, way,
};

/// "It failed: back into the queue, next time it will work."
pub static POISON: Scenario = Scenario {
    id: "poison",
    recipe: text! {
        en: "It failed? Requeue it, perhaps it works next time.",
        zh: "处理失败就放回队列，下次也许就成了。"
    },
    fault: text! {
        en: "1 order in 10 fails at every attempt, until the code is mended.",
        zh: "每 10 单有 1 单每次处理都失败，直到代码修好。"
    },
    predict: Predict {
        question: text! {
            en: "A quorum queue, limit 5, no dead letters; each failure a \
                 reject. The poison?",
            zh: "仲裁队列，投递上限 5，没配死信；失败就 reject 放回。毒消息最后？"
        },
        choices: &[
            text! { en: "ends at the tail", zh: "排在队尾" },
            text! { en: "is set aside", zh: "被单独放着" },
            text! { en: "loops on", zh: "一直循环" },
            text! { en: "is deleted", zh: "被删掉" },
        ],
        right: 3,
    },
    needs: Needs { fewest: 10, most: 1_000, seconds: 5, ..Needs::BOOKS },
    strikes: &[Strike::Poison],
    hits: Hits::OneInTen,
    tried: super::TRIED,
    ways: Ways::Three {
        naive: way!(
            requeue_what_fails,
            endless_and_still_queued,
            text! {
                en: "a classic queue; nack what fails, requeue",
                zh: "经典队列，失败就 nack 放回"
            },
        ),
        halfway: way!(
            limit_what_fails,
            gone_in_silence,
            text! {
                en: "a quorum queue, delivery limit 5; reject, requeue",
                zh: "仲裁队列，投递上限 5；失败就 reject 放回"
            },
        ),
        fixed: way!(
            limit_park_and_replay,
            parked_then_done,
            text! {
                en: "the same with dead letters; mend, then replay",
                zh: "同上，加死信进人工队列；修好再重放"
            },
        ),
        mechanisms: &[
            mechanism!(
                "delivery-limit",
                without_a_limit_of_our_own,
                later_or_never,
                text! { en: "a delivery limit of 5", zh: "投递上限 5" },
            ),
            mechanism!(
                "dead-letters",
                without_dead_letters,
                gone_in_silence,
                text! { en: "the dead-letter exchange", zh: "死信交换机" },
            ),
            mechanism!(
                "mend",
                without_mending_first,
                parked_again,
                text! { en: "mending before the replay", zh: "先修好再重放" },
            ),
            mechanism!(
                "replay",
                without_a_replay,
                left_where_they_were_parked,
                text! { en: "the replay", zh: "重放" },
            ),
        ],
    },
    columns: &[
        Column::Confirmed,
        Column::Applied,
        Column::Lost,
        Column::Stuck,
        Column::Parked,
        Column::Deliveries,
    ],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "d: one failure more than the limit, and it is dropped in silence, \
             unless there is a dead-letter exchange. Classic queues never stop.",
        zh: "d：失败次数超过上限就丢弃，毫无声响，除非配了死信交换机。\
             经典队列则永远循环。"
    },
    fix: text! {
        en: "A limit of your own, dead letters to a queue with an alert; mend, \
             replay. Tell failure by reject: since 4.3 a nack does not count.",
        zh: "自己设上限，死信进带告警的队列；修好再重放。\
             失败用 reject：4.3 起 nack 不计数。"
    },
    limit: text! {
        en: "On 4.3 who hangs never fails. On a classic queue, as many poison \
             messages as the prefetch block all others. Replays may double.",
        zh: "4.3 上卡死不算失败。经典队列里毒消息攒够 prefetch 条，\
             其他消息全被堵住。重放可能重复。"
    },
    say: text! {
        en: "\"Bound the retries, park the rest where people look, mend, replay.\"",
        zh: "「重试设上限，超限进人工队列，修好再重放。」"
    },
    source: &[include_str!("poison.rs"), include_str!("poison/stage.rs")],
};

/// What fails goes back to where it was.
async fn requeue_what_fails(lab: Lab) -> Ran {
    let how = How {
        queue: "classic",
        limit: None,
        parks: false,
        signal: Signal::Nack,
        replay: Replay::Never,
    };
    pack_beside_poison(&lab, how).await
}

/// What fails too often is given up.
async fn limit_what_fails(lab: Lab) -> Ran {
    let how = How {
        queue: "quorum",
        limit: Some(LIMIT),
        parks: false,
        signal: Signal::Reject,
        replay: Replay::Never,
    };
    pack_beside_poison(&lab, how).await
}

/// What fails too often is put where people look, and comes again when they
/// have done something about it.
async fn limit_park_and_replay(lab: Lab) -> Ran {
    let how = How {
        queue: "quorum",
        limit: Some(LIMIT),
        parks: true,
        signal: Signal::Reject,
        replay: Replay::OnceMended,
    };
    pack_beside_poison(&lab, how).await
}

/// Without the first: with whatever limit the broker has.
async fn without_a_limit_of_our_own(lab: Lab) -> Ran {
    let how = How {
        queue: "quorum",
        limit: None,
        parks: true,
        signal: Signal::Reject,
        replay: Replay::OnceMended,
    };
    pack_beside_poison(&lab, how).await
}

/// Without the second.
async fn without_dead_letters(lab: Lab) -> Ran {
    let how = How {
        queue: "quorum",
        limit: Some(LIMIT),
        parks: false,
        signal: Signal::Reject,
        replay: Replay::OnceMended,
    };
    pack_beside_poison(&lab, how).await
}

/// Without the third: what is replayed fails as it did before.
async fn without_mending_first(lab: Lab) -> Ran {
    let how = How {
        queue: "quorum",
        limit: Some(LIMIT),
        parks: true,
        signal: Signal::Reject,
        replay: Replay::Unmended,
    };
    pack_beside_poison(&lab, how).await
}

/// Without the fourth: nobody looks.
async fn without_a_replay(lab: Lab) -> Ran {
    let how = How {
        queue: "quorum",
        limit: Some(LIMIT),
        parks: true,
        signal: Signal::Reject,
        replay: Replay::Never,
    };
    pack_beside_poison(&lab, how).await
}
