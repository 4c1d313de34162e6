//! A service of the shop's own, called over HTTP: stock, points, mail,
//! invoice. Each does one thing for one order, `POST /order-0007`.
//!
//! The service is real, on a socket of the loopback address; what it does is
//! not: it takes its stated latency, then tallies that it made the effect.
//! That tally is the truth the audit asks for. So a run is slow, overloaded
//! or cut off exactly where it says, and nowhere else.
//!
//! A call that the caller gave up is worked on all the same, as in most
//! servers: a timeout says nothing of whether the effect was made.

mod caller;
mod desk;
mod door;
#[cfg(test)]
mod tests;

pub use caller::{CALL_TIMEOUT, CallFailed, Caller};

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{net::TcpSocket, sync::Mutex};

use self::{desk::Desk, door::Opening};
use super::Shelf;
use crate::ledger::{MessageId, Noun};

/// How a service works.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// How long a call is worked on, counted from its arrival.
    pub latency: Duration,
    /// How many calls are worked on at the same time; one more is refused at
    /// once with 503. `None`: as many as come.
    pub at_once: Option<usize>,
}

impl Manner {
    /// Takes this long, however many come.
    pub const fn taking(latency: Duration) -> Self {
        Self { latency, at_once: None }
    }

    /// With this many calls at the same time at most.
    pub const fn at_once(self, calls: usize) -> Self {
        Self { at_once: Some(calls), ..self }
    }

    /// What it can do in a second: calls at once / latency, μ for
    /// [`Fluid`](super::load::Fluid). Infinite where nothing limits it.
    pub fn capacity(&self) -> f64 {
        let at_once = self.at_once.and_then(|calls| u32::try_from(calls).ok());
        at_once.map_or(f64::INFINITY, |calls| {
            f64::from(calls) / self.latency.as_secs_f64()
        })
    }
}

/// What came to a service so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Calls that arrived, the refused ones too.
    pub calls: u64,
    /// Calls refused with 503: too many at the same time.
    pub refused: u64,
    /// The most calls ever worked on at the same time.
    pub most_at_once: usize,
    /// Connections that were accepted: far fewer than calls where callers
    /// keep them.
    pub connections: u64,
}

/// One service. Dropped, it ends at once, with all that it was working on.
pub struct Service {
    noun: Noun,
    address: SocketAddr,
    desk: Arc<Desk>,
    door: Mutex<Door>,
    down: AtomicBool,
    caller: Caller,
}

/// What the service has of its port.
#[derive(Default)]
struct Door {
    opening: Option<Opening>,
    /// While closed: the port, bound but not listened on. It refuses every
    /// connection, and nobody else gets the port in the meantime.
    kept: Option<TcpSocket>,
}

impl Service {
    /// Opens a service for `noun` on a free port of the loopback address,
    /// on the Tokio runtime that this is called on.
    ///
    /// # Errors
    /// When no socket can be had.
    pub fn open(noun: Noun, manner: Manner) -> anyhow::Result<Self> {
        Self::start(noun, Desk::new(manner, None))
    }

    /// Opens the stock service over a shelf: it takes for each order what
    /// `item_of` says, and answers 409 when that is sold out. An order that
    /// has its item already is answered well and takes no second one.
    ///
    /// # Errors
    /// When no socket can be had.
    pub fn open_over(
        shelf: Shelf,
        item_of: impl Fn(MessageId) -> String + Send + 'static,
        manner: Manner,
    ) -> anyhow::Result<Self> {
        let stocked = Some((shelf, Box::new(item_of) as _));
        Self::start(Noun::Stock, Desk::new(manner, stocked))
    }

    fn start(noun: Noun, desk: Desk) -> anyhow::Result<Self> {
        let desk = Arc::new(desk);
        let socket = door::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = socket.local_addr()?;
        let opening = Opening::listen(socket, &desk)?;
        Ok(Self {
            noun,
            address,
            desk,
            door: Mutex::new(Door { opening: Some(opening), kept: None }),
            down: AtomicBool::new(false),
            caller: Caller::new(address),
        })
    }

    /// What it makes.
    pub const fn noun(&self) -> Noun {
        self.noun
    }

    /// Where it listens, or will again.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Somebody who calls it; all clones share their connections.
    pub fn client(&self) -> Caller {
        self.caller.clone()
    }

    /// How often it made its effect for each order, by the order's number:
    /// the truth, whatever was answered.
    pub fn made(&self) -> BTreeMap<u32, u16> {
        self.desk.tally().made.clone()
    }

    /// Whether it has made its effect for this order.
    pub fn has_made(&self, order: MessageId) -> bool {
        self.desk.tally().made.contains_key(&order.number)
    }

    /// What came to it so far.
    pub fn load(&self) -> Load {
        self.desk.tally().load
    }

    /// Every call for this message will take `latency` instead.
    pub fn slow_for(&self, id: MessageId, latency: Duration) {
        self.desk.tally().slow.insert(id, latency);
    }

    /// Whether a call for this message took its latency of
    /// [`slow_for`](Self::slow_for) to the end, somebody waiting or not.
    pub fn was_slow(&self, id: MessageId) -> bool {
        self.desk.tally().was_slow.contains(&id)
    }

    /// Whether it is closed.
    pub fn is_down(&self) -> bool {
        self.down.load(Relaxed)
    }

    /// Goes down: what it was working on is left undone, and every caller is
    /// cut off and from then on refused. What it made stays made. Closing
    /// what is closed changes nothing.
    ///
    /// # Errors
    /// When the port could not be kept.
    pub async fn close(&self) -> anyhow::Result<()> {
        let mut door = self.door.lock().await;
        self.down.store(true, Relaxed);
        if let Some(opening) = door.opening.take() {
            opening.close().await;
            door.kept = Some(door::bind_again(self.address).await?);
        }
        Ok(())
    }

    /// Comes back on the same port. Opening what is open changes nothing.
    ///
    /// # Errors
    /// When the port cannot be listened on.
    pub async fn reopen(&self) -> anyhow::Result<()> {
        let mut door = self.door.lock().await;
        if door.opening.is_none() {
            let socket = match door.kept.take() {
                Some(kept) => kept,
                None => door::bind_again(self.address).await?,
            };
            door.opening = Some(Opening::listen(socket, &self.desk)?);
            self.down.store(false, Relaxed);
        }
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(opening) = &self.door.get_mut().opening {
            opening.cut();
        }
    }
}
