//! What is noted, counted, forgotten and written back.

use super::*;
use crate::book::outline::sample::outline;

const NOW: Moment = Moment(1_764_150_000);

#[test]
fn what_is_noted_is_known() {
    let mut progress = Progress::default();
    progress.note_read("first", NOW);
    progress.note_read("first", NOW);
    progress.note_run("first/s1", "refuted", NOW);
    assert!(!progress.is_done("first/s1"));
    progress.note_run("first/s1", "proven", NOW);
    assert!(progress.is_done("first/s1"));
    assert_eq!(progress.read["first"].times, 2);
    assert_eq!(progress.run["first/s1"].times, 2);
    let outline = outline();
    assert_eq!(progress.done_in(&outline.topics[0]), 1);
    assert_eq!(progress.done_in(&outline.topics[1]), 0);
}

#[test]
fn a_run_that_is_left_out_takes_nothing_away() {
    let mut progress = Progress::default();
    progress.note_skipped("first/s1", NOW);
    assert!(!progress.is_done("first/s1"));
    progress.note_run("first/s1", "observed", NOW);
    progress.note_skipped("first/s1", NOW);
    assert!(progress.is_done("first/s1"));
}

#[test]
fn due_cards_are_counted_by_topic_and_strangers_are_not() {
    let (mut progress, outline) = (Progress::default(), outline());
    for card in ["q1", "first/s1", "q4", "of-another-version"] {
        progress.grade(card, Grade::Again, NOW);
    }
    progress.grade("q2", Grade::Good, NOW);
    let tomorrow = NOW.plus_days(1);
    assert_eq!(progress.due(&outline, None, NOW), 0);
    assert_eq!(progress.due(&outline, None, tomorrow), 3);
    assert_eq!(progress.due(&outline, Some("first"), tomorrow), 2);
    let (when, cards) = progress.next_due(&outline, None, NOW).unwrap();
    assert_eq!((when, cards), (NOW.plus_hours(16), 3));
    let (when, cards) = progress.next_due(&outline, None, tomorrow).unwrap();
    assert_eq!((when, cards), (NOW.plus_hours(64), 1));
    assert_eq!(progress.next_due(&outline, Some("third"), NOW), None);
}

#[test]
fn what_failed_in_an_interview_is_due_in_the_quiz() {
    let (mut progress, outline) = (Progress::default(), outline());
    progress.grade("q1", Grade::Easy, NOW);
    progress.note_spoken("q1", 1, NOW);
    assert_eq!(progress.due(&outline, None, NOW), 0);
    progress.note_spoken("q1", 0, NOW);
    assert_eq!(progress.due(&outline, None, NOW), 1);
    assert_eq!(progress.interview["q1"].times, 2);
}

#[test]
fn a_topic_stands_where_it_was_read_run_answered_and_spoken_about() {
    let (mut progress, outline) = (Progress::default(), outline());
    let (first, second) = (&outline.topics[0], &outline.topics[1]);
    let none = progress.standing(first, NOW);
    let of = Standing {
        scenarios: 2,
        cards: 5,
        questions: 3,
        ..Standing::default()
    };
    assert_eq!(none, of);
    assert!(!none.has_begun());
    progress.note_read("first", NOW);
    progress.note_run("first/s1", "proven", NOW);
    progress.note_run("first/s2", "refuted", NOW);
    progress.grade("q1", Grade::Good, NOW);
    progress.grade("first/s1", Grade::Again, NOW);
    progress.note_spoken("q2", 2, NOW);
    progress.note_spoken("q3", 1, NOW);
    let later = NOW.plus_days(1);
    let standing = progress.standing(first, later);
    let expected = Standing {
        read: true,
        done: 1,
        answered: 2,
        due: 1,
        spoken: 2,
        points: 3,
        ..of
    };
    assert_eq!(standing, expected);
    assert!(!progress.standing(second, later).has_begun());
    progress.note_spoken("q4", 0, NOW);
    assert!(progress.standing(second, later).has_begun());
}

#[test]
fn a_topic_is_forgotten_and_the_others_are_not() {
    let (mut progress, outline) = (Progress::default(), outline());
    for topic in ["first", "second"] {
        progress.note_read(topic, NOW);
    }
    for target in ["first/s1", "first/renamed", "second/s3"] {
        progress.note_run(target, "proven", NOW);
    }
    for card in ["q1", "first/s1", "q4"] {
        progress.grade(card, Grade::Good, NOW);
    }
    progress.note_spoken("q2", 2, NOW);
    let forgotten = progress.forget(Some(&outline.topics[0]));
    assert_eq!(forgotten, Forgotten { read: 1, run: 2, answers: 3 });
    assert_eq!(
        progress.forget(None),
        Forgotten { read: 1, run: 1, answers: 1 }
    );
    assert!(progress.forget(None).is_nothing());
    assert_eq!(progress, Progress::default());
}

#[test]
fn what_a_newer_version_added_is_written_back() {
    let file = serde_json::json!({
        "format": 1,
        "streak": 7,
        "read": {"first": {"last": 5, "times": 1, "page": 3}},
        "run": {"fourth/new": {
            "last": 5, "times": 1, "verdict": "astonished", "seed": 9
        }},
        "cards": {"q9": {
            "due": 9, "last": 5, "grade": 3, "times": 1, "lapses": 0,
            "stability": 3.5, "difficulty": 5.5, "starred": true
        }},
        "interview": {"q9": {
            "last": 5, "times": 1, "points": 2, "aloud": "yes"
        }}
    });
    let mut progress: Progress = serde_json::from_value(file.clone()).unwrap();
    assert_eq!(serde_json::to_value(&progress).unwrap(), file);
    progress.note_read("first", NOW);
    progress.grade("q9", Grade::Good, NOW);
    let back = serde_json::to_value(&progress).unwrap();
    assert_eq!(back["read"]["first"]["page"], 3);
    assert_eq!(back["cards"]["q9"]["starred"], true);
    assert_eq!(back["streak"], 7);
}
