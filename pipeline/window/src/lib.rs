//! Windows and SQL: the only crate that knows DataFusion.
//!
//! ```text
//! panes (signed sums) ─► Engine ─► slo_windows, cost_windows        queries/slo_windows.sql, …
//! Parquet + segments  ─► Session ─► rows, CSV, JSON, Arrow, table   queries/views_datafusion.sql
//! parts of events, …  ─► Recount ─► messages, charges, windows again  queries/verify_*.sql
//! ```
//! The arithmetic of a window stands in `queries/`, where it can be read; this crate gives it
//! tables, an aggregate function for latency sketches, and plans that are made once. All calls
//! block: call them from a plain thread (`spawn_blocking` inside an async runtime).

mod error;
pub use error::WindowError;

pub use model::pane::{COST_PANE_SCHEMA, SLO_PANE_SCHEMA};

mod sketch_sql;

mod rows;

mod executor;

mod plan;

mod guard;
pub use guard::{Guard, OTHER};

mod maturity;
pub use maturity::Maturity;

mod pane_rows;

mod store;
pub use store::{CostSeries, CostSum, FINE_S, PaneStore, Series, SloSum, Window, revision_pace_us};

mod engine;
pub use engine::{Engine, Stamp};

pub mod views;

mod table;
pub use table::TableSource;

mod part;
pub use part::{By, Part};

mod read_only;

mod session;
pub use session::Session;

mod output;
pub use output::OutputFormat;

mod recompute;
pub use recompute::{Again, Known, Recount};

#[cfg(test)]
mod fixture;
