//! What one manifest of the loader announces: batches of whole epochs, each with its number.
//!
//! ```text
//! job epochs 17 18 19 20 │ rows of `events`  60k 50k 30k 10k  ─► #41 = 17..=18, #42 = 19..=20
//! ```
//! Invariants: a batch is whole epochs of one table, in order, and the batches of a plan cover its
//! epochs; numbers of a table have no holes. A plan is made once and then only read, so a repeated
//! insert has the rows of the first.

use std::collections::BTreeMap;

use model::manifest::Manifest;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};

/// A batch closes with the epoch that reaches so many rows.
pub(crate) const BATCH_ROWS: u64 = 100_000;

/// One insert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) table: String,
    /// Number of the table's batches, from 1.
    pub(crate) number: u64,
    /// Chain whose epochs hold the rows.
    pub(crate) chain: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) rows: u64,
}

/// What a manifest announces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) batches: Vec<Batch>,
    /// Up to which epoch of each chain all rows are in ClickHouse when the batches are.
    pub(crate) up_to: BTreeMap<String, u64>,
    /// Number of the newest batch of each table.
    pub(crate) numbers: BTreeMap<String, u64>,
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

    /// The plan after this one, of manifests that follow each other in each chain.
    pub(crate) fn next(
        &self,
        chains: &[(&str, Vec<Manifest>)],
        loaded: &dyn Fn(&str) -> bool,
    ) -> Self {
        let mut next =
            Self { batches: Vec::new(), up_to: self.up_to.clone(), numbers: self.numbers.clone() };
        for (chain, manifests) in chains {
            let mut open: BTreeMap<&str, Batch> = BTreeMap::new();
            for manifest in manifests {
                for file in manifest.segments.iter().filter(|file| loaded(&file.table)) {
                    let batch = open.entry(&file.table).or_insert_with(|| Batch {
                        table: file.table.clone(),
                        number: 0,
                        chain: (*chain).to_owned(),
                        from: manifest.epoch,
                        to: manifest.epoch,
                        rows: 0,
                    });
                    batch.to = manifest.epoch;
                    batch.rows += file.rows;
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
        for batch in &mut next.batches {
            let number = next.numbers.entry(batch.table.clone()).or_insert(0);
            *number += 1;
            batch.number = *number;
        }
        next
    }

    /// Whether it says more than the one before.
    pub(crate) fn moves(&self, before: &Self) -> bool {
        !self.batches.is_empty() || self.up_to != before.up_to
    }
}

#[cfg(test)]
mod tests {
    use model::manifest::FileRef;
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
            .map(|b| (b.table.as_str(), b.number, b.from, b.to, b.rows))
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
                prop_assert!(batches.windows(2).all(|pair| pair[0].to < pair[1].from));
                let told: u64 = batches.iter().map(|b| b.rows).sum();
                let had: u64 = rows.iter().map(|r| if at == 0 { r.0 } else { r.1 }).sum();
                prop_assert_eq!(told, had);
            }
            prop_assert_eq!(plan.up_to["job"], all.len() as u64);
        }
    }
}
