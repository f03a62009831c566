//! What can go wrong, by operation.

use datafusion::error::DataFusionError;
use model::fault::Domain;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// No thread or no memory for the query engine.
    #[error("cannot start the query engine; check the limits on threads and memory (ulimit -a)")]
    Start(#[source] Box<DataFusionError>),
    /// A table cannot be offered to queries.
    #[error("cannot open table {table}; check that its files exist and are readable")]
    OpenTable {
        /// Table.
        table: String,
        /// Cause.
        source: Box<DataFusionError>,
    },
    /// Rows do not have the columns that their table has.
    #[error("rows of {table} do not fit its schema: {detail}; were they written by this version?")]
    FitSchema {
        /// Table.
        table: String,
        /// Which column and how.
        detail: String,
    },
    /// A query of `queries/` cannot be planned: a mistake in this build.
    #[error("cannot plan {query}, which is part of this build; please report it")]
    Plan {
        /// File in `queries/`.
        query: &'static str,
        /// Cause.
        source: Box<DataFusionError>,
    },
    /// A query of `queries/` failed on these rows.
    #[error("cannot run {query}; nothing was written, the same rows can be tried again")]
    Run {
        /// File in `queries/`.
        query: &'static str,
        /// Cause.
        source: Box<DataFusionError>,
    },
    /// The user's statement would change something, or is none.
    #[error(
        "{found} is not allowed here: this SQL is read-only and takes one statement at a time, \
         SELECT, WITH, VALUES, EXPLAIN, SHOW or DESCRIBE"
    )]
    NotAQuery {
        /// What it is.
        found: String,
    },
    /// The user's query is wrong, or too large.
    #[error("cannot run the query; see SHOW TABLES and DESCRIBE <table> for what there is")]
    UserQuery(#[source] Box<DataFusionError>),
    /// The result cannot be written.
    #[error("cannot write the result as {format}; check the space and the reader of the output")]
    Write {
        /// Format.
        format: &'static str,
        /// Cause.
        source: Box<DataFusionError>,
    },
}

impl WindowError {
    /// Who is to blame, for the exit code.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        match self {
            Self::NotAQuery { .. } | Self::UserQuery(_) => Domain::Usage,
            Self::Start(_) | Self::OpenTable { .. } | Self::Write { .. } => Domain::Dependency,
            Self::FitSchema { .. } | Self::Plan { .. } | Self::Run { .. } => Domain::Protect,
        }
    }
}
