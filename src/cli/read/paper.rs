//! A page of a chapter, as lines of a terminal.

use termimad::{
    MadSkin,
    crossterm::style::{Attribute, Color, force_color_output},
};

use super::{
    super::difference,
    inline::{self, dressed, wrap},
    table,
};
use crate::{
    book::{
        arrows::{Piece, pieces},
        page::{Block, Kind, Row, Span, plain},
    },
    narrate::{self, Ink, Style, width_in},
    text::Lang,
};

/// What a page is told on.
pub struct Paper<'t> {
    topic: &'t str,
    lang: Lang,
    color: bool,
    width: usize,
    links: bool,
    skin: MadSkin,
}

/// Columns that stay free on the left.
const MARGIN: usize = 1;

impl<'t> Paper<'t> {
    /// A page of the chapter about a topic; `links` where the terminal
    /// follows them.
    pub fn new(topic: &'t str, style: &Style, links: bool) -> Self {
        let &Style { lang, color, width, .. } = style;
        Self { topic, lang, color, width, links, skin: skin(color) }
    }

    /// The page, a free line between its parts.
    pub fn lines(&self, blocks: &[Block]) -> Vec<String> {
        self.below(blocks, MARGIN)
    }

    fn below(&self, blocks: &[Block], indent: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for block in blocks {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            lines.extend(self.block(&block.kind, indent));
        }
        lines
    }

    fn block(&self, kind: &Kind, indent: usize) -> Vec<String> {
        match kind {
            Kind::Heading(level, spans) => self.heading(*level, spans, indent),
            Kind::Paragraph(spans) => self.paragraph(spans, indent, indent),
            Kind::List(first, items) => self.list(*first, items, indent),
            Kind::Table(rows) => self.table(rows, indent),
            Kind::Code(tag, text) => self.code(tag, text, indent),
            Kind::Diff(target, text) => self.diff(target, text),
            Kind::Quote(blocks) => self
                .below(blocks, 0)
                .iter()
                .map(|line| format!("{}> {line}", " ".repeat(indent)))
                .collect(),
            Kind::Rule => {
                let room = self.width.saturating_sub(2 * indent);
                vec![format!("{}{}", " ".repeat(indent), "-".repeat(room))]
            }
        }
    }

    fn heading(&self, level: u8, spans: &[Span], indent: usize) -> Vec<String> {
        let room = self.room(indent);
        let spans = dressed(spans.to_vec(), self.color, self.links);
        let told: Vec<_> = wrap(&spans, room, self.lang)
            .iter()
            .map(|line| plain(line))
            .collect();
        let widths = told.iter().map(|line| width_in(self.lang, line));
        let under = match level {
            1 => "=",
            2 => "-",
            _ => "",
        };
        let under = under.repeat(widths.max().unwrap_or(0));
        let lines = told.iter().chain((!under.is_empty()).then_some(&under));
        let margin = " ".repeat(indent);
        lines
            .map(|line| {
                let told = narrate::painted(Ink::Bold, line, self.color);
                format!("{margin}{told}")
            })
            .collect()
    }

    fn room(&self, indent: usize) -> usize {
        self.width.saturating_sub(indent + 1).max(2)
    }

    /// A paragraph; its first line may stand elsewhere. Runs at its end are
    /// commands on lines of their own.
    fn paragraph(
        &self,
        spans: &[Span],
        indent: usize,
        first: usize,
    ) -> Vec<String> {
        let (words, commands) = self.told(spans);
        let words = dressed(words, self.color, self.links);
        let mut lines: Vec<_> = wrap(&words, self.room(indent), self.lang)
            .iter()
            .enumerate()
            .map(|(nth, line)| {
                let margin = if nth == 0 { first } else { indent };
                let told = inline::painted(line, &self.skin, self.links);
                format!("{}{told}", " ".repeat(margin))
            })
            .collect();
        let margin = " ".repeat(indent + 2);
        lines.extend(commands.iter().map(|command| {
            let told = narrate::painted(Ink::Cyan, command, self.color);
            format!("{margin}{told}")
        }));
        lines
    }

    /// The words of a paragraph, and the commands after it.
    fn told(&self, spans: &[Span]) -> (Vec<Span>, Vec<String>) {
        let pieces = pieces(spans, self.topic);
        let last = pieces.iter().rposition(|piece| match piece {
            Piece::Runs(_) => true,
            Piece::Words(span) => {
                !span.text.trim().trim_matches(['.', '。']).is_empty()
            }
        });
        let mut words = Vec::new();
        for (nth, piece) in pieces.into_iter().enumerate() {
            let runs = match piece {
                Piece::Runs(runs) if Some(nth) == last => {
                    return (words, commands(&runs, self.room(4)));
                }
                Piece::Runs(runs) => runs,
                Piece::Words(span) => {
                    words.push(span);
                    continue;
                }
            };
            let command = format!("rmq-lab demo {}", runs.join(" "));
            // A full-width stop brings its own space.
            let tight = ['。', '；', '，', '：', '(', '（'];
            let tight = plain(&words).ends_with(tight);
            let arrow = match words.is_empty() || tight {
                true => "→\u{a0}",
                false => " →\u{a0}",
            };
            words.push(Span { text: arrow.to_owned(), ..Span::default() });
            words.push(Span { text: command, code: true, ..Span::default() });
        }
        (words, Vec::new())
    }

