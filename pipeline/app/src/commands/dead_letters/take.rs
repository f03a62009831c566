//! What of a record read again is taken: the elements that were dead and are readable now, never
//! one that counted before.
//!
//! ```text
//! then   0 event  1 dead   2 event  3 dead        letters 1 and 3
//! now    0 event  1 event  2 event  3 dead   ─►   element 1 is taken, letter 3 stays dead
//! ```
//! Taking the whole record and leaving the rest to dedup would count its other elements as
//! duplicates, and, once their messages are forgotten (35 days), store them again as late: not
//! once. So elements are told apart by their index. Where today's code splits the record otherwise,
//! an index means nothing: the record is taken whole if every element of it was dead and none was
//! replayed (what is dead of it now is a new letter, under the replay's own position), and left
//! otherwise.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{BooleanArray, RecordBatch, UInt32Array};
use arrow_select::filter::filter_record_batch;
use normalize::Normalized;

use crate::failure::{Failure, Outcome};

/// Head of the inputs whose records are dead letters read again.
const INPUT: &str = "dead:";

/// The input under which letters of a topic are read again; those of such an input are again of it.
pub(super) fn input_of(topic: &str) -> String {
    format!("{INPUT}{}", topic_of(topic))
}

/// The topic that a letter's record was read from first.
pub(super) fn topic_of(topic: &str) -> &str {
    topic.strip_prefix(INPUT).unwrap_or(topic)
}

/// What was said of a record when its letters were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Then {
    /// Its elements, dead or not.
    pub(super) elements: u32,
    /// Its letters, whichever were asked for.
    pub(super) letters: usize,
    /// The letters that are asked for and were not replayed.
    pub(super) open: BTreeSet<u32>,
}

/// What is taken of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taken {
    /// These elements.
    Elements(BTreeSet<u32>),
    /// All, as today's code counts them.
    Whole,
    /// Nothing is readable that was dead.
    StillDead,
    /// Elements cannot be told apart any more, and some of them counted.
    Renumbered,
}

/// What to take of a record by what it was and is.
pub(super) fn decide(then: &Then, now: &Normalized) -> Taken {
    let elements: i64 = now.tallies.iter().map(|tally| tally.elements).sum();
    let dead: BTreeSet<u32> = now.dead.iter().map(|letter| letter.element).collect();
    if elements == i64::from(then.elements) {
        let taken: BTreeSet<u32> = then.open.difference(&dead).copied().collect();
        return if taken.is_empty() { Taken::StillDead } else { Taken::Elements(taken) };
    }
    if i64::try_from(dead.len()) == Ok(elements) {
        return Taken::StillDead;
    }
    let all_were_dead = then.letters == then.elements as usize;
    let all_are_open = then.open.len() == then.letters;
    if all_were_dead && all_are_open { Taken::Whole } else { Taken::Renumbered }
}

/// Only these elements of one record: rows and tally; what is dead of it stays with its letter.
pub(super) fn restrict(now: Normalized, elements: &BTreeSet<u32>) -> Outcome<Normalized> {
    let (events, charges) = (only(&now.events, elements)?, only(&now.charges, elements)?);
    let told: BTreeSet<u32> = elements_of(&events)?.iter().flatten().collect();
    let charged: BTreeSet<u32> = elements_of(&charges)?.iter().flatten().collect();
    let n_charges = i64::try_from(charged.difference(&told).count()).unwrap_or(0);
    let mut tallies = now.tallies;
    for tally in &mut tallies {
        let n_events = i64::try_from(events.num_rows()).unwrap_or(0);
        tally.elements = i64::try_from(elements.len()).unwrap_or(0);
        tally.events = n_events;
        tally.dead = 0;
        tally.charges = n_charges;
        tally.ignored = tally.elements - n_events - n_charges;
    }
    Ok(Normalized { events, charges, dead: Vec::new(), dead_records: Vec::new(), tallies })
}

fn only(rows: &RecordBatch, elements: &BTreeSet<u32>) -> Outcome<RecordBatch> {
    let wanted: BooleanArray =
        elements_of(rows)?.iter().map(|element| element.map(|at| elements.contains(&at))).collect();
    Ok(filter_record_batch(rows, &wanted)?)
}

fn elements_of(rows: &RecordBatch) -> Outcome<&UInt32Array> {
    let column = rows.column_by_name("element");
    let column = column.and_then(|column| column.as_primitive_opt::<UInt32Type>());
    column.ok_or_else(|| Failure::protect("rows have no column `element`"))
}

#[cfg(test)]
mod tests;
