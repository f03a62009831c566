//! Messages, charges and windows again, from the stored events and lines of bills alone: what
//! `sendtally verify` compares the published tables with (promise P2).
//!
//! ```text
//! part of the keys: events ─► messages ──► fold ─► slo_counts ─┐
//!                   lines  ─► charges ───────────► cost_counts ─┴► summed over the parts
//! ```
//! Messages and charges of one part are in memory, and the windows of all: it grows with the number
//! of windows, not with that of messages. Each step is a query, `queries/verify_*.sql`.
//!
//! The rules of DESIGN.md ("Messages have lives", "Time") stand here a second time, as set logic
//! over all events of a message. Nothing is shared with `track` but the vocabulary and the sketch.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use model::schema::{self, Table};

use crate::executor::Executor;
use crate::table::{self, TableSource};
use crate::{Part, WindowError, engine, rows, session, sketch_sql};

macro_rules! query {
    ($file:literal) => {
        ($file, include_str!(concat!("../../../queries/", $file)))
    };
}

/// A query and the name by which it is told.
type Query = (&'static str, &'static str);

const MESSAGES: Query = query!("verify_messages.sql");
const FOLD: Query = query!("verify_fold.sql");
const CHARGES: Query = query!("verify_charges.sql");
const SLO_COUNTS: Query = query!("verify_slo_counts.sql");
const SLO_SUM: Query = query!("verify_slo_sum.sql");
const SLO: Query = query!("verify_slo.sql");
const COST_COUNTS: Query = query!("verify_cost_counts.sql");
const COST_SUM: Query = query!("verify_cost_sum.sql");

/// Columns of `messages` that follow from events.
const MESSAGE_COLUMNS: [&str; 16] = [
    "message_key",
    "source",
    "channel",
    "carrier",
    "country",
    "traffic_class",
    "cohort_time",
    "outcome",
    "outcome_time",
    "is_final",
    "closed_by",
    "latency_ms",
    "latency_broker_ms",
    "error_class",
    "error_code",
    "events",
];

/// Columns of `charges` that follow from events and lines of bills.
const CHARGE_COLUMNS: [&str; 15] = [
    "charge_id",
    "source",
    "message_key",
    "kind",
    "basis",
    "quantity",
    "unit_price",
    "amount",
    "currency",
    "charge_time",
    "sku",
    "channel",
    "country",
    "carrier",
    "traffic_class",
];

/// Columns of `slo_windows` that say when a row was made, not what is in the window.
const STAMP_COLUMNS: [&str; 3] = ["watermark", "revision", "committed_at"];

/// What holds for every part.
#[derive(Debug, Clone)]
pub struct Known {
    /// One column `message_key`: messages some of whose events are gone. They are left out.
    pub partial: RecordBatch,
    /// Series that windows may have, as [`crate::Guard::snapshot`] gave them.
    pub admitted: RecordBatch,
    /// Watermark by which the horizon is judged, microseconds.
    pub watermark_us: i64,
    /// The newest epoch of a format before 4, else 0: until then the price of a message and that of
    /// its segments were two charges.
    pub old_costs_through: u64,
}

/// What the stored rows of one part say, nullable, so that a broken table can be looked at too. At
/// least one batch of each, so that the columns are known without a row too.
#[derive(Debug)]
pub struct Again {
    /// Those columns of `messages` that follow from events, sorted by key.
    pub messages: Vec<RecordBatch>,
    /// Those of `charges` that follow from events and lines, and whether the message was
    /// `delivered` and counted `by_old_rule`.
    pub charges: Vec<RecordBatch>,
}

/// Counts the stored rows again, part by part.
#[derive(Debug, Default)]
pub struct Recount {
    /// Of the parts until now, one row a window.
    slo: Option<RecordBatch>,
    costs: Option<RecordBatch>,
}

impl Recount {
    /// Counts one part of `events` and `charge_lines` among these tables.
    ///
    /// # Errors
    /// Where a table is missing or cannot be read.
    pub fn add(
        &mut self,
        tables: &[TableSource],
        part: Part,
        known: &Known,
    ) -> Result<Again, WindowError> {
        let executor = Executor::threaded()?;
        executor.block_on(async {
            let context = open(tables, part, known).await?;
            let messages = messages(&context, known.watermark_us).await?;
            let charges = charges(&context, known.old_costs_through).await?;
            let slo = count(&context, SLO_COUNTS).await?;
            self.slo = Some(sum(&context, ("slo_counts", SLO_SUM), self.slo.take(), slo).await?);
            let costs = count(&context, COST_COUNTS).await?;
            let before = self.costs.take();
            self.costs = Some(sum(&context, ("cost_counts", COST_SUM), before, costs).await?);
            Ok(Again { messages, charges })
        })
    }

    /// SLO windows as the messages of all parts say: the columns of `slo_windows` without
    /// `watermark`, `revision` and `committed_at`, sorted like [`crate::Engine::slo_windows`] sorts
    /// them. None before the first part.
    ///
    /// # Errors
    /// Where the query fails.
    pub fn slo_windows(&self) -> Result<Option<RecordBatch>, WindowError> {
        let Some(counts) = &self.slo else { return Ok(None) };
        let schema = columns(&schema::SLO_WINDOWS, |name| !STAMP_COLUMNS.contains(&name));
        let context = session::context()?;
        sketch_sql::register(&context);
        put(&context, "slo_counts", vec![counts.clone()])?;
        let executor = Executor::threaded()?;
        let batches = executor.block_on(collect(&context, SLO, None))?;
        rows::fit(&batches.1, &schema, "slo_windows").map(Some)
    }

