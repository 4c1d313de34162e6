//! The person at the terminal: what is asked of them, and what they answer.
//!
//! Standard input is read on a plain thread: nobody waits for it when the
//! program ends, even if it never says anything.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    sync::mpsc,
    time::Duration,
};

use rustix::termios::{QueueSelector, tcflush};
use tokio::sync::mpsc::{
    UnboundedReceiver, UnboundedSender, unbounded_channel,
};

use crate::{
    text,
    text::{Lang, Text},
};

use super::{Style, layout::MARGIN};

/// What a person wants at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// To be told on.
    GoOn,
    /// To end the run here.
    Leave,
}

/// What a person answers to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// One of its keys.
    Key(char),
    /// Nothing: Enter, the end of input, or three times what is no answer.
    Skip,
    /// As [`Wish::Leave`].
    Leave,
}

/// Somebody who reads, and presses Enter.
pub(super) struct Person {
    /// Asks the reading thread for a line.
    wanted: Option<mpsc::Sender<()>>,
    lines: UnboundedReceiver<String>,
    lines_from: Option<UnboundedSender<String>>,
    input: Option<Box<dyn BufRead + Send>>,
    /// A line was asked for, and the asker went away before it came.
    pending: bool,
    /// Forgets what was typed and not yet read.
    forget: Box<dyn FnMut() + Send>,
    prompts: Box<dyn Write + Send>,
    /// The end of input: nobody is there to be prompted.
    ended: bool,
    /// Prompts can be taken away again.
    erasable: bool,
    /// Of the terminal.
    columns: usize,
}

impl Person {
    /// Standard input and standard error.
    pub fn at_terminal() -> Self {
        let erasable = io::stderr().is_terminal()
            && io::stdin().is_terminal()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let input = Box::new(io::BufReader::new(io::stdin()));
        let person = Self::new(input, Box::new(io::stderr()), erasable);
        let mut person = person.forgetting(|| {
            if io::stdin().is_terminal() {
                // Where it cannot be forgotten it is taken for an answer.
                let _ = tcflush(io::stdin(), QueueSelector::IFlush);
            }
        });
        person.columns = Style::width_of_terminal();
        person
    }

    pub fn new(
        input: Box<dyn BufRead + Send>,
        prompts: Box<dyn Write + Send>,
        erasable: bool,
    ) -> Self {
        let (sender, lines) = unbounded_channel();
        Self {
            wanted: None,
            lines,
            lines_from: Some(sender),
            input: Some(input),
            pending: false,
            forget: Box::new(|| {}),
            ended: false,
            prompts,
            erasable,
            columns: 80,
        }
    }

    /// With this to forget what was typed and not yet read.
    pub fn forgetting(mut self, forget: impl FnMut() + Send + 'static) -> Self {
        self.forget = Box::new(forget);
        self
    }

    /// `step 2/5 [Enter] go on   [q] leave   [h] help`
    pub async fn enter(
        &mut self,
        step: usize,
        steps: usize,
        lang: Lang,
    ) -> Wish {
        if self.ended {
            return Wish::GoOn;
        }
        // A prompt that takes two lines could not be taken away.
        let keys = if self.columns < 60 { &KEYS_IN_SHORT } else { &KEYS };
        let prompt = match steps {
            1 => Text::same(format!(" {} ", keys.say(lang))),
            _ => text! {
                en: " step {step}/{steps} {keys} ",
                zh: " 第 {step}/{steps} 步 {keys} ",
                step = step, steps = steps, keys = keys.say(lang)
            },
        };
        loop {
            self.prompt(prompt.say(lang));
            let Some(line) = self.line().await else {
                self.erase(THIS_LINE);
                return Wish::GoOn;
            };
            self.erase(LINE_ABOVE);
            match Typed::of(&line) {
                Typed::Nothing => return Wish::GoOn,
                Typed::Leave => return Wish::Leave,
                Typed::Help => self.say(HELP.say(lang)),
                Typed::Other => self.say(UNKNOWN.say(lang)),
            }
        }
    }

    /// `step 2/5`, for a while.
    pub async fn wait(
        &mut self,
        step: usize,
        steps: usize,
        pause: Duration,
        lang: Lang,
    ) {
        let prompt = text! {
            en: " step {step}/{steps} ", zh: " 第 {step}/{steps} 步 ", step = step, steps = steps
        };
        if self.erasable {
            self.say(prompt.say(lang));
        }
        tokio::time::sleep(pause).await;
        self.erase(THIS_LINE);
    }

