//! Random histories against a model that is slow, naive, and written from
//! the definitions alone.

use proptest::{prelude::*, sample::select};

use super::{
    Fact::{self, *},
    Kind, *,
};

const MESSAGES: u32 = 4;

/// What was told to a ledger.
#[derive(Clone, Debug)]
enum Told {
    Fact(MessageId, Fact, u32),
    Settled(MessageId, u16, u16),
}

impl Told {
    fn message(&self) -> MessageId {
        match self {
            Self::Fact(message, ..) | Self::Settled(message, ..) => *message,
        }
    }
}

/// Messages of the run, and a few that nobody knows.
fn message() -> impl Strategy<Value = MessageId> {
    let payment = (0..=MESSAGES + 1).prop_map(MessageId::payment);
    let mail =
        (1u32..3).prop_map(|number| MessageId { noun: Noun::Mail, number });
    prop_oneof![6 => payment, 1 => mail]
}

fn fact() -> impl Strategy<Value = Fact> {
    select(vec![
        Accepted,
        Refused,
        Sent,
        Sent,
        Confirmed,
        Nacked,
        Returned,
        Unknown,
        Delivered,
        Redelivered,
        Parked,
        Reported,
        Dropped,
        Applied,
        Acked,
        Killed,
        ConfirmWithheld,
    ])
}

fn told() -> impl Strategy<Value = Told> {
    let fact = (message(), fact(), any::<u32>())
        .prop_map(|(message, fact, at)| Told::Fact(message, fact, at));
    let settled = (message(), 0u16..3, 0u16..2)
        .prop_map(|(message, a, w)| Told::Settled(message, a, w));
    prop_oneof![5 => fact, 1 => settled]
}

/// A history, and the same things in another order.
fn histories() -> impl Strategy<Value = (Vec<Told>, Vec<Told>)> {
    prop::collection::vec(told(), 0..60)
        .prop_flat_map(|history| (Just(history.clone()), Just(history)))
        .prop_flat_map(|(one, other)| (Just(one), Just(other).prop_shuffle()))
}

fn ledger(history: &[Told]) -> Ledger {
    let mut ledger = Ledger::new(Noun::Payment, MESSAGES);
    for told in history {
        match told {
            Told::Fact(message, fact, at) => {
                ledger.record(*message, *fact, *at)
            }
            Told::Settled(message, applied, waiting) => {
                ledger.settle(*message, *applied, *waiting)
            }
        }
    }
    ledger
}

/// What the definitions say of one message, looked up in its history.
struct Model {
    sent: u64,
    confirmed: u64,
    nacked: u64,
    returned: u64,
    unknown: u64,
    delivered: u64,
    applied: u64,
    waiting: u64,
    own: bool,
    refused: bool,
    parked: bool,
    accepted: bool,
    reported: bool,
    last: Option<(Fact, u32)>,
}

impl Model {
    fn of(history: &[Told], message: MessageId) -> Self {
        let own: Vec<_> =
            history.iter().filter(|told| told.message() == message).collect();
        let facts = || {
            own.iter().filter_map(|told| match told {
                Told::Fact(_, fact, at) => Some((*fact, *at)),
                Told::Settled(..) => None,
            })
        };
        let times =
            |fact: Fact| facts().filter(|(f, _)| *f == fact).count() as u64;
        let settled = |pick: fn(&Told) -> u16| {
            own.iter().map(|told| u64::from(pick(told))).sum()
        };
        Self {
            sent: times(Sent),
            confirmed: times(Confirmed),
            nacked: times(Nacked),
            returned: times(Returned),
            unknown: times(Unknown),
            delivered: times(Delivered) + times(Redelivered),
            applied: settled(|told| match told {
                Told::Settled(_, applied, _) => *applied,
                Told::Fact(..) => 0,
            }),
            waiting: settled(|told| match told {
                Told::Settled(_, _, waiting) => *waiting,
                Told::Fact(..) => 0,
            }),
            own: message.noun == Noun::Payment,
            refused: times(Refused) > 0,
            parked: times(Parked) > 0,
            accepted: times(Accepted) > 0,
            reported: times(Reported) > 0,
            last: facts().next_back(),
        }
    }

    /// Confirms that no return takes back. One at a time: as long as there
    /// are more answers than attempts, a return has overridden a confirm.
    fn confirms(&self) -> u64 {
        let (mut confirms, mut returns) = (self.confirmed, self.returned);
        let answers = |c: u64| c + self.nacked + self.returned + self.unknown;
        while confirms > 0 && returns > 0 && answers(confirms) > self.sent {
            confirms -= 1;
            returns -= 1;
        }
        confirms
    }

