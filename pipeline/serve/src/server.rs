//! The listening socket around the router, and its orderly end.

use std::future::{Future, IntoFuture};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::fault::Domain;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::connection::{API, Bounded};
use crate::routes::app;
use crate::view::ReadModel;

/// How long open requests may take to end once the process stops; a drain has better things to do
/// than to wait for a browser.
const GRACE: Duration = Duration::from_secs(5);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("listen on {address}: is another process there already, or is the address not ours?")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The listening socket failed.
    #[error("accept connections")]
    Accept {
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl ServeError {
    /// Who is to blame: an address is configuration, a socket that fails later is the machine's.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        match self {
            Self::Bind { .. } => Domain::Usage,
            Self::Accept { .. } => Domain::Dependency,
        }
    }

    /// A later attempt may succeed without anyone changing anything.
    #[must_use]
    pub const fn retry(&self) -> bool {
        matches!(self, Self::Accept { .. })
    }
}

/// Takes the address; port 0 takes a free one, which `local_addr` tells.
///
/// # Errors
/// [`ServeError::Bind`] where the address is taken or not this machine's.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, source })
}

/// Serves until `shutdown` is done, then lets open requests end, for at most 5 s.
///
/// # Errors
/// [`ServeError::Accept`] where the listening socket fails.
pub async fn serve(
    listener: TcpListener,
    model: Arc<dyn ReadModel>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let (stopping, stopped) = oneshot::channel();
    let signal = async move {
        shutdown.await;
        if stopping.send(()).is_err() {
            tracing::debug!("the server ended before it was told to");
        }
    };
    let server = axum::serve(Bounded::new(listener, API), app(model))
        .with_graceful_shutdown(signal)
        .into_future();
    tokio::pin!(server);
    tokio::select! {
        result = &mut server => return result.map_err(|source| ServeError::Accept { source }),
        _ = stopped => {}
    }
    match tokio::time::timeout(GRACE, server).await {
        Ok(result) => result.map_err(|source| ServeError::Accept { source }),
        Err(_) => {
            tracing::warn!(grace_s = GRACE.as_secs(), "open requests were cut off");
            Ok(())
        }
    }
}
