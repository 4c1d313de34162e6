//! `rmq-lab show`: the code under discussion, taken from the source itself.

mod behind;

use super::{Manner, difference, names, pager};
use behind::Behind;

use crate::{
    event::WayName,
    lab::{
        Scenario, Way,
        catalogue::{self, Entry},
    },
    narrate::way_head,
    problem::{Exit, Problem},
    text,
    text::Text,
};

/// Shows the ways of a scenario, or only what differs between them. At a
/// terminal it is paged, as a chapter is.
///
/// # Errors
/// A usage [`Problem`] for a name that does not exist; what could not be
/// written.
pub fn show(
    target: &str,
    diff: bool,
    without: Option<&str>,
    manner: Manner,
) -> Result<Exit, Problem> {
    let entries = names::entries(target)?;
    let mut told = String::new();
    for entry in &entries {
        told.push_str(&match without {
            None => ways(entry, diff, manner)?,
            Some(_) if entries.len() > 1 => {
                return Err(Problem::usage(text! {
                    en: "--without takes a mechanism out of one scenario, not of a topic",
                    zh: "--without 只能用于单个场景，不能用于整个主题"
                })
                .help(text! {
                    en: "for example: rmq-lab show idempotency/inbox --without unique-key",
                    zh: "例如：rmq-lab show idempotency/inbox --without unique-key"
                }));
            }
            Some(name) => without_one(*entry, name, diff, manner)?,
        });
    }
    Ok(pager::Way::from_here().send(&told)?.exit)
}

fn ways(entry: &Entry, diff: bool, manner: Manner) -> Result<String, Problem> {
    let scenario = entry.scenario;
    let mut told = format!(" {}\n", entry.target());
    let ways = scenario.ways.all();
    let shown = |(name, way): &(WayName, &Way)| {
        Shown::new(scenario, way_head(*name), &way.title, way.code)
    };
    match ways.as_slice() {
        // What differs is shown between the way that breaks and the one that
        // holds; whole, what lies between them stands there, too.
        [first, .., last] if diff => {
            told.push_str(&two(&shown(first)?, &shown(last)?, diff, manner));
            if !behind(scenario).is_empty() {
                told.push_str(&where_called(&entry.target(), manner));
            }
        }
        all => {
            if diff {
                told.push_str(&format!(" {}\n", ONLY_ONE.say(manner.lang)));
            }
            for way in all {
                told.push_str(&shown(way)?.whole(manner));
            }
            told.push_str(&after(scenario, behind(scenario), manner)?);
        }
    }
    Ok(told)
}

/// Where there is nothing to compare.
const ONLY_ONE: Text = text! {
    en: "There is one way only: here it is.",
    zh: "只有一种写法，没有可比的："
};

/// Where what differs calls what does not.
fn where_called(shown: &str, manner: Manner) -> String {
    let told = text! { en: "What they call:", zh: "它们调用的代码：" };
    // On a line of its own: it is to be pasted.
    format!(" {}\n   rmq-lab show {shown}\n\n", told.say(manner.lang))
}

/// What is behind the ways of a scenario.
fn behind(scenario: &Scenario) -> Vec<Behind> {
    match scenario.ways.all().as_slice() {
        [(_, only)] => behind::one(scenario.source, only),
        all => {
            let names: Vec<_> = all.iter().map(|(_, way)| way.code).collect();
            behind::several(scenario.source, &names)
        }
    }
}

fn after(
    scenario: &Scenario,
    behind: Vec<Behind>,
    manner: Manner,
) -> Result<String, Problem> {
    let mut told = String::new();
    for Behind { label, name } in behind {
        let title = Text::same(name.as_str());
        let shown = Shown::new(scenario, label, &title, &name)?;
        told.push_str(&shown.whole(manner));
    }
    Ok(told)
}

fn without_one(
    entry: Entry,
    name: &str,
    diff: bool,
    manner: Manner,
) -> Result<String, Problem> {
    let mechanism = catalogue::mechanism(entry, name)?;
    let Some(fixed) = entry.scenario.ways.fixed() else {
        return Ok(String::new());
    };
    let whole = Shown::new(
        entry.scenario,
        way_head(WayName::Fixed),
        &fixed.title,
        fixed.code,
    )?;
    let without = way_head(WayName::Without);
    let label = Text::made(
        format!("{} {}", without.en, mechanism.id),
        format!("{} {}", without.zh, mechanism.id),
    );
    let rest =
        Shown::new(entry.scenario, label, &mechanism.name, mechanism.code)?;
    let told = two(&whole, &rest, diff, manner);
    let behind =
        behind::several(entry.scenario.source, &[fixed.code, mechanism.code]);
    let after = match diff && !behind.is_empty() {
        true => {
            let shown = format!("{} --without {name}", entry.target());
            where_called(&shown, manner)
        }
        false => after(entry.scenario, behind, manner)?,
    };
    Ok(format!(" {}\n{told}{after}", entry.target()))
}

