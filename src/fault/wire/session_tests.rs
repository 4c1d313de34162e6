//! The rules of when a fault has struck, on hand-made frames.

use super::super::amqp::{self, made::*, method_frame};
use super::super::rules::Report;
use super::super::{MissReason, Protocol, WireFault};
use super::*;
use WireFault::*;

/// A connection with channels 1 and 2 open, both confirming.
struct Link {
    session: Session,
    rules: Rules,
}

impl Link {
    fn new() -> Self {
        let mut link = Self {
            session: Session::new(Protocol::Amqp),
            rules: Rules::default(),
        };
        for channel in [1, 2] {
            link.up(&method_frame(channel, 20, 10, &[0]));
            link.up(&method_frame(channel, 85, 10, &[0]));
        }
        link
    }

    fn armed(faults: &[(&str, WireFault)]) -> Self {
        let mut link = Self::new();
        for (message, fault) in faults {
            link.rules.arm((*message).into(), *fault);
        }
        link
    }

    fn up(&mut self, frame: &[u8]) -> Decision {
        self.session.on_frame(Direction::ToBroker, frame, &mut self.rules)
    }

    fn down(&mut self, frame: &[u8]) -> Decision {
        self.session.on_frame(Direction::ToClient, frame, &mut self.rules)
    }

    /// Publishes with a body of three octets; what became of method, header and body.
    fn publish(&mut self, channel: u16, id: &str) -> [Decision; 3] {
        let frames = [
            publish(channel),
            header(channel, 3, Some(id)),
            body(channel, b"abc"),
        ];
        frames.map(|frame| self.up(&frame))
    }

    fn deliver(&mut self, channel: u16, tag: u64, id: &str) {
        self.down(&deliver(channel, "c", tag));
        self.down(&header(channel, 3, Some(id)));
        self.down(&body(channel, b"abc"));
    }

    /// Confirms were written, the fence is out and answered on every channel.
    fn fence(&mut self) {
        let fence = self.session.fence().unwrap_or_default();
        assert_eq!(fence, [amqp::flow(1), amqp::flow(2)].concat());
        assert_eq!(self.session.phase(), Phase::Fencing);
        for channel in [1, 2] {
            assert_eq!(
                self.down(&method_frame(channel, 20, 21, &[1])),
                Decision::Drop
            );
        }
        assert_eq!(self.session.phase(), Phase::Over);
    }

    fn finish(mut self) -> Vec<Report> {
        self.session.finish();
        self.session.take_book(true).reports
    }

    fn news(&mut self) -> Vec<Report> {
        self.session.take_book(false).reports
    }
}

fn strike(
    fault: WireFault,
    message: &str,
    also: &[&str],
    open: &[&str],
) -> Report {
    let names = |of: &[&str]| of.iter().map(|s| (*s).to_owned()).collect();
    Report::Strike {
        fault,
        message: message.into(),
        also: names(also),
        open: names(open),
        fenced: true,
    }
}

fn miss(fault: WireFault, message: &str, reason: MissReason) -> Report {
    Report::Miss { fault, message: message.into(), reason }
}

#[test]
fn with_nothing_armed_every_frame_passes() {
    let mut link = Link::new();
    assert_eq!(
        link.publish(1, "a"),
        [Decision::Forward, Decision::Forward, Decision::Forward]
    );
    assert_eq!(link.down(&ack(1, 1, false)), Decision::Forward);
    link.deliver(1, 1, "b");
    assert_eq!(link.up(&ack(1, 1, false)), Decision::Forward);
    assert_eq!(link.session.phase(), Phase::Open);
    assert_eq!(link.finish(), []);
}

fn turns(link: &mut Link) -> u64 {
    link.session.take_book(false).traffic.turns
}

#[test]
fn a_client_that_waits_for_each_confirm_makes_a_turn_of_each_but_the_first() {
    let mut link = Link::new();
    for tag in 1..=3 {
        link.publish(1, "a");
        link.down(&ack(1, tag, false));
    }
    assert_eq!(turns(&mut link), 2);
    link.publish(1, "a");
    assert_eq!(turns(&mut link), 1);
}

