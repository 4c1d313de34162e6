//! `rmq-lab quiz`: flash cards and predictions, when they are due.

mod cards;
mod ending;

use clap::Args;

use super::{
    Manner, names, progress,
    study::{
        self, ANSWERS_ARE_KEPT, Left, Stop,
        deck::{Deck, Face},
        desk::Desk,
    },
    typed::Wanted,
};
use crate::{
    book::{
        Moment, Progress, Store,
        questions::Dig,
        schedule::{self, Grade},
        selection::{Chosen, Session, Turn, choose},
    },
    narrate::Ink,
    problem::{Exit, Problem},
    text,
    text::Text,
};

/// What to be asked.
#[derive(Clone, Debug, Args)]
pub struct Quiz {
    /// A topic; by default all of them.
    pub topic: Option<String>,
    /// At most so many cards.
    #[arg(
        long, value_name = "N", default_value_t = 10,
        allow_negative_numbers = true, value_parser = cards
    )]
    pub cards: usize,
}

fn cards(typed: &str) -> Result<usize, Wanted> {
    match typed.parse() {
        Ok(number) if (1..=1000).contains(&number) => Ok(number),
        _ => Err(Wanted::whole(1, 1000)),
    }
}

/// Asks, grades, and says when what comes back.
///
/// # Errors
/// A [`Problem`] of the request, of the terminal, or of keeping progress.
pub async fn quiz(asked: Quiz, manner: Manner) -> Result<Exit, Problem> {
    let topic = asked.topic.as_deref().map(names::chapter).transpose()?;
    let topic = topic.map(|chapter| chapter.topic);
    study::needs_a_terminal("quiz", study::TO_BE_READ)?;
    let deck = Deck::whole()?;
    let known = progress::load(manner)?;
    let store = progress::store();
    let left = study::at_desk(manner, ANSWERS_ARE_KEPT, move |desk| {
        let asking = Asking { deck: &deck, store, topic, now: &Moment::now };
        asking.session(desk, &known, asked.cards)
    });
    match left.await? {
        Left::Done(()) => Ok(Exit::Proven),
        Left::Exit(exit) => Ok(exit),
    }
}

/// What a session needs.
struct Asking<'a> {
    deck: &'a Deck,
    store: Store,
    topic: Option<&'a str>,
    now: &'a dyn Fn() -> Moment,
}

/// How a card went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Went {
    /// Answered, or seen once more.
    On(Option<Grade>),
    /// Left, and before that perhaps answered.
    Quit(Option<Grade>),
}

impl Asking<'_> {
    fn session(
        &self,
        desk: &mut Desk<'_>,
        known: &Progress,
        most: usize,
    ) -> Result<(), Stop> {
        let now = (self.now)();
        let outline = &self.deck.outline;
        let chosen = choose(outline, known, self.topic, now, most);
        if chosen.is_empty() {
            return Ok(self.nothing(desk, known, now)?);
        }
        let new = chosen.iter().filter(|card| card.new).count();
        desk.say(Ink::Plain, &greeting(chosen.len() - new, new))?;
        let mut session = Session::of(chosen);
        while let Some(turn) = session.turn() {
            let (id, went) = match turn {
                Turn::Card(card) => {
                    let went = self.card(desk, &card, &session)?;
                    (card.id, went)
                }
                Turn::OnceMore(id) => {
                    let went = self.once_more(desk, &id)?;
                    (id, went)
                }
            };
            let (Went::On(grade) | Went::Quit(grade)) = went;
            if let Some(grade) = grade {
                session.graded(&id, grade);
            }
            if matches!(went, Went::Quit(_)) {
                break;
            }
        }
        self.end(desk, &session)
    }

    fn card(
        &self,
        desk: &mut Desk<'_>,
        chosen: &Chosen,
        session: &Session,
    ) -> Result<Went, Stop> {
        let Some(card) = self.deck.card(&chosen.id) else {
            return Ok(Went::On(None));
        };
        let (asked, of) = (session.asked, session.of);
        desk.gap()?;
        let standing = match chosen.new {
            true => text! { en: "new", zh: "新卡片" },
            false => text! { en: "due", zh: "到期" },
        };
        let place = Text::same(format!("{asked}/{of}  {}", card.topic));
        desk.head(&place, &standing)?;
        match &card.face {
            Face::Question(question) => {
                if !cards::question(desk, question)? {
                    return Ok(Went::Quit(None));
                }
                let known = self.store.load()?.it;
                let days =
                    schedule::days(known.cards.get(&card.id), (self.now)());
                let grade = cards::grade(desk, days, &question.dig)?;
                let Some(grade) = grade else {
                    return Ok(Went::Quit(None));
                };
                self.keep(desk, &card.id, grade)?;
                Ok(Went::On(Some(grade)))
            }
            Face::Prediction(entry, hints) => {
                let answer = cards::prediction(desk, *entry, hints)?;
                let Some(grade) = answer else {
                    return Ok(Went::Quit(None));
                };
                let due = self.keep(desk, &card.id, grade)?;
                cards::outcome(desk, *entry)?;
                match cards::comes_back(desk, grade, due, (self.now)())? {
                    true => Ok(Went::On(Some(grade))),
                    false => Ok(Went::Quit(Some(grade))),
                }
            }
        }
    }

    /// A card that was not known, once more, without a grade.
    fn once_more(&self, desk: &mut Desk<'_>, id: &str) -> Result<Went, Stop> {
        let Some(card) = self.deck.card(id) else {
            return Ok(Went::On(None));
        };
        desk.gap()?;
        let head = text! {
            en: "once more  {topic}", zh: "再来一次  {topic}",
            topic = card.topic
        };
        desk.head(&head, &text! { en: "for practice", zh: "只练习" })?;
        let mut digs: &[Dig] = &[];
        let answered = match &card.face {
            Face::Question(question) => {
                digs = &question.dig;
                cards::question(desk, question)?
            }
            Face::Prediction(entry, hints) => {
                let answered =
                    cards::prediction(desk, *entry, hints)?.is_some();
                if answered {
                    cards::outcome(desk, *entry)?;
                }
                answered
            }
        };
        match answered && cards::go_on(desk, digs)? {
            true => Ok(Went::On(None)),
            false => Ok(Went::Quit(None)),
        }
    }

    /// Keeps a grade; gives back when the card is due again.
    fn keep(
        &self,
        desk: &mut Desk<'_>,
        id: &str,
        grade: Grade,
    ) -> Result<Moment, Stop> {
        let now = (self.now)();
        let kept = self.store.update(|progress| {
            progress.grade(id, grade, now);
            progress.cards.get(id).map_or(now, |card| card.due)
        })?;
        if let Some(notice) = kept.notice {
            desk.say(Ink::Yellow, &notice)?;
        }
        Ok(kept.it)
    }
}

fn greeting(due: usize, new: usize) -> Text {
    let are_due = match due {
        1 => "1 card is due".to_owned(),
        due => format!("{due} cards are due"),
    };
    let cards = match new {
        1 => "1 new card".to_owned(),
        new => format!("{new} new cards"),
    };
    let (en, zh) = match (due, new) {
        (0, _) => (cards, format!("{new} 张新卡片")),
        (_, 0) => (are_due, format!("{due} 张卡片到期")),
        _ => (
            format!("{are_due}, {new} new"),
            format!("{due} 张到期，{new} 张新卡片"),
        ),
    };
    Text::made(
        format!("{en}. Answer aloud before you look."),
        format!("{zh}。先出声答一遍，再看答案。"),
    )
}

#[cfg(test)]
mod tests;
