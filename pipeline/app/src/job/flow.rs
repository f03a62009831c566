//! The threads of a job that reads Kafka, from records to committed epochs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, tick};
use model::clock::Clock;
use model::record::{Input, RawBatch};
use model::vocabulary::Source;
use normalize::{Normalized, Normalizer};

use super::committer::Committer;
use super::core::{Core, Draft, Mark};
use super::inputs::Opening;
use super::spawn;
use crate::failure::{Failure, Outcome};
use crate::telemetry::Telemetry;

/// Raw batches waiting for a normalizer: with 1 MiB each, 8 MiB.
const RAW_BATCHES: usize = 8;
/// Normalized batches waiting for the core; holds what overtook a slower batch.
const NORMALIZED_BATCHES: usize = 16;
/// Raw bytes after which an epoch closes before its time.
const EPOCH_BYTES: usize = 64 << 20;
/// An idle job still commits, so that others see it alive.
const IDLE_US: i64 = 2 * model::time::SECOND_US;

/// What the ingest thread sends.
#[derive(Debug)]
pub(crate) struct Ingested {
    pub(crate) batch: RawBatch,
    pub(crate) inputs: Arc<Vec<Input>>,
    pub(crate) ended: Vec<u32>,
}

/// What reaches the core.
#[derive(Debug)]
struct Done {
    sequence: u64,
    normalized: Normalized,
    bytes: usize,
    oldest_us: Option<i64>,
    ended: Vec<u32>,
}

/// News for the core beside records.
#[derive(Debug)]
pub(crate) enum News {
    /// New partitions: the core learns them before their first record.
    Opened(Vec<Opening>),
    /// The broker confirmed an end.
    AtEnd { input: u32, next_offset: i64, checked_at_us: i64 },
}

/// Inputs whose end the consumer saw, with the offset it stood at: what the tail thread asks for.
pub(crate) type Board = std::sync::Mutex<BTreeMap<u32, (Input, i64)>>;

/// What all threads share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) telemetry: Arc<Telemetry>,
    /// Stop reading; what was read is committed.
    pub(crate) stop: Arc<AtomicBool>,
    /// Inputs at their end, as far as the consumer saw.
    pub(crate) board: Arc<Board>,
    pub(crate) epoch_us: i64,
    /// Read to the end of what was there at the start, then stop; log ends move no watermark.
    pub(crate) until_end: bool,
}

impl Shared {
    pub(crate) fn stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

/// Told the number of each committed epoch.
pub(crate) type Kick = Sender<u64>;

/// Runs normalizers, core and committer until the raw channel closes; the last epoch is marked as
/// released. Returns the committer, whose chain stands at that epoch.
pub(crate) fn run(
    core: Core,
    committer: Committer,
    normalizers: Vec<Normalizer>,
    channels: (Receiver<Ingested>, Receiver<News>, Vec<Kick>),
    shared: &Shared,
) -> Outcome<Committer> {
    let (raw, news, kicks) = channels;
    let (numbered_out, numbered_in) = bounded(RAW_BATCHES);
    let (done_out, done_in) = bounded(NORMALIZED_BATCHES);
    let (draft_out, draft_in) = bounded::<Draft>(1);
    std::thread::scope(|scope| {
        spawn(scope, "number", move || number(&raw, &numbered_out))?;
        let mut workers = Vec::new();
        for (at, normalizer) in normalizers.into_iter().enumerate() {
            let (input, output) = (numbered_in.clone(), done_out.clone());
            let work = move || normalize_all(normalizer, &input, &output, shared);
            workers.push(spawn(scope, &format!("normalize-{at}"), work)?);
        }
        drop((numbered_in, done_out));
        let writing = spawn(scope, "commit", move || write_all(committer, &draft_in, &kicks))?;
        let deciding = spawn(scope, "core", move || {
            // Whoever fails, the others see closed channels and end.
            CoreLoop { core, shared, drafts: draft_out }.run(&done_in, &news)
        })?;
        let result = join(deciding.join());
        shared.stop.store(true, Ordering::SeqCst);
        let mut worked = Ok(());
        for worker in workers {
            worked = worked.and(join(worker.join()));
        }
        let written = join(writing.join());
        match (written, worked, result) {
            (Err(failure), _, _) | (Ok(_), Err(failure), _) | (Ok(_), Ok(()), Err(failure)) => {
                Err(failure)
            }
            (Ok(committer), Ok(()), Ok(())) => Ok(committer),
        }
    })
}

fn join<T>(joined: std::thread::Result<Outcome<T>>) -> Outcome<T> {
    joined.unwrap_or_else(|_| Err(Failure::protect("a thread panicked; start again")))
}

/// Gives batches numbers, so that the core can take them in the order of reading.
fn number(raw: &Receiver<Ingested>, out: &Sender<(u64, Ingested)>) {
    for (sequence, ingested) in raw.iter().enumerate() {
        if out.send((sequence as u64, ingested)).is_err() {
            return;
        }
    }
}

/// Stops the job where its thread ends by an error or a panic: a batch that never arrives would
/// hold up every batch after it, unseen.
struct StopsOnFailure<'a> {
    shared: &'a Shared,
    done: bool,
}

impl Drop for StopsOnFailure<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.shared.stop.store(true, Ordering::SeqCst);
        }
    }
}

fn normalize_all(
    normalizer: Normalizer,
    input: &Receiver<(u64, Ingested)>,
    output: &Sender<Done>,
    shared: &Shared,
) -> Outcome<()> {
    let mut guard = StopsOnFailure { shared, done: false };
    normalize_each(normalizer, input, output, shared)?;
    guard.done = true;
    Ok(())
}

