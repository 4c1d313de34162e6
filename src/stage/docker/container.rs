//! A container that a run made: what it says, and what it is told to do.

use std::sync::Arc;

use testcontainers::{
    ContainerAsync, GenericImage,
    core::{CmdWaitFor, ExecCommand},
};

use super::failed;
use crate::problem::Problem;

/// A container of a run. Cheap to clone; removed with the run.
#[derive(Clone)]
pub struct Container(Arc<Guard>);

/// Testcontainers removes a container when its handle is dropped, and panics
/// where no runtime is there to do it with.
struct Guard(Option<ContainerAsync<GenericImage>>);

impl Container {
    /// The container's id.
    pub fn id(&self) -> &str {
        self.0.0.as_ref().map_or("", |container| container.id())
    }

    /// Whether it runs.
    pub async fn is_running(&self) -> bool {
        match &self.0.0 {
            Some(container) => container.is_running().await.unwrap_or(false),
            None => false,
        }
    }

    /// What it wrote so far: stdout, then stderr.
    pub async fn log(&self) -> String {
        let Some(container) = &self.0.0 else { return String::new() };
        let mut log = container.stdout_to_vec().await.unwrap_or_default();
        log.extend(container.stderr_to_vec().await.unwrap_or_default());
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Runs a command in it and returns what that wrote to stdout.
    ///
    /// # Errors
    /// What Docker says; a command that fails is told by its output.
    pub async fn exec(&self, command: &[&str]) -> Result<String, Problem> {
        let Some(container) = &self.0.0 else { return Ok(String::new()) };
        let command = [&["sh", "-c", TELLS_WHY, "sh"], command].concat();
        let command = ExecCommand::new(command)
            .with_cmd_ready_condition(CmdWaitFor::Nothing);
        let mut run = container.exec(command).await.map_err(|e| failed(&e))?;
        let told = run.stdout_to_vec().await.map_err(|e| failed(&e))?;
        Ok(String::from_utf8_lossy(&told).into_owned())
    }
}

impl From<ContainerAsync<GenericImage>> for Container {
    fn from(container: ContainerAsync<GenericImage>) -> Self {
        Self(Arc::new(Guard(Some(container))))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if tokio::runtime::Handle::try_current().is_err() {
            std::mem::forget(self.0.take());
        }
    }
}

/// Runs a command; if that fails, what it said on stderr is told as well. (If
/// it does not, warnings there are no answer.)
const TELLS_WHY: &str =
    "why=$(mktemp); \"$@\" 2> \"$why\" || cat \"$why\"; rm -f \"$why\"";
