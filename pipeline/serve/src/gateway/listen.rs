//! The gateway's listening socket, and its orderly end.

use std::future::{Future, IntoFuture};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use model::clock::Clock;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

use super::limits::Limits;
use super::meters::Meters;
use super::receive::{Gateway, handle};
use super::settings::{GatewaySettings, Intake};
use crate::connection::{Bounded, Bounds, Phase};
use crate::server::ServeError;

/// How long a request may take beside its body and Kafka, once the process stops.
const GRACE: Duration = Duration::from_secs(2);

/// Receives webhooks until `shutdown` is done. Then no connection is accepted any more, requests
/// that are being served get their answer, and idle connections are closed.
///
/// # Errors
/// [`ServeError::Accept`] where the listening socket fails.
pub async fn serve_gateway(
    listener: TcpListener,
    settings: GatewaySettings,
    intake: Arc<dyn Intake>,
    clock: Arc<dyn Clock>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let grace = GRACE + settings.head_wait + settings.body_wait + settings.kafka_wait;
    let bounds = Bounds {
        connections: settings.connections_max,
        silence: settings.idle_wait,
        head: Some(settings.head_wait),
    };
    let gateway = Arc::new(Gateway {
        limits: Limits::new(),
        meters: Meters::new(),
        requests: Semaphore::new(settings.requests_max),
        bodies_kib: Semaphore::new(settings.bodies_kib_max),
        settings,
        intake,
        clock,
    });
    let router = Router::new().fallback(any(handle)).with_state(gateway);
    let service = router.into_make_service_with_connect_info::<Phase>();
    let (stopping, stopped) = oneshot::channel();
    let signal = async move {
        shutdown.await;
        if stopping.send(()).is_err() {
            tracing::debug!("the gateway ended before it was told to");
        }
    };
    let server = axum::serve(Bounded::new(listener, bounds), service);
    let server = server.with_graceful_shutdown(signal).into_future();
    tokio::pin!(server);
    tokio::select! {
        result = &mut server => return result.map_err(|source| ServeError::Accept { source }),
        _ = stopped => {}
    }
    match tokio::time::timeout(grace, server).await {
        Ok(result) => result.map_err(|source| ServeError::Accept { source }),
        Err(_) => {
            tracing::warn!(
                "requests without an answer were cut off: their vendors send them again"
            );
            Ok(())
        }
    }
}
