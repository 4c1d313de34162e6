//! One call of the program, and what is expected of it, as a sentence.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;

use super::running::{self, Ended, Running, belongings, runs_in};
use crate::shared::binary;

/// What belongs to the person who runs the tests, and not to a trial.
const NOT_OURS: &[&str] = &[
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_MESSAGES",
    "LESS",
    "NO_COLOR",
    "PAGER",
    "RMQ_LAB_IMAGE_RABBITMQ_3",
    "RMQ_LAB_IMAGE_RABBITMQ_4",
    "RMQ_LAB_IMAGE_REDIS",
    "RMQ_LAB_IMAGE_TOOLS",
    "RUST_LOG",
    "TERM",
];

/// Nobody should have to read this.
const MACHINE_WORDS: &[&str] = &[
    "panicked",
    "RUST_BACKTRACE",
    "stack backtrace",
    "Err(",
    "Some(",
    "Error {",
    "(os error",
    "hyper",
    "bollard",
    "testcontainers",
    "Caused by",
];

/// Where stdout goes.
enum Out {
    Heard,
    /// To nobody: the reader has gone before the first word.
    Closed,
    /// To one who goes after the first line.
    OneLine,
    /// To a disk that is full.
    Full,
}

type Look = Box<dyn Fn(&Ended) -> Result<(), String> + Send>;

/// A call of the program.
#[must_use]
pub struct Asked {
    through: Vec<String>,
    program: PathBuf,
    words: Vec<String>,
    findings: bool,
    env: Vec<(String, Option<String>)>,
    out: Out,
    within: Duration,
    exits: i32,
    /// Whether what is expected next is expected on stderr.
    stderr: bool,
    looks: Vec<Look>,
    /// What must live as long as the call.
    kept: Vec<Box<dyn Send>>,
}

