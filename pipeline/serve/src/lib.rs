//! The door for people and machines: health, metrics, windows, alerts and the web page.
//!
//! ```text
//! GET /                    the page (dashboards/index.html, app.js, style.css, icon.svg)
//! GET /healthz             200 while the process lives; asks the model nothing
//! GET /readyz              200 or 503, with reasons
//! GET /metrics             Prometheus text 0.0.4
//! GET /v1/windows          slo_windows: window_s channel carrier source country traffic_class
//!                          from to limit
//! GET /v1/alerts           the alert log: after limit
//! GET /v1/alerts/active    pending and firing episodes
//! ```
//! Whatever is JSON says how complete it is (`watermark`, `complete_through`, `maturity`; promise
//! P7), errors included. The crate knows no store: `app` hands in a [`ReadModel`]. Nothing here
//! writes, and rows hold no recipient, so there is nothing to leak.
//!
//! Reading order: the view (what is served), the query, the routes, the server around them.

mod view;

pub use view::{
    AlertRow, AlertsAnswer, Freshness, ReadModel, Readiness, SeriesKey, TimeUs, WindowRow,
    WindowsAnswer,
};

mod query;

pub use query::{
    ALERT_LIMIT_DEFAULT, ALERT_LIMIT_MAX, NULL_WORD, TextFilter, WINDOW_LIMIT_DEFAULT,
    WINDOW_LIMIT_MAX, WindowQuery,
};

mod metrics;

pub use metrics::{
    APPEND_TO_VISIBLE_BOUNDS_US, DeadLetterCount, ElementCounts, Family, FamilyKind, LatencyCounts,
    MetricsSnapshot, PartitionMetrics, Sample,
};

mod failure;

mod page;

mod routes;

pub use routes::app;

mod connection;

mod server;

pub use server::{ServeError, bind, serve};

mod gateway;

pub use gateway::{
    GatewaySettings, Intake, Proof, Route, Subscription, Token, is_account, serve_gateway,
};

#[cfg(test)]
mod tests;
