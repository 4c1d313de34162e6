//! The program while it runs, and what it has on the Docker engine.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use serde_json::Value;

const RUN: &str = "org.rmq-lab.run";
const OWNER: &str = "org.rmq-lab.owner";

/// A process that is listened to. It is ended, and given time to clean up,
/// when a trial gives it up.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
    stderr: Option<JoinHandle<String>>,
}

/// How a process ended, and all that it said.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Running {
    /// Starts it, with nothing to read.
    pub fn start(mut command: Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{command:?}: {e}"))?;
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                let mut stdout = BufReader::new(stdout);
                let mut line = Vec::new();
                while stdout.read_until(b'\n', &mut line).unwrap_or(0) > 0 {
                    let told = String::from_utf8_lossy(&line).into_owned();
                    if sender.send(told).is_err() {
                        break;
                    }
                    line.clear();
                }
            });
        }
        let stderr = child.stderr.take().map(|mut stderr| {
            thread::spawn(move || {
                let mut told = Vec::new();
                let _ = stderr.read_to_end(&mut told);
                String::from_utf8_lossy(&told).into_owned()
            })
        });
        Ok(Self { child, lines, heard: Vec::new(), stderr })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the first line on stdout.
    pub fn first_line(&mut self, limit: Duration) -> Result<(), String> {
        self.next_line(Instant::now() + limit).map(|_| ())
    }

    /// Waits for an event (`--json`) of which this is so.
    pub fn until(
        &mut self,
        what: &str,
        limit: Duration,
        is_so: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        let deadline = Instant::now() + limit;
        loop {
            let line = self.next_line(deadline).map_err(|why| {
                format!("{why} while waiting for {what}\n{}", self.tail())
            })?;
            let event: Value = serde_json::from_str(&line)
                .map_err(|e| format!("no event: {e}: {line}"))?;
            if is_so(&event) {
                return Ok(event);
            }
        }
    }

    fn next_line(&mut self, deadline: Instant) -> Result<String, String> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => {
                self.heard.push(line.clone());
                Ok(line)
            }
            Err(RecvTimeoutError::Timeout) => Err("time ran out".to_owned()),
            Err(RecvTimeoutError::Disconnected) => Err("it ended".to_owned()),
        }
    }

    /// Goes away, as `head` does: what is written next meets a closed pipe.
    pub fn stop_listening(&mut self) {
        let (_, nothing) = channel();
        self.lines = nothing;
    }

    fn tail(&self) -> String {
        let skipped = self.heard.len().saturating_sub(5);
        self.heard[skipped..].concat()
    }

    /// Sends a signal: `INT`, `TERM`, `KILL`.
    pub fn signal(&self, name: &str) -> Result<(), String> {
        signal(&self.pid().to_string(), name)
    }

    /// Sends a signal to its whole process group, as a terminal does.
    pub fn signal_group(&self, name: &str) -> Result<(), String> {
        signal(&format!("-{}", self.pid()), name)
    }

    /// Whether it has told such an event by now.
    pub fn heard(&self, kind: &str) -> bool {
        let tag = format!("\"event\":\"{kind}\"");
        self.heard.iter().any(|line| line.contains(&tag))
    }

    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Waits for its end. One that outlasts `limit` is killed.
    pub fn end(mut self, limit: Duration) -> Result<Ended, String> {
        let began = Instant::now();
        let status = loop {
            if let Some(status) =
                self.child.try_wait().map_err(|e| e.to_string())?
            {
                break status;
            }
            if began.elapsed() > limit {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return Err(format!(
                    "did not end within {limit:?}\n{}",
                    self.tail()
                ));
            }
            // Its output must not stop it.
            while let Ok(line) = self.lines.try_recv() {
                self.heard.push(line);
            }
            sleep(Duration::from_millis(10));
        };
        let took = began.elapsed();
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.next_line(deadline).is_ok() {}
        let stderr = self.stderr.take().map(JoinHandle::join);
        let stderr = stderr.and_then(Result::ok).unwrap_or_default();
        Ok(Ended { status, stdout: self.heard.concat(), stderr, took })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        let _ = self.signal("TERM");
        let began = Instant::now();
        while !self.has_ended() && began.elapsed() < Duration::from_secs(20) {
            while self.lines.try_recv().is_ok() {}
            sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(whom: &str, name: &str) -> Result<(), String> {
    let sent = Command::new("kill")
        .args(["-s", name, "--", whom])
        .status()
        .map_err(|e| format!("kill: {e}"))?;
    match sent.success() {
        true => Ok(()),
        false => Err(format!("cannot send {name} to {whom}")),
    }
}

/// The ids of the runs recorded in a state directory.
pub fn runs_in(state: &Path) -> Vec<String> {
    let Ok(runs) = fs::read_dir(state.join("runs")) else {
        return Vec::new();
    };
    runs.filter_map(Result::ok)
        .map(|run| run.file_name().to_string_lossy().into_owned())
        .collect()
}

/// What a process, or one of these runs, has on the engine: containers and
/// networks by id, and the volumes of those containers.
pub fn belongings(pid: u32, runs: &[String]) -> Result<Vec<String>, String> {
    let format = format!(
        "{{{{.ID}}}}\t{{{{.Label \"{RUN}\"}}}}\t{{{{.Label \"{OWNER}\"}}}}"
    );
    let label = format!("label={RUN}");
    let list = |what: &[&str]| -> Result<Vec<String>, String> {
        let filter = ["--no-trunc", "--filter", &label, "--format", &format];
        let told = docker(&[what, &filter].concat())?;
        let own = told.lines().filter_map(|line| {
            let mut cells = line.split('\t');
            let (id, run, owner) =
                (cells.next()?, cells.next()?, cells.next()?);
            let own = runs.iter().any(|known| known == run)
                || owner.split(' ').next() == Some(pid.to_string().as_str());
            own.then(|| id.to_owned())
        });
        Ok(own.collect())
    };
    let containers = list(&["ps", "--all"])?;
    let mut all = list(&["network", "ls"])?;
    for container in &containers {
        let volumes = "{{range .Mounts}}{{println .Name}}{{end}}";
        // Gone in between: then it has no volumes any more.
        let told = docker(&["inspect", "--format", volumes, container]);
        let told = told.unwrap_or_default();
        all.extend(told.split_whitespace().map(str::to_owned));
    }
    all.extend(containers);
    Ok(all)
}

/// Which of these containers, networks and volumes are still there.
pub fn still_there(ids: &[String]) -> Result<Vec<String>, String> {
    let all = [
        docker(&["ps", "--all", "--quiet", "--no-trunc"])?,
        docker(&["network", "ls", "--quiet", "--no-trunc"])?,
        docker(&["volume", "ls", "--quiet"])?,
    ]
    .concat();
    Ok(ids.iter().filter(|id| all.contains(*id)).cloned().collect())
}

/// Processes that know of this (where there is a /proc to ask).
pub fn with_in_their_environment(what: &str) -> Vec<String> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes
        .filter_map(Result::ok)
        .filter(|process| {
            let environ = fs::read(process.path().join("environ"));
            let environ = environ.unwrap_or_default();
            String::from_utf8_lossy(&environ).contains(what)
        })
        .map(|process| process.file_name().to_string_lossy().into_owned())
        .collect()
}

fn docker(arguments: &[&str]) -> Result<String, String> {
    let done = Command::new("docker")
        .args(arguments)
        .output()
        .map_err(|e| format!("these trials need the docker command: {e}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    Err(format!("these trials need a Docker engine: {said}"))
}
