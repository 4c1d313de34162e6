//! What was asked for, checked before anything is told or started.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

use crate::{
    cli::{Demo, names, report::PageFile, state::RunDir},
    demos::TOPICS,
    lab::{
        Mechanism, Plan,
        catalogue::{self, Entry},
    },
    narrate::Record,
    problem::Problem,
    stage::RunId,
    text,
    text::Text,
};

/// What there must be before anything is told or started.
pub struct Prepared {
    pub chosen: Chosen,
    pub run: RunId,
    pub dir: RunDir,
    pub record: Record,
    pub record_path: PathBuf,
    pub page: Option<PageFile>,
}

impl Prepared {
    pub fn from(asked: &Demo) -> Result<Self, Problem> {
        let chosen = Chosen::from(asked)?;
        let waits = [
            (asked.step, "--step"),
            (asked.predict, "--predict"),
            (asked.hold, "--hold"),
        ];
        refuse_to_ask_nobody(&waits, asked.json)?;
        let page =
            asked.report.as_deref().map(PageFile::prepare).transpose()?;
        let run = RunId::random();
        let dir = RunDir::make(&run)?;
        let (record, record_path) = dir.record()?;
        Ok(Self { chosen, run, dir, record, record_path, page })
    }
}

/// Scenarios and the mechanism to take out, found before anything starts.
pub struct Chosen {
    pub entries: Vec<Entry>,
    pub without: Option<&'static Mechanism>,
}

impl Chosen {
    pub fn from(asked: &Demo) -> Result<Self, Problem> {
        let mut entries = Vec::new();
        if asked.all {
            entries.extend(catalogue::entries(TOPICS));
        }
        for target in &asked.targets {
            for entry in names::entries(target)? {
                if !entries.iter().any(|e: &Entry| e.target() == entry.target())
                {
                    entries.push(entry);
                }
            }
        }
        let without = match (&asked.without, entries.as_slice()) {
            (None, _) => None,
            (Some(name), [entry]) => Some(catalogue::mechanism(*entry, name)?),
            (Some(_), _) => {
                return Err(Problem::usage(text! {
                    en: "--without takes a mechanism out of one scenario, not of a topic",
                    zh: "--without 只能用于单个场景，不能用于整个主题"
                })
                .help(text! {
                    en: "for example: rmq-lab demo idempotency/inbox --without unique-key",
                    zh: "例如：rmq-lab demo idempotency/inbox --without unique-key"
                }));
            }
        };
        for entry in &entries {
            let scenario = entry.scenario;
            let fewest =
                Plan::fewest(scenario.strikes).max(scenario.needs.fewest);
            if asked.messages < fewest {
                return Err(Problem::usage(text! {
                    en: "{target} needs at least {fewest} messages to show anything",
                    zh: "{target} 至少需要 {fewest} 条消息才能看出结果",
                    target = entry.target(), fewest = fewest
                })
                .help(Text::same(format!("--messages {fewest}"))));
            }
        }
        Ok(Self { entries, without })
    }
}

/// A question where nobody can answer would hang for ever.
pub fn refuse_to_ask_nobody(
    options: &[(bool, &str)],
    json: bool,
) -> Result<(), Problem> {
    let Some((_, option)) = options.iter().find(|(given, _)| *given) else {
        return Ok(());
    };
    if json {
        return Err(Problem::usage(text! {
            en: "{option} waits for a person, and --json speaks to a program",
            zh: "{option} 要等人操作，而 --json 是给程序看的",
            option = option
        })
        .help(text! { en: "leave one of them out", zh: "请去掉其中一个" }));
    }
    let at_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if !at_terminal && *option == "--predict" {
        return Err(Problem::usage(text! {
            en: "--predict asks at a terminal: nobody could answer here",
            zh: "--predict 要在终端提问：这里没人能回答"
        })
        .help(text! { en: "leave it out", zh: "去掉它" }));
    }
    if !at_terminal {
        return Err(Problem::usage(text! {
            en: "{option} needs a terminal: nobody could press Enter here",
            zh: "{option} 需要终端：这里没人能按回车",
            option = option
        })
        .help(text! {
            en: "--pace 2s pauses without asking", zh: "--pace 2s 只停顿、不提问"
        }));
    }
    Ok(())
}
