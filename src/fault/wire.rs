//! The wire: a TCP proxy between a client and a broker that understands frames, and breaks at a
//! chosen message.
//!
//! Scenarios open one wire per link that is to fail, give the client its address, and arm faults by
//! message id. A fault is reported only when it has really struck. The wire must not know
//! scenarios, ledgers or containers.
//!
//! # Layout
//! - `frame`: where frames begin and end · `amqp`, `stream`: what they say
//! - `channel`, `tracker`, `confirms`, `acks`, `claim`: tags, and who still owes what · `rules`:
//!   what is armed
//! - `session`: the order of a cut
//! - `lane`: bytes of one direction in and out · `pump`: sockets and time · `close`: their end
//!
//! # A reset never eats what was forwarded before
//! A reset may throw away bytes that the broker's kernel has and the broker has not read. So each
//! cut is fenced: nothing more of the client is forwarded, a harmless request (`channel.flow` on
//! every open channel, an empty metadata query on a stream connection) is sent, and only its answer
//! lets the broker's socket be reset.
//!
//! On a quorum queue that is not enough: with more than 32 commands of a channel under way,
//! RabbitMQ keeps further acks in the channel's process, and they die with it
//! (`rabbit_fifo_client`, `unsent_commands`). Cancelling the consumer hands them on. So the fence
//! cancels the consumers too, and goes out a second time for brokers that hand them on only when
//! the first acks are applied.
//!
//! Nor must a reset eat confirms that the client's kernel has and the client has not read, or the
//! client would not know what this wire says it knows. So the client gets the end of the stream
//! first, and the reset when it has closed, or after 100 ms.

mod acks;
mod amqp;
mod channel;
mod claim;
mod close;
mod confirms;
mod frame;
mod lane;
mod pump;
mod rules;
mod session;
mod stream;
mod tracker;

use self::pump::Connection;
use self::rules::{Report, Rules};
use self::session::{Book, Session};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What is spoken on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// AMQP 0-9-1. A message is named by its `message-id` property.
    Amqp,
    /// RabbitMQ's stream protocol. A message is named by its publishing id in decimal.
    Stream,
}

/// What happens to the connection that carries a chosen message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WireFault {
    /// The publish is not forwarded; the connection is cut. On a stream the whole `Publish` frame
    /// is kept back.
    CutBeforePublish,
    /// The publish is forwarded; the broker's confirm that covers it is seen, withheld, and the
    /// connection cut.
    CutBeforeConfirm,
    /// The confirm is seen and withheld; the connection stays up and the client waits in vain.
    /// Confirms of other messages pass, a `multiple` one as single ones.
    SwallowConfirm,
    /// The consumer's ack of this message is swallowed, then the connection is cut while its tag is
    /// open. An ack with `multiple` is swallowed whole.
    SwallowAckThenCut,
    /// The consumer's ack of this message is swallowed and the connection stays. It strikes when
    /// channel or connection end with the tag still open, and misses when a later ack covers it.
    SwallowAck,
}

/// A fault that has really struck: the message met it, and what the fault promises was verified.
#[derive(Clone, Debug)]
pub struct Struck {
    /// The name of the wire.
    pub wire: Arc<str>,
    /// What was armed.
    pub fault: WireFault,
    /// The message that it was armed for.
    pub message: String,
    /// The other forwarded publishes of the connection whose confirm did not reach the client, one
    /// entry a publish, in the order of channels and tags. Empty for [`WireFault::SwallowConfirm`].
    pub also: Vec<String>,
    /// The other deliveries of the connection that were unacknowledged at its end: the broker
    /// delivers them again.
    pub open: Vec<String>,
    /// Whether the broker is known to have handled all that was forwarded before the sockets were
    /// closed. `false` when the fence went unanswered for two seconds: then forwarded publishes and
    /// acks may be lost too.
    pub fenced: bool,
    /// The connection's number on this wire, counted from 1.
    pub connection: u64,
    /// When the sockets were closed; where none is closed, when the confirm was withheld.
    pub at: Instant,
}

