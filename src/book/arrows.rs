//! Where a chapter points to scenarios: `` → `no-dedup`, `inbox` ``.

use super::page::Span;

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Words.
    Words(Span),
    /// Scenarios to run, as `topic/scenario`.
    Runs(Vec<String>),
}

/// A line in pieces: the arrow and the names after it are one. A name without
/// a topic is of the chapter's own.
pub fn pieces(spans: &[Span], topic: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(span) = spans.get(at) {
        at += 1;
        let before = span.text.trim_end().strip_suffix('→');
        let (Some(before), Some(first)) =
            (before.filter(|_| !span.code), name(spans.get(at)))
        else {
            pieces.push(Piece::Words(span.clone()));
            continue;
        };
        let before = before.trim_end();
        if !before.is_empty() {
            let text = before.to_owned();
            pieces.push(Piece::Words(Span { text, ..span.clone() }));
        }
        let mut names = vec![first];
        at += 1;
        while let (Some(between), Some(next)) =
            (spans.get(at), name(spans.get(at + 1)))
            && is_separator(between)
        {
            names.push(next);
            at += 2;
        }
        let full = |name: &str| match name.contains('/') {
            true => name.to_owned(),
            false => format!("{topic}/{name}"),
        };
        pieces.push(Piece::Runs(names.into_iter().map(full).collect()));
    }
    pieces
}

/// What looks like the name of a scenario, or the command that runs one.
fn name(span: Option<&Span>) -> Option<&str> {
    let span = span.filter(|span| span.code)?;
    let text = span.text.as_str();
    let name = text.strip_prefix("rmq-lab demo ").unwrap_or(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '/';
    Some(name).filter(|name| name.chars().all(plain))
}

fn is_separator(span: &Span) -> bool {
    !span.code
        && matches!(
            span.text.trim(),
            "" | "," | "，" | "、" | "and" | ", and" | "和" | "与"
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::page::{Kind, blocks};

    fn of(text: &str) -> Vec<Piece> {
        match blocks(text).remove(0).kind {
            Kind::Paragraph(spans) => pieces(&spans, "here"),
            other => panic!("{other:?}"),
        }
    }

    fn words(text: &str) -> Piece {
        Piece::Words(Span { text: text.to_owned(), ..Span::default() })
    }

    fn runs(names: &[&str]) -> Piece {
        Piece::Runs(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn an_arrow_takes_all_the_names_after_it() {
        assert_eq!(
            of("Lost. → `one`, `else/two`\nand `three`. More → `four`"),
            [
                words("Lost."),
                runs(&["here/one", "else/two", "here/three"]),
                words(". More"),
                runs(&["here/four"]),
            ]
        );
        assert_eq!(of("→ `a`、`b`")[0], runs(&["here/a", "here/b"]));
        assert_eq!(of("→ `rmq-lab demo a/b`"), [runs(&["a/b"])]);
    }

    #[test]
    fn other_code_and_other_arrows_are_words() {
        let all =
            of("from → to, `ack`, → `basic.ack`, → `rmq-lab demo a/b --step`");
        assert!(
            all.iter().all(|piece| matches!(piece, Piece::Words(_))),
            "{all:?}"
        );
        assert_eq!(of("→ `a` with `b`")[1], words(" with "));
    }
}
