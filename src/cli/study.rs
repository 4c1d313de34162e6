//! What quiz, interview and reset have in common: the desk at which a person
//! is asked, the deck of cards, and how a session ends.

pub mod answer;
pub mod deck;
pub mod desk;
pub mod keyboard;

use std::io::{self, IsTerminal, Write};

use super::{Manner, signals::Signals, tidy};
use crate::{
    problem::{Exit, Problem},
    text,
    text::Text,
};
use desk::Desk;
use keyboard::Keyboard;

/// Why a session broke off.
#[derive(Debug)]
pub enum Stop {
    /// The terminal went away.
    Io(io::Error),
    /// Something that a person has to know.
    Problem(Problem),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// How a session ended.
pub enum Left<T> {
    /// By itself.
    Done(T),
    /// From outside: a signal, or nobody reads any more.
    Exit(Exit),
}

/// A question where nobody can answer would hang for ever.
///
/// # Errors
/// A usage [`Problem`] where there is no terminal, with what works there.
pub fn needs_a_terminal(command: &str, instead: Text) -> Result<(), Problem> {
    if is_at_a_terminal() {
        return Ok(());
    }
    Err(Problem::usage(text! {
        en: "{command} needs a terminal: nobody could press a key here",
        zh: "{command} 需要终端：这里没人能按键",
        command = command
    })
    .help(instead))
}

/// Whether somebody can be asked.
pub fn is_at_a_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Holds a session with the person at the terminal, which is afterwards what
/// it was before, whatever happens. Who stops it is told what became of it.
///
/// # Errors
/// What the session says, and a terminal that cannot be set.
pub async fn at_desk<T: Send + 'static>(
    manner: Manner,
    stopped: Text,
    session: impl FnOnce(&mut Desk<'_>) -> Result<T, Stop> + Send + 'static,
) -> Result<Left<T>, Problem> {
    let mut signals = Signals::listen()?;
    let mut keyboard = Keyboard::open()?;
    let mode = keyboard.mode();
    let session = tokio::task::spawn_blocking(move || {
        let mut out = io::stdout();
        session(&mut Desk::new(&mut keyboard, &mut out, manner))
    });
    tokio::select! {
        ended = session => match ended {
            Ok(Ok(done)) => Ok(Left::Done(done)),
            Ok(Err(Stop::Io(error))) => {
                tidy::not_written(&error).map(Left::Exit)
            }
            Ok(Err(Stop::Problem(problem))) => Err(problem),
            Err(failed) => Err(Problem::environment(text! {
                en: "the lab itself failed, which is a bug: {failed}",
                zh: "实验室自身出错，这是一个 bug：{failed}",
                failed = failed
            })),
        },
        exit = signals.next() => {
            mode.restore();
            let _ = writeln!(io::stderr(), "\n {}", stopped.say(manner.lang));
            Ok(Left::Exit(exit))
        }
    }
}

/// Where no card can be turned, all of them can be read.
pub const TO_BE_READ: Text = text! {
    en: "without one: rmq-lab read TOPIC --questions",
    zh: "没有终端时可用：rmq-lab read TOPIC --questions"
};

/// Of a session whose every answer was kept at once.
pub const ANSWERS_ARE_KEPT: Text = text! {
    en: "stopped; what was answered is kept", zh: "已中断；答过的都记下了"
};
