//! What one manifest of the loader announces: batches of whole epochs, each with its number.
//!
//! ```text
//! job epochs 17 18 19 20 │ rows of `events`  60k 50k 30k 10k  ─► #41 = 17..=18, #42 = 19..=20
//! a lake file of 250k rows, where the epochs were there before the loader  ─► #1, #2, #3
//! ```
//! Invariants: a batch is whole epochs of one table, in order, or a run of rows of one lake file;
//! the batches of a plan cover what it takes; numbers of a table have no holes. A plan is made
//! once and then only read, so a repeated insert has the rows of the first.

use std::collections::BTreeMap;

use model::manifest::{FileRef, Manifest};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};

/// A batch closes with the epoch that reaches so many rows.
const BATCH_ROWS: u64 = 100_000;
const BATCH_STEP: usize = 100_000;
/// Rows of one plan: a restart sends at most these again, and the rest of the last file.
pub(crate) const PLAN_ROWS: u64 = 1_000_000;

/// One insert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) table: String,
    /// Number of the table's batches, from 1.
    pub(crate) number: u64,
    pub(crate) rows: u64,
    pub(crate) origin: Origin,
}

/// Where the rows of a batch are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// Segments of epochs of a chain.
    Epochs { chain: String, from: u64, to: u64 },
    /// Rows of a lake file, from this one on.
    File { path: String, first: u64 },
}

/// What a manifest announces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) batches: Vec<Batch>,
    /// Up to which epoch of each chain all rows are in ClickHouse when the batches are.
    pub(crate) up_to: BTreeMap<String, u64>,
    /// Number of the newest batch of each table.
    pub(crate) numbers: BTreeMap<String, u64>,
    /// Lake files that are to be loaded before any epoch, those of this plan first.
    #[serde(default)]
    pub(crate) files: Vec<FileRef>,
    /// How many of them this plan takes.
    #[serde(default)]
    pub(crate) n_taken: usize,
    /// Epochs that are in when all these files are.
    #[serde(default)]
    pub(crate) then: BTreeMap<String, u64>,
}

impl Plan {
    /// The plan that a manifest holds.
    pub(crate) fn of(text: Option<&String>) -> Outcome<Self> {
        let Some(text) = text else { return Ok(Self::default()) };
        serde_json::from_str(text).map_err(|error| {
            Failure::protect(format!("the plan in the chain `clickhouse` is damaged: {error}"))
        })
    }

    /// As a manifest holds it.
    pub(crate) fn text(&self) -> Outcome<String> {
        serde_json::to_string(self)
            .map_err(|error| Failure::protect(format!("a plan cannot be written: {error}")))
    }

    /// Begins with what the lake has taken in: its files stand for the epochs before.
    pub(crate) fn of_lake(head: &Manifest, loaded: &dyn Fn(&str) -> bool) -> Self {
        let files = head.files.iter().filter(|file| file.rows > 0 && loaded(&file.table));
        let files: Vec<FileRef> = files.cloned().collect();
        let up_to = if files.is_empty() { head.consumed.clone() } else { BTreeMap::new() };
        Self { up_to, files, then: head.consumed.clone(), ..Self::default() }
    }

    /// Files that no plan has taken yet.
    pub(crate) fn files_left(&self) -> &[FileRef] {
        self.files.get(self.n_taken..).unwrap_or_default()
    }

    /// The plan after this one, of lake files, up to a number of rows.
    pub(crate) fn next_files(&self) -> Self {
        let files = self.files_left().to_vec();
        let mut next = Self { batches: Vec::new(), files, n_taken: 0, ..self.clone() };
        let mut rows = 0;
        for file in next.files.iter().take_while(|file| {
            let more = rows < PLAN_ROWS;
            rows += file.rows;
            more
        }) {
            next.n_taken += 1;
            for first in (0..file.rows).step_by(BATCH_STEP) {
                let rows = (file.rows - first).min(BATCH_ROWS);
                let (table, origin) =
                    (file.table.clone(), Origin::File { path: file.path.clone(), first });
                next.batches.push(Batch { table, number: 0, rows, origin });
            }
        }
        if next.files_left().is_empty() {
            next.up_to.clone_from(&next.then);
        }
        next.number()
    }

    /// The plan after this one, of manifests that follow each other in each chain.
    pub(crate) fn next(
        &self,
        chains: &[(&str, Vec<Manifest>)],
        loaded: &dyn Fn(&str) -> bool,
    ) -> Self {
        let mut next =
            Self { up_to: self.up_to.clone(), numbers: self.numbers.clone(), ..Self::default() };
        for (chain, manifests) in chains {
            let mut open: BTreeMap<&str, Batch> = BTreeMap::new();
            for manifest in manifests {
                for file in manifest.segments.iter().filter(|file| loaded(&file.table)) {
                    let (from, to) = (manifest.epoch, manifest.epoch);
                    let batch = open.entry(&file.table).or_insert_with(|| Batch {
                        table: file.table.clone(),
                        number: 0,
                        rows: 0,
                        origin: Origin::Epochs { chain: (*chain).to_owned(), from, to },
                    });
                    batch.rows += file.rows;
                    if let Origin::Epochs { to, .. } = &mut batch.origin {
                        *to = manifest.epoch;
                    }
                }
                let full: Vec<&str> =
                    open.iter().filter(|(_, b)| b.rows >= BATCH_ROWS).map(|(t, _)| *t).collect();
                for table in full {
                    next.batches.extend(open.remove(table));
                }
                next.up_to.insert((*chain).to_owned(), manifest.epoch);
            }
            next.batches.extend(open.into_values());
        }
        next.number()
    }