    fn kinds(&self) -> Vec<Kind> {
        let owed = self.confirms() > 0 || self.accepted;
        let ended = self.applied > 0 || self.parked || self.reported;
        let mut kinds = Vec::new();
        if owed && !ended && self.waiting == 0 {
            kinds.push(Kind::Lost);
        }
        if self.applied > 1 {
            kinds.push(Kind::Duplicated);
        }
        if owed && !ended && self.waiting > 0 {
            kinds.push(Kind::Stuck);
        }
        let attempted = self.sent > 0;
        let unasked = !attempted && !self.accepted;
        if self.own && self.delivered > 0 && !attempted
            || self.delivered > 0 && unasked
            || self.applied > 0 && unasked
        {
            kinds.push(Kind::Unexpected);
        }
        kinds
    }

    fn breaches(&self) -> Vec<Breach> {
        let mut breaches = Vec::new();
        let found = self.delivered > 0 || self.parked || self.waiting > 0;
        if self.confirms() > 0 && !found {
            breaches.push(Breach::I1);
        }
        if self.accepted && self.applied == 0 && !self.parked && !self.reported
        {
            breaches.push(Breach::I2);
        }
        if self.applied > 1 {
            breaches.push(Breach::I3);
        }
        let answers =
            self.confirms() + self.nacked + self.returned + self.unknown;
        if self.sent != answers {
            breaches.push(Breach::I4);
        }
        breaches
    }
}

fn messages(history: &[Told]) -> std::collections::BTreeSet<MessageId> {
    let own = (1..=MESSAGES).map(MessageId::payment);
    history.iter().map(Told::message).chain(own).collect()
}

fn expected(history: &[Told]) -> Counts {
    let mut sums = Counts::default();
    for message in messages(history) {
        let model = Model::of(history, message);
        let one = |is: bool| u64::from(is);
        let kinds = model.kinds();
        sums.lost += one(kinds.contains(&Kind::Lost));
        sums.duplicated += one(kinds.contains(&Kind::Duplicated));
        sums.stuck += one(kinds.contains(&Kind::Stuck));
        sums.unexpected += one(kinds.contains(&Kind::Unexpected));
        sums.waiting += model.waiting;
        if !model.own {
            continue;
        }
        sums.attempts += model.sent;
        sums.deliveries += model.delivered;
        sums.accepted += one(model.accepted);
        sums.refused += one(model.refused && !model.accepted);
        sums.attempted += one(model.sent > 0);
        sums.confirmed += one(model.confirms() > 0);
        sums.nacked += one(model.nacked > 0 && model.confirms() == 0);
        sums.returned += one(model.returned > 0);
        sums.unknown += one(model.unknown > 0 && model.unknown == model.sent);
        sums.delivered += one(model.delivered > 0);
        sums.applied += one(model.applied > 0);
        sums.parked += one(model.parked);
        sums.reported += one(model.reported);
        sums.recovered += one(model.unknown > 0 && model.delivered > 0);
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_ledger_counts_as_the_definitions_do((history, _) in histories()) {
        let audit = ledger(&history).audit();
        prop_assert_eq!(audit.counts, expected(&history));
        for message in messages(&history) {
            let model = Model::of(&history, message);
            let kinds: Vec<_> = audit
                .anomalies
                .iter()
                .filter(|a| a.message == message)
                .map(|a| a.kind)
                .collect();
            prop_assert_eq!(kinds, model.kinds(), "{}", message);
            let breaches: Vec<_> = audit
                .breaches
                .iter()
                .filter(|(m, _)| *m == message)
                .map(|(_, b)| *b)
                .collect();
            prop_assert_eq!(breaches, model.breaches(), "{}", message);
        }
    }

    #[test]
    fn only_the_last_thing_known_depends_on_the_order(
        (history, shuffled) in histories()
    ) {
        let (mut one, mut other) =
            (ledger(&history).audit(), ledger(&shuffled).audit());
        for anomaly in one.anomalies.iter_mut().chain(&mut other.anomalies) {
            anomaly.last_known = None;
        }
        prop_assert_eq!(one, other);
    }

    #[test]
    fn every_anomaly_names_the_last_fact_of_its_message(
        (history, _) in histories()
    ) {
        for anomaly in ledger(&history).audit().anomalies {
            let model = Model::of(&history, anomaly.message);
            prop_assert_eq!(anomaly.last_known, model.last);
            prop_assert_eq!(u64::from(anomaly.applied), model.applied);
        }
    }

    #[test]
    fn each_message_is_added_up_alone(
        (history, _) in histories(), chosen in message()
    ) {
        // What happens to others changes nothing for this one.
        let own: Vec<_> = history
            .iter()
            .filter(|told| told.message() == chosen)
            .cloned()
            .collect();
        let of = |history: &[Told]| {
            let mut audit = ledger(history).audit();
            audit.anomalies.retain(|a| a.message == chosen);
            audit.breaches.retain(|(m, _)| *m == chosen);
            (audit.anomalies, audit.breaches)
        };
        prop_assert_eq!(of(&history), of(&own));
    }

    #[test]
    fn a_name_is_read_as_it_is_written(id in message(), wild in "\\PC*") {
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        // Anything else is refused or read; it never panics.
        if let Ok(read) = wild.parse::<MessageId>() {
            prop_assert!(wild.starts_with(read.noun.as_str()));
        }
    }
}
