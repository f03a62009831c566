//! The lake: whole epochs rolled into sorted Parquet files, published after their manifest.
//!
//! ```text
//! job epochs 41..=97, aggregate epochs 12..=60 ─► files ─► lake manifest ─► public/ (hard links)
//! ```
//! A roll takes every epoch that is `publish_after` behind the watermark, once that much time has
//! gathered, or at once when rows abound; a drain takes everything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use commit::{
    Chain, DataDir, collect_orphans, collect_passed, digest_file, random_hex, read_segment,
};
use model::clock::Clock;
use model::manifest::{FileRef, Manifest};
use model::schema::{self, Table};
use model::time::{HOUR_US, MINUTE_US, SECOND_US};
use sink::{PublicFile, by_date, publish, sorted, write_parquet};

use crate::disk::{tell_once, wait_for_space};
use crate::failure::Outcome;
use crate::tables::{AGGREGATE, JOB, LAKE, manifest, reader, segments};

/// Rows of one roll: bounds its memory (an event takes about 500 bytes here).
const ROLL_ROWS: u64 = 1_000_000;
/// Passed segments stay for queries that still read them.
const GRACE_US: i64 = HOUR_US;
/// Where files lie that only manifests make real.
const PLACES: [&str; 5] =
    ["segments/job", "state/job", "segments/aggregate", "state/aggregate", "lake"];
/// Key in the lake's values: the newest lake epoch whose files are all public.
const PUBLISHED: &str = "published";

/// The oldest manifest of each chain that is still needed.
#[derive(Debug, Clone, Copy)]
struct Passed {
    job: u64,
    aggregate: u64,
    lake: u64,
}

/// An epoch that no roll has taken yet.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    epoch: u64,
    watermark_us: Option<i64>,
    rows: u64,
}

/// The lake's reader.
#[derive(Debug)]
pub(crate) struct Lake {
    dir: DataDir,
    chain: Chain,
    job: Chain,
    aggregate: Chain,
    publish_after_us: i64,
    waiting: BTreeMap<&'static str, Vec<Waiting>>,
    collected_us: i64,
    /// What was passed, and when this was noted; a restart begins anew, so an hour is an hour.
    passed: VecDeque<(i64, Passed)>,
    stop: Arc<AtomicBool>,
}

impl Lake {
    /// Opens the chain as its owner and finishes what a crash interrupted.
    pub(crate) fn open(
        dir: &DataDir,
        owner: &str,
        publish_after_us: i64,
        stop: Arc<AtomicBool>,
        clock: &dyn Clock,
    ) -> Outcome<Self> {
        let mut chain = Chain::open(dir, LAKE, owner)?;
        crate::job::recover::takeover(&mut chain, "", clock.now_us())?;
        let lake = Self {
            dir: dir.clone(),
            chain,
            job: reader(dir, JOB)?,
            aggregate: reader(dir, AGGREGATE)?,
            publish_after_us,
            waiting: BTreeMap::new(),
            collected_us: clock.now_us(),
            passed: VecDeque::new(),
            stop,
        };
        lake.publish_all()?;
        Ok(lake)
    }

    /// Number of the newest lake epoch.
    pub(crate) fn epoch(&self) -> u64 {
        self.chain.epoch()
    }

    fn head(&self) -> Manifest {
        self.chain.head().cloned().unwrap_or_default()
    }

    /// Rolls what is due; with `drain` everything. Returns whether anything was rolled.
    pub(crate) fn step(&mut self, drain: bool, clock: &dyn Clock) -> Outcome<bool> {
        self.job.refresh()?;
        self.aggregate.refresh()?;
        self.look()?;
        let mark = self.job.head().and_then(|head| head.watermark_us);
        let mut rolled = false;
        while let Some(to) = self.due(mark, drain) {
            let stop = Arc::clone(&self.stop);
            wait_for_space(&stop, tell_once("files"), || self.roll(to, clock))?;
            self.look()?;
            rolled = true;
        }
        if clock.now_us() - self.collected_us >= MINUTE_US {
            self.collected_us = clock.now_us();
            self.collect(clock)?;
        }
        Ok(rolled)
    }

