//! What goes well: everything that can be asked for is told, on 80 columns.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

use libtest_mimic::Trial;
use rmq_lab::cli::Cli;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::{
    asked::{Asked, events},
    running::Ended,
};
use crate::shared::all;

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Asked::to("")
            .says("rmq-lab demo idempotency/")
            .looks_like(on_eighty_columns)
            .looks_like(|ended| match ended.stdout.lines().count() {
                // Ten lines to begin with; a topic more is a line more.
                n if n <= 16 => Ok(()),
                n => Err(format!("{n} lines")),
            })
            .named("alone_it_says_where_to_begin"),
        Asked::to("--version")
            .says(concat!("rmq-lab ", env!("CARGO_PKG_VERSION"), "\n"))
            .named("it_knows_its_version"),
        Asked::to("show 3/mark-first")
            .says(" idempotency/mark-first\n")
            .named("a_scenario_by_its_chapters_number"),
        Asked::to("show producer-loss/chain --diff")
            .says("\n What they call:\n   rmq-lab show producer-loss/chain\n")
            .named("a_difference_says_where_the_code_is_that_is_called"),
        Asked::to("show idempotency/lower-id --diff --lang zh")
            .says(" 只有一种写法，没有可比的：\n")
            .named("a_trap_has_no_difference_and_says_so_in_chinese"),
        Asked::to("show beyond/competing")
            .says("\n CALLED  two_packers\n")
            .named("what_all_ways_end_in_is_shown_behind_them"),
        Asked::to("show idempotency/message-id")
            .says("\n CALLER  published_twice\n\n///")
            .and("async fn published_twice(")
            .named("a_trap_is_shown_with_what_calls_its_function"),
        Asked::to("show mirrored-ha/pause-minority --lang zh")
            .says("\n 被调用  both_faults\n\n///")
            .named("a_trap_is_shown_with_what_its_function_calls"),
        Asked::to("list")
            .looks_like(on_eighty_columns)
            .looks_like(lists_everything)
            .named("the_list_has_every_scenario"),
        Asked::to("list --lang zh")
            .looks_like(on_eighty_columns)
            .looks_like(lists_everything)
            .named("the_list_has_every_scenario_in_chinese"),
        Asked::to("list 3")
            .says("   mark-first ")
            .looks_like(|ended| match ended.stdout.contains("home-node") {
                false => Ok(()),
                true => Err("it lists another topic".to_owned()),
            })
            .named("the_list_of_one_topic"),
        Asked::to("list --json")
            .looks_like(lists_everything_as_json)
            .named("the_list_is_an_object_a_line_and_scenario"),
        Asked::to("completions bash")
            .says("idempotency/mark-first")
            .and("unique-key")
            .looks_like(bash_completes)
            .named("completions_know_scenarios_and_mechanisms"),
        Asked::to("man")
            .looks_like(|ended| match ended.stdout.starts_with(".ie") {
                true => Ok(()),
                false => Err("no roff at the beginning".to_owned()),
            })
            .says("\n.TH rmq-lab 1")
            .and("\n.SS rmq\\-lab images pull\n")
            .and("\\fB\\-\\-without\\fR")
            .looks_like(|ended| match ended.stdout.contains("hand") {
                true => Err("it tells what help does not tell".to_owned()),
                false => Ok(()),
            })
            .named("the_manual_is_a_roff_page"),
        Asked::to("man --lang zh")
            .says("\n.SH 选项\n")
            .and("显示帮助")
            .named("the_manual_is_told_in_chinese"),
        Asked::to("completions zsh --lang zh")
            .looks_like(|ended| match ended.stdout.contains("--hand-on") {
                true => Err("it proposes what help does not tell".to_owned()),
                false => Ok(()),
            })
            .says("idempotency/mark-first")
            .and("卡片上的题目")
            .named("completions_are_told_in_chinese"),
        Asked::to("doctor")
            .says("ok Docker: engine")
            .and("ok image rabbitmq-4")
            .looks_like(on_eighty_columns)
            .whose_findings_decide()
            .named("the_doctor_looks_at_everything"),
        Asked::to("images")
            .says("rabbitmq-4")
            .and("present")
            .named("the_images_are_listed"),
        Asked::to("demo idempotency/concurrent --json --seed 5")
            .within(90)
            .looks_like(every_line_is_an_event)
            .looks_like(proven_once_and_nothing_left)
            .named("a_demo_for_a_program_is_proven"),
        Asked::to(
            "demo mirrored-ha/slow-mirror mirrored-ha/two-masters --json",
        )
        .within(180)
        .looks_like(every_line_is_an_event)
        .looks_like(ran_beside_each_other_and_told_in_turn)
        .named("scenarios_with_nothing_in_common_run_beside_each_other"),
    ];
    trials.extend(["elvish", "fish", "powershell", "zsh"].map(|shell| {
        Asked::to(&format!("completions {shell}"))
            .says("rmq-lab")
            .named(&format!("there_are_completions_for_{shell}"))
    }));
    trials.extend(every_command().into_iter().map(|command| {
        let name = command.replace(' ', "_");
        Asked::to(&command)
            .word("--help")
            .says("Usage: rmq-lab")
            .looks_like(on_eighty_columns)
            .named(&format!("help::rmq_lab_{name}"))
    }));
    trials.extend(every_command().into_iter().map(|command| {
        let name = command.replace(' ', "_");
        Asked::to(&command)
            .word("--help")
            .word("--lang=zh")
            .says("用法：rmq-lab")
            .looks_like(on_eighty_columns)
            .named(&format!("help_in_chinese::rmq_lab_{name}"))
    }));
    trials.extend(all().flat_map(|entry| {
        let target = entry.target();
        let name = target.replace('/', "::");
        let mechanisms = entry.scenario.ways.mechanisms();
        let shown = |words: String| {
            Asked::to(&words).says(&target).looks_like(on_eighty_columns)
        };
        let whole = shown(format!("show {target}"))
            .says("async fn")
            .named(&format!("show::{name}"));
        let diff = shown(format!("show {target} --diff"))
            .named(&format!("show_diff::{name}"));
        let without = mechanisms.iter().map(|mechanism| {
            let id = mechanism.id;
            shown(format!("show {target} --diff --without {id}"))
                .says(&format!("WITHOUT {id}"))
                .named(&format!("show_without::{name}::{id}"))
        });
        [whole, diff].into_iter().chain(without).collect::<Vec<_>>()
    }));
    trials
}

