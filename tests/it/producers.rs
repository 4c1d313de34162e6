//! Producers in processes of their own, as a demo starts them: what they say,
//! and that they end with whoever started them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use libtest_mimic::Trial;
use rmq_lab::{
    demos::shop::process::{News, Orders, Point, Stop, Task, WORD},
    ledger::{Fact, MessageId, Noun},
};

use crate::shared::binary;

const ORDER: MessageId = Noun::Order.number(1);
const SOON: Duration = Duration::from_secs(20);

pub fn trials() -> Vec<Trial> {
    let trials: [(&str, fn() -> anyhow::Result<()>); 4] = [
        ("before_the_commit_nothing_is_saved", || {
            ends_with_its_lab(Point::BeforeCommit, &[], false)
        }),
        ("after_the_commit_the_order_is_saved", || {
            let stored = News::Saw(ORDER, Fact::Stored);
            ends_with_its_lab(Point::AfterCommit, &[stored], true)
        }),
        ("without_a_broker_it_says_so_and_ends", without_a_broker),
        ("it_does_nothing_that_it_does_not_know", an_unknown_work),
    ];
    let named = trials.map(|(name, trial)| {
        Trial::test(format!("producers::{name}"), move || Ok(trial()?))
    });
    named.into()
}

/// It stands where it is told to, and ends when its stdin does: that is what
/// it sees of a lab that is gone, however that went.
fn ends_with_its_lab(
    at: Point,
    before: &[News],
    saved: bool,
) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let stop = Stop { at, over: ORDER };
    let task = task(dir.path(), "save_then_publish", Some(stop));
    let mut producer = start(&task)?;
    let stdin = producer.stdin.take();
    let stdout = producer.stdout.take().context("no stdout")?;
    let mut lines = BufReader::new(stdout).lines();
    let mut hear = || -> anyhow::Result<News> {
        let line = lines.next().context("it ended")??;
        Ok(serde_json::from_str(&line)?)
    };
    for news in before {
        ensure!(hear()? == *news);
    }
    ensure!(hear()? == News::Stands(stop));
    let has = || Orders::open(&task.database)?.has(ORDER);
    ensure!(has()? == saved, "saved: {}", !saved);
    ensure!(producer.try_wait()?.is_none(), "it does not stand still");
    drop(stdin);
    let (code, stderr) = ended(producer)?;
    ensure!(code == Some(129) && stderr.is_empty(), "{code:?}: {stderr}");
    ensure!(has()? == saved, "saved afterwards: {}", !saved);
    Ok(())
}

fn without_a_broker() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let producer = start(&task(dir.path(), "save_then_publish", None))?;
    let (code, stderr) = ended(producer)?;
    let told = stderr.starts_with("error: the producer cannot go on: ");
    ensure!(code == Some(3) && told, "{code:?}: {stderr}");
    Ok(())
}

fn an_unknown_work() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let producer = start(&task(dir.path(), "sleep_in", None))?;
    let (code, stderr) = ended(producer)?;
    let told = stderr.contains("nothing is called \"sleep_in\"");
    ensure!(code == Some(64) && told, "{code:?}: {stderr}");
    Ok(())
}

fn task(dir: &Path, work: &str, stop: Option<Stop>) -> Task {
    Task {
        work: work.to_owned(),
        database: dir.join("shop.db"),
        // Nobody listens on port 1.
        amqp: "amqp://127.0.0.1:1".to_owned(),
        queue: "orders".to_owned(),
        orders: 1..=1,
        stop,
    }
}

/// Its stdin stays open.
fn start(task: &Task) -> anyhow::Result<Child> {
    let mut producer = Command::new(binary())
        .arg(WORD)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env("LC_ALL", "C")
        .spawn()?;
    let stdin = producer.stdin.as_mut().context("no stdin")?;
    writeln!(stdin, "{}", serde_json::to_string(task)?)?;
    Ok(producer)
}

/// Its exit code, and what it said on stderr.
fn ended(mut producer: Child) -> anyhow::Result<(Option<i32>, String)> {
    let stdin = producer.stdin.take();
    let began = Instant::now();
    let status = loop {
        if let Some(status) = producer.try_wait()? {
            break status;
        }
        if began.elapsed() > SOON {
            producer.kill()?;
            producer.wait()?;
            anyhow::bail!("it did not end within {SOON:?}");
        }
        sleep(Duration::from_millis(5));
    };
    drop(stdin);
    let mut told = String::new();
    let stderr = producer.stderr.take();
    stderr.context("no stderr")?.read_to_string(&mut told)?;
    Ok((status.code(), told))
}
