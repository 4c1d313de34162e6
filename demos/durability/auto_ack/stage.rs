//! What is the same in every way: a packer with full hands dies, and another
//! takes over.

use crate::{
    demos::{
        durability::{
            bench::{Bench, back_in},
            depth::{Depth, Here, at_rest},
            expect::observe_redelivered,
        },
        shop::{
            orders::{ORDERS, Ran, publish_orders},
            packing::{Packs, pack},
        },
    },
    event::Unit,
    fault::wire::{Protocol, Traffic, Wire},
    lab::Lab,
    pattern::{
        consumer::Delivery,
        worker::{Acks, Worker},
    },
    text,
};

/// How a packer consumes.
#[derive(Clone, Copy)]
pub struct Consumes {
    /// Who says that an order is done.
    pub acks: Acks,
    /// How many may be unacked.
    pub prefetch: u16,
    /// How a duplicate is told.
    pub packs: Packs,
}

/// As many at a time as the packer has hands: as are to be struck.
pub fn hands(lab: &Lab) -> u16 {
    u16::try_from(lab.plan().len()).unwrap_or(u16::MAX)
}

/// A packer consumes until its hands are full, and dies; another, which acks
/// by hand, packs what is left.
pub async fn a_packer_dies<Work, Worked>(
    lab: &Lab,
    how: Consumes,
    work: Work,
) -> Ran
where
    Work: Fn(Delivery, Bench) -> Worked + Send + Sync + 'static,
    Worked: Future<Output = Ran> + Send + 'static,
{
    publish_orders(lab).await?;
    let wire = lab.wire("packer", Protocol::Amqp).await?;
    let bench = Bench::open(lab, how.packs)?;
    let worker = Worker {
        uri: lab.uri_through(&wire),
        queue: ORDERS.to_owned(),
        prefetch: how.prefetch,
        at_once: hands(lab).into(),
        acks: how.acks,
        witness: lab.witness(),
    };
    let place = bench.clone();
    let working = worker.start(move |order| {
        let (worked, bench) = (work(order, place.clone()), place.clone());
        async move { bench.note(worked.await) }
    });
    let working = working.await?;
    bench.is_laden().await?;
    if bench.is_mortal() {
        let depth = is_sent(lab, how, &wire).await?;
        tell(lab, how, &bench, depth);
        bench.dies(&wire, working).await?;
        back_in(lab, ORDERS, depth.ready + depth.unacked).await?;
    } else {
        working.stop().await;
    }
    pack(lab, ORDERS, how.packs).await?;
    let again = observe_redelivered(lab);
    if again > hands(lab).into() {
        lab.came_to(text! {
            en: "{again} redelivered, not {held}",
            zh: "重投 {again} 条，不止 {held} 条",
            again = again, held = hands(lab)
        });
    }
    Ok(())
}

/// Waits until the broker and the wire agree about what was sent and what is
/// unacked.
async fn is_sent(
    lab: &Lab,
    how: Consumes,
    wire: &Wire,
) -> anyhow::Result<Depth> {
    let by_hand = how.acks == Acks::Manual;
    let here = || {
        let Traffic { deliveries, consumer_acks, .. } = wire.traffic();
        let unacked = if by_hand { deliveries - consumer_acks } else { 0 };
        Some(Here { came: deliveries, unacked: Some(unacked) })
    };
    let prefetch = by_hand.then_some(how.prefetch);
    at_rest(lab, (ORDERS, lab.count()), prefetch, here).await
}

fn tell(lab: &Lab, how: Consumes, bench: &Bench, depth: Depth) {
    let sent = lab.count() - depth.ready;
    let name = text! { en: "sent to it", zh: "已发给它" };
    lab.observe("sent", name, sent.into(), Unit::Count);
    let name = text! { en: "unacked", zh: "未 ack" };
    lab.observe("unacked", name, depth.unacked.into(), Unit::Count);
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "prefetch {prefetch}: {sent} sent to it, {packed} packed; \
                 queue: {ready} ready, {unacked} unacked",
            zh: "prefetch {prefetch}：发给它 {sent} 个，打包 {packed} 个；\
                 队列：待投递 {ready}，未 ack {unacked}",
            prefetch = how.prefetch, sent = sent, packed = bench.packed(),
            ready = depth.ready, unacked = depth.unacked
        },
    );
    let (held, taken) = (bench.held(), lab.sums().delivered);
    let done = u64::from(bench.packed() + held).saturating_sub(taken);
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "it dies: {held} in its hands, {done} of them packed, {buffer} \
                 in its buffer",
            zh: "它死了：手里 {held} 个，其中 {done} 个已打包，缓冲区 {buffer} 个",
            held = held, done = done, buffer = u64::from(sent).saturating_sub(taken)
        },
    );
}
