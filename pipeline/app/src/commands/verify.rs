//! `sendtally verify`: outcomes, windows and the ledger, computed again from the stored events by
//! SQL that shares nothing with `track`, and compared with what is stored.

use std::io::Write;

use arrow_array::RecordBatch;
use commit::DataDir;
use window::{OutputFormat, Session, TableSource, recompute_messages, recompute_slo};

use super::{stdout, written};
use crate::cli::VerifyArgs;
use crate::failure::{Failure, Outcome};
use crate::tables::{AGGREGATE, JOB, reader, sources};

/// Differences shown of each kind.
const SHOWN: usize = 10;

pub(crate) fn run(args: &VerifyArgs) -> Outcome<()> {
    if !args.data.join("FORMAT").exists() {
        return Err(Failure::usage(format!("{} is no data directory", args.data.display())));
    }
    let dir = DataDir::open(&args.data)?;
    let job = reader(&dir, JOB)?.head().cloned().unwrap_or_default();
    let aggregate = reader(&dir, AGGREGATE)?.head().cloned().unwrap_or_default();
    let tables = sources(&dir)?;
    let events = find(&tables, "events")?;
    let mark = job.watermark_us.unwrap_or(i64::MIN / 2);
    let messages = recompute_messages(events.clone(), mark)?;
    let behind = aggregate.consumed.get(JOB).copied().unwrap_or(0) < job.epoch.saturating_sub(1);
    let windows = vec![recompute_slo(events, mark)?];
    let mut all = tables;
    all.push(rows("again_messages", messages)?);
    all.push(rows("again_slo", windows)?);
    let session = Session::open(all)?;
    let mut failed = 0;
    for (what, query) in CHECKS {
        failed += usize::from(!check(&session, what, query)?);
    }
    if behind {
        super::note("windows are behind the job: a running process publishes them in turn");
    }
    if failed > 0 {
        return Err(Failure::check(format!("{failed} of {} checks failed", CHECKS.len())));
    }
    Ok(())
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
const CHECKS: [(&str, &str); 5] = [
    ("ledger equations", include_str!("../../../../queries/verify_ledger.sql")),
    ("ledger against stored rows", include_str!("../../../../queries/verify_ledger_rows.sql")),
    ("offsets contiguous", include_str!("../../../../queries/verify_offsets.sql")),
    ("outcome of each message", include_str!("../../../../queries/verify_compare_messages.sql")),
    ("windows", include_str!("../../../../queries/verify_compare_slo.sql")),
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
