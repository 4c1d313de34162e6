//! A chapter as a tree: headings, paragraphs, lists, tables, code.
//!
//! Whoever shows a text, and whoever checks it, reads this and not Markdown.

use std::ops::Range;

use pulldown_cmark::{
    CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd,
};

use super::{prose::join, shown};

/// A piece of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// What it says. Lines of the file are joined.
    pub text: String,
    /// `**so**`
    pub bold: bool,
    /// `*so*`
    pub italic: bool,
    /// `` `so` ``
    pub code: bool,
    /// Where it leads.
    pub link: Option<String>,
}

/// A part of a page, and the line of the file on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Counted from 1.
    pub line: usize,
    /// What it is.
    pub kind: Kind,
}

/// What a part of a page is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A heading of this level.
    Heading(u8, Vec<Span>),
    /// A paragraph.
    Paragraph(Vec<Span>),
    /// A list; its first number, where it has numbers.
    List(Option<u64>, Vec<Vec<Block>>),
    /// A table; the first row is its head.
    Table(Vec<Row>),
    /// A block of code: its tag, and what it says.
    Code(String, String),
    /// The code of a scenario, as a difference: its target, and what stands
    /// in the file.
    Diff(String, String),
    /// A quotation.
    Quote(Vec<Block>),
    /// A horizontal rule.
    Rule,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line of the file.
    pub line: usize,
    /// Its cells.
    pub cells: Vec<Vec<Span>>,
}

/// The parts of a text.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let parser = Parser::new_ext(markdown, Options::ENABLE_TABLES);
    let mut reader = Reader {
        events: parser.into_offset_iter().collect::<Vec<_>>().into_iter(),
        starts: std::iter::once(0)
            .chain(markdown.match_indices('\n').map(|(at, _)| at + 1))
            .collect(),
        awaited: None,
    };
    reader.blocks()
}

/// What a row of spans says.
pub fn plain(spans: &[Span]) -> String {
    spans.iter().map(|span| span.text.as_str()).collect()
}

/// Whether a line says no more than where a link leads: `[name]: https://…`.
/// It is not shown.
pub fn is_address(line: &str) -> bool {
    let named = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
    named.is_some_and(|(_, address)| {
        address.starts_with("https://") && !address.contains(' ')
    })
}

type Events<'t> = std::vec::IntoIter<(Event<'t>, Range<usize>)>;

struct Reader<'t> {
    events: Events<'t>,
    starts: Vec<usize>,
    /// The target of the comment just read: the next block of code is its.
    awaited: Option<String>,
}

impl<'t> Reader<'t> {
    fn line(&self, at: &Range<usize>) -> usize {
        self.starts.partition_point(|start| *start <= at.start)
    }

    /// Blocks, until what holds them ends.
    fn blocks(&mut self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        // A tight list has its words without a paragraph around them.
        let mut loose: Option<(usize, Words)> = None;
        while let Some((event, at)) = self.events.next() {
            let line = self.line(&at);
            let kind = match event {
                Event::Start(tag) if is_block(&tag) => self.block(tag, line),
                Event::Html(_) => None,
                Event::Rule => Some(Kind::Rule),
                Event::End(end) if !is_inline_end(&end) => break,
                inline => {
                    let (_, words) =
                        loose.get_or_insert_with(|| (line, Words::default()));
                    words.hear(inline);
                    continue;
                }
            };
            flush(&mut loose, &mut blocks);
            blocks.extend(kind.map(|kind| Block { line, kind }));
        }
        flush(&mut loose, &mut blocks);
        blocks
    }

