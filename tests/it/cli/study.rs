//! Quiz, interview, reset and the next step, at a terminal and without one;
//! and that progress survives whatever happens to its file.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    asked::{Asked, events},
    conversation::Conversation,
    running::Ended,
    terminal::there_is_a_terminal,
};
use crate::shared::binary;

pub fn trials() -> Vec<Trial> {
    [without_a_terminal(), files(), at_a_terminal()]
        .into_iter()
        .flatten()
        .collect()
}

fn without_a_terminal() -> Vec<Trial> {
    let refused = |words: &str| Asked::to(words).exits(64).says_nothing();
    let needs = |words: &str| {
        let command = words.split(' ').next().unwrap_or_default();
        refused(words)
            .says_on_stderr(&format!("error: {command} needs a terminal: "))
            .and("\n  help: without one: rmq-lab read TOPIC --questions\n")
    };
    let some = state(&sample());
    let mut spoken = sample();
    spoken["interview"] = json!({
        "consumed-twice": { "last": 1, "times": 1, "points": 2 }
    });
    let spoken = state(&spoken);
    vec![
        needs("quiz").named("a_quiz_needs_somebody_at_a_terminal"),
        needs("quiz idempotency").named("so_does_a_quiz_about_a_topic"),
        needs("quiz 3").named("a_quiz_knows_a_chapter_by_its_number"),
        needs("interview 3 04-durability")
            .named("an_interview_knows_chapters_by_their_numbers"),
        needs("interview").named("an_interview_needs_somebody_at_a_terminal"),
        refused("quiz idempotancy")
            .says_on_stderr("error: no topic \"idempotancy\"\n")
            .and("  help: did you mean \"idempotency\"?\n")
            .named("a_quiz_knows_the_nearest_topic"),
        refused("interview durability/matrix")
            .says_on_stderr("error: no topic \"durability/matrix\"\n")
            .and("  help: did you mean \"durability\"?\n")
            .named("an_interview_is_about_topics"),
        refused("quiz --cards 0")
            .says_on_stderr("'--cards <N>': a whole number from 1 to 1000\n")
            .named("a_quiz_of_no_cards_is_refused"),
        refused("interview --minutes -1")
            .says_on_stderr("'--minutes <N>': a whole number from 1 to 180\n")
            .named("an_interview_of_no_minutes_is_refused"),
        Asked::to("reset")
            .says("there is nothing to forget\n")
            .named("who_has_done_nothing_can_forget_nothing"),
        refused("reset")
            .with("RMQ_LAB_STATE", some.path())
            .while_there_is(some)
            .says_on_stderr("error: reset needs a terminal: ")
            .and("\n  help: to forget it without being asked: rmq-lab reset --yes")
            .named("nothing_is_forgotten_unasked"),
        with_sample("reset --yes")
            .says("forgotten: 1 chapter read, 1 scenario run, 1 answer\n")
            .named("who_says_yes_forgets_all"),
        with_sample("reset --yes 3")
            .says("forgotten: 1 chapter read, 1 scenario run, 1 answer\n")
            .named("a_topic_is_forgotten_by_its_number"),
        with_sample("reset --yes --lang zh durability")
            .says("没有可清除的进度\n")
            .named("a_topic_is_forgotten_alone"),
        with_sample("list")
            .says("\n idempotency   read; 1 of 15 run, 1 of ")
            .and("\n decoupling    not read; 0 of ")
            .and("broker sqlite  ✓ done\n")
            .looks_like(|ended| {
                let end = "\n Next (one card is due):\n   rmq-lab quiz\n";
                match ended.stdout.ends_with(end) {
                    true => Ok(()),
                    false => Err(format!("it does not end with {end:?}")),
                }
            })
            .named("the_list_marks_what_is_done"),
        Asked::to("list --json")
            .with("RMQ_LAB_STATE", spoken.path())
            .while_there_is(spoken)
            .says("\"done\":true,\"id\":\"no-dedup\"")
            .and("\"done\":false,\"id\":\"interceptor\"")
            .looks_like(read_and_answered)
            .named("a_program_is_told_what_is_done"),
        with_sample("")
            .says("\n idempotency   read; 1 of 15 run, 1 of ")
            .and(" Next (one card is due):\n   rmq-lab quiz\n")
            .named("alone_it_names_the_next_step"),
    ]
}

