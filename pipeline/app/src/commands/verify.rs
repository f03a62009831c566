//! `sendtally verify`: outcomes, windows, charges and the ledger, computed again from the stored
//! events by SQL that shares nothing with `track`, and compared with what is stored: part by part,
//! so that memory follows the size of a part. Where retention dropped rows, only what needs none
//! of them is compared.

mod coverage;

mod files;

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_schema::Schema;
use commit::DataDir;
use model::manifest::{FileRef, Manifest};
use model::window::{WINDOWS_S, window_start};
use window::{Again, By, Guard, Known, OutputFormat, Part, Recount, Session, TableSource, Window};

use self::coverage::{Coverage, LeftOut};
use self::files::Files;
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
/// Rows of a table that are compared at once: a query has 2 GiB.
const ROWS_PER_PART: i64 = 250_000;

pub(crate) fn run(args: &VerifyArgs) -> Outcome<()> {
    let dir = place::read_named(&args.place)?;
    let files = files::check(&dir)?;
    if files == Files::Headless {
        return Err(Failure::check(
            "a newest manifest is damaged: no more was compared. Restore what is listed from a \
             copy, or read the topics (load the files) anew into another data directory",
        ));
    }
    let mut failed = usize::from(files == Files::Wrong);
    if failed > 0 && dir.remote().is_some() {
        return Err(Failure::check(
            "what the store has is not what was written: no more was compared",
        ));
    }
    let Snapshot { mut tables, job, aggregate, lake } =
        snapshot_inside(&dir, |table| table != "dead_records")?;
    let coverage = Coverage::of(&lake)?;
    let waiting = waiting(&dir, &job, &aggregate)?;
    let n_waiting = waiting.num_rows();
    tables.push(rows("waiting", vec![waiting])?);
    tables.push(rows("kept", vec![coverage.row()?])?);
    tables.push(rows("sought", vec![sought::rows(&job)?])?);
    let known = Known {
        partial: RecordBatch::new_empty(Arc::new(Schema::empty())),
        admitted: admitted(&dir, &aggregate)?,
        watermark_us: job.watermark_us.unwrap_or(i64::MIN / 2),
        old_costs_through: old_costs_through(&job),
    };
    let found = compare(tables, &coverage, known, args.parts)?;
    for (what, found) in CHECKS.iter().map(|check| check.what).zip(found) {
        failed += usize::from(!found.tell(what)?);
    }
    if n_waiting > 0 {
        super::note(&format!(
            "{n_waiting} windows were not compared: they changed and wait for their turn to be \
             published"
        ));
    }
    if failed > 0 {
        return Err(Failure::check(format!("{failed} of {} checks failed", CHECKS.len())));
    }
    Ok(())
}

/// What each of [`CHECKS`] found. Messages and charges are recomputed part by part; the windows
/// then have all their messages.
fn compare(
    mut tables: Vec<TableSource>,
    coverage: &Coverage,
    mut known: Known,
    parts: Option<u16>,
) -> Outcome<Vec<Findings>> {
    let whole = Session::open(tables.clone())?;
    let of = parts.map_or_else(|| parts_of(&whole), Ok)?;
    let mut found: Vec<Findings> = CHECKS.iter().map(|_| Findings::default()).collect();
    look(&whole, None, &mut found)?;
    for part in Part::all(By::Epochs, of) {
        look(&Session::open_part(&tables, part)?, Some(By::Epochs), &mut found)?;
    }
    let (mut recount, mut left) = (Recount::default(), LeftOut::new());
    for part in Part::all(By::Keys, of) {
        let stored = Session::open_part(&tables, part)?;
        known.partial = coverage.partial(&stored)?;
        coverage.count(&stored, By::Keys, &mut left)?;
        let Again { messages, charges } = recount.add(&tables, part, &known)?;
        let again = [rows("again_messages", messages)?, rows("again_charges", charges)?];
        let both = [tables.as_slice(), &again].concat();
        look(&Session::open_part(&both, part)?, Some(By::Keys), &mut found)?;
    }
    tables.push(rows("again_slo", recount.slo_windows()?.into_iter().collect())?);
    tables.push(rows("again_costs", recount.cost_windows().into_iter().collect())?);
    for part in Part::all(By::Windows, of) {
        let session = Session::open_part(&tables, part)?;
        coverage.count(&session, By::Windows, &mut left)?;
        look(&session, Some(By::Windows), &mut found)?;
    }
    coverage.tell(&whole, &left)?;
    Ok(found)
}

