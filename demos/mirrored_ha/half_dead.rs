//! A broker that hangs, and a balancer that only asks whether its port opens.
//!
//! Connections are accepted by the kernel, also for a process that does not
//! run: a TCP check finds a paused broker well for as long as its backlog has
//! room, and goes on sending clients to it. A check that speaks AMQP (send
//! the protocol header, expect a method frame) wants an answer from the
//! broker itself.
//!
//! Source: HAProxy 3.0 Configuration Manual, `check`, `option tcp-check`,
//! `tcp-check send-binary`; AMQP 0-9-1, section 4.2.2 "Protocol Header".

use std::time::Duration;

use futures::future::join_all;

use super::balanced::{Front, SOON};
use crate::{
    demos::shop::orders::{ORDERS, Ran, order},
    event::{Column, Unit},
    fault::container,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{
            every_attempt_answered, every_message_confirmed,
            every_message_once, figure_is,
        },
    },
    mechanism,
    pattern::publisher::{Answer, ConfirmingPublisher},
    stage::{Balancing, Broker, balancer::HealthCheck},
    text,
    text::Text,
    way,
};

/// "HAProxy checks the brokers, so it sends nobody to a dead one."
pub static HALF_DEAD: Scenario = Scenario {
    id: "half-dead",
    recipe: text! {
        en: "HAProxy checks its brokers and sends nobody to a dead one.",
        zh: "HAProxy 有健康检查，不会把连接分给坏掉的 broker。"
    },
    fault: text! {
        en: "One of two brokers hangs: it is there, and says nothing.",
        zh: "两个 broker 里有一个僵住：进程在，不应答。"
    },
    predict: Predict {
        question: text! {
            en: "HAProxy checks by TCP connect. How many new connections hang?",
            zh: "HAProxy 用 TCP 连接做检查。新连接有多少会卡住？"
        },
        choices: &[
            text! { en: "none", zh: "一个都不会" },
            text! { en: "half of them, for as long as it hangs", zh: "一半，一直如此" },
            text! { en: "those of the first seconds", zh: "只有头几秒的" },
        ],
        right: 1,
    },
    needs: Needs {
        balancers: true,
        other_broker: true,
        fewest: 2,
        most: 20,
        seconds: 40,
        ..Needs::BROKER
    },
    strikes: &[Strike::Paused],
    hits: Hits::Once,
    tried: super::BOTH,
    ways: Ways::Pair {
        naive: way!(
            tcp_check,
            half_hang,
            text! { en: "check: a TCP connection", zh: "检查：能建 TCP 连接" },
        ),
        fixed: way!(
            amqp_check,
            none_hangs,
            text! {
                en: "check: an answer to an AMQP header", zh: "检查：AMQP 协议头有应答"
            },
        ),
        mechanisms: &[mechanism!(
            "amqp-check",
            tcp_check,
            half_hang,
            text! { en: "an AMQP-level check", zh: "AMQP 层健康检查" },
        )],
    },
    columns: &[Column::Confirmed, Column::Unknown, Column::Applied],
    figures: &["hung", "sent"],
    bars: &[],
    claim: text! {
        en: "b: the kernel accepts for a process that hangs. A check that wants \
             an answer in AMQP finds it out.",
        zh: "b：进程僵住，内核照样接连接。要它答 AMQP，才查得出、摘得掉。"
    },
    fix: text! {
        en: "tcp-check send-binary 414d515000000901, expect rbinary ^010000.",
        zh: "tcp-check send-binary 414d515000000901，expect rbinary ^010000。"
    },
    limit: text! {
        en: "Until the check has failed, some hang all the same: time limits.",
        zh: "检查判定失败之前照样会卡：客户端自己要有超时。"
    },
    say: text! {
        en: "\"An open port is the kernel's answer; ask the broker.\"",
        zh: "「端口通，是内核在应答；要问就问 broker 本身。」"
    },
    source: &[include_str!("half_dead.rs"), include_str!("balanced.rs")],
};

/// So long a client waits for an answer: the hung ones wait at the same time.
const PATIENCE: Duration = Duration::from_secs(5);
/// The one that hangs.
const TWIN: usize = 1;

/// A broker is well when its port can be connected to.
async fn tcp_check(lab: Lab) -> Ran {
    one_of_two_hangs(&lab, HealthCheck::Tcp, still_well).await
}

/// A broker is well when it answers AMQP.
async fn amqp_check(lab: Lab) -> Ran {
    one_of_two_hangs(&lab, HealthCheck::Amqp, taken_out).await
}

type Aware =
    for<'a> fn(&'a Lab, &'a Front<'a>) -> futures::future::BoxFuture<'a, Ran>;

