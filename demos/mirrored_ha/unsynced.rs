//! A mirror that came back empty is promoted, and all that was confirmed is
//! gone.
//!
//! A mirror that (re)joins throws away what it had and starts empty; it gets
//! what is published from then on. Only with `ha-sync-mode: automatic`, or by
//! hand, does it also get what the leader holds. When the leader dies and no
//! other mirror is left, `ha-promote-on-failure: always`, the default, has the
//! empty one lead: available, and without what was confirmed. When the old
//! leader returns, it is the one that rejoins, and throws away what it had.
//!
//! `when-synced` does not promote it: the queue is unavailable until the old
//! leader returns, and nothing is lost. That is a choice between availability
//! and consistency; a quorum queue does not have to make it as long as a
//! majority is there.
//!
//! Source: RabbitMQ 3.13 documentation, "Classic Queue Mirroring", sections
//! "Unsynchronised Mirrors" and "Promotion of Unsynchronised Mirrors on
//! Failure".

use serde_json::json;

use super::{
    meanwhile::{confirmed_meanwhile, nothing_meanwhile, of_them_later, split},
    nodes::{Kind, Nodes, Where, killed},
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{
            every_attempt_answered, every_message_confirmed, exactly_these,
        },
    },
    ledger::Kind as Wrong,
    mechanism, text,
    text::Text,
    way,
};

/// "The queue is on two nodes, so one of them may die."
pub static UNSYNCED: Scenario = Scenario {
    id: "unsynced",
    recipe: text! {
        en: "The queue is mirrored to two nodes, so one of them may die.",
        zh: "队列镜像在两个节点上，坏一个也不怕。"
    },
    fault: text! {
        en: "The mirror restarts; then the leader is killed, and returns.",
        zh: "镜像节点重启过一次；随后主节点被杀，又回来。"
    },
    predict: Predict {
        question: text! {
            en: "All confirmed. The mirror restarts, then the leader dies for a \
                 while. Lost?",
            zh: "消息全部确认过。镜像重启一次，随后主节点宕机又恢复。丢多少？"
        },
        choices: &[
            text! { en: "nothing: there are two copies", zh: "不丢：有两份" },
            text! {
                en: "what was published in between",
                zh: "期间发布的那些"
            },
            text! {
                en: "everything that was confirmed before",
                zh: "此前确认过的全部"
            },
        ],
        right: 2,
    },
    needs: Needs {
        cluster: Some(ClusterOf::Three),
        fewest: 10,
        most: 5_000,
        seconds: 55,
        ..Needs::BROKER
    },
    strikes: &[Strike::BrokerKilled],
    hits: Hits::Once,
    tried: super::MIRRORED,
    ways: Ways::Pair {
        naive: way!(
            promote_always,
            all_before_is_lost,
            text! {
                en: "mirrored to two, whoever is left leads (the default)",
                zh: "镜像两份，剩下的那个就当主（默认）"
            },
        ),
        fixed: way!(
            promote_when_synced,
            nothing_meanwhile,
            text! {
                en: "mirrored to two, only who has everything leads",
                zh: "镜像两份，数据齐全的才能当主"
            },
        ),
        mechanisms: &[mechanism!(
            "when-synced",
            promote_always,
            all_before_is_lost,
            text! {
                en: "ha-promote-on-failure: when-synced",
                zh: "ha-promote-on-failure: when-synced"
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
        en: "c: a mirror that rejoins is empty. It was promoted, and the old \
             leader, coming back, threw away the only copy.",
        zh: "c：重新加入的镜像是空的。它被提升为主，老的主节点回来时\
             把唯一的一份扔了。"
    },
    fix: text! {
        en: "ha-promote-on-failure: when-synced, and ha-sync-mode: automatic. \
             Better: a quorum queue.",
        zh: "ha-promote-on-failure: when-synced，并配 ha-sync-mode: automatic。\
             更好的是仲裁队列。"
    },
    limit: text! {
        en: "when-synced waits for the old leader: unavailable meanwhile, and if \
             its disk is gone, for ever. `ha-mode: nodes` here: with `exactly 2`, \
             3.x makes a new mirror on n3, unsynchronised with manual sync, too.",
        zh: "when-synced 要等老的主节点：期间不可用；它的磁盘没了，就永远等不到。\
             这里是 `ha-mode: nodes`；用 `exactly 2`，3.x 会在 n3 上新建镜像，\
             手动同步时它同样没同步。"
    },
    say: text! {
        en: "\"A mirror counts only when it is synchronised.\"",
        zh: "「镜像同步了才算数。」"
    },
    source: &[include_str!("unsynced.rs")],
};

/// An empty mirror leads, because it is the only one left.
async fn promote_always(lab: Lab) -> Ran {
    leader_goes(&lab, BY_DEFAULT, Goes::Killed).await
}

/// Nobody leads until somebody is back who has everything.
async fn promote_when_synced(lab: Lab) -> Ran {
    leader_goes(&lab, WHEN_SYNCED, Goes::Killed).await
}

/// What a policy that says nothing of it does: `always` (3.13 documentation,
/// "Classic Queue Mirroring").
pub(super) const BY_DEFAULT: Option<&str> = None;
const WHEN_SYNCED: Option<&str> = Some("when-synced");

/// How the leader goes.
#[derive(Clone, Copy)]
pub(super) enum Goes {
    /// By SIGKILL.
    Killed,
    /// By `rabbitmqctl shutdown`.
    ShutDown,
}

/// One order in so many is published while the leader is away.
const MEANWHILE: u32 = 10;
const LEADER: usize = 0;
const MIRROR: usize = 1;
const BYSTANDER: usize = 2;

/// Orders are confirmed on two nodes. One of them restarts, the other goes,
/// and a few orders more are published while it is away.
pub(super) async fn leader_goes(
    lab: &Lab,
    promote: Option<&str>,
    goes: Goes,
) -> Ran {
    let nodes = Nodes::of(lab)?;
    nodes.declare(Kind::Classic, LEADER).await?;
    let two = [nodes.name(LEADER)?, nodes.name(MIRROR)?];
    let mut policy = json!({ "ha-mode": "nodes", "ha-params": two });
    if let Some(promote) = promote {
        policy["ha-promote-on-failure"] = promote.into();
    }
    nodes.mirror(policy, 1).await?;
    let (before, meanwhile) = split(lab, MEANWHILE);
    nodes.publish(&[LEADER], before).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders, all confirmed by leader and mirror",
            zh: "{n} 个订单，主与镜像都已确认",
            n = lab.sums().confirmed
        },
    );
    if !is_armed(lab) {
        return Ok(());
    }
    mirror_comes_back_empty(lab, &nodes).await?;
    let gone = go(lab, &nodes, goes).await?;
    nodes.until_missed(BYSTANDER, 1).await?;
    let mut shop = nodes.publisher(&[BYSTANDER, MIRROR])?;
    let meanwhile = nodes.take_over(meanwhile);
    let open = nodes.publish_meanwhile(&mut shop, meanwhile).await;
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "leader gone; of the orders meanwhile {n} not confirmed",
            zh: "主节点不在了；其间的订单有 {n} 个没得到确认",
            n = open.len()
        },
    );
    nodes.draw(BYSTANDER, &[(LEADER, gone)]).await?;
    nodes.heal().await?;
    nodes.publish_again(&mut shop, &open).await?;
    let when = text! { en: "the leader is back", zh: "主节点回来之后" };
    nodes.look(BYSTANDER, when).await?;
    Ok(())
}

