//! Both languages are built alike, and a chapter has what a chapter has.

use rmq_lab::{
    book::{
        arrows::{Piece, pieces},
        page::{Block, Kind, Span, blocks, plain},
    },
    text::Lang,
};
use unicode_width::UnicodeWidthStr;

use super::{
    book::{Book, LANGUAGES, Paper, README, README_ZH},
    inline::flat,
    rule::{Finding, Rule, Spoil, append, edit, spoil},
};

pub const RULES: &[Rule] = &[
    Rule {
        name: "both_languages_have_the_same_structure",
        check: alike,
        spoils: different,
    },
    Rule {
        name: "a_chapter_has_its_sections",
        check: sections,
        spoils: other_sections,
    },
    Rule {
        name: "a_chapter_has_a_drawing_that_no_terminal_tears",
        check: drawings,
        spoils: other_drawings,
    },
    Rule {
        name: "readme_says_how_to_teach_and_how_to_add",
        check: readmes,
        spoils: silent_readmes,
    },
];

/// The sections that every chapter ends with, after those of its own.
pub const SECTIONS: [[&str; 2]; 6] = [
    ["The naive answer", "常见的回答"],
    ["What it costs", "代价"],
    ["What it does not protect from", "挡不住什么"],
    ["Versions", "版本差异"],
    ["Myths", "误区"],
    ["Sources", "出处"],
];

/// How a chapter begins.
const ASKED: [&str; 2] = ["What an interviewer asks", "面试官会问"];

/// What a README says in points, and at least so many of them.
const IN_POINTS: [[&str; 2]; 2] =
    [["Teaching with it", "怎么用它讲课"], ["Adding to it", "参与开发"]];
const POINTS: usize = 5;

/// Columns of a drawing.
const DRAWING: usize = 76;

/// A part of a text as far as it must be alike, and its line.
type Part = (usize, String);

fn shape(paper: &Paper, topic: &str) -> Vec<Part> {
    let parts = flat(&blocks(&paper.text)).into_iter().flat_map(|block| {
        let line = block.line;
        let own = match &block.kind {
            Kind::Heading(level, _) => Some(format!("heading {level}")),
            Kind::List(None, items) => Some(format!("list of {}", items.len())),
            Kind::List(Some(_), items) => {
                Some(format!("numbered list of {}", items.len()))
            }
            Kind::Table(rows) => {
                let columns = rows.iter().map(|row| row.cells.len()).max();
                let columns = columns.unwrap_or_default();
                Some(format!("table of {} by {columns}", rows.len()))
            }
            Kind::Code(tag, _) => Some(format!("code {tag:?}")),
            Kind::Diff(target, _) => Some(format!("difference of {target}")),
            Kind::Quote(_) => Some("quotation".to_owned()),
            Kind::Rule => Some("rule".to_owned()),
            Kind::Paragraph(_) => None,
        };
        own.map(|own| (line, own)).into_iter().chain(runs(&block, topic))
    });
    parts.collect()
}

/// What a block points to. Within one the languages may differ in order.
fn runs(block: &Block, topic: &str) -> Vec<Part> {
    let of = |line: usize, spans: &[Span]| {
        let pieces = pieces(spans, topic).into_iter();
        let mut runs: Vec<_> = pieces
            .filter_map(|piece| match piece {
                Piece::Runs(runs) => Some(runs),
                Piece::Words(_) => None,
            })
            .flatten()
            .collect();
        runs.sort_unstable();
        (!runs.is_empty()).then(|| (line, format!("→ {}", runs.join(", "))))
    };
    match &block.kind {
        Kind::Paragraph(spans) | Kind::Heading(_, spans) => {
            of(block.line, spans).into_iter().collect()
        }
        Kind::Table(rows) => rows
            .iter()
            .flat_map(|row| row.cells.iter().map(move |cell| (row.line, cell)))
            .filter_map(|(line, cell)| of(line, cell))
            .collect(),
        _ => Vec::new(),
    }
}

fn alike(book: &Book) -> Vec<Finding> {
    let chapters = book.chapters.iter().filter_map(|pages| {
        let [en, zh] = &pages.texts;
        first_difference(en, zh, &pages.topic)
    });
    let paper = |path: &str| book.papers.iter().find(|p| p.path == path);
    let readme = paper(README).zip(paper(README_ZH));
    let readme = readme.and_then(|(en, zh)| first_difference(en, zh, ""));
    chapters.chain(readme).collect()
}

/// One is enough: what follows is shifted.
fn first_difference(en: &Paper, zh: &Paper, topic: &str) -> Option<Finding> {
    let (of_en, of_zh) = (shape(en, topic), shape(zh, topic));
    let alike = of_en.iter().zip(&of_zh).take_while(|(a, b)| a.1 == b.1);
    let at = alike.count();
    let end =
        |paper: &Paper| (paper.text.lines().count(), "the end".to_owned());
    if at == of_en.len() && at == of_zh.len() {
        return None;
    }
    let (line_en, en_has) = of_en.get(at).cloned().unwrap_or_else(|| end(en));
    let (line_zh, zh_has) = of_zh.get(at).cloned().unwrap_or_else(|| end(zh));
    let at = en.at(line_en);
    let says = format!("{en_has}, but {} has {zh_has}", zh.at(line_zh));
    Some(Finding::new(at, says))
}

