//! What is the same in every way: the orders before, those on the wire when
//! the broker is killed, and those after.

use std::time::Duration;

use anyhow::ensure;
use futures::future::BoxFuture;
use lapin::{
    BasicProperties, Confirmation, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
    try_join,
};

use super::{
    Ran,
    outlet::{Mode, Outlet},
};
use crate::{
    demos::shop::{
        orders::{ORDERS, order},
        packing::{Packs, pack},
    },
    event::Unit,
    fault::{
        container,
        wire::{Protocol, Wire},
    },
    lab::{Lab, RanOut, Strike},
    ledger::{Fact, MessageId, Witness},
    pattern::publisher::Outgoing,
    text,
};

/// Takes some orders, and does with them what the way does.
type Publish = for<'a> fn(Vec<Outgoing>, &'a mut Outlet) -> BoxFuture<'a, Ran>;

const SOON: Duration = Duration::from_secs(20);

/// Publishes all orders. Those that are struck are on the wire when the
/// broker is killed.
pub async fn killed_in_flight(lab: Lab, publish: Publish) -> Ran {
    lab.declare(ORDERS).await?;
    no_longer_young(&lab).await;
    let wire = lab.wire("producer", Protocol::Amqp).await?;
    let mut outlet = Outlet::to(lab.uri_through(&wire), &lab);
    let [before, held, after] = around_the_kill(&lab);
    publish(taken(&lab, &before), &mut outlet).await?;
    all_on_disk(&lab, before.len()).await?;
    let is_planned = |order: &_| lab.is_planned(*order, Strike::BrokerKilled);
    if held.iter().any(is_planned) {
        wire.freeze();
        let written = outlet.written();
        let orders = taken(&lab, &held);
        try_join!(
            publish(orders, &mut outlet),
            kill(&lab, &wire, written, before.len(), &held)
        )?;
        outlet.lose();
    } else {
        publish(taken(&lab, &held), &mut outlet).await?;
    }
    publish(taken(&lab, &after), &mut outlet).await?;
    outlet.close().await?;
    pack(&lab, ORDERS, Packs::EveryDelivery).await
}

/// The orders before the struck ones, these, and those after.
fn around_the_kill(lab: &Lab) -> [Vec<MessageId>; 3] {
    let held: Vec<_> = lab.plan().of(Strike::BrokerKilled).collect();
    let (after, before) =
        lab.messages().partition(|order| held.first() <= Some(order));
    let after = Vec::into_iter(after).filter(|order| !held.contains(order));
    [before, held.clone(), after.collect()]
}

/// Each customer is told yes.
fn taken(lab: &Lab, orders: &[MessageId]) -> Vec<Outgoing> {
    let take = |id: &MessageId| {
        lab.saw(*id, Fact::Accepted);
        order(*id)
    };
    orders.iter().map(take).collect()
}

/// Waits until the queue has all that was published so far, and what is
/// persistent of it is on disk.
///
/// That a queue has a message says nothing of the disk. So the lab puts a
/// message of its own behind the others and waits for its confirm, which comes
/// when it was written; a classic queue writes one after another (seen on 3.10
/// and 4.3: killed at once, nothing persistent was missing). It has no id: the
/// consumer rejects it.
async fn all_on_disk(lab: &Lab, orders: usize) -> Ran {
    let what = text! {
        en: "the orders to be in the queue", zh: "订单全部入队"
    };
    let all_there =
        || async { Ok(lab.ready(ORDERS).await? as usize == orders) };
    lab.wait_until(what, SOON, all_there).await?;
    let connection =
        Connection::connect(&lab.uri(), ConnectionProperties::default())
            .await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let persistent =
        BasicProperties::default().with_delivery_mode(Mode::Persistent as u8);
    let (queue, options) = (ORDERS.into(), BasicPublishOptions::default());
    let written = channel
        .basic_publish("".into(), queue, options, b"probe", persistent)
        .await?
        .await?;
    ensure!(written == Confirmation::Ack(None), "the probe: {written:?}");
    connection.close(200, "written".into()).await?;
    Ok(())
}

/// Kills the broker when all of `held` are on the wire and none has passed
/// it, starts it again, and looks what the queue holds before anybody can
/// publish.
async fn kill(
    lab: &Lab,
    wire: &Wire,
    mut written: watch::Receiver<usize>,
    before: usize,
    held: &[MessageId],
) -> Ran {
    let what = text! {
        en: "the orders to be on the wire", zh: "订单写到线路上"
    };
    let all = before + held.len();
    let on_the_wire = timeout(SOON, written.wait_for(|n| *n == all)).await;
    on_the_wire.map_err(|_| RanOut { what, limit: SOON })??;
    tell_before(lab, before, held.len());
    let (engine, broker) = (&lab.stage().engine, lab.broker());
    container::kill(engine, broker.container()).await?;
    let passed = wire.traffic().publishes;
    ensure!(passed == before as u64, "{passed} publishes passed the wire");
    for order in held {
        lab.struck(*order, Strike::BrokerKilled);
    }
    wire.refuse(true);
    wire.thaw();
    lab.start_again(broker).await?;
    let kept = lab.ready(ORDERS).await?;
    ensure!(kept > 0, "not even the probe was kept");
    wire.refuse(false);
    tell_kill(lab, before, kept - 1);
    Ok(())
}

/// On 3.x a durable queue that is younger than this sometimes does not come
/// back after a kill (seen on 3.10). The broker has no word for when it would,
/// so there is nothing to ask, and its age must do.
const YOUNG: Duration = Duration::from_secs(4);

async fn no_longer_young(lab: &Lab) {
    if lab.broker().version.0 < 4 {
        sleep(YOUNG).await;
    }
}

fn tell_before(lab: &Lab, before: usize, held: usize) {
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{before} orders are in a durable classic queue, {held} more \
                 on the wire",
            zh: "{before} 个订单已进持久的经典队列，又有 {held} 个在路上",
            before = before, held = held
        },
    );
}

fn tell_kill(lab: &Lab, before: usize, kept: u32) {
    let name = text! { en: "kept", zh: "重启后还在" };
    lab.observe("kept", name, kept.into(), Unit::Count);
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "broker killed and restarted: the queue holds {kept} of \
                 {before}",
            zh: "broker 被杀并重启：队列里还有 {kept}/{before} 个",
            kept = kept, before = before
        },
    );
    let container = &lab.broker().service.container;
    lab.command(format!("docker restart -t 0 {container}"));
}
