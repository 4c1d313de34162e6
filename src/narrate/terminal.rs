//! The view for a person at a terminal.
//!
//! [`Terminal`] writes; what it writes is made by a [`Teller`](super::teller),
//! which does no I/O. While a way runs only the spinner moves: its section is
//! told when the hits are known.

use std::io::{self, Write};

use crate::event::{Event, Stamped};

use super::{Style, View, layout::Page, spinner::Spinner, teller::Teller};

/// Tells a run in words, lines and tables.
#[derive(Debug)]
pub struct Terminal<W: Write + Send> {
    out: W,
    teller: Teller,
    page: Page,
    spinner: Spinner,
    interactive: bool,
}

impl<W: Write + Send> Terminal<W> {
    /// Tells to `out`. Errors are not told here: whoever holds stderr does
    /// that, with [`error_lines`](super::error_lines).
    pub fn new(out: W, style: Style) -> Self {
        // Below this nothing can be laid out.
        let width = style.width.clamp(20, 80);
        let page = Page { lang: style.lang, color: style.color, width };
        let teller = Teller::new(page, style.detail, style.interactive);
        Self {
            out,
            teller,
            page,
            spinner: Spinner::default(),
            interactive: style.interactive,
        }
    }

    /// Whoever reads is not asked anything: a guess was somebody else's.
    #[must_use]
    pub const fn asks_nobody(mut self) -> Self {
        self.teller.asks = false;
        self
    }
}

impl<W: Write + Send> View for Terminal<W> {
    fn tell(&mut self, event: &Stamped) -> io::Result<()> {
        let lines = self.teller.told(event);
        let last =
            matches!(event.event, Event::RunEnded { .. } | Event::Error { .. });
        if self.interactive && !last {
            self.spinner.show(&self.page, self.teller.busy());
        } else {
            self.spinner.clear();
        }
        if lines.is_empty() {
            return Ok(());
        }
        let mut told = lines.join("\n");
        told.push('\n');
        let out = &mut self.out;
        self.spinner
            .aside(|| out.write_all(told.as_bytes()).and_then(|()| out.flush()))
    }

    fn glimpse(&mut self, event: &Stamped) {
        self.teller.glimpse(event);
        if self.interactive {
            self.spinner.show(&self.page, self.teller.busy());
        }
    }

    fn ahead(&mut self, events: &[Stamped]) {
        self.spinner.clear();
        self.teller.ahead(events);
    }
}
