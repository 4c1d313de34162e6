//! The leader of a quorum queue hangs, and nobody knows that it does.
//!
//! Killed, its connections close, and the others elect within a moment
//! ([`quorum-failover`](super::quorum_failover)). Hanging (a frozen virtual
//! machine, a dead disk, a pause of the whole process) it says nothing, and
//! closes nothing. The others find out by its silence: when it has answered
//! their failure detector's probes too late, or when `net_ticktime` is over and
//! the connection between the nodes is given up. Until then nothing is
//! confirmed. When it goes on, it learns of the new term and follows.
//!
//! Source: RabbitMQ documentation, "Quorum Queues", section "Leader Election
//! and Failure Handling"; "Net Tick Time"; the detector is the library `aten`,
//! whose interval is `raft.adaptive_failure_detector.poll_interval`.

use super::{
    meanwhile::{every_order_once, split},
    nodes::{Kind, Nodes, PATIENCE, SOON, WINDOW},
};
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    fault::container,
    lab::{
        ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
    },
    text,
    text::Text,
    way,
};

/// "A quorum queue fails over in less than a second."
pub static HUNG_LEADER: Scenario = Scenario {
    id: "hung-leader",
    recipe: text! {
        en: "We killed the leader: confirms were back within a second.",
        zh: "我们演练过：杀掉 leader，一秒之内又能确认了。"
    },
    fault: text! {
        en: "The leader's node stands still instead, its sockets open.",
        zh: "这回 leader 所在节点是卡住，连接都还在。"
    },
    predict: Predict {
        question: text! {
            en: "The publisher is at another node. How long is it without a \
                 confirm?",
            zh: "生产者连的是别的节点。它有多久得不到确认？"
        },
        choices: &[
            text! { en: "as long as after a kill", zh: "和被杀时一样" },
            text! {
                en: "seconds, until the others take it for dead",
                zh: "几秒，直到别的节点判定它失联"
            },
            text! { en: "until it goes on", zh: "直到它恢复" },
        ],
        right: 1,
    },
    needs: Needs {
        cluster: Some(ClusterOf::Run),
        fewest: 10,
        most: 1_000,
        seconds: 30,
        ..Needs::BROKER
    },
    strikes: &[Strike::Paused],
    hits: Hits::Once,
    tried: &[(4, 3)],
    ways: Ways::Trap(way!(
        leader_hangs,
        seconds_and_nothing_lost,
        text! { en: "a quorum queue of three", zh: "三成员的仲裁队列" },
    )),
    columns: &[
        Column::Confirmed,
        Column::Attempts,
        Column::Applied,
        Column::Lost,
    ],
    figures: &["gap"],
    bars: &[],
    claim: text! {
        en: "b: a killed leader's connections close, a hanging one's do not. \
             Its silence is all there is to go by, and that takes seconds.",
        zh: "b：被杀的，连接会断；卡住的，不会。\
             别的节点只能凭它不吭声来判断，要等好几秒。"
    },
    fix: text! {
        en: "Confirms with a time limit, resends, idempotent consumers; drill \
             with a pause, not only with a kill.",
        zh: "确认设时限、重发、消费者幂等；演练不要只杀进程，也要让它卡住。"
    },
    limit: text! {
        en: "How long depends on the failure detector (aten) and on \
             `net_ticktime` (here 5 s, by default 60). Shorter, they take a \
             busy node for a dead one.",
        zh: "要多久，看故障检测器（aten）和 `net_ticktime`（这里 5 秒，默认 60 秒）；\
             调得太短，忙的节点会被当成死的。"
    },
    say: text! {
        en: "\"Dead is noticed at once; silent is noticed by a timeout.\"",
        zh: "「死了马上知道，不吭声要等超时。」"
    },
    source: &[include_str!("hung_leader.rs")],
};

/// Half of the orders is published while the leader hangs.
const MEANWHILE: u32 = 2;
const LEADER: usize = 0;
const AT: usize = 1;
/// After a kill it was 0.3 to 0.7 s; whoever waits for silence waits longer:
/// 7 to 12 s were seen. Longer, too, than the publisher's own patience, which
/// would be a gap of its own making.
const SILENCE_MS: f64 = 1.5 * PATIENCE.as_millis() as f64;

/// Half of the orders before, half while the leader stands still.
async fn leader_hangs(lab: Lab) -> Ran {
    let nodes = Nodes::of(&lab)?;
    nodes.declare(Kind::Quorum(3), LEADER).await?;
    let (before, meanwhile) = split(&lab, MEANWHILE);
    let mut shop = nodes.publisher(&[AT, AT + 1])?;
    let before = before.into_iter().map(|id| nodes.taken(id));
    shop.publish_all(before, WINDOW, SOON).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders through n2, all confirmed",
            zh: "经 n2 发布 {n} 个订单，全部确认", n = lab.sums().confirmed
        },
    );
    nodes.until_led_by(AT, &[LEADER]).await?;
    let at = nodes.locate(AT).await?;
    nodes.draw_at(&at, &[]);
    if !lab.is_armed(Strike::Paused) {
        return Ok(());
    }
    let (engine, hung) = (&lab.stage().engine, nodes.broker(LEADER)?);
    container::pause(engine, hung.container()).await?;
    shop.watch_for_a_gap();
    lab.struck_once(Strike::Paused);
    nodes.draw_at(&at, &[(LEADER, text! { en: "hangs", zh: "卡住" })]);
    let orders: Vec<_> = nodes.take_over(meanwhile);
    let served = nodes.publish_again(&mut shop, &orders).await;
    container::unpause(engine, hung.container()).await?;
    served?;
    let gap = nodes.observe_gap(&shop);
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "n1 hangs: no confirm for {gap} ms, then all {n}",
            zh: "n1 卡住：{gap} 毫秒没有确认，之后 {n} 个全部确认",
            gap = gap, n = orders.len()
        },
    );
    nodes.heal().await?;
    let when = text! { en: "n1 goes on", zh: "n1 恢复之后" };
    nodes.look(AT, when).await?;
    nodes.draw(AT, &[]).await?;
    lab.came_to(text! {
        en: "no confirm for {gap} ms", zh: "{gap} 毫秒没有确认", gap = gap
    });
    Ok(())
}

/// It took longer than after a kill, and nothing is lost.
fn seconds_and_nothing_lost(outcome: &Outcome) -> Result<(), Text> {
    every_order_once(outcome)?;
    let gap = outcome.figure("gap")?;
    if gap > SILENCE_MS {
        return Ok(());
    }
    Err(text! {
        en: "no confirm for {gap} ms only", zh: "只有 {gap} 毫秒没有确认",
        gap = gap
    })
}