/// Each line says of its topic what was read, answered and spoken.
fn read_and_answered(ended: &Ended) -> Result<(), String> {
    for line in events(ended)? {
        let topic = &line["topic"];
        let own = topic == &json!("idempotency");
        let (cards, spoken) = (&line["cards"], &line["interview"]);
        let expected = match own {
            true => (json!(true), json!(1), json!(1), json!(1), json!(2)),
            false => (json!(false), json!(0), json!(0), json!(0), json!(0)),
        };
        let found = (
            line["read"].clone(),
            cards["answered"].clone(),
            cards["due"].clone(),
            spoken["spoken"].clone(),
            spoken["points"].clone(),
        );
        let of = [&cards["of"], &spoken["of"]];
        if found != expected || of.iter().any(|n| n.as_u64() < Some(1)) {
            return Err(format!("{topic}: {line}"));
        }
    }
    Ok(())
}

fn files() -> Vec<Trial> {
    let newer = state(&json!({ "format": 2 }));
    let kept = newer.path().join("progress.json");
    let here = there_is_a_terminal();
    vec![
        Asked::to("reset --yes")
            .exits(3)
            .says_nothing()
            .with("RMQ_LAB_STATE", newer.path())
            .while_there_is(newer)
            .says_on_stderr("was written by a newer rmq-lab (format 2)")
            .looks_like(move |_| match fs::read_to_string(&kept) {
                Ok(still) if still.contains("\"format\":2") => Ok(()),
                other => Err(format!("{other:?}")),
            })
            .named("progress_of_a_newer_version_is_left_as_it_is"),
        Trial::test("cli::broken_progress_is_set_aside", broken),
        Trial::test("cli::many_processes_at_once_lose_nothing", many)
            .with_kind(if here { "" } else { "needs script(1)" })
            .with_ignored_flag(!here),
        Trial::test("cli::a_demo_is_noted", noted),
        Trial::test("cli::a_demo_does_not_fail_by_its_note", not_noted),
    ]
}

fn broken() -> Result<(), Failed> {
    let state = tempfile::tempdir()?;
    fs::write(state.path().join("progress.json"), "{\"format\": 1,")?;
    let list = run("list", state.path())?;
    let said = String::from_utf8_lossy(&list.stderr);
    let once = said.matches("warning: progress could not be read").count();
    if !list.status.success() || once != 1 {
        return Err(format!("{}\n{said}", list.status).into());
    }
    let aside = fs::read_to_string(state.path().join("progress.json.broken"))?;
    same(&aside, &"{\"format\": 1,".to_owned())?;
    let again = run("list", state.path())?;
    same(&String::from_utf8_lossy(&again.stderr).into_owned(), &String::new())
}

