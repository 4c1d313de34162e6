//! How the two sockets of a connection close, depending on who ended it.
//!
//! Called by the pump at the end of a connection. It must not know frames or faults.

use std::io;
use std::net::Shutdown;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the client of a cut connection may take to read what it was sent before.
const LAST_READ: Duration = Duration::from_millis(100);
/// How long one peer may take to close after the other has.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// Why the bytes stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The fence is through, or its time is.
    Cut,
    /// The wire itself is dropped.
    Shutdown,
    ClientGone,
    /// The client takes no more, though it may have said something.
    ClientDeaf,
    BrokerGone,
    BrokerReset,
    /// The broker takes no more, though it may have something to say.
    BrokerDeaf,
}

impl End {
    /// In a cut, what the broker does no longer matters; a client that is gone still must not be
    /// outrun.
    pub(super) fn in_a_cut(self) -> Self {
        match self {
            Self::BrokerGone | Self::BrokerReset | Self::BrokerDeaf => {
                Self::Cut
            }
            end => end,
        }
    }
}

/// Closes both sockets, each the way that its peer is owed. Afterwards both are closed.
pub(super) async fn part(end: End, client: TcpStream, broker: TcpStream) {
    match end {
        End::Cut => {
            reset(&broker);
            drop(broker);
            // A reset can overtake confirms that the client has not read. So it is told of the end
            // behind them, and reset when it has seen it, or has had its time.
            finish_writing(&client);
            let _ = timeout(LAST_READ, discard(&client)).await;
            reset(&client);
        }
        End::ClientGone | End::ClientDeaf => {
            finish_writing(&broker);
            let _ = timeout(FAREWELL, discard(&broker)).await;
        }
        End::BrokerGone => {
            finish_writing(&client);
            let _ = timeout(FAREWELL, discard(&client)).await;
        }
        End::BrokerReset | End::BrokerDeaf => reset(&client),
        End::Shutdown => {
            reset(&client);
            reset(&broker);
        }
    }
}

/// Reads to the end and throws away: closing a socket with unread bytes would reset it.
async fn discard(socket: &TcpStream) {
    let mut buffer = vec![0; 16 * 1024];
    while socket.readable().await.is_ok() {
        match socket.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

pub(super) fn finish_writing(socket: &TcpStream) {
    let _ = socket2::SockRef::from(socket).shutdown(Shutdown::Write); // the peer may be gone already
}

/// When the socket is dropped, its peer gets a reset.
pub(super) fn reset(socket: &TcpStream) {
    let _ = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO)); // the peer may be gone already
}
