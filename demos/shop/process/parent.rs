//! The lab's side: it starts producers, hears their news, and kills them.

use std::{
    env,
    ffi::OsString,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::{News, Orders, Point, Stop, Task, WORD};
use crate::{
    demos::shop::orders::{ORDERS, Ran},
    lab::{Lab, RanOut},
    ledger::{Fact, MessageId, Witness},
    text,
};

/// Between two lines of news lies an order at most.
const NEWS_WITHIN: Duration = Duration::from_secs(30);
/// POSIX gives it this number on every system.
const SIGKILL: i32 = 9;

/// Lets customers place every order of the run with processes that do this
/// `work`. Where it is planned a process is killed, and the next one goes on
/// with the next order; the last one ends by itself.
///
/// # Errors
/// When a process does not do its work.
pub async fn produce(lab: &Lab, work: &str, database: &Path) -> Ran {
    let orders = Orders::open(database)?;
    let mut first = 1;
    loop {
        let task = Task {
            work: work.to_owned(),
            database: database.to_owned(),
            amqp: lab.uri(),
            queue: ORDERS.to_owned(),
            orders: first..=lab.count(),
            stop: next_stop(lab, first),
        };
        let mut process = Process::start(&task).await?;
        match process.hear(lab).await? {
            Some(stop) if task.stop == Some(stop) => {
                if orders.has(stop.over)? {
                    lab.saw(stop.over, Fact::Accepted);
                }
                process.kill(lab, stop).await?;
                first = stop.over.number + 1;
            }
            Some(stop) => {
                bail!("a producer stands where it must not: {stop:?}")
            }
            None => return all_arrived(lab).await,
        }
    }
}

/// The first of these orders over which a process is to be killed.
fn next_stop(lab: &Lab, first: u32) -> Option<Stop> {
    let planned = lab.plan().all().filter(|(order, strike)| {
        order.number >= first && lab.is_planned(*order, *strike)
    });
    let mut stops = planned.filter_map(|(over, strike)| {
        Some(Stop { at: Point::of(strike)?, over })
    });
    stops.next()
}

/// A producer that runs. It goes when this is dropped; and when the lab is
/// killed, by its stdin.
struct Process {
    child: Child,
    news: Lines<BufReader<ChildStdout>>,
    _stdin: ChildStdin,
}

impl Process {
    async fn start(task: &Task) -> anyhow::Result<Self> {
        let mut child = Command::new(own_binary()?)
            .arg(WORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the lab; what is to become of its producers is
            // the lab's business.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("starting a producer")?;
        let (Some(mut stdin), Some(stdout)) =
            (child.stdin.take(), child.stdout.take())
        else {
            bail!("a producer without stdin or stdout");
        };
        let line = serde_json::to_string(task)? + "\n";
        // Where it has ended already, its own words say more.
        let _ = stdin.write_all(line.as_bytes()).await;
        let news = BufReader::new(stdout).lines();
        Ok(Self { child, news, _stdin: stdin })
    }

    /// Hears its news until it stands still, or has done its work.
    async fn hear(&mut self, lab: &Lab) -> anyhow::Result<Option<Stop>> {
        loop {
            let line = timeout(NEWS_WITHIN, self.news.next_line()).await;
            let line = line.map_err(|_| RanOut {
                what: text! {
                    en: "news from the producing process",
                    zh: "生产者进程的消息"
                },
                limit: NEWS_WITHIN,
            })?;
            let Some(line) = line? else { break };
            match serde_json::from_str(&line).context("a producer's news")? {
                News::Saw(order, fact) => lab.saw(order, fact),
                News::Stands(stop) => return Ok(Some(stop)),
            }
        }
        let mut said = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut said).await?;
        }
        let status = self.child.wait().await?;
        ensure!(status.success(), "a producer: {status}: {}", said.trim());
        Ok(None)
    }

    /// Kills it where it stands, and sees it dead.
    async fn kill(mut self, lab: &Lab, Stop { at, over: order }: Stop) -> Ran {
        if at == Point::AfterPublish {
            all_arrived(lab).await?;
        }
        self.child.start_kill()?;
        let status = self.child.wait().await?;
        ensure!(was_killed(status), "a producer was not killed: {status}");
        lab.struck(order, at.strike());
        if is_unanswered(lab, order) {
            // Whatever the broker says, nobody is left to hear it.
            lab.saw(order, Fact::Unknown);
        }
        Ok(())
    }
}

/// Waits until the broker has all that was published.
async fn all_arrived(lab: &Lab) -> Ran {
    let what = text! {
        en: "the broker to have all that was published",
        zh: "broker 收到全部已发布的消息"
    };
    lab.wait_until(what, NEWS_WITHIN, || async {
        let ready = lab.ready(ORDERS).await?;
        Ok(u64::from(ready) == lab.sums().attempts)
    })
    .await
}

fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(SIGKILL)
}

fn is_unanswered(lab: &Lab, order: MessageId) -> bool {
    lab.entry(order).is_some_and(|known| {
        let answered =
            known.confirmed + known.nacked + known.returned + known.unknown;
        known.sent > answered
    })
}

/// The binary that runs, also where its file has been replaced since.
fn own_binary() -> anyhow::Result<OsString> {
    if cfg!(target_os = "linux") {
        return Ok("/proc/self/exe".into());
    }
    Ok(env::current_exe().context("finding the lab's own binary")?.into())
}
