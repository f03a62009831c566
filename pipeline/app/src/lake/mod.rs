//! The lake: whole epochs rolled into sorted Parquet files, compacted, and published after their
//! manifest.
//!
//! ```text
//! job epochs 41..=97 ─┐ roll: soon           compact: publish_after behind    publish
//!                     ├─► rolled files ────► merged by table and date ──────► public/ (hard links)
//! aggregate 12..=60 ──┘   one manifest       one manifest                     repeated until done
//! ```
//! Invariants: the files of one manifest and the segments of the epochs after it hold each row
//! once; a file under `public/` is one that a manifest calls compacted, and stays until retention
//! drops it; what becomes public follows from the manifest alone.

mod names;

mod roll;

mod compact;

mod publish;

mod retain;

mod collect;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use commit::{Chain, DataDir, digest_file, free_bytes};
use fail::fail_point;
use model::clock::Clock;
use model::manifest::{FileRef, Manifest};
use model::time::MINUTE_US;
use sink::Written;

use self::collect::Passed;
pub(crate) use self::names::{public_epoch, public_path};
pub(crate) use self::publish::is_announced_only;
pub(crate) use self::retain::{Dropped, Retention};
use self::roll::Waiting;
use crate::disk::{tell_once, wait_for_space};
use crate::failure::Outcome;
use crate::proof::grace_us;
use crate::tables::{AGGREGATE, CLICKHOUSE, JOB, LAKE, reader};

/// When files are made, and how long they are kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// Files become public so far behind the watermark.
    pub(crate) publish_after_us: i64,
    /// How long tables are kept.
    pub(crate) retention: Retention,
    /// A loader follows: what it has not taken stays.
    pub(crate) loads: bool,
    /// On a store, copies here make way before the disk has less than twice this.
    pub(crate) min_free_bytes: u64,
}

/// The lake's reader.
#[derive(Debug)]
pub(crate) struct Lake {
    dir: DataDir,
    chain: Chain,
    job: Chain,
    aggregate: Chain,
    loader: Option<Chain>,
    rules: Rules,
    waiting: BTreeMap<&'static str, Vec<Waiting>>,
    collected_us: i64,
    /// When the store was last looked through for what nobody names.
    listed_us: i64,
    /// What was passed, and when this was noted; a restart begins anew, so an hour is an hour.
    passed: VecDeque<(i64, Passed)>,
    /// Files that no manifest names any more, and since when; queries may still read them.
    replaced: VecDeque<(i64, String)>,
    stop: Arc<AtomicBool>,
}

impl Lake {
    /// Opens the chain as its owner and finishes what a crash interrupted.
    pub(crate) fn open(
        dir: &DataDir,
        owner: &str,
        rules: Rules,
        stop: Arc<AtomicBool>,
        clock: &dyn Clock,
    ) -> Outcome<Self> {
        let mut chain = Chain::open(dir, LAKE, owner)?;
        crate::job::recover::takeover(&mut chain, "", clock.now_us())?;
        let mut lake = Self {
            dir: dir.clone(),
            chain,
            job: reader(dir, JOB)?,
            aggregate: reader(dir, AGGREGATE)?,
            loader: rules.loads.then(|| reader(dir, CLICKHOUSE)).transpose()?,
            rules,
            waiting: BTreeMap::new(),
            collected_us: clock.steady_us(),
            listed_us: clock.steady_us(),
            passed: VecDeque::new(),
            replaced: VecDeque::new(),
            stop,
        };
        lake.publish()?;
        Ok(lake)
    }

    /// Number of the newest lake epoch.
    pub(crate) fn epoch(&self) -> u64 {
        self.chain.epoch()
    }

    fn head(&self) -> Manifest {
        self.chain.head().cloned().unwrap_or_default()
    }

    /// The files in force.
    fn files(&self) -> &[FileRef] {
        self.chain.head().map_or(&[], |head| &head.files)
    }

    fn watermark_us(&self) -> Option<i64> {
        self.job.head().and_then(|head| head.watermark_us)
    }