fn two(before: &Shown, after: &Shown, diff: bool, manner: Manner) -> String {
    if !diff {
        return before.whole(manner) + &after.whole(manner);
    }
    let heads = format!(
        " --- {}  {}\n +++ {}  {}\n\n",
        before.label.say(manner.lang),
        before.title.say(manner.lang),
        after.label.say(manner.lang),
        after.title.say(manner.lang),
    );
    let lines = difference::lines(&before.code, &after.code);
    let lines = lines
        .iter()
        .map(|line| format!("{}\n", difference::coloured(line, manner.color)));
    heads + &lines.collect::<String>() + "\n"
}

/// One function of a way.
struct Shown {
    label: Text,
    title: Text,
    code: String,
}

impl Shown {
    fn new(
        scenario: &Scenario,
        label: Text,
        title: &Text,
        name: &str,
    ) -> Result<Self, Problem> {
        let code = function(scenario.source, name).ok_or_else(|| {
            Problem::environment(text! {
                en: "the source of {name} is not in this binary",
                zh: "本程序中没有 {name} 的源码",
                name = name
            })
        })?;
        Ok(Self { label, title: title.clone(), code })
    }

    fn whole(&self, manner: Manner) -> String {
        format!(
            " {}  {}\n\n{}\n",
            self.label.say(manner.lang),
            self.title.say(manner.lang),
            self.code
        )
    }
}

/// A function with its doc comment, as it stands in one of these files. The
/// files are formatted by rustfmt: a function at the left margin ends at the
/// next brace there.
pub fn function(files: &[&str], name: &str) -> Option<String> {
    files.iter().find_map(|file| {
        let lines: Vec<_> = file.lines().collect();
        let head = format!("async fn {name}(");
        let at = lines.iter().position(|line| {
            let public = ["pub ", "pub(super) "];
            let bare = public.iter().find_map(|word| line.strip_prefix(word));
            bare.unwrap_or(line).starts_with(&head)
        })?;
        let docs = lines[..at]
            .iter()
            .rev()
            .take_while(|line| line.starts_with("///"))
            .count();
        let end = lines[at..].iter().position(|line| *line == "}")?;
        Some(lines[at - docs..=at + end].join("\n") + "\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demos::TOPICS;

    const FILE: &str = "\
//! The shop.

/// Pays.
///
/// And acks.
async fn pay(
    payment: &Delivery,
) -> Handled {
    if payment.is_new() {
        shop.pay(payment)?;
    }
    Ok(payment.ack().await?)
}

// No doc comment of the next one.
pub async fn pay_once(payment: &Delivery) -> Handled {
    pay(payment).await
}

pub(super) async fn refund(payment: &Delivery) -> Handled {
    Ok(payment.nack().await?)
}

fn not_async() {}
";

    const OTHER: &str = "async fn elsewhere() {\n}";

    #[test]
    fn a_function_comes_with_its_doc_comment_and_its_last_brace() {
        let pay = function(&[FILE], "pay").unwrap_or_default();
        assert!(
            pay.starts_with("/// Pays.\n///\n/// And acks.\nasync fn pay(")
        );
        assert!(pay.ends_with("    Ok(payment.ack().await?)\n}\n"));
        assert_eq!(pay.lines().count(), 11, "{pay}");
    }

    #[test]
    fn a_name_that_only_begins_so_is_another_function() {
        let once = function(&[FILE], "pay_once").unwrap_or_default();
        assert_eq!(
            once,
            "pub async fn pay_once(payment: &Delivery) -> Handled {\n    \
             pay(payment).await\n}\n",
        );
    }

    #[test]
    fn a_function_is_found_whoever_may_call_it() {
        let refund = function(&[FILE], "refund").unwrap_or_default();
        assert!(refund.starts_with("pub(super) async fn refund("), "{refund}");
    }

    #[test]
    fn every_file_is_looked_through() {
        let found = function(&[FILE, OTHER], "elsewhere");
        assert_eq!(found.as_deref(), Some("async fn elsewhere() {\n}\n"));
    }

    #[test]
    fn what_is_not_there_is_not_made_up() {
        assert_eq!(function(&[FILE, OTHER], "pa"), None);
        assert_eq!(function(&[FILE, OTHER], "not_async"), None);
        assert_eq!(function(&[], "pay"), None);
        assert_eq!(function(&["async fn torn() {\n"], "torn"), None);
    }

    #[test]
    fn every_way_and_every_mechanism_can_be_shown() {
        for entry in catalogue::entries(TOPICS) {
            let scenario = entry.scenario;
            let ways = scenario.ways.all().into_iter();
            let ways = ways.map(|(_, way)| way.code);
            let mechanisms = scenario.ways.mechanisms().iter().map(|m| m.code);
            for name in ways.chain(mechanisms) {
                let found = function(scenario.source, name);
                let code = found.unwrap_or_default();
                let target = entry.target();
                assert!(code.contains(name), "{target}: no source of {name}");
                assert!(
                    code.starts_with("///"),
                    "{target}: {name} tells nobody what it does"
                );
            }
        }
    }

    #[test]
    fn a_pair_is_two_different_functions() {
        for entry in catalogue::entries(TOPICS) {
            let code = |way: &Way| {
                function(entry.scenario.source, way.code).unwrap_or_default()
            };
            let ways = entry.scenario.ways.all();
            for pair in ways.windows(2) {
                let (one, other) = (code(pair[0].1), code(pair[1].1));
                assert_ne!(one, other, "{}", entry.target());
            }
        }
    }
}
