//! What became of the letters of a replay, for people and for programs.

use std::collections::BTreeMap;

use model::manifest::InputRange;
use normalize::Tally;
use serde_json::{Map, json};

use super::letters::Letter;
use crate::commands::note;

/// Letters named of each kind that was not replayed.
const NAMED: usize = 20;

pub(super) const ALREADY_REPLAYED: &str = "already_replayed";
pub(super) const STILL_DEAD: &str = "still_dead";
pub(super) const NOT_KEPT: &str = "not_kept";
pub(super) const GONE: &str = "gone";
pub(super) const OTHER_KEY: &str = "other_key";
pub(super) const RENUMBERED: &str = "renumbered";
pub(super) const DAMAGED: &str = "damaged";

/// What is told of each kind that was not replayed.
const LEFT: [(&str, &str); 7] = [
    (ALREADY_REPLAYED, "replayed before: nothing to do"),
    (STILL_DEAD, "dead by today's code and configuration too"),
    (
        NOT_KEPT,
        "with no kept payload, for neither [dead_letters] key_file nor SENDTALLY_DEAD_LETTER_KEY \
         was given then; those of a topic that Kafka still has: --config FILE --from-kafka",
    ),
    (GONE, "in Kafka no more, or another record is in their place"),
    (OTHER_KEY, "encrypted under another key than those configured"),
    (RENUMBERED, "in records that today's code splits otherwise, and whose others counted"),
    (DAMAGED, "with a payload that is not as it was written"),
];

/// What became of the letters.
#[derive(Debug, Default)]
pub(super) struct Tale {
    pub(super) letters: usize,
    replayed: usize,
    records: i64,
    /// Elements of what was taken.
    events: i64,
    ignored: i64,
    new_dead: i64,
    /// By the ledger.
    accepted: i64,
    duplicate: i64,
    late: i64,
    left: BTreeMap<&'static str, (usize, Vec<String>)>,
}

impl Tale {
    pub(super) fn leave(&mut self, what: &'static str, letter: &Letter, element: u32) {
        let (count, named) = self.left.entry(what).or_default();
        *count += 1;
        if named.len() < NAMED {
            named.push(format!("{} element {element}", letter.position()));
        }
    }

    pub(super) fn count(&mut self, letters: usize, tallies: &[Tally]) {
        self.replayed += letters;
        for tally in tallies {
            self.records += tally.records;
            self.events += tally.events;
            self.ignored += tally.ignored;
            self.new_dead += tally.dead;
        }
    }

    pub(super) fn enter(&mut self, line: &InputRange) {
        self.accepted += line.accepted;
        self.duplicate += line.duplicate;
        self.late += line.late;
    }

    /// Says it for people, then for programs.
    pub(super) fn tell(&self, dry_run: bool) {
        for (what, text) in LEFT {
            let Some((count, named)) = self.left.get(what) else { continue };
            note(&format!("{}, {text}", counted(*count)));
            if what != ALREADY_REPLAYED {
                named.iter().for_each(|name| note(&format!("  {name}")));
            }
        }
        let verb = if dry_run { "would be replayed" } else { "replayed" };
        note(&format!("{} of {} {verb}", self.replayed, counted(self.letters)));
        let mut summary = Map::new();
        let numbers = [
            ("letters", json!(self.letters)),
            ("replayed", json!(self.replayed)),
            ("records", json!(self.records)),
            ("events", json!(self.events)),
            ("ignored", json!(self.ignored)),
            ("new_dead", json!(self.new_dead)),
        ];
        summary.extend(numbers.map(|(name, number)| (name.to_owned(), number)));
        if !dry_run {
            let ledger =
                [("accepted", self.accepted), ("duplicate", self.duplicate), ("late", self.late)];
            summary.extend(ledger.map(|(name, count)| (name.to_owned(), json!(count))));
        }
        for (what, _) in LEFT {
            let count = self.left.get(what).map_or(0, |(count, _)| *count);
            summary.insert(what.to_owned(), json!(count));
        }
        note(&json!({"summary": summary}).to_string());
    }
}

fn counted(letters: usize) -> String {
    if letters == 1 { "1 letter".to_owned() } else { format!("{letters} letters") }
}
