//! The two kinds of cards, as they are laid on the desk.

use std::io;

use crate::{
    book::{
        Moment,
        questions::{Dig, Question},
        schedule::Grade,
    },
    cli::study::{
        answer::{self, PROOF},
        desk::{Answer, Choice, Desk},
    },
    lab::catalogue::Entry,
    narrate::Ink,
    text,
    text::Text,
};

const KEYS: [char; 4] = ['a', 'b', 'c', 'd'];

/// Asks a question, gives hints, shows the answer. Whether it came to that.
pub fn question(desk: &mut Desk<'_>, question: &Question) -> io::Result<bool> {
    desk.say(Ink::Bold, &question.ask)?;
    let mut hints = Hints::of(&question.hint);
    loop {
        let choices = [
            Choice::enter(text! { en: "the answer", zh: "看答案" }),
            Choice::key('h', HINT),
        ];
        match desk.ask(&choices)? {
            Answer::Enter => break,
            Answer::Key(_) => hints.give(desk)?,
            Answer::Quit => return Ok(false),
        }
    }
    desk.gap()?;
    answer::answer(desk, question)?;
    answer::myths(desk, question)?;
    answer::proof(desk, question)?;
    Ok(true)
}

/// Asks for one of these keys. As long as there are follow-ups, `d` tells the
/// next one with its answer.
fn ask_or_dig(
    desk: &mut Desk<'_>,
    choices: impl Fn() -> Vec<Choice>,
    digs: &[Dig],
) -> io::Result<Answer> {
    let mut told = 0;
    loop {
        desk.gap()?;
        let mut choices = choices();
        let next = digs.get(told);
        if next.is_some() {
            choices.push(Choice::key('d', DEEPER));
        }
        match (desk.ask(&choices)?, next) {
            (Answer::Key('d'), Some(dig)) => {
                told += 1;
                desk.gap()?;
                answer::follow_up(desk, dig)?;
            }
            (other, _) => return Ok(other),
        }
    }
}

/// Asks how well it was known; each grade says when the card comes back.
/// Before that it can be dug deeper.
pub fn grade(
    desk: &mut Desk<'_>,
    days: [i64; 4],
    digs: &[Dig],
) -> io::Result<Option<Grade>> {
    let names = [
        text! { en: "again", zh: "不会" },
        text! { en: "hard", zh: "勉强" },
        text! { en: "good", zh: "会了" },
        text! { en: "easy", zh: "很熟" },
    ];
    let keys = ['1', '2', '3', '4'];
    let choice = |n: usize| {
        let (name, days) = (&names[n], days[n]);
        Choice::key(
            keys[n],
            Text::made(
                format!("{} {days} d", name.en),
                format!("{} {days} 天", name.zh),
            ),
        )
    };
    let choices = || Vec::from([0, 1, 2, 3].map(&choice));
    Ok(match ask_or_dig(desk, choices, digs)? {
        Answer::Key(key) => {
            let place = keys.iter().position(|one| *one == key);
            place.map(|place| Grade::ALL[place])
        }
        Answer::Enter | Answer::Quit => None,
    })
}

/// Asks for the prediction of a scenario. The grade is given by the answer:
/// right is good, with a hint hard, wrong is again.
pub fn prediction(
    desk: &mut Desk<'_>,
    entry: Entry,
    hints: &[Text],
) -> io::Result<Option<Grade>> {
    let scenario = entry.scenario;
    desk.label(&text! { en: "Recipe", zh: "做法" }, &scenario.recipe)?;
    if !scenario.fault.is_empty() {
        desk.label(&text! { en: "Fault", zh: "故障" }, &scenario.fault)?;
    }
    let predict = &scenario.predict;
    desk.gap()?;
    desk.say(Ink::Bold, &predict.question)?;
    let lettered = |(key, choice): (&char, &Text)| {
        Text::made(
            format!("{key}  {}", choice.en),
            format!("{key}  {}", choice.zh),
        )
    };
    let laid = laid_out(&entry);
    let laid_out = laid.iter().map(|choice| &predict.choices[*choice]);
    let mut all = KEYS.iter().zip(laid_out).map(lettered);
    all.try_for_each(|choice| desk.beneath(Ink::Plain, &choice))?;
    let mut given = Hints::of(hints);
    let right = right_key(&entry);
    loop {
        let keys = KEYS.iter().take(predict.choices.len());
        let mut choices: Vec<_> =
            keys.map(|key| Choice::key(*key, Text::same(""))).collect();
        choices.push(Choice::key('h', HINT));
        match desk.ask(&choices)? {
            Answer::Key('h') => given.give(desk)?,
            Answer::Key(key) => {
                desk.gap()?;
                said(desk, key, right, &predict.choices[predict.right])?;
                return Ok(Some(match (key == right, given.given) {
                    (true, 0) => Grade::Good,
                    (true, _) => Grade::Hard,
                    (false, _) => Grade::Again,
                }));
            }
            Answer::Enter | Answer::Quit => return Ok(None),
        }
    }
}

