//! Which image a container starts from, and how it gets here.
//!
//! The logic is in one place, `images/lab-image`: present, else pulled, else
//! built from Debian packages. The script is embedded, so that an installed
//! binary has it too; `scripts/setup` calls the same file. Here only the
//! common case is answered, "it is present", and the script's news passed on.
//! The official images and ours have one shape, `images/CONTRACT.md`: nothing
//! else in the stage may ask which of the two it got.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    process::Stdio,
    time::{Duration, Instant},
};

use testcontainers::bollard::errors::Error as DockerError;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use super::{Engine, Hear, News, docker};
use crate::{
    problem::{Exit, Problem, reason},
    text,
    text::Text,
};

const SCRIPT: &str = include_str!("../../images/lab-image");
const TABLE: &str = include_str!("../../images/images.tsv");
const DOCKERFILE: &str = include_str!("../../images/tools/Dockerfile");
const MAIL_SINK: &str = include_str!("../../images/tools/mail-sink");
/// Building takes about 20 s, pulling as long as the line takes.
const LIMIT: Duration = Duration::from_secs(900);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference<'a> {
    /// A row of the table: `rabbitmq-4`.
    Named(&'a str),
    /// Somebody's own image, `registry/name:tag`, used as it is.
    Own(&'a str),
}

/// An image that is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Name without the tag.
    pub name: String,
    /// Tag.
    pub tag: String,
    /// `present`, `pulled` or `built`.
    pub source: String,
}

impl Image {
    fn new(reference: &str, source: &str) -> Self {
        // A colon before the last slash belongs to a registry's port.
        let (name, tag) = match reference.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (reference, "latest"),
        };
        Self {
            name: name.to_owned(),
            tag: tag.to_owned(),
            source: source.to_owned(),
        }
    }

    /// `name:tag`.
    pub fn reference(&self) -> String {
        format!("{}:{}", self.name, self.tag)
    }
}

/// One row of the table of images.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What the lab calls it.
    pub name: &'static str,
    /// The official image; of the helper, which has none, what its
    /// Dockerfile makes.
    pub official: &'static str,
    /// The one built from Debian packages.
    pub ours: &'static str,
}

/// The table of images.
pub fn table() -> impl Iterator<Item = Row> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut cells = line.split('\t');
        let (name, _kind) = (cells.next()?, cells.next()?);
        Some(Row { name, official: cells.next()?, ours: cells.next()? })
    })
}

/// Finds an image, or gets it.
///
/// # Errors
/// A [`Problem`] that says why it could neither be pulled nor built.
pub async fn resolve(
    engine: &Engine,
    wanted: Reference<'_>,
    hear: Hear<'_>,
) -> Result<Image, Problem> {
    let name = match wanted {
        Reference::Own(reference) => {
            let instead = text! {
                en: "or take the lab's own: --broker 4, --broker 3",
                zh: "或使用实验室自带的：--broker 4、--broker 3"
            };
            return own(engine, reference, instead).await;
        }
        Reference::Named(name) => name,
    };
    if let Some(image) = at_hand(engine, name).await? {
        return Ok(image);
    }
    hear(News::Awaiting(
        text! {
            en: "image {name}: not here; pulling it, else building it from Debian packages",
            zh: "镜像 {name}：本机没有；先拉取，不行就用 Debian 软件包构建",
            name = name
        },
        Some(LIMIT),
    ));
    let began = Instant::now();
    let told = script(&["ensure", name], hear).await?;
    hear(News::There(began.elapsed()));
    let mut cells = told.trim().split('\t').skip(1);
    match (cells.next(), cells.next()) {
        (Some(reference), Some(source)) => Ok(Image::new(reference, source)),
        _ => Err(Problem::environment(text! {
            en: "lab-image gave no image for {name}", zh: "lab-image 没有给出 {name} 的镜像",
            name = name
        })),
    }
}

/// The image of this name in the table, if it is here already: nothing is
/// pulled or built.
///
/// # Errors
/// A [`Problem`] where the environment names an image that is not here, or
/// what Docker says.
pub async fn at_hand(
    engine: &Engine,
    name: &str,
) -> Result<Option<Image>, Problem> {
    let variable = variable(name);
    if let Ok(reference) = std::env::var(&variable)
        && !reference.is_empty()
    {
        let instead = text! {
            en: "or take the lab's own: unset {variable}",
            zh: "或使用实验室自带的：unset {variable}",
            variable = variable
        };
        return own(engine, &reference, instead).await.map(Some);
    }
    if let Some(row) = table().find(|row| row.name == name) {
        for reference in [row.official, row.ours] {
            if is_here(engine, reference).await? {
                return Ok(Some(Image::new(reference, "present")));
            }
        }
    }
    Ok(None)
}

