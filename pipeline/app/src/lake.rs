//! The lake: whole epochs rolled into sorted Parquet files, published after their manifest.
//!
//! ```text
//! job epochs 41..=97, aggregate epochs 12..=60 ─► files ─► lake manifest ─► public/ (hard links)
//! ```
//! A roll takes every epoch that is `publish_after` behind the watermark, once that much time has
//! gathered, or at once when rows abound; a drain takes everything.

use std::collections::BTreeMap;

use commit::{Chain, DataDir, Kept, collect, digest_file, random_hex, read_segment};
use model::clock::Clock;
use model::manifest::{FileRef, Manifest};
use model::schema::{self, Table};
use model::time::{HOUR_US, MINUTE_US, SECOND_US};
use sink::{PublicFile, by_date, publish, sorted, write_parquet};

use crate::failure::Outcome;
use crate::tables::{AGGREGATE, JOB, LAKE, reader, segments};

/// Rows of one roll: bounds its memory (an event takes about 500 bytes here).
const ROLL_ROWS: u64 = 1_000_000;
/// Passed segments stay for queries that still read them.
const GRACE_US: i64 = HOUR_US;
/// Key in the lake's values: the newest lake epoch whose files are all public.
const PUBLISHED: &str = "published";

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
}

impl Lake {
    /// Opens the chain as its owner and finishes what a crash interrupted.
    pub(crate) fn open(
        dir: &DataDir,
        owner: &str,
        publish_after_us: i64,
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
        while let Some((job, aggregate)) = self.due(mark, drain) {
            self.roll(job, aggregate, clock)?;
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
                let manifest = chain.read(epoch)?.unwrap_or_default();
                let rows = manifest.segments.iter().map(|file| file.rows).sum();
                waiting.push(Waiting { epoch, watermark_us: manifest.watermark_us, rows });
            }
        }
        Ok(())
    }

    /// Up to which epochs of both chains to roll now, if at all.
    fn due(&self, mark: Option<i64>, drain: bool) -> Option<(u64, u64)> {
        let limit = mark.map(|mark| mark.saturating_sub(self.publish_after_us));
        let old = |epoch: &Waiting| drain || epoch.watermark_us.is_some_and(|at| Some(at) <= limit);
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

    fn roll(&mut self, job: u64, aggregate: u64, clock: &dyn Clock) -> Outcome<()> {
        let mut manifest = self.head();
        let epoch = self.epoch() + 1;
        let attempt = random_hex()?;
        for (name, chain, to) in [(JOB, &self.job, job), (AGGREGATE, &self.aggregate, aggregate)] {
            let from = manifest.consumed.get(name).copied().unwrap_or(0) + 1;
            let mut files = segments(chain, from, to)?;
            for table in schema::tables() {
                let segments = files.remove(&table.name).unwrap_or_default();
                manifest.files.extend(self.write(table, &segments, epoch, &attempt)?);
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

    fn write(
        &self,
        table: &Table,
        segments: &[FileRef],
        epoch: u64,
        attempt: &str,
    ) -> Outcome<Vec<FileRef>> {
        let mut batches = Vec::new();
        for segment in segments {
            batches.extend(read_segment(&self.dir, segment)?);
        }
        let mut files = Vec::new();
        for (date, batches) in by_date(table, &batches)? {
            let place = format!("lake/{}/{date}", table.name);
            let path = format!("{place}/{epoch:020}-{attempt}.parquet");
            let full = self.dir.place(&place)?.join(format!("{epoch:020}-{attempt}.parquet"));
            let facts = [("sendtally.lake_epoch", epoch.to_string())];
            let written = write_parquet(&full, table, &sorted(table, &batches)?, &facts)?;
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

    /// Deletes what every reader and every state has passed an hour ago.
    fn collect(&self, clock: &dyn Clock) -> Outcome<()> {
        let lake = self.head();
        let job = self.job.head().cloned().unwrap_or_default();
        let aggregate = self.aggregate.head().cloned().unwrap_or_default();
        let passed = |name: &str| lake.consumed.get(name).copied().unwrap_or(0) + 1;
        let oldest = |manifest: &Manifest| {
            manifest.state.iter().map(|slice| slice.epoch + 1).min().unwrap_or(1)
        };
        // State of the aggregate is as of an epoch of the job: replay starts there.
        let job_from = passed(JOB).min(oldest(&job)).min(oldest(&aggregate));
        let aggregate_from = passed(AGGREGATE).min(aggregate.epoch);
        let mut kept = Kept::default();
        for (chain, from) in [(&self.job, job_from), (&self.aggregate, aggregate_from)] {
            for files in segments(chain, from, chain.epoch())?.into_values() {
                kept.files.extend(files.into_iter().map(|file| file.path));
            }
        }
        for slice in job.state.iter().chain(&aggregate.state) {
            kept.files.insert(slice.file.path.clone());
        }
        kept.manifests = vec![
            (JOB.to_owned(), job_from.saturating_sub(1)),
            (AGGREGATE.to_owned(), aggregate_from.saturating_sub(1)),
            (LAKE.to_owned(), lake.epoch.saturating_sub(1)),
        ];
        let places = ["segments/job", "state/job", "segments/aggregate", "state/aggregate"];
        let deleted = collect(&self.dir, &places, &kept, GRACE_US, clock.now_us())?;
        if deleted > 0 {
            tracing::debug!(n_files = deleted, "passed files were collected");
        }
        Ok(())
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