/// The choices of a prediction in the order in which they are laid out. In the
/// scenario a plausible wrong one comes first, and who has seen some knows
/// that: here each begins with another one, always the same.
fn laid_out(entry: &Entry) -> Vec<usize> {
    let count = entry.scenario.predict.choices.len();
    let target = entry.target();
    let sum: usize = target.bytes().map(usize::from).sum();
    (0..count).map(|place| (place + sum) % count).collect()
}

/// The key of the right one.
pub fn right_key(entry: &Entry) -> char {
    let right = entry.scenario.predict.right;
    let place = laid_out(entry).iter().position(|choice| *choice == right);
    place.and_then(|place| KEYS.get(place)).copied().unwrap_or('a')
}

fn said(
    desk: &mut Desk<'_>,
    key: char,
    right: char,
    choice: &Text,
) -> io::Result<()> {
    let (en, zh) = (&choice.en, &choice.zh);
    let (ink, told) = match key == right {
        true => (
            Ink::Green,
            Text::made(
                format!("✓ right: {right}, {en}"),
                format!("✓ 对：{right}，{zh}"),
            ),
        ),
        false => (
            Ink::Red,
            Text::made(
                format!("✗ wrong: not {key} but {right}, {en}"),
                format!("✗ 错：不是 {key}，是 {right}，{zh}"),
            ),
        ),
    };
    desk.say(ink, &told)
}

/// What the run shows, and the command that proves it.
pub fn outcome(desk: &mut Desk<'_>, entry: Entry) -> io::Result<()> {
    let claim = &entry.scenario.claim;
    let claim = Text::made(
        without_key(&claim.en, ": ").to_owned(),
        without_key(&claim.zh, "：").to_owned(),
    );
    desk.label(&text! { en: "Claim", zh: "结论" }, &claim)?;
    desk.commands(&PROOF, &[format!("rmq-lab demo {}", entry.target())])
}

/// A claim says which choice is right by its key in the scenario: `b: …`.
fn without_key<'c>(claim: &'c str, colon: &str) -> &'c str {
    match claim.split_once(colon) {
        Some((key, rest)) if key.chars().count() == 1 => rest,
        _ => claim,
    }
}

/// When the card comes back, and whether to go on.
pub fn comes_back(
    desk: &mut Desk<'_>,
    grade: Grade,
    due: Moment,
    now: Moment,
) -> io::Result<bool> {
    let days = (due.0 - now.0 + 12 * 60 * 60) / 86_400;
    let back = match grade {
        Grade::Again => text! {
            en: "once more at the end, and again in {days} d",
            zh: "最后再问一次，{days} 天后再来", days = days
        },
        Grade::Hard => text! {
            en: "known with a hint: again in {days} d",
            zh: "看了提示才答对：{days} 天后再来", days = days
        },
        _ => text! {
            en: "again in {days} d", zh: "{days} 天后再来", days = days
        },
    };
    desk.label(&text! { en: "Next", zh: "下次" }, &back)?;
    go_on(desk, &[])
}

/// Whether to go on. Before that it can be dug deeper.
pub fn go_on(desk: &mut Desk<'_>, digs: &[Dig]) -> io::Result<bool> {
    let choices = || vec![Choice::enter(text! { en: "go on", zh: "继续" })];
    Ok(ask_or_dig(desk, choices, digs)? == Answer::Enter)
}

/// The hints for a card, one after the other.
struct Hints<'a> {
    all: &'a [Text],
    given: usize,
}

impl<'a> Hints<'a> {
    const fn of(all: &'a [Text]) -> Self {
        Self { all, given: 0 }
    }

    fn give(&mut self, desk: &mut Desk<'_>) -> io::Result<()> {
        let (next, of) = (self.given + 1, self.all.len());
        match self.all.get(self.given) {
            Some(hint) => {
                self.given = next;
                let label =
                    Text::made(format!("{next}/{of}"), format!("{next}/{of}"));
                desk.label(&label, hint)
            }
            None if of == 0 => desk.say(
                Ink::Dim,
                &text! {
                    en: "There is no hint for this one.", zh: "这道题没有提示。"
                },
            ),
            None => desk.say(
                Ink::Dim,
                &text! {
                    en: "That was the last hint.", zh: "提示已经给完了。"
                },
            ),
        }
    }
}

const HINT: Text = text! { en: "a hint", zh: "提示" };
const DEEPER: Text = text! { en: "deeper", zh: "追问" };