    fn block(&mut self, tag: Tag<'t>, _: usize) -> Option<Kind> {
        let awaited = match tag {
            Tag::HtmlBlock => None,
            _ => self.awaited.take(),
        };
        Some(match tag {
            Tag::Heading { level, .. } => {
                Kind::Heading(level as u8, self.words())
            }
            Tag::Paragraph => Kind::Paragraph(self.words()),
            Tag::BlockQuote(_) => Kind::Quote(self.blocks()),
            Tag::List(first) => Kind::List(first, self.items()),
            Tag::Table(_) => Kind::Table(self.rows()),
            Tag::CodeBlock(kind) => {
                let tag = match kind {
                    CodeBlockKind::Fenced(tag) => tag.into_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                let text = self.raw();
                match awaited {
                    Some(target) => Kind::Diff(target, text),
                    None => Kind::Code(tag, text),
                }
            }
            _ => {
                let html = self.raw();
                self.awaited = html.lines().find_map(shown::target);
                return None;
            }
        })
    }

    fn items(&mut self) -> Vec<Vec<Block>> {
        let mut items = Vec::new();
        while let Some((event, _)) = self.events.next() {
            match event {
                Event::Start(Tag::Item) => items.push(self.blocks()),
                _ => break,
            }
        }
        items
    }

    fn rows(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        while let Some((event, at)) = self.events.next() {
            match event {
                Event::Start(Tag::TableHead | Tag::TableRow) => {
                    rows.push(Row { line: self.line(&at), cells: Vec::new() });
                }
                Event::Start(Tag::TableCell) => {
                    let cell = self.words();
                    if let Some(row) = rows.last_mut() {
                        row.cells.push(cell);
                    }
                }
                Event::End(TagEnd::Table) => break,
                _ => {}
            }
        }
        rows
    }

    /// The words up to the end of their block.
    fn words(&mut self) -> Vec<Span> {
        let mut words = Words::default();
        for (event, _) in self.events.by_ref() {
            match event {
                Event::End(end) if !is_inline_end(&end) => break,
                inline => words.hear(inline),
            }
        }
        words.spans
    }

    /// The text up to the end of its block, as it stands there.
    fn raw(&mut self) -> String {
        let mut text = String::new();
        for (event, _) in self.events.by_ref() {
            match event {
                Event::Text(part) | Event::Html(part) => text.push_str(&part),
                Event::End(_) => break,
                _ => {}
            }
        }
        text
    }
}

fn flush(loose: &mut Option<(usize, Words)>, blocks: &mut Vec<Block>) {
    if let Some((line, words)) = loose.take() {
        blocks.push(Block { line, kind: Kind::Paragraph(words.spans) });
    }
}

const fn is_block(tag: &Tag<'_>) -> bool {
    !matches!(
        tag,
        Tag::Emphasis
            | Tag::Strong
            | Tag::Strikethrough
            | Tag::Link { .. }
            | Tag::Image { .. }
    )
}

const fn is_inline_end(end: &TagEnd) -> bool {
    matches!(
        end,
        TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Link
            | TagEnd::Image
    )
}

/// Words as they are heard, and how they are said just now.
#[derive(Default)]
struct Words {
    spans: Vec<Span>,
    now: Span,
    /// A line of the file has ended.
    broken: bool,
}

impl Words {
    fn hear(&mut self, event: Event<'_>) {
        match event {
            Event::Start(Tag::Strong) => self.now.bold = true,
            Event::End(TagEnd::Strong) => self.now.bold = false,
            Event::Start(Tag::Emphasis) => self.now.italic = true,
            Event::End(TagEnd::Emphasis) => self.now.italic = false,
            Event::Start(Tag::Link { dest_url, .. }) => {
                self.now.link = Some(dest_url.into_string());
            }
            Event::End(TagEnd::Link) => self.now.link = None,
            Event::Text(text) => self.say(text, false),
            Event::Code(text) => self.say(text, true),
            Event::SoftBreak | Event::HardBreak => self.broken = true,
            _ => {}
        }
    }

    fn say(&mut self, text: CowStr<'_>, code: bool) {
        let mut text = text.into_string();
        if std::mem::take(&mut self.broken) {
            let mut before = plain(&self.spans);
            let ended = before.len();
            if ended > 0 {
                join(&mut before, &text);
                text = before.split_off(ended);
            }
            // The space stands outside of the code.
            if code && text.starts_with(' ') {
                self.push(" ".to_owned(), false);
                text.remove(0);
            }
        }
        // The space that Markdown wants after `**…。**`.
        let full = self.spans.last().is_some_and(|last| {
            last.bold && last.text.ends_with(['。', '：', '；', '，', '？'])
        });
        if full && text.starts_with(' ') {
            text.remove(0);
        }
        self.push(text, code);
    }

