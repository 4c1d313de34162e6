//! Reading: chapters, the pager at a terminal, hints.

use std::{fs, path::Path};

use libtest_mimic::Trial;
use rmq_lab::book::CHAPTERS;
use serde_json::Value;

use super::{
    asked::Asked,
    right::on_eighty_columns,
    running::Ended,
    terminal::{coloured, plain, there_is_a_terminal},
};
use crate::shared::all;

pub fn trials() -> Vec<Trial> {
    [chapters(), pagers(), hints()].into_iter().flatten().collect()
}

fn chapters() -> Vec<Trial> {
    let mut trials = vec![
        Asked::to("read")
            .looks_like(on_eighty_columns)
            .looks_like(lists_every_chapter)
            .says("\n next    rmq-lab read decoupling\n")
            .named("read_alone_lists_the_chapters"),
        Asked::to("read --lang zh")
            .looks_like(on_eighty_columns)
            .looks_like(lists_every_chapter)
            .says("\n 下一步  rmq-lab read decoupling\n")
            .named("read_alone_lists_the_chapters_in_chinese"),
        Asked::to("read 3")
            .says("rmq-lab quiz idempotency\n")
            .named("a_chapter_may_be_named_by_its_number"),
        Asked::to("read idempotency")
            .with("LANG", "zh_CN.UTF-8")
            .says("常见的回答")
            .named("a_chapter_is_read_in_the_language_of_the_locale"),
        Asked::to("read idempotancy")
            .exits(64)
            .says_nothing()
            .says_on_stderr("error: no topic \"idempotancy\"\n")
            .and("  help: did you mean \"idempotency\"?\n")
            .named("an_unknown_chapter_brings_the_nearest_one"),
        Asked::to("read idempotency/inbox")
            .exits(64)
            .says_nothing()
            .says_on_stderr("error: idempotency/inbox is a scenario: chapters")
            .and("\n  help: its chapter: rmq-lab read idempotency\n")
            .and("\n  help: its code: rmq-lab show idempotency/inbox\n")
            .and("\n  help: its run: rmq-lab demo idempotency/inbox\n")
            .and("\n  help: a hint: rmq-lab hint idempotency/inbox\n")
            .named("a_scenario_brings_its_chapter_and_what_it_has"),
        Asked::to("read 3/inbox --questions --lang zh")
            .exits(64)
            .says_nothing()
            .says_on_stderr(
                "错误: idempotency/inbox 是场景：每一章讲一个主题\n",
            )
            .and("\n  办法: 它那一章：rmq-lab read idempotency\n")
            .and("它的代码：rmq-lab show idempotency/inbox\n")
            .named("a_scenario_brings_its_chapter_in_chinese"),
        Asked::to("read 3/inbx")
            .exits(64)
            .says_nothing()
            .says_on_stderr("error: no scenario \"inbx\" in idempotency\n")
            .and("  help: did you mean \"idempotency/inbox\"?\n")
            .named("a_mistyped_scenario_brings_the_nearest_one"),
        Asked::to("read mark-first")
            .exits(64)
            .says_on_stderr("error: idempotency/mark-first is a scenario: ")
            .and("\n  help: its chapter: rmq-lab read idempotency\n")
            .named("a_scenario_without_its_topic_brings_its_chapter"),
        Asked::to("read quantum-entanglement")
            .exits(64)
            .says_on_stderr("  help: there are decoupling, ")
            .named("a_chapter_like_no_other_brings_all_there_are"),
        Asked::to("read durability")
            .read_by_nobody()
            .exits(141)
            .named("a_chapter_that_nobody_reads_ends_quietly"),
        Asked::to("read durability")
            .onto_a_full_disk()
            .exits(3)
            .says_on_stderr("error: cannot write to stdout: ")
            .named("a_chapter_onto_a_full_disk"),
        Asked::to("read durability")
            .with("PAGER", "/nowhere/pager")
            .looks_like(plain)
            .named("a_pipe_needs_no_pager"),
        Asked::to("read durability --color always")
            .looks_like(coloured)
            .named("a_chapter_is_coloured_where_that_is_asked_for"),
    ];
    trials.push(
        Asked::to("read --questions")
            .exits(64)
            .says_nothing()
            .says_on_stderr("<TOPIC>")
            .named("questions_of_no_topic_are_refused"),
    );
    trials.extend(CHAPTERS.iter().flat_map(|chapter| {
        [("en", " Deeper  "), ("zh", " 追问    ")].map(|(lang, deeper)| {
            let topic = chapter.topic;
            Asked::to(&format!("read {topic} --questions --lang {lang}"))
                .says(" 1/")
                .and(&format!("\n{deeper}"))
                .and("rmq-lab demo ")
                .and(&format!("  rmq-lab quiz {topic}\n"))
                .looks_like(on_eighty_columns)
                .looks_like(plain)
                .named(&format!("read::{topic}::questions::{lang}"))
        })
    }));
    trials.extend(CHAPTERS.iter().flat_map(|chapter| {
        ["en", "zh"].map(|lang| {
            let topic = chapter.topic;
            Asked::to(&format!("read {topic} --lang {lang}"))
                .says(&format!("rmq-lab quiz {topic}\n"))
                .and(&format!("rmq-lab demo {topic}/"))
                .and("\n+")
                .looks_like(on_eighty_columns)
                .looks_like(plain)
                .looks_like(|ended| match ended.stdout.contains("<!--") {
                    true => Err("a comment is shown".to_owned()),
                    false => Ok(()),
                })
                .named(&format!("read::{topic}::{lang}"))
        })
    }));
    trials
}

