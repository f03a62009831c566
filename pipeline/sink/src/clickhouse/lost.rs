//! Rows that a server remembers and does not have.
//!
//! ```text
//! insert ─► part written ─► token into the log ─┼─► part renamed to its name ─► answer
//!                                               └ killed here: the token is known, the rows are
//!                                                 gone; the repeated insert hears "all there"
//! ```
//! `MergeTree` without replication writes its log of tokens before it names the part (seen by
//! tracing the calls of ClickHouse 26). So after a try whose end nobody knows, the repeated one is
//! asked for its rows. The parts of an insert come by month, each whole or not at all: one row of
//! each day stands for the others.
//!
//! Invariants: a row is looked for by all columns that compare exactly, so that no other row passes
//! for it, and none that is there is missed; what is found is not sent again.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int32Type, Int64Type, TimestampMicrosecondType, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType};
use arrow_select::concat::concat_batches;
use model::keys::hex;
use model::schema::{ColumnType, Table};

use super::ddl::quoted;
use crate::rows::split_days;

/// What a `DateTime64` holds, from 1900 to the end of 2299: it clamps other times.
const TIMES_US: std::ops::Range<i64> = -2_208_988_800_000_000..10_413_792_000_000_000;

/// Parts of a batch with a condition that the first row of each, and no other row, meets.
pub(crate) fn samples(
    table: &Table,
    rows: &RecordBatch,
) -> Result<Vec<(String, RecordBatch)>, ArrowError> {
    let sampled = |(_, part): (i64, RecordBatch)| Ok((condition(table, &part)?, part));
    split_days(table, rows)?.into_iter().map(sampled).collect()
}

/// The parts as one batch; `None` without any.
pub(crate) fn joined(parts: &[RecordBatch]) -> Result<Option<RecordBatch>, ArrowError> {
    let Some(first) = parts.first() else { return Ok(None) };
    concat_batches(&first.schema(), parts).map(Some)
}

/// The first row as a condition.
fn condition(table: &Table, part: &RecordBatch) -> Result<String, ArrowError> {
    let mut terms = Vec::with_capacity(part.num_columns());
    for column in &table.columns {
        let values = part.column(part.schema().index_of(&column.name)?);
        let name = quoted(&column.name);
        if values.is_null(0) {
            terms.push(format!("{name} IS NULL"));
        } else if let Some(value) = literal(column.kind, values)? {
            terms.push(format!("{name} = {value}"));
        }
    }
    Ok(terms.join(" AND "))
}

/// The first value as ClickHouse writes it; `None` for numbers that may not compare exactly.
fn literal(kind: ColumnType, values: &ArrayRef) -> Result<Option<String>, ArrowError> {
    Ok(Some(match kind {
        ColumnType::Fixed16 | ColumnType::Fixed32 => {
            format!("unhex('{}')", hex(values.as_fixed_size_binary().value(0)))
        }
        ColumnType::Binary => format!("unhex('{}')", hex(values.as_binary::<i32>().value(0))),
        ColumnType::Dictionary | ColumnType::Utf8 => {
            let text = cast(values, &DataType::Utf8)?;
            format!("unhex('{}')", hex(text.as_string::<i32>().value(0).as_bytes()))
        }
        ColumnType::Boolean => values.as_boolean().value(0).to_string(),
        ColumnType::Timestamp => {
            let time_us = values.as_primitive::<TimestampMicrosecondType>().value(0);
            if !TIMES_US.contains(&time_us) {
                return Ok(None);
            }
            format!("fromUnixTimestamp64Micro({time_us}, 'UTC')")
        }
        ColumnType::Uint16 => values.as_primitive::<UInt16Type>().value(0).to_string(),
        ColumnType::Uint32 => values.as_primitive::<UInt32Type>().value(0).to_string(),
        ColumnType::Uint64 => values.as_primitive::<UInt64Type>().value(0).to_string(),
        ColumnType::Int32 => values.as_primitive::<Int32Type>().value(0).to_string(),
        ColumnType::Int64 => values.as_primitive::<Int64Type>().value(0).to_string(),
        ColumnType::Float64 | ColumnType::Decimal | ColumnType::Decimal38 => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use model::schema::LEDGER;
    use model::time::DAY_US;

    use super::*;
    use crate::rows::tests::ledger_at;

    #[test]
    fn one_row_of_each_day_stands_for_it_and_its_values_cannot_leave_their_quotes() {
        let rows = ledger_at(&[(7, "it's", 5), (8, "a", DAY_US + 6), (9, "a", 8)]);
        let samples = samples(&LEDGER, &rows).unwrap();
        let n_rows: Vec<usize> = samples.iter().map(|(_, part)| part.num_rows()).collect();
        assert_eq!(n_rows, [2, 1]);
        let first = &samples[0].0;
        assert!(first.starts_with("`epoch` = 7 AND `topic` = unhex('69742773') AND"), "{first}");
        let time = "`committed_at` = fromUnixTimestamp64Micro(5, 'UTC')";
        assert!(first.ends_with(time), "{first}");
        assert!(samples[1].0.starts_with("`epoch` = 8 AND"), "{}", samples[1].0);
        let again = joined(&[samples[1].1.clone(), samples[0].1.clone()]).unwrap().unwrap();
        assert_eq!(again.num_rows(), 3);
        assert!(joined(&[]).unwrap().is_none());
    }

    #[test]
    fn a_time_that_the_server_clamps_is_not_asked_for() {
        for (time_us, told) in [
            (TIMES_US.start - 1, false),
            (TIMES_US.start, true),
            (TIMES_US.end - 1, true),
            (TIMES_US.end, false),
        ] {
            let condition = condition(&LEDGER, &ledger_at(&[(1, "a", time_us)])).unwrap();
            assert_eq!(condition.contains("committed_at"), told, "{time_us}: {condition}");
        }
    }
}
