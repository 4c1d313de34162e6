//! `rmq-lab runs`.

use libtest_mimic::Trial;
use rmq_lab::event::Verdict;

use super::{
    MONDAY, asked,
    made::{Shelf, broken_off, record},
    named, two,
};
use crate::cli::{asked::events, running::Ended};

pub fn trials() -> Vec<Trial> {
    let newer = record("cccccc", MONDAY, Verdict::Proven)
        .replace("\"format\":1", "\"format\":99");
    let damaged = record("dddddd", MONDAY, Verdict::Proven).replacen(
        "\"event\":\"fact\"",
        "\"event\":\"fa",
        1,
    );
    let all = move || {
        two()
            .with("cccccc", &newer)
            .with("dddddd", &damaged)
            .with("eeeeee", broken_off("eeeeee", MONDAY))
            .with("ffffff", "")
    };
    vec![
        named(
            asked("runs", Shelf::new())
                .says(" No run is recorded yet; they will be in\n")
                .and("   idempotency  2026-")
                .and("\n next    rmq-lab replay decoupling\n"),
            "none_yet_and_those_that_came_with_the_program",
        ),
        named(
            asked("runs", all())
                .says("  bbbbbb  2026-11-24 08:46  idempotency/mark-first  ✓ PROVEN 1  5 s")
                .and("  aaaaaa  2026-11-23 08:46  idempotency/mark-first  ✗ REFUTED 1")
                .and("✗ the record was written by a later rmq-lab\n      0.1.0: its format is 99")
                .and("✗ the record is damaged: line 5 is no event")
                .and("  eeeeee  2026-11-23 08:46  idempotency/mark-first  breaks off")
                .and("✗ the record is empty")
                .looks_like(newest_first),
            "all_with_what_is_damaged_among_them",
        ),
        named(
            asked("runs --lang zh", all())
                .says("✓ 已证实 1  5 秒")
                .and("✗ 记录已损坏：第 5 行不是事件")
                .and(" 下一步  rmq-lab replay "),
            "all_in_chinese",
        ),
        named(
            asked("runs", timeless())
                .says("  aaaaaa  time unknown  idempotency/mark-first")
                .and("  bbbbbb  2026-"),
            "one_of_no_time_at_all",
        ),
        named(
            asked("replay aaaaaa", timeless())
                .says(" RECORDED  rmq-lab 0.1.0, run aaaaaa; nothing"),
            "one_of_no_time_is_told_all_the_same",
        ),
        asked("runs --json", all())
            .looks_like(lists_each_with_its_state)
            .named("recorded::a_line_a_run_for_a_program"),
        handed_on(),
    ]
}

/// A run that says it began in the year 12026.
fn timeless() -> Shelf {
    let foreign = record("aaaaaa", "12026-11-24T08:46:17Z", Verdict::Proven);
    two().before_all_times("aaaaaa", &foreign)
}

fn newest_first(ended: &Ended) -> Result<(), String> {
    let place = |id: &str| ended.stdout.find(id).unwrap_or(usize::MAX);
    match place("bbbbbb") < place("aaaaaa") {
        true => Ok(()),
        false => Err("the older one stands first".to_owned()),
    }
}

fn lists_each_with_its_state(ended: &Ended) -> Result<(), String> {
    let lines = events(ended)?;
    for (name, state) in [
        ("aaaaaa", "ended"),
        ("bbbbbb", "ended"),
        ("cccccc", "newer"),
        ("dddddd", "damaged"),
        ("eeeeee", "broken-off"),
        ("ffffff", "broken-off"),
        ("idempotency", "ended"),
    ] {
        let line = lines.iter().find(|line| line["name"] == name);
        let line = line.ok_or_else(|| format!("no {name}"))?;
        if line["state"] != state {
            return Err(format!("{name} is not {state}: {line}"));
        }
        let shipped = name == "idempotency";
        if line["shipped"] != shipped || line["path"].is_null() != shipped {
            return Err(format!("{name}: {line}"));
        }
    }
    Ok(())
}

/// What is handed on can be told, and says nothing of this machine.
fn handed_on() -> Trial {
    let (shelf, place) = (two(), tempfile::tempdir().expect("a place"));
    let file = place.path().join("handed.gz");
    let word = file.display().to_string();
    asked("runs --run bbbbbb --hand-on", shelf)
        .word(&word)
        .says_nothing()
        .looks_like(move |_| {
            let found = rmq_lab::narrate::Recorded::read(&file);
            let recorded = found.map_err(|e| e.to_string())?;
            let told = format!("{:?}", recorded.events());
            match ["of-then", "/nowhere"].iter().find(|p| told.contains(**p)) {
                Some(private) => Err(format!("it says {private}")),
                None if recorded.breaks_off() => Err("no end".to_owned()),
                None => Ok(()),
            }
        })
        .while_there_is(place)
        .named("recorded::one_that_can_be_handed_on")
}
