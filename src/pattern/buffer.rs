//! The buffer: messages wait in Redis until the broker has taken them over.
//!
//! *When:* a peak is too much for the database, and what is promised may be as
//! safe as Redis is. A message is accepted when it is in a stream; a [relay]
//! claims it, publishes it with confirms, and only then takes it out. What the
//! broker would not take after all resends goes to the table of messages.
//! *Cost:* a round trip to Redis for each message, and a Redis that somebody
//! has to look after. *Does not protect from:* Redis itself. What is in it is
//! as safe as its append-only file: without one a crash takes all, with
//! `appendfsync everysec` a power cut takes about the last second, and only
//! with `always` is a message on disk when its caller hears yes
//! ([`is_on_disk`](Buffer::is_on_disk)). A replica that takes over may lack
//! the last writes, and a `maxmemory-policy` that evicts may throw the stream
//! out: let it be `noeviction`, so that a full Redis says no. Nor does it
//! protect from duplicates: between the confirm and the note of it a relay may
//! die, and its successor publishes again.
//!
//! A stream and not a list: what is claimed stays in the stream, in the name
//! of whoever claimed it, until it is acknowledged. A relay that dies holding
//! it loses nothing: another [takes it over](Buffer::take_over). `LPOP` hands
//! it out and forgets it.
//!
//! [relay]: BufferRelay
//!
//! Source: Redis documentation, "Redis Streams", sections "Consumer groups"
//! and "Recovering from permanent failures"; "Redis persistence", section
//! "How durable is the append only file?"; commands `XREADGROUP`,
//! `XAUTOCLAIM` (since 6.2), `WAITAOF` (since 7.2).

mod relay;

use std::time::Duration;

use redis::{
    AsyncCommands, RedisResult,
    aio::MultiplexedConnection,
    streams::{
        StreamAutoClaimOptions, StreamAutoClaimReply, StreamId,
        StreamPendingReply, StreamRangeReply, StreamReadOptions,
        StreamReadReply,
    },
};

pub use self::relay::{BufferError, BufferRelay, Round, Settings};
use super::publisher::Outgoing;

/// A message in the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the stream.
    pub at: String,
    /// What it is.
    pub message: Outgoing,
}

/// A stream of messages, and the group of relays that work on it.
#[derive(Clone)]
pub struct Buffer {
    redis: MultiplexedConnection,
    key: String,
}

/// All relays are one group: each entry goes to one of them.
const GROUP: &str = "relays";
const ID: &str = "id";
const BODY: &str = "body";
/// From the beginning of the stream: what came before the group counts.
const FIRST: &str = "0";
/// What nobody has claimed yet.
const NEW: &str = ">";

impl Buffer {
    /// The buffer under this key.
    pub fn new(redis: MultiplexedConnection, key: &str) -> Self {
        Self { redis, key: key.to_owned() }
    }

    /// Puts a message in. It is in Redis when this returns; how safe that is,
    /// Redis's settings say.
    ///
    /// # Errors
    /// What Redis says. Where the connection broke it may be in or not: put
    /// in again it may be there twice.
    pub async fn put(&mut self, message: &Outgoing) -> RedisResult<()> {
        let id = message.id.to_string();
        let fields = [(ID, id.as_bytes()), (BODY, &message.body)];
        let _: Option<String> =
            self.redis.xadd(&self.key, "*", &fields).await?;
        Ok(())
    }

