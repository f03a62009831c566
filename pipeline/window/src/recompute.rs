//! Messages and SLO windows again, from the stored events alone: what `sendtally verify` compares
//! the published tables with (promise P2).
//!
//! ```text
//! events ─► verify_messages.sql ─► verify_fold.sql ─► recomputed_messages ─► verify_slo.sql
//!        └─► with charge_lines and the messages ─► verify_charges.sql
//! ```
//! The rules of DESIGN.md ("Messages have lives", "Time") stand here a second time, as set logic
//! over all events of a message. Nothing is shared with `track` but the vocabulary and the sketch.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::Result as DataFusionResult;
use datafusion::prelude::SessionContext;
use model::schema::{self, Table};

use crate::executor::Executor;
use crate::table::{self, TableSource};
use crate::{WindowError, engine, rows, session, sketch_sql};

const VERIFY_MESSAGES_SQL: &str = include_str!("../../../queries/verify_messages.sql");
const VERIFY_SLO_SQL: &str = include_str!("../../../queries/verify_slo.sql");
const VERIFY_CHARGES_SQL: &str = include_str!("../../../queries/verify_charges.sql");
const VERIFY_FOLD_SQL: &str = include_str!("../../../queries/verify_fold.sql");
const MESSAGES_NAME: &str = "verify_messages.sql";
const SLO_NAME: &str = "verify_slo.sql";
const CHARGES_NAME: &str = "verify_charges.sql";

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

/// Messages as their events say, sorted by key; without those of `partial` (one column
/// `message_key`), some of whose events are gone. Columns are those of `messages` that follow from
/// events, with their types; nullable, so that a broken table can be looked at too. At least one
/// batch, so that its columns are known without an event too.
///
/// # Errors
/// Where the events cannot be read.
pub fn recompute_messages(
    events: TableSource,
    partial: &RecordBatch,
    watermark_us: i64,
) -> Result<Vec<RecordBatch>, WindowError> {
    let schema = columns(&schema::MESSAGES, |name| MESSAGE_COLUMNS.contains(&name));
    let executor = Executor::threaded()?;
    let batches = executor.block_on(async {
        let context = open(events, partial).await?;
        let messages = messages(&context, watermark_us).await.map_err(plan(MESSAGES_NAME))?;
        let by_key = vec![datafusion::prelude::col("message_key").sort(true, false)];
        let sorted = messages.sort(by_key).map_err(plan(MESSAGES_NAME))?;
        sorted.collect().await.map_err(run(MESSAGES_NAME))
    })?;
    if batches.is_empty() {
        return Ok(vec![RecordBatch::new_empty(schema)]);
    }
    batches.iter().map(|batch| rows::cast_batch(batch, &schema, "messages")).collect()
}

/// SLO windows as the recomputed messages say, in the series that `admitted` (what
/// [`crate::Guard::snapshot`] gave) lets them have: the columns of `slo_windows` without
/// `watermark`, `revision` and `committed_at`, sorted like [`crate::Engine::slo_windows`] sorts
/// them.
///
/// # Errors
/// Where the events cannot be read.
pub fn recompute_slo(
    events: TableSource,
    partial: &RecordBatch,
    admitted: &RecordBatch,
    watermark_us: i64,
) -> Result<RecordBatch, WindowError> {
    let schema = columns(&schema::SLO_WINDOWS, |name| !STAMP_COLUMNS.contains(&name));
    let executor = Executor::threaded()?;
    let batches = executor.block_on(async {
        let context = open(events, partial).await?;
        let known =
            MemTable::try_new(admitted.schema(), vec![vec![admitted.clone()]]).map(Arc::new);
        let registered = known.and_then(|table| context.register_table("admitted", table));
        registered.map_err(plan(SLO_NAME))?;
        let messages = messages(&context, watermark_us).await.map_err(plan(MESSAGES_NAME))?;
        let windows = windows(&context, messages).await.map_err(plan(SLO_NAME))?;
        windows.collect().await.map_err(run(SLO_NAME))
    })?;
    rows::fit(&batches, &schema, "slo_windows")
}