/// One more of each kind on one side, in every chapter.
fn different(book: &Book) -> Vec<Spoil> {
    let more = [
        "## More",
        "- item",
        "1. item",
        "| a | b |\n|---|---|\n| c | d |",
        "```text\n+\n```",
        "> said",
        "---",
        "See. → `other`",
        "<!-- diff: a/b -->\n```diff\n```",
    ];
    let mut spoils = Vec::new();
    for nth in 0..book.chapters.len() {
        for lang in LANGUAGES {
            spoils.extend(more.map(|what| append(nth, lang, what)));
            spoils.push(edit(nth, lang, "\n## ", "\n### "));
            spoils.push(edit(nth, lang, "```text", "```sh"));
            // The first may be a line of a difference.
            spoils.push(spoil(
                format!("{nth} {lang:?}: an item"),
                move |book| {
                    let text =
                        &mut book.chapters[nth].texts[lang as usize].text;
                    if let Some(at) = text.rfind("\n- ") {
                        text.replace_range(at..at + 3, "\n  ");
                    }
                },
            ));
            spoils.push(edit(nth, lang, "→ `", "`"));
            spoils.push(edit(nth, lang, "<!-- diff: ", "<!-- diff: x"));
            spoils.push(spoil(
                format!("{nth} {lang:?}: no rows"),
                move |book| {
                    let text =
                        &mut book.chapters[nth].texts[lang as usize].text;
                    let last = text.lines().rfind(|line| line.starts_with('|'));
                    let last = format!("{}\n", last.unwrap_or_default());
                    *text = text.replacen(&last, "", 1);
                },
            ));
        }
    }
    let readmes = [(README, Lang::En), (README_ZH, Lang::Zh)];
    spoils.push(spoil("two READMEs", move |book| {
        let text = |path| match path {
            README => "# One\n\n- a\n".to_owned(),
            _ => "# 一\n\n- 甲\n- 乙\n".to_owned(),
        };
        book.papers = readmes
            .map(|(path, lang)| {
                let (text, path) = (text(path), path.to_owned());
                Paper { path, lang, text }
            })
            .into();
    }));
    spoils
}

/// Headings of the second level, and their lines.
fn headings(all: &[Block]) -> Vec<(usize, String)> {
    let headings = all.iter().filter_map(|block| match &block.kind {
        Kind::Heading(2, spans) => Some((block.line, plain(spans))),
        _ => None,
    });
    headings.collect()
}

fn sections(book: &Book) -> Vec<Finding> {
    book.chapter_texts().flat_map(sections_of).collect()
}

fn sections_of(paper: &Paper) -> Vec<Finding> {
    let (all, lang) = (blocks(&paper.text), paper.lang as usize);
    let mut found = Vec::new();
    let mut say = |line: usize, says: String| {
        found.push(Finding::new(paper.at(line), says));
    };
    let titles =
        all.iter().filter(|block| matches!(block.kind, Kind::Heading(1, _)));
    let titles: Vec<_> = titles.map(|block| block.line).collect();
    if titles != [1] {
        say(1, format!("a title on the lines {titles:?}, not on the first"));
    }
    let asks = all.get(1).is_some_and(|block| match &block.kind {
        Kind::Paragraph(spans) => spans.first().is_some_and(|lead| {
            lead.bold && lead.text.starts_with(ASKED[lang])
        }),
        _ => false,
    });
    if !asks {
        let says = format!("does not begin with **{}**", ASKED[lang]);
        say(all.get(1).map_or(1, |block| block.line), says);
    }
    let headings = headings(&all);
    let mut from = 0;
    for (nth, section) in SECTIONS.iter().enumerate() {
        let section = section[lang];
        let named = |(_, heading): &(usize, String)| heading == section;
        let place = headings.iter().skip(from).position(named);
        match place {
            // The first comes first.
            Some(at) if nth > 0 || at == 0 => from += at + 1,
            _ => say(1, format!("## {section} is missing, or out of order")),
        }
    }
    // A section of its own at least.
    if headings.len() <= SECTIONS.len() {
        say(1, "no section of its own".to_owned());
    }
    if let Some((line, last)) = headings.last()
        && last != SECTIONS[SECTIONS.len() - 1][lang]
    {
        say(*line, format!("## {last} comes after the sources"));
    }
    found
}