/// Why a fault that had met its message did not strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissReason {
    /// The broker refused the publish: there was no confirm to withhold.
    Nacked,
    /// The consumer rejected the delivery instead of acknowledging it, or had it redelivered.
    Refused,
    /// A later ack covered the swallowed one.
    Covered,
}

/// A fault that met its message and did not strike. It is disarmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// What was armed.
    pub fault: WireFault,
    /// The message that it was armed for.
    pub message: String,
    /// Why it did not strike.
    pub reason: MissReason,
    /// The connection's number on this wire, counted from 1.
    pub connection: u64,
}

macro_rules! traffic {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// What has passed a wire since it was opened, all connections together.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Traffic { $($(#[$doc])* pub $field: u64,)* }

        impl std::ops::AddAssign for Traffic {
            fn add_assign(&mut self, other: Self) { $(self.$field += other.$field;)* }
        }
    };
}

traffic! {
    /// Connections accepted and not refused.
    connections,
    /// Connections cut by a fault or by [`Wire::cut`].
    cuts,
    /// Those of them whose fence was not answered in time (2 s): whether the
    /// broker has dealt with all that was forwarded is not known.
    unfenced,
    /// Connections that ceased to be parseable: they are passed on unread, and no fault strikes
    /// there.
    unparsed,
    /// Publishes forwarded to the broker; on a stream, messages with a publishing id.
    publishes,
    /// Confirm frames of the broker, withheld ones included.
    confirm_frames,
    /// Publishes covered by those.
    confirmed,
    /// Publishes that the broker refused.
    nacked,
    /// Publishes that the broker returned as unroutable.
    returns,
    /// Deliveries of the broker, answers to `basic.get` included; on a stream, chunks.
    deliveries,
    /// `basic.get` requests.
    gets,
    /// `basic.cancel-ok` of the broker: from here on that consumer is sent no more.
    cancelled,
    /// Acks of consumers, in frames, swallowed ones included.
    consumer_acks,
    /// Bytes written to the broker.
    bytes_to_broker,
    /// Bytes written to clients.
    bytes_to_client,
    /// Frames of clients, heartbeats included, fences not.
    frames_to_broker,
    /// Frames of the broker, heartbeats included.
    frames_to_client,
    /// Times that a client spoke after the broker had: what it sent without hearing anything in
    /// between is one turn. Heartbeats and what a client never got do not count. A client that
    /// waits for each answer makes a turn, and a round trip, of each; over a link whose
    /// [delay](Wire::delay) is long beside the time that a client needs for itself, that is so of
    /// any client.
    turns,
}

/// A fault proxy in front of one broker address. Dropping it resets its connections, unfenced.
#[must_use = "dropping a wire closes it"]
pub struct Wire {
    shared: Arc<Shared>,
    addr: SocketAddr,
    listener: JoinHandle<()>,
}

/// The state of the link as a whole.
#[derive(Clone, Copy, Debug, Default)]
struct Link {
    frozen: bool,
    delay: Option<Duration>,
    refuse: bool,
}

/// What the connections of a wire share.
struct Shared {
    name: Arc<str>,
    upstream: SocketAddr,
    protocol: Protocol,
    on_strike: Box<dyn Fn(Struck) + Send + Sync>,
    rules: Mutex<Rules>,
    traffic: Mutex<Traffic>,
    missed: Mutex<Vec<Missed>>,
    connections: Mutex<BTreeMap<u64, Arc<Connection>>>,
    link: watch::Sender<Link>,
    shutdown: watch::Sender<bool>,
}

