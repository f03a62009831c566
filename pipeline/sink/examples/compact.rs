//! What a compaction costs: time, peak memory, bytes of a row. Run each step as a process of its
//! own, so that the peak is that step's.
//!
//! ```sh
//! compact make EVENTS.parquet DIR 5000000   # rolls of 524,288 rows, made of these events
//! compact merge DIR                         # merges them, prints the peak
//! compact sizes FILE.parquet                # bytes a row of each column
//! ```

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, FixedSizeBinaryArray, RecordBatch, TimestampMicrosecondArray};
use model::schema::EVENTS;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaDataReader;
use sink::{ROW_GROUP_ROWS, merge, sorted, write_parquet};

const ROLL_ROWS: usize = 2 * ROW_GROUP_ROWS;
const TARGET_BYTES: u64 = 128 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["make", events, dir, rows] => make(Path::new(events), Path::new(dir), rows.parse()?),
        ["merge", dir] => compact(Path::new(dir)),
        ["sizes", file] => sizes(Path::new(file)),
        _ => Err("make EVENTS.parquet DIR ROWS, merge DIR, or sizes FILE.parquet".into()),
    }
}

fn say(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}

/// Copies of the events, each with other ids and later times, as rolls.
fn make(events: &Path, dir: &Path, rows: usize) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(dir)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(events)?)?.build()?;
    let batches = reader.collect::<Result<Vec<RecordBatch>, _>>()?;
    let have: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let (mut made, mut copy) = (0, 0);
    while made < rows {
        let mut roll = Vec::new();
        let mut inside = 0;
        while inside < ROLL_ROWS.min(rows - made) {
            copy += 1;
            for batch in &batches {
                let room = ROLL_ROWS.min(rows - made) - inside;
                roll.push(copied(&batch.slice(0, room.min(batch.num_rows())), copy)?);
                inside += room.min(batch.num_rows());
            }
        }
        let path = dir.join(format!("rolled-{made:010}.parquet"));
        write_parquet(&path, &EVENTS, &sorted(&EVENTS, &roll)?, &[])?;
        made += inside;
    }
    say(&format!("{made} rows out of {have}, {copy} copies"))?;
    Ok(())
}

fn copied(batch: &RecordBatch, copy: u8) -> Result<RecordBatch, Box<dyn Error>> {
    let mut columns = batch.columns().to_vec();
    for (at, column) in EVENTS.columns.iter().enumerate() {
        if ["event_id", "message_key", "payload_sha256"].contains(&column.name.as_str()) {
            let ids = columns[at].as_fixed_size_binary();
            let other = ids.iter().map(|id| id.map(|id| id.iter().map(|b| b ^ copy).collect()));
            let other: Vec<Option<Vec<u8>>> = other.collect();
            let width = ids.value_length();
            columns[at] = Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                other.into_iter(),
                width,
            )?) as ArrayRef;
        } else if column.name.ends_with("_time") {
            let times = columns[at].as_primitive::<TimestampMicrosecondType>();
            let later: TimestampMicrosecondArray =
                times.unary(|time| time + i64::from(copy) * 600_000_000);
            columns[at] = Arc::new(later.with_timezone("UTC"));
        }
    }
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

fn compact(dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut inputs: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rolled-")) {
            inputs.push(path);
        }
    }
    inputs.sort();
    let mut bytes = 0;
    for path in &inputs {
        bytes += path.metadata()?.len();
    }
    let parts = ((bytes + TARGET_BYTES / 2) / TARGET_BYTES).max(1);
    let outputs: Vec<PathBuf> =
        (0..parts).map(|part| dir.join(format!("merged-{part:03}.parquet"))).collect();
    let began = Instant::now();
    let written = merge(&EVENTS, &inputs, &outputs, &[])?;
    let seconds = began.elapsed().as_secs_f64();
    let rows: u64 = written.iter().map(|file| file.rows).sum();
    let after: u64 = written.iter().map(|file| file.bytes).sum();
    let each = |bytes: u64| bytes as f64 / rows.max(1) as f64;
    say(&format!(
        "{rows} rows of {} files in {seconds:.1} s: {:.1} bytes a row before, {:.1} after",
        inputs.len(),
        each(bytes),
        each(after)
    ))?;
    for file in written {
        say(&format!("  {} rows, {:.1} MiB", file.rows, file.bytes as f64 / f64::from(1 << 20)))?;
    }
    say(&peak()?)?;
    Ok(())
}

/// The line `VmHWM` of this process.
fn peak() -> std::io::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    Ok(status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default().to_owned())
}

fn sizes(path: &Path) -> Result<(), Box<dyn Error>> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&File::open(path)?)?;
    let rows = metadata.file_metadata().num_rows().max(1) as f64;
    let mut all = 0.0;
    let mut columns: Vec<(f64, String)> = Vec::new();
    for at in 0..metadata.file_metadata().schema_descr().num_columns() {
        let groups = metadata.row_groups().iter();
        let bytes: i64 = groups.map(|group| group.column(at).compressed_size()).sum();
        let name = metadata.file_metadata().schema_descr().column(at).name().to_owned();
        all += bytes as f64 / rows;
        columns.push((bytes as f64 / rows, name));
    }
    columns.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (bytes, name) in columns {
        say(&format!("{bytes:7.2} {name}"))?;
    }
    say(&format!("{all:7.2} of {rows} rows, bytes of a row"))?;
    Ok(())
}