/// Runs `images/lab-image` with these arguments; its news are heard, its
/// answer returned.
///
/// # Errors
/// What the script said, with its exit code's meaning.
pub async fn script(
    arguments: &[&str],
    hear: Hear<'_>,
) -> Result<String, Problem> {
    let home = unpack().map_err(|e| {
        let said = reason(&e);
        Problem::environment(text! {
            en: "cannot write to the temporary directory: {said}",
            zh: "无法写入临时目录：{said}",
            said = said
        })
        .help(text! {
            en: "set TMPDIR to a directory with space", zh: "请把 TMPDIR 设为有空间的目录"
        })
    })?;
    // The script gives its children a chance to clean up at SIGTERM; being
    // killed outright it could not.
    let mut child = Command::new("bash")
        .arg(home.path().join("lab-image"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| {
            let said = reason(&e);
            Problem::environment(text! {
                en: "cannot run bash: {said}", zh: "无法运行 bash：{said}", said = said
            })
        })?;
    let stop = StopPolitely(child.id());
    let (mut said, mut error, mut help) =
        (String::new(), String::new(), Vec::new());
    if let (Some(stdout), Some(stderr)) =
        (child.stdout.take(), child.stderr.take())
    {
        let answer = async {
            let mut lines = BufReader::new(stdout).lines();
            let mut all = String::new();
            while let Ok(Some(line)) = lines.next_line().await {
                all.push_str(&line);
                all.push('\n');
            }
            all
        };
        let news = async {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                match (
                    line.strip_prefix("error: "),
                    line.trim_start().strip_prefix("help: "),
                ) {
                    (Some(what), _) => error = what.to_owned(),
                    (_, Some(what)) => help.push(Text::same(what)),
                    // What it says of its error, indented below it.
                    _ if !error.is_empty() && line.starts_with("  ") => {
                        error.push('\n');
                        error.push_str(&line);
                    }
                    _ => hear(News::Progress(Text::same(line))),
                }
            }
        };
        (said, ()) = tokio::join!(answer, news);
    }
    let status = child.wait().await;
    std::mem::forget(stop);
    match status {
        Ok(status) if status.success() => Ok(said),
        status => {
            let status = status.map(|s| s.to_string()).unwrap_or_default();
            let error = if error.is_empty() {
                format!("lab-image: {status}")
            } else {
                error
            };
            Err(Problem {
                error: Text::same(error),
                help,
                exit: Exit::Environment,
            })
        }
    }
}

/// Ends a child with SIGTERM when whoever waits for it gives up.
struct StopPolitely(Option<u32>);

impl Drop for StopPolitely {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            let _ = std::process::Command::new("kill")
                .arg(pid.to_string())
                .status();
        }
    }
}

fn unpack() -> io::Result<tempfile::TempDir> {
    let home = tempfile::Builder::new().prefix("rmq-lab-images-").tempdir()?;
    let tools = home.path().join("tools");
    fs::create_dir(&tools)?;
    for (path, content, mode) in [
        (home.path().join("images.tsv"), TABLE, 0o644),
        (home.path().join("lab-image"), SCRIPT, 0o755),
        (tools.join("Dockerfile"), DOCKERFILE, 0o644),
        (tools.join("mail-sink"), MAIL_SINK, 0o755),
    ] {
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    Ok(home)
}

async fn own(
    engine: &Engine,
    reference: &str,
    instead: Text,
) -> Result<Image, Problem> {
    if is_here(engine, reference).await? {
        return Ok(Image::new(reference, "present"));
    }
    Err(Problem::environment(text! {
        en: "image {reference} is not on this machine", zh: "本机没有镜像 {reference}",
        reference = reference
    })
    .help(text! { en: "docker pull {reference}", zh: "docker pull {reference}", reference = reference })
    .help(instead))
}

/// Whether an image is on this machine.
///
/// # Errors
/// What Docker says, when it is not "no such image".
pub async fn is_here(
    engine: &Engine,
    reference: &str,
) -> Result<bool, Problem> {
    match engine.docker().inspect_image(reference).await {
        Ok(_) => Ok(true),
        Err(DockerError::DockerResponseServerError {
            status_code: 404,
            ..
        }) => Ok(false),
        Err(error) => Err(docker::failed(&error)),
    }
}

fn variable(name: &str) -> String {
    format!("RMQ_LAB_IMAGE_{}", name.to_uppercase().replace(['-', '.'], "_"))
}
