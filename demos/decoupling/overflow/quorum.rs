//! An aside: the limit of a quorum queue is not exact.

use std::{sync::Arc, time::Duration};

use super::{REJECT_PUBLISH, bound};
use crate::{
    demos::shop::orders::{Ran, order},
    event::Unit,
    lab::Lab,
    pattern::{
        backoff::{Backoff, Jitter, Retry},
        pipeline::{PipelinedPublisher, Resend, Settings},
        pressure::Pressure,
        publisher::Route,
    },
    text,
};

const IN_FLIGHT: usize = 16;
const QUEUE: &str = "orders.quorum";

/// The same bound on a quorum queue: some of what is on its way when it is
/// full is taken all the same (seen on 3.10, 4.0 and 4.3), so how many more
/// depends on how many are on their way at a time. None of it is in the
/// ledger: these are copies that nobody asked for.
pub(super) async fn takes_more_than_its_limit(lab: &Lab, room: u32) -> Ran {
    lab.declare_with(QUEUE, "quorum", &bound(room, REJECT_PUBLISH)).await?;
    let no_wait = Backoff {
        first: Duration::ZERO,
        most: Duration::ZERO,
        jitter: Jitter::None,
    };
    let settings = Settings {
        window: IN_FLIGHT,
        pressure: Pressure::new(Retry::new(no_wait)),
        nacked: Resend::Never,
        ..Settings::default()
    };
    let route = Route::queue(QUEUE);
    let mut publisher =
        PipelinedPublisher::open(lab.uri(), route, Arc::new(()), settings);
    let took =
        publisher.publish_all(lab.messages().map(order)).await?.confirmed;
    lab.step(
        text! { en: "aside", zh: "旁注" },
        text! {
            en: "a quorum queue with a bound of {room} took {took}, with \
                 {flying} in flight at a time",
            zh: "上限 {room} 的仲裁队列收了 {took} 个（同时在途 {flying} 个）",
            took = took, room = room, flying = IN_FLIGHT
        },
    );
    let name = text! { en: "quorum queue", zh: "仲裁队列" };
    lab.observe("quorum", name, took as f64, Unit::Count);
    Ok(())
}
