//! `rmq-lab` alone: what this is, what is done, and the one next thing to
//! type.

use std::io::{self, Write};

use super::{
    Manner, progress,
    study::{
        self, Left,
        deck::Deck,
        desk::{Answer, Choice},
    },
    tidy,
};
use crate::{
    book::{
        Chapter, Moment, Outline, Progress, Standing, Step, TopicOutline,
        next_step,
    },
    demos::TOPICS,
    narrate::{Detail, wrapped},
    problem::{Exit, Problem},
    text,
    text::{Lang, Text},
};

/// How it goes on after a few lines.
pub enum Then {
    /// It does not.
    End(Exit),
    /// With these words after `rmq-lab`.
    Type(Vec<String>),
}

/// Says where the reader is; at a terminal, one key takes the next step.
///
/// # Errors
/// A [`Problem`] of the terminal.
pub async fn alone(manner: Manner) -> Result<Then, Problem> {
    let outline = Deck::whole()?.outline;
    let known = progress::look(manner);
    let step = next_step(&known, &outline, Moment::now());
    let mut out = io::stdout();
    let told = orientation(&known, &outline, &step, manner, &mut out);
    if let Err(error) = told.and_then(|()| out.flush()) {
        return tidy::not_written(&error).map(Then::End);
    }
    if !study::is_at_a_terminal() {
        return Ok(Then::End(Exit::Proven));
    }
    let goes_on = study::at_desk(manner, STOPPED, |desk| {
        let go_on = text! { en: "go on with it", zh: "就做这一步" };
        Ok(desk.ask(&[Choice::enter(go_on)])? != Answer::Quit)
    });
    Ok(match goes_on.await? {
        Left::Done(true) => {
            Then::Type(step.words().into_iter().map(str::to_owned).collect())
        }
        Left::Done(false) => Then::End(Exit::Proven),
        Left::Exit(exit) => Then::End(exit),
    })
}

/// Ten lines to begin with, or to go on from.
///
/// # Errors
/// When stdout is closed.
pub fn orientation(
    known: &Progress,
    outline: &Outline,
    step: &Step,
    manner: Manner,
    out: &mut dyn Write,
) -> io::Result<()> {
    let width = manner.style(Detail::Normal).width;
    let mut say = |text: &Text, indent: &str| -> io::Result<()> {
        for line in wrapped(text.say(manner.lang), width, indent) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    };
    say(&WHAT, " ")?;
    say(&Text::same(""), "")?;
    for topic in &outline.topics {
        say(&line(known, topic), " ")?;
    }
    say(&Text::same(""), "")?;
    say(&next(step), " ")?;
    say(&Text::same(step.command()), "   ")?;
    if known.run.is_empty() {
        say(&FIRST, "   ")?;
        say(&DOCTOR, "   ")?;
        say(&REPLAY, "   ")?;
    }
    say(&LIST, "   ")
}

/// What a topic is about, or, once it has begun, how far it has come.
fn line(known: &Progress, topic: &TopicOutline) -> Text {
    let id = &topic.id;
    let standing = known.standing(topic, Moment::now());
    let told = match standing.has_begun() {
        true => how_far(&standing),
        false => title(id),
    };
    Text::made(format!("{id:<14}{}", told.en), format!("{id:<14}{}", told.zh))
}

/// How far a reader has come in a topic, on one line.
pub(super) fn how_far(standing: &Standing) -> Text {
    let Standing { done, scenarios, answered, cards, .. } = standing;
    let (en, zh) = match standing.read {
        true => ("read", "已读"),
        false => ("not read", "未读"),
    };
    let mut told = Text::made(
        format!("{en}; {done} of {scenarios} run, {answered} of {cards} cards"),
        format!("{zh}；场景 {done}/{scenarios}，卡片 {answered}/{cards}"),
    );
    let Standing { spoken, questions, due, .. } = standing;
    if *spoken > 0 {
        let en = format!(", {spoken} of {questions} spoken");
        told.en.to_mut().push_str(&en);
        told.zh.to_mut().push_str(&format!("，面试 {spoken}/{questions}"));
    }
    if *due > 0 {
        told.en.to_mut().push_str(&format!(", {due} due"));
        told.zh.to_mut().push_str(&format!("，到期 {due}"));
    }
    told
}

