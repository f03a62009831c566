//! Writes drafts: segments and slices first, their directory entries, then the manifest.
//!
//! A full disk is waited out: the same draft is tried again, ingest pauses behind the bounded
//! queues, and the process says so. Everything else stops the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow_array::RecordBatch;
use commit::{Chain, CommitError, DataDir, random_hex, stage_file, write_segment};
use fail::fail_point;
use model::clock::Clock;
use model::manifest::{FileRef, Manifest, StateSlice};

use super::core::Draft;
use crate::disk::wait_for_space;
use crate::failure::{Failure, Outcome};
use crate::telemetry::Telemetry;

/// Place of the job's segments.
pub(crate) const SEGMENTS: &str = "segments/job";
/// Place of the job's state slices.
pub(crate) const SLICES: &str = "state/job";

/// Owner of the job's chain.
#[derive(Debug)]
pub(crate) struct Committer {
    pub(crate) dir: DataDir,
    pub(crate) chain: Chain,
    pub(crate) state: BTreeMap<String, StateSlice>,
    pub(crate) config_version: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) telemetry: Arc<Telemetry>,
    /// The process is to end: a full disk is waited out for a minute only.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Committer {
    /// Writes a draft and its manifest; waits where the disk is full.
    pub(crate) fn commit(&mut self, draft: &Draft) -> Outcome<()> {
        // One id a draft: another try writes over what a failed one left.
        let attempt = random_hex()?;
        let telemetry = Arc::clone(&self.telemetry);
        let stop = Arc::clone(&self.stop);
        wait_for_space(
            &stop,
            |failure| pause(&telemetry, failure),
            || Ok(self.try_commit(draft, &attempt)?),
        )?;
        let mut counts = self.telemetry.lock();
        if counts.paused.take().is_some() {
            tracing::warn!("the disk has space again: ingest goes on");
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
        Ok(())
    }

    fn try_commit(&mut self, draft: &Draft, attempt: &str) -> Result<(), CommitError> {
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
            let entry = state.entry(slice_name(*slice)).or_insert_with(|| empty_slice(*slice));
            entry.epoch = draft.epoch;
        }
        for (slice, batch) in &draft.slices {
            self.write_slice(*slice, batch, draft.epoch, attempt, &mut state)?;
        }
        if !draft.slices.is_empty() {
            stage_file(&self.dir, SLICES)?;
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
            state: state.values().cloned().collect(),
            values: draft.values.clone(),
            ..Manifest::default()
        };
        self.chain.create(manifest)?;
        self.state = state;
        Ok(())
    }

    fn write_slice(
        &self,
        slice: u8,
        batch: &RecordBatch,
        epoch: u64,
        attempt: &str,
        state: &mut BTreeMap<String, StateSlice>,
    ) -> Result<(), CommitError> {
        let name = slice_name(slice);
        let file = format!("{epoch:020}-{attempt}-{slice:02}.arrow");
        let batches = std::slice::from_ref(batch);
        let mut entry = empty_slice(slice);
        if let Some(file) = write_segment(&self.dir, SLICES, &file, &name, batches)? {
            entry.file = file;
        }
        entry.epoch = epoch;
        state.insert(name, entry);
        Ok(())
    }
}

fn pause(telemetry: &Telemetry, failure: &Failure) {
    if telemetry.lock().paused.replace(failure.to_string()).is_none() {
        tracing::error!(error = %failure, "the disk is full: ingest pauses until there is space");
    }
}

/// A slice without a message has no file; its epoch still says from where to replay.
fn empty_slice(slice: u8) -> StateSlice {
    let name = slice_name(slice);
    let file = FileRef {
        table: name.clone(),
        path: String::new(),
        rows: 0,
        bytes: 0,
        sha256: String::new(),
    };
    StateSlice { slice: name, epoch: 0, file }
}

/// Name of a slice in a manifest.
pub(crate) fn slice_name(slice: u8) -> String {
    format!("track/{slice:02}")
}
