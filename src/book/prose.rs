//! Paragraphs of a text that is wrapped in its file.

use unicode_width::UnicodeWidthChar;

/// The paragraphs of a text: parted by empty lines, their lines joined. What
/// Chinese goes on in the next line takes no space between.
pub fn paragraphs(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text.lines().map(str::trim) {
        match all.last_mut() {
            _ if line.is_empty() => {}
            Some(paragraph) if goes_on => join(paragraph, line),
            _ => all.push(line.to_owned()),
        }
        goes_on = !line.is_empty();
    }
    all
}

/// Joins two lines of a file.
pub(super) fn join(paragraph: &mut String, line: &str) {
    let is_wide = |c: char| c.width() == Some(2);
    let wide = paragraph.ends_with(is_wide) && line.starts_with(is_wide)
        || paragraph.ends_with(is_full_stop)
        || line.starts_with(is_full_stop);
    if !wide {
        paragraph.push(' ');
    }
    paragraph.push_str(line);
}

/// Full-width punctuation brings its own space.
const fn is_full_stop(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff60}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_empty_ones_part() {
        assert_eq!(paragraphs("\none\ntwo\n\n\nthree\n"), ["one two", "three"]);
        assert_eq!(paragraphs(" \n\n"), Vec::<String>::new());
    }

    #[test]
    fn chinese_is_joined_without_a_space_unless_latin_meets_it() {
        assert_eq!(paragraphs("消息\n不丢"), ["消息不丢"]);
        assert_eq!(paragraphs("消息，\nack 之后"), ["消息，ack 之后"]);
        assert_eq!(paragraphs("先 confirm\n再落库"), ["先 confirm 再落库"]);
    }
}