fn many() -> Result<(), Failed> {
    let state = tempfile::tempdir()?;
    // A chapter that goes to a terminal as it is counts as read.
    let line = format!("'{}' read decoupling", binary().display());
    let start = || {
        Command::new("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .env("RMQ_LAB_STATE", state.path())
            .env("TERM", "xterm")
            .env("PAGER", "cat")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
    };
    let all: Result<Vec<_>, _> = (0..8).map(|_| start()).collect();
    for mut one in all? {
        same(&one.wait()?.code(), &Some(0))?;
    }
    let progress = progress(state.path())?;
    same(&progress["read"]["decoupling"]["times"], &json!(8))
}

/// The cheapest scenario there is.
const DEMO: &str = "demo idempotency/concurrent --no-predict";

fn noted() -> Result<(), Failed> {
    let state = tempfile::tempdir()?;
    let demo = run(DEMO, state.path())?;
    same(&demo.status.code(), &Some(0))?;
    let run = &progress(state.path())?["run"]["idempotency/concurrent"];
    same(&run["verdict"], &json!("proven"))?;
    same(&run["times"], &json!(1))
}

fn not_noted() -> Result<(), Failed> {
    let state = tempfile::tempdir()?;
    fs::create_dir(state.path().join("progress.json"))?;
    let demo = run(DEMO, state.path())?;
    let said = String::from_utf8_lossy(&demo.stderr);
    match said.starts_with("warning: cannot read progress in ") {
        true => same(&demo.status.code(), &Some(0)),
        false => Err(format!("no warning: {said}").into()),
    }
}

fn at_a_terminal() -> Vec<Trial> {
    type Talk = fn(&Path) -> Result<(), String>;
    let talks: [(&str, Talk); 10] = [
        ("a_quiz_at_a_terminal_takes_single_keys", quiz),
        ("ctrl_c_ends_a_quiz_and_keeps_what_was_answered", ctrl_c),
        ("ctrl_c_at_the_bare_prompt_speaks_of_no_answers", ctrl_c_alone),
        ("ctrl_c_in_reset_forgets_nothing", ctrl_c_in_reset),
        ("the_end_of_input_ends_a_quiz", end_of_input),
        ("an_interview_in_chinese_has_a_sheet", interview),
        ("an_interview_without_a_seed_names_one", interview_again),
        ("reset_asks_and_believes_a_no", reset),
        ("alone_at_a_terminal_it_knows_its_keys", alone),
        ("one_key_takes_the_next_step", next_step),
    ];
    let here = there_is_a_terminal();
    let trial = |(name, talk): (&str, Talk)| {
        let told = move || {
            let state = state(&sample());
            talk(state.path()).map_err(Failed::from)
        };
        Trial::test(format!("cli::{name}"), told)
            .with_kind(if here { "" } else { "needs script(1)" })
            .with_ignored_flag(!here)
    };
    talks.into_iter().map(trial).collect()
}

fn quiz(state: &Path) -> Result<(), String> {
    Conversation::with("quiz idempotency --cards 1", state)?
        .hears(" 1 card is due.")?
        .hears("[h] a hint   [q] end ")?
        .types("x")?
        .hears("\"x\" does nothing here; keys: Enter, h, q\n")?
        .types("h")?
        .hears("\n 1/3     ")?
        .types("\r")?
        .hears("\n Answer  ")?
        .hears("[4] easy ")?
        .types("3")?
        .hears("1 answered: 0 again, 0 hard, 1 good, 0 easy\n")?
        .ends(0)?;
    let times = &progress(state)?["cards"]["consumed-twice"]["times"];
    match times == &json!(2) {
        true => Ok(()),
        false => Err(format!("answered {times} times")),
    }
}

fn ctrl_c(state: &Path) -> Result<(), String> {
    Conversation::with("quiz idempotency", state)?
        .hears("[q] end ")?
        .types("\r")?
        .hears("[4] easy ")?
        .types("2")?
        .hears(" 2/10 ")?
        .hears("[q] end ")?
        .types("\u{3}")?
        .hears("stopped; what was answered is kept\n")?
        .ends(130)?;
    match &progress(state)?["cards"]["consumed-twice"]["grade"] {
        grade if grade == &json!(2) => Ok(()),
        grade => Err(format!("graded {grade}")),
    }
}

fn ctrl_c_alone(state: &Path) -> Result<(), String> {
    Conversation::with("", state)?
        .hears("[q] end ")?
        .types("\u{3}")?
        .hears("\n stopped\n")?
        .ends(130)
}

fn ctrl_c_in_reset(state: &Path) -> Result<(), String> {
    let before = progress(state)?;
    Conversation::with("reset", state)?
        .hears("[q] end ")?
        .types("\u{3}")?
        .hears("\n stopped; nothing was forgotten\n")?
        .ends(130)?;
    match progress(state)? == before {
        true => Ok(()),
        false => Err("something was forgotten".to_owned()),
    }
}

fn end_of_input(state: &Path) -> Result<(), String> {
    Conversation::with("quiz --cards 1", state)?
        .hears("[q] end ")?
        .leaves()
        .hears("nothing answered\n")?
        .ends(0)
}

fn interview(state: &Path) -> Result<(), String> {
    Conversation::with("--lang zh interview durability --seed 3", state)?
        .hears("模拟面试 20 分钟。")?
        .hears("题目由 --seed 3 抽定。\n")?
        .hears(" 第 1 题  durability，")?
        .types("\r")?
        .hears("\n 答案    ")?
        .hears("答到点上   [q] 结束 ")?
        .types("2")?
        .hears(" 追问 1/")?
        .types("\r")?
        .hears("答到点上   [q] 结束 ")?
        // As an input method may give it.
        .types("０")?
        .hears(" 第 2 题  durability，")?
        .types("q")?
        .hears("成绩    ")?
        .hears("2/4 分")?
        .hears("重读    rmq-lab read durability\n")?
        .hears("重跑    rmq-lab demo durability/")?
        .ends(0)
}

fn interview_again(state: &Path) -> Result<(), String> {
    Conversation::with("interview 3 --minutes 5", state)?
        .hears("\n Again   rmq-lab interview idempotency --seed ")?
        .hears(" Question 1  idempotency, ")?
        .hears("[q] end ")?
        .types("q")?
        .hears("nothing was answered\n")?
        .ends(0)
}

fn reset(state: &Path) -> Result<(), String> {
    let before = progress(state)?;
    Conversation::with("reset", state)?
        .hears("to be forgotten: 1 chapter read, 1 scenario run, 1 answer\n")?
        .types("n")?
        .hears("nothing was forgotten\n")?
        .ends(0)?;
    if progress(state)? != before {
        return Err("something was forgotten".to_owned());
    }
    Conversation::with("reset", state)?
        .hears("[y] forget it")?
        .types("y")?
        .hears("forgotten: 1 chapter read, 1 scenario run, 1 answer\n")?
        .ends(0)?;
    match progress(state)?
        == json!({
            "format": 1, "read": {}, "run": {}, "cards": {}, "interview": {}
        }) {
        true => Ok(()),
        false => Err("something is left".to_owned()),
    }
}

fn alone(state: &Path) -> Result<(), String> {
    Conversation::with("", state)?
        .hears("[Enter] go on with it")?
        .types("z")?
        .hears("\"z\" does nothing here; keys: Enter, q\n")?
        .types("q")?
        .ends(0)
}

fn next_step(state: &Path) -> Result<(), String> {
    Conversation::with("", state)?
        .hears("rmq-lab quiz\n")?
        .hears("[q] end ")?
        .types("\r")?
        .hears(" 1 card is due, 9 new.")?
        .types("q")?
        .hears("nothing answered\n")?
        .ends(0)
}

/// A chapter read, a scenario run, a card that has long been due.
fn sample() -> Value {
    json!({
        "format": 1,
        "read": { "idempotency": { "last": 1, "times": 1 } },
        "run": { "idempotency/no-dedup": {
            "last": 1, "times": 1, "verdict": "proven"
        } },
        "cards": { "consumed-twice": {
            "due": 100_000, "last": 1, "grade": 1, "times": 1, "lapses": 0,
            "stability": 0.4, "difficulty": 7.0
        } }
    })
}

/// A directory with such progress.
fn state(progress: &Value) -> TempDir {
    let state = tempfile::tempdir().expect("a place");
    fs::write(state.path().join("progress.json"), progress.to_string())
        .expect("room");
    state
}

fn with_sample(words: &str) -> Asked {
    let state = state(&sample());
    Asked::to(words).with("RMQ_LAB_STATE", state.path()).while_there_is(state)
}

fn progress(state: &Path) -> Result<Value, String> {
    let file = fs::read(state.join("progress.json"));
    let file = file.map_err(|e| format!("no progress: {e}"))?;
    serde_json::from_slice(&file).map_err(|e| format!("{e}"))
}

fn run(words: &str, state: &Path) -> std::io::Result<Output> {
    Command::new(binary())
        .args(words.split(' '))
        .env("RMQ_LAB_STATE", state)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
}

fn same<T: PartialEq + std::fmt::Debug>(
    found: &T,
    expected: &T,
) -> Result<(), Failed> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{found:?}, not {expected:?}").into()),
    }
}
