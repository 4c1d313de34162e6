//! `--report FILE.html`: where the page goes. That it cannot be written is
//! found out before anything is started; it is written when all is over, and
//! in one piece.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::{
    problem::{Problem, reason},
    text,
    text::Text,
};

/// A page takes less, even of a whole topic.
const ROOM: usize = 4 * 1024 * 1024;

/// A place for the page, in which there is room.
#[derive(Debug)]
pub struct PageFile {
    /// As a person typed it.
    pub typed: PathBuf,
    target: PathBuf,
    dir: PathBuf,
    /// Those of what is replaced; of a new page the umask decides.
    rights: Option<Permissions>,
}

/// What the page was put in the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// Nothing was there.
    New,
    /// Something was, and is gone.
    Replaced,
}

/// As many links as Linux follows (path_resolution(7)).
const LINKS: usize = 40;

impl PageFile {
    /// Sees that a page can be written there. What is there stays.
    ///
    /// # Errors
    /// A [`Problem`] when it cannot.
    pub fn prepare(typed: &Path) -> Result<Self, Problem> {
        let cannot = |error: io::Error| cannot_write(typed, &error);
        if typed.as_os_str().as_bytes().ends_with(b"/") || typed.is_dir() {
            return Err(no_file(
                typed,
                &text! {
                    en: "a directory", zh: "目录"
                },
            ));
        }
        let mut rights = None;
        let mut target = behind_links(typed).map_err(cannot)?;
        if let Ok(there) = fs::metadata(&target) {
            if !there.is_file() {
                return Err(no_file(
                    typed,
                    &text! {
                        en: "no regular file", zh: "特殊文件"
                    },
                ));
            }
            // Replaced by a rename, which would not ask.
            OpenOptions::new().write(true).open(&target).map_err(cannot)?;
            let mode = there.permissions().mode() & 0o777;
            rights = Some(Permissions::from_mode(mode));
            target = target.canonicalize().map_err(cannot)?;
        }
        let dir = target.parent().unwrap_or(Path::new("/")).to_owned();
        let typed = typed.to_owned();
        let file = Self { typed, target, dir, rights };
        file.try_out().map_err(|e| cannot_write(&file.typed, &e))?;
        Ok(file)
    }

    /// Puts the page there, instead of what was there, and tells whether
    /// anything was.
    ///
    /// # Errors
    /// A [`Problem`] when it cannot be written any more.
    pub fn write(&self, page: &str) -> Result<Placed, Problem> {
        let written = || -> io::Result<Placed> {
            let mut beside = self.beside()?;
            beside.write_all(page.as_bytes())?;
            if let Some(rights) = &self.rights {
                // Made with them, the umask would have taken some away.
                beside.as_file().set_permissions(rights.clone())?;
            }
            beside.as_file().sync_all()?;
            // Asked only now: a run takes its time, and another one may have
            // written there meanwhile.
            let placed = match fs::symlink_metadata(&self.target) {
                Ok(_) => Placed::Replaced,
                Err(_) => Placed::New,
            };
            beside.persist(&self.target).map_err(|failed| failed.error)?;
            Ok(placed)
        };
        written().map_err(|error| cannot_write(&self.typed, &error))
    }

    fn try_out(&self) -> io::Result<()> {
        let mut beside = self.beside()?;
        beside.write_all(&vec![0; ROOM])?;
        beside.flush()
    }

    /// A file in the same directory, gone unless it is persisted.
    fn beside(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new()
            .prefix(".rmq-lab-report-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(&self.dir)
    }
}

/// What a link leads to is written, and not the link, also where nothing is
/// there yet.
fn behind_links(typed: &Path) -> io::Result<PathBuf> {
    let mut target = std::path::absolute(typed)?;
    for _ in 0..LINKS {
        let Ok(next) = fs::read_link(&target) else { return Ok(target) };
        let beside = target.parent().unwrap_or(Path::new("/"));
        target = beside.join(next);
    }
    Err(io::Error::other("too many links"))
}

fn no_file(path: &Path, is: &Text) -> Problem {
    Problem::environment(Text::made(
        format!("cannot write the report: {} is {}", path.display(), is.en),
        format!("无法写入报告：{} 是{}", path.display(), is.zh),
    ))
    .help(another_file())
}

fn cannot_write(path: &Path, error: &io::Error) -> Problem {
    // tempfile adds a name of its own that nobody typed.
    let said = reason(error);
    let said = match said.split_once(" at path ") {
        Some((said, _)) => said,
        None => said.as_str(),
    };
    let problem = Problem::environment(text! {
        en: "cannot write the report to {path}: {said}",
        zh: "无法把报告写到 {path}：{said}",
        path = path.display(), said = said
    });
    let parent = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    match parent {
        Some(dir) if error.kind() == io::ErrorKind::NotFound => {
            problem.help(Text::same(format!("mkdir -p {}", dir.display())))
        }
        _ => problem.help(another_file()),
    }
}

fn another_file() -> Text {
    text! {
        en: "name another file: --report /path/report.html",
        zh: "换一个文件：--report /path/report.html"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn only(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_there_is_replaced_in_one_piece_and_keeps_its_rights() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.html");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let held = fs::File::open(&path).unwrap();
        let file = PageFile::prepare(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(file.write("new").unwrap(), Placed::Replaced);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        // Whoever reads the old page still does.
        assert_eq!(io::read_to_string(held).unwrap(), "old");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert_eq!(only(dir.path()), ["page.html"]);
    }

    #[test]
    fn the_umask_takes_nothing_from_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.html");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        PageFile::prepare(&path).unwrap().write("new").unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o666);
    }

    #[test]
    fn whether_something_is_replaced_is_found_out_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.html");
        let file = PageFile::prepare(&path).unwrap();
        assert_eq!(file.write("one").unwrap(), Placed::New);
        // Written while the run went on.
        assert_eq!(file.write("other").unwrap(), Placed::Replaced);
        let file = PageFile::prepare(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(file.write("new").unwrap(), Placed::New);
        assert_eq!(only(dir.path()), ["page.html"]);
    }

    #[test]
    fn a_link_to_nothing_yet_stays_a_link_too() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("page"), dir.path().join("link"));
        symlink("page", &link).unwrap();
        let placed = PageFile::prepare(&link).unwrap().write("new").unwrap();
        assert_eq!(placed, Placed::New, "the link was no page");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        symlink("one", &other).unwrap();
        symlink("other", &one).unwrap();
        assert!(PageFile::prepare(&one).is_err(), "a ring of links");
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("page"), dir.path().join("link"));
        fs::write(&path, "old").unwrap();
        symlink(&path, &link).unwrap();
        PageFile::prepare(&link).unwrap().write("new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn what_cannot_be_written_is_told_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("no/where/page.html");
        for (path, said) in [
            (dir.path().to_owned(), "is a directory"),
            (dir.path().join("new/"), "is a directory"),
            (PathBuf::from("/dev/null"), "is no regular file"),
            (missing, "No such file or directory"),
        ] {
            let problem = PageFile::prepare(&path).unwrap_err();
            assert!(problem.error.en.ends_with(said), "{}", problem.error.en);
            assert_eq!(problem.exit, crate::problem::Exit::Environment);
            assert_eq!(problem.help.len(), 1);
        }
        assert!(only(dir.path()).is_empty());
    }
}
