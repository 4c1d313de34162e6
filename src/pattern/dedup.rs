//! Deduplication by Redis: marks and leases.
//!
//! *When:* a duplicate is a nuisance, not a loss of money; or in front of
//! something stronger, to save it work. *Cost:* a round trip or two per
//! message. *Does not protect from:* a crash between the mark and the effect
//! (whichever comes first), a key that expires or a Redis that forgets:
//! mark and effect lie in two systems and no order of the two is safe.
//!
//! Source: Redis documentation, "SET" (options NX, EX/PX) and "Distributed
//! Locks with Redis" (only the owner gives a lock back).

use std::{sync::Arc, time::Duration};

use redis::{
    AsyncCommands, ExistenceCheck, RedisResult, SetExpiry, SetOptions,
    aio::MultiplexedConnection,
};

use crate::ledger::{Fact, MessageId, Witness};

/// Marks under one prefix of one Redis.
#[derive(Clone)]
pub struct Marks {
    redis: MultiplexedConnection,
    prefix: String,
    ttl: Duration,
    /// Tells our leases from everybody else's.
    owner: String,
    witness: Arc<dyn Witness>,
}

/// What came of trying to lease an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It is ours until the lease runs out.
    Ours,
    /// Somebody is processing it.
    Busy,
    /// It is done.
    Done,
}

const PROCESSING: &str = "processing";
const DONE: &str = "done";
/// How long an id that is done is remembered: longer than anybody replays.
pub const RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);

impl Marks {
    /// Marks kept for `ttl` under keys that begin with `prefix`.
    pub fn new(
        redis: MultiplexedConnection,
        prefix: &str,
        ttl: Duration,
        witness: Arc<dyn Witness>,
    ) -> Self {
        let owner = format!("{PROCESSING}:{:016x}", rand::random::<u64>());
        Self { redis, prefix: prefix.to_owned(), ttl, owner, witness }
    }

    /// Marks `message`; `false` when it was marked before.
    ///
    /// # Errors
    /// What Redis says.
    pub async fn mark(&mut self, message: MessageId) -> RedisResult<bool> {
        let new = self.set_if_absent(message, DONE).await?;
        self.witness.saw(message, if new { Fact::Marked } else { Fact::Seen });
        Ok(new)
    }

    /// Whether `message` is marked.
    ///
    /// # Errors
    /// What Redis says.
    pub async fn is_marked(&mut self, message: MessageId) -> RedisResult<bool> {
        let key = self.key(message);
        let known = self.redis.exists(key).await?;
        if known {
            self.witness.saw(message, Fact::Seen);
        }
        Ok(known)
    }

    /// Leases `message` for the time to live of these marks.
    ///
    /// # Errors
    /// What Redis says.
    pub async fn lease(&mut self, message: MessageId) -> RedisResult<Lease> {
        if self.set_if_absent(message, &self.owner.clone()).await? {
            self.witness.saw(message, Fact::Leased);
            return Ok(Lease::Ours);
        }
        let state: Option<String> = self.redis.get(self.key(message)).await?;
        let (lease, fact) = match state.as_deref() {
            Some(DONE) => (Lease::Done, Fact::Seen),
            _ => (Lease::Busy, Fact::Busy),
        };
        self.witness.saw(message, fact);
        Ok(lease)
    }

    /// Turns our lease into a mark that is kept for [`RETENTION`]. A lease
    /// that ran out and went to somebody else is left to them.
    ///
    /// # Errors
    /// What Redis says.
    pub async fn done(&mut self, message: MessageId) -> RedisResult<()> {
        let retention = RETENTION.as_secs();
        let marked: bool = redis::Script::new(
            "local v = redis.call('GET', KEYS[1]) \
             if v and v ~= ARGV[1] then return 0 end \
             redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) return 1",
        )
        .key(self.key(message))
        .arg(&self.owner)
        .arg(DONE)
        .arg(retention)
        .invoke_async(&mut self.redis)
        .await?;
        if marked {
            self.witness.saw(message, Fact::Marked);
        }
        Ok(())
    }

    /// Gives our lease back; somebody else's is left alone.
    ///
    /// # Errors
    /// What Redis says.
    pub async fn release(&mut self, message: MessageId) -> RedisResult<()> {
        redis::Script::new(
            "if redis.call('GET', KEYS[1]) == ARGV[1] \
             then return redis.call('DEL', KEYS[1]) end return 0",
        )
        .key(self.key(message))
        .arg(&self.owner)
        .invoke_async(&mut self.redis)
        .await
    }

    /// How many of these messages are marked or leased.
    ///
    /// # Errors
    /// What Redis says.
    pub async fn count(&mut self, messages: &[MessageId]) -> RedisResult<u64> {
        let keys: Vec<_> = messages.iter().map(|m| self.key(*m)).collect();
        if keys.is_empty() { Ok(0) } else { self.redis.exists(keys).await }
    }

    /// Lets these marks and leases live for no more than `left` from now on.
    ///
    /// # Errors
    /// What Redis says.
    pub async fn end_within(
        &mut self,
        messages: &[MessageId],
        left: Duration,
    ) -> RedisResult<()> {
        let left = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
        for message in messages {
            let _was_there: bool =
                self.redis.pexpire(self.key(*message), left).await?;
        }
        Ok(())
    }

    async fn set_if_absent(
        &mut self,
        message: MessageId,
        value: &str,
    ) -> RedisResult<bool> {
        let ttl = u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX);
        let options = SetOptions::default()
            .conditional_set(ExistenceCheck::NX)
            .with_expiration(SetExpiry::PX(ttl));
        let set: Option<String> =
            self.redis.set_options(self.key(message), value, options).await?;
        Ok(set.is_some())
    }

    fn key(&self, message: MessageId) -> String {
        format!("{}:{message}", self.prefix)
    }
}