    /// Costs of windows as the charges of all parts say: `queries/verify_cost_sum.sql`. None before
    /// the first part.
    #[must_use]
    pub fn cost_windows(&self) -> Option<RecordBatch> {
        self.costs.clone()
    }
}

/// A context that has what the queries read of one part.
async fn open(
    tables: &[TableSource],
    part: Part,
    known: &Known,
) -> Result<SessionContext, WindowError> {
    let context = session::part_context()?;
    sketch_sql::register(&context);
    for wanted in [&schema::EVENTS.name, &schema::CHARGE_LINES.name] {
        let found = tables.iter().find(|table| table.name == *wanted);
        let found = found.ok_or_else(|| WindowError::FitSchema {
            table: wanted.clone(),
            detail: format!("table {wanted} is missing"),
        })?;
        table::register(&context, found, Some(part)).await?;
    }
    put(&context, "partial", vec![known.partial.clone()])?;
    put(&context, "admitted", vec![known.admitted.clone()])?;
    put(&context, "window_lengths", vec![engine::window_lengths()?])?;
    Ok(context)
}

/// The recomputed messages, which the queries after this read as `again_messages`, and folded into
/// their series as `recomputed_messages`.
async fn messages(
    context: &SessionContext,
    watermark_us: i64,
) -> Result<Vec<RecordBatch>, WindowError> {
    let schema = columns(&schema::MESSAGES, |name| MESSAGE_COLUMNS.contains(&name));
    let utc = Some(Arc::from("UTC"));
    let watermark = ScalarValue::TimestampMicrosecond(Some(watermark_us), utc);
    let (told, batches) = collect(context, MESSAGES, Some(("watermark", watermark))).await?;
    let batches = or_none(batches, &told);
    put(context, "again_messages", batches.clone())?;
    let (told, folded) = collect(context, FOLD, None).await?;
    put(context, "recomputed_messages", or_none(folded, &told))?;
    batches.iter().map(|batch| rows::cast_batch(batch, &schema, "messages")).collect()
}

/// The recomputed charges, which the queries after this read as `again_charges`.
async fn charges(
    context: &SessionContext,
    old_costs_through: u64,
) -> Result<Vec<RecordBatch>, WindowError> {
    let charges = columns(&schema::CHARGES, |name| CHARGE_COLUMNS.contains(&name));
    let flag = |name: &str| Arc::new(Field::new(name, DataType::Boolean, true));
    let flags = [flag("delivered"), flag("by_old_rule")];
    let fields = charges.fields().iter().cloned().chain(flags);
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let through = ScalarValue::UInt64(Some(old_costs_through));
    let (_, batches) = collect(context, CHARGES, Some(("old_costs_through", through))).await?;
    let cast = |batch| rows::cast_batch(batch, &schema, "charges");
    let batches = batches.iter().map(cast).collect::<Result<Vec<_>, _>>()?;
    let batches = or_none(batches, &schema);
    put(context, "again_charges", batches.clone())?;
    Ok(batches)
}

/// Counts of one part.
async fn count(context: &SessionContext, query: Query) -> Result<Vec<RecordBatch>, WindowError> {
    let (schema, batches) = collect(context, query, None).await?;
    Ok(or_none(batches, &schema))
}

/// Adds the counts of a part to those before.
async fn sum(
    context: &SessionContext,
    (table, query): (&str, Query),
    before: Option<RecordBatch>,
    counts: Vec<RecordBatch>,
) -> Result<RecordBatch, WindowError> {
    put(context, table, before.into_iter().chain(counts).collect())?;
    let (schema, batches) = collect(context, query, None).await?;
    rows::fit(&batches, &schema, table)
}

/// Runs a query: its columns and all its rows.
async fn collect(
    context: &SessionContext,
    (name, sql): Query,
    parameter: Option<(&str, ScalarValue)>,
) -> Result<(SchemaRef, Vec<RecordBatch>), WindowError> {
    let plan = |source| WindowError::Plan { query: name, source: Box::new(source) };
    let run = |source| WindowError::Run { query: name, source: Box::new(source) };
    let mut rows = context.sql(sql).await.map_err(plan)?;
    if let Some(parameter) = parameter {
        rows = rows.with_param_values(vec![parameter]).map_err(plan)?;
    }
    let schema = Arc::new(rows.schema().as_arrow().clone());
    Ok((schema, rows.collect().await.map_err(run)?))
}

/// Makes rows a table of this name.
fn put(context: &SessionContext, name: &str, rows: Vec<RecordBatch>) -> Result<(), WindowError> {
    let explain = |source| WindowError::OpenTable { table: name.to_owned(), source };
    let Some(first) = rows.first() else { return Ok(()) };
    let table = MemTable::try_new(first.schema(), vec![rows]).map(Arc::new);
    let registered = table.and_then(|table| context.register_table(name, table));
    registered.map(drop).map_err(|error| explain(Box::new(error)))
}

/// Rows, at least a batch of none.
fn or_none(rows: Vec<RecordBatch>, schema: &SchemaRef) -> Vec<RecordBatch> {
    if rows.is_empty() { vec![RecordBatch::new_empty(SchemaRef::clone(schema))] } else { rows }
}

/// Some columns of a table, nullable.
fn columns(table: &Table, wanted: impl Fn(&str) -> bool) -> SchemaRef {
    let kept = table.columns.iter().filter(|column| wanted(&column.name));
    let field = |column: &schema::Column| Field::new(&column.name, column.kind.arrow(), true);
    Arc::new(Schema::new(kept.map(field).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests;
