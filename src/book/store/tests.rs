use std::sync::{Arc, Barrier};

use super::*;
use crate::book::{Moment, schedule::Grade};

const NOW: Moment = Moment(1_764_150_000);

fn store() -> (tempfile::TempDir, Store) {
    let home = tempfile::tempdir().unwrap();
    let store = Store::at(home.path().join("data/progress.json"));
    (home, store)
}

fn files(store: &Store) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(store.path.parent().unwrap())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn who_only_looks_leaves_no_trace() {
    let (home, store) = store();
    assert_eq!(store.load().unwrap().it, Progress::default());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn what_is_kept_is_there_the_next_time() {
    let (_home, store) = store();
    store.update(|progress| progress.note_read("first", NOW)).unwrap();
    let grade = |p: &mut Progress| p.grade("q1", Grade::Good, NOW);
    store.update(grade).unwrap();
    let found = store.load().unwrap();
    assert!(found.notice.is_none());
    assert_eq!(found.it.read["first"].last, NOW);
    assert_eq!(found.it.cards["q1"].times, 1);
    assert_eq!(files(&store), ["progress.json", "progress.lock"]);
}

#[test]
fn many_at_once_lose_nothing() {
    let (_home, store) = store();
    let begin = Arc::new(Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let (store, begin) = (store.clone(), begin.clone());
            thread::spawn(move || {
                begin.wait();
                for _ in 0..10 {
                    let note = |p: &mut Progress| {
                        p.note_read("all", NOW);
                        p.note_read(&format!("t{n}"), NOW);
                    };
                    store.update(note).unwrap();
                    assert!(store.load().unwrap().notice.is_none());
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let progress = store.load().unwrap().it;
    assert_eq!(progress.read["all"].times, 80);
    assert!((0..8).all(|n| progress.read[&format!("t{n}")].times == 10));
}

#[test]
fn a_broken_file_is_set_aside_and_never_lost() {
    for broken in ["{\"format\": 1", "[]", "{}", "\u{fffd}", "null"] {
        let (_home, store) = store();
        store.update(|_| ()).unwrap();
        fs::write(&store.path, broken).unwrap();
        let found = store.load().unwrap();
        assert_eq!(found.it, Progress::default(), "{broken}");
        let said = found.notice.unwrap().en;
        assert!(said.contains("progress.json.broken"), "{said}");
        let aside = store.path.with_extension("json.broken");
        assert_eq!(fs::read_to_string(aside).unwrap(), broken);
        assert!(store.load().unwrap().notice.is_none());
    }
}

#[test]
fn a_second_broken_file_does_not_replace_the_first() {
    let (_home, store) = store();
    for broken in ["one", "two", "three"] {
        store.update(|_| ()).unwrap();
        fs::write(&store.path, broken).unwrap();
        let noted = store.update(|p| p.note_read("first", NOW)).unwrap();
        assert!(noted.notice.is_some());
    }
    let read = |name| fs::read_to_string(store.path.with_extension(name));
    assert_eq!(read("json.broken").unwrap(), "one");
    assert_eq!(read("json.broken-1").unwrap(), "two");
    assert_eq!(read("json.broken-2").unwrap(), "three");
    assert_eq!(store.load().unwrap().it.read["first"].times, 1);
}

#[test]
fn a_field_of_the_wrong_kind_is_a_broken_file() {
    let (_home, store) = store();
    store.update(|_| ()).unwrap();
    fs::write(&store.path, "{\"format\": 1, \"read\": 5}").unwrap();
    assert!(store.load().unwrap().notice.is_some());
}

#[test]
fn a_newer_format_is_told_and_left_as_it_is() {
    let (_home, store) = store();
    store.update(|_| ()).unwrap();
    let newer = "{\"format\": 2, \"read\": [\"otherwise\"]}";
    fs::write(&store.path, newer).unwrap();
    let said = store.load().unwrap_err().error.en;
    assert!(said.contains("newer rmq-lab (format 2)"), "{said}");
    assert!(store.update(|p| p.forget(None)).is_err());
    assert_eq!(fs::read_to_string(&store.path).unwrap(), newer);
}

#[test]
fn an_empty_file_is_a_beginning() {
    let (_home, store) = store();
    store.update(|_| ()).unwrap();
    fs::write(&store.path, "\n").unwrap();
    assert!(store.load().unwrap().notice.is_none());
}

#[test]
fn a_place_that_cannot_be_written_to_is_told() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let store = Store::at(file.join("progress.json"));
    let problem = store.update(|_| ()).unwrap_err();
    assert!(problem.error.en.contains("cannot keep progress in"));
    assert_eq!(problem.help.len(), 1);
}

#[test]
fn a_file_that_is_linked_elsewhere_stays_there() {
    let home = tempfile::tempdir().unwrap();
    let real = home.path().join("real.json");
    let link = home.path().join("progress.json");
    fs::write(&real, "").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    Store::at(&link).update(|p| p.note_read("first", NOW)).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("first"));
}

#[test]
fn a_lock_that_is_never_given_up_is_told() {
    let (_home, store) = store();
    let _held = store.lock().unwrap();
    let store = Store { patience: Duration::ZERO, ..store.clone() };
    let said = store.update(|_| ()).unwrap_err().error.en;
    assert!(said.contains("progress.lock locked for 0 s"), "{said}");
}
