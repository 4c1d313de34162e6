//! A way's planned strikes: which are armed, and which have struck.

use super::{Failpoints, Lab, Plan, Strike, lock};
use crate::{
    event::Event,
    ledger::{MessageId, Witness},
};

impl Lab {
    /// Which messages are to be struck, and how.
    pub fn plan(&self) -> &Plan {
        &self.0.plan
    }

    /// Whether `strike` is planned for `message`, and armed.
    pub fn is_planned(&self, message: MessageId, strike: Strike) -> bool {
        self.0.armed && self.0.plan.has(message, strike)
    }

    /// Notes that a planned strike has struck: the fact, and the hit.
    /// Anything that was not planned is a fact and counts as no hit.
    pub fn struck(&self, message: MessageId, strike: Strike) {
        self.saw(message, strike.fact());
        self.hit(message, strike);
    }

    /// Counts a planned strike whose fact was noted before, once it is known
    /// that it really struck.
    pub fn hit(&self, message: MessageId, strike: Strike) {
        if self.is_planned(message, strike)
            && lock(&self.0.hits).insert((Some(message), strike))
        {
            let (way, what) = (self.0.way, strike.fact());
            let message = Some(message);
            self.0.narrator.tell(Event::Struck { way, message, what });
        }
    }

    /// Whether it has struck already.
    pub fn has_struck(&self, message: MessageId, strike: Strike) -> bool {
        lock(&self.0.hits).contains(&(Some(message), strike))
    }

    /// Whether `strike` is to hit the stage as a whole, and armed.
    pub fn is_armed(&self, strike: Strike) -> bool {
        self.0.armed && self.0.plan.has_once(strike)
    }

    /// Counts a strike on the stage as a whole, once it is known that it
    /// really struck.
    pub fn struck_once(&self, strike: Strike) {
        if self.is_armed(strike) && lock(&self.0.hits).insert((None, strike)) {
            let (way, what) = (self.0.way, strike.fact());
            let message = None;
            self.0.narrator.tell(Event::Struck { way, message, what });
        }
    }

    /// How many planned strikes have struck.
    pub fn hits(&self) -> u32 {
        u32::try_from(lock(&self.0.hits).len()).unwrap_or(u32::MAX)
    }

    /// Where a fault may strike inside a handler. Consumers that are to meet
    /// share one.
    pub fn failpoints(&self) -> Failpoints {
        Failpoints::of(self.clone())
    }
}
