//! Where runs are recorded: one directory a run, the last twenty kept, and
//! no more than 200 MiB of them.

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
/// What all of them may take. The run before is kept whatever its size.
const KEPT_BYTES: u64 = 200 * 1024 * 1024;
/// The record in a run's directory.
pub const RECORD: &str = "record.jsonl";
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
        let home = runs().join(run.as_str());
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
        forget_old(&runs(), KEPT, KEPT_BYTES);
        Ok(Self { home, work })
    }

    /// Begins the record of the run.
    ///
    /// # Errors
    /// A [`Problem`] when it cannot be written.
    pub fn record(&self) -> Result<(Record, PathBuf), Problem> {
        let path = self.home.join(RECORD);
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
        Err(_) => homeless(),
    }
}

/// Where no home is known. Of this user alone: others write there, too.
fn homeless() -> PathBuf {
    let user = rustix::process::getuid().as_raw();
    std::env::temp_dir().join(format!("rmq-lab-{user}"))
}

/// Where the runs' directories are.
pub fn runs() -> PathBuf {
    root().join("runs")
}

/// Whether the run in this directory still goes on, as far as can be known.
pub fn goes_on(home: &Path) -> bool {
    owner(home).is_some_and(|owner| !owner.is_gone())
}

fn owner(home: &Path) -> Option<Owner> {
    fs::read_to_string(home.join(OWNER)).ok()?.parse().ok()
}

/// What a run's directory takes, without the files of its ways.
pub fn bytes_in(home: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(home) else { return 0 };
    let sizes = entries.filter_map(Result::ok).filter_map(|entry| {
        let about = entry.metadata().ok()?;
        about.is_file().then_some(about.len())
    });
    sizes.sum()
}

/// The file of progress: in `RMQ_LAB_STATE`, else with the platform's data.
/// It outlasts the records of runs.
pub fn progress_file() -> PathBuf {
    let home = named_state().or_else(|| {
        let base = etcetera::choose_base_strategy().ok()?;
        Some(base.data_dir().join("rmq-lab"))
    });
    let home = home.unwrap_or_else(homeless);
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

/// Keeps the newest runs, so many and so much of them at most, and takes the
/// work files of runs that were killed. The newest is just being made; the
/// one before it stays, too, however large it is.
fn forget_old(runs: &Path, kept: usize, kept_bytes: u64) {
    let Ok(entries) = fs::read_dir(runs) else { return };
    let mut all: Vec<_> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    all.sort();
    let mut bytes = 0;
    for (place, (_, path)) in all.iter().rev().enumerate() {
        bytes += bytes_in(path);
        let owner = owner(path);
        let orphan = owner.as_ref().is_some_and(Owner::is_gone);
        if orphan {
            let _ = fs::remove_dir_all(path.join("work"));
            let _ = fs::remove_file(path.join(OWNER));
        }
        let too_old = place >= kept || place >= 2 && bytes > kept_bytes;
        if too_old && (owner.is_none() || orphan) {
            let _ = fs::remove_dir_all(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        time::{Duration, SystemTime},
    };

    use super::*;

    /// Directories `1`, `2` … from the oldest, with records of these sizes.
    fn runs_of(sizes: &[usize]) -> io::Result<tempfile::TempDir> {
        let runs = tempfile::tempdir()?;
        let long_ago = SystemTime::now() - Duration::from_secs(1_000);
        for (nth, size) in (1u32..).zip(sizes) {
            let home = runs.path().join(nth.to_string());
            fs::create_dir_all(&home)?;
            fs::write(home.join(RECORD), vec![b'.'; *size])?;
            let then = long_ago + Duration::from_secs(nth.into());
            File::open(&home)?.set_modified(then)?;
        }
        Ok(runs)
    }

    fn left(runs: &tempfile::TempDir) -> io::Result<Vec<String>> {
        let mut left: Vec<_> = fs::read_dir(runs)?
            .filter_map(Result::ok)
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        Ok(left)
    }

    #[test]
    fn only_the_newest_runs_are_kept() -> io::Result<()> {
        let runs = runs_of(&[1, 1, 1, 1])?;
        forget_old(runs.path(), 2, 1_000);
        assert_eq!(left(&runs)?, ["3", "4"]);
        Ok(())
    }

    #[test]
    fn of_many_large_runs_the_oldest_go() -> io::Result<()> {
        let runs = runs_of(&[10, 400, 400, 400, 0])?;
        forget_old(runs.path(), 20, 1_000);
        assert_eq!(left(&runs)?, ["3", "4", "5"]);
        Ok(())
    }

    #[test]
    fn the_last_run_is_kept_however_large_it_is() -> io::Result<()> {
        let runs = runs_of(&[10, 5_000, 0])?;
        forget_old(runs.path(), 20, 1_000);
        assert_eq!(left(&runs)?, ["2", "3"]);
        Ok(())
    }

    #[test]
    fn a_run_that_goes_on_is_left_alone() -> io::Result<()> {
        let runs = runs_of(&[10, 5_000, 0])?;
        let going_on = runs.path().join("1");
        fs::write(going_on.join(OWNER), Owner::this().to_string())?;
        assert!(goes_on(&going_on));
        File::open(&going_on)?.set_modified(SystemTime::UNIX_EPOCH)?;
        forget_old(runs.path(), 1, 1_000);
        assert_eq!(left(&runs)?, ["1", "3"]);
        Ok(())
    }
}