/// Two brokers, one hangs. When the balancer had time to find out, every order
/// is published over a new connection.
async fn one_of_two_hangs(lab: &Lab, check: HealthCheck, aware: Aware) -> Ran {
    let twin = lab.start_twin().await?;
    let how = Balancing { check, ..Balancing::ONE };
    let front = Front::start(lab, &how, &[lab.broker(), &twin]).await?;
    front.draw(&[]).await;
    if !lab.is_armed(Strike::Paused) {
        connect_and_publish(lab, &front).await;
        return Ok(());
    }
    container::pause(&lab.stage().engine, twin.container()).await?;
    aware(lab, &front).await?;
    let before = given(&front).await;
    let hung = connect_and_publish(lab, &front).await;
    let sent = given(&front).await.saturating_sub(before);
    // It said nothing to anybody: it did hang.
    if !twin.answers(Duration::from_secs(1)).await {
        lab.struck_once(Strike::Paused);
    }
    let count = Unit::Count;
    let name = text! { en: "hung", zh: "卡住" };
    lab.observe("hung", name, f64::from(hung), count);
    let name = text! { en: "sent to it", zh: "分给它的" };
    lab.observe("sent", name, f64::from(sent), count);
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "b2 hangs; {n} new connections, {sent} sent to it, \
                 {hung} hung 5 s",
            zh: "b2 僵住；新建 {n} 个连接，分给它 {sent} 个，\
                 卡住 5 秒的 {hung} 个",
            n = lab.count(), sent = sent, hung = hung
        },
    );
    front.draw(&[(1 + TWIN, text! { en: "hangs", zh: "僵住" })]).await;
    go_on(lab, &twin).await?;
    let done = front.work_off().await?;
    lab.came_to(text! {
        en: "{hung} of {all} hung", zh: "{all} 个里卡住 {hung} 个",
        hung = hung, all = lab.count()
    });
    lab.step(
        text! { en: "work", zh: "处理" },
        text! {
            en: "b2 goes on; {done} orders were in the queues",
            zh: "b2 恢复；队列里有 {done} 个订单", done = done
        },
    );
    Ok(())
}

/// Waits until the balancer gives nothing more to the one that hangs.
fn taken_out<'a>(
    lab: &'a Lab,
    front: &'a Front<'a>,
) -> futures::future::BoxFuture<'a, Ran> {
    let what = text! { en: "b2 to be taken out", zh: "b2 被摘除" };
    let is_out = || async {
        let seen = front.balancers.backends(0).await;
        Ok(seen.get(TWIN).is_some_and(|backend| !backend.is_up))
    };
    Box::pin(lab.wait_until(what, SOON, is_out))
}

/// The check has been made a few times more, and the broker is still found
/// well: in half the time an AMQP check would have failed twice.
fn still_well<'a>(
    lab: &'a Lab,
    _: &'a Front<'a>,
) -> futures::future::BoxFuture<'a, Ran> {
    Box::pin(async move {
        let began = tokio::time::Instant::now();
        let what = text! { en: "five checks more", zh: "再做几次检查" };
        let is_over = || async { Ok(began.elapsed() > Duration::from_secs(5)) };
        lab.wait_until(what, SOON, is_over).await?;
        Ok(())
    })
}

/// Each order over a connection of its own, all at once, and tried once.
/// Returns how many had no answer.
async fn connect_and_publish(lab: &Lab, front: &Front<'_>) -> u32 {
    let attempts = lab.messages().map(async |id| {
        let witness = lab.witness();
        let uri = front.uri(None);
        let publisher = ConfirmingPublisher::new(uri, ORDERS, witness);
        publisher.impatient(PATIENCE).publish(&order(id)).await
    });
    let answers = join_all(attempts).await;
    let hung = answers.iter().filter(|answer| **answer == Answer::Unknown);
    u32::try_from(hung.count()).unwrap_or(u32::MAX)
}

/// Connections that the one that hangs was given so far.
async fn given(front: &Front<'_>) -> u32 {
    let seen = front.balancers.backends(0).await;
    seen.get(TWIN).map_or(0, |backend| backend.total)
}

async fn go_on(lab: &Lab, twin: &Broker) -> Ran {
    container::unpause(&lab.stage().engine, twin.container()).await?;
    let what = text! { en: "b2 to answer", zh: "b2 应答" };
    let answers = || async { Ok(twin.answers(Duration::from_secs(5)).await) };
    lab.wait_until(what, SOON, answers).await
}

/// Every second connection was sent to the one that hangs, and hung; the
/// others were served.
fn half_hang(outcome: &Outcome) -> Result<(), Text> {
    every_attempt_answered(outcome)?;
    let sent = outcome.figure("sent")?;
    let hung = outcome.figure("hung")?;
    let all = f64::from(outcome.messages);
    let counts = &outcome.audit.counts;
    let (unknown, confirmed) = (counts.unknown, counts.confirmed);
    let each_second = (2.0 * sent - all).abs() <= 1.0;
    let others_served = confirmed + unknown == u64::from(outcome.messages);
    if each_second && others_served && hung == sent && unknown as f64 == hung {
        return Ok(());
    }
    Err(text! {
        en: "{sent} sent to it, {hung} hung, {confirmed} confirmed",
        zh: "分给它 {sent}，卡住 {hung}，确认 {confirmed}",
        sent = sent, hung = hung, confirmed = confirmed
    })
}

/// None was sent to the one that hangs, and all were served.
fn none_hangs(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "sent", 0)?;
    figure_is(outcome, "hung", 0)?;
    every_message_confirmed(outcome)?;
    every_message_once(outcome)
}
