//! The pictures in the READMEs: what the program prints of the recorded run
//! that ships with it. `scripts/capture` draws them.

use std::{
    fs,
    num::NonZeroU16,
    path::Path,
    process::{Command, Stdio},
};

use libtest_mimic::{Failed, Trial};
use maud::{Markup, PreEscaped, html};
use vt100::{Cell, Color, Screen};

use crate::shared::binary;

const CHAPTER: &str = "chapters/03-idempotency";
const SCENARIO: &str = "idempotency/mark-first";
const AGAIN: &str = "scripts/capture draws it again";

pub fn trials() -> Vec<Trial> {
    type Check = fn(&str, &str) -> Result<(), String>;
    let checks: [(&str, Check); 4] = [
        ("is_of_the_record", is_of_the_record),
        ("says_what_is_told", says_what_is_told),
        ("teeth", teeth),
        ("is_shown", is_shown),
    ];
    let each = [("en", "README.md"), ("zh", "README.zh-CN.md")];
    let each = each.into_iter().flat_map(|(language, readme)| {
        checks.map(|(name, check)| {
            Trial::test(format!("picture::{name}::{language}"), move || {
                check(language, readme).map_err(Failed::from)
            })
        })
    });
    each.collect()
}

fn path(language: &str) -> String {
    format!("{CHAPTER}/run.{language}.svg")
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .map_err(|e| format!("{path}: {e}; {AGAIN}"))
}

/// It is what would be drawn now; with `RMQ_LAB_UPDATE=1` it is drawn first.
fn is_of_the_record(language: &str, _: &str) -> Result<(), String> {
    let now = drawn(&told(language, "always")?, language)?;
    if std::env::var_os("RMQ_LAB_UPDATE").is_some() {
        let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path(language));
        fs::write(&whole, &now).map_err(|e| format!("{whole:?}: {e}"))?;
    }
    match read(&path(language))? == now {
        true => Ok(()),
        false => Err(format!("{} is out of date: {AGAIN}", path(language))),
    }
}

/// Whoever looks at it sees, column by column, what the program prints.
fn says_what_is_told(language: &str, _: &str) -> Result<(), String> {
    let seen = seen(&read(&path(language))?)?;
    let told = told(language, "never")?;
    let told: Vec<_> = told.lines().map(str::trim_end).collect();
    let differ = |(seen, told): (&String, &&str)| seen != told;
    match seen.iter().zip(&told).position(differ) {
        Some(row) => Err(format!(
            "{}: {:?} is seen where {:?} is told; {AGAIN}",
            path(language),
            seen[row],
            told[row]
        )),
        None if seen.len() != told.len() => {
            let (seen, told) = (seen.len(), told.len());
            Err(format!("{seen} rows are seen, {told} are told; {AGAIN}"))
        }
        None => Ok(()),
    }
}

/// A picture with something wrong is not read as the right one.
fn teeth(language: &str, _: &str) -> Result<(), String> {
    let right = read(&path(language))?;
    let as_it_is = seen(&right)?;
    for (from, to) in [
        (">40</tspan>", ">39</tspan>"),
        ("✓", "✗"),
        ("x=\"85.6\"", "x=\"94.0\""),
        ("</text>", ""),
        ("</svg>", ""),
    ] {
        let wrong = right.replacen(from, to, 1);
        if wrong == right {
            return Err(format!("{} has no {from}", path(language)));
        }
        if seen(&wrong).is_ok_and(|seen| seen == as_it_is) {
            return Err(format!("{from} as {to:?} is not found"));
        }
    }
    Ok(())
}

/// The README shows it, and says what is to be seen.
fn is_shown(language: &str, readme: &str) -> Result<(), String> {
    let text = read(readme)?;
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

/// What the program prints, without a terminal whose width it could take.
fn told(language: &str, color: &str) -> Result<String, String> {
    let replay = ["replay", SCENARIO, "--color", color, "--lang", language];
    let told = Command::new(binary())
        .args(replay)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("rmq-lab replay: {e}"))?;
    match told.status.success() {
        true => String::from_utf8(told.stdout).map_err(|e| e.to_string()),
        false => Err(format!("{replay:?}: {told:?}")),
    }
}

// ── drawing ────────────────────────────────────────────────────────────────

/// Wide enough for a command that is printed to be pasted, and so not broken.
const TERMINAL: u16 = 120;
const COLUMN_PX: f64 = 8.4;
const ROW_PX: f64 = 18.0;
const MARGIN_PX: f64 = 10.0;
/// Before a wide character, which does not fill its two columns.
const WIDE_PX: f64 = 0.9;

