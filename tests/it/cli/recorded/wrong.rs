//! What cannot be told, and who asks for it.

use libtest_mimic::Trial;
use rmq_lab::event::Verdict;

use super::{
    MONDAY, asked,
    made::{Shelf, record},
    named, two,
};
use crate::cli::asked::Asked;

pub fn trials() -> Vec<Trial> {
    let of = |words: &str| asked(words, two()).exits(64);
    let unreadable = |record: String, words: &str| {
        asked(words, Shelf::new().with("abc", record)).exits(3)
    };
    let whole = || record("abc", MONDAY, Verdict::Proven);
    vec![
        named(
            asked("replay", Shelf::new())
                .exits(64)
                .says_on_stderr("error: no run is recorded yet\n")
                .and("  help: a run that came with the program: rmq-lab replay "),
            "nothing_to_tell_yet",
        ),
        named(
            of("replay bbbbbc")
                .says_on_stderr(
                    "error: no recorded run, topic or file \"bbbbbc\"\n",
                )
                .and("  help: did you mean \"bbbbbb\"?\n"),
            "a_run_that_is_not_there",
        ),
        named(
            of("replay idempotancy")
                .says_on_stderr("  help: did you mean \"idempotency\"?\n")
                .and("  help: rmq-lab runs tells what is recorded\n"),
            "a_topic_that_is_misspelt",
        ),
        named(
            of("replay idempotency/mark-frist")
                .says_on_stderr("error: no scenario \"mark-frist\" in idempotency\n"),
            "a_scenario_that_is_misspelt",
        ),
        named(
            of("replay ./nowhere.jsonl").says_on_stderr(
                "error: ./nowhere.jsonl cannot be read: No such file or directory\n",
            ),
            "a_file_that_is_not_there",
        ),
        named(
            of("replay Cargo.toml --lang zh")
                .says_on_stderr("错误: Cargo.toml 开头不像 rmq-lab 的记录\n"),
            "a_file_that_is_no_record",
        ),
        named(
            unreadable(
                whole().replace("\"format\":1", "\"format\":99"),
                "replay abc",
            )
            .says_on_stderr("was written by a later rmq-lab 0.1.0: its format is 99")
            .and("  help: take that version of rmq-lab, or a newer one\n"),
            "a_record_of_a_later_format",
        ),
        named(
            unreadable(
                whole().replacen("\"event\":\"fact\"", "\"event\":\"fa", 1),
                "replay abc",
            )
            .says_on_stderr("/abc/record.jsonl is damaged: line 5 is no event ("),
            "a_record_that_is_damaged",
        ),
        unreadable(whole().replace("\"format\":1", "\"format\":99"), "replay abc --json")
            .says("\"event\":\"error\"")
            .and("\"exit\":3")
            .says_on_stderr("its format is 99")
            .named("recorded::a_program_is_told_of_it_too"),
        named(
            of("replay --step").says_on_stderr("error: --step needs a terminal"),
            "step_where_nobody_can_press_enter",
        ),
        of("replay --predict --json")
            .says("\"exit\":64")
            .says_on_stderr("error: --predict waits for a person")
            .named("recorded::a_prediction_of_a_program"),
        named(
            of("replay --speed 0").says_on_stderr("a number from 0.1 to 1000"),
            "a_speed_that_is_none",
        ),
        named(
            of("replay --speed 2 --pace 1s")
                .says_on_stderr("cannot be used with"),
            "a_speed_and_a_pace",
        ),
        named(
            Asked::to("demo idempotency/concurrent")
                .with("DOCKER_HOST", "unix:///nowhere/docker.sock")
                .exits(3)
                .says_on_stderr("  help: without Docker: rmq-lab replay idempotency\n"),
            "where_there_is_no_docker_a_demo_names_what_can_be_seen",
        ),
    ]
}
