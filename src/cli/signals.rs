//! SIGINT, SIGTERM and SIGHUP: a run that is told to end removes what it
//! started.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    problem::{Exit, Problem},
    text,
};

/// The signals that end a run.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// A [`Problem`] when the system does not let us.
    pub fn listen() -> Result<Self, Problem> {
        let listen = |kind| {
            signal(kind).map_err(|e| {
                Problem::environment(text! {
                    en: "cannot listen for signals: {e}", zh: "无法监听信号：{e}", e = e
                })
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// The next one, as the exit code it stands for.
    pub async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
            _ = self.hang_up.recv() => Exit::HungUp,
        }
    }
}