#[test]
fn what_is_sent_together_is_one_turn_however_it_is_answered() {
    let mut link = Link::new();
    link.down(&ack(1, 1, false));
    for _ in 0..3 {
        link.publish(1, "a");
    }
    for tag in 1..=3 {
        link.down(&ack(1, tag, false));
    }
    link.publish(1, "a");
    assert_eq!(turns(&mut link), 2);
}

#[test]
fn a_heartbeat_takes_no_turn_and_gives_none() {
    let mut link = Link::new();
    let heartbeat = [8, 0, 0, 0, 0, 0, 0, 0xCE];
    link.down(&heartbeat);
    link.publish(1, "a");
    assert_eq!(turns(&mut link), 0);
    link.down(&ack(1, 1, false));
    link.up(&heartbeat);
    assert_eq!(turns(&mut link), 0);
    link.publish(1, "a");
    assert_eq!(turns(&mut link), 1);
}

#[test]
fn what_the_client_never_gets_gives_it_no_turn() {
    let mut link = Link::armed(&[("a", SwallowConfirm)]);
    link.publish(1, "a");
    assert_eq!(link.down(&ack(1, 1, false)), Decision::Replace(vec![]));
    link.publish(1, "b");
    assert_eq!(turns(&mut link), 0);
}

#[test]
fn a_publish_to_be_cut_is_held_until_its_header_and_never_forwarded() {
    let mut link = Link::armed(&[("b", CutBeforePublish)]);
    let released = [publish(1), header(1, 3, Some("a"))].concat();
    let passed =
        [Decision::Drop, Decision::Replace(released), Decision::Forward];
    assert_eq!(link.publish(1, "a"), passed);
    assert_eq!(
        link.publish(1, "b"),
        [Decision::Drop, Decision::Cut, Decision::Drop]
    );
    link.fence();
    assert_eq!(link.finish(), [strike(CutBeforePublish, "b", &["a"], &[])]);
}

#[test]
fn frames_of_other_channels_pass_a_held_publish() {
    let mut link = Link::armed(&[("x", CutBeforePublish)]);
    assert_eq!(link.up(&publish(1)), Decision::Drop);
    assert_eq!(link.up(&publish(2)), Decision::Drop);
    let released = [publish(2), header(2, 0, Some("b"))].concat();
    assert_eq!(link.up(&header(2, 0, Some("b"))), Decision::Replace(released));
    let heartbeat = [8, 0, 0, 0, 0, 0, 0, 0xCE];
    assert_eq!(link.up(&heartbeat), Decision::Forward);
    assert_eq!(link.up(&header(1, 0, Some("x"))), Decision::Cut);
}

#[test]
fn a_confirm_to_be_cut_strikes_only_when_it_is_seen() {
    let mut link = Link::armed(&[("b", CutBeforeConfirm)]);
    for id in ["a", "b", "c"] {
        link.publish(1, id);
    }
    assert_eq!(link.session.phase(), Phase::Open);
    assert_eq!(link.down(&ack(1, 1, false)), Decision::Forward);
    link.session.reached();
    assert_eq!(link.down(&ack(1, 2, false)), Decision::Cut);
    link.fence();
    assert_eq!(link.finish(), [strike(CutBeforeConfirm, "b", &["c"], &[])]);
}

#[test]
fn a_multiple_confirm_takes_all_that_it_covers_with_it() {
    let mut link = Link::armed(&[("b", CutBeforeConfirm)]);
    for id in ["a", "b", "c"] {
        link.publish(1, id);
    }
    link.publish(2, "other");
    assert_eq!(link.down(&ack(1, 3, true)), Decision::Cut);
    link.fence();
    assert_eq!(
        link.finish(),
        [strike(CutBeforeConfirm, "b", &["a", "c", "other"], &[])]
    );
}