/// Every command there is, as it is typed, the empty one included.
fn every_command() -> Vec<String> {
    fn below(command: &clap::Command, typed: &str, all: &mut Vec<String>) {
        all.push(typed.trim().to_owned());
        for inner in command.get_subcommands() {
            below(inner, &format!("{typed} {}", inner.get_name()), all);
        }
    }
    let mut all = Vec::new();
    below(&<Cli as clap::CommandFactory>::command(), "", &mut all);
    all
}

pub fn on_eighty_columns(ended: &Ended) -> Result<(), String> {
    match ended.stdout.lines().find(|line| line.width() > 80) {
        Some(line) => Err(format!("{} columns: {line}", line.width())),
        None => Ok(()),
    }
}

fn lists_everything(ended: &Ended) -> Result<(), String> {
    for entry in all() {
        let mechanisms = entry.scenario.ways.mechanisms().iter();
        let names = mechanisms.map(|m| m.id).chain([entry.scenario.id]);
        for name in names {
            if !ended.stdout.contains(name) {
                return Err(format!("{name} is not listed"));
            }
        }
    }
    Ok(())
}

fn lists_everything_as_json(ended: &Ended) -> Result<(), String> {
    let lines = events(ended)?;
    let listed: Vec<_> = lines
        .iter()
        .map(|line| format!("{}/{}", text(line, "topic"), text(line, "id")))
        .collect();
    let expected: Vec<_> = all().map(|entry| entry.target()).collect();
    if listed != expected {
        return Err(format!("{listed:?}, not {expected:?}"));
    }
    for (line, entry) in lines.iter().zip(all()) {
        let mechanisms = entry.scenario.ways.mechanisms().iter();
        let mechanisms: Vec<_> = mechanisms.map(|m| m.id).collect();
        if line["mechanisms"] != serde_json::json!(mechanisms)
            || line["kind"] != entry.scenario.ways.kind()
            || line["needs"][0].as_str().is_none()
        {
            return Err(format!("not as the catalogue says: {line}"));
        }
    }
    Ok(())
}

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().unwrap_or_default()
}

/// What is typed before the key, and what it must propose.
const COMPLETED: [(&str, &str); 6] = [
    ("sh", "show"),
    ("show idempotency/inb", "idempotency/inbox"),
    ("demo --rep", "--report"),
    ("demo idempotency/inbox --without unique", "unique-key"),
    ("read mirr", "mirrored-ha"),
    ("list dura", "durability"),
];