fn other_sections(book: &Book) -> Vec<Spoil> {
    let mut spoils = Vec::new();
    for nth in 0..book.chapters.len() {
        for lang in LANGUAGES {
            for section in SECTIONS {
                let heading = format!("## {}\n", section[lang as usize]);
                spoils.push(edit(nth, lang, &heading, ""));
            }
            spoils.push(edit(nth, lang, ASKED[lang as usize], "So"));
            spoils.push(edit(nth, lang, "# ", "\n# "));
            spoils.push(append(nth, lang, "## After all"));
            spoils.push(append(nth, lang, "# Another title"));
        }
    }
    spoils.push(spoil("sections of all chapters only", |book| {
        let paper = &mut book.chapters[0].texts[0];
        let sections = SECTIONS.map(|section| format!("## {}\n\n", section[0]));
        paper.text =
            format!("# T\n\n**{}.**\n\n{}", ASKED[0], sections.concat());
    }));
    spoils.push(spoil("sections in another order", |book| {
        let text = &mut book.chapters[0].texts[1].text;
        *text = text
            .replace("## 误区", "## 另")
            .replace("## 版本差异", "## 误区")
            .replace("## 另", "## 版本差异");
    }));
    spoils
}

fn drawings(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for paper in book.chapter_texts() {
        let all = flat(&blocks(&paper.text));
        let drawings = all.iter().filter_map(|block| match &block.kind {
            Kind::Code(tag, text) if tag == "text" => Some((block.line, text)),
            _ => None,
        });
        let drawings: Vec<_> = drawings.collect();
        if drawings.is_empty() {
            found.push(Finding::new(&paper.path, "has no drawing"));
        }
        for (line, drawing) in drawings {
            for (nth, drawn) in drawing.lines().enumerate() {
                let at = paper.at(line + 1 + nth);
                let width = drawn.width_cjk();
                if width > DRAWING {
                    let says = format!("a drawing of {width} columns");
                    found.push(Finding::new(&at, says));
                }
                if let Some(c) = drawn.chars().find(|c| tears(*c)) {
                    let says = format!("{c:?} in a drawing tears it");
                    found.push(Finding::new(&at, says));
                }
            }
        }
    }
    found
}

/// A character that has not the same width everywhere.
pub fn tears(c: char) -> bool {
    let mut buffer = [0; 4];
    let said: &str = c.encode_utf8(&mut buffer);
    !c.is_ascii() && (said.width() != 2 || said.width_cjk() != 2)
}

fn other_drawings(_: &Book) -> Vec<Spoil> {
    let wide = format!("```text\n{}\n```", "-".repeat(DRAWING + 1));
    let mut spoils = vec![append(0, Lang::En, &wide)];
    for lang in LANGUAGES {
        for drawn in ["->│", "─", "→", "“x”", "…", "λ"] {
            spoils.push(append(1, lang, &format!("```text\n{drawn}\n```")));
        }
        spoils.push(spoil(format!("no drawing in {lang:?}"), move |book| {
            let text = &mut book.chapters[2].texts[lang as usize].text;
            *text = text.replace("```text", "```sh");
        }));
    }
    spoils
}

fn readmes(book: &Book) -> Vec<Finding> {
    let papers = book.papers.iter();
    let papers =
        papers.filter(|paper| [README, README_ZH].contains(&&*paper.path));
    let mut found = Vec::new();
    for paper in papers {
        let all = blocks(&paper.text);
        for section in IN_POINTS {
            let section = section[paper.lang as usize];
            let mut rest = all.iter().skip_while(|block| match &block.kind {
                Kind::Heading(2, spans) => plain(spans) != section,
                _ => true,
            });
            let Some(heading) = rest.next() else {
                let says = format!("## {section} is missing");
                found.push(Finding::new(&paper.path, says));
                continue;
            };
            let own = rest
                .take_while(|block| !matches!(block.kind, Kind::Heading(..)));
            let points = own.map(|block| match &block.kind {
                Kind::List(_, items) => items.len(),
                _ => 0,
            });
            let points: usize = points.sum();
            if points < POINTS {
                let says = format!(
                    "## {section} has {points} points, less than {POINTS}"
                );
                found.push(Finding::new(paper.at(heading.line), says));
            }
        }
    }
    found
}

fn silent_readmes(_: &Book) -> Vec<Spoil> {
    let readmes = [(README, Lang::En), (README_ZH, Lang::Zh)];
    let mut spoils = Vec::new();
    for (path, lang) in readmes {
        for section in IN_POINTS {
            let section = section[lang as usize];
            let changed = |what: &str, to: String| {
                let heading = format!("## {section}\n");
                spoil(format!("{path}: {section}: {what}"), move |book| {
                    let papers = book.papers.iter_mut();
                    for paper in papers.filter(|paper| paper.path == path) {
                        paper.text = paper.text.replace(&heading, &to);
                    }
                })
            };
            spoils.push(changed("gone", String::new()));
            spoils.push(changed("deeper", format!("### {section}\n")));
            let elsewhere = format!("## {section}\n\nSo.\n\n## Else\n");
            spoils.push(changed("empty", elsewhere));
        }
    }
    spoils
}
