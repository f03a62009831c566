//! Panes to windows: fills the tables that `queries/slo_windows.sql` and
//! `queries/cost_windows.sql` read, runs them, and gives rows of the published tables.
//!
//! ```text
//! slo_panes  ─┐
//! lengths     ├─► slo_windows.sql ──► slo_windows      one call a second, a few thousand rows
//! stamp      ─┘
//! ```

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{
    ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionConfig, SessionContext};
use model::schema::{self, timestamp_type};
use model::time::SECOND_US;
use model::window::WINDOWS_S;

use crate::executor::Executor;
use crate::plan::{Feed, Prepared};
use crate::{COST_PANE_SCHEMA, SLO_PANE_SCHEMA, WindowError, rows, sketch_sql};

const SLO_WINDOWS_SQL: &str = include_str!("../../../queries/slo_windows.sql");
const COST_WINDOWS_SQL: &str = include_str!("../../../queries/cost_windows.sql");

/// What a call writes into every row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Watermark that the panes reflect, microseconds.
    pub watermark_us: i64,
    /// Epoch of the aggregate chain.
    pub revision: u64,
    /// When that epoch closes, microseconds.
    pub committed_at_us: i64,
}

/// Turns panes into windows of all lengths.
pub struct Engine {
    executor: Executor,
    context: SessionContext,
    feeds: Mutex<Feeds>,
    slo: Prepared,
    cost: Prepared,
}

/// The tables whose rows a call replaces. Behind a lock: two calls must not mix their rows.
struct Feeds {
    lengths: Feed,
    stamp: Feed,
    slo_panes: Feed,
    cost_panes: Feed,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// Plans both queries.
    ///
    /// # Errors
    /// Where no runtime can be started.
    pub fn new() -> Result<Self, WindowError> {
        let executor = Executor::inline()?;
        // One partition: a second's panes are fewer rows than a second thread is worth.
        let config = SessionConfig::new().with_target_partitions(1);
        let context = SessionContext::new_with_config(config);
        sketch_sql::register(&context);
        let start = |error| WindowError::Start(Box::new(error));
        let feeds = register_feeds(&context).map_err(start)?;
        let (slo, cost) = executor.block_on(async {
            feeds.lengths.replace(&[window_lengths()?]).await?;
            let slo = Prepared::new(&context, "slo_windows.sql", SLO_WINDOWS_SQL).await?;
            let cost = Prepared::new(&context, "cost_windows.sql", COST_WINDOWS_SQL).await?;
            Ok::<_, WindowError>((slo, cost))
        })?;
        Ok(Self { executor, context, feeds: Mutex::new(feeds), slo, cost })
    }

    /// Windows of all lengths of [`WINDOWS_S`] that hold these panes, as rows of `slo_windows`
    /// sorted by length, start and series. A window is the sum of the panes given here: to revise
    /// one, give all its panes. One that became empty comes out with zeros.
    ///
    /// # Errors
    /// Where the panes have another schema than [`SLO_PANE_SCHEMA`], or hold no sketch where one
    /// should be.
    #[expect(clippy::needless_pass_by_value, reason = "the panes are given up to the engine")]
    pub fn slo_windows(
        &self,
        panes: Vec<RecordBatch>,
        stamp: &Stamp,
    ) -> Result<RecordBatch, WindowError> {
        let feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        let batches = self.run(&self.slo, (&feeds.slo_panes, &panes), (&feeds.stamp, stamp))?;
        rows::fit(&batches, &schema::SLO_WINDOWS.arrow(), "slo_windows")
    }

    /// The same for `cost_windows`. `score` and `expected` are null: whoever knows the past fills
    /// them in.
    ///
    /// # Errors
    /// Where the panes have another schema than [`COST_PANE_SCHEMA`], or a sum does not fit the
    /// column of the table.
    #[expect(clippy::needless_pass_by_value, reason = "the panes are given up to the engine")]
    pub fn cost_windows(
        &self,
        panes: Vec<RecordBatch>,
        stamp: &Stamp,
    ) -> Result<RecordBatch, WindowError> {
        let feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        let batches = self.run(&self.cost, (&feeds.cost_panes, &panes), (&feeds.stamp, stamp))?;
        rows::fit(&batches, &schema::COST_WINDOWS.arrow(), "cost_windows")
    }

    /// [`Self::slo_windows`] and [`Self::cost_windows`] of one length only: the panes may be sums
    /// of any length that divides it.
    ///
    /// # Errors
    /// As those.
    pub fn windows_of(
        &self,
        window_s: u32,
        panes: (RecordBatch, RecordBatch),
        stamp: &Stamp,
    ) -> Result<(RecordBatch, RecordBatch), WindowError> {
        self.set_lengths(&[window_s])?;
        let windows = self
            .slo_windows(vec![panes.0], stamp)
            .and_then(|slo| Ok((slo, self.cost_windows(vec![panes.1], stamp)?)));
        self.set_lengths(&WINDOWS_S)?;
        windows
    }

    fn set_lengths(&self, lengths_s: &[u32]) -> Result<(), WindowError> {
        let feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = window_lengths_of(lengths_s)?;
        self.executor.block_on(async { feeds.lengths.replace(&[rows]).await })
    }

    fn run(
        &self,
        query: &Prepared,
        panes: (&Feed, &[RecordBatch]),
        stamp: (&Feed, &Stamp),
    ) -> Result<Vec<RecordBatch>, WindowError> {
        self.executor.block_on(async {
            stamp.0.replace(&[stamp_row(stamp.1)?]).await?;
            panes.0.replace(panes.1).await?;
            let batches = query.run(&self.context).await;
            // The rows are not needed until the next call.
            panes.0.replace(&[]).await?;
            batches
        })
    }
}

fn register_feeds(context: &SessionContext) -> Result<Feeds, DataFusionError> {
    Ok(Feeds {
        lengths: Feed::register(context, "window_lengths", window_lengths_schema())?,
        stamp: Feed::register(context, "stamp", stamp_schema())?,
        slo_panes: Feed::register(context, "slo_panes", SchemaRef::clone(&SLO_PANE_SCHEMA))?,
        cost_panes: Feed::register(context, "cost_panes", SchemaRef::clone(&COST_PANE_SCHEMA))?,
    })
}

fn window_lengths_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("window_s", DataType::UInt32, false),
        Field::new("length_us", DataType::Int64, false),
    ]))
}

/// `window_lengths` of the queries: every length of [`WINDOWS_S`].
pub(crate) fn window_lengths() -> Result<RecordBatch, WindowError> {
    window_lengths_of(&WINDOWS_S)
}

fn window_lengths_of(lengths_s: &[u32]) -> Result<RecordBatch, WindowError> {
    let length_us = |window_s: &u32| i64::from(*window_s) * SECOND_US;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from(lengths_s.to_vec())),
        Arc::new(lengths_s.iter().map(length_us).collect::<Int64Array>()),
    ];
    rows::batch(window_lengths_schema(), columns, "window_lengths")
}

fn stamp_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("watermark", timestamp_type(), false),
        Field::new("revision", DataType::UInt64, false),
        Field::new("committed_at", timestamp_type(), false),
    ]))
}

fn stamp_row(stamp: &Stamp) -> Result<RecordBatch, WindowError> {
    let time = |time_us| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(vec![time_us]).with_timezone("UTC"))
    };
    let revision = Arc::new(UInt64Array::from(vec![stamp.revision]));
    let columns = vec![time(stamp.watermark_us), revision, time(stamp.committed_at_us)];
    rows::batch(stamp_schema(), columns, "stamp")
}

#[cfg(test)]
mod tests;
