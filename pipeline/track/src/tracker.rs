//! A tracker: some of the slices, owned by one thread, fed in batches and closed at barriers.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use model::keys::Id16;
use model::vocabulary::Disposition;

use crate::columns::Columns;
use crate::deltas::{Changes, EpochOutput};
use crate::facet::Interner;
use crate::flush::Flush;
use crate::fold::Event;
use crate::lines::Lines;
use crate::rows;
use crate::run::Run;
use crate::slice::{Admitted, Context, Slice};

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

impl From<Admitted> for Decision {
    fn from(admitted: Admitted) -> Self {
        match admitted {
            Admitted::New => Self::New,
            Admitted::Duplicate => Self::Duplicate,
            Admitted::Earlier => Self::Earlier,
            Admitted::Late => Self::Late,
        }
    }
}

/// How much trackers hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Messages tracked, in memory or on disk.
    pub n_messages: u64,
    /// Messages in memory.
    pub n_hot: u64,
    /// Bytes of the tables in memory, capacity included.
    pub n_bytes: u64,
    /// Messages that left memory for the disk since the start.
    pub n_evicted: u64,
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
    /// State in memory is not what it was: a mistake in this crate, or broken memory.
    #[error("cannot track: {what}; start again, nothing that was committed is lost")]
    State {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A file of the state cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A file of the state is not what was written.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
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
    /// Lines of bills of this epoch.
    lines: Vec<RecordBatch>,
    /// Bytes that a slice may take in memory.
    share: usize,
    n_evicted: u64,
    /// What is applied counts by the rule before format 4.
    old_costs: bool,
}

