//! What goes wrong during a run: a scenario that comes to no end, or an
//! environment that ends the run.

use std::path::Path;

use super::RanOut;
use crate::{problem::Problem, text, text::Text};

/// Why a way did not come to its end: a wait that ran out, or an error. A
/// problem of the environment ends the run instead.
pub(super) fn told(error: anyhow::Error) -> Result<Text, Problem> {
    if let Some(problem) = error.downcast_ref::<Problem>() {
        return Err(problem.clone());
    }
    if let Some(RanOut { what, limit }) = error.downcast_ref::<RanOut>() {
        let seconds = limit.as_secs();
        return Ok(Text::made(
            format!("waited {seconds} s in vain for {}", what.en),
            format!("等待「{}」超过 {seconds} 秒", what.zh),
        ));
    }
    if let Some(full) = disk_full(&error) {
        return Err(full);
    }
    Ok(
        text! { en: "an error: {error}", zh: "出错：{error}", error = format!("{error:#}") },
    )
}

/// SQLite says "database or disk is full", the system "No space left".
fn disk_full(error: &anyhow::Error) -> Option<Problem> {
    let full = error.chain().any(|cause| {
        matches!(
            cause
                .downcast_ref::<rusqlite::Error>()
                .and_then(rusqlite::Error::sqlite_error_code),
            Some(rusqlite::ErrorCode::DiskFull)
        ) || cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::StorageFull)
    });
    full.then(|| {
        Problem::environment(text! {
            en: "the disk with the state directory is full", zh: "状态目录所在磁盘已满"
        })
        .help(another_directory())
    })
}

pub(super) fn no_room(dir: &Path, error: &std::io::Error) -> Problem {
    let dir = dir.display();
    Problem::environment(text! {
        en: "cannot write to {dir}: {error}", zh: "无法写入 {dir}：{error}",
        dir = dir, error = error
    })
    .help(another_directory())
}

/// What to do about a state directory that cannot be written to.
pub fn another_directory() -> Text {
    text! {
        en: "free some space, or name another directory: RMQ_LAB_STATE=/path",
        zh: "请释放空间，或换一个目录：RMQ_LAB_STATE=/path"
    }
}
