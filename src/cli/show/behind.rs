//! What is behind a function that is shown: the other one of the scenario's
//! own sources in which the thing happens.

use std::collections::BTreeSet;

use super::function;
use crate::{lab::Way, text, text::Text};

/// A function to show after the ways.
#[derive(Debug, PartialEq)]
pub struct Behind {
    /// What it is to them.
    pub label: Text,
    /// Its name.
    pub name: String,
}

const CALLED: Text = text! { en: "CALLED", zh: "被调用" };
const CALLER: Text = text! { en: "CALLER", zh: "调用者" };

/// Behind the functions of several ways, which are shown for what differs
/// between them: those that they only call, each once.
pub fn several(files: &[&str], names: &[&str]) -> Vec<Behind> {
    let mut found: Vec<Behind> = Vec::new();
    for name in names.iter().filter_map(|name| only_called(files, name)) {
        let is_shown = names.contains(&name.as_str())
            || found.iter().any(|one| one.name == name);
        if !is_shown {
            found.push(Behind { label: CALLED, name });
        }
    }
    if found.is_empty() {
        found.extend(shared_end(files, names));
    }
    found
}

/// The function with whose call all of them end: they differ in what they do
/// before it, or in what they give it.
fn shared_end(files: &[&str], names: &[&str]) -> Option<Behind> {
    let mut ends = names.iter().map(|name| ends_in(files, name));
    let name = ends.next()??;
    let is_shared = ends.all(|end| end.as_ref() == Some(&name));
    (is_shared && !names.contains(&name.as_str()))
        .then_some(Behind { label: CALLED, name })
}

/// The function of these files whose call is the last thing this one does.
fn ends_in(files: &[&str], name: &str) -> Option<String> {
    ending(files, name, |_| true)
}

/// The function of these files whose call is the whole body of this one.
fn only_called(files: &[&str], name: &str) -> Option<String> {
    ending(files, name, |call| call.before.trim().is_empty())
}

/// The function of these files with whose call this one ends, where that is
/// such a call; not itself.
fn ending(
    files: &[&str],
    name: &str,
    is_such: impl Fn(&Call) -> bool,
) -> Option<String> {
    let code = function(files, name)?;
    let (_, body) = parts(&code)?;
    let last = calls(&body).find(|call| {
        call.after.split_whitespace().collect::<String>() == ".await"
    })?;
    let found = last.name != name && is_such(&last);
    (found && function(files, last.name).is_some())
        .then(|| last.name.to_owned())
}

/// Behind the only way, which has no other one beside it to tell what it is
/// about: the function that it hands everything on to, and the one that calls
/// it where that is the scenario's own.
pub fn one(files: &[&str], way: &Way) -> Vec<Behind> {
    let called = only_called(files, way.code)
        .or_else(|| handed_on_to(files, way.code))
        .map(|name| Behind { label: CALLED, name });
    let caller = way.whole.split_once(',').map(|(drive, _)| drive.trim());
    let caller = caller
        .filter(|name| function(files, name).is_some())
        .map(|name| Behind { label: CALLER, name: name.to_owned() });
    called.into_iter().chain(caller).collect()
}

/// The one function of these files that is given all that this one was given,
/// and is the longer one: what is left here stands around it.
fn handed_on_to(files: &[&str], name: &str) -> Option<String> {
    let code = function(files, name)?;
    let (head, body) = parts(&code)?;
    let given = parameters(head);
    let has_all = |call: &Call| {
        let words: Vec<_> = call.given.split(|c| !is_of_word(c)).collect();
        given.iter().all(|one| words.contains(one))
    };
    let is_longer = |other: &&str| {
        let other = function(files, other);
        other.is_some_and(|it| it.lines().count() > code.lines().count())
    };
    let found: BTreeSet<&str> = calls(&body)
        .filter(has_all)
        .map(|call| call.name)
        .filter(is_longer)
        .collect();
    match (given.is_empty(), found.len()) {
        (false, 1) => found.first().map(|name| (*name).to_owned()),
        _ => None,
    }
}

/// A call of a function by its bare name.
struct Call<'code> {
    before: &'code str,
    name: &'code str,
    given: &'code str,
    after: &'code str,
}

/// No methods, no macros, nothing with a path: those are elsewhere.
fn calls(body: &str) -> impl Iterator<Item = Call<'_>> {
    body.match_indices('(').filter_map(move |(at, _)| {
        let before = body[..at].trim_end_matches(is_of_word);
        let name = &body[before.len()..at];
        if name.is_empty() || before.ends_with(['.', ':', '!']) {
            return None;
        }
        let (given, after) = up_to_its_end(&body[at + 1..])?;
        Some(Call { before, name, given, after })
    })
}

/// What stands before the bracket that closes, and behind it.
fn up_to_its_end(text: &str) -> Option<(&str, &str)> {
    let mut open = 1_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some((&text[..at], &text[at + 1..]));
        }
    }
    None
}

/// The head of a function without its doc comment, and its body without
/// comments.
fn parts(code: &str) -> Option<(&str, String)> {
    let (_, code) = code.split_once("async fn ")?;
    let (head, body) = code.split_once("{\n")?;
    let body = body.strip_suffix("}\n")?;
    let body = body.lines().filter(|line| !line.trim().starts_with("//"));
    Some((head, body.map(|line| format!("{line}\n")).collect()))
}

