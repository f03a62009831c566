//! Compaction: sorted files of one table into few larger ones, still sorted.
//!
//! ```text
//! roll 41 ─► 2,048 rows ─┐
//! roll 42 ─► 2,048 rows ─┼─► least run first ─► 8,192 rows ─► part 0 │ part 1 │ …
//! roll 43 ─► 2,048 rows ─┘
//! ```
//! Invariants: the rows that come out are those that went in, each as often; memory holds a batch
//! and a page a column of each input, and one row group of the output, however long the files are;
//! the same inputs give the same parts.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::ArrowError;
use arrow_select::interleave::interleave_record_batch;
use model::schema::{ColumnType, Table};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::{ParquetFile, SinkError, Written};

/// Rows read at a time from each input.
const READ_ROWS: usize = 2_048;
/// Rows written at a time.
const WRITE_ROWS: usize = 8_192;
/// The same of tables with a column of bytes, where one row can be a megabyte.
const BULKY_READ_ROWS: usize = 16;
const BULKY_WRITE_ROWS: usize = 64;

/// Rows of this table read and written at a time.
fn steps(table: &Table) -> (usize, usize) {
    if table.columns.iter().any(|column| column.kind == ColumnType::Binary) {
        return (BULKY_READ_ROWS, BULKY_WRITE_ROWS);
    }
    (READ_ROWS, WRITE_ROWS)
}

/// Merges the sorted files `inputs` into `outputs`, each with an equal share of the rows, in order.
/// Returns what was written into each; with fewer rows than outputs the last ones are not made.
///
/// # Errors
/// Where a file cannot be read, does not have the table's columns or order, or cannot be written;
/// partial files may be left, which no manifest names.
pub fn merge(
    table: &Table,
    inputs: &[PathBuf],
    outputs: &[PathBuf],
    facts: &[(&str, String)],
) -> Result<Vec<Written>, SinkError> {
    let failed = |source| SinkError::Rows { what: "merge", table: table.name.clone(), source };
    let converter = converter(table).map_err(failed)?;
    let (read_rows, write_rows) = steps(table);
    let mut rows = 0;
    let mut sources = Vec::with_capacity(inputs.len());
    for path in inputs {
        let reader = open(path, read_rows)?;
        rows += reader.1;
        sources.push(Source { path: path.clone(), reader: reader.0, table, ahead: None });
    }
    let share = rows.div_ceil(outputs.len().max(1) as u64).max(1);
    let mut parts = Parts { table, outputs, facts, share, open: None, done: Vec::new() };
    let mut chunk = Chunk::default();
    for source in &mut sources {
        source.advance(&converter, &mut chunk)?;
    }
    while let Some((least, rival)) = lowest(&sources) {
        let run = sources[least].run(rival.map(|rival| (&sources[rival], rival < least)));
        let room = write_rows - chunk.picks.len();
        if sources[least].take(run.min(room), &mut chunk) {
            sources[least].advance(&converter, &mut chunk)?;
        }
        if chunk.picks.len() >= write_rows {
            parts.write(&chunk.rows().map_err(failed)?)?;
            chunk.renew(&mut sources);
        }
    }
    if !chunk.picks.is_empty() {
        parts.write(&chunk.rows().map_err(failed)?)?;
    }
    parts.finish()
}

fn converter(table: &Table) -> Result<RowConverter, ArrowError> {
    let schema = table.arrow();
    let field = |name: &String| -> Result<SortField, ArrowError> {
        Ok(SortField::new(schema.field_with_name(name)?.data_type().clone()))
    };
    RowConverter::new(table.sort.iter().map(field).collect::<Result<Vec<_>, _>>()?)
}

