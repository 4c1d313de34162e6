//! The sockets of a service: one opening from listen to close.
//!
//! Not `axum::serve`: its connections outlive it, or end gracefully. This
//! service must go down in the middle of a call.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::post,
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::desk::Desk;
use crate::ledger::MessageId;

/// Connections that may wait to be accepted: more than any demo has callers.
const BACKLOG: u32 = 1024;
/// How long a port that was just given up may still be taken.
const FREE_WITHIN: Duration = Duration::from_secs(2);
/// How long a peer may take to notice that it was cut off.
const NOTICED_WITHIN: Duration = Duration::from_millis(200);
/// How long to leave the listener alone when it fails (no descriptors left).
const BREATHER: Duration = Duration::from_millis(10);

/// All that runs between opening and closing. `Opening`s are handles.
#[derive(Clone)]
pub(super) struct Opening {
    desk: Arc<Desk>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl Opening {
    /// Listens on this bound socket and works on what comes.
    pub(super) fn listen(
        socket: TcpSocket,
        desk: &Arc<Desk>,
    ) -> anyhow::Result<Self> {
        let listener = socket.listen(BACKLOG).context("cannot listen")?;
        let opening = Self {
            desk: desk.clone(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        opening.tasks.spawn(opening.clone().accept(listener));
        Ok(opening)
    }

    /// Ends everything, without waiting for it.
    pub(super) fn cut(&self) {
        self.closing.cancel();
    }

    /// Ends everything, and waits until it has ended.
    pub(super) async fn close(self) {
        self.cut();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn accept(self, listener: TcpListener) {
        let router =
            Router::new().route("/{id}", post(answer)).with_state(self.clone());
        let closing = &self.closing;
        while let Some(accepted) =
            closing.run_until_cancelled(listener.accept()).await
        {
            match accepted {
                Ok((stream, _)) => {
                    self.desk.tally().load.connections += 1;
                    let serve = serve(stream, router.clone(), closing.clone());
                    self.tasks.spawn(serve);
                }
                Err(error) => {
                    tracing::warn!(%error, "a service cannot accept");
                    closing.run_until_cancelled(sleep(BREATHER)).await;
                }
            }
        }
    }
}

/// Has a call worked on in a task of its own: the connection's would end with
/// a caller who hangs up.
async fn answer(
    State(opening): State<Opening>,
    Path(id): Path<MessageId>,
) -> StatusCode {
    let Some(call) = opening.desk.take(id) else {
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    let closing = opening.closing.clone();
    let work = closing.run_until_cancelled_owned(call.work());
    match opening.tasks.spawn(work).await {
        Ok(Some(status)) => status,
        // It is closing; nobody will hear this.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Serves one connection until either side ends it.
async fn serve(stream: TcpStream, router: Router, closing: CancellationToken) {
    // Without it a small answer may wait for an ack of the one before.
    stream.set_nodelay(true).ok();
    let mut connection = http1::Builder::new().serve_connection(
        TokioIo::new(stream),
        TowerToHyperService::new(router),
    );
    if let Some(ended) = closing.run_until_cancelled(&mut connection).await {
        if let Err(error) = ended {
            tracing::debug!(%error, "a caller hung up");
        }
        return;
    }
    // Whoever keeps this connection for the next call must notice before the
    // closing is done, else that call would be cut off instead of refused.
    let mut stream = connection.into_parts().io.into_inner();
    let noticed = async {
        stream.shutdown().await?;
        let mut rest = [0; 512];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    timeout(NOTICED_WITHIN, noticed).await.ok();
}

/// A socket bound to this address, not listening yet.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Connections that were cut off hold the port for a minute (TIME-WAIT).
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Binds a port that was just given up.
pub(super) async fn bind_again(
    address: SocketAddr,
) -> anyhow::Result<TcpSocket> {
    let until = Instant::now() + FREE_WITHIN;
    loop {
        match bind(address) {
            Ok(socket) => return Ok(socket),
            Err(_) if Instant::now() < until => sleep(BREATHER).await,
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot have {address} again"));
            }
        }
    }
}
