//! The tables of a data directory: the files of one lake manifest plus the segments after it, so
//! that each row is there once and the newest commit is there too.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use commit::{Chain, CommitError, DataDir, open_file, read_segment};
use model::manifest::{FileRef, Manifest};
use model::schema::{self, Table};
use window::TableSource;

use crate::failure::Outcome;

/// Name of the job's chain.
pub(crate) const JOB: &str = "job";
/// Name of the chain of windows and alerts.
pub(crate) const AGGREGATE: &str = "aggregate";
/// Name of the chain of Parquet files.
pub(crate) const LAKE: &str = "lake";
/// Name of the chain of the ClickHouse loader.
pub(crate) const CLICKHOUSE: &str = "clickhouse";
/// Key in the aggregate's values.
pub(crate) const COMPLETE_THROUGH: &str = "complete_through_us";
/// Key in the aggregate's values.
pub(crate) const MATURITY: &str = "maturity";

/// Looks at a directory whose lake moves, at most.
const TRIES: u32 = 10;

/// Opens a chain for reading only.
pub(crate) fn reader(dir: &DataDir, name: &str) -> Result<Chain, CommitError> {
    Chain::open(dir, name, "reader")
}

/// A manifest that has to be there.
pub(crate) fn manifest(chain: &Chain, epoch: u64) -> Result<Manifest, CommitError> {
    chain.read(epoch)?.ok_or_else(|| CommitError::Damaged {
        path: chain.path(epoch),
        what: "it is missing".to_owned(),
    })
}

/// Segments of the epochs `from..=to` of a chain, by table.
pub(crate) fn segments(
    chain: &Chain,
    from: u64,
    to: u64,
) -> Result<BTreeMap<String, Vec<FileRef>>, CommitError> {
    chain.fetch(from, to)?;
    let mut tables: BTreeMap<String, Vec<FileRef>> = BTreeMap::new();
    for epoch in from..=to {
        for file in manifest(chain, epoch)?.segments {
            tables.entry(file.table.clone()).or_default().push(file);
        }
    }
    Ok(tables)
}

/// The tables of a directory, and the heads that they are as of.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) tables: Vec<TableSource>,
    pub(crate) job: Manifest,
    pub(crate) aggregate: Manifest,
    pub(crate) lake: Manifest,
}

/// The tables for which `wanted` is true, as of now; the others have no rows. Starts over where the
/// lake moved meanwhile: what it took in may be collected under the reader's hands.
pub(crate) fn snapshot(dir: &DataDir, wanted: impl Fn(&str) -> bool) -> Outcome<Snapshot> {
    snapshot_of(dir, &schema::tables(), &wanted)
}

/// The same with the inner tables: for what an operator asks of dead letters.
pub(crate) fn snapshot_inside(dir: &DataDir, wanted: impl Fn(&str) -> bool) -> Outcome<Snapshot> {
    snapshot_of(dir, &schema::stored(), &wanted)
}

fn snapshot_of(
    dir: &DataDir,
    tables: &[&Table],
    wanted: &dyn Fn(&str) -> bool,
) -> Outcome<Snapshot> {
    let mut tries = 0;
    loop {
        let lake = reader(dir, LAKE)?;
        let found = look(dir, &lake, tables, wanted);
        tries += 1;
        if tries == TRIES || reader(dir, LAKE)?.epoch() == lake.epoch() {
            return found;
        }
    }
}

fn look(
    dir: &DataDir,
    lake: &Chain,
    tables: &[&Table],
    wanted: &dyn Fn(&str) -> bool,
) -> Outcome<Snapshot> {
    let head = lake.head().cloned().unwrap_or_default();
    let mut files: BTreeMap<String, Vec<FileRef>> = BTreeMap::new();
    let mut heads = Vec::new();
    for name in [JOB, AGGREGATE] {
        let chain = reader(dir, name)?;
        let from = head.consumed.get(name).copied().unwrap_or(0) + 1;
        for (table, more) in segments(&chain, from, chain.epoch())? {
            files.entry(table).or_default().extend(more);
        }
        heads.push(chain.head().cloned().unwrap_or_default());
    }
    let mut sources = Vec::new();
    let [job, aggregate] = [heads.swap_remove(0), heads.swap_remove(0)];
    for table in tables {
        let mut source = TableSource {
            name: table.name.clone(),
            schema: table.arrow(),
            parquet: Vec::new(),
            segments: Vec::new(),
        };
        if !wanted(&table.name) {
            sources.push(source);
            continue;
        }
        source.parquet = parquet(dir, &head, &table.name)?;
        let segments = files.remove(&table.name).unwrap_or_default();
        dir.obtain_all(&segments)?;
        for file in segments {
            source.segments.extend(read_segment(dir, &file)?);
        }
        if table.name == "status" {
            source.segments = vec![status(&job, &aggregate)?];
        }
        sources.push(source);
    }
    Ok(Snapshot { tables: sources, job, aggregate, lake: head })
}

fn parquet(dir: &DataDir, head: &Manifest, table: &str) -> Result<Vec<PathBuf>, CommitError> {
    let of_table = head.files.iter().filter(|file| file.table == table);
    let of_table: Vec<FileRef> = of_table.cloned().collect();
    dir.obtain_all(&of_table)?;
    // Of a file that is cut short or empty DataFusion says nothing, or not its name.
    of_table.iter().map(|file| Ok(open_file(dir, file)?.1)).collect()
}

fn status(job: &Manifest, aggregate: &Manifest) -> Outcome<RecordBatch> {
    let number = |key: &str| aggregate.values.get(key);
    let complete: Option<i64> = number(COMPLETE_THROUGH).and_then(|text| text.parse().ok());
    let maturity: Option<f64> = number(MATURITY).and_then(|text| text.parse().ok());
    let derived = |name: &str| matches!(name, "slo_windows" | "cost_windows" | "alerts");
    let names: Vec<String> = schema::tables()
        .iter()
        .map(|table| table.name.clone())
        .filter(|name| name != "status")
        .collect();
    let mark = |name: &String| {
        if derived(name) { aggregate.watermark_us } else { job.watermark_us }
    };
    let marks: TimestampMicrosecondArray = names.iter().map(mark).collect();
    let through: TimestampMicrosecondArray = names.iter().map(|_| complete).collect();
    let shares: Float64Array = names.iter().map(|_| maturity).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(names)),
        Arc::new(marks.with_timezone("UTC")),
        Arc::new(through.with_timezone("UTC")),
        Arc::new(shares),
    ];
    Ok(RecordBatch::try_new(schema::STATUS.arrow(), columns)?)
}
