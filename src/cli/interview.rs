//! `rmq-lab interview`: a mock interview that digs, against the clock.

mod sheet;

use std::{
    io,
    time::{Duration, Instant},
};

use clap::Args;

use super::{
    Manner, names, progress,
    study::{
        self, ANSWERS_ARE_KEPT, Left, Stop,
        answer::level,
        deck::Deck,
        desk::{Answer, Choice, Desk},
    },
    typed::Wanted,
};
use crate::{
    book::{
        Moment, Store,
        interview::{Candidate, Course, Move, drawn, suitable_seed},
    },
    narrate::Ink,
    problem::{Exit, Problem},
    text,
    text::Text,
};

/// What to be asked about, and for how long.
#[derive(Clone, Debug, Args)]
pub struct Interview {
    /// Topics; by default all of them.
    #[arg(value_name = "TOPIC")]
    pub topics: Vec<String>,
    /// How many minutes it takes.
    #[arg(
        long, value_name = "N", default_value_t = 20,
        allow_negative_numbers = true, value_parser = minutes
    )]
    pub minutes: u64,
    /// The seed that draws the questions, the same for every reader; by
    /// default another one each time that suits what was answered before, and
    /// is told.
    #[arg(long, value_name = "S", value_parser = super::typed::seed)]
    pub seed: Option<u64>,
}

fn minutes(typed: &str) -> Result<u64, Wanted> {
    match typed.parse() {
        Ok(number) if (1..=180).contains(&number) => Ok(number),
        _ => Err(Wanted::whole(1, 180)),
    }
}

/// Holds the interview.
///
/// # Errors
/// A [`Problem`] of the request, of the terminal, or of keeping progress.
pub async fn interview(
    asked: Interview,
    manner: Manner,
) -> Result<Exit, Problem> {
    let topics = asked.topics.iter().map(|typed| names::chapter(typed));
    let topics = topics.map(|found| found.map(|chapter| chapter.topic));
    let topics = topics.collect::<Result<Vec<_>, _>>()?;
    study::needs_a_terminal("interview", study::TO_BE_READ)?;
    let deck = Deck::whole()?;
    let known = progress::load(manner)?;
    let store = progress::store();
    let candidates = deck.candidates(&topics);
    let (seed, draw) = match asked.seed {
        Some(seed) => (seed, Draw::AskedFor(seed)),
        None => {
            let seed = suitable_seed(&candidates, &known, &mut rand::rng());
            (seed, Draw::Again(again(&topics, seed)))
        }
    };
    let order = drawn(candidates, seed);
    let limit = Duration::from_secs(asked.minutes * 60);
    let left = study::at_desk(manner, ANSWERS_ARE_KEPT, move |desk| {
        let began = Instant::now();
        let room = Room {
            deck: &deck,
            store,
            now: &Moment::now,
            elapsed: &move || began.elapsed(),
        };
        room.hold(desk, Course::new(order, limit), &draw)
    });
    match left.await? {
        Left::Done(()) => Ok(Exit::Proven),
        Left::Exit(exit) => Ok(exit),
    }
}

/// What drew the questions.
enum Draw {
    /// The seed that was asked for.
    AskedFor(u64),
    /// One of our own: this asks the same again.
    Again(String),
}

/// What asks the same questions again.
fn again(topics: &[&str], seed: u64) -> String {
    let topics: String = topics.iter().map(|t| format!(" {t}")).collect();
    format!("rmq-lab interview{topics} --seed {seed}")
}

/// What an interview needs.
struct Room<'a> {
    deck: &'a Deck,
    store: Store,
    now: &'a dyn Fn() -> Moment,
    elapsed: &'a dyn Fn() -> Duration,
}

