//! Tables, on as many columns as there are. Termimad draws them and decides
//! how wide their columns are; their borders are ASCII, because other
//! characters are wider in Chinese terminals.

use termimad::{
    FmtText, MadSkin, TblFit,
    minimad::{Alignment, Composite, Line, TableRow, TableRule, Text},
};

use super::inline::{compound, wrap};
use crate::{
    book::page::{Span, plain},
    narrate::width_in,
    text::Lang,
};

/// A cell narrower than this cannot be read.
const NARROW: usize = 8;

/// The lines of a table of these cells; `None` where it has not enough room.
pub fn lines(
    rows: &[Vec<Vec<Span>>],
    room: usize,
    lang: Lang,
    skin: &MadSkin,
) -> Option<Vec<String>> {
    let columns = rows.first().map_or(0, Vec::len);
    let mut fit = TblFit::new(columns, room).ok()?;
    let mut longest = vec![0; columns];
    let mut names = vec![0; columns];
    for (nth, cell) in rows.iter().flat_map(|row| row.iter().enumerate()) {
        let width = width_in(lang, &plain(cell));
        // A space on either side.
        fit.see_cell(nth, width + 2);
        longest[nth] = longest[nth].max(width);
        names[nth] = names[nth].max(longest_name(cell, lang));
    }
    let mut widths: Vec<_> =
        fit.fit().col_widths.iter().map(|width| width - 2).collect();
    // The fit takes a little more than it must: what is left goes back.
    let used = widths.iter().map(|width| width + 3).sum::<usize>() + 1;
    let mut left = room.saturating_sub(used);
    for (width, longest) in widths.iter_mut().zip(&longest) {
        let more = longest.saturating_sub(*width).min(left);
        *width += more;
        left -= more;
    }
    spare_names(&mut widths, &names);
    let squeezed = |(&width, &longest)| width < NARROW && width < longest;
    if widths.iter().zip(&longest).any(squeezed) {
        return None;
    }
    let wrapped: Vec<Vec<Vec<Vec<Span>>>> = rows
        .iter()
        .map(|row| {
            let cells = row.iter().zip(&widths);
            cells.map(|(cell, width)| wrap(cell, *width, lang)).collect()
        })
        .collect();
    Some(drawn(&wrapped, columns, room, skin))
}

/// The longest word of code: who breaks it tells a name that is none.
fn longest_name(cell: &[Span], lang: Lang) -> usize {
    let code = cell.iter().filter(|span| span.code);
    let words = code.flat_map(|span| span.text.split(' '));
    words.map(|word| width_in(lang, word)).max().unwrap_or(0)
}

/// Columns in which a name would be broken get what others can spare: those
/// break between words, and not below what can be read.
fn spare_names(widths: &mut [usize], names: &[usize]) {
    loop {
        let wants = |&nth: &usize| widths[nth] < names[nth];
        let Some(poor) = (0..widths.len()).find(wants) else { return };
        let spare =
            |nth: usize| widths[nth].saturating_sub(names[nth].max(NARROW));
        let rich = (0..widths.len()).max_by_key(|nth| spare(*nth));
        match rich.filter(|nth| spare(*nth) > 0) {
            Some(rich) => {
                widths[rich] -= 1;
                widths[poor] += 1;
            }
            None => return,
        }
    }
}

/// Rows of cells of lines.
fn drawn(
    rows: &[Vec<Vec<Vec<Span>>>],
    columns: usize,
    room: usize,
    skin: &MadSkin,
) -> Vec<String> {
    let rule = || {
        let cells = vec![Alignment::Left; columns];
        Line::TableRule(TableRule { cells })
    };
    let height =
        |row: &[Vec<Vec<Span>>]| row.iter().map(Vec::len).max().unwrap_or(1);
    // Rows of several lines would run into each other.
    let ruled = rows.iter().skip(1).any(|row| height(row) > 1);
    let mut drawn = vec![rule()];
    for (nth, row) in rows.iter().enumerate() {
        if nth == 1 || nth > 1 && ruled {
            drawn.push(rule());
        }
        for line in 0..height(row) {
            let cells = row.iter().map(|cell| padded(cell.get(line)));
            drawn.push(Line::TableRow(TableRow { cells: cells.collect() }));
        }
    }
    drawn.push(rule());
    let text = FmtText::from_text(skin, Text { lines: drawn }, Some(room));
    text.to_string().lines().map(|line| line.trim_end().to_owned()).collect()
}

