use super::*;
use crate::{
    lab::{Check, Hits, Plan, Struck},
    ledger::{Fact, Ledger, Noun},
};

const MESSAGES: u32 = 30;

/// A run of 30 payments in which three are struck.
struct Run {
    ledger: Ledger,
    plan: Plan,
}

const WELL: &[Fact] = &[Fact::Sent, Fact::Confirmed, Fact::Delivered];

/// All went well, and each struck message came twice.
fn run(strikes: &[Strike]) -> Run {
    run_but(strikes, STRANGER, &[])
}

/// But of one message only this is known.
fn run_but(strikes: &[Strike], but: MessageId, facts: &[Fact]) -> Run {
    let plan =
        Plan::choose(Noun::Payment, strikes, Hits::OneInTen, MESSAGES, 3);
    let mut ledger = Ledger::new(Noun::Payment, MESSAGES);
    for number in 1..=MESSAGES {
        let id = MessageId::payment(number);
        for fact in if id == but { facts } else { WELL } {
            ledger.record(id, *fact, 0);
        }
        if plan.strikes(id) && id != but {
            ledger.record(id, Fact::Redelivered, 0);
        }
    }
    Run { ledger, plan }
}

impl Run {
    fn struck(&self, strike: Strike) -> Vec<MessageId> {
        self.plan.of(strike).collect()
    }

    fn unstruck(&self) -> MessageId {
        let mut all = (1..).map(MessageId::payment);
        all.find(|id| !self.plan.strikes(*id)).unwrap_or(STRANGER)
    }

    /// These were paid so often, all others once.
    fn paid(mut self, messages: &[MessageId], times: u16) -> Self {
        for number in 1..=MESSAGES {
            let id = MessageId::payment(number);
            let times = if messages.contains(&id) { times } else { 1 };
            self.ledger.settle(id, times, 0);
        }
        self
    }

    /// And of this one a copy still waits.
    fn waiting(mut self, message: MessageId) -> Self {
        self.ledger.settle(message, 0, 1);
        self
    }

    /// And this happened to it.
    fn and(mut self, message: MessageId, fact: Fact) -> Self {
        self.ledger.record(message, fact, 0);
        self
    }

    fn outcome(self) -> Outcome {
        let Self { ledger, plan } = self;
        let known = |(message, strike)| Struck {
            message,
            strike,
            entry: ledger.entry(message).copied().unwrap_or_default(),
        };
        Outcome {
            audit: ledger.audit(),
            struck: plan.all().map(known).collect(),
            plan,
            noun: Noun::Payment,
            messages: MESSAGES,
            version: (4, 3),
            figures: Vec::new(),
        }
    }

    fn passes(self, check: Check) {
        assert_eq!(check(&self.outcome()), Ok(()));
    }

    fn fails(self, check: Check, why: &str) {
        let told = check(&self.outcome()).err().unwrap_or_default();
        assert!(told.en.contains(why), "{:?}, not {why:?}", told.en);
        assert!(!told.zh.is_empty());
    }
}

fn every_payment_once(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    each_came_twice(outcome)
}

/// Nobody attempted it.
const STRANGER: MessageId = MessageId { noun: Noun::Mail, number: 7 };
const KILL: Strike = Strike::KillBeforeCommit;
const SWALLOW: Strike = Strike::SwallowAck;

#[test]
fn every_payment_once_is_just_that() {
    run(&[KILL]).paid(&[], 1).passes(every_payment_once);
}

#[test]
fn every_payment_once_refuses_whatever_is_wrong_with_one() {
    let id = MessageId::payment(4);
    let with = |times| run(&[KILL]).paid(&[id], times);
    with(2).fails(every_payment_once, "1 doubled: payment-0004");
    with(0).fails(every_payment_once, "1 lost: payment-0004");
    with(0).waiting(id).fails(every_payment_once, "1 stuck: payment-0004");
    with(1)
        .and(STRANGER, Fact::Delivered)
        .fails(every_payment_once, "1 unexpected: mail-0007");
}

#[test]
fn every_payment_once_refuses_a_ledger_that_does_not_balance() {
    let id = MessageId::payment(4);
    run(&[KILL]).paid(&[], 1).and(id, Fact::Sent).fails(
        every_payment_once,
        "attempts without exactly one answer: payment-0004",
    );
    // Paid out of nowhere: the books know it, no consumer does.
    run_but(&[KILL], id, &[Fact::Sent, Fact::Confirmed]).paid(&[], 1).fails(
        every_payment_once,
        "confirmed and never seen again: payment-0004",
    );
}

