//! A conversation with the program at a terminal (`script`'s): something is
//! typed when something was heard.

use std::{
    io::{Read, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::shared::binary;

/// Longer than anything takes that is waited for here.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program behind a terminal of 80 columns.
pub struct Conversation {
    child: Child,
    keys: Option<ChildStdin>,
    told: Arc<(Mutex<String>, Condvar)>,
    /// Up to where it was listened to.
    at: usize,
}

impl Conversation {
    /// `rmq-lab` with these words. When it has ended, the terminal says
    /// `set back` if it is what it was before.
    pub fn with(words: &str, state: &Path) -> Result<Self, String> {
        let line = "trap : INT; stty cols 80 rows 40; before=$(stty -g); \
                    \"$@\"; code=$?; test \"$before\" = \"$(stty -g)\" && \
                    echo set back; exit $code";
        let program = binary();
        let inner =
            format!("sh -c '{line}' sh '{}' {words}", program.display());
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", &inner, "/dev/null"])
            .env("RMQ_LAB_STATE", state)
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("script: {e}"))?;
        let keys = child.stdin.take();
        let told = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let mut stdout = child.stdout.take().ok_or("no stdout")?;
        let hearing = told.clone();
        thread::spawn(move || {
            let (mut bytes, mut held) = ([0; 4096], Vec::new());
            while let Ok(read @ 1..) = stdout.read(&mut bytes) {
                held.extend_from_slice(&bytes[..read]);
                // A character may come in two pieces.
                let whole = String::from_utf8_lossy(&held).replace('\r', "");
                *lock(&hearing.0) = whole;
                hearing.1.notify_all();
            }
        });
        Ok(Self { child, keys, told, at: 0 })
    }

    /// Waits until it says this, after what was heard before.
    pub fn hears(mut self, what: &str) -> Result<Self, String> {
        let deadline = Instant::now() + PATIENCE;
        let (told, news) = &*self.told.clone();
        let mut told = lock(told);
        loop {
            let rest = told.get(self.at..).unwrap_or_default();
            if let Some(place) = rest.find(what) {
                self.at += place + what.len();
                return Ok(self);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("{what:?} was not heard in\n{told}"));
            }
            told = news
                .wait_timeout(told, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Types these keys.
    pub fn types(mut self, keys: &str) -> Result<Self, String> {
        let to = self.keys.as_mut().ok_or("nobody types any more")?;
        to.write_all(keys.as_bytes()).map_err(|e| e.to_string())?;
        to.flush().map_err(|e| e.to_string())?;
        Ok(self)
    }

    /// Types no more: the end of input.
    pub fn leaves(mut self) -> Self {
        self.keys = None;
        self
    }

    /// Waits for its end, with this code, and the terminal set back.
    pub fn ends(mut self, code: i32) -> Result<(), String> {
        self = self.hears("set back\n")?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let ended = self.child.try_wait().map_err(|e| e.to_string())?;
            if let Some(status) = ended {
                return match status.code() == Some(code) {
                    true => Ok(()),
                    false => Err(format!("{status}, not {code}")),
                };
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err("it did not end".to_owned())
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lock(told: &Mutex<String>) -> MutexGuard<'_, String> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}
