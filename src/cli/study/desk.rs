//! The desk: paragraphs are laid on it, and a key is asked for.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::keyboard::{Key, Keys};
use crate::{
    book::prose::paragraphs,
    cli::Manner,
    narrate::{Detail, Ink, painted, wrapped},
    text,
    text::{Lang, Text},
};

/// Columns that the labels on the left take.
const MARGIN: usize = 9;

/// One key that can be pressed, and what it does.
pub struct Choice {
    /// The key: Enter or a character.
    pub key: Key,
    /// What it does.
    pub does: Text,
}

impl Choice {
    /// A character.
    pub const fn key(key: char, does: Text) -> Self {
        Self { key: Key::Char(key), does }
    }

    /// Enter; the space bar does the same.
    pub const fn enter(does: Text) -> Self {
        Self { key: Key::Enter, does }
    }
}

/// What a person answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// One of the characters.
    Key(char),
    /// Enter.
    Enter,
    /// `q`, Escape or the end of input.
    Quit,
}

/// Where a person is asked.
pub struct Desk<'a> {
    keys: &'a mut dyn Keys,
    out: &'a mut dyn Write,
    /// How to speak.
    pub manner: Manner,
    width: usize,
}

impl<'a> Desk<'a> {
    /// With these keys and this paper.
    pub fn new(
        keys: &'a mut dyn Keys,
        out: &'a mut dyn Write,
        manner: Manner,
    ) -> Self {
        let width = manner.style(Detail::Normal).width;
        Self { keys, out, manner, width }
    }

