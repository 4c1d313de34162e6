//! Each new version of a consumer takes a little off the messages that the old
//! one held.
//!
//! A consumer that closes its connection gives back everything unacked, also
//! what was sent ahead and never looked at. A quorum queue takes that for
//! failed deliveries, on every version tried (see
//! [`poison-counted`](super::poison_counted)): with a limit of 3, the fourth
//! deploy takes away orders of which nobody has read a word.
//!
//! In good order a consumer cancels first, so that no more is sent, works off
//! what it was sent, acks, and then closes: nothing is given back, and nothing
//! counted. What it cannot finish in time it gives back by `basic.nack`, which
//! is free since RabbitMQ 4.3 (rabbitmq-server #15387) and counts before.
//!
//! Source: RabbitMQ documentation, "Quorum Queues", section "Poison Message
//! Handling"; "Consumers", section "Cancelling". lapin (4.12) keeps what is in
//! its buffer when a consumer is cancelled, and then ends the stream.

mod checks;
mod stage;

use std::time::Duration;

use self::{
    checks::{
        each_came_once, given_back_or_gone, gone_unread, sent_in_the_meantime,
    },
    stage::{GRACE, Instance, PREFETCH, deploy_again_and_again},
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{Hits, Needs, Predict, Scenario, Strike, Ways},
    mechanism, text, way,
};

/// "On SIGTERM we finish the message in hand, then we exit."
pub static ROLLING_DEPLOY: Scenario = Scenario {
    id: "rolling-deploy",
    recipe: text! {
        en: "On SIGTERM finish the order in hand, ack it, and exit.",
        zh: "收到 SIGTERM，把手头这单做完、ack，再退出。"
    },
    fault: text! {
        en: "Four deploys, one after another; the delivery limit is 3.",
        zh: "连续发版四次；投递上限是 3。"
    },
    predict: Predict {
        question: text! {
            en: "Prefetch 10, nothing ever fails. What do four deploys cost?",
            zh: "prefetch 10，从没失败过。发版四次会怎样？"
        },
        choices: &[
            text! { en: "orders that nobody ever handled", zh: "丢订单，而且没人处理过" },
            text! { en: "redeliveries only", zh: "只是重复投递" },
            text! { en: "nothing", zh: "没事" },
        ],
        right: 0,
    },
    needs: Needs { fewest: 60, most: 1_000, seconds: 4, ..Needs::BOOKS },
    strikes: &[Strike::Deploy],
    hits: Hits::Once,
    tried: super::TRIED,
    ways: Ways::Pair {
        naive: way!(
            deploy_again_and_again,
            finish_the_one_in_hand(instance),
            gone_unread,
            text! {
                en: "finish the one in hand, exit", zh: "做完手头这单就退出"
            },
        ),
        fixed: way!(
            deploy_again_and_again,
            cancel_and_work_off(instance),
            each_came_once,
            text! {
                en: "cancel, work off what was sent, ack, close",
                zh: "先取消订阅，把已推来的做完并 ack，再关闭"
            },
        ),
        mechanisms: &[
            mechanism!(
                "cancel",
                deploy_again_and_again,
                work_off_uncancelled(instance),
                sent_in_the_meantime,
                text! { en: "the cancel", zh: "取消订阅" },
            ),
            mechanism!(
                "work-off",
                deploy_again_and_again,
                cancel_and_give_back(instance),
                given_back_or_gone,
                text! { en: "working off what was sent", zh: "做完已推来的" },
            ),
        ],
    },
    columns: &[Column::Confirmed, Column::Applied, Column::Lost],
    figures: &["sent"],
    bars: &[],
    claim: text! {
        en: "a: what was sent ahead counts as failed when its consumer goes. \
             Each deploy ate one of the limit, and the fourth was too many.",
        zh: "a：消费者一走，预取而没处理的都记一次失败。\
             每次发版吃掉一次，第四次超限。"
    },
    fix: text! {
        en: "basic.cancel, work off the buffer, ack, then close; a grace period \
             longer than that takes; dead letters in any case.",
        zh: "basic.cancel，做完缓冲区里的，ack，再关闭；\
             宽限期要够长；死信无论如何都要配。"
    },
    limit: text! {
        en: "Too much to finish? Since 4.3 a nack gives it back uncounted; \
             before, only a small prefetch helps. A kill -9 always counts.",
        zh: "做不完？4.3 起用 nack 还回不计数；之前只能把 prefetch 调小。\
             kill -9 总会计数。"
    },
    say: text! {
        en: "\"Stop the flow, empty the hands, ack, and only then hang up.\"",
        zh: "「先停推送，再清手头，ack 完才断开。」"
    },
    source: &[
        include_str!("rolling_deploy.rs"),
        include_str!("rolling_deploy/stage.rs"),
    ],
};

/// SIGTERM: the order in hand is finished and acked. Then the process exits.
async fn finish_the_one_in_hand(instance: Instance) -> Ran {
    instance.finish(1).await?;
    instance.exit().await
}

/// SIGTERM: nothing more is sent, what was sent is worked off. Then the
/// process exits.
async fn cancel_and_work_off(instance: Instance) -> Ran {
    instance.stop_within(GRACE).await
}

/// Without the cancel: what it holds is worked off, and as much is sent in the
/// meantime.
async fn work_off_uncancelled(instance: Instance) -> Ran {
    instance.finish(PREFETCH).await?;
    instance.exit().await
}

/// Without working off: what was sent and not begun is given back by nack.
async fn cancel_and_give_back(instance: Instance) -> Ran {
    instance.stop_within(Duration::ZERO).await
}
