//! The page that `--report` writes: of a run that is proven, of one that is
//! interrupted, and where it cannot be written. A browser opens it, where
//! there is one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use libtest_mimic::{Failed, Trial};
use rmq_lab::{narrate, text::Lang};
use tempfile::TempDir;

use super::{asked::Asked, places::found, running::Running};
use crate::shared::binary;

/// The cheapest scenario there is.
const DEMO: &str = "demo idempotency/concurrent --no-predict";

/// Set to 1, the trials in a browser fail where there is none.
const DEMANDED: &str = "RMQ_LAB_TEST_CHROMIUM";

pub fn trials() -> Vec<Trial> {
    let place = |file: &str| {
        let dir = tempfile::tempdir().expect("a place");
        (dir.path().join(file), dir)
    };
    let (page, dir) = place("report.html");
    let (quiet, quiet_dir) = place("quiet.html");
    let (json, json_dir) = place("json.html");
    let (nowhere, nowhere_dir) = place("no/where.html");
    let (no_docker, no_docker_dir) = place("no-docker.html");
    let written = |path: &Path, wanted: &'static [&'static str]| {
        let path = path.to_owned();
        move |_: &_| has(&path, wanted)
    };
    let demo = |path: &Path, options: &str| {
        let asked = Asked::to(&format!("{DEMO} {options}")).within(90);
        asked.word("--report").word(&path.to_string_lossy())
    };
    let mut trials = vec![
        demo(&page, "--seed 5")
            .says("PROVEN")
            .and(&format!("\n report  {}\n", page.display()))
            .looks_like(|ended| match ended.stdout.lines().last() {
                Some(last) if last.starts_with(" report  ") => Ok(()),
                last => Err(format!("the last line is {last:?}")),
            })
            .looks_like(written(
                &page,
                &[
                    "idempotency/concurrent",
                    "PROVEN",
                    "已证实",
                    "class=\"lanes\"",
                    "RabbitMQ 4",
                    " UTC</time>",
                    "--seed 5",
                ],
            ))
            .while_there_is(dir)
            .named("a_report_is_written_and_named_in_the_last_line"),
        demo(&quiet, "-q --without patience")
            .exits(64)
            .says_on_stderr("patience")
            .looks_like(absent(&quiet))
            .while_there_is(quiet_dir)
            .named("a_request_that_makes_no_sense_writes_no_report"),
        demo(&json, "--json")
            .looks_like(|ended| match super::asked::events(ended)?.last() {
                Some(last) if last["event"] == "run-ended" => Ok(()),
                last => Err(format!("the last is {last:?}")),
            })
            .looks_like(written(&json, &["PROVEN", "nothing left behind"]))
            .while_there_is(json_dir)
            .named("a_report_and_nothing_but_events_on_stdout"),
        demo(&nowhere, "")
            .exits(3)
            .says_nothing()
            .says_on_stderr("error: cannot write the report to ")
            .and("no/where.html: No such file or directory\n")
            .and("\n  help: mkdir -p ")
            .while_there_is(nowhere_dir)
            .named("a_report_that_cannot_be_written_is_found_out_first"),
        demo(Path::new("/dev/full"), "--lang zh")
            .exits(3)
            .says_nothing()
            .says_on_stderr("错误: 无法写入报告：/dev/full 是特殊文件\n")
            .named("a_report_that_would_replace_a_device"),
        demo(&no_docker, "")
            .with("DOCKER_HOST", "unix:///nowhere.sock")
            .exits(3)
            .says_on_stderr("error: no Docker engine answers at")
            .looks_like(written(
                &no_docker,
                &[
                    "This run did not come to its end.",
                    "no Docker engine answers at",
                    "No scenario has begun.",
                ],
            ))
            .while_there_is(no_docker_dir)
            .named("a_report_of_a_run_that_fails_says_why"),
    ];
    trials.push(Trial::test("cli::a_report_of_an_interrupted_run", || {
        interrupted().map_err(Failed::from)
    }));
    trials.extend(browser());
    trials
}

/// The page is whole, leads nowhere, and has these words.
fn has(path: &Path, wanted: &[&str]) -> Result<(), String> {
    let page = fs::read_to_string(path).map_err(|e| e.to_string())?;
    if !page.starts_with("<!DOCTYPE html>") || !page.ends_with("</html>") {
        return Err("no whole page".to_owned());
    }
    let missing = wanted.iter().find(|words| !page.contains(**words));
    if let Some(missing) = missing {
        return Err(format!("the page does not say {missing:?}"));
    }
    for outside in ["src=", "href=\"h", "href=\"/", "<link", "<img"] {
        if page.contains(outside) {
            return Err(format!("the page leads out: {outside}"));
        }
    }
    let beside = path.parent().map(fs::read_dir);
    let beside = beside.and_then(Result::ok).into_iter().flatten();
    match beside.filter_map(Result::ok).count() {
        1 => Ok(()),
        n => Err(format!("{n} files, and not the page alone")),
    }
}

fn absent<T>(path: &Path) -> impl Fn(&T) -> Result<(), String> + use<T> {
    let path = path.to_owned();
    move |_| match path.exists() {
        false => Ok(()),
        true => Err("there is a report".to_owned()),
    }
}

