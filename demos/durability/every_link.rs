//! The whole chain, and one without each of its links, under the same faults.
//!
//! Every chain has orders, tables, queues and processes of its own, and they
//! stand side by side on one cluster. In each one order meets each of these: a
//! producer that dies, a connection that is cut, a key that leads nowhere, a
//! consumer that dies before its commit and one that dies after, and a poison
//! message. Then, in between, one node is lost with its disk, and another
//! killed at the same moment.
//!
//! A quorum queue is always durable, writes every message, and is replicated:
//! these three links are one there. They are taken apart with classic queues,
//! on the node that is killed and comes back, and on the one that is lost. The
//! operator takes the lost node off the list, and what was on its disk is not
//! anywhere else. A message keeps its delivery mode: dead-lettered into a
//! classic queue, one that is not persistent goes with that node's restart.
//!
//! Source: RabbitMQ documentation, "Reliability Guide" and "Quorum Queues"; "Dead
//! Letter Exchanges", section "Dead-Lettered Effects on Messages"; that a message
//! that is not persistent goes with a restart, `fire-and-forget` shows.

mod checks;
mod links;
mod packer;
mod people;
mod shop;
mod site;

use anyhow::ensure;
use futures::future::try_join_all;

use self::{
    checks::each_link_is_needed,
    links::{Chain, FEWEST, LINKS, Link, chains},
    packer::pack,
    shop::Shop,
    site::Site,
};
use crate::{
    demos::shop::orders::Ran,
    event::{Column, Grid, GridRow},
    lab::{Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    ledger::{Kind, MessageId},
    text,
    text::Text,
    way,
};

/// "We have three replicas: nothing can be lost."
pub static EVERY_LINK: Scenario = Scenario {
    id: "every-link",
    recipe: text! {
        en: "Three nodes, a quorum queue: what else could be lost?",
        zh: "三个节点加仲裁队列，还能丢什么？"
    },
    fault: text! {
        en: "A death each: producer, connection, node, disk, consumer; a wrong \
             key, a poison message.",
        zh: "生产者、连接、节点、磁盘、消费者各死一次，外加一个错 key、一条毒消息。"
    },
    predict: Predict {
        question: text! {
            en: "Which of the other links does a quorum queue spare you?",
            zh: "用了仲裁队列，其他环节里哪些可以省？"
        },
        choices: &[
            text! { en: "confirms, ack after the commit", zh: "发布确认、提交后 ack" },
            text! { en: "dead letters, alert", zh: "死信、告警" },
            text! { en: "durable, persistent", zh: "durable、持久化" },
            text! { en: "none", zh: "都不能省" },
        ],
        right: 2,
    },
    needs: Needs {
        mail: true,
        nodes: 3,
        fewest: FEWEST,
        most: 1_000,
        seconds: 40,
        ..Needs::BOOKS
    },
    strikes: &[
        Strike::DieAfterCommit,
        Strike::CutBeforePublish,
        Strike::Unroutable,
        Strike::DiskLost,
        Strike::BrokerKilled,
        Strike::KillBeforeCommit,
        Strike::KillAfterCommit,
        Strike::Poison,
    ],
    hits: Hits::Once,
    tried: super::TRIED,
    ways: Ways::Trap(way!(
        a_chain_without_each_link,
        each_link_is_needed,
        text! {
            en: "twelve chains: one whole, each other without a link",
            zh: "十二条链：一条完整，其余各缺一环"
        },
    )),
    columns: &[
        Column::Accepted,
        Column::Applied,
        Column::Parked,
        Column::Lost,
        Column::Doubled,
    ],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "c: these two it brings along, for what is in it. Each other link \
             answers for one stretch of the way, and for no other.",
        zh: "c：对它自己存着的消息，这两样自带。其余每一环只管一段路，\
             谁也替不了谁。"
    },
    fix: text! {
        en: "Outbox, confirms with mandatory, a quorum queue, ack after the \
             commit, a unique key, dead letters, an alert.",
        zh: "本地消息表、确认加 mandatory、仲裁队列、提交后 ack、唯一键、\
             死信、告警。"
    },
    limit: text! {
        en: "Not two disks at once, a bug, somebody who may delete. Not \
             persistent, a dead letter in a classic queue goes with a restart.",
        zh: "挡不住同时坏两块盘、程序的 bug、有删除权限的人。\
             非持久化消息死信进经典队列，节点一重启就没了。"
    },
    say: text! {
        en: "\"No loss is a chain: name each link and what it answers for.\"",
        zh: "「不丢消息靠一条链：说得出每一环，也说得出它只管哪一段。」"
    },
    source: &[
        include_str!("every_link.rs"),
        include_str!("every_link/shop.rs"),
        include_str!("every_link/packer.rs"),
        include_str!("every_link/people.rs"),
        include_str!("every_link/site.rs"),
        include_str!("every_link/links.rs"),
        include_str!("every_link/checks.rs"),
    ],
};

