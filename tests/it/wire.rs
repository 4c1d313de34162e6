//! The wire against real brokers: what it says that it did is what the
//! broker and the client then hold. Every rule, on every type of queue.

mod acks;
mod link;
mod publishes;
mod site;
mod stream;

use std::pin::Pin;

use libtest_mimic::Trial;
use rmq_lab::fault::wire::WireFault;
use site::Site;

use crate::shared::{Brokers, Series};

/// What a trial does.
type Act =
    fn(&mut Site) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + '_>>;

macro_rules! act {
    ($act:path) => {
        (stringify!($act), |site: &mut Site| Box::pin($act(site)))
    };
}

const QUEUES: [&str; 2] = ["classic", "quorum"];

const RULES: &[(&str, Act)] = &[
    act!(publishes::a_publish_that_is_cut_never_reaches_the_broker),
    act!(publishes::a_publish_cut_before_its_confirm_is_stored),
    act!(publishes::a_cut_amid_many_leaves_what_it_says_it_leaves),
    act!(publishes::a_swallowed_confirm_is_the_only_one_missing),
    act!(acks::an_ack_swallowed_before_a_cut_is_the_only_one_lost),
    act!(acks::a_swallowed_ack_strikes_when_its_connection_ends),
    act!(acks::a_swallowed_ack_that_a_later_one_covers_is_missed),
    act!(acks::a_cut_eats_no_ack_that_was_written_before),
];

/// Those whose truth depends on how the broker handles what it was sent.
const FENCE: &[(&str, Act)] = &[
    act!(publishes::a_cut_amid_many_leaves_what_it_says_it_leaves),
    act!(acks::an_ack_swallowed_before_a_cut_is_the_only_one_lost),
    act!(acks::a_cut_eats_no_ack_that_was_written_before),
];

const LINK: &[(&str, Act)] = &[
    act!(link::a_frozen_link_moves_nothing_until_it_is_thawed),
    act!(link::what_was_written_on_a_frozen_link_dies_with_a_cut),
    act!(link::a_delay_is_met_in_both_directions),
    act!(link::a_refused_connection_is_reset_and_an_open_one_stays),
    act!(link::large_messages_pass_unharmed),
    act!(link::a_wire_that_is_dropped_resets_its_connections),
];

pub fn trials(brokers: &Brokers) -> Vec<Trial> {
    let of = |series, queue: &'static str, (name, act): (&str, Act)| {
        let name = name.rsplit("::").next().unwrap_or(name);
        let broker = if series == Series::Four { "4" } else { "3" };
        let name = format!("wire::{broker}::{queue}::{name}");
        brokers.apart(name, series, async move |apart| {
            act(&mut Site::open(&apart, queue).await?).await
        })
    };
    let mut trials = Vec::new();
    for queue in QUEUES {
        trials.extend(RULES.iter().map(|rule| of(Series::Four, queue, *rule)));
        trials.extend(FENCE.iter().map(|rule| of(Series::Three, queue, *rule)));
    }
    trials.extend(LINK.iter().map(|rule| of(Series::Four, "classic", *rule)));
    for (name, fault) in [
        ("a_publish_that_is_cut", WireFault::CutBeforePublish),
        ("a_confirm_that_is_cut", WireFault::CutBeforeConfirm),
    ] {
        let name = format!("wire::4::stream::{name}_leaves_what_it_says");
        trials.push(brokers.apart(name, Series::Four, async move |apart| {
            stream::the_stream_holds_what_the_strike_says(&apart, fault).await
        }));
    }
    trials
}
