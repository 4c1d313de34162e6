//! `rmq-lab trace`.

use libtest_mimic::Trial;

use super::{
    MONDAY, asked,
    made::{Shelf, record_of_the_struck},
    named, two,
};
use crate::cli::asked::events;

pub fn trials() -> Vec<Trial> {
    let of = |words: &str| asked(words, two());
    vec![
        named(
            of("trace payment-0010")
                .says(" payment-0010  idempotency/mark-first")
                .and("recorded: 2026-11-24 08:46 UTC, bbbbbb\n")
                .and(" NAIVE   mark, then pay\n")
                .and(" naive                                   fixed\n")
                .and(" ! 0.056  killed                         ! 0.")
                .and(" ✗ naive  LOST: confirmed or promised, never paid")
                .and(" ✓ fixed  paid once\n"),
            "a_message_in_two_ways",
        ),
        named(
            of("trace payment-0010 --lang zh --run aaaaaa")
                .says("录像: 2026-11-23 08:46 UTC, aaaaaa\n")
                .and(" ✗ 朴素  丢失：已确认或已承诺，却没有生效，也无处可寻\n")
                .and(" ✓ 改进  已支付，只有一次\n"),
            "a_message_of_an_older_run_in_chinese",
        ),
        named(
            of("trace 10 --scenario idempotency/mark-first")
                .says(" payment-0010  idempotency/mark-first"),
            "a_message_by_its_number",
        ),
        named(
            of("trace 10 --scenario 3/mark-first")
                .says(" payment-0010  idempotency/mark-first"),
            "a_message_in_a_chapter_by_its_number",
        ),
        named(
            of("trace 11")
                .exits(64)
                .says_on_stderr("error: several messages have the number 11\n")
                .and("  help: one of payment-0011, mail-0011\n"),
            "a_number_that_several_have",
        ),
        named(
            of("trace payment-0099")
                .exits(64)
                .says_on_stderr("error: no message \"payment-0099\" in run bbbbbb\n")
                .and("  help: there are payment-0010 to payment-0011\n")
                .and("  help: with something wrong: payment-0010\n")
                .and("  help: struck by the fault: payment-0010\n"),
            "a_message_that_is_not_there",
        ),
        named(
            of("trace paymnet-0010")
                .exits(64)
                .says_on_stderr("  help: did you mean \"payment-0010\"?\n"),
            "a_message_that_is_misspelt",
        ),
        named(
            of("trace payment-0010 --scenario idempotency/mark-last --run bbbbbb")
                .exits(64)
                .says_on_stderr("error: no scenario \"idempotency/mark-last\" in run bbbbbb\n")
                .and("  help: did you mean \"idempotency/mark-first\"?\n"),
            "a_scenario_that_the_run_has_not",
        ),
        named(
            asked("trace 10", Shelf::new())
                .exits(64)
                .says_on_stderr("error: no run is recorded yet\n")
                .and("rmq-lab trace 10 --run producer-loss\n"),
            "a_number_where_no_run_is_recorded",
        ),
        named(
            asked("trace payment-0028", Shelf::new())
                .exits(64)
                .says_on_stderr("error: no run is recorded yet\n")
                .and("rmq-lab trace payment-0028 --run idempotency\n"),
            "a_message_where_no_run_is_recorded",
        ),
        named(
            asked("trace payment-9999", Shelf::new())
                .exits(64)
                .says_on_stderr("error: no run is recorded yet\n")
                .looks_like(|ended| match ended.stderr.contains("--run") {
                    true => Err("a run without it is proposed".to_owned()),
                    false => Ok(()),
                }),
            "a_message_that_no_run_has",
        ),
        named(
            asked("trace payment-9999 --run 3", Shelf::new())
                .exits(64)
                .says_on_stderr("error: no message \"payment-9999\" in run ")
                .and("  help: there are payment-0001 to payment-0040\n"),
            "a_number_that_no_message_has",
        ),
        named(
            asked(
                "trace payment-0010",
                Shelf::new().with("abc", record_of_the_struck("abc", MONDAY)),
            )
            .says("only the facts of the struck ones were recorded."),
            "a_message_of_a_run_that_kept_the_struck_ones",
        ),
        named(
            asked(
                "trace payment-0007",
                Shelf::new().with("abc", record_of_the_struck("abc", MONDAY)),
            )
            .exits(64)
            .says_on_stderr("  help: With so many messages only"),
            "a_message_of_which_nothing_was_kept",
        ),
        of("trace payment-0010 --json")
            .looks_like(|ended| {
                let lines = events(ended)?;
                let ways = &lines[0]["ways"];
                let is = lines.len() == 1
                    && lines[0]["message"] == "payment-0010"
                    && ways[0]["came_to"]["fate"] == "wrong"
                    && ways[0]["came_to"]["kinds"][0] == "lost"
                    && ways[0]["events"][4]["struck"] == true
                    && ways[1]["came_to"]["fate"] == "once";
                is.then_some(()).ok_or_else(|| lines[0].to_string())
            })
            .named("recorded::a_message_for_a_program"),
    ]
}
