//! What differs between two ways of a scenario, line by line: for `show
//! --diff`, for the chapters, and for whoever colours it.

use similar::{ChangeTag, TextDiff};

use super::show;
use crate::{
    lab::Scenario,
    narrate::{Ink, painted},
};

/// The lines of a difference, as `diff -u` writes them, none left out.
pub fn lines(before: &str, after: &str) -> Vec<String> {
    let changes = TextDiff::from_lines(before, after);
    let lines = changes.iter_all_changes().map(|change| {
        let sign = match change.tag() {
            ChangeTag::Delete => "-",
            ChangeTag::Insert => "+",
            ChangeTag::Equal => " ",
        };
        // As diff -u does: a space more would not fit on 80 columns.
        let line = format!("{sign}{}", change.to_string().trim_end());
        line.trim_end().to_owned()
    });
    lines.collect()
}

/// A line of a difference in its colour, which adds nothing to its sign.
pub fn coloured(line: &str, color: bool) -> String {
    let ink = match line.as_bytes().first() {
        Some(b'-') => Ink::Red,
        Some(b'+') => Ink::Green,
        _ => Ink::Plain,
    };
    painted(ink, line, color)
}

/// What differs between the way that breaks and the one that holds, as a
/// chapter shows it: no colour, no head. `None` where there is only one way.
pub fn of(scenario: &Scenario) -> Option<String> {
    let ways = scenario.ways.all();
    let [(_, first), .., (_, last)] = ways.as_slice() else {
        return None;
    };
    let before = show::function(scenario.source, first.code)?;
    let after = show::function(scenario.source, last.code)?;
    let lines = lines(&before, &after);
    Some(lines.iter().map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{demos::TOPICS, lab::catalogue::entries};

    #[test]
    fn a_line_is_kept_gone_or_new() {
        let told = lines("a\n\nb\n", "a\n\nc\n");
        assert_eq!(told, [" a", "", "-b", "+c"]);
    }

    #[test]
    fn colour_only_repeats_what_the_sign_says() {
        assert_eq!(coloured("-b", false), "-b");
        assert!(coloured("-b", true).contains("-b"));
        assert!(coloured("-b", true).contains('\u{1b}'));
        assert_eq!(coloured(" a", true), " a");
    }

    #[test]
    fn every_pair_has_a_difference_and_nothing_else_has() {
        for entry in entries(TOPICS) {
            let pair = entry.scenario.ways.kind() == "pair";
            let found = of(entry.scenario);
            assert_eq!(found.is_some(), pair, "{}", entry.target());
            let code = found.unwrap_or_default();
            assert_eq!(code.contains("\n-"), pair, "{}", entry.target());
            assert!(!code.contains("```"), "{}", entry.target());
        }
    }
}