    /// Rolls, drops, compacts and publishes what is due; with `drain` everything. Returns whether
    /// anything changed.
    pub(crate) fn step(&mut self, drain: bool, clock: &dyn Clock) -> Outcome<bool> {
        let before = self.epoch();
        let stop = Arc::clone(&self.stop);
        self.job.refresh()?;
        self.aggregate.refresh()?;
        self.look()?;
        while let Some(to) = self.due_roll(drain) {
            wait_for_space(&stop, tell_once("files"), || self.roll(to, clock))?;
            self.look()?;
        }
        // Before compaction: what is dropped is not worth merging, and must not become public.
        let drops = self.due_drops();
        if !drops.is_empty() {
            wait_for_space(&stop, tell_once("files"), || self.drop_files(&drops, clock))?;
            self.publish()?;
        }
        loop {
            let groups = self.due_groups(drain);
            if groups.is_empty() {
                break;
            }
            wait_for_space(&stop, tell_once("files"), || self.compact(&groups, clock))?;
            wait_for_space(&stop, tell_once("files"), || self.publish())?;
        }
        self.make_way()?;
        if clock.steady_us() - self.collected_us >= grace_us().min(MINUTE_US) {
            self.collected_us = clock.steady_us();
            self.collect(clock)?;
        }
        Ok(self.epoch() > before)
    }

    /// Drops copies of what the store has, before the disk limit would pause reading.
    fn make_way(&self) -> Outcome<()> {
        if self.dir.remote().is_none() {
            return Ok(());
        }
        let wanted = self.rules.min_free_bytes.saturating_mul(2);
        let lacking = wanted.saturating_sub(free_bytes(self.dir.root())?);
        if lacking > 0 {
            let dropped = self.dir.drop_copies(self.files(), lacking)?;
            tracing::debug!(lacking, dropped, "copies of stored files made way");
        }
        Ok(())
    }

    /// Creates the next manifest, with what `next` says.
    fn commit(&mut self, mut next: Manifest, attempt: String, clock: &dyn Clock) -> Outcome<()> {
        let at_us = clock.steady_us();
        let paths = |files: &[FileRef]| -> BTreeSet<String> {
            files.iter().map(|file| file.path.clone()).collect()
        };
        let (before, after) = (paths(self.files()), paths(&next.files));
        roll::forget_spans(&mut next);
        self.note_published(&mut next);
        next.watermark_us = self.watermark_us();
        next.committed_at_us = clock.now_us();
        next.attempt = attempt;
        next.released = false;
        let place = self.chain.path(self.epoch() + 1);
        if let Err(error) = self.chain.create(next) {
            // Where only the answer of a create failed, its manifest needs the files.
            if !place.exists() {
                self.discard(after.difference(&before));
            }
            return Err(error.into());
        }
        fail_point!("lake::committed");
        self.replaced.extend(before.difference(&after).map(|path| (at_us, path.clone())));
        Ok(())
    }

    /// A file that was written and fsynced, as manifests name it.
    fn file_ref(&self, table: &str, path: String, written: Written) -> Outcome<FileRef> {
        let sha256 = digest_file(&self.dir.root().join(&path))?;
        let (rows, bytes) = (written.rows, written.bytes);
        Ok(FileRef { table: table.to_owned(), path, rows, bytes, sha256 })
    }

    /// Removes what an attempt wrote: nothing names it, and the disk may need the space for
    /// another try.
    fn discard<'a>(&self, paths: impl IntoIterator<Item = &'a String>) {
        for path in paths {
            drop(std::fs::remove_file(self.dir.root().join(path)));
        }
    }

    /// Leaves in good order.
    pub(crate) fn release(&mut self, clock: &dyn Clock) -> Outcome<()> {
        let mut manifest = self.head();
        self.note_published(&mut manifest);
        manifest.committed_at_us = clock.now_us();
        manifest.attempt = String::new();
        manifest.segments.clear();
        manifest.released = true;
        Ok(self.chain.create(manifest)?)
    }
}

#[cfg(test)]
mod tests;
