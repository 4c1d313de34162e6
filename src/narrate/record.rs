//! Events as JSON lines: on an output, and in a run's record. How a record is
//! read stands in [`reading`](super::reading).

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use crate::event::{Event, Stamped};

use super::View;

/// One event a line, as [`Stamped`] serialises; each flushed at once, so that
/// a program at the other end of a pipe sees things when they happen.
#[derive(Debug)]
pub struct JsonLines<W: Write + Send> {
    out: W,
}

impl<W: Write + Send> JsonLines<W> {
    /// Writes to `out`.
    pub const fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> View for JsonLines<W> {
    fn tell(&mut self, event: &Stamped) -> io::Result<()> {
        self.out.write_all(&line(event)?)?;
        self.out.flush()
    }
}

/// The record of a run: the same lines, in a file.
///
/// Buffered, and written out wherever somebody may want to read it: after a
/// verdict, an error, and at the end.
#[derive(Debug)]
pub struct Record {
    file: BufWriter<File>,
}

impl Record {
    /// Begins a record. What was in the file is gone.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self { file: BufWriter::new(File::create(path)?) })
    }
}

impl View for Record {
    fn tell(&mut self, event: &Stamped) -> io::Result<()> {
        self.file.write_all(&line(event)?)?;
        match event.event {
            Event::Verdict(_)
            | Event::Error { .. }
            | Event::RunEnded { .. } => self.file.flush(),
            _ => Ok(()),
        }
    }
}

fn line(event: &Stamped) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    Ok(line)
}
