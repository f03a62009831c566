//! The exchange by message key: each tracker has its slices, all work on a batch at once.
//!
//! ```text
//! batch ─┬─ rows of slices 0, 2, 4 … ─► tracker 0 (own thread) ─┬─► decisions in row order
//!        └─ rows of slices 1, 3, 5 … ─► tracker 1 (this thread) ─┘
//! ```

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use model::keys::Id16;
use track::{Decision, EpochOutput, Flush, SLICES, Size, TrackError, Tracker, slice_of};

/// All slices, spread over a few trackers.
#[derive(Debug)]
pub(crate) struct Trackers {
    trackers: Vec<Tracker>,
}

impl Trackers {
    /// `threads` trackers, at least one, which take so much memory together.
    pub(crate) fn new(threads: usize, memory_bytes: usize) -> Self {
        let threads = u8::try_from(threads.clamp(1, usize::from(SLICES))).unwrap_or(1);
        let mine = |tracker: u8| (0..SLICES).filter(move |slice| slice % threads == tracker);
        let tracker = |number: u8| Tracker::new(mine(number), memory_bytes);
        Self { trackers: (0..threads).map(tracker).collect() }
    }

    fn owner(&mut self, slice: u8) -> &mut Tracker {
        let at = usize::from(slice) % self.trackers.len();
        &mut self.trackers[at]
    }

    /// Decides on all rows of a canonical batch, in row order.
    pub(crate) fn decide(
        &mut self,
        batch: &RecordBatch,
        watermark_us: Option<i64>,
    ) -> Result<Vec<Decision>, TrackError> {
        let shares = self.shares(batch, &["message_key"])?;
        let work =
            |(tracker, rows): (&mut Tracker, &Vec<u32>)| tracker.decide(batch, rows, watermark_us);
        let decided: Vec<Result<Vec<Decision>, TrackError>> = std::thread::scope(|scope| {
            let mut pairs = self.trackers.iter_mut().zip(&shares);
            let here = pairs.next();
            let there: Vec<_> = pairs.map(|pair| scope.spawn(move || work(pair))).collect();
            let mut results: Vec<_> = here.map(work).into_iter().collect();
            for thread in there {
                let lost = TrackError::State { what: "a tracker thread panicked" };
                results.push(thread.join().unwrap_or(Err(lost)));
            }
            results
        });
        let mut decisions = vec![Decision::New; batch.num_rows()];
        for (rows, decided) in shares.iter().zip(decided) {
            for (row, decision) in rows.iter().zip(decided?) {
                decisions[*row as usize] = decision;
            }
        }
        Ok(decisions)
    }

    /// Decides on all lines of bills, in row order: they are few, and no thread is worth them.
    pub(crate) fn decide_lines(
        &mut self,
        batch: &RecordBatch,
        open: (u64, Option<i64>),
    ) -> Result<Vec<Decision>, TrackError> {
        let shares = self.shares(batch, &["message_key", "charge_id"])?;
        let mut decisions = vec![Decision::New; batch.num_rows()];
        for (tracker, rows) in self.trackers.iter_mut().zip(&shares) {
            for (row, decision) in rows.iter().zip(tracker.decide_lines(batch, rows, open)?) {
                decisions[*row as usize] = decision;
            }
        }
        Ok(decisions)
    }

    /// Rows by tracker: a row is kept under the first of its keys that it has.
    fn shares(
        &self,
        batch: &RecordBatch,
        names: &[&'static str],
    ) -> Result<Vec<Vec<u32>>, TrackError> {
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            let keys = batch.column_by_name(name).and_then(|keys| keys.as_fixed_size_binary_opt());
            columns.push(keys.ok_or(TrackError::Column { name })?);
        }
        let rows = batch.num_rows();
        let mut shares = vec![Vec::with_capacity(rows); self.trackers.len()];
        for row in 0..rows {
            let key = columns.iter().find(|keys| !keys.is_null(row)).map(|keys| keys.value(row));
            let key = key.and_then(Id16::from_slice).unwrap_or_default();
            let owner = usize::from(slice_of(key)) % self.trackers.len();
            shares[owner].push(u32::try_from(row).unwrap_or(u32::MAX));
        }
        Ok(shares)
    }

    /// Closes an epoch on all trackers.
    pub(crate) fn close_epoch(
        &mut self,
        epoch: u64,
        watermark_us: Option<i64>,
        committed_at_us: i64,
    ) -> Result<Vec<EpochOutput>, TrackError> {
        let close =
            |tracker: &mut Tracker| tracker.close_epoch(epoch, watermark_us, committed_at_us);
        self.trackers.iter_mut().map(close).collect()
    }

    /// Slices that differ from what was handed over of them.
    pub(crate) fn touched(&self) -> Vec<u8> {
        self.trackers.iter().flat_map(Tracker::touched).collect()
    }

    /// What changed in a slice.
    pub(crate) fn flush(
        &mut self,
        slice: u8,
        may_merge: bool,
        watermark_us: Option<i64>,
    ) -> Result<Option<Arc<Flush>>, TrackError> {
        self.owner(slice).flush(slice, may_merge, watermark_us)
    }

    /// Puts a slice back from its runs.
    pub(crate) fn restore(
        &mut self,
        slice: u8,
        runs: Vec<(File, PathBuf)>,
        closed_through_us: Option<i64>,
    ) -> Result<(), TrackError> {
        self.owner(slice).restore(slice, runs, closed_through_us)
    }

    /// All trackers, for replay.
    pub(crate) fn each(&mut self) -> impl Iterator<Item = &mut Tracker> {
        self.trackers.iter_mut()
    }

    /// How much they hold together.
    pub(crate) fn size(&self) -> Size {
        let add = |sum: Size, one: Size| Size {
            n_messages: sum.n_messages + one.n_messages,
            n_hot: sum.n_hot + one.n_hot,
            n_bytes: sum.n_bytes + one.n_bytes,
            n_evicted: sum.n_evicted + one.n_evicted,
        };
        self.trackers.iter().map(Tracker::size).fold(Size::default(), add)
    }
}
