//! Rows to Parquet: sorted, compressed, with statistics, one file a table and date; then merged
//! into files of a good size, and published.
//!
//! ```text
//! segments of whole epochs ─► by date ─► sort ─► lake/<table>/<date>/rolled-….parquet
//!                                                 │ k-way merge, publish_after later
//!                                                 ▼
//!                                                lake/<table>/<date>/….parquet (fsynced)
//!                                                 │ after the lake's manifest
//!                                                 ▼ hard link, never replaced
//!                                public/<table>/date=YYYY-MM-DD/<name>.parquet
//! ```
//! Invariants: a file under `public` is whole and committed; a row is in one file only; files are
//! never rewritten, so a reader that listed them can read them.

mod parquet_file;

mod rows;

mod merge;

mod footer;

mod publish;

pub mod clickhouse;

pub use footer::{newest_epoch, read_rows};
pub use merge::{conform, merge};
pub use parquet_file::{ParquetFile, ROW_GROUP_ROWS, Written, write_parquet};
pub use publish::{PublicFile, publish, withdraw};
pub use rows::{by_date, sorted};

use std::path::{Path, PathBuf};

/// What can go wrong in writing files.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The file system refused.
    #[error("cannot {what} {path}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Rows could not be sorted or split.
    #[error("cannot {what} rows of table {table}")]
    Rows {
        /// What was tried.
        what: &'static str,
        /// The table.
        table: String,
        /// Why.
        #[source]
        source: arrow_schema::ArrowError,
    },
    /// Parquet could not be read or written.
    #[error("cannot {what} Parquet file {path}")]
    Parquet {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: parquet::errors::ParquetError,
    },
}

impl SinkError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { what, path, source }
    }

    pub(crate) fn read(path: &Path) -> impl Fn(parquet::errors::ParquetError) -> Self {
        move |source| Self::Parquet { what: "read", path: path.to_path_buf(), source }
    }

    pub(crate) fn write(path: &Path) -> impl Fn(parquet::errors::ParquetError) -> Self {
        move |source| Self::Parquet { what: "write", path: path.to_path_buf(), source }
    }

    /// The disk is full: the same step can be tried again when there is space.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let full = |error: &std::io::Error| error.raw_os_error() == Some(28);
        match self {
            Self::Io { source, .. } => full(source),
            Self::Parquet { source: parquet::errors::ParquetError::External(inner), .. } => {
                inner.downcast_ref::<std::io::Error>().is_some_and(full)
            }
            _ => false,
        }
    }
}
