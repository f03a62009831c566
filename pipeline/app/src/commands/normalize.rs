//! `sendtally normalize`: raw payloads to canonical JSON lines on standard output, dead letters and
//! a summary on standard error.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{Field, Schema};
use ingest::{FileShape, read_bytes};
use model::keys::{Keyring, hex};
use model::record::{Input, RawBatch, SignatureRule};
use normalize::{Normalized, Normalizer, Settings, text};
use serde_json::json;
use sha2::{Digest, Sha256};
use track::Tracker;

use super::{needs_source, note, shape, source, stdout, whole_advice, written};
use crate::cli::{NormalizeArgs, NormalizeTable};
use crate::config;
use crate::failure::{Failure, Outcome};

#[derive(Debug, Default)]
struct Totals {
    records: i64,
    elements: i64,
    events: i64,
    charges: i64,
    dead: i64,
    ignored: i64,
}

pub(crate) fn run(args: &NormalizeArgs) -> Outcome<()> {
    let source = source(args.source.as_deref())?;
    let told = config::of_files(args.config.as_deref(), &args.assumptions)?;
    let keyring = told.keyring.unwrap_or_else(Keyring::demo);
    let settings = Settings { keyring, signatures: told.signatures, regional: told.regional };
    let mut normalizer = Normalizer::new(settings.clone());
    let mut totals = Totals::default();
    let mut charged: Vec<Normalized> = Vec::new();
    needs_source(source, &args.shape)?;
    let mut files = args.files.clone();
    if files.is_empty() {
        files.push(PathBuf::from(STANDARD_INPUT));
    }
    for file in &files {
        let bytes = read(file)?;
        let topic = Arc::from(format!("file:{}", hex(&Sha256::digest(&bytes))));
        let signatures = SignatureRule::default();
        let inputs = [Input { topic, partition: 0, source, account: None, signatures }];
        let before = (totals.events + totals.charges, totals.dead);
        read_bytes(&bytes, shape(&args.shape), 0, |batch: RawBatch| -> Outcome<()> {
            let normalized = normalizer.batch(&batch, &inputs)?;
            report(&normalized, file, &mut totals);
            if args.explain {
                return explain(&settings, &batch, &inputs);
            }
            if args.table == NormalizeTable::Charges {
                charged.push(normalized);
                return Ok(());
            }
            print(&normalized.events)
        })?;
        let gives = totals.events + totals.charges > before.0;
        let is_dead = !gives && totals.dead > before.1;
        if is_dead
            && shape(&args.shape) == FileShape::Lines
            && let Some(advice) = whole_advice(file, &bytes, &settings, (0, &inputs))?
        {
            note(&json!({ "advice": advice }).to_string());
        }
    }
    if args.table == NormalizeTable::Charges {
        for rows in charges(&charged)? {
            print(&with_known_times(&rows)?)?;
        }
    }
    summary(&totals, &normalizer);
    if args.strict && totals.dead > 0 { Err(Failure::told(1)) } else { Ok(()) }
}

/// Name of standard input.
const STANDARD_INPUT: &str = "-";

/// Bytes of a file, or of standard input: they hold numbers, so they are written nowhere.
fn read(file: &Path) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let result = if file.as_os_str() == STANDARD_INPUT {
        std::io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    match result {
        Ok(()) => Ok(bytes),
        Err(error) => Err(Failure::usage(format!("cannot read {}: {error}", file.display()))),
    }
}

fn print(rows: &RecordBatch) -> Outcome<()> {
    let mut out = stdout();
    let mut line = Vec::new();
    for row in 0..rows.num_rows() {
        line.clear();
        text::write_json_line(rows, row, &mut line);
        if line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        written(out.write_all(&line))?;
    }
    written(out.flush())
}

fn report(normalized: &Normalized, file: &Path, totals: &mut Totals) {
    for tally in &normalized.tallies {
        totals.records += tally.records;
        totals.elements += tally.elements;
        totals.events += tally.events;
        totals.charges += tally.charges;
        totals.dead += tally.dead;
        totals.ignored += tally.ignored;
    }
    for letter in &normalized.dead {
        let line = json!({"dead_letter": {
            "source": letter.source.map(model::vocabulary::Source::as_str),
            "file": file.display().to_string(),
            "offset": letter.offset,
            "element": letter.element,
            "reason": letter.reason.as_str(),
            "detail": letter.detail,
        }});
        note(&line.to_string());
    }
}