#[test]
fn every_payment_once_refuses_too_few() {
    // Neither confirmed nor promised, and so not lost; but not paid.
    let id = MessageId::payment(9);
    run_but(&[KILL], id, &[Fact::Sent, Fact::Unknown])
        .paid(&[id], 0)
        .fails(every_payment_once, "29 of 30 applied");
}

#[test]
fn every_payment_once_refuses_copies_that_still_wait() {
    run(&[KILL])
        .paid(&[], 1)
        .waiting(MessageId::payment(4))
        .fails(every_payment_once, "1 copies left in the queue");
}

#[test]
fn a_way_that_never_met_the_duplicate_has_not_held() {
    let twice_sent =
        &[Fact::Sent, Fact::Unknown, Fact::Sent, Fact::Confirmed][..];
    let twice_come = &[Fact::Delivered, Fact::Redelivered][..];
    let at_the_consumer =
        [KILL, SWALLOW, Strike::KillAfterCommit, Strike::Meet];
    let at_the_producer = [Strike::WithholdConfirm, Strike::CutBeforePublish];
    let cases =
        at_the_consumer
            .map(|strike| (strike, [WELL, &[Fact::Redelivered]].concat()))
            .into_iter()
            .chain(at_the_producer.map(|strike| {
                (strike, [twice_sent, &[Fact::Delivered]].concat())
            }))
            .chain([(Strike::Replay, [twice_sent, twice_come].concat())]);
    for (strike, facts) in cases {
        let of = |untested: bool| {
            let mut run = run(&[strike]);
            let struck = run.struck(strike);
            run.ledger = Ledger::new(Noun::Payment, MESSAGES);
            for number in 1..=MESSAGES {
                let id = MessageId::payment(number);
                let plain = untested && id == struck[0];
                let facts = if !plain && struck.contains(&id) {
                    facts.as_slice()
                } else {
                    WELL
                };
                for fact in facts {
                    run.ledger.record(id, *fact, 0);
                }
            }
            (run.paid(&[], 1), struck[0])
        };
        of(false).0.passes(every_payment_once);
        let (untested, first) = of(true);
        untested.fails(
            every_payment_once,
            &format!("struck, and its duplicate never came: {first}"),
        );
    }
    // These make no duplicate that a consumer must meet.
    for strike in [Strike::Repeat, Strike::Overtake] {
        run(&[strike]).paid(&[], 1).passes(every_payment_once);
    }
}

#[test]
fn confirmed_means_every_message() {
    let id = MessageId::payment(9);
    run(&[KILL]).passes(every_message_confirmed);
    run_but(&[KILL], id, &[Fact::Sent, Fact::Unknown])
        .fails(every_message_confirmed, "29 of 30 confirmed");
    run_but(&[KILL], id, &[Fact::Sent, Fact::Returned, Fact::Confirmed])
        .fails(every_message_confirmed, "29 of 30 confirmed");
}

#[test]
fn the_flag_is_looked_at_where_a_strike_was_and_nowhere_else() {
    let flagged: Check = |outcome| flagged_where(outcome, SWALLOW, true);
    let plain: Check = |outcome| flagged_where(outcome, SWALLOW, false);
    let first = run(&[SWALLOW]).struck(SWALLOW)[0];
    let other = run(&[SWALLOW]).unstruck();
    run(&[SWALLOW]).passes(flagged);
    run(&[SWALLOW]).and(other, Fact::Redelivered).passes(flagged);
    run_but(&[SWALLOW], first, WELL).fails(
        flagged,
        &format!("the redelivered flag is not as claimed: {first}"),
    );
    run(&[SWALLOW]).fails(plain, "the redelivered flag is not as claimed");
    // Copies of another strike may be flagged as they like.
    run(&[KILL]).passes(plain);
    run(&[KILL]).passes(flagged);
}

#[test]
fn doubled_means_each_struck_message_and_no_other() {
    let check = doubled_exactly_where_struck;
    let struck = run(&[SWALLOW]).struck(SWALLOW);
    let other = run(&[SWALLOW]).unstruck();
    let both = || run(&[SWALLOW]).paid(&struck, 2);
    both().passes(check);
    run(&[SWALLOW])
        .paid(&struck, 3)
        .fails(check, &format!("{} applied 3 times", struck[0]));
    run(&[SWALLOW])
        .paid(&struck[1..], 2)
        .fails(check, &format!("doubled: expected and not so: {}", struck[0]));
    let one_more = [struck.as_slice(), &[other]].concat();
    run(&[SWALLOW])
        .paid(&one_more, 2)
        .fails(check, &format!("so and not expected: {other}"));
    run(&[SWALLOW]).paid(&[], 1).fails(check, "doubled: expected");
    run(&[SWALLOW]).paid(&struck, 0).fails(check, "lost: expected");
    both().and(STRANGER, Fact::Delivered).fails(check, "unexpected");
}

