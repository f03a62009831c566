//! Collection: segments, slices, replaced files and manifests that nobody needs any more.
//!
//! ```text
//! noted an hour ago: job 41, aggregate 12, lake 7  ─► everything before these, and what only
//!                                                      they name, goes now
//! ```
//! Invariants: nothing that a head, a reader or a state needs is touched; what a query may have
//! begun to read within the hour stays.

use std::collections::BTreeSet;

use commit::{Chain, Old, collect_asides, collect_orphans, collect_passed, collect_stored_orphans};
use model::clock::Clock;

use super::Lake;
use crate::failure::Outcome;
use crate::job::state::State;
use crate::proof::{grace_us, orphan_us};
use crate::tables::{AGGREGATE, JOB, segments};

/// Where files lie that only manifests make real.
const PLACES: [&str; 5] =
    ["segments/job", "state/job", "segments/aggregate", "state/aggregate", "lake"];

/// The oldest manifest of each chain that is still needed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed {
    job: u64,
    aggregate: u64,
    lake: u64,
    loader: u64,
}

impl Lake {
    /// Deletes what every reader and every state had passed an hour ago.
    pub(super) fn collect(&mut self, clock: &dyn Clock) -> Outcome<()> {
        let now_us = clock.steady_us();
        // Who slept through a takeover does not know what is needed by now.
        self.chain.check_owned()?;
        if let Some(loader) = &mut self.loader {
            loader.refresh()?;
        }
        self.passed.push_back((now_us, self.passed_now()?));
        // Passed segments and replaced files stay for queries that still read them.
        let grace_us = grace_us();
        let old = |entry: &(i64, Passed)| entry.0 + grace_us <= now_us;
        // The newest of those that are old enough; it stays for the next time.
        while self.passed.get(1).is_some_and(old) {
            self.passed.pop_front();
        }
        let Some((_, passed)) = self.passed.front().copied().filter(|entry| old(entry)) else {
            return Ok(());
        };
        let mut kept = BTreeSet::new();
        for (chain, from) in [(&self.job, passed.job), (&self.aggregate, passed.aggregate)] {
            // Nothing is passed (0) while a reader has not begun; epochs are numbered from 1.
            for files in segments(chain, from.max(1), chain.epoch())?.into_values() {
                kept.extend(files.into_iter().map(|file| file.path));
            }
            let state = chain.head().map(|head| head.state.clone()).unwrap_or_default();
            kept.extend(state.into_iter().map(|slice| slice.file.path));
        }
        kept.extend(self.files().iter().map(|file| file.path.clone()));
        // Replaced since the restart; what was replaced before it was so for an hour by now.
        while self.replaced.front().is_some_and(|(at_us, _)| at_us + grace_us <= now_us) {
            self.replaced.pop_front();
        }
        kept.extend(self.replaced.iter().map(|(_, path)| path.clone()));
        if let Some(head) = self.loader.as_ref().and_then(Chain::head) {
            kept.extend(head.files.iter().map(|file| file.path.clone()));
        }
        let old = Old { now_us: clock.now_us(), age_us: orphan_us() };
        let mut deleted = collect_orphans(&self.dir, &PLACES, &kept, old)?;
        deleted += collect_asides(&self.dir, old)?;
        // A list of all objects costs more than one of a directory: a day is exact enough by hours.
        if self.dir.remote().is_some() && now_us - self.listed_us >= orphan_us() / 24 {
            self.listed_us = now_us;
            deleted += collect_stored_orphans(&self.dir, &PLACES, &kept, old)?;
        }
        deleted += collect_passed(&self.dir, &self.job, passed.job, &kept)?;
        deleted += collect_passed(&self.dir, &self.aggregate, passed.aggregate, &kept)?;
        deleted += collect_passed(&self.dir, &self.chain, passed.lake, &kept)?;
        if let Some(loader) = &self.loader {
            deleted += collect_passed(&self.dir, loader, passed.loader, &kept)?;
        }
        if deleted > 0 {
            tracing::debug!(n_files = deleted, "passed files were collected");
        }
        Ok(())
    }

    /// The oldest manifest of each chain that somebody needs as of now.
    fn passed_now(&self) -> Outcome<Passed> {
        let lake = self.head();
        let job = self.job.head().cloned().unwrap_or_default();
        let aggregate = self.aggregate.head().cloned().unwrap_or_default();
        let taken = |name: &str| lake.consumed.get(name).copied().unwrap_or(0);
        // State is as of an epoch of the job: replay starts with the one after, and reads the
        // watermark of that one. The aggregate may not have begun.
        let written = aggregate.state.iter().map(|slice| slice.epoch).min().unwrap_or(0);
        let read = aggregate.consumed.get(JOB).copied().unwrap_or(0);
        let oldest = taken(JOB).min(read).min(State::of(&job)?.replay_from());
        // What the loader has announced and not confirmed is read again.
        let loader = self.loader.as_ref().and_then(Chain::head);
        let loaded = |name: &str| match (&self.loader, loader) {
            (None, _) => u64::MAX,
            (Some(_), None) => 0,
            (Some(_), Some(head)) => head.consumed.get(name).copied().unwrap_or(0),
        };
        Ok(Passed {
            job: oldest.min(written).min(loaded(JOB)),
            aggregate: taken(AGGREGATE).min(aggregate.epoch).min(loaded(AGGREGATE)),
            lake: lake.epoch,
            loader: loader.map_or(0, |head| head.epoch),
        })
    }
}