    /// Learns the epochs that were committed since.
    fn look(&mut self) -> Outcome<()> {
        let head = self.head();
        for (name, chain) in [(JOB, &self.job), (AGGREGATE, &self.aggregate)] {
            let waiting = self.waiting.entry(name).or_default();
            let consumed = head.consumed.get(name).copied().unwrap_or(0);
            waiting.retain(|epoch| epoch.epoch > consumed);
            let from = waiting.last().map_or(consumed, |last| last.epoch) + 1;
            for epoch in from..=chain.epoch() {
                let manifest = manifest(chain, epoch)?;
                let rows = manifest.segments.iter().map(|file| file.rows).sum();
                waiting.push(Waiting { epoch, watermark_us: manifest.watermark_us, rows });
            }
        }
        Ok(())
    }

    /// Up to which epochs of both chains to roll now, if at all.
    fn due(&self, mark: Option<i64>, drain: bool) -> Option<(u64, u64)> {
        let limit = mark.map(|mark| mark.saturating_sub(self.publish_after_us));
        // An epoch from before the first watermark is older than any.
        let old = |epoch: &Waiting| {
            drain || limit.is_some_and(|limit| epoch.watermark_us.is_none_or(|at| at <= limit))
        };
        let mut rows = 0;
        let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
        let mut oldest_us = None;
        for (name, waiting) in &self.waiting {
            for epoch in waiting.iter().take_while(|epoch| old(epoch)) {
                if rows >= ROLL_ROWS {
                    break;
                }
                rows += epoch.rows;
                oldest_us = oldest_us.or(epoch.watermark_us);
                newest.insert(name, epoch.epoch);
            }
        }
        let gathered = limit
            .zip(oldest_us)
            .is_some_and(|(limit, oldest)| limit - oldest >= self.publish_after_us.max(SECOND_US));
        let due = rows > 0 && (drain || gathered || rows >= ROLL_ROWS);
        let head = self.head();
        let up_to = |name: &str| {
            let consumed = head.consumed.get(name).copied().unwrap_or(0);
            newest.get(name).copied().unwrap_or(consumed)
        };
        due.then(|| (up_to(JOB), up_to(AGGREGATE)))
    }

    fn roll(&mut self, (job, aggregate): (u64, u64), clock: &dyn Clock) -> Outcome<()> {
        let mut manifest = self.head();
        let epoch = self.epoch() + 1;
        let attempt = random_hex()?;
        for (name, to) in [(JOB, job), (AGGREGATE, aggregate)] {
            let chain = if name == JOB { &self.job } else { &self.aggregate };
            let from = manifest.consumed.get(name).copied().unwrap_or(0) + 1;
            let mut files = segments(chain, from, to)?;
            for table in schema::tables() {
                let segments = files.remove(&table.name).unwrap_or_default();
                let written = self.write(table, &segments, &format!("{epoch:020}-{attempt}"));
                if written.is_err() {
                    // Nothing names them, and the disk may need their space for another try.
                    self.discard(&manifest.files, &attempt);
                }
                manifest.files.extend(written?);
            }
            manifest.consumed.insert(name.to_owned(), to);
        }
        // What the head announced is public by now: say so in the manifest after it.
        manifest.values.insert(PUBLISHED.to_owned(), self.epoch().to_string());
        manifest.watermark_us = self.job.head().and_then(|head| head.watermark_us);
        manifest.committed_at_us = clock.now_us();
        manifest.attempt = attempt;
        manifest.released = false;
        self.chain.create(manifest)?;
        self.publish_all()
    }

    fn discard(&self, files: &[FileRef], attempt: &str) {
        for file in files.iter().filter(|file| file.path.contains(attempt)) {
            drop(std::fs::remove_file(self.dir.root().join(&file.path)));
        }
    }

    fn write(&self, table: &Table, segments: &[FileRef], stem: &str) -> Outcome<Vec<FileRef>> {
        let mut batches = Vec::new();
        for segment in segments {
            batches.extend(read_segment(&self.dir, segment)?);
        }
        let mut files = Vec::new();
        for (date, batches) in by_date(table, &batches)? {
            let place = format!("lake/{}/{date}", table.name);
            let path = format!("{place}/{stem}.parquet");
            let full = self.dir.place(&place)?.join(format!("{stem}.parquet"));
            let facts = [("sendtally.lake_epoch", stem[..20].to_owned())];
            let written = write_parquet(&full, table, &sorted(table, &batches)?, &facts);
            if written.is_err() {
                drop(std::fs::remove_file(&full));
                self.discard(&files, stem);
            }
            let written = written?;
            commit::stage_file(&self.dir, &place)?;
            let sha256 = digest_file(&full)?;
            let (rows, bytes) = (written.rows, written.bytes);
            files.push(FileRef { table: table.name.clone(), path, rows, bytes, sha256 });
        }
        Ok(files)
    }

