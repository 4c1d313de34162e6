//! The recorded runs there are: those of this machine, those that ship with
//! the binary, and files that somebody names.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{names, state};
use crate::{
    book::recorded,
    demos::TOPICS,
    lab::catalogue::Entry,
    narrate::{Events, Head, Recorded, Scene, Unreadable, utc},
    problem::{Problem, did_you_mean, nearest},
    text,
    text::Text,
};

/// The word for the run that was recorded last.
pub const LATEST: &str = "latest";

/// A run of this machine.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its id, which is its directory's name.
    pub id: String,
    /// Its directory.
    pub home: PathBuf,
    /// What its record says at its beginning, where that can be read.
    pub head: Option<Head>,
    /// When it began, in UTC; or when something was last written to it. None
    /// where neither is a time.
    pub when: Option<String>,
}

impl Kept {
    /// Its record.
    pub fn record(&self) -> PathBuf {
        self.home.join(state::RECORD)
    }

    fn at(home: PathBuf, about: &fs::Metadata) -> Option<Self> {
        let record = home.join(state::RECORD);
        let written = fs::metadata(&record).and_then(|about| about.modified());
        let written = written.or_else(|_| about.modified()).ok()?;
        let head = head(&record);
        let began = head.as_ref().and_then(|head| head.started.clone());
        let when = began.or_else(|| utc(written));
        let id = home.file_name()?.to_string_lossy().into_owned();
        Some(Self { id, home, head, when })
    }
}

fn head(record: &Path) -> Option<Head> {
    let first = Events::open(record).ok()?.next()?.ok()?;
    Head::of(&first.event)
}

/// The runs of this machine, the newest first.
pub fn kept() -> Vec<Kept> {
    let Ok(entries) = fs::read_dir(state::runs()) else { return Vec::new() };
    let runs = entries.filter_map(Result::ok).filter_map(|entry| {
        let about = entry.metadata().ok().filter(fs::Metadata::is_dir)?;
        Kept::at(entry.path(), &about)
    });
    let mut runs: Vec<Kept> = runs.collect();
    runs.sort_by(|a, b| b.when.cmp(&a.when).then(a.id.cmp(&b.id)));
    runs
}

/// A record that was found, and where.
#[derive(Debug)]
pub struct Found {
    /// What it says.
    pub recorded: Recorded,
    /// Its file; none of a run that ships.
    pub path: Option<PathBuf>,
}

/// What `latest`, a run's id, a topic, topic/scenario or a file's name means.
/// Where nothing is recorded yet, `instead` tells what is to be typed after
/// `rmq-lab` to look at a run that ships.
///
/// # Errors
/// A [`Problem`] where there is no such thing, or it cannot be told.
pub fn find(
    word: &str,
    instead: impl FnOnce() -> Option<String>,
) -> Result<Found, Problem> {
    if word == LATEST {
        return latest(instead);
    }
    let unknown = match names::entries(word) {
        Ok(entries) => return of_target(word, &entries),
        Err(problem) => problem,
    };
    if let Some(run) = kept().into_iter().find(|run| run.id == word) {
        return read(&run.record());
    }
    let path = Path::new(word);
    let id = names::by_id(word);
    let topic = id.split('/').next().unwrap_or_default();
    if path.exists() {
        // The directory of a run, as `runs` and a verdict name it.
        let path = match path.is_dir() {
            true => path.join(state::RECORD),
            false => path.to_owned(),
        };
        return read(&path);
    }
    if TOPICS.iter().any(|known| known.id == topic) {
        return Err(unknown);
    }
    if word.contains('/') || word.ends_with(".jsonl") || word.ends_with(".gz") {
        return read(path);
    }
    Err(nothing_called(word, unknown))
}

fn nothing_called(word: &str, unknown: Problem) -> Problem {
    let mut problem = Problem::usage(text! {
        en: "no recorded run, topic or file \"{word}\"",
        zh: "没有名为 \"{word}\" 的记录、主题或文件",
        word = word
    });
    let ids = kept().into_iter().map(|run| run.id);
    match nearest(word, ids) {
        Some(id) => problem.help.push(did_you_mean(&id)),
        // What the catalogue would have said: the nearest topic.
        None => {
            let help = unknown.help.into_iter();
            problem.help.extend(help.filter(|help| help.en.contains('?')));
        }
    }
    problem.help(RUNS)
}

