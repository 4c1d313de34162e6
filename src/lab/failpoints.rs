//! Where a fault may strike inside a handler, in the sense of fail points:
//! named places in the code that do nothing unless they are armed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::Barrier, time::timeout};

use super::{Lab, RanOut, Strike, lock};
use crate::{
    ledger::{MessageId, Witness},
    text,
};

/// The consumer died here. Not an error of the program: the fault.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the consumer was killed over {message}")]
pub struct Killed {
    /// While it worked on this message.
    pub message: MessageId,
    /// The planned strike. It has struck once the consumer's connection is
    /// cut, and not before: whoever cuts it counts it.
    pub strike: Strike,
}

/// The places at which a fault may strike inside a handler. The handler
/// passes them in every way alike; where no strike is planned they do nothing.
#[derive(Clone)]
pub struct Failpoints {
    lab: Lab,
    meetings: Arc<Mutex<BTreeMap<MessageId, Arc<Barrier>>>>,
    fired: Arc<Mutex<BTreeSet<(MessageId, Strike)>>>,
}

/// Two consumers that hold copies of one message wait so long for each other.
const MEET_WITHIN: Duration = Duration::from_secs(10);

impl Failpoints {
    pub(super) fn of(lab: Lab) -> Self {
        Self { lab, meetings: Arc::default(), fired: Arc::default() }
    }

    /// It began, and the effect is not durable yet: the consumer may die.
    ///
    /// # Errors
    /// [`Killed`]: pass it on. Whoever runs the consumer then cuts its
    /// connection, forgets all that it knew, and starts another.
    pub fn before_commit(&self, message: MessageId) -> anyhow::Result<()> {
        self.may_strike(message, Strike::KillBeforeCommit)
    }

    /// The effect is durable, and not acked yet: the consumer may die.
    ///
    /// # Errors
    /// [`Killed`]: pass it on.
    pub fn after_commit(&self, message: MessageId) -> anyhow::Result<()> {
        self.may_strike(message, Strike::KillAfterCommit)
    }

    /// No transaction has begun: another consumer with a copy of the same
    /// message may be waited for, so that both go on at the same moment.
    ///
    /// # Errors
    /// [`RanOut`] when the other does not come.
    pub async fn before_begin(&self, message: MessageId) -> Result<(), RanOut> {
        let (lab, strike) = (&self.lab, Strike::Meet);
        if !lab.is_planned(message, strike) || lab.has_struck(message, strike) {
            return Ok(());
        }
        let both = lock(&self.meetings)
            .entry(message)
            .or_insert_with(|| Arc::new(Barrier::new(2)))
            .clone();
        match timeout(MEET_WITHIN, both.wait()).await {
            Ok(here) => {
                if here.is_leader() {
                    lab.struck(message, strike);
                }
                Ok(())
            }
            Err(_) => Err(RanOut {
                what: text! {
                    en: "a second consumer with the same message",
                    zh: "另一个持有同一消息的消费者"
                },
                limit: MEET_WITHIN,
            }),
        }
    }

    fn may_strike(
        &self,
        message: MessageId,
        strike: Strike,
    ) -> anyhow::Result<()> {
        if !self.lab.is_planned(message, strike)
            || !lock(&self.fired).insert((message, strike))
        {
            return Ok(());
        }
        self.lab.saw(message, strike.fact());
        Err(Killed { message, strike }.into())
    }
}