fn lists_every_chapter(ended: &Ended) -> Result<(), String> {
    let missing = CHAPTERS.iter().find(|chapter| {
        let told = format!(" {}", chapter.topic);
        !ended.stdout.lines().any(|line| line.contains(&told))
    });
    match missing {
        Some(chapter) => Err(format!("{} is not listed", chapter.topic)),
        None => Ok(()),
    }
}

fn pagers() -> Vec<Trial> {
    let here = there_is_a_terminal();
    let trial = |name: &str, asked: Asked| {
        asked
            .named(name)
            .with_kind(if here { "" } else { "needs script(1)" })
            .with_ignored_flag(!here)
    };
    let read = |pager: &str| {
        Asked::to("read idempotency").with("PAGER", pager).at_a_terminal(80)
    };
    let last = "rmq-lab quiz idempotency";
    let kept = |asked: Asked, times: Option<u64>| {
        let state = tempfile::tempdir().expect("a place");
        let file = state.path().join("progress.json");
        asked
            .with("RMQ_LAB_STATE", state.path())
            .while_there_is(state)
            .looks_like(move |_| was_read(&file, times))
    };
    let closed = "s: not marked as read";
    vec![
        trial(
            "a_chapter_goes_through_the_persons_own_pager",
            read("tr a-z A-Z").says("RMQ-LAB QUIZ IDEMPOTENCY"),
        ),
        trial(
            "a_pager_that_is_left_early_is_no_error",
            read("head -1").looks_like(|ended| {
                match ended.stdout.contains("rmq-lab quiz") {
                    true => Err("more than one line".to_owned()),
                    false => Ok(()),
                }
            }),
        ),
        trial(
            "a_pager_that_does_not_exist_is_done_without",
            read("/nowhere/pager").says(last),
        ),
        trial(
            "cat_is_no_pager_and_colour_stays",
            read("cat").says(last).looks_like(coloured),
        ),
        trial(
            "a_pager_that_is_left_at_once_marks_no_chapter_as_read",
            kept(read("head -1").says(" closed after ").and(closed), None),
        ),
        trial(
            "that_it_is_not_marked_as_read_is_told_in_chinese",
            Asked::to("read idempotency --lang zh")
                .with("PAGER", "head -1")
                .at_a_terminal(80)
                .says("秒后关闭：未标记为已读"),
        ),
        trial(
            "a_chapter_on_a_terminal_without_a_pager_is_read",
            kept(
                read("cat").looks_like(move |ended| has_not(ended, closed)),
                Some(1),
            ),
        ),
        kept(Asked::to("read idempotency"), None)
            .says(last)
            .named("a_chapter_into_a_pipe_is_not_marked_as_read"),
        trial(
            "questions_are_no_chapter_that_was_read",
            kept(
                Asked::to("read idempotency --questions")
                    .with("PAGER", "cat")
                    .at_a_terminal(80)
                    .says(last),
                None,
            ),
        ),
        trial(
            "a_dumb_terminal_has_no_pager_and_no_colour",
            read("tr a-z A-Z")
                .with("TERM", "dumb")
                .says(last)
                .looks_like(plain),
        ),
        trial(
            "a_chapter_on_forty_columns_keeps_all_its_words",
            Asked::to("read idempotency --lang zh")
                .with("PAGER", "cat")
                .with("NO_COLOR", "1")
                .at_a_terminal(40)
                .says("误区")
                .and(last),
        ),
    ]
}

