//! What a session came to, and what comes after it.

use std::io;

use super::Asking;
use crate::{
    book::{
        Moment, Progress, Step, next_step, schedule::Grade, selection::Session,
        step_in,
    },
    cli::study::{Stop, desk::Desk},
    narrate::Ink,
    text,
    text::Text,
};

impl Asking<'_> {
    /// Nothing is due, and nothing new.
    pub(super) fn nothing(
        &self,
        desk: &mut Desk<'_>,
        known: &Progress,
        now: Moment,
    ) -> io::Result<()> {
        desk.say(
            Ink::Plain,
            &text! {
                en: "Nothing is due, and nothing is new.",
                zh: "没有到期的卡片，也没有新卡片。"
            },
        )?;
        self.what_comes(desk, known, now)?;
        let topic = self.topic.map(|topic| format!(" {topic}"));
        let interview =
            format!("rmq-lab interview{}", topic.unwrap_or_default());
        desk.commands(&INSTEAD, &[interview])
    }

    /// What was done, when the next is due, and the next thing to type.
    pub(super) fn end(
        &self,
        desk: &mut Desk<'_>,
        session: &Session,
    ) -> Result<(), Stop> {
        let known = self.store.load()?.it;
        let now = (self.now)();
        desk.gap()?;
        desk.label(&text! { en: "Done", zh: "本次" }, &done(session))?;
        self.what_comes(desk, &known, now)?;
        // Of the topic that was asked about, as long as it has one.
        let outline = &self.deck.outline;
        let own = self.topic.and_then(|topic| outline.topic(topic));
        let step = own
            .and_then(|topic| step_in(&known, topic))
            .unwrap_or_else(|| next_step(&known, outline, now));
        // A quiz is over: whoever wants another one knows how.
        let next = match step {
            Step::Due { .. } => "rmq-lab quiz".to_owned(),
            step => step.command(),
        };
        desk.commands(&text! { en: "next", zh: "下一步" }, &[next])?;
        Ok(())
    }

    /// What is due, now or later, and how many are new.
    fn what_comes(
        &self,
        desk: &mut Desk<'_>,
        known: &Progress,
        now: Moment,
    ) -> io::Result<()> {
        let outline = &self.deck.outline;
        let due = match known.due(outline, self.topic, now) {
            0 => {
                let Some((when, cards)) =
                    known.next_due(outline, self.topic, now)
                else {
                    return Ok(());
                };
                let when = when.told_at(now);
                let next = match cards {
                    1 => "the next card is".to_owned(),
                    _ => format!("the next {cards} cards are"),
                };
                Text::made(
                    format!("{next} due {}", when.en),
                    format!("{}有 {cards} 张到期", when.zh),
                )
            }
            cards => Text::made(
                match cards {
                    1 => "1 card is due now".to_owned(),
                    _ => format!("{cards} cards are due now"),
                },
                format!("现在还有 {cards} 张到期"),
            ),
        };
        desk.label(&text! { en: "Due", zh: "到期" }, &due)?;
        match known.unseen(outline, self.topic) {
            0 => Ok(()),
            new => desk.label(&text! { en: "New", zh: "新" }, &unseen(new)),
        }
    }
}

fn unseen(new: usize) -> Text {
    Text::made(
        match new {
            1 => "1 card has not been asked yet".to_owned(),
            _ => format!("{new} cards have not been asked yet"),
        },
        format!("还有 {new} 张没考过"),
    )
}

fn done(session: &Session) -> Text {
    let answered = session.answered();
    let [again, hard, good, easy] =
        Grade::ALL.map(|grade| session.count(grade));
    match answered {
        0 => text! { en: "nothing answered", zh: "一张也没答" },
        _ => text! {
            en: "{answered} answered: {again} again, {hard} hard, {good} good, \
                 {easy} easy",
            zh: "答了 {answered} 张：不会 {again}，勉强 {hard}，会了 {good}，很熟 {easy}",
            answered = answered, again = again, hard = hard, good = good,
            easy = easy
        },
    }
}

const INSTEAD: Text = text! { en: "instead", zh: "不妨" };
