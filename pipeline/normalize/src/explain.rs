//! `--explain`: which field of a record each column came from, found by trying.
//!
//! ```text
//! record ─► its fields ─► each emptied, and replaced by other values ─► normalized
//!                         a column that changes came from that field
//! ```
//! Nothing is written down beside the adapters, so nothing can be out of date. A replacement that
//! costs the event tells nothing. Where two fields say the same (a group's number and its name),
//! either alone changes nothing: then fields are emptied in pairs.
//!
//! Columns that no field changes follow from the source, the record or from other columns: see
//! [`COMPUTED`].

pub mod fields;

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use model::record::{Input, RawBatch, RawRecord, RecordView};

use self::fields::{Field, Record, Shape, fields as fields_of};
use crate::text::cell;
use crate::{NormalizeError, Normalizer, Settings};

/// Columns that may come from no field of their own, and from what then.
pub const COMPUTED: &[(&str, &str)] = &[
    ("event_id", "computed from what identifies the event"),
    ("source", "header source, else the input's"),
    ("account", "header account, else the input's"),
    ("message_key", "computed from source, message_id and what identifies a message beside it"),
    ("channel", "computed from the source"),
    ("is_final", "computed from status"),
    ("receipt_class", "computed from source and channel"),
    ("error_class", "computed from status and error_code"),
    ("event_time", "computed from ingest_time"),
    ("ingest_time", "Kafka's timestamp, else header received-at"),
    ("event_time_source", "computed from where event_time came from"),
    ("token_key_id", "computed from the configured keys"),
    ("traffic_class", "computed from the source: it tells none"),
    ("security", "computed from channel"),
    ("price_unit", "computed from the source and price"),
    ("currency", "computed from the source and price"),
    ("payload_sha256", "computed from the record's bytes"),
    ("verified", "computed from the signature"),
    ("verified_reason", "computed from the signature"),
    ("topic", "the record's position"),
    ("partition", "the record's position"),
    ("offset", "the record's position"),
    ("element", "the element's position"),
    ("line_id", "computed from what the line is about and its figures"),
    ("charge_id", "computed from what the line is about"),
    ("grain", "computed from what the line is about"),
    ("kind", "computed from the kind of payload"),
    ("basis", "computed from the kind of payload"),
    ("unit", "computed from the kind of payload"),
    ("status", "computed from the kind of payload, or from a field that the event cannot lack"),
    ("vendor_status", "computed from the kind of payload"),
    ("segments", "computed from the kind of payload"),
    ("quantity", "computed from the kind of payload, or from amount and unit_price"),
    ("unit_price", "computed from amount and quantity, or from what is free"),
    ("amount", "computed from quantity and unit_price, or from what is free"),
];

/// Columns that any change of the record's bytes changes, or that tell its position.
const POSITIONS: &[&str] = &["payload_sha256", "topic", "partition", "offset", "element"];

/// Texts that are tried in every field: statuses, channels, classes, codes and the like.
const WORDS: &[&str] = &[
    "q",
    "delivered",
    "DELIVERED",
    "failed",
    "FAILED",
    "read",
    "sent",
    "expired",
    "sms",
    "mms",
    "rcs",
    "whatsapp",
    "marketing",
    "authentication",
    "EUR",
    "FR",
    "true",
    "0",
    "1",
    "2",
    "3",
    "5",
];
/// Longest text that may be one of them.
const WORD_BYTES_MAX: usize = 40;
/// Bytes of all trials of a record together; what does not fit is not tried.
const TRIAL_BYTES_MAX: usize = 64 << 20;
/// Trials normalized at a time.
const TRIAL_BATCH: usize = 4_096;

/// One row of a record: an event, or one of an element's charge lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowId {
    /// Which element of the record.
    pub element: u32,
    /// Which of the element's charge lines, from 0; `None` for its event.
    pub charge: Option<u32>,
}

/// Where the columns of one row came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Which row.
    pub row: RowId,
    /// Columns that are not null, each with the fields that decide it, or with why there is none.
    pub columns: BTreeMap<&'static str, Vec<String>>,
}

/// Columns and what they hold; null ones are left out.
pub type Row = BTreeMap<&'static str, String>;

/// A record's events and charge lines.
pub type Rows = BTreeMap<RowId, Row>;

