//! From a request to the model and back.
//!
//! The model is asked on a blocking thread, so that a long answer delays no other connection, and
//! with two bounds: how many at once, and how long. A model that panics costs one request a 500.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::failure::Failure;
use crate::metrics;
use crate::page::ASSETS;
use crate::query::{self, AlertQuery, WindowQuery};
use crate::view::{AlertRow, Freshness, ReadModel, Readiness};

/// Requests that read the model at once: four a core of a small machine; more would only compete
/// with the pipeline for its locks.
const READS_MAX: usize = 8;
/// Longest wait for a free place and the model's answer together. Prometheus gives up after 10 s.
const READ_SECONDS_MAX: u64 = 10;
/// Longest path and query: all filters of `/v1/windows` at their longest take about 700 bytes.
const ADDRESS_BYTES_MAX: usize = 4_096;

type Pairs = Query<Vec<(String, String)>>;

#[derive(Clone)]
struct Shared {
    model: Arc<dyn ReadModel>,
    reads: Arc<Semaphore>,
}

/// The router over a model.
pub fn app(model: Arc<dyn ReadModel>) -> Router {
    let shared = Shared { model, reads: Arc::new(Semaphore::new(READS_MAX)) };
    let mut router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(prometheus))
        .route("/v1/windows", get(windows))
        .route("/v1/alerts", get(alerts))
        .route("/v1/alerts/active", get(active_alerts));
    for asset in ASSETS {
        router = router.route(asset.path, get(move || std::future::ready(asset)));
    }
    router
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(shared.clone(), guard))
        .with_state(shared)
}

/// Refuses what no handler should see, and adds the headers that every answer has.
async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let address = request.uri().path_and_query().map_or(0, |address| address.as_str().len());
    let mut response = if address > ADDRESS_BYTES_MAX {
        shared.fail(&Failure::AddressTooLong { max_bytes: ADDRESS_BYTES_MAX }).await
    } else if request.method() != Method::GET && request.method() != Method::HEAD {
        shared.fail(&Failure::Method).await
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Answers without the model: a locked pipeline is alive all the same.
async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(shared): State<Shared>) -> Response {
    let read = |model: &dyn ReadModel| (model.readiness(), model.freshness());
    match shared.read(read).await {
        Ok((readiness, freshness)) => {
            let ready = readiness.ready;
            let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            (status, Json(ReadyBody { readiness, freshness })).into_response()
        }
        Err(failure) => shared.fail(&failure).await,
    }
}

#[derive(Debug, Serialize)]
struct ReadyBody {
    #[serde(flatten)]
    readiness: Readiness,
    #[serde(flatten)]
    freshness: Freshness,
}

async fn prometheus(State(shared): State<Shared>) -> Response {
    let read = |model: &dyn ReadModel| {
        metrics::render(&model.metrics(), &model.freshness(), &model.readiness())
    };
    match shared.read(read).await {
        Ok(page) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], page).into_response(),
        Err(failure) => shared.fail(&failure).await,
    }
}

async fn windows(State(shared): State<Shared>, Query(pairs): Pairs) -> Response {
    match WindowQuery::parse(&pairs) {
        Ok(query) => shared.json(move |model| model.windows(&query)).await,
        Err(bad) => shared.fail(&bad.into()).await,
    }
}

async fn alerts(State(shared): State<Shared>, Query(pairs): Pairs) -> Response {
    match AlertQuery::parse(&pairs) {
        Ok(AlertQuery { after, limit }) => {
            shared.json(move |model| model.alerts(after, limit)).await
        }
        Err(bad) => shared.fail(&bad.into()).await,
    }
}

#[derive(Debug, Serialize)]
struct ActiveAlertsBody {
    #[serde(flatten)]
    freshness: Freshness,
    alerts: Vec<AlertRow>,
}

async fn active_alerts(State(shared): State<Shared>, Query(pairs): Pairs) -> Response {
    if let Err(bad) = query::none(&pairs) {
        return shared.fail(&bad.into()).await;
    }
    let read = |model: &dyn ReadModel| ActiveAlertsBody {
        freshness: model.freshness(),
        alerts: model.active_alerts(),
    };
    shared.json(read).await
}

async fn not_found(State(shared): State<Shared>) -> Response {
    shared.fail(&Failure::NotFound).await
}

impl Shared {
    /// Asks the model, within the bounds.
    async fn read<T, F>(&self, ask: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&dyn ReadModel) -> T + Send + 'static,
    {
        let bound = Duration::from_secs(READ_SECONDS_MAX);
        let started = tokio::time::Instant::now();
        let place = Arc::clone(&self.reads).acquire_owned();
        let Ok(Ok(place)) = tokio::time::timeout(bound, place).await else {
            return Err(Failure::Busy);
        };
        let model = Arc::clone(&self.model);
        // The place goes along: a read that is given up still occupies it until it ends.
        let task = tokio::task::spawn_blocking(move || {
            let answer = ask(model.as_ref());
            drop(place);
            answer
        });
        match tokio::time::timeout_at(started + bound, task).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::error!(%error, "reading the model failed");
                Err(Failure::Model)
            }
            Err(_) => Err(Failure::Slow { seconds: READ_SECONDS_MAX }),
        }
    }

    /// Asks the model and gives the answer as JSON; writing it is work too, so it is done there.
    async fn json<T, F>(&self, ask: F) -> Response
    where
        T: Serialize + 'static,
        F: FnOnce(&dyn ReadModel) -> T + Send + 'static,
    {
        let written = self.read(move |model| serde_json::to_vec(&ask(model))).await;
        match written {
            Ok(Ok(body)) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Ok(Err(error)) => {
                tracing::error!(%error, "writing the answer failed");
                self.fail(&Failure::Model).await
            }
            Err(failure) => self.fail(&failure).await,
        }
    }

    /// The failure with the model's freshness, or with none where the model is the failure.
    async fn fail(&self, failure: &Failure) -> Response {
        let freshness = match failure {
            Failure::Busy | Failure::Slow { .. } | Failure::Model => Freshness::default(),
            _ => self.read(|model| model.freshness()).await.unwrap_or_default(),
        };
        failure.respond(freshness)
    }
}
