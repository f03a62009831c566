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
//! [`COMPUTED`]. A record so large that not all could be tried says so instead: [`NOT_TRIED`].
//!
//! Of a packed record (gzip, ZIP) each file is explained as its unpacked text.

pub mod fields;

mod trials;

use std::collections::{BTreeMap, HashMap};

use model::record::{Input, RecordView};

use self::fields::{Field, Record, Shape, fields as fields_of};
use self::trials::Other;
pub use self::trials::Trials;
use crate::unpack;
use crate::{NormalizeError, Settings};

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

/// What a column without a field says where not all fields were tried.
pub const NOT_TRIED: &str = "not tried: the record is too large";

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
/// Most fields that are tried in pairs.
const PAIRED_MAX: usize = 128;
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
    /// Nothing was left untried because the record is too large.
    pub is_complete: bool,
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
    let Ok(files) = unpack::files(view.value) else { return Ok(Vec::new()) };
    let mut trials = Trials::new(settings, view, inputs);
    let Some(files) = files else {
        return Ok(explain_text(&mut trials, view, view.value)?.0);
    };
    let mut all = Vec::new();
    let mut element = 0_u32;
    let mut left = unpack::bytes_max(view.value);
    for file in files {
        let Ok(bytes) = file.unpack(left) else {
            // It is an element, and dead.
            element = element.saturating_add(1);
            continue;
        };
        left -= bytes.len();
        let (mut rows, elements) = explain_text(&mut trials, view, &bytes)?;
        for explained in &mut rows {
            explained.row.element = explained.row.element.saturating_add(element);
        }
        all.extend(rows);
        element = element.saturating_add(elements);
    }
    Ok(all)
}

/// The rows of a record's text, and how many elements it has.
fn explain_text(
    trials: &mut Trials<'_>,
    view: &RecordView<'_>,
    value: &[u8],
) -> Result<(Vec<Explained>, u32), NormalizeError> {
    let Ok(value) = std::str::from_utf8(value) else { return Ok((Vec::new(), 1)) };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = view.headers.iter().map(|(name, value)| (text(name), text(value))).collect();
    let value = value.strip_prefix('\u{feff}').unwrap_or(value).to_owned();
    let record = Record { value, headers };
    let base = trials.run(std::slice::from_ref(&record))?.pop().unwrap_or_default();
    let elements = trials.elements;
    let mut found: Found = BTreeMap::new();
    let is_alone = !base.is_empty()
        && trials.can_begin(&base, &record)
        && alone_and_together(&mut found, trials, &base, &record)?;
    let all = base.iter().map(|(id, row)| Explained {
        row: *id,
        columns: columns(*id, row, (&found, is_alone, trials.is_complete)),
        is_complete: trials.is_complete,
    });
    Ok((all.collect(), elements))
}

/// Tries each field, then several; false where not every field was tried alone.
fn alone_and_together(
    found: &mut Found,
    trials: &mut Trials<'_>,
    base: &Rows,
    record: &Record,
) -> Result<bool, NormalizeError> {
    let (wholes, fields): (Vec<Field>, Vec<Field>) =
        fields_of(record).into_iter().partition(|field| field.shape == Shape::Nested);
    for field in &fields {
        let changed = trials.changes(base, record, (field, &replacements(field)))?;
        if !trials.is_complete {
            return Ok(false);
        }
        note(found, changed, base, field);
    }
    empty_wholes(found, trials, base, (wholes, record))?;
    empty_pairs(found, trials, base, (&fields, record))?;
    Ok(true)
}

/// What each column of a row came from.
fn columns(
    id: RowId,
    row: &Row,
    (found, is_alone, is_complete): (&Found, bool, bool),
) -> BTreeMap<&'static str, Vec<String>> {
    let why = |column: &str| {
        let computed = COMPUTED.iter().find(|(name, _)| *name == column);
        match computed {
            Some((_, why)) if is_alone || POSITIONS.contains(&column) => vec![(*why).to_owned()],
            None if is_complete => Vec::new(),
            _ => vec![NOT_TRIED.to_owned()],
        }
    };
    let told = |column| found.get(&(id, column)).cloned().unwrap_or_else(|| why(column));
    row.keys().map(|column| (*column, told(*column))).collect()
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
fn is_open(found: &Found, id: RowId, column: &'static str) -> bool {
    !found.contains_key(&(id, column)) && !COMPUTED.iter().any(|(name, _)| *name == column)
}

