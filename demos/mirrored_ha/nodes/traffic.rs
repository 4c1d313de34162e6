//! What is published to the nodes, and what is read from them.

use std::time::Duration;

use anyhow::{Context, ensure};
use lapin::{
    options::{BasicGetOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::time::{Instant, timeout};

use super::{Node, Nodes, SOON, connect};
use crate::{
    demos::shop::orders::{ORDERS, Ran, order},
    event::Unit,
    lab::{Lab, RanOut},
    ledger::{Fact, MessageId, Noun, Witness},
    pattern::{
        failover::FailoverPublisher,
        publisher::{Answer, Outgoing},
    },
    text,
    text::Text,
};

/// A publisher waits for an answer as long as this, then it tries elsewhere.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// The longest that a fail-over is waited for, where it may not come.
const FAIL_OVER: Duration = Duration::from_secs(6);
/// How long an election may take on the side that has a majority.
pub const ELECTED: Duration = Duration::from_secs(30);
/// A node that confirms alone does so at once, on a busy machine too.
pub const ANSWERED: Duration = Duration::from_secs(6);
/// So often at most a node is asked how many messages there are.
const ASKED: u32 = 5;
/// Unanswered publishes at a time.
pub const WINDOW: usize = 20;

impl Nodes<'_> {
    /// A publisher that tries these nodes one after another.
    pub fn publisher(
        &self,
        nodes: &[Node],
    ) -> anyhow::Result<FailoverPublisher> {
        self.patient_publisher(nodes, PATIENCE)
    }

    /// The same, waiting so long for an answer.
    pub fn patient_publisher(
        &self,
        nodes: &[Node],
        patience: Duration,
    ) -> anyhow::Result<FailoverPublisher> {
        let addresses: anyhow::Result<Vec<_>> =
            nodes.iter().map(|node| self.address(*node)).collect();
        let witness = self.lab.witness();
        Ok(FailoverPublisher::new(addresses?, ORDERS, patience, witness))
    }

    /// Publishes these orders and waits until each is confirmed.
    pub async fn publish(
        &self,
        at: &[Node],
        orders: impl IntoIterator<Item = MessageId>,
    ) -> Ran {
        let orders = orders.into_iter().map(|id| self.taken(id));
        let mut publisher = self.publisher(at)?;
        publisher.publish_all(orders, WINDOW, SOON).await?;
        Ok(())
    }

    /// An order, taken over from the customer.
    pub fn taken(&self, id: MessageId) -> Outgoing {
        self.lab.saw(id, Fact::Accepted);
        order(id)
    }

    /// The same of many.
    pub fn take_over(
        &self,
        orders: impl IntoIterator<Item = MessageId>,
    ) -> Vec<Outgoing> {
        orders.into_iter().map(|id| self.taken(id)).collect()
    }

    /// Publishes these while something is down: for the first it waits as
    /// long as a fail-over may take, then the others have one attempt. Returns
    /// those that were not confirmed, and observes how many were.
    pub async fn publish_meanwhile(
        &self,
        shop: &mut FailoverPublisher,
        orders: Vec<Outgoing>,
    ) -> Vec<Outgoing> {
        let all = orders.len();
        let open = served_within(FAIL_OVER, shop, orders).await;
        self.observe_meanwhile((all - open.len()) as u64, open.len() as u64);
        open
    }

    /// The same, one attempt for all together.
    pub async fn publish_at_once(
        &self,
        shop: &mut FailoverPublisher,
        orders: Vec<Outgoing>,
    ) -> Vec<Outgoing> {
        let all = orders.len();
        let open = at_once(shop, orders).await;
        self.observe_meanwhile((all - open.len()) as u64, open.len() as u64);
        open
    }

    /// Observes how many of those published meanwhile were confirmed, and how
    /// many not.
    pub fn observe_meanwhile(&self, confirmed: u64, open: u64) {
        let name = text! { en: "meanwhile", zh: "期间确认" };
        self.lab.observe("meanwhile", name, confirmed as f64, Unit::Count);
        let name = Text::same("open");
        self.lab.observe("open", name, open as f64, Unit::Count);
    }

    /// Says what a way came to in which nothing was lost: that says nothing of
    /// whether it could be used.
    fn came_to(&self, done: u32) {
        let figures = (self.lab.figure("meanwhile"), self.lab.figure("open"));
        let (Some(confirmed), Some(open)) = figures else { return };
        if done == self.lab.count() {
            self.lab.came_to(text! {
                en: "{confirmed} of {all} confirmed meanwhile",
                zh: "期间确认 {confirmed}/{all}",
                confirmed = confirmed, all = confirmed + open
            });
        }
    }

    /// Publishes again what was not confirmed, until it is.
    pub async fn publish_again(
        &self,
        shop: &mut FailoverPublisher,
        orders: &[Outgoing],
    ) -> Ran {
        for order in orders {
            shop.publish(order, SOON).await?;
        }
        Ok(())
    }

    /// Observes the longest time without a confirm.
    pub fn observe_gap(&self, shop: &FailoverPublisher) -> u128 {
        let gap = shop.longest_gap().as_millis();
        let name = text! { en: "gap", zh: "中断" };
        self.lab.observe("gap", name, gap as f64, Unit::Ms);
        gap
    }

    /// Works off what is in the queue, and tells how much that was, when.
    pub async fn look(&self, at: Node, when: Text) -> Ran {
        let (done, all) = (self.work_off(at).await?, self.lab.count());
        self.lab.step(
            text! { en: "look", zh: "查看" },
            Text::made(
                format!("{}: {done} of {all} orders in the queue", when.en),
                format!("{}：队列里有 {done}/{all} 个订单", when.zh),
            ),
        );
        Ok(())
    }

    /// How many messages are ready in the queue, as a node tells its clients;
    /// `None` where it does not tell.
    pub async fn depth(&self, at: Node) -> Option<u32> {
        for _ in 0..ASKED {
            let told = timeout(PATIENCE, self.told_depth(at)).await;
            if let Ok(Ok(depth)) = told {
                return Some(depth);
            }
        }
        None
    }

    async fn told_depth(&self, at: Node) -> anyhow::Result<u32> {
        let connection = connect(&self.address(at)?).await?;
        let channel = connection.create_channel().await?;
        let passive =
            QueueDeclareOptions { passive: true, ..Default::default() };
        let none = FieldTable::default();
        let seen = channel.queue_declare(ORDERS.into(), passive, none).await?;
        let depth = seen.message_count();
        connection.close(200, "that is all".into()).await?;
        Ok(depth)
    }

    /// Consumes what is in the queue, once it is there, by way of this node,
    /// and does each order once. Returns how many different orders that were.
    pub async fn work_off(&self, at: Node) -> anyhow::Result<u32> {
        self.work_off_from(ORDERS, at).await
    }

    /// The same from a queue of another name.
    pub async fn work_off_from(
        &self,
        queue: &str,
        at: Node,
    ) -> anyhow::Result<u32> {
        self.drain(queue, &self.address(at)?).await
    }

    /// The same from the queue of the orders, by way of another address.
    pub async fn work_off_by(&self, uri: &str) -> anyhow::Result<u32> {
        self.drain(ORDERS, uri).await
    }

    async fn drain(&self, queue: &str, uri: &str) -> anyhow::Result<u32> {
        let began = Instant::now();
        let (mut done, mut left) = (0, None);
        while left != Some(0) {
            ensure_in_time(began)?;
            let taken =
                timeout(PATIENCE, self.take(queue, uri, &mut done)).await;
            left = taken.ok().and_then(Result::ok);
        }
        self.came_to(done);
        Ok(done)
    }

    /// Takes what is ready. Returns how many were left at the end.
    async fn take(
        &self,
        queue: &str,
        uri: &str,
        done: &mut u32,
    ) -> anyhow::Result<u32> {
        let connection = connect(uri).await?;
        let channel = connection.create_channel().await?;
        let look = BasicGetOptions { no_ack: false };
        while let Some(got) = channel.basic_get(queue.into(), look).await? {
            let id = got.delivery.properties.message_id().as_ref();
            let id = id.context("a message without an id")?;
            let order: MessageId = id.as_str().parse()?;
            let is_new = do_once(self.lab, order, got.delivery.redelivered);
            // Others may have published to it, too.
            *done += u32::from(is_new && order.noun == Noun::Order);
            ensure!(got.delivery.acker.ack(Default::default()).await?);
        }
        let passive =
            QueueDeclareOptions { passive: true, ..Default::default() };
        let none = FieldTable::default();
        let seen = channel.queue_declare(queue.into(), passive, none).await?;
        let left = seen.message_count();
        connection.close(200, "that is all".into()).await?;
        Ok(left)
    }
}

/// The first is tried for so long; then the others have one attempt: window by
/// window as long as each is confirmed, for a slow machine is not a silent one,
/// and what is left all at once. Returns those that were not confirmed.
pub async fn served_within(
    limit: Duration,
    shop: &mut FailoverPublisher,
    orders: Vec<Outgoing>,
) -> Vec<Outgoing> {
    let mut orders = orders.into_iter();
    let mut open = Vec::new();
    if let Some(first) = orders.next()
        && shop.publish(&first, limit).await.is_err()
    {
        open.push(first);
    }
    while open.is_empty() {
        let window: Vec<_> = orders.by_ref().take(WINDOW).collect();
        if window.is_empty() {
            return open;
        }
        open = at_once(shop, window).await;
    }
    open.extend(at_once(shop, orders.collect()).await);
    open
}

/// One attempt for all together. Returns those that were not confirmed.
pub async fn at_once(
    shop: &mut FailoverPublisher,
    orders: Vec<Outgoing>,
) -> Vec<Outgoing> {
    let answers = shop.attempt_all(&orders).await;
    let answered = orders.into_iter().zip(answers);
    let open = answered.filter(|(_, answer)| *answer != Answer::Confirmed);
    open.map(|(order, _)| order).collect()
}

/// Works on an order, unless that was done. `true` where it was not.
pub fn do_once(lab: &Lab, id: MessageId, redelivered: bool) -> bool {
    let known = lab.entry(id).unwrap_or_default();
    let again = if redelivered { Fact::Redelivered } else { Fact::Delivered };
    lab.saw(id, again);
    if known.delivered == 0 {
        lab.settle(id, 1, 0);
    }
    known.delivered == 0
}

fn ensure_in_time(began: Instant) -> Ran {
    if began.elapsed() < SOON {
        return Ok(());
    }
    let what = text! { en: "the queue to be read", zh: "读出队列" };
    Err(RanOut { what, limit: SOON }.into())
}
