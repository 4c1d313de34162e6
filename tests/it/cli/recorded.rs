//! What is done with recorded runs: listed, looked into, told again, by
//! records made by hand and without Docker.

mod listed;
mod made;
mod told;
mod traced;
mod wrong;

use libtest_mimic::Trial;
use made::{Shelf, record};
use rmq_lab::event::Verdict;

use super::{asked::Asked, right::on_eighty_columns, running::Ended};

const MONDAY: &str = "2026-11-23T08:46:17Z";
const TUESDAY: &str = "2026-11-24T08:46:17Z";

pub fn trials() -> Vec<Trial> {
    [
        listed::trials(),
        traced::trials(),
        told::trials(),
        wrong::trials(),
        readers(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Two runs: an older one that was refuted, a newer one that was proven.
fn two() -> Shelf {
    Shelf::new()
        .with("aaaaaa", record("aaaaaa", MONDAY, Verdict::Refuted))
        .with("bbbbbb", record("bbbbbb", TUESDAY, Verdict::Proven))
}

fn asked(words: &str, shelf: Shelf) -> Asked {
    Asked::to(words)
        .with("RMQ_LAB_STATE", shelf.state())
        // Nothing here may need it.
        .with("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .while_there_is(shelf)
}

fn named(asked: Asked, name: &str) -> Trial {
    asked.looks_like(narrow).named(&format!("recorded::{name}"))
}

/// What is there to be copied is never broken.
fn narrow(ended: &Ended) -> Result<(), String> {
    let is_copied = |line: &&str| line.trim_start().starts_with("docker ");
    let lines = ended.stdout.lines().filter(|line| !is_copied(line));
    on_eighty_columns(&Ended {
        stdout: lines.map(|line| format!("{line}\n")).collect(),
        stderr: String::new(),
        ..*ended
    })
}

fn readers() -> Vec<Trial> {
    let of = |words: &str| asked(words, two());
    vec![
        of("replay idempotency")
            .read_by_nobody()
            .exits(141)
            .named("recorded::a_replay_that_nobody_reads"),
        of("replay idempotency --json")
            .read_by_head()
            .exits(141)
            .says("\"event\":\"run-started\"")
            .named("recorded::a_replay_whose_reader_goes"),
        of("replay idempotency/inbox --speed 1")
            .read_by_nobody()
            .exits(141)
            .named("recorded::a_slow_replay_that_nobody_reads"),
        of("replay")
            .onto_a_full_disk()
            .exits(3)
            .says_on_stderr("error: cannot write to stdout: ")
            .named("recorded::a_replay_onto_a_full_disk"),
        of("runs")
            .read_by_nobody()
            .exits(141)
            .named("recorded::a_list_that_nobody_reads"),
        of("trace 10")
            .read_by_nobody()
            .exits(141)
            .named("recorded::a_trace_that_nobody_reads"),
    ]
}
