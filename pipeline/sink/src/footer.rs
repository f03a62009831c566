//! What a footer tells without reading rows.

use std::fs::File;
use std::path::Path;

use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::statistics::Statistics;

use crate::SinkError;

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