/// Whether any row has a column that lacks its fields.
fn any_lacks(base: &Rows, lacks: impl Fn(RowId, &'static str) -> bool) -> bool {
    base.iter().any(|(id, row)| row.keys().any(|column| lacks(*id, column)))
}

/// Empties objects and lists, the innermost first, for columns that no field alone changes.
fn empty_wholes(
    found: &mut Found,
    trials: &mut Trials<'_>,
    base: &Rows,
    (mut wholes, record): (Vec<Field>, &Record),
) -> Result<(), NormalizeError> {
    wholes.retain(|field| !field.path.is_empty());
    wholes.sort_by_key(|field| std::cmp::Reverse(field.path.len()));
    let others = ["{}", "[]", "null"].map(|token| Other::Token(token.to_owned()));
    for field in wholes {
        // A list may decide the channel by being there.
        let lacks = |id, column| {
            is_open(found, id, column)
                || (column == "channel" && !found.contains_key(&(id, column)))
        };
        if !trials.is_complete || !any_lacks(base, lacks) {
            return Ok(());
        }
        let mut changed = trials.changes(base, record, (&field, &others))?;
        changed.retain(|(id, column)| lacks(*id, column));
        for (id, column) in changed {
            found.insert((id, column), vec![field.path.clone()]);
        }
    }
    Ok(())
}

/// Empties fields in pairs, for columns that no field alone changes.
fn empty_pairs(
    found: &mut Found,
    trials: &mut Trials<'_>,
    base: &Rows,
    (fields, record): (&[Field], &Record),
) -> Result<(), NormalizeError> {
    if !trials.is_complete || !any_lacks(base, |id, column| is_open(found, id, column)) {
        return Ok(());
    }
    if fields.len() > PAIRED_MAX {
        trials.is_complete = false;
        return Ok(());
    }
    let places = fields.iter().enumerate().map(|(at, field)| (field.path.as_str(), at));
    let last: HashMap<&str, usize> = places.collect();
    let others = ["", "q"].map(|text| Other::Text(text.to_owned()));
    for (at, first) in fields.iter().enumerate() {
        let without = first.put_text(record, "");
        // The second field has moved by what the first lost.
        for second in fields_of(&without) {
            let is_later = last.get(second.path.as_str()).is_some_and(|place| *place > at);
            if second.shape == Shape::Nested || !is_later {
                continue;
            }
            let changed = trials.changes(base, &without, (&second, &others))?;
            if !trials.is_complete {
                return Ok(());
            }
            for (id, column) in changed {
                if is_open(found, id, column) {
                    found.insert((id, column), vec![format!("{} or {}", first.path, second.path)]);
                }
            }
        }
    }
    Ok(())
}

/// Other values for a field.
fn replacements(field: &Field) -> Vec<Other> {
    let text = field.text.as_str();
    let mut tried = Vec::new();
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
        if field.shape == Shape::Json {
            tried.push(Other::Token(other.trim_start_matches('0').to_owned()));
        }
        tried.push(Other::Text(other));
    }
    tried.push(Other::Text(format!("{text}x")));
    tried.extend(["", "q"].map(|other| Other::Text(other.to_owned())));
    // What is mostly digits is a number, a time or an id: other words tell no more about it.
    if digits.len() * 2 <= text.len() && text.len() <= WORD_BYTES_MAX {
        tried.extend(WORDS.iter().map(|word| Other::Text((*word).to_owned())));
    }
    if field.shape == Shape::Json && text.len() <= WORD_BYTES_MAX {
        let tokens = ["null", "true", "false", "0", "1", "2", "3", "4", "5"];
        tried.extend(tokens.map(|token| Other::Token(token.to_owned())));
    }
    tried
}