/// A reader of a file, and how many rows it has.
fn open(path: &Path, read_rows: usize) -> Result<(ParquetRecordBatchReader, u64), SinkError> {
    let file = File::open(path).map_err(SinkError::io("open", path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(SinkError::read(path))?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let reader = builder.with_batch_size(read_rows).build().map_err(SinkError::read(path))?;
    Ok((reader, rows))
}

/// The rows at hand of one input.
struct Ahead {
    batch: RecordBatch,
    /// Its sort columns, as bytes that compare as the rows do.
    order: Rows,
    at: usize,
    /// Which batch of the chunk it is.
    slot: usize,
}

struct Source<'a> {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    table: &'a Table,
    ahead: Option<Ahead>,
}

impl Source<'_> {
    /// Reads the next rows, if there are any.
    fn advance(&mut self, converter: &RowConverter, chunk: &mut Chunk) -> Result<(), SinkError> {
        self.ahead = None;
        let failed = |source| SinkError::Rows {
            what: "merge",
            table: format!("{} in {}", self.table.name, self.path.display()),
            source,
        };
        for batch in self.reader.by_ref() {
            let batch = conform(self.table, &batch.map_err(failed)?).map_err(failed)?;
            if batch.num_rows() == 0 {
                continue;
            }
            let order = order(self.table, &batch, converter).map_err(failed)?;
            let slot = chunk.batches.len();
            chunk.batches.push(batch.clone());
            self.ahead = Some(Ahead { batch, order, at: 0, slot });
            break;
        }
        Ok(())
    }

    /// How many rows may be taken before the rival's next; of equal rows the earlier file's first.
    fn run(&self, rival: Option<(&Source<'_>, bool)>) -> usize {
        let Some(ahead) = &self.ahead else { return 0 };
        let end = ahead.batch.num_rows();
        let rival = rival.and_then(|(source, first)| Some((source.ahead.as_ref()?, first)));
        let Some((other, rival_first)) = rival else { return end - ahead.at };
        let bound = other.order.row(other.at);
        let mut low = ahead.at + 1;
        let mut high = end;
        while low < high {
            let middle = usize::midpoint(low, high);
            let row = ahead.order.row(middle);
            if row < bound || (row == bound && !rival_first) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low - ahead.at
    }

    /// Puts the next rows into the chunk. True where the batch is used up.
    fn take(&mut self, rows: usize, chunk: &mut Chunk) -> bool {
        let Some(ahead) = &mut self.ahead else { return false };
        chunk.picks.extend((ahead.at..ahead.at + rows).map(|row| (ahead.slot, row)));
        ahead.at += rows;
        ahead.at == ahead.batch.num_rows()
    }
}

/// The input with the least next row, and the one with the least of the others.
fn lowest(sources: &[Source<'_>]) -> Option<(usize, Option<usize>)> {
    let row = |at: usize| sources[at].ahead.as_ref().map(|ahead| ahead.order.row(ahead.at));
    let (mut least, mut rival) = (None, None);
    for at in (0..sources.len()).filter(|at| sources[*at].ahead.is_some()) {
        if least.is_none_or(|least| row(at) < row(least)) {
            rival = least;
            least = Some(at);
        } else if rival.is_none_or(|rival| row(at) < row(rival)) {
            rival = Some(at);
        }
    }
    least.map(|least| (least, rival))
}

/// Rows picked for the next write, and the batches that they are in.
#[derive(Default)]
struct Chunk {
    batches: Vec<RecordBatch>,
    picks: Vec<(usize, usize)>,
}

impl Chunk {
    fn rows(&self) -> Result<RecordBatch, ArrowError> {
        interleave_record_batch(&self.batches.iter().collect::<Vec<_>>(), &self.picks)
    }

    /// Begins anew with the batches that are still at hand.
    fn renew(&mut self, sources: &mut [Source<'_>]) {
        self.picks.clear();
        self.batches.clear();
        for ahead in sources.iter_mut().filter_map(|source| source.ahead.as_mut()) {
            ahead.slot = self.batches.len();
            self.batches.push(ahead.batch.clone());
        }
    }
}

/// The batch with the table's columns: one that came after its file was written is null.
///
/// # Errors
/// Where a column has another type, or one that may not be null is missing.
pub fn conform(table: &Table, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = table.arrow();
    let column = |field: &arrow_schema::FieldRef| match batch.column_by_name(field.name()) {
        Some(column) => ArrayRef::clone(column),
        None => new_null_array(field.data_type(), batch.num_rows()),
    };
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(schema, columns)
}

/// The sort columns of a batch as comparable bytes; an error where they are not in order.
fn order(table: &Table, batch: &RecordBatch, converter: &RowConverter) -> Result<Rows, ArrowError> {
    let mut columns = Vec::with_capacity(table.sort.len());
    for name in &table.sort {
        columns.push(ArrayRef::clone(batch.column(batch.schema().index_of(name)?)));
    }
    let order = converter.convert_columns(&columns)?;
    if order.iter().is_sorted() {
        return Ok(order);
    }
    let wanted = table.sort.join(", ");
    Err(ArrowError::InvalidArgumentError(format!("rows are not sorted by {wanted}")))
}

/// The files that are written, one after another.
struct Parts<'a> {
    table: &'a Table,
    outputs: &'a [PathBuf],
    facts: &'a [(&'a str, String)],
    /// Rows of a part.
    share: u64,
    open: Option<ParquetFile>,
    done: Vec<Written>,
}

impl Parts<'_> {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        let mut from = 0;
        while from < rows.num_rows() {
            let file = match &mut self.open {
                Some(file) => file,
                None => {
                    let path = &self.outputs[self.done.len()];
                    self.open.insert(ParquetFile::create(path, self.table, self.facts)?)
                }
            };
            let room = usize::try_from(self.share - file.rows()).unwrap_or(usize::MAX);
            let many = room.min(rows.num_rows() - from);
            file.write(&rows.slice(from, many))?;
            from += many;
            if file.rows() >= self.share {
                self.done.extend(self.open.take().map(ParquetFile::finish).transpose()?);
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Written>, SinkError> {
        self.done.extend(self.open.take().map(ParquetFile::finish).transpose()?);
        Ok(self.done)
    }
}

#[cfg(test)]
mod tests;
