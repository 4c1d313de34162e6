//! A quiet hour, and the balancer hangs up.
//!
//! `timeout client` ends a connection on which nothing has passed for so long:
//! what is sent to the client counts as well, unless `option
//! independent-streams` says otherwise. To and from a consumer that waits for
//! work nothing passes but heartbeats, and those come every half of what was
//! agreed upon: every 30 s where nobody says otherwise, as the broker proposes
//! 60 s. A `timeout client` below that cuts every idle consumer (here 3 s).
//!
//! Source: HAProxy 3.0 Configuration Manual, `timeout client`; RabbitMQ
//! documentation, "Detecting Dead TCP Connections with Heartbeats and TCP
//! Keepalives", sections "Heartbeat Frames", "Low Timeout Values and False
//! Positives" and "Heartbeats and TCP Proxies".

use std::time::Duration;

use tokio::time::Instant;

use super::{
    balanced::{Front, SOON},
    listener::Listener,
};
use crate::{
    demos::shop::orders::{ORDERS, Ran, publish_these},
    event::{Column, Unit},
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{
            every_attempt_answered, every_message_confirmed,
            every_message_once, figure_is,
        },
    },
    mechanism,
    stage::Balancing,
    text,
    text::Text,
    way,
};

/// "A consumer that has nothing to do waits."
pub static IDLE_CUT: Scenario = Scenario {
    id: "idle-cut",
    recipe: text! {
        en: "A consumer without work waits at the balancer's address.",
        zh: "没活的时候，消费者就在负载均衡后面挂着等。"
    },
    fault: text! {
        en: "No order comes for three times as long as timeout client.",
        zh: "三倍于 timeout client 的时间里没有订单。"
    },
    predict: Predict {
        question: text! {
            en: "timeout client is 3 s, the heartbeat is the default. After 9 s \
                 an order comes. Who gets it?",
            zh: "timeout client 3 秒，心跳用默认值。9 秒后来了订单，谁收到？"
        },
        choices: &[
            text! { en: "nobody: it has been cut off", zh: "没人：连接早被掐了" },
            text! { en: "the consumer", zh: "消费者" },
            text! { en: "the consumer, twice", zh: "消费者，收到两次" },
        ],
        right: 0,
    },
    needs: Needs {
        balancers: true,
        fewest: 1,
        most: 200,
        seconds: 30,
        ..Needs::BROKER
    },
    strikes: &[Strike::Idle],
    hits: Hits::Once,
    tried: super::BOTH,
    ways: Ways::Pair {
        naive: way!(
            default_heartbeat,
            cut_and_nothing_came,
            text! { en: "the heartbeat that the broker proposes: 60 s", zh: "用 broker 建议的心跳：60 秒" },
        ),
        fixed: way!(
            short_heartbeat,
            stayed_and_got_all,
            text! { en: "a heartbeat of 2 s: below the time limit", zh: "心跳 2 秒：小于超时" },
        ),
        mechanisms: &[mechanism!(
            "heartbeat",
            default_heartbeat,
            cut_and_nothing_came,
            text! { en: "a heartbeat below timeout client", zh: "小于 timeout client 的心跳" },
        )],
    },
    columns: &[Column::Confirmed, Column::Applied, Column::Stuck],
    figures: &["cuts"],
    bars: &[],
    claim: text! {
        en: "a: nothing was sent for 3 s, so HAProxy hung up. A heartbeat of 2 s \
             sends a frame each second, and that is enough.",
        zh: "a：3 秒没数据，HAProxy 就挂断。心跳 2 秒，每秒一帧，足够保活。"
    },
    fix: text! {
        en: "Heartbeat well below timeout client; and reconnect, always.",
        zh: "心跳要远小于 timeout client；重连逻辑总是要有。"
    },
    limit: text! {
        en: "Too short takes a busy process for a dead one: 5 to 20 s is usual.",
        zh: "心跳太短，会把忙着的进程当成死的：一般取 5 到 20 秒。"
    },
    say: text! {
        en: "\"Between client and broker the shortest time limit wins.\"",
        zh: "「客户端到 broker 之间，谁的超时最短谁说了算。」"
    },
    source: &[include_str!("idle_cut.rs"), include_str!("listener.rs")],
};

