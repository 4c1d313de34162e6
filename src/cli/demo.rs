//! `rmq-lab demo`: a run from the first check to the last container removed.

mod prepared;

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::Arc,
    time::{Instant, SystemTime},
};

pub(super) use self::prepared::refuse_to_ask_nobody;
use self::prepared::{Chosen, Prepared};
use super::{
    Demo, Manner,
    beside::Scenarios,
    page::{Page, stopped},
    progress::Notes,
    shelf,
    signals::Signals,
    state::{self, RunDir},
    summary::Summary,
};
use crate::{
    event::{Event, FORMAT, Stamped},
    lab::{
        Clusters,
        catalogue::Entry,
        run::{How, Session, heard},
    },
    narrate::{
        Failure, JsonLines, Narrator, Pace, Report, Terminal, View, utc,
    },
    problem::{Exit, Problem},
    stage::{Engine, RunId, Stage, Wanted, reap},
    text,
};

/// Runs what was asked for, and says how it ended.
///
/// # Errors
/// A [`Problem`] of the request or the environment. What was started by then
/// has been removed.
pub async fn demo(asked: Demo, manner: Manner) -> Result<Exit, Problem> {
    let (began, json) = (Instant::now(), asked.json);
    let prepared = Prepared::from(&asked);
    let Prepared { chosen, run, dir, record, record_path, page } =
        match prepared {
            Ok(prepared) => prepared,
            Err(problem) => {
                if asked.json {
                    let event = as_event(&problem);
                    let _ = JsonLines::new(io::stdout())
                        .tell(&Stamped { at_ms: 0, event });
                }
                return Err(problem);
            }
        };
    let page =
        page.map(|file| Page::to(file, Report::new(manner.lang), manner));
    let mut view = view(&asked, manner);
    if let Some(page) = &page {
        view = page.beside(view);
    }
    let narrator =
        Narrator::new(began, Some(record), view, pace(&asked), manner.lang);
    narrator.tell(Event::RunStarted {
        format: FORMAT,
        run: run.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenarios: chosen.entries.iter().map(Entry::target).collect(),
        seed: asked.seed,
        record: record_path.display().to_string(),
        facts: if asked.messages > crate::lab::RECORD_ALL_UP_TO {
            "struck"
        } else {
            "all"
        }
        .to_owned(),
        started: utc(SystemTime::now()),
        recorded: false,
    });
    let told = narrator.clone();
    let notes = Notes::default();
    let noting = notes.clone();
    let ended =
        run_all(asked, chosen, run, &dir, narrator, began, noting).await;
    if let Err(problem) = &ended {
        told.tell(as_event(problem));
    }
    told.finish().await;
    notes.tell(manner);
    if stopped(&ended) && io::stderr().is_terminal() && !json {
        // The spinner's line may still be there: begin a new one.
        let word = text! {
            en: "stopped; what was started is removed",
            zh: "已中断；已启动的容器均已移除"
        };
        let _ = writeln!(io::stderr(), "\n {}", word.say(manner.lang));
    }
    match page {
        Some(page) => page.written(ended, json),
        None => ended,
    }
}

pub(super) fn as_event(problem: &Problem) -> Event {
    Event::Error {
        error: problem.error.clone(),
        help: problem.help.clone(),
        exit: problem.exit as u8,
    }
}

fn view(asked: &Demo, manner: Manner) -> Box<dyn View> {
    if asked.json {
        return Box::new(JsonLines::new(io::stdout()));
    }
    let mut style = manner.style(asked.detail());
    // Enter, pressed while a spinner moves, would tear the screen.
    style.interactive &= !asked.step;
    Box::new(Terminal::new(io::stdout(), style))
}

fn pace(asked: &Demo) -> Pace {
    match (asked.step, asked.pace) {
        (true, _) => Pace::Step,
        (_, Some(pause)) => Pace::Every(pause),
        _ => Pace::Through,
    }
}

/// Docker, stage, scenarios, and the way down, whatever happens in between.
async fn run_all(
    asked: Demo,
    chosen: Chosen,
    run: RunId,
    dir: &RunDir,
    narrator: Narrator,
    began: Instant,
    notes: Notes,
) -> Result<Exit, Problem> {
    let mut signals = Signals::listen()?;
    let hold = asked.hold;
    let engine = tokio::select! {
        engine = Engine::connect(run) => {
            engine.map_err(|problem| without_docker(problem, &chosen))?
        }
        exit = signals.next() => return Ok(exit),
    };
    let work = tokio::spawn(scenarios(
        asked,
        chosen,
        engine.clone(),
        dir.work.clone(),
        narrator.clone(),
        began,
        notes,
    ));
    let stop = work.abort_handle();
    let ended = tokio::select! {
        ended = work => ended.unwrap_or_else(|failed| Err(bug(&failed))),
        exit = signals.next() => Ok(Came::Signal(exit)),
        () = narrator.left() => Ok(Came::Signal(Exit::Interrupted)),
        failure = narrator.failure() => failed_to_tell(failure, dir).map(Came::Signal),
    };
    stop.abort();
    if let (Ok(Came::End(_)), true) = (&ended, hold) {
        tokio::select! {
            () = narrator.hold() => {}
            _ = signals.next() => {}
        }
    }
    if let Ok(Came::Signal(
        Exit::Interrupted | Exit::Terminated | Exit::HungUp,
    )) = ended
    {
        narrator.tell(Event::Waiting {
            what: text! {
                en: "what was started to be removed", zh: "清理已启动的容器"
            },
            limit_s: None,
        });
    }
    let down = Instant::now();
    let left_behind = engine.tear_down().await;
    match ended? {
        Came::Signal(exit) => Ok(exit),
        Came::End(summary) => {
            let exit = summary.exit();
            narrator.tell(summary.event(began, down.elapsed(), left_behind));
            Ok(exit)
        }
    }
}