/// The names of what a function is given.
fn parameters(head: &str) -> Vec<&str> {
    let given = head.split_once('(').and_then(|(_, rest)| up_to_its_end(rest));
    let Some((given, _)) = given else { return Vec::new() };
    let names = given.match_indices(": ").map(|(at, _)| {
        let before = &given[..at];
        &before[before.trim_end_matches(is_of_word).len()..]
    });
    names.collect()
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{demos::TOPICS, lab::catalogue};

    const FILE: &str = "\
/// Small.
async fn small(lab: Lab) -> Ran {
    // As in (all) the others.
    sell(&lab, Size::small(), |shop| Ok(shop.open()?))
        .await
}

/// Large.
async fn large(lab: Lab) -> Ran {
    sell(&lab, Size::large(), closed).await
}

/// Asks first.
async fn asked(lab: Lab) -> Ran {
    ask(&lab).await?;
    sell(&lab, Size::large(), closed).await
}

/// Only what is elsewhere.
async fn elsewhere(lab: Lab) -> Ran {
    shop::sell(&lab).await
}

/// Goes round.
async fn round(lab: Lab) -> Ran {
    round(lab).await
}

/// Puts it back, whatever came of it.
async fn lent(lab: Lab, mut shop: Shop) -> Ran {
    shop.lend().await?;
    let ran = used(&lab, &mut shop).await;
    let back = put_back(&shop).await;
    ran.and(back)
}

/// Shorter.
async fn ask(lab: &Lab) -> Ran {
    Ok(())
}

/// Longer, and given less.
async fn put_back(shop: &Shop) -> Ran {
    shop.one().await?;
    shop.two().await?;
    shop.three().await?;
    shop.four().await?;
    shop.five().await
}

async fn used(lab: &Lab, shop: &mut Shop) -> Ran {
    shop.one().await?;
    shop.two().await?;
    shop.three().await?;
    shop.four().await?;
    shop.five().await?;
    shop.six().await
}
";

    const OTHER: &str = "\
/// Sells.
pub(super) async fn sell(lab: &Lab, size: Size, look: Look) -> Ran {
    lab.sell(size).await
}
";

    fn names(found: Vec<Behind>) -> Vec<String> {
        found.into_iter().map(|one| one.name).collect()
    }

    #[test]
    fn what_several_only_call_comes_once() {
        let files = [FILE, OTHER];
        assert_eq!(names(several(&files, &["small", "large"])), ["sell"]);
        assert_eq!(names(several(&files, &["asked", "large"])), ["sell"]);
    }

    #[test]
    fn what_all_of_several_end_in_comes_once() {
        let found = |all: &[&str]| names(several(&[FILE, OTHER], all));
        let none: [&str; 0] = [];
        assert_eq!(found(&["asked", "asked"]), ["sell"]);
        assert_eq!(found(&["asked", "used"]), none, "not all");
        assert_eq!(found(&["asked", "sell"]), none, "it is shown already");
    }

    #[test]
    fn nothing_comes_twice_and_nothing_from_elsewhere() {
        let none: [&str; 0] = [];
        let found = |all: &[&str]| names(several(&[FILE, OTHER], all));
        assert_eq!(found(&["asked", "elsewhere", "round", "lent"]), none);
        assert_eq!(found(&["small", "sell"]), none, "it is shown already");
        assert_eq!(names(several(&[FILE], &["small"])), none);
    }

    #[test]
    fn all_is_handed_on_to_the_longer_one_that_gets_it_all() {
        let found = |name| handed_on_to(&[FILE, OTHER], name);
        assert_eq!(found("lent").as_deref(), Some("used"));
        assert_eq!(found("asked"), None, "both are shorter");
        assert_eq!(found("used"), None);
    }

    #[test]
    fn what_a_function_is_given_has_names() {
        let code = function(&[FILE], "lent").unwrap_or_default();
        let (head, _) = parts(&code).unwrap();
        assert_eq!(parameters(head), ["lab", "shop"]);
        assert!(parameters("none() -> Ran ").is_empty());
    }

    /// What is behind a scenario, by its name.
    fn of(target: &str) -> Vec<Behind> {
        let entry = catalogue::find(TOPICS, target).unwrap()[0];
        super::super::behind(entry.scenario)
    }

    #[test]
    fn a_trap_shows_where_it_happens() {
        for (target, label, name) in [
            ("idempotency/lower-id", CALLER, "overtaken"),
            ("idempotency/message-id", CALLER, "published_twice"),
            ("mirrored-ha/pause-minority", CALLED, "both_faults"),
        ] {
            let name = name.to_owned();
            assert_eq!(of(target), [Behind { label, name }], "{target}");
        }
        assert!(of("idempotency/redelivered-flag").is_empty());
        assert!(of("mirrored-ha/hung-leader").is_empty());
    }

    #[test]
    fn two_ways_through_one_function_show_it_once() {
        assert_eq!(names(of("mirrored-ha/home-node")), ["home_goes"]);
        let both = ["publish_at_once", "through_an_outage"];
        assert_eq!(names(of("producer-loss/chain")), both);
        assert!(of("idempotency/inbox").is_empty());
    }

    #[test]
    fn what_is_behind_says_what_it_does() {
        for entry in catalogue::entries(TOPICS) {
            for one in super::super::behind(entry.scenario) {
                let source = entry.scenario.source;
                let code = function(source, &one.name).unwrap_or_default();
                let target = entry.target();
                assert!(code.starts_with("///"), "{target}: {}", one.name);
            }
        }
    }
}
