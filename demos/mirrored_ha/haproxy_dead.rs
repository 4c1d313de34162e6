//! The machine lives and its HAProxy does not.
//!
//! VRRP asks whether keepalived lives, and nothing else. Where HAProxy alone
//! dies, keepalived goes on telling the other that all is well, and holds the
//! address where nobody listens. `track_script` has keepalived look at
//! HAProxy; the address moves when the script has failed often enough
//! (here twice, once a second). keepalived goes on without a script that it
//! cannot find or may not run: that it was loaded must be seen in its log.
//!
//! Source: keepalived.conf(5), `vrrp_script` (`interval`, `fall`) and
//! `track_script`; that a missing script is gone on without was seen on
//! keepalived 2.3.

use super::balanced::{
    Blow, every_order_came_through, nobody_came_through, published_through,
    until_confirmed,
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    fault::balancer,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::figure_is,
    },
    mechanism,
    stage::{Balancing, balancer::Address},
    text,
    text::Text,
    way,
};

/// "keepalived moves the address when a balancer is gone."
pub static HAPROXY_DEAD: Scenario = Scenario {
    id: "haproxy-dead",
    recipe: text! {
        en: "Two HAProxy, keepalived: when one is gone, the address moves.",
        zh: "两台 HAProxy 加 keepalived，坏一台，虚拟 IP 就漂走。"
    },
    fault: text! {
        en: "Only the HAProxy process is killed; its machine lives.",
        zh: "只有 HAProxy 进程被杀，机器还在。"
    },
    predict: Predict {
        question: text! {
            en: "HAProxy dies where the address is, keepalived lives. Where does \
                 the address go?",
            zh: "持有虚拟 IP 的机器上，HAProxy 死了，keepalived 活着。虚拟 IP 去哪？"
        },
        choices: &[
            text! {
                en: "nowhere, unless a script looks",
                zh: "不动，除非有脚本检查"
            },
            text! { en: "to the other", zh: "漂到另一台" },
            text! { en: "to both", zh: "两台都有" },
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
    strikes: &[Strike::ProxyKilled],
    hits: Hits::Once,
    tried: super::BOTH,
    ways: Ways::Pair {
        naive: way!(
            keepalived_alone,
            stays_where_nobody_listens,
            text! {
                en: "keepalived looks at the other's keepalived",
                zh: "keepalived 只看对方的 keepalived"
            },
        ),
        fixed: way!(
            with_track_script,
            every_order_came_through,
            text! {
                en: "keepalived looks at its own HAProxy too",
                zh: "keepalived 还检查本机的 HAProxy"
            },
        ),
        mechanisms: &[mechanism!(
            "track-script",
            keepalived_alone,
            stays_where_nobody_listens,
            text! { en: "track_script", zh: "track_script" },
        )],
    },
    columns: &[Column::Confirmed, Column::Attempts],
    figures: &["moved", "after", "gap"],
    bars: &[],
    claim: text! {
        en: "a: without a script it stayed, and nothing was confirmed for 15 s. \
             With one it moved within seconds.",
        zh: "a：没有脚本，虚拟 IP 原地不动，15 秒内一条都没确认；\
             有脚本，几秒就漂走。"
    },
    fix: text! {
        en: "track_script. See that it is loaded: VRRP_Script(...) succeeded.",
        zh: "配 track_script，并在日志里确认它已加载：VRRP_Script(...) succeeded。"
    },
    limit: text! {
        en: "It sees what it tests: HAProxy without a broker keeps the address. \
             The gap counts from just before the kill.",
        zh: "脚本只看它检查的东西：HAProxy 活着、后端全死，虚拟 IP 照样不走。\
             中断从动手杀之前算起。"
    },
    say: text! {
        en: "\"VRRP watches the machine, track_script watches the service.\"",
        zh: "「VRRP 只管机器死没死，track_script 才管服务死没死。」"
    },
    source: &[include_str!("haproxy_dead.rs"), include_str!("balanced.rs")],
};

const KILLED: Blow = Blow {
    strike: Strike::ProxyKilled,
    fall: |balancers, n| Box::pin(balancer::kill_proxy(balancers, n)),
    word: text! { en: "HAProxy killed", zh: "HAProxy 被杀" },
    silent: false,
};

/// keepalived, and nothing that it looks at.
async fn keepalived_alone(lab: Lab) -> Ran {
    let how = Balancing { address: Address::Vrrp, ..Balancing::SOUND };
    published_through(&lab, &how, &KILLED, until_confirmed).await
}

/// keepalived with a script that asks for HAProxy.
async fn with_track_script(lab: Lab) -> Ran {
    published_through(&lab, &Balancing::SOUND, &KILLED, until_confirmed).await
}

/// The address stayed, and nothing was confirmed any more.
fn stays_where_nobody_listens(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "moved", 0)?;
    nobody_came_through(outcome)
}