#[test]
fn lost_means_each_struck_message_and_no_other() {
    let check = lost_exactly_where_struck;
    let struck = run(&[KILL]).struck(KILL);
    let other = run(&[KILL]).unstruck();
    run(&[KILL]).paid(&struck, 0).passes(check);
    run(&[KILL]).paid(&struck[1..], 0).fails(check, "lost: expected");
    run(&[KILL])
        .paid(&[struck.as_slice(), &[other]].concat(), 0)
        .fails(check, &format!("so and not expected: {other}"));
    run(&[KILL]).paid(&struck, 2).fails(check, "lost: expected");
    run(&[KILL])
        .paid(&struck, 0)
        .waiting(struck[0])
        .fails(check, "lost: expected");
    run(&[KILL])
        .paid(&struck, 0)
        .and(STRANGER, Fact::Delivered)
        .fails(check, "unexpected");
}

#[test]
fn stuck_means_each_struck_message_and_no_other() {
    let check: Check = |outcome| exactly_where(outcome, &[(Kind::Stuck, KILL)]);
    let struck = run(&[KILL]).struck(KILL);
    let other = run(&[KILL]).unstruck();
    let waiting = || {
        struck
            .iter()
            .fold(run(&[KILL]).paid(&struck, 0), |run, id| run.waiting(*id))
    };
    waiting().passes(check);
    // A copy that waits behind a payment that was made is not stuck.
    waiting().waiting(other).passes(check);
    run(&[KILL]).paid(&struck, 0).fails(check, "lost");
    run(&[KILL]).paid(&[], 1).fails(check, "stuck: expected");
    let one_more = [struck.as_slice(), &[other]].concat();
    one_more
        .iter()
        .fold(run(&[KILL]).paid(&one_more, 0), |run, id| run.waiting(*id))
        .fails(check, &format!("so and not expected: {other}"));
}

#[test]
fn each_strike_may_leave_something_else() {
    let expected = [(Kind::Lost, KILL), (Kind::Duplicated, SWALLOW)];
    let check = |run: Run| exactly_where(&run.outcome(), &expected);
    let both = || {
        let run = run(&[KILL, SWALLOW]);
        let (lost, doubled) = (run.struck(KILL), run.struck(SWALLOW));
        (run, lost, doubled)
    };
    let paid = |lost: u16, doubled: u16| {
        let (mut run, killed, swallowed) = both();
        for number in 1..=MESSAGES {
            let id = MessageId::payment(number);
            let times = match () {
                () if killed.contains(&id) => lost,
                () if swallowed.contains(&id) => doubled,
                () => 1,
            };
            run.ledger.settle(id, times, 0);
        }
        run
    };
    assert_eq!(check(paid(0, 2)), Ok(()));
    for (lost, doubled) in [(1, 2), (0, 1), (2, 0), (0, 0), (2, 2)] {
        assert!(check(paid(lost, doubled)).is_err(), "{lost} {doubled}");
    }
}

#[test]
fn a_strike_of_which_nothing_is_expected_must_leave_nothing() {
    let (quiet, struck) = (run(&[KILL]), run(&[KILL]).struck(KILL));
    let nothing = |run: Run| exactly_where(&run.outcome(), &[]);
    assert_eq!(nothing(quiet.paid(&[], 1)), Ok(()));
    assert!(nothing(run(&[KILL]).paid(&struck, 2)).is_err());
}

#[test]
fn everything_doubled_means_every_message() {
    let check = everything_doubled;
    let all: Vec<_> = (1..=MESSAGES).map(MessageId::payment).collect();
    let doubled = || run(&[SWALLOW]).paid(&all, 2);
    doubled().passes(check);
    run(&[SWALLOW])
        .paid(&all[1..], 2)
        .fails(check, "expected and not so: payment-0001");
    run(&[SWALLOW]).paid(&[], 1).fails(
        check,
        "payment-0001, payment-0002, payment-0003 +27; so and not",
    );
    run(&[SWALLOW]).paid(&all[..1], 0).fails(check, "doubled: expected");
    doubled()
        .and(STRANGER, Fact::Delivered)
        .fails(check, "1 unexpected: mail-0007");
    doubled()
        .and(MessageId::payment(MESSAGES + 1), Fact::Confirmed)
        .fails(check, "1 lost: payment-0031");
}
