use super::*;
use crate::{
    cli::study::desk::tests::told,
    demos::TOPICS,
    lab::catalogue::{self, Entry},
    text::Lang,
};

const NOW: Moment = Moment(1_764_150_000);

/// A deck and a file of progress of their own.
struct Room {
    home: tempfile::TempDir,
    deck: Deck,
}

impl Room {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { home, deck: Deck::whole().unwrap() }
    }

    fn store(&self) -> Store {
        Store::at(self.home.path().join("progress.json"))
    }

    fn known(&self) -> Progress {
        self.store().load().unwrap().it
    }

    /// What a session of so many cards tells when these keys are pressed.
    fn quiz(&self, keys: &str, most: usize, lang: Lang, now: Moment) -> String {
        let asking = Asking {
            deck: &self.deck,
            store: self.store(),
            topic: Some("idempotency"),
            now: &move || now,
        };
        told(keys, lang, |desk| {
            asking.session(desk, &self.known(), most).unwrap();
        })
    }

    /// The first question and the first prediction of the topic.
    fn first(&self) -> (String, String) {
        let topic = self.deck.outline.topic("idempotency").unwrap();
        (topic.questions[0].clone(), topic.scenarios[0].clone())
    }

    /// The key of the right answer to a prediction, and of a wrong one.
    fn keys(&self, target: &str) -> (char, char) {
        let card = self.deck.card(target).unwrap();
        let Face::Prediction(entry, _) = &card.face else {
            panic!("no prediction: {target}")
        };
        match cards::right_key(entry) {
            'a' => ('a', 'b'),
            right => (right, 'a'),
        }
    }
}

#[test]
fn no_key_is_right_much_more_often_than_another() {
    let all: Vec<_> = catalogue::entries(TOPICS).collect();
    for key in ['a', 'b', 'c'] {
        let is_right = |entry: &&Entry| cards::right_key(entry) == key;
        let count = all.iter().filter(is_right).count();
        let (least, most) = (all.len() / 6, all.len() / 2);
        assert!((least..most).contains(&count), "{key}: {count}");
    }
}

