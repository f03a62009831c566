//! Rows on their way to files: split by date, sorted as the schema says.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow_row::{RowConverter, SortField};
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;
use model::schema::Table;
use model::time::{DAY_US, format_date};

use crate::{SinkError, conform};

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

/// Rows by the day of the table's partition column, counted from 1970; no row has no part.
pub(crate) fn split_days(
    table: &Table,
    batch: &RecordBatch,
) -> Result<Vec<(i64, RecordBatch)>, ArrowError> {
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
    let batches = batches.iter().map(|batch| conform(table, batch));
    let batches = batches.collect::<Result<Vec<_>, _>>().map_err(failed("join", table))?;
    let all = concat_batches(&table.arrow(), &batches).map_err(failed("join", table))?;
    let order = order(table, &all).map_err(failed("sort", table))?;
    take_record_batch(&all, &order).map_err(failed("sort", table))
}

/// Positions of the rows in the table's order, nulls first. Columns are put into bytes that compare
/// as they do, so that two rows cost one comparison, however many columns there are.
fn order(table: &Table, all: &RecordBatch) -> Result<UInt32Array, ArrowError> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(table.sort.len());
    for name in &table.sort {
        columns.push(ArrayRef::clone(all.column(all.schema().index_of(name)?)));
    }
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone()));
    let rows = RowConverter::new(fields.collect())?.convert_columns(&columns)?;
    let mut sorted: Vec<(arrow_row::Row<'_>, u32)> = rows.iter().zip(0_u32..).collect();
    sorted.sort_unstable();
    Ok(sorted.into_iter().map(|(_, position)| Some(position)).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use arrow_array::types::{Int32Type, Int64Type, UInt64Type};
    use arrow_array::{
        DictionaryArray, Int32Array, Int64Array, TimestampMicrosecondArray, UInt64Array,
    };
    use model::schema::LEDGER;

    use super::*;

    /// Ledger rows of (epoch, topic, day after 1970).
    fn ledger(rows: &[(u64, &str, i64)]) -> RecordBatch {
        let rows = rows.iter().map(|(epoch, topic, day)| (*epoch, *topic, day * DAY_US + 1));
        ledger_at(&rows.collect::<Vec<_>>())
    }

    /// Ledger rows of (epoch, topic, committed at).
    pub(crate) fn ledger_at(rows: &[(u64, &str, i64)]) -> RecordBatch {
        let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; rows.len()]));
        let topics: DictionaryArray<Int32Type> = rows.iter().map(|row| Some(row.1)).collect();
        let times: TimestampMicrosecondArray = rows.iter().map(|row| Some(row.2)).collect();
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| Some(row.0)).collect::<UInt64Array>()),
            Arc::new(topics),
            Arc::new(Int32Array::from(vec![0; rows.len()])),
        ];
        columns.extend((0..10).map(|_| Arc::clone(&zeros)));
        columns.push(Arc::new(times.with_timezone("UTC")));
        RecordBatch::try_new(LEDGER.arrow(), columns).unwrap()
    }

    fn places(batch: &RecordBatch) -> Vec<(u64, String)> {
        let epochs = batch.column(0).as_primitive::<UInt64Type>();
        let topics = batch.column(1).as_dictionary::<Int32Type>();
        let topics = topics.downcast_dict::<arrow_array::StringArray>().unwrap();
        (0..batch.num_rows())
            .map(|row| {
                let topic = arrow_array::ArrayAccessor::value(&topics, row);
                (epochs.value(row), topic.to_owned())
            })
            .collect()
    }

    #[test]
    fn rows_of_all_batches_come_in_the_order_that_the_schema_says() {
        let order: Vec<&str> = LEDGER.sort.iter().map(String::as_str).collect();
        assert_eq!(order[..2], ["topic", "partition"]);
        let batches = [ledger(&[(2, "b", 0), (1, "b", 0)]), ledger(&[(3, "a", 0), (1, "a", 0)])];
        let rows = sorted(&LEDGER, &batches).unwrap();
        let wanted = [(1, "a"), (3, "a"), (1, "b"), (2, "b")];
        assert_eq!(places(&rows), wanted.map(|(epoch, topic)| (epoch, topic.to_owned())));
        assert_eq!(rows.column(3).as_primitive::<Int64Type>().len(), 4);
    }

    #[test]
    fn each_row_is_in_the_part_of_its_date() {
        let batches = [ledger(&[(1, "a", 0), (2, "a", 1), (3, "a", 0)]), ledger(&[(4, "a", 1)])];
        let dates = by_date(&LEDGER, &batches).unwrap();
        let epochs = |date: &str| -> Vec<u64> {
            let parts = &dates[date];
            parts.iter().flat_map(places).map(|(epoch, _)| epoch).collect()
        };
        assert_eq!(dates.len(), 2);
        assert_eq!((epochs("1970-01-01"), epochs("1970-01-02")), (vec![1, 3], vec![2, 4]));
    }
}
