//! The person at the terminal: what is asked of them, and what they answer.
//!
//! Standard input is read on a plain thread: nobody waits for it when the
//! program ends, even if it never says anything.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    sync::mpsc,
    time::Duration,
};

use tokio::sync::mpsc::{
    UnboundedReceiver, UnboundedSender, unbounded_channel,
};

use crate::{
    text,
    text::{Lang, Text},
};

use super::layout::MARGIN;

/// Somebody who reads, and presses Enter.
pub(super) struct Person {
    /// Asks the reading thread for a line.
    wanted: Option<mpsc::Sender<()>>,
    lines: UnboundedReceiver<String>,
    lines_from: Option<UnboundedSender<String>>,
    input: Option<Box<dyn BufRead + Send>>,
    /// A line was asked for, and the asker went away before it came.
    pending: bool,
    prompts: Box<dyn Write + Send>,
    /// The end of input: nobody is there to be prompted.
    ended: bool,
    /// Prompts can be taken away again.
    erasable: bool,
}

impl Person {
    /// Standard input and standard error.
    pub fn at_terminal() -> Self {
        let erasable = io::stderr().is_terminal()
            && io::stdin().is_terminal()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let input = Box::new(io::BufReader::new(io::stdin()));
        Self::new(input, Box::new(io::stderr()), erasable)
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
            ended: false,
            prompts,
            erasable,
        }
    }

    /// `step 2/5 [Enter]`
    pub async fn enter(&mut self, step: usize, steps: usize, lang: Lang) {
        if self.ended {
            return;
        }
        let prompt = match steps {
            1 => text! { en: " [Enter] ", zh: " [回车] " },
            _ => text! {
                en: " step {step}/{steps} [Enter] ",
                zh: " 第 {step}/{steps} 步 [回车] ",
                step = step, steps = steps
            },
        };
        self.prompt(prompt.say(lang));
        if self.line().await.is_some() {
            // The Enter has moved on to the next line.
            self.erase("\u{1b}[1A\r\u{1b}[2K");
        } else {
            self.erase("\r\u{1b}[2K");
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
            self.prompt(prompt.say(lang));
        }
        tokio::time::sleep(pause).await;
        self.erase("\r\u{1b}[2K");
    }

    /// Asks for one of the keys.
    pub async fn ask(&mut self, keys: &[char], lang: Lang) -> Option<char> {
        let listed = keys.iter().map(char::to_string).collect::<Vec<_>>();
        let indent = " ".repeat(MARGIN);
        let mut prompt = text! {
            en: "{indent}your guess [{keys}, Enter skips]: ",
            zh: "{indent}你猜是哪个 [{keys}，回车跳过]：",
            indent = indent, keys = listed.join("/")
        };
        // Asked, and twice asked again.
        for _ in 0..3 {
            self.prompt(prompt.say(lang));
            let line = self.line().await?;
            let answer = line.trim().to_lowercase();
            if answer.is_empty() {
                return None;
            }
            let mut chars = answer.chars();
            if let (Some(key), None) = (chars.next(), chars.next())
                && keys.contains(&key)
            {
                return Some(key);
            }
            // The answer that is none makes room for the next one.
            self.erase("\u{1b}[1A\r\u{1b}[2K");
            prompt = text! {
                en: "{indent}one of {keys}, or Enter to skip: ",
                zh: "{indent}请输入 {keys}，或直接回车跳过：",
                indent = indent, keys = listed.join(", ")
            };
        }
        None
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

    fn prompt(&mut self, words: &str) {
        // Who cannot be prompted can still press Enter.
        let _ = self.prompts.write_all(words.as_bytes());
        let _ = self.prompts.flush();
    }

    fn erase(&mut self, codes: &str) {
        if self.erasable {
            self.prompt(codes);
        }
    }
}
