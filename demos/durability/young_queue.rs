//! A quorum queue is killed with its node right after it was declared: what
//! it has confirmed is on disk, and nobody finds it.
//!
//! A quorum queue's messages are fsynced before they are confirmed. The name
//! under which the node finds them again is in a table of its own,
//! `names.dets`, which is saved when it was not written to for half a second
//! (`ra_directory`: `auto_save` 500): after half a second to a second. A node
//! that is killed before finds no such name, and starts an empty member ("was
//! not found on this node. Starting member as a new one. Context:
//! name_not_registered", rabbitmq-server #15725). Seen on 3.10.8 and 4.3.6. A
//! shutdown saves the table (`ra_directory:deinit`).

mod checks;
pub(super) mod node;
pub(super) mod stage;

use futures::future::BoxFuture;

use self::{
    checks::{all_of_the_young_is_gone, none_is_gone},
    stage::{Newcomer, killed_after_the_last_confirm},
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{Hits, Needs, Predict, Scenario, Strike, Ways},
    mechanism, text, way,
};

/// "A quorum queue confirmed it, so it survives the node."
pub static YOUNG_QUEUE: Scenario = Scenario {
    id: "young-queue",
    recipe: text! {
        en: "Declare a quorum queue and publish: what is confirmed is kept.",
        zh: "声明仲裁队列就开始发布，确认了就丢不了。"
    },
    fault: text! {
        en: "The only node is killed right after the new queue's last confirm.",
        zh: "新队列刚确认完最后一条，唯一的节点就被杀。"
    },
    predict: Predict {
        question: text! {
            en: "Killed within a second of its declaration, it keeps what?",
            zh: "声明后一秒内节点被杀，新队列还剩什么？"
        },
        choices: &[
            text! { en: "all that it confirmed", zh: "确认过的全在" },
            text! { en: "all but the last few", zh: "只缺最后几条" },
            text! { en: "nothing", zh: "一条不剩" },
        ],
        right: 2,
    },
    needs: Needs {
        own_broker: true,
        fewest: 2,
        most: 2_000,
        seconds: 45,
        ..Needs::BOOKS
    },
    strikes: &[Strike::BrokerKilled],
    hits: Hits::OneInTen,
    tried: super::TRIED,
    ways: Ways::Pair {
        naive: way!(
            killed_after_the_last_confirm,
            publish_at_once(newcomer),
            all_of_the_young_is_gone,
            text! { en: "declare, publish at once", zh: "声明完马上发布" },
        ),
        fixed: way!(
            killed_after_the_last_confirm,
            publish_when_it_is_known(newcomer),
            none_is_gone,
            text! {
                en: "declare, wait for its name on disk, publish",
                zh: "声明，等名字落盘，再发布"
            },
        ),
        mechanisms: &[mechanism!(
            "wait",
            killed_after_the_last_confirm,
            publish_at_once(newcomer),
            all_of_the_young_is_gone,
            text! { en: "the wait", zh: "等待" },
        )],
    },
    columns: &[Column::Confirmed, Column::Applied, Column::Lost],
    figures: &["old", "new"],
    bars: &[],
    claim: text! {
        en: "c: its messages are on disk, its name is not: names.dets is saved \
             within a second of the last declaration. The node starts an \
             empty queue; the old one beside it keeps all.",
        zh: "c：消息已落盘，名字还没有：names.dets 在最后一次声明后一秒内才保存。\
             重启后起了个空队列；旁边的老队列一条没丢。"
    },
    fix: text! {
        en: "Declare queues when you deploy, seconds before the first publish; \
             keep the outbox rows of those seconds.",
        zh: "部署时就声明好队列，过几秒再开始发布；这几秒内的本地消息别删。"
    },
    limit: text! {
        en: "A process kill; a shutdown saves the name. 3.10 leaves the queue \
             without a leader, or forgets it: wait 4 s there.",
        zh: "这里是杀进程；正常关闭会保存名字。3.10 上队列没有 leader，\
             甚至整条没了：要等 4 秒。"
    },
    say: text! {
        en: "\"A confirm is only as good as the queue is old: declare first, \
             let it settle, then trust it.\"",
        zh: "「队列太新，确认也不作数：先声明，等它落稳，再信它的确认。」"
    },
    source: &[
        include_str!("young_queue.rs"),
        include_str!("young_queue/stage.rs"),
    ],
};

/// Declares the new queue and publishes to it.
type Begin = for<'a> fn(&'a mut Newcomer) -> BoxFuture<'a, Ran>;

/// It was declared, so it is there.
async fn publish_at_once(newcomer: &mut Newcomer) -> Ran {
    newcomer.declare().await?;
    newcomer.publish().await
}

/// It is there once a node that starts again would find it.
async fn publish_when_it_is_known(newcomer: &mut Newcomer) -> Ran {
    newcomer.declare().await?;
    newcomer.is_known().await?;
    newcomer.publish().await
}
