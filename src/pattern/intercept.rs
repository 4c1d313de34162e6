//! A chain of interceptors around a publisher.
//!
//! *When:* several things have to look at every message on its way out:
//! dropping duplicates, stamping, tracing. *Cost:* what the interceptors
//! cost. *Does not protect from:* duplicates made behind it. A resend after
//! an unknown confirm is one message to the chain and two to the queue, and
//! a process without the chain knows nothing of it. A classic or quorum queue
//! drops no duplicates itself: `message-id` means nothing to it.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{
    dedup::{Lease, Marks},
    publisher::{Answer, Outgoing},
};
use crate::ledger::{Fact, Witness};

/// What an interceptor says to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Let it go on.
    On,
    /// It is out already: drop it.
    Drop,
    /// Somebody is publishing it just now, and may yet fail: neither publish
    /// it nor call it done; let the caller ask again.
    Busy,
}

/// Why an interceptor could not say anything.
pub type InterceptError = Box<dyn std::error::Error + Send + Sync>;

/// Looks at a message before it is published, and hears how that ended.
pub trait Interceptor: Send {
    /// Looks at `message`, may change it, and says whether it goes on.
    fn before<'a>(
        &'a mut self,
        message: &'a mut Outgoing,
    ) -> BoxFuture<'a, Result<Pass, InterceptError>>;

    /// Hears the broker's last answer to `message`.
    fn after<'a>(
        &'a mut self,
        _message: &'a Outgoing,
        _answer: Answer,
    ) -> BoxFuture<'a, Result<(), InterceptError>> {
        Box::pin(async { Ok(()) })
    }
}

/// Interceptors, asked in order; the first that does not say [`Pass::On`]
/// ends it.
#[derive(Default)]
pub struct Chain(Vec<Box<dyn Interceptor>>);

impl Chain {
    /// With one more interceptor at the end.
    #[must_use]
    pub fn then(mut self, interceptor: impl Interceptor + 'static) -> Self {
        self.0.push(Box::new(interceptor));
        self
    }

    /// Asks each interceptor.
    ///
    /// # Errors
    /// The first interceptor's that fails.
    pub async fn before(
        &mut self,
        message: &mut Outgoing,
    ) -> Result<Pass, InterceptError> {
        for interceptor in &mut self.0 {
            match interceptor.before(message).await? {
                Pass::On => {}
                stop => return Ok(stop),
            }
        }
        Ok(Pass::On)
    }

    /// Tells each interceptor how the publish ended, the last one first.
    ///
    /// # Errors
    /// The first interceptor's that fails.
    pub async fn after(
        &mut self,
        message: &Outgoing,
        answer: Answer,
    ) -> Result<(), InterceptError> {
        for interceptor in self.0.iter_mut().rev() {
            interceptor.after(message, answer).await?;
        }
        Ok(())
    }
}

/// Drops a message whose id was published before, on whichever process with
/// this interceptor.
///
/// It leases the id before the publish and marks it after the confirm. Marked
/// before, a crash in between would drop the customer's retry: lost. With a
/// lease the retry passes once the lease has run out, at the price of a
/// duplicate where the broker had it: the consumer has to be idempotent.
pub struct DropDuplicates {
    /// Ids being published (for the time to live of these marks) and ids
    /// that are out.
    pub published: Marks,
    /// Who wants to know.
    pub witness: Arc<dyn Witness>,
}

impl Interceptor for DropDuplicates {
    fn before<'a>(
        &'a mut self,
        message: &'a mut Outgoing,
    ) -> BoxFuture<'a, Result<Pass, InterceptError>> {
        Box::pin(async move {
            match self.published.lease(message.id).await? {
                Lease::Ours => Ok(Pass::On),
                Lease::Busy => Ok(Pass::Busy),
                Lease::Done => {
                    self.witness.saw(message.id, Fact::Dropped);
                    Ok(Pass::Drop)
                }
            }
        })
    }

    fn after<'a>(
        &'a mut self,
        message: &'a Outgoing,
        answer: Answer,
    ) -> BoxFuture<'a, Result<(), InterceptError>> {
        Box::pin(async move {
            match answer {
                Answer::Confirmed => self.published.done(message.id).await?,
                // It is not out, or not known to be: a retry must pass.
                Answer::Nacked | Answer::Returned | Answer::Unknown => {
                    self.published.release(message.id).await?;
                }
            }
            Ok(())
        })
    }
}
