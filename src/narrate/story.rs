//! The story of one message: its facts in a row, without the dull ones.

use std::collections::HashMap;

use crate::{
    event::{Event, Stamped, WayName, WayResult},
    ledger::{Fact, MessageId, Noun},
    text::{Lang, Text},
};

use super::words;

/// What was seen of the messages of one way.
#[derive(Clone, Debug, Default)]
pub(super) struct Stories {
    facts: HashMap<MessageId, Vec<(Fact, u64)>>,
    /// The struck messages, in the order of the strikes.
    struck: Vec<(MessageId, Fact)>,
    /// What struck the stage as a whole, in the order of the strikes.
    stage: Vec<Fact>,
}

impl Stories {
    pub fn saw(&mut self, message: MessageId, fact: Fact, at_ms: u64) {
        let facts = self.facts.entry(message).or_default();
        // A strike is told as a strike and may be told as a fact, too.
        if strikes(fact) && facts.last().is_some_and(|(last, _)| *last == fact)
        {
            return;
        }
        facts.push((fact, at_ms));
    }

    /// A strike: on a message, or on the stage as a whole.
    pub fn struck(
        &mut self,
        message: Option<MessageId>,
        what: Fact,
        at_ms: u64,
    ) {
        let Some(message) = message else {
            return self.stage.push(what);
        };
        // Most strikes were told as a fact already, when they were made.
        let facts = self.facts.entry(message).or_default();
        if facts.iter().all(|(fact, _)| *fact != what) {
            facts.push((what, at_ms));
        }
        self.struck.push((message, what));
    }

    pub fn strikes(&self) -> usize {
        self.struck.len() + self.stage.len()
    }

    /// What struck the stage as a whole, in words.
    pub fn of_the_stage(&self, lang: Lang) -> Option<String> {
        let told: Vec<String> = repeated(&self.stage)
            .into_iter()
            .flat_map(|(group, times)| group.iter().map(move |f| (f, times)))
            .map(|(fact, times)| match times {
                1 => words::fact(*fact).say(lang).to_owned(),
                _ => times_over(words::fact(*fact).say(lang), times, lang),
            })
            .collect();
        (!told.is_empty()).then(|| told.join(words::COMMA.say(lang)))
    }

    /// The struck messages, each once.
    pub fn struck_messages(&self) -> Vec<MessageId> {
        let mut seen = std::collections::HashSet::new();
        self.struck
            .iter()
            .map(|(m, _)| *m)
            .filter(|m| seen.insert(*m))
            .collect()
    }

    /// The last thing known of a message.
    pub fn last(&self, message: MessageId) -> Option<(Fact, u64)> {
        self.facts.get(&message)?.last().copied()
    }

    /// The story of one message, in words.
    pub fn of(&self, message: MessageId, lang: Lang) -> Option<String> {
        let told = worth_telling(&in_order(self.facts.get(&message)?));
        let mut links = Vec::new();
        for (group, times) in repeated(&told) {
            let words: Vec<String> = group
                .iter()
                .map(|f| word(*f, message.noun).say(lang).to_owned())
                .collect();
            let words = words.join(words::COMMA.say(lang));
            links.push(match times {
                1 => words,
                _ if group.len() == 1 => times_over(&words, times, lang),
                _ => times_over(&format!("({words})"), times, lang),
            });
        }
        Some(links.join(words::COMMA.say(lang)))
    }

    /// The stories that stand for all. Where something is `wrong`, one of
    /// each kind of strike that did it, at most two; else one.
    pub fn samples(
        &self,
        wrong: &[MessageId],
        lang: Lang,
    ) -> Vec<(MessageId, String)> {
        let mut told: Vec<(MessageId, Fact)> = Vec::new();
        let guilty = self.struck.iter().filter(|(m, _)| wrong.contains(m));
        for (message, what) in guilty {
            if told.len() < 2 && told.iter().all(|(_, w)| w != what) {
                told.push((*message, *what));
            }
        }
        if told.is_empty() {
            told.extend(self.struck.first());
        }
        let samples = told.into_iter().filter_map(|(message, _)| {
            Some((message, self.of(message, lang)?))
        });
        samples.collect()
    }
}

/// What the ways that end among `events` come to, in their order.
pub(super) fn foresee(
    events: &[Stamped],
) -> Vec<(WayName, WayResult, Stories)> {
    let mut foreseen = Vec::new();
    let mut stories: HashMap<WayName, Stories> = HashMap::new();
    for Stamped { at_ms, event } in events {
        match event {
            Event::WayStarted { way, .. } => {
                stories.insert(*way, Stories::default());
            }
            Event::Struck { way, message, what } => {
                if let Some(stories) = stories.get_mut(way) {
                    stories.struck(*message, *what, *at_ms);
                }
            }
            Event::Fact { way, message, fact } => {
                if let Some(stories) = stories.get_mut(way) {
                    stories.saw(*message, *fact, *at_ms);
                }
            }
            Event::WayEnded { way, result } => {
                if let Some(stories) = stories.remove(way) {
                    foreseen.push((*way, result.clone(), stories));
                }
            }
            _ => {}
        }
    }
    foreseen
}