    /// Links the files of the head that may not be public yet. Links that are there stay.
    fn publish_all(&self) -> Outcome<()> {
        let head = self.head();
        let done = head.values.get(PUBLISHED).and_then(|text| text.parse::<u64>().ok());
        let public = self.dir.root().join("public");
        for file in &head.files {
            let Some(target) = public_file(file) else { continue };
            let epoch = target.name.get(..20).and_then(|number| number.parse::<u64>().ok());
            if epoch.is_some() && epoch <= done {
                continue;
            }
            publish(&self.dir.root().join(&file.path), &public, &target)?;
        }
        Ok(())
    }

    /// Deletes what every reader and every state had passed an hour ago.
    fn collect(&mut self, clock: &dyn Clock) -> Outcome<()> {
        let now_us = clock.now_us();
        self.passed.push_back((now_us, self.passed_now()));
        let old = |entry: &(i64, Passed)| entry.0 + GRACE_US <= now_us;
        // The newest of those that are old enough; it stays for the next time.
        while self.passed.get(1).is_some_and(old) {
            self.passed.pop_front();
        }
        let Some((_, passed)) = self.passed.front().copied().filter(|entry| old(entry)) else {
            return Ok(());
        };
        let mut kept = BTreeSet::new();
        for (chain, from) in [(&self.job, passed.job), (&self.aggregate, passed.aggregate)] {
            for files in segments(chain, from, chain.epoch())?.into_values() {
                kept.extend(files.into_iter().map(|file| file.path));
            }
            let state = chain.head().map(|head| head.state.clone()).unwrap_or_default();
            kept.extend(state.into_iter().map(|slice| slice.file.path));
        }
        kept.extend(self.head().files.into_iter().map(|file| file.path));
        let mut deleted = collect_orphans(&self.dir, &PLACES, &kept, now_us)?;
        deleted += collect_passed(&self.dir, &self.job, passed.job, &kept)?;
        deleted += collect_passed(&self.dir, &self.aggregate, passed.aggregate, &kept)?;
        deleted += collect_passed(&self.dir, &self.chain, passed.lake, &kept)?;
        if deleted > 0 {
            tracing::debug!(n_files = deleted, "passed files were collected");
        }
        Ok(())
    }

    /// The oldest manifest of each chain that somebody needs as of now.
    fn passed_now(&self) -> Passed {
        let lake = self.head();
        let job = self.job.head().cloned().unwrap_or_default();
        let aggregate = self.aggregate.head().cloned().unwrap_or_default();
        let taken = |name: &str| lake.consumed.get(name).copied().unwrap_or(0);
        // State is as of an epoch of the job: replay starts with the one after, and reads the
        // watermark of that one. The aggregate may not have begun.
        let state = |manifest: &Manifest| manifest.state.iter().map(|slice| slice.epoch).min();
        let read = aggregate.consumed.get(JOB).copied().unwrap_or(0);
        let oldest = taken(JOB).min(read).min(state(&job).unwrap_or(0));
        Passed {
            job: oldest.min(state(&aggregate).unwrap_or(0)),
            aggregate: taken(AGGREGATE).min(aggregate.epoch),
            lake: lake.epoch,
        }
    }

    /// Leaves in good order.
    pub(crate) fn release(&mut self, clock: &dyn Clock) -> Outcome<()> {
        let mut manifest = self.head();
        manifest.values.insert(PUBLISHED.to_owned(), self.epoch().to_string());
        manifest.committed_at_us = clock.now_us();
        manifest.attempt = String::new();
        manifest.segments.clear();
        manifest.released = true;
        Ok(self.chain.create(manifest)?)
    }
}

/// Under which name a file of the lake is public: `lake/<table>/<date>/<epoch>-<attempt>.parquet`
/// becomes `public/<table>/date=<date>/<epoch>.parquet`.
fn public_file(file: &FileRef) -> Option<PublicFile> {
    let mut parts = file.path.rsplit('/');
    let (name, date) = (parts.next()?, parts.next()?);
    let name = format!("{}.parquet", name.get(..20)?);
    Some(PublicFile { table: file.table.clone(), date: date.to_owned(), name })
}

/// Path of a published file below the data directory.
pub(crate) fn public_path(file: &FileRef) -> Option<String> {
    let public = public_file(file)?;
    Some(format!("public/{}/date={}/{}", public.table, public.date, public.name))
}