fn summary(totals: &Totals, normalizer: &Normalizer) {
    let line = json!({"summary": {
        "records": totals.records,
        "elements": totals.elements,
        "events": totals.events,
        "charges": totals.charges,
        "dead": totals.dead,
        "ignored": totals.ignored,
        "counters": counters(normalizer),
    }});
    note(&line.to_string());
}

fn counters(normalizer: &Normalizer) -> serde_json::Value {
    let counters = normalizer.counters();
    let ignored: serde_json::Map<String, serde_json::Value> = counters
        .ignored
        .iter()
        .map(|((source, kind), count)| {
            let source = source.map_or("unknown", model::vocabulary::Source::as_str);
            (format!("{source}/{kind}"), json!(count))
        })
        .collect();
    let unknown: serde_json::Map<String, serde_json::Value> = counters
        .unknown_statuses
        .iter()
        .map(|(source, count)| (source.as_str().to_owned(), json!(count)))
        .collect();
    let mut told = json!({
        "unknown_statuses": counters.unknown_statuses.values().sum::<u64>(),
        "unknown_statuses_by_source": unknown,
    });
    let new: serde_json::Map<String, serde_json::Value> = normalizer
        .unknown_fields()
        .into_iter()
        .map(|(source, fields)| {
            let told = json!({"total": fields.total, "named": fields.named});
            (source.as_str().to_owned(), told)
        })
        .collect();
    told["unknown_fields"] = json!(counters.unknown_fields.values().sum::<u64>());
    told["unknown_fields_by_source"] = new.into();
    for (name, count) in counters.plain() {
        told[name] = json!(count);
    }
    told["ignored"] = ignored.into();
    told
}

/// The charges that these events and lines of bills make, as the pipeline would count them.
fn charges(normalized: &[Normalized]) -> Outcome<Vec<RecordBatch>> {
    let mut tracker = Tracker::new(0..track::SLICES, usize::MAX);
    let all = |batch: &RecordBatch| -> Vec<u32> {
        (0..u32::try_from(batch.num_rows()).unwrap_or(0)).collect()
    };
    for Normalized { events, charges, .. } in normalized {
        tracker.decide(events, &all(events), None)?;
        tracker.decide_lines(charges, &all(charges), (0, None))?;
    }
    Ok(tracker.close_epoch(0, None, 0)?.charges)
}

/// The same charges, without a time where nothing told one: no file has an ingest time here.
fn with_known_times(charges: &RecordBatch) -> Outcome<RecordBatch> {
    let is_time = |field: &Field| field.name() == "charge_time";
    let mut columns = charges.columns().to_vec();
    let mut fields = Vec::new();
    for (field, column) in charges.schema().fields().iter().zip(&mut columns) {
        let known = column.as_primitive_opt::<TimestampMicrosecondType>();
        let Some(times) = known.filter(|_| is_time(field)) else {
            fields.push(Arc::clone(field));
            continue;
        };
        let told = times.iter().map(|time_us| time_us.filter(|time_us| *time_us != 0));
        let told: TimestampMicrosecondArray = told.collect();
        *column = Arc::new(told.with_data_type(times.data_type().clone()));
        fields.push(Arc::new(field.as_ref().clone().with_nullable(true)));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// Which field each column came from: a line an event or charge, or one of a record without any.
fn explain(settings: &Settings, batch: &RawBatch, inputs: &[Input]) -> Outcome<()> {
    let mut out = stdout();
    for record in &batch.records {
        let view = batch.view(record);
        let found = normalize::explain::explain(settings, &view, inputs)?;
        if found.is_empty() {
            let line =
                json!({"offset": record.offset, "table": null, "element": null, "columns": null});
            written(writeln!(out, "{line}"))?;
        }
        for row in found {
            let columns: serde_json::Map<String, serde_json::Value> = row
                .columns
                .into_iter()
                .map(|(column, fields)| (column.to_owned(), json!(fields.join(", "))))
                .collect();
            let table = if row.row.charge.is_some() { "charge_lines" } else { "events" };
            let element = row.row.element;
            let line = json!({
                "offset": record.offset, "table": table, "element": element, "columns": columns,
            });
            written(writeln!(out, "{line}"))?;
        }
    }
    written(out.flush())
}
