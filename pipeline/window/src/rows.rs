//! Rows into the columns that a table has: by name, exactly its types.

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, Field, SchemaRef};
use arrow_select::concat::concat_batches;

use crate::WindowError;

/// A batch with exactly this schema. Columns are found by name, superfluous ones are left out and
/// a missing one is null where it may be: rows of an older version can be read by a newer one.
/// Types must be equal.
pub(crate) fn conform(
    batch: &RecordBatch,
    schema: &SchemaRef,
    table: &str,
) -> Result<RecordBatch, WindowError> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let column = |field: &Field| match batch.column_by_name(field.name()) {
        Some(column) if column.data_type() == field.data_type() => Ok(ArrayRef::clone(column)),
        Some(column) => {
            let (found, wanted) = (column.data_type(), field.data_type());
            Err(misfit(table, format!("column {} is {found}, not {wanted}", field.name())))
        }
        None if field.is_nullable() => Ok(new_null_array(field.data_type(), batch.num_rows())),
        None => Err(misfit(table, format!("column {} is missing", field.name()))),
    };
    let columns = schema.fields().iter().map(|field| column(field)).collect::<Result<_, _>>()?;
    RecordBatch::try_new(SchemaRef::clone(schema), columns)
        .map_err(|error| misfit(table, error.to_string()))
}

/// The result of a query as one batch of a table. Types are cast (an aggregate of a dictionary
/// may give plain text); a value that does not fit is an error, never a null.
pub(crate) fn fit(
    batches: &[RecordBatch],
    schema: &SchemaRef,
    table: &str,
) -> Result<RecordBatch, WindowError> {
    let fitted = batches.iter().map(|batch| cast_batch(batch, schema, table));
    let fitted = fitted.collect::<Result<Vec<_>, _>>()?;
    concat_batches(schema, &fitted).map_err(|error| misfit(table, error.to_string()))
}

/// One batch of [`fit`].
pub(crate) fn cast_batch(
    batch: &RecordBatch,
    schema: &SchemaRef,
    table: &str,
) -> Result<RecordBatch, WindowError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let column = |field: &Field| {
        let Some(column) = batch.column_by_name(field.name()) else {
            return Err(misfit(table, format!("column {} is missing", field.name())));
        };
        let explain = |error: ArrowError| misfit(table, format!("{}: {error}", field.name()));
        cast_with_options(column, field.data_type(), &options).map_err(explain)
    };
    let columns = schema.fields().iter().map(|field| column(field)).collect::<Result<_, _>>()?;
    RecordBatch::try_new(SchemaRef::clone(schema), columns)
        .map_err(|error| misfit(table, error.to_string()))
}

fn misfit(table: &str, detail: String) -> WindowError {
    WindowError::FitSchema { table: table.to_owned(), detail }
}

/// A batch from its columns.
pub(crate) fn batch(
    schema: SchemaRef,
    columns: Vec<ArrayRef>,
    table: &str,
) -> Result<RecordBatch, WindowError> {
    RecordBatch::try_new(schema, columns).map_err(|error| misfit(table, error.to_string()))
}
