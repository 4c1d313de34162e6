//! What is published while a fault lasts, and what is expected of it.

use crate::{
    lab::{
        Lab, Outcome,
        check::{every_message_confirmed, every_message_once},
    },
    ledger::MessageId,
    text,
    text::Text,
};

/// The orders before a fault, and a part of them (one in so many) for the
/// time while it lasts.
pub fn split(lab: &Lab, one_in: u32) -> (Vec<MessageId>, Vec<MessageId>) {
    let mut orders: Vec<_> = lab.messages().collect();
    let later = of_them_later(lab.count(), one_in) as usize;
    let meanwhile = orders.split_off(orders.len() - later);
    (orders, meanwhile)
}

/// How many of the orders [`split`] keeps for later.
pub fn of_them_later(messages: u32, one_in: u32) -> u32 {
    messages / one_in
}

/// As many were confirmed while the fault lasted.
pub fn confirmed_meanwhile(
    outcome: &Outcome,
    expected: u32,
) -> Result<(), Text> {
    let confirmed = outcome.figure("meanwhile")?;
    if confirmed == f64::from(expected) {
        return Ok(());
    }
    Err(text! {
        en: "{confirmed} confirmed while it lasted, not {expected}",
        zh: "故障期间确认 {confirmed} 个，而不是 {expected} 个",
        confirmed = confirmed, expected = expected
    })
}

/// All were confirmed, some of them late, and none is missing.
pub fn every_order_once(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_message_once(outcome)
}

/// Nothing was confirmed while the fault lasted, and nothing is lost.
pub fn nothing_meanwhile(outcome: &Outcome) -> Result<(), Text> {
    confirmed_meanwhile(outcome, 0)?;
    every_order_once(outcome)
}

/// All that was published while the fault lasted (one order in so many) was
/// confirmed meanwhile, and nothing is lost.
pub fn all_meanwhile(outcome: &Outcome, one_in: u32) -> Result<(), Text> {
    confirmed_meanwhile(outcome, of_them_later(outcome.messages, one_in))?;
    every_order_once(outcome)
}
