//! Every question of a chapter with all that is known about it, to be read
//! where no card is turned: paged, or into a file.

use std::io;

use crate::{
    book::questions::Question,
    cli::{
        Manner,
        study::{
            answer::{answer, follow_up, level, myths, proof},
            deck::Deck,
            desk::Desk,
            keyboard::Nobody,
        },
    },
    narrate::Ink,
    text::Text,
};

/// The questions about a topic, one after the other.
pub fn told(deck: &Deck, topic: &str, manner: Manner) -> String {
    let mut told = Vec::new();
    let mut nobody = Nobody;
    let mut desk = Desk::new(&mut nobody, &mut told, manner);
    // Memory takes all that is written.
    let _ = lay(&mut desk, deck, topic);
    String::from_utf8_lossy(&told).into_owned()
}

fn lay(desk: &mut Desk<'_>, deck: &Deck, topic: &str) -> io::Result<()> {
    let outline = deck.outline.topic(topic);
    let ids = outline.map(|topic| topic.questions.as_slice());
    let all: Vec<&Question> = ids
        .unwrap_or_default()
        .iter()
        .filter_map(|id| deck.question(id))
        .collect();
    for (nth, question) in all.iter().enumerate() {
        let (nth, of) = (nth + 1, all.len());
        let place = Text::same(format!("{nth}/{of}  {topic}"));
        desk.head(&place, &level(question.level))?;
        desk.say(Ink::Bold, &question.ask)?;
        answer(desk, question)?;
        for dig in &question.dig {
            follow_up(desk, dig)?;
        }
        myths(desk, question)?;
        proof(desk, question)?;
        desk.gap()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::{book::CHAPTERS, cli::study::desk::tests::manner, text::Lang};

    /// Without spaces, which lines are broken at.
    fn bare(text: &str) -> String {
        text.split_whitespace().collect()
    }

    #[test]
    fn all_that_is_known_of_every_question_is_told_in_both_languages() {
        let deck = Deck::whole().unwrap();
        for (chapter, lang) in
            CHAPTERS.iter().flat_map(|c| [(c, Lang::En), (c, Lang::Zh)])
        {
            let topic = chapter.topic;
            let told = told(&deck, topic, manner(lang));
            let wide = told.lines().find(|line| line.width() > 80);
            assert_eq!(wide, None, "{topic} {lang:?}");
            let bare_told = bare(&told);
            let mut from = 0;
            for question in chapter.questions().unwrap() {
                let dig = question.dig.iter().flat_map(|d| [&d.ask, &d.answer]);
                let wrong =
                    question.wrong.iter().flat_map(|w| [&w.said, &w.because]);
                let all = [&question.ask, &question.answer];
                // In this order, and of each its own.
                for text in all.into_iter().chain(dig).chain(wrong) {
                    let text = bare(text.say(lang));
                    let found = bare_told[from..].find(&text);
                    let found = found.unwrap_or_else(|| {
                        panic!("{}: no {text:?} in\n{told}", question.id)
                    });
                    from += found + text.len();
                }
                for target in &question.proven_by {
                    let command = format!("rmq-lab demo {target}\n");
                    assert!(told.contains(&command), "{command}");
                }
            }
        }
    }
}