#[test]
fn confirms_that_arrive_during_the_fence_are_withheld_and_unknown() {
    let mut link =
        Link::armed(&[("a", CutBeforeConfirm), ("b", CutBeforeConfirm)]);
    for id in ["a", "b", "c"] {
        link.publish(1, id);
    }
    assert_eq!(link.down(&ack(1, 1, false)), Decision::Cut);
    assert_eq!(link.down(&ack(1, 3, true)), Decision::Drop);
    link.fence();
    let both = [
        strike(CutBeforeConfirm, "a", &["b", "c"], &[]),
        strike(CutBeforeConfirm, "b", &["a", "c"], &[]),
    ];
    assert_eq!(link.finish(), both);
}

#[test]
fn a_confirm_that_was_not_written_has_not_reached_the_client() {
    let mut link = Link::new();
    link.publish(1, "a");
    link.publish(1, "b");
    link.down(&ack(1, 1, false));
    link.session.reached();
    link.down(&ack(1, 2, false));
    link.rules.arm("c".into(), CutBeforePublish);
    link.publish(1, "c");
    link.fence();
    assert_eq!(link.finish(), [strike(CutBeforePublish, "c", &["b"], &[])]);
}

#[test]
fn confirm_tags_restart_with_each_channel() {
    let mut link = Link::armed(&[("new", CutBeforeConfirm)]);
    link.publish(1, "old");
    link.up(&method_frame(1, 20, 40, &[0; 7]));
    link.down(&method_frame(1, 20, 41, &[]));
    link.up(&method_frame(1, 20, 10, &[0]));
    link.publish(1, "not confirming yet");
    link.up(&method_frame(1, 85, 10, &[0]));
    link.publish(1, "new");
    assert_eq!(link.down(&ack(1, 1, false)), Decision::Cut);
}

#[test]
fn a_nack_is_forwarded_and_the_fault_missed() {
    let mut link =
        Link::armed(&[("a", CutBeforeConfirm), ("b", SwallowConfirm)]);
    link.publish(1, "a");
    link.publish(1, "b");
    assert_eq!(link.down(&nack(1, 2, true)), Decision::Forward);
    let missed = [
        miss(CutBeforeConfirm, "a", MissReason::Nacked),
        miss(SwallowConfirm, "b", MissReason::Nacked),
    ];
    assert_eq!(link.news(), missed);
    assert!(link.rules.list().is_empty());
}

#[test]
fn a_swallowed_confirm_is_not_told_by_a_later_multiple_one() {
    let mut link = Link::armed(&[("b", SwallowConfirm)]);
    for id in ["a", "b", "c", "d"] {
        link.publish(1, id);
    }
    let only_a = Decision::Replace(amqp::confirm(1, 1, true));
    assert_eq!(link.down(&ack(1, 2, true)), only_a);
    assert_eq!(link.news(), [strike(SwallowConfirm, "b", &[], &[])]);
    let rest = [amqp::confirm(1, 3, true), amqp::confirm(1, 4, true)].concat();
    assert_eq!(link.down(&ack(1, 4, true)), Decision::Replace(rest));
    assert_eq!(link.session.phase(), Phase::Open);
}

#[test]
fn a_swallowed_ack_is_the_last_that_the_broker_misses() {
    let mut link = Link::armed(&[("b", SwallowAckThenCut)]);
    for (tag, id) in [(1, "a"), (2, "b"), (3, "c")] {
        link.deliver(1, tag, id);
    }
    assert_eq!(link.up(&ack(1, 1, false)), Decision::Forward);
    assert_eq!(link.up(&ack(1, 2, false)), Decision::Cut);
    assert_eq!(link.up(&ack(1, 3, true)), Decision::Drop);
    link.fence();
    assert_eq!(link.finish(), [strike(SwallowAckThenCut, "b", &[], &["c"])]);
}

