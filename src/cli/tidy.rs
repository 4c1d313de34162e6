//! `rmq-lab images` and `rmq-lab clean`: before a class, and after one.

use std::io::{self, Write};

use super::{Images, Manner};
use crate::{
    problem::{Exit, Problem, reason},
    stage::{Engine, News, RunId, docker, image, reap},
    text,
    text::Text,
};

/// What the demos start from where no names are given.
const DEFAULT: &[&str] = &["rabbitmq-4", "redis", "rabbitmq-3", "tools"];

/// Lists, pulls or builds images.
///
/// # Errors
/// What Docker or `lab-image` says.
pub async fn images(
    what: Option<Images>,
    manner: Manner,
    out: &mut dyn Write,
) -> Result<Exit, Problem> {
    let (verb, names) = match &what {
        None | Some(Images::List) => ("list", Vec::new()),
        Some(Images::Pull { names }) => ("pull", chosen(names)),
        Some(Images::Build { names }) => ("build", chosen(names)),
    };
    known(&names)?;
    Engine::connect(RunId::random()).await?;
    let arguments: Vec<&str> = std::iter::once(verb).chain(names).collect();
    let hear = |news| {
        if let News::Progress(text) = news {
            let _ = writeln!(io::stderr(), " {}", text.say(manner.lang));
        }
    };
    let told = image::script(&arguments, &hear).await?;
    written(out.write_all(told.as_bytes()))
}

fn known(names: &[&str]) -> Result<(), Problem> {
    let all: Vec<_> = image::table().map(|row| row.name).collect();
    let Some(stranger) = names.iter().find(|name| !all.contains(name)) else {
        return Ok(());
    };
    let all = all.join(", ");
    Err(Problem::usage(text! {
        en: "no image \"{name}\"", zh: "没有镜像 \"{name}\"", name = stranger
    })
    .help(text! { en: "there are {all}", zh: "可选：{all}", all = all }))
}

fn chosen(names: &[String]) -> Vec<&str> {
    if names.is_empty() {
        DEFAULT.to_vec()
    } else {
        names.iter().map(String::as_str).collect()
    }
}

/// Removes what runs left whose process is gone, or everything of the lab's.
///
/// # Errors
/// What Docker says.
pub async fn clean(
    all: bool,
    manner: Manner,
    out: &mut dyn Write,
) -> Result<Exit, Problem> {
    let engine = Engine::connect(RunId::random()).await?;
    let docker = engine.docker();
    let found =
        reap::leftovers(docker).await.map_err(|e| docker::failed(&e))?;
    let mut lines = Vec::new();
    for left in &found {
        let (run, count) = (&left.run, left.len());
        if all || left.is_orphan() {
            reap::remove(docker, left).await;
            lines.push(text! {
                en: "run {run}: {count} containers and networks removed",
                zh: "运行 {run}：已移除 {count} 个容器和网络",
                run = run, count = count
            });
        } else {
            lines.push(text! {
                en: "run {run}: {count} left alone, its process is alive or elsewhere; \
                     --all takes them too",
                zh: "运行 {run}：保留 {count} 个，其进程仍在或在别处；--all 可一并移除",
                run = run, count = count
            });
        }
    }
    if lines.is_empty() {
        lines.push(NOTHING);
    }
    let told: String = lines
        .iter()
        .map(|line| format!(" {}\n", line.say(manner.lang)))
        .collect();
    written(out.write_all(told.as_bytes()))
}

const NOTHING: Text =
    text! { en: "nothing of the lab's is here", zh: "没有实验室的遗留物" };

fn written(result: io::Result<()>) -> Result<Exit, Problem> {
    match result {
        Ok(()) => Ok(Exit::Proven),
        Err(error) => not_written(&error),
    }
}

/// What to make of an output that could not be written.
///
/// # Errors
/// A [`Problem`], unless its reader has merely gone away.
pub fn not_written(error: &io::Error) -> Result<Exit, Problem> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(Exit::PipeClosed);
    }
    Err(Problem::environment(text! {
        en: "cannot write to stdout: {said}", zh: "无法写到标准输出：{said}",
        said = reason(error)
    }))
}
