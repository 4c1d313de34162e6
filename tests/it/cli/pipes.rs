//! Readers that go away, and disks that are full, at the other end of stdout.

use libtest_mimic::Trial;

use super::asked::Asked;

pub fn trials() -> Vec<Trial> {
    let nobody_reads =
        |words: &str| Asked::to(words).read_by_nobody().exits(141);
    let disk_is_full = |words: &str| {
        Asked::to(words)
            .onto_a_full_disk()
            .exits(3)
            .within(60)
            .says_on_stderr("error: cannot write to stdout: ")
    };
    let demo = "demo idempotency/concurrent --no-predict";
    vec![
        Asked::to(demo)
            .word("--json")
            .read_by_head()
            .within(60)
            .exits(141)
            .says("\"event\":\"run-started\"")
            .named("a_demo_whose_reader_goes_ends_quietly"),
        nobody_reads(demo)
            .within(60)
            .named("a_demo_that_nobody_reads_ends_quietly"),
        nobody_reads("").named("orientation_that_nobody_reads"),
        nobody_reads("list").named("a_list_that_nobody_reads"),
        nobody_reads("list --json").named("a_json_list_that_nobody_reads"),
        nobody_reads("show idempotency").named("code_that_nobody_reads"),
        nobody_reads("trace payment-0028 --run idempotency")
            .named("the_life_of_a_message_that_nobody_reads"),
        nobody_reads("doctor").named("findings_that_nobody_reads"),
        nobody_reads("completions zsh").named("completions_that_nobody_reads"),
        nobody_reads("man").named("a_manual_that_nobody_reads"),
        nobody_reads("demo --help").named("help_that_nobody_reads"),
        disk_is_full(demo).named("a_demo_onto_a_full_disk"),
        disk_is_full(demo)
            .word("--json")
            .named("a_demo_in_json_onto_a_full_disk"),
        disk_is_full("list").named("a_list_onto_a_full_disk"),
        disk_is_full("show idempotency").named("code_onto_a_full_disk"),
        disk_is_full("--help").named("help_onto_a_full_disk"),
        disk_is_full("--version").named("a_version_onto_a_full_disk"),
        disk_is_full("completions bash").named("completions_onto_a_full_disk"),
    ]
}
