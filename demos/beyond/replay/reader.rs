//! What is the same in every way: a consumer with a bug, and the mended one
//! that comes after it.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures::StreamExt;
use lapin::{
    BasicProperties, Confirmation,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions,
        BasicQosOptions, ConfirmSelectOptions,
    },
    types::FieldTable,
};
use tokio::time::timeout;

use crate::{
    demos::shop::{
        link::{Link, id_of, word},
        orders::{ORDERS, Ran, publish_these},
        parcels::ParcelTable,
    },
    event::Unit,
    lab::{Lab, RanOut, Strike},
    ledger::{Fact, MessageId, Witness},
    text,
};

/// Makes the effect of an order.
pub type Handle = fn(&mut ParcelTable, MessageId) -> Ran;

/// What the ways do differently.
#[derive(Clone, Copy)]
pub struct How {
    /// What is read.
    pub reads: Reads,
    /// What is done with an order.
    pub handle: Handle,
}

/// What is read.
#[derive(Clone, Copy)]
pub enum Reads {
    /// A classic queue.
    Queue,
    /// A stream; the mended consumer begins there.
    StreamFrom(&'static str),
}

const PREFETCH: u16 = 100;
const SOON: Duration = Duration::from_secs(20);

/// A consumer with a bug reads all; a mended one begins after it.
pub async fn read_again(lab: &Lab, how: How) -> Ran {
    let kind = match how.reads {
        Reads::Queue => "classic",
        Reads::StreamFrom(_) => "stream",
    };
    lab.declare_as(ORDERS, kind).await?;
    publish_these(lab, ORDERS, lab.messages()).await?;
    let mut parcels = ParcelTable::open(lab)?;
    let from = match how.reads {
        Reads::Queue => [None, None],
        Reads::StreamFrom(offset) => [Some("first"), Some(offset)],
    };
    let [first, again] = from;
    let before = read(lab, ("the one with the bug", first), |lab, order| {
        // The bug.
        if lab.is_planned(order, Strike::EarlyReturn) {
            lab.struck(order, Strike::EarlyReturn);
            return Ok(());
        }
        (how.handle)(&mut parcels, order)
    })
    .await?;
    let packed = parcels.count()?;
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "with the bug: {read} read and acked, {packed} done",
            zh: "有 bug：读到并 ack {read} 个，做了 {packed} 个",
            read = before, packed = packed
        },
    );
    let mended = ("the mended one", again);
    let read =
        read(lab, mended, |_, order| (how.handle)(&mut parcels, order)).await?;
    parcels.settle()?;
    if let Reads::Queue = how.reads {
        for order in lab.left_in(ORDERS).await? {
            lab.settle(order, 0, 1);
        }
    }
    tell(lab, read);
    Ok(())
}

/// Reads to a mark that is put at the end once it consumes. Returns how many
/// came.
async fn read(
    lab: &Lab,
    (reader, from): (&str, Option<&str>),
    mut handle: impl FnMut(&Lab, MessageId) -> Ran,
) -> anyhow::Result<u32> {
    let link = Link::open(&lab.uri()).await?;
    link.channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let mut arguments = FieldTable::default();
    if let Some(offset) = from {
        let (key, offset) = word("x-stream-offset", offset);
        arguments.insert(key.into(), offset);
    }
    let options = BasicConsumeOptions::default();
    let mut orders = link
        .channel
        .basic_consume(ORDERS.into(), "".into(), options, arguments)
        .await?;
    let mark = put_a_mark(lab, reader).await?;
    let mut read = 0;
    loop {
        let next = timeout(SOON, orders.next()).await.map_err(|_| {
            let what = text! { en: "the mark at the end", zh: "末尾的标记" };
            RanOut { what, limit: SOON }
        })?;
        let delivery = next.context("the consumer was ended")??;
        let ack = delivery.acker.ack(BasicAckOptions::default());
        if delivery.data == mark {
            ack.await?;
            break;
        }
        // A mark of the reader before has no id.
        if let Ok(order) = id_of(&delivery) {
            read += 1;
            lab.saw(order, Fact::Delivered);
            handle(lab, order)?;
            ack.await?;
            lab.saw(order, Fact::Acked);
        } else {
            ack.await?;
        }
    }
    link.close().await?;
    Ok(read)
}

/// Puts a mark behind all that is there, and waits for its confirm.
async fn put_a_mark(lab: &Lab, of: &str) -> anyhow::Result<Vec<u8>> {
    let link = Link::open(&lab.uri()).await?;
    let confirm = ConfirmSelectOptions::default();
    link.channel.confirm_select(confirm).await?;
    let mark = format!("end of {of}").into_bytes();
    let how = BasicPublishOptions::default();
    let properties = BasicProperties::default().with_delivery_mode(2);
    let said = link
        .channel
        .basic_publish("".into(), ORDERS.into(), how, &mark, properties)
        .await?
        .await?;
    ensure!(said == Confirmation::Ack(None), "the mark: {said:?}");
    link.close().await?;
    Ok(mark)
}

fn tell(lab: &Lab, read: u32) {
    let name = text! { en: "read again", zh: "重读" };
    lab.observe("again", name, read.into(), Unit::Count);
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "mended, and started again: {read} read",
            zh: "修好后重新启动：读到 {read} 个", read = read
        },
    );
}