/// Fields by row and column.
type Found = BTreeMap<(RowId, &'static str), Vec<String>>;

/// Explains one record's events and charge lines.
///
/// # Errors
/// As [`Normalizer::batch`].
pub fn explain(
    settings: &Settings,
    view: &RecordView<'_>,
    inputs: &[Input],
) -> Result<Vec<Explained>, NormalizeError> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = view.headers.iter().map(|(name, value)| (text(name), text(value))).collect();
    let record = Record { value: text(view.value), headers };
    let mut trials = Trials::new(settings, view, inputs);
    let Some(base) = trials.run(std::slice::from_ref(&record))?.pop() else {
        return Ok(Vec::new());
    };
    let fields: Vec<Field> =
        fields_of(&record).into_iter().filter(|field| field.shape != Shape::Nested).collect();
    let mut found: Found = BTreeMap::new();
    for field in &fields {
        let changed = trials.changes(&base, &replacements(field, &record))?;
        note(&mut found, changed, &base, field);
    }
    wholes(&mut found, &mut trials, &base, &record)?;
    pairs(&mut found, &mut trials, &base, (&fields, &record))?;
    Ok(base.iter().map(|(id, row)| explained(*id, row, &found)).collect())
}

fn explained(id: RowId, row: &Row, found: &Found) -> Explained {
    let why = |column: &str| {
        let computed = COMPUTED.iter().find(|(name, _)| *name == column);
        computed.map(|(_, why)| vec![(*why).to_owned()]).unwrap_or_default()
    };
    let columns = row
        .keys()
        .map(|column| (*column, found.get(&(id, *column)).cloned().unwrap_or_else(|| why(column))));
    Explained { row: id, columns: columns.collect() }
}

/// Adds a field to the columns that it changed; one that the column repeats comes first.
fn note(found: &mut Found, changed: Vec<(RowId, &'static str)>, base: &Rows, field: &Field) {
    for (id, column) in changed {
        let held = base.get(&id).and_then(|row| row.get(column));
        let repeats = held.is_some_and(|held| held.eq_ignore_ascii_case(&field.text));
        let names = found.entry((id, column)).or_default();
        if names.contains(&field.path) {
            continue;
        }
        let at = if repeats { 0 } else { names.len() };
        names.insert(at, field.path.clone());
    }
}

/// Whether no field is known for a column that has to come from one.
fn is_open(found: &Found, id: RowId, column: &str) -> bool {
    let is_known = found.keys().any(|(of, name)| *of == id && *name == column);
    !is_known && !COMPUTED.iter().any(|(name, _)| *name == column)
}

fn any_open(found: &Found, base: &Rows) -> bool {
    base.iter().any(|(id, row)| row.keys().any(|column| is_open(found, *id, column)))
}

/// Empties objects and lists, the innermost first, for columns that no field alone changes.
fn wholes(
    found: &mut Found,
    trials: &mut Trials<'_>,
    base: &Rows,
    record: &Record,
) -> Result<(), NormalizeError> {
    let is_whole = |field: &Field| field.shape == Shape::Nested && !field.path.is_empty();
    let mut wholes: Vec<Field> = fields_of(record).into_iter().filter(is_whole).collect();
    wholes.sort_by_key(|field| std::cmp::Reverse(field.path.len()));
    for field in wholes {
        if !any_open(found, base) {
            return Ok(());
        }
        let trial = ["{}", "[]", "null"].map(|token| field.put(record, token));
        for (id, column) in trials.changes(base, &trial)? {
            if is_open(found, id, column) {
                found.insert((id, column), vec![field.path.clone()]);
            }
        }
    }
    Ok(())
}

/// Empties fields in pairs, for columns that no field alone changes.
fn pairs(
    found: &mut Found,
    trials: &mut Trials<'_>,
    base: &Rows,
    (fields, record): (&[Field], &Record),
) -> Result<(), NormalizeError> {
    if !any_open(found, base) {
        return Ok(());
    }
    for (at, first) in fields.iter().enumerate() {
        let without = first.put_text(record, "");
        // The second field has moved by what the first lost.
        let later: Vec<_> = fields_of(&without)
            .into_iter()
            .filter(|field| fields.iter().skip(at + 1).any(|second| second.path == field.path))
            .collect();
        for second in later {
            let trial = [second.put_text(&without, ""), second.put_text(&without, "q")];
            for (id, column) in trials.changes(base, &trial)? {
                if is_open(found, id, column) {
                    found.insert((id, column), vec![format!("{} or {}", first.path, second.path)]);
                }
            }
        }
    }
    Ok(())
}

/// The record with other values in one field.
fn replacements(field: &Field, record: &Record) -> Vec<Record> {
    let text = field.text.as_str();
    let mut tried: Vec<Record> = Vec::new();
    let digits: Vec<usize> = text
        .char_indices()
        .filter(|(_, character)| character.is_ascii_digit())
        .map(|(at, _)| at)
        .collect();
    let places = [digits.first(), digits.get(digits.len() / 2), digits.last()];
    for at in places.into_iter().flatten() {
        let mut other = text.to_owned();
        let digit = text.as_bytes().get(*at).copied().unwrap_or(b'0');
        let next = if digit == b'9' { "8" } else { "9" };
        other.replace_range(*at..=*at, next);
        tried.push(field.put_text(record, &other));
        if field.shape == Shape::Json {
            tried.push(field.put(record, other.trim_start_matches('0')));
        }
    }
    tried.push(field.put_text(record, &format!("{text}x")));
    tried.extend(["", "q"].map(|other| field.put_text(record, other)));
    // What is mostly digits is a number, a time or an id: other words tell no more about it.
    if digits.len() * 2 <= text.len() && text.len() <= WORD_BYTES_MAX {
        tried.extend(WORDS.iter().map(|word| field.put_text(record, word)));
    }
    if field.shape == Shape::Json && text.len() <= WORD_BYTES_MAX {
        let tokens = ["null", "true", "false", "0", "1", "2", "3", "4", "5"];
        tried.extend(tokens.iter().map(|token| field.put(record, token)));
    }
    tried
}

/// Normalizes changed copies of one record.
#[derive(Debug)]
pub struct Trials<'a> {
    normalizer: Normalizer,
    inputs: &'a [Input],
    input: u32,
    ingest_time_us: Option<i64>,
    left: usize,
}

