//! `sendtally verify`: outcomes, windows, charges and the ledger, computed again from the stored
//! events by SQL that shares nothing with `track`, and compared with what is stored. Where
//! retention dropped rows, only what needs none of them is compared.

mod coverage;

mod files;

use std::collections::BTreeSet;
use std::io::Write;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use commit::DataDir;
use model::manifest::{FileRef, Manifest};
use model::window::{WINDOWS_S, window_start};
use window::{
    Guard, OutputFormat, Session, TableSource, Window, recompute_charges, recompute_messages,
    recompute_slo,
};

use self::coverage::Coverage;
use super::{stdout, written};
use crate::aggregate::pending;
use crate::aggregate::state::{ADMITTED, BEGUN, CHANGED};
use crate::cli::VerifyArgs;
use crate::failure::{Failure, Outcome};
use crate::job::recover::old_costs_through;
use crate::job::sought;
use crate::place;
use crate::tables::{self, JOB, Snapshot, reader, snapshot_inside};

/// Differences shown of each kind.
const SHOWN: usize = 10;

pub(crate) fn run(args: &VerifyArgs) -> Outcome<()> {
    let dir = place::read_named(&args.place)?;
    let mut failed = usize::from(!files::check(&dir)?);
    if failed > 0 && dir.remote().is_some() {
        return Err(Failure::check(
            "what the store has is not what was written: no more was compared",
        ));
    }
    let Snapshot { tables, job, aggregate, lake } =
        snapshot_inside(&dir, |table| table != "dead_records")?;
    let coverage = Coverage::of(&lake)?;
    let partial = coverage.partial(&tables)?;
    let events = find(&tables, "events")?;
    let mark = job.watermark_us.unwrap_or(i64::MIN / 2);
    let messages = recompute_messages(events.clone(), &partial, mark)?;
    let waiting = waiting(&dir, &job, &aggregate)?;
    let admitted = admitted(&dir, &aggregate)?;
    let windows = vec![recompute_slo(events, &partial, &admitted, mark)?];
    let mut all = tables;
    all.push(rows("again_messages", messages)?);
    all.push(rows("again_slo", windows)?);
    all.push(rows("waiting", vec![waiting.clone()])?);
    all.push(rows("admitted", vec![admitted])?);
    all.push(rows("kept", vec![coverage.row()?])?);
    all.push(rows("partial", vec![partial])?);
    all.push(rows("sought", vec![sought::rows(&job)?])?);
    let charges = recompute_charges(&all, old_costs_through(&job))?;
    all.push(rows("again_charges", charges)?);
    let session = Session::open_for_whole_tables(all)?;
    for (what, query) in CHECKS {
        failed += usize::from(!check(&session, what, query)?);
    }
    coverage.tell(&session)?;
    if waiting.num_rows() > 0 {
        super::note(&format!(
            "{} windows were not compared: they changed and wait for their turn to be published",
            waiting.num_rows()
        ));
    }
    if failed > 0 {
        return Err(Failure::check(format!("{failed} of {} checks failed", CHECKS.len())));
    }
    Ok(())
}

/// Values that the cardinality guard admitted, as of the aggregate's state.
fn admitted(dir: &DataDir, aggregate: &Manifest) -> Outcome<RecordBatch> {
    let slice = aggregate.state.iter().find(|slice| slice.slice == ADMITTED);
    let mut batches = match slice {
        Some(slice) => commit::read_segment(dir, &slice.file)?,
        None => Vec::new(),
    };
    match batches.pop() {
        Some(batch) => Ok(batch),
        None => Ok(Guard::default().snapshot()?),
    }
}

/// Windows that may have changed since they were published: those that the aggregate wrote down as
/// waiting, and those that the job's epochs after that touched.
fn waiting(dir: &DataDir, job: &Manifest, aggregate: &Manifest) -> Outcome<RecordBatch> {
    let mut windows: BTreeSet<Window> = BTreeSet::new();
    let slice = |name: &str| aggregate.state.iter().find(|slice| slice.slice == name);
    if let Some(slice) = slice(CHANGED) {
        for batch in commit::read_segment(dir, &slice.file)? {
            windows.extend(pending::read(&batch));
        }
    }
    let chain = reader(dir, JOB)?;
    for epoch in slice(BEGUN).map_or(0, |slice| slice.epoch) + 1..=job.epoch {
        let panes = tables::manifest(&chain, epoch)?.segments;
        let is_pane = |file: &&FileRef| ["slo_panes", "cost_panes"].contains(&file.table.as_str());
        for file in panes.iter().filter(is_pane) {
            for batch in commit::read_segment(dir, file)? {
                let starts = batch.column_by_name("pane_start");
                let starts = starts.and_then(|s| s.as_primitive_opt::<TimestampMicrosecondType>());
                for start in starts.into_iter().flat_map(|starts| starts.values().iter()) {
                    let window = |length_s| (length_s, window_start(*start, length_s));
                    windows.extend(WINDOWS_S.map(window));
                }
            }
        }
    }
    Ok(pending::write(&windows.into_iter().collect::<Vec<_>>())?)
}

fn find(tables: &[TableSource], name: &str) -> Outcome<TableSource> {
    let table = tables.iter().find(|table| table.name == name).cloned();
    table.ok_or_else(|| Failure::protect(format!("table {name} is missing")))
}

fn rows(name: &str, segments: Vec<RecordBatch>) -> Outcome<TableSource> {
    let schema = segments.first().map(RecordBatch::schema);
    let schema = schema.ok_or_else(|| Failure::protect(format!("{name} has no schema")))?;
    Ok(TableSource { name: name.to_owned(), schema, parquet: Vec::new(), segments })
}

/// Each query gives the rows that are wrong.
const CHECKS: [(&str, &str); 8] = [
    ("ledger equations", include_str!("../../../../queries/verify_ledger.sql")),
    ("ledger against stored rows", include_str!("../../../../queries/verify_ledger_rows.sql")),
    ("offsets contiguous", include_str!("../../../../queries/verify_offsets.sql")),
    ("replays of dead letters", include_str!("../../../../queries/verify_replays.sql")),
    ("outcome of each message", include_str!("../../../../queries/verify_compare_messages.sql")),
    ("windows", include_str!("../../../../queries/verify_compare_slo.sql")),
    ("charges", include_str!("../../../../queries/verify_compare_charges.sql")),
    ("costs of windows", include_str!("../../../../queries/verify_compare_costs.sql")),
];

fn check(session: &Session, what: &str, query: &str) -> Outcome<bool> {
    let wrong: usize = session.query(query)?.iter().map(RecordBatch::num_rows).sum();
    let mut out = stdout();
    if wrong == 0 {
        written(writeln!(out, "good   {what}"))?;
        return Ok(true);
    }
    written(writeln!(out, "WRONG  {what}: {wrong} rows differ; the first:"))?;
    let some = format!("SELECT * FROM ({}) LIMIT {SHOWN}", query.trim().trim_end_matches(';'));
    session.write(&some, OutputFormat::Table, &mut out)?;
    Ok(false)
}
