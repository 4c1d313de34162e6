//! Which cards a session of the quiz asks, and in which order. Pure.

use std::collections::VecDeque;

use super::{
    Moment, Outline, Progress, TopicOutline,
    schedule::{Card, Grade},
};

/// A card that is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// A question's id, or a scenario's target.
    pub id: String,
    /// Whether it was never answered.
    pub new: bool,
}

/// At most so many cards of a topic, or of all: those that are due, the
/// longest first, then new ones in the order of reading, of chapters that were
/// read before others.
pub fn choose(
    outline: &Outline,
    progress: &Progress,
    topic: Option<&str>,
    now: Moment,
    most: usize,
) -> Vec<Chosen> {
    let cards = || outline.within(topic).flat_map(TopicOutline::cards);
    let mut due: Vec<(&Card, &str)> = cards()
        .filter_map(|id| Some((progress.cards.get(id)?, id)))
        .filter(|(card, _)| card.is_due(now))
        .collect();
    due.sort_by_key(|(card, _)| card.due);
    let was_read =
        |topic: &&TopicOutline| progress.read.contains_key(&topic.id);
    let (read, unread): (Vec<_>, Vec<_>) =
        outline.within(topic).partition(was_read);
    let new = read
        .into_iter()
        .chain(unread)
        .flat_map(TopicOutline::cards)
        .filter(|id| !progress.cards.contains_key(*id));
    let chosen = |id: &str, new| Chosen { id: id.to_owned(), new };
    let due = due.into_iter().map(|(_, id)| chosen(id, false));
    due.chain(new.map(|id| chosen(id, true))).take(most).collect()
}

/// What comes next in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A card, to be graded.
    Card(Chosen),
    /// One that was not known, once more, for practice.
    OnceMore(String),
}

/// A session: each card once, and what was not known once more at the end.
#[derive(Clone, Debug, Default)]
pub struct Session {
    waiting: VecDeque<Chosen>,
    missed: VecDeque<String>,
    /// What was asked so far.
    pub asked: usize,
    /// How many there are to be asked.
    pub of: usize,
    grades: [usize; 4],
}

impl Session {
    /// Of these cards.
    pub fn of(cards: Vec<Chosen>) -> Self {
        Self { of: cards.len(), waiting: cards.into(), ..Self::default() }
    }

    /// The next turn, if there is one.
    pub fn turn(&mut self) -> Option<Turn> {
        if let Some(card) = self.waiting.pop_front() {
            self.asked += 1;
            return Some(Turn::Card(card));
        }
        self.missed.pop_front().map(Turn::OnceMore)
    }

    /// How a card was answered.
    pub fn graded(&mut self, id: &str, grade: Grade) {
        self.grades[grade as usize] += 1;
        if grade == Grade::Again {
            self.missed.push_back(id.to_owned());
        }
    }

    /// How many got this grade.
    pub const fn count(&self, grade: Grade) -> usize {
        self.grades[grade as usize]
    }

    /// How many were answered.
    pub fn answered(&self) -> usize {
        self.grades.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::outline::sample::outline;

    const NOW: Moment = Moment(1_764_150_000);

    fn ids(chosen: &[Chosen]) -> Vec<&str> {
        chosen.iter().map(|one| one.id.as_str()).collect()
    }

    #[test]
    fn a_beginner_gets_new_cards_in_the_order_of_reading() {
        let chosen = choose(&outline(), &Progress::default(), None, NOW, 4);
        assert_eq!(ids(&chosen), ["q1", "first/s1", "q2", "first/s2"]);
        assert!(chosen.iter().all(|card| card.new));
    }

    #[test]
    fn chapters_that_were_read_come_before_others() {
        let mut progress = Progress::default();
        progress.note_read("second", NOW);
        let chosen = choose(&outline(), &progress, None, NOW, 3);
        assert_eq!(ids(&chosen), ["q4", "second/s3", "q1"]);
    }

    #[test]
    fn due_cards_come_first_the_longest_due_before_the_others() {
        let mut progress = Progress::default();
        progress.grade("q4", Grade::Again, NOW);
        progress.grade("q2", Grade::Again, NOW.plus_hours(-24));
        progress.grade("q1", Grade::Easy, NOW);
        let tomorrow = NOW.plus_days(1);
        let chosen = choose(&outline(), &progress, None, tomorrow, 3);
        assert_eq!(ids(&chosen), ["q2", "q4", "first/s1"]);
        assert!(!chosen[0].new && !chosen[1].new && chosen[2].new);
    }

    #[test]
    fn a_topic_is_asked_alone() {
        let chosen =
            choose(&outline(), &Progress::default(), Some("second"), NOW, 9);
        assert_eq!(ids(&chosen), ["q4", "second/s3"]);
    }

    #[test]
    fn when_all_is_known_and_nothing_due_nothing_is_asked() {
        let mut progress = Progress::default();
        for card in ["q4", "second/s3"] {
            progress.grade(card, Grade::Good, NOW);
        }
        let chosen = choose(&outline(), &progress, Some("second"), NOW, 9);
        assert!(chosen.is_empty());
    }

    #[test]
    fn what_was_not_known_is_asked_once_more_at_the_end_and_only_once() {
        let cards = choose(&outline(), &Progress::default(), None, NOW, 2);
        let mut session = Session::of(cards);
        assert!(
            matches!(session.turn(), Some(Turn::Card(card)) if card.id == "q1")
        );
        session.graded("q1", Grade::Again);
        assert!(matches!(session.turn(), Some(Turn::Card(_))));
        session.graded("first/s1", Grade::Good);
        assert_eq!(session.turn(), Some(Turn::OnceMore("q1".to_owned())));
        assert_eq!(session.turn(), None);
        assert_eq!((session.answered(), session.count(Grade::Again)), (2, 1));
    }
}
