//! The peers written in Python, each a process of its own.

use std::{
    io,
    path::{Path, PathBuf},
    process::Output,
};

use anyhow::{Context, bail, ensure};
use tokio::process::Command;

use crate::{Load, Outcome};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");
const VENV: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/peers-venv");
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// A Python that has the peers' packages.
pub struct Python(PathBuf);

impl Python {
    /// Makes a virtual environment, unless the one of the last time is as
    /// the requirements have it.
    pub async fn set_up() -> anyhow::Result<Self> {
        let venv = Path::new(VENV);
        let python = venv.join("bin/python");
        // Written last: what is there without it was left half done.
        let done = venv.join("requirements.txt");
        if std::fs::read_to_string(&done).ok().as_deref() == Some(REQUIREMENTS)
        {
            return Ok(Self(python));
        }
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear", VENV]);
        run(make).await.context(
            "no virtual environment (on Debian: apt install python3-venv)",
        )?;
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet"]);
        install.args(["--disable-pip-version-check", "-r"]);
        install.arg(Path::new(SCRIPTS).join("requirements.txt"));
        run(install).await.context("pip could not install the peers")?;
        std::fs::write(done, REQUIREMENTS)?;
        Ok(Self(python))
    }

    /// Its own version.
    pub async fn version(&self) -> anyhow::Result<String> {
        let mut ask = Command::new(&self.0);
        ask.arg("--version");
        Ok(run(ask).await?.trim().to_owned())
    }

    /// Has a script publish.
    pub async fn publish(
        &self,
        script: &str,
        uri: &str,
        load: &Load,
    ) -> anyhow::Result<Outcome> {
        let mut publish = Command::new(&self.0);
        publish
            .arg(Path::new(SCRIPTS).join(script))
            .arg(load.queue)
            .args(
                [load.messages, load.size, load.window].map(|n| n.to_string()),
            )
            // Not as an argument: those are everybody's to read.
            .env("PEER_URI", uri);
        let told = run(publish).await?;
        let read = || {
            let (confirmed, seconds) = told.trim().split_once(' ')?;
            Some(Outcome {
                confirmed: confirmed.parse().ok()?,
                seconds: seconds.parse().ok()?,
            })
        };
        read().with_context(|| format!("{script} said {told:?}"))
    }
}

/// The version that the requirements pin.
pub fn pinned(package: &str) -> &'static str {
    let pins = REQUIREMENTS.lines().filter_map(|pin| pin.split_once("=="));
    pins.into_iter().find(|pin| pin.0 == package).map_or("?", |pin| pin.1)
}

/// Runs it to its end. It does not outlive the bench.
async fn run(mut command: Command) -> anyhow::Result<String> {
    let program = command.as_std().get_program().display().to_string();
    let ended = command.kill_on_drop(true).output().await;
    let Output { status, stdout, stderr } = match ended {
        Ok(output) => output,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            bail!("{program} is not installed")
        }
        Err(error) => return Err(error).context(program),
    };
    let stderr = String::from_utf8_lossy(&stderr);
    let why = stderr.lines().rfind(|line| !line.trim().is_empty());
    ensure!(status.success(), "{program}: {}", why.unwrap_or("it failed"));
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}