    /// A free line.
    ///
    /// # Errors
    /// When the terminal is gone; so do all that follow.
    pub fn gap(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// Paragraphs.
    ///
    /// # Errors
    /// As [`gap`](Self::gap).
    pub fn say(&mut self, ink: Ink, text: &Text) -> io::Result<()> {
        self.paragraphs(ink, " ", text)
    }

    /// Paragraphs beneath a labelled one.
    ///
    /// # Errors
    /// As [`gap`](Self::gap).
    pub fn beneath(&mut self, ink: Ink, text: &Text) -> io::Result<()> {
        self.paragraphs(ink, &" ".repeat(MARGIN), text)
    }

    fn paragraphs(
        &mut self,
        ink: Ink,
        indent: &str,
        text: &Text,
    ) -> io::Result<()> {
        for paragraph in paragraphs(text.say(self.manner.lang)) {
            for line in wrapped(&paragraph, self.width - 1, indent) {
                let line = line.strip_prefix(indent).unwrap_or(&line);
                let line = painted(ink, line, self.manner.color);
                writeln!(self.out, "{indent}{line}")?;
            }
        }
        Ok(())
    }

    /// A label in the margin, and what it labels beside it.
    ///
    /// # Errors
    /// As [`gap`](Self::gap).
    pub fn label(&mut self, label: &Text, text: &Text) -> io::Result<()> {
        let label = label.say(self.manner.lang);
        let lead = format!(" {label} ");
        let gap = " ".repeat(MARGIN.saturating_sub(self.width_of(&lead)));
        let lead = painted(Ink::Bold, &lead, self.manner.color) + &gap;
        let indent = " ".repeat(MARGIN);
        let paragraphs = paragraphs(text.say(self.manner.lang));
        let lines = paragraphs
            .iter()
            .flat_map(|one| wrapped(one, self.width - 1, &indent));
        for (n, line) in lines.enumerate() {
            match (n, line.strip_prefix(&indent)) {
                (0, Some(line)) => writeln!(self.out, "{lead}{line}")?,
                _ => writeln!(self.out, "{line}")?,
            }
        }
        Ok(())
    }

    /// Commands to be pasted, beside a label: never broken.
    ///
    /// # Errors
    /// As [`gap`](Self::gap).
    pub fn commands(
        &mut self,
        label: &Text,
        commands: &[String],
    ) -> io::Result<()> {
        for (n, command) in commands.iter().enumerate() {
            let label = if n == 0 { label.say(self.manner.lang) } else { "" };
            let lead = format!(" {label} ");
            let gap = " ".repeat(MARGIN.saturating_sub(self.width_of(&lead)));
            let lead = painted(Ink::Bold, &lead, self.manner.color) + &gap;
            let command = painted(Ink::Cyan, command, self.manner.color);
            writeln!(self.out, "{lead}{command}")?;
        }
        Ok(())
    }

    /// A head: what stands on the left, and something at the right edge.
    ///
    /// # Errors
    /// As [`gap`](Self::gap).
    pub fn head(&mut self, left: &Text, right: &Text) -> io::Result<()> {
        let (left, right) =
            (left.say(self.manner.lang), right.say(self.manner.lang));
        let used = 1 + self.width_of(left) + self.width_of(right);
        let left = painted(Ink::Bold, left, self.manner.color);
        let edge = self.width - 1;
        if used + 2 > edge {
            writeln!(self.out, " {left}\n {right}")
        } else {
            let gap = " ".repeat(edge - used);
            let right = painted(Ink::Dim, right, self.manner.color);
            writeln!(self.out, " {left}{gap}{right}")
        }
    }

    /// Asks for one of these keys, or `q`, which ends. At a key that is none of
    /// them it says once which there are: said again and again, it would push
    /// the question off the screen.
    ///
    /// # Errors
    /// As [`gap`](Self::gap).
    pub fn ask(&mut self, choices: &[Choice]) -> io::Result<Answer> {
        let mut is_said = false;
        self.prompt(choices)?;
        loop {
            let pressed = self.keys.next();
            if let Some(answer) = understood(pressed, choices) {
                let echo = match answer {
                    Answer::Key(key) => key.to_string(),
                    Answer::Enter => String::new(),
                    Answer::Quit => "q".to_owned(),
                };
                writeln!(self.out, "{echo}")?;
                return Ok(answer);
            }
            self.keys.forget_pending();
            if !is_said {
                is_said = true;
                writeln!(self.out)?;
                self.say(Ink::Yellow, &unknown(pressed, choices))?;
                self.prompt(choices)?;
            }
        }
    }

    fn prompt(&mut self, choices: &[Choice]) -> io::Result<()> {
        let lang = self.manner.lang;
        let mut line = String::new();
        let end = Choice::key('q', END);
        for choice in choices.iter().chain([&end]) {
            let key = key_word(choice.key);
            let unit = format!("[{}] {}", key.say(lang), choice.does.say(lang));
            let unit = unit.trim_end();
            let room = self.width.saturating_sub(3);
            if !line.is_empty()
                && self.width_of(&line) + 3 + self.width_of(unit) > room
            {
                writeln!(self.out, "{line}")?;
                line.clear();
            }
            line.push_str(if line.is_empty() { " " } else { "   " });
            line.push_str(unit);
        }
        write!(self.out, "{line} ")?;
        self.out.flush()
    }

    fn width_of(&self, text: &str) -> usize {
        match self.manner.lang {
            Lang::En => text.width(),
            Lang::Zh => text.width_cjk(),
        }
    }
}

fn understood(pressed: Key, choices: &[Choice]) -> Option<Answer> {
    let pressed = match pressed {
        Key::End | Key::Escape | Key::Char('q') => return Some(Answer::Quit),
        Key::Char(' ') => Key::Enter,
        key => key,
    };
    choices.iter().find(|choice| choice.key == pressed)?;
    match pressed {
        Key::Enter => Some(Answer::Enter),
        Key::Char(key) => Some(Answer::Key(key)),
        _ => None,
    }
}

fn unknown(pressed: Key, choices: &[Choice]) -> Text {
    let words = choices.iter().map(|choice| key_word(choice.key));
    let (mut en, mut zh) = (Vec::new(), Vec::new());
    for word in words.chain([Text::same("q")]) {
        en.push(word.en);
        zh.push(word.zh);
    }
    let pressed = match pressed {
        Key::Char(key) => Text::made(format!("\"{key}\""), format!("“{key}”")),
        Key::Enter => text! { en: "Enter", zh: "回车" },
        _ => text! { en: "that key", zh: "这个键" },
    };
    Text::made(
        format!("{} does nothing here; keys: {}", pressed.en, en.join(", ")),
        format!("{}在这里没有作用；可用的键：{}", pressed.zh, zh.join("、")),
    )
}

fn key_word(key: Key) -> Text {
    match key {
        Key::Char(key) => Text::same(key.to_string()),
        _ => text! { en: "Enter", zh: "回车" },
    }
}

const END: Text = text! { en: "end", zh: "结束" };

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Keys that were decided on beforehand, and then the end.
    pub struct Script(pub VecDeque<Key>);

