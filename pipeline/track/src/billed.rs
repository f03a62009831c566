//! Rows of `charges` for lines of bills that are no message's: what the line says.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, RecordBatch, TimestampMicrosecondArray, UInt32Array,
};
use arrow_select::take::take_record_batch;
use model::money::ONE;
use model::schema;

use crate::columns::column;
use crate::rows::{Stamp, stamps};
use crate::tracker::TrackError;

/// Columns that `charges` has as the line has them.
const SAME: [&str; 17] = [
    "charge_id",
    "source",
    "account",
    "message_key",
    "kind",
    "basis",
    "unit",
    "unit_price",
    "amount",
    "currency",
    "period_start",
    "period_end",
    "invoice_id",
    "sku",
    "channel",
    "country",
    "carrier",
];

/// The rows of one batch of lines that stand.
pub(crate) fn rows(
    lines: &RecordBatch,
    rows: Vec<u32>,
    stamp: Stamp,
) -> Result<RecordBatch, TrackError> {
    let lines = take_record_batch(lines, &UInt32Array::from(rows))?;
    let (revision, committed_at) = stamps(stamp, lines.num_rows());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema::CHARGES.columns.len());
    for wanted in &schema::CHARGES.columns {
        columns.push(match wanted.name.as_str() {
            "quantity" => quantity(&lines)?,
            "charge_time" => charge_time(&lines)?,
            "traffic_class" => same(&lines, "traffic_class")?,
            "grain" => same(&lines, "grain")?,
            "revision" => Arc::clone(&revision),
            "committed_at" => Arc::clone(&committed_at),
            name => {
                let known = SAME.iter().find(|known| **known == name);
                same(&lines, known.ok_or(TrackError::Column { name: "charges" })?)?
            }
        });
    }
    Ok(RecordBatch::try_new(schema::CHARGES.arrow(), columns)?)
}

fn same(lines: &RecordBatch, name: &'static str) -> Result<ArrayRef, TrackError> {
    lines.column_by_name(name).cloned().ok_or(TrackError::Column { name })
}

/// Units; one where the line tells none.
fn quantity(lines: &RecordBatch) -> Result<ArrayRef, TrackError> {
    let name = "quantity";
    let told = column(lines, name)?.as_primitive_opt::<Decimal128Type>();
    let told = told.ok_or(TrackError::Column { name })?;
    let units: Decimal128Array = told.iter().map(|units| Some(units.unwrap_or(ONE))).collect();
    Ok(Arc::new(units.with_precision_and_scale(38, 9)?))
}

/// The start of the period, else the line's time, else when it was received.
fn charge_time(lines: &RecordBatch) -> Result<ArrayRef, TrackError> {
    let mut columns = Vec::new();
    for name in ["period_start", "event_time", "ingest_time", "period_end"] {
        let times = column(lines, name)?.as_primitive_opt::<TimestampMicrosecondType>();
        columns.push(times.ok_or(TrackError::Column { name })?);
    }
    let time = |row: usize| {
        let told = columns.iter().find(|times| !times.is_null(row));
        Some(told.map_or(0, |times| times.value(row)))
    };
    let times: TimestampMicrosecondArray = (0..lines.num_rows()).map(time).collect();
    Ok(Arc::new(times.with_timezone("UTC")))
}
