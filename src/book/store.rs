//! Progress in its file.
//!
//! A change is read, made and written under an advisory lock, into a new file
//! that takes the old one's place: two processes at once lose nothing, and one
//! that dies in between leaves the old file. What cannot be understood is set
//! aside and never overwritten.

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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::*;
    use crate::book::{Moment, schedule::Grade};

    const NOW: Moment = Moment(1_764_150_000);

    fn store() -> (tempfile::TempDir, Store) {
        let home = tempfile::tempdir().unwrap();
        let store = Store::at(home.path().join("data/progress.json"));
        (home, store)
    }

    fn files(store: &Store) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(store.path.parent().unwrap())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn who_only_looks_leaves_no_trace() {
        let (home, store) = store();
        assert_eq!(store.load().unwrap().it, Progress::default());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_kept_is_there_the_next_time() {
        let (_home, store) = store();
        store.update(|progress| progress.note_read("first", NOW)).unwrap();
        let grade = |p: &mut Progress| p.grade("q1", Grade::Good, NOW);
        store.update(grade).unwrap();
        let found = store.load().unwrap();
        assert!(found.notice.is_none());
        assert_eq!(found.it.read["first"].last, NOW);
        assert_eq!(found.it.cards["q1"].times, 1);
        assert_eq!(files(&store), ["progress.json", "progress.lock"]);
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let (_home, store) = store();
        let begin = Arc::new(Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let (store, begin) = (store.clone(), begin.clone());
                thread::spawn(move || {
                    begin.wait();
                    for _ in 0..10 {
                        let note = |p: &mut Progress| {
                            p.note_read("all", NOW);
                            p.note_read(&format!("t{n}"), NOW);
                        };
                        store.update(note).unwrap();
                        assert!(store.load().unwrap().notice.is_none());
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let progress = store.load().unwrap().it;
        assert_eq!(progress.read["all"].times, 80);
        assert!((0..8).all(|n| progress.read[&format!("t{n}")].times == 10));
    }

    #[test]
    fn a_broken_file_is_set_aside_and_never_lost() {
        for broken in ["{\"format\": 1", "[]", "{}", "\u{fffd}", "null"] {
            let (_home, store) = store();
            store.update(|_| ()).unwrap();
            fs::write(&store.path, broken).unwrap();
            let found = store.load().unwrap();
            assert_eq!(found.it, Progress::default(), "{broken}");
            let said = found.notice.unwrap().en;
            assert!(said.contains("progress.json.broken"), "{said}");
            let aside = store.path.with_extension("json.broken");
            assert_eq!(fs::read_to_string(aside).unwrap(), broken);
            assert!(store.load().unwrap().notice.is_none());
        }
    }

    #[test]
    fn a_second_broken_file_does_not_replace_the_first() {
        let (_home, store) = store();
        for broken in ["one", "two", "three"] {
            store.update(|_| ()).unwrap();
            fs::write(&store.path, broken).unwrap();
            let noted = store.update(|p| p.note_read("first", NOW)).unwrap();
            assert!(noted.notice.is_some());
        }
        let read = |name| fs::read_to_string(store.path.with_extension(name));
        assert_eq!(read("json.broken").unwrap(), "one");
        assert_eq!(read("json.broken-1").unwrap(), "two");
        assert_eq!(read("json.broken-2").unwrap(), "three");
        assert_eq!(store.load().unwrap().it.read["first"].times, 1);
    }

    #[test]
    fn a_field_of_the_wrong_kind_is_a_broken_file() {
        let (_home, store) = store();
        store.update(|_| ()).unwrap();
        fs::write(&store.path, "{\"format\": 1, \"read\": 5}").unwrap();
        assert!(store.load().unwrap().notice.is_some());
    }

    #[test]
    fn a_newer_format_is_told_and_left_as_it_is() {
        let (_home, store) = store();
        store.update(|_| ()).unwrap();
        let newer = "{\"format\": 2, \"read\": [\"otherwise\"]}";
        fs::write(&store.path, newer).unwrap();
        let said = store.load().unwrap_err().error.en;
        assert!(said.contains("newer rmq-lab (format 2)"), "{said}");
        assert!(store.update(|p| p.forget(None)).is_err());
        assert_eq!(fs::read_to_string(&store.path).unwrap(), newer);
    }

    #[test]
    fn an_empty_file_is_a_beginning() {
        let (_home, store) = store();
        store.update(|_| ()).unwrap();
        fs::write(&store.path, "\n").unwrap();
        assert!(store.load().unwrap().notice.is_none());
    }

    #[test]
    fn a_place_that_cannot_be_written_to_is_told() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        let store = Store::at(file.join("progress.json"));
        let problem = store.update(|_| ()).unwrap_err();
        assert!(problem.error.en.contains("cannot keep progress in"));
        assert_eq!(problem.help.len(), 1);
    }

    #[test]
    fn a_file_that_is_linked_elsewhere_stays_there() {
        let home = tempfile::tempdir().unwrap();
        let real = home.path().join("real.json");
        let link = home.path().join("progress.json");
        fs::write(&real, "").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        Store::at(&link).update(|p| p.note_read("first", NOW)).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::read_to_string(&real).unwrap().contains("first"));
    }

    #[test]
    fn a_lock_that_is_never_given_up_is_told() {
        let (_home, store) = store();
        let _held = store.lock().unwrap();
        let store = Store { patience: Duration::ZERO, ..store.clone() };
        let said = store.update(|_| ()).unwrap_err().error.en;
        assert!(said.contains("progress.lock locked for 0 s"), "{said}");
    }
}
