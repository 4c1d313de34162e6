//! A record that can be handed on: without what is private to the machine it
//! was made on.

use std::borrow::Cow;

use crate::event::{Event, Stamped};

/// Something of the machine that is still there, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Private {
    /// The line of the record, from 1.
    pub line: usize,
    /// What was found.
    pub found: String,
}

/// The events without paths, logins, mirrors and other people's guesses, in
/// the same order. `secrets` are words that may not be left in any of them:
/// the machine's name, the home and the state directory.
///
/// # Errors
/// The first event in which something private is left.
pub fn to_hand_on(
    events: Vec<Stamped>,
    secrets: &[String],
) -> Result<Vec<Stamped>, Private> {
    let events: Vec<Stamped> = events.into_iter().filter_map(public).collect();
    for (stamped, line) in events.iter().zip(1..) {
        let Ok(told) = serde_json::to_string(stamped) else {
            return Err(Private { line, found: "-".to_owned() });
        };
        let found = secrets
            .iter()
            .map(String::as_str)
            .chain(PLACES.iter().copied())
            .find(|secret| holds(&told, secret));
        if let Some(found) = found {
            return Err(Private { line, found: found.to_owned() });
        }
    }
    Ok(events)
}

/// Whether a secret stands in it, and not only inside of a word: a machine
/// may be called `vm`.
fn holds(told: &str, secret: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let word = |c: Option<char>| c.is_some_and(is_part);
    let mut found = told.match_indices(secret);
    !secret.is_empty()
        && found.any(|(at, _)| {
            let after = told[at + secret.len()..].chars().next();
            let inside = |edge: Option<char>, next| word(edge) && word(next);
            !inside(told[..at].chars().next_back(), secret.chars().next())
                && !inside(secret.chars().next_back(), after)
                || PLACES.contains(&secret)
        })
}

/// Where a person's own files are.
const PLACES: &[&str] =
    &["\"/", " /home/", " /root/", " /tmp/", " /Users/", " /var/folders/"];

fn public(mut stamped: Stamped) -> Option<Stamped> {
    match &mut stamped.event {
        // Lines of a build name mirrors; guesses are somebody's own.
        Event::Progress { .. } | Event::Predicted { .. } => return None,
        Event::RunStarted { record, .. } => record.clear(),
        Event::StageUp { services, management, places, .. } => {
            *management = None;
            places.clear();
            for service in services {
                service.image = without_host(&service.image).into_owned();
            }
        }
        Event::Verdict(ended) => ended.broker_log = None,
        Event::Sample { gauges, .. } => {
            // What the eye can tell apart in a curve.
            gauges.values_mut().for_each(|value| {
                *value = (*value * 10.0).round() / 10.0;
            });
        }
        _ => {}
    }
    Some(stamped)
}

/// An image's name without the registry's host.
fn without_host(image: &str) -> Cow<'_, str> {
    match image.split_once('/') {
        // As Docker tells a host from a part of the name.
        Some((host, rest))
            if host.contains(['.', ':']) || host == "localhost" =>
        {
            Cow::Borrowed(rest)
        }
        _ => Cow::Borrowed(image),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn nothing_of_the_machine_is_handed_on() {
        let handed = to_hand_on(sample::topic(), &["student".to_owned()]);
        let told = format!("{:?}", handed.unwrap_or_default());
        for private in ["/home/", "pUq3-kk2e-9sFa", "Starting broker"] {
            assert!(!told.contains(private), "{private} in {told}");
        }
        assert!(told.contains("RunEnded"), "{told}");
    }

    #[test]
    fn what_cannot_be_left_out_is_named_with_its_line() {
        let secrets = ["mark-first".to_owned()];
        let found = to_hand_on(sample::single(20), &secrets);
        let private = found.map_err(|private| (private.line, private.found));
        assert_eq!(private.map(|_| ()), Err((1, "mark-first".to_owned())));
    }

    #[test]
    fn a_short_name_inside_of_a_word_is_no_secret() {
        let command = "rabbitmqctl set_vm_memory_high_watermark";
        assert!(!holds(command, "vm"));
        assert!(holds("rabbit@vm is up", "vm"));
        assert!(holds("vm", "vm"));
        assert!(!holds(command, ""));
    }

    #[test]
    fn an_images_name_loses_only_its_host() {
        for (image, handed) in [
            ("rabbitmq:4.3-management", "rabbitmq:4.3-management"),
            ("rmq-lab-debian/redis:8", "rmq-lab-debian/redis:8"),
            ("registry.example:5000/team/redis:8", "team/redis:8"),
            ("localhost/redis:8", "redis:8"),
        ] {
            assert_eq!(without_host(image), handed);
        }
    }
}