impl Asked {
    /// `rmq-lab` with these words.
    pub fn to(words: &str) -> Self {
        Self {
            through: Vec::new(),
            program: binary(),
            findings: false,
            words: words.split_whitespace().map(str::to_owned).collect(),
            env: Vec::new(),
            out: Out::Heard,
            within: Duration::from_secs(30),
            exits: 0,
            stderr: false,
            looks: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// And a word that is not parted at its spaces.
    pub fn word(mut self, word: &str) -> Self {
        self.words.push(word.to_owned());
        self
    }

    /// With this in the environment.
    pub fn with(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        let value = value.as_ref().to_string_lossy().into_owned();
        self.env.push((name.to_owned(), Some(value)));
        self
    }

    /// And without that.
    pub fn without(mut self, name: &str) -> Self {
        self.env.push((name.to_owned(), None));
        self
    }

    /// By another program, which becomes ours.
    pub fn through<'a>(
        mut self,
        words: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        self.through.extend(words.into_iter().map(str::to_owned));
        self
    }

    /// From another place than where it was built.
    pub fn program(mut self, program: PathBuf) -> Self {
        self.program = program;
        self
    }

    /// What is amiss is found, and no error: it is told on stdout, and the
    /// exit code agrees.
    pub fn whose_findings_decide(mut self) -> Self {
        self.findings = true;
        self
    }

    /// At a terminal of so many columns.
    pub fn at_a_terminal(self, columns: u16) -> Self {
        // The words come back as arguments of a shell, so they need no
        // quoting as long as they are plain.
        let line = format!("stty cols {columns} rows 24; exec \"$0\" \"$@\"");
        let quoted = |word: &str| format!("'{}'", word.replace('\'', r"'\''"));
        let program = quoted(&self.program.to_string_lossy());
        let words: Vec<_> = self.words.iter().map(|w| quoted(w)).collect();
        let inner =
            format!("sh -c {} {program} {}", quoted(&line), words.join(" "));
        let mut asked = self.through(["script", "--quiet", "--return"]);
        asked = asked.through(["--command", &inner, "/dev/null"]);
        asked.words.clear();
        asked
    }

    /// With stdout closed before the first word.
    pub fn read_by_nobody(mut self) -> Self {
        self.out = Out::Closed;
        self
    }

    /// With a reader that goes after the first line.
    pub fn read_by_head(mut self) -> Self {
        self.out = Out::OneLine;
        self
    }

    /// With stdout on a disk that is full.
    pub fn onto_a_full_disk(mut self) -> Self {
        self.out = Out::Full;
        self
    }

    /// Not longer than this, where half a minute is too short.
    pub fn within(mut self, seconds: u64) -> Self {
        self.within = Duration::from_secs(seconds);
        self
    }

    /// Something that must be there until it ends.
    pub fn while_there_is(mut self, kept: impl Send + 'static) -> Self {
        self.kept.push(Box::new(kept));
        self
    }

    /// Ends with this exit code.
    pub fn exits(mut self, code: i32) -> Self {
        self.exits = code;
        self
    }

    /// Says this on stderr.
    pub fn says_on_stderr(mut self, what: &str) -> Self {
        self.stderr = true;
        self.and(what)
    }

    /// Says this on stdout.
    pub fn says(mut self, what: &str) -> Self {
        self.stderr = false;
        self.and(what)
    }

    /// Says this too, in the same place.
    pub fn and(self, what: &str) -> Self {
        let (what, stderr) = (what.to_owned(), self.stderr);
        self.looks_like(move |ended| {
            let (told, place) = match stderr {
                true => (&ended.stderr, "stderr"),
                false => (&ended.stdout, "stdout"),
            };
            match told.contains(&what) {
                true => Ok(()),
                false => Err(format!("{place} does not say {what:?}")),
            }
        })
    }

    /// Says nothing on stdout.
    pub fn says_nothing(self) -> Self {
        self.looks_like(|ended| match ended.stdout.is_empty() {
            true => Ok(()),
            false => Err("something on stdout".to_owned()),
        })
    }

    /// Passes this look at all that it said.
    pub fn looks_like(
        mut self,
        look: impl Fn(&Ended) -> Result<(), String> + Send + 'static,
    ) -> Self {
        self.looks.push(Box::new(look));
        self
    }

    /// As a trial with this name.
    pub fn named(self, name: &str) -> Trial {
        Trial::test(format!("cli::{name}"), move || self.find_out())
    }

    fn find_out(self) -> Result<(), Failed> {
        let state = tempfile::tempdir()?;
        let (command, line) = self.command(&state)?;
        let mut running = Running::start(command)?;
        let pid = running.pid();
        if matches!(self.out, Out::OneLine) {
            running.first_line(self.within)?;
            running.stop_listening();
        }
        let ended = running.end(self.within);
        let ended = ended.map_err(|why| format!("{line}\n{why}"))?;
        let told = |why: String| {
            let (stdout, stderr) = (short(&ended.stdout), &ended.stderr);
            format!("{why}\n$ {line}\n{stdout}--- stderr\n{stderr}---")
        };
        self.judge(&ended).map_err(told)?;
        let runs = self.state(&state).map(|state| runs_in(&state));
        let left = belongings(pid, &runs.unwrap_or_default())?;
        match left.is_empty() {
            true => Ok(()),
            false => Err(told(format!("left behind: {left:?}")).into()),
        }
    }

    fn command(&self, state: &TempDir) -> io::Result<(Command, String)> {
        let program = self.program.clone();
        let words: Vec<PathBuf> = match self.through.first() {
            // A terminal has the words in its own.
            Some(first) if first == "script" => {
                self.through.iter().map(PathBuf::from).collect()
            }
            _ => {
                let through = self.through.iter().map(PathBuf::from);
                let own = self.words.iter().map(PathBuf::from);
                through.chain([program]).chain(own).collect()
            }
        };
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        for name in NOT_OURS {
            command.env_remove(name);
        }
        command.env("RMQ_LAB_STATE", state.path()).env("TERM", "xterm");
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        match self.out {
            Out::Heard | Out::OneLine => command.stdout(Stdio::piped()),
            Out::Full => {
                let full = File::options().write(true).open("/dev/full")?;
                command.stdout(full)
            }
            Out::Closed => {
                let (reader, writer) = io::pipe()?;
                drop(reader);
                command.stdout(writer)
            }
        };
        let named = self.env.iter().map(|(name, value)| {
            format!("{name}={} ", value.as_deref().unwrap_or("(unset)"))
        });
        let line = words.iter().map(|word| word.to_string_lossy());
        let line = line.collect::<Vec<_>>().join(" ");
        Ok((command, named.collect::<String>() + &line))
    }

    /// The state directory that the call really has.
    fn state(&self, state: &TempDir) -> Option<PathBuf> {
        let named = self.env.iter().rev().find(|e| e.0 == "RMQ_LAB_STATE");
        match named {
            Some((_, value)) => value.as_ref().map(PathBuf::from),
            None => Some(state.path().to_owned()),
        }
    }

    fn judge(&self, ended: &running::Ended) -> Result<(), String> {
        let exits = match ended.stdout.contains("✗ amiss") {
            true if self.findings => 3,
            _ => self.exits,
        };
        if ended.status.code() != Some(exits) {
            return Err(format!("{}, not {exits}", ended.status));
        }
        let at_a_terminal =
            self.through.first().is_some_and(|first| first == "script");
        // Code that is shown may say what it likes.
        let shows = ["show", "read"];
        let code = self.words.first().is_some_and(|w| shows.contains(&&**w));
        let stdout = if code { "" } else { &ended.stdout };
        for told in [stdout, &ended.stderr] {
            let word = MACHINE_WORDS.iter().find(|w| told.contains(**w));
            if let Some(word) = word {
                return Err(format!("a machine's word: {word}"));
            }
        }
        match self.exits {
            // The pseudo-terminal has one stream only.
            _ if at_a_terminal => {}
            3 | 64 if !self.findings => one_clear_sentence(&ended.stderr)?,
            // A record that breaks off says so; a verdict stands on stdout.
            2 if !ended.stderr.is_empty() => {
                one_clear_sentence(&ended.stderr)?;
            }
            _ if !ended.stderr.is_empty() => {
                return Err("something on stderr".to_owned());
            }
            _ => {}
        }
        self.looks.iter().try_for_each(|look| look(ended))
    }
}

/// `error: …` once, at the beginning, and help that is to be typed.
fn one_clear_sentence(stderr: &str) -> Result<(), String> {
    let is_error =
        |line: &&str| line.starts_with("error: ") || line.starts_with("错误: ");
    let mut lines = stderr.lines().peekable();
    let first = lines.next().unwrap_or_default();
    if !is_error(&first) {
        return Err("stderr does not begin with the error".to_owned());
    }
    // Clap puts what is missing below, one a line.
    let goes_on = lines.peek().is_some_and(|line| line.starts_with("  "));
    if lines.any(|line| is_error(&line)) {
        return Err("more than one error".to_owned());
    }
    let stops = first.ends_with(['.', '。', ' ']);
    let breaks_off = first.ends_with([':', '：']) && !goes_on;
    if stops || breaks_off || first.contains("  ") {
        return Err(format!("no clear sentence: {first:?}"));
    }
    Ok(())
}

/// What a person can look through.
fn short(told: &str) -> String {
    let lines: Vec<_> = told.split_inclusive('\n').collect();
    match lines.len() {
        0..=60 => told.to_owned(),
        all => {
            let (head, tail) = (&lines[..30], &lines[all - 30..]);
            let left_out = format!("... {} lines ...\n", all - 60);
            [&head.concat(), &left_out, &tail.concat()]
                .map(String::as_str)
                .concat()
        }
    }
}

/// The events of `--json`.
pub fn events(ended: &Ended) -> Result<Vec<serde_json::Value>, String> {
    let lines = ended.stdout.lines();
    let events = lines.map(|line| {
        serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))
    });
    events.collect()
}