/// In how many parts rows are compared.
fn parts_of(whole: &Session) -> Outcome<u16> {
    let tables = ["events", "charge_lines", "messages_revisions", "charges_revisions"];
    let windows = ["slo_windows_revisions", "cost_windows_revisions"];
    let mut most = 0;
    for table in tables.into_iter().chain(windows) {
        most = most.max(coverage::count(whole, table, "TRUE")?);
    }
    Ok(u16::try_from(most / ROWS_PER_PART + 1).unwrap_or(u16::MAX))
}

/// Runs those checks whose tables are divided so.
fn look(session: &Session, by: Option<By>, found: &mut [Findings]) -> Outcome<()> {
    for (check, found) in CHECKS.iter().zip(found).filter(|(check, _)| check.by == by) {
        found.add(session, check.query)?;
    }
    Ok(())
}

/// Rows that are wrong by one check.
#[derive(Debug, Default)]
struct Findings {
    rows: usize,
    /// The first of them, as a table.
    shown: Vec<u8>,
}

impl Findings {
    fn add(&mut self, session: &Session, query: &str) -> Outcome<()> {
        let rows: usize = session.query(query)?.iter().map(RecordBatch::num_rows).sum();
        if rows > 0 && self.rows == 0 {
            let query = query.trim().trim_end_matches(';');
            let some = format!("SELECT * FROM ({query}) LIMIT {SHOWN}");
            session.write(&some, OutputFormat::Table, &mut self.shown)?;
        }
        self.rows += rows;
        Ok(())
    }

    /// Writes them; whether there are none.
    fn tell(&self, what: &str) -> Outcome<bool> {
        let mut out = stdout();
        if self.rows == 0 {
            written(writeln!(out, "good   {what}"))?;
            return Ok(true);
        }
        written(writeln!(out, "WRONG  {what}: {} rows differ; the first:", self.rows))?;
        written(out.write_all(&self.shown))?;
        Ok(false)
    }
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

fn rows(name: &str, segments: Vec<RecordBatch>) -> Outcome<TableSource> {
    let schema = segments.first().map(RecordBatch::schema);
    let schema = schema.ok_or_else(|| Failure::protect(format!("{name} has no schema")))?;
    Ok(TableSource { name: name.to_owned(), schema, parquet: Vec::new(), segments })
}

/// A query that gives the rows that are wrong.
struct Check {
    what: &'static str,
    query: &'static str,
    /// By what its tables are divided; `None` where they are small.
    by: Option<By>,
}

macro_rules! check {
    ($what:literal, $file:literal, $by:expr) => {
        Check { what: $what, query: include_str!(concat!("../../../../queries/", $file)), by: $by }
    };
}

const CHECKS: [Check; 8] = [
    check!("ledger equations", "verify_ledger.sql", None),
    check!("ledger against stored rows", "verify_ledger_rows.sql", Some(By::Epochs)),
    check!("offsets contiguous", "verify_offsets.sql", None),
    check!("replays of dead letters", "verify_replays.sql", None),
    check!("outcome of each message", "verify_compare_messages.sql", Some(By::Keys)),
    check!("windows", "verify_compare_slo.sql", Some(By::Windows)),
    check!("charges", "verify_compare_charges.sql", Some(By::Keys)),
    check!("costs of windows", "verify_compare_costs.sql", Some(By::Windows)),
];
