//! Rolling: whole epochs out of their segments, soon, so that segments can be collected and
//! queries read Parquet.
//!
//! ```text
//! epochs 41 … 97 │ 98 99     rows of 41..=97 ─► by table and date ─► sorted ─► rolled files
//!        rolled    waiting
//! ```
//! Which epochs a roll took stands in its manifest (`consumed`), and so do their watermarks: when
//! the files may become public is decided from these.

use std::collections::{BTreeMap, BTreeSet};

use commit::{random_hex, read_segment, stage_file};
use fail::fail_point;
use model::clock::Clock;
use model::manifest::{FileRef, Manifest};
use model::schema::{self, Table};
use model::time::{MINUTE_US, SECOND_US};
use sink::{by_date, sorted, write_parquet};

use super::{Lake, names};
use crate::failure::Outcome;
use crate::tables::{AGGREGATE, JOB, manifest, segments};

/// Rows of one roll, two row groups: bounds its memory (an event takes about 500 bytes here).
const ROLL_ROWS: u64 = 524_288;
/// Bytes of a segment that count as a row, where rows are large (records of dead letters).
const ROW_BYTES: u64 = 512;
/// Rows wait no longer for a roll: five minutes of Arrow segments are read in a moment.
const ROLL_AFTER_US: i64 = 5 * MINUTE_US;
/// Epochs without rows are passed in such numbers, about an hour of them.
const EMPTY_EPOCHS: usize = 2_000;
/// Head of the keys under which a manifest keeps the watermarks of rolls: `rolled/<lake epoch>`.
const SPAN: &str = "rolled/";

/// An epoch that no roll has taken yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    epoch: u64,
    watermark_us: Option<i64>,
    committed_at_us: i64,
    rows: u64,
}

/// Watermarks of the oldest and the newest epoch with rows of a roll; `None` is from before the
/// first watermark, older than any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first_us: Option<i64>,
    pub(super) last_us: Option<i64>,
}

impl Span {
    fn text(self) -> String {
        let mark = |mark: Option<i64>| mark.map(|us| us.to_string()).unwrap_or_default();
        format!("{}..{}", mark(self.first_us), mark(self.last_us))
    }

    /// Of a roll, as a manifest says.
    pub(super) fn of(manifest: &Manifest, roll: u64) -> Option<Self> {
        let (first, last) = manifest.values.get(&key(roll))?.split_once("..")?;
        Some(Self { first_us: first.parse().ok(), last_us: last.parse().ok() })
    }
}

fn key(roll: u64) -> String {
    format!("{SPAN}{roll:020}")
}

/// Rows of a segment; of large rows as many as would take their bytes.
fn weight(file: &FileRef) -> u64 {
    file.rows.max(file.bytes / ROW_BYTES)
}

/// Takes the watermarks of rolls out of which no file is left.
pub(super) fn forget_spans(manifest: &mut Manifest) {
    let left: BTreeSet<String> =
        manifest.files.iter().filter_map(names::roll_of).map(key).collect();
    manifest.values.retain(|name, _| !name.starts_with(SPAN) || left.contains(name));
}

impl Lake {
    /// Learns the epochs that were committed since.
    pub(super) fn look(&mut self) -> Outcome<()> {
        let consumed = self.chain.head().map(|head| head.consumed.clone()).unwrap_or_default();
        for (name, chain) in [(JOB, &self.job), (AGGREGATE, &self.aggregate)] {
            let waiting = self.waiting.entry(name).or_default();
            let consumed = consumed.get(name).copied().unwrap_or(0);
            waiting.retain(|epoch| epoch.epoch > consumed);
            let from = waiting.last().map_or(consumed, |last| last.epoch) + 1;
            chain.fetch(from, chain.epoch())?;
            for epoch in from..=chain.epoch() {
                let manifest = manifest(chain, epoch)?;
                waiting.push(Waiting {
                    epoch,
                    watermark_us: manifest.watermark_us,
                    committed_at_us: manifest.committed_at_us,
                    rows: manifest.segments.iter().map(weight).sum(),
                });
            }
        }
        Ok(())
    }

