//! One Parquet file: zstd, page index, sorting columns, a bloom filter on `message_key`, encodings
//! chosen by what a column is.
//!
//! | column | encoding | why |
//! |---|---|---|
//! | times, counters that grow | `DELTA_BINARY_PACKED` | neighbours in the order of rows are near |
//! | ids that hardly repeat | plain | a dictionary of them is only built to be thrown away |
//! | everything else | dictionary | few distinct values |

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use model::schema::{Column, ColumnType, Table};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::SinkError;

/// Rows of a row group: readers are 5 to 10 times slower below 5,000, flat from 100,000 on.
pub const ROW_GROUP_ROWS: usize = 262_144;
/// Bytes of a row group, where rows are large: bounds the memory of writing.
const ROW_GROUP_BYTES: usize = 256 << 20;
/// Share of absent keys that a bloom filter lets pass.
const FALSE_POSITIVES: f64 = 0.01;
/// Ids that hardly repeat within a file.
const IDS: [&str; 5] = ["event_id", "message_id", "message_key", "charge_id", "id"];
/// Whole numbers that grow with the rows.
const COUNTERS: [&str; 5] = ["offset", "start_offset", "end_offset", "epoch", "seq"];

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Rows.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// A new Parquet file that takes batches of sorted rows, one after another. Holds one row group,
/// encoded, in memory.
#[derive(Debug)]
pub struct ParquetFile {
    path: PathBuf,
    writer: ArrowWriter<File>,
    rows: u64,
}

impl ParquetFile {
    /// Creates it; its directory is made where absent. `facts` go into the footer.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn create(path: &Path, table: &Table, facts: &[(&str, String)]) -> Result<Self, SinkError> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(SinkError::io("make directory", parent))?;
        }
        let file = File::create(path).map_err(SinkError::io("create", path))?;
        let properties = properties(table, facts).map_err(SinkError::write(path))?;
        let writer = ArrowWriter::try_new(file, table.arrow(), Some(properties));
        let writer = writer.map_err(SinkError::write(path))?;
        Ok(Self { path: path.to_path_buf(), writer, rows: 0 })
    }

    /// Adds rows, which are in the table's order, behind those that are there.
    ///
    /// # Errors
    /// Where encoding or writing fails.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        self.writer.write(rows).map_err(SinkError::write(&self.path))?;
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    /// Rows so far.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes the footer and fsyncs the file; the directory's fsync is the caller's.
    ///
    /// # Errors
    /// Where writing fails; a partial file may be left, which no manifest names.
    pub fn finish(self) -> Result<Written, SinkError> {
        let Self { path, writer, rows } = self;
        let file = writer.into_inner().map_err(SinkError::write(&path))?;
        file.sync_all().map_err(SinkError::io("fsync", &path))?;
        let bytes = file.metadata().map_err(SinkError::io("stat", &path))?.len();
        Ok(Written { rows, bytes })
    }
}

/// Writes sorted rows as a new file and fsyncs it.
///
/// # Errors
/// Where encoding or writing fails; a partial file may be left, which no manifest names.
pub fn write_parquet(
    path: &Path,
    table: &Table,
    rows: &RecordBatch,
    facts: &[(&str, String)],
) -> Result<Written, SinkError> {
    let mut file = ParquetFile::create(path, table, facts)?;
    file.write(rows)?;
    file.finish()
}

fn properties(table: &Table, facts: &[(&str, String)]) -> Result<WriterProperties, ParquetError> {
    let position = |name: &String| table.columns.iter().position(|column| column.name == *name);
    let sorting = table.sort.iter().filter_map(|name| {
        let column_idx = i32::try_from(position(name)?).ok()?;
        Some(SortingColumn { column_idx, descending: false, nulls_first: true })
    });
    let facts = facts.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone()));
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(Some(sorting.collect()))
        .set_key_value_metadata(Some(facts.collect()))
        .set_created_by(format!("sendtally {}", env!("CARGO_PKG_VERSION")));
    for column in &table.columns {
        builder = encoded(builder, column);
    }
    Ok(builder.build())
}

fn encoded(builder: WriterPropertiesBuilder, column: &Column) -> WriterPropertiesBuilder {
    let name = column.name.as_str();
    let path = ColumnPath::from(name);
    if column.kind == ColumnType::Timestamp || COUNTERS.contains(&name) {
        return builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    if column.kind == ColumnType::Binary {
        // Ciphertext: neither statistics nor a dictionary of it says anything.
        return builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_compression(path.clone(), Compression::UNCOMPRESSED)
            .set_column_statistics_enabled(path, EnabledStatistics::None);
    }
    let builder = if IDS.contains(&name) {
        builder.set_column_dictionary_enabled(path.clone(), false)
    } else {
        builder
    };
    if name == "message_key" {
        return builder
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_fpp(path, FALSE_POSITIVES);
    }
    builder
}
