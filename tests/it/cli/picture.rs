//! The pictures in the READMEs: what the program prints of the recorded run
//! that ships with it. `scripts/capture` draws them.

use std::{fs, path::Path, process::Command};

use anstyle::RgbColor;
use anstyle_svg::Term;
use libtest_mimic::{Failed, Trial};

use crate::shared::binary;

const CHAPTER: &str = "chapters/03-idempotency";
const SCENARIO: &str = "idempotency/mark-first";
const AGAIN: &str = "scripts/capture draws it again";

pub fn trials() -> Vec<Trial> {
    let each = [("en", "README.md"), ("zh", "README.zh-CN.md")];
    let each = each.into_iter().flat_map(|(language, readme)| {
        [
            Trial::test(format!("picture::is_of_the_record::{language}"), {
                move || is_of_the_record(language).map_err(Failed::from)
            }),
            Trial::test(format!("picture::is_shown::{language}"), move || {
                is_shown(language, readme).map_err(Failed::from)
            }),
        ]
    });
    each.collect()
}

fn path(language: &str) -> String {
    format!("{CHAPTER}/run.{language}.svg")
}

/// It is what the program prints now; with `RMQ_LAB_UPDATE=1` it is drawn
/// first.
fn is_of_the_record(language: &str) -> Result<(), String> {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path(language));
    let now = drawn(language)?;
    if std::env::var_os("RMQ_LAB_UPDATE").is_some() {
        fs::write(&whole, &now).map_err(|e| format!("{whole:?}: {e}"))?;
    }
    let kept = fs::read_to_string(&whole)
        .map_err(|e| format!("{}: {e}; {AGAIN}", path(language)))?;
    match kept == now {
        true => Ok(()),
        false => Err(format!("{} is out of date: {AGAIN}", path(language))),
    }
}

/// The README shows it, and says what is to be seen.
fn is_shown(language: &str, readme: &str) -> Result<(), String> {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(readme))
            .map_err(|e| format!("{readme}: {e}"))?;
    let end = format!("]({})", path(language));
    let Some((before, _)) = text.split_once(&end) else {
        return Err(format!("{readme} does not show {}", path(language)));
    };
    let said = before.rsplit_once("![").map_or("", |(_, said)| said);
    // What names nothing is of no use to whoever cannot see it.
    match said.contains(SCENARIO) {
        true => Ok(()),
        false => Err(format!("{readme} does not say that it is {SCENARIO}")),
    }
}

/// One column of a terminal, as `anstyle-svg` counts it.
const COLUMN_PX: f64 = 8.4;

fn drawn(language: &str) -> Result<String, String> {
    let replay = ["replay", SCENARIO, "--color", "always", "--lang", language];
    let told = Command::new(binary())
        .args(replay)
        .env_remove("NO_COLOR")
        .env("COLUMNS", "80")
        .output()
        .map_err(|e| format!("rmq-lab replay: {e}"))?;
    let told = String::from_utf8(told.stdout).map_err(|e| e.to_string())?;
    if told.is_empty() {
        return Err(format!("{replay:?} told nothing"));
    }
    let (ink, paper) = (RgbColor(230, 237, 243), RgbColor(22, 27, 34));
    let terminal = Term::new().fg_color(ink.into()).bg_color(paper.into());
    let svg = terminal.render_svg(told.trim_end());
    let title = format!("<title>rmq-lab demo {SCENARIO}</title>");
    let svg = svg.replacen("  <style>", &format!("  {title}\n  <style>"), 1);
    // Faint is not to be unreadable.
    let svg = svg.replace("opacity: 0.4", "opacity: 0.7");
    Ok(to_columns(&svg))
}

/// Gives wide characters two columns each: whoever looks at it may have a font
/// in which they are narrower.
fn to_columns(svg: &str) -> String {
    let is_wide = |c: char| c >= '\u{2e80}';
    let mut out = String::with_capacity(svg.len() * 2);
    let mut rest = svg;
    while let Some(at) = rest.find(is_wide) {
        let (before, wide) = rest.split_at(at);
        let end = wide.find(|c| !is_wide(c)).unwrap_or(wide.len());
        let (wide, after) = wide.split_at(end);
        let px = wide.chars().count() as f64 * 2.0 * COLUMN_PX;
        out += before;
        out += &format!(
            "<tspan textLength=\"{px:.1}\" lengthAdjust=\"spacingAndGlyphs\">\
             {wide}</tspan>"
        );
        rest = after;
    }
    out + rest
}