const STYLE: &str = "
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, \
'DejaVu Sans Mono', 'Liberation Mono', monospace; white-space: pre; \
fill: #e6edf3 }
.wide { font-size: 15px; font-family: 'PingFang SC', 'Microsoft YaHei', \
'Noto Sans CJK SC', 'Noto Sans SC', sans-serif }
.bold { font-weight: bold }
.dim { fill: #a2abb5 }
.red { fill: #ff7b72 }
.green { fill: #3fb950 }
.yellow { fill: #d29922 }
.cyan { fill: #39c5cf }
";

/// What stands together and looks alike, and where each of its characters
/// does.
struct Word {
    class: String,
    columns: Vec<u16>,
    text: String,
}

fn drawn(told: &str, language: &str) -> Result<String, String> {
    let lines: Vec<_> = told.lines().collect();
    let height = u16::try_from(lines.len()).map_err(|e| e.to_string())?;
    let size = |of| NonZeroU16::new(of).ok_or("nothing was told");
    let mut terminal = vt100::Parser::new(size(height)?, size(TERMINAL)?, 0);
    terminal.process(lines.join("\r\n").as_bytes());
    let rows = (0..height).map(|row| words(terminal.screen(), row));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(picture(&rows, language).into_string())
}

fn words(screen: &Screen, row: u16) -> Result<Vec<Word>, String> {
    let mut words: Vec<Word> = Vec::new();
    let mut goes_on = false;
    for column in 0..TERMINAL {
        let Some(cell) = screen.cell(row, column) else { continue };
        if cell.is_wide_continuation() {
            continue;
        }
        if cell.contents().trim().is_empty() {
            goes_on = false;
            continue;
        }
        let class = class(cell)?;
        match words.last_mut() {
            Some(word) if goes_on && word.class == class => {
                word.columns.push(column);
                word.text += cell.contents();
            }
            _ => words.push(Word {
                class,
                columns: vec![column],
                text: cell.contents().to_owned(),
            }),
        }
        goes_on = true;
    }
    Ok(words)
}

fn class(cell: &Cell) -> Result<String, String> {
    let color = match cell.fgcolor() {
        Color::Default => "",
        Color::Idx(1) => "red",
        Color::Idx(2) => "green",
        Color::Idx(3) => "yellow",
        Color::Idx(6) => "cyan",
        other => return Err(format!("{other:?} has no class in STYLE")),
    };
    let classes = [
        ("wide", cell.is_wide()),
        ("bold", cell.bold()),
        ("dim", cell.dim()),
        (color, !color.is_empty()),
    ];
    let classes = classes.into_iter().filter_map(|(c, is)| is.then_some(c));
    Ok(classes.collect::<Vec<_>>().join(" "))
}

fn picture(rows: &[Vec<Word>], language: &str) -> Markup {
    let last = rows.iter().filter_map(|words| words.last()?.columns.last());
    let columns = last.max().map_or(0, |last| last + 2);
    let width = f64::from(columns) * COLUMN_PX + 2.0 * MARGIN_PX;
    let height = (rows.len() as f64).mul_add(ROW_PX, 2.0 * MARGIN_PX);
    let (width, height) = (width.ceil(), height.ceil());
    html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img" xml:lang=(language)
            width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) }
        {
            title { "rmq-lab replay " (SCENARIO) }
            style { (PreEscaped(STYLE)) }
            rect x="0.5" y="0.5" width=(width - 1.0) height=(height - 1.0)
                rx="6" fill="#161b22" stroke="#30363d" {}
            @for (row, words) in rows.iter().enumerate() {
                "\n"
                // The foot of the letters.
                text y=(MARGIN_PX + row as f64 * ROW_PX + 13.0) {
                    @for word in words { (one(word)) }
                }
            }
            "\n"
        }
        "\n"
    }
}

/// A word begins in its column whatever font it is shown in, and wide
/// characters, whose font is another, do so one by one.
fn one(word: &Word) -> Markup {
    let wide = word.class.contains("wide");
    let placed = match wide {
        true => word.columns.as_slice(),
        false => &word.columns[..1],
    };
    let left = if wide { MARGIN_PX + WIDE_PX } else { MARGIN_PX };
    let px = |column: &u16| f64::from(*column).mul_add(COLUMN_PX, left);
    let px: Vec<_> = placed.iter().map(|c| format!("{:.1}", px(c))).collect();
    let class = (!word.class.is_empty()).then_some(&word.class);
    html! { tspan x=(px.join(" ")) class=[class] { (word.text) } }
}

// ── reading ────────────────────────────────────────────────────────────────

/// The rows of a picture, each word in the column where it is seen.
fn seen(svg: &str) -> Result<Vec<String>, String> {
    let svg = roxmltree::Document::parse(svg).map_err(|e| e.to_string())?;
    let rows = svg.descendants().filter(|node| node.has_tag_name("text"));
    rows.map(|row| {
        let mut cells = Vec::new();
        for word in row.children() {
            let xs = word.attribute("x").ok_or("a word without a place")?;
            let mut xs = xs.split(' ');
            for c in word.text().unwrap_or("").chars() {
                if let Some(x) = xs.next() {
                    let x: f64 = x.parse().map_err(|_| format!("at {x}"))?;
                    let column = ((x - MARGIN_PX) / COLUMN_PX).round();
                    let free = (column as usize).checked_sub(cells.len());
                    let free = free.ok_or(format!("{c:?} on another"))?;
                    cells.resize(cells.len() + free, ' ');
                }
                cells.push(c);
                // What a wide one also covers.
                let wide = word.attribute("class").is_some_and(is_wide);
                cells.extend(wide.then_some('\0'));
            }
        }
        Ok(cells.into_iter().filter(|c| *c != '\0').collect())
    })
    .collect()
}

fn is_wide(class: &str) -> bool {
    class.split(' ').any(|class| class == "wide")
}
