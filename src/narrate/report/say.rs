//! Words on the page: both languages side by side, of which a switch shows
//! one.

use maud::{Markup, html};

use crate::text::{Lang, Text};

/// Chinese as a browser calls it.
const ZH: &str = "zh-Hans";

/// The language as a browser calls it.
pub(super) const fn tag(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "en",
        Lang::Zh => ZH,
    }
}

/// A text in both languages; once where they say the same.
pub(super) fn both(text: &Text) -> Markup {
    html! {
        @if text.en == text.zh {
            (&*text.en)
        } @else {
            span lang="en" { (&*text.en) }
            span lang=(ZH) { (&*text.zh) }
        }
    }
}

/// Both languages where there is no switch: in a tool tip.
pub(super) fn at_once(text: &Text) -> String {
    match text.en == text.zh {
        true => text.en.to_string(),
        false => format!("{} · {}", text.en, text.zh),
    }
}

/// A word within a picture, at its place.
pub(super) fn drawn((x, y): (f64, f64), class: &str, text: &Text) -> Markup {
    let (x, y) = (px(x), px(y));
    html! {
        @if text.en == text.zh {
            text x=(x) y=(y) class=(class) { (&*text.en) }
        } @else {
            text x=(x) y=(y) class=(class) lang="en" { (&*text.en) }
            text x=(x) y=(y) class=(class) lang=(ZH) { (&*text.zh) }
        }
    }
}

/// A coordinate, in as few characters as will do.
pub(super) fn px(value: f64) -> String {
    let told = format!("{value:.1}");
    told.strip_suffix(".0").map_or_else(|| told.clone(), str::to_owned)
}

/// A line across a picture.
pub(super) fn across(y: f64, from: f64, to: f64) -> String {
    format!("M{} {}H{}", px(from), px(y), px(to))
}

/// A line down a picture.
pub(super) fn down(x: f64, from: f64, to: f64) -> String {
    format!("M{} {}V{}", px(x), px(from), px(to))
}

/// A time that something took.
pub(super) fn took(ms: u64) -> Text {
    match ms {
        0..1_000 => Text::made(format!("{ms} ms"), format!("{ms} 毫秒")),
        1_000..10_000 => {
            let seconds = format!("{}.{}", ms / 1000, ms % 1000 / 100);
            Text::made(format!("{seconds} s"), format!("{seconds} 秒"))
        }
        _ => {
            Text::made(format!("{} s", ms / 1000), format!("{} 秒", ms / 1000))
        }
    }
}

/// A moment within the run, as the record has it.
pub(super) fn moment(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// A label, a colon, and something.
pub(super) fn joined(parts: &[Text], en: &str, zh: &str) -> Text {
    let all = |say: fn(&Text) -> &str, by: &str| {
        parts.iter().map(say).collect::<Vec<_>>().join(by)
    };
    Text::made(all(|t| &t.en, en), all(|t| &t.zh, zh))
}
