//! The `rmq-lab` program: what was typed, one flat match, the exit code.

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use clap::error::ErrorKind;
use rmq_lab::{
    cli::{self, Cli, Command, Manner, When, localized, orientation::Then},
    demos,
    narrate::error_lines,
    problem::{Exit, Problem},
    text::Lang,
};

fn main() -> ExitCode {
    if let Some(ended) = demos::asked() {
        let lang = Lang::from_locale(|name| std::env::var(name).ok());
        return match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(problem) => tell(&problem, lang, false),
        };
    }
    let words: Vec<OsString> = std::env::args_os().collect();
    let lang = localized::lang(&words, |name| std::env::var(name).ok());
    let typed = match localized::parse(words, lang) {
        Ok(typed) => typed,
        Err(error) => return not_understood(&error, lang),
    };
    let manner = manner(typed.color, lang);
    listen_to_rust_log();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: cannot start: {error}");
            return Exit::Environment.into();
        }
    };
    let ended = runtime.block_on(run(typed, manner));
    // Whoever still reads from the terminal or the network is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(200));
    match ended {
        Ok(exit) => exit.into(),
        Err(problem) => tell(&problem, manner.lang, manner.color_errors),
    }
}

async fn run(typed: Cli, manner: Manner) -> Result<Exit, Problem> {
    let mut out = io::stdout().lock();
    let told = match typed.command {
        None => {
            drop(out);
            return match cli::orientation::alone(manner).await? {
                Then::End(exit) => Ok(exit),
                Then::Type(words) => go_on(&words, manner).await,
            };
        }
        Some(Command::List { topic, json }) => {
            drop(out);
            return cli::list::list(topic.as_deref(), json, manner);
        }
        Some(Command::Demo(demo)) => {
            drop(out);
            return cli::demo::demo(demo, manner).await;
        }
        Some(Command::Quiz(quiz)) => {
            drop(out);
            return cli::quiz::quiz(quiz, manner).await;
        }
        Some(Command::Interview(interview)) => {
            drop(out);
            return cli::interview::interview(interview, manner).await;
        }
        Some(Command::Reset { topic, yes }) => {
            drop(out);
            return cli::reset::reset(topic.as_deref(), yes, manner).await;
        }
        Some(Command::Show { target, diff, without }) => {
            drop(out);
            let without = without.as_deref();
            return cli::show::show(&target, diff, without, manner);
        }
        Some(Command::Runs { hand_on: Some(to), run, .. }) => {
            cli::hand_on::hand_on(&run, &to)?;
            return Ok(Exit::Proven);
        }
        Some(Command::Runs { json, .. }) => {
            cli::runs::runs(json, manner, &mut out)
        }
        Some(Command::Trace(trace)) => {
            drop(out);
            return cli::trace::trace(&trace, manner);
        }
        Some(Command::Replay(replay)) => {
            drop(out);
            return cli::replay::replay(replay, manner).await;
        }
        Some(Command::Read { topic, questions }) => {
            drop(out);
            let topic = topic.as_deref();
            let ended = cli::read::read(topic, questions, manner)?;
            if let Some(chapter) = ended.chapter {
                cli::progress::note_read(chapter.topic, manner);
            }
            return Ok(ended.exit);
        }
        Some(Command::Hint { target, level }) => {
            cli::hint::hint(target.as_deref(), level, manner, &mut out)?
        }
        Some(Command::Doctor) => {
            return cli::doctor::doctor(manner, &mut out).await;
        }
        Some(Command::Images { what }) => {
            return cli::tidy::images(what, manner, &mut out).await;
        }
        Some(Command::Clean { all }) => {
            return cli::tidy::clean(all, manner, &mut out).await;
        }
        Some(Command::Completions { shell }) => {
            cli::completion::completions(shell, manner.lang, &mut out)
        }
        Some(Command::Man) => cli::completion::man(manner.lang, &mut out),
    };
    match told.and_then(|()| out.flush()) {
        Ok(()) => Ok(Exit::Proven),
        Err(error) => cli::tidy::not_written(&error),
    }
}

/// As if these words had been typed, too.
async fn go_on(words: &[String], manner: Manner) -> Result<Exit, Problem> {
    let words =
        std::iter::once("rmq-lab").chain(words.iter().map(String::as_str));
    match localized::parse(words, manner.lang) {
        Ok(typed) => Box::pin(run(typed, manner)).await,
        Err(error) => Err(localized::refused(&error)),
    }
}

/// Clap's own message, or ours where clap does not speak the language, and
/// our exit code for it.
fn not_understood(error: &clap::Error, lang: Lang) -> ExitCode {
    match (error.kind(), lang) {
        (ErrorKind::DisplayHelp | ErrorKind::DisplayVersion, _) => {
            match error.print() {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => match cli::tidy::not_written(&error) {
                    Ok(exit) => exit.into(),
                    Err(problem) => tell(&problem, lang, false),
                },
            }
        }
        (_, Lang::En) => {
            let _ = error.print();
            Exit::Usage.into()
        }
        (_, Lang::Zh) => {
            let color = io::stderr().is_terminal() && color_is_welcome();
            tell(&localized::refused(error), lang, color)
        }
    }
}

fn tell(problem: &Problem, lang: Lang, color: bool) -> ExitCode {
    let told = error_lines(&problem.error, &problem.help, lang, color);
    // Where stderr is closed nobody listens; the exit code still tells.
    let _ = io::stderr().write_all(told.as_bytes());
    problem.exit.into()
}

fn manner(when: When, lang: Lang) -> Manner {
    let wanted = color_is_welcome();
    let color = |terminal: bool| match when {
        When::Always => true,
        When::Never => false,
        When::Auto => terminal && wanted,
    };
    Manner {
        lang,
        color: color(io::stdout().is_terminal()),
        color_errors: color(io::stderr().is_terminal()),
    }
}

/// Whether the environment has nothing against colour.
fn color_is_welcome() -> bool {
    // no-color.org: present and not empty.
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Logs go to stderr, and only when they are asked for.
fn listen_to_rust_log() {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_default_env() {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .try_init();
    }
}