impl Wire {
    /// Listens on a free port of 127.0.0.1 and connects every client to `upstream`. `on_strike` is
    /// called in the connection's task whenever a fault has struck, after the sockets are closed:
    /// it must be quick.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn open(
        name: &str,
        upstream: SocketAddr,
        protocol: Protocol,
        on_strike: impl Fn(Struck) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            name: name.into(),
            upstream,
            protocol,
            on_strike: Box::new(on_strike),
            rules: Mutex::default(),
            traffic: Mutex::default(),
            missed: Mutex::default(),
            connections: Mutex::default(),
            link: watch::Sender::new(Link::default()),
            shutdown: watch::Sender::new(false),
        });
        let listener = tokio::spawn(listen(listener, Arc::clone(&shared)));
        Ok(Self { shared, addr, listener })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Arms `fault` for the message, once. Many may be armed, also several for one message.
    pub fn arm(&self, message: impl Into<String>, fault: WireFault) {
        lock(&self.shared.rules).arm(message.into(), fault);
    }

    /// Takes back what is armed and has not met its message. A [`WireFault::SwallowAck`] that has,
    /// may still strike.
    pub fn disarm_all(&self) {
        lock(&self.shared.rules).disarm_all();
    }

    /// What is armed and has not met its message yet, sorted by message.
    #[must_use]
    pub fn armed(&self) -> Vec<(String, WireFault)> {
        lock(&self.shared.rules).list()
    }

    /// The faults that have met their message and not struck, so far.
    #[must_use]
    pub fn missed(&self) -> Vec<Missed> {
        lock(&self.shared.missed).clone()
    }

    /// Forwards what clients have written, fences, then resets every live connection; returns how
    /// many. Resolves when both sockets of each are closed and strikes were reported: usually in
    /// some 10 ms, after little more than two seconds at the latest. On a frozen link what clients
    /// have written is not forwarded.
    pub async fn cut(&self) -> usize {
        let live: Vec<_> =
            lock(&self.shared.connections).values().cloned().collect();
        let drain = !self.shared.link.borrow().frozen;
        live.iter().for_each(|connection| connection.cut(drain));
        for connection in &live {
            connection.closed().await;
        }
        live.len()
    }

    /// Moves no more bytes, either way; sockets stay open. A burst that is being written is still
    /// finished.
    pub fn freeze(&self) {
        self.shared.link.send_modify(|link| link.frozen = true);
    }

    /// Ends a freeze: what was written meanwhile goes on its way.
    pub fn thaw(&self) {
        self.shared.link.send_modify(|link| link.frozen = false);
    }

    /// Delays every burst that is read, in each direction; `None` ends it.
    pub fn delay(&self, delay: Option<Duration>) {
        self.shared.link.send_modify(|link| link.delay = delay);
    }

    /// Whether new connections are reset. Those that are open stay.
    pub fn refuse(&self, refuse: bool) {
        self.shared.link.send_modify(|link| link.refuse = refuse);
    }

    /// What has passed so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        *lock(&self.shared.traffic)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.listener.abort();
        self.shared.shutdown.send_replace(true);
    }
}

impl Shared {
    /// Adds up what a connection counted, and tells what it has to tell.
    fn tell(&self, connection: u64, book: Book) {
        *lock(&self.traffic) += book.traffic;
        for report in book.reports {
            match report {
                Report::Strike { fault, message, also, open, fenced } => {
                    let (wire, at) = (Arc::clone(&self.name), Instant::now());
                    (self.on_strike)(Struck {
                        wire,
                        fault,
                        message,
                        also,
                        open,
                        fenced,
                        connection,
                        at,
                    });
                }
                Report::Miss { fault, message, reason } => {
                    lock(&self.missed).push(Missed {
                        fault,
                        message,
                        reason,
                        connection,
                    });
                }
            }
        }
    }

    fn register(&self) -> Arc<Connection> {
        let mut traffic = lock(&self.traffic);
        traffic.connections += 1;
        let connection = Arc::new(Connection::new(
            traffic.connections,
            Session::new(self.protocol),
        ));
        drop(traffic);
        lock(&self.connections)
            .insert(connection.number, Arc::clone(&connection));
        connection
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => admit(&shared, client),
            // No descriptors left, or a client that is gone again: neither lasts.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

fn admit(shared: &Arc<Shared>, client: TcpStream) {
    if shared.link.borrow().refuse {
        return close::reset(&client);
    }
    let connection = shared.register();
    tokio::spawn(pump::serve(Arc::clone(shared), connection, client));
}

/// Locks, also after a panic elsewhere: what these hold is never left half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
