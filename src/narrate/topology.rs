//! Who is what, as boxes in a row: `[n1 leader] [n2 copy] // [n3 leader]`.
//!
//! Brackets and strokes are ASCII: what a terminal may draw in two columns
//! would tear the row.

use super::layout::{Ink, Page};
use crate::event::Seat;

/// The boxes of a picture, on as many lines as they need. Two strokes stand
/// between those that do not hear each other.
pub(super) fn topology(page: &Page, seats: &[Seat]) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, mut width) = (String::new(), 0);
    let mut side = seats.first().map(|seat| seat.side);
    for seat in seats {
        let cut = side.replace(seat.side) != Some(seat.side);
        let words = format!("[{} {}]", seat.name, page.say(&seat.is));
        let gap = if cut { " // " } else { " " };
        let more = page.width_of(&words) + gap.len();
        if width > 0 && width + more > page.width {
            lines.push(std::mem::take(&mut line));
            width = 0;
        }
        let gap = match (width, cut) {
            (0, true) => "   // ",
            (0, false) => "   ",
            _ => gap,
        };
        line.push_str(gap);
        let ink = if seat.up { Ink::Bold } else { Ink::Red };
        line.push_str(&page.paint(ink, &words));
        width += gap.len() + page.width_of(&words);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Lang, Text};

    fn seat(name: &str, is: &'static str, up: bool, side: u8) -> Seat {
        Seat { name: name.to_owned(), is: Text::fixed(is, "主"), up, side }
    }

    fn page(lang: Lang, width: usize) -> Page {
        Page { lang, color: false, width }
    }

    #[test]
    fn strokes_stand_between_those_that_do_not_hear_each_other() {
        let seats = [
            seat("n1", "leader", true, 0),
            seat("n2", "leader", true, 1),
            seat("n3", "copy", true, 1),
        ];
        assert_eq!(
            topology(&page(Lang::En, 80), &seats),
            ["   [n1 leader] // [n2 leader] [n3 copy]"]
        );
        assert_eq!(
            topology(&page(Lang::Zh, 80), &seats),
            ["   [n1 主] // [n2 主] [n3 主]"]
        );
    }

    #[test]
    fn strokes_stay_where_a_line_breaks() {
        let seats =
            [seat("n1", "leader", true, 0), seat("n2", "leader", true, 1)];
        assert_eq!(
            topology(&page(Lang::En, 20), &seats),
            ["   [n1 leader]", "   // [n2 leader]"]
        );
    }

    #[test]
    fn no_line_is_wider_than_the_page() {
        let seats: Vec<_> = (1..=6)
            .map(|n| seat(&format!("n{n}"), "leader", true, 0))
            .collect();
        for width in [20, 40, 80] {
            for line in topology(&page(Lang::En, width), &seats) {
                assert!(line.len() <= width, "{width}: {line}");
            }
        }
    }
}
