//! What is the same in every way: one worker after another, and connections
//! that are cut while an order is worked on or acked.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use lapin::Consumer;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    super::{
        held::{Held, LateAcks},
        link::Link,
    },
    Handle,
};
use crate::{
    demos::shop::{
        orders::{ORDERS, Ran, publish_orders},
        parcels::ParcelTable,
    },
    event::Unit,
    fault::wire::{Protocol, Wire},
    lab::{Failpoints, Lab, RanOut, Strike},
    ledger::{Fact, Witness},
    text,
};

/// One order at a time.
const PREFETCH: u16 = 1;
/// Silence after which it is asked whether all is done.
const IDLE: Duration = Duration::from_millis(15);
const AT_MOST: Duration = Duration::from_secs(50);

/// Whoever packs one order.
pub struct Packer {
    /// What was packed.
    pub parcels: ParcelTable,
    shift: Shift,
}

/// What all workers of a way share. Cheap to clone.
#[derive(Clone)]
struct Shift {
    lab: Lab,
    wire: Arc<Wire>,
    fail: Failpoints,
    late: LateAcks,
}

impl Packer {
    /// Works on an order for a while. Where it is planned the connection is
    /// cut meanwhile, the broker gives the order to another, and the two go
    /// on at the same moment.
    pub async fn work(&mut self, order: &Held) -> Ran {
        let Shift { lab, wire, fail, .. } = &self.shift;
        if lab.is_planned(order.id, Strike::Meet) && !order.redelivered {
            wire.cut().await;
        }
        Ok(fail.before_begin(order.id).await?)
    }

    /// Whether an order has been packed, as far as can be seen now.
    pub fn has_packed(&self, order: &Held) -> anyhow::Result<bool> {
        let packed = self.parcels.has(order.id)?;
        if packed {
            self.shift.lab.saw(order.id, Fact::Seen);
        }
        Ok(packed)
    }
}

/// Orders are packed one at a time. Whenever the connection is gone another
/// worker takes over; what was begun is finished by whoever began it.
pub async fn taken_from_under(lab: Lab, handle: Handle) -> Ran {
    publish_orders(&lab).await?;
    let parcels = ParcelTable::open(&lab)?;
    let shift = Shift {
        wire: Arc::new(lab.wire("worker", Protocol::Amqp).await?),
        fail: lab.failpoints(),
        late: LateAcks::default(),
        lab: lab.clone(),
    };
    let workers = work_off(&shift, handle).await?;
    tell(&shift, workers);
    parcels.settle()?;
    for order in lab.left_in(ORDERS).await? {
        lab.settle(order, 0, 1);
    }
    Ok(())
}

/// Works until nothing is left, and says how many workers that took.
async fn work_off(shift: &Shift, handle: Handle) -> anyhow::Result<u32> {
    let began = Instant::now();
    let mut in_hand = JoinSet::new();
    for workers in 1.. {
        let uri = shift.lab.uri_through(&shift.wire);
        let link = Link::open(&uri).await?;
        let mut orders = link.consume(ORDERS, PREFETCH).await?;
        if consume(shift, handle, &mut orders, &mut in_hand).await? {
            link.close().await?;
            return Ok(workers);
        }
        if began.elapsed() > AT_MOST {
            break;
        }
    }
    let what = text! { en: "the orders to be packed", zh: "订单全部打包" };
    Err(RanOut { what, limit: AT_MOST }.into())
}

/// `true`: all is done. `false`: the connection is gone.
async fn consume(
    shift: &Shift,
    handle: Handle,
    orders: &mut Consumer,
    in_hand: &mut JoinSet<Ran>,
) -> anyhow::Result<bool> {
    let Shift { lab, late, .. } = shift;
    loop {
        match timeout(IDLE, orders.next()).await {
            Ok(Some(Ok(delivery))) => {
                let order = Held::take(delivery, late, lab)?;
                let parcels = ParcelTable::open(lab)?;
                let mut packer = Packer { parcels, shift: shift.clone() };
                in_hand.spawn(async move { handle(&order, &mut packer).await });
            }
            Ok(Some(Err(_)) | None) => return Ok(false),
            Err(_) => {
                let nobody_works = in_hand.is_empty();
                if nobody_works
                    && lab.is_all_delivered()
                    && lab.ready(ORDERS).await? == 0
                {
                    return Ok(true);
                }
            }
        }
        while let Some(worked) = in_hand.try_join_next() {
            worked??;
        }
    }
}

fn tell(shift: &Shift, workers: u32) {
    let Shift { lab, late, .. } = shift;
    let (late, errors) = late.counts();
    let name = text! { en: "late acks", zh: "迟到的 ack" };
    lab.observe("late", name, late.into(), Unit::Count);
    let name = text! { en: "errors", zh: "报错" };
    lab.observe("errors", name, errors.into(), Unit::Count);
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "{workers} workers, one after another; {deliveries} \
                 deliveries",
            zh: "先后 {workers} 个消费者，共投递 {deliveries} 次",
            workers = workers, deliveries = lab.sums().deliveries
        },
    );
}
