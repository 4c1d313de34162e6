//! The sheet at the end of an interview.

use super::Room;
use crate::{
    book::interview::{Course, Firmness, Move, Sheet},
    cli::study::{Stop, desk::Desk},
    narrate::Ink,
    text,
    text::Text,
};

/// As many as can be run in an evening.
const TO_RUN: usize = 6;

impl Room<'_> {
    pub(super) fn end(
        &self,
        desk: &mut Desk<'_>,
        course: &Course,
        why: Move,
    ) -> Result<(), Stop> {
        desk.gap()?;
        match why {
            Move::TimeIsUp => desk.say(
                Ink::Bold,
                &text! {
                    en: "The time is up.", zh: "时间到。"
                },
            )?,
            Move::NothingLeft => desk.say(
                Ink::Bold,
                &text! {
                    en: "There is nothing left to ask.", zh: "题目都问完了。"
                },
            )?,
            Move::Ask { .. } | Move::Dig { .. } => {}
        }
        let sheet = course.sheet();
        let minutes = (self.elapsed)().as_secs().div_ceil(60);
        desk.label(
            &text! { en: "Sheet", zh: "成绩" },
            &total(&sheet, minutes),
        )?;
        for topic in &sheet.topics {
            let (name, points, of) = (&topic.topic, topic.points, topic.of);
            let firm = firmness(topic.firmness());
            let line =
                |word: &str| format!("{name:<14}{points:>3} / {of:<3}  {word}");
            let line = Text::made(line(&firm.en), line(&firm.zh));
            desk.beneath(Ink::Plain, &line)?;
        }
        let read: Vec<_> = sheet
            .to_read()
            .iter()
            .map(|topic| format!("rmq-lab read {topic}"))
            .collect();
        desk.commands(&text! { en: "Read", zh: "重读" }, &read)?;
        let run: Vec<_> = sheet
            .scenarios
            .iter()
            .take(TO_RUN)
            .map(|target| format!("rmq-lab demo {target}"))
            .collect();
        desk.commands(&text! { en: "Run", zh: "重跑" }, &run)?;
        if sheet.answers > 0 && read.is_empty() && run.is_empty() {
            let firm = text! {
                en: "all of it was firm; the next one may be longer",
                zh: "都答得很稳；下次可以更长"
            };
            desk.label(&text! { en: "Well", zh: "不错" }, &firm)?;
        }
        Ok(())
    }
}

fn total(sheet: &Sheet, minutes: u64) -> Text {
    let (points, of) = sheet.total();
    let answers = sheet.answers;
    match answers {
        0 => text! { en: "nothing was answered", zh: "一题也没答" },
        _ => {
            let plural = if answers == 1 { "" } else { "s" };
            Text::made(
                format!(
                    "{points} of {of} points for {answers} answer{plural} in \
                     {minutes} min"
                ),
                format!("{minutes} 分钟答了 {answers} 题，{points}/{of} 分"),
            )
        }
    }
}

const fn firmness(firmness: Firmness) -> Text {
    match firmness {
        Firmness::Weak => Text::fixed("✗ read it again", "✗ 要重读"),
        Firmness::Shaky => Text::fixed("~ shaky", "~ 不稳"),
        Firmness::Firm => Text::fixed("✓ firm", "✓ 稳"),
    }
}
