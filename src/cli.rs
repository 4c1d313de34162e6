//! The command line: what can be typed. Doc comments are the help in English;
//! [`localized`] has the Chinese beside it.

mod beside;
pub mod completion;
pub mod demo;
pub mod difference;
pub mod doctor;
pub mod hand_on;
pub mod hint;
pub mod interview;
pub mod list;
pub mod localized;
pub mod names;
pub mod orientation;
mod page;
pub mod pager;
pub mod progress;
pub mod quiz;
pub mod read;
pub mod replay;
mod report;
pub mod reset;
pub mod runs;
pub mod shelf;
pub mod show;
mod signals;
pub mod state;
pub mod study;
mod summary;
pub mod tidy;
pub mod trace;
mod typed;

use std::{io, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    narrate::{Detail, Style},
    stage::BrokerChoice,
    text,
    text::{Lang, Text},
};

/// Learn RabbitMQ's reliability by watching it break and hold.
///
/// Every claim has a run that proves it on a real broker: a naive way that
/// breaks under a named fault, and a fixed way that survives it. Everything
/// runs in containers that the lab starts and removes.
#[derive(Debug, Parser)]
#[command(
    name = "rmq-lab",
    version,
    max_term_width = 80,
    after_help = AFTER_HELP.say(Lang::En).to_owned()
)]
pub struct Cli {
    /// Language; by default the locale's (LC_ALL, LC_MESSAGES, LANG).
    #[arg(long, global = true, value_enum)]
    pub lang: Option<Lang>,
    /// When to use colour; NO_COLOR is honoured.
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    pub color: When,
    /// What to do; without it, where to begin.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// At a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Topics and scenarios, their mechanisms and what each needs.
    List {
        /// A topic; by default all of them.
        topic: Option<String>,
        /// One JSON object a line and scenario.
        #[arg(long)]
        json: bool,
    },
    /// Run a topic, or one scenario of it, on a real broker.
    Demo(Demo),
    /// Questions on cards, when they are due; progress is kept.
    Quiz(quiz::Quiz),
    /// A mock interview that digs, against the clock.
    Interview(interview::Interview),
    /// Forget what was read, run and answered.
    Reset {
        /// A topic; by default all of them.
        topic: Option<String>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// The source of a scenario's ways, or their difference.
    Show {
        /// A topic, or topic/scenario.
        target: String,
        /// Only what differs between the naive and the fixed way.
        #[arg(long)]
        diff: bool,
        /// The fixed way without this mechanism, beside the fixed way.
        #[arg(long, value_name = "MECHANISM")]
        without: Option<String>,
    },
    /// Recorded runs: those of this machine, and those that came with it.
    Runs {
        /// One JSON object a line and run.
        #[arg(long)]
        json: bool,
        /// Write one so that it can be handed on.
        #[arg(
            long,
            value_name = "FILE.gz",
            hide = true,
            conflicts_with = "json"
        )]
        hand_on: Option<PathBuf>,
        /// Which.
        #[arg(
            long, value_name = "RUN|TOPIC|FILE", hide = true,
            default_value = shelf::LATEST, requires = "hand_on"
        )]
        run: String,
    },
    /// The life of one message in a recorded run, event by event.
    Trace(Trace),
    /// Tell a recorded run again, without Docker.
    Replay(Replay),
    /// Read a chapter; without a topic, see which there are.
    Read {
        /// Its topic.
        topic: Option<String>,
        /// Its questions instead: answers, follow-ups, and what is wrong.
        #[arg(long, requires = "topic")]
        questions: bool,
    },
    /// A hint for what a scenario asks you to predict.
    #[command(override_usage = "rmq-lab hint [OPTIONS] TOPIC/SCENARIO")]
    Hint {
        /// A scenario, as topic/scenario.
        #[arg(value_name = "TOPIC/SCENARIO")]
        target: Option<String>,
        /// How much of the way: 1 is a nudge, 3 nearly the answer.
        #[arg(
            long, value_name = "1..3", default_value_t = 1,
            allow_negative_numbers = true, value_parser = typed::level
        )]
        level: u8,
    },
    /// Check Docker, memory, disk, images and leftovers; say how to mend each.
    Doctor,
    /// The images the lab starts from.
    Images {
        /// What to do with them; by default, list them.
        #[command(subcommand)]
        what: Option<Images>,
    },
    /// Remove what runs left behind whose process is gone.
    Clean {
        /// Also what belongs to runs that are still going on.
        #[arg(long)]
        all: bool,
    },
    /// Completions for a shell: topics, scenarios and mechanisms too.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// The manual page, for man(1).
    Man,
}

/// What to do with images.
#[derive(Clone, Debug, Subcommand)]
pub enum Images {
    /// Which are here.
    List,
    /// Pull the official ones.
    Pull {
        /// Names as `images list` shows them; by default those of the demos.
        names: Vec<String>,
    },
    /// Build ours from Debian packages.
    Build {
        /// Names as `images list` shows them; by default those of the demos.
        names: Vec<String>,
    },
}

