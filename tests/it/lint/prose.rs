//! How the texts are set: columns, punctuation, spaces.

use rmq_lab::{
    book::{
        chapter::minutes,
        page::{Kind, blocks, is_address},
    },
    text::Lang,
};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{
    book::{Book, LANGUAGES, Paper},
    inline::{flat, prose, words},
    rule::{Finding, Rule, Spoil, append, spoil},
    structure::tears,
    texts::{self, is_chinese},
};

pub const RULES: &[Rule] = &[
    Rule {
        name: "no_line_is_longer_than_eighty_columns",
        check: columns,
        spoils: longer,
    },
    Rule {
        name: "punctuation_is_of_the_language",
        check: punctuation,
        spoils: slips,
    },
    Rule { name: "no_table_is_torn", check: tables, spoils: torn },
    Rule {
        name: "a_chapter_is_read_in_a_few_minutes",
        check: reading_time,
        spoils: lectures,
    },
];

const COLUMNS: usize = 80;

/// As `rmq-lab read` tells them: ten are promised, and some text is skipped.
const MINUTES: usize = 11;

fn columns(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for paper in book.texts() {
        let chapter = paper.path.starts_with("chapters/");
        let exempt = code_lines(paper);
        for (nth, line) in paper.text.lines().enumerate() {
            let line_number = nth + 1;
            // The rows of README's tables are as long as they are.
            let row = !chapter && line.starts_with('|');
            // An address cannot be broken, and it is not read.
            let kept = row || is_address(line);
            let width = line.width();
            if width > COLUMNS && !kept && !exempt.contains(&line_number) {
                let says = format!("{width} columns");
                found.push(Finding::new(paper.at(line_number), says));
            }
        }
    }
    found
}

/// The lines that are filled in.
fn code_lines(paper: &Paper) -> Vec<usize> {
    let lines =
        flat(&blocks(&paper.text)).into_iter().filter_map(|block| match block
            .kind
        {
            Kind::Diff(_, text) => {
                Some(block.line..=block.line + text.lines().count())
            }
            _ => None,
        });
    lines.flatten().collect()
}

fn longer(book: &Book) -> Vec<Spoil> {
    let mut spoils = Vec::new();
    for nth in 0..book.chapters.len() {
        let long = "word ".repeat(16) + "s";
        spoils.push(append(nth, Lang::En, &long));
        spoils.push(append(nth, Lang::Zh, &("字".repeat(40) + "。")));
        let row = format!("| {} | b |\n|---|---|\n| c | d |", "a".repeat(80));
        spoils.push(append(nth, Lang::En, &row));
        let code = format!("```text\n{}\n```", "-".repeat(81));
        spoils.push(append(nth, Lang::Zh, &code));
        let link = format!("[a](https://{})", "a".repeat(80));
        spoils.push(append(nth, Lang::En, &link));
    }
    spoils.extend((0..book.papers.len()).map(|nth| {
        spoil(format!("paper {nth} is too long"), move |book| {
            let text = &mut book.papers[nth].text;
            text.push_str(&format!("\n{}\n", "words ".repeat(14)));
        })
    }));
    spoils
}

/// Every text that is read as prose: where, in which language, and what.
fn all_prose(book: &Book) -> Vec<(String, Lang, String)> {
    let mut all = Vec::new();
    for paper in book.chapter_texts() {
        all.extend(words(paper).into_iter().map(|words| {
            (paper.at(words.line), paper.lang, prose(&words.spans))
        }));
    }
    for (at, text) in texts::of_book(book) {
        all.extend(LANGUAGES.map(|lang| {
            // What stands in backticks is code.
            let parts = text.say(lang).split('`').enumerate();
            let prose = parts.map(|(nth, part)| match nth % 2 {
                1 => "x",
                _ => part,
            });
            (at.clone(), lang, prose.collect())
        }));
    }
    all
}

fn punctuation(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, lang, prose) in all_prose(book) {
        let slip = match lang {
            Lang::En => english_slip(&prose),
            Lang::Zh => chinese_slip(&prose),
        };
        let shouts = prose
            .find(['!', '！'])
            .map(|nth| ("an exclamation mark", around(&prose, nth)));
        found.extend(
            [slip, shouts].into_iter().flatten().map(|(says, part)| {
                Finding::new(&at, format!("{says}: {part}"))
            }),
        );
    }
    found
}

