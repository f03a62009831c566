//! The aggregate's state as slices: what is in them, and how it is put back.
//!
//! ```text
//! panes/slo/<day>, panes/cost/<day>   minutes of a day; written where the day changed
//! panes/fine                          the last two hours by 10 s
//! panes/changed                       windows that wait to be published
//! panes/admitted                      values that the cardinality guard lets have a series
//! scores/detectors, scores/recent     cost scores
//! ```

use arrow_array::RecordBatch;
use model::manifest::{FileRef, StateSlice};
use window::{PaneStore, Window};

use super::costs::Costs;
use super::pending;
use crate::failure::Outcome;

/// Slice: windows that changed and wait to be published.
pub(crate) const CHANGED: &str = "panes/changed";
/// Slice without a file: that there is a state at all.
pub(crate) const BEGUN: &str = "begun";
const SLO: &str = "panes/slo/";
const COST: &str = "panes/cost/";
/// Slice: values that have a series of their own.
pub(crate) const ADMITTED: &str = "panes/admitted";
const FINE: &str = "panes/fine";
const DETECTORS: &str = "scores/detectors";
const RECENT: &str = "scores/recent";

/// The slice that every state has.
pub(crate) fn begun(epoch: u64) -> StateSlice {
    let file = FileRef {
        table: BEGUN.to_owned(),
        path: String::new(),
        rows: 0,
        bytes: 0,
        sha256: String::new(),
    };
    StateSlice { slice: BEGUN.to_owned(), epoch, file }
}

/// Slices to write now, by name.
pub(crate) fn batches(store: &PaneStore, costs: &Costs) -> Outcome<Vec<(String, RecordBatch)>> {
    let mut batches = Vec::new();
    for day in store.dirty_days() {
        let [slo, cost] = store.snapshot_day(*day)?;
        batches.push((format!("{SLO}{day}"), slo));
        batches.push((format!("{COST}{day}"), cost));
    }
    let changed: Vec<Window> = store.changed().collect();
    let [detectors, recent] = costs.snapshot()?;
    batches.push((FINE.to_owned(), store.snapshot_fine()?));
    batches.push((ADMITTED.to_owned(), store.guard().snapshot()?));
    batches.push((CHANGED.to_owned(), pending::write(&changed)?));
    batches.push((DETECTORS.to_owned(), detectors));
    batches.push((RECENT.to_owned(), recent));
    Ok(batches)
}

/// The slice is of a day that the store has forgotten.
pub(crate) fn is_passed(name: &str, store: &PaneStore) -> bool {
    let day = name.strip_prefix(SLO).or_else(|| name.strip_prefix(COST));
    day.and_then(|day| day.parse().ok()).is_some_and(|day| !store.holds_day(day))
}

/// Slices as they were read.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    slo: Vec<RecordBatch>,
    cost: Vec<RecordBatch>,
    fine: Vec<RecordBatch>,
    admitted: Vec<RecordBatch>,
    changed: Vec<RecordBatch>,
    detectors: Vec<RecordBatch>,
    recent: Vec<RecordBatch>,
}

impl Parts {
    /// Takes the rows of a slice.
    pub(crate) fn take(&mut self, name: &str, batches: Vec<RecordBatch>) {
        let part = match name {
            FINE => &mut self.fine,
            ADMITTED => &mut self.admitted,
            CHANGED => &mut self.changed,
            DETECTORS => &mut self.detectors,
            RECENT => &mut self.recent,
            _ if name.starts_with(SLO) => &mut self.slo,
            _ if name.starts_with(COST) => &mut self.cost,
            _ => return,
        };
        part.extend(batches);
    }

    /// Puts everything into an empty store and empty scores.
    pub(crate) fn restore(&self, store: &mut PaneStore, costs: &mut Costs) -> Outcome<()> {
        for batch in &self.admitted {
            store.restore_guard(batch);
        }
        store.restore(&self.slo, &self.fine)?;
        for batch in &self.cost {
            store.add_cost(batch, false)?;
        }
        for batch in &self.changed {
            store.mark(pending::read(batch));
        }
        costs.restore(&self.detectors, &self.recent)
    }
}