/// What can be seen where no Docker engine answers.
fn without_docker(problem: Problem, chosen: &Chosen) -> Problem {
    let mut topics = chosen.entries.iter().map(|entry| entry.topic.id);
    match topics.find(|topic| shelf::can_be_told(topic)) {
        Some(topic) => problem.help(text! {
            en: "without Docker: rmq-lab replay {topic}",
            zh: "没有 Docker 也能看：rmq-lab replay {topic}",
            topic = topic
        }),
        None => problem,
    }
}

/// How the work came to an end.
enum Came {
    End(Summary),
    Signal(Exit),
}

async fn scenarios(
    asked: Demo,
    chosen: Chosen,
    engine: Engine,
    work: PathBuf,
    narrator: Narrator,
    began: Instant,
    notes: Notes,
) -> Result<Came, Problem> {
    // What a SIGKILL left; those of living runs are not ours to touch.
    let _ = reap::remove_orphans(engine.docker()).await;
    let needs_redis =
        |e: &Entry| e.scenario.needs.redis || e.scenario.needs.own_redis;
    let redis = chosen.entries.iter().any(needs_redis);
    let mail = chosen.entries.iter().any(|e| e.scenario.needs.mail);
    let wanted = Wanted { broker: asked.broker.clone(), redis, mail };
    let hear = |news| narrator.tell(heard(news));
    let stage = Stage::up(&engine, &wanted, &hear).await?;
    let mut summary = Summary {
        boot_ms: stage.broker.service.boot_ms,
        stage_up: stage.took,
        ..Summary::default()
    };
    narrator.tell(Event::StageUp {
        services: stage.services(),
        management: asked.hold.then(|| stage.broker.login()),
        way: None,
        places: vec![stage.broker.place("broker")],
    });
    let stage = Arc::new(stage);
    let session = Session {
        stage,
        narrator: narrator.clone(),
        began,
        dir: work,
        prefix: String::new(),
        keep: asked.hold,
        kept: Arc::default(),
        clusters: Clusters::default(),
    };
    let at_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let alone =
        chosen.entries.len() == 1 && at_terminal && !asked.json && !asked.quiet;
    let how = How {
        messages: asked.messages,
        seed: asked.seed,
        without: chosen.without,
        armed: true,
        ask: asked.predict
            || (alone && !asked.no_predict && chosen.without.is_none()),
    };
    let at_once = at_once(&asked, how);
    let all = Scenarios::new(session, chosen.entries, how, at_once);
    all.run(&mut summary, &notes).await?;
    Ok(Came::End(summary))
}

/// How many scenarios may run at once. Whoever goes step by step, or is asked,
/// sees one at a time. Else there may be one more than cores on clusters: they
/// wait for brokers most of the time. (With two more, elections of a quorum
/// queue were seen to take six seconds, for want of a core to vote on.)
fn at_once(asked: &Demo, how: How) -> usize {
    let one_by_one =
        asked.one_by_one || how.ask || pace(asked) != Pace::Through;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if one_by_one { 1 } else { cores + 1 }
}

/// The reader of our output went away, or the record cannot be written.
fn failed_to_tell(failure: Failure, dir: &RunDir) -> Result<Exit, Problem> {
    match failure {
        Failure::View(io::ErrorKind::BrokenPipe) => Ok(Exit::PipeClosed),
        Failure::View(kind) => Err(Problem::environment(text! {
            en: "cannot write to stdout: {kind}", zh: "无法写到标准输出：{kind}", kind = kind
        })),
        Failure::Record(kind, _) => {
            Err(state::cannot_write(&dir.home, &kind.into()))
        }
    }
}

/// A panic somewhere in the work. Its message has been printed.
pub(super) fn bug(failed: &tokio::task::JoinError) -> Problem {
    Problem::environment(text! {
        en: "the lab itself failed, which is a bug: {failed}",
        zh: "实验室自身出错，这是一个 bug：{failed}",
        failed = failed
    })
    .help(text! {
        en: "everything it started is removed; please report the lines above",
        zh: "已启动的容器均已移除；请把上面的输出报告给我们"
    })
}