/// What there is instead.
pub const RUNS: Text = text! {
    en: "rmq-lab runs tells what is recorded", zh: "rmq-lab runs 会列出所有记录"
};

fn latest(instead: impl FnOnce() -> Option<String>) -> Result<Found, Problem> {
    let runs = kept();
    for run in &runs {
        // What cannot be told is listed by `runs`, and stops nothing.
        if let Ok(recorded) = Recorded::read(run.record()) {
            return Ok(Found { recorded, path: Some(run.record()) });
        }
    }
    let problem = match runs.is_empty() {
        true => Problem::usage(text! {
            en: "no run is recorded yet", zh: "还没有任何运行记录"
        }),
        false => Problem::usage(text! {
            en: "no recorded run can be told", zh: "现有记录都无法重放"
        })
        .help(RUNS),
    };
    Err(match instead() {
        Some(command) => problem.help(text! {
            en: "a run that came with the program: rmq-lab {command}",
            zh: "随程序附带的录像：rmq-lab {command}",
            command = command
        }),
        None => problem,
    })
}

/// The first topic of which a run ships, told again.
pub fn replay_shipped() -> Option<String> {
    let (topic, _) = recorded::shipped().next()?;
    Some(format!("replay {topic}"))
}

/// The latest run of a topic or a scenario that came to its end, else the one
/// that ships, else the latest that did not.
fn of_target(word: &str, entries: &[Entry]) -> Result<Found, Problem> {
    let is_one = |scene: &Scene<'_>| {
        entries.iter().any(|entry| entry.target() == scene.target())
    };
    let mut broken_off = None;
    for run in kept() {
        let planned = run.head.iter().flat_map(|head| &head.scenarios);
        let planned: Vec<&String> = planned.collect();
        let has = |entry: &Entry| planned.contains(&&entry.target());
        if !entries.iter().any(has) {
            continue;
        }
        let Ok(all) = Recorded::read(run.record()) else { continue };
        let Some(recorded) = all.only(is_one) else { continue };
        // A run may have stopped between two scenarios that it planned.
        let is_done = |entry: &Entry| {
            let mut scenes = recorded.scenes();
            scenes.any(|s| s.target() == entry.target() && s.is_done())
        };
        let is_whole = entries.iter().all(is_done) && !recorded.breaks_off();
        let found = Found { recorded, path: Some(run.record()) };
        if is_whole {
            return Ok(found);
        }
        broken_off.get_or_insert(found);
    }
    let topic = entries.first().map_or("", |entry| entry.topic.id);
    let shipped = shipped(topic).and_then(|all| all.only(is_one));
    let shipped = shipped.map(|recorded| Found { recorded, path: None });
    shipped.or(broken_off).ok_or_else(|| {
        Problem::usage(text! {
            en: "no run of {word} is recorded", zh: "没有 {word} 的记录", word = word
        })
        .help(text! {
            en: "to make one: rmq-lab demo {word}",
            zh: "先运行一次：rmq-lab demo {word}",
            word = word
        })
        .help(RUNS)
    })
}

/// The record of a topic that ships, if there is one.
pub fn shipped(topic: &str) -> Option<Recorded> {
    let bytes = recorded::of_topic(topic)?;
    Recorded::of(Events::of(io::Cursor::new(bytes)).ok()?).ok()
}

/// Whether a topic can be told again without Docker.
pub fn can_be_told(topic: &str) -> bool {
    recorded::of_topic(topic).is_some()
}

fn read(path: &Path) -> Result<Found, Problem> {
    match Recorded::read(path) {
        Ok(recorded) => {
            let path = Some(path.to_owned());
            Ok(Found { recorded, path })
        }
        Err(unreadable) => Err(cannot_tell(path, &unreadable)),
    }
}

fn cannot_tell(path: &Path, unreadable: &Unreadable) -> Problem {
    let (path, why) = (path.display(), unreadable.why());
    let told =
        Text::made(format!("{path} {}", why.en), format!("{path} {}", why.zh));
    match unreadable {
        Unreadable::Newer(..) => Problem::environment(told).help(text! {
            en: "take that version of rmq-lab, or a newer one",
            zh: "请使用那个版本或更新版本的 rmq-lab"
        }),
        Unreadable::Io(error) if error.kind() != io::ErrorKind::NotFound => {
            Problem::environment(told)
        }
        Unreadable::Damaged(..) => Problem::environment(told).help(RUNS),
        _ => Problem::usage(told).help(RUNS),
    }
}