/// Bash itself is asked what it would propose.
fn bash_completes(ended: &Ended) -> Result<(), String> {
    let mut script = ended.stdout.clone();
    for (typed, _) in COMPLETED {
        let mut words = typed.rsplit(' ');
        let last = words.next().unwrap_or_default();
        let before_it = words.next().unwrap_or("rmq-lab");
        let count = typed.split(' ').count();
        script.push_str(&format!(
            "\nCOMP_WORDS=(rmq-lab {typed}) COMP_CWORD={count}\n\
             _rmq__lab rmq-lab '{last}' '{before_it}'\n\
             echo \"${{COMPREPLY[*]}}\"\n"
        ));
    }
    let mut bash = Command::new("bash")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("bash: {e}"))?;
    if let Some(mut stdin) = bash.stdin.take() {
        stdin.write_all(script.as_bytes()).map_err(|e| e.to_string())?;
    }
    let done = bash.wait_with_output().map_err(|e| e.to_string())?;
    if !done.status.success() || !done.stderr.is_empty() {
        return Err(String::from_utf8_lossy(&done.stderr).into_owned());
    }
    let told = String::from_utf8_lossy(&done.stdout);
    let proposed: Vec<&str> = told.lines().collect();
    assert_eq!(proposed.len(), COMPLETED.len(), "{told}");
    for ((typed, wanted), proposed) in COMPLETED.iter().zip(proposed) {
        if !proposed.split(' ').any(|word| word == *wanted) {
            return Err(format!("{typed:?} brings {proposed:?}"));
        }
    }
    Ok(())
}

pub(super) fn every_line_is_an_event(ended: &Ended) -> Result<(), String> {
    const SCHEMA: &str = include_str!("../../../schema/event.schema.json");
    let schema: Value =
        serde_json::from_str(SCHEMA).map_err(|e| e.to_string())?;
    let schema =
        jsonschema::validator_for(&schema).map_err(|e| e.to_string())?;
    for event in events(ended)? {
        if let Err(error) = schema.validate(&event) {
            return Err(format!("{error}: {event}"));
        }
    }
    Ok(())
}

/// One stands on a cluster, the other on the broker of the stage.
fn ran_beside_each_other_and_told_in_turn(ended: &Ended) -> Result<(), String> {
    let events = events(ended)?;
    let told: Vec<(&str, u64)> = events
        .iter()
        .filter(|event| {
            event["event"] == "scenario-started" || event["event"] == "verdict"
        })
        .map(|event| {
            let at = event["at_ms"].as_u64().unwrap_or_default();
            (text(event, "scenario"), at)
        })
        .collect();
    match told.as_slice() {
        [
            ("slow-mirror", _),
            ("slow-mirror", judged),
            ("two-masters", begun),
            ("two-masters", _),
        ] if begun < judged => Ok(()),
        _ => Err(format!("{told:?}")),
    }
}

fn proven_once_and_nothing_left(ended: &Ended) -> Result<(), String> {
    let events = events(ended)?;
    let of = |kind: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["event"] == kind).collect()
    };
    let times: BTreeMap<&str, usize> =
        ["run-started", "stage-up", "verdict", "run-ended", "error"]
            .into_iter()
            .map(|kind| (kind, of(kind).len()))
            .collect();
    let expected = [
        ("error", 0),
        ("run-ended", 1),
        ("run-started", 1),
        ("stage-up", 1),
        ("verdict", 1),
    ];
    if times != expected.into() {
        return Err(format!("{times:?}"));
    }
    let (verdict, end) = (of("verdict")[0], of("run-ended")[0]);
    let claims = [
        (&verdict["verdict"], Value::from("proven")),
        (&verdict["scenario"], "concurrent".into()),
        (&verdict["seed"], 5.into()),
        (&verdict["ways"]["naive"]["as_expected"], true.into()),
        (&verdict["ways"]["fixed"]["as_expected"], true.into()),
        (&verdict["ways"]["fixed"]["counts"]["duplicated"], 0.into()),
        (&end["proven"], 1.into()),
        (&end["left_behind"], 0.into()),
    ];
    match claims.iter().find(|(found, expected)| *found != expected) {
        None => Ok(()),
        Some((found, expected)) => Err(format!("{found}, not {expected}")),
    }
}