    impl Script {
        /// `⏎` is Enter.
        pub fn of(keys: &str) -> Self {
            let key = |c| if c == '⏎' { Key::Enter } else { Key::Char(c) };
            Self(keys.chars().map(key).collect())
        }
    }

    impl Keys for Script {
        fn next(&mut self) -> Key {
            self.0.pop_front().unwrap_or(Key::End)
        }
    }

    /// A manner of speaking without colour.
    pub const fn manner(lang: Lang) -> Manner {
        Manner { lang, color: false, color_errors: false }
    }

    /// What is told when these keys are pressed.
    pub fn told(
        keys: &str,
        lang: Lang,
        work: impl FnOnce(&mut Desk<'_>),
    ) -> String {
        let (mut keys, mut out) = (Script::of(keys), Vec::new());
        work(&mut Desk::new(&mut keys, &mut out, manner(lang)));
        String::from_utf8(out).unwrap()
    }

    fn choices() -> [Choice; 2] {
        [
            Choice::enter(text! { en: "answer", zh: "答案" }),
            Choice::key('h', text! { en: "hint", zh: "提示" }),
        ]
    }

    #[test]
    fn a_known_key_is_an_answer() {
        told("h⏎ q", Lang::En, |desk| {
            assert_eq!(desk.ask(&choices()).unwrap(), Answer::Key('h'));
            assert_eq!(desk.ask(&choices()).unwrap(), Answer::Enter);
            assert_eq!(desk.ask(&choices()).unwrap(), Answer::Enter);
            assert_eq!(desk.ask(&choices()).unwrap(), Answer::Quit);
            // The end of input.
            assert_eq!(desk.ask(&choices()).unwrap(), Answer::Quit);
        });
    }

    #[test]
    fn an_unknown_key_is_told_which_there_are() {
        let said = told("xh", Lang::En, |desk| {
            assert_eq!(desk.ask(&choices()).unwrap(), Answer::Key('h'));
        });
        let expected = " [Enter] answer   [h] hint   [q] end \n \
                        \"x\" does nothing here; keys: Enter, h, q\n \
                        [Enter] answer   [h] hint   [q] end h\n";
        assert_eq!(said, expected);
        let again = told("xyzh", Lang::En, |desk| {
            assert_eq!(desk.ask(&choices()).unwrap(), Answer::Key('h'));
        });
        assert_eq!(again, expected, "and only once");
        let said = told("xh", Lang::Zh, |desk| {
            desk.ask(&choices()).unwrap();
        });
        assert!(said.contains("“x”在这里没有作用；可用的键：回车、h、q\n"));
    }

    #[test]
    fn labels_stand_in_the_margin_in_either_language() {
        let label = text! { en: "Answer", zh: "答案" };
        let body = text! { en: "One.\n\nTwo.", zh: "一。\n\n二。" };
        let say = |lang| {
            told("", lang, |desk| {
                desk.label(&label, &body).unwrap();
            })
        };
        assert_eq!(say(Lang::En), " Answer  One.\n         Two.\n");
        assert_eq!(say(Lang::Zh), " 答案    一。\n         二。\n");
    }

    #[test]
    fn a_head_has_its_right_side_at_the_edge() {
        let head = told("", Lang::En, |desk| {
            desk.head(&Text::same("1/10"), &Text::same("new")).unwrap();
        });
        assert_eq!(head.trim_end().len(), 79);
        assert!(head.starts_with(" 1/10  ") && head.ends_with("  new\n"));
    }
}
