//! What may be typed for an option, and what to say of anything else.

use std::{fmt, time::Duration};

use crate::{lab::run::MOST_MESSAGES, stage::BrokerChoice, text, text::Text};

/// What was to be typed instead. Clap takes it for an error of its own, and
/// puts it behind what was typed.
#[derive(Clone, Debug)]
pub struct Wanted(pub Text);

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.en)
    }
}

impl std::error::Error for Wanted {}

impl Wanted {
    /// A whole number between these two, or one of them.
    pub fn whole(from: u64, to: u64) -> Self {
        Self(text! {
            en: "a whole number from {from} to {to}",
            zh: "{from} 到 {to} 的整数",
            from = from, to = to
        })
    }
}

/// How many messages each way sends.
pub fn messages(typed: &str) -> Result<u32, Wanted> {
    match typed.parse() {
        Ok(number) if (1..=MOST_MESSAGES).contains(&number) => Ok(number),
        _ => Err(Wanted::whole(1, MOST_MESSAGES.into())),
    }
}

/// The level of questions.
pub fn level(typed: &str) -> Result<u8, Wanted> {
    match typed.parse() {
        Ok(level @ 1..=3) => Ok(level),
        _ => Err(Wanted(text! { en: "1, 2 or 3", zh: "1、2 或 3" })),
    }
}

/// A seed of every random choice.
pub fn seed(typed: &str) -> Result<u64, Wanted> {
    typed.parse().map_err(|_| Wanted::whole(0, u64::MAX))
}

/// The time between two steps.
pub fn pace(typed: &str) -> Result<Duration, Wanted> {
    let wanted = match humantime::parse_duration(typed) {
        Ok(pace) if pace <= Duration::from_secs(600) => return Ok(pace),
        Ok(_) => text! { en: "at most 10m", zh: "10m 以内" },
        Err(_) => text! {
            en: "a time such as 2s or 500ms", zh: "2s、500ms 这样的时间"
        },
    };
    Err(Wanted(wanted))
}

/// How many times as fast as it was.
pub fn speed(typed: &str) -> Result<f64, Wanted> {
    match typed.trim_end_matches('x').parse::<f64>() {
        Ok(speed) if (0.1..=1_000.0).contains(&speed) => Ok(speed),
        _ => Err(Wanted(text! {
            en: "a number from 0.1 to 1000", zh: "0.1 到 1000 的数"
        })),
    }
}

/// A series of RabbitMQ, or somebody's own image.
pub fn broker(typed: &str) -> Result<BrokerChoice, Wanted> {
    match typed {
        "4" => Ok(BrokerChoice::Four),
        "3" => Ok(BrokerChoice::Three),
        image if image.contains([':', '/']) => {
            Ok(BrokerChoice::Image(image.to_owned()))
        }
        _ => Err(Wanted(text! {
            en: "3, 4, or an image such as rabbitmq:4.2-management",
            zh: "3、4，或 rabbitmq:4.2-management 这样的镜像"
        })),
    }
}
