//! Rows on their way to files: split by date, sorted as the schema says.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_ord::sort::{SortColumn, SortOptions, lexsort_to_indices};
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;
use model::schema::Table;
use model::time::{DAY_US, format_date};

use crate::SinkError;

fn failed(what: &'static str, table: &Table) -> impl Fn(ArrowError) -> SinkError {
    let table = table.name.clone();
    move |source| SinkError::Rows { what, table: table.clone(), source }
}

/// Splits rows by the date (UTC) of the table's partition column; rows without a time are of
/// 1970-01-01.
///
/// # Errors
/// Where a batch does not have the table's columns.
pub fn by_date(
    table: &Table,
    batches: &[RecordBatch],
) -> Result<BTreeMap<String, Vec<RecordBatch>>, SinkError> {
    let mut dates: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        for (day, part) in split_days(table, batch).map_err(failed("split", table))? {
            dates.entry(format_date(day * DAY_US)).or_default().push(part);
        }
    }
    Ok(dates)
}

fn split_days(table: &Table, batch: &RecordBatch) -> Result<Vec<(i64, RecordBatch)>, ArrowError> {
    let column = batch.schema().index_of(&table.partition_time)?;
    let times = batch.column(column).as_primitive_opt::<TimestampMicrosecondType>();
    let wrong = || ArrowError::SchemaError(format!("{} is no timestamp", table.partition_time));
    let times = times.ok_or_else(wrong)?;
    let day = |row: usize| if times.is_null(row) { 0 } else { times.value(row).div_euclid(DAY_US) };
    let days: Vec<i64> = (0..batch.num_rows()).map(day).collect();
    let mut distinct = days.clone();
    distinct.sort_unstable();
    distinct.dedup();
    if let [day] = distinct.as_slice() {
        return Ok(vec![(*day, batch.clone())]);
    }
    let part = |wanted: i64| -> Result<(i64, RecordBatch), ArrowError> {
        let mask: BooleanArray = days.iter().map(|day| Some(*day == wanted)).collect();
        Ok((wanted, filter_record_batch(batch, &mask)?))
    };
    distinct.into_iter().map(part).collect()
}

/// All rows as one batch in the table's order.
///
/// # Errors
/// Where a batch does not have the table's columns.
pub fn sorted(table: &Table, batches: &[RecordBatch]) -> Result<RecordBatch, SinkError> {
    let all = concat_batches(&table.arrow(), batches).map_err(failed("join", table))?;
    let column = |name: &String| -> Result<SortColumn, ArrowError> {
        let at = all.schema().index_of(name)?;
        let options = Some(SortOptions { descending: false, nulls_first: true });
        Ok(SortColumn { values: std::sync::Arc::clone(all.column(at)), options })
    };
    let columns: Result<Vec<SortColumn>, ArrowError> = table.sort.iter().map(column).collect();
    let order = columns
        .and_then(|columns| lexsort_to_indices(&columns, None))
        .map_err(failed("sort", table))?;
    take_record_batch(&all, &order).map_err(failed("sort", table))
}
