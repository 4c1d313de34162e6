//! Which order fails how often, and what the lab's clock saw of it.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::stage::SHORT;
use crate::{
    lab::{Lab, Strike},
    ledger::MessageId,
};

/// Deliveries after which whoever counts has parked it.
pub(super) const FAILS: u32 = 3;
/// Deliveries after which whoever has not parked it never will.
const ROUND_AND_ROUND: u32 = FAILS + 2;

/// What is known of the orders.
pub(super) struct Book {
    /// The one that waits for the longer delay.
    pub blocker: Option<MessageId>,
    lab: Lab,
    mended: AtomicBool,
    behind: CancellationToken,
    ended: CancellationToken,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    orders: BTreeMap<MessageId, Order>,
    deliveries: u32,
    probe: u32,
}

#[derive(Clone, Copy, Default)]
struct Order {
    tries: u32,
    /// It was delivered, and nothing came of it yet.
    in_hand: bool,
    comes_again: bool,
    packed: u16,
    parked: bool,
    /// When it began to wait, and when its copy was certainly placed.
    waits: Option<(Instant, Instant)>,
    /// When it was last delivered, and as which of all deliveries.
    came: Option<(Instant, u32)>,
}

/// What has become of an order that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comes {
    /// A copy waits.
    Again,
    /// No copy waits.
    NoMore,
}

impl Book {
    /// The first order that no strike is planned for stands before the
    /// others, where any is to be held up.
    pub fn new(lab: &Lab) -> Self {
        let held_up = |id: &_| lab.is_planned(*id, Strike::HeldUp);
        let is_needed = lab.messages().any(|id| held_up(&id));
        let mut others = lab.messages().filter(|id| !lab.plan().strikes(*id));
        Self {
            blocker: is_needed.then(|| others.next()).flatten(),
            lab: lab.clone(),
            mended: AtomicBool::new(false),
            behind: CancellationToken::new(),
            ended: CancellationToken::new(),
            seen: Mutex::default(),
        }
    }

    /// How often an order fails.
    pub fn fails(&self, id: MessageId) -> u32 {
        let is = |strike| self.lab.is_planned(id, strike);
        if Some(id) == self.blocker {
            return 2;
        }
        match () {
            () if is(Strike::Poison) && !self.mended() => u32::MAX,
            () if is(Strike::HeldUp) || is(Strike::CutBeforePublish) => 1,
            () => 0,
        }
    }

    /// From now on nothing is poison.
    pub fn mend(&self) {
        self.mended.store(true, Ordering::SeqCst);
    }

    fn mended(&self) -> bool {
        self.mended.load(Ordering::SeqCst)
    }

    /// It was delivered: how often by now.
    pub fn came(&self, id: MessageId) -> u32 {
        let mut seen = self.seen();
        seen.deliveries += 1;
        let number = seen.deliveries;
        let order = seen.orders.entry(id).or_default();
        order.tries += 1;
        order.in_hand = true;
        order.came = Some((Instant::now(), number));
        order.tries
    }

    /// It has failed: what becomes of it was settled between then and now.
    pub fn failed(&self, id: MessageId, comes: Comes, began: Instant) {
        let mut seen = self.seen();
        let order = seen.orders.entry(id).or_default();
        order.in_hand = false;
        order.comes_again = comes == Comes::Again;
        order.waits = Some((began, Instant::now()));
    }

    /// Whether it waits behind the longer delay: that was placed before, and
    /// is over later, however slow the machine.
    pub fn is_behind(&self, id: MessageId) -> bool {
        let seen = self.seen();
        let placed = |id: &MessageId| {
            let order = seen.orders.get(id)?;
            order.waits.map(|waits| (order.tries, waits))
        };
        let blocker = self.blocker.and_then(|id| placed(&id));
        let (Some((2, (began, _))), Some((1, (_, placed)))) =
            (blocker, placed(&id))
        else {
            return false;
        };
        self.lab.is_planned(id, Strike::HeldUp)
            && placed + SHORT < began + 4 * SHORT
    }

    /// Packed once more.
    pub fn packed(&self, id: MessageId) {
        let mut seen = self.seen();
        let order = seen.orders.entry(id).or_default();
        order.in_hand = false;
        order.comes_again = false;
        order.packed += 1;
    }

    /// Somebody has found it parked.
    pub fn is_parked(&self, id: MessageId) {
        self.seen().orders.entry(id).or_default().parked = true;
    }

