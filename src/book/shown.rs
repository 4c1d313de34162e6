//! Code in a chapter: it is never typed there, but filled in from the source
//! of a scenario.
//!
//! ````text
//! <!-- diff: idempotency/mark-first -->
//! ```diff
//! -the naive way
//! +the fixed one
//! ```
//! ````

use std::ops::Range;

/// A block of a chapter that shows a scenario's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `topic/scenario`.
    pub target: String,
    /// The line of the comment, counted from 1.
    pub line: usize,
    /// The lines of its body, counted from 0.
    body: Range<usize>,
}

/// The target that a line names.
pub fn target(line: &str) -> Option<String> {
    let inner = line.trim().strip_prefix("<!-- diff:")?.strip_suffix("-->")?;
    Some(inner.trim().to_owned())
}

/// The blocks of a text that show code. A comment without a block that
/// begins and ends is none: see [`torn`].
pub fn all(text: &str) -> Vec<Shown> {
    found(text).into_iter().filter_map(Result::ok).collect()
}

/// The lines, counted from 1, of the comments that no block of code follows.
pub fn torn(text: &str) -> Vec<usize> {
    found(text).into_iter().filter_map(Result::err).collect()
}

fn found(text: &str) -> Vec<Result<Shown, usize>> {
    let lines: Vec<_> = text.lines().collect();
    let targets = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| target(line).map(|target| (at, target)));
    targets
        .map(|(at, target)| {
            let line = at + 1;
            let opened = lines.get(at + 1) == Some(&"```diff");
            let rest = lines.get(at + 2..).filter(|_| opened).ok_or(line)?;
            let length = rest.iter().position(|l| *l == "```").ok_or(line)?;
            Ok(Shown { target, line, body: at + 2..at + 2 + length })
        })
        .collect()
}

impl Shown {
    /// What stands in the text.
    pub fn body(&self, text: &str) -> String {
        let lines = text.lines().skip(self.body.start).take(self.body.len());
        lines.map(|line| format!("{line}\n")).collect()
    }
}

/// The text with every block filled anew; one whose code is not known stays.
pub fn filled(text: &str, code: impl Fn(&str) -> Option<String>) -> String {
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let mut filled = String::new();
    let mut from = 0;
    for shown in all(text) {
        let Some(code) = code(&shown.target) else {
            continue;
        };
        filled.extend(lines[from..shown.body.start].iter().copied());
        filled.push_str(&code);
        from = shown.body.end;
    }
    filled.extend(lines[from..].iter().copied());
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\n\n<!-- diff: t/one -->\n```diff\n```\n\nb\n\n\
                        <!-- diff: t/two -->\n```diff\n-x\n+y\n```\nc\n";

    #[test]
    fn blocks_are_found_with_their_bodies() {
        let all = all(TEXT);
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].target.as_str(), all[0].line), ("t/one", 3));
        assert_eq!(all[0].body(TEXT), "");
        assert_eq!(all[1].body(TEXT), "-x\n+y\n");
        assert_eq!(torn(TEXT), Vec::<usize>::new());
    }

    #[test]
    fn filling_changes_bodies_only_and_does_so_once() {
        let code = |target: &str| match target {
            "t/one" => Some(" 1\n+2\n".to_owned()),
            _ => None,
        };
        let once = filled(TEXT, code);
        let expected = TEXT.replacen("```diff\n```", "```diff\n 1\n+2\n```", 1);
        assert_eq!(once, expected);
        assert_eq!(filled(&once, code), once);
        let emptied = filled(&once, |_| Some(String::new()));
        assert_eq!(emptied, TEXT.replace("-x\n+y\n", ""));
    }

    #[test]
    fn a_comment_without_its_block_is_torn() {
        for text in [
            "<!-- diff: a/b -->\n",
            "<!-- diff: a/b -->\n\n```diff\n```\n",
            "<!-- diff: a/b -->\n```diff\n-x\n",
            "<!-- diff: a/b -->\n```text\n```\n",
        ] {
            assert_eq!(torn(text), [1], "{text}");
            assert_eq!(filled(text, |_| Some("z\n".to_owned())), text);
        }
    }
}