    /// Whether all that this connection has written is on the disk (fsync):
    /// what a power cut would not take. Does not wait for it.
    ///
    /// # Errors
    /// What Redis says; one that is older than 7.2 does not know.
    pub async fn is_on_disk(&mut self) -> RedisResult<bool> {
        // Inside MULTI it answers at once.
        let synced: RedisResult<((u32, u32),)> = redis::pipe()
            .atomic()
            .cmd("WAITAOF")
            .arg(&[1, 0, 1])
            .query_async(&mut self.redis)
            .await;
        match synced {
            Ok(((disks, _),)) => Ok(disks > 0),
            Err(error) if says(&error, "appendonly is disabled") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Claims at most so many messages that nobody has claimed. They stay in
    /// the buffer, in the name of this relay, until they are
    /// [done](Self::done).
    ///
    /// # Errors
    /// What Redis says.
    pub async fn claim(
        &mut self,
        relay: &str,
        most: usize,
    ) -> RedisResult<Vec<Entry>> {
        let options =
            StreamReadOptions::default().group(GROUP, relay).count(most);
        let mut read = self.read(&options).await;
        if read.as_ref().is_err_and(|error| error.code() == Some("NOGROUP")) {
            self.make_group().await?;
            read = self.read(&options).await;
        }
        let keys = read?.unwrap_or_default().keys.into_iter();
        Ok(entries(keys.flat_map(|key| key.ids)))
    }

    /// Takes messages out: acknowledged and gone, in one transaction. What is
    /// out already is no error.
    ///
    /// # Errors
    /// What Redis says. They are then claimed still, and taken over later.
    pub async fn done(&mut self, entries: &[Entry]) -> RedisResult<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let at: Vec<_> = entries.iter().map(|entry| &entry.at).collect();
        redis::pipe()
            .atomic()
            .xack(&self.key, GROUP, &at)
            .ignore()
            .xdel(&self.key, &at)
            .ignore()
            .query_async(&mut self.redis)
            .await
    }

    /// Takes over at most so many messages that a relay has claimed and not
    /// touched for so long: it is dead. Choose it longer than a relay works
    /// on what it has claimed, or two relays publish the same.
    ///
    /// # Errors
    /// What Redis says.
    pub async fn take_over(
        &mut self,
        relay: &str,
        idle: Duration,
        most: usize,
    ) -> RedisResult<Vec<Entry>> {
        let idle = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        let options = StreamAutoClaimOptions::default().count(most);
        let claimed: RedisResult<StreamAutoClaimReply> = self
            .redis
            .xautoclaim_options(&self.key, GROUP, relay, idle, FIRST, options)
            .await;
        match claimed {
            Ok(claimed) => Ok(entries(claimed.claimed)),
            Err(error) if error.code() == Some("NOGROUP") => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// All that is in it, claimed or not, oldest first.
    ///
    /// # Errors
    /// What Redis says.
    pub async fn held(&mut self) -> RedisResult<Vec<Entry>> {
        let all: StreamRangeReply =
            self.redis.xrange(&self.key, "-", "+").await?;
        Ok(entries(all.ids))
    }

    /// How many messages are in it, claimed or not.
    ///
    /// # Errors
    /// What Redis says.
    pub async fn waiting(&mut self) -> RedisResult<usize> {
        self.redis.xlen(&self.key).await
    }

    /// How many of them are claimed.
    ///
    /// # Errors
    /// What Redis says.
    pub async fn claimed(&mut self) -> RedisResult<usize> {
        let pending: RedisResult<StreamPendingReply> =
            self.redis.xpending(&self.key, GROUP).await;
        match pending {
            Ok(pending) => Ok(pending.count()),
            Err(error) if error.code() == Some("NOGROUP") => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn read(
        &mut self,
        options: &StreamReadOptions,
    ) -> RedisResult<Option<StreamReadReply>> {
        self.redis.xread_options(&[&self.key], &[NEW], options).await
    }

    /// A Redis that has forgotten everything takes messages again before it
    /// knows the group; they count, too.
    async fn make_group(&mut self) -> RedisResult<()> {
        let made: RedisResult<()> =
            self.redis.xgroup_create_mkstream(&self.key, GROUP, FIRST).await;
        match made {
            // Another relay was quicker.
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            made => made,
        }
    }
}

/// What is no message is left in the stream, claimed, for a person to look at
/// (`XPENDING`).
fn entries(ids: impl IntoIterator<Item = StreamId>) -> Vec<Entry> {
    let entry = |entry: StreamId| {
        let id: String = entry.get(ID)?;
        let (id, body) = (id.parse().ok()?, entry.get(BODY)?);
        Some(Entry { at: entry.id, message: Outgoing { id, body } })
    };
    ids.into_iter().filter_map(entry).collect()
}

fn says(error: &redis::RedisError, what: &str) -> bool {
    error.to_string().contains(what)
}
