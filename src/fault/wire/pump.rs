//! Moves the bytes of one connection, and closes its sockets the way the state machine wants.
//!
//! Started by the listener, one task a connection. It must not know what a frame means: it reads,
//! lets the lane and the session decide, writes, and watches the clock of a cut.

use super::close::{End, FAREWELL, finish_writing, part, reset};
use super::frame::Direction;
use super::lane::{Lane, Output};
use super::session::{Phase, Session};
use super::{Shared, lock};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

/// How long a cut waits, in all, for the fence to be answered.
const FENCE_LIMIT: Duration = Duration::from_secs(2);
/// A client that writes nothing for so long has written what it wrote before the cut.
const QUIET: Duration = Duration::from_millis(5);
/// How long a client that never falls quiet is listened to.
const DRAIN_LIMIT: Duration = Duration::from_millis(100);
/// One live connection, as the wire sees it.
pub(super) struct Connection {
    pub(super) number: u64,
    session: Mutex<Session>,
    cutting: watch::Sender<bool>,
    /// In a cut, the phase may have changed.
    turn: Notify,
    closed: watch::Sender<bool>,
}

impl Connection {
    pub(super) fn new(number: u64, session: Session) -> Self {
        let (cutting, closed) =
            (watch::Sender::new(false), watch::Sender::new(false));
        Self {
            number,
            session: Mutex::new(session),
            cutting,
            turn: Notify::new(),
            closed,
        }
    }

    /// Asks for a cut; with `drain`, what the client wrote before is forwarded first.
    pub(super) fn cut(&self, drain: bool) {
        lock(&self.session).begin_cut(drain);
        self.cutting.send_replace(true);
    }

    /// Resolves when both sockets are closed and every strike was reported.
    pub(super) async fn closed(&self) {
        wait_for(&self.closed).await;
    }

    fn phase(&self) -> Phase {
        lock(&self.session).phase()
    }
}

/// Serves one accepted client until both sockets are closed.
pub(super) async fn serve(
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    client: TcpStream,
) {
    let _gone = Gone { shared: &shared, connection: &connection };
    let broker = tokio::select! {
        broker = TcpStream::connect(shared.upstream) => broker,
        () = wait_for(&connection.cutting) => Err(io::ErrorKind::ConnectionAborted.into()),
        () = wait_for(&shared.shutdown) => return reset(&client),
    };
    match broker {
        Ok(broker) => {
            let (shared, connection) = (&*shared, &*connection);
            let pump =
                Pump { shared, connection, client: &client, broker: &broker };
            let end = pump.run().await;
            let cutting = *connection.cutting.borrow();
            part(if cutting { end.in_a_cut() } else { end }, client, broker)
                .await;
        }
        Err(_) => {
            reset(&client);
            drop(client);
        }
    }
    let mut session = lock(&connection.session);
    session.finish();
    let mut book = session.take_book(true);
    drop(session);
    book.traffic.cuts += u64::from(*connection.cutting.borrow());
    shared.tell(connection.number, book);
}

/// Takes the connection off the list, whichever way its task ends.
struct Gone<'a> {
    shared: &'a Shared,
    connection: &'a Connection,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        lock(&self.shared.connections).remove(&self.connection.number);
        self.connection.closed.send_replace(true);
    }
}

struct Pump<'a> {
    shared: &'a Shared,
    connection: &'a Connection,
    client: &'a TcpStream,
    broker: &'a TcpStream,
}

