//! A record, read line by line: what is whole, what breaks off, and what
//! cannot be told.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;

use crate::{
    event::{FORMAT, Stamped},
    problem::reason,
    text,
    text::Text,
};

/// Why a record cannot be told.
#[derive(Debug)]
pub enum Unreadable {
    /// It cannot be read at all, and what the system said.
    Io(io::Error),
    /// Nothing was written to it: the run ended, or was killed, before its
    /// first verdict, or it goes on.
    Empty,
    /// It does not begin as a record does.
    Stranger,
    /// A line of it is no event, and why.
    Damaged(usize, String),
    /// A later rmq-lab wrote it: its format, and the version where it is
    /// said.
    Newer(u32, Option<String>),
}

impl Unreadable {
    /// In a sentence that goes on behind "the record …".
    pub fn why(&self) -> Text {
        match self {
            Self::Io(error) => {
                let said = reason(error);
                text! { en: "cannot be read: {said}", zh: "无法读取：{said}", said = said }
            }
            Self::Empty => text! {
                en: "is empty: its run has shown nothing yet, or never did",
                zh: "是空的：这次运行还没有结果，或者未出结果就中断了"
            },
            Self::Stranger => text! {
                en: "does not begin as a record of rmq-lab does",
                zh: "开头不像 rmq-lab 的记录"
            },
            Self::Damaged(line, said) => text! {
                en: "is damaged: line {line} is no event ({said})",
                zh: "已损坏：第 {line} 行不是事件（{said}）",
                line = line, said = said
            },
            Self::Newer(format, version) => {
                let version = version.as_ref();
                let by = version.map(|v| format!(" {v}")).unwrap_or_default();
                text! {
                    en: "was written by a later rmq-lab{by}: its format is {format}, and {ours} is the last that is known here",
                    zh: "由更新的 rmq-lab{by} 写成：格式为 {format}，本程序最高只认识 {ours}",
                    by = by, format = format, ours = FORMAT
                }
            }
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the record {}", self.why().en)
    }
}

impl std::error::Error for Unreadable {}

/// The events of a record, one by one. A last line that was cut off in the
/// middle (a killed run) is left out.
pub struct Events {
    lines: Box<dyn BufRead>,
    /// The number of the line that was read last.
    line: usize,
    /// How much was read so far, decompressed.
    octets: u64,
    over: bool,
}

impl Events {
    /// Of a file, compressed or not.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, Unreadable> {
        let file = File::open(path).map_err(Unreadable::Io)?;
        if file.metadata().is_ok_and(|about| about.is_dir()) {
            return Err(Unreadable::Io(io::ErrorKind::IsADirectory.into()));
        }
        Self::of(BufReader::new(file))
    }

    /// Of what was read elsewhere, compressed or not.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(mut bytes: impl BufRead + 'static) -> Result<Self, Unreadable> {
        let head = bytes.fill_buf().map_err(Unreadable::Io)?;
        let lines: Box<dyn BufRead> = match head.starts_with(&GZIP) {
            true => Box::new(BufReader::new(MultiGzDecoder::new(bytes))),
            false => Box::new(bytes),
        };
        Ok(Self { lines, line: 0, octets: 0, over: false })
    }

    /// The next line, without what is longer than any event.
    fn read(&mut self) -> Result<Option<Stamped>, Unreadable> {
        let mut line = Vec::new();
        let mut limited = (&mut self.lines).take(LONGEST);
        match limited.read_until(b'\n', &mut line) {
            Ok(0) if self.line == 0 => return Err(Unreadable::Empty),
            Ok(0) => return Ok(None),
            Ok(_) => {}
            // A compressed one that breaks off, or is none behind its head.
            Err(error) if is_broken(error.kind()) => {
                let said = error.to_string();
                return Err(Unreadable::Damaged(self.line + 1, said));
            }
            Err(error) => return Err(Unreadable::Io(error)),
        }
        self.line += 1;
        self.octets += line.len() as u64;
        if self.octets > MOST {
            let said = "more than a record can hold".to_owned();
            return Err(Unreadable::Damaged(self.line, said));
        }
        let whole = line.last() == Some(&b'\n');
        if !whole && line.len() as u64 >= LONGEST {
            let said = "longer than any".to_owned();
            return Err(Unreadable::Damaged(self.line, said));
        }
        if self.line == 1 {
            match first(&line) {
                Err(Unreadable::Stranger) if !whole && is_torn(&line) => {
                    return Err(Unreadable::Empty);
                }
                looked => looked?,
            }
        }
        match serde_json::from_slice(&line) {
            Ok(event) => Ok(Some(in_time(event))),
            Err(_) if !whole => Ok(None),
            Err(error) => {
                // The line is the record's, not that of its JSON.
                let said = error.to_string();
                let said = said.split(" at line ").next().unwrap_or_default();
                Err(Unreadable::Damaged(self.line, said.to_owned()))
            }
        }
    }
}

/// No run takes a century; one that says so is not to break a sum.
fn in_time(event: Stamped) -> Stamped {
    const CENTURY_MS: u64 = 100 * 366 * 86_400_000;
    Stamped { at_ms: event.at_ms.min(CENTURY_MS), ..event }
}

impl Iterator for Events {
    type Item = Result<Stamped, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let read = self.read();
        self.over = !matches!(read, Ok(Some(_)));
        read.transpose()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// No event is that long: a file without line ends is no record.
const LONGEST: u64 = 4 * 1024 * 1024;
/// Ten times what all records together may have that are kept: nobody reads
/// more, whatever a few compressed octets may become.
const MOST: u64 = 2 << 30;

/// What every first line had and will have, whatever else is in it.
#[derive(Deserialize)]
struct First {
    event: String,
    #[serde(default)]
    format: u32,
    version: Option<String>,
}

fn first(line: &[u8]) -> Result<(), Unreadable> {
    match serde_json::from_slice::<First>(line) {
        Ok(first) if first.event != "run-started" => Err(Unreadable::Stranger),
        Ok(first) if first.format > FORMAT => {
            Err(Unreadable::Newer(first.format, first.version))
        }
        Ok(_) => Ok(()),
        Err(_) => Err(Unreadable::Stranger),
    }
}

const fn is_broken(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(kind, InvalidData | InvalidInput | UnexpectedEof)
}

/// The beginning of a first line that was never written to its end.
fn is_torn(line: &[u8]) -> bool {
    line.starts_with(b"{\"at_ms\":")
}
