//! Every word of the ledger on a history short enough to be read aloud.

use super::{
    Breach::{self, I1, I2, I3, I4},
    Fact::{self, *},
    Kind, *,
};

const ONE: MessageId = MessageId::payment(1);

/// The ledger of one message, and what it adds up to.
struct Story(Ledger);

/// This happened to payment-0001, one thing each millisecond.
fn story(facts: &[Fact]) -> Story {
    let mut ledger = Ledger::new(Noun::Payment, 1);
    for (fact, at) in facts.iter().zip(1..) {
        ledger.record(ONE, *fact, at);
    }
    Story(ledger)
}

impl Story {
    /// And the books say that its effect was made so often.
    fn applied(mut self, times: u16) -> Self {
        self.0.settle(ONE, times, 0);
        self
    }

    /// And so many copies of it are still queued.
    fn waiting(mut self, copies: u16) -> Self {
        self.0.settle(ONE, 0, copies);
        self
    }

    fn counts(&self) -> Counts {
        self.0.audit().counts
    }

    fn is(&self, kinds: &[Kind]) {
        let audit = self.0.audit();
        let found: Vec<_> = audit.anomalies.iter().map(|a| a.kind).collect();
        assert_eq!(found, kinds, "{:?}", self.0.entry(ONE));
        for kind in kinds {
            assert_eq!(audit.of(*kind).collect::<Vec<_>>(), [ONE]);
        }
    }

    fn breaches(&self, invariants: &[Breach]) {
        let audit = self.0.audit();
        let found: Vec<_> = audit.breaches.iter().map(|(_, b)| *b).collect();
        assert_eq!(found, invariants, "{:?}", self.0.entry(ONE));
        for invariant in invariants {
            assert_eq!(audit.breaching(*invariant).collect::<Vec<_>>(), [ONE]);
        }
    }
}

/// What a payment goes through when nothing goes wrong.
const WELL: &[Fact] = &[Accepted, Sent, Confirmed, Delivered, Applied, Acked];

#[test]
fn a_payment_that_goes_well_is_counted_once_everywhere() {
    let story = story(WELL).applied(1);
    story.is(&[]);
    story.breaches(&[]);
    let once = Counts {
        attempts: 1,
        accepted: 1,
        attempted: 1,
        confirmed: 1,
        delivered: 1,
        deliveries: 1,
        applied: 1,
        ..Counts::default()
    };
    assert_eq!(story.counts(), once);
}

#[test]
fn a_ledger_in_which_nothing_happened_has_nothing_to_say() {
    assert_eq!(Ledger::new(Noun::Order, 1000).audit(), Audit::default());
    assert_eq!(Ledger::new(Noun::Order, 0).audit(), Audit::default());
}

// Lost.

#[test]
fn confirmed_and_never_seen_again_is_lost() {
    let story = story(&[Sent, Confirmed]);
    story.is(&[Kind::Lost]);
    story.breaches(&[I1]);
    assert_eq!(story.counts().lost, 1);
}

#[test]
fn confirmed_delivered_and_never_applied_is_lost_but_not_by_the_broker() {
    let story = story(&[Sent, Confirmed, Delivered, Seen, Acked]);
    story.is(&[Kind::Lost]);
    story.breaches(&[]);
}

#[test]
fn promised_to_the_caller_and_never_even_sent_is_lost() {
    let story = story(&[Accepted]);
    story.is(&[Kind::Lost]);
    story.breaches(&[I2]);
    assert_eq!(story.counts().attempted, 0);
}

#[test]
fn what_the_consumer_says_it_paid_is_lost_where_the_books_do_not_know_it() {
    story(WELL).applied(0).is(&[Kind::Lost]);
}

#[test]
fn a_message_nobody_took_over_is_not_lost() {
    for answer in [Nacked, Returned, Unknown] {
        story(&[Sent, answer]).is(&[]);
        story(&[Sent, answer]).breaches(&[]);
    }
    story(&[Sent, Unknown, Delivered]).is(&[]);
}

#[test]
fn parked_or_reported_is_not_lost() {
    for end in [Parked, Reported] {
        let story = story(&[Accepted, Sent, Confirmed, Delivered, end]);
        story.is(&[]);
        story.breaches(&[]);
    }
    let counts = story(&[Accepted, Sent, Unknown, Reported]).counts();
    assert_eq!((counts.reported, counts.lost), (1, 0));
    assert_eq!(story(&[Sent, Confirmed, Parked]).counts().parked, 1);
}

// Duplicated.

