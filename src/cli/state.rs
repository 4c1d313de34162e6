//! Where runs are recorded: one directory a run, the last twenty kept.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;

use super::named_state;
use crate::{
    lab::trouble::another_directory,
    narrate::Record,
    problem::{Problem, reason},
    stage::{RunId, reap::Owner},
    text,
};

const KEPT: usize = 20;
/// A run of 200 messages writes about this much; found out before a broker
/// is started for it.
const ROOM: usize = 2 * 1024 * 1024;

/// One run's directory.
pub struct RunDir {
    /// `record.jsonl`, and the broker's log where something went wrong.
    pub home: PathBuf,
    /// Files of the ways, removed with this.
    pub work: PathBuf,
}

impl Drop for RunDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.work);
        let _ = fs::remove_file(self.home.join(OWNER));
    }
}

const OWNER: &str = "owner";

impl RunDir {
    /// Makes the directory of a run, and sees that there is room in it.
    ///
    /// # Errors
    /// A [`Problem`] when it cannot be written to.
    pub fn make(run: &RunId) -> Result<Self, Problem> {
        let root = root();
        let home = root.join("runs").join(run.as_str());
        let work = home.join("work");
        let made = || -> io::Result<()> {
            fs::create_dir_all(&work)?;
            fs::write(home.join(OWNER), Owner::this().to_string())?;
            fs::write(work.join("room"), vec![0; ROOM])?;
            fs::remove_file(work.join("room"))
        };
        if let Err(error) = made() {
            let _ = fs::remove_dir_all(&home);
            return Err(cannot_write(&root, &error));
        }
        forget_old(&root.join("runs"));
        Ok(Self { home, work })
    }

    /// Begins the record of the run.
    ///
    /// # Errors
    /// A [`Problem`] when it cannot be written.
    pub fn record(&self) -> Result<(Record, PathBuf), Problem> {
        let path = self.home.join("record.jsonl");
        let record =
            Record::create(&path).map_err(|e| cannot_write(&path, &e))?;
        Ok((record, path))
    }
}

/// The lab's own directory: `RMQ_LAB_STATE`, else the platform's.
pub fn root() -> PathBuf {
    if let Some(named) = named_state() {
        return named;
    }
    match etcetera::choose_base_strategy() {
        Ok(base) => {
            base.state_dir().unwrap_or_else(|| base.data_dir()).join("rmq-lab")
        }
        Err(_) => std::env::temp_dir().join("rmq-lab"),
    }
}

/// The file of progress: in `RMQ_LAB_STATE`, else with the platform's data.
/// It outlasts the records of runs.
pub fn progress_file() -> PathBuf {
    let home = named_state().or_else(|| {
        let base = etcetera::choose_base_strategy().ok()?;
        Some(base.data_dir().join("rmq-lab"))
    });
    let home = home.unwrap_or_else(|| std::env::temp_dir().join("rmq-lab"));
    home.join("progress.json")
}

/// That the state directory cannot be written to.
pub fn cannot_write(path: &Path, error: &io::Error) -> Problem {
    let path = path.display();
    let problem = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => text! {
            en: "the disk is full: no room for the run in {path}",
            zh: "磁盘已满：{path} 放不下这次运行",
            path = path
        },
        _ => {
            return Problem::environment(text! {
                en: "cannot write to the state directory {path}: {said}",
                zh: "无法写入状态目录 {path}：{said}",
                path = path, said = reason(error)
            })
            .help(text! {
                en: "name another directory: RMQ_LAB_STATE=/path",
                zh: "换一个目录：RMQ_LAB_STATE=/path"
            });
        }
    };
    Problem::environment(problem).help(another_directory())
}

/// Keeps the newest runs, and takes the work files of runs that were killed.
fn forget_old(runs: &Path) {
    let Ok(entries) = fs::read_dir(runs) else { return };
    let mut all: Vec<_> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    all.sort();
    let newest = all.len().saturating_sub(KEPT);
    for (place, (_, path)) in all.iter().enumerate() {
        let owner = fs::read_to_string(path.join(OWNER)).ok();
        let owner: Option<Owner> = owner.and_then(|owner| owner.parse().ok());
        let orphan = owner.as_ref().is_some_and(Owner::is_gone);
        if orphan {
            let _ = fs::remove_dir_all(path.join("work"));
            let _ = fs::remove_file(path.join(OWNER));
        }
        if place < newest && (owner.is_none() || orphan) {
            let _ = fs::remove_dir_all(path);
        }
    }
}