/// All chains go through the same faults at the same time: their producers,
/// the nodes, their consumers. Then those are told who are to be told, they do
/// what they can, and it is counted.
async fn a_chain_without_each_link(lab: Lab) -> Ran {
    let site = Site::open(&lab).await?;
    let taken = chains().map(|chain| taken_and_published(&site, chain));
    let mut shops = try_join_all(taken).await?;
    tell_published(&lab);
    site.strike_nodes().await?;
    tell_nodes(&lab);
    try_join_all(chains().map(|chain| start_and_pack(&site, chain))).await?;
    tell_packed(&lab);
    for (chain, shop) in chains().zip(&mut shops) {
        people::tell(&site, chain, shop.untold()?).await?;
    }
    let named = people::read_mails(&site).await?;
    let act = chains().zip(&mut shops);
    let act = act.map(|(chain, shop)| people::act(&site, chain, shop, &named));
    try_join_all(act).await?;
    tell_mails(&lab);
    try_join_all(chains().map(|chain| pack(&site, chain))).await?;
    for chain in chains() {
        packer::settle(&lab, chain)?;
        for queue in [chain.queue(), chain.dead_letters()] {
            for order in site.take_all(&queue).await? {
                lab.settle(order, 0, 1);
            }
        }
    }
    lab.grid(grid(&lab));
    let (sums, whole) = (lab.sums(), Chain { without: None });
    let wrong = lab.audit().anomalies;
    let mut whole = whole.of(lab.messages());
    if !whole.any(|order| wrong.iter().any(|one| one.message == order)) {
        lab.came_to(text! {
            en: "none in the whole chain; else {lost} lost, {doubled} doubled, \
                 {stuck} stuck",
            zh: "完整的链全对；其余丢 {lost}、重复 {doubled}、卡住 {stuck}",
            lost = sums.lost, doubled = sums.duplicated, stuck = sums.stuck
        });
    }
    Ok(())
}

async fn taken_and_published(
    site: &Site,
    chain: Chain,
) -> anyhow::Result<Shop> {
    let mut shop = Shop::open(&site.lab, chain)?.take_orders(site)?;
    shop.publish(site).await?;
    if !chain.has(Link::Mandatory) {
        went_nowhere(site, chain).await?;
    }
    Ok(shop)
}

/// Where nothing comes back, only the queue can say what it has not got.
async fn went_nowhere(site: &Site, chain: Chain) -> Ran {
    let strike = Strike::Unroutable;
    let order = chain.fated(&site.lab, strike);
    if let (true, Some(order)) = (site.lab.is_armed(strike), order) {
        let others = chain.of(site.lab.messages()).count() as u32 - 1;
        site.until_there(&chain.queue(), others).await?;
        let ready = site.ready(&chain.queue()).await?;
        ensure!(ready == Some(others), "{ready:?} in the queue, not {others}");
        site.struck(strike, order);
    }
    Ok(())
}

/// An application that starts declares what it needs.
async fn start_and_pack(site: &Site, chain: Chain) -> Ran {
    site.redeclare(chain).await?;
    pack(site, chain).await
}

fn tell_published(lab: &Lab) {
    let sums = lab.sums();
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{accepted} orders in 12 chains: {confirmed} confirmed, \
                 {returned} returned",
            zh: "12 条链共 {accepted} 单：确认 {confirmed}，退回 {returned}",
            accepted = sums.accepted, confirmed = sums.confirmed,
            returned = sums.returned
        },
    );
}

fn tell_nodes(lab: &Lab) {
    if !lab.is_armed(Strike::DiskLost) {
        return;
    }
    lab.step(
        text! { en: "nodes", zh: "节点" },
        text! {
            en: "one lost with its disk; one killed, and started again",
            zh: "一个连盘一起没了；一个被杀后重新启动"
        },
    );
}

fn tell_packed(lab: &Lab) {
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "{deliveries} deliveries of {delivered} orders",
            zh: "{delivered} 个订单，投递 {deliveries} 次",
            deliveries = lab.sums().deliveries, delivered = lab.sums().delivered
        },
    );
}

fn tell_mails(lab: &Lab) {
    let sums = lab.sums();
    lab.step(
        text! { en: "mail", zh: "邮件" },
        text! {
            en: "{told} returned orders named, {parked} dead letters found",
            zh: "点名 {told} 个退回的订单，找到 {parked} 条死信",
            told = sums.reported, parked = sums.parked
        },
    );
}

/// Link by link: what is lost, doubled or stuck, and where it happened.
fn grid(lab: &Lab) -> Grid {
    let audit = lab.audit();
    let count = |chain: Chain, kind: Kind| {
        let mine: Vec<MessageId> = chain.of(lab.messages()).collect();
        let wrong = audit.of(kind).filter(|order| mine.contains(order)).count();
        Text::same(if wrong == 0 { "-".to_owned() } else { wrong.to_string() })
    };
    let row = |chain: Chain, name: Text, place: Text| GridRow {
        name,
        cells: vec![
            count(chain, Kind::Lost),
            count(chain, Kind::Duplicated),
            count(chain, Kind::Stuck),
            place,
        ],
    };
    let whole = row(
        Chain { without: None },
        text! { en: "nothing", zh: "一环不缺" },
        Text::same("-"),
    );
    let each = LINKS.into_iter().map(|link| {
        row(Chain { without: Some(link) }, link.name(), link.unless())
    });
    let per = lab.count() / chains().count() as u32;
    Grid {
        title: text! {
            en: "What was left out, and what became of some {per} orders each",
            zh: "拿掉哪一环，结果如何（每条链约 {per} 单）",
            per = per
        },
        columns: vec![
            text! { en: "lost", zh: "丢失" },
            text! { en: "doubled", zh: "重复" },
            text! { en: "stuck", zh: "卡住" },
            text! { en: "how", zh: "怎么出的事" },
        ],
        rows: std::iter::once(whole).chain(each).collect(),
    }
}
