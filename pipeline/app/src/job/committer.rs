//! Writes drafts: segments and runs of the state first, their directory entries, then the manifest.
//!
//! A full disk is waited out: the same draft is tried again, ingest pauses behind the bounded
//! queues, and the process says so. Everything else stops the process.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use commit::{Chain, DataDir, open_file, random_hex, stage_file, write_bytes, write_segment};
use fail::fail_point;
use model::clock::Clock;
use model::manifest::{FileRef, Manifest};
use track::{Encoded, Flush};

use super::core::Draft;
use super::state::{State, slice_name};
use crate::disk::wait_for_space;
use crate::failure::{Failure, Outcome};
use crate::proof;
use crate::telemetry::Telemetry;

/// Place of the job's segments.
pub(crate) const SEGMENTS: &str = "segments/job";
/// Place of the runs of the job's state.
pub(crate) const RUNS: &str = "state/job";

/// Owner of the job's chain.
#[derive(Debug)]
pub(crate) struct Committer {
    pub(crate) dir: DataDir,
    pub(crate) chain: Chain,
    pub(crate) state: State,
    pub(crate) config_version: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) telemetry: Arc<Telemetry>,
    /// The process is to end: a full disk is waited out for a minute only.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Committer {
    /// Writes a draft and its manifest; waits where the disk is full.
    pub(crate) fn commit(&mut self, draft: &Draft) -> Outcome<()> {
        if !proof::commits() {
            self.count(draft);
            return Ok(());
        }
        // One id a draft: another try writes over what a failed one left.
        let attempt = random_hex()?;
        let telemetry = Arc::clone(&self.telemetry);
        let stop = Arc::clone(&self.stop);
        wait_for_space(
            &stop,
            |failure| pause(&telemetry, failure),
            || self.try_commit(draft, &attempt),
        )?;
        self.count(draft);
        Ok(())
    }

    fn count(&self, draft: &Draft) {
        let mut counts = self.telemetry.lock();
        if counts.paused.take().is_some() {
            tracing::warn!("what was waited for is there: ingest goes on");
        }
        counts.epochs += 1;
        counts.epoch = draft.epoch;
        counts.watermark_us = draft.watermark_us;
        for range in &draft.inputs {
            let key = (range.topic.clone(), range.partition);
            counts.partitions.entry(key).or_default().next_offset = range.end_offset;
            counts.disorder += u64::try_from(range.disorder).unwrap_or(0);
        }
        let now_us = self.clock.now_us();
        for (oldest_us, records) in &draft.appended {
            counts.visible.observe(now_us - oldest_us, *records);
        }
    }

    fn try_commit(&mut self, draft: &Draft, attempt: &str) -> Outcome<()> {
        let mut segments = Vec::new();
        for (table, batches) in &draft.tables {
            let name = format!("{:020}-{attempt}-{table}.arrow", draft.epoch);
            segments.extend(write_segment(&self.dir, SEGMENTS, &name, table, batches)?);
        }
        if !segments.is_empty() {
            stage_file(&self.dir, SEGMENTS)?;
        }
        fail_point!("job::segments");
        let mut state = self.state.clone();
        for slice in &draft.unchanged {
            state.keep(*slice, draft.epoch);
        }
        let mut written = Vec::new();
        for flush in &draft.flushes {
            let (encoded, file) = self.write_run(flush, draft.epoch, attempt)?;
            state.replace(flush.slice(), draft.epoch, flush.replaces(), file.clone());
            written.push((flush, encoded, file));
        }
        if !written.is_empty() {
            stage_file(&self.dir, RUNS)?;
        }
        fail_point!("job::slices");
        let manifest = Manifest {
            attempt: attempt.to_owned(),
            committed_at_us: draft.committed_at_us,
            released: draft.released,
            config_version: self.config_version.clone(),
            inputs: draft.inputs.clone(),
            watermark_us: draft.watermark_us,
            segments,
            state: state.to_manifest(),
            values: draft.values.clone(),
            ..Manifest::default()
        };
        self.chain.create(manifest)?;
        self.state = state;
        // Only now may the tracker forget what it handed over.
        for (flush, encoded, file) in written {
            let opened = file.map(|file| open_file(&self.dir, &file)).transpose()?;
            flush.written(&encoded, opened)?;
        }
        Ok(())
    }

    /// Writes the run of a slice; there is none where no message is left.
    fn write_run(
        &self,
        flush: &Flush,
        epoch: u64,
        attempt: &str,
    ) -> Outcome<(Encoded, Option<FileRef>)> {
        let mut encoded = flush.encode()?;
        let bytes = std::mem::take(&mut encoded.bytes);
        if bytes.is_empty() {
            return Ok((encoded, None));
        }
        let name = format!("{epoch:020}-{attempt}-{:02}.run", flush.slice());
        let what = slice_name(flush.slice());
        let file = write_bytes(&self.dir, RUNS, &name, (&what, encoded.n_messages), &bytes)?;
        Ok((encoded, Some(file)))
    }
}

fn pause(telemetry: &Telemetry, failure: &Failure) {
    if telemetry.lock().paused.replace(failure.to_string()).is_none() {
        tracing::error!(error = %failure, "the disk is full: ingest pauses until there is space");
    }
}
