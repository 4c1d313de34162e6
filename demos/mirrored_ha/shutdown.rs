//! A graceful shutdown is another thing than a crash.
//!
//! With the same mirror that came back empty as in
//! [`unsynced`](super::unsynced), and with the defaults of both settings: when
//! the leader is *shut down*, `ha-promote-on-shutdown: when-synced` closes the
//! queue rather than promote a mirror that has nothing. When it *crashes*,
//! `ha-promote-on-failure: always` promotes it. So a rolling upgrade that goes
//! well says nothing of a power cut.
//!
//! Source: RabbitMQ 3.13 documentation, "Classic Queue Mirroring", section
//! "Stopping Nodes Hosting Queue Leader with Only Unsynchronised Mirrors".

use super::{
    meanwhile::nothing_meanwhile,
    unsynced::{BY_DEFAULT, Goes, all_before_is_lost, leader_goes},
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{ClusterOf, Hits, Lab, Needs, Predict, Scenario, Strike, Ways},
    mechanism, text, way,
};

/// "We restarted every node, and nothing was lost: the mirrors work."
pub static SHUTDOWN: Scenario = Scenario {
    id: "shutdown",
    recipe: text! {
        en: "We have restarted every node once, and lost nothing: it is safe.",
        zh: "每个节点都重启演练过，没丢数据，所以是安全的。"
    },
    fault: text! {
        en: "The only mirror is empty. The leader goes: by a kill, by a shutdown.",
        zh: "唯一的镜像是空的。主节点下线：一次强杀，一次正常关机。"
    },
    predict: Predict {
        question: text! {
            en: "The mirror is not synchronised, every setting at its default. \
                 The leader is shut down gracefully. Lost?",
            zh: "镜像未同步，配置全是默认值。主节点正常关机，丢多少？"
        },
        choices: &[
            text! { en: "all, as with a kill", zh: "全丢，和强杀一样" },
            text! {
                en: "nothing, and the queue is closed meanwhile",
                zh: "不丢，但其间队列不可用"
            },
            text! {
                en: "nothing: it hands over first",
                zh: "不丢：关机前会先交接"
            },
        ],
        right: 1,
    },
    needs: Needs {
        cluster: Some(ClusterOf::Three),
        fewest: 10,
        most: 5_000,
        seconds: 55,
        ..Needs::BROKER
    },
    strikes: &[Strike::BrokerRestarted],
    hits: Hits::Once,
    tried: super::MIRRORED,
    ways: Ways::Pair {
        naive: way!(
            crash,
            all_before_is_lost,
            text! { en: "the leader crashes", zh: "主节点崩溃" },
        ),
        fixed: way!(
            graceful,
            nothing_meanwhile,
            text! {
                en: "the leader is shut down", zh: "主节点正常关机"
            },
        ),
        mechanisms: &[mechanism!(
            "graceful",
            crash,
            all_before_is_lost,
            text! { en: "rabbitmqctl shutdown", zh: "rabbitmqctl shutdown" },
        )],
    },
    columns: &[Column::Confirmed, Column::Applied, Column::Lost],
    figures: &["meanwhile"],
    bars: &[],
    claim: text! {
        en: "b: on shutdown the default is when-synced, on failure it is always. \
             The same queue, the same mirror, another exit.",
        zh: "b：关机时默认 when-synced，故障时默认 always。\
             同一个队列、同一个镜像，下线方式不同，结果就不同。"
    },
    fix: text! {
        en: "Rehearse with SIGKILL, and look at synchronised_slave_nodes before \
             every planned restart.",
        zh: "演练要用 SIGKILL；计划内重启之前先看 synchronised_slave_nodes。"
    },
    limit: text! {
        en: "A shutdown costs availability until that node is back. docker stop \
             that runs into its time limit is a kill.",
        zh: "正常关机的代价是该节点回来之前不可用。docker stop 超时之后就是强杀。"
    },
    say: text! {
        en: "\"Promote on shutdown: when synced. Promote on failure: always. \
             Those are the defaults.\"",
        zh: "「默认：关机时同步了才提升，故障时无条件提升。」"
    },
    source: &[include_str!("shutdown.rs"), include_str!("unsynced.rs")],
};

/// SIGKILL: the default promotes whoever is left.
async fn crash(lab: Lab) -> Ran {
    leader_goes(&lab, BY_DEFAULT, Goes::Killed).await
}

/// `rabbitmqctl shutdown`, with the same settings.
async fn graceful(lab: Lab) -> Ran {
    leader_goes(&lab, BY_DEFAULT, Goes::ShutDown).await
}