fn is_armed(lab: &Lab) -> bool {
    lab.is_armed(Strike::BrokerKilled) || lab.is_armed(Strike::BrokerRestarted)
}

/// The mirror is killed, comes back, and has thrown away what it had.
async fn mirror_comes_back_empty(lab: &Lab, nodes: &Nodes<'_>) -> Ran {
    nodes.kill(MIRROR).await?;
    nodes.start(MIRROR).await?;
    let what = text! { en: "the mirror to be back", zh: "镜像回来" };
    let empty = |at: &Where| at.copies == [MIRROR] && at.synced.is_empty();
    nodes.until(what, LEADER, empty).await?;
    lab.step(
        text! { en: "restart", zh: "重启" },
        text! {
            en: "the mirror is back, and empty: ha-sync-mode is manual by default",
            zh: "镜像回来了，但是空的：ha-sync-mode 默认为 manual"
        },
    );
    nodes.draw(LEADER, &[]).await
}

/// The leader goes. Returns the word for that.
async fn go(lab: &Lab, nodes: &Nodes<'_>, goes: Goes) -> anyhow::Result<Text> {
    let word = match goes {
        Goes::Killed => {
            nodes.kill(LEADER).await?;
            killed()
        }
        Goes::ShutDown => {
            nodes.shut_down(LEADER).await?;
            text! { en: "shut down", zh: "已关机" }
        }
    };
    lab.struck_once(Strike::BrokerKilled);
    lab.struck_once(Strike::BrokerRestarted);
    Ok(word)
}

/// All orders were confirmed; those from before the kill are gone.
pub(super) fn all_before_is_lost(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_attempt_answered(outcome)?;
    let later = of_them_later(outcome.messages, MEANWHILE);
    confirmed_meanwhile(outcome, later)?;
    let before = 1..=outcome.messages - later;
    let before = before.map(|number| outcome.noun.number(number)).collect();
    exactly_these(outcome, &[(Wrong::Lost, before)])
}
