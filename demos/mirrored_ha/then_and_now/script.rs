//! What happens on either side, the same on both.

use anyhow::Context;
use serde_json::{Value, json};

use crate::{
    demos::{
        mirrored_ha::nodes::{
            ANSWERED, Kind, Node, Nodes, SOON, WINDOW, Where, killed,
            served_within,
        },
        shop::orders::Ran,
    },
    event::Seat,
    lab::Lab,
    ledger::{Entry, MessageId},
    text,
    text::Text,
};

/// What happens, with its word in figures and its name.
pub static EVENTS: [(&str, Text); 3] = [
    ("died", text! { en: "leader killed", zh: "主被杀" }),
    ("down", text! { en: "two of three down", zh: "三坏其二" }),
    ("empty", text! { en: "copy restarts, then so", zh: "副本重启，再杀主" }),
];

/// It leads at first.
const FIRST: Node = 0;

/// A queue on a cluster, and its orders.
pub struct Side<'a> {
    lab: &'a Lab,
    nodes: Nodes<'a>,
    kind: Kind,
    /// A third for each event.
    thirds: std::vec::IntoIter<Vec<MessageId>>,
    /// Who leads, and who is down.
    leader: Node,
    survivor: Node,
}

/// What an event came to on one side.
pub struct Told {
    /// Orders.
    pub all: u32,
    /// Put on the wire while the fault lasted.
    pub attempted: u32,
    /// Confirmed while the fault lasted.
    pub meanwhile: u32,
    /// Found in the queue afterwards.
    pub found: u32,
    /// Who was what, at the worst.
    pub seats: Vec<Seat>,
}

impl Told {
    /// All were confirmed in the end.
    pub fn lost(&self) -> u32 {
        self.all - self.found
    }

    /// As a cell of the table.
    pub fn cell(&self) -> Text {
        text! {
            en: "{meanwhile} of {all}, {lost} lost",
            zh: "{meanwhile}/{all}，丢 {lost}",
            meanwhile = self.meanwhile, all = self.all, lost = self.lost()
        }
    }
}

impl<'a> Side<'a> {
    /// A queue of this kind for these orders.
    pub fn new(
        lab: &'a Lab,
        nodes: Nodes<'a>,
        kind: Kind,
        orders: Vec<MessageId>,
    ) -> Self {
        let third = orders.len().div_ceil(3).max(1);
        let thirds: Vec<_> = orders.chunks(third).map(<[_]>::to_vec).collect();
        let thirds = thirds.into_iter();
        Self { lab, nodes, kind, thirds, leader: FIRST, survivor: FIRST }
    }

    /// The version, (major.minor).
    pub fn version(&self) -> String {
        let broker = self.nodes.broker(FIRST);
        broker.map_or_else(
            |_| "-".to_owned(),
            |broker| format!("{}.{}", broker.version.0, broker.version.1),
        )
    }

    /// Declares the queue; a classic one is mirrored to two.
    pub async fn declare(&self) -> Ran {
        self.nodes.declare(self.kind, FIRST).await?;
        self.mirror("automatic").await
    }

    /// Publishes some orders and works them off: what is done on any day.
    pub async fn work(&mut self) -> Ran {
        let orders = self.orders()?;
        self.nodes.publish(&[FIRST], orders).await?;
        self.nodes.work_off(FIRST).await?;
        Ok(())
    }

    /// The leader is killed while orders are published.
    pub async fn leader_dies(&mut self) -> anyhow::Result<Told> {
        let orders = self.orders()?;
        let mut shop = self.nodes.publisher(&[0, 1, 2])?;
        let all = u32::try_from(orders.len())?;
        let taken: Vec<_> =
            orders.iter().map(|order| self.nodes.taken(*order)).collect();
        let (before, rest) = taken.split_at(taken.len() / 3);
        let (during, after) = rest.split_at(rest.len() / 2);
        shop.publish_all(before.to_vec(), WINDOW, SOON).await?;
        let (published, killed_it) = tokio::join!(
            shop.publish_all(during.to_vec(), 1, SOON),
            self.nodes.kill(FIRST)
        );
        published?;
        killed_it?;
        shop.publish_all(after.to_vec(), WINDOW, SOON).await?;
        let (attempted, meanwhile) = self.sent_and_confirmed(&orders);
        self.another_leads(1, FIRST).await?;
        let seats = self.seats(1, &[FIRST]).await?;
        let found = self.nodes.work_off(1).await?;
        Ok(Told { all, attempted, meanwhile, found, seats })
    }

