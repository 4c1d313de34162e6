//! Single keys from the terminal.
//!
//! Only line editing and echo are switched off: Ctrl-C stays a signal, and
//! lines are written as ever. The event loop of crossterm is not used: it
//! spins for ever at the end of input.

use std::{collections::VecDeque, io};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr,
        tcsetattr,
    },
};

use crate::{
    problem::{Problem, reason},
    text,
};

/// What was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Enter.
    Enter,
    /// A character: small, and half-width.
    Char(char),
    /// Escape.
    Escape,
    /// One that means nothing here: an arrow, a function key.
    Other,
    /// Ctrl-D, or the terminal is gone.
    End,
}

/// Where keys come from.
pub trait Keys {
    /// Waits for the next one.
    fn next(&mut self) -> Key;

    /// Forgets what was pressed and not yet asked for: the rest of a paste.
    fn forget_pending(&mut self) {}
}

/// Nobody, who presses no key: what is laid on the desk is only read.
pub struct Nobody;

impl Keys for Nobody {
    fn next(&mut self) -> Key {
        Key::End
    }
}

/// The keyboard of the terminal, which is set back when this goes away.
pub struct Keyboard {
    pending: VecDeque<Key>,
    mode: Mode,
}

/// How the terminal was before.
#[derive(Clone)]
pub struct Mode(Termios);

impl Keyboard {
    /// Makes the terminal give single keys.
    ///
    /// # Errors
    /// A [`Problem`] when it does not let itself be set.
    pub fn open() -> Result<Self, Problem> {
        let set = || {
            let before = tcgetattr(io::stdin())?;
            let mut single = before.clone();
            single.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            single.local_modes |= LocalModes::ISIG;
            single.special_codes[SpecialCodeIndex::VMIN] = 1;
            single.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(io::stdin(), OptionalActions::Now, &single)?;
            Ok(Self { pending: VecDeque::new(), mode: Mode(before) })
        };
        set().map_err(|error: rustix::io::Errno| {
            Problem::environment(text! {
                en: "cannot read single keys from the terminal: {said}",
                zh: "无法从终端读取按键：{said}",
                said = reason(&io::Error::from(error))
            })
        })
    }

    /// How to set the terminal back from elsewhere.
    pub fn mode(&self) -> Mode {
        self.mode.clone()
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.mode.restore();
    }
}

impl Mode {
    /// Sets the terminal back.
    pub fn restore(&self) {
        // A terminal that is gone needs nothing any more.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

impl Keys for Keyboard {
    fn next(&mut self) -> Key {
        loop {
            if let Some(key) = self.pending.pop_front() {
                return key;
            }
            let mut bytes = Vec::with_capacity(256);
            while bytes.is_empty() || (is_begun(&bytes) && more_comes()) {
                let mut some = [0; 256];
                let read = rustix::io::retry_on_intr(|| {
                    rustix::io::read(io::stdin(), &mut some)
                });
                match read {
                    Ok(read @ 1..) => bytes.extend_from_slice(&some[..read]),
                    Ok(0) | Err(_) => break,
                }
            }
            if bytes.is_empty() {
                return Key::End;
            }
            self.pending.extend(keys_of(&bytes));
        }
    }

    fn forget_pending(&mut self) {
        // An end is not forgotten.
        self.pending.retain(|key| *key == Key::End);
    }
}

/// Whether the last of these keys may have been cut in two: an arrow is an
/// escape and two characters, and a slow line may bring them one by one.
fn is_begun(bytes: &[u8]) -> bool {
    let Some(at) = bytes.iter().rposition(|byte| *byte == 0x1b) else {
        return false;
    };
    match &bytes[at + 1..] {
        [] | [b'O'] => true,
        [b'[', rest @ ..] => !rest.iter().any(|c| matches!(c, b'@'..=b'~')),
        _ => false,
    }
}

/// Whether the terminal has more to say within the time that one key takes.
fn more_comes() -> bool {
    const ONE_KEY: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    let stdin = io::stdin();
    let mut asked = [PollFd::new(&stdin, PollFlags::IN)];
    poll(&mut asked, Some(&ONE_KEY)).is_ok_and(|ready| ready > 0)
}

/// The keys that such bytes stand for.
fn keys_of(bytes: &[u8]) -> Vec<Key> {
    let text = String::from_utf8_lossy(bytes);
    let mut chars = text.chars().peekable();
    let mut keys = Vec::new();
    while let Some(c) = chars.next() {
        keys.push(match c {
            '\r' | '\n' => Key::Enter,
            // An end that came before the terminal was set arrives as NUL.
            '\0' | '\u{4}' => Key::End,
            '\u{1b}' => match chars.next() {
                None => Key::Escape,
                Some('[' | 'O') => {
                    let is_last = |c: &char| matches!(c, '@'..='~');
                    let _ = chars.by_ref().find(is_last);
                    Key::Other
                }
                Some(_) => Key::Other,
            },
            c if c.is_control() => Key::Other,
            c => Key::Char(plain(c)),
        });
    }
    keys
}

/// An input method for Chinese may give full-width letters and digits.
fn plain(c: char) -> char {
    let half = match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0),
        '\u{3000}' => Some(' '),
        _ => Some(c),
    };
    half.unwrap_or(c).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_small_and_half_width() {
        let keys = keys_of("Hq３ｑ\u{3000}".as_bytes());
        let chars = ['h', 'q', '3', 'q', ' '];
        assert_eq!(keys, chars.map(Key::Char));
    }

    #[test]
    fn an_arrow_is_one_key_that_means_nothing() {
        assert_eq!(keys_of(b"\x1b[A1"), [Key::Other, Key::Char('1')]);
        assert_eq!(keys_of(b"\x1b[1;5Cq"), [Key::Other, Key::Char('q')]);
        assert_eq!(keys_of(b"\x1bOP\x1bx\t"), [Key::Other; 3]);
        assert_eq!(keys_of(b"\x1b"), [Key::Escape]);
    }

    #[test]
    fn a_key_that_came_in_part_is_waited_for() {
        for part in [&b"\x1b"[..], b"q\x1b", b"\x1b[", b"\x1bO", b"\x1b[1;5"] {
            assert!(is_begun(part), "{part:?}");
        }
        for whole in [&b"q"[..], b"\x1b[A", b"\x1bOP", b"\x1bx", b"\x1b[Aq"] {
            assert!(!is_begun(whole), "{whole:?}");
        }
    }

    #[test]
    fn ends_and_enters_are_told_apart() {
        assert_eq!(
            keys_of(b"\r\n\x04\0"),
            [Key::Enter, Key::Enter, Key::End, Key::End]
        );
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        assert_eq!(keys_of(&[0xff]), [Key::Char('\u{fffd}')]);
        assert_eq!(keys_of(b"\x1b[1;"), [Key::Other]);
    }
}