impl Room<'_> {
    fn hold(
        &self,
        desk: &mut Desk<'_>,
        mut course: Course,
        draw: &Draw,
    ) -> Result<(), Stop> {
        let minutes = course.minutes_left(Duration::ZERO);
        desk.say(
            Ink::Plain,
            &text! {
                en: "A mock interview of {minutes} min. Answer aloud, as if \
                     somebody sat across the table; then look, and be honest.",
                zh: "模拟面试 {minutes} 分钟。先出声答完，再看答案，如实打分。",
                minutes = minutes
            },
        )?;
        match draw {
            Draw::AskedFor(seed) => desk.say(
                Ink::Plain,
                &text! {
                    en: "The questions are those of --seed {seed}.",
                    zh: "题目由 --seed {seed} 抽定。",
                    seed = seed
                },
            )?,
            Draw::Again(command) => {
                let label = text! { en: "Again", zh: "再来" };
                desk.commands(&label, std::slice::from_ref(command))?;
            }
        }
        let why = loop {
            let next = course.next((self.elapsed)());
            let points = match next {
                Move::Ask { question } => {
                    let Some(candidate) = course.question(question) else {
                        break next;
                    };
                    self.ask(desk, &course, candidate, question)?
                }
                Move::Dig { question, dig } => {
                    let Some(candidate) = course.question(question) else {
                        break next;
                    };
                    self.dig(desk, &course, candidate, dig)?
                }
                Move::TimeIsUp | Move::NothingLeft => break next,
            };
            let Some(points) = points else { break next };
            course.assess(points);
        };
        self.end(desk, &course, why)
    }

    /// Asks a question. Gives back the points, or that it was left.
    fn ask(
        &self,
        desk: &mut Desk<'_>,
        course: &Course,
        candidate: &Candidate,
        place: usize,
    ) -> Result<Option<u8>, Stop> {
        let Some(question) = self.deck.question(&candidate.id) else {
            return Ok(Some(0));
        };
        let (number, topic) = (place + 1, &candidate.topic);
        let level = level(candidate.level);
        let head = Text::made(
            format!("Question {number}  {topic}, {}", level.en),
            format!("第 {number} 题  {topic}，{}", level.zh),
        );
        let points =
            self.hear(desk, course, &head, &question.ask, &question.answer)?;
        if let Some(points) = points {
            let now = (self.now)();
            let kept = self
                .store
                .update(|p| p.note_spoken(&candidate.id, points, now))?;
            if let Some(notice) = kept.notice {
                desk.say(Ink::Yellow, &notice)?;
            }
        }
        Ok(points)
    }

    fn dig(
        &self,
        desk: &mut Desk<'_>,
        course: &Course,
        candidate: &Candidate,
        place: usize,
    ) -> Result<Option<u8>, Stop> {
        let digs = self.deck.question(&candidate.id).map(|q| &q.dig);
        let Some(dig) = digs.and_then(|digs| digs.get(place)) else {
            return Ok(Some(0));
        };
        let (number, of) = (place + 1, candidate.digs);
        let head = text! {
            en: "Deeper, {number} of {of}", zh: "追问 {number}/{of}",
            number = number, of = of
        };
        Ok(self.hear(desk, course, &head, &dig.ask, &dig.answer)?)
    }

    /// Asks, hears the answer, shows the one of the book, and has it judged.
    fn hear(
        &self,
        desk: &mut Desk<'_>,
        course: &Course,
        head: &Text,
        ask: &Text,
        answer: &Text,
    ) -> io::Result<Option<u8>> {
        let began = (self.elapsed)();
        desk.gap()?;
        desk.head(head, &minutes_left(course.minutes_left(began)))?;
        desk.say(Ink::Bold, ask)?;
        let done = text! { en: "I have answered", zh: "答完了" };
        if desk.ask(&[Choice::enter(done)])? != Answer::Enter {
            return Ok(None);
        }
        let seconds = (self.elapsed)().saturating_sub(began).as_secs();
        desk.gap()?;
        desk.label(&text! { en: "Answer", zh: "答案" }, answer)?;
        desk.beneath(
            Ink::Dim,
            &text! {
                en: "You took {seconds} s.", zh: "你用了 {seconds} 秒。",
                seconds = seconds
            },
        )?;
        desk.gap()?;
        let choices = [
            Choice::key('0', text! { en: "not really", zh: "没答上" }),
            Choice::key('1', text! { en: "half of it", zh: "答了一半" }),
            Choice::key('2', text! { en: "that was it", zh: "答到点上" }),
        ];
        Ok(match desk.ask(&choices)? {
            Answer::Key('0') => Some(0),
            Answer::Key('1') => Some(1),
            Answer::Key(_) => Some(2),
            Answer::Enter | Answer::Quit => None,
        })
    }
}

fn minutes_left(minutes: u64) -> Text {
    text! {
        en: "{minutes} min left", zh: "还剩 {minutes} 分钟", minutes = minutes
    }
}

#[cfg(test)]
mod tests;
