//! One mirror stands still, and nobody gets a confirm any more.
//!
//! A mirrored queue confirms when *every* mirror has the message. One that
//! hangs (a disk, a long garbage collection, a frozen virtual machine) stalls
//! all publishers until the others take it for dead: `net_ticktime`, a minute
//! by default, five seconds here. More mirrors make that more likely. A quorum
//! queue waits for a majority: the slowest of three is not waited for.
//!
//! Source: RabbitMQ 3.13 documentation, "Classic Queue Mirroring", section
//! "Publisher Confirms and Transactions"; "Consumer Acknowledgements and
//! Publisher Confirms", section "When Will Published Messages Be Confirmed by
//! the Broker?"; "Net Tick Time".

use serde_json::json;

use super::{
    meanwhile::{all_meanwhile, nothing_meanwhile, split},
    nodes::{Kind, Nodes, SOON, WINDOW},
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    fault::container,
    lab::{
        ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
    },
    mechanism, text,
    text::Text,
    way,
};

/// "More mirrors are safer."
pub static SLOW_MIRROR: Scenario = Scenario {
    id: "slow-mirror",
    recipe: text! {
        en: "Mirror it to all nodes: the more mirrors, the safer.",
        zh: "镜像到所有节点：镜像越多越安全。"
    },
    fault: text! {
        en: "One node stands still for some seconds, its sockets open.",
        zh: "有个节点卡住几秒，连接都还在。"
    },
    predict: Predict {
        question: text! {
            en: "One of three copies hangs (not the leader). How many publishes \
                 are confirmed within two seconds?",
            zh: "三份里有一份卡住（不是主）。两秒之内能确认多少？"
        },
        choices: &[
            text! { en: "all, on both kinds of queue", zh: "两种队列都全部确认" },
            text! {
                en: "mirrored none, quorum all", zh: "镜像 0 个，仲裁全部"
            },
            text! { en: "none on either", zh: "两种都是 0 个" },
        ],
        right: 1,
    },
    needs: Needs {
        cluster: Some(ClusterOf::Three),
        fewest: 10,
        most: 1_000,
        seconds: 30,
        ..Needs::BROKER
    },
    strikes: &[Strike::Paused],
    hits: Hits::Once,
    tried: super::MIRRORED,
    ways: Ways::Pair {
        naive: way!(
            mirrored_to_all,
            nothing_meanwhile,
            text! {
                en: "a mirrored queue on all three nodes",
                zh: "镜像队列，三个节点都有"
            },
        ),
        fixed: way!(
            quorum,
            nobody_waits,
            text! {
                en: "a quorum queue on all three nodes",
                zh: "仲裁队列，三个节点都有"
            },
        ),
        mechanisms: &[mechanism!(
            "majority",
            mirrored_to_all,
            nothing_meanwhile,
            text! {
                en: "a majority is enough for a confirm",
                zh: "多数派即可确认"
            },
        )],
    },
    columns: &[
        Column::Confirmed,
        Column::Attempts,
        Column::Applied,
        Column::Lost,
    ],
    figures: &["meanwhile"],
    bars: &[],
    claim: text! {
        en: "b: a mirrored queue confirms when every mirror has it, so the \
             slowest one sets the pace, and one that hangs stops all.",
        zh: "b：镜像队列要每个镜像都写到才确认，最慢的决定快慢，\
             卡住一个就全停。"
    },
    fix: text! {
        en: "A quorum queue: two of three are enough, whoever is slow.",
        zh: "仲裁队列：三个里有两个写到就够，不管慢的是谁。"
    },
    limit: text! {
        en: "A paused leader does stall a quorum queue, until the others take \
             it for dead. And each member costs a write.",
        zh: "卡住的若是 leader，仲裁队列也会停到其他成员判定它失联。\
             而且每个成员都要多写一次。"
    },
    say: text! {
        en: "\"Mirrors: the slowest decides. Quorum: the median decides.\"",
        zh: "「镜像看最慢的，仲裁看中位的。」"
    },
    source: &[include_str!("slow_mirror.rs")],
};

/// Every mirror must have it.
async fn mirrored_to_all(lab: Lab) -> Ran {
    let nodes = Nodes::of(&lab)?;
    nodes.declare(Kind::Classic, LEADER).await?;
    nodes.mirror(json!({ "ha-mode": "all" }), 2).await?;
    one_hangs(&lab, &nodes).await
}

/// Two of three must have it.
async fn quorum(lab: Lab) -> Ran {
    let nodes = Nodes::of(&lab)?;
    nodes.declare(Kind::Quorum(3), LEADER).await?;
    one_hangs(&lab, &nodes).await
}

/// One order in so many is published while a node hangs.
const MEANWHILE: u32 = 5;
const LEADER: usize = 0;
const SLOW: usize = 2;

/// Some orders are confirmed; a node that does not lead is paused, and more is
/// published; then it goes on, before anybody takes it for dead.
async fn one_hangs(lab: &Lab, nodes: &Nodes<'_>) -> Ran {
    let (before, meanwhile) = split(lab, MEANWHILE);
    let mut shop = nodes.publisher(&[LEADER])?;
    let before = before.into_iter().map(|id| nodes.taken(id));
    shop.publish_all(before, WINDOW, SOON).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders, all confirmed", zh: "{n} 个订单，全部确认",
            n = lab.sums().confirmed
        },
    );
    let at = nodes.locate(LEADER).await?;
    nodes.draw_at(&at, &[]);
    if !lab.is_armed(Strike::Paused) {
        return Ok(());
    }
    let (engine, slow) = (&lab.stage().engine, nodes.broker(SLOW)?);
    container::pause(engine, slow.container()).await?;
    lab.struck_once(Strike::Paused);
    let meanwhile: Vec<_> = nodes.take_over(meanwhile);
    let all = meanwhile.len();
    let open = nodes.publish_at_once(&mut shop, meanwhile).await;
    container::unpause(engine, slow.container()).await?;
    let confirmed = all - open.len();
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "n3 paused: {confirmed} of {all} confirmed within two seconds",
            zh: "n3 卡住：两秒内确认 {confirmed}/{all}",
            confirmed = confirmed, all = all
        },
    );
    // Nobody was asked meanwhile: the management API would have waited for
    // the node that hangs, and the others would have taken it for dead.
    nodes.draw_at(&at, &[(SLOW, text! { en: "paused", zh: "卡住" })]);
    nodes.heal().await?;
    nodes.publish_again(&mut shop, &open).await?;
    let when = text! { en: "n3 goes on", zh: "n3 恢复之后" };
    nodes.look(LEADER, when).await?;
    nodes.draw(LEADER, &[]).await
}

/// All were confirmed while a member hung, and none is lost.
fn nobody_waits(outcome: &Outcome) -> Result<(), Text> {
    all_meanwhile(outcome, MEANWHILE)
}