    fn number(mut self) -> Self {
        for batch in &mut self.batches {
            let number = self.numbers.entry(batch.table.clone()).or_insert(0);
            *number += 1;
            batch.number = *number;
        }
        self
    }

    /// Whether it says more than the one before.
    pub(crate) fn moves(&self, before: &Self) -> bool {
        !self.batches.is_empty() || self.up_to != before.up_to
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn manifest(epoch: u64, rows: &[(&str, u64)]) -> Manifest {
        let file = |(table, rows): &(&str, u64)| FileRef {
            table: (*table).to_owned(),
            path: String::new(),
            rows: *rows,
            bytes: 0,
            sha256: String::new(),
        };
        let segments = rows.iter().map(file).collect();
        Manifest { epoch, segments, ..Manifest::default() }
    }

    fn epochs(batch: &Batch) -> (u64, u64) {
        match &batch.origin {
            Origin::Epochs { from, to, .. } => (*from, *to),
            Origin::File { first, .. } => (*first, first + batch.rows),
        }
    }

    #[test]
    fn files_of_the_lake_come_before_the_epochs_after_them() {
        let mut lake = manifest(9, &[]);
        lake.consumed = [("job".to_owned(), 70), ("aggregate".to_owned(), 5)].into();
        lake.files = manifest(0, &[("events", 950_000), ("ledger", 30), ("slo_panes", 9)]).segments;
        lake.files.extend(manifest(0, &[("events", 210_000), ("alerts", 0)]).segments);
        let loaded = |table: &str| table != "slo_panes";
        let begun = Plan::of_lake(&lake, &loaded);
        assert!(begun.up_to.is_empty() && begun.files_left().len() == 3);
        let first = begun.next_files();
        let rows: u64 = first.batches.iter().map(|b| b.rows).sum();
        assert_eq!(rows, 950_000 + 30 + 210_000);
        let events: Vec<_> = first.batches.iter().filter(|b| b.table == "events").collect();
        assert_eq!(events.len(), 13);
        assert_eq!(epochs(events[9]), (900_000, 950_000));
        assert_eq!(epochs(events[12]), (200_000, 210_000));
        assert!(events.iter().zip(1..).all(|(batch, number)| batch.number == number));
        assert_eq!(first.up_to, lake.consumed, "when these are in, so are the epochs");
        let next = first.next(&[("job", vec![manifest(71, &[("events", 1)])])], &loaded);
        assert_eq!((next.batches[0].number, next.up_to["job"], next.files.len()), (14, 71, 0));
    }

    #[test]
    fn an_empty_lake_stands_for_its_epochs_at_once() {
        let mut lake = manifest(9, &[]);
        lake.consumed = [("job".to_owned(), 70)].into();
        let plan = Plan::of_lake(&lake, &|_| true);
        assert_eq!((plan.up_to["job"], plan.files_left().len()), (70, 0));
    }

    #[test]
    fn a_batch_is_whole_epochs_of_one_table() {
        let job = vec![
            manifest(17, &[("events", 60_000), ("slo_panes", 5)]),
            manifest(18, &[("events", 50_000), ("ledger", 2)]),
            manifest(19, &[]),
            manifest(20, &[("events", 10)]),
        ];
        let before = Plan { numbers: [("events".to_owned(), 40)].into(), ..Plan::default() };
        let plan = before.next(&[("job", job)], &|table| table != "slo_panes");
        let told: Vec<_> = plan
            .batches
            .iter()
            .map(|b| (b.table.as_str(), b.number, epochs(b).0, epochs(b).1, b.rows))
            .collect();
        assert_eq!(
            told,
            [("events", 41, 17, 18, 110_000), ("events", 42, 20, 20, 10), ("ledger", 1, 18, 18, 2)]
        );
        assert_eq!(plan.up_to["job"], 20);
        assert_eq!(Plan::of(Some(&plan.text().unwrap())).unwrap(), plan);
    }

    proptest! {
        #[test]
        fn plans_cover_every_epoch_once_whatever_their_borders(
            rows in prop::collection::vec((0_u64..70_000, 0_u64..3), 1..40),
            cuts in prop::collection::vec(1_usize..6, 1..20),
        ) {
            let all: Vec<Manifest> = rows.iter().zip(1..)
                .map(|((events, ledger), epoch)| {
                    let tables = [("events", *events), ("ledger", *ledger)];
                    manifest(epoch, &tables.into_iter().filter(|t| t.1 > 0).collect::<Vec<_>>())
                })
                .collect();
            let mut plan = Plan::default();
            let mut seen: BTreeMap<String, Vec<Batch>> = BTreeMap::new();
            let mut rest = all.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                plan = plan.next(&[("job", now.to_vec())], &|_| true);
                for batch in &plan.batches {
                    seen.entry(batch.table.clone()).or_default().push(batch.clone());
                }
                rest = later;
            }
            for (table, at) in [("events", 0), ("ledger", 1)] {
                let batches = seen.remove(table).unwrap_or_default();
                let numbers: Vec<u64> = batches.iter().map(|b| b.number).collect();
                prop_assert_eq!(numbers, (1..=batches.len() as u64).collect::<Vec<_>>());
                let ascend = |pair: &[Batch]| epochs(&pair[0]).1 < epochs(&pair[1]).0;
                prop_assert!(batches.windows(2).all(ascend));
                let told: u64 = batches.iter().map(|b| b.rows).sum();
                let had: u64 = rows.iter().map(|r| if at == 0 { r.0 } else { r.1 }).sum();
                prop_assert_eq!(told, had);
            }
            prop_assert_eq!(plan.up_to["job"], all.len() as u64);
        }
    }
}