type Slip = Option<(&'static str, String)>;

fn english_slip(prose: &str) -> Slip {
    let wide = |c: char| c.width() == Some(2);
    let at = prose.find(wide)?;
    Some(("Chinese in English", around(prose, at)))
}

/// Half-width punctuation beside Chinese, and a sentence in Chinese that ends
/// with it.
fn chinese_slip(prose: &str) -> Slip {
    let chars: Vec<_> = prose.char_indices().collect();
    for pair in chars.windows(2) {
        let [(_, one), (at, other)] = [pair[0], pair[1]];
        let half = |c: char| matches!(c, ',' | ';' | ':' | '?' | '(' | ')');
        if is_chinese(one) && (half(other) || other == '.')
            || half(one) && is_chinese(other)
        {
            return Some(("half-width punctuation", around(prose, at)));
        }
        let latin = |c: char| c.is_ascii_alphanumeric();
        if is_chinese(one) && latin(other) || latin(one) && is_chinese(other) {
            return Some(("no space between", around(prose, at)));
        }
        let full =
            |c: char| matches!(c, '，' | '。' | '；' | '：' | '？' | '、');
        if one == ' ' && full(other) {
            return Some(("a space before full-width", around(prose, at)));
        }
    }
    let end = prose.trim_end();
    let ends_half = end.ends_with(['.', ',', ';', ':', '?']);
    (ends_half && end.contains(is_chinese))
        .then(|| ("a Chinese sentence ends half-width", around(end, end.len())))
}

fn around(prose: &str, at: usize) -> String {
    let before: Vec<_> = prose[..at].chars().rev().take(12).collect();
    let after = prose[at..].chars().take(12);
    before.into_iter().rev().chain(after).collect()
}

fn slips(_: &Book) -> Vec<Spoil> {
    let chinese = [
        "消息,不丢。",
        "消息;不丢。",
        "消息:不丢。",
        "不丢?",
        "消息(x)不丢。",
        "确认后.",
        "见 RabbitMQ.",
        "用ack 确认。",
        "确认ack。",
        "确认`ack`。",
        "确认 ，不丢。",
        "不丢！",
        "| 甲,乙 | b |\n|---|---|\n| c | d |",
        "- 消息,不丢。",
        "## 消息:丢",
    ];
    let english = ["Lost。", "Lost，and found.", "消息", "Lost!", "「so」"];
    let mut spoils: Vec<_> =
        chinese.into_iter().map(|slip| append(0, Lang::Zh, slip)).collect();
    spoils.extend(english.map(|slip| append(1, Lang::En, slip)));
    spoils.push(spoil("a slip in an answer", |book| {
        if let Ok(file) = &mut book.chapters[0].questions.read {
            file.questions[0].answer.zh = "消息不丢,因为确认了。".into();
        }
    }));
    spoils.push(spoil("a slip in a hint", |book| {
        if let Ok(file) = &mut book.chapters[0].hints.read {
            file.scenarios[0].hint[0].en = "Look again！".into();
        }
    }));
    spoils
}

/// Cells are padded: what has not the same width everywhere tears the table.
/// An arrow is told in ASCII.
fn tables(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for paper in book.chapter_texts() {
        for block in flat(&blocks(&paper.text)) {
            let Kind::Table(rows) = block.kind else { continue };
            for row in rows {
                let said =
                    row.cells.iter().flatten().flat_map(|span| {
                        span.text.chars().filter(|c| *c != '→')
                    });
                if let Some(c) = said.into_iter().find(|c| tears(*c)) {
                    let says = format!("{c:?} in a table tears it");
                    found.push(Finding::new(paper.at(row.line), says));
                }
            }
        }
    }
    found
}

fn torn(_: &Book) -> Vec<Spoil> {
    let spoils = LANGUAGES.into_iter().flat_map(|lang| {
        ["…", "·", "×", "“a”", "✓", "─"].map(|c| {
            let table = format!("| a | b |\n|---|---|\n| {c} | d |");
            append(3, lang, &table)
        })
    });
    spoils.collect()
}

fn reading_time(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for paper in book.chapter_texts() {
        let minutes = minutes(&paper.text, paper.lang);
        if minutes > MINUTES {
            let says = format!("takes {minutes} minutes, not {MINUTES}");
            found.push(Finding::new(&paper.path, says));
        }
    }
    found
}

fn lectures(book: &Book) -> Vec<Spoil> {
    let long = ["word\n".repeat(200 * MINUTES), "字\n".repeat(400 * MINUTES)];
    let spoils = (0..book.chapters.len()).flat_map(|nth| {
        LANGUAGES.map(|lang| {
            let more = long[lang as usize].clone();
            spoil(format!("chapter {nth} {lang:?}: a lecture"), move |book| {
                let paper = &mut book.chapters[nth].texts[lang as usize];
                paper.text.push_str(&more);
            })
        })
    });
    spoils.collect()
}