/// How often progress has the chapter as read.
fn was_read(file: &Path, times: Option<u64>) -> Result<(), String> {
    let kept = fs::read(file).ok();
    let kept = kept.and_then(|kept| serde_json::from_slice(&kept).ok());
    let kept: Value = kept.unwrap_or_default();
    let found = kept["read"]["idempotency"]["times"].as_u64();
    match found == times {
        true => Ok(()),
        false => Err(format!("read {found:?} times, not {times:?}")),
    }
}

fn hints() -> Vec<Trial> {
    let hint = "hint idempotency/mark-first";
    let mut trials = vec![
        Asked::to(hint)
            .says(" idempotency/mark-first\n Recipe  ")
            .and("\n Hint 1  ")
            .and("\n next    rmq-lab hint idempotency/mark-first --level 2\n")
            .looks_like(|ended| has_not(ended, "Hint 2"))
            .named("the_first_hint_says_how_to_get_the_next"),
        Asked::to(hint)
            .word("--level")
            .word("3")
            .says("\n Hint 1  ")
            .and("\n Hint 3  ")
            .and("\n next    rmq-lab demo idempotency/mark-first\n")
            .named("the_third_level_shows_all_hints"),
        Asked::to(hint)
            .word("--lang")
            .word("zh")
            .says("\n 提示 1  ")
            .looks_like(|ended| has_not(ended, "Hint"))
            .named("a_hint_in_chinese"),
        Asked::to("hint")
            .exits(64)
            .says_nothing()
            .says_on_stderr("error: a hint for which scenario?\n")
            .and("  help: for example: rmq-lab hint idempotency/mark-first\n")
            .named("a_hint_for_nothing_is_refused_with_an_example"),
        Asked::to("hint 3/mark-first")
            .says("\n next    rmq-lab hint idempotency/mark-first --level 2\n")
            .named("a_hint_by_a_chapters_number"),
        Asked::to("hint durability")
            .exits(64)
            .says_on_stderr("error: durability is a topic: hints are for one")
            .and("  help: for example: rmq-lab hint durability/")
            .named("a_hint_for_a_topic_is_refused_with_an_example"),
        Asked::to("hint idempotency/mark-frist")
            .exits(64)
            .says_on_stderr(
                "  help: did you mean \"idempotency/mark-first\"?\n",
            )
            .named("a_hint_knows_the_nearest_scenario"),
        Asked::to(hint)
            .read_by_nobody()
            .exits(141)
            .named("a_hint_that_nobody_reads"),
    ];
    trials.extend(["0", "4", "-1", "two"].map(|level| {
        Asked::to(hint)
            .word("--level")
            .word(level)
            .exits(64)
            .says_on_stderr("for '--level <1..3>': 1, 2 or 3\n")
            .named(&format!("a_level_of_{level}_is_refused"))
    }));
    trials.extend(all().map(|entry| {
        let target = entry.target();
        Asked::to(&format!("hint {target} --level 3"))
            .says(&format!(" {target}\n"))
            .and("\n Hint 3  ")
            .looks_like(on_eighty_columns)
            .named(&format!("hint::{}", target.replace('/', "::")))
    }));
    trials
}

fn has_not(ended: &Ended, what: &str) -> Result<(), String> {
    match ended.stdout.contains(what) {
        true => Err(format!("says {what:?}")),
        false => Ok(()),
    }
}
