//! `rmq-lab replay`.

use std::{
    fs::{self, File},
    io::Write,
    process::Command,
};

use flate2::{Compression, write::GzEncoder};
use libtest_mimic::{Failed, Trial};
use rmq_lab::event::Verdict;

use super::{
    MONDAY, asked,
    made::{Shelf, broken_off, record},
    named, two,
};
use crate::{
    cli::{
        asked::events, conversation::Conversation,
        right::every_line_is_an_event, running::Ended,
        terminal::there_is_a_terminal,
    },
    shared::binary,
};

pub fn trials() -> Vec<Trial> {
    let mut trials = again();
    trials.extend(with_another_page());
    trials.push(left());
    trials.extend(live());
    trials
}

/// At the prompt of a step, by one key.
fn left() -> Trial {
    let here = there_is_a_terminal();
    let told = || -> Result<(), Failed> {
        let state = tempfile::tempdir()?;
        let words = "replay idempotency/mark-first --step";
        Conversation::with(words, state.path())?
            .hears("[Enter] go on   [q] leave   [h] help ")?
            .types("h\n")?
            .hears(" q: leave, as with Ctrl-C; nothing is left behind\n")?
            .hears("[h] help ")?
            .types("q\n")?
            .hears(" stopped; nothing of it was running\n")?
            .ends(130)?;
        Ok(())
    };
    Trial::test("cli::recorded::a_step_can_be_the_last_one", told)
        .with_kind(if here { "" } else { "needs script(1)" })
        .with_ignored_flag(!here)
}

fn again() -> Vec<Trial> {
    let of = |words: &str| asked(words, two());
    let gz = || {
        let shelf = two();
        let file = shelf.state().join("run.jsonl.gz");
        let out = File::create(&file).expect("our own file");
        let mut out = GzEncoder::new(out, Compression::best());
        let lines = fs::read(shelf.record_of("bbbbbb")).expect("our own file");
        out.write_all(&lines).expect("our own file");
        out.finish().expect("our own file");
        (shelf, file.display().to_string())
    };
    let (shelf, file) = gz();
    vec![
        named(
            of("replay")
                .says(
                    " RECORDED  2026-11-24 08:46 UTC, rmq-lab 0.1.0, run bbbbbb; \
                     nothing runs now\n",
                )
                .and("recorded: RabbitMQ 4.3.6\n")
                .and(" NAIVE   mark, then pay")
                .and("✓ PROVEN")
                .looks_like(nothing_of_then),
            "the_latest_run_is_told_again",
        ),
        named(
            of("replay 3/mark-first").says("run bbbbbb; nothing runs now\n"),
            "a_scenario_by_its_chapters_number_is_told_again",
        ),
        named(
            of("replay --lang zh")
                .says(" 录像  2026-11-24 08:46 UTC")
                .and(" 朴素    写法")
                .and("✓ 已证实"),
            "the_latest_run_is_told_again_in_chinese",
        ),
        named(
            of("replay aaaaaa").exits(1).says("✗ REFUTED").and("runs/aaaaaa/"),
            "a_run_by_its_id_ends_as_it_had_ended",
        ),
        named(
            asked(
                "replay",
                Shelf::new()
                    .with("abc", record("abc", MONDAY, Verdict::Inconclusive)),
            )
            .exits(2)
            .says("? NOT PROVEN"),
            "what_was_inconclusive_is_so_again",
        ),
        named(
            of("replay idempotency/mark-first -q").says("✓ PROVEN"),
            "the_latest_run_of_a_scenario",
        ),
        named(
            of("replay idempotency -q --pace 0s")
                .within(60)
                .says(" RECORDED  2026-")
                .and(" 15 of 15 proven"),
            "a_topic_that_was_never_run_here_came_with_the_program",
        ),
        named(
            of("replay idempotency --lang zh")
                .within(60)
                .says(" 录像  2026-")
                .and("15 个场景中 15 个已证实"),
            "a_topic_that_came_with_the_program_in_chinese",
        ),
        named(
            of("replay idempotency/inbox -v --speed 1000")
                .says(" run ")
                .and("recorded: RabbitMQ")
                .and("✓ PROVEN")
                .looks_like(nothing_to_do_then),
            "one_scenario_of_those_at_a_speed",
        ),
        named(
            asked("replay", shelf).word(&file).says("✓ PROVEN"),
            "a_file",
        ),
        with_a_page(),
        of("replay bbbbbb --json")
            .looks_like(every_line_is_an_event)
            .looks_like(|ended| {
                let first = &events(ended)?[0];
                match first["recorded"] == true && first["format"] == 1 {
                    true => Ok(()),
                    false => Err(first.to_string()),
                }
            })
            .looks_like(nothing_of_then)
            .named("recorded::a_run_for_a_program_is_marked"),
        named(
            asked(
                "replay",
                Shelf::new().with("abc", broken_off("abc", MONDAY)),
            )
            .exits(2)
            .says(" NAIVE   mark, then pay")
            .says_on_stderr("error: the record breaks off here: its run was")
            .and("  help: to run it again: rmq-lab demo idempotency/mark-first\n"),
            "what_broke_off_is_told_as_far_as_it_came",
        ),
    ]
}

