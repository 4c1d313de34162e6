//! Words on a line: what they look like, and where a line is broken.

use std::ops::Range;

use termimad::{MadSkin, minimad::Compound};

use crate::{
    book::page::{Span, plain},
    narrate::{unbroken, width_in},
    text::Lang,
};

/// Breaks words into lines of at most `columns`. Code is a command or a name
/// to be pasted, and so is an address: it stays together unless no line could
/// hold it.
pub fn wrap(spans: &[Span], columns: usize, lang: Lang) -> Vec<Vec<Span>> {
    let text = plain(spans);
    let columns = columns.max(2);
    let width =
        |range: &Range<usize>| width_in(lang, text[range.clone()].trim_end());
    let mut lines = Vec::new();
    let mut line = 0..0;
    for part in parts(spans, &text, columns, lang) {
        if width(&(line.start..part.end)) > columns && !line.is_empty() {
            lines.push(line.clone());
            line = part.start..part.start;
        }
        line.end = part.end;
        while width(&line) > columns {
            let (head, tail) = chop(&text, line, columns, lang);
            lines.push(head);
            line = tail;
        }
    }
    lines.push(line);
    let told = lines.into_iter().map(|line| {
        let kept = text[line.clone()].trim_end().len();
        cut(spans, line.start..line.start + kept)
    });
    told.filter(|line| !line.is_empty()).collect()
}

/// The parts of a text that are not broken. Code that no line could hold is
/// broken at its spaces.
fn parts(
    spans: &[Span],
    text: &str,
    columns: usize,
    lang: Lang,
) -> Vec<Range<usize>> {
    let mut at = 0;
    let code = spans.iter().filter_map(|span| {
        let range = at..at + span.text.len();
        at = range.end;
        span.code.then_some(range)
    });
    let whole: Vec<_> = code.chain(addresses(text)).collect();
    let holds = |at: usize, whole: &Range<usize>| {
        let long = width_in(lang, &text[whole.clone()]) > columns;
        let broken = long && text[..at].ends_with(' ');
        whole.start < at && at < whole.end && !broken
    };
    let mut parts: Vec<Range<usize>> = Vec::new();
    for part in unbroken(text) {
        let start = parts.last().map_or(0, |last| last.end);
        let end = start + part.len();
        match parts.last_mut() {
            Some(last) if whole.iter().any(|whole| holds(start, whole)) => {
                last.end = end;
            }
            _ => parts.push(start..end),
        }
    }
    parts
}

/// Where addresses stand in a text.
fn addresses(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("https://").map(|(start, _)| {
        let rest = &text[start..];
        let end = rest.find(|c: char| !c.is_ascii_graphic() || c == ')');
        start..start + end.unwrap_or(rest.len())
    })
}

/// As many characters as fit, and the rest.
fn chop(
    text: &str,
    line: Range<usize>,
    columns: usize,
    lang: Lang,
) -> (Range<usize>, Range<usize>) {
    let whole = &text[line.clone()];
    let fits = whole
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .take_while(|end| width_in(lang, &whole[..*end]) <= columns)
        .last()
        // At least one, or it would never end.
        .or_else(|| whole.chars().next().map(char::len_utf8));
    let at = line.start + fits.unwrap_or(whole.len());
    (line.start..at, at..line.end)
}

/// What lies in this part of the text.
fn cut(spans: &[Span], part: Range<usize>) -> Vec<Span> {
    let mut at = 0;
    let mut cut = Vec::new();
    for span in spans {
        let here = at..at + span.text.len();
        at = here.end;
        let (from, to) = (here.start.max(part.start), here.end.min(part.end));
        if from < to {
            let text = span.text[from - here.start..to - here.start].to_owned();
            cut.push(Span { text, ..span.clone() });
        }
    }
    cut
}

/// The words as they are told without colour: what is code keeps its marks.
/// A link that does not live names its address.
pub fn dressed(spans: Vec<Span>, color: bool, links: bool) -> Vec<Span> {
    let mut told: Vec<Span> = Vec::new();
    let mut spans = spans.into_iter().peekable();
    while let Some(mut span) = spans.next() {
        if span.code && !color {
            span.text = format!("`{}`", span.text);
        }
        let ends =
            spans.peek().is_none_or(|next: &Span| next.link != span.link);
        let link = span.link.clone().filter(|_| !links && ends);
        told.push(span);
        // An address that is its own text is not told twice.
        if let Some(link) = link
            && told.last().is_none_or(|last| last.text != link)
        {
            let text = format!(" ({link})");
            told.push(Span { text, ..Span::default() });
        }
    }
    told
}