#[test]
fn a_question_is_thought_about_looked_at_and_graded() {
    let room = Room::new();
    let (question, _) = room.first();
    let said = room.quiz("h⏎3", 1, Lang::En, NOW);
    for part in [
        " 1 new card.",
        " 1/1  idempotency",
        "\n 1/3     ",
        "\n Answer  ",
        "\n Wrong   ",
        "\n Proof   rmq-lab demo idempotency/",
        "[1] again 1 d   [2] hard 2 d   [3] good 3 d   [4] easy 15 d   \
         [d] deeper\n [q] end 3\n",
        "1 answered: 0 again, 0 hard, 1 good, 0 easy",
        "the next card is due in 3 days",
        "\n New     28 cards have not been asked yet\n",
        "\n next    rmq-lab read idempotency\n",
    ] {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
    assert_eq!(room.known().cards[&question].due, NOW.plus_days(3));
}

#[test]
fn follow_ups_are_told_one_after_the_other_and_then_no_more() {
    let room = Room::new();
    let (id, _) = room.first();
    let digs = room.deck.question(&id).unwrap().dig.len();
    assert!(digs > 1, "{id}");
    let said = room.quiz("⏎d3", 1, Lang::En, NOW);
    assert_eq!(said.matches("\n Deeper  ").count(), 1, "{said}");
    assert_eq!(said.matches("[d] deeper").count(), 2, "{said}");
    assert_eq!(room.known().cards[&id].grade, 3, "{said}");
    let room = Room::new();
    let keys = format!("⏎{}d3", "d".repeat(digs));
    let said = room.quiz(&keys, 1, Lang::Zh, NOW);
    assert_eq!(said.matches("\n 追问    ").count(), digs, "{said}");
    assert!(said.contains("“d”在这里没有作用"), "{said}");
    for dig in &room.deck.question(&id).unwrap().dig {
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        for text in [&dig.ask.zh, &dig.answer.zh] {
            assert!(bare(&said).contains(&bare(text)), "{text} in\n{said}");
        }
    }
    // Once more, it can be dug deeper, too.
    let said = Room::new().quiz("⏎1⏎d⏎", 1, Lang::En, NOW);
    assert_eq!(said.matches("\n Deeper  ").count(), 1, "{said}");
    assert!(said.contains("[Enter] go on   [d] deeper   [q] end"), "{said}");
}

#[test]
fn a_right_prediction_is_good_and_with_a_hint_hard_and_a_wrong_one_again() {
    for (hint, right, grade) in
        [("", true, 3), ("h", true, 2), ("", false, 1), ("hh", false, 1)]
    {
        let room = Room::new();
        let (_, target) = room.first();
        let (good, bad) = room.keys(&target);
        let key = if right { good } else { bad };
        let keys = format!("⏎4{hint}{key}q");
        let said = room.quiz(&keys, 2, Lang::En, NOW);
        let verdict = if right { "✓ right" } else { "✗ wrong" };
        assert!(said.contains(verdict), "{said}");
        assert!(said.contains(" Claim   "), "{said}");
        let command = format!("rmq-lab demo {target}\n");
        assert!(said.contains(&command), "{said}");
        assert_eq!(room.known().cards[&target].grade, grade, "{said}");
    }
}

#[test]
fn what_was_not_known_comes_once_more_without_a_grade() {
    let room = Room::new();
    let (question, _) = room.first();
    let said = room.quiz("⏎1⏎⏎", 1, Lang::En, NOW);
    assert!(said.contains(" once more  idempotency"), "{said}");
    assert!(said.contains("1 answered: 1 again"), "{said}");
    let card = &room.known().cards[&question];
    assert_eq!((card.times, card.due), (1, NOW.plus_days(1)));
}

#[test]
fn who_leaves_in_the_middle_keeps_what_was_answered() {
    // The end of the keys is the end of input.
    for keys in ["⏎3q", "⏎3"] {
        let room = Room::new();
        let said = room.quiz(keys, 2, Lang::En, NOW);
        assert!(said.contains("1 answered"), "{said}");
        assert!(room.known().cards.contains_key(&room.first().0));
    }
    let said = Room::new().quiz("", 2, Lang::Zh, NOW);
    assert!(said.contains("一张也没答"), "{said}");
}

#[test]
fn tomorrow_the_due_card_comes_first_and_then_nothing_is_left() {
    let room = Room::new();
    let ids = room.deck.outline.topic("idempotency").unwrap().cards();
    let (question, _) = room.first();
    let all = |progress: &mut Progress| {
        for id in &ids {
            let known = *id != question;
            let grade = if known { Grade::Easy } else { Grade::Again };
            progress.grade(id, grade, NOW);
        }
    };
    room.store().update(all).unwrap();
    let tomorrow = NOW.plus_days(1);
    let said = room.quiz("⏎4", 9, Lang::En, tomorrow);
    assert!(said.contains(" 1 card is due."), "{said}");
    assert!(said.contains(" due\n"), "{said}");
    let said = room.quiz("", 9, Lang::En, tomorrow);
    assert!(said.contains("Nothing is due, and nothing is new."), "{said}");
    assert!(said.contains("rmq-lab interview idempotency\n"), "{said}");
    let said = room.quiz("", 9, Lang::Zh, tomorrow);
    assert!(said.contains("没有到期的卡片，也没有新卡片。"), "{said}");
}

#[test]
fn every_card_of_the_book_can_be_told_on_eighty_columns_in_both_languages() {
    use unicode_width::UnicodeWidthStr;
    for lang in [Lang::En, Lang::Zh] {
        let room = Room::new();
        for topic in &room.deck.outline.topics {
            let asking = Asking {
                deck: &room.deck,
                store: room.store(),
                topic: None,
                now: &|| NOW,
            };
            for id in topic.cards() {
                let card = Chosen { id: id.to_owned(), new: true };
                let key = match room.deck.question(id) {
                    Some(question) => {
                        format!("h⏎{}1", "d".repeat(question.dig.len()))
                    }
                    None => format!("h{}⏎", room.keys(id).0),
                };
                let said = told(&key, lang, |desk| {
                    let session = Session::default();
                    let went = asking.card(desk, &card, &session).unwrap();
                    assert!(matches!(went, Went::On(Some(_))), "{id}");
                });
                let wide = said.lines().find(|line| line.width() > 80);
                assert_eq!(wide, None, "{id}");
                assert!(!said.contains("no hint"), "{said}");
            }
        }
    }
}