/// How to run.
#[derive(Debug, Args)]
pub struct Demo {
    /// A topic, or topic/scenario; several are run one after another.
    #[arg(value_name = "TARGET", required_unless_present = "all")]
    pub targets: Vec<String>,
    /// Every topic.
    #[arg(long, conflicts_with = "targets")]
    pub all: bool,
    /// Messages each way sends.
    #[arg(
        long, value_name = "N", default_value_t = crate::lab::run::MESSAGES,
        allow_negative_numbers = true,
        value_parser = typed::messages
    )]
    pub messages: u32,
    /// The seed that chooses which messages are struck; by default 1.
    #[arg(
        long,
        value_name = "S",
        default_value_t = 1,
        allow_negative_numbers = true,
        value_parser = typed::seed
    )]
    pub seed: u64,
    /// Wait for Enter between steps (classroom).
    #[arg(long, conflicts_with = "pace")]
    pub step: bool,
    /// Pause so long between steps, such as 2s.
    #[arg(long, value_name = "TIME", value_parser = typed::pace)]
    pub pace: Option<Duration>,
    /// Ask for a prediction before each outcome.
    #[arg(long, conflicts_with = "no_predict")]
    pub predict: bool,
    /// Never ask; by default a single scenario at a terminal does.
    #[arg(long)]
    pub no_predict: bool,
    /// One scenario after another, also where some could go on beside others.
    #[arg(long)]
    pub one_by_one: bool,
    /// Take this mechanism out of the fixed way, and watch it fail.
    #[arg(long, value_name = "MECHANISM")]
    pub without: Option<String>,
    /// Events as JSON lines on stdout, instead of the narrative.
    #[arg(long)]
    pub json: bool,
    /// The run as one page for a browser, written when it is over.
    #[arg(long, value_name = "FILE.html", value_hint = clap::ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Keep the stage and what the last way has of its own until Enter, and
    /// tell where each is reached.
    #[arg(long)]
    pub hold: bool,
    /// RabbitMQ 4 (default) or 3, or an image of your own.
    #[arg(long, value_name = "3|4|IMAGE", default_value = "4", value_parser = typed::broker)]
    pub broker: BrokerChoice,
    /// Two lines a scenario.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Every message with something wrong.
    #[arg(short, long)]
    pub verbose: bool,
}

/// Whose life.
#[derive(Debug, Args)]
pub struct Trace {
    /// A message, such as payment-0010, or its number where only one has it.
    pub message: String,
    /// The latest run, a run's id, a topic, topic/scenario, or a file; by
    /// default the latest, or that of --scenario.
    #[arg(long, value_name = "latest|RUN|TOPIC|FILE")]
    pub run: Option<String>,
    /// Only in this scenario.
    #[arg(long, value_name = "TOPIC/SCENARIO")]
    pub scenario: Option<String>,
    /// One JSON object a line and scenario.
    #[arg(long)]
    pub json: bool,
}

/// How to tell again.
#[derive(Debug, Args)]
pub struct Replay {
    /// A run's id, a topic, topic/scenario, or a file.
    #[arg(value_name = "RUN|TOPIC|FILE", default_value = shelf::LATEST)]
    pub what: String,
    /// Wait for Enter between steps (classroom).
    #[arg(long, conflicts_with_all = ["pace", "speed"])]
    pub step: bool,
    /// Pause so long between steps, such as 2s.
    #[arg(long, value_name = "TIME", value_parser = typed::pace, conflicts_with = "speed")]
    pub pace: Option<Duration>,
    /// So many times the run's own pace; by default all at once.
    #[arg(
        long, value_name = "N", allow_negative_numbers = true,
        value_parser = typed::speed
    )]
    pub speed: Option<f64>,
    /// Ask for a prediction before each outcome.
    #[arg(long)]
    pub predict: bool,
    /// Events as JSON lines on stdout, instead of the narrative.
    #[arg(long)]
    pub json: bool,
    /// The run as one page for a browser, written when it is over.
    #[arg(long, value_name = "FILE.html", value_hint = clap::ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Two lines a scenario.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Every message with something wrong.
    #[arg(short, long)]
    pub verbose: bool,
}

impl Replay {
    /// How much is told.
    pub const fn detail(&self) -> Detail {
        Detail::of(self.quiet, self.verbose)
    }
}

impl Demo {
    /// How much is told.
    pub fn detail(&self) -> Detail {
        Detail::of(self.quiet, self.verbose)
    }
}

/// How to speak to whoever typed.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// In which language.
    pub lang: Lang,
    /// Whether stdout may be coloured.
    pub color: bool,
    /// Whether stderr may be.
    pub color_errors: bool,
}

impl Manner {
    /// A style for the terminal.
    pub fn style(&self, detail: Detail) -> Style {
        Style {
            lang: self.lang,
            color: self.color,
            width: Style::width_of_terminal(),
            detail,
            interactive: io::IsTerminal::is_terminal(&io::stderr())
                && io::IsTerminal::is_terminal(&io::stdout()),
        }
    }
}

/// Where a person's own directory for the lab is, when it is named.
pub fn named_state() -> Option<PathBuf> {
    std::env::var_os("RMQ_LAB_STATE")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

const AFTER_HELP: Text = text! {
    en: "\
A topic is named by its id or by its chapter's number: idempotency, 3.

Exit codes: 0 proven or observed, 1 refuted, 2 inconclusive, 3 environment,
64 usage, 130 and 143 after signals.",
    zh: "\
主题可以写 id，也可以写章节的编号：idempotency、3。

退出码：0 已证实（或仅观察），1 被推翻，2 无法判定，3 环境有问题，\
64 用法不对，130 和 143 是收到信号。"
};