impl Tracker {
    /// A tracker of these slices, empty. All slices of all trackers together may take
    /// `memory_bytes`, beside what changed and is not on disk yet.
    #[must_use]
    pub fn new(slices: impl IntoIterator<Item = u8>, memory_bytes: usize) -> Self {
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
            lines: Vec::new(),
            share: memory_bytes / usize::from(SLICES),
            n_evicted: 0,
            old_costs: false,
        }
    }

    /// Whether what is applied from here on counts by the rule of costs before format 4: in the
    /// replay of an epoch that was committed by it. Such a message is taken out of its windows by
    /// that rule, and put in by today's, when an event or a line revises it.
    pub const fn count_old_costs(&mut self, old_costs: bool) {
        self.old_costs = old_costs;
    }

    /// Its slices.
    pub(crate) fn slices(&self) -> impl Iterator<Item = &Slice> {
        self.slices.iter().flatten()
    }

    /// How much it holds.
    #[must_use]
    pub fn size(&self) -> Size {
        Size {
            n_messages: self.slices().map(Slice::len).sum(),
            n_hot: self.slices().map(|slice| slice.n_hot() as u64).sum(),
            n_bytes: self.slices().map(|slice| slice.bytes() as u64).sum(),
            n_evicted: self.n_evicted,
        }
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
                old_costs: self.old_costs,
            };
            let own_time_us = columns.own_time_us(at);
            let row = (number, *row);
            let admitted = slice.admit(key, event, own_time_us, row, &mut cx)?;
            decisions.push(Decision::from(admitted));
        }
        self.batches.push(batch.clone());
        Ok(decisions)
    }

    /// Decides on lines of bills, as [`Self::decide`] does on events. `epoch` is the one that is
    /// open.
    ///
    /// # Errors
    /// Where the batch has another shape than the canonical one.
    pub fn decide_lines(
        &mut self,
        batch: &RecordBatch,
        rows: &[u32],
        (epoch, watermark_us): (u64, Option<i64>),
    ) -> Result<Vec<Decision>, TrackError> {
        let lines = Lines::new(batch, &mut self.words)?;
        let number = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        let mut decisions = Vec::with_capacity(rows.len());
        for row in rows {
            let at = *row as usize;
            let key = lines.key(at);
            let event = lines.event(at, epoch, &mut self.words);
            let own_time_us = lines.own_time_us(at);
            let Some(slice) = &mut self.slices[usize::from(slice_of(key))] else { continue };
            let mut cx = Context {
                words: &self.words,
                changes: &mut self.changes,
                watermark_us,
                scratch: &mut self.scratch,
                old_costs: self.old_costs,
            };
            let admitted = slice.admit(key, event, own_time_us, (number, *row), &mut cx)?;
            decisions.push(Decision::from(admitted));
        }
        self.lines.push(batch.clone());
        Ok(decisions)
    }

    /// Applies the stored lines of one epoch (replay), as [`Self::replay`] does events.
    ///
    /// # Errors
    /// Where the batch has another shape than the `charge_lines` table.
    pub fn replay_lines(
        &mut self,
        batch: &RecordBatch,
        behind: impl Fn(u8) -> bool,
        (epoch, watermark_us): (u64, Option<i64>),
    ) -> Result<(), TrackError> {
        let lines = Lines::new(batch, &mut self.words)?;
        let dispositions = rows::dispositions(batch)?;
        for (row, disposition) in dispositions.into_iter().enumerate() {
            let key = lines.key(row);
            if disposition == Disposition::Late || !behind(slice_of(key)) {
                continue;
            }
            let event = lines.event(row, epoch, &mut self.words);
            let Some(table) = &mut self.slices[usize::from(slice_of(key))] else { continue };
            let mut cx = Context {
                words: &self.words,
                changes: &mut self.changes,
                watermark_us,
                scratch: &mut self.scratch,
                old_costs: self.old_costs,
            };
            match disposition {
                Disposition::Earlier => table.apply_earlier(key, event, &mut cx)?,
                _ => table.apply(key, event, &mut cx)?,
            }
        }
        Ok(())
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
        let dispositions = rows::dispositions(batch)?;
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
                old_costs: self.old_costs,
            };
            match disposition {
                Disposition::Earlier => table.apply_earlier(key, event, &mut cx)?,
                _ => table.apply(key, event, &mut cx)?,
            }
        }
        Ok(())
    }

    /// Counts the stored duplicates of one epoch (replay).
    ///
    /// # Errors
    /// Where a file of the state cannot be read.
    pub fn replay_duplicates(
        &mut self,
        keys: impl Iterator<Item = Id16>,
        behind: impl Fn(u8) -> bool,
    ) -> Result<(), TrackError> {
        for key in keys.filter(|key| behind(slice_of(*key))) {
            if let Some(table) = &mut self.slices[usize::from(slice_of(key))] {
                table.apply_duplicate(key, &mut self.scratch)?;
            }
        }
        Ok(())
    }

    /// Ends the replay of one epoch: the horizon by that epoch's watermark. What it would emit was
    /// committed before and is dropped.
    ///
    /// # Errors
    /// Where a file of the state cannot be read.
    pub fn replay_close(
        &mut self,
        behind: impl Fn(u8) -> bool,
        watermark_us: Option<i64>,
    ) -> Result<(), TrackError> {
        let numbered = (0..SLICES).zip(&mut self.slices);
        for (slice, table) in numbered {
            let Some(table) = table.as_mut().filter(|_| behind(slice)) else { continue };
            let mut cx = Context {
                words: &self.words,
                changes: &mut self.changes,
                watermark_us,
                scratch: &mut self.scratch,
                old_costs: self.old_costs,
            };
            table.close_horizon(&mut cx)?;
            table.clear_changed();
        }
        self.changes = Changes::default();
        Ok(())
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
                old_costs: self.old_costs,
            };
            slice.close_horizon(&mut cx)?;
        }
        let stamp = rows::Stamp { epoch, committed_at_us };
        let (messages, charges) = rows::changed_rows(self, (&self.batches, &self.lines), stamp)?;
        for slice in self.slices.iter_mut().flatten() {
            slice.clear_changed();
            self.n_evicted += slice.settle_flush(&mut self.words, self.share)? as u64;
        }
        self.batches.clear();
        self.lines.clear();
        Ok(EpochOutput {
            slo_panes: self.changes.take_slo(&self.words)?,
            cost_panes: self.changes.take_cost(&self.words)?,
            messages,
            charges,
        })
    }

    /// The slices of this tracker that differ from what was handed over of them.
    pub fn touched(&self) -> impl Iterator<Item = u8> + '_ {
        let slices = (0..SLICES).zip(&self.slices);
        slices.filter_map(|(slice, table)| table.as_ref()?.touched.then_some(slice))
    }

    /// Hands over what changed in a slice, as of the epoch that was closed last. None where nothing
    /// did, or where what was handed over before is not written yet. Where it `may_merge`, runs
    /// that have become too many are merged with it; else they wait for another turn.
    ///
    /// # Errors
    /// Where the state in memory cannot be read.
    pub fn flush(
        &mut self,
        slice: u8,
        may_merge: bool,
        watermark_us: Option<i64>,
    ) -> Result<Option<Arc<Flush>>, TrackError> {
        let Some(table) = &mut self.slices[usize::from(slice)] else { return Ok(None) };
        table.flush((slice, may_merge), watermark_us, &self.words, &mut self.scratch)
    }

    /// Puts a slice back from its runs, oldest first. Messages that were due before
    /// `closed_through_us`, a watermark by which the state was closed, are done with.
    ///
    /// # Errors
    /// Where a run cannot be read or is damaged.
    pub fn restore(
        &mut self,
        slice: u8,
        runs: Vec<(File, PathBuf)>,
        closed_through_us: Option<i64>,
    ) -> Result<(), TrackError> {
        let opened = runs.into_iter().map(|(file, path)| Run::open(file, &path));
        let runs: Vec<Run> = opened.collect::<Result<_, _>>()?;
        let mut table = Slice::default();
        table.restore(runs, &mut self.words, closed_through_us)?;
        self.slices[usize::from(slice)] = Some(table);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
