//! Progress in its file.
//!
//! A change is read, made and written under an advisory lock, into a new file
//! that takes the old one's place: two processes at once lose nothing, and one
//! that dies in between leaves the old file. What cannot be understood is set
//! aside and never overwritten.

#[cfg(test)]
mod tests;

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::{Progress, progress::FORMAT};
use crate::{
    problem::{Problem, reason},
    text,
    text::Text,
};

/// A change takes milliseconds: whoever holds the lock longer is stuck.
const PATIENCE: Duration = Duration::from_secs(5);

/// The file that progress is kept in.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
    patience: Duration,
}

/// What was found or made, and what a person must be told of it.
#[derive(Debug)]
pub struct Kept<T> {
    /// It.
    pub it: T,
    /// That a broken file was set aside.
    pub notice: Option<Text>,
}

/// How the bytes of the file are to be understood.
enum Found {
    Progress(Box<Progress>),
    Newer(u64),
    Broken(String),
}

impl Store {
    /// In the file of this name. Nothing is made until something is kept.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        // Who has linked the file to another place wants it kept there.
        let path = fs::canonicalize(&path).unwrap_or(path);
        Self { path, patience: PATIENCE }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is known so far.
    ///
    /// # Errors
    /// A [`Problem`] when it cannot be read, or was written in a newer format.
    pub fn load(&self) -> Result<Kept<Progress>, Problem> {
        match self.read()? {
            Found::Progress(progress) => {
                Ok(Kept { it: *progress, notice: None })
            }
            Found::Newer(format) => Err(self.newer(format)),
            Found::Broken(_) => {
                let _lock = self.lock()?;
                self.load_locked()
            }
        }
    }

    /// Makes a change, and keeps it. Gives back what the change gives.
    ///
    /// # Errors
    /// A [`Problem`] when it cannot be read or written; the file is then what
    /// it was.
    pub fn update<T>(
        &self,
        change: impl FnOnce(&mut Progress) -> T,
    ) -> Result<Kept<T>, Problem> {
        let _lock = self.lock()?;
        let Kept { it: mut progress, notice } = self.load_locked()?;
        let it = change(&mut progress);
        self.write(&progress).map_err(|e| self.cannot_write(&e))?;
        Ok(Kept { it, notice })
    }

    fn load_locked(&self) -> Result<Kept<Progress>, Problem> {
        match self.read()? {
            Found::Progress(progress) => {
                Ok(Kept { it: *progress, notice: None })
            }
            Found::Newer(format) => Err(self.newer(format)),
            Found::Broken(why) => {
                let aside =
                    self.set_aside().map_err(|e| self.cannot_write(&e))?;
                let notice = text! {
                    en: "progress could not be read ({why}); the file is set \
                         aside as {aside}, and progress begins anew",
                    zh: "学习进度读不出来（{why}）；原文件已改名为 {aside}，进度从头记起",
                    why = why, aside = aside.display()
                };
                Ok(Kept { it: Progress::default(), notice: Some(notice) })
            }
        }
    }

    fn read(&self) -> Result<Found, Problem> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(understood(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Found::Progress(Box::default()))
            }
            Err(error) => Err(Problem::environment(text! {
                en: "cannot read progress in {path}: {said}",
                zh: "无法读取学习进度 {path}：{said}",
                path = self.path.display(), said = reason(&error)
            })
            .help(ELSEWHERE)),
        }
    }

    /// Renames a file that cannot be understood, never onto another one.
    fn set_aside(&self) -> io::Result<PathBuf> {
        let name = |n: u32| {
            let suffix = match n {
                0 => "broken".to_owned(),
                n => format!("broken-{n}"),
            };
            self.path.with_extension(format!("json.{suffix}"))
        };
        let free = (0..=u32::MAX)
            .map(name)
            .find(|path| fs::symlink_metadata(path).is_err())
            .ok_or(io::ErrorKind::AlreadyExists)?;
        fs::rename(&self.path, &free)?;
        Ok(free)
    }

    fn lock(&self) -> Result<File, Problem> {
        let path = self.path.with_extension("lock");
        let open = || {
            if let Some(directory) = self.path.parent() {
                fs::create_dir_all(directory)?;
            }
            File::options().create(true).append(true).open(&path)
        };
        let file = open().map_err(|e| self.cannot_write(&e))?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                // Where a file system knows no locks (some NFS), the new file
                // still takes the old one's place as a whole.
                Err(TryLockError::Error(_)) => return Ok(file),
                Err(TryLockError::WouldBlock)
                    if began.elapsed() > self.patience =>
                {
                    return Err(self.busy(&path));
                }
                Err(TryLockError::WouldBlock) => {
                    thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    fn write(&self, progress: &Progress) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new()
            .prefix("progress-")
            .suffix(".tmp")
            .tempfile_in(directory)?;
        let mut bytes = serde_json::to_vec_pretty(progress)?;
        bytes.push(b'\n');
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|failed| failed.error)?;
        Ok(())
    }

    fn newer(&self, format: u64) -> Problem {
        Problem::environment(text! {
            en: "progress in {path} was written by a newer rmq-lab (format \
                 {format}), and is left as it is",
            zh: "{path} 中的学习进度由更新版本的 rmq-lab 写入（格式 {format}），未作改动",
            path = self.path.display(), format = format
        })
        .help(text! {
            en: "use that newer rmq-lab", zh: "请使用那个较新的 rmq-lab"
        })
        .help(ELSEWHERE)
    }

    fn busy(&self, lock: &Path) -> Problem {
        let seconds = self.patience.as_secs();
        Problem::environment(text! {
            en: "another process has kept {lock} locked for {seconds} s",
            zh: "另一个进程锁住 {lock} 已超过 {seconds} 秒",
            lock = lock.display(), seconds = seconds
        })
        .help(text! {
            en: "end the other rmq-lab, then do this again",
            zh: "请先结束另一个 rmq-lab，再试一次"
        })
    }

    fn cannot_write(&self, error: &io::Error) -> Problem {
        Problem::environment(text! {
            en: "cannot keep progress in {path}: {said}",
            zh: "无法把学习进度写入 {path}：{said}",
            path = self.path.display(), said = reason(error)
        })
        .help(ELSEWHERE)
    }
}

const ELSEWHERE: Text = text! {
    en: "name another directory: RMQ_LAB_STATE=/path",
    zh: "换一个目录：RMQ_LAB_STATE=/path"
};

fn understood(bytes: &[u8]) -> Found {
    #[derive(Deserialize)]
    struct Format {
        format: u64,
    }
    // A full disk may have left nothing: then nothing is lost, either.
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Found::Progress(Box::default());
    }
    match serde_json::from_slice(bytes) {
        Ok(Format { format }) if format > FORMAT => Found::Newer(format),
        Ok(Format { format: 0 }) => Found::Broken("format 0".to_owned()),
        Ok(_) => match serde_json::from_slice(bytes) {
            Ok(progress) => Found::Progress(Box::new(progress)),
            Err(error) => Found::Broken(error.to_string()),
        },
        Err(error) => Found::Broken(error.to_string()),
    }
}
