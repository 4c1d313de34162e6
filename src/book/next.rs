//! The one next thing to do. Pure.

use super::{Chapter, Moment, Outline, Progress, TopicOutline};
use crate::{
    text,
    text::{Lang, Text},
};

/// What a reader should do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Answer the cards that are due.
    Due {
        /// How many.
        cards: usize,
    },
    /// Read a chapter.
    Read {
        /// Its topic.
        topic: String,
    },
    /// Run a scenario.
    Demo {
        /// As `topic/scenario`.
        target: String,
        /// How many of its topic are done.
        done: usize,
        /// How many there are.
        of: usize,
    },
    /// Answer a topic's cards for the first time.
    Quiz {
        /// The topic.
        topic: String,
        /// How many are new.
        cards: usize,
    },
    /// Everything is done, and nothing due.
    Interview,
}

/// Cards that are due come first: they do not wait. Then chapter by chapter:
/// read it, run its scenarios, answer its questions. What was run is not
/// proposed again, however it ended: a machine may be too small for it.
pub fn next_step(progress: &Progress, outline: &Outline, now: Moment) -> Step {
    let due = progress.due(outline, None, now);
    if due > 0 {
        return Step::Due { cards: due };
    }
    let in_topic = |topic: &TopicOutline| step_in(progress, topic);
    outline.topics.iter().find_map(in_topic).unwrap_or(Step::Interview)
}

/// The next step of one topic; none where all of it is done.
pub fn step_in(progress: &Progress, topic: &TopicOutline) -> Option<Step> {
    if !progress.read.contains_key(&topic.id) {
        return Some(Step::Read { topic: topic.id.clone() });
    }
    let not_run = |target: &&String| !progress.run.contains_key(*target);
    if let Some(target) = topic.scenarios.iter().find(not_run) {
        return Some(Step::Demo {
            target: target.clone(),
            done: progress.done_in(topic),
            of: topic.scenarios.len(),
        });
    }
    let new = |card: &&str| !progress.cards.contains_key(*card);
    match topic.cards().into_iter().filter(new).count() {
        0 => None,
        cards => Some(Step::Quiz { topic: topic.id.clone(), cards }),
    }
}

impl Step {
    /// What is to be typed after `rmq-lab`.
    pub fn words(&self) -> Vec<&str> {
        match self {
            Self::Due { .. } => vec!["quiz"],
            Self::Read { topic } => vec!["read", topic],
            Self::Demo { target, .. } => vec!["demo", target],
            Self::Quiz { topic, .. } => vec!["quiz", topic],
            Self::Interview => vec!["interview"],
        }
    }

    /// What is to be typed.
    pub fn command(&self) -> String {
        format!("rmq-lab {}", self.words().join(" "))
    }

    /// Why just this.
    pub fn why(&self) -> Text {
        match self {
            Self::Due { cards: 1 } => text! {
                en: "one card is due", zh: "有 1 张卡片到期"
            },
            Self::Due { cards } => text! {
                en: "{cards} cards are due", zh: "有 {cards} 张卡片到期",
                cards = cards
            },
            Self::Read { topic } => reading(topic),
            Self::Demo { done, of, .. } => text! {
                en: "{done} of {of} done here", zh: "本章 {of} 个已做 {done} 个",
                done = done, of = of
            },
            Self::Quiz { cards, .. } => text! {
                en: "{cards} new cards", zh: "{cards} 张新卡片", cards = cards
            },
            Self::Interview => text! {
                en: "all is done, nothing is due", zh: "都做完了，暂无到期"
            },
        }
    }
}

/// A chapter takes as long in one language as it does in that one.
fn reading(topic: &str) -> Text {
    let Some(chapter) = Chapter::about(topic) else {
        return text! { en: "the chapter", zh: "读这一章" };
    };
    let (en, zh) = (chapter.minutes(Lang::En), chapter.minutes(Lang::Zh));
    Text::made(format!("the chapter, {en} min"), format!("读这一章，{zh} 分钟"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::{CHAPTERS, outline::sample::outline, schedule::Grade};

    const NOW: Moment = Moment(1_764_150_000);

    #[test]
    fn the_way_leads_from_the_first_chapter_to_an_interview() {
        let (mut progress, outline) = (Progress::default(), outline());
        let mut typed = Vec::new();
        loop {
            let step = next_step(&progress, &outline, NOW);
            typed.push(step.command());
            match step {
                Step::Read { topic } => progress.note_read(&topic, NOW),
                Step::Demo { target, .. } => {
                    progress.note_run(&target, "proven", NOW);
                }
                Step::Quiz { topic, cards } => {
                    let topic = outline.topic(&topic).unwrap();
                    assert_eq!(cards, topic.cards().len());
                    for card in topic.cards() {
                        progress.grade(card, Grade::Good, NOW);
                    }
                }
                Step::Due { .. } | Step::Interview => break,
            }
        }
        assert_eq!(
            typed,
            [
                "rmq-lab read first",
                "rmq-lab demo first/s1",
                "rmq-lab demo first/s2",
                "rmq-lab quiz first",
                "rmq-lab read second",
                "rmq-lab demo second/s3",
                "rmq-lab quiz second",
                "rmq-lab interview",
            ]
        );
    }

    #[test]
    fn cards_that_are_due_come_first_and_not_before_they_are() {
        let (mut progress, outline) = (Progress::default(), outline());
        progress.grade("q1", Grade::Again, NOW);
        let read = Step::Read { topic: "first".to_owned() };
        assert_eq!(next_step(&progress, &outline, NOW), read);
        let tomorrow = NOW.plus_days(1);
        let step = next_step(&progress, &outline, tomorrow);
        assert_eq!(step, Step::Due { cards: 1 });
        assert_eq!(step.command(), "rmq-lab quiz");
    }

    #[test]
    fn what_cannot_be_run_here_is_not_proposed_for_ever() {
        let (mut progress, outline) = (Progress::default(), outline());
        progress.note_read("first", NOW);
        progress.note_skipped("first/s1", NOW);
        let step = next_step(&progress, &outline, NOW);
        let target = "first/s2".to_owned();
        assert_eq!(step, Step::Demo { target, done: 0, of: 2 });
        progress.note_run("first/s2", "refuted", NOW);
        let step = next_step(&progress, &outline, NOW);
        assert!(matches!(step, Step::Quiz { .. }), "{step:?}");
    }

    #[test]
    fn a_chapter_is_promised_the_minutes_that_it_takes() {
        let why = |topic: &str| Step::Read { topic: topic.to_owned() }.why();
        for chapter in CHAPTERS {
            let [en, zh] =
                [Lang::En, Lang::Zh].map(|lang| chapter.minutes(lang));
            let told = why(chapter.topic);
            assert_eq!(told.en, format!("the chapter, {en} min"));
            assert_eq!(told.zh, format!("读这一章，{zh} 分钟"));
        }
        assert_eq!(why("first").en, "the chapter");
    }

    #[test]
    fn a_topic_without_scenarios_or_questions_is_read_and_done() {
        let outline = Outline {
            topics: vec![TopicOutline {
                id: "bare".into(),
                ..TopicOutline::default()
            }],
        };
        let mut progress = Progress::default();
        progress.note_read("bare", NOW);
        assert_eq!(next_step(&progress, &outline, NOW), Step::Interview);
    }
}
