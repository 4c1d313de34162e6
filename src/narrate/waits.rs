//! What is awaited: named, with its limit.

use crate::{text, text::Text};

use super::{layout::Page, spinner::Busy, words};

/// The waits that are under way, the latest last.
#[derive(Debug, Default)]
pub(super) struct Waits {
    under_way: Vec<Wait>,
    begun: usize,
}

#[derive(Debug)]
struct Wait {
    number: usize,
    what: Text,
    limit_s: Option<u64>,
    news: Option<Text>,
}

impl Waits {
    pub fn begin(&mut self, what: &Text, limit_s: Option<u64>) {
        self.begun += 1;
        let number = self.begun;
        self.under_way.push(Wait {
            number,
            what: what.clone(),
            limit_s,
            news: None,
        });
    }

    pub fn news(&mut self, text: &Text) {
        if let Some(wait) = self.under_way.last_mut() {
            wait.news = Some(text.clone());
        }
    }

    /// Ends the latest wait; gives back what it was for.
    pub fn end(&mut self, page: &Page) -> Option<String> {
        self.under_way.pop().map(|wait| wait.words(page))
    }

    pub fn clear(&mut self) {
        self.under_way.clear();
    }

    /// The latest wait, in words.
    pub fn latest(&self, page: &Page) -> Option<String> {
        self.under_way.last().map(|wait| wait.words(page))
    }

    /// The latest wait and its latest news, for the spinner.
    pub fn busy(&self, page: &Page) -> Option<Busy> {
        let wait = self.under_way.last()?;
        let mut words = wait.words(page);
        if let Some(news) = &wait.news {
            words =
                format!("{words}{}{}", page.say(&words::COLON), page.say(news));
        }
        Some(Busy::Wait(wait.number, words))
    }
}

impl Wait {
    /// `waiting for the leader election, at most 30 s`
    fn words(&self, page: &Page) -> String {
        let gap = if self.what.zh.starts_with(|c: char| c.is_ascii()) {
            " "
        } else {
            ""
        };
        let waiting = Text::made(
            format!("waiting for {}", self.what.en),
            format!("等待{gap}{}", self.what.zh),
        );
        let limit = match self.limit_s {
            Some(limit) => {
                text! { en: ", at most {s} s", zh: "，最多 {s} 秒", s = limit }
            }
            None => Text::default(),
        };
        format!("{}{}", page.say(&waiting), page.say(&limit))
    }
}
