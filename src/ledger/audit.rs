//! Adding up: from what is known of each message to what is wrong.

use serde::{Deserialize, Serialize};

use super::{Entry, Fact, MessageId, Noun};

/// How many messages each word is true of (`attempts` apart, which counts
/// attempts). What is wrong is counted of promised effects of another noun,
/// too; the rest is said of the messages themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Times anything was put on the wire.
    pub attempts: u64,
    /// The caller was promised it.
    pub accepted: u64,
    /// The caller was told no, and never yes.
    #[serde(default)]
    pub refused: u64,
    /// The producer tried to send it.
    pub attempted: u64,
    /// The broker took it over, at least once, and did not hand it back.
    pub confirmed: u64,
    /// The broker refused it, and never took it over.
    pub nacked: u64,
    /// The broker handed it back as unroutable.
    pub returned: u64,
    /// No answer ever came.
    pub unknown: u64,
    /// A consumer received it.
    pub delivered: u64,
    /// Deliveries, counted each.
    pub deliveries: u64,
    /// Its effect was made.
    pub applied: u64,
    /// It was dead-lettered where people look.
    pub parked: u64,
    /// It was given up, and somebody was told.
    pub reported: u64,
    /// Copies still in the queue, of whichever message.
    pub waiting: u64,
    /// Confirmed or promised, and neither applied, parked, reported nor
    /// waiting.
    pub lost: u64,
    /// Applied more than once.
    pub duplicated: u64,
    /// Confirmed or promised, not applied, and still in the queue.
    pub stuck: u64,
    /// Some attempt was unknown, and yet it was delivered.
    pub recovered: u64,
    /// Delivered, and never attempted; or applied, and not even promised.
    pub unexpected: u64,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// See [`Counts::lost`].
    Lost,
    /// See [`Counts::duplicated`].
    Duplicated,
    /// See [`Counts::stuck`].
    Stuck,
    /// See [`Counts::unexpected`].
    Unexpected,
}

/// One message with something wrong, and the last thing known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Which.
    pub message: MessageId,
    /// What is wrong.
    pub kind: Kind,
    /// How often its effect was made.
    pub applied: u16,
    /// The last fact recorded, and its time in milliseconds since the run
    /// began.
    pub last_known: Option<(Fact, u32)>,
}

/// An invariant of the ledger that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Breach {
    /// I1: confirmed and not returned, and yet neither delivered, parked nor
    /// waiting.
    I1,
    /// I2: promised, and neither applied, parked nor reported.
    I2,
    /// I3: applied more than once under one business key.
    I3,
    /// I4: attempts are not confirmed + nacked + returned + unknown.
    I4,
}

/// What a run's ledger adds up to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// The sums.
    pub counts: Counts,
    /// Each message with something wrong, by number.
    pub anomalies: Vec<Anomaly>,
    /// Each breach of an invariant.
    pub breaches: Vec<(MessageId, Breach)>,
}

impl Audit {
    /// The messages of which `kind` is true, by number.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = MessageId> {
        self.anomalies.iter().filter(move |a| a.kind == kind).map(|a| a.message)
    }

    /// The messages that breach `invariant`.
    pub fn breaching(
        &self,
        invariant: Breach,
    ) -> impl Iterator<Item = MessageId> {
        self.breaches
            .iter()
            .filter(move |(_, b)| *b == invariant)
            .map(|(m, _)| *m)
    }
}

pub(super) fn audit<'a>(
    noun: Noun,
    entries: impl Iterator<Item = (MessageId, &'a Entry)>,
) -> Audit {
    let mut audit = Audit::default();
    for (message, entry) in entries {
        audit.counts.waiting += u64::from(entry.waiting);
        if message.noun == noun {
            count(&mut audit.counts, entry);
        }
        for kind in wrong(message.noun == noun, entry) {
            *tally(&mut audit.counts, kind) += 1;
            audit.anomalies.push(Anomaly {
                message,
                kind,
                applied: entry.applied,
                last_known: entry.last,
            });
        }
        audit.breaches.extend(breaches(entry).map(|breach| (message, breach)));
    }
    audit
}

fn count(counts: &mut Counts, e: &Entry) {
    counts.attempts += u64::from(e.sent);
    counts.deliveries += u64::from(e.delivered);
    counts.accepted += u64::from(e.accepted);
    counts.refused += u64::from(e.refused > 0 && !e.accepted);
    counts.attempted += u64::from(e.sent > 0);
    counts.confirmed += u64::from(taken_over(e));
    counts.nacked += u64::from(e.nacked > 0 && !taken_over(e));
    counts.returned += u64::from(e.returned > 0);
    counts.unknown += u64::from(e.unknown > 0 && e.unknown == e.sent);
    counts.delivered += u64::from(e.delivered > 0);
    counts.applied += u64::from(e.applied > 0);
    counts.parked += u64::from(e.parked > 0);
    counts.reported += u64::from(e.reported);
    counts.recovered += u64::from(e.unknown > 0 && e.delivered > 0);
}

fn tally(counts: &mut Counts, kind: Kind) -> &mut u64 {
    match kind {
        Kind::Lost => &mut counts.lost,
        Kind::Duplicated => &mut counts.duplicated,
        Kind::Stuck => &mut counts.stuck,
        Kind::Unexpected => &mut counts.unexpected,
    }
}

/// The broker took responsibility: it confirmed, and did not hand back.
fn taken_over(e: &Entry) -> bool {
    confirms(e) > 0
}

/// The confirms that count. The broker acks what it has returned, too; that
/// ack is overridden, whether its witness reports it or not. Only by the
/// number of attempts can it be told from the confirm of a later attempt.
fn confirms(e: &Entry) -> u32 {
    let [confirmed, returned] = [e.confirmed, e.returned].map(u32::from);
    let too_many = answers(e, confirmed).saturating_sub(e.sent.into());
    confirmed - too_many.min(confirmed).min(returned)
}

fn answers(e: &Entry, confirms: u32) -> u32 {
    let others = [e.nacked, e.returned, e.unknown].map(u32::from);
    confirms + others.into_iter().sum::<u32>()
}

fn done_with(e: &Entry) -> bool {
    e.applied > 0 || e.parked > 0 || e.reported
}

/// `own` is a message of the run; any other is an effect that was promised
/// with one, or a stranger.
fn wrong(own: bool, e: &Entry) -> impl Iterator<Item = Kind> {
    // What was promised may have been done without a message; of an effect
    // promised with another message the delivery is that message's.
    let unasked = match own {
        true => e.delivered > 0 || e.applied > 0 && !e.accepted,
        false => !e.accepted && (e.delivered > 0 || e.applied > 0),
    };
    let owed = (taken_over(e) || e.accepted) && !done_with(e);
    let kinds = [
        (owed && e.waiting == 0, Kind::Lost),
        (e.applied > 1, Kind::Duplicated),
        (owed && e.waiting > 0, Kind::Stuck),
        (e.sent == 0 && unasked, Kind::Unexpected),
    ];
    kinds.into_iter().filter_map(|(is, kind)| is.then_some(kind))
}

fn breaches(e: &Entry) -> impl Iterator<Item = Breach> {
    let answered = answers(e, confirms(e));
    let reached = e.delivered > 0 || e.parked > 0 || e.waiting > 0;
    let broken = [
        (taken_over(e) && !reached, Breach::I1),
        (e.accepted && !done_with(e), Breach::I2),
        (e.applied > 1, Breach::I3),
        (e.sent < u16::MAX && u32::from(e.sent) != answered, Breach::I4),
    ];
    broken.into_iter().filter_map(|(is, breach)| is.then_some(breach))
}