#[test]
fn applied_twice_is_duplicated() {
    let story = story(WELL).applied(1).applied(1);
    story.is(&[Kind::Duplicated]);
    story.breaches(&[I3]);
    assert_eq!(story.counts().duplicated, 1);
    assert_eq!(story.counts().applied, 1, "messages, not times");
}

#[test]
fn delivered_twice_and_applied_once_is_not_duplicated() {
    let story =
        story(&[Accepted, Sent, Confirmed, Delivered, Redelivered, Seen])
            .applied(1);
    story.is(&[]);
    story.breaches(&[]);
    let entry = story.0.entry(ONE).unwrap();
    assert_eq!((entry.delivered, entry.redelivered), (2, 1));
    assert_eq!(story.counts().deliveries, 2);
    assert_eq!(story.counts().delivered, 1);
}

// Stuck.

#[test]
fn owed_and_still_in_the_queue_is_stuck_and_not_lost() {
    let story = story(&[Accepted, Sent, Confirmed, Delivered, Busy]).waiting(1);
    story.is(&[Kind::Stuck]);
    story.breaches(&[I2]);
    assert_eq!((story.counts().stuck, story.counts().lost), (1, 0));
    assert_eq!(story.waiting(1).counts().waiting, 2, "copies, not messages");
}

#[test]
fn confirmed_and_waiting_keeps_the_brokers_promise() {
    story(&[Sent, Confirmed]).waiting(1).breaches(&[]);
}

#[test]
fn a_second_copy_that_waits_takes_nothing_from_one_that_was_applied() {
    let story = story(WELL).applied(1).waiting(1);
    story.is(&[]);
    story.breaches(&[]);
}

// Unknown and recovered.

#[test]
fn a_message_without_an_answer_is_unknown() {
    let counts = story(&[Sent, Unknown]).counts();
    assert_eq!((counts.unknown, counts.confirmed, counts.nacked), (1, 0, 0));
}

#[test]
fn a_message_confirmed_at_the_second_attempt_is_not_unknown_any_more() {
    let story = story(&[Sent, Unknown, Sent, Confirmed, Delivered]).applied(1);
    story.breaches(&[]);
    let counts = story.counts();
    assert_eq!((counts.unknown, counts.confirmed), (0, 1));
    assert_eq!((counts.attempts, counts.attempted), (2, 1));
}

#[test]
fn unknown_and_yet_delivered_is_recovered() {
    let counts = story(&[Sent, Unknown, Delivered]).applied(1).counts();
    assert_eq!((counts.unknown, counts.recovered), (1, 1));
    assert_eq!(story(&[Sent, Unknown]).counts().recovered, 0);
    assert_eq!(story(&[Sent, Confirmed, Delivered]).counts().recovered, 0);
}

// Nacked and returned.

#[test]
fn a_refused_message_is_nacked_until_the_broker_takes_it() {
    assert_eq!(story(&[Sent, Nacked]).counts().nacked, 1);
    let counts = story(&[Sent, Nacked, Sent, Confirmed]).counts();
    assert_eq!((counts.nacked, counts.confirmed), (0, 1));
}

#[test]
fn a_refused_message_that_was_promised_is_lost() {
    let story = story(&[Accepted, Sent, Nacked]);
    story.is(&[Kind::Lost]);
    story.breaches(&[I2]);
}

#[test]
fn a_return_overrides_the_confirm_that_follows_it() {
    for facts in [[Sent, Returned, Confirmed], [Sent, Confirmed, Returned]] {
        let story = story(&facts);
        story.is(&[]);
        story.breaches(&[]);
        let counts = story.counts();
        assert_eq!((counts.returned, counts.confirmed), (1, 0));
    }
}

#[test]
fn a_returned_message_that_was_promised_is_lost() {
    story(&[Accepted, Sent, Returned]).is(&[Kind::Lost]);
    story(&[Accepted, Sent, Returned, Confirmed]).is(&[Kind::Lost]);
}

#[test]
fn a_message_returned_once_and_then_taken_over_is_the_brokers_to_keep() {
    for again in [
        &[Sent, Returned, Sent, Confirmed][..],
        &[Sent, Returned, Confirmed, Sent, Confirmed],
    ] {
        let story = story(again);
        story.is(&[Kind::Lost]);
        story.breaches(&[I1]);
        let counts = story.counts();
        assert_eq!((counts.returned, counts.confirmed), (1, 1));
    }
}

#[test]
fn two_attempts_in_flight_and_both_returned_take_nothing_over() {
    let both = [Sent, Sent, Returned, Confirmed, Returned, Confirmed];
    story(&both).is(&[]);
    story(&both).breaches(&[]);
}

// Unexpected.

