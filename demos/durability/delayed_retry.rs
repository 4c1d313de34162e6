//! RabbitMQ 4.3's own delayed retry on quorum queues, and a slip of the pen.
//!
//! What comes back to the queue waits `min` × its failed deliveries, `max` at
//! most; without a `max` that is `min` each time. Which comes back so is a matter
//! of the type (seen on 4.3.6): `failed` is `basic.reject` with requeue and a
//! consumer that dies, both of which count against the delivery limit;
//! `returned` is `basic.nack` with requeue, which does not count; `all` is
//! both. So with `failed` a nack goes round hot, and for ever.
//!
//! The arguments of a queue are not checked: an unknown type, a min that is
//! missing, negative or a string, a misspelt name all were accepted, and
//! switch it off; so does 3.10 with every one of them. A policy is checked, and
//! refused with the reason; on 4.3.0 every such policy is (rabbitmq-server
//! #16395, mended in 4.3.1; not tried here). What is in effect stands in `GET /api/queues/VHOST/QUEUE` as
//! `delayed_retry`: `failed (min: 200ms, max: 1000ms)`, or `disabled`.
//!
//! Source: `rabbit_quorum_queue` of 4.3.6 (`get_delayed_retry_config`,
//! `validate_policy`), `rabbit_fifo` (`should_delay`, `calculate_ready_at`);
//! RabbitMQ 4.3 documentation, "Quorum Queues".

mod checks;
mod stage;

use serde_json::json;

use self::{
    checks::{
        delayed_and_done, never_counted, parked_at_once, parked_too_soon,
    },
    stage::{Answers, MAX_MS, MIN_MS, Shop, locked_for_a_while},
};
use super::link::{number, word};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        Hits, Lab, Needs, Predict, Scenario, Strike, Ways, scenario::OnlyFour,
    },
    mechanism, text, way,
};

/// "4.3 can do it: three arguments on the queue."
pub static DELAYED_RETRY: Scenario = Scenario {
    id: "delayed-retry",
    recipe: text! {
        en: "4.3 retries with a delay by itself: three queue arguments, done.",
        zh: "4.3 自带延时重试：队列加三个参数就行。"
    },
    fault: text! {
        en: "A service is down for 1.8 s for 1 order in 10; a type is misspelt.",
        zh: "每 10 单有 1 单遇上服务宕机 1.8 秒；类型参数还拼错了。"
    },
    predict: Predict {
        question: text! {
            en: "x-delayed-retry-type=\"fail\" (it is \"failed\"), limit 4. Then?",
            zh: "x-delayed-retry-type=\"fail\"（应为 \"failed\"），上限 4。结果？"
        },
        choices: &[
            text! { en: "no delay: 5 tries in an instant", zh: "没有延时：瞬间试完 5 次" },
            text! { en: "the declare is refused (406)", zh: "声明被拒（406）" },
            text! { en: "the default delay", zh: "按默认延时" },
        ],
        right: 0,
    },
    needs: Needs {
        only_four: Some(OnlyFour::DelayedRetry),
        fewest: 10,
        most: 2_000,
        seconds: 6,
        ..Needs::BROKER
    },
    strikes: &[Strike::ServiceDown],
    hits: Hits::OneInTen,
    tried: &[(4, 3)],
    ways: Ways::Pair {
        naive: way!(
            by_arguments,
            parked_at_once,
            text! { en: "by arguments: accepted", zh: "用队列参数：照收不误" },
        ),
        fixed: way!(
            by_a_policy,
            delayed_and_done,
            text! {
                en: "by a policy: refused, corrected",
                zh: "用 policy：被拒，改正"
            },
        ),
        mechanisms: &[
            mechanism!(
                "policy",
                by_arguments,
                parked_at_once,
                text! {
                en: "a policy instead of arguments", zh: "用 policy 而非参数"
                },
            ),
            mechanism!(
                "max",
                without_a_max,
                parked_too_soon,
                text! { en: "a max above the min", zh: "大于 min 的 max" },
            ),
            mechanism!(
                "reject",
                nacked,
                never_counted,
                text! {
                en: "a reject instead of a nack", zh: "用 reject 而非 nack"
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
    figures: &["tries", "within"],
    bars: &[],
    claim: text! {
        en: "a: queue arguments it does not understand are accepted in silence. \
             All tries are used up before the service is back.",
        zh: "a：看不懂的队列参数照单全收，一声不吭。服务还没恢复，次数就用光了。"
    },
    fix: text! {
        en: "Set it by policy (4.3.1): that is checked. reject, not nack; min, \
             max and limit have to outlast the outage.",
        zh: "用 policy 来设（4.3.1 起），会校验。用 reject，别用 nack；\
             min、max、上限加起来要撑得过故障。"
    },
    limit: text! {
        en: "From 4.3, on quorum queues only. The delay grows by min, not by a \
             factor; the limit's dead letters need a place of their own.",
        zh: "4.3 起，且仅限仲裁队列。延时按 min 递增，不是翻倍；\
             超限的死信要另有去处。"
    },
    say: text! {
        en: "\"What a broker accepts it need not understand: ask it what is in \
             effect.\"",
        zh: "「broker 收下的参数不等于看懂了：要查实际生效的值。」"
    },
    source: &[
        include_str!("delayed_retry.rs"),
        include_str!("delayed_retry/stage.rs"),
    ],
};

/// The type is misspelt, and nobody says so.
async fn by_arguments(lab: Lab) -> Ran {
    let retry = [
        word("x-delayed-retry-type", "fail"),
        number("x-delayed-retry-min", MIN_MS),
        number("x-delayed-retry-max", MAX_MS),
    ];
    let shop = Shop::declare(&lab, &retry).await?;
    locked_for_a_while(shop, Answers::Reject).await
}

/// The type is misspelt, the broker says so, and it is corrected.
async fn by_a_policy(lab: Lab) -> Ran {
    let mut shop = Shop::declare(&lab, &[]).await?;
    for kind in ["fail", "failed"] {
        let retry = json!({
            "delayed-retry-type": kind,
            "delayed-retry-min": MIN_MS,
            "delayed-retry-max": MAX_MS,
        });
        shop.set_policy(retry).await?;
    }
    locked_for_a_while(shop, Answers::Reject).await
}

/// Without a max: it is the min then, and the delay does not grow.
async fn without_a_max(lab: Lab) -> Ran {
    let mut shop = Shop::declare(&lab, &[]).await?;
    for kind in ["fail", "failed"] {
        let retry = json!({
            "delayed-retry-type": kind,
            "delayed-retry-min": MIN_MS,
        });
        shop.set_policy(retry).await?;
    }
    locked_for_a_while(shop, Answers::Reject).await
}

/// Without the reject: what is nacked has not failed.
async fn nacked(lab: Lab) -> Ran {
    let mut shop = Shop::declare(&lab, &[]).await?;
    for kind in ["fail", "failed"] {
        let retry = json!({
            "delayed-retry-type": kind,
            "delayed-retry-min": MIN_MS,
            "delayed-retry-max": MAX_MS,
        });
        shop.set_policy(retry).await?;
    }
    locked_for_a_while(shop, Answers::Nack).await
}
