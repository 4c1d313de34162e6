//! What a person types for a topic or a scenario, the same in every command:
//! a topic's id, or the number or the directory of its chapter, and
//! `/scenario` behind any of these.

use std::borrow::Cow;

use crate::{
    book::{CHAPTERS, Chapter},
    demos::TOPICS,
    lab::catalogue::{self, Entry},
    problem::{Problem, did_you_mean, nearest},
    text,
};

/// With the topic's id in the place of its chapter's number or directory.
pub fn by_id(typed: &str) -> Cow<'_, str> {
    let (head, scenario) = match typed.split_once('/') {
        Some((head, scenario)) => (head, Some(scenario)),
        None => (typed, None),
    };
    let bare = head.trim_start_matches('0');
    let named = |chapter: &&Chapter| {
        let number = chapter.directory.split('-').next().unwrap_or_default();
        head == chapter.directory || bare == number.trim_start_matches('0')
    };
    match (CHAPTERS.iter().find(named), scenario) {
        (Some(chapter), None) => Cow::Borrowed(chapter.topic),
        (Some(chapter), Some(scenario)) => {
            Cow::Owned(format!("{}/{scenario}", chapter.topic))
        }
        (None, _) => Cow::Borrowed(typed),
    }
}

/// The scenarios of a topic, or the one that is named.
///
/// # Errors
/// A usage [`Problem`], with the nearest name.
pub fn entries(typed: &str) -> Result<Vec<Entry>, Problem> {
    catalogue::find(TOPICS, &by_id(typed))
}

/// The scenario that is named, with its topic or by its own id.
pub fn scenario(typed: &str) -> Option<Entry> {
    let id = &*by_id(typed);
    catalogue::entries(TOPICS)
        .find(|entry| entry.target() == id || entry.scenario.id == id)
}

/// The chapter about a topic.
///
/// # Errors
/// A usage [`Problem`], with the nearest name.
pub fn chapter(typed: &str) -> Result<&'static Chapter, Problem> {
    let id = by_id(typed);
    if let Some(chapter) = Chapter::about(&id) {
        return Ok(chapter);
    }
    let problem = Problem::usage(text! {
        en: "no topic \"{topic}\"", zh: "没有主题 \"{topic}\"", topic = typed
    });
    // A scenario may be named where its topic is meant.
    let (before, after) = id.split_once('/').unwrap_or((&id, &id));
    let own = Chapter::about(before).map(|chapter| chapter.topic.to_owned());
    let of_scenario = catalogue::entries(TOPICS)
        .find(|entry| entry.scenario.id == after)
        .map(|entry| entry.topic.id.to_owned());
    let names = || CHAPTERS.iter().map(|chapter| chapter.topic);
    let near = own.or(of_scenario).or_else(|| nearest(before, names()));
    Err(problem.help(match near {
        Some(name) => did_you_mean(&name),
        None => {
            let names = names().collect::<Vec<_>>().join(", ");
            text! { en: "there are {names}", zh: "可选：{names}", names = names }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_known_by_its_id_its_number_and_its_directory() {
        for typed in ["idempotency", "3", "03", "03-idempotency"] {
            assert_eq!(by_id(typed), "idempotency");
            assert_eq!(chapter(typed).unwrap().topic, "idempotency");
            let scenario = format!("{typed}/inbox");
            assert_eq!(by_id(&scenario), "idempotency/inbox");
            let found = entries(&scenario).unwrap();
            assert_eq!(found[0].target(), "idempotency/inbox");
            assert!(entries(typed).unwrap().len() > 1);
        }
        for other in ["0", "99", "", "33", "3 ", "-3"] {
            assert_eq!(by_id(other), other);
        }
    }

    #[test]
    fn a_scenario_is_known_with_its_topic_and_by_its_own_id() {
        for typed in ["idempotency/inbox", "3/inbox", "inbox"] {
            let found = scenario(typed).map(|entry| entry.target());
            assert_eq!(found.as_deref(), Some("idempotency/inbox"));
        }
        for other in ["idempotency", "3", "durability/inbox", "inbx", ""] {
            assert!(scenario(other).is_none(), "{other}");
        }
    }

    #[test]
    fn every_topic_of_the_catalogue_has_a_chapter() {
        assert!(TOPICS.iter().all(|one| chapter(one.id).is_ok()));
    }

    #[test]
    fn a_topic_that_is_none_brings_the_nearest_one() {
        let help = |typed| chapter(typed).unwrap_err().help[0].en.clone();
        assert_eq!(help("idempotancy"), "did you mean \"idempotency\"?");
        assert_eq!(help("durability/matrix"), "did you mean \"durability\"?");
        assert_eq!(help("mark-first"), "did you mean \"idempotency\"?");
        assert!(help("99").starts_with("there are decoupling, "));
        assert!(help("").starts_with("there are decoupling, "));
    }
}
