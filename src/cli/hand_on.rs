//! Making a record fit to be handed on: how the ones that ship are made.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};

use super::{shelf, state};
use crate::{
    narrate::{JsonLines, View, to_hand_on},
    problem::{Problem, reason},
    text,
};

/// Writes a record that can be handed on: compressed, and without what is
/// private to this machine.
///
/// # Errors
/// A [`Problem`] where there is no such record, something private is left in
/// it, or it cannot be written.
pub fn hand_on(what: &str, to: &Path) -> Result<(), Problem> {
    let found = shelf::find(what, shelf::replay_shipped)?;
    let events = found.recorded.into_events();
    let events = to_hand_on(events, &secrets()).map_err(|private| {
        Problem::environment(text! {
            en: "line {line} of the record holds {found}, which is this machine's own",
            zh: "记录第 {line} 行含有本机信息 {found}",
            line = private.line, found = private.found
        })
    })?;
    let written = || -> io::Result<()> {
        // All at once: a line that is flushed is not compressed with others.
        let mut lines = Vec::new();
        let mut view = JsonLines::new(&mut lines);
        events.iter().try_for_each(|event| view.tell(event))?;
        let mut file = GzEncoder::new(File::create(to)?, Compression::best());
        file.write_all(&lines)?;
        file.finish()?.sync_all()
    };
    written().map_err(|error| {
        Problem::environment(text! {
            en: "cannot write {to}: {said}", zh: "无法写入 {to}：{said}",
            to = to.display(), said = reason(&error)
        })
    })
}

/// Words that tell where a record was made.
fn secrets() -> Vec<String> {
    let home = std::env::var("HOME").ok().filter(|home| home.len() > 1);
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy().into_owned();
    let state = state::root();
    // A relative one, such as ".", would be found in every sentence.
    let state = std::path::absolute(&state).unwrap_or(state);
    let state = state.display().to_string();
    home.into_iter().chain([host, state]).collect()
}
