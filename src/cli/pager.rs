//! A long text at a terminal goes through the person's pager, as git's does:
//! `$PAGER`, or `less -FRX`; none where nobody could press a key.

use std::{
    env,
    ffi::OsString,
    io::{self, IsTerminal, Write},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tokio::signal::unix::{SignalKind, signal};

use super::tidy;
use crate::problem::{Exit, Problem};

/// What a shell says when there is no such program.
const NOT_FOUND: [i32; 2] = [126, 127];

/// What `less` does unless the person says otherwise.
const LESS: &str = "FRX";

/// The first `less` that passes links on, with `-R`.
const LESS_WITH_LINKS: u32 = 566;

/// SIGINT.
const INTERRUPT: i32 = 2;

/// Where a long text goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// To whoever reads the pipe, or into a file.
    Pipe,
    /// Onto the terminal, as it is.
    Terminal,
    /// Through this command.
    Pager(String),
}

/// How a text arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// How to end.
    pub exit: Exit,
    /// How it was seen.
    pub seen: Seen,
}

/// How a text was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Not by a person at this terminal, as far as is known.
    Elsewhere,
    /// As it is, on the terminal.
    Shown,
    /// In a pager, which was open so long.
    Paged(Duration),
}

impl Way {
    /// The way from here.
    pub fn from_here() -> Self {
        Self::choose(io::stdout().is_terminal(), |name| env::var_os(name))
    }

    /// The way from here; that of a pipe for what a program is to read.
    pub fn of(json: bool) -> Self {
        match json {
            true => Self::Pipe,
            false => Self::from_here(),
        }
    }

    fn choose(terminal: bool, get: impl Fn(&str) -> Option<OsString>) -> Self {
        if !terminal {
            return Self::Pipe;
        }
        if get("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
            return Self::Terminal;
        }
        let Some(pager) = get("PAGER") else {
            return Self::Pager("less".to_owned());
        };
        match pager.to_string_lossy().trim() {
            "" | "cat" => Self::Terminal,
            other => Self::Pager(other.to_owned()),
        }
    }

    /// Whether a link arrives alive: the terminal is known to follow it, and
    /// nothing that might not pass it on lies in between.
    pub fn has_links(&self) -> bool {
        let get = |name: &str| env::var_os(name);
        match self {
            Self::Pipe => false,
            Self::Terminal => follows_links(get),
            Self::Pager(pager) => {
                follows_links(get)
                    && raw_less(pager, get).is_some_and(|less| {
                        version_of(less) >= Some(LESS_WITH_LINKS)
                    })
            }
        }
    }

    /// Sends the text on its way, and tells how to end. A pager that is left
    /// early is no error; one that does not exist is done without. So is a
    /// reader of our output who has gone away.
    ///
    /// # Errors
    /// A [`Problem`] when it cannot be written.
    pub fn send(&self, text: &str) -> Result<Sent, Problem> {
        self.put(text).or_else(|error| {
            let exit = tidy::not_written(&error)?;
            Ok(Sent { exit, seen: Seen::Elsewhere })
        })
    }

    fn put(&self, text: &str) -> io::Result<Sent> {
        if let Self::Pager(pager) = self {
            let began = Instant::now();
            let ended = through(pager, text);
            let seen = Seen::Paged(began.elapsed());
            match ended {
                Ok(status) if status.signal() == Some(INTERRUPT) => {
                    return Ok(Sent { exit: Exit::Interrupted, seen });
                }
                Ok(status)
                    if !status
                        .code()
                        .is_some_and(|code| NOT_FOUND.contains(&code)) =>
                {
                    return Ok(Sent { exit: Exit::Proven, seen });
                }
                // Not found, or no shell either.
                _ => {}
            }
        }
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())?;
        let seen = match self {
            Self::Pipe => Seen::Elsewhere,
            Self::Terminal | Self::Pager(_) => Seen::Shown,
        };
        Ok(Sent { exit: Exit::Proven, seen })
    }
}

fn through(pager: &str, text: &str) -> io::Result<ExitStatus> {
    // Ctrl-C is the pager's while it runs: without us it would fight the
    // shell for the terminal.
    let _ignored = signal(SignalKind::interrupt());
    let mut command = Command::new("sh");
    command.arg("-c").arg(pager).stdin(Stdio::piped());
    let defaults = [("LESS", LESS), ("LV", "-c"), ("LESSCHARSET", "utf-8")];
    for (name, value) in defaults {
        if env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // Whoever has read enough closes it.
        let _ = stdin.write_all(text.as_bytes());
    }
    child.wait()
}

