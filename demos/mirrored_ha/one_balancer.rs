//! One balancer before all brokers is one machine that must not fail.
//!
//! Two, with an address that goes to whoever lives (VRRP), are not. What the
//! address takes along is connections *to come*. Those that are open die with
//! the machine, and what was on them stays unanswered: the publisher has to
//! connect again and send it again, and the consumer to know it again.
//!
//! The machine is taken off the network before it is killed, as one that
//! loses its power is: nobody says good-bye.
//!
//! Source: RFC 9568 (VRRP version 3), section 6.1 "Parameters Per Virtual
//! Router": a backup takes over after three adverts and a skew;
//! keepalived.conf(5), `advert_int`; RabbitMQ documentation, "Publishers", on
//! data safety.

use super::balanced::{
    Blow, every_order_came_through, never, nobody_came_through,
    published_through, until_confirmed,
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    fault::balancer,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::every_attempt_answered,
    },
    mechanism,
    stage::{Balancing, balancer::Address},
    text,
    text::Text,
    way,
};

/// "HAProxy stands before the cluster, so clients are safe."
pub static ONE_BALANCER: Scenario = Scenario {
    id: "one-balancer",
    recipe: text! {
        en: "HAProxy stands before the brokers, so clients need not care.",
        zh: "前面有 HAProxy，客户端不用管 broker 死活。"
    },
    fault: text! {
        en: "The balancer's machine loses its power while orders are published.",
        zh: "发布过程中，负载均衡所在的机器断电。"
    },
    predict: Predict {
        question: text! {
            en: "Two share an address by VRRP; its holder dies. What does the \
                 publisher notice?",
            zh: "两台用 VRRP 共用一个虚拟 IP，持有它的那台断电。生产者会看到什么？"
        },
        choices: &[
            text! {
                en: "a cut: it must connect again and resend",
                zh: "连接断了：要自己重连、重发"
            },
            text! { en: "nothing", zh: "毫无感觉" },
            text! { en: "an outage", zh: "不可用" },
        ],
        right: 0,
    },
    needs: Needs {
        balancers: true,
        fewest: 20,
        most: 400,
        seconds: 35,
        ..Needs::BROKER
    },
    strikes: &[Strike::BalancerKilled],
    hits: Hits::Once,
    tried: super::BOTH,
    ways: Ways::Pair {
        naive: way!(
            one,
            nobody_came_through,
            text! { en: "one HAProxy", zh: "一台 HAProxy" },
        ),
        fixed: way!(
            two_and_an_address,
            every_order_came_through,
            text! {
                en: "two, keepalived, a virtual address; resend",
                zh: "两台加 keepalived 和虚拟 IP；未应答就重发"
            },
        ),
        mechanisms: &[
            mechanism!(
                "keepalived",
                without_keepalived,
                nobody_came_through,
                text! { en: "keepalived", zh: "keepalived" },
            ),
            mechanism!(
                "resend",
                without_resend,
                some_stay_unknown,
                text! {
                    en: "sending the unanswered again", zh: "重发未应答的"
                },
            ),
        ],
    },
    columns: &[Column::Confirmed, Column::Attempts],
    figures: &["unanswered", "after", "gap"],
    bars: &[],
    claim: text! {
        en: "a: the address moved in a second or so (adverts every 0.2 s here; \
             by default every second, so 3 to 4). What was on the wire stayed \
             unanswered, until its publisher sent it again.",
        zh: "a：虚拟 IP 一两秒内漂移（这里 0.2 秒一个通告；默认 1 秒，就要三四秒）。\
             在途的没有应答，由生产者自己重发。"
    },
    fix: text! {
        en: "Two balancers, keepalived; clients that reconnect and resend.",
        zh: "两台负载均衡加 keepalived；客户端要重连、要确认、要重发。"
    },
    limit: text! {
        en: "A resend may double. The gap counts from just before the power \
             goes. Clients come through a third, single HAProxy: from a host \
             with Docker Desktop no container's address can be reached.",
        zh: "重发可能造成重复。中断从断电之前算起。客户端先要经过单独的第三台 \
             HAProxy：装 Docker Desktop 的主机访问不到容器的地址。"
    },
    say: text! {
        en: "\"A virtual IP moves connections; what was in flight is mine.\"",
        zh: "「虚拟 IP 漂移的是连接，在途的消息归客户端管。」"
    },
    source: &[include_str!("one_balancer.rs"), include_str!("balanced.rs")],
};

const POWER_CUT: Blow = Blow {
    strike: Strike::BalancerKilled,
    fall: |balancers, n| Box::pin(balancer::lose(balancers, n)),
    word: text! { en: "no power", zh: "断电" },
    silent: true,
};

/// One balancer, one address.
async fn one(lab: Lab) -> Ran {
    published_through(&lab, &Balancing::ONE, &POWER_CUT, until_confirmed).await
}

/// Two, and the address goes to whoever lives.
async fn two_and_an_address(lab: Lab) -> Ran {
    published_through(&lab, &Balancing::SOUND, &POWER_CUT, until_confirmed)
        .await
}

/// The second one stands there, and nobody gives it the address.
async fn without_keepalived(lab: Lab) -> Ran {
    let how = Balancing { address: Address::Fixed, ..Balancing::SOUND };
    published_through(&lab, &how, &POWER_CUT, until_confirmed).await
}

/// What was not answered is forgotten.
async fn without_resend(lab: Lab) -> Ran {
    published_through(&lab, &Balancing::SOUND, &POWER_CUT, never).await
}

/// The address moved and others came through; what was on the wire before is
/// neither confirmed nor failed.
fn some_stay_unknown(outcome: &Outcome) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    let (after, unanswered) =
        (outcome.figure("after")?, outcome.figure("unanswered")?);
    let counts = &outcome.audit.counts;
    if after > 0.0 && unanswered > 0.0 && counts.unknown as f64 == unanswered {
        return Ok(());
    }
    Err(text! {
        en: "{n} unanswered, {unknown} unknown, {after} confirmed after it",
        zh: "未应答 {n}，未知 {unknown}，其后确认 {after}",
        n = unanswered, unknown = counts.unknown, after = after
    })
}
