//! `rmq-lab doctor`: whether this machine can, and what to do if not.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use super::{Manner, state, tidy};
use crate::{
    demos::TOPICS,
    lab::catalogue::entries,
    narrate::{Detail, wrapped},
    problem::{Exit, Problem},
    stage::{Engine, RunId, image, memory, reap},
    text,
    text::Text,
};

const DISK_MIB: u64 = 500;

/// One thing looked at: what, whether it is well, and the one-line fix.
struct Finding {
    what: Text,
    well: bool,
    seen: Text,
    fix: Option<Text>,
}

/// Looks at everything and tells it. Exit code 3 when something is amiss.
///
/// # Errors
/// When stdout cannot be written to.
pub async fn doctor(
    manner: Manner,
    out: &mut dyn Write,
) -> Result<Exit, Problem> {
    let mut findings = Vec::new();
    let engine = Engine::connect(RunId::random()).await;
    match &engine {
        Ok(engine) => look_at(engine, &mut findings).await,
        Err(problem) => findings.push(Finding {
            what: DOCKER,
            well: false,
            seen: problem.error.clone(),
            fix: problem.help.first().cloned(),
        }),
    }
    let free = memory::available_mib(engine.as_ref().ok()).await;
    findings.push(memory(free));
    findings.push(disk());
    let width = manner.style(Detail::Normal).width;
    let mut told = String::new();
    for finding in &findings {
        let (glyph, word) = match finding.well {
            true => ("✓", text! { en: "ok", zh: "正常" }),
            false => ("✗", text! { en: "amiss", zh: "有问题" }),
        };
        let lang = manner.lang;
        let (what, seen) = (finding.what.say(lang), finding.seen.say(lang));
        let line = format!("{glyph} {} {what}: {seen}", word.say(lang));
        for line in wrapped(&line, width, " ") {
            told.push_str(&line);
            told.push('\n');
        }
        if let Some(fix) = &finding.fix {
            told.push_str(&format!("     {}\n", fix.say(lang)));
        }
    }
    match out.write_all(told.as_bytes()) {
        Err(error) => tidy::not_written(&error),
        Ok(()) if findings.iter().all(|finding| finding.well) => {
            Ok(Exit::Proven)
        }
        Ok(()) => Ok(Exit::Environment),
    }
}

const DOCKER: Text = text! { en: "Docker", zh: "Docker" };

async fn look_at(engine: &Engine, findings: &mut Vec<Finding>) {
    let version = engine.docker().version().await.ok().and_then(|v| v.version);
    let version = version.unwrap_or_else(|| "?".to_owned());
    findings.push(Finding {
        what: DOCKER,
        well: true,
        seen: text! { en: "engine {v} answers", zh: "引擎 {v} 有应答", v = version },
        fix: None,
    });
    for row in image::table().filter(|row| row.name != "rabbitmq-4.0") {
        findings.push(image_of(engine, row).await);
    }
    let left = reap::leftovers(engine.docker()).await.unwrap_or_default();
    let orphans = left.iter().filter(|left| left.is_orphan()).count();
    findings.push(Finding {
        what: text! { en: "leftovers", zh: "遗留物" },
        well: orphans == 0,
        seen: text! {
            en: "{orphans} of runs that are gone, {all} runs in all",
            zh: "已结束的运行遗留 {orphans} 个，共 {all} 个运行",
            orphans = orphans, all = left.len()
        },
        fix: (orphans > 0).then(|| Text::same("rmq-lab clean")),
    });
}

/// A missing image is well: a demo gets it. But not in front of a class.
async fn image_of(engine: &Engine, row: image::Row) -> Finding {
    let mut seen = text! {
        en: "not here; a demo that needs it pulls or builds it",
        zh: "本机没有；用到时会拉取或构建"
    };
    let mut fix =
        Some(Text::same(format!("rmq-lab images build {}", row.name)));
    for reference in [row.official, row.ours] {
        if image::is_here(engine, reference).await.unwrap_or(false) {
            seen = Text::same(reference);
            fix = None;
            break;
        }
    }
    let name = row.name;
    let what = text! { en: "image {name}", zh: "镜像 {name}", name = name };
    Finding { what, well: true, seen, fix }
}

fn memory(free: Option<u64>) -> Finding {
    let what = text! { en: "memory", zh: "内存" };
    let Some(free) = free else {
        let seen = text! { en: "cannot be told here", zh: "此系统上无法得知" };
        return Finding { what, well: true, seen, fix: None };
    };
    let need = entries(TOPICS).map(|entry| entry.scenario.needs.memory_mib());
    let need = u64::from(need.max().unwrap_or_default());
    let well = free >= need;
    Finding {
        what,
        well,
        seen: text! {
            en: "{free} MiB available at most, {need} wanted",
            zh: "最多可用 {free} MiB，需要 {need}",
            free = free, need = need
        },
        fix: (!well).then(|| {
            text! {
                en: "end other programs, or give Docker more memory",
                zh: "请关闭其他程序，或给 Docker 更多内存"
            }
        }),
    }
}

fn disk() -> Finding {
    let root = state::root();
    let place = nearest_existing(&root);
    let what = text! { en: "disk", zh: "磁盘" };
    let Ok(stat) = rustix::fs::statvfs(&place) else {
        let seen = text! {
            en: "{path} cannot be looked at", zh: "无法查看 {path}", path = place.display()
        };
        return Finding { what, well: false, seen, fix: Some(another()) };
    };
    let free = stat.f_bavail * stat.f_frsize / 1024 / 1024;
    let well = free >= DISK_MIB;
    Finding {
        what,
        well,
        seen: text! {
            en: "{free} MiB free for {path}, {need} wanted",
            zh: "{path} 可用 {free} MiB，需要 {need}",
            free = free, path = root.display(), need = DISK_MIB
        },
        fix: (!well).then(another),
    }
}

fn another() -> Text {
    crate::lab::trouble::another_directory()
}

fn nearest_existing(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|p| p.exists())
        .unwrap_or(Path::new("/"))
        .to_path_buf()
}
