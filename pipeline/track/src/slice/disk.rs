//! A slice and its runs: what changed is handed over, what is written may leave memory, and after a
//! restart the runs are opened again.

use std::sync::Arc;

use model::time::{HOUR_US, MINUTE_US};

use super::{Shelf, Slice};
use crate::facet::Interner;
use crate::flush::{Flush, Sorted};
use crate::fold::{Event, RETENTION_US};
use crate::record;
use crate::run::Run;
use crate::tracker::TrackError;
use crate::words::Translation;

/// A run is merged when what is above it has more than its messages divided by this: fewer runs
/// to ask, and each message written again a few times only.
const FANOUT: u64 = 8;
/// With so many runs a slice merges whether it may or not.
const RUNS_MAX: usize = 12;
/// Messages that are past their 35 days leave memory once an hour of watermark.
const EXPIRE_EVERY_US: i64 = HOUR_US;

impl Slice {
    /// Hands over what changed since the last time; none where nothing did, or where what was
    /// handed over before is still on its way. Runs are merged with it where this turn `may_merge`.
    pub(crate) fn flush(
        &mut self,
        (slice, may_merge): (u8, bool),
        watermark_us: Option<i64>,
        words: &Interner,
        events: &mut Vec<Event>,
    ) -> Result<Option<Arc<Flush>>, TrackError> {
        if self.flushing.is_some() {
            return Ok(None);
        }
        let kept_from = watermark_us.map_or(i64::MIN, |mark| mark.saturating_sub(RETENTION_US));
        self.expire(kept_from);
        let mut changed = Sorted::default();
        let mut readable = true;
        self.hot.take_dirty(|body| readable &= changed.push(body, events, words));
        if !readable {
            return Err(TrackError::State { what: "a changed message cannot be read" });
        }
        changed.sort();
        self.touched = false;
        let merge = may_merge || self.runs.len() >= RUNS_MAX;
        let n_merged = if merge { self.due_for_merge(changed.len() as u64, kept_from) } else { 0 };
        if changed.len() == 0 && n_merged == 0 {
            return Ok(None);
        }
        let first = self.runs.len() - n_merged;
        let flush = Arc::new(Flush {
            slice,
            changed,
            merged: self.runs[first..].iter().map(|shelf| Arc::clone(&shelf.run)).collect(),
            kept_from: (first == 0).then_some(kept_from),
            n_tracked: self.n_tracked,
            done: std::sync::OnceLock::new(),
        });
        self.flushing = Some(Arc::clone(&flush));
        Ok(Some(flush))
    }

    /// How many of the newest runs to merge with so many messages. All, where the oldest has only
    /// messages past their 35 days.
    fn due_for_merge(&self, n_changed: u64, kept_from: i64) -> usize {
        if self.runs.first().is_some_and(|oldest| oldest.run.footer.newest_us < kept_from) {
            return self.runs.len();
        }
        let mut above = n_changed;
        let small = |shelf: &&Shelf| {
            let n_messages = shelf.run.footer.n_messages;
            let merge = n_messages < above.saturating_mul(FANOUT);
            above += n_messages;
            merge
        };
        self.runs.iter().rev().take_while(small).count()
    }

    /// Drops messages past their 35 days that the runs have as they are.
    fn expire(&mut self, kept_from: i64) {
        if self.expired_us.is_some_and(|last| kept_from < last.saturating_add(EXPIRE_EVERY_US)) {
            return;
        }
        self.expired_us = Some(kept_from);
        let old = |body: &[u8]| record::head(body).is_some_and(|head| head.cohort_us < kept_from);
        self.hot.retain(|body| record::is_dirty(body) || !old(body));
    }

    /// What was handed over is on disk: the new run takes its place, and where memory is above
    /// `share` bytes the oldest messages leave it. Gives how many did.
    pub(crate) fn settle_flush(
        &mut self,
        words: &mut Interner,
        share: usize,
    ) -> Result<usize, TrackError> {
        let Some(flush) = self.flushing.take_if(|flush| flush.done.get().is_some()) else {
            return Ok(0);
        };
        let Some(written) = flush.done.get() else { return Ok(0) };
        self.runs.truncate(self.runs.len().saturating_sub(flush.replaces()));
        if let Some(run) = &written.run {
            let words = Translation::of_all(&run.words()?, words);
            self.runs.push(Shelf { run: Arc::clone(run), words });
        }
        self.n_tracked = self.n_tracked.saturating_sub(written.n_dropped);
        Ok(self.evict(share))
    }

    fn evict(&mut self, share: usize) -> usize {
        let room = share.saturating_sub(self.shelf_bytes());
        if self.hot.bytes() <= room {
            return 0;
        }
        // An eighth more than needed, so that not every flush has to.
        let surplus = self.hot.bytes() - room / 8 * 7;
        let clean = || self.hot.bodies().filter(|body| !record::is_dirty(body));
        let clean_bytes: usize = clean().map(|body| body.len() + 1).sum();
        let mut cohorts: Vec<i64> =
            clean().filter_map(record::head).map(|head| head.cohort_us).collect();
        if cohorts.is_empty() {
            return 0;
        }
        let n_evicted = (cohorts.len() as u128 * surplus as u128).div_ceil(clean_bytes as u128);
        let n_evicted = usize::try_from(n_evicted).unwrap_or(usize::MAX).clamp(1, cohorts.len());
        let (_, newest, _) = cohorts.select_nth_unstable(n_evicted - 1);
        let newest = *newest;
        let before = self.hot.len();
        let old = |body: &[u8]| record::head(body).is_some_and(|head| head.cohort_us <= newest);
        self.hot.retain(|body| record::is_dirty(body) || !old(body));
        before - self.hot.len()
    }

    /// Puts runs back, oldest first. Messages due before `closed_through_us` were looked at.
    pub(crate) fn restore(
        &mut self,
        runs: Vec<Run>,
        words: &mut Interner,
        closed_through_us: Option<i64>,
    ) -> Result<(), TrackError> {
        self.n_tracked = runs.last().map_or(0, |newest| newest.footer.n_tracked);
        let closed = closed_through_us.map_or(i64::MIN, |mark| mark.div_euclid(MINUTE_US));
        for run in runs {
            for (minute, high) in run.due()?.into_iter().filter(|(minute, _)| *minute >= closed) {
                self.due.entry(minute).or_default().push(high);
            }
            let words = Translation::of_all(&run.words()?, words);
            self.runs.push(Shelf { run: Arc::new(run), words });
        }
        Ok(())
    }
}
