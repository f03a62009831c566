//! What a Parquet file tells without reading it whole: its footer, or a run of its rows.

use std::fs::File;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::statistics::Statistics;

use crate::SinkError;

/// Rows `first..first + n` of a file.
///
/// # Errors
/// Where the file cannot be read.
pub fn read_rows(path: &Path, first: u64, n: u64) -> Result<Vec<RecordBatch>, SinkError> {
    let file = File::open(path).map_err(SinkError::io("open", path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(SinkError::read(path))?;
    let size = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
    let reader = builder.with_offset(size(first)).with_limit(size(n)).build();
    let rows: Result<Vec<RecordBatch>, ArrowError> =
        reader.map_err(SinkError::read(path))?.collect();
    rows.map_err(|error| SinkError::read(path)(ParquetError::ArrowError(error.to_string())))
}

/// The newest epoch of the job of which a file has rows; `None` where the table has no such column.
///
/// # Errors
/// Where the file cannot be read.
pub fn newest_epoch(path: &Path) -> Result<Option<u64>, SinkError> {
    let file = File::open(path).map_err(SinkError::io("open", path))?;
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file);
    let metadata = metadata.map_err(SinkError::read(path))?;
    let columns = metadata.file_metadata().schema_descr();
    let at = columns.columns().iter().position(|column| column.name() == "epoch");
    let Some(at) = at else { return Ok(None) };
    let newest = metadata.row_groups().iter().filter_map(|group| {
        let Some(Statistics::Int64(values)) = group.column(at).statistics() else { return None };
        values.max_opt().map(|newest| newest.cast_unsigned())
    });
    Ok(newest.max())
}