impl Pump<'_> {
    /// Moves bytes both ways until the end.
    async fn run(&self) -> End {
        // Small frames matter more than full segments here.
        let _ = (self.client.set_nodelay(true), self.broker.set_nodelay(true));
        let mut up = pin!(self.to_broker());
        let mut down = pin!(self.to_client());
        let mut end = tokio::select! {
            end = &mut up => end,
            end = &mut down => end,
            () = self.fence_runs_out() => End::Cut,
            () = wait_for(&self.shared.shutdown) => End::Shutdown,
        };
        end = match end {
            End::BrokerDeaf => {
                timeout(FAREWELL, &mut down).await.unwrap_or(End::BrokerReset)
            }
            End::ClientDeaf => {
                timeout(FAREWELL, &mut up).await.unwrap_or(End::ClientGone)
            }
            End::ClientGone => {
                // No reset: it could overtake what was forwarded.
                finish_writing(self.broker);
                let _ = timeout(FAREWELL, &mut down).await;
                End::ClientGone
            }
            end => end,
        };
        end
    }

    async fn fence_runs_out(&self) {
        wait_for(&self.connection.cutting).await;
        sleep(FENCE_LIMIT).await;
    }

    async fn to_broker(&self) -> End {
        let mut lane = Lane::new(self.shared.protocol, Direction::ToBroker);
        loop {
            let step = match self.connection.phase() {
                Phase::Open => self.carry_up(&mut lane).await,
                Phase::Draining => self.drain(&mut lane).await,
                Phase::Settling => self.settle(&mut lane).await,
                Phase::Fencing => {
                    self.connection.turn.notified().await;
                    Ok(())
                }
                Phase::Over => Err(End::Cut),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// One read of the client, and what comes of it. Returns early when a cut begins.
    async fn carry_up(&self, lane: &mut Lane) -> Result<(), End> {
        tokio::select! {
            biased;
            () = wait_for(&self.connection.cutting) => return Ok(()),
            ready = self.readable(self.client) => if ready.is_err() { return Err(End::ClientGone) },
        }
        self.read_client(lane).await?;
        tokio::select! {
            biased;
            () = self.pace() => {}
            () = wait_for(&self.connection.cutting) => return Ok(()), // the lane keeps what was read
        }
        self.forward_up(lane).await
    }

    /// Forwards what the client has written, until it is quiet.
    async fn drain(&self, lane: &mut Lane) -> Result<(), End> {
        let listen = async {
            self.forward_up(lane).await?;
            while let Ok(ready) = timeout(QUIET, self.client.readable()).await {
                if ready.is_err() {
                    return Err(End::ClientGone);
                }
                self.read_client(lane).await?;
                self.forward_up(lane).await?;
                if self.connection.phase() != Phase::Draining {
                    break;
                }
            }
            Ok(())
        };
        let mut listen = pin!(listen);
        let heard = tokio::select! {
            heard = listen.as_mut() => heard,
            // A write must not be torn: the rest of this burst is waited for, the next one is not.
            () = sleep(DRAIN_LIMIT) => { lock(&self.connection.session).end_drain(); listen.await }
        };
        lock(&self.connection.session).end_drain();
        heard
    }

    /// Forwards the rest of publishes that the broker has in part, then writes the fence.
    async fn settle(&self, lane: &mut Lane) -> Result<(), End> {
        loop {
            self.forward_up(lane).await?;
            let fence = lock(&self.connection.session).fence();
            if let Some(fence) = fence {
                return write(self.broker, &fence).await.map_err(|_| End::Cut);
            }
            self.client.readable().await.map_err(|_| End::ClientGone)?;
            self.read_client(lane).await?;
        }
    }

    async fn read_client(&self, lane: &mut Lane) -> Result<(), End> {
        match self.client.try_read(lane.room()) {
            Ok(0) => {
                let rest = lane.flush(&mut lock(&self.connection.session));
                let _ = write(self.broker, &rest).await;
                Err(End::ClientGone)
            }
            Ok(len) => {
                lane.filled(len);
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(_) => Err(End::ClientGone),
        }
    }

    async fn forward_up(&self, lane: &mut Lane) -> Result<(), End> {
        let out = self.relay(lane);
        let bytes = lane.bytes(&out);
        lock(&self.shared.traffic).bytes_to_broker += bytes.len() as u64;
        write(self.broker, bytes).await.map_err(|_| End::BrokerDeaf)
    }

    async fn to_client(&self) -> End {
        let mut lane = Lane::new(self.shared.protocol, Direction::ToClient);
        loop {
            if let Err(end) = self.carry_down(&mut lane).await {
                return end;
            }
        }
    }

    /// One read of the broker, and what comes of it. In a cut neither freeze nor delay hold it up.
    async fn carry_down(&self, lane: &mut Lane) -> Result<(), End> {
        let ready = tokio::select! {
            ready = self.readable(self.broker) => ready,
            ready = async { wait_for(&self.connection.cutting).await; self.broker.readable().await } => ready,
        };
        ready.map_err(|_| End::BrokerReset)?;
        match self.broker.try_read(lane.room()) {
            Ok(0) => {
                let rest = lane.flush(&mut lock(&self.connection.session));
                let _ = write(self.client, &rest).await;
                return Err(End::BrokerGone);
            }
            Ok(len) => lane.filled(len),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(_) => return Err(End::BrokerReset),
        }
        tokio::select! {
            biased;
            () = self.pace() => {}
            () = wait_for(&self.connection.cutting) => {}
        }
        let out = self.relay(lane);
        if self.connection.phase() == Phase::Over {
            return Err(End::Cut);
        }
        self.write_down(lane.bytes(&out)).await
    }

    /// Writes to the client. A client that does not read must not keep a cut from hearing the
    /// broker.
    async fn write_down(&self, bytes: &[u8]) -> Result<(), End> {
        if bytes.is_empty() {
            return Ok(());
        }
        tokio::select! {
            biased;
            written = write(self.client, bytes) => written.map_err(|_| End::ClientDeaf)?,
            () = wait_for(&self.connection.cutting) => return Ok(()), // these confirms have not reached it
        }
        lock(&self.shared.traffic).bytes_to_client += bytes.len() as u64;
        lock(&self.connection.session).reached();
        Ok(())
    }

    /// Lets lane and session decide about a burst, and tells what came of it.
    fn relay(&self, lane: &mut Lane) -> Output {
        let mut session = lock(&self.connection.session);
        let mut rules = lock(&self.shared.rules);
        let out = lane.relay(&mut session, &mut rules);
        drop(rules);
        let (phase, book) = (session.phase(), session.take_book(false));
        drop(session);
        self.shared.tell(self.connection.number, book);
        if phase != Phase::Open {
            self.connection.cutting.send_replace(true);
            self.connection.turn.notify_one();
        }
        out
    }

    /// Waits until the link is thawed and the socket has something to read.
    async fn readable(&self, socket: &TcpStream) -> io::Result<()> {
        self.thawed().await;
        socket.readable().await
    }

    /// What a burst has to wait before it goes on: the delay, and the end of a freeze.
    async fn pace(&self) {
        let delay = self.shared.link.borrow().delay;
        if let Some(delay) = delay {
            sleep(delay).await;
        }
        self.thawed().await;
    }

    async fn thawed(&self) {
        if self.shared.link.borrow().frozen {
            let mut link = self.shared.link.subscribe();
            let _ = link.wait_for(|link| !link.frozen).await; // the sender outlives this
        }
    }
}

async fn wait_for(flag: &watch::Sender<bool>) {
    let _ = flag.subscribe().wait_for(|set| *set).await; // the sender outlives this
}

async fn write(socket: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match socket.try_write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(len) => bytes = &bytes[len..],
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                socket.writable().await?
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