const TIMEOUT_CLIENT: Duration = Duration::from_secs(3);
/// Long enough for any that is to be cut.
const QUIET: Duration = Duration::from_secs(9);

/// Whatever the broker proposes.
async fn default_heartbeat(lab: Lab) -> Ran {
    nothing_comes_for_a_while(&lab, None).await
}

/// A frame each second.
async fn short_heartbeat(lab: Lab) -> Ran {
    nothing_comes_for_a_while(&lab, Some(2)).await
}

/// A consumer waits, nothing comes, and then there are orders.
async fn nothing_comes_for_a_while(lab: &Lab, heartbeat: Option<u16>) -> Ran {
    let how = Balancing { timeout_client: TIMEOUT_CLIENT, ..Balancing::ONE };
    let front = Front::start(lab, &how, &[lab.broker()]).await?;
    let consumer = Listener::once(lab, front.uri(heartbeat));
    let what = text! { en: "the consumer", zh: "消费者就位" };
    let is_there = || async { Ok(consumer.begun() > 0) };
    lab.wait_until(what, SOON, is_there).await?;
    front.draw(&[]).await;
    if lab.is_armed(Strike::Idle) {
        let began = Instant::now();
        let what = text! { en: "a quiet while to be over", zh: "空闲时段过去" };
        let is_over = || async { Ok(began.elapsed() > QUIET) };
        lab.wait_until(what, SOON, is_over).await?;
        lab.struck_once(Strike::Idle);
    }
    let cuts = consumer.cuts();
    let name = text! { en: "cut off", zh: "被掐断" };
    lab.observe("cuts", name, f64::from(cuts), Unit::Count);
    lab.step(
        text! { en: "fault", zh: "故障" },
        match cuts {
            0 => text! {
                en: "9 s idle; the consumer is connected",
                zh: "空闲 9 秒；消费者仍连着"
            },
            _ => text! {
                en: "9 s idle; the consumer was cut off",
                zh: "空闲 9 秒；消费者被掐断"
            },
        },
    );
    publish_these(lab, ORDERS, lab.messages()).await?;
    let what = text! { en: "the orders to be done", zh: "订单处理完" };
    let is_done = || async {
        Ok(!consumer.is_connected() || consumer.done() == lab.count())
    };
    lab.wait_until(what, SOON, is_done).await?;
    let done = consumer.done();
    drop(consumer);
    for left in lab.left_in(ORDERS).await? {
        lab.settle(left, 0, 1);
    }
    lab.came_to(text! {
        en: "{done} of {all} received", zh: "{all} 个里收到 {done} 个",
        done = done, all = lab.count()
    });
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{all} orders; {done} of them came to the consumer",
            zh: "{all} 个订单；消费者收到 {done} 个",
            all = lab.count(), done = done
        },
    );
    Ok(())
}

/// The balancer hung up; every order is in the queue, and nobody has it.
fn cut_and_nothing_came(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "cuts", 1)?;
    every_message_confirmed(outcome)?;
    every_attempt_answered(outcome)?;
    let counts = &outcome.audit.counts;
    let all = u64::from(outcome.messages);
    if counts.waiting == all && counts.applied == 0 {
        return Ok(());
    }
    Err(text! {
        en: "{waiting} of {all} wait", zh: "{all} 个里滞留 {waiting} 个",
        waiting = counts.waiting, all = all
    })
}

/// It stayed connected, and had every order once.
fn stayed_and_got_all(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "cuts", 0)?;
    every_message_confirmed(outcome)?;
    every_message_once(outcome)
}
