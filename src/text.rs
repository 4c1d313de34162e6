//! What a person reads, in both languages at once.
//!
//! Every sentence the lab shows is a [`Text`]: the English and the Chinese
//! stand side by side where the sentence is used, so that neither can be
//! forgotten. Build one with [`text!`](macro@crate::text). Events carry both, so a
//! recorded run can be told in either.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A language the lab speaks.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    clap::ValueEnum,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese (simplified).
    Zh,
}

impl Lang {
    /// The language of a POSIX locale: `LC_ALL`, else `LC_MESSAGES`, else
    /// `LANG` (the order of POSIX 8.2). Anything not Chinese is English.
    pub fn from_locale(get: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .find_map(|name| get(name).filter(|value| !value.is_empty()));
        match locale {
            Some(value) if value.to_lowercase().starts_with("zh") => Self::Zh,
            _ => Self::En,
        }
    }
}

/// One sentence or paragraph in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// English.
    pub en: Cow<'static, str>,
    /// Chinese.
    pub zh: Cow<'static, str>,
}

impl Text {
    /// A text known at compile time.
    pub const fn fixed(en: &'static str, zh: &'static str) -> Self {
        Self { en: Cow::Borrowed(en), zh: Cow::Borrowed(zh) }
    }

    /// A text made at run time.
    pub fn made(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: Cow::Owned(en.into()), zh: Cow::Owned(zh.into()) }
    }

    /// The same characters in both languages: a name, a number, a command.
    pub fn same(word: impl Into<String>) -> Self {
        let word = word.into();
        Self { en: Cow::Owned(word.clone()), zh: Cow::Owned(word) }
    }

    /// This text in one language.
    pub fn say(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Zh => &self.zh,
        }
    }

    /// Whether there is anything to say.
    pub fn is_empty(&self) -> bool {
        self.en.is_empty()
    }
}

/// A [`Text`] from an English and a Chinese sentence.
///
/// With arguments both sentences are format strings, and both must use every
/// argument: one left out in either language does not compile.
///
/// ```
/// use rmq_lab::text;
/// let told = text! {
///     en: "{paid} of {all} paid", zh: "{all} 笔中 {paid} 笔已付",
///     paid = 3, all = 5
/// };
/// assert_eq!(told.en, "3 of 5 paid");
/// assert_eq!(told.zh, "5 笔中 3 笔已付");
/// ```
#[macro_export]
macro_rules! text {
    (en: $en:expr, zh: $zh:expr $(,)?) => {
        $crate::text::Text::fixed($en, $zh)
    };
    (en: $en:literal, zh: $zh:literal, $($name:ident = $value:expr),+ $(,)?) => {{
        $(let $name = &$value;)+
        $crate::text::Text::made(
            format!($en, $($name = $name),+),
            format!($zh, $($name = $name),+),
        )
    }};
}