#[test]
fn what_nobody_attempted_is_unexpected() {
    for arrived in [Delivered, Redelivered] {
        let story = story(&[arrived]);
        story.is(&[Kind::Unexpected]);
        assert_eq!(story.counts().unexpected, 1);
    }
    story(&[]).applied(1).is(&[Kind::Unexpected]);
}

#[test]
fn a_promise_alone_does_not_explain_a_delivery() {
    story(&[Accepted, Delivered]).applied(1).is(&[Kind::Unexpected]);
}

#[test]
fn a_promise_kept_without_a_message_is_not_unexpected() {
    story(&[Accepted, Applied]).applied(1).is(&[]);
}

#[test]
fn a_stranger_is_kept_under_its_own_name() {
    let mut ledger = Ledger::new(Noun::Payment, 2);
    let strangers = [
        MessageId { noun: Noun::Mail, number: 1 },
        MessageId::payment(0),
        MessageId::payment(3),
    ];
    for stranger in strangers {
        ledger.record(stranger, Delivered, 5);
    }
    let mut found: Vec<_> = ledger.audit().of(Kind::Unexpected).collect();
    found.sort_unstable();
    let mut expected = strangers.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(ledger.entry(strangers[0]).is_some());
    assert!(ledger.entry(MessageId::payment(9)).is_none());
    assert_eq!(ledger.entries().count(), 5, "two of its own, three strangers");
}

// The invariants.

#[test]
fn every_attempt_has_exactly_one_answer() {
    story(&[Sent]).breaches(&[I4]);
    story(&[Sent, Sent, Confirmed]).waiting(1).breaches(&[I4]);
    story(&[Sent, Confirmed, Confirmed]).waiting(1).breaches(&[I4]);
    story(&[Sent, Confirmed, Unknown]).waiting(1).breaches(&[I4]);
    story(&[Sent, Nacked, Unknown]).breaches(&[I4]);
    story(&[Confirmed]).waiting(1).breaches(&[I4]);
    for answer in [Nacked, Returned, Unknown] {
        story(&[Sent, answer, Sent, answer]).breaches(&[]);
    }
}

#[test]
fn one_message_can_breach_several_invariants() {
    story(&[Accepted, Sent, Sent, Confirmed]).breaches(&[I1, I2, I4]);
    story(&[Sent, Confirmed]).applied(2).breaches(&[I1, I3]);
}

// What is kept.

#[test]
fn an_anomaly_names_the_last_thing_known_and_when() {
    let audit = story(&[Accepted, Sent, Confirmed, Delivered, Seen]).0.audit();
    let expected = Anomaly {
        message: ONE,
        kind: Kind::Lost,
        applied: 0,
        last_known: Some((Seen, 5)),
    };
    assert_eq!(audit.anomalies, [expected]);
}

#[test]
fn an_anomaly_known_from_the_books_alone_says_that_nothing_was_seen() {
    let audit = story(&[]).applied(3).0.audit();
    assert_eq!(audit.anomalies.len(), 2, "{audit:?}");
    for anomaly in audit.anomalies {
        assert_eq!((anomaly.applied, anomaly.last_known), (3, None));
    }
}

#[test]
fn counters_stop_at_their_end_and_do_not_begin_again() {
    let mut ledger = Ledger::new(Noun::Payment, 1);
    for _ in 0..=u16::MAX {
        for fact in [Sent, Confirmed, Delivered] {
            ledger.record(ONE, fact, 0);
        }
    }
    ledger.settle(ONE, u16::MAX, u16::MAX);
    ledger.settle(ONE, 1, 1);
    let entry = ledger.entry(ONE).unwrap();
    assert_eq!((entry.sent, entry.applied), (u16::MAX, u16::MAX));
    let audit = ledger.audit();
    assert_eq!(audit.breaching(I4).count(), 0, "nobody can tell any more");
    assert_eq!(audit.of(Kind::Duplicated).count(), 1);
}

#[test]
fn anomalies_come_in_the_order_of_their_numbers() {
    let mut ledger = Ledger::new(Noun::Payment, 30);
    for number in [30, 7, 21, 2] {
        ledger.record(MessageId::payment(number), Accepted, number);
    }
    let lost = ledger.audit().of(Kind::Lost).map(|m| m.number).collect();
    let lost: Vec<u32> = lost;
    assert_eq!(lost, [2, 7, 21, 30]);
}

#[test]
fn an_audit_survives_being_written_down() {
    let audit = story(&[Accepted, Sent, Confirmed]).0.audit();
    let line = serde_json::to_string(&audit).unwrap();
    assert_eq!(serde_json::from_str::<Audit>(&line).unwrap(), audit);
}
