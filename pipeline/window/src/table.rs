//! x
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use std::path::PathBuf;
/// Rows of one table: exactly these files and these batches.
#[derive(Debug, Clone)]
pub struct TableSource {
    /// Name.
    pub name: String,
    /// Schema of files and segments.
    pub schema: SchemaRef,
    /// Parquet files.
    pub parquet: Vec<PathBuf>,
    /// Rows in memory.
    pub segments: Vec<RecordBatch>,
}
