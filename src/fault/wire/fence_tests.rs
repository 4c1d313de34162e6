//! The order of a cut: drain, settle, fence.

use super::*;

#[test]
fn the_fence_waits_for_the_rest_of_a_publish_and_lets_only_that_pass() {
    let mut link = Link::new();
    link.up(&publish(1));
    link.session.begin_cut(false);
    assert_eq!(link.session.fence(), None);
    assert_eq!(link.up(&publish(2)), Decision::Drop);
    assert_eq!(link.up(&header(2, 3, Some("b"))), Decision::Drop);
    assert_eq!(link.up(&header(1, 3, Some("a"))), Decision::Forward);
    assert_eq!(link.up(&ack(2, 1, false)), Decision::Drop);
    assert_eq!(link.session.fence(), None);
    assert_eq!(link.up(&body(1, b"abc")), Decision::Forward);
    link.fence();
}

#[test]
fn a_drain_forwards_and_lets_the_client_have_nothing() {
    let mut link = Link::new();
    link.deliver(1, 1, "a");
    link.publish(1, "p");
    link.session.begin_cut(true);
    assert_eq!(link.up(&ack(1, 1, false)), Decision::Forward);
    assert_eq!(link.down(&ack(1, 1, false)), Decision::Drop);
    link.session.end_drain();
    assert_eq!(link.up(&ack(1, 2, false)), Decision::Drop);
    link.fence();
}

#[test]
fn a_fence_that_is_not_answered_did_not_hold() {
    let mut link = Link::armed(&[("a", CutBeforePublish)]);
    link.publish(1, "a");
    link.session.fence().unwrap_or_default();
    link.session.finish();
    let Book { traffic, reports } = link.session.take_book(true);
    assert!(
        matches!(&reports[..], [Report::Strike { fenced: false, .. }]),
        "{reports:?}"
    );
    assert_eq!(traffic.unfenced, 1);
}

#[test]
fn a_fence_that_is_answered_held() {
    let mut link = Link::new();
    link.session.begin_cut(false);
    link.fence();
    link.session.finish();
    assert_eq!(link.session.take_book(true).traffic.unfenced, 0);
}

#[test]
fn a_consumer_is_cancelled_by_the_fence_which_then_goes_out_once_more() {
    let mut link = Link::new();
    link.up(&consume(1, "c", 0));
    link.up(&consume(2, "gone", 0));
    link.up(&method_frame(2, 60, 30, &[&short("gone")[..], &[0]].concat()));
    link.session.begin_cut(false);
    let first = [amqp::cancel(1, b"c"), amqp::flow(1), amqp::flow(2)].concat();
    assert_eq!(link.session.fence(), Some(first));
    link.down(&method_frame(1, 60, 31, &short("c")));
    link.down(&method_frame(1, 20, 21, &[1]));
    assert_eq!(link.session.phase(), Phase::Fencing);
    link.down(&method_frame(2, 20, 21, &[1]));
    assert_eq!(link.session.phase(), Phase::Settling);
    link.fence();
}

#[test]
fn a_channel_that_is_being_closed_is_fenced_by_its_close_ok() {
    let mut link = Link::new();
    link.up(&method_frame(1, 20, 40, &[0; 7]));
    link.session.begin_cut(false);
    assert_eq!(link.session.fence(), Some(amqp::flow(2)));
    link.down(&method_frame(2, 20, 21, &[1]));
    assert_eq!(link.session.phase(), Phase::Fencing);
    link.down(&method_frame(1, 20, 41, &[]));
    assert_eq!(link.session.phase(), Phase::Over);
}