    /// Asks for one of the keys.
    pub async fn ask(&mut self, keys: &[char], lang: Lang) -> Answer {
        let listed = keys.iter().map(char::to_string).collect::<Vec<_>>();
        let indent = " ".repeat(MARGIN);
        let or = if self.columns < 70 { &OR_IN_SHORT } else { &OR };
        let mut prompt = text! {
            en: "{indent}your guess [{keys}, {or}]: ",
            zh: "{indent}你猜是哪个 [{keys}，{or}]：",
            indent = indent, keys = listed.join("/"), or = or.say(lang)
        };
        let mut unknown = 0;
        // Asked, and twice asked again.
        while unknown < 3 {
            self.prompt(prompt.say(lang));
            let Some(line) = self.line().await else { return Answer::Skip };
            let answer = line.trim().to_lowercase();
            let mut chars = answer.chars();
            if let (Some(key), None) = (chars.next(), chars.next())
                && keys.contains(&key)
            {
                return Answer::Key(key);
            }
            match Typed::of(&line) {
                Typed::Nothing => return Answer::Skip,
                Typed::Leave => return Answer::Leave,
                Typed::Help => {
                    let help = text! {
                        en: "{indent}{keys}: your guess, judged when the outcome is told\n\
                             {indent}Enter: none   q: leave, and nothing is left behind\n",
                        zh: "{indent}{keys}：你的猜测，讲到结果时揭晓\n\
                             {indent}回车：不猜   q：退出，不留下任何东西\n",
                        indent = indent, keys = listed.join(", ")
                    };
                    self.erase(LINE_ABOVE);
                    self.say(help.say(lang));
                }
                Typed::Other => {
                    unknown += 1;
                    // The answer that is none makes room for the next one.
                    self.erase(LINE_ABOVE);
                    prompt = text! {
                        en: "{indent}one of {keys}; {or}: ",
                        zh: "{indent}请输入 {keys}；{or}：",
                        indent = indent, keys = listed.join(", "),
                        or = or.say(lang)
                    };
                }
            }
        }
        Answer::Skip
    }

    /// Waits for Enter while the stage is kept.
    pub async fn hold(&mut self, lang: Lang) {
        let prompt: Text = text! {
            en: " The stage is kept; Enter or Ctrl-C ends. ",
            zh: " 环境已保留，按回车或 Ctrl-C 结束。"
        };
        self.prompt(prompt.say(lang));
        self.line().await;
    }

    /// The next line, or `None` at the end of input.
    async fn line(&mut self) -> Option<String> {
        if self.wanted.is_none() {
            self.wanted = self.start_reading();
        }
        if !self.pending {
            self.wanted.as_ref()?.send(()).ok()?;
        }
        self.pending = true;
        let line = self.lines.recv().await;
        self.pending = false;
        self.ended = line.is_none();
        line
    }

    fn start_reading(&mut self) -> Option<mpsc::Sender<()>> {
        let (mut input, lines) = (self.input.take()?, self.lines_from.take()?);
        let (wanted, requests) = mpsc::channel();
        let reading = move || {
            for () in requests {
                let mut line = String::new();
                match input.read_line(&mut line) {
                    Ok(1..) if lines.send(line).is_ok() => {}
                    _ => return,
                }
            }
        };
        std::thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(reading)
            .ok()?;
        Some(wanted)
    }

    /// Says what is asked for. What was typed before that is no answer: it
    /// was echoed further up, and whoever moves up for its Enter would wipe
    /// out another line.
    fn prompt(&mut self, words: &str) {
        (self.forget)();
        while self.lines.try_recv().is_ok() {
            self.pending = false;
        }
        self.say(words);
    }

    fn say(&mut self, words: &str) {
        // Who cannot be prompted can still press Enter.
        let _ = self.prompts.write_all(words.as_bytes());
        let _ = self.prompts.flush();
    }

    fn erase(&mut self, codes: &str) {
        if self.erasable {
            self.say(codes);
        }
    }
}

/// What a line means wherever it is typed.
enum Typed {
    Nothing,
    Leave,
    Help,
    Other,
}

impl Typed {
    fn of(line: &str) -> Self {
        match line.trim() {
            "" => Self::Nothing,
            "q" | "Q" => Self::Leave,
            "h" | "H" | "?" | "？" => Self::Help,
            _ => Self::Other,
        }
    }
}

/// Takes away the line that the cursor is in.
const THIS_LINE: &str = "\r\u{1b}[2K";
/// Takes away the prompt after an Enter, which has moved on to the next line.
const LINE_ABOVE: &str = "\u{1b}[1A\r\u{1b}[2K";

static KEYS: Text = text! {
    en: "[Enter] go on   [q] leave   [h] help",
    zh: "[回车] 继续   [q] 退出   [h] 帮助"
};
static KEYS_IN_SHORT: Text = text! { en: "[Enter, q, h]", zh: "[回车, q, h]" };
static OR: Text = text! {
    en: "Enter skips, q leaves, h helps",
    zh: "回车跳过，q 退出，h 帮助"
};
static OR_IN_SHORT: Text = text! { en: "Enter, q, h", zh: "回车, q, h" };
static HELP: Text = text! {
    en: " Enter: the next step is told   h: these lines\n \
         q: leave, as with Ctrl-C; nothing is left behind\n",
    zh: " 回车：讲下一步   h：显示这两行\n \
         q：退出，与 Ctrl-C 相同，不留下任何东西\n"
};
static UNKNOWN: Text = text! {
    en: " that does nothing here; keys: Enter, q, h\n",
    zh: " 这个键在这里没有作用；可用的键：回车、q、h\n"
};