/// The catalogue's title, or the chapter's own.
fn title(topic: &str) -> Text {
    if let Some(known) = TOPICS.iter().find(|known| known.id == topic) {
        return known.title.clone();
    }
    let heading = |lang| {
        let first = Chapter::about(topic)?.text(lang).lines().next()?;
        Some(first.trim_start_matches('#').trim().to_owned())
    };
    let heading = |lang| heading(lang).unwrap_or_default();
    Text::made(heading(Lang::En), heading(Lang::Zh))
}

/// That there is a next step, and why just that.
pub(super) fn next(step: &Step) -> Text {
    let why = step.why();
    Text::made(format!("Next ({}):", why.en), format!("下一步（{}）：", why.zh))
}

const WHAT: Text = text! {
    en: "rmq-lab puts RabbitMQ's promises on trial: a naive way breaks under a \
         real fault, a fixed way holds, in containers that it starts and removes \
         itself.",
    zh: "rmq-lab 让 RabbitMQ 的承诺当场受审：朴素写法在真实故障下出错，\
         改进写法挺住。一切跑在它自己启动、自己清理的容器里。"
};

const STOPPED: Text = text! { en: "stopped", zh: "已中断" };

const FIRST: Text = Text::fixed(
    "rmq-lab demo idempotency/mark-first   see one run",
    "rmq-lab demo idempotency/mark-first   先看一次运行",
);
const DOCTOR: Text = Text::fixed(
    "rmq-lab doctor     whether this machine can",
    "rmq-lab doctor     检查本机环境",
);
const REPLAY: Text = Text::fixed(
    "rmq-lab replay 3   a recorded run, without Docker",
    "rmq-lab replay 3   看录像，不用 Docker",
);
const LIST: Text = Text::fixed(
    "rmq-lab list       what there is",
    "rmq-lab list       全部场景",
);

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_step_is_a_command_that_can_be_typed() {
        let topic = || "idempotency".to_owned();
        let target = "idempotency/inbox".to_owned();
        for step in [
            Step::Due { cards: 2 },
            Step::Read { topic: topic() },
            Step::Demo { target, done: 1, of: 2 },
            Step::Quiz { topic: topic(), cards: 2 },
            Step::Interview,
        ] {
            let words = std::iter::once("rmq-lab").chain(step.words());
            assert!(Cli::try_parse_from(words).is_ok(), "{step:?}");
        }
    }

    #[test]
    fn how_far_a_topic_is_fits_on_one_line() {
        use unicode_width::UnicodeWidthStr;
        let most = Standing {
            read: false,
            done: 99,
            scenarios: 99,
            answered: 99,
            due: 99,
            cards: 99,
            spoken: 99,
            points: 198,
            questions: 99,
        };
        let told = how_far(&most);
        assert_eq!(
            told.en,
            "not read; 99 of 99 run, 99 of 99 cards, 99 of 99 spoken, 99 due"
        );
        assert_eq!(
            told.zh,
            "未读；场景 99/99，卡片 99/99，面试 99/99，到期 99"
        );
        for line in [&told.en, &told.zh] {
            // Behind a margin of one, and the topic's name.
            assert!(1 + 14 + line.width_cjk() < 80, "{line}");
        }
        let told = how_far(&Standing { spoken: 0, due: 0, ..most });
        assert_eq!(told.en, "not read; 99 of 99 run, 99 of 99 cards");
    }

    #[test]
    fn every_topic_has_a_title_in_both_languages() {
        for chapter in crate::book::CHAPTERS {
            let title = title(chapter.topic);
            assert!(!title.en.is_empty() && !title.zh.is_empty());
        }
    }
}
