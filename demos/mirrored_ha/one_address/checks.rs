//! What the orders must come to, with and without each of the means.

use super::script::CLIENTS;
use crate::{
    lab::{
        Outcome,
        check::{every_message_confirmed, every_message_once, figure_is},
    },
    text,
    text::Text,
};

/// Whoever gets fewer of the nine has not had its share: a check that fails
/// for a moment on a busy machine takes one from it.
const SHARE: u32 = 2;

/// Each node had its share of the connections; those to the dead node broke,
/// and with the balancer all of them; every order is confirmed and there.
pub fn every_order_through_one_address(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "moved", 1)?;
    for of in ["fewest", "broken", "back"] {
        let its = outcome.figure(of)?;
        if its < f64::from(SHARE) || its > f64::from(CLIENTS - 2 * SHARE) {
            return Err(text! {
                en: "{its} of nine connections ({of}): not a share",
                zh: "九条连接里占 {its} 条（{of}）：不是一份", its = its, of = of
            });
        }
    }
    for of in ["after-node", "after-balancer", "cuts"] {
        if outcome.figure(of)? == 0.0 {
            return Err(text! {
                en: "{of}: none", zh: "{of}：一个也没有",
                of = of
            });
        }
    }
    every_message_confirmed(outcome)?;
    every_message_once(outcome)
}

/// Others came through after each fault, and what was on its way is neither
/// confirmed nor failed.
pub fn some_stay_unknown(outcome: &Outcome) -> Result<(), Text> {
    let unanswered = outcome.figure("unanswered")?;
    let (node, balancer) =
        (outcome.figure("after-node")?, outcome.figure("after-balancer")?);
    let unconfirmed =
        outcome.messages as f64 - outcome.audit.counts.confirmed as f64;
    let stay = unanswered > 0.0 && unconfirmed == unanswered;
    if stay && node > 0.0 && balancer > 0.0 {
        return Ok(());
    }
    Err(text! {
        en: "{n} unanswered, {open} not confirmed; {node} and {balancer} \
             confirmed after the faults",
        zh: "未应答 {n}，未确认 {open}；两次故障之后各确认 {node}、{balancer}",
        n = unanswered, open = unconfirmed, node = node, balancer = balancer
    })
}

/// Nothing was confirmed any more after the node died.
pub fn nobody_after_node(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "after-node", 0)
}

/// Nothing was confirmed any more after the balancer died.
pub fn nobody_after_balancer(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "after-balancer", 0)
}
