//! The name of a message: what it is about, and its number.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a message of the shop is about.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Noun {
    /// An order placed by a customer.
    Order,
    /// Money that moves from a customer to the shop.
    Payment,
    /// Goods taken from the shelf.
    Stock,
    /// Points put to a customer's credit.
    Points,
    /// A bill.
    Invoice,
    /// A mail to the customer.
    Mail,
}

impl Noun {
    const ALL: [Self; 6] = [
        Self::Order,
        Self::Payment,
        Self::Stock,
        Self::Points,
        Self::Invoice,
        Self::Mail,
    ];

    /// The id of the message with this number.
    pub const fn number(self, number: u32) -> MessageId {
        MessageId { noun: self, number }
    }

    /// The noun as it stands in a message id.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Payment => "payment",
            Self::Stock => "stock",
            Self::Points => "points",
            Self::Invoice => "invoice",
            Self::Mail => "mail",
        }
    }
}

/// A business id, minted once before the first attempt: `payment-0010`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
)]
#[serde(into = "String", try_from = "String")]
pub struct MessageId {
    /// What it is about.
    pub noun: Noun,
    /// Its number, from 1.
    pub number: u32,
}

impl MessageId {
    /// The id of payment `number`.
    pub const fn payment(number: u32) -> Self {
        Self { noun: Noun::Payment, number }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:04}", self.noun.as_str(), self.number)
    }
}

/// A string that names no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a message id such as \"payment-0010\"")]
pub struct NotAMessageId(pub String);

impl FromStr for MessageId {
    type Err = NotAMessageId;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        let wrong = || NotAMessageId(id.to_owned());
        let (noun, number) = id.rsplit_once('-').ok_or_else(wrong)?;
        let noun = Noun::ALL
            .into_iter()
            .find(|n| n.as_str() == noun)
            .ok_or_else(wrong)?;
        // Rust would read "+5" as well, which is another string.
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number =
            number.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
        Ok(Self { noun, number })
    }
}

impl From<MessageId> for String {
    fn from(id: MessageId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for MessageId {
    type Error = NotAMessageId;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        id.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_by_the_name_it_shows() {
        for noun in Noun::ALL {
            for number in [0, 1, 42, 9_999, 10_000, u32::MAX] {
                let id = MessageId { noun, number };
                assert_eq!(id.to_string().parse(), Ok(id));
            }
        }
        assert_eq!(MessageId::payment(10).to_string(), "payment-0010");
        assert_eq!("payment-10".parse(), Ok(MessageId::payment(10)));
    }

    #[test]
    fn what_is_no_name_is_refused_in_words() {
        for wrong in [
            "",
            "-",
            "payment",
            "payment-",
            "-1",
            "payment-x",
            "payment-+5",
            "payment--5",
            "payment- 5",
            "Payment-1",
            "foo-1",
            "payment-4294967296",
            "payment-0001-0002",
            "payment-１",
        ] {
            let refused = wrong.parse::<MessageId>().unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!(
                    "{wrong:?} is not a message id such as \"payment-0010\""
                )
            );
        }
    }
}