    fn push(&mut self, text: String, code: bool) {
        let span = Span { text, code, ..self.now.clone() };
        match self.spans.last_mut() {
            Some(last)
                if !code
                    && Span { text: String::new(), ..last.clone() }
                        == Span { text: String::new(), ..span.clone() } =>
            {
                last.text.push_str(&span.text);
            }
            _ => self.spans.push(span),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> Span {
        Span { text: text.to_owned(), ..Span::default() }
    }

    #[test]
    fn lines_are_joined_and_what_is_bold_is_known() {
        let text = "# Title\n\n**What.** An *ack*\nis `basic.ack`,\nand\n\
                    `x` is [there](a.md).\n";
        let all = blocks(text);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].line, 1);
        assert_eq!(all[0].kind, Kind::Heading(1, vec![span("Title")]));
        assert_eq!(all[1].line, 3);
        let Kind::Paragraph(spans) = &all[1].kind else {
            panic!("{all:?}");
        };
        assert_eq!(plain(spans), "What. An ack is basic.ack, and x is there.");
        assert!(spans[0].bold && spans[2].italic && spans[4].code);
        assert_eq!(spans[5], span(", and "));
        assert_eq!(spans[8].link.as_deref(), Some("a.md"));
        assert_eq!(spans[9], span("."));
    }

    #[test]
    fn an_address_is_told_below_and_not_shown() {
        let address = "[ack]: https://a.b/ack";
        assert!(is_address(address));
        for other in ["[ack]: a.md", "[ack](https://a.b)", "[a]: https://b c"] {
            assert!(!is_address(other), "{other}");
        }
        let all =
            blocks(&format!("- The [*ack\n  guide*][ack].\n\n{address}\n"));
        assert_eq!(all.len(), 1);
        let Kind::List(None, items) = &all[0].kind else {
            panic!("{all:?}");
        };
        let Kind::Paragraph(spans) = &items[0][0].kind else {
            panic!("{items:?}");
        };
        assert_eq!(plain(spans), "The ack guide.");
        assert!(spans[1].italic);
        assert_eq!(spans[1].link.as_deref(), Some("https://a.b/ack"));
    }

    #[test]
    fn chinese_lines_are_joined_without_a_space() {
        let all = blocks("消息\n不丢，\n`ack` 之后\n再说\nso\n");
        let Kind::Paragraph(spans) = &all[0].kind else {
            panic!("{all:?}");
        };
        assert_eq!(plain(spans), "消息不丢，ack 之后再说 so");
    }

    #[test]
    fn lists_and_tables_have_their_shape() {
        let text = "- one\n  more\n- two → `x`\n\n  - in\n\n| a | b |\n\
                    |---|---|\n| c | `d` |\n";
        let all = blocks(text);
        let Kind::List(None, items) = &all[0].kind else {
            panic!("{all:?}");
        };
        assert_eq!(items.len(), 2);
        assert_eq!(items[0][0].kind, Kind::Paragraph(vec![span("one more")]));
        assert!(matches!(items[1][1].kind, Kind::List(None, _)), "{items:?}");
        let Kind::Table(rows) = &all[1].kind else {
            panic!("{all:?}");
        };
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].line, rows[1].line), (7, 9));
        assert!(rows[1].cells[1][0].code);
    }

    #[test]
    fn a_difference_belongs_to_the_comment_before_it() {
        let text = "a\n\n<!-- diff: t/s -->\n```diff\n-a\n+b\n```\n\n\
                    ```text\n+--+\n```\n\n<!-- else -->\n";
        let kinds: Vec<_> = blocks(text).into_iter().map(|b| b.kind).collect();
        assert_eq!(
            kinds[1..],
            [
                Kind::Diff("t/s".to_owned(), "-a\n+b\n".to_owned()),
                Kind::Code("text".to_owned(), "+--+\n".to_owned()),
            ]
        );
    }
}