#[test]
fn an_ack_of_several_that_covers_the_message_is_swallowed_whole() {
    for tag in [3, 0] {
        let mut link = Link::armed(&[("b", SwallowAckThenCut)]);
        for (tag, id) in [(1, "a"), (2, "b"), (3, "c")] {
            link.deliver(1, tag, id);
        }
        assert_eq!(link.up(&ack(1, tag, true)), Decision::Cut);
        link.fence();
        assert_eq!(
            link.finish(),
            [strike(SwallowAckThenCut, "b", &[], &["a", "c"])]
        );
    }
}

#[test]
fn an_ack_of_the_same_tag_on_another_channel_is_another_ack() {
    let mut link = Link::armed(&[("a", SwallowAckThenCut)]);
    link.deliver(1, 1, "a");
    link.deliver(2, 1, "b");
    assert_eq!(link.up(&ack(2, 1, false)), Decision::Forward);
    assert_eq!(link.up(&ack(1, 1, false)), Decision::Cut);
}

#[test]
fn a_swallowed_ack_that_a_later_one_covers_has_not_struck() {
    let mut link = Link::armed(&[("a", SwallowAck)]);
    link.deliver(1, 1, "a");
    link.deliver(1, 2, "b");
    assert_eq!(link.up(&ack(1, 1, false)), Decision::Drop);
    assert_eq!(link.news(), []);
    assert_eq!(link.up(&ack(1, 2, true)), Decision::Forward);
    assert_eq!(link.news(), [miss(SwallowAck, "a", MissReason::Covered)]);
    link.session.begin_cut(false);
    link.fence();
    assert_eq!(link.finish(), []);
}

#[test]
fn a_swallowed_ack_strikes_at_the_cut() {
    let mut link = Link::armed(&[("a", SwallowAck)]);
    link.deliver(1, 1, "a");
    link.deliver(1, 2, "b");
    link.up(&ack(1, 1, false));
    link.up(&ack(1, 2, false));
    link.session.begin_cut(false);
    link.fence();
    assert_eq!(link.finish(), [strike(SwallowAck, "a", &[], &[])]);
}

#[test]
fn a_swallowed_ack_strikes_when_its_channel_closes() {
    let mut link = Link::armed(&[("a", SwallowAck)]);
    link.deliver(1, 1, "a");
    link.up(&ack(1, 1, false));
    link.up(&method_frame(1, 20, 40, &[0; 7]));
    assert_eq!(link.news(), [strike(SwallowAck, "a", &[], &[])]);
}

#[test]
fn a_reject_or_nack_is_no_ack() {
    let reject = |tag: u64| {
        method_frame(1, 60, 90, &[&tag.to_be_bytes()[..], &[1]].concat())
    };
    for frame in [reject(1), nack(1, 1, false), nack(1, 0, true)] {
        let mut link = Link::armed(&[("a", SwallowAckThenCut)]);
        link.deliver(1, 1, "a");
        assert_eq!(link.up(&frame), Decision::Forward);
        assert_eq!(
            link.news(),
            [miss(SwallowAckThenCut, "a", MissReason::Refused)]
        );
    }
}

#[test]
fn deliveries_that_need_no_ack_are_not_remembered() {
    let mut link = Link::new();
    link.up(&consume(1, "c", 2));
    link.up(&consume(1, "", 2));
    link.down(&method_frame(1, 60, 21, &short("c")));
    link.down(&method_frame(1, 60, 21, &short("amq.named")));
    link.deliver(1, 1, "a");
    link.down(&deliver(1, "amq.named", 2));
    link.down(&header(1, 0, Some("b")));
    link.deliver(2, 1, "kept");
    link.rules.arm("x".into(), CutBeforePublish);
    link.publish(1, "x");
    link.fence();
    assert_eq!(link.finish(), [strike(CutBeforePublish, "x", &[], &["kept"])]);
}

#[path = "fence_tests.rs"]
mod fence;
#[path = "stream_tests.rs"]
mod stream;
