//! What goes wrong around the lab, told to a person: one clear sentence and
//! what to do next, in the shape that clap and cargo use.

use std::fmt;

use crate::{text, text::Text};

/// How the program ends. The numbers are part of the command line's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything proven, or observed.
    Proven = 0,
    /// Something was refuted.
    Refuted = 1,
    /// Nothing can be said of something.
    Inconclusive = 2,
    /// The environment is at fault: no Docker, no image, no space.
    Environment = 3,
    /// The request makes no sense.
    Usage = 64,
    /// SIGHUP.
    HungUp = 129,
    /// SIGINT, Ctrl-C.
    Interrupted = 130,
    /// The reader of our output went away (`| head`).
    PipeClosed = 141,
    /// SIGTERM.
    Terminated = 143,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Something a person has to know, and can do something about.
#[derive(Clone, Debug)]
pub struct Problem {
    /// One sentence, without a full stop.
    pub error: Text,
    /// What to do next, the best first.
    pub help: Vec<Text>,
    /// How the program ends because of it.
    pub exit: Exit,
}

impl Problem {
    /// The environment is at fault.
    pub fn environment(error: Text) -> Self {
        Self { error, help: Vec::new(), exit: Exit::Environment }
    }

    /// The request makes no sense.
    pub fn usage(error: Text) -> Self {
        Self { error, help: Vec::new(), exit: Exit::Usage }
    }

    /// With one more thing to do about it.
    #[must_use]
    pub fn help(mut self, help: Text) -> Self {
        self.help.push(help);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error.en)
    }
}

impl std::error::Error for Problem {}

/// The reason at the bottom of an error: libraries hide it in the source
/// chain ("error trying to connect: … permission denied").
pub fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let next_told = next.to_string();
        if !told.contains(&next_told) {
            told = format!("{told}: {next_told}");
        }
        cause = next.source();
    }
    in_words(&told)
}

/// What is at the very bottom of an error. For where the layers above it tell
/// a person nothing ("Error in the hyper legacy client: …").
pub fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut bottom = error;
    while let Some(next) = bottom.source() {
        bottom = next;
    }
    in_words(&bottom.to_string())
}

/// Without " (os error 2)".
fn in_words(told: &str) -> String {
    match told.split_once(" (os error ") {
        Some((before, after)) => {
            let after = after.split_once(')').map_or("", |(_, after)| after);
            format!("{before}{}", in_words(after))
        }
        None => told.to_owned(),
    }
}

/// The name most like what was typed, if any is: by the threshold that clap
/// uses for its own suggestions.
pub fn nearest<N: AsRef<str>>(
    typed: &str,
    names: impl IntoIterator<Item = N>,
) -> Option<String> {
    names
        .into_iter()
        .map(|name| (strsim::jaro(typed, name.as_ref()), name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.as_ref().to_owned())
}

/// Asks whether that was meant.
pub fn did_you_mean(name: &str) -> Text {
    text! { en: "did you mean \"{name}\"?", zh: "是不是 \"{name}\"？", name = name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the call failed")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_reason_goes_down_to_the_ground_and_leaves_out_the_numbers() {
        let error = Outer(std::io::Error::from_raw_os_error(13));
        assert_eq!(reason(&error), "the call failed: Permission denied");
        assert_eq!(root(&error), "Permission denied");
        assert_eq!(in_words("a (os error 2): b (os error 17)"), "a: b");
    }

    #[test]
    fn the_nearest_name_is_near_or_there_is_none() {
        let names = ["idempotency", "durability", "beyond"];
        assert_eq!(nearest("durablity", names).unwrap(), "durability");
        assert_eq!(nearest("zzz", names), None);
        assert_eq!(did_you_mean("beyond").en, "did you mean \"beyond\"?");
    }
}
