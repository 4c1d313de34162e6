//! The back of a question's card: what is known about it, as it is laid on
//! the desk.

use std::io;

use super::{deck::runnable, desk::Desk};
use crate::{
    book::questions::{Dig, Level, Question},
    narrate::Ink,
    text,
    text::Text,
};

/// The thirty-second answer.
///
/// # Errors
/// When the terminal is gone; so do all that follow.
pub fn answer(desk: &mut Desk<'_>, question: &Question) -> io::Result<()> {
    desk.label(&ANSWER, &question.answer)
}

/// A follow-up, and its answer.
///
/// # Errors
/// As [`answer`].
pub fn follow_up(desk: &mut Desk<'_>, dig: &Dig) -> io::Result<()> {
    desk.label(&text! { en: "Deeper", zh: "追问" }, &dig.ask)?;
    desk.beneath(Ink::Plain, &dig.answer)
}

/// What is often said, and why it is wrong.
///
/// # Errors
/// As [`answer`].
pub fn myths(desk: &mut Desk<'_>, question: &Question) -> io::Result<()> {
    for wrong in &question.wrong {
        let said = Text::made(
            format!("“{}”", wrong.said.en.trim()),
            format!("“{}”", wrong.said.zh.trim()),
        );
        desk.label(&text! { en: "Wrong", zh: "误区" }, &said)?;
        desk.beneath(Ink::Plain, &wrong.because)?;
    }
    Ok(())
}

/// The runs that prove the answer, and what else it rests on.
///
/// # Errors
/// As [`answer`].
pub fn proof(desk: &mut Desk<'_>, question: &Question) -> io::Result<()> {
    let proofs: Vec<_> = runnable(question)
        .iter()
        .map(|target| format!("rmq-lab demo {target}"))
        .collect();
    desk.commands(&PROOF, &proofs)?;
    for (n, source) in question.sources.iter().enumerate() {
        let label = if n == 0 { SOURCE } else { Text::same("") };
        desk.label(&label, &Text::same(source.as_str()))?;
    }
    Ok(())
}

/// How deep a question goes.
pub const fn level(level: Level) -> Text {
    match level {
        Level::Basic => Text::fixed("basic", "基础"),
        Level::Deep => Text::fixed("deep", "深入"),
        Level::Expert => Text::fixed("expert", "专家"),
    }
}

/// Of the runs that prove something.
pub const PROOF: Text = text! { en: "Proof", zh: "证明" };
const ANSWER: Text = text! { en: "Answer", zh: "答案" };
const SOURCE: Text = text! { en: "Source", zh: "出处" };
