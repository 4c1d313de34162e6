//! How a text cites: titles that are set off, and numbers.

use rmq_lab::book::page::{Span, plain};

const OPEN: [char; 2] = ['(', '（'];
const CLOSE: [char; 2] = [')', '）'];

/// The titles in brackets.
pub fn titles(spans: &[Span]) -> Vec<String> {
    let (mut before, mut titles) = (String::new(), Vec::new());
    for span in spans {
        let inside = before.rfind(OPEN) > before.rfind(CLOSE);
        if inside && span.italic && is_title(&span.text) {
            titles.push(span.text.clone());
        }
        before.push_str(&span.text);
    }
    titles
}

pub fn is_title(piece: &str) -> bool {
    piece.starts_with(|c: char| c.is_ascii_uppercase())
}

/// What is set off from the rest, part by part: in italics, in a link, in
/// brackets, in quotes.
pub fn set_off(spans: &[Span]) -> Vec<String> {
    let text = plain(spans);
    let marked = spans.iter().filter(|s| s.italic || s.link.is_some());
    let parts = marked
        .map(|span| span.text.as_str())
        .chain(between(&text, OPEN, CLOSE))
        .chain(between(&text, ['「', '『'], ['」', '』']))
        .chain(text.split('"').skip(1).step_by(2));
    let pieces = parts.flat_map(|part| {
        part.split([',', ';', '"', '，', '；', '、', '「', '」'])
    });
    let pieces = pieces.map(str::trim).filter(|piece| !piece.is_empty());
    pieces.map(str::to_owned).collect()
}

fn between(
    text: &str,
    open: [char; 2],
    close: [char; 2],
) -> impl Iterator<Item = &str> {
    let opened = text.split(open).skip(1);
    opened.filter_map(move |rest| rest.split(close).next())
}

/// Releases, days and issues: `4.0.1`, `2025-01-17`, `#8507`.
pub fn numbers_in(text: &str) -> Vec<String> {
    let part = |c: char| c.is_ascii_alphanumeric() || "#.-".contains(c);
    let words = text.split(|c: char| !part(c));
    let words = words.map(|word| word.trim_end_matches('.'));
    words.filter(|word| is_number(word)).map(str::to_owned).collect()
}

fn is_number(word: &str) -> bool {
    let digits = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_digit())
    };
    let three = |mark: char| {
        word.split(mark).count() == 3 && word.split(mark).all(digits)
    };
    word.strip_prefix('#').is_some_and(digits) || three('.') || three('-')
}

/// Whether a name is said in it, and not as a part of a word.
pub fn holds(said: &str, name: &str) -> bool {
    said.match_indices(name).any(|(at, _)| {
        let before = said[..at].chars().next_back();
        let after = said[at + name.len()..].chars().next();
        let mut beside = before.into_iter().chain(after);
        !beside.any(|c| c.is_ascii_alphanumeric())
    })
}

/// A title without the version that may stand on either side of it.
pub fn without_version(said: &str) -> &str {
    said.trim_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')
}

/// Whether it is the first words of a name, two at least.
pub fn is_short_for(said: &str, name: &str) -> bool {
    let rest = name.strip_prefix(said).filter(|_| said.contains(' '));
    rest.is_some_and(|rest| {
        !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
    })
}
