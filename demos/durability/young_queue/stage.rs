//! What is the same in every way: an old quorum queue and a new one on the
//! same node, and a kill as soon as the last order is confirmed.

use std::{pin::pin, time::Duration};

use anyhow::ensure;
use lapin::{
    BasicProperties, Channel, Confirmation, ErrorKind,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use tokio::time::{Instant, timeout};

use super::{super::link::Link, Begin, node};
use crate::{
    demos::shop::{
        orders::{ORDERS, Ran, order},
        packing::{Packs, pack_from},
    },
    event::Unit,
    fault::container,
    lab::{Lab, RanOut, Strike},
    ledger::{Fact, MessageId, Witness},
    text,
    text::Text,
};

/// The queue that has just been declared.
const NEW: &str = "new-orders";
const SOON: Duration = Duration::from_secs(20);
/// A queue that is found again has a leader after a second at most; one that
/// is not has none, on 3.x, as long as anybody has watched (50 s).
const LEADER: Duration = Duration::from_secs(5);
const PERSISTENT: u8 = 2;

/// Whoever brings a new queue, and orders for it.
pub struct Newcomer {
    lab: Lab,
    link: Link,
    orders: Vec<MessageId>,
    declared: Instant,
    waited: bool,
}

impl Newcomer {
    async fn open(lab: &Lab) -> anyhow::Result<Self> {
        let link = Link::open(&lab.uri()).await?;
        let confirms = ConfirmSelectOptions::default();
        link.channel.confirm_select(confirms).await?;
        let orders = lab.plan().of(Strike::BrokerKilled).collect();
        let (lab, declared) = (lab.clone(), Instant::now());
        Ok(Self { lab, link, orders, declared, waited: false })
    }

    /// Declares the new quorum queue.
    pub async fn declare(&mut self) -> Ran {
        declare(&self.link.channel, NEW).await?;
        self.declared = Instant::now();
        Ok(())
    }

    /// Waits until its name is on the node's disk.
    pub async fn is_known(&mut self) -> Ran {
        node::is_known(&self.lab, NEW, self.declared).await?;
        self.waited = true;
        Ok(())
    }

    /// Publishes its orders, and waits until all are confirmed.
    pub async fn publish(&mut self) -> Ran {
        publish(&self.lab, &self.link.channel, NEW, &self.orders).await
    }
}

/// Some orders go to an old queue, the planned ones to a new one. The node is
/// killed when the last is confirmed, and started again.
pub async fn killed_after_the_last_confirm(lab: Lab, begin: Begin) -> Ran {
    let mut newcomer = Newcomer::open(&lab).await?;
    declare(&newcomer.link.channel, ORDERS).await?;
    node::is_known(&lab, ORDERS, Instant::now()).await?;
    let is_new = |order: &MessageId| lab.plan().strikes(*order);
    let old: Vec<_> = lab.messages().filter(|order| !is_new(order)).collect();
    publish(&lab, &newcomer.link.channel, ORDERS, &old).await?;
    begin(&mut newcomer).await?;
    let planned = |order| lab.is_planned(order, Strike::BrokerKilled);
    if newcomer.orders.iter().copied().any(planned) {
        kill(&lab, newcomer, old.len()).await?;
    }
    pack_from(&lab, &[ORDERS, NEW], Packs::EveryDelivery).await
}

async fn declare(channel: &Channel, queue: &str) -> Ran {
    let mut arguments = FieldTable::default();
    let quorum = AMQPValue::LongString("quorum".into());
    arguments.insert("x-queue-type".into(), quorum);
    let durable = QueueDeclareOptions::durable();
    channel.queue_declare(queue.into(), durable, arguments).await?;
    Ok(())
}

/// Publishes orders to a queue, and waits until all are confirmed.
pub async fn publish(
    lab: &Lab,
    channel: &Channel,
    queue: &str,
    orders: &[MessageId],
) -> Ran {
    let mut answers = Vec::with_capacity(orders.len());
    for id in orders {
        lab.saw(*id, Fact::Accepted);
        lab.saw(*id, Fact::Sent);
        let (body, properties) = (order(*id).body, persistent());
        let properties = properties.with_message_id(id.to_string().into());
        let options = BasicPublishOptions::default();
        let publish = channel.basic_publish(
            "".into(),
            queue.into(),
            options,
            &body,
            properties,
        );
        answers.push((*id, publish.await?));
    }
    for (id, answer) in answers {
        let answer = answer.await?;
        ensure!(answer == Confirmation::Ack(None), "{id}: {answer:?}");
        lab.saw(id, Fact::Confirmed);
    }
    Ok(())
}

fn persistent() -> BasicProperties {
    BasicProperties::default().with_delivery_mode(PERSISTENT)
}

/// Kills the node and looks what is on its disk. A new queue whose name has
/// been saved, although nobody waited for that, was too old for this fault,
/// and is not struck.
async fn kill(lab: &Lab, newcomer: Newcomer, old: usize) -> Ran {
    let (engine, broker) = (&lab.stage().engine, lab.broker());
    container::kill(engine, broker.container()).await?;
    let age = newcomer.declared.elapsed();
    let known = node::knows(lab, NEW).await?;
    let Newcomer { orders, waited, .. } = newcomer;
    ensure!(known || !waited, "its name was there, and is not any more");
    if known == waited {
        for order in &orders {
            lab.struck(*order, Strike::BrokerKilled);
        }
    }
    let logged = node::logged(lab, &orders).await?;
    lab.observe("logged", Text::same("logged"), logged as f64, Unit::Count);
    tell_kill(lab, age, known, (logged, orders.len()));
    lab.start_again(broker).await?;
    let link = Link::open(&lab.uri()).await?;
    let confirms = ConfirmSelectOptions::default();
    link.channel.confirm_select(confirms).await?;
    let old_queue = found(lab, &link.channel, ORDERS).await?;
    let new_queue = found(lab, &link.channel, NEW).await?;
    link.close().await?;
    tell_found(lab, (&old_queue, old), (&new_queue, orders.len()));
    Ok(())
}

/// Whether the node knows a queue of this name.
async fn is_there(lab: &Lab, queue: &str) -> anyhow::Result<bool> {
    const NOT_FOUND: u16 = 404;
    let link = Link::open(&lab.uri()).await?;
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let none = FieldTable::default();
    let seen = link.channel.queue_declare(queue.into(), passive, none).await;
    match seen {
        Ok(_) => Ok(true),
        Err(error) => match error.kind() {
            ErrorKind::ProtocolError(said) if said.get_id() == NOT_FOUND => {
                Ok(false)
            }
            _ => Err(error.into()),
        },
    }
}

fn tell_found(
    lab: &Lab,
    (old, of_old): (&Found, usize),
    (new, of_new): (&Found, usize),
) {
    let name = text! { en: "old queue", zh: "老队列" };
    lab.observe("old", name, old.kept.into(), Unit::Count);
    let name = text! { en: "new queue", zh: "新队列" };
    lab.observe("new", name, new.kept.into(), Unit::Count);
    for (id, of_one, of_other) in [
        ("leaderless", old.leaderless, new.leaderless),
        ("gone", old.gone, new.gone),
    ] {
        let queues = u32::from(of_one) + u32::from(of_other);
        lab.observe(id, Text::same(id), queues.into(), Unit::Count);
    }
    let (old, kept) = (old.kept, new.kept);
    lab.step(
        text! { en: "look", zh: "查看" },
        text! {
            en: "restarted: the old queue has {old} of {of_old}, the new one \
                 {kept} of {of_new}",
            zh: "重启后：老队列 {old}/{of_old}，新队列 {kept}/{of_new}",
            old = old, of_old = of_old, kept = kept, of_new = of_new
        },
    );
    if new.leaderless {
        lab.step(
            text! { en: "mend", zh: "修复" },
            text! {
                en: "{s} s without a leader: an election is triggered by hand",
                zh: "新队列 {s} 秒没有 leader，手动触发选举才恢复",
                s = LEADER.as_secs()
            },
        );
    }
}

/// What a queue is found to be after the restart.
struct Found {
    /// So many messages.
    kept: u32,
    /// It had no leader, and got one by hand only.
    leaderless: bool,
    /// The node did not know of it at all, and it was declared anew.
    gone: bool,
}

/// How much a queue has kept: a message more is published to it, which is
/// confirmed when all before it is counted. It has no id, and the consumer
/// rejects it. The queue is declared as any application would that starts: it
/// may itself be gone, on 3.x.
async fn found(
    lab: &Lab,
    channel: &Channel,
    queue: &str,
) -> anyhow::Result<Found> {
    let gone = !is_there(lab, queue).await?;
    declare(channel, queue).await?;
    let options = BasicPublishOptions::default();
    let probe = channel.basic_publish(
        "".into(),
        queue.into(),
        options,
        b"probe",
        persistent(),
    );
    let mut answer = pin!(probe.await?);
    let (leaderless, answer) = match timeout(LEADER, answer.as_mut()).await {
        Ok(answer) => (false, answer?),
        Err(_) => {
            node::elect(lab, lab.broker(), queue).await?;
            let what = text! { en: "a leader", zh: "选出 leader" };
            let elected = timeout(SOON, answer).await;
            (true, elected.map_err(|_| RanOut { what, limit: SOON })??)
        }
    };
    ensure!(answer == Confirmation::Ack(None), "the probe: {answer:?}");
    let what = text! { en: "the queue to count", zh: "队列恢复计数" };
    let counts = || async { Ok(lab.ready(queue).await? > 0) };
    lab.wait_until(what, SOON, counts).await?;
    Ok(Found { kept: lab.ready(queue).await? - 1, leaderless, gone })
}

fn tell_kill(
    lab: &Lab,
    age: Duration,
    known: bool,
    (logged, all): (usize, usize),
) {
    let name = match known {
        true => text! { en: "and its name", zh: "队列名也在" },
        false => text! { en: "not its name", zh: "没有队列名" },
    };
    let (seconds, tenths) = (age.as_secs(), age.subsec_millis() / 100);
    lab.step(
        text! { en: "fault", zh: "故障" },
        Text::made(
            format!(
                "killed, {seconds}.{tenths} s old; on disk: {logged} of {all} \
                 messages, {}",
                name.en
            ),
            format!(
                "声明 {seconds}.{tenths} 秒后被杀；磁盘上：消息 \
                 {logged}/{all}，{}",
                name.zh
            ),
        ),
    );
}
