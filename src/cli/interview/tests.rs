use std::cell::Cell;

use super::*;
use crate::{cli::study::desk::tests::told, text::Lang};

const NOW: Moment = Moment(1_764_150_000);

struct Held {
    home: tempfile::TempDir,
    deck: Deck,
}

impl Held {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { home, deck: Deck::whole().unwrap() }
    }

    fn store(&self) -> Store {
        Store::at(self.home.path().join("progress.json"))
    }

    /// An interview about one topic, in the order of the book. Each look at
    /// the clock takes half a minute.
    fn interview(&self, keys: &str, minutes: u64, lang: Lang) -> String {
        self.drawn_by(&Draw::AskedFor(7), keys, minutes, lang)
    }

    fn drawn_by(
        &self,
        draw: &Draw,
        keys: &str,
        minutes: u64,
        lang: Lang,
    ) -> String {
        let seconds = Cell::new(0);
        let elapsed = || {
            let now = seconds.get();
            seconds.set(now + 30);
            Duration::from_secs(now)
        };
        let room = Room {
            deck: &self.deck,
            store: self.store(),
            now: &|| NOW,
            elapsed: &elapsed,
        };
        let order = self.deck.candidates(&["idempotency"]);
        let course = Course::new(order, Duration::from_secs(minutes * 60));
        told(keys, lang, |desk| room.hold(desk, course, draw).unwrap())
    }
}

#[test]
fn a_good_answer_is_dug_deeper_and_a_bad_one_ends_it() {
    let held = Held::new();
    let said = held.interview("⏎2⏎1⏎0q", 20, Lang::En);
    for part in [
        "A mock interview of 20 min. Answer aloud",
        "The questions are those of --seed 7.\n",
        " Question 1  idempotency, basic",
        "20 min left\n",
        "You took 30 s.",
        " Deeper, 1 of ",
        " Question 2  idempotency, ",
        " Question 3  idempotency, ",
        " Sheet   3 of 6 points for 3 answers in ",
        "         idempotency     3 / 6    ~ shaky\n",
        " Read    rmq-lab read idempotency\n",
        " Run     rmq-lab demo idempotency/",
    ] {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
    let known = held.store().load().unwrap().it;
    let points: Vec<_> =
        known.interview.values().map(|spoken| spoken.points).collect();
    assert_eq!(points.len(), 2, "follow-ups are not kept: {points:?}");
    assert!(points.contains(&2) && points.contains(&0));
}

#[test]
fn whoever_asks_for_no_seed_is_told_how_to_be_asked_the_same_again() {
    use clap::Parser;

    use crate::cli::{Cli, Command};
    let command = again(&["idempotency", "durability"], 42);
    let draw = Draw::Again(command.clone());
    let said = Held::new().drawn_by(&draw, "", 20, Lang::En);
    assert!(said.contains(&format!("\n Again   {command}\n")), "{said}");
    let said = Held::new().drawn_by(&draw, "", 20, Lang::Zh);
    assert!(said.contains(&format!("\n 再来    {command}\n")), "{said}");
    assert_eq!(again(&[], 7), "rmq-lab interview --seed 7");
    let typed = Cli::try_parse_from(command.split(' ')).unwrap();
    let Some(Command::Interview(asked)) = typed.command else {
        panic!("{command}")
    };
    assert_eq!(asked.seed, Some(42));
    assert_eq!(asked.topics, ["idempotency", "durability"]);
}

#[test]
fn it_ends_after_the_question_that_runs_when_the_time_is_up() {
    let said = Held::new().interview("⏎2⏎2⏎2", 1, Lang::En);
    assert!(said.contains("The time is up."), "{said}");
    assert!(said.contains("2 of 2 points for 1 answer in "), "{said}");
    assert!(!said.contains("Deeper"), "{said}");
    assert!(said.contains("✓ firm"), "{said}");
    assert!(said.contains("all of it was firm"), "{said}");
}

#[test]
fn who_leaves_at_once_is_told_so_in_either_language() {
    let said = Held::new().interview("", 20, Lang::En);
    assert!(said.contains(" Sheet   nothing was answered\n"), "{said}");
    let said = Held::new().interview("⏎", 20, Lang::Zh);
    assert!(said.contains(" 成绩    一题也没答\n"), "{said}");
}

#[test]
fn no_question_is_wider_than_eighty_columns() {
    use unicode_width::UnicodeWidthStr;
    for lang in [Lang::En, Lang::Zh] {
        let said = Held::new().interview(&"⏎2".repeat(200), 180, lang);
        let wide = said.lines().find(|line| line.width() > 80);
        assert_eq!(wide, None);
        let ended = match lang {
            Lang::En => "There is nothing left to ask.",
            Lang::Zh => "题目都问完了。",
        };
        assert!(said.contains(ended), "{}", said.len());
    }
}
