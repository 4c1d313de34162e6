//! One moving line on stderr while something takes a while.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::layout::Page;

/// Shows at most one line, and gets out of the way of everything else.
#[derive(Debug, Default)]
pub(super) struct Spinner {
    bar: Option<(Number, ProgressBar)>,
}

/// What is under way: its number (a new one starts the clock anew) and words.
#[derive(Debug)]
pub(super) enum Busy {
    Way(usize, String),
    Wait(usize, String),
}

/// What the bar was started for.
type Number = (bool, usize);

impl Spinner {
    /// Shows what is under way, or nothing.
    pub fn show(&mut self, page: &Page, busy: Option<Busy>) {
        let (what, words) = match busy {
            Some(Busy::Way(number, words)) => ((true, number), words),
            Some(Busy::Wait(number, words)) => ((false, number), words),
            None => return self.clear(),
        };
        // The spinner itself, the seconds and the gaps take the rest.
        let words = page.cut(&words, page.width.saturating_sub(12));
        match &self.bar {
            Some((shown, bar)) if *shown == what => bar.set_message(words),
            _ => {
                self.clear();
                let bar = ProgressBar::with_draw_target(
                    None,
                    ProgressDrawTarget::stderr(),
                );
                // ASCII: dots and blocks are of ambiguous width.
                if let Ok(style) =
                    ProgressStyle::with_template(" {spinner} {msg}  {elapsed}")
                {
                    bar.set_style(style.tick_chars("-\\|/ "));
                }
                bar.set_message(words);
                bar.enable_steady_tick(Duration::from_millis(120));
                self.bar = Some((what, bar));
            }
        }
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Runs `write` while the line is away.
    pub fn aside<R>(&self, write: impl FnOnce() -> R) -> R {
        match &self.bar {
            Some((_, bar)) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.clear();
    }
}
