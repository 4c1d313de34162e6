//! The last items: of each there is one, and some are wanted twice.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    demos::shop::{
        Caller, Manner, Service, Shelf, Step,
        orders::{ORDERS, Ran, Tally, order},
        place::subscriber,
    },
    event::Unit,
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Noun, Witness},
    pattern::{
        consumer::Delivery,
        publisher::ConfirmingPublisher,
        worker::{Worker, Working},
    },
    text,
};

/// What the store does with an order that comes out of the queue.
pub(super) type Take =
    fn(&Lab, &mut Shelf, MessageId, &str) -> anyhow::Result<()>;

/// One sale: a shelf, a stock service over it, and a store behind a queue.
pub(super) struct Sale {
    lab: Lab,
    wanted: Wanted,
    shelf: Arc<Mutex<Shelf>>,
    /// Who asks the stock service: it takes, or says that it is sold out.
    pub stock: Caller,
    publisher: ConfirmingPublisher,
    store: Working,
    done: Tally,
    _stock: Service,
    mail: Service,
}

/// Which item each order wants.
type Wanted = Arc<BTreeMap<MessageId, String>>;

const TAKES: Duration = Duration::from_millis(1);
const RESENDS: u32 = 5;
const AT_MOST: Duration = Duration::from_secs(60);

impl Sale {
    /// Puts one of each item on the shelf, shows every customer a page that
    /// says so, and opens the store. It works on one order after another, in
    /// the order in which they came.
    pub async fn open(lab: &Lab, take: Take) -> anyhow::Result<Self> {
        let wanted = Arc::new(wanted(lab));
        let mut shelf = Shelf::open(lab.dir())?;
        let items: Vec<_> = wanted.values().map(String::as_str).collect();
        shelf.stock(&items, 1)?;
        let item_of = wanted.clone();
        let item_of = move |id| item_of.get(&id).cloned().unwrap_or_default();
        let own = Shelf::open(lab.dir())?;
        let stock = Service::open_over(own, item_of, Manner::taking(TAKES))?;
        let mail = Service::open(Noun::Mail, Manner::taking(TAKES))?;
        lab.declare(ORDERS).await?;
        let shelf = Arc::new(Mutex::new(shelf));
        let done = Tally::default();
        let store = Store {
            lab: lab.clone(),
            wanted: wanted.clone(),
            shelf: shelf.clone(),
            take,
            mail: mail.client(),
            done: done.clone(),
        };
        let publisher =
            ConfirmingPublisher::new(lab.uri(), ORDERS, lab.witness());
        let (lab, store) = (lab.clone(), store.open(lab).await?);
        let (stock, _stock) = (stock.client(), stock);
        Ok(Self {
            lab,
            wanted,
            shelf,
            stock,
            publisher,
            store,
            done,
            _stock,
            mail,
        })
    }

    /// The orders as they come: who wants the same item as another comes
    /// right behind. All have the page open already, and it says "1 left".
    pub fn customers(&self) -> anyhow::Result<Vec<MessageId>> {
        let mut come: Vec<_> = self.wanted.iter().collect();
        come.sort_by_key(|(order, item)| (*item, self.is_late(**order)));
        for item in self.wanted.values() {
            let left = lock(&self.shelf).left(item)?;
            anyhow::ensure!(left == 1, "{item}: {left} left");
        }
        Ok(come.into_iter().map(|(order, _)| *order).collect())
    }

    fn is_late(&self, order: MessageId) -> bool {
        self.lab.is_planned(order, Strike::SoldOut)
    }

    /// Publishes the order to the store, and waits for the confirm.
    pub async fn publish(&mut self, id: MessageId) -> Ran {
        let order = order(id);
        Ok(self.publisher.publish_until_confirmed(&order, RESENDS).await?)
    }

    /// Tells the customer yes.
    pub fn accept(&self, order: MessageId) {
        self.lab.saw(order, Fact::Accepted);
    }

    /// Tells the customer no.
    pub fn refuse(&self, order: MessageId) {
        self.lab.struck(order, Strike::SoldOut);
        self.lab.saw(order, Fact::Refused);
    }

    /// Takes from the shelf what the page said was there.
    pub fn take_as_seen(&self, order: MessageId) -> anyhow::Result<()> {
        let item = self.wanted.get(&order).map_or("", String::as_str);
        take_blindly(&self.lab, &mut lock(&self.shelf), order, item)
    }

    /// Waits until the store is through, and asks the books.
    pub async fn close(self) -> Ran {
        let lab = &self.lab;
        let what = text! {
            en: "the store to be through", zh: "仓库处理完所有订单"
        };
        let published = usize::try_from(lab.sums().confirmed)?;
        lab.wait_until(what, AT_MOST, || async {
            Ok(self.done.count() >= published)
        })
        .await?;
        self.store.stop().await;
        for order in lab.left_in(ORDERS).await? {
            lab.settle(order, 0, 1);
        }
        let shelf = lock(&self.shelf);
        let mut undone = None;
        for order in lab.messages() {
            let trail = shelf.trail(order)?;
            let taken = trail.iter().filter(|step| **step == Step::Taken);
            lab.settle(order, u16::try_from(taken.count())?, 0);
            if trail == UNDONE {
                lab.saw(order, Fact::Reported);
                undone.get_or_insert(order);
            }
        }
        let below = shelf.oversold()?;
        let oversold: i64 = below.iter().map(|(_, left)| -left).sum();
        let mails: u16 = self.mail.made().values().sum();
        tell(lab, undone, oversold);
        let name = text! { en: "oversold", zh: "超卖" };
        lab.observe("oversold", name, oversold as f64, Unit::Count);
        let name = text! { en: "mails", zh: "邮件" };
        lab.observe("mails", name, mails.into(), Unit::Count);
        Ok(())
    }
}

