//! The names of all that can be read, run and asked, in the order of reading.
//! Progress is measured against it.

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// A topic has a chapter.
    pub topics: Vec<TopicOutline>,
}

/// What there is of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicOutline {
    /// Its id.
    pub id: String,
    /// Its scenarios, as `topic/scenario`. Each is a card, too: its
    /// prediction.
    pub scenarios: Vec<String>,
    /// The ids of its questions.
    pub questions: Vec<String>,
}

impl Outline {
    /// A topic.
    pub fn topic(&self, id: &str) -> Option<&TopicOutline> {
        self.topics.iter().find(|topic| topic.id == id)
    }

    /// The topics, or the only one that is asked for.
    pub fn within<'a>(
        &'a self,
        topic: Option<&'a str>,
    ) -> impl Iterator<Item = &'a TopicOutline> {
        self.topics
            .iter()
            .filter(move |one| topic.is_none_or(|topic| one.id == topic))
    }
}

impl TopicOutline {
    /// Its cards: questions and predictions in turn, so that neither comes in
    /// a heap.
    pub fn cards(&self) -> Vec<&str> {
        let mut questions = self.questions.iter();
        let mut scenarios = self.scenarios.iter();
        let mut cards = Vec::new();
        loop {
            let pair = (questions.next(), scenarios.next());
            if pair == (None, None) {
                return cards;
            }
            cards.extend(pair.0.into_iter().chain(pair.1).map(String::as_str));
        }
    }
}

#[cfg(test)]
pub(crate) mod sample {
    use super::*;

    /// Two topics, the first with two scenarios and three questions.
    pub fn outline() -> Outline {
        let names = |all: &[&str]| all.iter().map(|s| (*s).into()).collect();
        Outline {
            topics: vec![
                TopicOutline {
                    id: "first".into(),
                    scenarios: names(&["first/s1", "first/s2"]),
                    questions: names(&["q1", "q2", "q3"]),
                },
                TopicOutline {
                    id: "second".into(),
                    scenarios: names(&["second/s3"]),
                    questions: names(&["q4"]),
                },
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_predictions_take_turns() {
        let outline = sample::outline();
        let cards: Vec<_> =
            outline.within(None).flat_map(TopicOutline::cards).collect();
        assert_eq!(
            cards,
            ["q1", "first/s1", "q2", "first/s2", "q3", "q4", "second/s3"]
        );
        assert_eq!(outline.within(Some("second")).count(), 1);
        assert_eq!(outline.within(Some("third")).count(), 0);
    }
}
