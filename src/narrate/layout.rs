//! Lines of a terminal: width, wrapping, padding and ink.
//!
//! Pure. Everything is measured before it is coloured, by the width that a
//! terminal gives it: a Chinese character takes two columns, and so do, in
//! Chinese, the characters whose width Unicode calls ambiguous.

use colored::Colorize;
use textwrap::WordSeparator;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::text::{Lang, Text};

/// How something is drawn. Ink adds nothing that the words do not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// As the terminal draws anyway.
    Plain,
    /// What to read first.
    Bold,
    /// What can be passed over.
    Dim,
    /// What holds.
    Green,
    /// What is wrong.
    Red,
    /// What is not known.
    Yellow,
    /// What can be typed.
    Cyan,
}

/// The page that lines are laid out on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub lang: Lang,
    pub color: bool,
    pub width: usize,
}

/// Columns that the labels on the left take.
pub(super) const MARGIN: usize = 9;

impl Page {
    pub fn say<'t>(&self, text: &'t Text) -> &'t str {
        text.say(self.lang)
    }

    pub fn word(&self, text: Text) -> String {
        match self.lang {
            Lang::En => text.en.into_owned(),
            Lang::Zh => text.zh.into_owned(),
        }
    }

    pub fn width_of(&self, text: &str) -> usize {
        match self.lang {
            Lang::En => text.width(),
            Lang::Zh => text.width_cjk(),
        }
    }

    pub fn paint(&self, ink: Ink, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        // Whether there is colour was decided above: the crate's own look at
        // the environment would decide for every page alike.
        colored::control::set_override(true);
        let painted = match ink {
            Ink::Plain => return text.to_owned(),
            Ink::Bold => text.bold(),
            Ink::Dim => text.dimmed(),
            Ink::Green => text.bold().green(),
            Ink::Red => text.bold().red(),
            Ink::Yellow => text.bold().yellow(),
            Ink::Cyan => text.cyan(),
        };
        painted.to_string()
    }

    /// `text` and spaces up to `columns`.
    pub fn pad(&self, text: &str, columns: usize) -> String {
        let gap = columns.saturating_sub(self.width_of(text));
        format!("{text}{}", " ".repeat(gap))
    }

    /// Breaks a text into pieces of at most `columns`.
    pub fn wrap(&self, text: &str, columns: usize) -> Vec<String> {
        let columns = columns.max(2);
        text.lines().flat_map(|line| self.wrap_line(line, columns)).collect()
    }

    fn wrap_line(&self, line: &str, columns: usize) -> Vec<String> {
        // What a broker or a library says may hold tabs or escapes.
        let line: String = line
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let mut pieces = Vec::new();
        let mut piece = String::new();
        for word in glued(&line) {
            let bare = word.trim_end();
            if self.width_of(&format!("{piece}{bare}")) > columns {
                push_trimmed(&mut pieces, &mut piece);
            }
            if self.width_of(bare) > columns {
                piece = self.chop(bare, columns, &mut pieces);
                piece.push_str(&word[bare.len()..]);
            } else {
                piece.push_str(&word);
            }
        }
        push_trimmed(&mut pieces, &mut piece);
        pieces
    }

    /// Breaks a word that no line can hold; gives back its last piece.
    fn chop(
        &self,
        word: &str,
        columns: usize,
        pieces: &mut Vec<String>,
    ) -> String {
        let mut piece = String::new();
        let mut used = 0;
        for c in word.chars() {
            let columns_of_c = match self.lang {
                Lang::En => c.width(),
                Lang::Zh => c.width_cjk(),
            };
            let columns_of_c = columns_of_c.unwrap_or(0);
            if used + columns_of_c > columns {
                pieces.push(std::mem::take(&mut piece));
                used = 0;
            }
            used += columns_of_c;
            piece.push(c);
        }
        piece
    }

    /// A lead (a label, a number and a verb), then a text beside it that
    /// hangs under its own beginning.
    pub fn hang(&self, lead: &str, ink: Ink, text: &str) -> Vec<String> {
        self.spread(lead, ink, text, "")
    }

    /// As [`hang`](Self::hang), with `right` at the right edge of the first
    /// line, or on a line of its own where there is no room.
    pub fn spread(
        &self,
        lead: &str,
        ink: Ink,
        text: &str,
        right: &str,
    ) -> Vec<String> {
        // On a narrow page a long lead stands alone.
        let indent = self.width_of(lead);
        if !text.is_empty() && indent > MARGIN && indent * 5 > self.width * 2 {
            let mut lines = self.wrap(lead, self.width - 1);
            lines.iter_mut().for_each(|line| *line = self.paint(ink, line));
            lines.extend(self.spread("     ", Ink::Plain, text, right));
            return lines;
        }
        let edge = self.width - 1;
        let reserved = match self.width_of(right) {
            0 => 0,
            columns => columns + 2,
        };
        let room = edge.saturating_sub(indent);
        let beside =
            room >= reserved + 16 || self.width_of(text) + reserved <= room;
        let columns = if beside { room - reserved } else { room };
        let pieces = self.wrap(text, columns);
        let mut lines: Vec<String> = Vec::with_capacity(pieces.len() + 1);
        for (n, piece) in pieces.iter().enumerate() {
            let lead =
                if n == 0 { self.paint(ink, lead) } else { " ".repeat(indent) };
            lines.push(format!("{lead}{piece}"));
        }
        if lines.is_empty() {
            lines = self
                .wrap(lead, edge)
                .iter()
                .map(|piece| self.paint(ink, piece))
                .collect();
        }
        if reserved > 0 {
            self.put_right(&mut lines, beside, indent, &pieces, right);
        }
        lines
    }

    fn put_right(
        &self,
        lines: &mut Vec<String>,
        beside: bool,
        indent: usize,
        pieces: &[String],
        right: &str,
    ) {
        let edge = self.width - 1;
        let used =
            indent + pieces.first().map_or(0, |piece| self.width_of(piece));
        let right_width = self.width_of(right);
        if beside
            && used + right_width <= edge
            && let Some(first) = lines.first_mut()
        {
            let gap = " ".repeat(edge - used - right_width);
            first.push_str(&gap);
            first.push_str(&self.paint(Ink::Dim, right));
            return;
        }
        for piece in self.wrap(right, edge.saturating_sub(3)) {
            let gap = " ".repeat(edge.saturating_sub(self.width_of(&piece)));
            lines.push(format!("{gap}{}", self.paint(Ink::Dim, &piece)));
        }
    }

    /// A label in the margin, and at least a space after it.
    pub fn margin(&self, label: &str) -> String {
        self.pad(&format!(" {label} "), MARGIN)
    }

    /// A label in the margin and what it labels.
    pub fn labelled(&self, label: &Text, text: &str) -> Vec<String> {
        let lead = self.margin(self.say(label));
        self.hang(&lead, Ink::Bold, text)
    }

    /// Units that should not be broken, side by side while they fit.
    pub fn flow(
        &self,
        lead: &str,
        ink: Ink,
        units: &[String],
        gap: &str,
    ) -> Vec<String> {
        let indent = self.width_of(lead);
        let columns = (self.width - 1).saturating_sub(indent);
        let mut rows: Vec<String> = Vec::new();
        for unit in units {
            match rows.last_mut() {
                Some(row)
                    if self.width_of(&format!("{row}{gap}{unit}"))
                        <= columns =>
                {
                    row.push_str(gap);
                    row.push_str(unit);
                }
                _ => rows.extend(self.wrap(unit, columns)),
            }
        }
        let first = std::iter::once(self.paint(ink, lead));
        let leads = first.chain(std::iter::repeat(" ".repeat(indent)));
        leads.zip(rows).map(|(lead, row)| format!("{lead}{row}")).collect()
    }

    /// As much of a text as fits into one line of `columns`.
    pub fn cut(&self, text: &str, columns: usize) -> String {
        self.wrap(text, columns).into_iter().next().unwrap_or_default()
    }

    /// A command to be pasted: on lines of its own, and where one is not
    /// enough it goes on as a shell reads it, behind a backslash.
    pub fn verbatim(&self, command: &str) -> Vec<String> {
        let room = self.width.saturating_sub(3);
        let mut lines: Vec<String> = Vec::new();
        for word in command.split(' ') {
            match lines.last_mut() {
                // With a space and a backslash behind it; and what is quoted
                // stays whole.
                Some(line)
                    if self.width_of(line) + self.width_of(word) + 3
                        <= room
                        || is_in_quotes(line) =>
                {
                    line.push(' ');
                    line.push_str(word);
                }
                Some(line) => {
                    line.push_str(" \\");
                    lines.push(format!("  {word}"));
                }
                None => lines.push(word.to_owned()),
            }
        }
        lines
            .iter()
            .map(|line| format!("   {}", self.paint(Ink::Cyan, line)))
            .collect()
    }

    pub fn seconds(&self, ms: u64) -> String {
        let unit = match self.lang {
            Lang::En => "s",
            Lang::Zh => "秒",
        };
        match ms {
            0..10_000 => format!("{}.{} {unit}", ms / 1000, ms % 1000 / 100),
            _ => format!("{} {unit}", ms / 1000),
        }
    }
}

/// The unbreakable parts of a line, each with the space after it. A number
/// keeps its unit: `3.5 s`, `20 笔`.
pub(super) fn glued(line: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for word in WordSeparator::UnicodeBreakProperties.find_words(line) {
        let unit = word.word.starts_with(|c: char| c.width() == Some(2))
            || matches!(
                word.word.trim_end_matches([',', ';', '.', ':']),
                "s" | "ms"
            );
        let text = format!("{}{}", word.word, word.whitespace);
        match parts.last_mut() {
            Some(last)
                if unit
                    && last
                        .trim_end()
                        .ends_with(|c: char| c.is_ascii_digit()) =>
            {
                last.push_str(&text);
            }
            _ => parts.push(text),
        }
    }
    parts
}

/// Whether a quotation was begun and not ended.
fn is_in_quotes(line: &str) -> bool {
    ['\'', '"'].iter().any(|quote| line.matches(*quote).count() % 2 == 1)
}

fn push_trimmed(pieces: &mut Vec<String>, piece: &mut String) {
    let full = std::mem::take(piece);
    let trimmed = full.trim_end();
    if !trimmed.is_empty() {
        pieces.push(trimmed.to_owned());
    }
}
