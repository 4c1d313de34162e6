//! What may be typed for an option, and what to say of anything else.

use std::time::Duration;

use crate::{lab::run::MOST_MESSAGES, stage::BrokerChoice};

/// How many messages each way sends.
pub fn messages(typed: &str) -> Result<u32, String> {
    match typed.parse() {
        Ok(number) if (1..=MOST_MESSAGES).contains(&number) => Ok(number),
        _ => Err(format!("a whole number from 1 to {MOST_MESSAGES}")),
    }
}

/// The level of questions.
pub fn level(typed: &str) -> Result<u8, String> {
    match typed.parse() {
        Ok(level @ 1..=3) => Ok(level),
        _ => Err("1, 2 or 3".to_owned()),
    }
}

/// A seed of every random choice.
pub fn seed(typed: &str) -> Result<u64, String> {
    typed.parse().map_err(|_| format!("a whole number from 0 to {}", u64::MAX))
}

/// The time between two steps.
pub fn pace(typed: &str) -> Result<Duration, String> {
    match humantime::parse_duration(typed) {
        Ok(pace) if pace <= Duration::from_secs(600) => Ok(pace),
        Ok(_) => Err("at most 10m".to_owned()),
        Err(_) => Err("a time such as 2s or 500ms".to_owned()),
    }
}

/// How many times as fast as it was.
pub fn speed(typed: &str) -> Result<f64, String> {
    match typed.trim_end_matches('x').parse::<f64>() {
        Ok(speed) if (0.1..=1_000.0).contains(&speed) => Ok(speed),
        _ => Err("a number from 0.1 to 1000".to_owned()),
    }
}

/// A series of RabbitMQ, or somebody's own image.
pub fn broker(typed: &str) -> Result<BrokerChoice, String> {
    match typed {
        "4" => Ok(BrokerChoice::Four),
        "3" => Ok(BrokerChoice::Three),
        image if image.contains([':', '/']) => {
            Ok(BrokerChoice::Image(image.to_owned()))
        }
        _ => {
            Err("3, 4, or an image such as rabbitmq:4.2-management".to_owned())
        }
    }
}
