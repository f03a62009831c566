//! Traps of RCS, SMPP, WhatsApp, Amazon, Azure and push, each a row that names it.
//!
//! ```text
//! what the trap is, in words                      blocks, an empty line between them
//! @ header: value                                 a header of the record
//! {"the": "payload"}                              any number of lines
//! = column=value; column=value                    an event, in order; no other may come
//! $ column=value                                  a charge, likewise
//! ! ignored typing                                an element that gives neither, and why
//! ```
//! A value is spelled as the canonical line spells it, `null` where it is absent, `any` where it is
//! there; `as above` and `not as above` compare with the first event (charge) of the block before.

mod amazon;
mod apps;
mod networks;
mod whatsapp;

use model::vocabulary::Source;
use normalize::{Counters, Normalized};
use serde_json::Value;

use crate::fixtures::{Case, batch, charges, input, lines, normalizer};

/// A row of a table.
#[derive(Debug, Default)]
struct Row {
    label: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    payload: Vec<&'static str>,
    events: Vec<&'static str>,
    charges: Vec<&'static str>,
    others: Vec<&'static str>,
}

impl Row {
    fn parse(block: &'static str) -> Self {
        let mut block = block.lines();
        let mut row = Self { label: block.next().unwrap(), ..Self::default() };
        for line in block {
            match line.split_at_checked(2) {
                Some(("= ", rest)) => row.events.push(rest),
                Some(("$ ", rest)) => row.charges.push(rest),
                Some(("! ", rest)) => row.others.push(rest),
                Some(("@ ", rest)) => row.headers.push(rest.split_once(": ").unwrap()),
                _ => row.payload.push(line),
            }
        }
        row
    }

    fn case(&self) -> Case {
        let case = Case::value(self.payload.join("\n"));
        self.headers.iter().fold(case, |case, (name, value)| case.header(name, value))
    }
}

fn read(source: Source, case: Case) -> (Normalized, Counters) {
    let mut normalizer = normalizer();
    let normalized = normalizer.batch(&batch(&[case]), &[input(Some(source))]).unwrap();
    (normalized, normalizer.take_counters())
}

/// The only event of a record.
fn one(source: Source, payload: &str) -> Value {
    let mut lines = lines(&read(source, Case::value(payload)).0);
    assert_eq!(lines.len(), 1, "{source}: {payload}");
    lines.remove(0)
}

/// Checks every row of a table.
#[track_caller]
pub(crate) fn traps(source: Source, table: &'static str) {
    let (mut event_above, mut charge_above) = (Value::Null, Value::Null);
    for block in table.trim().split("\n\n") {
        let row = Row::parse(block);
        let label = format!("{source}: {}", row.label);
        let (normalized, counters) = read(source, row.case());
        let mut others: Vec<String> = Vec::new();
        for ((_, kind), count) in &counters.ignored {
            (0..*count).for_each(|_| others.push(format!("ignored {kind}")));
        }
        others.extend(normalized.dead.iter().map(|dead| format!("dead {}", dead.reason.as_str())));
        assert_eq!(others, row.others, "{label}");
        check(&label, lines(&normalized), &row.events, &mut event_above);
        check(&label, charges(&normalized), &row.charges, &mut charge_above);
    }
}

#[track_caller]
fn check(label: &str, found: Vec<Value>, wanted: &[&str], above: &mut Value) {
    assert_eq!(found.len(), wanted.len(), "{label}: {found:?}");
    for (line, wanted) in found.iter().zip(wanted) {
        for part in wanted.split("; ") {
            let (column, value) = part.split_once('=').unwrap();
            let found = line.get(column).unwrap_or_else(|| panic!("{label}: no {column}"));
            let is_met = match value {
                "any" => !found.is_null(),
                "as above" => *found == above[column],
                "not as above" => *found != above[column],
                text => match found.as_str() {
                    Some(found) => found == text,
                    None => found.to_string().as_str() == text,
                },
            };
            assert!(is_met, "{label}: {column} is {found}, not {value}");
        }
    }
    if let Some(first) = found.into_iter().next() {
        *above = first;
    }
}

/// Checks a table of statuses: fields of the payload, ` | ` between them and `-` for none, then
/// `->`, channel, status, whether it is final, error class.
#[track_caller]
fn statuses(source: Source, table: &str, payload: fn(&[&str]) -> String) {
    for row in table.trim().lines() {
        let (told, meant) = row.split_once(" -> ").unwrap();
        let told: Vec<&str> = told.split(" | ").collect();
        let line = one(source, &payload(&told));
        let is_final = if line["is_final"] == true { "final" } else { "open" };
        let text = |column: &str| line[column].as_str().unwrap_or("null");
        let found = [text("channel"), text("status"), is_final, text("error_class")].join(" ");
        assert_eq!(found, meant, "{source}: {row}");
    }
}

/// A field of a status' row; null where it is `-` or not there.
fn field(fields: &[&str], at: usize) -> Value {
    fields.get(at).filter(|field| **field != "-").map_or(Value::Null, |field| (*field).into())
}