impl<'a> Trials<'a> {
    /// Copies of this record.
    #[must_use]
    pub fn new(settings: &Settings, view: &RecordView<'_>, inputs: &'a [Input]) -> Self {
        Self {
            normalizer: Normalizer::new(settings.clone()),
            inputs,
            input: view.input,
            ingest_time_us: view.ingest_time_us,
            left: TRIAL_BYTES_MAX,
        }
    }

    /// Columns that are not as they were in any of these records, by row.
    fn changes(
        &mut self,
        base: &Rows,
        records: &[Record],
    ) -> Result<Vec<(RowId, &'static str)>, NormalizeError> {
        let bytes: usize = records.iter().map(|record| record.value.len()).sum();
        if bytes > self.left {
            return Ok(Vec::new());
        }
        self.left -= bytes;
        let mut changed = Vec::new();
        for rows in self.run(records)? {
            for (id, row) in base {
                let Some(trial) = rows.get(id) else { continue };
                let columns = row.iter().filter(|(column, held)| trial.get(*column) != Some(held));
                changed.extend(columns.map(|(column, _)| (*id, *column)));
            }
        }
        changed.sort_unstable();
        changed.dedup();
        changed.retain(|(_, column)| !POSITIONS.contains(column));
        Ok(changed)
    }

    /// The events and charge lines of each record.
    ///
    /// # Errors
    /// As [`Normalizer::batch`].
    pub fn run(&mut self, records: &[Record]) -> Result<Vec<Rows>, NormalizeError> {
        let mut all = Vec::with_capacity(records.len());
        for part in records.chunks(TRIAL_BATCH) {
            let given = self.normalizer.batch(&self.batch(part), self.inputs)?;
            let mut rows: Vec<Rows> = vec![Rows::new(); part.len()];
            gather(&given.events, false, &mut rows);
            gather(&given.charges, true, &mut rows);
            all.extend(rows);
        }
        Ok(all)
    }

    fn batch(&self, records: &[Record]) -> RawBatch {
        let mut raw = RawBatch::default();
        for (offset, record) in (0..).zip(records) {
            let value = raw.push_bytes(record.value.as_bytes());
            let start = raw.headers.len();
            for (name, value) in &record.headers {
                let pair = (raw.push_bytes(name.as_bytes()), raw.push_bytes(value.as_bytes()));
                raw.headers.push(pair);
            }
            raw.records.push(RawRecord {
                input: self.input,
                offset,
                ingest_time_us: self.ingest_time_us,
                value,
                tombstone: false,
                headers: start..raw.headers.len(),
            });
        }
        raw
    }
}

/// Takes the rows of a batch to their records, whose numbers are their offsets.
fn gather(batch: &RecordBatch, are_charges: bool, rows: &mut [Rows]) {
    for at in 0..batch.num_rows() {
        let row: Row = crate::text::columns(batch)
            .filter_map(|(name, column)| Some((name, cell(column, at)?)))
            .collect();
        let number = |name: &str| row.get(name).and_then(|text| text.parse::<u32>().ok());
        let (Some(record), Some(element)) = (number("offset"), number("element")) else {
            continue;
        };
        let Some(rows) = rows.get_mut(record as usize) else { continue };
        let of_element = |charge| RowId { element, charge };
        let lines = (0..).map(Some).find(|line| !rows.contains_key(&of_element(*line)));
        let charge = lines.flatten().filter(|_| are_charges);
        rows.insert(of_element(charge), row);
    }
}
