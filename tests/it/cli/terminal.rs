//! What a terminal gets: no line longer than it is wide, and colour only
//! where it is wanted. The terminal is `script`'s.

use std::process::Command;

use libtest_mimic::Trial;
use unicode_width::UnicodeWidthStr;

use super::{asked::Asked, running::Ended};

pub fn trials() -> Vec<Trial> {
    let here = there_is_a_terminal();
    let trial = |name: &str, asked: Asked| {
        asked
            .named(name)
            .with_kind(if here { "" } else { "needs script(1)" })
            .with_ignored_flag(!here)
    };
    let diff = || {
        Asked::to("show idempotency/inbox --diff")
            .with("PAGER", "cat")
            .at_a_terminal(80)
    };
    let wrong = || Asked::to("demo idempotancy").exits(64).at_a_terminal(80);
    let mut trials = vec![
        trial(
            "a_demo_in_chinese_on_forty_columns_of_a_dumb_terminal",
            Asked::to("demo idempotency/concurrent --no-predict --lang zh")
                .at_a_terminal(40)
                .with("TERM", "dumb")
                .within(60)
                .says("已证实")
                .looks_like(plain)
                .looks_like(|ended| narrow(ended, 40)),
        ),
        trial(
            "the_list_on_forty_columns",
            Asked::to("list")
                .with("PAGER", "cat")
                .at_a_terminal(40)
                .looks_like(|e| narrow(e, 40)),
        ),
        trial(
            "a_long_list_goes_through_the_pager",
            Asked::to("list")
                .with("PAGER", "head -1")
                .at_a_terminal(80)
                .looks_like(one_line),
        ),
        trial(
            "code_goes_through_the_pager",
            diff().with("PAGER", "head -1").looks_like(one_line),
        ),
        trial(
            "a_pager_gets_the_colour_of_a_difference",
            diff().with("PAGER", "cat -").looks_like(coloured),
        ),
        trial(
            "the_life_of_a_message_goes_through_the_pager",
            Asked::to("trace payment-0028 --run idempotency")
                .with("PAGER", "head -1")
                .at_a_terminal(80)
                .looks_like(one_line),
        ),
        trial(
            "what_a_program_reads_goes_through_no_pager",
            Asked::to("trace payment-0028 --run idempotency --json")
                .with("PAGER", "tr a-z A-Z")
                .at_a_terminal(80)
                .says("\"message\":\"payment-0028\""),
        ),
        trial(
            "orientation_in_chinese_on_forty_columns",
            Asked::to("--lang zh")
                .at_a_terminal(40)
                .looks_like(|e| narrow(e, 40)),
        ),
        trial(
            "help_on_forty_columns",
            Asked::to("demo --help")
                .at_a_terminal(40)
                .says("--messages")
                .looks_like(plain_or_coloured),
        ),
        trial("a_difference_is_coloured", diff().looks_like(coloured)),
        trial(
            "no_color_is_honoured",
            diff().with("NO_COLOR", "1").looks_like(plain),
        ),
        trial(
            "an_empty_no_color_is_none",
            diff().with("NO_COLOR", "").looks_like(coloured),
        ),
        trial(
            "a_dumb_terminal_gets_no_colour",
            diff().with("TERM", "dumb").looks_like(plain),
        ),
        trial(
            "colour_that_was_refused_stays_away",
            Asked::to("show idempotency/inbox --diff --color never")
                .with("PAGER", "cat")
                .at_a_terminal(80)
                .looks_like(plain),
        ),
        trial("an_error_is_coloured", wrong().looks_like(coloured)),
        trial(
            "an_error_without_colour_says_the_same",
            wrong()
                .with("NO_COLOR", "1")
                .says("error: no topic \"idempotancy\"")
                .looks_like(plain),
        ),
    ];
    trials.push(
        Asked::to("show idempotency/inbox --diff --color always")
            .looks_like(coloured)
            .named("colour_that_was_asked_for_goes_into_a_pipe"),
    );
    trials.push(
        Asked::to("show idempotency/inbox --diff")
            .looks_like(plain)
            .named("a_pipe_gets_no_colour"),
    );
    trials
}

fn one_line(ended: &Ended) -> Result<(), String> {
    match ended.stdout.lines().count() {
        1 => Ok(()),
        lines => Err(format!("{lines} lines")),
    }
}

pub fn there_is_a_terminal() -> bool {
    let script = Command::new("script").arg("--version").output();
    script.is_ok_and(|done| {
        String::from_utf8_lossy(&done.stdout).contains("util-linux")
    })
}

pub fn coloured(ended: &Ended) -> Result<(), String> {
    match ended.stdout.contains("\u{1b}[") {
        true => Ok(()),
        false => Err("no colour".to_owned()),
    }
}

pub fn plain(ended: &Ended) -> Result<(), String> {
    match ended.stdout.contains('\u{1b}') {
        true => Err(format!("an escape sequence: {:?}", ended.stdout)),
        false => Ok(()),
    }
}

/// Clap decides.
fn plain_or_coloured(_: &Ended) -> Result<(), String> {
    Ok(())
}

/// Commands are never broken: they are to be pasted.
fn narrow(ended: &Ended, columns: usize) -> Result<(), String> {
    for line in ended.stdout.lines() {
        // What a spinner has written over is gone.
        let line = line.trim_end_matches('\r').rsplit('\r').next();
        let line = line.unwrap_or_default();
        let command = ["docker ", "rmq-lab "]
            .iter()
            .any(|word| line.trim_start().starts_with(word));
        if !command && line.width() > columns {
            return Err(format!("{} columns: {line}", line.width()));
        }
    }
    Ok(())
}