/// A line in its colours, and its links where they live.
pub fn painted(spans: &[Span], skin: &MadSkin, links: bool) -> String {
    let told = spans.iter().map(|span| {
        let styled = skin
            .compound_style(&skin.paragraph, &compound(span))
            .apply_to(&span.text)
            .to_string();
        match &span.link {
            Some(link) if links => {
                format!("\u{1b}]8;;{link}\u{1b}\\{styled}\u{1b}]8;;\u{1b}\\")
            }
            _ => styled,
        }
    });
    told.collect()
}

/// A piece of a line as termimad has it.
pub fn compound(span: &Span) -> Compound<'_> {
    let mut compound = Compound::raw_str(&span.text);
    compound.set_bold(span.bold);
    compound.set_italic(span.italic);
    compound.set_code(span.code);
    compound
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::page::{Kind, blocks};

    fn spans(text: &str) -> Vec<Span> {
        match blocks(text).remove(0).kind {
            Kind::Paragraph(spans) => spans,
            other => panic!("{other:?}"),
        }
    }

    fn lines(text: &str, columns: usize, lang: Lang) -> Vec<String> {
        let lines = wrap(&spans(text), columns, lang);
        lines.iter().map(|line| plain(line)).collect()
    }

    #[test]
    fn a_line_is_broken_where_the_language_allows_it() {
        assert_eq!(
            lines("one **two** three", 9, Lang::En),
            ["one two", "three"]
        );
        // No line begins with a comma or ends with an opening bracket.
        assert_eq!(
            lines("消息不丢，先落库（再发）", 8, Lang::Zh),
            ["消息不", "丢，先落", "库（再", "发）"]
        );
        // Nor where the bracket is not of the code before it.
        assert_eq!(lines("an `ack`, and", 8, Lang::En), ["an ack,", "and"]);
    }

    #[test]
    fn code_stays_together_as_long_as_a_line_can_hold_it() {
        let text = "see `producer-loss/unroutable` there";
        assert_eq!(
            lines(text, 25, Lang::En),
            ["see", "producer-loss/unroutable", "there"]
        );
        assert_eq!(
            lines(text, 10, Lang::En),
            ["see", "producer-l", "oss/unrout", "able there"]
        );
        assert_eq!(
            lines("a `rmq-lab demo one` b", 16, Lang::En),
            ["a", "rmq-lab demo one", "b"]
        );
        assert_eq!(
            lines("a `rmq-lab demo one` b", 14, Lang::En),
            ["a rmq-lab demo", "one b"]
        );
    }

    #[test]
    fn an_address_stays_together_as_well() {
        let told = |text, lang| -> Vec<String> {
            let spans = dressed(spans(text), false, false);
            let lines = wrap(&spans, 25, lang);
            lines.iter().map(|line| plain(line)).collect()
        };
        assert_eq!(
            told("see [the docs](https://a.b/c-d/e-f) there", Lang::En),
            ["see the docs", "(https://a.b/c-d/e-f)", "there"]
        );
        assert_eq!(
            told("见[文档](https://a.b/c-d/e-f)，再说", Lang::Zh),
            ["见文档", "(https://a.b/c-d/e-f)，再", "说"]
        );
    }

    #[test]
    fn marks_are_kept_on_the_pieces() {
        let all = wrap(&spans("**bold and bold** plain"), 9, Lang::En);
        assert!(all[0][0].bold && all[1][0].bold);
        assert_eq!(plain(&all[1]), "bold");
        assert!(!all[2][0].bold);
    }

    #[test]
    fn without_colour_code_is_marked_and_links_are_told() {
        let told = |color, links| {
            let text = "the `x` of [the docs](https://a.b) and <https://c.d>";
            plain(&dressed(spans(text), color, links))
        };
        assert_eq!(
            told(false, false),
            "the `x` of the docs (https://a.b) and https://c.d"
        );
        assert_eq!(told(true, true), "the x of the docs and https://c.d");
    }

    #[test]
    fn a_link_lives_and_plain_words_have_no_escapes() {
        let skin = MadSkin::no_style();
        let link = painted(&spans("[a](b)"), &skin, true);
        assert_eq!(link, "\u{1b}]8;;b\u{1b}\\a\u{1b}]8;;\u{1b}\\");
        assert_eq!(painted(&spans("**a** *b*"), &skin, true), "a b");
    }
}