    /// The probe was delivered: how often by now.
    pub fn probe_came(&self) -> u32 {
        let mut seen = self.seen();
        seen.probe += 1;
        seen.probe
    }

    /// Whether the one with the longer delay is there to fail once more.
    pub fn is_about_to_block(&self) -> bool {
        let seen = self.seen();
        let tries = |id| seen.orders.get(&id).map_or(0, |order| order.tries);
        self.blocker.is_none_or(|id| tries(id) >= 2)
    }

    /// Those that are to stand behind it are in the queue.
    pub fn stand_behind(&self) {
        self.behind.cancel();
    }

    /// Until they are: the longer delay is to begin when nothing is left to do
    /// but to fail.
    pub async fn others_behind(&self, id: MessageId, tries: u32) {
        if Some(id) == self.blocker && tries == 2 {
            tokio::select! {
                () = self.behind.cancelled() => {}
                () = self.ended() => {}
            }
        }
    }

    /// Whether the longer delay runs.
    pub fn is_blocked(&self) -> bool {
        let seen = self.seen();
        self.blocker.is_none_or(|id| {
            let order = seen.orders.get(&id);
            order.is_some_and(|order| order.tries == 2 && !order.in_hand)
        })
    }

    /// Whether each of these was tried, and something has come of it.
    pub fn all_came(&self, ids: &[MessageId]) -> bool {
        let seen = self.seen();
        let came = |id| seen.orders.get(id).is_some_and(|o| !o.in_hand);
        ids.iter().all(came)
    }

    /// Whether each of these was packed.
    pub fn all_packed_of(&self, ids: &[MessageId]) -> bool {
        let seen = self.seen();
        let packed = |id| seen.orders.get(id).is_some_and(|o| o.packed > 0);
        ids.iter().all(packed)
    }

    /// Whether nothing comes again: the probe is back, the longer delay is
    /// over, and what fails always comes no more, or for ever.
    pub fn is_over(&self) -> bool {
        let seen = self.seen();
        let blocker = self.blocker.and_then(|id| seen.orders.get(&id));
        let is_blocked = blocker.is_some_and(|order| order.packed == 0);
        let is_over = |order: &Order| {
            order.tries >= FAILS && !order.in_hand && !order.comes_again
                || order.tries >= ROUND_AND_ROUND
        };
        let mut poison = self.poison().map(|id| seen.orders.get(&id));
        seen.probe >= 2
            && !is_blocked
            && poison.all(|order| order.is_some_and(is_over))
    }

    fn poison(&self) -> impl Iterator<Item = MessageId> {
        let is_armed = |id: &_| self.lab.is_planned(*id, Strike::Poison);
        self.lab.plan().of(Strike::Poison).filter(is_armed)
    }

    /// Whether all that was parked was packed.
    pub fn is_packed(&self) -> bool {
        let seen = self.seen();
        seen.orders.values().all(|order| !order.parked || order.packed > 0)
    }

    /// How many of those that fail always come again.
    pub fn going_round(&self) -> usize {
        let seen = self.seen();
        let comes = |id| seen.orders.get(&id).is_some_and(|o| o.comes_again);
        self.poison().filter(|id| comes(*id)).count()
    }

    /// How often each was packed.
    pub fn all_packed(&self) -> BTreeMap<MessageId, u16> {
        let seen = self.seen();
        seen.orders.iter().map(|(id, order)| (*id, order.packed)).collect()
    }

    /// How many came when the longer delay was over, and not before.
    pub fn held_up(&self) -> usize {
        let seen = self.seen();
        let number = |id: MessageId| {
            let (_, number) = seen.orders.get(&id)?.came?;
            Some(number)
        };
        let Some(blocker) = self.blocker.and_then(number) else { return 0 };
        let held_up = self.lab.plan().of(Strike::HeldUp);
        held_up.filter_map(number).filter(|came| *came > blocker).count()
    }

    /// How long the longest of the shorter delays was.
    pub fn longest(&self) -> Duration {
        let seen = self.seen();
        let waited = |id: MessageId| {
            let order = seen.orders.get(&id)?;
            let ((_, placed), (came, _)) = (order.waits?, order.came?);
            Some(came.saturating_duration_since(placed))
        };
        let all = self.lab.plan().of(Strike::HeldUp).filter_map(waited);
        all.max().unwrap_or_default()
    }

    /// The consumer is to stop.
    pub fn end(&self) {
        self.ended.cancel();
    }

    /// When the consumer is to stop.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
