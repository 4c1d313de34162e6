//! Who calls a service of the shop.

use std::{error::Error, io, net::SocketAddr, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time;

use crate::ledger::MessageId;

/// How long a caller waits for an answer where nothing else is said.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A caller of one service. Clones share their connections, which are kept
/// for the next call.
#[derive(Clone)]
pub struct Caller {
    client: Client<HttpConnector, Body>,
    address: SocketAddr,
    limit: Duration,
}

/// Why a call came to nothing, as far as the caller can tell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFailed {
    /// The connection was refused. Nothing was made.
    #[error("nobody listens")]
    Down,
    /// 503: too many at the same time. Nothing was made.
    #[error("busy")]
    Busy,
    /// 409: nothing left on the shelf. Nothing was made.
    #[error("sold out")]
    SoldOut,
    /// No answer in time. Whether it was made, or will be, is not known.
    #[error("no answer in time")]
    TimedOut,
    /// The connection ended in the middle of the call. Whether it was made is
    /// not known.
    #[error("cut off")]
    CutOff,
    /// Something else. Whether it was made is not known.
    #[error("{0}")]
    Other(String),
}

impl CallFailed {
    /// Whether the effect may have been made nevertheless.
    pub const fn may_be_made(&self) -> bool {
        matches!(self, Self::TimedOut | Self::CutOff | Self::Other(_))
    }
}

impl Caller {
    pub(super) fn new(address: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client, address, limit: CALL_TIMEOUT }
    }

    /// The same caller, waiting this long for an answer.
    #[must_use]
    pub fn with_timeout(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Asks the service to make its effect for this message. Called once, it
    /// asks once: only a request that never left is sent again, over another
    /// connection.
    ///
    /// # Errors
    /// See [`CallFailed`].
    pub async fn call(&self, id: MessageId) -> Result<(), CallFailed> {
        match time::timeout(self.limit, self.ask(id)).await {
            Ok(answer) => answer,
            Err(_) => Err(CallFailed::TimedOut),
        }
    }

    async fn ask(&self, id: MessageId) -> Result<(), CallFailed> {
        let request = Request::post(format!("http://{}/{id}", self.address))
            .body(Body::empty())
            .map_err(|error| CallFailed::Other(error.to_string()))?;
        let answer = self.client.request(request).await.map_err(failed)?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::SERVICE_UNAVAILABLE => Err(CallFailed::Busy),
            StatusCode::CONFLICT => Err(CallFailed::SoldOut),
            other => Err(CallFailed::Other(format!("answered {other}"))),
        }
    }
}

/// A request without an answer.
fn failed(error: legacy::Error) -> CallFailed {
    if !error.is_connect() {
        return CallFailed::CutOff;
    }
    let mut cause: Option<&dyn Error> = Some(&error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused) {
            return CallFailed::Down;
        }
        cause = error.source();
    }
    CallFailed::Other(format!("cannot connect: {error}"))
}
