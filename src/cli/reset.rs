//! `rmq-lab reset`: forgets progress.

use std::io::{self, Write};

use super::{
    Manner, names, progress,
    study::{
        self, Left,
        deck::Deck,
        desk::{Answer, Choice},
    },
    tidy,
};
use crate::{
    book::progress::Forgotten,
    narrate::Ink,
    problem::{Exit, Problem},
    text,
    text::Text,
};

/// Forgets all progress, or that of a topic, and says what it was.
///
/// # Errors
/// A [`Problem`] of the request, of the terminal, or of keeping progress.
pub async fn reset(
    topic: Option<&str>,
    yes: bool,
    manner: Manner,
) -> Result<Exit, Problem> {
    let topic = topic.map(names::chapter).transpose()?;
    let topic = topic.map(|chapter| chapter.topic);
    let outline = Deck::whole()?.outline;
    let known = progress::load(manner)?;
    // A topic that has no scenario yet has nothing to forget; it must not
    // stand for all of them.
    let its = topic.and_then(|topic| outline.topic(topic));
    if topic.is_some() && its.is_none() {
        return say(&NOTHING, manner);
    }
    let would = known.clone().forget(its);
    if would.is_nothing() {
        return say(&NOTHING, manner);
    }
    if !yes {
        let command = "reset";
        study::needs_a_terminal(
            command,
            text! {
                en: "to forget it without being asked: rmq-lab reset --yes",
                zh: "不询问、直接清除：rmq-lab reset --yes"
            },
        )?;
        match agreed(would, manner).await? {
            Left::Done(true) => {}
            Left::Done(false) => return say(&KEPT, manner),
            Left::Exit(exit) => return Ok(exit),
        }
    }
    let kept = progress::store().update(|progress| progress.forget(its))?;
    say(&counted(kept.it, "forgotten: ", "已清除："), manner)
}

async fn agreed(
    would: Forgotten,
    manner: Manner,
) -> Result<Left<bool>, Problem> {
    let question = counted(would, "to be forgotten: ", "将清除：");
    study::at_desk(manner, STOPPED, move |desk| {
        desk.say(Ink::Bold, &question)?;
        let forget = text! { en: "forget it", zh: "清除" };
        let keep = text! { en: "keep it", zh: "保留" };
        let choices = [Choice::key('y', forget), Choice::key('n', keep)];
        Ok(desk.ask(&choices)? == Answer::Key('y'))
    })
    .await
}

fn counted(forgotten: Forgotten, en: &str, zh: &str) -> Text {
    let Forgotten { read, run, answers } = forgotten;
    let many = |n: usize, one: &str| match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    };
    Text::made(
        format!(
            "{en}{} read, {} run, {}",
            many(read, "chapter"),
            many(run, "scenario"),
            many(answers, "answer"),
        ),
        format!("{zh}读过的 {read} 章、跑过的 {run} 个场景、{answers} 条作答"),
    )
}

fn say(text: &Text, manner: Manner) -> Result<Exit, Problem> {
    match writeln!(io::stdout(), " {}", text.say(manner.lang)) {
        Ok(()) => Ok(Exit::Proven),
        Err(error) => tidy::not_written(&error),
    }
}

const NOTHING: Text =
    text! { en: "there is nothing to forget", zh: "没有可清除的进度" };
const KEPT: Text = text! { en: "nothing was forgotten", zh: "什么都没动" };
const STOPPED: Text = text! {
    en: "stopped; nothing was forgotten", zh: "已中断；什么都没动"
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_is_counted_in_words() {
        let some = Forgotten { read: 1, run: 12, answers: 0 };
        let told = counted(some, "forgotten: ", "已清除：");
        assert_eq!(
            told.en,
            "forgotten: 1 chapter read, 12 scenarios run, 0 answers"
        );
        assert_eq!(told.zh, "已清除：读过的 1 章、跑过的 12 个场景、0 条作答");
    }
}
