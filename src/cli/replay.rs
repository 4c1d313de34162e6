//! `rmq-lab replay`: a recorded run told again, without Docker.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use super::{
    Manner, Replay,
    demo::{as_event, refuse_to_ask_nobody},
    page::{Page, stopped},
    report::PageFile,
    shelf::{self, Found},
    signals::Signals,
    summary::exit_of,
    tidy,
};
use crate::{
    event::{Event, FORMAT, Stamped},
    narrate::{
        Failure, JsonLines, Narrator, Pace, Recorded, Report, Terminal, View,
    },
    problem::{Exit, Problem},
    text,
    text::Text,
};

/// Tells a recorded run again, and ends as it had ended.
///
/// # Errors
/// A [`Problem`] of the request, of a record that cannot be told, or of a run
/// that did not come to its end.
pub async fn replay(asked: Replay, manner: Manner) -> Result<Exit, Problem> {
    let (recorded, page) = match prepared(&asked) {
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
    let page = page.map(|file| {
        Page::to(file, Report::new(manner.lang).recorded(), manner)
    });
    let mut view = view(&asked, manner);
    if let Some(page) = &page {
        view = page.beside(view);
    }
    let mut signals = Signals::listen()?;
    let began = Instant::now();
    let narrator = Narrator::new(began, None, view, pace(&asked), manner.lang);
    let ended = tokio::select! {
        ended = tell(&narrator, &recorded, &asked) => ended,
        exit = signals.next() => Ok(exit),
        () = narrator.left() => Ok(Exit::Interrupted),
    };
    let ended = match narrator.failed() {
        Some(Failure::View(kind) | Failure::Record(kind, _)) => {
            tidy::not_written(&kind.into())
        }
        None => ended,
    };
    if stopped(&ended) && io::stderr().is_terminal() && !asked.json {
        // The prompt, or the spinner's line, may still be there.
        let word = text! {
            en: "stopped; nothing of it was running",
            zh: "已中断；没有启动过任何容器"
        };
        let _ = writeln!(io::stderr(), "\n {}", word.say(manner.lang));
    }
    match page {
        Some(page) => page.written(ended, asked.json),
        None => ended,
    }
}

/// What is to be told, found before anything is.
fn prepared(asked: &Replay) -> Result<(Recorded, Option<PageFile>), Problem> {
    let waits = [(asked.step, "--step"), (asked.predict, "--predict")];
    refuse_to_ask_nobody(&waits, asked.json)?;
    let found = shelf::find(&asked.what, shelf::replay_shipped)?;
    let page = asked.report.as_deref().map(PageFile::prepare).transpose()?;
    Ok((as_of_now(found), page))
}

/// Marked as told from a record, and without what is not so any more: the
/// stage's login and addresses, the place where the record was written.
fn as_of_now(Found { mut recorded, path }: Found) -> Recorded {
    let place = path.map(|path| path.display().to_string());
    recorded.amend(|event| match event {
        Event::RunStarted { format, record, recorded, .. } => {
            *format = FORMAT;
            *record = place.clone().unwrap_or_default();
            *recorded = true;
        }
        Event::StageUp { management, places, .. } => {
            *management = None;
            places.clear();
        }
        _ => {}
    });
    recorded
}

/// Who tells it.
fn view(asked: &Replay, manner: Manner) -> Box<dyn View> {
    if asked.json {
        return Box::new(JsonLines::new(io::stdout()));
    }
    let mut style = manner.style(asked.detail());
    // Enter, pressed while a spinner moves, would tear the screen.
    style.interactive &= !asked.step;
    let terminal = Terminal::new(io::stdout(), style);
    match asked.predict {
        true => Box::new(terminal),
        false => Box::new(terminal.asks_nobody()),
    }
}

const fn pace(asked: &Replay) -> Pace {
    match (asked.step, asked.pace) {
        (true, _) => Pace::Step,
        (_, Some(pause)) => Pace::Every(pause),
        _ => Pace::Through,
    }
}

async fn tell(
    narrator: &Narrator,
    recorded: &Recorded,
    asked: &Replay,
) -> Result<Exit, Problem> {
    for (index, stamped) in recorded.events().iter().enumerate() {
        if narrator.failed().is_some() {
            break;
        }
        if let Some(speed) = asked.speed {
            wait(recorded.gap_before(index), speed).await;
        }
        if asked.predict && matches!(stamped.event, Event::Predicted { .. }) {
            continue;
        }
        narrator.retell(stamped.clone());
        match &stamped.event {
            Event::ScenarioStarted { question, choices, .. }
                if asked.predict && !choices.is_empty() =>
            {
                let guess = narrator.ask(question, choices).await;
                let event = Event::Predicted { guess };
                narrator.retell(Stamped { at_ms: stamped.at_ms, event });
            }
            // Where the run itself had nothing in flight.
            Event::WayEnded { .. } | Event::Verdict(_) => {
                narrator.checkpoint().await;
            }
            _ => {}
        }
    }
    let ended = how_it_ended(recorded);
    // An error that the record has was told with it.
    let is_error = |e: &Stamped| matches!(e.event, Event::Error { .. });
    if let Err(problem) = &ended
        && !recorded.events().iter().any(is_error)
    {
        let at_ms = recorded.events().last().map_or(0, |last| last.at_ms);
        let event = as_event(problem);
        narrator.retell(Stamped { at_ms, event });
    }
    narrator.finish().await;
    ended
}

/// The run's own pace, so many times as fast.
async fn wait(gap: Duration, speed: f64) {
    let pause = gap.div_f64(speed);
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}

fn how_it_ended(recorded: &Recorded) -> Result<Exit, Problem> {
    let inconclusive = |error: Text| Problem {
        error,
        help: Vec::new(),
        exit: Exit::Inconclusive,
    };
    for stamped in recorded.events() {
        if let Event::Error { error, .. } = &stamped.event {
            let told = Text::made(
                format!("the recorded run ended in an error: {}", error.en),
                format!("当时的运行因错误中断：{}", error.zh),
            );
            return Err(inconclusive(told));
        }
    }
    if recorded.breaks_off() {
        let told = text! {
            en: "the record breaks off here: its run was stopped, or still goes on",
            zh: "记录到此为止：这次运行被中断，或者还在进行"
        };
        let targets = recorded.head.scenarios.join(" ");
        return Err(inconclusive(told).help(text! {
            en: "to run it again: rmq-lab demo {targets}",
            zh: "重新运行：rmq-lab demo {targets}",
            targets = targets
        }));
    }
    Ok(exit_of(recorded.verdicts()))
}
