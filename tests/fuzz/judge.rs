//! What must hold of anything that `normalize` gives back, whatever it was given.

use std::collections::BTreeSet;

use model::record::RawBatch;
use normalize::{Normalized, Tally, text};
use serde_json::Value;

use crate::harness::Seen;

/// Rows and dead letters that are looked at one by one: the rest are like them.
const LOOKED_AT: usize = 24;
/// Longest place that a dead letter names.
const DETAIL_BYTES_MAX: usize = 200;

/// The tally, the dead letters and the rows of a batch that came from so many bytes, unpacked.
pub(crate) fn normalized(
    normalized: &Normalized,
    raw: &RawBatch,
    bytes: usize,
    spoken: &BTreeSet<String>,
) -> Result<Seen, String> {
    let sum = |of: fn(&Tally) -> i64| normalized.tallies.iter().map(of).sum::<i64>();
    let (elements, events) = (sum(|tally| tally.elements), sum(|tally| tally.events));
    let (ignored, dead) = (sum(|tally| tally.ignored), sum(|tally| tally.dead));
    let charges = sum(|tally| tally.charges);
    if elements != events + charges + ignored + dead {
        let parts = format!("{events} + {charges} + {ignored} + {dead}");
        return Err(format!("{elements} elements are not {parts}"));
    }
    if !raw.records.is_empty() && elements < 1 {
        return Err("a record without any element".to_owned());
    }
    if usize::try_from(events) != Ok(normalized.events.num_rows()) {
        return Err(format!("{events} events, {} rows", normalized.events.num_rows()));
    }
    if usize::try_from(dead) != Ok(normalized.dead.len()) {
        return Err(format!("{dead} dead letters are not {}", normalized.dead.len()));
    }
    for letter in normalized.dead.iter().take(LOOKED_AT) {
        detail(&letter.detail, bytes, spoken)?;
    }
    let rows = normalized.events.num_rows();
    for row in (0..rows).take(LOOKED_AT).chain(rows.checked_sub(1)) {
        let mut line = Vec::new();
        text::write_json_line(&normalized.events, row, &mut line);
        let event: Value =
            serde_json::from_slice(&line).map_err(|error| format!("row {row}: {error}"))?;
        is_canonical(&event).map_err(|what| format!("row {row}: {what}"))?;
    }
    let (records, rows) = (raw.records.len(), rows + normalized.charges.num_rows());
    Ok(Seen { records, elements, events, dead, rows, ..Seen::default() })
}

/// A place is made of the adapters' own words and of numbers that positions can have.
fn detail(detail: &str, bytes: usize, spoken: &BTreeSet<String>) -> Result<(), String> {
    if detail.is_empty() || detail.len() > DETAIL_BYTES_MAX {
        return Err(format!("a dead letter's place has {} bytes: {detail}", detail.len()));
    }
    for word in detail.split(|letter: char| !letter.is_alphanumeric()) {
        let is_position = word.parse::<usize>().is_ok_and(|number| number <= bytes);
        if !word.is_empty() && !is_position && !spoken.contains(word) {
            return Err(format!("a dead letter says `{word}`, which no adapter does: {detail}"));
        }
    }
    Ok(())
}

/// Columns that have a form.
fn is_canonical(event: &Value) -> Result<(), String> {
    type Form = fn(&str) -> bool;
    let digits: Form = |text| text.bytes().all(|byte| byte.is_ascii_digit());
    let upper: Form = |text| text.bytes().all(|byte| byte.is_ascii_uppercase());
    let forms: [(&str, std::ops::RangeInclusive<usize>, Form); 5] = [
        ("mcc", 3..=3, digits),
        ("mnc", 1..=3, digits),
        ("country", 2..=2, upper),
        ("currency", 3..=3, upper),
        ("message_id", 1..=usize::MAX, |_| true),
    ];
    for (column, lengths, holds) in forms {
        let Some(text) = event[column].as_str() else { continue };
        if !lengths.contains(&text.len()) || !holds(text) {
            return Err(format!("{column} is `{text}`"));
        }
    }
    if !event["message_id"].is_string() {
        return Err("no message_id".to_owned());
    }
    if event["price"].as_str().is_some_and(|price| price.starts_with('-')) {
        return Err(format!("price is {}", event["price"]));
    }
    if event["segments"] == 0 {
        return Err("segments is 0".to_owned());
    }
    Ok(())
}