    /// Up to which epochs of both chains to roll now, if at all. Ages are by the times of commits.
    pub(super) fn due_roll(&self, drain: bool) -> Option<(u64, u64)> {
        let (mut rows, mut epochs) = (0, 0);
        let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
        let mut oldest_us: Option<i64> = None;
        for (name, waiting) in &self.waiting {
            for epoch in waiting {
                if rows >= ROLL_ROWS {
                    break;
                }
                rows += epoch.rows;
                epochs += 1;
                if epoch.rows > 0 {
                    let at_us = epoch.committed_at_us;
                    oldest_us = Some(oldest_us.map_or(at_us, |oldest| oldest.min(at_us)));
                }
                newest.insert(name, epoch.epoch);
            }
        }
        let now_us = self.job.head().map(|head| head.committed_at_us);
        let wait_us = self.rules.publish_after_us.clamp(SECOND_US, ROLL_AFTER_US);
        let old = now_us.zip(oldest_us).is_some_and(|(now, oldest)| now - oldest >= wait_us);
        let due = if rows > 0 { drain || old || rows >= ROLL_ROWS } else { epochs > EMPTY_EPOCHS };
        let head = self.chain.head();
        let up_to = |name: &str| {
            let consumed = head.and_then(|head| head.consumed.get(name)).copied().unwrap_or(0);
            newest.get(name).copied().unwrap_or(consumed)
        };
        due.then(|| (up_to(JOB), up_to(AGGREGATE)))
    }

    /// One roll, one manifest.
    pub(super) fn roll(&mut self, (job, aggregate): (u64, u64), clock: &dyn Clock) -> Outcome<()> {
        let mut manifest = self.head();
        let epoch = self.epoch() + 1;
        let attempt = random_hex()?;
        let mut written = Vec::new();
        for (name, to) in [(JOB, job), (AGGREGATE, aggregate)] {
            let chain = if name == JOB { &self.job } else { &self.aggregate };
            let from = manifest.consumed.get(name).copied().unwrap_or(0) + 1;
            let mut files = segments(chain, from, to)?;
            for table in schema::stored() {
                let segments = files.remove(&table.name).unwrap_or_default();
                let done = self.write(table, &segments, (epoch, &attempt), &mut written);
                if done.is_err() {
                    self.discard(written.iter().map(|file: &FileRef| &file.path));
                }
                done?;
            }
            manifest.consumed.insert(name.to_owned(), to);
        }
        if !written.is_empty() {
            let span = self.span(job, aggregate);
            manifest.values.insert(key(epoch), span.text());
        }
        manifest.files.extend(written);
        self.commit(manifest, attempt, clock)
    }

    fn span(&self, job: u64, aggregate: u64) -> Span {
        let taken = [(JOB, job), (AGGREGATE, aggregate)].into_iter().flat_map(|(name, to)| {
            let waiting = self.waiting.get(name).into_iter().flatten();
            waiting.filter(move |epoch| epoch.epoch <= to && epoch.rows > 0)
        });
        // Before the first watermark is older than any: `None` is the least.
        let marks: Vec<Option<i64>> = taken.map(|epoch| epoch.watermark_us).collect();
        Span {
            first_us: marks.iter().min().copied().flatten(),
            last_us: marks.iter().max().copied().flatten(),
        }
    }

    /// Rows of one table into one file a date. Names each file in `written` before it is there, so
    /// that whatever fails can be discarded.
    fn write(
        &self,
        table: &Table,
        segments: &[FileRef],
        (epoch, attempt): (u64, &str),
        written: &mut Vec<FileRef>,
    ) -> Outcome<()> {
        let mut batches = Vec::new();
        for segment in segments {
            batches.extend(read_segment(&self.dir, segment)?);
        }
        for (date, batches) in by_date(table, &batches)? {
            let place = names::place(&table.name, &date);
            let path = format!("{place}/{}", names::rolled(epoch, attempt));
            written.push(FileRef {
                table: table.name.clone(),
                path: path.clone(),
                rows: 0,
                bytes: 0,
                sha256: String::new(),
            });
            let full = self.dir.place(&place)?.join(names::rolled(epoch, attempt));
            let facts = [("sendtally.lake_epoch", format!("{epoch:020}"))];
            let done = write_parquet(&full, table, &sorted(table, &batches)?, &facts)?;
            self.dir.begin_upload(&path);
            fail_point!("lake::rolled_file");
            stage_file(&self.dir, &place)?;
            let whole = self.file_ref(&table.name, path, done)?;
            if let Some(last) = written.last_mut() {
                *last = whole;
            }
        }
        Ok(())
    }
}