/// The wire reports a strike a moment after the client has felt it: a confirm
/// is withheld before there is no answer, an ack swallowed when it was given.
fn in_order(facts: &[(Fact, u64)]) -> Vec<(Fact, u64)> {
    let mut facts = facts.to_vec();
    let moves = [
        (Fact::ConfirmWithheld, Fact::Unknown, 0),
        (Fact::CutBeforePublish, Fact::Unknown, 0),
        (Fact::AckSwallowed, Fact::Acked, 1),
    ];
    for (strike, felt, behind) in moves {
        let place = |facts: &[(Fact, u64)], wanted| {
            facts.iter().position(|(fact, _)| *fact == wanted)
        };
        let Some(at) = place(&facts, strike) else { continue };
        let struck = facts.remove(at);
        match place(&facts, felt) {
            Some(felt) => facts.insert(felt + behind, struck),
            None => facts.insert(at, struck),
        }
    }
    facts
}

/// The first time it is sent is not told: what is told was sent again.
fn word(fact: Fact, noun: Noun) -> Text {
    match fact {
        Fact::Sent => words::SENT_AGAIN.clone(),
        _ => words::fact_of(fact, noun),
    }
}

fn times_over(words: &str, times: usize, lang: Lang) -> String {
    Text::made(format!("{words} {times} times"), format!("{words} {times} 次"))
        .say(lang)
        .to_owned()
}

fn strikes(fact: Fact) -> bool {
    matches!(
        fact,
        Fact::Killed
            | Fact::AckSwallowed
            | Fact::ConfirmWithheld
            | Fact::CutBeforePublish
            | Fact::Repeated
            | Fact::Replayed
            | Fact::Met
            | Fact::Overtaken
            | Fact::BrokerKilled
            | Fact::Unroutable
            | Fact::NoExchange
            | Fact::ProducerKilled
            | Fact::RelayKilled
            | Fact::RedisKilled
    )
}

/// Whether the fault lies between broker and consumer.
fn on_the_consumer(fact: Fact) -> bool {
    matches!(fact, Fact::Killed | Fact::AckSwallowed | Fact::Met)
}

/// Whether the broker confirms what is struck so.
fn confirmed_all_the_same(fact: Fact) -> bool {
    matches!(
        fact,
        Fact::Overtaken
            | Fact::Unroutable
            | Fact::Expired
            | Fact::QueueFull
            | Fact::QueueDeleted
    )
}

/// Where the consumer was struck, that the message had come so far goes
/// without saying; where the producer was, only that it was accepted.
fn worth_telling(facts: &[(Fact, u64)]) -> Vec<Fact> {
    let struck_at_the_consumer =
        facts.iter().any(|(fact, _)| on_the_consumer(*fact));
    // What happens to every message is no news the first time; and where the
    // producer was struck, answers are not: the strike itself says what came.
    let dull_once: &[Fact] = match struck_at_the_consumer {
        true => &[Fact::Accepted, Fact::Sent, Fact::Confirmed, Fact::Delivered],
        false => &[Fact::Accepted, Fact::Sent],
    };
    let dull: &[Fact] = match struck_at_the_consumer {
        true => &[],
        // That it was confirmed all the same is the point.
        false
            if facts.iter().any(|(fact, _)| confirmed_all_the_same(*fact)) =>
        {
            &[]
        }
        false => &[Fact::Confirmed, Fact::Unknown],
    };
    let mut left_out = Vec::new();
    let mut told = Vec::new();
    for (fact, _) in facts {
        let first = dull_once.contains(fact) && !left_out.contains(fact);
        if first || dull.contains(fact) {
            left_out.push(*fact);
        } else {
            told.push(*fact);
        }
    }
    if told.is_empty() { left_out } else { told }
}

/// Groups of up to three facts that follow upon themselves, with how often.
fn repeated(facts: &[Fact]) -> Vec<(&[Fact], usize)> {
    let mut groups = Vec::new();
    let mut rest = facts;
    while !rest.is_empty() {
        let best = (1..=3.min(rest.len()))
            .map(|length| {
                let group = &rest[..length];
                (
                    length,
                    rest.chunks_exact(length)
                        .take_while(|c| *c == group)
                        .count(),
                )
            })
            // Said once is not said shorter; twice is left as it is, too.
            .filter(|(length, times)| *length == 1 || *times > 2)
            .max_by_key(|(length, times)| (length * times, usize::MAX - length))
            .unwrap_or((1, 1));
        let (length, times) = best;
        groups.push((&rest[..length], times));
        rest = &rest[length * times..];
    }
    groups
}
