//! A person at a prompt: which keys there are, and what was typed too early.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    io::{BufReader, Cursor, Read},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use super::{
    person::{Answer, Person, Wish},
    sample,
    tests_pace::{Paper, choices, narrator, tell},
    *,
};

/// What takes a prompt away after an Enter.
const UP: &str = "\u{1b}[1A\r\u{1b}[2K";

fn person(typed: &'static str, paper: &Paper) -> Person {
    let input = Box::new(Cursor::new(typed));
    Person::new(input, Box::new(paper.clone()), true)
}

#[tokio::test]
async fn whoever_leaves_at_a_step_is_told_no_more() {
    let (narrator, paper) = narrator(Pace::Step, "\nq\n\n\n\n\n\n");
    tell(&narrator, sample::single(20));
    tokio::select! {
        () = narrator.checkpoint() => panic!("it went on: {}", paper.text()),
        () = narrator.left() => {}
    }
    let told = paper.text();
    assert!(told.contains("1 publish"), "{told}");
    assert!(told.contains("step 2/6"), "{told}");
    assert!(!told.contains("2 consume"), "{told}");
}

#[tokio::test]
async fn whoever_leaves_at_a_question_is_told_no_more() {
    let (narrator, paper) = narrator(Pace::Through, "q\n");
    let (question, choices) = (Text::default(), choices());
    tokio::select! {
        _ = narrator.ask(&question, &choices) => panic!("{}", paper.text()),
        () = narrator.left() => {}
    }
}

#[tokio::test]
async fn who_asks_for_help_is_told_the_keys_and_asked_again() {
    for (lang, keys, help) in [
        (Lang::En, "[Enter] go on   [q] leave   [h] help", " q: leave"),
        (Lang::Zh, "[回车] 继续   [q] 退出   [h] 帮助", " q：退出"),
    ] {
        for typed in ["h\n\n", "?\n\n", "？\n\n"] {
            let paper = Paper::default();
            let wish = person(typed, &paper).enter(2, 5, lang).await;
            assert_eq!(wish, Wish::GoOn);
            let told = paper.text();
            assert_eq!(told.matches(keys).count(), 2, "{told}");
            assert_eq!(told.matches(help).count(), 1, "{told}");
        }
    }
}

#[tokio::test]
async fn an_unknown_key_is_no_answer_and_the_known_ones_are_named() {
    let paper = Paper::default();
    let wish = person("x\nq\n", &paper).enter(2, 5, Lang::En).await;
    assert_eq!(wish, Wish::Leave);
    assert!(paper.text().contains("keys: Enter, q, h\n"), "{}", paper.text());
    let paper = Paper::default();
    let answer = person("h\nx\nb\n", &paper).ask(&['a', 'b'], Lang::En).await;
    assert_eq!(answer, Answer::Key('b'));
    for words in [
        "your guess [a/b, Enter skips, q leaves, h helps]: ",
        "a, b: your guess, judged",
        "one of a, b; Enter skips, q leaves, h helps: ",
    ] {
        assert!(paper.text().contains(words), "{words} in {}", paper.text());
    }
}

#[tokio::test]
async fn prompts_and_help_stay_on_the_page() {
    for lang in [Lang::En, Lang::Zh] {
        let paper = Paper::default();
        person("h\nx\n\n", &paper).enter(12, 15, lang).await;
        person("h\nx\n\n", &paper).ask(&['a', 'b', 'c', 'd'], lang).await;
        let told = paper.text().replace(UP, "\n");
        assert!(told.lines().count() > 8, "{told}");
        for line in told.lines() {
            assert!(width_in(lang, line) < 80, "{line}");
        }
    }
}

/// A keyboard whose lines wait until they are read, or forgotten.
struct Keyboard(Arc<Mutex<mpsc::Receiver<&'static str>>>);

impl Read for Keyboard {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let typed = self.0.lock().unwrap().recv();
        let line = typed.unwrap_or_default();
        into[..line.len()].copy_from_slice(line.as_bytes());
        Ok(line.len())
    }
}

#[tokio::test]
async fn what_was_typed_before_the_prompt_is_no_answer() {
    let paper = Paper::default();
    let (keys, typed) = mpsc::channel();
    let typed = Arc::new(Mutex::new(typed));
    let input = Box::new(BufReader::new(Keyboard(typed.clone())));
    let person = Person::new(input, Box::new(paper.clone()), true);
    let mut person = person
        .forgetting(move || while typed.lock().unwrap().try_recv().is_ok() {});
    keys.send("q\n").unwrap();
    let seen = paper.clone();
    let typing = thread::spawn(move || {
        while !seen.text().contains("[Enter]") {
            thread::sleep(Duration::from_millis(1));
        }
        keys.send("\n").unwrap();
    });
    let wish = person.enter(2, 5, Lang::En).await;
    typing.join().unwrap();
    assert_eq!(wish, Wish::GoOn, "what was typed too early is forgotten");
    // Only the line of the prompt is taken away.
    assert_eq!(paper.text().matches(UP).count(), 1);
}