    /// One more is killed, which leads meanwhile, once it has a copy
    /// elsewhere. When one of them is back, what was not confirmed is
    /// published again.
    pub async fn two_are_down(&mut self) -> anyhow::Result<Told> {
        let what = text! { en: "another copy", zh: "另一份副本" };
        let other = |at: &Where| {
            let up =
                |node: &&Node| **node != FIRST && at.leader != Some(**node);
            at.synced.iter().find(up).copied()
        };
        self.nodes
            .until(what, 1, |at| at.leader.is_some() && other(at).is_some())
            .await?;
        let at = self.nodes.locate(1).await?;
        self.leader = at.leader.context("it has a leader")?;
        self.survivor = other(&at).context("it has another copy")?;
        self.nodes.kill(self.leader).await?;
        self.nodes.until_missed(self.survivor, 2).await?;
        let orders = self.orders()?;
        let all = u32::try_from(orders.len())?;
        let mut shop =
            self.nodes.patient_publisher(&[self.survivor], ANSWERED)?;
        let taken = self.nodes.take_over(orders.iter().copied());
        // All of them: what was never sent says nothing of who confirms.
        let open = served_within(ANSWERED, &mut shop, taken).await;
        let (attempted, meanwhile) = self.sent_and_confirmed(&orders);
        let down = [FIRST, self.leader];
        let seats = self.seats(self.survivor, &down).await?;
        // One of them is enough. With both back at once, those two may elect
        // before the one that was left has a say, and on 4.3.6 a leader then
        // crashed again and again at what that one had written and nobody
        // confirmed (`ra_server:make_rpc_effect`, `case_clause`; seen once).
        self.nodes.start(self.leader).await?;
        let mut shop = self.nodes.publisher(&[self.survivor])?;
        self.nodes.publish_again(&mut shop, &open).await?;
        self.nodes.heal().await?;
        let found = self.nodes.work_off(self.survivor).await?;
        Ok(Told { all, attempted, meanwhile, found, seats })
    }

    /// A node with a copy restarts, then the leader is killed, and returns. A
    /// mirrored queue does not fill a copy that has restarted, unless it is
    /// told to: `ha-sync-mode` is `manual` by default.
    pub async fn copy_restarts(&mut self) -> anyhow::Result<Told> {
        self.mirror("manual").await?;
        let asked = self.survivor;
        let what = text! { en: "all copies", zh: "副本齐全" };
        self.nodes
            .until(what, asked, |at| {
                at.leader.is_some()
                    && at.synced.len() == self.copies()
                    && at.copies.len() == self.copies()
            })
            .await?;
        let at = self.nodes.locate(asked).await?;
        let leader = at.leader.context("it has a leader")?;
        let copy = *at.synced.first().context("it has a copy")?;
        let orders = self.orders()?;
        let all = u32::try_from(orders.len())?;
        self.nodes.publish(&[leader], orders.iter().copied()).await?;
        let (attempted, meanwhile) = self.sent_and_confirmed(&orders);
        self.nodes.kill(copy).await?;
        self.nodes.start(copy).await?;
        let what = text! { en: "a copy again", zh: "又有副本" };
        self.nodes
            .until(what, leader, |at| match self.kind {
                Kind::Classic => at.copies.len() == 1 && at.synced.is_empty(),
                Kind::Quorum(_) => at.synced.contains(&copy),
            })
            .await?;
        self.nodes.kill(leader).await?;
        let other = (0..self.nodes.count()).find(|node| *node != leader);
        let other = other.context("there are others")?;
        self.another_leads(other, leader).await?;
        let seats = self.seats(other, &[leader]).await?;
        self.nodes.heal().await?;
        let found = self.nodes.work_off(other).await?;
        Ok(Told { all, attempted, meanwhile, found, seats })
    }

    fn orders(&mut self) -> anyhow::Result<Vec<MessageId>> {
        self.thirds.next().context("a third of the orders for each event")
    }

    /// Besides the leader.
    fn copies(&self) -> usize {
        match self.kind {
            Kind::Classic => 1,
            Kind::Quorum(members) => members as usize - 1,
        }
    }

    async fn mirror(&self, sync: &str) -> Ran {
        if let Kind::Quorum(_) = self.kind {
            return Ok(());
        }
        let policy: Value = json!({
            "ha-mode": "exactly", "ha-params": 2, "ha-sync-mode": sync,
        });
        self.nodes.mirror(policy, self.copies()).await
    }

    async fn another_leads(&self, asked: Node, than: Node) -> Ran {
        let what = text! { en: "another leader", zh: "新的主" };
        let leads = |at: &Where| at.leader.is_some_and(|node| node != than);
        self.nodes.until(what, asked, leads).await
    }

    /// How many of these were put on the wire so far, and how many of them
    /// were confirmed.
    fn sent_and_confirmed(&self, orders: &[MessageId]) -> (u32, u32) {
        let count = |is: fn(&Entry) -> bool| -> u32 {
            let entries = orders.iter().filter_map(|id| self.lab.entry(*id));
            entries.map(|entry| u32::from(is(&entry))).sum()
        };
        (count(|entry| entry.sent > 0), count(|entry| entry.confirmed > 0))
    }

    /// Mirrored nodes are called m1 …, those of the quorum queue q1 …; the two
    /// know nothing of each other.
    async fn seats(
        &self,
        asked: Node,
        down: &[Node],
    ) -> anyhow::Result<Vec<Seat>> {
        let down: Vec<_> = down.iter().map(|node| (*node, killed())).collect();
        let (name, side) = match self.kind {
            Kind::Classic => ("m", 0),
            Kind::Quorum(_) => ("q", 1),
        };
        let seats = self.nodes.seats(name, asked, &down).await?;
        Ok(seats.into_iter().map(|seat| Seat { side, ..seat }).collect())
    }
}