    fn list(
        &self,
        first: Option<u64>,
        items: &[Vec<Block>],
        indent: usize,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        for (number, item) in (first.unwrap_or(0)..).zip(items) {
            let mark = match first {
                Some(_) => format!("{number}. "),
                None => "- ".to_owned(),
            };
            let inner = indent + mark.len();
            let mut told = Vec::new();
            for (nth, block) in item.iter().enumerate() {
                match &block.kind {
                    Kind::Paragraph(spans) if nth == 0 => {
                        told.extend(self.paragraph(spans, inner, 0));
                    }
                    kind => told.extend(self.block(kind, inner)),
                }
            }
            let margin = " ".repeat(indent);
            let mark = narrate::painted(Ink::Dim, &mark, self.color);
            match told.split_first() {
                Some((head, rest)) => {
                    lines.push(format!("{margin}{mark}{}", head.trim_start()));
                    lines.extend(rest.iter().cloned());
                }
                None => lines.push(format!("{margin}{mark}")),
            }
        }
        lines
    }

    fn table(&self, rows: &[Row], indent: usize) -> Vec<String> {
        let mut pointed = Vec::new();
        let bare: Vec<Vec<Vec<Span>>> = rows
            .iter()
            .map(|row| {
                let cells = row.cells.iter().map(|cell| {
                    let (cell, names) = in_cell(cell, self.topic);
                    pointed.extend(names);
                    cell
                });
                cells.collect()
            })
            .collect();
        let margin = " ".repeat(indent);
        let mut lines: Vec<_> = match self.drawn(&bare, self.room(indent)) {
            Some(lines) => {
                lines.iter().map(|line| format!("{margin}{line}")).collect()
            }
            None => self.list(None, &records(&bare, self.lang), indent),
        };
        let (others, own): (Vec<_>, Vec<_>) =
            pointed.iter().partition(|name| name.contains('/'));
        let legend = [
            (own, format!("-> NAME: rmq-lab demo {}/NAME", self.topic)),
            (others, "-> TOPIC/NAME: rmq-lab demo TOPIC/NAME".to_owned()),
        ];
        for (_, told) in legend.iter().filter(|(names, _)| !names.is_empty()) {
            let told = narrate::painted(Ink::Dim, told, self.color);
            lines.push(format!("{margin}{told}"));
        }
        lines
    }

    fn drawn(
        &self,
        bare: &[Vec<Vec<Span>>],
        room: usize,
    ) -> Option<Vec<String>> {
        let cells: Vec<Vec<Vec<Span>>> = bare
            .iter()
            .map(|row| {
                let cells = row.iter().cloned();
                cells.map(|cell| dressed(cell, self.color, false)).collect()
            })
            .collect();
        table::lines(&cells, room, self.lang, &self.skin)
    }

    fn code(&self, tag: &str, text: &str, indent: usize) -> Vec<String> {
        let ink = match tag {
            "sh" => Ink::Cyan,
            _ => Ink::Plain,
        };
        let margin = " ".repeat(indent + 2);
        text.lines()
            .map(|line| match line.trim_end() {
                "" => String::new(),
                line => {
                    let told = narrate::painted(ink, line, self.color);
                    format!("{margin}{told}")
                }
            })
            .collect()
    }

    /// At the left edge: the code has eighty columns of its own.
    fn diff(&self, target: &str, text: &str) -> Vec<String> {
        let command = format!("rmq-lab show {target} --diff");
        let command = narrate::painted(Ink::Cyan, &command, self.color);
        let mut lines = vec![format!("   {command}"), String::new()];
        let code = text.lines();
        lines.extend(code.map(|line| difference::coloured(line, self.color)));
        lines
    }
}

/// One command where a line holds it, else one for each run: a command is
/// never broken.
fn commands(runs: &[String], room: usize) -> Vec<String> {
    let together = format!("rmq-lab demo {}", runs.join(" "));
    if together.len() <= room {
        return vec![together];
    }
    runs.iter().map(|run| format!("rmq-lab demo {run}")).collect()
}

/// A table as a list: a row is an item.
fn records(rows: &[Vec<Vec<Span>>], lang: Lang) -> Vec<Vec<Block>> {
    let paragraph = |spans| Block { line: 0, kind: Kind::Paragraph(spans) };
    let records =
        table::records(rows, lang).into_iter().map(|(head, named)| {
            std::iter::once(head).chain(named).map(paragraph).collect()
        });
    records.collect()
}

/// A cell with its arrows in ASCII, and the names behind these.
fn in_cell(spans: &[Span], topic: &str) -> (Vec<Span>, Vec<String>) {
    let mut pointed = Vec::new();
    let mut told = Vec::new();
    for piece in pieces(spans, topic) {
        let runs = match piece {
            Piece::Words(span) => {
                told.push(span);
                continue;
            }
            Piece::Runs(runs) => runs,
        };
        let own = |run: &String| {
            let own = run.strip_prefix(topic);
            let own = own.and_then(|run| run.strip_prefix('/'));
            own.unwrap_or(run).to_owned()
        };
        let arrow = if told.is_empty() { "-> " } else { " -> " };
        told.push(Span { text: arrow.to_owned(), ..Span::default() });
        let names: Vec<_> = runs.iter().map(own).collect();
        let (text, code) = (names.join(", "), true);
        told.push(Span { text, code, ..Span::default() });
        pointed.extend(names);
    }
    (told, pointed)
}

/// The ink of the house, where there is any.
fn skin(color: bool) -> MadSkin {
    let mut skin = MadSkin::no_style();
    skin.limit_to_ascii();
    if color {
        // Whether there is colour was decided before: crossterm's own look
        // at the environment is not asked.
        force_color_output(true);
        skin.bold.add_attr(Attribute::Bold);
        skin.italic.add_attr(Attribute::Italic);
        skin.inline_code.set_fg(Color::DarkCyan);
        skin.table.add_attr(Attribute::Dim);
    }
    skin
}