/// The trail of an order that was undone.
const UNDONE: [Step; 3] = [Step::SoldOut, Step::Refunded, Step::CustomerTold];

/// Each order wants an item of its own; a struck one wants what another has,
/// the nearest that is not struck.
fn wanted(lab: &Lab) -> BTreeMap<MessageId, String> {
    let late = |order: &MessageId| lab.is_planned(*order, Strike::SoldOut);
    let first = lab.messages().find(|order| !late(order));
    let mut last = first;
    let mut wanted = BTreeMap::new();
    for order in lab.messages() {
        if !late(&order) {
            last = Some(order);
        }
        let whose = last.unwrap_or(order);
        wanted.insert(order, format!("item-{:07}", whose.number));
    }
    wanted
}

/// The consumer's side.
struct Store {
    lab: Lab,
    wanted: Wanted,
    shelf: Arc<Mutex<Shelf>>,
    take: Take,
    mail: Caller,
    done: Tally,
}

impl Store {
    async fn open(self, lab: &Lab) -> lapin::Result<Working> {
        let one_by_one = Worker { at_once: 1, ..subscriber(lab, ORDERS) };
        let store = Arc::new(self);
        one_by_one
            .start(move |order| {
                let store = store.clone();
                async move {
                    if let Err(error) = store.work(&order).await {
                        tracing::warn!(%error, "the store");
                    }
                }
            })
            .await
    }

    /// Takes; mails the customer, if there was one to take; acks.
    async fn work(&self, order: &Delivery) -> Ran {
        let item = self.wanted.get(&order.id).map_or("", String::as_str);
        let has_it = {
            let mut shelf = lock(&self.shelf);
            (self.take)(&self.lab, &mut shelf, order.id, item)?;
            shelf.trail(order.id)?.contains(&Step::Taken)
        };
        if has_it {
            self.mail.call(order.id).await?;
        }
        order.ack().await?;
        self.done.add(order.id);
        Ok(())
    }
}

/// The page said "1 left": take it.
pub(super) fn take_blindly(
    lab: &Lab,
    shelf: &mut Shelf,
    order: MessageId,
    item: &str,
) -> anyhow::Result<()> {
    shelf.take_blindly(order, item)?;
    if shelf.left(item)? < 0 {
        lab.struck(order, Strike::SoldOut);
    }
    Ok(())
}

/// Takes one if there is one, in one statement. Who comes too late was told
/// yes already: money back, and a word to the customer.
pub(super) fn take_or_undo(
    lab: &Lab,
    shelf: &mut Shelf,
    order: MessageId,
    item: &str,
) -> anyhow::Result<()> {
    if !shelf.take_if_any(order, item)?.has_it() {
        lab.struck(order, Strike::SoldOut);
        shelf.note_once(order, Step::Refunded)?;
        shelf.note_once(order, Step::CustomerTold)?;
    }
    Ok(())
}

/// It was taken before the order was published.
pub(super) fn is_taken(
    _: &Lab,
    _: &mut Shelf,
    _: MessageId,
    _: &str,
) -> anyhow::Result<()> {
    Ok(())
}

fn tell(lab: &Lab, undone: Option<MessageId>, oversold: i64) {
    let sums = lab.sums();
    lab.step(
        text! { en: "order", zh: "下单" },
        text! {
            en: "{yes} customers told yes, {no} told no",
            zh: "{yes} 位顾客得到「成功」，{no} 位得到「售罄」",
            yes = sums.accepted, no = sums.refused
        },
    );
    let taken = sums.applied;
    let store = match (undone, oversold) {
        (Some(order), _) => text! {
            en: "{order}: accepted, sold out, refunded, customer told",
            zh: "{order}：已受理，售罄，已退款，已告知顾客", order = order
        },
        (None, 0) => text! {
            en: "{taken} taken, and mailed", zh: "出库 {taken} 件，已发邮件",
            taken = taken
        },
        (None, oversold) => text! {
            en: "{taken} taken, of which {oversold} were not there",
            zh: "出库 {taken} 件，其中 {oversold} 件根本没有",
            taken = taken, oversold = oversold
        },
    };
    lab.step(text! { en: "store", zh: "出库" }, store);
    lab.came_to(match (oversold, sums.refused, sums.reported) {
        (0, 0, undone) => text! {
            en: "{undone} told yes and undone", zh: "{undone} 单先受理后撤销",
            undone = undone
        },
        (0, refused, _) => text! {
            en: "{refused} refused at once", zh: "{refused} 单当场拒绝",
            refused = refused
        },
        (oversold, ..) => text! {
            en: "{oversold} oversold", zh: "超卖 {oversold} 件",
            oversold = oversold
        },
    });
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}