fn interrupted() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let (page, state) = (dir.path().join("page/it.html"), dir.path());
    let made = fs::create_dir(dir.path().join("page"));
    made.map_err(|e| e.to_string())?;
    fs::write(&page, "an old page").map_err(|e| e.to_string())?;
    let mut command = Command::new(binary());
    command
        .args(["demo", "idempotency", "--json", "--report"])
        .arg(&page)
        .env("RMQ_LAB_STATE", state)
        .stdout(Stdio::piped());
    let mut running = Running::start(command)?;
    let limit = Duration::from_secs(60);
    running.until("a strike", limit, |event| event["event"] == "struck")?;
    running.signal("INT")?;
    let ended = running.end(Duration::from_secs(15))?;
    if ended.status.code() != Some(130) || !ended.stderr.is_empty() {
        return Err(format!("{}\n{}", ended.status, ended.stderr));
    }
    has(
        &page,
        &[
            "This run did not come to its end.",
            "It was interrupted",
            "not reached",
        ],
    )
}

/// What only a browser can tell.
fn browser() -> Vec<Trial> {
    let name = "cli::a_browser_opens_a_report";
    let demanded = std::env::var_os(DEMANDED).is_some_and(|set| set == "1");
    let browsers = ["chromium", "chromium-browser", "google-chrome"];
    let Some(program) = browsers.into_iter().find_map(found) else {
        let trial = Trial::test(name, || Err("no chromium here".into()));
        return vec![
            trial.with_kind("needs chromium").with_ignored_flag(!demanded),
        ];
    };
    let of = |lang: Lang, program: PathBuf| {
        Trial::test(format!("{name}::{lang:?}").to_lowercase(), move || {
            opened(&program, lang).map_err(Failed::from)
        })
    };
    vec![of(Lang::En, program.clone()), of(Lang::Zh, program)]
}

/// Before the page's own script: hears of whatever goes wrong.
const HEAR: &str = "<script>window.wrong=[];\
    addEventListener('error',e=>wrong.push(String(e.message)));\
    addEventListener('securitypolicyviolation',\
    e=>wrong.push('policy '+e.violatedDirective));</script>";

/// After it: what is shown in either language, and what the switch does.
const ASK: &str = "<script>\
    const seen=()=>['en','zh-Hans'].map(l=>[...document.querySelectorAll(\
    'main [lang='+l+']')].filter(e=>e.getClientRects().length).length);\
    const told=[document.documentElement.lang,seen()];\
    for(const id of ['in-zh','in-en']){\
    document.getElementById(id).click();\
    told.push(document.documentElement.lang,document.title,seen());}\
    const out=document.createElement('output');out.id='told';\
    out.textContent=JSON.stringify({told,wrong});\
    document.body.append(out);</script>";

fn opened(program: &Path, lang: Lang) -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let lines = include_str!("report.jsonl").lines();
    let events = lines.map(serde_json::from_str).collect::<Result<Vec<_>, _>>();
    let page = narrate::page(events.map_err(|e| e.to_string())?, lang);
    let asked = page
        .replacen("<style>", &format!("{HEAR}<style>"), 1)
        .replacen("</body>", &format!("{ASK}</body>"), 1);
    let file = dir.path().join("page.html");
    fs::write(&file, asked).map_err(|e| e.to_string())?;
    let dom = chromium(program, &dir, &["--dump-dom"], &file)?;
    let told = dom.split_once("<output id=\"told\">");
    let told = told.and_then(|(_, rest)| rest.split_once("</output>"));
    let (told, _) = told.ok_or("the page's scripts did not run")?;
    let told: serde_json::Value =
        serde_json::from_str(told).map_err(|e| format!("{e}: {told}"))?;
    if told["wrong"] != serde_json::json!([]) {
        return Err(format!("something went wrong: {}", told["wrong"]));
    }
    let tag = if lang == Lang::Zh { "zh-Hans" } else { "en" };
    let told = &told["told"];
    let only = |seen: &serde_json::Value, english: bool| {
        let [en, zh] = [0, 1].map(|n| seen[n].as_u64().unwrap_or(0));
        (en > 20) == english && (zh > 20) != english && en.min(zh) == 0
    };
    let right = told[0] == tag
        && only(&told[1], lang == Lang::En)
        && told[2] == "zh-Hans"
        && only(&told[4], false)
        && told[5] == "en"
        && only(&told[7], true);
    if !right {
        return Err(format!("not what the switch should do: {told}"));
    }
    let picture = dir.path().join("page.png");
    let shot = format!("--screenshot={}", picture.display());
    chromium(program, &dir, &["--window-size=1000,1600", &shot], &file)?;
    let picture = fs::read(&picture).map_err(|e| e.to_string())?;
    // A white sheet of this size takes less than ten.
    match picture.len() {
        40_000.. => Ok(()),
        bytes => Err(format!("a picture of {bytes} bytes shows nothing")),
    }
}

fn chromium(
    program: &Path,
    dir: &TempDir,
    options: &[&str],
    file: &Path,
) -> Result<String, String> {
    let profile = dir.path().join("profile");
    let mut command = Command::new(program);
    command
        // Nobody's page but ours, and in a container there is no sandbox.
        .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
        .args(["--hide-scrollbars", "--no-first-run"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(options)
        .arg(format!("file://{}", file.display()))
        .stdout(Stdio::piped());
    let ended = Running::start(command)?.end(Duration::from_secs(60))?;
    match ended.status.success() {
        true => Ok(ended.stdout),
        false => Err(format!("{}\n{}", ended.status, ended.stderr)),
    }
}
