//! `rmq-lab` alone: what this is, and the one next thing to type.

use std::io::{self, Write};

use super::Manner;
use crate::{
    demos::TOPICS,
    narrate::{Detail, wrapped},
    text,
    text::Text,
};

/// Ten lines to begin with.
///
/// # Errors
/// When stdout is closed.
pub fn orientation(manner: Manner, out: &mut dyn Write) -> io::Result<()> {
    let width = manner.style(Detail::Normal).width;
    let mut say = |text: &Text, indent: &str| -> io::Result<()> {
        for line in wrapped(text.say(manner.lang), width, indent) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    };
    say(&WHAT, " ")?;
    say(&Text::same(""), "")?;
    for topic in TOPICS {
        let count = topic.scenarios.len();
        let line = Text::made(
            format!("{:<14}{count} scenarios: {}", topic.id, topic.title.en),
            format!("{:<14}{count} 个场景：{}", topic.id, topic.title.zh),
        );
        say(&line, " ")?;
    }
    say(&Text::same(""), "")?;
    say(&NEXT, " ")?;
    for line in COMMANDS {
        say(line, "   ")?;
    }
    Ok(())
}

const WHAT: Text = text! {
    en: "rmq-lab puts RabbitMQ's promises on trial: a naive way that breaks under a \
         real fault, a fixed way that holds, and a verdict that names messages. \
         It runs in containers that it starts and removes itself.",
    zh: "rmq-lab 让 RabbitMQ 的承诺当场受审：朴素写法在真实故障下出错，\
         改进写法挺住，判决具体到每一条消息。一切跑在它自己启动、自己清理的容器里。"
};

const NEXT: Text = text! { en: "Begin with:", zh: "从这里开始：" };

const COMMANDS: &[Text] = &[
    Text::fixed(
        "rmq-lab demo idempotency/mark-first",
        "rmq-lab demo idempotency/mark-first",
    ),
    Text::fixed(
        "rmq-lab list       what there is",
        "rmq-lab list       全部场景",
    ),
    Text::fixed(
        "rmq-lab doctor     whether this machine can",
        "rmq-lab doctor     检查本机环境",
    ),
];
