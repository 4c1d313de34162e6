//! The deck: every question of the book and every prediction of the catalogue
//! as a card.

use crate::{
    book::{
        CHAPTERS, Chapter, Outline, TopicOutline, interview::Candidate,
        questions::Question,
    },
    demos::TOPICS,
    lab::catalogue::{self, Entry},
    problem::Problem,
    text,
    text::Text,
};

/// All cards.
pub struct Deck {
    /// Their names, in the order of reading.
    pub outline: Outline,
    cards: Vec<Card>,
}

/// One card.
pub struct Card {
    /// A question's id, or a scenario's target.
    pub id: String,
    /// Its topic.
    pub topic: &'static str,
    /// What is on it.
    pub face: Face,
}

/// What is on a card.
pub enum Face {
    /// A question, to be answered aloud.
    Question(Box<Question>),
    /// A scenario's prediction, with its hints.
    Prediction(Entry, Vec<Text>),
}

impl Deck {
    /// Of all chapters.
    ///
    /// # Errors
    /// A [`Problem`] when an embedded file cannot be read, which is a bug.
    pub fn whole() -> Result<Self, Problem> {
        let mut deck = Self { outline: Outline::default(), cards: Vec::new() };
        for chapter in CHAPTERS {
            deck.add(chapter).map_err(|error| {
                Problem::environment(text! {
                    en: "the questions of {topic} cannot be read, which is a bug: {error}",
                    zh: "{topic} 的题目读不出来，这是一个 bug：{error}",
                    topic = chapter.topic, error = error.message()
                })
            })?;
        }
        Ok(deck)
    }

    fn add(
        &mut self,
        chapter: &'static Chapter,
    ) -> Result<(), toml::de::Error> {
        let mut topic = TopicOutline {
            id: chapter.topic.to_owned(),
            ..TopicOutline::default()
        };
        for question in chapter.questions()? {
            topic.questions.push(question.id.clone());
            self.cards.push(Card {
                id: question.id.clone(),
                topic: chapter.topic,
                face: Face::Question(Box::new(question)),
            });
        }
        let hints = chapter.hints()?;
        let mut entries = catalogue::entries(TOPICS);
        for entry in entries.by_ref().filter(|e| e.topic.id == chapter.topic) {
            let own = hints.iter().find(|own| own.id == entry.scenario.id);
            let hints = own.map(|own| own.hint.clone()).unwrap_or_default();
            topic.scenarios.push(entry.target());
            self.cards.push(Card {
                id: entry.target(),
                topic: chapter.topic,
                face: Face::Prediction(entry, hints),
            });
        }
        self.outline.topics.push(topic);
        Ok(())
    }

    /// A card.
    pub fn card(&self, id: &str) -> Option<&Card> {
        self.cards.iter().find(|card| card.id == id)
    }

    /// The question of this id.
    pub fn question(&self, id: &str) -> Option<&Question> {
        match &self.card(id)?.face {
            Face::Question(question) => Some(question),
            Face::Prediction(..) => None,
        }
    }

    /// The questions that an interview about these topics may ask; about all
    /// where none is named.
    pub fn candidates(&self, topics: &[&str]) -> Vec<Candidate> {
        let wanted =
            |card: &&Card| topics.is_empty() || topics.contains(&card.topic);
        let candidate = |card: &Card| match &card.face {
            Face::Prediction(..) => None,
            Face::Question(question) => Some(Candidate {
                id: card.id.clone(),
                topic: card.topic.to_owned(),
                level: question.level,
                digs: question.dig.len(),
                scenarios: runnable(question),
            }),
        };
        self.cards.iter().filter(wanted).filter_map(candidate).collect()
    }
}

/// The scenarios that prove the answer to a question, of those there are.
pub fn runnable(question: &Question) -> Vec<String> {
    let mut proofs = question.proven_by.clone();
    proofs.retain(|target| catalogue::find(TOPICS, target).is_ok());
    proofs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_and_every_prediction_is_a_card_of_its_own() {
        let deck = Deck::whole().unwrap();
        let mut ids: Vec<_> = deck.cards.iter().map(|card| &card.id).collect();
        ids.sort();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all);
        for entry in catalogue::entries(TOPICS) {
            let card = deck.card(&entry.target()).unwrap();
            assert!(matches!(card.face, Face::Prediction(..)));
        }
        let outlined = deck.outline.within(None).flat_map(TopicOutline::cards);
        assert!(outlined.into_iter().all(|id| deck.card(id).is_some()));
    }

    #[test]
    fn an_interview_asks_about_the_topics_that_are_named() {
        let deck = Deck::whole().unwrap();
        let some = deck.candidates(&["durability"]);
        assert!(!some.is_empty());
        assert!(some.iter().all(|one| one.topic == "durability"));
        assert!(deck.candidates(&[]).len() > some.len());
    }
}