/// The program of a pager that is `less -R`, by its options or the person's.
fn raw_less(
    pager: &str,
    get: impl Fn(&str) -> Option<OsString>,
) -> Option<&str> {
    let less = pager.split_whitespace().next()?;
    let words = pager.split_whitespace().skip(1);
    let own = get("LESS").unwrap_or_else(|| LESS.into());
    let own = own.to_string_lossy();
    let mut options =
        own.split_whitespace().chain(words).filter(|o| !o.starts_with("--"));
    let is_less = Path::new(less).file_name().is_some_and(|n| n == "less");
    (is_less && options.any(|option| option.contains('R'))).then_some(less)
}

/// The version that a `less` says it has.
fn version_of(less: &str) -> Option<u32> {
    let told = Command::new(less).arg("--version").output().ok()?;
    version(&String::from_utf8_lossy(&told.stdout))
}

/// `less 590 (GNU regular expressions)`, `less 581.2 …`.
fn version(told: &str) -> Option<u32> {
    let number = told.strip_prefix("less ")?;
    let end = number.find(|c: char| !c.is_ascii_digit());
    number[..end.unwrap_or(number.len())].parse().ok()
}

/// Whether a terminal is known to follow links (OSC 8).
fn follows_links(get: impl Fn(&str) -> Option<OsString>) -> bool {
    let is = |name: &str, known: &[&str]| {
        get(name).is_some_and(|value| {
            known.iter().any(|one| value.to_string_lossy().starts_with(one))
        })
    };
    // VTE had it from 0.50 on.
    let vte = get("VTE_VERSION")
        .and_then(|version| version.to_string_lossy().parse().ok())
        .is_some_and(|version: u32| version >= 5000);
    let programs = ["iTerm", "WezTerm", "vscode", "ghostty", "Hyper", "Tabby"];
    let terminals = ["xterm-kitty", "xterm-ghostty", "alacritty", "foot"];
    vte || is("TERM_PROGRAM", &programs)
        || is("TERM", &terminals)
        || get("WT_SESSION").is_some()
        || get("KONSOLE_VERSION").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(all: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
        let all: Vec<_> = all
            .iter()
            .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
            .collect();
        move |name| {
            let found = all.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        }
    }

    fn way(terminal: bool, all: &[(&str, &str)]) -> Way {
        Way::choose(terminal, here(all))
    }

    #[test]
    fn a_pager_is_for_a_terminal_on_which_it_works() {
        let less = Way::Pager("less".to_owned());
        assert_eq!(way(true, &[("TERM", "xterm")]), less);
        assert_eq!(way(false, &[("TERM", "xterm")]), Way::Pipe);
        assert_eq!(way(true, &[("TERM", "dumb")]), Way::Terminal);
        assert_eq!(way(true, &[]), Way::Terminal);
    }

    #[test]
    fn the_persons_own_pager_is_honoured_and_so_is_none() {
        let with = |pager| way(true, &[("TERM", "xterm"), ("PAGER", pager)]);
        assert_eq!(with("most -s"), Way::Pager("most -s".to_owned()));
        assert_eq!(with("cat"), Way::Terminal);
        assert_eq!(with(" "), Way::Terminal);
    }

    #[test]
    fn links_live_only_where_that_is_known() {
        assert!(follows_links(here(&[("VTE_VERSION", "7200")])));
        assert!(follows_links(here(&[("TERM", "xterm-kitty")])));
        assert!(follows_links(here(&[("TERM_PROGRAM", "WezTerm")])));
        assert!(!follows_links(here(&[("VTE_VERSION", "4205")])));
        assert!(!follows_links(here(&[("TERM", "xterm-256color")])));
        assert!(!Way::Pipe.has_links());
    }

    #[test]
    fn a_less_says_its_version() {
        assert_eq!(version("less 590 (GNU regular expressions)\n"), Some(590));
        assert_eq!(version("less 581.2 (PCRE2)\nCopyright"), Some(581));
        assert_eq!(version("less 668"), Some(668));
        assert_eq!(version("less: unrecognized option"), None);
        assert_eq!(version("BusyBox v1.36"), None);
        assert_eq!(version(""), None);
    }

    #[test]
    fn only_a_raw_less_passes_links_on() {
        let none = || here(&[]);
        assert_eq!(raw_less("less", none()), Some("less"));
        assert_eq!(raw_less("/usr/bin/less -i", none()), Some("/usr/bin/less"));
        assert_eq!(raw_less("most -R", none()), None);
        let plain = || here(&[("LESS", "-FX")]);
        assert_eq!(raw_less("less", plain()), None);
        assert_eq!(raw_less("less -R", plain()), Some("less"));
        assert_eq!(raw_less("less --RAW", plain()), None);
    }
}
