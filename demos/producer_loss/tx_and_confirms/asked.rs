//! What the broker answers to those who want both, and to a mandatory publish
//! in a transaction.

use std::time::Duration;

use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ErrorKind,
    options::ConfirmSelectOptions,
};

use crate::{
    demos::{producer_loss::counter::MANDATORY, shop::orders::Ran},
    event::Unit,
    fault::wire::Protocol,
    lab::Lab,
    text,
    text::Text,
};

const TRIED: &str = "tried";
const NOWHERE: &str = "nowhere";

/// Asks for confirms on a transactional channel, and for transactions on a
/// confirming one.
pub async fn for_both(lab: &Lab) -> Ran {
    let plain = ConnectionProperties::default();
    let connection = Connection::connect(&lab.uri(), plain).await?;
    let channel = connection.create_channel().await?;
    channel.tx_select().await?;
    let confirms = ConfirmSelectOptions::default();
    let then_confirms = code(channel.confirm_select(confirms).await);
    let one_closed = !channel.status().connected();
    let channel = connection.create_channel().await?;
    channel.confirm_select(confirms).await?;
    let then_tx = code(channel.tx_select().await);
    let closed = one_closed && !channel.status().connected();
    connection.close(200, "asked".into()).await?;
    observe(lab, "confirms-on-tx", then_confirms);
    observe(lab, "tx-on-confirms", then_tx);
    observe(lab, "closed", u16::from(closed));
    lab.step(
        text! { en: "both", zh: "同开" },
        text! {
            en: "tx, then confirm.select: {one}; confirms, then tx.select: \
                 {other}",
            zh: "先 tx 再 confirm.select：{one}；先 confirm 再 tx.select：{other}",
            one = then_confirms, other = then_tx
        },
    );
    Ok(())
}

/// The code of a refusal; 0 for none.
fn code(answer: lapin::Result<()>) -> u16 {
    match answer.as_ref().map_err(lapin::Error::kind) {
        Err(ErrorKind::ProtocolError(error)) => error.get_id(),
        _ => 0,
    }
}

/// Publishes two in one transaction, both mandatory, one of them to a queue
/// that does not exist; and looks before the commit and after it.
pub async fn for_a_return(lab: &Lab) -> Ran {
    lab.declare(TRIED).await?;
    let wire = lab.wire("tried", Protocol::Amqp).await?;
    let (uri, plain) =
        (lab.uri_through(&wire), ConnectionProperties::default());
    let connection = Connection::connect(&uri, plain).await?;
    let channel = connection.create_channel().await?;
    channel.tx_select().await?;
    put(&channel, TRIED).await?;
    put(&channel, NOWHERE).await?;
    let what = text! { en: "both to pass the wire", zh: "两条都经过链路" };
    lab.wait_until(what, SOON, || async { Ok(wire.traffic().publishes == 2) })
        .await?;
    // A round trip on the channel: the broker has handled both.
    channel.basic_qos(1, lapin::options::BasicQosOptions::default()).await?;
    let before = u64::from(lab.ready(TRIED).await?) + wire.traffic().returns;
    channel.tx_commit().await?;
    let what = text! { en: "the return", zh: "退回的那条" };
    lab.wait_until(what, SOON, || async { Ok(wire.traffic().returns > 0) })
        .await?;
    let (stored, returned) = (lab.ready(TRIED).await?, wire.traffic().returns);
    connection.close(200, "tried".into()).await?;
    observe(lab, "before-commit", u16::try_from(before)?);
    observe(lab, "stored", u16::try_from(stored)?);
    observe(lab, "returned", u16::try_from(returned)?);
    lab.step(
        text! { en: "return", zh: "退回" },
        text! {
            en: "2 mandatory in a tx, 1 without a queue: {before} stored or \
                 returned before the commit; then {stored} stored, {returned} \
                 returned, commit-ok",
            zh: "一个 tx 里 2 条 mandatory，其中 1 条没有队列。提交前存下或退回 \
                 {before} 条；提交时存下 {stored} 条，退回 {returned} 条，\
                 照样 commit-ok",
            before = before, stored = stored, returned = returned
        },
    );
    Ok(())
}

async fn put(channel: &Channel, queue: &str) -> lapin::Result<()> {
    let plain = BasicProperties::default();
    channel
        .basic_publish("".into(), queue.into(), MANDATORY, b"?", plain)
        .await
        .map(drop)
}

const SOON: Duration = Duration::from_secs(10);

fn observe(lab: &Lab, id: &str, value: u16) {
    lab.observe(id, Text::same(id), f64::from(value), Unit::Count);
}