/// Charges as `events`, `charge_lines`, `again_messages` and `partial` among these tables say:
/// those columns of `charges` that follow from them, and whether the message was `delivered`. At
/// least one batch.
///
/// # Errors
/// Where a table cannot be read.
pub fn recompute_charges(
    tables: &[TableSource],
    old_costs_through: u64,
) -> Result<Vec<RecordBatch>, WindowError> {
    let charges = columns(&schema::CHARGES, |name| CHARGE_COLUMNS.contains(&name));
    let flag = |name: &str| Arc::new(Field::new(name, DataType::Boolean, true));
    let flags = [flag("delivered"), flag("by_old_rule")];
    let fields = charges.fields().iter().cloned().chain(flags);
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let executor = Executor::threaded()?;
    let batches = executor.block_on(async {
        let context = session::merging_context()?;
        for wanted in ["events", "charge_lines", "again_messages", "partial"] {
            let found = tables.iter().find(|table| table.name == wanted);
            let detail = || format!("table {wanted} is missing");
            let found = found.ok_or_else(|| WindowError::FitSchema {
                table: wanted.to_owned(),
                detail: detail(),
            })?;
            table::register(&context, found).await?;
        }
        let through = vec![("old_costs_through", ScalarValue::UInt64(Some(old_costs_through)))];
        let charges = context.sql(VERIFY_CHARGES_SQL).await;
        let charges = charges.and_then(|charges| charges.with_param_values(through));
        charges.map_err(plan(CHARGES_NAME))?.collect().await.map_err(run(CHARGES_NAME))
    })?;
    if batches.is_empty() {
        return Ok(vec![RecordBatch::new_empty(schema)]);
    }
    batches.iter().map(|batch| rows::cast_batch(batch, &schema, "charges")).collect()
}

/// A context whose `events` are these, whatever name they were given under.
async fn open(
    mut events: TableSource,
    partial: &RecordBatch,
) -> Result<SessionContext, WindowError> {
    events.name.clone_from(&schema::EVENTS.name);
    let context = session::merging_context()?;
    sketch_sql::register(&context);
    table::register(&context, &events).await?;
    let partial = MemTable::try_new(partial.schema(), vec![vec![partial.clone()]]).map(Arc::new);
    let registered = partial.and_then(|table| context.register_table("partial", table));
    registered.map_err(plan(MESSAGES_NAME))?;
    let lengths = engine::window_lengths()?;
    let lengths = MemTable::try_new(lengths.schema(), vec![vec![lengths]]).map(Arc::new);
    let registered = lengths.and_then(|table| context.register_table("window_lengths", table));
    registered.map(|_| context).map_err(plan(SLO_NAME))
}

async fn messages(context: &SessionContext, watermark_us: i64) -> DataFusionResult<DataFrame> {
    let utc = Some(Arc::from("UTC"));
    let watermark = ScalarValue::TimestampMicrosecond(Some(watermark_us), utc);
    context.sql(VERIFY_MESSAGES_SQL).await?.with_param_values(vec![("watermark", watermark)])
}

async fn windows(context: &SessionContext, messages: DataFrame) -> DataFusionResult<DataFrame> {
    context.register_table("unfolded_messages", messages.into_view())?;
    let folded = context.sql(VERIFY_FOLD_SQL).await?;
    context.register_table("recomputed_messages", folded.into_view())?;
    context.sql(VERIFY_SLO_SQL).await
}

/// Some columns of a table, nullable.
fn columns(table: &Table, wanted: impl Fn(&str) -> bool) -> SchemaRef {
    let kept = table.columns.iter().filter(|column| wanted(&column.name));
    let field = |column: &schema::Column| Field::new(&column.name, column.kind.arrow(), true);
    Arc::new(Schema::new(kept.map(field).collect::<Vec<_>>()))
}

fn plan(query: &'static str) -> impl Fn(datafusion::error::DataFusionError) -> WindowError {
    move |source| WindowError::Plan { query, source: Box::new(source) }
}

fn run(query: &'static str) -> impl Fn(datafusion::error::DataFusionError) -> WindowError {
    move |source| WindowError::Run { query, source: Box::new(source) }
}

#[cfg(test)]
mod tests;