fn padded(line: Option<&Vec<Span>>) -> Composite<'_> {
    let space = || compound_of(" ");
    let words = line.into_iter().flatten().map(compound);
    Composite {
        compounds: std::iter::once(space())
            .chain(words)
            .chain(std::iter::once(space()))
            .collect(),
        ..Composite::default()
    }
}

const fn compound_of(
    text: &'static str,
) -> termimad::minimad::Compound<'static> {
    termimad::minimad::Compound {
        src: text,
        bold: false,
        italic: false,
        code: false,
        strikeout: false,
    }
}

/// A table where there is no room for one: each row under its first cell, the
/// others behind the heads of their columns.
pub fn records(
    rows: &[Vec<Vec<Span>>],
    lang: Lang,
) -> Vec<(Vec<Span>, Vec<Vec<Span>>)> {
    let colon = match lang {
        Lang::En => ": ",
        Lang::Zh => "：",
    };
    let Some((heads, rows)) = rows.split_first() else {
        return Vec::new();
    };
    let record = |row: &Vec<Vec<Span>>| {
        let named = row.iter().zip(heads).skip(1).map(|(cell, head)| {
            let colon = Span { text: colon.to_owned(), ..Span::default() };
            let mut named = head.clone();
            if !head.is_empty() {
                named.push(colon);
            }
            named.extend(cell.iter().cloned());
            named
        });
        (row.first().cloned().unwrap_or_default(), named.collect())
    };
    rows.iter().map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::page::{Kind, blocks};

    fn cells(text: &str) -> Vec<Vec<Vec<Span>>> {
        match blocks(text).remove(0).kind {
            Kind::Table(rows) => rows.into_iter().map(|r| r.cells).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn told(text: &str, room: usize, lang: Lang) -> Option<Vec<String>> {
        let mut skin = MadSkin::no_style();
        skin.limit_to_ascii();
        lines(&cells(text), room, lang, &skin)
    }

    const TABLE: &str = "| a | bee |\n|---|---|\n| one | 消息不丢 |\n| | x |\n";

    #[test]
    fn a_table_has_borders_that_no_terminal_tears() {
        assert_eq!(
            told(TABLE, 40, Lang::Zh).unwrap_or_default(),
            [
                "+-----+----------+",
                "| a   | bee      |",
                "+-----+----------+",
                "| one | 消息不丢 |",
                "|     | x        |",
                "+-----+----------+",
            ]
        );
    }

    #[test]
    fn rows_of_several_lines_are_ruled() {
        let text = "| a | b |\n|---|---|\n| eleven letters | twelve letters \
                    |\n| c | d |\n";
        assert_eq!(
            told(text, 30, Lang::En).unwrap_or_default(),
            [
                "+---------+----------------+",
                "| a       | b              |",
                "+---------+----------------+",
                "| eleven  | twelve letters |",
                "| letters |                |",
                "+---------+----------------+",
                "| c       | d              |",
                "+---------+----------------+",
            ]
        );
    }

    #[test]
    fn a_name_is_not_broken_where_words_can_be() {
        let text = "| name | what it says |\n|---|---|\n\
                    | `messages_ready_for_all` | a few words on what that is \
                    |\n";
        let told = told(text, 44, Lang::En).unwrap_or_default().join("\n");
        assert!(told.contains("| messages_ready_for_all |"), "{told}");
        assert!(told.lines().all(|line| line.len() <= 44), "{told}");
    }

    #[test]
    fn without_room_for_a_table_each_row_is_a_record() {
        let text = "| what | how | why |\n|---|---|---|\n\
                    | a long beginning | a long middle | a long end |\n";
        assert_eq!(told(text, 30, Lang::En), None);
        let records = records(&cells(text), Lang::En);
        assert_eq!(plain(&records[0].0), "a long beginning");
        let named: Vec<_> = records[0].1.iter().map(|s| plain(s)).collect();
        assert_eq!(named, ["how: a long middle", "why: a long end"]);
    }
}
