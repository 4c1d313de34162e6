//! The copy that is tried again. Pure.

use lapin::{
    BasicProperties,
    message::Delivery,
    types::{AMQPValue, FieldTable},
};

/// Which attempt a delivery is, counted from 1. Absent from the first.
pub const ATTEMPT: &str = "attempt";
/// After how many attempts it was parked.
pub const PARKED_AFTER: &str = "parked-after";
/// Why it was parked.
pub const PARKED_BECAUSE: &str = "parked-because";

/// What the broker writes into a message, and which is not true of a copy.
/// 3.10 takes an `x-death` that a client sends for its own, and may find a
/// cycle in it; 4.3 hands on an `x-delivery-count` that a client sends.
const OF_THE_BROKER: &[&str] = &[
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
    "x-delivery-count",
    "x-acquired-count",
];

/// A new message that says what a delivery said.
#[derive(Clone, Debug, PartialEq)]
pub struct Copy {
    /// What it says.
    pub body: Vec<u8>,
    /// The delivery's, persistent; without the broker's own headers, without
    /// an expiration (it would compete with the delay) and without a user id
    /// (the broker refuses another's).
    pub properties: BasicProperties,
}

impl Copy {
    /// For this attempt.
    pub fn again(delivery: &Delivery, attempt: u32) -> Self {
        let attempt = AMQPValue::LongUInt(attempt);
        Self::with(delivery, vec![(ATTEMPT, attempt)])
    }

    /// For the parking queue.
    pub fn parked(delivery: &Delivery, attempts: u32, why: &str) -> Self {
        let because = AMQPValue::LongString(why.into());
        let after = AMQPValue::LongUInt(attempts);
        let notes = vec![(PARKED_AFTER, after), (PARKED_BECAUSE, because)];
        Self::with(delivery, notes)
    }

    /// As if it had never failed.
    pub fn replayed(delivery: &Delivery) -> Self {
        Self::with(delivery, vec![])
    }

    fn with(
        delivery: &Delivery,
        notes: Vec<(&'static str, AMQPValue)>,
    ) -> Self {
        let headers = delivery.properties.headers().as_ref();
        let mut headers: FieldTable = headers
            .into_iter()
            .flat_map(|headers| headers.inner())
            .filter(|(key, _)| !is_left_out(key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect::<std::collections::BTreeMap<_, _>>()
            .into();
        for (key, value) in notes {
            headers.insert(key.into(), value);
        }
        let properties = said(&delivery.properties).with_headers(headers);
        Self { body: delivery.data.clone(), properties }
    }
}

fn is_left_out(header: &str) -> bool {
    let ours = [ATTEMPT, PARKED_AFTER, PARKED_BECAUSE];
    ours.contains(&header) || OF_THE_BROKER.contains(&header)
}

/// What the application said in the properties, but for the headers.
fn said(of: &BasicProperties) -> BasicProperties {
    const PERSISTENT: u8 = 2;
    let mut to = BasicProperties::default().with_delivery_mode(PERSISTENT);
    macro_rules! take {
        ($($get:ident, $with:ident;)+) => {
            $(if let Some(value) = of.$get() {
                to = to.$with(value.clone());
            })+
        };
    }
    take! {
        content_type, with_content_type;
        content_encoding, with_content_encoding;
        priority, with_priority;
        correlation_id, with_correlation_id;
        reply_to, with_reply_to;
        message_id, with_message_id;
        timestamp, with_timestamp;
        kind, with_type;
        app_id, with_app_id;
    }
    to
}

/// Which attempt a delivery is, counted from 1.
pub fn attempt_of(properties: &BasicProperties) -> u32 {
    let headers = properties.headers().as_ref();
    let attempt = headers.and_then(|headers| headers.inner().get(ATTEMPT));
    attempt.and_then(AMQPValue::as_long_uint).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use lapin::types::FieldArray;

    use super::*;

    fn delivery(headers: &[(&str, AMQPValue)]) -> Delivery {
        let mut table = FieldTable::default();
        for (key, value) in headers {
            table.insert((*key).into(), value.clone());
        }
        let body = b"order".to_vec();
        let mut mock =
            Delivery::mock(1, "".into(), "orders".into(), false, body);
        mock.properties = BasicProperties::default()
            .with_message_id("order-0007".into())
            .with_content_type("application/json".into())
            .with_type("order".into())
            .with_expiration("60000".into())
            .with_user_id("shop".into())
            .with_headers(table);
        mock
    }

    fn header<'a>(copy: &'a Copy, key: &str) -> Option<&'a AMQPValue> {
        copy.properties.headers().as_ref()?.inner().get(key)
    }

    #[test]
    fn a_copy_says_what_the_message_said_and_which_attempt_it_is() {
        let trace = AMQPValue::LongString("abc".into());
        let copy = Copy::again(&delivery(&[("trace", trace.clone())]), 2);
        assert_eq!(copy.body, b"order");
        assert_eq!(attempt_of(&copy.properties), 2);
        assert_eq!(header(&copy, "trace"), Some(&trace));
        let of = |value: &Option<lapin::types::ShortString>| {
            value.as_ref().map(|value| value.as_str().to_owned())
        };
        assert_eq!(
            of(copy.properties.message_id()).as_deref(),
            Some("order-0007")
        );
        assert_eq!(of(copy.properties.kind()).as_deref(), Some("order"));
        assert_eq!(copy.properties.delivery_mode(), &Some(2));
    }

    #[test]
    fn what_the_broker_wrote_is_not_copied() {
        let deaths = AMQPValue::FieldArray(FieldArray::default());
        let copy = Copy::again(
            &delivery(&[
                ("x-death", deaths),
                ("x-delivery-count", AMQPValue::LongLongInt(3)),
                ("x-of-our-own", AMQPValue::Boolean(true)),
            ]),
            2,
        );
        assert_eq!(header(&copy, "x-death"), None);
        assert_eq!(header(&copy, "x-delivery-count"), None);
        assert!(header(&copy, "x-of-our-own").is_some());
    }

    #[test]
    fn neither_its_own_expiration_nor_its_user_is_copied() {
        let copy = Copy::again(&delivery(&[]), 2);
        assert_eq!(copy.properties.expiration(), &None);
        assert_eq!(copy.properties.user_id(), &None);
    }

    #[test]
    fn what_was_never_tried_again_is_the_first_attempt() {
        assert_eq!(attempt_of(&delivery(&[]).properties), 1);
        assert_eq!(attempt_of(&BasicProperties::default()), 1);
        let nonsense = ("attempt", AMQPValue::LongString("two".into()));
        assert_eq!(attempt_of(&delivery(&[nonsense]).properties), 1);
    }

    #[test]
    fn what_is_parked_says_why_and_a_replay_says_nothing_of_it() {
        let tried = delivery(&[(ATTEMPT, AMQPValue::LongUInt(3))]);
        let mut parked = delivery(&[]);
        let copy = Copy::parked(&tried, 3, "no such street");
        let why = AMQPValue::LongString("no such street".into());
        assert_eq!(header(&copy, PARKED_BECAUSE), Some(&why));
        assert_eq!(header(&copy, PARKED_AFTER), Some(&AMQPValue::LongUInt(3)));
        parked.properties = copy.properties;
        let again = Copy::replayed(&parked);
        assert_eq!(attempt_of(&again.properties), 1);
        assert_eq!(header(&again, PARKED_BECAUSE), None);
        assert_eq!(header(&again, PARKED_AFTER), None);
    }
}
