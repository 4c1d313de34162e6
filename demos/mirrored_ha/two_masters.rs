//! The balancers no longer hear each other, and both hold the address.
//!
//! VRRP has no majority: who hears no adverts is the master. Which of the two
//! a client then reaches is what its ARP table says, the newcomer's gratuitous
//! ARP mostly; nothing is claimed of that here. Both forward to the same
//! brokers, so no data splits; connections do.
//!
//! Source: RFC 9568, section 6.4.2 "Backup" (`Active_Down_Timer`) and 6.4.3
//! "Active": of two, the lower priority gives way.

use super::{
    balanced::{Front, SOON, halves},
    nodes::{PATIENCE, WINDOW},
};
use crate::{
    demos::shop::orders::{ORDERS, Ran},
    event::{Column, Unit},
    fault::balancer,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_message_confirmed, every_message_once, figure_is},
    },
    pattern::failover::FailoverPublisher,
    stage::Balancing,
    text,
    text::Text,
    way,
};

/// "A virtual address is on one machine at a time."
pub static TWO_MASTERS: Scenario = Scenario {
    id: "two-masters",
    recipe: text! {
        en: "A virtual address is on one machine at a time.",
        zh: "虚拟 IP 同一时刻只在一台机器上。"
    },
    fault: text! {
        en: "The two balancers do not hear each other; all else is as it was.",
        zh: "两台负载均衡之间断网，别的都正常。"
    },
    predict: Predict {
        question: text! {
            en: "VRRP adverts no longer arrive. Who holds the address?",
            zh: "VRRP 通告互相收不到了。虚拟 IP 在谁手里？"
        },
        choices: &[
            text! { en: "both", zh: "两台都有" },
            text! { en: "neither: there is no majority", zh: "都没有：没有多数派" },
            text! { en: "the one with the higher priority", zh: "优先级高的那台" },
        ],
        right: 0,
    },
    needs: Needs {
        balancers: true,
        fewest: 4,
        most: 400,
        seconds: 15,
        ..Needs::BROKER
    },
    strikes: &[Strike::BalancersParted],
    hits: Hits::Once,
    tried: super::BOTH,
    ways: Ways::Trap(way!(
        both_hold_it,
        two_and_then_one,
        text! {
            en: "two balancers that hear each other no more",
            zh: "两台互相听不见的负载均衡"
        },
    )),
    columns: &[Column::Confirmed, Column::Applied, Column::Lost],
    figures: &["parted", "healed"],
    bars: &[],
    claim: text! {
        en: "a: each took the other for dead. When they heard each other again, \
             the lower priority gave way.",
        zh: "a：都以为对方死了。重新听见之后，优先级低的让出。"
    },
    fix: text! {
        en: "Adverts on the path of the service; an alarm on two masters.",
        zh: "通告与业务走同一条链路；出现双主要告警。"
    },
    limit: text! {
        en: "Which of them a client reaches, ARP decides: here that of a third, \
             single HAProxy which all come through, for from a host with Docker \
             Desktop no container's address can be reached. Brokers do not split.",
        zh: "客户端连到哪一台，看 ARP：这里看的是单独的第三台 HAProxy 的 ARP，\
             客户端都先经过它，因为装 Docker Desktop 的主机访问不到容器的地址。\
             broker 不会因此脑裂。"
    },
    say: text! {
        en: "\"VRRP has no quorum: cut it, and there are two masters.\"",
        zh: "「VRRP 没有仲裁：一断就是双主。」"
    },
    source: &[include_str!("two_masters.rs"), include_str!("balanced.rs")],
};

/// The balancers are cut apart, and healed.
async fn both_hold_it(lab: Lab) -> Ran {
    let broker = lab.broker();
    let front = Front::start(&lab, &Balancing::SOUND, &[broker]).await?;
    let uri = front.uri(Some(10));
    let mut shop =
        FailoverPublisher::new([uri], ORDERS, PATIENCE, lab.witness());
    let (mut before, after) = halves(&lab);
    let meanwhile = before.split_off(before.len() / 2);
    shop.publish_all(before, WINDOW, SOON).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders through the address",
            zh: "经虚拟 IP 发布 {n} 个订单",
            n = lab.sums().confirmed
        },
    );
    front.draw(&[]).await;
    if !lab.is_armed(Strike::BalancersParted) {
        return Ok(());
    }
    balancer::part(&front.balancers).await?;
    hold(&lab, &front, 2).await?;
    lab.struck_once(Strike::BalancersParted);
    observe(&lab, &front, "parted", text! { en: "cut", zh: "断开时" }).await;
    let many = meanwhile.len();
    shop.publish_all(meanwhile, WINDOW, SOON).await?;
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "adverts cut: both hold the address; {many} orders confirmed",
            zh: "通告中断：两台都有虚拟 IP；确认 {many} 个订单", many = many
        },
    );
    front.draw_sides(&[], true).await;
    lab.came_to(text! {
        en: "both held the address", zh: "两台都有虚拟 IP"
    });
    balancer::heal(&front.balancers).await?;
    hold(&lab, &front, 1).await?;
    observe(&lab, &front, "healed", text! { en: "healed", zh: "恢复后" }).await;
    let holder = front.balancers.holder().await.map_or(0, |n| n + 1);
    let name =
        text! { en: "number of who holds it then", zh: "之后持有者的编号" };
    lab.observe("holder", name, holder as f64, Unit::Count);
    shop.publish_all(after, WINDOW, SOON).await?;
    let done = front.work_off().await?;
    lab.step(
        text! { en: "heal", zh: "恢复" },
        text! {
            en: "only lb{holder} holds it; {done} of {all} orders in the queue",
            zh: "又只剩 lb{holder} 一台；队列里有 {done}/{all} 个订单",
            holder = holder, done = done, all = lab.count()
        },
    );
    front.draw(&[]).await;
    Ok(())
}

async fn hold(lab: &Lab, front: &Front<'_>, many: usize) -> Ran {
    let what = text! {
        en: "{many} to hold the address", zh: "持有虚拟 IP 的有 {many} 台", many = many
    };
    let is_so = || async { Ok(front.balancers.holders().await.len() == many) };
    lab.wait_until(what, SOON, is_so).await
}

async fn observe(lab: &Lab, front: &Front<'_>, id: &str, name: Text) {
    let many = front.balancers.holders().await.len();
    lab.observe(id, name, many as f64, Unit::Count);
}

/// The balancer with the higher priority.
const HIGHER: u32 = 1;

/// Both held it, then the one with the higher priority alone, and no order is
/// missing.
fn two_and_then_one(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "parted", 2)?;
    figure_is(outcome, "healed", 1)?;
    figure_is(outcome, "holder", HIGHER)?;
    every_message_confirmed(outcome)?;
    every_message_once(outcome)
}
