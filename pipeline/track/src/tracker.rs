//! A tracker: some of the slices, owned by one thread, fed in batches and closed at barriers.

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use model::keys::Id16;
use model::vocabulary::Disposition;

use crate::columns::Columns;
use crate::deltas::{Changes, EpochOutput};
use crate::facet::Interner;
use crate::fold::Event;
use crate::slice::{Admitted, Context, Slice};
use crate::snapshot;

/// Slices of the message table. A slice is the unit of a state snapshot and of a thread's share.
pub const SLICES: u8 = 64;

/// Slice of a message. By the last byte: the first eight are the table's hash.
#[must_use]
pub const fn slice_of(key: Id16) -> u8 {
    key.0[15] % SLICES
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A new event: counts.
    New,
    /// Seen before: counted in the ledger, stored nowhere.
    Duplicate,
    /// Seen before, with an earlier time: a duplicate in the ledger, stored for its time.
    Earlier,
    /// Its own time is 35 days behind the watermark: stored, in no window.
    Late,
}

/// A row of this epoch.
pub type MessageRef = (u32, u32);

/// What can go wrong in tracking: a batch of another shape than `schemas/events.toml`.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// A column is missing or has another type.
    #[error("cannot track a batch: column `{name}` is missing or has another type")]
    Column {
        /// Its name.
        name: &'static str,
    },
    /// A word outside the closed list of its column.
    #[error("cannot track a batch: column `{name}` holds a word that is not in its list")]
    Word {
        /// Its name.
        name: &'static str,
    },
    /// A snapshot cannot be read.
    #[error("cannot restore state slice: {what}")]
    Snapshot {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Building a batch failed.
    #[error("cannot build a batch of the epoch")]
    Build(#[from] ArrowError),
}

/// Some slices of the message table.
#[derive(Debug)]
pub struct Tracker {
    /// By number; those of other trackers are absent.
    slices: Vec<Option<Slice>>,
    pub(crate) words: Interner,
    changes: Changes,
    scratch: Vec<Event>,
    batches: Vec<RecordBatch>,
}

impl Tracker {
    /// A tracker of these slices, empty.
    #[must_use]
    pub fn new(slices: impl IntoIterator<Item = u8>) -> Self {
        let mut mine: Vec<Option<Slice>> = (0..SLICES).map(|_| None).collect();
        for slice in slices {
            mine[usize::from(slice)] = Some(Slice::default());
        }
        Self {
            slices: mine,
            words: Interner::default(),
            changes: Changes::default(),
            scratch: Vec::new(),
            batches: Vec::new(),
        }
    }

    /// Its slices.
    pub(crate) fn slices(&self) -> impl Iterator<Item = &Slice> {
        self.slices.iter().flatten()
    }

    /// One of its slices.
    pub(crate) fn slice(&self, slice: u8) -> Option<&Slice> {
        self.slices.get(usize::from(slice))?.as_ref()
    }

    /// Its slices with their numbers.
    fn numbered(&mut self) -> impl Iterator<Item = (u8, &mut Slice)> {
        (0..SLICES)
            .zip(&mut self.slices)
            .filter_map(|(number, slice)| Some((number, slice.as_mut()?)))
    }

    /// Messages held.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.slices().map(Slice::len).sum()
    }

    /// Bytes of the message tables, capacity included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.slices().map(Slice::bytes).sum()
    }

    /// Decides on rows of a canonical batch and applies them, in order. `watermark_us` is the
    /// committed one: lateness is judged by it. Gives one decision a row.
    ///
    /// # Errors
    /// Where the batch has another shape than the canonical one.
    pub fn decide(
        &mut self,
        batch: &RecordBatch,
        rows: &[u32],
        watermark_us: Option<i64>,
    ) -> Result<Vec<Decision>, TrackError> {
        let columns = Columns::new(batch, &mut self.words)?;
        let number = u32::try_from(self.batches.len()).unwrap_or(u32::MAX);
        let mut decisions = Vec::with_capacity(rows.len());
        for row in rows {
            let at = *row as usize;
            let key = columns.key(at);
            let event = columns.event(at, &mut self.words);
            let Some(slice) = &mut self.slices[usize::from(slice_of(key))] else { continue };
            let mut cx = Context {
                words: &self.words,
                changes: &mut self.changes,
                watermark_us,
                scratch: &mut self.scratch,
            };
            let own_time_us = columns.own_time_us(at);
            decisions.push(match slice.admit(key, event, own_time_us, (number, *row), &mut cx) {
                Admitted::New => Decision::New,
                Admitted::Duplicate => Decision::Duplicate,
                Admitted::Earlier => Decision::Earlier,
                Admitted::Late => Decision::Late,
            });
        }
        self.batches.push(batch.clone());
        Ok(decisions)
    }

    /// Applies the stored rows of one epoch (replay): to each slice that `behind` names, which are
    /// those taken before that epoch. `watermark_us` is the one by which the epoch decided. Late
    /// rows are passed over.
    ///
    /// # Errors
    /// Where the batch has another shape than the `events` table.
    pub fn replay(
        &mut self,
        batch: &RecordBatch,
        behind: impl Fn(u8) -> bool,
        watermark_us: Option<i64>,
    ) -> Result<(), TrackError> {
        let columns = Columns::new(batch, &mut self.words)?;
        let dispositions = snapshot::dispositions(batch)?;
        for (row, disposition) in dispositions.into_iter().enumerate() {
            let key = columns.key(row);
            if disposition == Disposition::Late || !behind(slice_of(key)) {
                continue;
            }
            let event = columns.event(row, &mut self.words);
            let Some(table) = &mut self.slices[usize::from(slice_of(key))] else { continue };
            let mut cx = Context {
                words: &self.words,
                changes: &mut self.changes,
                watermark_us,
                scratch: &mut self.scratch,
            };
            match disposition {
                Disposition::Earlier => table.apply_earlier(key, event, &mut cx),
                _ => table.apply(key, event, &mut cx),
            }
        }
        Ok(())
    }

    /// Counts the stored duplicates of one epoch (replay).
    pub fn replay_duplicates(
        &mut self,
        keys: impl Iterator<Item = Id16>,
        behind: impl Fn(u8) -> bool,
    ) {
        for key in keys.filter(|key| behind(slice_of(*key))) {
            if let Some(table) = &mut self.slices[usize::from(slice_of(key))] {
                table.apply_duplicate(key);
            }
        }
    }

    /// Ends the replay of one epoch: the horizon by that epoch's watermark. What it would emit was
    /// committed before and is dropped.
    pub fn replay_close(&mut self, behind: impl Fn(u8) -> bool, watermark_us: Option<i64>) {
        let numbered = (0..SLICES).zip(&mut self.slices);
        for (slice, table) in numbered {
            let Some(table) = table.as_mut().filter(|_| behind(slice)) else { continue };
            let mut cx = Context {
                words: &self.words,
                changes: &mut self.changes,
                watermark_us,
                scratch: &mut self.scratch,
            };
            table.close_horizon(&mut cx);
            table.clear_changed();
        }
        self.changes = Changes::default();
    }

    /// Closes an epoch: the horizon by this watermark, then everything that changed.
    ///
    /// # Errors
    /// Where a batch cannot be built: a mistake in this crate.
    pub fn close_epoch(
        &mut self,
        epoch: u64,
        watermark_us: Option<i64>,
        committed_at_us: i64,
    ) -> Result<EpochOutput, TrackError> {
        for slice in self.slices.iter_mut().flatten() {
            let mut cx = Context {
                words: &self.words,
                changes: &mut self.changes,
                watermark_us,
                scratch: &mut self.scratch,
            };
            slice.close_horizon(&mut cx);
        }
        let stamp = snapshot::Stamp { epoch, committed_at_us };
        let (messages, charges) = snapshot::changed_rows(self, &self.batches, stamp)?;
        for slice in self.slices.iter_mut().flatten() {
            slice.clear_changed();
        }
        self.batches.clear();
        Ok(EpochOutput {
            slo_panes: self.changes.take_slo(&self.words)?,
            cost_panes: self.changes.take_cost(&self.words)?,
            messages,
            charges,
        })
    }

    /// The slices of this tracker that changed since they were last asked for here.
    pub fn take_touched(&mut self) -> Vec<u8> {
        let touched =
            |(slice, table): (u8, &mut Slice)| std::mem::take(&mut table.touched).then_some(slice);
        self.numbered().filter_map(touched).collect()
    }

    /// One slice as rows, after dropping what is older than 35 days.
    ///
    /// # Errors
    /// Where a batch cannot be built: a mistake in this crate.
    pub fn snapshot(
        &mut self,
        slice: u8,
        watermark_us: Option<i64>,
    ) -> Result<RecordBatch, TrackError> {
        if let (Some(table), Some(mark)) = (&mut self.slices[usize::from(slice)], watermark_us) {
            table.expire(mark);
        }
        snapshot::write(self, slice)
    }

    /// Puts a slice back.
    ///
    /// # Errors
    /// Where the batch is no snapshot of this format.
    pub fn restore(&mut self, slice: u8, batches: &[RecordBatch]) -> Result<(), TrackError> {
        let mut table = Slice::default();
        for batch in batches {
            snapshot::read(batch, &mut table, &mut self.words)?;
        }
        table.index(&self.words);
        self.slices[usize::from(slice)] = Some(table);
        Ok(())
    }
}
