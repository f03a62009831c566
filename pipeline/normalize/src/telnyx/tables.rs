//! Telnyx exports as CSV: detail records (an event a row), and usage (`format=csv`).
//!
//! The first row names the columns, by the names that the fields of the JSON have: those are
//! documented, headings of the files are not, so a table with other names is a dead letter and
//! nothing is guessed. A table is one record with its heading (`--whole`).
//!
//! Traps: in a file every figure is text, also where JSON has numbers; a cell may be empty or
//! `false` where JSON has no text, and columns have any order, so a total is the charge that it is
//! as JSON (but not where JSON spells the digits of an undocumented field as text); a file does
//! not tell that its report is complete, nor its span: a total without a date of its own (the file
//! of an MDR report's `report_url`) is a dead letter, as the same total of another month would
//! take its place. Of `errors` the spelling in a cell is not documented: it is not read, so a
//! failed row whose JSON tells a code is another event as a table, of the same message.

use crate::csv;
use crate::draft::{Dead, Place};
use crate::emit::Emitter;
use crate::json::Scalar;
use crate::record::Scratch;

use super::usage::{self, Report};
use super::{DeadReason, Item};

/// Reads a table; `None` where the text is none.
pub(super) fn read(
    text: &str,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Option<Result<(), Dead>> {
    let text = text.trim_ascii();
    if text.starts_with(['{', '[']) {
        return None;
    }
    let rows = if csv::is_table(text, csv::COMMA, "uuid") {
        detail_records(text, out)
    } else if csv::is_table(text, csv::COMMA, "cost") {
        totals(text, &mut scratch.identity, out)
    } else {
        return None;
    };
    Some(rows.map(|rows| {
        if rows == 0 {
            out.ignored("empty");
        }
    }))
}

fn detail_records(text: &str, out: &mut Emitter<'_>) -> Result<usize, Dead> {
    let rows = csv::each_row(text, csv::COMMA, |at, row| {
        let place = Place { parent: "", at: Some(at) };
        let Some(mut row) = row else {
            return out.dead_at(DeadReason::UnknownVariant, place.to_string());
        };
        let mut item = Item::default();
        for (name, value) in row.fields() {
            let slot = match name {
                "cost" => Some(&mut item.own.cost),
                _ => item.own.slot(name),
            };
            match slot {
                Some(_) if matches!(&value, Scalar::Text(text) if text.is_empty()) => {}
                Some(slot) => *slot = value,
                None if at == 0 => out.drift.other("", name),
                None => {}
            }
        }
        super::emit_record(&item, format_args!("{place}"), out);
    })?;
    Ok(rows)
}

fn totals(text: &str, identity: &mut Vec<u8>, out: &mut Emitter<'_>) -> Result<usize, Dead> {
    let report = Report::default();
    let rows = csv::each_row(text, csv::COMMA, |at, row| {
        let Some(mut row) = row else {
            return out.dead_at(DeadReason::UnknownVariant, format!("/{at}"));
        };
        if row.is_damaged() {
            // Whatever it is of, another row's total may take its place.
            return out.dead_at(DeadReason::UnknownVariant, format!("/{at}"));
        }
        identity.clear();
        let mut total = usage::Row::default();
        for (name, value) in row.fields() {
            if let Scalar::Text(text) = value
                && !matches!(text.as_ref(), "" | "false")
            {
                total.put(name, usage::cell(text), identity);
            }
        }
        usage::emit(&report, &total, (at, identity), out);
    })?;
    Ok(rows)
}