fn normalize_each(
    mut normalizer: Normalizer,
    input: &Receiver<(u64, Ingested)>,
    output: &Sender<Done>,
    shared: &Shared,
) -> Outcome<()> {
    for (sequence, ingested) in input {
        let normalized = normalizer.batch(&ingested.batch, &ingested.inputs)?;
        let times = ingested.batch.records.iter().filter_map(|record| record.ingest_time_us);
        let done = Done {
            sequence,
            normalized,
            bytes: ingested.batch.bytes.len(),
            oldest_us: times.min(),
            ended: ingested.ended,
        };
        count(&done, &normalizer.take_counters(), shared);
        tell_new_fields(&normalizer.take_new_fields(), shared);
        if output.send(done).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Says once for the whole process that a vendor sends a field that it did not send before.
fn tell_new_fields(fields: &[(Source, String)], shared: &Shared) {
    for (source, name) in fields {
        if shared.telemetry.lock().new_fields.insert((*source, name.clone())) {
            tracing::warn!(%source, field = name, "a new field: ignored and counted");
        }
    }
}

fn count(done: &Done, noticed: &normalize::Counters, shared: &Shared) {
    let mut counts = shared.telemetry.lock();
    counts.noticed.add(noticed);
    counts.bytes += done.bytes as u64;
    for tally in &done.normalized.tallies {
        counts.records += tally.records.unsigned_abs();
        counts.ignored += tally.ignored.unsigned_abs();
    }
    for letter in &done.normalized.dead {
        let source = letter.source.map_or("unknown", Source::as_str);
        *counts.dead.entry((source.to_owned(), letter.reason)).or_default() += 1;
    }
}

fn write_all(
    mut committer: Committer,
    drafts: &Receiver<Draft>,
    kicks: &[Kick],
) -> Outcome<Committer> {
    for draft in drafts {
        committer.commit(&draft)?;
        for kick in kicks {
            // A full channel means that the reader will look anyway.
            if kick.try_send(draft.epoch).is_err() {
                tracing::trace!("a reader is busy");
            }
        }
    }
    Ok(committer)
}

struct CoreLoop<'a> {
    core: Core,
    shared: &'a Shared,
    drafts: Sender<Draft>,
}

impl CoreLoop<'_> {
    fn run(mut self, done: &Receiver<Done>, news: &Receiver<News>) -> Outcome<()> {
        let ticks = tick(Duration::from_millis(50));
        let mut waiting: BTreeMap<u64, Done> = BTreeMap::new();
        let mut next = 0;
        let mut opened_us = self.shared.clock.steady_us();
        loop {
            crossbeam_channel::select! {
                recv(done) -> message => {
                    let Ok(message) = message else { break };
                    waiting.insert(message.sequence, message);
                }
                recv(news) -> message => match message {
                    Ok(message) => self.learn(message),
                    // Nothing more will come; wait for the records only.
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                },
                recv(ticks) -> _ => {}
            }
            while let Some(ready) = waiting.remove(&next) {
                // Partitions are announced before their records.
                while let Ok(message) = news.try_recv() {
                    self.learn(message);
                }
                next += 1;
                self.take(ready)?;
            }
            let steady_us = self.shared.clock.steady_us();
            if self.is_due(steady_us - opened_us) {
                if !self.close(self.shared.clock.now_us(), false)? {
                    return Ok(());
                }
                opened_us = steady_us;
            }
        }
        self.close(self.shared.clock.now_us(), true)?;
        Ok(())
    }

    fn is_due(&self, open_us: i64) -> bool {
        if self.core.is_empty() {
            return open_us >= IDLE_US;
        }
        open_us >= self.shared.epoch_us || self.core.bytes() >= EPOCH_BYTES
    }

    fn learn(&mut self, news: News) {
        match news {
            News::Opened(opened) => self.core.open(opened),
            News::AtEnd { input, next_offset, checked_at_us } => {
                self.core.inputs.at_end(input, next_offset, checked_at_us);
            }
        }
    }

    fn take(&mut self, done: Done) -> Outcome<()> {
        let records: i64 = done.normalized.tallies.iter().map(|tally| tally.records).sum();
        if let Some(oldest_us) = done.oldest_us {
            self.core.note_appended(oldest_us, records.unsigned_abs());
        }
        let moved: Vec<u32> = done.normalized.tallies.iter().map(|tally| tally.input).collect();
        self.core.accept(done.normalized, done.bytes, self.shared.clock.now_us())?;
        let mut board = self.shared.board.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for input in moved {
            board.remove(&input);
        }
        for input in done.ended {
            if let Some(state) = self.core.inputs.states.get_mut(input as usize) {
                state.drained = self.shared.until_end;
                board.insert(input, (state.input.clone(), state.range.end_offset));
            }
        }
        Ok(())
    }

    /// False where the committer is gone: it failed and says why itself.
    fn close(&mut self, now_us: i64, released: bool) -> Outcome<bool> {
        let mut draft = self.core.close(now_us, Mark::Inputs)?;
        draft.released = released;
        self.report(&draft);
        Ok(self.drafts.send(draft).is_ok())
    }

    fn report(&self, draft: &Draft) {
        let mut counts = self.shared.telemetry.lock();
        for range in &draft.inputs {
            counts.accepted += range.accepted.unsigned_abs();
            counts.duplicate += range.duplicate.unsigned_abs();
            counts.late += range.late.unsigned_abs();
            let key = (range.topic.clone(), range.partition);
            let state = counts.partitions.entry(key).or_default();
            state.watermark_us = range.watermark_us;
        }
        let size = self.core.trackers.size();
        if counts.state.n_evicted == 0 && size.n_evicted > 0 {
            let (messages, hot) = (size.n_messages, size.n_hot);
            tracing::info!(
                messages,
                hot,
                "above [track] memory_mb: the oldest messages are on disk only from here on"
            );
        }
        counts.state = size;
    }
}