fn with_a_page() -> Trial {
    let place = tempfile::tempdir().expect("a place");
    let file = place.path().join("run.html");
    let word = file.display().to_string();
    asked("replay bbbbbb --report", two())
        .word(&word)
        .says("✓ PROVEN")
        .and(".html\n")
        .looks_like(move |_| {
            let page = fs::read_to_string(&file).map_err(|e| e.to_string())?;
            let marked = page.contains("told from its record");
            let told = page.contains("payment-0010");
            match marked && told && !page.contains("of-then") {
                true => Ok(()),
                false => Err(format!("{marked}, {told}: {page}")),
            }
        })
        .while_there_is(place)
        .named("recorded::a_page_is_made_of_a_record")
}

/// It is made again by the same name, and that is said.
fn with_another_page() -> [Trial; 2] {
    let said = [
        ("en", ".html  (replaced what was there)\n"),
        ("zh", ".html  （替换了原有文件）\n"),
    ];
    said.map(|(lang, said)| {
        let place = tempfile::tempdir().expect("a place");
        let file = place.path().join("run.html");
        fs::write(&file, "an old page").expect("an old page");
        let word = file.display().to_string();
        asked(&format!("replay bbbbbb --lang {lang} --report"), two())
            .word(&word)
            .says(said)
            .looks_like(move |_| match fs::read_to_string(&file) {
                Ok(page) if page.starts_with("<!DOCTYPE html>") => Ok(()),
                other => Err(format!("{other:?}")),
            })
            .while_there_is(place)
            .named(&format!("recorded::a_page_replaces_another::{lang}"))
    })
}

/// The login and the path were those of then.
fn nothing_of_then(ended: &Ended) -> Result<(), String> {
    match ["49153", "of-then", "/nowhere"]
        .iter()
        .find(|then| ended.stdout.contains(**then))
    {
        Some(then) => Err(format!("it says {then}")),
        None => Ok(()),
    }
}

/// Its containers are gone, and its waits are over.
fn nothing_to_do_then(ended: &Ended) -> Result<(), String> {
    let of_then = ["docker exec", "waiting for"];
    match of_then.iter().find(|then| ended.stdout.contains(**then)) {
        Some(then) => Err(format!("it says {then}")),
        None => Ok(()),
    }
}

/// Without the commands and the waits, which were of its own time.
fn lasting(told: &str) -> String {
    let (mut kept, mut goes_on) = (String::new(), false);
    for line in told.lines() {
        let word = line.trim_start();
        let of_then = goes_on
            || ["docker ", "waiting for "].iter().any(|w| word.starts_with(w));
        // A long command goes on behind a backslash.
        goes_on = of_then && line.ends_with('\\');
        if !of_then {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// On a real broker: what was told while it ran is told again.
fn live() -> Vec<Trial> {
    vec![Trial::test(
        "cli::recorded::a_live_run_is_told_again_in_the_same_words",
        || -> Result<(), Failed> {
            let state = tempfile::tempdir()?;
            let said = |words: &[&str]| -> Result<String, Failed> {
                let done = Command::new(binary())
                    .args(words)
                    .args(["--lang", "en", "--color", "never"])
                    .env("RMQ_LAB_STATE", state.path())
                    .output()?;
                let said = String::from_utf8_lossy(&done.stdout).into_owned();
                match done.status.success() {
                    true => Ok(said),
                    false => Err(format!("{done:?}").into()),
                }
            };
            let live = said(&["demo", "idempotency/concurrent"])?;
            let again = said(&["replay"])?;
            let (mark, again) = again.split_once('\n').unwrap_or_default();
            if !mark.starts_with(" RECORDED  ") {
                return Err(format!("no mark: {mark}").into());
            }
            // The mark moves what stands at the right edge.
            let words = |told: &str| -> Vec<String> {
                let told = told.replace("recorded: ", "");
                told.split_whitespace().map(str::to_owned).collect()
            };
            match words(&lasting(&live)) == words(again) {
                true => Ok(()),
                false => Err(format!("{live}\n--- again\n{again}").into()),
            }
        },
    )]
}
